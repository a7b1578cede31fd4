//! Going on in a new generation.

use seatkeeper_protocol::id::Generation;
use seatkeeper_protocol::limits::BORROW_END_AFTER_MS;
use seatkeeper_protocol::recovery::Recovery;
use seatkeeper_protocol::ticket::PoolKeyCertificate;

use super::office::{
    DAY_MS, GENERATION, Office, ROOT, START, device, device_key, info, key, name, public, refusal, want,
};
use crate::WITHHELD;
use crate::command::{Actor, Command, Outcome, Recover, Refusal, Sealed};

fn generation(number: u32) -> Generation {
    Generation { number, id: [u8::try_from(number).unwrap(); 16] }
}

/// A recovery from the first generation to the one of this number, by the books of a device.
pub(super) fn recover(device: u8, to: u32) -> Recover {
    from(GENERATION, device, to)
}

fn from(from: Generation, device: u8, to: u32) -> Recover {
    let to = generation(to);
    Recover {
        recovery: Recovery::sign(&key(ROOT), (from, to), device_key(device).device(), START).unwrap(),
        device: device_key(device),
        info: info(&format!("ws-{device}")),
        certificate: PoolKeyCertificate::sign(&key(ROOT), to, to.number, public(60)),
        sealed_pool_key: Sealed(vec![7; 60]),
    }
}

fn command(recover: Recover) -> Command {
    Command::Recover(Box::new(recover))
}

#[test]
fn a_site_goes_on_in_the_next_generation_with_a_new_pool_key() {
    let mut office = Office::with_license(2, "");
    let seat = office.granted(1, want(1, "eva", "cad"));
    office.done_by_holder(command(recover(0, 2)));
    let site = office.ledger.site().unwrap();
    assert_eq!(site.generation, generation(2));
    let pool_key = office.ledger.pool_key().unwrap();
    assert_eq!((pool_key.certificate.number, pool_key.certificate.generation), (2, generation(2)));
    assert_eq!(pool_key.sealed.keys().copied().collect::<Vec<_>>(), [device(0)]);
    // Nothing can have been borrowed; who ran goes on running, and the queue of requests too.
    assert_eq!(office.books(), "L1: 1/2");
    let again = office.granted(1, want(1, "eva", "cad"));
    assert_eq!((again.seat, again.attach), (seat.seat, seat.attach + 1_000_001));
    let last = office.ledger.records().last().unwrap();
    assert_eq!(last.what.kind(), "site-recovered");
    assert_eq!(
        last.what.text(),
        "the site went on from generation 1 to 2 with the books of ws-0; seats withheld: 0"
    );
    // Repeated, it is the same; what was signed for the first generation counts no more.
    office.done_by_holder(command(recover(0, 2)));
    assert_eq!(office.ledger.records().last().unwrap().seq, last.seq);
    let release = office.release(seat.seat);
    assert!(matches!(refusal(release), Refusal::NotPermitted(_)), "signed for the first generation");
    // Ids that the lost ones may have given out are not given out again.
    assert!(office.granted(2, want(2, "max", "cad")).seat.0 > 1_000_000);
    // And once more.
    office.done_by_holder(command(from(generation(2), 0, 3)));
    assert_eq!(office.ledger.site().unwrap().generation, generation(3));
}

#[test]
fn whoever_cannot_recover_a_site_is_refused() {
    let mut office = Office::with_license(2, "borrow = { max_days = 30 }");
    let mut refused = |recover: Recover| refusal(office.by_holder(command(recover)));
    assert!(matches!(refused(recover(1, 2)), Refusal::NotPermitted(_)), "the books of another");
    let mut forged = recover(0, 2);
    forged.recovery.signature[0] ^= 1;
    assert!(matches!(refused(forged), Refusal::Invalid(_)));
    let mut forged = recover(0, 2);
    forged.certificate.signature[0] ^= 1;
    assert!(matches!(refused(forged), Refusal::Invalid(_)));
    assert!(matches!(refused(from(generation(2), 0, 3)), Refusal::Conflict(_)), "another's past");
    let mut other = recover(0, 2);
    other.certificate = recover(0, 3).certificate;
    assert!(matches!(refused(other), Refusal::Invalid(_)), "a key of another generation");
    let mut same = recover(0, 2);
    same.certificate = PoolKeyCertificate::sign(&key(ROOT), generation(2), 1, public(60));
    assert!(matches!(refused(same), Refusal::Invalid(_)), "not a new key");
    let mut empty = recover(0, 2);
    empty.sealed_pool_key = Sealed(Vec::new());
    assert!(matches!(refused(empty), Refusal::Invalid(_)));
    let by_admin = office.by_admin(command(recover(0, 2)));
    assert!(matches!(refusal(by_admin), Refusal::NotPermitted(_)));
    let by_device = office.by_device(0, command(recover(0, 2)));
    assert!(matches!(refusal(by_device), Refusal::NotPermitted(_)));
    let mut other = recover(0, 2);
    other.device = device_key(1);
    assert!(matches!(refusal(office.by_holder(command(other))), Refusal::NotPermitted(_)), "another's key");
    assert_eq!(office.ledger.site().unwrap().generation, GENERATION);
    assert_eq!(office.books(), "L1: 0/2");
}

