//! A device's TLS certificate: self-signed and without meaning beyond its key, which the roster pins.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use seatkeeper_protocol::id::PublicKey;

use super::KeyError;

/// The name in every certificate; also what a dialer gives as server name.
pub const TLS_NAME: &str = "seatkeeper";

/// The device's certificate and its private key in the form that rustls takes. The same key always gives the same
/// certificate.
///
/// # Errors
/// [`KeyError::Certificate`].
pub fn self_signed(key: &SigningKey) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), KeyError> {
    let document = key.to_pkcs8_der().map_err(|error| KeyError::Certificate(error.to_string()))?;
    let pkcs8 = PrivatePkcs8KeyDer::from(document.as_bytes().to_vec());
    let failed = |error: rcgen::Error| KeyError::Certificate(error.to_string());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ED25519).map_err(failed)?;
    // rcgen's default validity is 1975 to 4096: the clock of an office machine must not lock it out.
    let mut params = CertificateParams::new(vec![TLS_NAME.to_owned()]).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, TLS_NAME);
    let certificate = params.self_signed(&pair).map_err(failed)?;
    Ok((certificate.der().clone(), PrivateKeyDer::Pkcs8(pkcs8)))
}

/// The Ed25519 key of a peer's certificate; `None` when it is no certificate or has another kind of key.
pub fn public_key_of_cert(der: &[u8]) -> Option<PublicKey> {
    let der = CertificateDer::from(der);
    let certificate = ParsedCertificate::try_from(&der).ok()?;
    PublicKey::from_spki(&certificate.subject_public_key_info())
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring::sign::any_supported_type;

    use super::super::{generate, public};
    use super::*;

    #[test]
    fn the_certificate_carries_the_key_and_rustls_takes_it() {
        let key = generate().unwrap();
        let (certificate, private) = self_signed(&key).unwrap();
        assert_eq!(public_key_of_cert(&certificate), Some(public(&key)));
        assert_eq!(self_signed(&key).unwrap().0, certificate);

        let signer = any_supported_type(&private).unwrap();
        let signer = signer.choose_scheme(&[rustls::SignatureScheme::ED25519]).unwrap();
        assert!(public(&key).verifies(b"message", &signer.sign(b"message").unwrap()));
    }

    #[test]
    fn what_is_no_certificate_has_no_key() {
        let (certificate, _) = self_signed(&generate().unwrap()).unwrap();
        assert_eq!(public_key_of_cert(b""), None);
        assert_eq!(public_key_of_cert(&certificate[..certificate.len() - 1]), None);
        assert_eq!(public_key_of_cert(&[&certificate[..], b"x"].concat()), None);
        // Every cut and every changed byte is read without a panic, and no change gives another's key by accident.
        for at in 0..certificate.len() {
            assert_eq!(public_key_of_cert(&certificate[..at]), None);
            let mut changed = certificate.to_vec();
            changed[at] ^= 0xff;
            let _ = public_key_of_cert(&changed);
        }
    }

    #[test]
    fn another_kind_of_key_is_not_taken() {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = CertificateParams::new(vec![TLS_NAME.to_owned()]).unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        assert_eq!(public_key_of_cert(certificate.der()), None);
    }
}
