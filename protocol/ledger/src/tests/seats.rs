//! Checkout, sharing, resume, return, expire, release.

use super::office::{Office, device, name, product, refusal, session, want};
use crate::admission::Assignment;
use crate::command::{Command, Outcome, Refusal};
use seatkeeper_protocol::id::SeatId;

#[test]
fn a_seat_is_granted_with_the_terms_of_its_license() {
    let mut office = Office::with_license(1, "ttl = \"60s\"\nfeatures = [\"bim\", \"render\"]");
    let grant = office.granted(1, want(1, "eva", "cad@2026.2+bim"));
    assert_eq!((grant.ttl_ms, grant.attach, grant.shared), (60_000, 1, false));
    assert_eq!(grant.serial, office.index);
    assert_eq!(grant.version.as_str(), "2026.2");
    assert_eq!(grant.license_hash, office.ledger.license(&name("L1")).unwrap().file.hash());
    assert_eq!(office.books(), "L1: 1/1");
    let any = office.granted(1, want(2, "eva", "cad"));
    assert_eq!((any.version.as_str(), any.shared, any.seat), ("2026", true, grant.seat));
}

#[test]
fn the_last_seat_is_the_last() {
    let mut office = Office::with_license(2, "");
    office.granted(0, want(1, "eva", "cad"));
    office.granted(1, want(2, "max", "cad"));
    let seq = office.ledger.next_seq();
    let Refusal::NoSeat(denial) = office.refused(2, want(3, "kim", "cad")) else { panic!() };
    assert_eq!(denial.owned, 2);
    assert_eq!(denial.to_string(), "all 2 seats of cad are in use: eva on ws-0, max on ws-1");
    assert_eq!(office.happened_since(seq), ["denied"]);
    office.give_back(0, 1, Some(1));
    office.granted(2, want(4, "kim", "cad"));
    assert_eq!(office.books(), "L1: 2/2");
}

#[test]
fn what_is_not_owned_is_not_licensed() {
    let mut office = Office::with_license(2, "features = [\"bim\"]");
    let otherwise_owned = |refusal| match refusal {
        Refusal::NotLicensed { otherwise_owned, .. } => otherwise_owned,
        other => panic!("{other:?}"),
    };
    assert!(!otherwise_owned(office.refused(1, want(1, "eva", "paint"))));
    assert!(otherwise_owned(office.refused(1, want(1, "eva", "cad@2025"))));
    assert!(otherwise_owned(office.refused(1, want(1, "eva", "cad+render"))));
    office.granted(1, want(1, "eva", "cad@2026+bim"));
}

#[test]
fn sharing() {
    // License term; then the starts (device, user); then the seats in use.
    let check = |share: &str, starts: &[(u8, &str)], seats: usize| {
        let mut office = Office::with_license(10, &format!("share = \"{share}\""));
        for (n, (device, user)) in starts.iter().enumerate() {
            office.granted(*device, want(u8::try_from(n).unwrap(), user, "cad"));
        }
        assert_eq!(office.ledger.seats().count(), seats, "{share} {starts:?}");
        assert_eq!(office.ledger.sessions().count(), starts.len());
        for (n, (device, _)) in starts.iter().enumerate() {
            assert_eq!(office.give_back(*device, u8::try_from(n).unwrap(), None), Outcome::Done);
        }
        assert_eq!(office.books(), "L1: 0/10");
    };
    let starts = [(0, "eva"), (0, "eva"), (0, "max"), (1, "eva"), (1, "max")];
    check("user-device", &starts, 4);
    check("device", &starts, 2);
    check("user", &starts, 2);
    check("none", &starts, 5);
}

#[test]
fn a_shared_seat_is_free_with_its_last_start() {
    let mut office = Office::with_license(1, "share = \"device\"");
    let first = office.granted(0, want(1, "eva", "cad"));
    let second = office.granted(0, want(2, "max", "cad"));
    assert_eq!((first.seat, second.shared), (second.seat, true));
    let seq = office.ledger.next_seq();
    office.give_back(0, 1, Some(first.attach));
    assert_eq!(office.books(), "L1: 1/1");
    assert_eq!(office.ledger.seat(first.seat).unwrap().user, name("max"), "the one who uses it");
    office.give_back(0, 2, Some(second.attach));
    assert_eq!(office.books(), "L1: 0/1");
    assert_eq!(office.happened_since(seq), ["return", "return"]);
}

