//! An admin's key file: text, sealed by a password (Argon2id, RFC 9106; ChaCha20-Poly1305).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use seatkeeper_protocol::id::{Name, PublicKey, SiteId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyError, decrypt, encrypt, public, random, signing_key};

const FIRST_LINE: &str = "# Seatkeeper admin key v1";
const FIRST_LINE_ANY: &str = "# Seatkeeper admin key ";
const DOMAIN: &[u8] = b"seatkeeper-admin-key-v1\n";
/// Shortest password, characters.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest key file looked at, bytes.
const FILE_BYTES_MAX: usize = 4 * 1024;

/// What opening costs. Stored in the file, so that it can grow with the years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// RFC 9106's second recommended choice, on one lane.
    const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// A file must neither exhaust the machine that reads it nor make guessing cheap.
    fn is_allowed(self) -> bool {
        (8 * 1024..=512 * 1024).contains(&self.memory_kib)
            && (1..=16).contains(&self.passes)
            && (1..=8).contains(&self.lanes)
    }
}

/// An opened key file.
pub struct AdminKey {
    /// The admin, as the ledger names it.
    pub name: Name,
    /// The site it administers.
    pub site: SiteId,
    /// Signs the admin's commands.
    pub key: SigningKey,
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminKey").field("name", &self.name).field("site", &self.site).finish_non_exhaustive()
    }
}

/// Why a key file does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminKeyError {
    /// Another password, or the file was changed: the two cannot be told apart.
    #[error("wrong password (or the key file was changed)")]
    WrongPassword,
    /// Not an admin key file.
    #[error("this is not an admin key file: its first line must be `{FIRST_LINE}`")]
    NotAnAdminKey,
    /// A newer release wrote it.
    #[error("this is an admin key file of version `{0}`, known here is `v1`; update Seatkeeper")]
    UnknownVersion(String),
    /// Its content cannot be read.
    #[error("the admin key file is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// The cost of opening it is out of bounds.
    #[error(
        "the admin key file asks for {memory_kib} KiB of memory, {passes} passes and {lanes} lanes, which is out of bounds"
    )]
    Cost {
        /// Memory, KiB.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
}

/// The file below its first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    site: String,
    key: String,
    salt: String,
    sealed: String,
    cost: Cost,
}

/// What a key file says without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminKeyInfo {
    /// The admin.
    pub name: Name,
    /// The site.
    pub site: SiteId,
    /// The public key.
    pub key: PublicKey,
}

struct Parsed {
    info: AdminKeyInfo,
    salt: [u8; 16],
    sealed: Vec<u8>,
    cost: Cost,
}

/// The text of a key file for `key`.
///
/// # Errors
/// [`KeyError::Random`] or [`KeyError::Seal`].
pub fn seal_admin(name: &Name, site: &SiteId, key: &SigningKey, password: &str) -> Result<String, KeyError> {
    seal_with(name, site, key, password, Cost::DEFAULT)
}

fn seal_with(
    name: &Name,
    site: &SiteId,
    key: &SigningKey,
    password: &str,
    cost: Cost,
) -> Result<String, KeyError> {
    let salt = random::<16>()?;
    let info = AdminKeyInfo { name: name.clone(), site: *site, key: public(key) };
    let file_key = password_key(password, &salt, cost).ok_or(KeyError::Seal)?;
    let sealed = encrypt(&file_key, key.as_bytes(), &authenticated(&info))?;
    let file = File {
        name: name.to_string(),
        site: site.to_string(),
        key: info.key.to_string(),
        salt: BASE64.encode(&salt),
        sealed: BASE64.encode(&sealed),
        cost,
    };
    let body = toml::to_string(&file).map_err(|_| KeyError::Seal)?;
    Ok(format!("{FIRST_LINE}\n# Keep it and its password to yourself: they administer the site.\n{body}"))
}

/// Opens a key file.
///
/// # Errors
/// Any of [`AdminKeyError`]'s.
pub fn open_admin(text: &str, password: &str) -> Result<AdminKey, AdminKeyError> {
    let Parsed { info, salt, sealed, cost } = parse(text)?;
    let file_key = password_key(password, &salt, cost).ok_or_else(|| cost_error(cost))?;
    let secret = decrypt(&file_key, &sealed, &authenticated(&info)).ok_or(AdminKeyError::WrongPassword)?;
    let key = signing_key(&secret).filter(|key| public(key) == info.key).ok_or_else(|| damaged("key"))?;
    Ok(AdminKey { name: info.name, site: info.site, key })
}

/// What a key file says without its password; not to be trusted before it has been opened.
///
/// # Errors
/// Any of [`AdminKeyError`]'s but the wrong password.
pub fn read_admin(text: &str) -> Result<AdminKeyInfo, AdminKeyError> {
    parse(text).map(|parsed| parsed.info)
}

fn parse(text: &str) -> Result<Parsed, AdminKeyError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default().trim_end();
    if first != FIRST_LINE {
        return Err(match first.strip_prefix(FIRST_LINE_ANY) {
            Some(version) => AdminKeyError::UnknownVersion(version.chars().take(32).collect()),
            None => AdminKeyError::NotAnAdminKey,
        });
    }
    if text.len() > FILE_BYTES_MAX {
        return Err(damaged("length"));
    }
    let file: File = toml::from_str(text).map_err(|error| damaged(error.message()))?;
    if !file.cost.is_allowed() {
        return Err(cost_error(file.cost));
    }
    let base64 = |text: &str| BASE64.decode(text.as_bytes()).ok();
    Ok(Parsed {
        info: AdminKeyInfo {
            name: Name::new(file.name).map_err(|_| damaged("name"))?,
            site: file.site.parse().map_err(|_| damaged("site"))?,
            key: file.key.parse().map_err(|_| damaged("key"))?,
        },
        salt: base64(&file.salt).and_then(|salt| salt.try_into().ok()).ok_or_else(|| damaged("salt"))?,
        sealed: base64(&file.sealed).ok_or_else(|| damaged("sealed"))?,
        cost: file.cost,
    })
}

