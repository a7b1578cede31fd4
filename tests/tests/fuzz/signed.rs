//! What the pool key signs: tickets and rosters. Each is tried as a stranger could change it, and as somebody who has
//! the key could have written it.

use ed25519_dalek::Signer;
use seatkeeper_protocol::limits;
use seatkeeper_protocol::roster::{Role, SignedRoster};
use seatkeeper_protocol::ticket::{DeviceProof, Ticket};

use crate::frames::{TRUSTED_BYTES, WIDER};
use crate::heap;
use crate::samples::{self, SIGNED_WORDS, certificate, pool, public, root};
use crate::target::{Target, has_samples};

#[test]
fn ticket_text() {
    Target {
        name: "ticket_text",
        words: &[b"\n", b"=", b"-", b"_", b"AAAA", b"____"],
        runs: 2000,
        check: check_ticket_text,
    }
    .run();
}
#[test]
fn ticket_body() {
    Target { name: "ticket_body", words: SIGNED_WORDS, runs: 2000, check: check_ticket_body }.run();
}
#[test]
fn roster() {
    Target { name: "roster", words: SIGNED_WORDS, runs: 2000, check: check_roster }.run();
}

/// A stranger's text.
fn check_ticket_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (read, most) = heap::peak(|| Ticket::from_text(&text));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(ticket) = read else { return };
    let again = ticket.to_text().expect("what was read fits");
    assert_eq!(Ticket::from_text(&again), Ok(ticket.clone()));
    if let Ok(body) = ticket.verify(&public(&root())) {
        let known = samples::tickets().iter().any(|known| known.body == ticket.body);
        assert!(known, "forged: {body:?}");
    }
    let proof = DeviceProof { key: public(&samples::device(0)), signature: ticket.signature.clone() };
    assert!(proof.verify(&ticket, &public(&root()), b"nonce").is_err(), "a ticket proves no device");
}

/// A body that the pool key has signed.
fn check_ticket_body(bytes: &[u8]) {
    let signature = pool().sign(&[b"seatkeeper-ticket-v1\n", bytes].concat()).to_vec();
    let ticket = Ticket { body: bytes.to_vec(), certificate: certificate(), signature };
    let (verified, most) = heap::peak(|| ticket.verify(&public(&root())));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(body) = verified else { return };
    assert!(body.features.len() <= limits::FEATURES_MAX);
    assert!(body.nonce.as_ref().is_none_or(|nonce| nonce.len() <= limits::NONCE_BYTES_MAX));
    assert_eq!((body.site, body.generation), (certificate().site, certificate().generation));
    let again = Ticket::sign(&body, certificate(), &pool()).expect("what was accepted can be signed");
    assert_eq!(again.verify(&public(&root())), Ok(body));
    let text = again.to_text().expect("what is within its bounds fits");
    assert_eq!(Ticket::from_text(&text), Ok(again));
}

/// A roster that the pool key has signed.
fn check_roster(bytes: &[u8]) {
    let signature = pool().sign(&[b"seatkeeper-roster-v1\n", bytes].concat()).to_vec();
    let mut stranger = SignedRoster { bytes: bytes.to_vec(), certificate: certificate(), signature };
    let (opened, most) = heap::peak(|| stranger.open(&public(&root())));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(mut roster) = opened else { return };
    assert!(roster.devices.len() <= limits::DEVICES_MAX && roster.revoked.len() <= limits::REVOKED_MAX);
    for device in &roster.devices {
        let found = roster.by_key(&device.key);
        assert_eq!(found.is_none(), roster.is_revoked(&device.key.device()));
        assert_eq!(found, roster.device(&device.key.device()));
    }
    let signed = SignedRoster::sign(roster.clone(), certificate(), &pool()).expect("it can be signed");
    for device in roster.devices.iter_mut().filter(|device| device.role == Role::Holder) {
        device.role = Role::Voter;
    }
    assert_eq!(signed.open(&public(&root())), Ok(roster));
    stranger.bytes.push(0);
    assert!(stranger.open(&public(&root())).is_err(), "every byte is signed");
}

#[test]
fn corpora() {
    let texts = samples::tickets().into_iter().map(|ticket| ticket.to_text().expect("it fits").into_bytes());
    has_samples("ticket_text", &samples::numbered(texts));
    has_samples("ticket_body", &samples::numbered(samples::tickets().into_iter().map(|ticket| ticket.body)));
    has_samples("roster", &samples::numbered(samples::rosters().into_iter().map(|roster| roster.bytes)));
}
