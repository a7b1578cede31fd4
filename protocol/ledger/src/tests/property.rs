//! Random offices: whatever is asked in whatever order, the invariants hold. [`Office::apply`] checks I1, I5 and the
//! books after every entry; here come idempotency (I4), snapshots, and arbitrary bytes (I11).

use proptest::prelude::*;
use seatkeeper_protocol::id::{InviteId, RequestId, SeatId};

use super::office::{
    DAY_MS, Office, START, VENDOR, add_admin, certificate, device, device_key, info, invite, license_file,
    name, session, sign, trust, want,
};
use crate::command::{Actor, AdminRole, Command, DeviceSettings, Outcome, Refusal, Sealed};
use crate::{Ledger, decode, decode_command, decode_outcome, encode};

const USERS: [&str; 3] = ["eva", "max", "kim"];
const WANTS: [&str; 6] = ["cad", "cad@2026", "cad@2026.1", "cad@2026+bim", "cad@2025", "paint"];
const TERMS: [&str; 5] = [
    "",
    "share = \"device\"\nfeatures = [\"bim\"]",
    "share = \"none\"\nvalid_until = 2026-03-03",
    "share = \"user\"\nvalid_from = 2026-03-02",
    "version_is_above = 1",
];

#[derive(Clone, Debug)]
enum Step {
    Device(u8, Command),
    Holder(Command),
    Admin(Command),
    /// A Holder's command of an older term.
    Late(Command),
    Bytes(Vec<u8>),
    /// Milliseconds, may be negative.
    Time(i64),
    NewTerm,
    Restart,
}

/// Mostly the attach a session has, which the test looks up; now and then another.
const CURRENT: u32 = u32::MAX;

fn attach() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(CURRENT), 1 => 0..4_u32]
}

fn device_command() -> impl Strategy<Value = Command> {
    let checkout = (0..12_u8, 0..USERS.len(), 0..WANTS.len())
        .prop_map(|(n, user, what)| Command::Checkout(want(n, USERS[user], WANTS[what])));
    let wait = (0..12_u8, 0..USERS.len(), 0..WANTS.len())
        .prop_map(|(n, user, what)| Command::Wait(want(n, USERS[user], WANTS[what])));
    let back = (0..12_u8, proptest::option::of(attach()))
        .prop_map(|(n, attach)| Command::Return { session: session(n), attach });
    prop_oneof![
        10 => checkout,
        8 => wait,
        5 => back,
        1 => Just(Command::Describe(info("renamed"))),
        1 => Just(Command::Leave),
    ]
}

fn holder_command() -> impl Strategy<Value = Command> {
    let expire = (0..12_u8, attach()).prop_map(|(n, attach)| Command::Expire { session: session(n), attach });
    let pass = (0..12_u8, attach()).prop_map(|(n, attach)| Command::PassOver { session: session(n), attach });
    let admit = (0..3_u8, 0..6_u8).prop_map(|(invite, n)| Command::AdmitInvited {
        invite: InviteId([invite; 16]),
        key: device_key(n),
        info: info("invited"),
    });
    let seal = (0..6_u8, 1..3_u32).prop_map(|(n, number)| Command::SealPoolKey {
        device: device(n),
        number,
        sealed: Sealed(vec![n; 8]),
    });
    let end = (0..5_u8).prop_map(|n| Command::EndLicense { license: name(&format!("L{n}")) });
    prop_oneof![6 => expire, 3 => pass, 2 => admit, 1 => seal, 2 => end]
}

fn admin_command() -> impl Strategy<Value = Command> {
    let license = |n: u8| name(&format!("L{n}"));
    let add = (0..5_u8, 1..4_u32).prop_map(|(n, seats)| {
        // The same id has the same terms: only the seats differ now and then, which is another text.
        let terms = TERMS[usize::from(n)];
        let (version, terms) = if terms.starts_with("version") { ("2026.1", "") } else { ("2026", terms) };
        Command::AddLicense { text: license_file(&format!("L{n}"), "cad", version, seats.max(2), terms) }
    });
    let remove = (0..5_u8).prop_map(move |n| Command::RemoveLicense { license: license(n) });
    let admit = (0..6_u8).prop_map(|n| Command::Admit { key: device_key(n), info: info("admitted") });
    let settings = DeviceSettings { always_on: Some(true), ..DeviceSettings::default() };
    prop_oneof![
        6 => add,
        2 => remove,
        3 => admit,
        2 => (0..6_u8).prop_map(|n| Command::RevokeDevice { device: device(n) }),
        3 => (1..12_u64).prop_map(|n| Command::ReleaseSeat { seat: SeatId(n) }),
        2 => (0..3_u8, 1..3_u32).prop_map(|(n, uses)| invite(n, uses)),
        1 => (0..3_u8).prop_map(|n| Command::RevokeInvite { invite: InviteId([n; 16]) }),
        1 => (0..6_u8).prop_map(move |n| Command::SetDevice { device: device(n), settings: settings.clone() }),
        1 => Just(add_admin("bob", 60, AdminRole::Admin)),
        1 => Just(Command::RemoveAdmin { name: name("bob") }),
        1 => Just(trust("acme", VENDOR, &["cad", "bim"])),
        1 => (1..4_u32).prop_map(|number| Command::RotatePoolKey {
            certificate: certificate(number),
            sealed: vec![(device(0), Sealed(vec![1]))],
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..5_u8, device_command()).prop_map(|(n, command)| Step::Device(n, command)),
        6 => holder_command().prop_map(Step::Holder),
        5 => admin_command().prop_map(Step::Admin),
        1 => holder_command().prop_map(Step::Late),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Step::Bytes),
        1 => (-DAY_MS..2 * DAY_MS).prop_map(Step::Time),
        1 => Just(Step::NewTerm),
        1 => Just(Step::Restart),
    ]
}

