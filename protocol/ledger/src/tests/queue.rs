//! Waiting for a seat.

use seatkeeper_protocol::id::{RequestId, SessionId};
use seatkeeper_protocol::limits;

use super::office::{Office, device, name, product, refusal, session, want};
use crate::command::{Actor, Command, Outcome, Refusal, Whom};

/// One seat, which eva has on ws-0.
fn full() -> Office {
    let mut office = Office::with_license(1, "");
    office.granted(0, want(1, "eva", "cad"));
    office
}

/// Positions in the queue, and `!` behind those whose turn it is.
fn queue(office: &Office) -> String {
    let place = |place: crate::Place| {
        let turn = if place.turn { "!" } else { "" };
        let passed = if place.passed { " passed" } else { "" };
        format!("{}: {}{turn}{passed}", place.session.0[0], place.position)
    };
    office.ledger.queue(office.time).into_iter().map(place).collect::<Vec<_>>().join(", ")
}

fn pass_over(office: &mut Office, number: u8) -> Outcome {
    let attach = office.ledger.waiting_session(&session(number)).unwrap().attach;
    office.by_holder(Command::PassOver { session: session(number), attach })
}

#[test]
fn who_waits_longest_is_next() {
    let mut office = full();
    let seq = office.ledger.next_seq();
    let max = office.waits(1, want(2, "max", "cad"));
    assert_eq!((max.position, max.ttl_ms), (1, 90_000));
    assert_eq!(max.denial.to_string(), "all 1 seats of cad are in use: eva on ws-0");
    let kim = office.waits(2, want(3, "kim", "cad@2026"));
    assert_eq!(kim.position, 2);
    assert_eq!(
        kim.denial.to_string(),
        "all 1 seats of cad@2026 are in use: eva on ws-0, and 1 waits before you"
    );
    assert_eq!(queue(&office), "2: 1, 3: 2");
    office.give_back(0, 1, None);
    assert_eq!(queue(&office), "2: 1!, 3: 2");
    // The seat is nobody's yet, and still nobody gets it who came later.
    assert_eq!(office.books(), "L1: 0/1");
    assert_eq!(office.waits(2, want(3, "kim", "cad@2026")).position, 2);
    let Refusal::NoSeat(denial) = office.refused(0, want(4, "ida", "cad")) else { panic!() };
    assert_eq!((denial.kept, denial.waiting), (true, 2));
    assert_eq!(denial.to_string(), "2 wait before you for what is free of cad");
    let Outcome::Granted(grant) = office.wait(1, want(2, "max", "cad")) else { panic!() };
    assert!(grant.attach > max.attach && !grant.shared);
    assert_eq!(queue(&office), "3: 1");
    assert_eq!(
        office.happened_since(seq),
        ["waits", "waits", "return", "denied", "checkout"],
        "waiting again is nothing new"
    );
}

#[test]
fn a_free_seat_is_taken_at_once_and_a_checkout_takes_its_turn_too() {
    let mut office = Office::with_license(1, "");
    assert!(matches!(office.wait(0, want(1, "eva", "cad")), Outcome::Granted(_)));
    office.waits(1, want(2, "max", "cad"));
    office.waits(1, want(3, "kim", "cad"));
    office.give_back(0, 1, None);
    office.refused(1, want(3, "kim", "cad"));
    assert_eq!(queue(&office), "2: 1!, 3: 2", "refused, but its place is kept");
    office.granted(1, want(2, "max", "cad"));
    assert_eq!(queue(&office), "3: 1");
}

#[test]
fn who_is_out_of_contact_is_passed_over_and_keeps_his_place() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad"));
    office.waits(2, want(3, "kim", "cad"));
    let seq = office.ledger.next_seq();
    assert_eq!(pass_over(&mut office, 2), Outcome::Done);
    assert_eq!(pass_over(&mut office, 2), Outcome::Done);
    assert_eq!(office.happened_since(seq), ["passed-over"]);
    assert_eq!(queue(&office), "2: 1 passed, 3: 1");
    office.give_back(0, 1, None);
    assert_eq!(queue(&office), "2: 1! passed, 3: 1!", "would he ask now, he would have it");
    // Back again, he is the first.
    assert_eq!(office.waits(2, want(4, "ida", "cad")).position, 2);
    assert!(matches!(office.wait(2, want(3, "kim", "cad")), Outcome::Granted(_)));
    let back = office.waits(1, want(2, "max", "cad"));
    assert_eq!(back.position, 1);
    assert_eq!(queue(&office), "2: 1, 4: 2");
    let late = Command::PassOver { session: session(2), attach: back.attach - 1 };
    assert_eq!(refusal(office.by_holder(late)), Refusal::Superseded);
    let unknown = Command::PassOver { session: session(9), attach: 1 };
    assert!(matches!(refusal(office.by_holder(unknown)), Refusal::NotFound(_)));
    office.term += 1;
    let actor = Actor::Holder(device(0));
    let late = Command::PassOver { session: session(2), attach: back.attach };
    let outcome = office.apply(actor, RequestId { epoch: 0, counter: 0 }, office.term - 1, late.clone());
    assert!(matches!(refusal(outcome), Refusal::OtherTerm { .. }), "I7");
    assert!(matches!(refusal(office.by_device(1, late)), Refusal::NotPermitted(_)));
}

