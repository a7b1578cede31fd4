//! Who gets a seat on which license: golden examples, and random offices against brute force.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seatkeeper_protocol::id::{DeviceId, Name, SessionId};

use super::brute::{Asks, Running, can_seat};
use super::chance::Chance;
use super::divided::{divisions, node_at, records};
use super::office::{DAY_MS, Office, START, device, name, product, session, want};
use super::organisation::{node, node_id};
use crate::Place;
use crate::admission::Demand;
use crate::command::{Checkout, Command, Outcome, Refusal};
use crate::org::{Match, Node, Purchase, Rule};
use crate::seats::Start;
use crate::state::{LicenseRecord, SeatRecord, ShareKey, WaitRecord};

/// Licenses: id, version, seats, further lines. Then the script, a step a line:
/// `WHO PRODUCT[@VERSION][+FEATURE]: LICENSE [shared]`, or `: full`, or `: not licensed`; `back WHO` returns the last
/// start of that person, `release WHO` takes its seat away, `expire WHO`; `end LICENSE`, `remove LICENSE`, `day N`
/// from 2026-03-01; `books …` as [`Office::books`] says.
#[track_caller]
pub(super) fn check(licenses: &[(&str, &str, u32, &str)], script: &str) {
    let mut office = Office::open();
    for (id, version, seats, more) in licenses {
        office.add_license(id, "cad", version, *seats, more);
    }
    let mut last: BTreeMap<String, (u8, Checkout)> = BTreeMap::new();
    let mut number = 0;
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        let (word, rest) = step.split_once(' ').unwrap();
        match word {
            "books" => assert_eq!(office.books(), rest, "{step}"),
            "back" => {
                let (n, want) = &last[rest];
                let back = Command::Return { session: want.session, attach: None };
                assert_eq!(office.by_device(*n, back), Outcome::Done, "{step}");
            }
            "expire" => {
                let session = last[rest].1.session;
                let attach = office.ledger.session(&session).unwrap().attach;
                assert_eq!(office.by_holder(Command::Expire { session, attach }), Outcome::Done, "{step}");
            }
            "release" => {
                let seat = office.ledger.session(&last[rest].1.session).unwrap().seat;
                assert_eq!(office.release(seat), Outcome::Done, "{step}");
            }
            "end" => office.done_by_holder(Command::EndLicense { license: name(rest) }),
            "remove" => office.done_by_admin(Command::RemoveLicense { license: name(rest) }),
            "day" => office.time = START.plus_ms(rest.parse::<i64>().unwrap() * DAY_MS),
            user => {
                let (what, answer) = rest.split_once(": ").unwrap();
                number += 1;
                let want = want(number, user, what);
                // A person has one machine.
                let n = user.bytes().fold(0, |sum, byte| (sum + byte) % 3);
                let said = match office.checkout(n, want.clone()) {
                    Outcome::Granted(grant) if grant.shared => format!("{} shared", grant.license),
                    Outcome::Granted(grant) => grant.license.to_string(),
                    Outcome::Refused(Refusal::NoSeat(_)) => "full".to_owned(),
                    Outcome::Refused(Refusal::NotLicensed { .. }) => "not licensed".to_owned(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(said, answer, "{step}");
                if office.ledger.session(&want.session).is_some() {
                    last.insert(user.to_owned(), (n, want));
                }
            }
        }
    }
}

const TO_2025: &str = "downgrade = [\"2025\"]";

#[test]
fn a_seat_on_a_flexible_license_moves_to_a_narrower_one_when_that_frees_it() {
    check(
        &[("flex", "2026", 1, TO_2025), ("std", "2026", 1, "")],
        "eva cad@2026: std
         max cad@2026: flex
         kim cad@2025: full
         back eva
         books flex: 1/1, std: 0/1
         kim cad@2025: flex
         books flex: 1/1, std: 1/1
         ida cad@2026: full
         back max
         ida cad@2026: std",
    );
}

#[test]
fn the_least_flexible_license_is_taken_first() {
    check(
        &[
            ("a", "2026", 1, "downgrade = \"any\""),
            ("b", "2026", 1, TO_2025),
            ("c", "2026", 1, "features = [\"bim\"]"),
            ("d", "2026", 1, ""),
            ("e", "2026", 1, "valid_until = 2026-09-01"),
            ("f", "2026.1", 1, ""),
        ],
        "u1 cad@2026.1: f
         u2 cad@2026.1: e
         u3 cad@2026.1: d
         u4 cad@2026.1: c
         u5 cad@2026.1: b
         u6 cad@2026.1: a
         u7 cad@2026.1: full",
    );
}

#[test]
fn a_chain_of_moves_is_found() {
    check(
        &[
            ("a", "2026", 1, "features = [\"x\"]"),
            ("b", "2026", 1, "features = [\"x\", \"y\"]"),
            ("c", "2026", 1, "features = [\"x\", \"y\", \"z\"]"),
        ],
        "u1 cad+x: a
         u2 cad+x: b
         u3 cad+y: c
         back u1
         u4 cad+z: c
         books a: 1/1, b: 1/1, c: 1/1
         u5 cad+x: full",
    );
}

#[test]
fn features_come_from_one_license() {
    let mut office = Office::open();
    office.add_license("a", "cad", "2026", 1, "features = [\"x\"]");
    office.add_license("b", "cad", "2026", 1, "features = [\"y\"]");
    let mut both = want(1, "eva", "cad+x");
    both.features.push("y".parse().unwrap());
    assert!(matches!(office.refused(1, both), Refusal::NotLicensed { otherwise_owned: true, .. }));
}

#[test]
fn no_seat_moves_to_stricter_terms() {
    // What the seat was granted, what the other license has, and whether it may go there.
    let terms = [
        ("ttl = \"90s\"", "ttl = \"60s\"", false),
        ("ttl = \"60s\"", "ttl = \"90s\"", true),
        ("", "share = \"none\"", false),
        ("", "share = \"device\"", true),
        ("", "share = \"user\"", true),
        ("share = \"user\"", "share = \"device\"", false),
        ("share = \"device\"", "share = \"user-device\"", false),
        ("share = \"none\"", "share = \"user-device\"", true),
    ];
    for (own, other, moves) in terms {
        let last = if moves { "u3 cad@2025: flex" } else { "u3 cad@2025: full" };
        check(
            &[("flex", "2026", 1, &format!("{TO_2025}\n{own}")), ("std", "2026", 1, other)],
            &format!("u1 cad@2026: std\nu2 cad@2026: flex\nback u1\n{last}"),
        );
    }
}

#[test]
fn a_seat_that_was_taken_away_stays_where_it_is() {
    check(
        &[("flex", "2026", 1, TO_2025), ("std", "2026", 1, "")],
        "eva cad@2026: std
         max cad@2026: flex
         back eva
         release max
         kim cad@2025: full
         expire max
         kim cad@2025: flex",
    );
}

#[test]
fn whoever_names_no_version_has_the_one_in_his_ticket() {
    check(
        &[("new", "2026", 1, ""), ("old", "2025", 1, "")],
        // The seat on the license for 2026 was granted 2026 and can't be had for 2025 later.
        "eva cad: new
         max cad@2026: full
         max cad@2025: old",
    );
    check(
        &[("flex", "2026", 1, TO_2025), ("std", "2026", 1, "")],
        "eva cad@2026: std
         max cad: flex
         back eva
         kim cad@2025: flex
         books flex: 1/1, std: 1/1",
    );
}

#[test]
fn an_ended_license_evicts_nobody_and_holds_nobody_up() {
    check(
        &[("old", "2026", 2, "valid_until = 2026-03-01"), ("std", "2026", 1, "valid_from = 2026-03-02")],
        "eva cad: old
         max cad: old
         kim cad: full
         day 2
         end old
         books old: 2/0 over 2, std: 0/1
         kim cad: std
         ida cad: full
         back eva
         ida cad: full
         books old: 1/0 over 1, std: 1/1
         back kim
         ida cad: std",
    );
}

#[test]
fn a_removed_license_evicts_nobody_and_holds_nobody_up() {
    check(
        &[("a", "2026", 1, ""), ("b", "2026", 1, "")],
        "eva cad: a
         max cad: b
         remove a
         books a: 1/0 over 1, b: 1/1
         kim cad: full
         back eva
         books b: 1/1
         kim cad: full
         back max
         kim cad: b",
    );
}

#[test]
fn a_shared_seat_stands_where_all_its_starts_are_covered() {
    let old_and_new =
        [("flex", "2026", 1, TO_2025), ("std", "2026", 1, ""), ("x", "2026", 1, "features = [\"x\"]")];
    check(
        &old_and_new,
        // The second start needs 2025 too: the seat moves to the license that covers both, and stays there.
        "eva cad@2026: std
         eva cad@2025: flex shared
         books flex: 1/1, std: 0/1, x: 0/1
         max cad@2025: full
         max cad@2026: std
         kim cad@2026: x
         ida cad@2025: full",
    );
    check(
        &old_and_new,
        // A way for it is made by moving another one.
        "max cad@2026: std
         eva cad@2026: x
         kim cad@2026: flex
         back max
         eva cad@2026+x: x shared
         back eva
         eva cad@2025: flex shared
         books flex: 1/1, std: 1/1, x: 0/1",
    );
    check(
        &old_and_new,
        // When the start that needed 2025 is over, the seat may move again.
        "eva cad@2026: std
         eva cad@2025: flex shared
         back eva
         max cad@2026: std
         kim cad@2026: x
         back max
         ida cad@2025: flex
         books flex: 1/1, std: 1/1, x: 1/1",
    );
}

#[test]
fn a_seat_goes_on_being_shared_by_the_terms_it_was_granted() {
    check(
        &[("flex", "2026", 1, TO_2025), ("std", "2026", 1, "share = \"device\"")],
        // Moved to a license that is shared more widely, it is found by the person that shares it.
        "max cad@2026: std
         eva cad@2026: flex
         back max
         kim cad@2025: flex
         books flex: 1/1, std: 1/1
         eva cad@2026: std shared",
    );
}

/// What brute force says of a checkout, by the state alone: whether a seat that runs can be shared, and whether those
/// who wait longer and it can all be seated.
fn possible(office: &Office, want: &Checkout, device: DeviceId) -> bool {
    let place = office.ledger.state.waiting.get(&want.session).map_or(u64::MAX, |waiting| waiting.place);
    let waiting = office.ledger.state.waiting.values();
    let mut before: Vec<_> = waiting.filter(|waiting| !waiting.passed && waiting.place < place).collect();
    before.sort_by_key(|waiting| waiting.place);
    let mut seated = Vec::new();
    for waiting in before {
        seated.push((node_at(&office.ledger, waiting.device), waiting.demand()));
        if is_shared(office, &waiting.want, waiting.device) || !can_all(office, &seated) {
            seated.pop();
        }
    }
    let Checkout { product, version, features, .. } = want;
    seated.push((node_at(&office.ledger, device), Demand { product, version: version.as_ref(), features }));
    is_shared(office, want, device) || can_all(office, &seated)
}

fn running<'a>(office: &'a Office, records: &[LicenseRecord]) -> Vec<Running<'a>> {
    let state = &office.ledger.state;
    let number = |license: &Name| records.iter().position(|record| record.license().id == *license).unwrap();
    let of = |seat: &'a SeatRecord| {
        let sessions = seat.sessions.iter().map(|id| state.sessions[id].device);
        let nodes = [seat.device].into_iter().chain(sessions).map(|device| node_at(&office.ledger, device));
        Running { license: number(&seat.license), nodes: nodes.collect(), need: seat.need(&state.sessions) }
    };
    state.seats.values().map(of).collect()
}

