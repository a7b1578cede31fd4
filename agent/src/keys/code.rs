//! Recovery codes: 128 random bits on paper that open the site's root key.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use super::text::CodeError;
use super::{KeyError, decrypt, derive, encrypt, random, signing_key, text};

const VERSION: u8 = 1;
const ROOT_DOMAIN: &[u8] = b"seatkeeper-root-v1\n";
const CHECKSUM_DOMAIN: &[u8] = b"seatkeeper-recovery-code-v1\n";
/// 150 bits: 128 of the code, 22 of its checksum.
const LETTERS: usize = 30;
const GROUP: usize = 5;

/// A recovery code. Its text is six groups of five letters, checksum included.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; 16]);

impl RecoveryCode {
    /// A new random code.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        random().map(Self)
    }

    /// As printed once, when the site is created. Nothing else may keep it.
    pub fn to_text(&self) -> Zeroizing<String> {
        let letters = text::encode(Zeroizing::new([self.0.as_slice(), &self.checksum()].concat()).as_slice());
        let mut grouped = Zeroizing::new(String::with_capacity(2 * LETTERS));
        // The last letter has only the two bits that the checksum leaves zero.
        for (at, letter) in letters.chars().take(LETTERS).enumerate() {
            if at > 0 && at % GROUP == 0 {
                grouped.push('-');
            }
            grouped.push(letter);
        }
        grouped
    }

    /// 22 bits, then two zero bits.
    fn checksum(&self) -> [u8; 3] {
        let [a, b, c] = text::checksum(CHECKSUM_DOMAIN, &self.0);
        [a, b, c & 0b1111_1100]
    }
}

impl FromStr for RecoveryCode {
    type Err = CodeError;

    /// Takes either case, any spaces and dashes; reads I and L as 1, O as 0.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let letters = text::letters(text)?;
        if letters.len() != LETTERS {
            return Err(CodeError::WrongLength);
        }
        // `A` is zero in this alphabet: the letter that `to_text` leaves out.
        let whole = Zeroizing::new([letters.as_bytes(), b"A"].concat());
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(&whole).map_err(|_| CodeError::WrongLength)?);
        let (code, checksum) = bytes.split_first_chunk::<16>().ok_or(CodeError::WrongLength)?;
        let code = Self(*code);
        if checksum != code.checksum() {
            return Err(CodeError::WrongChecksum);
        }
        Ok(code)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// Why a sealed root key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Another site's code, or the bytes were changed.
    #[error("this is not the recovery code of this site")]
    WrongCode,
    /// A newer release sealed it.
    #[error("the root key was sealed by a newer version ({0}); update Seatkeeper")]
    UnknownVersion(u8),
    /// Cut short.
    #[error("the sealed root key is damaged")]
    Damaged,
}

/// Seals the root key under the code. Layout: version, salt (16), ciphertext with tag. The code has 128 random bits, so
/// that no slow hash is needed.
///
/// # Errors
/// [`KeyError::Random`].
pub fn seal_root(root: &SigningKey, code: &RecoveryCode) -> Result<Vec<u8>, KeyError> {
    let salt = random::<16>()?;
    let key = derive(&code.0, &salt, &[ROOT_DOMAIN])?;
    let ciphertext = encrypt(&key, root.as_bytes(), &[VERSION])?;
    Ok([&[VERSION], salt.as_slice(), &ciphertext].concat())
}

/// Opens the root key.
///
/// # Errors
/// Any of [`RootError`]'s.
pub fn open_root(bytes: &[u8], code: &RecoveryCode) -> Result<SigningKey, RootError> {
    let (version, rest) = bytes.split_first().ok_or(RootError::Damaged)?;
    if *version != VERSION {
        return Err(RootError::UnknownVersion(*version));
    }
    let (salt, ciphertext) = rest.split_first_chunk::<16>().ok_or(RootError::Damaged)?;
    let key = derive(&code.0, salt, &[ROOT_DOMAIN]).map_err(|_| RootError::Damaged)?;
    let root = decrypt(&key, ciphertext, &[VERSION]).ok_or(RootError::WrongCode)?;
    signing_key(&root).ok_or(RootError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::super::generate;
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = RecoveryCode::generate().unwrap();
        let text = code.to_text();
        assert_eq!(text.len(), 35);
        let spaced = format!("  {} ", text.replace('-', " "));
        let mistaken = text.replace('1', "l").replace('0', "O");
        for typed in [text.to_string(), text.to_lowercase(), text.replace('-', ""), spaced, mistaken] {
            assert_eq!(typed.parse::<RecoveryCode>().unwrap().0, code.0, "{typed}");
        }
        assert_eq!(format!("{code:?}"), "RecoveryCode(..)");
    }

    /// Codes are on paper, and root keys sealed under them, for years.
    #[test]
    fn the_released_form_does_not_change() {
        let code = RecoveryCode([0xa5; 16]);
        assert_eq!(*code.to_text(), "MPJTB-9D5MP-JTB9D-5MPJT-B9D5M-MBW4D");
        let sealed = "AE7KZREDKKCR4WT5LT7LFNTVHM4KFKBUH3POBVBS4SEESTEIZNRYFYEWK7IQHOWOSRAX7EUTDYS2GNMFLKKSL4DCEXHIWAFECJTM\
                      GZX7";
        let sealed = BASE32_NOPAD.decode(sealed.as_bytes()).unwrap();
        assert_eq!(open_root(&sealed, &code).unwrap(), SigningKey::from_bytes(&[5; 32]));
    }

    #[test]
    fn a_typing_error_is_told() {
        let text = RecoveryCode([7; 16]).to_text().to_string();
        let parse = |text: &str| text.parse::<RecoveryCode>().unwrap_err();
        assert_eq!(parse(""), CodeError::WrongLength);
        assert_eq!(parse(&text[1..]), CodeError::WrongLength);
        assert_eq!(parse(&format!("{text}0")), CodeError::WrongLength);
        assert_eq!(parse(&text.replacen('0', "U", 1)), CodeError::BadCharacter('U'));
        assert_eq!(parse("ключ"), CodeError::BadCharacter('к'));
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let mut typed = text.clone();
            let other = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
            typed.replace_range(at..=at, other);
            assert_eq!(parse(&typed), CodeError::WrongChecksum, "letter {at}");
        }
    }

    #[test]
    fn the_root_key_opens_with_its_code_only() {
        let root = generate().unwrap();
        let code = RecoveryCode::generate().unwrap();
        let sealed = seal_root(&root, &code).unwrap();
        assert_eq!(open_root(&sealed, &code).unwrap(), root);
        let open = |bytes: &[u8], code: &RecoveryCode| open_root(bytes, code).unwrap_err();
        assert_eq!(open(&sealed, &RecoveryCode::generate().unwrap()), RootError::WrongCode);
        for at in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed, &code), RootError::WrongCode, "byte {at}");
        }
        assert_eq!(open(&[2, 0], &code), RootError::UnknownVersion(2));
        assert_eq!(open(&sealed[..9], &code), RootError::Damaged);
        assert_eq!(open(&[], &code), RootError::Damaged);
    }
}
