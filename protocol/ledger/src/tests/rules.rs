//! Limits, groups, priorities, and what a denial says.

use super::office::*;
use crate::command::{Command, Outcome, Refusal, Whom};

fn user(text: &str) -> Whom {
    Whom::User(name(text))
}

fn limit(whom: Whom, seats: impl Into<Option<u32>>) -> Command {
    Command::SetLimit { product: product("cad"), whom, seats: seats.into() }
}

fn group(text: &str, members: &[&str]) -> Command {
    Command::SetGroup { group: name(text), members: members.iter().map(|member| name(member)).collect() }
}

fn over(refusal: Refusal) -> (Whom, u32, u32) {
    match refusal {
        Refusal::OverLimit(over) => (over.whom.clone(), over.seats, over.used),
        other => panic!("another refusal: {other}"),
    }
}

#[test]
fn a_limit_refuses_new_seats_and_takes_none_away() {
    let mut office = Office::with_license(5, "share = \"none\"");
    office.granted(1, want(1, "eva", "cad"));
    office.granted(1, want(2, "eva", "cad"));
    office.done_by_admin(limit(user("eva"), 1));
    assert_eq!(office.books(), "L1: 2/5");
    assert_eq!(over(office.refused(1, want(3, "eva", "cad"))), (user("eva"), 1, 2));
    office.granted(1, want(4, "ola", "cad"));
    office.give_back(1, 1, None);
    office.give_back(1, 2, None);
    office.granted(1, want(5, "eva", "cad"));
    office.done_by_admin(limit(user("eva"), None));
    office.granted(1, want(6, "eva", "cad"));
    assert!(matches!(refusal(office.by_admin(limit(user("eva"), None))), Refusal::NotFound(_)));
}

#[test]
fn nobody_excluded_gets_a_seat_by_any_way() {
    let mut office = Office::with_license(5, "share = \"device\"\nborrow = { max_days = 30 }");
    office.granted(1, want(1, "ola", "cad"));
    office.done_by_admin(limit(user("eva"), 0));
    let told = office.refused(1, want(2, "eva", "cad"));
    assert!(told.to_string().contains("excludes user eva from cad"), "{told}");
    assert_eq!(over(refusal(office.wait(1, want(3, "eva", "cad")))), (user("eva"), 0, 0));
    assert_eq!(over(refusal(office.borrow(1, "eva", "cad", 1))), (user("eva"), 0, 0));
    assert_eq!(office.happened_since(office.ledger.next_seq() - 1), ["denied"]);
    // A borrow that stood before is kept to its end and not prolonged.
    let borrowed = office.borrows(2, "tom", "cad", 1);
    office.done_by_admin(limit(user("tom"), 0));
    assert_eq!(over(refusal(office.borrow(2, "tom", "cad", 2))), (user("tom"), 0, 1));
    assert_eq!(
        office.ledger.borrowed_by(&device(2)).next().map(|(.., borrow)| borrow.ends),
        Some(borrowed.ends)
    );
    // What nobody owns is not owned, whatever the limits say.
    assert!(matches!(office.refused(1, want(4, "eva", "cad@2031")), Refusal::NotLicensed { .. }));
}

