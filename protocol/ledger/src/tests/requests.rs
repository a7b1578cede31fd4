//! Idempotency (invariant I4), unknown bytes (I11), snapshots (I5).

use super::office::{
    ADMIN, Office, add_admin, device, device_key, info, name, public, refusal, session, sign, trust, want,
};
use crate::command::{Actor, AdminRole, Command, Entry, Outcome, Refusal};
use crate::ledger::digest;
use crate::memory::{FORGET_EVERY, OUTCOME_ENTRIES};
use crate::{ActorKey, Ledger, RestoreError, decode_outcome, encode, encode_outcome};
use seatkeeper_protocol::id::RequestId;
use seatkeeper_protocol::time::WallTime;
use sha2::{Digest, Sha256};

fn id(epoch: u64, counter: u64) -> RequestId {
    RequestId { epoch, counter }
}

fn ask(office: &mut Office, n: u8, request: RequestId, command: Command) -> Outcome {
    let term = office.term;
    office.apply(Actor::Device(device(n)), request, term, command)
}

#[test]
fn a_repeated_request_acts_once() {
    let mut office = Office::with_license(2, "share = \"none\"");
    let checkout = Command::Checkout(want(1, "eva", "cad"));
    let first = ask(&mut office, 1, id(5, 1), checkout.clone());
    let seq = office.ledger.next_seq();
    office.term += 1;
    let again = ask(&mut office, 1, id(5, 1), checkout);
    assert_eq!(first, again, "also from another holder");
    assert!(office.happened_since(seq).is_empty());
    assert_eq!(office.ledger.session(&session(1)).unwrap().attach, 1, "the attach is not raised");
    assert_eq!(office.books(), "L1: 1/2");
    let same_id = ask(&mut office, 2, id(5, 1), Command::Checkout(want(2, "eva", "cad")));
    assert!(matches!(same_id, Outcome::Granted(_)), "ids are per actor");
}

#[test]
fn a_repeated_denial_stays_one() {
    let mut office = Office::with_license(1, "");
    office.granted(0, want(1, "eva", "cad"));
    let checkout = Command::Checkout(want(2, "max", "cad"));
    let first = ask(&mut office, 1, id(1, 1), checkout.clone());
    assert_eq!(ask(&mut office, 1, id(1, 1), checkout.clone()), first);
    office.give_back(0, 1, None);
    let Refusal::NoSeat(denial) = refusal(ask(&mut office, 1, id(1, 1), checkout)) else { panic!() };
    assert_eq!((denial.owned, denial.holders.len()), (1, 0));
    assert_eq!(office.books(), "L1: 0/1");
}

#[test]
fn what_tells_requests_apart_is_actor_request_and_command() {
    let entry = Entry {
        time: WallTime(-5),
        term: 70_000,
        actor: Actor::Device(device(1)),
        request: id(3, 300),
        command: Command::Describe(info("pc-1")),
    };
    let bytes = encode(&entry).unwrap();
    let asked = postcard::to_stdvec(&(&entry.actor, &entry.request, &entry.command)).unwrap();
    assert!(bytes.ends_with(&asked));
    let of = |entry: &Entry| digest(&encode(entry).unwrap()).unwrap();
    assert_eq!(of(&entry)[..], Sha256::digest(&asked)[..16]);
    assert_eq!(of(&Entry { time: WallTime(9), term: 1, ..entry.clone() }), of(&entry));
    assert_ne!(of(&Entry { command: Command::Leave, ..entry.clone() }), of(&entry));
}

#[test]
fn outcomes_of_long_ago_are_forgotten_but_an_actors_last() {
    let mut office = Office::with_license(1, "");
    let describe = |n: u64| Command::Describe(info(&format!("pc-{n}")));
    for n in 1..=3 {
        assert_eq!(ask(&mut office, 1, id(1, n), describe(n)), Outcome::Done);
    }
    let entries = OUTCOME_ENTRIES + 2 * FORGET_EVERY;
    for n in 1..=entries {
        assert_eq!(ask(&mut office, 2, id(1, n), describe(n)), Outcome::Done);
    }
    assert_eq!(ask(&mut office, 1, id(1, 3), describe(3)), Outcome::Done, "the last one acts once");
    assert_eq!(refusal(ask(&mut office, 1, id(1, 2), describe(2))), Refusal::Stale { epoch: 1 });
    assert_eq!(ask(&mut office, 1, id(1, 4), describe(4)), Outcome::Done);
    let restored = Ledger::restore(&office.ledger.snapshot()).unwrap();
    assert_eq!(restored, office.ledger);
}

#[test]
fn a_grant_that_is_over_does_not_come_back_to_life() {
    let mut office = Office::with_license(1, "");
    let checkout = |n| Command::Checkout(want(n, "eva", "cad"));
    ask(&mut office, 1, id(1, 1), checkout(1));
    office.expire(1, 1);
    office.granted(2, want(9, "max", "cad"));
    assert_eq!(refusal(ask(&mut office, 1, id(1, 1), checkout(1))), Refusal::SessionEnded, "I1");
    office.give_back(2, 9, None);
    ask(&mut office, 1, id(1, 2), checkout(2));
    ask(&mut office, 1, id(1, 3), checkout(2));
    assert_eq!(refusal(ask(&mut office, 1, id(1, 2), checkout(2))), Refusal::Superseded, "I8");
}

