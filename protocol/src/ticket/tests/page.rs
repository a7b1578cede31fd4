//! The page for vendors, `protocol/TICKET.md`: its example is what this release signs, and its steps, followed by hand
//! over the bytes, accept it.

use ed25519_dalek::{Signature, VerifyingKey};

use super::*;
use crate::license::{self, SignedLicense};

const PAGE: &str = include_str!("../../../TICKET.md");
const TICKET_NONCE: [u8; 32] = [6; 32];
const PROOF_NONCE: [u8; 32] = [7; 32];

fn vendor() -> SigningKey {
    SigningKey::from_bytes(&[4; 32])
}

/// The page's block that begins with this label.
fn block(label: &str) -> &'static str {
    let begin = format!("```text {label}\n");
    let at = PAGE.find(&begin).unwrap_or_else(|| panic!("the page has no block {label}"));
    let rest = &PAGE[at + begin.len()..];
    &rest[..rest.find("```").expect("the block ends")]
}

/// The block without the line ends that make it readable.
fn joined(label: &str) -> String {
    block(label).split_whitespace().collect()
}

fn example() -> (String, Ticket, DeviceProof) {
    let text = format!(
        "# Seatkeeper license v1\nlicense = \"EX-1\"\nvendor = \"example-vendor\"\ncustomer = \"Example Ltd\"\n\
         issued = 2026-01-01\nproduct = \"example-cad\"\ntitle = \"Example CAD\"\nversion = \"2026\"\nseats = 3\n\
         features = [\"bim\"]\nsite = \"{}\"\n",
        public(&root()).site()
    );
    let file = license::sign(&text, &vendor()).unwrap();
    let license = SignedLicense::parse(&file).unwrap();
    let body = TicketBody {
        license: license.license().id.clone(),
        license_hash: license.hash(),
        product: license.license().product.clone(),
        version: Version::new("2026.1").unwrap(),
        nonce: Some(TICKET_NONCE.to_vec()),
        ..body()
    };
    let ticket = Ticket::sign(&body, certificate(), &pool()).unwrap();
    let proof = DeviceProof::sign(&ticket, &PROOF_NONCE, &device()).unwrap();
    (file, ticket, proof)
}

#[track_caller]
fn shows(label: &str, expected: &str) {
    assert_eq!(
        joined(label),
        expected.split_whitespace().collect::<String>(),
        "the page's {label} is outdated"
    );
}

#[test]
fn the_pages_example_is_what_this_release_signs() {
    let (file, ticket, proof) = example();
    assert_eq!(block("license"), file);
    shows("ticket", &ticket.to_text().unwrap());
    shows("body", &HEXLOWER.encode(&ticket.body));
    shows("certificate-message", &{
        let PoolKeyCertificate { site, generation, number, key, .. } = certificate();
        HEXLOWER.encode(&certificate_message(&site, &generation, number, &key))
    });
    shows("proof-message", &{
        HEXLOWER.encode(&device_proof_message(&ticket.to_text().unwrap(), &PROOF_NONCE))
    });
    shows("proof-signature", &BASE64URL_NOPAD.encode(&proof.signature));
    for (label, key) in [("vendor", vendor()), ("root", root()), ("device", device())] {
        shows(label, &public(&key).to_string());
    }
    shows("ticket-nonce", &BASE64URL_NOPAD.encode(&TICKET_NONCE));
    shows("proof-nonce", &BASE64URL_NOPAD.encode(&PROOF_NONCE));
}

/// Takes bytes apart as the page says.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn raw(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.raw(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn bytes(&mut self) -> &'a [u8] {
        let count = usize::try_from(self.varint()).unwrap();
        self.raw(count)
    }

    fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap()
    }

    fn zigzag(&mut self) -> i64 {
        let value = self.varint();
        i64::try_from(value >> 1).unwrap() ^ -i64::try_from(value & 1).unwrap()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match self.raw(1) {
            [0] => None,
            [1] => Some(read(self)),
            other => panic!("{other:?} is no option"),
        }
    }
}