#[test]
fn what_may_have_been_borrowed_unseen_is_withheld_until_that_is_over() {
    let mut office = Office::with_license(4, "borrow = { max_days = 10, max_seats = 3 }");
    office.add_license("L2", "cad", "2025", 1, "");
    let known = office.borrows(1, "eva", "cad@2026", 2);
    office.granted(2, want(2, "max", "cad@2026"));
    let until = office.time.plus_ms(10 * DAY_MS);
    assert_eq!(office.ledger.to_withhold(office.time), [(name("L1"), 2, until)]);
    office.done_by_holder(command(recover(0, 2)));
    // One borrow was known; two more there may be.
    assert_eq!(office.books(), "L1: 1+3/4, L2: 0/1");
    assert!(office.ledger.borrowed_by(&WITHHELD).all(|(_, _, borrow)| borrow.ends == until));
    office.refused(0, want(3, "kim", "cad@2026"));
    office.granted(0, want(4, "kim", "cad@2025"));
    // The known one is given back: that seat is free.
    assert_eq!(office.return_borrow(1, &known), Outcome::Done);
    office.granted(0, want(5, "kim", "cad@2026"));
    office.refused(0, want(6, "ida", "cad@2026"));
    // Nobody gives a withheld seat back before its time.
    let withheld: Vec<_> =
        office.ledger.borrowed_by(&WITHHELD).map(|(id, _, borrow)| (id, borrow.serial)).collect();
    assert_eq!(withheld.len(), 2);
    let (seat, serial) = withheld[0];
    let end = Command::EndBorrow { seat, serial };
    assert!(matches!(refusal(office.by_holder(end.clone())), Refusal::Conflict(_)));
    office.by_device(1, Command::ReturnBorrow { seat, serial });
    assert_eq!(office.ledger.borrowed_by(&WITHHELD).count(), 2);
    office.time = until.plus_ms(BORROW_END_AFTER_MS);
    assert_eq!(office.ledger.borrows_to_end(office.time).count(), 2);
    office.done_by_holder(end);
    office.granted(0, want(7, "ida", "cad@2026"));
}

#[test]
fn more_may_be_out_than_there_is_room_for_and_returns_repay_it() {
    let mut office = Office::with_license(2, "borrow = { max_days = 10 }\nshare = \"none\"");
    let one = office.granted(1, want(1, "eva", "cad"));
    let two = office.granted(1, want(2, "eva", "cad"));
    office.done_by_holder(command(recover(0, 2)));
    // Each of the two may have become a borrow since: both keep running, and what they leave is withheld.
    assert_eq!(office.books(), "L1: 2+2/2 over 2");
    office.give_back(1, 1, Some(one.attach));
    office.give_back(1, 2, Some(two.attach));
    assert_eq!(office.books(), "L1: 0+2/2");
    office.refused(1, want(3, "eva", "cad"));
}

#[test]
fn a_second_recovery_withholds_anew() {
    let mut office = Office::with_license(2, "borrow = { max_days = 10 }");
    office.done_by_holder(command(recover(0, 2)));
    office.time = office.time.plus_ms(5 * DAY_MS);
    office.done_by_holder(command(from(generation(2), 0, 3)));
    assert_eq!(office.books(), "L1: 0+2/2");
    let until = office.time.plus_ms(10 * DAY_MS);
    assert!(office.ledger.borrowed_by(&WITHHELD).all(|(_, _, borrow)| borrow.ends == until));
}

#[test]
fn a_machine_that_the_books_do_not_know_goes_on_from_them_unless_it_was_revoked() {
    let mut office = Office::with_license(2, "");
    office.done_by_admin(Command::RevokeDevice { device: device(2) });
    let request = office.next_request();
    let revoked = office.apply(Actor::Holder(device(2)), request, 1, command(recover(2, 2)));
    assert!(matches!(refusal(revoked), Refusal::NotPermitted(_)));
    let request = office.next_request();
    let new = office.apply(Actor::Holder(device(9)), request, 1, command(recover(9, 2)));
    assert_eq!(new, Outcome::Done);
    assert_eq!(office.ledger.device(&device(9)).unwrap().name(), &name("ws-9"));
    office.granted(9, want(1, "eva", "cad"));
}
