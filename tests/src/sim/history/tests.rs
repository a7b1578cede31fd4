use seatkeeper::keys;
use seatkeeper_ledger::command::{Borrow, Borrowed};
use seatkeeper_protocol::id::{SeatId, SiteId};
use seatkeeper_protocol::license::{self, Share};

use super::super::site::{PRODUCT, product};
use super::*;

#[test]
fn what_a_machine_borrows_after_it_left_and_came_back_is_lost_with_it() {
    let mut history = History::default();
    let device = DeviceId([1; 20]);
    let admin = || Actor::Admin { name: Name::new("anna").unwrap(), signature: Vec::new() };
    let mut index = 0;
    let mut apply = |history: &mut History, actor: Actor, command: Command| {
        index += 1;
        let request = RequestId { epoch: 1, counter: index };
        let entry = Some(Arc::new(Entry { time: wall_at(0), term: 1, actor, request, command }));
        let applied = Applied {
            device: 0,
            index,
            entry,
            outcome: Outcome::Done,
            hash: [0; 32],
            digest: None,
            bug: None,
        };
        history.applied(&applied, index);
    };
    let lose = Command::LoseDevice { device, lost: true };
    let (license, id) = license_that_takes_back_at_once();
    history.licenses.insert(id.clone(), Owned { license, active: true });

    apply(&mut history, admin(), lose.clone());
    apply(&mut history, Actor::Device(device), Command::Leave);
    let (seat, user, ends) = (SeatId(7), Name::new("eva").unwrap(), wall_at(60_000));
    let loan = Loan { device, user, license: id, serial: 3, ends, since: 3, site_off_ms: 0, over: None };
    history.loans.insert(seat.0, loan);
    assert_eq!(history.pool(&product()), (1, 2));
    apply(&mut history, admin(), lose);
    assert_eq!(history.pool(&product()), (0, 2));
}

/// Another holder may find the same request once more, when the site's time has been set right meanwhile.
#[test]
fn a_borrow_that_stands_in_the_log_twice_lends_once() {
    let mut history = History::default();
    let device = DeviceId([1; 20]);
    let year_ms = 365 * 24 * 3_600_000;
    let ends = wall_at(60_000).plus_ms(-year_ms);
    let mut apply = |index: u64, time: WallTime, command: Command, outcome: Outcome| {
        let request = RequestId { epoch: 1, counter: 1 };
        let entry = Entry { time, term: 1, actor: Actor::Device(device), request, command };
        let (entry, hash) = (Some(Arc::new(entry)), [0; 32]);
        history.applied(&Applied { device: 0, index, entry, outcome, hash, digest: None, bug: None }, index);
        history.loans[&7].clone()
    };
    let want = Borrow {
        user: Name::new("eva").unwrap(),
        product: product(),
        version: None,
        features: Vec::new(),
        until: ends,
    };
    let borrowed = Outcome::Borrowed(Box::new(Borrowed {
        seat: SeatId(7),
        serial: 3,
        license: Name::new("L1").unwrap(),
        license_hash: [0; 32],
        license_text: String::new(),
        product: product(),
        version: "2026".parse().unwrap(),
        features: Vec::new(),
        user: want.user.clone(),
        share: Share::None,
        issued: wall_at(0).plus_ms(-year_ms),
        ends,
        converted: false,
    }));
    let first = apply(3, wall_at(3).plus_ms(-year_ms), Command::Borrow(want.clone()), borrowed.clone());
    assert_eq!(first.site_off_ms, -year_ms);
    let again = apply(4, wall_at(4), Command::Borrow(want.clone()), borrowed.clone());
    assert_eq!(again.site_off_ms, -year_ms, "by the time of the entry that lent it");
    let back = Command::ReturnBorrow { seat: SeatId(7), serial: 3 };
    assert!(apply(5, wall_at(5), back, Outcome::Done).over.is_some());
    let late = apply(6, wall_at(6), Command::Borrow(want), borrowed);
    assert_eq!(late.over, Some((LoanOver::Returned, 5)), "a late repetition does not lend it anew");
}

fn license_that_takes_back_at_once() -> (License, Name) {
    let text = format!(
        "# Seatkeeper license v1\nlicense = \"L1\"\nvendor = \"example-vendor\"\ncustomer = \"Office\"\n\
         issued = 2026-01-01\nproduct = \"{PRODUCT}\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = 2\nsite = \"{}\"\n\
         borrow = {{ max_days = 30 }}\nlost = \"immediate\"\n",
        SiteId([0; 20])
    );
    let text = license::sign(&text, &keys::generate().unwrap()).unwrap();
    let license = SignedLicense::parse(&text).unwrap().license().clone();
    (license.clone(), license.id)
}