fn can_all(office: &Office, demands: &[(usize, Demand<'_>)]) -> bool {
    let records = records(&office.ledger);
    let running = running(office, &records);
    can_seat(&records, &divisions(&office.ledger, &records), &running, &Asks::New(demands), office.time, true)
}

fn is_shared(office: &Office, want: &Checkout, device: DeviceId) -> bool {
    let state = &office.ledger.state;
    let records = records(&office.ledger);
    let running = running(office, &records);
    let demand = Demand { product: &want.product, version: want.version.as_ref(), features: &want.features };
    let shares = state.seats.values().enumerate().filter(|(_, seat)| {
        let key = ShareKey::of(seat.share, &seat.user, seat.device);
        seat.released_by.is_none() && key.is_some() && key == ShareKey::of(seat.share, &want.user, device)
    });
    let mut shares = shares.map(|(number, seat)| {
        let mut need = seat.need(&state.sessions);
        let version = Some(&seat.version).filter(|_| seat.any_version(&state.sessions));
        need.granted.push(Demand { version: want.version.as_ref().or(version), ..demand });
        (number, need)
    });
    let (divisions, node) = (divisions(&office.ledger, &records), node_at(&office.ledger, device));
    shares.any(|(number, need)| {
        let asks = Asks::Running(number, &need, node);
        can_seat(&records, &divisions, &running, &asks, office.time, true)
    })
}

/// Those whose turn it is for a seat of their own, longest first; that is as brute force says.
fn turns(office: &Office) -> Vec<SessionId> {
    let queue = office.ledger.queue(office.time);
    for place in &queue {
        let waiting = &office.ledger.state.waiting[&place.session];
        assert_eq!(place.turn, possible(office, &waiting.want, waiting.device), "I9: {place:?}");
    }
    let own_seat = |place: &&Place| {
        let waiting = &office.ledger.state.waiting[&place.session];
        place.turn && !place.passed && !is_shared(office, &waiting.want, waiting.device)
    };
    queue.iter().filter(own_seat).map(|place| place.session).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Start {
        n: u8,
        user: usize,
        version: usize,
        feature: usize,
        waits: bool,
    },
    Again(u8),
    PassOver(u8),
    Back(u8),
    Release(u8),
    End(u8),
    Remove(u8),
    Add(u8),
    Day(i64),
    /// The organisation is changed as this seed says.
    Organise(u64),
}

pub(super) const VERSIONS: [&str; 5] = ["", "@2026", "@2026.1", "@2025", "@2024"];
pub(super) const FEATURES: [&str; 3] = ["", "+bim", "+render"];
/// Version, seats, further lines of licenses L0 to L5.
pub(super) const LICENSES: [(&str, u32, &str); 6] = [
    ("2026", 2, ""),
    ("2026", 2, "downgrade = [\"2025\"]\nfeatures = [\"bim\"]\nvalid_until = 2026-03-01"),
    ("2026.1", 1, "features = [\"bim\", \"render\"]\nttl = \"60s\""),
    ("2025", 1, "share = \"device\"\nttl = \"120s\""),
    ("2026", 1, "downgrade = \"any\"\nfeatures = [\"render\"]\nshare = \"user\"\nvalid_from = 2026-03-02"),
    ("2026", 3, "downgrade = [\"2025\"]\nfeatures = [\"bim\"]\nreplaces = [\"L1\"]\nvalid_from = 2026-03-02"),
];

/// `organised`: how often the organisation is changed.
fn step(organised: u32) -> impl Strategy<Value = Step> {
    let start = (0..3_u8, 0..3_usize, 0..VERSIONS.len(), 0..FEATURES.len(), any::<bool>())
        .prop_map(|(n, user, version, feature, waits)| Step::Start { n, user, version, feature, waits });
    prop_oneof![
        12 => start,
        3 => (0..40_u8).prop_map(Step::Again),
        1 => (0..40_u8).prop_map(Step::PassOver),
        5 => (0..40_u8).prop_map(Step::Back),
        1 => (0..40_u8).prop_map(Step::Release),
        1 => (0..6_u8).prop_map(Step::End),
        1 => (0..6_u8).prop_map(Step::Remove),
        2 => (0..6_u8).prop_map(Step::Add),
        1 => (0..3_i64).prop_map(Step::Day),
        organised => any::<u64>().prop_map(Step::Organise),
    ]
}

/// Asks for a seat. It is given exactly if brute force says so; and whoever waits longer and had his turn still has it.
fn ask(office: &mut Office, n: u8, want: Checkout, waits: bool) {
    let (id, before) = (want.session, turns(office));
    let place = office.ledger.waiting_session(&id).map_or(u64::MAX, |waiting| waiting.place);
    let longer = |office: &Office, other: &SessionId| {
        office.ledger.waiting_session(other).is_some_and(|waiting| waiting.place < place)
    };
    let before: Vec<SessionId> = before.into_iter().filter(|other| longer(office, other)).collect();
    // Who can share a seat has his turn by that, and by the time he asks the seat may have moved to where he cannot: then
    // he needs the place of the next one (`admission::queue`).
    let shares = |id: &SessionId| {
        let waiting = office.ledger.waiting_session(id)?;
        let WaitRecord { device, attach, want, .. } = waiting;
        let start = Start { device: *device, want, features: want.features.clone(), attach: *attach };
        office.ledger.find_share(office.time, &start)
    };
    let sharing = before.iter().any(|other| shares(other).is_some());
    let possible = possible(office, &want, device(n));
    let outcome = office.by_device(n, if waits { Command::Wait(want) } else { Command::Checkout(want) });
    assert_eq!(matches!(outcome, Outcome::Granted(_)), possible, "I9: {outcome:?}");
    let queues = matches!(outcome, Outcome::Waiting(_) | Outcome::Refused(Refusal::NotLicensed { .. }));
    assert!(possible || !waits || queues, "{outcome:?}");
    if !sharing && !matches!(&outcome, Outcome::Granted(grant) if grant.shared) {
        let queue = office.ledger.queue(office.time);
        let has_turn = |other: &&SessionId| queue.iter().any(|place| place.turn && place.session == **other);
        let lost = before.iter().find(|other| !has_turn(other));
        assert_eq!(lost, None, "{id} overtook somebody: {outcome:?}");
    }
}

/// Some change of nodes, rules that place the three devices, or purchases.
fn organise(office: &mut Office, chance: &mut Chance) {
    let own = |legal: bool, node: Node| Node { legal, ..node };
    if office.ledger.register().is_none() || chance.one_in(6) {
        let nodes = [("R", None), ("E", Some("R")), ("E1", Some("E")), ("W", Some("R"))];
        let set = nodes.map(|(id, parent)| own(!chance.one_in(4), node(id, parent))).to_vec();
        office.by_admin(Command::SetNodes { set, remove: Vec::new() });
    }
    let some = |chance: &mut Chance| node_id(chance.pick(&["R", "E", "E1", "W"]));
    if chance.one_in(3) {
        let rules = (0..3).map(|n| Rule { matches: Match::Device(device(n)), node: some(chance) }).collect();
        office.by_admin(Command::SetPlacement { from: 0, rules });
    }
    if chance.one_in(5) {
        office.by_admin(Command::SetStopAtLegal { stop: chance.one_in(2) });
    }
    for _ in 0..chance.index(5) {
        let at = chance.index(LICENSES.len());
        let Some(record) = office.ledger.license(&name(&format!("L{at}"))) else { continue };
        let (license, seats) = (record.license().clone(), i64::from(record.license().seats));
        let owner = chance.one_in(3).then(|| some(chance));
        let mut terms = Purchase { owner, automatic: !chance.one_in(4), ..Purchase::of_license(&license) };
        for _ in 0..=chance.index(2) {
            terms.manual.insert(some(chance), chance.small(1..=seats));
        }
        office.by_admin(Command::SetPurchases { purchases: vec![(license.id.clone().into(), terms)] });
    }
}

fn run(steps: Vec<Step>) {
    let mut office = Office::open();
    let add = |office: &mut Office, n: u8| {
        let (version, seats, more) = LICENSES[usize::from(n)];
        let text = super::office::license_file(&format!("L{n}"), "cad", version, seats, more);
        office.by_admin(Command::AddLicense { text })
    };
    (0..4).for_each(|n| assert_eq!(add(&mut office, n), Outcome::Done));
    let mut number = 0;
    for step in steps {
        match step {
            Step::Start { n, user, version, feature, waits } => {
                number += 1;
                let what = format!("cad{}{}", VERSIONS[version], FEATURES[feature]);
                ask(&mut office, n, want(number, ["eva", "max", "kim"][user], &what), waits);
            }
            Step::Again(number) => {
                let waiting = office.ledger.waiting_session(&session(number)).cloned();
                if let Some(waiting) = waiting {
                    let n = (0..3).find(|n| device(*n) == waiting.device).unwrap();
                    ask(&mut office, n, waiting.want, true);
                }
            }
            Step::PassOver(number) => {
                let attach =
                    office.ledger.waiting_session(&session(number)).map_or(0, |waiting| waiting.attach);
                office.by_holder(Command::PassOver { session: session(number), attach });
            }
            Step::Back(number) => {
                let waits = office.ledger.waiting_session(&session(number)).map(|waiting| waiting.device);
                let own = office.ledger.session(&session(number)).map(|session| session.device).or(waits);
                let n = (0..3).find(|n| Some(device(*n)) == own);
                n.into_iter().for_each(|n| _ = office.give_back(n, number, None));
            }
            Step::Release(number) => {
                let seat = office.ledger.session(&SessionId([number; 16])).map(|session| session.seat);
                seat.into_iter().for_each(|seat| _ = office.release(seat));
            }
            Step::End(n) => _ = office.by_holder(Command::EndLicense { license: name(&format!("L{n}")) }),
            Step::Remove(n) => {
                _ = office.by_admin(Command::RemoveLicense { license: name(&format!("L{n}")) });
            }
            Step::Add(n) => _ = add(&mut office, n),
            Step::Day(days) => office.time = START.plus_ms(days * DAY_MS),
            Step::Organise(seed) => organise(&mut office, &mut Chance::new(seed)),
        }
    }
    turns(&office);
    assert!(office.ledger.by.pools.keys().all(|of| *of == product("cad")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_refused_in_any_office_whom_brute_force_can_seat(steps in proptest::collection::vec(step(0), 1..40)) {
        run(steps);
    }

    #[test]
    fn nor_in_any_organisation(seed in any::<u64>(), steps in proptest::collection::vec(step(3), 1..40)) {
        run([vec![Step::Organise(seed), Step::Organise(!seed)], steps].concat());
    }
}
