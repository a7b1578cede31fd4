//! The license file: text that people mail around, edit and paste.

use seatkeeper_protocol::license::{self, LicenseError, SignedLicense, parse_unsigned};
use seatkeeper_protocol::limits;

use crate::samples::{self, public, vendor};
use crate::target::{Target, has_samples};

/// What license files are made of.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\r\n",
    b"\xef\xbb\xbf",
    b" ",
    b"#",
    b"\"",
    b"\"\"\"",
    b"'''",
    b"[",
    b"[[",
    b"{",
    b"=",
    b".",
    b"\\u0000",
    b"-----BEGIN SIGNATURE-----\n",
    b"-----END SIGNATURE-----\n",
    b"# Seatkeeper license v2\n",
    b"license.x = 1\n",
    b"seats = 0x7fff_ffff\n",
    b"features = [\"a\", \"a\"]\n",
    b"ttl = \"18446744073709551615h\"\n",
    b"valid_from = 0000-01-01\n",
    b"valid_until = 9999-12-31\n",
    b"valid_until = 2026-01-01T00:00:00Z\n",
    b"site = \"\"\n",
    b"borrow = { max_days = 30 }\n",
    b"downgrade = \"any\"\n",
    b"downgrade = [\"1\", \"1.2\"]\n",
    b"replaces = [\"A\", \"A\"]\n",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
];
/// Longest sentence about what is wrong with a file, bytes: it is shown to people and stands in the log.
const SENTENCE_BYTES_MAX: usize = 1_024;

#[test]
fn license() {
    Target { name: "license", words: WORDS, runs: 4000, check }.run();
}

fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    signed(&text);
    unsigned(&text);
}

fn signed(text: &str) {
    let file = match SignedLicense::parse(text) {
        Ok(file) => file,
        Err(error) => return sentence(&error),
    };
    within_bounds(file.license());
    let normal = file.file();
    if normal.len() > limits::LICENSE_BYTES_MAX {
        // Unwrapped and with all its line ends it may be a little longer than what was read.
        assert_eq!(SignedLicense::parse(&normal), Err(LicenseError::TooLong));
        return;
    }
    for same in [normal.clone(), normal.replace('\n', "\r\n"), format!("\u{feff}{normal}\n")] {
        if same.len() > limits::LICENSE_BYTES_MAX {
            continue;
        }
        let again = SignedLicense::parse(&same).expect("the normal form can be read");
        assert_eq!(again, file);
        assert_eq!((again.hash(), again.file()), (file.hash(), normal.clone()));
    }
    assert_eq!(
        file.verify(&file.signer()).is_ok(),
        file.signer().verifies(&message(&file), &signature(&file))
    );
}

fn unsigned(text: &str) {
    let terms = match parse_unsigned(text) {
        Ok(terms) => terms,
        Err(error) => {
            assert_eq!(license::sign(text, &vendor()), Err(error.clone()));
            return sentence(&error);
        }
    };
    within_bounds(&terms);
    match license::sign(text, &vendor()) {
        Ok(file) => {
            let read = SignedLicense::parse(&file).expect("what we sign can be read");
            assert_eq!(*read.license(), terms);
            assert_eq!(read.verify(&public(&vendor())), Ok(()));
            assert_eq!(read.file(), file);
        }
        Err(error) => assert_eq!(error, LicenseError::TooLong),
    }
}

fn within_bounds(license: &license::License) {
    assert!((1..=limits::SEATS_PER_LICENSE_MAX).contains(&license.seats));
    assert!((limits::TTL_MS_MIN..=limits::TTL_MS_MAX).contains(&license.ttl_ms));
    assert!(license.features.len() <= limits::FEATURES_MAX);
    assert!(license.replaces.len() <= limits::REPLACES_MAX && !license.replaces.contains(&license.id));
    if let (Some(from), Some(until)) = (license.valid_from, license.valid_until) {
        assert!(from <= until && from.starts() < until.ends());
    }
    assert!(license.covers(&license.product, Some(&license.version), &license.features));
}

/// The message that the signature covers, by the book and not by our code (design section 8).
fn message(file: &SignedLicense) -> Vec<u8> {
    [b"seatkeeper-license-v1\n", file.text().as_bytes()].concat()
}

/// The signature as it stands in the normal form's last line but one.
fn signature(file: &SignedLicense) -> Vec<u8> {
    let normal = file.file();
    let line = normal.lines().rev().nth(1).expect("a signature");
    data_encoding::BASE64.decode(line.as_bytes()).expect("base64")
}

#[track_caller]
fn sentence(error: &LicenseError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= SENTENCE_BYTES_MAX, "{} bytes: {text}", text.len());
}

#[test]
fn corpora() {
    has_samples("license", &samples::licenses());
}
