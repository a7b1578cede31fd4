//! Identifiers. Each has a checked constructor; what arrives from a network or a user is parsed here, once.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not base32 of the right length.
    #[error("`{0}` is not a {1} id")]
    Malformed(String, &'static str),
    /// Empty.
    #[error("a {0} must not be empty")]
    Empty(&'static str),
    /// Longer than the limit, in bytes.
    #[error("a {0} has at most {1} bytes")]
    TooLong(&'static str, usize),
    /// A character outside the identifier's alphabet.
    #[error("`{1}` may not stand in a {0}")]
    BadCharacter(&'static str, char),
}

macro_rules! fingerprint {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 20]);

        impl Ord for $name {
            // As the bytes are ordered, in two numbers: the ledger looks ids up all the time.
            fn cmp(&self, other: &Self) -> Ordering {
                let numbers = |id: &Self| {
                    let (head, tail) = id.0.split_first_chunk().unwrap_or((&[0; 16], &[]));
                    (u128::from_be_bytes(*head), u32::from_be_bytes(tail.try_into().unwrap_or_default()))
                };
                numbers(self).cmp(&numbers(other))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The first 20 bytes of SHA-256 over `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                let digest = Sha256::digest(bytes);
                let mut id = [0; 20];
                id.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
                Self(id)
            }

            /// The first 8 characters of the text form: for people and for mDNS, never for a decision about trust.
            pub fn short(&self) -> String {
                self.to_string().chars().take(8).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, ":{}"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                BASE32_NOPAD
                    .decode(text.trim().to_ascii_uppercase().as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| IdError::Malformed(text.chars().take(64).collect(), $word))
            }
        }
    };
}

fingerprint!(
    /// An enrolled machine: the first 20 bytes of SHA-256 of its SPKI (DER), lower-case base32 as text.
    DeviceId,
    "device"
);
fingerprint!(
    /// A site: the first 20 bytes of SHA-256 of its root public key, lower-case base32 as text.
    SiteId,
    "site"
);

/// The DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the 32 key bytes follow it.
const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key, 32 bytes. Whether it is a valid point is found out when a signature is verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The key as SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> Vec<u8> {
        [ED25519_SPKI_PREFIX.as_slice(), &self.0].concat()
    }

    /// Reads a DER SubjectPublicKeyInfo; `None` when it is not an Ed25519 key.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        der.strip_prefix(&ED25519_SPKI_PREFIX)?.try_into().ok().map(Self)
    }

    /// The device that owns this key.
    pub fn device(&self) -> DeviceId {
        DeviceId::of(&self.spki())
    }

    /// The site whose root key this is.
    pub fn site(&self) -> SiteId {
        SiteId::of(&self.0)
    }

    /// Whether `signature` is this key's over `message` (strict: no malleable or small-order forms).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&self.0) else { return false };
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        key.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key:{}", self.to_string().get(..8).unwrap_or_default())
    }
}

impl FromStr for PublicKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        BASE32_NOPAD
            .decode(text.trim().to_ascii_uppercase().as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| IdError::Malformed(text.chars().take(80).collect(), "public key"))
    }
}

/// A 16-byte random identifier.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl Ord for $name {
            // As the bytes are ordered, in one number: the ledger looks ids up all the time.
            fn cmp(&self, other: &Self) -> Ordering {
                u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, ":{}"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                HEXLOWER
                    .decode(text.trim().to_ascii_lowercase().as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| IdError::Malformed(text.chars().take(64).collect(), $word))
            }
        }
    };
}

random_id!(
    /// One run of one program that wants a seat. Chosen by the asker; reconnecting resumes by it (invariant I8).
    SessionId,
    "session"
);
random_id!(
    /// One invitation to join a site.
    InviteId,
    "invite"
);

/// A site's generation: new at each forced recovery. Old or rival ones are refused at the handshake (I10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Counts recoveries, from 1.
    pub number: u32,
    /// Random, so that two rival recoveries of one number are told apart.
    pub id: [u8; 16],
}

/// The consensus node id: random per log, never reused after a wipe (engine trap 9).
pub type NodeId = u64;

/// A seat: assigned by the ledger, never used twice within a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeatId(pub u64);

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for SeatId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.trim().parse().map(Self).map_err(|_| IdError::Malformed(text.chars().take(32).collect(), "seat"))
    }
}

/// Makes a request act once (invariant I4). Scoped to the actor that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// Grows each time the actor starts anew without knowing its counter; a higher epoch forgets the lower ones.
    pub epoch: u64,
    /// Grows by one with each request of the epoch.
    pub counter: u64,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $word:literal, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks length and alphabet.
            ///
            /// # Errors
            /// When the text is empty, too long or has a character that may not stand in it.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if text.is_empty() {
                    return Err(IdError::Empty($word));
                }
                if text.len() > $max {
                    return Err(IdError::TooLong($word, $max));
                }
                let allowed: fn(char) -> bool = $allowed;
                match text.chars().find(|c| !allowed(*c)) {
                    Some(bad) => Err(IdError::BadCharacter($word, bad)),
                    None => Ok(Self(text)),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

text_id!(
    /// A product, as the vendor names it: lower-case letters, digits, `-`, `_`, `.`.
    ProductId,
    "product",
    limits::PRODUCT_BYTES_MAX,
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
);
text_id!(
    /// A version, as the vendor names it: letters, digits, `-`, `_`, `.`, `+`.
    Version,
    "version",
    limits::VERSION_BYTES_MAX,
    |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+')
);
text_id!(
    /// A feature of a product: lower-case letters, digits, `-`, `_`, `.`.
    Feature,
    "feature",
    limits::PRODUCT_BYTES_MAX,
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
);
text_id!(
    /// A name chosen by people: device, user, admin, site, vendor, license. Anything printable.
    Name,
    "name",
    limits::NAME_BYTES_MAX,
    |c| !c.is_control()
);

text_id!(
    /// What one person writes to another: one line of anything printable.
    Note,
    "message",
    limits::NOTE_BYTES_MAX,
    |c| !c.is_control()
);

impl DeviceId {
    /// The short form as a name, for a device of which no other is known.
    pub fn short_name(&self) -> Name {
        Name(self.short())
    }
}

impl Version {
    /// Whether a license for `self` covers `wanted`: the same version or one of its sub-versions (`2026` covers `2026.x`).
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether `self` came before `other`. Versions are read as people read them, numbers as numbers: the first number
    /// or word in which they differ decides, so that `9.2` is older than `10` and `2025.3` than `2026`; of two of
    /// which one goes on where the other stops the shorter one is older. A number and a word do not compare: neither
    /// is older.
    pub fn is_older_than(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.0.as_str(), other.0.as_str());
        loop {
            let ((a, a_rest), (b, b_rest)) = (first_run(mine), first_run(theirs));
            let number = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
            match (a.is_empty(), b.is_empty()) {
                (true, _) => return !b.is_empty(),
                (false, true) => return false,
                _ if number(a) != number(b) => return false,
                _ if number(a) => {
                    // Without leading zeros, the longer number is the greater one.
                    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                    if a != b {
                        return (a.len(), a) < (b.len(), b);
                    }
                }
                _ if a != b => return a < b,
                _ => {}
            }
            (mine, theirs) = (a_rest, b_rest);
        }
    }
}

/// The digits, or the other characters, that a text begins with, and what follows them.
fn first_run(text: &str) -> (&str, &str) {
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_round_trip_as_text() {
        let id = DeviceId::of(b"spki");
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("short".parse::<DeviceId>().is_err());
    }

    #[test]
    fn ids_are_ordered_as_their_bytes() {
        for at in 0..20 {
            for (low, high) in [(0, 1), (0x7f, 0x80), (0xfe, 0xff)] {
                let (mut one, mut other) = ([7; 20], [7; 20]);
                (one[at], other[at]) = (low, high);
                assert_eq!(DeviceId(one).cmp(&DeviceId(other)), one.cmp(&other));
                if let Some(at) = 15_usize.checked_sub(at) {
                    let (mut one, mut other) = ([7; 16], [7; 16]);
                    (one[at], other[at]) = (low, high);
                    assert_eq!(SessionId(other).cmp(&SessionId(one)), other.cmp(&one));
                }
            }
        }
        assert_eq!(DeviceId([7; 20]).cmp(&DeviceId([7; 20])), Ordering::Equal);
    }

    #[test]
    fn spki_round_trip() {
        let key = PublicKey([7; 32]);
        assert_eq!(PublicKey::from_spki(&key.spki()), Some(key));
        assert_eq!(PublicKey::from_spki(b"x"), None);
    }

    #[test]
    fn text_ids_are_checked_also_when_deserialized() {
        assert!(ProductId::new("allplan-engineering").is_ok());
        assert_eq!(ProductId::new(""), Err(IdError::Empty("product")));
        assert_eq!(ProductId::new("A"), Err(IdError::BadCharacter("product", 'A')));
        let bytes = postcard::to_allocvec("UPPER").unwrap();
        assert!(postcard::from_bytes::<ProductId>(&bytes).is_err());
    }

    #[test]
    fn a_version_covers_itself_and_its_sub_versions() {
        let v = |t: &str| Version::new(t).unwrap();
        assert!(v("2026").covers(&v("2026")));
        assert!(v("2026").covers(&v("2026.1")));
        assert!(!v("2026").covers(&v("20261")));
        assert!(!v("2026.1").covers(&v("2026")));
    }

    #[test]
    fn versions_are_older_as_people_read_them() {
        let v = |t: &str| Version::new(t).unwrap();
        let older = [
            ("2025", "2026"),
            ("2025.9", "2026"),
            ("2026", "2026.1"),
            ("9", "10"),
            ("9.10", "10.2"),
            ("1.9", "1.10"),
            ("1.09", "1.10"),
            ("2026a", "2026b"),
            ("v2", "v10"),
            ("10-beta", "10-rc"),
        ];
        for (a, b) in older {
            assert!(v(a).is_older_than(&v(b)), "{a} < {b}");
            assert!(!v(b).is_older_than(&v(a)), "{b} > {a}");
        }
        for (a, b) in [("2026", "2026"), ("01", "1"), ("xp", "2000"), ("v1", "1")] {
            assert!(!v(a).is_older_than(&v(b)) && !v(b).is_older_than(&v(a)), "{a} and {b} do not compare");
        }
    }
}
