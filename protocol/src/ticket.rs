//! The signed proof of a seat, which an application verifies offline from the site's root key alone.
//!
//! Chain: the root key (whose fingerprint is the site id) signs a [`PoolKeyCertificate`]; the pool key signs a
//! [`Ticket`]; the device named in it proves with a [`DeviceProof`] that the ticket was not copied. Every signature
//! covers a message with its own prefix, so that none passes for another.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::frame;
use crate::id::{DeviceId, Feature, Generation, Name, ProductId, PublicKey, SeatId, SiteId, Version};
use crate::limits;
use crate::time::WallTime;

#[cfg(test)]
mod tests;

/// The format of tickets of this release: the first byte of a ticket's body and of its text form.
pub const FORMAT: u8 = 1;

const CERTIFICATE_DOMAIN: &[u8] = b"seatkeeper-pool-key-v1\n";
const TICKET_DOMAIN: &[u8] = b"seatkeeper-ticket-v1\n";
const PROOF_DOMAIN: &[u8] = b"seatkeeper-device-proof-v1\n";

/// Why a ticket, certificate or proof is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Over the limit, or a part of it is.
    #[error("the ticket is too long")]
    TooLong,
    /// Not base64url, not postcard, or cut short.
    #[error("the ticket is damaged")]
    Malformed,
    /// A newer release wrote it.
    #[error("ticket format {0} is not known here; update Seatkeeper")]
    UnknownFormat(u8),
    /// The root key given is not the site's.
    #[error("the ticket is of another site")]
    OtherSite,
    /// The certificate is of another generation than what it should certify.
    #[error("the ticket and its certificate are of different generations of the site")]
    OtherGeneration,
    /// The root key did not sign the pool key's certificate.
    #[error("the pool key is not certified by the site")]
    BadCertificate,
    /// The pool key did not sign the ticket.
    #[error("the ticket's signature is wrong")]
    BadSignature,
    /// The signing key is not the one that the certificate names.
    #[error("the certificate is of another pool key")]
    OtherKey,
    /// The nonce is longer than [`limits::NONCE_BYTES_MAX`].
    #[error("a nonce has at most {} bytes", limits::NONCE_BYTES_MAX)]
    NonceTooLong,
    /// The proof is by another device than the ticket's.
    #[error("the proof is of another device")]
    OtherDevice,
    /// The device did not sign this ticket and nonce.
    #[error("the device's proof is wrong")]
    BadProof,
}

/// The root key's word that a numbered pool key signs for a generation of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolKeyCertificate {
    /// The site.
    pub site: SiteId,
    /// Its generation.
    pub generation: Generation,
    /// Counts the pool keys of the generation, from 1.
    pub number: u32,
    /// The pool key.
    pub key: PublicKey,
    /// Ed25519 by the root key.
    pub signature: Vec<u8>,
}

impl PoolKeyCertificate {
    /// Certifies `key` for the site whose root key `root` is.
    pub fn sign(root: &SigningKey, generation: Generation, number: u32, key: PublicKey) -> Self {
        let site = public(root).site();
        let signature = root.sign(&certificate_message(&site, &generation, number, &key)).to_vec();
        Self { site, generation, number, key, signature }
    }

    /// Checks it against the site's root key.
    ///
    /// # Errors
    /// [`TicketError::OtherSite`] or [`TicketError::BadCertificate`].
    pub fn verify(&self, root: &PublicKey) -> Result<(), TicketError> {
        if root.site() != self.site {
            return Err(TicketError::OtherSite);
        }
        let message = certificate_message(&self.site, &self.generation, self.number, &self.key);
        if !root.verifies(&message, &self.signature) {
            return Err(TicketError::BadCertificate);
        }
        Ok(())
    }

    /// Signs `bytes` under `domain` with the pool key that this certifies.
    pub(crate) fn sign_with(
        &self,
        pool_key: &SigningKey,
        domain: &[u8],
        bytes: &[u8],
    ) -> Result<Vec<u8>, TicketError> {
        if public(pool_key) != self.key {
            return Err(TicketError::OtherKey);
        }
        Ok(pool_key.sign(&[domain, bytes].concat()).to_vec())
    }

