//! Base32 as people read it aloud: Crockford's alphabet, which has no I, L, O and U.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RFC4648: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Why a text is not a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It begins otherwise.
    #[error("this is not an invitation code: it must begin with `SK1-`")]
    NotACode,
    /// A newer release made it.
    #[error("this code is of version {0}, known here is 1; update Seatkeeper")]
    UnknownVersion(String),
    /// A character that no code has.
    #[error("`{0}` does not stand in a code; check what you typed")]
    BadCharacter(char),
    /// Letters are missing or too many.
    #[error("the code is not complete or too long; check what you typed")]
    WrongLength,
    /// A letter is wrong.
    #[error("the code has a typing error: its checksum is wrong; check what you typed")]
    WrongChecksum,
}

/// The letters of `bytes`, without groups.
pub(super) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let rfc = Zeroizing::new(BASE32_NOPAD.encode(bytes));
    Zeroizing::new(rfc.bytes().filter_map(|letter| swap(letter, RFC4648, LETTERS)).map(char::from).collect())
}

/// The bytes of `text`: either case, any spaces and dashes; I and L are read as 1, O as 0.
pub(super) fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, CodeError> {
    let rfc = letters(text)?;
    BASE32_NOPAD.decode(rfc.as_bytes()).map(Zeroizing::new).map_err(|_| CodeError::WrongLength)
}

/// The letters of `text` in RFC 4648's alphabet.
pub(super) fn letters(text: &str) -> Result<Zeroizing<String>, CodeError> {
    // Allocated once: growing would leave copies of a secret behind.
    let mut rfc = Zeroizing::new(String::with_capacity(text.len()));
    for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let letter = match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            other => other,
        };
        let letter = u8::try_from(letter).ok().and_then(|letter| swap(letter, LETTERS, RFC4648));
        rfc.push(char::from(letter.ok_or(CodeError::BadCharacter(c))?));
    }
    Ok(rfc)
}

fn swap(letter: u8, from: &[u8; 32], to: &[u8; 32]) -> Option<u8> {
    let at = from.iter().position(|known| *known == letter)?;
    to.get(at).copied()
}

/// The first bytes of SHA-256 over a prefix and `bytes`.
pub(super) fn checksum<const N: usize>(domain: &[u8], bytes: &[u8]) -> [u8; N] {
    let digest = Sha256::new().chain_update(domain).chain_update(bytes).finalize();
    let mut sum = [0; N];
    sum.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    sum
}