#[test]
fn a_grant_of_an_earlier_life_of_its_device_is_over() {
    let mut office = Office::with_license(2, "");
    let checkout = Command::Checkout(want(1, "eva", "cad"));
    // Two requests under way at once arrive in the other order: the newest that is remembered is the grant.
    let Outcome::Granted(first) = ask(&mut office, 1, id(1, 8), checkout.clone()) else { panic!() };
    assert_eq!(ask(&mut office, 1, id(1, 5), Command::Leave), Outcome::Done);
    office.done_by_admin(Command::Admit { key: device_key(1), info: info("back") });
    let Outcome::Granted(second) = ask(&mut office, 1, id(1, 9), checkout.clone()) else { panic!() };
    assert_eq!((first.session, first.attach), (second.session, second.attach), "attaches begin anew");
    assert_ne!(first.seat, second.seat);
    assert_eq!(refusal(ask(&mut office, 1, id(1, 8), checkout)), Refusal::SessionEnded, "I4");
}

#[test]
fn what_is_forgotten_is_stale() {
    let mut office = Office::open();
    let describe = |n: u64| Command::Describe(info(&format!("ws {n}")));
    for n in 0..100 {
        assert_eq!(ask(&mut office, 1, id(3, n), describe(n)), Outcome::Done);
    }
    let stale = Refusal::Stale { epoch: 3 };
    assert_eq!(refusal(ask(&mut office, 1, id(3, 35), describe(35))), stale, "below the floor");
    assert_eq!(ask(&mut office, 1, id(3, 36), describe(36)), Outcome::Done, "the 64th newest");
    assert_eq!(office.ledger.device(&device(1)).unwrap().info, info("ws 99"));
    assert_eq!(refusal(ask(&mut office, 1, id(2, 1_000), describe(0))), stale, "a lower epoch");
    assert_eq!(refusal(ask(&mut office, 1, id(3, 99), describe(0))), stale, "an id used for something else");
    assert_eq!(ask(&mut office, 1, id(4, 0), describe(0)), Outcome::Done);
    assert_eq!(refusal(ask(&mut office, 1, id(3, 99), describe(99))), Refusal::Stale { epoch: 4 });
    assert_eq!(office.ledger.epoch(&ActorKey::Device(device(1))), Some(4));
    assert_eq!(office.ledger.epoch(&ActorKey::Device(device(2))), None);
    let is_new = |who: u8, id| office.ledger.is_new(&ActorKey::Device(device(who)), id);
    assert!(is_new(1, id(4, 1)) && is_new(1, id(5, 0)), "whoever asks more than once in an epoch");
    assert!(!is_new(1, id(4, 0)) && !is_new(1, id(3, 1_000)), "used, and of an earlier epoch");
    assert!(is_new(2, id(0, 0)), "who never asked");
}

#[test]
fn a_request_that_many_overtook_is_answered_again_too() {
    let mut office = Office::open();
    let describe = |n: u64| Command::Describe(info(&format!("ws {n}")));
    (2..=65).for_each(|n| assert_eq!(ask(&mut office, 1, id(1, n), describe(n)), Outcome::Done));
    assert_eq!(ask(&mut office, 1, id(1, 1), describe(1)), Outcome::Done, "neither forgotten nor used");
    assert_eq!(ask(&mut office, 1, id(1, 1), describe(1)), Outcome::Done, "I4: its answer was lost");
    assert_eq!(refusal(ask(&mut office, 1, id(1, 2), describe(2))), Refusal::Stale { epoch: 1 });
    ask(&mut office, 1, id(1, 66), describe(66));
    assert_eq!(refusal(ask(&mut office, 1, id(1, 1), describe(1))), Refusal::Stale { epoch: 1 });
}

#[test]
fn a_stranger_cannot_burn_an_admins_ids() {
    let mut office = Office::open();
    let command = trust("evil", 50, &["paint"]);
    let forged = Actor::Admin { name: name("ada"), signature: vec![0; 64] };
    refusal(office.apply(forged, id(u64::MAX, 0), 1, command));
    assert_eq!(office.ledger.epoch(&ActorKey::Admin(name("ada"))), Some(1));
}