#[test]
fn a_group_is_limited_together_and_a_device_for_whoever_uses_it() {
    let mut office = Office::with_license(5, "");
    office.done_by_admin(group("students", &["eva", "jan"]));
    office.done_by_admin(limit(Whom::Group(name("students")), 1));
    office.done_by_admin(limit(Whom::Device(device(2)), 1));
    office.granted(1, want(1, "eva", "cad"));
    assert_eq!(over(office.refused(0, want(2, "jan", "cad"))), (Whom::Group(name("students")), 1, 1));
    // Sharing needs no seat.
    assert!(office.granted(1, want(3, "eva", "cad")).shared);
    office.granted(2, want(4, "ola", "cad"));
    assert_eq!(over(office.refused(2, want(5, "ada", "cad"))), (Whom::Device(device(2)), 1, 1));
    // What rules name stays.
    assert!(matches!(refusal(office.by_admin(group("students", &[]))), Refusal::Conflict(_)));
    office.done_by_admin(limit(Whom::Group(name("students")), None));
    office.done_by_admin(group("students", &[]));
    office.granted(0, want(2, "jan", "cad"));
    for whom in [Whom::Group(name("students")), Whom::Device(device(9))] {
        assert!(matches!(refusal(office.by_admin(limit(whom, 1))), Refusal::NotFound(_)));
    }
    let used: Vec<_> = office.ledger.limits().map(|(_, _, seats, used)| (seats, used)).collect();
    assert_eq!(used, [(1, 1)]);
}

#[test]
fn who_waits_and_has_come_to_a_limit_holds_nobody_up() {
    let mut office = Office::with_license(1, "");
    office.granted(0, want(1, "ola", "cad"));
    office.waits(1, want(2, "eva", "cad"));
    office.done_by_admin(limit(user("eva"), 0));
    office.give_back(0, 1, None);
    let place = |office: &Office| office.ledger.queue(office.time).first().map(|place| place.turn);
    assert_eq!(place(&office), Some(false));
    office.granted(2, want(3, "jan", "cad"));
    office.give_back(2, 3, None);
    office.done_by_admin(limit(user("eva"), 1));
    assert_eq!(place(&office), Some(true));
    assert!(matches!(office.refused(2, want(4, "jan", "cad")), Refusal::NoSeat(_)), "his turn again");
    assert!(matches!(office.wait(1, want(2, "eva", "cad")), Outcome::Granted(_)));
}

#[test]
fn a_higher_priority_goes_first_and_whoever_waits_keeps_the_one_he_had() {
    let mut office = Office::with_license(1, "");
    office.granted(0, want(1, "ola", "cad"));
    assert_eq!(office.waits(1, want(2, "eva", "cad")).position, 1);
    let first = |whom, priority| Command::SetPriority { whom, priority };
    office.done_by_admin(first(user("jan"), 5));
    assert!(matches!(refusal(office.by_admin(first(user("jan"), 10))), Refusal::Invalid(_)));
    assert_eq!(office.waits(2, want(3, "jan", "cad")).position, 1);
    assert_eq!(office.waits(1, want(2, "eva", "cad")).position, 2);
    assert_eq!(office.waits(2, want(4, "jan", "cad")).position, 2, "equal ones by their time");
    office.give_back(0, 1, None);
    assert!(matches!(office.wait(1, want(2, "eva", "cad")), Outcome::Waiting(_)));
    assert!(matches!(office.wait(2, want(3, "jan", "cad")), Outcome::Granted(_)));
    office.done_by_admin(first(user("jan"), 0));
    assert_eq!(office.ledger.priorities().count(), 0);
}

#[test]
fn a_denial_tells_when_a_borrowed_seat_is_due_back() {
    let mut office = Office::with_license(2, "borrow = { max_days = 30 }");
    let late = office.borrows(1, "eva", "cad", 9);
    let early = office.borrows(2, "ola", "cad", 4);
    let due = |office: &mut Office, n| match office.refused(0, want(n, "jan", "cad")) {
        Refusal::NoSeat(denial) => {
            assert_eq!(denial.next_return.is_some(), denial.to_string().contains("is due back"), "{denial}");
            denial.next_return
        }
        other => panic!("{other}"),
    };
    assert_eq!(due(&mut office, 1), Some(early.ends));
    assert_eq!(office.waits(0, want(2, "ada", "cad")).denial.next_return, Some(early.ends));
    assert_eq!(due(&mut office, 3), Some(late.ends), "the first one is for who waits");
    office.waits(0, want(4, "tom", "cad"));
    assert_eq!(due(&mut office, 5), None);
}