#[test]
fn first_fit_prefers_the_least_flexible_license() {
    let mut office = Office::open();
    office.add_license("D-perpetual", "cad", "2026", 1, "");
    office.add_license("C-later", "cad", "2026", 1, "valid_until = 2027-12-31");
    office.add_license("B-soon", "cad", "2026", 1, "valid_until = 2026-12-31");
    office.add_license("E-features", "cad", "2026", 1, "features = [\"bim\"]");
    office.add_license("A-exact", "cad", "2026.1", 1, "features = [\"bim\"]");
    let mut licenses = Vec::new();
    for n in 0..5 {
        licenses.push(office.granted(0, want(n, &format!("user {n}"), "cad@2026.1")).license);
    }
    assert_eq!(licenses, ["A-exact", "B-soon", "C-later", "D-perpetual", "E-features"].map(name));
    assert!(
        matches!(office.refused(0, want(9, "kim", "cad@2026.1")), Refusal::NoSeat(denial) if denial.owned == 5)
    );
}

#[test]
fn reconnecting_resumes_the_seat_under_a_new_attach() {
    let mut office = Office::with_license(1, "");
    let first = office.granted(1, want(1, "eva", "cad"));
    let second = office.granted(1, want(1, "eva", "cad"));
    assert_eq!((second.seat, second.shared), (first.seat, false));
    assert!(second.attach > first.attach && second.serial > first.serial);
    assert!(!office.ledger.live(&session(1), first.attach), "I8: an older attach does not ping");
    assert!(office.ledger.live(&session(1), second.attach));
    assert_eq!(refusal(office.give_back(1, 1, Some(first.attach))), Refusal::Superseded, "I8: nor return");
    assert_eq!(refusal(office.expire(1, first.attach)), Refusal::Superseded);
    assert_eq!(office.refused(2, want(1, "eva", "cad")), Refusal::Superseded, "another device's session");
    assert_eq!(refusal(office.give_back(2, 1, None)), Refusal::Superseded);
    assert!(matches!(office.refused(1, want(1, "eva", "paint")), Refusal::Conflict(_)));
    assert!(matches!(office.refused(1, want(1, "max", "cad")), Refusal::Conflict(_)));
    assert!(matches!(office.refused(1, want(1, "eva", "cad@2026")), Refusal::Conflict(_)));
    assert!(matches!(office.refused(1, want(1, "eva", "cad+bim")), Refusal::Conflict(_)));
    assert_eq!(office.give_back(1, 1, Some(second.attach)), Outcome::Done);
}

#[test]
fn an_attach_never_comes_twice() {
    let mut office = Office::with_license(1, "");
    let first = office.granted(1, want(1, "eva", "cad"));
    office.done_by_holder(Command::Expire { session: session(1), attach: first.attach });
    let second = office.granted(1, want(1, "eva", "cad"));
    assert!(second.attach > first.attach, "else a late return of the first connection would end the second");
    assert_ne!(second.seat, first.seat);
}

#[test]
fn a_session_that_was_given_back_stays_ended() {
    let mut office = Office::with_license(1, "");
    assert_eq!(office.give_back(1, 7, None), Outcome::Done, "cancelled before its checkout arrived");
    assert_eq!(office.refused(1, want(7, "eva", "cad")), Refusal::SessionEnded);
    office.granted(2, want(7, "eva", "cad"));
    office.give_back(2, 7, None);
    assert_eq!(office.refused(2, want(7, "eva", "cad")), Refusal::SessionEnded);
    assert_eq!(office.give_back(2, 7, Some(1)), Outcome::Done, "once more");
}

#[test]
fn expire_is_of_this_term_and_this_attach() {
    let mut office = Office::with_license(1, "");
    let grant = office.granted(1, want(1, "eva", "cad"));
    office.term = 5;
    let actor = crate::command::Actor::Holder(device(0));
    let request = seatkeeper_protocol::id::RequestId { epoch: 0, counter: 0 };
    let expire = Command::Expire { session: session(1), attach: grant.attach };
    let late = office.apply(actor, request, 4, expire);
    assert_eq!(refusal(late), Refusal::OtherTerm { decided: 4, applied: 5 });
    assert_eq!(refusal(office.expire(1, grant.attach + 1)), Refusal::Superseded);
    assert_eq!(refusal(office.expire(2, 1)), Refusal::NotFound("session".into()));
    let seq = office.ledger.next_seq();
    assert_eq!(office.expire(1, grant.attach), Outcome::Done);
    assert_eq!(office.happened_since(seq), ["expire"]);
    assert_eq!(office.books(), "L1: 0/1");
}

