//! Live seats in an organisation: whose they are, and what nodes may use.

use std::collections::BTreeMap;

use seatkeeper_protocol::license::{Date, Downgrade};

use super::office::{DAY_MS, Office, device, device_key, info, name, product, refusal, want};
use super::organisation::{first_nodes, node, node_id, purchase_id};
use crate::Ledger;
use crate::admission::Assignment;
use crate::command::{Command, NodeLimit, NodeLimits, Outcome, Refusal, Whom};
use crate::history::{Calculated, Quota};
use crate::org::{Glob, Match, Node, Purchase, Rule};
use crate::query::LicenseState;

/// A license L1 of so many seats, which lends; ws-0 at R, ws-1 at E, ws-2 at W. E1 is below E, and R and E are legal.
fn office(seats: u32) -> Office {
    let mut office = Office::with_license(seats, "borrow = { max_days = 30 }");
    office.done_by_admin(first_nodes());
    let rule =
        |host: &str, node: &str| Rule { matches: Match::Host(Glob::new(host).unwrap()), node: node_id(node) };
    let rules = vec![rule("ws-1", "E"), rule("ws-2", "W"), rule("north-*", "E1")];
    office.done_by_admin(Command::SetPlacement { from: 0, rules });
    office
}

/// Registers L1 with other terms.
fn register(office: &mut Office, change: impl FnOnce(&mut Purchase)) {
    let mut terms = Purchase::of_license(office.ledger.license(&name("L1")).unwrap().license());
    change(&mut terms);
    office.done_by_admin(Command::SetPurchases { purchases: vec![(purchase_id("L1"), terms)] });
}

fn allocate(office: &mut Office, manual: &[(&str, u32)]) {
    let manual = manual.iter().map(|(node, seats)| (node_id(node), *seats)).collect::<BTreeMap<_, _>>();
    office.done_by_admin(Command::Allocate { purchase: purchase_id("L1"), manual });
}

fn limit(office: &mut Office, node: &str, limits: NodeLimits) {
    let (product, node) = (product("cad"), node_id(node));
    office.done_by_admin(Command::SetNodeLimits { product, node, limits });
}

/// A refusal for want of a seat.
fn no_seat(refusal: Refusal) -> String {
    assert!(matches!(refusal, Refusal::NoSeat(_)), "{refusal:?}");
    refusal.to_string()
}

