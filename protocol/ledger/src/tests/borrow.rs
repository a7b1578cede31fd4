//! Borrowed seats and lost devices.

use seatkeeper_protocol::id::SeatId;
use seatkeeper_protocol::limits::BORROW_END_AFTER_MS;
use seatkeeper_protocol::time::WallTime;

use super::office::*;
use crate::command::{Command, Outcome, Refusal};

const BORROW: &str = "borrow = { max_days = 30 }";

#[test]
fn a_borrow_keeps_its_place_until_it_is_given_back() {
    let mut office = Office::with_license(2, BORROW);
    let borrowed = office.borrows(1, "eva", "cad", 7);
    assert_eq!((borrowed.converted, borrowed.ends), (false, office.time.plus_ms(7 * DAY_MS)));
    assert!(borrowed.license_text.contains("max_days"));
    assert_eq!(office.books(), "L1: 0+1/2");
    office.granted(2, want(1, "ola", "cad"));
    assert!(matches!(office.refused(0, want(2, "jan", "cad")), Refusal::NoSeat(_)));
    // Another device cannot give it back, and a repetition is done already.
    for (device, books) in [(2, "L1: 1+1/2"), (1, "L1: 1/2"), (1, "L1: 1/2")] {
        assert_eq!(office.return_borrow(device, &borrowed), Outcome::Done);
        assert_eq!(office.books(), books);
    }
    office.granted(0, want(3, "jan", "cad"));
}

#[test]
fn a_running_seat_becomes_the_borrowed_one_and_online_again() {
    let mut office = Office::with_license(1, BORROW);
    let grant = office.granted(1, want(1, "eva", "cad"));
    let borrowed = office.borrows(1, "eva", "cad", 7);
    assert_eq!((borrowed.seat, borrowed.converted), (grant.seat, true));
    assert_eq!(office.books(), "L1: 0+1/1");
    // Out of reach, its session expires; the seat stays.
    assert_eq!(office.expire(1, grant.attach), Outcome::Done);
    assert_eq!(office.books(), "L1: 0+1/1");
    // Back, the same run of the program and another one share it.
    assert_eq!(office.granted(1, want(1, "eva", "cad")).seat, grant.seat);
    let other = office.granted(1, want(2, "eva", "cad"));
    assert!(other.shared);
    assert!(matches!(office.refused(1, want(3, "ola", "cad")), Refusal::NoSeat(_)), "another user");
    // Given back, it goes on online.
    assert_eq!(office.return_borrow(1, &borrowed), Outcome::Done);
    assert_eq!(office.books(), "L1: 1/1");
    office.give_back(1, 1, None);
    office.give_back(1, 2, None);
    assert_eq!(office.books(), "L1: 0/1");
}

#[test]
fn a_borrow_ends_by_the_clock_with_a_margin_and_not_if_it_was_prolonged() {
    let mut office = Office::with_license(1, BORROW);
    let first = office.borrows(1, "eva", "cad", 1);
    office.time = office.time.plus_ms(DAY_MS / 2);
    let second = office.borrows(1, "eva", "cad", 1);
    assert_eq!((second.seat, second.ends), (first.seat, first.ends.plus_ms(DAY_MS / 2)));
    assert!(second.serial > first.serial);
    office.time = first.ends.plus_ms(BORROW_END_AFTER_MS);
    assert_eq!(refusal(office.end_borrow(&first)), Refusal::Superseded);
    assert!(matches!(refusal(office.end_borrow(&second)), Refusal::Conflict(_)));
    office.time = second.ends.plus_ms(BORROW_END_AFTER_MS - 1);
    assert!(matches!(refusal(office.end_borrow(&second)), Refusal::Conflict(_)));
    assert_eq!(office.ledger.borrows_to_end(office.time).count(), 0);
    office.time = office.time.plus_ms(1);
    assert_eq!(office.ledger.borrows_to_end(office.time).collect::<Vec<_>>(), [(second.seat, second.serial)]);
    assert_eq!(office.end_borrow(&second), Outcome::Done);
    assert_eq!(office.books(), "L1: 0/1");
    assert!(matches!(refusal(office.end_borrow(&second)), Refusal::NotFound(_)));
}