/// Puts the attach that the session has in the place of [`CURRENT`].
fn filled_in(office: &Office, mut command: Command) -> Command {
    match &mut command {
        Command::Return { session, attach: Some(attach) }
        | Command::Expire { session, attach }
        | Command::PassOver { session, attach }
            if *attach == CURRENT =>
        {
            let waits = office.ledger.waiting_session(session).map(|waiting| waiting.attach);
            let has = office.ledger.session(session).map(|session| session.attach);
            *attach = has.or(waits).unwrap_or(1);
        }
        _ => {}
    }
    command
}

/// Applies a request, and again: the second time nothing changes but hash and index.
fn twice(office: &mut Office, actor: Actor, command: Command) {
    let request = office.next_request();
    let term = office.term;
    let before = office.ledger.clone();
    let first = office.apply(actor.clone(), request, term, command.clone());
    unchanged_if_refused(&before, office, &first);
    if matches!(actor, Actor::Holder(_)) {
        return;
    }
    let after = office.ledger.clone();
    let second = office.apply(actor, request, term, command);
    assert_eq!(first, second, "I4");
    same_but_hash(&after, office);
}

fn same_but_hash(before: &Ledger, office: &Office) {
    let mut before = before.clone();
    before.state.index = office.ledger.state.index;
    before.state.hash = office.ledger.state.hash;
    assert_eq!(before, office.ledger);
}

/// A refusal changes nothing but memory and records.
fn unchanged_if_refused(before: &Ledger, office: &Office, outcome: &Outcome) {
    if matches!(outcome, Outcome::Refused(_)) {
        let mut before = before.clone();
        before.state.memories = office.ledger.state.memories.clone();
        before.state.records = office.ledger.state.records.clone();
        same_but_hash(&before, office);
    }
}

fn run(steps: Vec<Step>) {
    let mut office = Office::open();
    office.add_license("L0", "cad", "2026", 2, TERMS[0]);
    office.add_license("L1", "cad", "2026", 2, TERMS[1]);
    for step in steps {
        match step {
            Step::Device(n, command) => {
                let command = filled_in(&office, command);
                twice(&mut office, Actor::Device(device(n)), command);
            }
            Step::Holder(command) => {
                let command = filled_in(&office, command);
                twice(&mut office, Actor::Holder(device(0)), command);
            }
            Step::Admin(command) => {
                // The id that `twice` is about to take.
                let request = office.next_request();
                let request = RequestId { counter: request.counter + 1, ..request };
                let actor = sign("ada", super::office::ADMIN, request, &command);
                twice(&mut office, actor, command);
            }
            Step::Late(command) => {
                let before = office.ledger.clone();
                let command = filled_in(&office, command);
                let (request, older) = (RequestId { epoch: 0, counter: 0 }, office.term - 1);
                let outcome = office.apply(Actor::Holder(device(0)), request, older, command);
                assert!(matches!(outcome, Outcome::Refused(Refusal::OtherTerm { .. })), "I7");
                same_but_hash(&before, &office);
            }
            Step::Bytes(bytes) => {
                office.apply_bytes(&bytes);
            }
            Step::Time(ms) => office.time = START.plus_ms(ms),
            Step::NewTerm => office.term += 1,
            Step::Restart => office.restart_twin(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_in_any_office(steps in proptest::collection::vec(step(), 1..60)) {
        run(steps);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_command(&bytes);
        let _ = decode_outcome(&bytes);
        let _ = Ledger::restore(&bytes);
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&entry).unwrap()), Ok(entry));
        }
        let mut ledger = Ledger::new();
        ledger.apply(1, 1, &bytes);
        prop_assert_eq!(ledger.bug(), None);
    }

    #[test]
    fn a_changed_entry_is_applied_without_harm(
        command in device_command(),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
        cut in any::<bool>(),
    ) {
        let mut ledger = Ledger::restore(GOLDEN_OFFICE.with(|office| office.clone()).as_slice()).unwrap();
        let entry = crate::command::Entry {
            time: START,
            term: 1,
            actor: Actor::Device(device(1)),
            request: RequestId { epoch: 7, counter: 7 },
            command,
        };
        let mut bytes = encode(&entry).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if cut {
            bytes.truncate(at);
        }
        ledger.apply(1_000, 1, &bytes);
        prop_assert_eq!(ledger.bug(), None);
        prop_assert_eq!(crate::snapshot::check(&ledger.state), Ok(()));
    }
}

thread_local! {
    static GOLDEN_OFFICE: Vec<u8> = Office::with_license(2, "").ledger.snapshot();
}