fn damaged(what: &str) -> AdminKeyError {
    AdminKeyError::Damaged(what.replace('\n', ", "))
}

fn cost_error(Cost { memory_kib, passes, lanes }: Cost) -> AdminKeyError {
    AdminKeyError::Cost { memory_kib, passes, lanes }
}

fn password_key(password: &str, salt: &[u8; 16], cost: Cost) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, key.as_mut())
        .ok()?;
    Some(key)
}

/// Name, site and public key are sealed along, so that a file cannot be passed off as another's. The fields before the
/// name have a fixed length.
fn authenticated(info: &AdminKeyInfo) -> Vec<u8> {
    [DOMAIN, &info.site.0, &info.key.0, info.name.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::generate;
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8 * 1024, passes: 1, lanes: 1 };

    fn name() -> Name {
        Name::new("Anna \"A\" Nowak").unwrap()
    }

    fn sealed(key: &SigningKey, cost: Cost) -> String {
        seal_with(&name(), &SiteId([1; 20]), key, "open sesame", cost).unwrap()
    }

    #[test]
    fn a_file_opens_with_its_password() {
        let key = generate().unwrap();
        let text = seal_admin(&name(), &SiteId([1; 20]), &key, "open sesame").unwrap();
        let opened = open_admin(&text, "open sesame").unwrap();
        assert_eq!((opened.name, opened.site, opened.key), (name(), SiteId([1; 20]), key.clone()));
        let info = read_admin(&text).unwrap();
        assert_eq!(info, AdminKeyInfo { name: name(), site: SiteId([1; 20]), key: public(&key) });
    }

    /// People keep their key files for years.
    #[test]
    fn the_released_format_does_not_change() {
        let text = r#"# Seatkeeper admin key v1
# Keep it and its password to yourself: they administer the site.
name = "anna"
site = "aeaqcaibaeaqcaibaeaqcaibaeaqcaib"
key = "nz5bzxjjwc3y7uj26tcvtd7p6txsvfywny6kn4xe7p6m3acqlpyq"
salt = "J4BAGHg2SQYlBChJdyeZ4w=="
sealed = "DQCW2KiDwEZE/ydHtZQ6AkaEUd81QrON4LJBq/4DL3mam8dHaPUCTa6ofdRl6hUd"

[cost]
memory_kib = 8192
passes = 1
lanes = 1
"#;
        let opened = open_admin(text, "open sesame").unwrap();
        assert_eq!((opened.name.as_str(), opened.site), ("anna", SiteId([1; 20])));
        assert_eq!(opened.key, SigningKey::from_bytes(&[5; 32]));
    }

    #[test]
    fn another_password_does_not_open_it() {
        let text = sealed(&generate().unwrap(), CHEAP);
        for password in ["", "Open sesame", "open sesame "] {
            assert_eq!(open_admin(&text, password).unwrap_err(), AdminKeyError::WrongPassword);
        }
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert!(open_admin(&windows, "open sesame").is_ok());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = generate().unwrap();
        let text = sealed(&key, CHEAP);
        let opened = open_admin(&text, "open sesame").unwrap();
        let secret = data_encoding::HEXLOWER.encode(key.as_bytes());
        let debug = format!("{opened:?}");
        assert!(debug.contains("Anna") && !debug.to_lowercase().contains(&secret));
        assert!(!text.contains(&BASE64.encode(key.as_bytes())));
    }

    #[test]
    fn a_changed_file_is_found() {
        let text = sealed(&generate().unwrap(), CHEAP);
        #[track_caller]
        fn check(text: &str, from: &str, to: &str, expected: AdminKeyError) {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert_eq!(open_admin(&changed, "open sesame").unwrap_err(), expected);
        }
        let site = SiteId([1; 20]).to_string();
        check(&text, "Nowak", "Kowak", AdminKeyError::WrongPassword);
        check(&text, &site, &SiteId([2; 20]).to_string(), AdminKeyError::WrongPassword);
        check(&text, "passes = 1", "passes = 2", AdminKeyError::WrongPassword);
        check(&text, &site, "x", damaged("site"));
        check(&text, "salt = \"", "salt = \"AAAA", damaged("salt"));
        check(&text, "sealed = \"", "sealed = \"?", damaged("sealed"));
        check(&text, "key v1", "key v2", AdminKeyError::UnknownVersion("v2".to_owned()));
        check(&text, "# Seatkeeper", "# Other", AdminKeyError::NotAnAdminKey);
        let huge = Cost { memory_kib: 4_000_000, ..CHEAP };
        check(&text, "memory_kib = 8192", "memory_kib = 4000000", cost_error(huge));
        let weak = Cost { memory_kib: 8, ..CHEAP };
        check(&text, "memory_kib = 8192", "memory_kib = 8", cost_error(weak));
        let long = format!("{text}#{}", "x".repeat(FILE_BYTES_MAX));
        assert_eq!(open_admin(&long, "").unwrap_err(), damaged("length"));
        for broken in ["x = 1\n", "[[[", "name = 1"] {
            let broken = format!("{FIRST_LINE}\n{broken}");
            assert!(matches!(open_admin(&broken, "").unwrap_err(), AdminKeyError::Damaged(_)));
        }
        assert_eq!(open_admin("", "").unwrap_err(), AdminKeyError::NotAnAdminKey);
    }
}