fn over(outcome: Outcome) -> (String, NodeLimit) {
    match refusal(outcome) {
        Refusal::OverNodeLimit(over) => (over.node.to_string(), over.over),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_allocated_by_hand_is_for_that_node_also_while_it_is_idle() {
    let mut office = office(3);
    allocate(&mut office, &[("E", 2)]);
    office.granted(2, want(1, "eva", "cad"));
    assert_eq!(
        no_seat(office.refused(0, want(2, "max", "cad"))),
        "2 of the 3 seats of cad are free but reserved for other nodes of the organisation, and the others are in use: \
         eva on ws-2"
    );
    office.granted(1, want(3, "kim", "cad"));
    office.granted(1, want(4, "ida", "cad"));
    let all = "all 3 seats of cad are in use: eva on ws-2, kim on ws-1, ida on ws-1";
    assert_eq!(no_seat(office.refused(1, want(5, "jan", "cad"))), all);
    office.give_back(2, 1, None);
    // Beyond its own a node uses what is left, like the others.
    office.granted(1, want(5, "jan", "cad"));
    office.refused(2, want(6, "eva", "cad"));
    office.give_back(1, 3, None);
    office.granted(2, want(6, "eva", "cad"));
}

#[test]
fn a_remainder_is_for_the_owner_and_if_automatic_for_what_is_below() {
    let mut office = office(2);
    register(&mut office, |terms| terms.owner = Some(node_id("E")));
    let reserved = "all 2 seats of cad are reserved for other nodes of the organisation";
    assert_eq!(no_seat(office.refused(2, want(1, "eva", "cad"))), reserved);
    assert_eq!(no_seat(office.refused(0, want(2, "eva", "cad"))), reserved);
    office.by_device(2, Command::Describe(info("north-7")));
    assert_eq!(office.ledger.node_of(&device(2)), Some(&node_id("E1")));
    office.granted(2, want(3, "eva", "cad"));
    register(&mut office, |terms| (terms.owner, terms.automatic) = (Some(node_id("E")), false));
    office.refused(2, want(4, "max", "cad"));
    office.granted(1, want(5, "max", "cad"));
    // Who runs where he may not start any more goes on, and shares his seat.
    assert!(office.granted(2, want(6, "eva", "cad")).shared);
    assert_eq!(office.books(), "L1: 2/2");
}

#[test]
fn a_remainder_stops_at_another_legal_entity_if_coverage_does() {
    let mut office = office(2);
    office.granted(1, want(1, "eva", "cad"));
    office.give_back(1, 1, None);
    office.done_by_admin(Command::SetStopAtLegal { stop: true });
    no_seat(office.refused(1, want(2, "eva", "cad")));
    office.granted(2, want(3, "max", "cad"));
    allocate(&mut office, &[("E", 1)]);
    office.granted(1, want(4, "eva", "cad"));
}

#[test]
fn a_license_that_nobody_may_own_is_for_everybody() {
    let mut office = office(1);
    let root = Node { legal: false, ..node("R", None) };
    office.done_by_admin(Command::SetNodes { set: vec![root], remove: Vec::new() });
    office.done_by_admin(Command::SetStopAtLegal { stop: true });
    office.granted(1, want(1, "eva", "cad"));
}

#[test]
fn narrower_terms_narrow_the_seats() {
    let mut office = Office::open();
    office.add_license("L1", "cad", "2026", 3, "downgrade = [\"2025\"]\nborrow = { max_days = 30 }");
    office.done_by_admin(first_nodes());
    office.granted(0, want(1, "eva", "cad@2025"));
    register(&mut office, |terms| terms.quantity = 1);
    assert_eq!(office.books(), "L1: 1/1");
    no_seat(office.refused(1, want(2, "max", "cad")));
    register(&mut office, |terms| terms.downgrade = Downgrade::None);
    assert!(matches!(office.refused(1, want(2, "max", "cad@2025")), Refusal::NotLicensed { .. }));
    office.granted(1, want(3, "max", "cad@2026"));
    register(&mut office, |terms| terms.valid_until = Date::new(2026, 3, 2));
    let state = |office: &Office| office.ledger.license_state(&name("L1"), office.time);
    assert!(matches!(office.borrow(2, "ida", "cad", 5), Outcome::Refused(Refusal::Invalid(_))));
    assert_eq!(state(&office), Some(LicenseState::Active));
    office.time = office.time.plus_ms(3 * DAY_MS);
    assert_eq!(state(&office), Some(LicenseState::Ended));
    assert!(matches!(office.refused(2, want(4, "ida", "cad")), Refusal::NotLicensed { .. }));
    assert_eq!(office.books(), "L1: 2/0 over 2", "nobody is evicted");
}

#[test]
fn who_waits_for_what_is_not_his_holds_nobody_up() {
    let mut office = office(2);
    allocate(&mut office, &[("E", 1)]);
    office.granted(2, want(1, "eva", "cad"));
    office.waits(0, want(2, "max", "cad"));
    office.granted(1, want(3, "kim", "cad"));
    office.waits(1, want(4, "ida", "cad"));
    // What E gives back is E's.
    office.give_back(1, 3, None);
    let turns = |office: &Office| -> Vec<bool> {
        office.ledger.queue(office.time).iter().map(|place| place.turn).collect()
    };
    assert_eq!(turns(&office), [false, true]);
    assert!(matches!(office.wait(0, want(2, "max", "cad")), Outcome::Waiting(_)));
    assert!(matches!(office.wait(1, want(4, "ida", "cad")), Outcome::Granted(_)));
}

#[test]
fn a_seat_moves_to_its_nodes_own_part_of_another_license() {
    let mut office = Office::open();
    office.add_license("flex", "cad", "2026", 1, "downgrade = [\"2025\"]");
    office.add_license("std", "cad", "2026", 1, "");
    office.done_by_admin(first_nodes());
    let rules = vec![Rule { matches: Match::Device(device(1)), node: node_id("E") }];
    office.done_by_admin(Command::SetPlacement { from: 0, rules });
    let manual = BTreeMap::from([(node_id("E"), 1)]);
    office.granted(1, want(1, "eva", "cad@2026"));
    office.granted(1, want(2, "max", "cad@2026"));
    office.done_by_admin(Command::Allocate { purchase: purchase_id("std"), manual });
    office.give_back(1, 1, None);
    assert_eq!(office.books(), "flex: 1/1, std: 0/1");
    office.granted(0, want(3, "kim", "cad@2025"));
    assert_eq!(office.books(), "flex: 1/1, std: 1/1");
}

#[test]
fn the_node_of_a_device_follows_its_name_the_rules_and_the_tree() {
    let mut office = Office::with_license(1, "");
    let at = |office: &Office, n: u8| office.ledger.node_of(&device(n)).map(ToString::to_string);
    assert_eq!(at(&office, 1), None, "without an organisation");
    office.done_by_admin(first_nodes());
    assert_eq!(at(&office, 1).as_deref(), Some("R"));
    let rule =
        |host: &str, node: &str| Rule { matches: Match::Host(Glob::new(host).unwrap()), node: node_id(node) };
    office.done_by_admin(Command::SetPlacement { from: 0, rules: vec![rule("CAD-?", "E1")] });
    office.by_device(1, Command::Describe(info("cad-3")));
    assert_eq!(at(&office, 1).as_deref(), Some("E1"));
    office.done_by_admin(Command::Admit { key: device_key(3), info: info("cad-4") });
    assert_eq!(at(&office, 3).as_deref(), Some("E1"));
    // Another node comes before it in the tree's order.
    let more = Command::SetNodes { set: vec![node("A", Some("R"))], remove: Vec::new() };
    office.done_by_admin(more);
    assert_eq!(at(&office, 3).as_deref(), Some("E1"));
    assert_eq!(Ledger::restore(&office.ledger.snapshot()).unwrap(), office.ledger, "I5");
    office.by_device(1, Command::Leave);
    office.done_by_admin(Command::RevokeDevice { device: device(3) });
    assert_eq!((at(&office, 1), at(&office, 3)), (None, None));
}

#[test]
fn a_wrong_solver_cannot_give_away_what_is_reserved() {
    let mut office = office(2);
    office.add_license("L2", "cad", "2026", 1, "borrow = { max_days = 30 }");
    allocate(&mut office, &[("E", 1)]);
    let owned = Purchase {
        owner: Some(node_id("E")),
        ..Purchase::of_license(office.ledger.license(&name("L2")).unwrap().license())
    };
    office.done_by_admin(Command::SetPurchases { purchases: vec![(purchase_id("L2"), owned)] });
    let seat = office.granted(2, want(1, "eva", "cad")).seat;
    let check = |license: &str, n: u8, moves: &[&str]| {
        let moves = moves.iter().map(|to| (seat, name(to))).collect();
        let assignment = Assignment { license: name(license), moves };
        office.ledger.check_assignment(office.time, &product("cad"), &assignment, None, device(n))
    };
    assert_eq!(check("L1", 1, &[]), Ok(()));
    assert_eq!(check("L2", 1, &[]), Ok(()));
    let bug = |answer: Result<(), Refusal>, expected: &str| match answer {
        Err(Refusal::Bug(why)) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    };
    bug(check("L1", 2, &[]), "reserved");
    bug(check("L2", 2, &[]), "not for its node");
    bug(check("L1", 2, &["L2"]), "not for its node");
}

#[test]
fn nobody_takes_a_shared_seat_to_a_node_that_it_is_not_for() {
    let mut office = Office::with_license(2, "share = \"user\"\nborrow = { max_days = 30 }");
    office.done_by_admin(first_nodes());
    let rules = vec![Rule { matches: Match::Device(device(1)), node: node_id("E") }];
    office.done_by_admin(Command::SetPlacement { from: 0, rules });
    register(&mut office, |terms| terms.owner = Some(node_id("E")));
    office.granted(1, want(1, "eva", "cad"));
    assert!(matches!(office.refused(2, want(2, "eva", "cad")), Refusal::NoSeat(_)));
    assert!(matches!(refusal(office.borrow(2, "eva", "cad", 1)), Refusal::NoSeat(_)));
    assert!(office.granted(1, want(3, "eva", "cad")).shared);
}

#[test]
fn a_borrow_is_not_prolonged_where_its_node_may_not_borrow_any_more() {
    let mut office = office(2);
    office.borrows(2, "eva", "cad", 2);
    register(&mut office, |terms| terms.owner = Some(node_id("E")));
    let Refusal::Conflict(why) = refusal(office.borrow(2, "eva", "cad", 3)) else { panic!() };
    assert!(why.contains("not for this device's node any more"), "{why}");
    assert_eq!(office.books(), "L1: 0+1/2", "it ends as it was agreed");
}

#[test]
fn limits_of_a_node_count_what_is_below_and_the_strictest_decides() {
    let mut office = office(9);
    let seats = |most| NodeLimits { seats: Some(most), ..NodeLimits::default() };
    limit(&mut office, "R", seats(3));
    limit(&mut office, "E", seats(1));
    office.granted(1, want(1, "eva", "cad"));
    let outcome = office.checkout(1, want(2, "max", "cad"));
    assert_eq!(over(outcome), ("E".into(), NodeLimit::Seats { most: 1, used: 1 }));
    assert!(office.granted(1, want(2, "eva", "cad")).shared, "which takes none more");
    office.granted(2, want(3, "max", "cad"));
    office.granted(0, want(4, "kim", "cad"));
    let outcome = office.checkout(0, want(5, "ida", "cad"));
    assert_eq!(over(outcome), ("R".into(), NodeLimit::Seats { most: 3, used: 3 }));
    limit(&mut office, "W", seats(0));
    let refused = office.refused(2, want(6, "ida", "cad"));
    assert_eq!(
        refused.to_string(),
        "a limit of this site excludes the node `W` from cad; ask an admin to change it"
    );
    assert_eq!(office.books(), "L1: 3/9", "nobody is evicted");
    let removes = Command::SetNodes { set: Vec::new(), remove: vec![node_id("E")] };
    let Refusal::Conflict(why) = refusal(office.by_admin(removes)) else { panic!() };
    assert!(why.contains("seatkeeper limits remove cad --node E"), "{why}");
    limit(&mut office, "E", NodeLimits::default());
    limit(&mut office, "R", NodeLimits::default());
    office.granted(1, want(7, "max", "cad"));
    let unknown = [("E", NodeLimits::default()), ("X", seats(1))];
    for (node, limits) in unknown {
        let set = Command::SetNodeLimits { product: product("cad"), node: node_id(node), limits };
        assert!(matches!(refusal(office.by_admin(set)), Refusal::NotFound(_)));
    }
    let known: Vec<_> =
        office.ledger.node_limits().map(|(_, node, _, used, _)| (node.as_str(), used)).collect();
    assert_eq!(known, [("W", 1)]);
}

#[test]
fn borrows_of_a_node_are_limited_in_number_and_days_and_leave_seats_in_the_office() {
    let mut office = office(4);
    let some = NodeLimits::default();
    limit(&mut office, "R", NodeLimits { borrow_days: Some(9), ..some });
    limit(&mut office, "E", NodeLimits { borrowed: Some(1), borrow_days: Some(7), ..some });
    assert_eq!(over(office.borrow(1, "eva", "cad", 8)), ("E".into(), NodeLimit::BorrowDays { most: 7 }));
    assert_eq!(over(office.borrow(2, "eva", "cad", 10)), ("R".into(), NodeLimit::BorrowDays { most: 9 }));
    let borrowed = office.borrows(1, "eva", "cad", 6);
    office.borrows(1, "eva", "cad", 7);
    let outcome = office.borrow(1, "max", "cad", 1);
    assert_eq!(over(outcome), ("E".into(), NodeLimit::Borrowed { most: 1, borrowed: 1 }));
    // A running seat is borrowed like any other.
    office.granted(1, want(1, "kim", "cad"));
    assert_eq!(over(office.borrow(1, "kim", "cad", 1)).0, "E");
    limit(&mut office, "R", NodeLimits { kept: Some(2), ..some });
    office.borrows(2, "eva", "cad", 20);
    let kept = NodeLimit::Kept { kept: 2, of: 4, borrowed: 2 };
    assert_eq!(over(office.borrow(2, "max", "cad", 1)), ("R".into(), kept));
    // Of what W may use, which is the remainder.
    allocate(&mut office, &[("E", 3)]);
    limit(&mut office, "R", NodeLimits::default());
    limit(&mut office, "W", NodeLimits { kept: Some(1), ..some });
    let kept = NodeLimit::Kept { kept: 1, of: 1, borrowed: 1 };
    assert_eq!(over(office.borrow(2, "max", "cad", 1)), ("W".into(), kept));
    assert_eq!(over(office.borrow(2, "eva", "cad", 21)), ("W".into(), kept), "nor prolonged");
    limit(&mut office, "E", NodeLimits { borrowed: Some(0), ..some });
    assert!(matches!(over(office.borrow(1, "eva", "cad", 8)).1, NodeLimit::Borrowed { most: 0, .. }));
    assert_eq!(borrowed.user, name("eva"));
    assert_eq!(office.books(), "L1: 1+2/4", "none is taken away");
}

#[test]
fn who_waits_and_whose_node_came_to_its_limit_holds_nobody_up() {
    let mut office = office(1);
    office.granted(0, want(1, "ola", "cad"));
    office.waits(1, want(2, "eva", "cad"));
    limit(&mut office, "E", NodeLimits { seats: Some(0), ..NodeLimits::default() });
    office.give_back(0, 1, None);
    office.granted(2, want(3, "jan", "cad"));
    office.give_back(2, 3, None);
    limit(&mut office, "E", NodeLimits::default());
    assert!(matches!(office.refused(2, want(4, "jan", "cad")), Refusal::NoSeat(_)), "his turn again");
    assert!(matches!(office.wait(1, want(2, "eva", "cad")), Outcome::Granted(_)));
}

#[test]
fn whose_node_has_seats_left_in_its_quota_goes_first_and_nothing_else_comes_of_it() {
    let quota = |node: &str, seats| {
        let quotas = vec![Quota { product: product("cad"), node: node_id(node), seats }];
        Command::Calculated(Calculated { reasons: Vec::new(), products: Vec::new(), quotas })
    };
    let first = |office: &Office| {
        let places = office.ledger.queue(office.time);
        places.iter().find(|place| place.position == 1).map(|place| place.device)
    };
    let mut office = office(1);
    office.granted(0, want(1, "eva", "cad"));
    office.waits(2, want(2, "max", "cad"));
    office.waits(1, want(3, "kim", "cad"));
    assert_eq!(first(&office), Some(device(2)));
    office.give_back(2, 2, None);
    office.give_back(1, 3, None);
    office.done_by_holder(quota("E", 1));
    office.waits(2, want(4, "max", "cad"));
    office.waits(1, want(5, "kim", "cad"));
    assert_eq!(first(&office), Some(device(1)));
    office.give_back(0, 1, None);
    // It is a matter of who is first: a free seat is never withheld from who asks alone.
    assert!(matches!(office.wait(1, want(5, "kim", "cad")), Outcome::Granted(_)));
    office.give_back(1, 5, None);
    assert!(matches!(office.wait(2, want(4, "max", "cad")), Outcome::Granted(_)));
    // A priority still comes before it.
    office.done_by_admin(Command::SetPriority { whom: Whom::User(name("ida")), priority: 1 });
    office.waits(1, want(6, "kim", "cad"));
    office.waits(2, want(7, "ida", "cad"));
    assert_eq!(first(&office), Some(device(2)));
}