#[test]
fn who_came_to_a_limit_has_no_turn_beside_a_seat_of_his_device() {
    let mut office = Office::with_license(1, "share = \"device\"");
    office.granted(0, want(1, "jan", "cad"));
    office.waits(1, want(2, "eva", "cad"));
    let limit = |seats| Command::SetLimit { product: product("cad"), whom: Whom::User(name("eva")), seats };
    office.done_by_admin(limit(Some(0)));
    office.give_back(0, 1, None);
    office.granted(1, want(3, "ola", "cad"));
    assert_eq!(queue(&office), "2: 1", "to share the seat she needs a limit that allows it");
    office.done_by_admin(limit(None));
    assert_eq!(queue(&office), "2: 1!");
    assert!(matches!(office.wait(1, want(2, "eva", "cad")), Outcome::Granted(_)));
}

#[test]
fn a_passed_over_start_takes_a_seat_that_nobody_before_it_wants() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad"));
    pass_over(&mut office, 2);
    office.give_back(0, 1, None);
    assert_eq!(queue(&office), "2: 1! passed");
    office.granted(2, want(3, "kim", "cad"));
    office.give_back(2, 3, None);
    assert!(matches!(office.wait(1, want(2, "max", "cad")), Outcome::Granted(_)));
}

#[test]
fn nobody_is_held_up_by_who_could_not_use_the_seat() {
    let mut office = Office::open();
    office.add_license("new", "cad", "2026", 1, "");
    office.add_license("old", "cad", "2025", 1, "");
    office.granted(0, want(1, "eva", "cad@2026"));
    office.granted(0, want(2, "eva", "cad@2025"));
    assert_eq!(office.waits(1, want(3, "max", "cad@2026")).position, 1);
    assert_eq!(office.waits(1, want(4, "kim", "cad@2025")).position, 1, "another license");
    assert_eq!(office.waits(2, want(5, "ida", "cad")).position, 3, "either");
    office.give_back(0, 2, None);
    assert_eq!(queue(&office), "3: 1, 4: 1!, 5: 3");
    // Somebody moves aside for him.
    office.add_license("both", "cad", "2026", 1, "downgrade = [\"2025\"]");
    assert_eq!(queue(&office), "3: 1!, 4: 2!, 5: 3");
    assert!(matches!(office.wait(1, want(4, "kim", "cad@2025")), Outcome::Granted(_)));
    assert!(matches!(office.wait(1, want(3, "max", "cad@2026")), Outcome::Granted(_)));
    assert_eq!(queue(&office), "5: 1");
}

#[test]
fn a_start_leaves_the_license_that_who_waits_longer_will_need() {
    // `wide` is the least flexible by its end, and a seat of its ttl may never move to `std`.
    let mut office = Office::open();
    office.add_license("std", "cad", "2026", 1, "ttl = \"15s\"");
    office.add_license("wide", "cad", "2026.1", 1, "ttl = \"90s\"\ndowngrade = [\"2026\"]");
    let std = office.granted(0, want(1, "eva", "cad@2026.1.5")).license;
    let wide = office.granted(0, want(2, "max", "cad@2026.1.5")).license;
    assert_ne!(std, wide);
    office.waits(1, want(3, "kim", "cad@2026.1.5"));
    office.give_back(0, 1, None);
    office.give_back(0, 2, None);
    let ida = office.granted(2, want(4, "ida", "cad@2026.1"));
    assert_eq!(queue(&office), "3: 1!", "beside {ida:?}");
}

#[test]
fn sharing_and_resuming_wait_for_nobody() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad"));
    assert!(office.granted(0, want(3, "eva", "cad")).shared);
    office.granted(0, want(1, "eva", "cad"));
    // Who waits twice on one machine has one seat in the end.
    office.waits(1, want(4, "max", "cad"));
    office.give_back(0, 1, None);
    office.give_back(0, 3, None);
    assert_eq!(queue(&office), "2: 1!, 4: 2");
    assert!(matches!(office.wait(1, want(2, "max", "cad")), Outcome::Granted(_)));
    assert_eq!(queue(&office), "4: 1!");
    assert!(matches!(office.wait(1, want(4, "max", "cad")), Outcome::Granted(grant) if grant.shared));
}

