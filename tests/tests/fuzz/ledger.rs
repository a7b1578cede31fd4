//! The ledger: entries, commands, outcomes and snapshots from whatever bytes.

use std::fmt::Debug;
use std::sync::LazyLock;

use seatkeeper_ledger::command::{Actor, Entry, Outcome};
use seatkeeper_ledger::{
    Ledger, decode, decode_command, decode_outcome, encode, encode_command, encode_outcome,
};
use seatkeeper_protocol::id::RequestId;
use seatkeeper_protocol::limits::COMMAND_BYTES_MAX;
use sha2::{Digest, Sha256};

use crate::frames::{TRUSTED_BYTES, WIDER};
use crate::heap;
use crate::samples::{self, SIGNED_WORDS, device_id};
use crate::target::{Target, has_samples};

/// The term of all entries here.
const TERM: u64 = 9;
/// Bytes before a snapshot's state: its version and SHA-256.
const SNAPSHOT_HEAD_BYTES: usize = 33;

#[test]
fn entries() {
    Target { name: "entries", words: SIGNED_WORDS, runs: 500, check: check_entries }.run();
}
#[test]
fn outcomes() {
    Target { name: "outcomes", words: SIGNED_WORDS, runs: 20000, check: check_outcomes }.run();
}
#[test]
fn snapshots() {
    Target { name: "snapshots", words: SIGNED_WORDS, runs: 500, check: check_snapshots }.run();
}

/// An office with something of everything.
static OFFICE: LazyLock<Ledger> =
    LazyLock::new(|| Ledger::restore(&samples::golden("snapshot")[0].1).expect("the golden snapshot"));

fn check_entries(bytes: &[u8]) {
    let (entry, most) = heap::peak(|| decode(bytes));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    applied(bytes, entry.as_ref().ok());
    let command = match entry {
        Ok(entry) => {
            let again = encode(&entry).expect("what was read fits");
            assert!(again.len() <= bytes.len(), "what we write is the shortest form");
            assert_eq!(decode(&again), Ok(entry.clone()));
            entry.command
        }
        Err(_) => match decode_command(bytes) {
            Ok(command) => command,
            Err(_) => return,
        },
    };
    let sent = encode_command(&command).expect("what was read fits");
    assert_eq!(decode_command(&sent), Ok(command.clone()));
    // As everybody who may ask at all would ask it.
    let request = RequestId { epoch: 100, counter: 1 };
    for actor in [
        Actor::Device(device_id(0)),
        Actor::Device(device_id(1)),
        Actor::Holder(device_id(0)),
        samples::admin(request, &command),
    ] {
        let entry = Entry { time: samples::START, term: TERM, actor, request, command: command.clone() };
        // A command without an entry around it may be a few bytes too long for one.
        if let Ok(bytes) = encode(&entry) {
            applied(&bytes, Some(&entry));
        }
    }
}

/// Applies an entry twice to an office: no harm, and by a replica the same (invariants I4, I5, I11).
fn applied(bytes: &[u8], entry: Option<&Entry>) {
    let mut ledger = OFFICE.clone();
    let index = ledger.index() + 1;
    let (outcome, most) = heap::peak(|| ledger.apply(index, TERM, bytes));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len().max(1_024), "{} bytes: {most}", bytes.len());
    unharmed(&ledger, &outcome);
    let mut replica = Ledger::restore(&ledger.snapshot()).expect("a snapshot can be restored");
    assert_eq!(replica, ledger);
    let again = ledger.apply(index + 1, TERM, bytes);
    unharmed(&ledger, &again);
    if entry.is_some_and(|entry| !matches!(entry.actor, Actor::Holder(_))) {
        assert_eq!(again, outcome, "each request acts once");
    }
    assert_eq!(replica.apply(index + 1, TERM, bytes), again);
    assert_eq!(replica.hash(), ledger.hash());
}

fn unharmed(ledger: &Ledger, outcome: &Outcome) {
    assert_eq!(ledger.bug(), None);
    let bytes = encode_outcome(outcome).expect("every outcome fits");
    assert_eq!(decode_outcome(&bytes).as_ref(), Ok(outcome));
}

fn check_outcomes(bytes: &[u8]) {
    let (outcome, most) = heap::peak(|| decode_outcome(bytes));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    let Ok(outcome) = outcome else { return };
    let again = encode_outcome(&outcome).expect("what was read fits");
    assert!(again.len() <= bytes.len() && bytes.len() <= COMMAND_BYTES_MAX);
    assert_eq!(decode_outcome(&again).as_ref(), Ok(&outcome));
    if let Outcome::Refused(refusal) = &outcome {
        said(refusal);
    }
}

fn said(what: &(impl std::fmt::Display + Debug)) {
    // Whether a text is empty depends on who wrote it; that it can be shown does not.
    assert!(what.to_string().len() <= 4 * COMMAND_BYTES_MAX, "{what:?}");
}

/// As damaged on the way, and as written by somebody whose hash is right.
fn check_snapshots(bytes: &[u8]) {
    restored(bytes);
    if let Some(state) = bytes.get(SNAPSHOT_HEAD_BYTES..) {
        restored(&sealed(state));
    }
}

fn sealed(state: &[u8]) -> Vec<u8> {
    [&[1], Sha256::digest(state).as_slice(), state].concat()
}

fn restored(bytes: &[u8]) {
    let (restored, most) = heap::peak(|| Ledger::restore(bytes));
    assert!(most <= 4 * TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes: {most}", bytes.len());
    let mut ledger = match restored {
        Ok(ledger) => ledger,
        Err(error) => return said(&error),
    };
    assert_eq!(ledger.snapshot(), bytes, "a snapshot that is accepted is the state's own");
    assert_eq!(ledger.digest().as_slice(), &bytes[1..SNAPSHOT_HEAD_BYTES]);
    for (n, (_, entry)) in (1..).zip(samples::golden("entry")) {
        let index = ledger.index().saturating_add(n);
        ledger.apply(index, TERM, &entry);
    }
    let pools = ledger.pools(samples::START);
    assert_eq!(pools.len(), ledger.licenses().len());
}

#[test]
fn corpora() {
    has_samples("entries", &samples::golden("entry"));
    has_samples("outcomes", &samples::golden("outcome"));
    has_samples("snapshots", &samples::snapshots());
}