#[test]
fn what_an_actor_asked_stays_used_up_after_it_left_and_came_back() {
    let mut office = Office::open();
    assert_eq!(ask(&mut office, 1, id(1, 50), Command::Describe(info("old"))), Outcome::Done);
    assert_eq!(ask(&mut office, 1, id(1, 51), Command::Leave), Outcome::Done);
    assert_eq!(ask(&mut office, 1, id(1, 51), Command::Leave), Outcome::Done, "the answer was lost");
    office.done_by_admin(Command::Admit { key: device_key(1), info: info("new") });
    assert_eq!(ask(&mut office, 1, id(1, 51), Command::Leave), Outcome::Done, "not once more");
    assert!(office.ledger.device(&device(1)).is_some());
    let late = ask(&mut office, 1, id(1, 50), Command::Describe(info("old")));
    assert_eq!(refusal(late), Refusal::Stale { epoch: 1 });

    office.done_by_admin(add_admin("bob", 60, AdminRole::Admin));
    let signed = sign("bob", 60, id(1, 1), &trust("v", 50, &["paint"]));
    assert_eq!(office.apply(signed, id(1, 1), 1, trust("v", 50, &["paint"])), Outcome::Done);
    let replayed = sign("bob", 60, id(1, 2), &add_admin("eve", 61, AdminRole::Admin));
    assert_eq!(
        office.apply(replayed.clone(), id(1, 2), 1, add_admin("eve", 61, AdminRole::Admin)),
        Outcome::Done
    );
    for who in ["eve", "bob"] {
        office.done_by_admin(Command::RemoveAdmin { name: name(who) });
    }
    office.done_by_admin(add_admin("bob", 60, AdminRole::Admin));
    office.apply(replayed, id(1, 2), 1, add_admin("eve", 61, AdminRole::Admin));
    assert!(office.ledger.admin(&name("eve")).is_none(), "an old signed command acts once");
    assert_eq!(office.ledger.admin(&name("ada")).unwrap().key, public(ADMIN));
}

#[test]
fn unknown_bytes_are_refused_and_hashed() {
    let mut office = Office::open();
    let before = office.ledger.hash();
    let mut state = office.ledger.state.clone();
    for bytes in [&[][..], &[0], &[1, 2, 3], &[0xff; 40], &vec![0; 200_000]] {
        assert_eq!(refusal(office.apply_bytes(bytes)), Refusal::UnknownFormat);
    }
    assert_ne!(office.ledger.hash(), before);
    state.index = office.ledger.state.index;
    state.hash = office.ledger.state.hash;
    assert_eq!(office.ledger.state, state, "nothing else changed");
}

#[test]
fn a_snapshot_is_restored_whole_or_not_at_all() {
    let mut office = Office::with_license(2, "");
    office.granted(1, want(1, "eva", "cad"));
    office.give_back(2, 5, None);
    office.restart_twin();
    let snapshot = office.ledger.snapshot();
    let digest = office.ledger.digest();
    office.granted(1, want(2, "max", "cad"));
    assert_ne!(office.ledger.digest(), digest);

    assert_eq!(Ledger::restore(&[]), Err(RestoreError::Damaged));
    assert_eq!(Ledger::restore(&[2, 0]), Err(RestoreError::UnknownVersion(2)));
    assert_eq!(Ledger::restore(&snapshot[..20]), Err(RestoreError::Damaged));
    assert_eq!(Ledger::restore(&snapshot[..snapshot.len() - 1]), Err(RestoreError::Damaged));
    assert_eq!(Ledger::restore(&[snapshot.as_slice(), &[0]].concat()), Err(RestoreError::Damaged));
    for at in (1..snapshot.len()).step_by(97) {
        let mut changed = snapshot.clone();
        changed[at] ^= 1;
        assert_eq!(Ledger::restore(&changed), Err(RestoreError::Damaged), "byte {at}");
    }
    // The same state in other bytes: its index, which comes first, with a zero in front.
    let body = &snapshot[33..];
    assert!(body[0] < 0x80);
    let longer = [&[body[0] | 0x80, 0], &body[1..]].concat();
    let mut state = postcard::from_bytes::<crate::state::State>(&longer).unwrap();
    assert!(state.records.read());
    assert_eq!(state, Ledger::restore(&snapshot).unwrap().state);
    let sealed = [&[1], Sha256::digest(&longer).as_slice(), &longer].concat();
    assert_eq!(Ledger::restore(&sealed), Err(RestoreError::Damaged));
    let mut broken = Ledger::restore(&snapshot).unwrap();
    broken.state.seats.clear();
    assert!(matches!(Ledger::restore(&broken.snapshot()), Err(RestoreError::Contradictory(_))));
}

#[test]
fn a_broken_invariant_is_refused_and_remembered() {
    let mut office = Office::with_license(2, "");
    office.granted(1, want(1, "eva", "cad"));
    let mut broken = office.ledger.clone();
    broken.state.seats.clear();
    let entry = crate::command::Entry {
        time: office.time,
        term: 1,
        actor: Actor::Device(device(1)),
        request: id(9, 9),
        command: Command::Return { session: session(1), attach: None },
    };
    let outcome = broken.apply(office.index + 1, 1, &crate::encode(&entry).unwrap());
    assert!(matches!(outcome, Outcome::Refused(Refusal::Bug(_))));
    assert!(broken.bug().is_some());
    assert_eq!(broken.sessions().len(), 1, "nothing was done");
    assert_eq!(decode_outcome(&encode_outcome(&outcome).unwrap()).unwrap(), outcome);
}
