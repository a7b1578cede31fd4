//! The audit: a signed head as a stranger could change it, and a segment's file as a disk or a person could.

use seatkeeper_ledger::Ledger;
use seatkeeper_ledger::audit::{Chain, Stretch};
use seatkeeper_protocol::audit::{AuditHead, SignedAuditHead};
use seatkeeper_protocol::frame;

use crate::frames::{TRUSTED_BYTES, WIDER};
use crate::heap;
use crate::samples::{self, SIGNED_WORDS, certificate, pool, public, root};
use crate::target::{Target, has_samples};

#[test]
fn audit_seal() {
    let words: &[&[u8]] = &[b"\n", b"=", b"-", b"_", b"AAAA", b"____"];
    Target { name: "audit_seal", words, runs: 2000, check: check_seal }.run();
}
#[test]
fn audit_segment() {
    Target { name: "audit_segment", words: SIGNED_WORDS, runs: 2000, check: check_segment }.run();
}

fn head() -> AuditHead {
    let certificate = certificate();
    AuditHead { site: certificate.site, generation: certificate.generation, seq: 70_000, hash: [5; 32] }
}

fn seal() -> String {
    let signed = SignedAuditHead::sign(&head(), certificate(), &pool()).expect("it can be signed");
    signed.to_text().expect("it fits")
}

fn stretch() -> Stretch {
    Ledger::restore(&samples::golden("snapshot")[0].1).expect("the golden snapshot").audit(0, usize::MAX)
}

fn check_seal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (read, most) = heap::peak(|| SignedAuditHead::from_text(&text));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(signed) = read else { return };
    let again = signed.to_text().expect("what was read fits");
    assert_eq!(SignedAuditHead::from_text(&again), Ok(signed.clone()));
    if let Ok(opened) = signed.open(&public(&root())) {
        assert_eq!(opened, head(), "forged");
    }
}

fn check_segment(bytes: &[u8]) {
    let (read, most) = heap::peak(|| frame::decode::<Stretch>(bytes));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(mut read) = read else { return };
    let (whole, head, next) = (read.verify(), read.head(), read.next());
    assert_eq!(read.link_of(read.first), read.records.first().map(|linked| linked.link));
    if whole.is_ok() && (read.first, head) == (stretch().first, stretch().head()) {
        assert_eq!(read, stretch(), "the same head of other records");
    }
    let mut chain = Chain::new(read.first, read.before);
    let taken = read.records.iter().take_while(|l| chain.take(l.bytes.as_slice(), l.link).is_ok()).count();
    assert_eq!(taken == read.records.len(), whole.is_ok());
    read.skip_to(read.first.saturating_add(3));
    assert_eq!((read.head(), read.next()), (head, next), "who skips some still has the end");
}

#[test]
fn corpora() {
    has_samples("audit_seal", &samples::numbered([seal().into_bytes()]));
    let segment = frame::encode(&stretch(), 1 << 20).expect("it fits");
    // Without the length in front.
    has_samples("audit_segment", &samples::numbered([segment[4..].to_vec()]));
}