#[test]
fn what_runs_at_the_end_goes_on_online() {
    let mut office = Office::with_license(1, BORROW);
    let borrowed = office.borrows(1, "eva", "cad", 1);
    let grant = office.granted(1, want(1, "eva", "cad"));
    assert_eq!(grant.seat, borrowed.seat);
    office.time = borrowed.ends.plus_ms(BORROW_END_AFTER_MS);
    assert_eq!(office.end_borrow(&borrowed), Outcome::Done);
    assert_eq!(office.books(), "L1: 1/1");
    assert_eq!(office.expire(1, grant.attach), Outcome::Done);
    assert_eq!(office.books(), "L1: 0/1");
}

#[test]
fn limits_of_the_license_are_told() {
    let mut office =
        Office::with_license(3, "valid_until = 2026-03-01\nborrow = { max_days = 30, max_seats = 1 }");
    let told = |office: &mut Office, days| refusal(office.borrow(1, "eva", "cad", days)).to_string();
    assert!(told(&mut office, 31).contains("30 days at most"), "{}", told(&mut office, 31));
    assert!(told(&mut office, 0).contains("end before it begins"));
    office.time = WallTime::from_rfc3339("2026-03-02T12:00:00Z").unwrap().plus_ms(-2 * DAY_MS);
    assert!(told(&mut office, 3).contains("never past its own end: until 2026-03-02T12:00:00Z"));
    office.borrows(1, "eva", "cad", 2);
    assert!(matches!(refusal(office.borrow(2, "ola", "cad", 1)), Refusal::Limit { limit: 1, .. }));
    // Shorter than it is is another borrow.
    assert!(told(&mut office, 1).contains("seatkeeper return cad"));
    assert!(matches!(refusal(office.borrow(1, "eva", "cae", 1)), Refusal::NotLicensed { .. }));
    let mut strict = Office::with_license(3, "");
    assert!(told(&mut strict, 1).contains("lets a seat of this product be borrowed"));
}

#[test]
fn a_borrow_is_put_on_the_license_that_lends_and_stays_there() {
    let mut office = Office::with_license(1, "");
    office.add_license("L2", "cad", "2026", 1, BORROW);
    // It runs on the license that does not lend, or moves: either way nobody else is refused.
    let grant = office.granted(1, want(1, "eva", "cad"));
    let borrowed = office.borrows(1, "eva", "cad", 7);
    assert_eq!((borrowed.seat, borrowed.license.as_str()), (grant.seat, "L2"));
    assert_eq!(office.books(), "L1: 0/1, L2: 0+1/1");
    office.granted(2, want(2, "ola", "cad"));
    assert!(matches!(office.refused(0, want(3, "jan", "cad")), Refusal::NoSeat(_)));
}

#[test]
fn somebody_who_does_not_borrow_makes_room_on_the_license_that_lends() {
    let mut office = Office::with_license(1, BORROW);
    office.add_license("L2", "cad", "2026", 1, "");
    let first = office.granted(0, want(1, "jan", "cad"));
    let borrowed = office.borrows(1, "eva", "cad", 7);
    assert_eq!(borrowed.license.as_str(), "L1");
    assert_ne!(first.seat, borrowed.seat);
    assert_eq!(office.books(), "L1: 0+1/1, L2: 1/1");
}

#[test]
fn alone_on_a_borrowed_seat_where_starts_are_not_shared() {
    let mut office = Office::with_license(2, &format!("share = \"none\"\n{BORROW}"));
    let borrowed = office.borrows(1, "eva", "cad", 7);
    let online = |n, user, what| Command::GoOnline { seat: borrowed.seat, start: want(n, user, what) };
    // A start that asks the site may be the second one there.
    assert_ne!(office.granted(1, want(1, "eva", "cad")).seat, borrowed.seat);
    assert_eq!(office.books(), "L1: 1+1/2");
    let Outcome::Granted(grant) = office.by_device(1, online(2, "eva", "cad")) else { panic!("not granted") };
    assert_eq!(grant.seat, borrowed.seat);
    assert!(matches!(refusal(office.by_device(1, online(3, "eva", "cad"))), Refusal::Conflict(_)));
    // The very same program again.
    assert!(matches!(office.by_device(1, online(2, "eva", "cad")), Outcome::Granted(_)));
    assert!(matches!(refusal(office.by_device(2, online(4, "eva", "cad"))), Refusal::NotFound(_)));
    assert_eq!(office.return_borrow(1, &borrowed), Outcome::Done);
    assert_eq!(office.books(), "L1: 2/2");
    assert!(matches!(refusal(office.by_device(1, online(5, "eva", "cad"))), Refusal::NotFound(_)));
}