    /// Checks this certificate, then the pool key's signature of `bytes` under `domain`.
    pub(crate) fn verify_signed(
        &self,
        root: &PublicKey,
        domain: &[u8],
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<(), TicketError> {
        self.verify(root)?;
        if !self.key.verifies(&[domain, bytes].concat(), signature) {
            return Err(TicketError::BadSignature);
        }
        Ok(())
    }

    /// Whether what says to be of `site` and `generation` fits this certificate.
    pub(crate) fn check_scope(&self, site: &SiteId, generation: &Generation) -> Result<(), TicketError> {
        if *site != self.site {
            return Err(TicketError::OtherSite);
        }
        if *generation != self.generation {
            return Err(TicketError::OtherGeneration);
        }
        Ok(())
    }
}

/// All fields have a fixed length, so that no two certificates have one message.
fn certificate_message(site: &SiteId, generation: &Generation, number: u32, key: &PublicKey) -> Vec<u8> {
    [
        CERTIFICATE_DOMAIN,
        &site.0,
        &generation.number.to_le_bytes(),
        &generation.id,
        &number.to_le_bytes(),
        &key.0,
    ]
    .concat()
}

/// The kind of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeatKind {
    /// Leased: ends a ttl after the last contact.
    Online,
    /// Dated: used without contact until the ticket's end.
    Borrowed,
}

impl SeatKind {
    /// As in every JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Borrowed => "borrowed",
        }
    }
}

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketBody {
    /// [`FORMAT`].
    pub format: u8,
    /// The license the seat was granted on.
    pub license: Name,
    /// SHA-256 of its signed message ([`crate::license::SignedLicense::hash`]).
    pub license_hash: [u8; 32],
    /// The site.
    pub site: SiteId,
    /// Its generation.
    pub generation: Generation,
    /// The seat.
    pub seat: SeatId,
    /// Its kind.
    pub kind: SeatKind,
    /// The product.
    pub product: ProductId,
    /// The version granted.
    pub version: Version,
    /// The features granted.
    pub features: Vec<Feature>,
    /// Whose.
    pub user: Name,
    /// Where.
    pub device: DeviceId,
    /// Grows with each ticket of the site's generation.
    pub serial: u64,
    /// What the application asked to have in it, at most [`limits::NONCE_BYTES_MAX`] bytes.
    pub nonce: Option<Vec<u8>>,
    /// The site's time of the grant.
    pub issued: WallTime,
    /// The end of a dated seat; `None` for an online one, which lives as long as its lease.
    pub ends: Option<WallTime>,
}

impl TicketBody {
    fn check_bounds(&self) -> Result<(), TicketError> {
        if self.nonce.as_ref().is_some_and(|nonce| nonce.len() > limits::NONCE_BYTES_MAX) {
            return Err(TicketError::NonceTooLong);
        }
        if self.features.len() > limits::FEATURES_MAX {
            return Err(TicketError::TooLong);
        }
        Ok(())
    }
}

/// A signed ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// [`TicketBody`], postcard: the bytes that are signed.
    pub body: Vec<u8>,
    /// Of the pool key that signed.
    pub certificate: PoolKeyCertificate,
    /// Ed25519 by the pool key.
    pub signature: Vec<u8>,
}

impl Ticket {
    /// Signs a ticket.
    ///
    /// # Errors
    /// When the body is over a bound or is not of the certificate's site and generation, or the key is not the
    /// certificate's.
    pub fn sign(
        body: &TicketBody,
        certificate: PoolKeyCertificate,
        pool_key: &SigningKey,
    ) -> Result<Self, TicketError> {
        body.check_bounds()?;
        if body.format != FORMAT {
            return Err(TicketError::UnknownFormat(body.format));
        }
        certificate.check_scope(&body.site, &body.generation)?;
        let body = postcard::to_allocvec(body).map_err(|_| TicketError::Malformed)?;
        let signature = certificate.sign_with(pool_key, TICKET_DOMAIN, &body)?;
        Ok(Self { body, certificate, signature })
    }