fn base32(label: &str) -> Vec<u8> {
    data_encoding::BASE32_NOPAD.decode(joined(label).to_ascii_uppercase().as_bytes()).unwrap()
}

fn base64url(label: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(joined(label).as_bytes()).unwrap()
}

fn signed(key: &[u8], parts: &[&[u8]], signature: &[u8]) {
    let key = VerifyingKey::from_bytes(key.try_into().unwrap()).unwrap();
    key.verify_strict(&parts.concat(), &Signature::from_slice(signature).unwrap()).unwrap();
}

#[test]
fn the_pages_steps_lead_from_the_vendors_key_to_the_device() {
    // License: text, then key and signature.
    let (text, rest) = block("license").split_once("-----BEGIN SIGNATURE-----\n").unwrap();
    let mut words = rest.split_whitespace();
    assert_eq!(words.next(), Some(&*joined("vendor")));
    let signature = data_encoding::BASE64.decode(words.next().unwrap().as_bytes()).unwrap();
    let message = [b"seatkeeper-license-v1\n", text.as_bytes()].concat();
    signed(&base32("vendor"), &[&message], &signature);

    // Site: the root key's fingerprint.
    let root = base32("root");
    let site = &Sha256::digest(&root)[..20];
    let named = data_encoding::BASE32_NOPAD.encode(site).to_ascii_lowercase();
    assert!(text.contains(&format!("site = \"{named}\"\n")));

    // Ticket and certificate.
    let bytes = base64url("ticket");
    let mut ticket = Reader(&bytes);
    assert_eq!(ticket.raw(1), [1]);
    let body = ticket.bytes();
    let certificate_site = ticket.raw(20);
    let generation = (u32::try_from(ticket.varint()).unwrap(), ticket.raw(16));
    let number = u32::try_from(ticket.varint()).unwrap();
    let pool = ticket.raw(32);
    let certificate_signature = ticket.bytes();
    let ticket_signature = ticket.bytes();
    assert!(ticket.0.is_empty());
    assert_eq!(certificate_site, site);
    let certificate_message = [
        b"seatkeeper-pool-key-v1\n",
        certificate_site,
        &generation.0.to_le_bytes(),
        generation.1,
        &number.to_le_bytes(),
        pool,
    ];
    signed(&root, &certificate_message, certificate_signature);
    signed(pool, &[b"seatkeeper-ticket-v1\n", body], ticket_signature);

    // What the ticket says.
    let mut body = Reader(body);
    assert_eq!(body.raw(1), [1]);
    assert_eq!(body.text(), "EX-1");
    assert_eq!(body.raw(32), &Sha256::digest(&message)[..]);
    assert_eq!(body.raw(20), site);
    assert_eq!((u32::try_from(body.varint()).unwrap(), body.raw(16)), generation);
    assert_eq!((body.varint(), body.varint()), (7, 0));
    assert_eq!((body.text(), body.text()), ("example-cad", "2026.1"));
    assert_eq!((body.varint(), body.text(), body.text()), (1, "bim", "anna"));
    let device_id = body.raw(20);
    assert_eq!(body.varint(), 300);
    assert_eq!(body.option(Reader::bytes), Some(&*base64url("ticket-nonce")));
    assert_eq!((body.zigzag(), body.option(Reader::zigzag)), (1_767_225_600_000, None));
    assert!(body.0.is_empty());

    // Device.
    let device = base32("device");
    let spki = [&HEXLOWER.decode(b"302a300506032b6570032100").unwrap(), &*device].concat();
    assert_eq!(&Sha256::digest(&spki)[..20], device_id);
    let ticket_hash = Sha256::digest(joined("ticket").as_bytes());
    let proof = [b"seatkeeper-device-proof-v1\n", &ticket_hash[..], &base64url("proof-nonce")];
    signed(&device, &proof, &base64url("proof-signature"));
    assert!(PAGE.contains("302a300506032b6570032100"));
}
