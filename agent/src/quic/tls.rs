//! TLS 1.3, mutual, with self-signed Ed25519 certificates. No authority vouches for a key: the verifiers here prove
//! that the peer *has* the key of its certificate, and the gate decides what that key may do.

use std::sync::Arc;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::PublicKey;
use seatkeeper_protocol::wire::{ALPN_JOIN, ALPN_RAFT, ALPN_SESSION};

use super::limits;
use crate::keys::identity::{TLS_NAME, public_key_of_cert};

/// Both sides' settings.
pub(super) struct Tls {
    pub(super) server: Arc<QuicServerConfig>,
    session: ClientConfig,
    raft: ClientConfig,
    join: ClientConfig,
}

/// The name that a dialer gives; every device has it.
pub(super) const SERVER_NAME: &str = TLS_NAME;

impl Tls {
    pub(super) fn new(cert: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(KeyProof(provider.clone()));
        let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(vec![cert.clone()], key.clone_key())?;
        server.alpn_protocols = [ALPN_SESSION, ALPN_RAFT, ALPN_JOIN].map(<[u8]>::to_vec).to_vec();
        // A resumed session would skip the proof of the key.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        let client = |channel| -> Result<ClientConfig, Error> {
            let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .dangerous()
                .with_custom_certificate_verifier(verifier.clone())
                .with_client_auth_cert(vec![cert.clone()], key.clone_key())?;
            config.alpn_protocols = vec![alpn(channel).to_vec()];
            config.resumption = Resumption::disabled();
            let crypto =
                QuicClientConfig::try_from(config).map_err(|error| Error::General(error.to_string()))?;
            let mut config = ClientConfig::new(Arc::new(crypto));
            config.transport_config(Arc::new(limits::client_transport(channel)));
            Ok(config)
        };
        let server = QuicServerConfig::try_from(server).map_err(|error| Error::General(error.to_string()))?;
        Ok(Self {
            server: Arc::new(server),
            session: client(Channel::Session)?,
            raft: client(Channel::Raft)?,
            join: client(Channel::Join)?,
        })
    }

    /// The settings for dialing on a channel.
    pub(super) fn client(&self, channel: Channel) -> ClientConfig {
        match channel {
            Channel::Session => &self.session,
            Channel::Raft => &self.raft,
            Channel::Join => &self.join,
        }
        .clone()
    }
}

fn alpn(channel: Channel) -> &'static [u8] {
    match channel {
        Channel::Session => ALPN_SESSION,
        Channel::Raft => ALPN_RAFT,
        Channel::Join => ALPN_JOIN,
    }
}

/// The channel that an established connection is for.
pub(super) fn channel(connection: &Connection) -> Option<Channel> {
    let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    let protocol = data.protocol?;
    [Channel::Session, Channel::Raft, Channel::Join].into_iter().find(|channel| alpn(*channel) == protocol)
}

/// The key that the peer of an established connection has proven.
pub(super) fn peer_key(connection: &Connection) -> Option<PublicKey> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    public_key_of_cert(chain.first()?)
}

/// Proves that the peer has the key of its certificate.
#[derive(Debug)]
struct KeyProof(Arc<CryptoProvider>);

impl KeyProof {
    fn certificate(
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        // Who signed the certificate, its names and dates mean nothing; it only carries the key.
        match public_key_of_cert(end_entity) {
            Some(_) if intermediates.is_empty() => Ok(()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for KeyProof {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::certificate(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for KeyProof {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::certificate(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    /// A certificate without its key must not pass: a thief of the public certificate has no more than that.
    #[test]
    fn a_signature_by_another_key_is_refused() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let proof = KeyProof(provider);
        let (mine, other) = (keys::generate().unwrap(), keys::generate().unwrap());
        let (cert, _) = keys::identity::self_signed(&mine).unwrap();
        let check = |key: &ed25519_dalek::SigningKey| {
            use ed25519_dalek::Signer;
            let signature = key.sign(b"handshake").to_bytes();
            proof.signature(b"handshake", &cert, &signed(&signature)).is_ok()
        };
        assert!(check(&mine));
        assert!(!check(&other));
    }

    fn signed(signature: &[u8]) -> DigitallySignedStruct {
        use rustls::internal::msgs::codec::{Codec, Reader};

        let mut bytes = 0x0807u16.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(signature.len()).unwrap().to_be_bytes());
        bytes.extend(signature);
        DigitallySignedStruct::read(&mut Reader::init(&bytes)).unwrap()
    }

    #[test]
    fn other_kinds_of_certificates_are_refused() {
        let ecdsa = rcgen::generate_simple_self_signed(vec!["seatkeeper".to_owned()]).unwrap();
        assert!(KeyProof::certificate(ecdsa.cert.der(), &[]).is_err());
        assert!(KeyProof::certificate(&CertificateDer::from(&b"nonsense"[..]), &[]).is_err());
        let (ours, _) = keys::identity::self_signed(&keys::generate().unwrap()).unwrap();
        assert!(KeyProof::certificate(&ours, &[]).is_ok());
        assert!(KeyProof::certificate(&ours, std::slice::from_ref(&ours)).is_err());
    }
}
