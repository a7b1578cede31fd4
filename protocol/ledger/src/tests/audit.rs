//! The chain of records: what is changed, left out, put elsewhere or cut off is noticed, and where.

use seatkeeper_protocol::id::{RequestId, SiteId};
use sha2::{Digest, Sha256};

use super::office::*;
use crate::audit::{Broken, Chain, Link, Linked, RecordBytes, Stretch, WINDOW, read_record};
use crate::command::{Actor, Command, Entry};
use crate::{Ledger, RestoreError, encode};

/// An office in which some things happened.
fn office() -> Office {
    let mut office = Office::with_license(2, "");
    for n in 1..4 {
        office.granted(1, want(n, &format!("user-{n}"), "cad@2026"));
        office.give_back(1, n, None);
    }
    office
}

fn whole(ledger: &Ledger) -> Stretch {
    ledger.audit(0, usize::MAX)
}

fn site() -> SiteId {
    public(ROOT).site()
}

#[test]
fn the_chain_begins_with_the_site_and_leads_to_the_head() {
    let office = office();
    let stretch = whole(&office.ledger);
    assert_eq!((stretch.first, stretch.before), (1, Link::start(&site())));
    assert_eq!(stretch.next(), office.ledger.next_seq());
    assert_eq!(stretch.head(), office.ledger.audit_head());
    assert_eq!(stretch.verify(), Ok(()));
    let chain = Chain::new(stretch.first, stretch.before);
    assert_eq!(chain.check_start(&site()), Ok(()));
    let other = SiteId([7; 20]);
    assert_eq!(chain.check_start(&other), Err(Broken::OtherSite(other)));
    let told: Vec<_> = stretch.records.iter().map(|l| read_record(l.bytes.as_slice()).unwrap()).collect();
    assert_eq!(told, office.ledger.records().collect::<Vec<_>>());
}

#[test]
fn what_is_tampered_with_is_noticed_where_it_is() {
    let stretch = whole(&office().ledger);
    let check = |what: &str, tamper: &dyn Fn(&mut Vec<Linked>), expected: Broken| {
        let mut tampered = stretch.clone();
        tamper(&mut tampered.records);
        assert_eq!(tampered.verify(), Err(expected), "{what}");
    };
    // Any bit of any record.
    for at in 0..stretch.records.len() {
        let bytes = stretch.records[at].bytes.as_slice();
        for bit in 0..bytes.len() * 8 {
            let mut tampered = stretch.clone();
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            tampered.records[at].bytes = changed.into();
            assert!(tampered.verify().is_err(), "record {}, bit {bit}", at + 1);
        }
    }
    let rewritten = |linked: &Linked| {
        let mut record = read_record(linked.bytes.as_slice()).unwrap();
        record.index += 1;
        postcard::to_stdvec(&record).unwrap()
    };
    check("changed", &|all| all[4].bytes = rewritten(&all[4]).into(), Broken::Changed(5));
    let rehashed = |all: &mut Vec<Linked>| {
        all[4].bytes = rewritten(&all[4]).into();
        all[4].link = all[3].link.next(all[4].bytes.as_slice());
    };
    check("changed, with its hash", &rehashed, Broken::Changed(6));
    check("its hash alone", &|all| all[4].link.0[0] ^= 1, Broken::Changed(5));
    check("left out", &|all| drop(all.remove(4)), Broken::Missing { expected: 5, found: 6 });
    check("the first left out", &|all| drop(all.remove(0)), Broken::Missing { expected: 1, found: 2 });
    check("swapped", &|all| all.swap(4, 5), Broken::Missing { expected: 5, found: 6 });
    check("twice", &|all| all.insert(5, all[4].clone()), Broken::Missing { expected: 6, found: 5 });
    let renumbered = |all: &mut Vec<Linked>| {
        all.remove(4);
        let mut link = all[3].link;
        for linked in &mut all[4..] {
            let mut record = read_record(linked.bytes.as_slice()).unwrap();
            record.seq -= 1;
            linked.bytes = postcard::to_stdvec(&record).unwrap().into();
            link = link.next(linked.bytes.as_slice());
            linked.link = link;
        }
    };
    let mut forged = stretch.clone();
    renumbered(&mut forged.records);
    assert_eq!(forged.verify(), Ok(()), "whoever counts and hashes everything anew leaves no trace in it");
    assert_ne!(forged.head(), stretch.head(), "but has another head");
    // Cut off at the end: whole, and shorter than its head says.
    let mut cut = stretch.clone();
    cut.records.pop();
    assert_eq!(cut.verify(), Ok(()));
    assert_ne!((cut.next(), cut.head()), (stretch.next(), stretch.head()));
    let mut other = stretch;
    other.before.0[0] ^= 1;
    assert_eq!(other.verify(), Err(Broken::Changed(1)));
}