    /// Checks the whole chain from the site's root key and answers what the ticket says.
    ///
    /// # Errors
    /// Whatever is wrong with it. Whether the seat is still in force is not checked here: that takes a clock, or the
    /// agent.
    pub fn verify(&self, root: &PublicKey) -> Result<TicketBody, TicketError> {
        if self.body.len() > limits::TICKET_BYTES_MAX {
            return Err(TicketError::TooLong);
        }
        self.certificate.verify_signed(root, TICKET_DOMAIN, &self.body, &self.signature)?;
        match self.body.first() {
            Some(&FORMAT) => {}
            Some(&other) => return Err(TicketError::UnknownFormat(other)),
            None => return Err(TicketError::Malformed),
        }
        let body: TicketBody = frame::decode_body(&self.body).map_err(|_| TicketError::Malformed)?;
        body.check_bounds()?;
        self.certificate.check_scope(&body.site, &body.generation)?;
        Ok(body)
    }

    /// As text, for applications: base64url without padding.
    ///
    /// # Errors
    /// [`TicketError::TooLong`] over [`limits::TICKET_BYTES_MAX`].
    pub fn to_text(&self) -> Result<String, TicketError> {
        let bytes = postcard::to_extend(self, vec![FORMAT]).map_err(|_| TicketError::Malformed)?;
        if bytes.len() > limits::TICKET_BYTES_MAX {
            return Err(TicketError::TooLong);
        }
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads [`Ticket::to_text`]'s form. Nothing is verified yet.
    ///
    /// # Errors
    /// [`TicketError::TooLong`], [`TicketError::UnknownFormat`] or [`TicketError::Malformed`].
    pub fn from_text(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > BASE64URL_NOPAD.encode_len(limits::TICKET_BYTES_MAX) {
            return Err(TicketError::TooLong);
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| TicketError::Malformed)?;
        match bytes.split_first() {
            Some((&FORMAT, ticket)) => frame::decode_body(ticket).map_err(|_| TicketError::Malformed),
            Some((&other, _)) => Err(TicketError::UnknownFormat(other)),
            None => Err(TicketError::Malformed),
        }
    }
}

/// The bytes that a device signs to prove that a ticket is its own: a prefix, SHA-256 of the ticket's text, the
/// caller's nonce.
pub fn device_proof_message(ticket_text: &str, nonce: &[u8]) -> Vec<u8> {
    [PROOF_DOMAIN, &Sha256::digest(ticket_text.as_bytes()), nonce].concat()
}

/// A device's proof that a ticket is its own, fresh for the caller's nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceProof {
    /// The device's key; its fingerprint is the device id in the ticket.
    pub key: PublicKey,
    /// Ed25519 over [`device_proof_message`].
    pub signature: Vec<u8>,
}

impl DeviceProof {
    /// Proves `ticket` for `nonce` by the device's key.
    ///
    /// # Errors
    /// [`TicketError::NonceTooLong`] or [`TicketError::TooLong`].
    pub fn sign(ticket: &Ticket, nonce: &[u8], device_key: &SigningKey) -> Result<Self, TicketError> {
        let message = proof_message(ticket, nonce)?;
        Ok(Self { key: public(device_key), signature: device_key.sign(&message).to_vec() })
    }

    /// Verifies the ticket from the site's root key, then that its device signed this nonce.
    ///
    /// # Errors
    /// Whatever is wrong with the ticket or with the proof.
    pub fn verify(&self, ticket: &Ticket, root: &PublicKey, nonce: &[u8]) -> Result<TicketBody, TicketError> {
        let body = ticket.verify(root)?;
        if self.key.device() != body.device {
            return Err(TicketError::OtherDevice);
        }
        if !self.key.verifies(&proof_message(ticket, nonce)?, &self.signature) {
            return Err(TicketError::BadProof);
        }
        Ok(body)
    }
}

fn proof_message(ticket: &Ticket, nonce: &[u8]) -> Result<Vec<u8>, TicketError> {
    if nonce.len() > limits::NONCE_BYTES_MAX {
        return Err(TicketError::NonceTooLong);
    }
    Ok(device_proof_message(&ticket.to_text()?, nonce))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}