#[test]
fn a_late_return_gives_nothing_back_that_was_borrowed_since() {
    let mut office = Office::with_license(1, BORROW);
    let first = office.borrows(1, "eva", "cad", 1);
    let second = office.borrows(1, "eva", "cad", 2);
    assert_eq!(refusal(office.return_borrow(1, &first)), Refusal::Superseded);
    assert_eq!(office.books(), "L1: 0+1/1");
    assert_eq!(office.return_borrow(1, &second), Outcome::Done);
    assert_eq!(office.return_borrow(1, &first), Outcome::Done, "nothing is borrowed any more");
}

#[test]
fn who_waits_goes_before_who_borrows() {
    let mut office = Office::with_license(1, BORROW);
    office.granted(0, want(1, "jan", "cad"));
    office.waits(2, want(2, "ola", "cad"));
    office.give_back(0, 1, None);
    assert!(matches!(refusal(office.borrow(1, "eva", "cad", 7)), Refusal::NoSeat(_)));
}

#[test]
fn a_borrowed_seat_stays_on_the_license_in_its_ticket_when_that_is_replaced() {
    let mut office = Office::with_license(1, BORROW);
    let borrowed = office.borrows(1, "eva", "cad", 7);
    office.add_license(
        "L2",
        "cad",
        "2026",
        2,
        &format!("replaces = [\"L1\"]\nfeatures = [\"bim\"]\n{BORROW}"),
    );
    let on = |office: &Office| office.ledger.seat(borrowed.seat).unwrap().license.to_string();
    // It takes up a place of the new one, which does not make it one of that.
    assert_eq!(office.books(), "L1: 0/0, L2: 0+1/2");
    let grant = office.granted(1, want(1, "eva", "cad"));
    assert_eq!((grant.seat, grant.license.as_str(), on(&office).as_str()), (borrowed.seat, "L1", "L1"));
    let start = want(2, "eva", "cad");
    let Outcome::Granted(grant) = office.by_device(1, Command::GoOnline { seat: borrowed.seat, start })
    else {
        panic!("not granted")
    };
    assert_eq!((grant.seat, grant.license.as_str(), on(&office).as_str()), (borrowed.seat, "L1", "L1"));
    // What the old one does not have is not on its ticket either.
    let start = want(3, "eva", "cad+bim");
    let outcome = office.by_device(1, Command::GoOnline { seat: borrowed.seat, start });
    assert!(matches!(refusal(outcome), Refusal::Conflict(_)));
    assert_ne!(office.granted(1, want(3, "eva", "cad+bim")).seat, borrowed.seat);
    assert_eq!(on(&office), "L1");
}

#[test]
fn only_who_could_share_the_borrowed_seat_goes_online_with_it() {
    for (share, may) in [("user-device", false), ("user", false), ("none", false), ("device", true)] {
        let mut office = Office::with_license(1, &format!("share = \"{share}\"\n{BORROW}"));
        let borrowed = office.borrows(1, "eva", "cad", 7);
        let start = want(1, "kim", "cad");
        let outcome = office.by_device(1, Command::GoOnline { seat: borrowed.seat, start });
        assert_eq!(matches!(outcome, Outcome::Granted(_)), may, "{share}: {outcome:?}");
        office.return_borrow(1, &borrowed);
        assert_eq!(office.books(), if may { "L1: 1/1" } else { "L1: 0/1" }, "{share}");
    }
}