#[test]
fn a_released_seat_is_free_only_when_its_device_has_stopped() {
    let mut office = Office::with_license(1, "");
    let grant = office.granted(1, want(1, "eva", "cad"));
    let seq = office.ledger.next_seq();
    assert_eq!(office.release(grant.seat), Outcome::Done);
    assert_eq!(office.release(grant.seat), Outcome::Done);
    assert_eq!(office.happened_since(seq), ["release"]);
    assert!(!office.ledger.live(&session(1), grant.attach), "the next pong tells the device");
    assert_eq!(office.books(), "L1: 1/1", "I1: it may be in use until then");
    assert_eq!(office.refused(1, want(1, "eva", "cad")), Refusal::SessionEnded);
    assert!(matches!(office.refused(1, want(2, "eva", "cad")), Refusal::NoSeat(_)), "not shared any more");
    office.expire(1, grant.attach);
    assert_eq!(office.books(), "L1: 0/1");
    assert_eq!(office.refused(1, want(1, "eva", "cad")), Refusal::SessionEnded);
    office.granted(1, want(3, "eva", "cad"));
    assert_eq!(refusal(office.release(grant.seat)), Refusal::NotFound("seat 1".into()));
}

#[test]
fn two_seats_of_one_user_after_a_release_share_the_newer_one() {
    let mut office = Office::with_license(2, "");
    let old = office.granted(1, want(1, "eva", "cad"));
    office.release(old.seat);
    let new = office.granted(1, want(2, "eva", "cad"));
    assert_ne!(new.seat, old.seat);
    office.give_back(1, 1, None);
    assert_eq!(office.granted(1, want(3, "eva", "cad")).seat, new.seat);
}

#[test]
fn bounds() {
    let mut office = Office::with_license(1_000, "share = \"none\"");
    for n in 0..=255 {
        office.granted(1, want(n, "eva", "cad"));
    }
    let mut more = want(0, "eva", "cad");
    more.session = seatkeeper_protocol::id::SessionId([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    assert!(matches!(office.refused(1, more.clone()), Refusal::Limit { limit: 256, .. }));
    office.granted(2, more.clone());
    more.features = (0..65).map(|n| format!("f{n}").parse().unwrap()).collect();
    assert!(matches!(office.refused(2, more), Refusal::Limit { limit: 64, .. }));
}

#[test]
fn a_seat_moves_in_the_books_only() {
    let mut office = Office::with_license(1, "ttl = \"60s\"");
    office.add_license("L2", "cad", "2026", 1, "ttl = \"90s\"");
    let grant = office.granted(1, want(1, "eva", "cad"));
    assert_eq!(office.books(), "L1: 1/1, L2: 0/1");
    assert_eq!(office.ledger.move_seats([(grant.seat, name("L2"))]), [name("L1")]);
    assert_eq!(office.books(), "L1: 0/1, L2: 1/1");
    let seat = office.ledger.seat(grant.seat).unwrap();
    assert_eq!((seat.ttl_ms, &seat.product), (60_000, &product("cad")), "I7: as granted");
    assert_eq!(office.ledger.by, crate::state::Index::build(&office.ledger.state));
}

#[test]
fn a_wrong_solver_cannot_oversubscribe() {
    let mut office = Office::with_license(1, "");
    office.add_license("L2", "cad", "2026", 1, "");
    let seat = office.granted(1, want(1, "eva", "cad")).seat;
    let check = |license: &str, moves: &[(SeatId, &str)]| {
        let moves = moves.iter().map(|(seat, to)| (*seat, name(to))).collect();
        let assignment = Assignment { license: name(license), moves };
        office.ledger.check_assignment(office.time, &product("cad"), &assignment, None, device(0))
    };
    assert_eq!(check("L2", &[]), Ok(()));
    assert_eq!(check("L1", &[(seat, "L2")]), Ok(()));
    for (license, moves) in [
        ("L1", &[][..]),
        ("L2", &[(seat, "L2")]),
        ("L3", &[]),
        ("L1", &[(seat, "L3")]),
        ("L2", &[(SeatId(9), "L1")]),
    ] {
        assert!(matches!(check(license, moves), Err(Refusal::Bug(_))), "{license} {moves:?}");
    }
}