#[test]
fn only_canonical_bytes_are_a_record() {
    let stretch = whole(&office().ledger);
    let bytes = stretch.records[0].bytes.as_slice();
    assert!(read_record(bytes).is_some());
    assert!(bytes[0] < 0x80);
    let longer = [&[bytes[0] | 0x80, 0], &bytes[1..]].concat();
    assert!(postcard::from_bytes::<crate::Record>(&longer).is_ok());
    assert_eq!(read_record(&longer), None);
    assert_eq!(read_record(&[bytes, &[0]].concat()), None);
    assert_eq!(read_record(&bytes[..bytes.len() - 1]), None);
    // A kind of record of later: its hash says that it is unchanged, its content is not told.
    let unknown = RecordBytes::from(vec![1, 1, 1, 0x7f]);
    let before = stretch.before;
    let linked = Linked { link: before.next(unknown.as_slice()), bytes: unknown };
    let later = Stretch { first: 1, before, records: vec![linked] };
    assert_eq!(later.verify(), Err(Broken::Unknown(1)));
}

#[test]
fn a_part_of_the_books_is_a_chain_too() {
    let office = office();
    let all = whole(&office.ledger);
    let next = all.next();
    for from in 0..next + 3 {
        for most in [0, 1, 3, usize::MAX] {
            let part = office.ledger.audit(from, most);
            assert_eq!(part.first, from.clamp(1, next));
            assert_eq!(part.records.len(), most.min(usize::try_from(next - part.first).unwrap()));
            assert_eq!(part.verify(), Ok(()));
            assert_eq!(all.link_of(part.first - 1), Some(part.before));
            assert_eq!(all.link_of(part.next() - 1), Some(part.head()));
        }
        let mut part = all.clone();
        part.skip_to(from);
        assert_eq!(part, office.ledger.audit(from, usize::MAX));
        let after = next - 1 - from.min(next - 1);
        assert_eq!(office.ledger.records_after(from).count(), usize::try_from(after).unwrap());
    }
    assert_eq!(all.link_of(next), None);
}

/// A start that is refused, and recorded.
fn denied(office: &Office, n: u64) -> Vec<u8> {
    let request = RequestId { epoch: 9, counter: n };
    let command = Command::Checkout(want(1, "max", "cad"));
    let actor = Actor::Device(device(1));
    encode(&Entry { time: office.time, term: office.term, actor, request, command }).unwrap()
}

/// Snapshots at many points of a long life: whoever goes on from one comes to the same head (I5).
#[test]
fn the_books_keep_a_bounded_window_and_a_replica_from_any_snapshot_has_the_same_head() {
    let mut office = Office::with_license(1, "share = \"none\"");
    office.granted(0, want(0, "eva", "cad"));
    let mut restored: Option<Ledger> = None;
    for n in 1..=u64::try_from(WINDOW).unwrap() + 150 {
        if n % 977 == 0 || n + 3 == u64::try_from(WINDOW).unwrap() {
            restored = Some(Ledger::restore(&office.ledger.snapshot()).unwrap());
        }
        let bytes = denied(&office, n);
        let index = office.index + 1;
        office.ledger.apply(index, office.term, &bytes);
        office.index = index;
        if let Some(restored) = &mut restored {
            restored.apply(index, office.term, &bytes);
            assert_eq!(restored.audit_head(), office.ledger.audit_head());
        }
    }
    assert!(restored.unwrap() == office.ledger);
    let window = whole(&office.ledger);
    assert_eq!(window.records.len(), WINDOW);
    assert!(window.first > 100);
    assert_eq!(window.verify(), Ok(()));
    assert_eq!((window.next(), window.head()), (office.ledger.next_seq(), office.ledger.audit_head()));
    assert_eq!(office.ledger.records().count(), WINDOW);
    assert_eq!(office.ledger.records_after(window.next() - 4).count(), 3);
}

#[test]
fn a_snapshot_whose_records_do_not_lead_to_its_head_is_refused() {
    let ledger = office().ledger;
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = ledger.snapshot().split_off(33);
        change(&mut body);
        let snapshot = [&[1], Sha256::digest(&body).as_slice(), &body].concat();
        assert!(matches!(Ledger::restore(&snapshot), Err(RestoreError::Contradictory(_))));
    };
    let find = |body: &[u8], part: &[u8]| body.windows(part.len()).position(|window| window == part).unwrap();
    let head = ledger.audit_head();
    refused(&|body| {
        let at = find(body, &head.0);
        body[at] ^= 1;
    });
    let start = Link::start(&site());
    refused(&|body| {
        let at = find(body, &start.0);
        body[at] ^= 1;
    });
    let record = whole(&ledger).records[3].bytes.as_slice().to_vec();
    refused(&|body| {
        // The log index of a record: nothing else says it.
        let at = find(body, &record);
        body[at + 1] ^= 1;
    });
}

#[test]
fn a_link_is_64_digits() {
    let link = Link::start(&site());
    assert_eq!(link.to_string().parse(), Ok(link));
    for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"ü".repeat(32)] {
        assert!(wrong.parse::<Link>().is_err(), "{wrong}");
    }
}
