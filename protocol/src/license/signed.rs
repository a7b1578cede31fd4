//! The file around the terms: first line, normalization, signature block.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::{License, LicenseError, terms};
use crate::id::PublicKey;
use crate::limits;

/// How every license begins.
pub(super) const FIRST_LINE: &str = "# Seatkeeper license v1";
/// [`FIRST_LINE`] without its version.
const FIRST_LINE_ANY: &str = "# Seatkeeper license ";
pub(super) const BEGIN: &str = "-----BEGIN SIGNATURE-----";
pub(super) const END: &str = "-----END SIGNATURE-----";
/// What a signed message begins with, so that no other signature of the key passes for a license's.
const DOMAIN: &[u8] = b"seatkeeper-license-v1\n";

/// A license file with a well-formed signature block. Whether the signature holds is [`SignedLicense::verify`]'s
/// answer; who may sign for which product is the site's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedLicense {
    license: License,
    text: String,
    signer: PublicKey,
    signature: [u8; 64],
    /// Kept because every ticket names it.
    hash: [u8; 32],
}

impl SignedLicense {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence for people. The signature is not checked here.
    pub fn parse(file: &str) -> Result<Self, LicenseError> {
        let file = normalize(file)?;
        let Split { text, block } = split(&file)?;
        let (signer, signature) = read_block(block.ok_or(LicenseError::NotSigned)?)?;
        let license = terms::parse(text)?;
        Ok(Self { license, text: text.to_owned(), signer, signature, hash: hash(text) })
    }

    /// What it says.
    pub fn license(&self) -> &License {
        &self.license
    }

    /// The signed text, normalized.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole file in its one normal form: equal for two files that differ only in line ends or in how the
    /// signature block is wrapped.
    pub fn file(&self) -> String {
        let Self { text, signer, signature, .. } = self;
        format!("{text}{BEGIN}\n{signer}\n{}\n{END}\n", BASE64.encode(signature))
    }

    /// SHA-256 of the signed message.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The key that the file names as its signer. Not to be trusted for that.
    pub fn signer(&self) -> PublicKey {
        self.signer
    }

    /// Checks the signature by the vendor's key.
    ///
    /// # Errors
    /// [`LicenseError::OtherSigner`] or [`LicenseError::BadSignature`].
    pub fn verify(&self, vendor: &PublicKey) -> Result<(), LicenseError> {
        if self.signer != *vendor {
            return Err(LicenseError::OtherSigner { signer: self.signer, expected: *vendor });
        }
        if !vendor.verifies(&message(&self.text), &self.signature) {
            return Err(LicenseError::BadSignature);
        }
        Ok(())
    }
}

/// Reads a license that is not signed yet.
///
/// # Errors
/// What is wrong with it, as a sentence for people.
pub fn parse_unsigned(text: &str) -> Result<License, LicenseError> {
    terms::parse(&unsigned_text(text)?)
}

/// Signs a license's text and answers the whole file, which [`SignedLicense::parse`] reads.
///
/// # Errors
/// When the text is not a license, is signed already, or is too long with its signature.
pub fn sign(text: &str, key: &SigningKey) -> Result<String, LicenseError> {
    let text = unsigned_text(text)?;
    let license = terms::parse(&text)?;
    let signature = key.sign(&message(&text)).to_bytes();
    let signer = PublicKey(key.verifying_key().to_bytes());
    let hash = hash(&text);
    let file = SignedLicense { license, text, signer, signature, hash }.file();
    if file.len() > limits::LICENSE_BYTES_MAX {
        return Err(LicenseError::TooLong);
    }
    Ok(file)
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(message(text)).into()
}

fn message(text: &str) -> Vec<u8> {
    [DOMAIN, text.as_bytes()].concat()
}

/// Bounds, then drops the byte order mark and turns CRLF to LF. What comes out is its own normal form: a carriage
/// return that stays could make a line end with the next line feed, and the text another one.
fn normalize(file: &str) -> Result<String, LicenseError> {
    if file.len() > limits::LICENSE_BYTES_MAX {
        return Err(LicenseError::TooLong);
    }
    let text = file.strip_prefix('\u{feff}').unwrap_or(file).replace("\r\n", "\n");
    check_first_line(&text)?;
    match text.split('\n').position(|line| line.contains('\r')) {
        Some(before) => Err(LicenseError::LoneCarriageReturn { line: before + 1 }),
        None => Ok(text),
    }
}

fn unsigned_text(text: &str) -> Result<String, LicenseError> {
    let mut text = normalize(text)?;
    if text.lines().any(|line| is_marker(line, BEGIN) || is_marker(line, END)) {
        return Err(LicenseError::AlreadySigned);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn check_first_line(text: &str) -> Result<(), LicenseError> {
    let first = text.lines().next().unwrap_or_default().trim_end();
    match first.strip_prefix(FIRST_LINE_ANY) {
        _ if first == FIRST_LINE => Ok(()),
        Some(version) => Err(LicenseError::UnknownVersion(version.chars().take(32).collect())),
        None => Err(LicenseError::NotALicense),
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.trim_end() == marker
}

/// A file, taken apart.
struct Split<'a> {
    /// Everything above the block, with its last line end.
    text: &'a str,
    /// What is between the markers.
    block: Option<&'a str>,
}

fn split(file: &str) -> Result<Split<'_>, LicenseError> {
    let mut begin = None;
    let mut end = None;
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        let next = at + line.len();
        if is_marker(line, BEGIN) {
            if begin.replace((at, next)).is_some() {
                return Err(LicenseError::SeveralSignatures);
            }
        } else if is_marker(line, END) {
            if begin.is_none() {
                return Err(LicenseError::NotSigned);
            }
            if end.replace((at, next)).is_some() {
                return Err(LicenseError::SeveralSignatures);
            }
        } else if end.is_some() && !line.trim().is_empty() {
            return Err(LicenseError::AfterSignature);
        }
        at = next;
    }
    let Some((begin_at, body_at)) = begin else { return Ok(Split { text: file, block: None }) };
    let Some((end_at, _)) = end else { return Err(LicenseError::NoEnd) };
    // The offsets are those of lines, in order: a begin after the end has been refused as `AfterSignature` or
    // `SeveralSignatures`.
    let text = file.get(..begin_at).ok_or(LicenseError::DamagedSignature)?;
    let block = file.get(body_at..end_at).ok_or(LicenseError::DamagedSignature)?;
    Ok(Split { text, block: Some(block) })
}

/// The key, then the signature, which mail programs may have wrapped.
fn read_block(block: &str) -> Result<(PublicKey, [u8; 64]), LicenseError> {
    let mut words = block.split_whitespace();
    let key = words.next().and_then(|word| word.parse().ok()).ok_or(LicenseError::DamagedSignature)?;
    let base64: String = words.collect();
    let signature = BASE64.decode(base64.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    Ok((key, signature.ok_or(LicenseError::DamagedSignature)?))
}