#[test]
fn a_place_is_given_up_or_ends_with_its_ttl_or_with_its_device() {
    let mut office = full();
    let max = office.waits(1, want(2, "max", "cad"));
    let seq = office.ledger.next_seq();
    assert_eq!(refusal(office.give_back(1, 2, Some(max.attach + 1))), Refusal::Superseded);
    assert_eq!(refusal(office.give_back(2, 2, None)), Refusal::Superseded, "another device's");
    assert_eq!(office.give_back(1, 2, Some(max.attach)), Outcome::Done);
    assert_eq!(refusal(office.wait(1, want(2, "max", "cad"))), Refusal::SessionEnded, "I4");
    let kim = office.waits(1, want(3, "kim", "cad"));
    assert_eq!(refusal(office.expire(3, kim.attach - 1)), Refusal::Superseded);
    assert_eq!(office.expire(3, kim.attach), Outcome::Done);
    assert_eq!(office.waits(1, want(3, "kim", "cad")).position, 1, "it may come back");
    office.waits(2, want(4, "ida", "cad"));
    office.done_by_admin(Command::RevokeDevice { device: device(1) });
    assert_eq!(queue(&office), "4: 1");
    assert_eq!(office.by_device(2, Command::Leave), Outcome::Done);
    assert_eq!(queue(&office), "");
    let left = ["left-queue", "waits", "left-queue", "waits", "waits"];
    let gone = ["left-queue", "device-revoked", "left-queue", "device-left"];
    assert_eq!(office.happened_since(seq), [&left[..], &gone[..]].concat());
}

#[test]
fn a_waiting_session_asks_for_what_it_asked_for() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad+bim").without_features());
    assert!(matches!(refusal(office.wait(1, want(2, "kim", "cad"))), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.wait(1, want(2, "max", "cad@2026"))), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.wait(1, want(2, "max", "paint"))), Refusal::Conflict(_)));
    assert_eq!(refusal(office.wait(2, want(2, "max", "cad"))), Refusal::Superseded);
    assert!(matches!(refusal(office.wait(1, want(3, "max", "paint"))), Refusal::NotLicensed { .. }));
    assert_eq!(queue(&office), "2: 1");
}

trait WithoutFeatures {
    fn without_features(self) -> Self;
}

impl WithoutFeatures for crate::command::Checkout {
    fn without_features(mut self) -> Self {
        self.features.clear();
        self
    }
}

#[test]
fn a_repeated_request_is_told_where_it_stands_by_then() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad"));
    let (actor, request) = (Actor::Device(device(2)), office.next_request());
    let wait = Command::Wait(want(3, "kim", "cad"));
    let ask = |office: &mut Office| office.apply(actor.clone(), request, office.term, wait.clone());
    let Outcome::Waiting(first) = ask(&mut office) else { panic!() };
    assert_eq!((first.position, first.denial.holders.len()), (2, 1));
    office.give_back(1, 2, None);
    let Outcome::Waiting(second) = ask(&mut office) else { panic!() };
    assert_eq!((second.position, second.attach, second.denial.holders.len()), (1, first.attach, 1));
    office.give_back(0, 1, None);
    // Only a request sent after the turn takes the seat.
    assert!(matches!(ask(&mut office), Outcome::Waiting(_)));
    let Outcome::Granted(grant) = office.wait(2, want(3, "kim", "cad")) else { panic!() };
    assert_eq!(refusal(ask(&mut office)), Refusal::Superseded);
    office.give_back(2, 3, Some(grant.attach));
    assert_eq!(refusal(ask(&mut office)), Refusal::SessionEnded);
}

#[test]
fn what_is_not_licensed_any_more_has_no_turn() {
    let mut office = full();
    office.waits(1, want(2, "max", "cad"));
    office.done_by_admin(Command::RemoveLicense { license: super::office::name("L1") });
    assert!(matches!(refusal(office.wait(1, want(2, "max", "cad"))), Refusal::NotLicensed { .. }));
    office.give_back(0, 1, None);
    assert_eq!(queue(&office), "2: 1", "its license is forgotten");
    office.restart_twin();
    office.add_license("L2", "cad", "2026", 1, "");
    assert_eq!(queue(&office), "2: 1!");
}

#[test]
fn queues_are_bounded() {
    let number = |n: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&u64::try_from(n).unwrap().to_le_bytes());
        SessionId(id)
    };
    let mut office = full();
    let wait = |office: &mut Office, n: u8, of: usize| {
        office.wait(n, crate::command::Checkout { session: number(of), ..want(0, "max", "cad") })
    };
    for n in 0..limits::WAITERS_PER_PRODUCT_MAX {
        assert!(matches!(wait(&mut office, 1, 1_000 + n), Outcome::Waiting(_)));
    }
    let over = refusal(wait(&mut office, 2, 9_999));
    assert_eq!(over.to_string(), "the limit of 256 starts that wait for one product is reached");
    // Its own limit: whoever waits counts as one who has a seat, and may go on waiting.
    assert_eq!(
        refusal(wait(&mut office, 1, 9_999)).to_string(),
        "the limit of 256 seats on one device is reached"
    );
    assert!(matches!(wait(&mut office, 1, 1_000), Outcome::Waiting(_)));
    assert_eq!(office.ledger.pools(office.time)[0].waiting, 256);
    office.give_back(0, 1, None);
    assert!(matches!(wait(&mut office, 1, 1_000), Outcome::Granted(_)));
}