#[test]
fn a_lost_device_takes_nothing_and_gives_back_what_the_license_says() {
    for (lost, books) in [("at-end", "L1: 0+1/2"), ("immediate", "L1: 0/2")] {
        let mut office = Office::with_license(2, &format!("lost = \"{lost}\"\n{BORROW}"));
        let lose = |lost| Command::LoseDevice { device: device(1), lost };
        office.borrows(1, "eva", "cad", 7);
        office.done_by_admin(lose(true));
        office.done_by_admin(lose(true));
        assert_eq!(office.books(), books, "{lost}");
        assert!(matches!(office.refused(1, want(1, "eva", "cad")), Refusal::NotPermitted(_)));
        assert!(matches!(refusal(office.wait(1, want(1, "eva", "cad"))), Refusal::NotPermitted(_)));
        assert!(matches!(refusal(office.borrow(1, "eva", "cad", 8)), Refusal::NotPermitted(_)));
        office.done_by_admin(lose(false));
        office.granted(1, want(1, "eva", "cad"));
        assert_eq!(office.by_admin(Command::LoseDevice { device: device(9), lost: true }), {
            Outcome::Refused(Refusal::NotFound(format!("device {}", device(9))))
        });
    }
}

#[test]
fn a_device_leaves_only_without_borrowed_seats_and_a_revoked_one_keeps_them_to_the_end() {
    let mut office = Office::with_license(1, BORROW);
    let borrowed = office.borrows(1, "eva", "cad", 1);
    assert!(matches!(refusal(office.by_device(1, Command::Leave)), Refusal::Conflict(_)));
    office.done_by_admin(Command::RevokeDevice { device: device(1) });
    assert_eq!(office.books(), "L1: 0+1/1");
    office.time = borrowed.ends.plus_ms(BORROW_END_AFTER_MS);
    assert_eq!(office.end_borrow(&borrowed), Outcome::Done);
    assert_eq!(office.books(), "L1: 0/1");
}

#[test]
fn a_borrowed_seat_that_an_admin_took_away_is_free_when_the_device_gives_it_back() {
    let mut office = Office::with_license(1, BORROW);
    let borrowed = office.borrows(1, "eva", "cad", 7);
    let grant = office.granted(1, want(1, "eva", "cad"));
    assert_eq!(office.release(borrowed.seat), Outcome::Done);
    assert!(!office.ledger.live(&session(1), grant.attach));
    assert!(matches!(refusal(office.borrow(1, "eva", "cad", 9)), Refusal::Conflict(_)));
    office.give_back(1, 1, Some(grant.attach));
    assert_eq!(office.books(), "L1: 0+1/1");
    assert_eq!(office.return_borrow(1, &borrowed), Outcome::Done);
    assert_eq!(office.books(), "L1: 0/1");
    assert_eq!(office.ledger.seat(SeatId(borrowed.seat.0)), None);
}

#[test]
fn a_refused_borrow_says_again_who_has_the_seats() {
    let mut office = Office::with_license(1, BORROW);
    office.granted(0, want(1, "ola", "cad"));
    let borrow = crate::command::Borrow {
        user: name("eva"),
        product: product("cad"),
        version: None,
        features: Vec::new(),
        until: office.time.plus_ms(DAY_MS),
    };
    let (request, command) = (office.next_request(), Command::Borrow(borrow));
    let actor = || crate::command::Actor::Device(device(1));
    let first = office.apply(actor(), request, office.term, command.clone());
    assert!(refusal(first.clone()).to_string().contains("ola on ws-0"), "{first:?}");
    assert_eq!(office.apply(actor(), request, office.term, command), first);
}

#[test]
fn an_old_answer_brings_no_borrow_back() {
    let mut office = Office::with_license(1, BORROW);
    let checkout = want(0, "eva", "cad");
    let until = office.time.plus_ms(DAY_MS);
    let command = Command::Borrow(crate::command::Borrow {
        user: checkout.user,
        product: checkout.product,
        version: None,
        features: Vec::new(),
        until,
    });
    let request = office.next_request();
    let actor = || crate::command::Actor::Device(device(1));
    let first = office.apply(actor(), request, office.term, command.clone());
    let Outcome::Borrowed(borrowed) = &first else { panic!("{first:?}") };
    assert_eq!(office.apply(actor(), request, office.term, command.clone()), first);
    assert_eq!(office.return_borrow(1, borrowed), Outcome::Done);
    let again = office.apply(actor(), request, office.term, command);
    assert_eq!(refusal(again), Refusal::SessionEnded);
}
