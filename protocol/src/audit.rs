//! The signed head of a site's audit: a log holder's word that so many records lead to this hash.
//!
//! The chain itself is the ledger's (`seatkeeper_ledger::audit`). `protocol/AUDIT.md` tells both byte by byte.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::frame;
use crate::id::{Generation, PublicKey, SiteId};
use crate::ticket::{PoolKeyCertificate, TicketError};

/// The format of signed heads of this release: the first byte of the signed bytes and of their text form.
pub const FORMAT: u8 = 1;
/// Longest signed head as text, bytes.
pub const SEAL_TEXT_BYTES_MAX: usize = 1_024;

const DOMAIN: &[u8] = b"seatkeeper-audit-head-v1\n";

/// How far the records of a site go, and their hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The site.
    pub site: SiteId,
    /// Its generation.
    pub generation: Generation,
    /// The number of the last record.
    pub seq: u64,
    /// The hash over it and all before it.
    pub hash: [u8; 32],
}

/// Why a signed head is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A newer release wrote it.
    #[error("signature format {0} is not known here; update Seatkeeper")]
    UnknownFormat(u8),
    /// Not a signed head.
    #[error("the signature of the records is damaged")]
    Malformed,
    /// Not signed by a pool key of this site.
    #[error("the records are not signed by the site: {0}")]
    NotSigned(#[from] TicketError),
}

/// An [`AuditHead`], signed by the pool key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAuditHead {
    /// [`FORMAT`], then [`AuditHead`] as postcard: the bytes that are signed.
    pub bytes: Vec<u8>,
    /// Of the pool key that signed.
    pub certificate: PoolKeyCertificate,
    /// Ed25519 by the pool key.
    pub signature: Vec<u8>,
}

impl SignedAuditHead {
    /// Signs a head.
    ///
    /// # Errors
    /// When the key is not the certificate's, or that is of another site or generation.
    pub fn sign(
        head: &AuditHead,
        certificate: PoolKeyCertificate,
        pool_key: &SigningKey,
    ) -> Result<Self, SealError> {
        certificate.check_scope(&head.site, &head.generation)?;
        let bytes = postcard::to_extend(head, vec![FORMAT]).map_err(|_| SealError::Malformed)?;
        let signature = certificate.sign_with(pool_key, DOMAIN, &bytes)?;
        Ok(Self { bytes, certificate, signature })
    }

    /// Checks the whole chain from the site's root key and answers the head.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn open(&self, root: &PublicKey) -> Result<AuditHead, SealError> {
        self.certificate.verify_signed(root, DOMAIN, &self.bytes, &self.signature)?;
        let head: AuditHead = match self.bytes.split_first() {
            Some((&FORMAT, body)) => frame::decode_body(body).map_err(|_| SealError::Malformed)?,
            Some((&other, _)) => return Err(SealError::UnknownFormat(other)),
            None => return Err(SealError::Malformed),
        };
        self.certificate.check_scope(&head.site, &head.generation)?;
        Ok(head)
    }

    /// As text: [`FORMAT`] and the whole as postcard, base64url.
    ///
    /// # Errors
    /// [`SealError::Malformed`]; no signed head is.
    pub fn to_text(&self) -> Result<String, SealError> {
        let bytes = postcard::to_extend(self, vec![FORMAT]).map_err(|_| SealError::Malformed)?;
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When it is not one, or of a newer release.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        if text.len() > SEAL_TEXT_BYTES_MAX {
            return Err(SealError::Malformed);
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| SealError::Malformed)?;
        match bytes.split_first() {
            Some((&FORMAT, body)) => frame::decode_body(body).map_err(|_| SealError::Malformed),
            Some((&other, _)) => Err(SealError::UnknownFormat(other)),
            None => Err(SealError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: Generation = Generation { number: 1, id: [9; 16] };

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn public(n: u8) -> PublicKey {
        PublicKey(key(n).verifying_key().to_bytes())
    }

    fn head() -> AuditHead {
        AuditHead { site: public(1).site(), generation: GENERATION, seq: 70_000, hash: [5; 32] }
    }

    fn certificate() -> PoolKeyCertificate {
        PoolKeyCertificate::sign(&key(1), GENERATION, 1, public(2))
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let signed = SignedAuditHead::sign(&head(), certificate(), &key(2)).unwrap();
        let text = signed.to_text().unwrap();
        assert!(text.len() <= SEAL_TEXT_BYTES_MAX);
        assert_eq!(SignedAuditHead::from_text(&text), Ok(signed.clone()));
        assert_eq!(signed.open(&public(1)), Ok(head()));
        assert_eq!(signed.open(&public(3)), Err(TicketError::OtherSite.into()));
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = SignedAuditHead::from_text(&BASE64URL_NOPAD.encode(&changed));
            assert!(read.and_then(|read| read.open(&public(1))).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(SignedAuditHead::from_text(&BASE64URL_NOPAD.encode(&bytes[..cut])).is_err());
        }
        assert!(SignedAuditHead::from_text(&"A".repeat(SEAL_TEXT_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn only_the_sites_pool_key_signs_for_it() {
        let sign = |head: &AuditHead, n: u8| SignedAuditHead::sign(head, certificate(), &key(n));
        assert_eq!(sign(&head(), 3), Err(TicketError::OtherKey.into()));
        let other = AuditHead { site: public(3).site(), ..head() };
        assert_eq!(sign(&other, 2), Err(TicketError::OtherSite.into()));
        let later = AuditHead { generation: Generation { number: 2, ..GENERATION }, ..head() };
        assert_eq!(sign(&later, 2), Err(TicketError::OtherGeneration.into()));
    }
}
