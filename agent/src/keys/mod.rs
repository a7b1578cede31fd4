//! Identities, sealing, codes and admin key files. Nothing here touches a disk or a network.
//!
//! | module | holds |
//! |---|---|
//! | [`identity`] | a device's TLS certificate, and the key in a peer's |
//! | [`seal`] | bytes that only one device can open |
//! | [`code`] | recovery codes, and the root key sealed under one |
//! | [`invite`] | invitation codes |
//! | [`admin`] | password-sealed key files of admins |
//! | [`signing`] | commands signed by an admin's key |

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use seatkeeper_protocol::id::PublicKey;
use sha2::Sha256;
use zeroize::Zeroizing;

pub mod admin;
pub mod code;
pub mod identity;
pub mod invite;
pub mod seal;
pub mod signing;
mod text;

/// Why a key could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
    /// Not a valid Ed25519 public key, or one that nothing may be sealed to.
    #[error("this is not a valid device key")]
    BadKey,
    /// The TLS certificate could not be made.
    #[error("the device's certificate could not be made: {0}")]
    Certificate(String),
    /// Encryption failed; does not happen within the lengths used here.
    #[error("the key could not be sealed")]
    Seal,
}

/// A new random signing key.
///
/// # Errors
/// [`KeyError::Random`].
pub fn generate() -> Result<SigningKey, KeyError> {
    let secret = Zeroizing::new(random::<32>()?);
    Ok(SigningKey::from_bytes(&secret))
}

/// The public part of `key`.
pub fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// Random bytes of the operating system.
///
/// # Errors
/// [`KeyError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(bytes)
}

/// HKDF-SHA256 to one 256-bit key.
fn derive(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand_multi_info(info, key.as_mut())
        .map_err(|_| KeyError::Seal)?;
    Ok(key)
}

/// Every key here encrypts one message only, so the nonce is fixed.
const NONCE: [u8; 12] = [0; 12];

fn encrypt(key: &[u8; 32], plaintext: &[u8], authenticated: &[u8]) -> Result<Vec<u8>, KeyError> {
    let payload = Payload { msg: plaintext, aad: authenticated };
    ChaCha20Poly1305::new(key.into()).encrypt(&NONCE.into(), payload).map_err(|_| KeyError::Seal)
}

fn decrypt(key: &[u8; 32], ciphertext: &[u8], authenticated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload { msg: ciphertext, aad: authenticated };
    ChaCha20Poly1305::new(key.into()).decrypt(&NONCE.into(), payload).ok().map(Zeroizing::new)
}

/// A signing key from decrypted bytes.
fn signing_key(bytes: &[u8]) -> Option<SigningKey> {
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.try_into().ok()?);
    Some(SigningKey::from_bytes(&secret))
}
