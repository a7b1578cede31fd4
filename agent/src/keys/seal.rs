//! Bytes that only one device can open: X25519 (RFC 7748) from an ephemeral key to the device's Ed25519 key, mapped to
//! its Montgomery form; HKDF-SHA256; ChaCha20-Poly1305.
//!
//! Layout: version, ephemeral public key (32), ciphertext with tag.

use ed25519_dalek::{SigningKey, VerifyingKey};
use seatkeeper_protocol::id::PublicKey;
use x25519_dalek::{PublicKey as ExchangeKey, StaticSecret};
use zeroize::Zeroizing;

use super::{KeyError, decrypt, derive, encrypt, public, random};

const VERSION: u8 = 1;
const DOMAIN: &[u8] = b"seatkeeper-seal-v1\n";

/// Seals `plaintext` to `device`. `context` says what it is for; it must be the same when opened.
///
/// # Errors
/// [`KeyError::BadKey`] when `device` is no key to seal to.
pub fn seal_to(device: &PublicKey, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, KeyError> {
    let recipient = VerifyingKey::from_bytes(&device.0).map_err(|_| KeyError::BadKey)?;
    let recipient = ExchangeKey::from(recipient.to_montgomery().to_bytes());
    let ephemeral = StaticSecret::from(random::<32>()?);
    let sender = ExchangeKey::from(&ephemeral);
    let shared = ephemeral.diffie_hellman(&recipient);
    if !shared.was_contributory() {
        return Err(KeyError::BadKey);
    }
    let key = message_key(shared.as_bytes(), sender.as_bytes(), device, context)?;
    let ciphertext = encrypt(&key, plaintext, &[VERSION])?;
    Ok([&[VERSION], sender.as_bytes().as_slice(), &ciphertext].concat())
}

/// Opens what was sealed to this device for `context`; `None` when it was not, or was changed.
pub fn open_sealed(key: &SigningKey, bytes: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&VERSION, rest) = bytes.split_first()? else { return None };
    let (sender, ciphertext) = rest.split_first_chunk::<32>()?;
    let secret = StaticSecret::from(key.to_scalar_bytes());
    let shared = secret.diffie_hellman(&ExchangeKey::from(*sender));
    if !shared.was_contributory() {
        return None;
    }
    let message_key = message_key(shared.as_bytes(), sender, &public(key), context).ok()?;
    decrypt(&message_key, ciphertext, &[VERSION])
}

fn message_key(
    shared: &[u8; 32],
    sender: &[u8; 32],
    recipient: &PublicKey,
    context: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    derive(shared, &[], &[DOMAIN, sender, &recipient.0, context])
}

#[cfg(test)]
mod tests {
    use super::super::generate;
    use super::*;

    #[test]
    fn only_the_device_opens_it() {
        let (mine, other) = (generate().unwrap(), generate().unwrap());
        let sealed = seal_to(&public(&mine), b"secret", b"pool key 1").unwrap();
        let opened = |key, bytes: &[u8], context| open_sealed(key, bytes, context).map(|b| b.to_vec());
        assert_eq!(opened(&mine, &sealed, b"pool key 1"), Some(b"secret".to_vec()));
        assert_eq!(opened(&other, &sealed, b"pool key 1"), None);
        assert_eq!(opened(&mine, &sealed, b"pool key 2"), None);
        let again = seal_to(&public(&mine), b"secret", b"pool key 1").unwrap();
        assert_ne!(again, sealed, "each sealing has its own key");
    }

    /// Sealed keys stand in logs and snapshots.
    #[test]
    fn the_released_format_does_not_change() {
        let sealed = b"AeC1Z7E4VDceC9jzTiAJq0IttAjwg3HqmZqdiauVdFBs0K4u2TfeumnpVvzzvxNlw87+c/DjTw==";
        let sealed = data_encoding::BASE64.decode(sealed).unwrap();
        let opened = open_sealed(&SigningKey::from_bytes(&[5; 32]), &sealed, b"context").unwrap();
        assert_eq!(opened.as_slice(), b"secret");
    }

    #[test]
    fn each_changed_or_missing_byte_is_found() {
        let key = generate().unwrap();
        let sealed = seal_to(&public(&key), b"secret", b"").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open_sealed(&key, &changed, b"").is_none(), "byte {at}");
            assert!(open_sealed(&key, &sealed[..at], b"").is_none(), "cut at {at}");
        }
    }

    #[test]
    fn keys_that_everybody_could_open_for_are_refused() {
        // The neutral point, and bytes that are no point.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(seal_to(&PublicKey(neutral), b"secret", b""), Err(KeyError::BadKey));
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert_eq!(seal_to(&PublicKey(no_point), b"secret", b""), Err(KeyError::BadKey));
        let key = generate().unwrap();
        assert!(open_sealed(&key, &[[VERSION].as_slice(), &[0; 64]].concat(), b"").is_none());
    }
}
