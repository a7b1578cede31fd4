//! Recorded starts lived through with another number of seats, against what is counted by hand.

use seatkeeper_protocol::id::{SeatId, Version};
use seatkeeper_protocol::time::WallTime;

use super::office::{Office, START, device, name, product, want};
use crate::whatif::{Replay, Told, WhatIf};
use crate::{BorrowOver, DeniedBy, Happening, Record, Who};

const MINUTE_MS: i64 = 60_000;

fn who(user: &str) -> Who {
    Who { user: name(user), device: device(1), device_name: name("ws-1") }
}

fn takes(user: &str, seat: u64) -> Happening {
    let version = Version::new("2026").unwrap();
    Happening::Checkout {
        seat: SeatId(seat),
        who: who(user),
        product: product("cad"),
        version,
        license: name("L1"),
    }
}

fn returns(user: &str, seat: u64) -> Happening {
    Happening::Returned { seat: SeatId(seat), who: who(user), product: product("cad"), free: true }
}

fn denied(user: &str, by: DeniedBy) -> Happening {
    Happening::Denied { who: who(user), product: product("cad"), reason: "no".into(), by }
}

fn waits(user: &str) -> Happening {
    Happening::Waits { who: who(user), product: product("cad"), position: 1 }
}

fn gives_up(user: &str) -> Happening {
    Happening::LeftQueue { who: who(user), product: product("cad"), expired: false }
}

/// What happened at which minute.
fn replay(story: &[(i64, Happening)]) -> Replay {
    let mut replay = Replay::new(product("cad"));
    for ((minute, what), seq) in story.iter().zip(1..) {
        let time = START.plus_ms(minute * MINUTE_MS);
        replay.take(&Record { seq, index: seq, time, what: what.clone() });
    }
    replay
}

/// refused, waited, minutes waited together, the longest, gave up, peak
fn told(told: Told) -> [u64; 6] {
    let minutes = |ms: u64| ms / MINUTE_MS.unsigned_abs();
    let Told { refused, waited, waited_ms, longest_ms, gave_up, peak } = told;
    [refused, waited, minutes(waited_ms), minutes(longest_ms), gave_up, peak.into()]
}

fn a_day() -> Vec<(i64, Happening)> {
    vec![
        (0, Happening::Founded { name: name("Office"), admin: name("ada") }),
        (10, takes("eva", 1)),
        (20, takes("jan", 2)),
        (30, denied("max", DeniedBy::NoSeat)),
        (40, waits("ola")),
        (60, returns("eva", 1)),
        (60, takes("ola", 3)),
        (70, returns("jan", 2)),
        (90, takes("max", 4)),
        (100, returns("ola", 3)),
        (120, returns("max", 4)),
        (125, denied("kim", DeniedBy::License)),
    ]
}

#[test]
fn a_day_with_more_and_fewer_seats() {
    let replay = replay(&a_day());
    let with = |seats| replay.with_seats(seats).unwrap();
    let WhatIf { records, span, starts, refused_anyway, taken_to_run_ms, recorded, .. } = with(2);
    assert_eq!((records, starts, refused_anyway), ((1, 12), 5, 1));
    assert_eq!(span, (START, START.plus_ms(125 * MINUTE_MS)));
    // They ran for 30, 40, 50 and 50 minutes.
    assert_eq!(taken_to_run_ms, Some(40 * MINUTE_MS));
    assert_eq!(told(recorded), [1, 1, 20, 20, 0, 2]);
    // Eva, Jan, both of Max's starts; Ola waits to the end.
    assert_eq!(told(with(0).replayed), [4, 1, 85, 85, 0, 0]);
    // Eva until 60, Ola until 100.
    assert_eq!(told(with(1).replayed), [3, 1, 20, 20, 0, 1]);
    assert_eq!(told(with(2).replayed), told(recorded), "as many as there were");
    // Max from 30 to 70: Ola waits as long as before.
    assert_eq!(told(with(3).replayed), [0, 1, 20, 20, 0, 3]);
    assert_eq!(told(with(4).replayed), [0, 0, 0, 0, 0, 4]);
    assert_eq!(told(with(u32::MAX).replayed), told(with(4).replayed));
}

#[test]
fn a_refused_start_and_the_next_of_the_same_person_are_one_work() {
    let story = [
        (0, takes("eva", 1)),
        (10, denied("max", DeniedBy::NoSeat)),
        (15, denied("max", DeniedBy::Queue)),
        (40, returns("eva", 1)),
        (40, takes("max", 2)),
        (60, denied("ola", DeniedBy::NoSeat)),
        (100, returns("max", 2)),
    ];
    let replay = replay(&story);
    // They ran for 40 and 60 minutes.
    let two = replay.with_seats(2).unwrap();
    assert_eq!(two.taken_to_run_ms, Some(40 * MINUTE_MS));
    assert_eq!(told(two.recorded), [3, 0, 0, 0, 0, 1]);
    // Max's seat is his from 10 until 100, so that Ola gets the second one, and he never has two.
    assert_eq!(told(two.replayed), [0, 0, 0, 0, 0, 2]);
    assert_eq!(told(replay.with_seats(1).unwrap().replayed), [3, 0, 0, 0, 0, 1]);
}

#[test]
fn whoever_gave_up_waits_no_longer_than_he_did() {
    let story = [
        (0, takes("eva", 1)),
        (10, waits("max")),
        (25, waits("ola")),
        (30, gives_up("max")),
        (60, returns("eva", 1)),
        (60, takes("ola", 2)),
        (70, waits("jan")),
        (80, returns("eva", 9)),
    ];
    let replay = replay(&story);
    let one = replay.with_seats(1).unwrap();
    // Seat 9 was in use before the first record and counts from it on; so there were two.
    assert_eq!(told(one.recorded), [0, 3, 20 + 35 + 10, 35, 1, 2]);
    // Seat 9 is never taken from who has it: Eva is refused, Max gives up at 30, Ola and Jan wait until 80.
    assert_eq!(told(one.replayed), [1, 3, 20 + 55 + 10, 55, 1, 1]);
    // Both run; at 60 Eva's seat goes to Ola.
    assert_eq!(told(replay.with_seats(2).unwrap().replayed), [0, 3, 20 + 35 + 10, 35, 1, 2]);
    // Max runs from 10 on.
    assert_eq!(replay.with_seats(3).unwrap().replayed.gave_up, 0);
}

#[test]
fn borrowed_shared_and_foreign_seats_count_as_they_are() {
    let (cad, seat) = (product("cad"), SeatId(1));
    let borrowed = |prolonged| Happening::Borrowed {
        seat,
        who: who("eva"),
        product: cad.clone(),
        ends: WallTime(0),
        prolonged,
    };
    let shares = Happening::Shared { seat, who: who("eva"), product: cad.clone() };
    let other = Happening::Denied {
        who: who("eva"),
        product: product("other"),
        reason: "no".into(),
        by: DeniedBy::NoSeat,
    };
    let over = |free| Happening::BorrowOver {
        seat,
        who: who("eva"),
        product: cad.clone(),
        how: BorrowOver::Ended,
        free,
    };
    let ends = |free| Happening::Returned { seat, who: who("eva"), product: cad.clone(), free };
    let story = [
        (0, borrowed(false)),
        (5, shares),
        (6, other),
        (7, borrowed(true)),
        (8, denied("max", DeniedBy::Limit)),
        (10, over(false)),
        // A time that steps back counts as no time at all.
        (-500, denied("max", DeniedBy::NoSeat)),
        (20, ends(true)),
        (30, takes("max", 2)),
    ];
    let told_of = replay(&story).with_seats(2).unwrap();
    assert_eq!((told_of.starts, told_of.refused_anyway), (3, 1));
    assert_eq!(told_of.taken_to_run_ms, Some(20 * MINUTE_MS));
    assert_eq!(told(told_of.recorded), [1, 0, 0, 0, 0, 1]);
    // Max runs from 10 to 30, and again.
    assert_eq!(told(told_of.replayed), [0, 0, 0, 0, 0, 2]);
    assert_eq!(Replay::new(cad).with_seats(2), None);
}

/// What the ledger records is read as it is meant.
#[test]
fn with_as_many_seats_as_there_were_it_comes_as_it_came() {
    let mut office = Office::with_license(2, "share = \"none\"\nborrow = { max_days = 30 }");
    let later = |office: &mut Office, minutes: i64| office.time = office.time.plus_ms(minutes * MINUTE_MS);
    office.granted(1, want(1, "eva", "cad"));
    later(&mut office, 10);
    let borrowed = office.borrows(2, "jan", "cad", 1);
    later(&mut office, 10);
    office.refused(1, want(3, "max", "cad"));
    office.waits(1, want(4, "ola", "cad"));
    later(&mut office, 10);
    office.give_back(1, 1, None);
    office.wait(1, want(4, "ola", "cad"));
    later(&mut office, 10);
    office.return_borrow(2, &borrowed);
    later(&mut office, 10);
    office.give_back(1, 4, None);
    let mut replay = Replay::new(product("cad"));
    office.ledger.records().for_each(|record| replay.take(&record));
    assert_eq!(replay.last() + 1, office.ledger.next_seq());
    let two = replay.with_seats(2).unwrap();
    assert_eq!(told(two.recorded), [1, 1, 10, 10, 0, 2]);
    assert_eq!(two.replayed, two.recorded);
    assert_eq!(two.starts, 4);
}
