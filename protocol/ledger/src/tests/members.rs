//! Founding, invitations, devices, admins, the pool key.

use super::office::{
    ADMIN, DAY_MS, Office, START, add_admin, certificate, device, device_key, found, info, invite, key,
    license_file, name, public, refusal, session, sign, want,
};
use crate::command::{Actor, AdminRole, Command, DeviceInfo, DeviceSettings, Form, Outcome, Refusal, Sealed};
use seatkeeper_protocol::id::{Generation, InviteId};
use seatkeeper_protocol::ticket::PoolKeyCertificate;

fn admit_invited(office: &mut Office, n: u8, invite: u8) -> Outcome {
    office.by_holder(Command::AdmitInvited {
        invite: InviteId([invite; 16]),
        key: device_key(n),
        info: info(&format!("ws-{n}")),
    })
}

#[test]
fn nothing_is_done_before_the_site_is_founded() {
    let mut office = Office::empty();
    assert_eq!(office.refused(0, want(1, "eva", "cad")), Refusal::NotFound("site".into()));
    assert_eq!(refusal(office.by_admin(invite(1, 1))), Refusal::NotFound("site".into()));
    assert_eq!(refusal(office.expire(1, 1)), Refusal::NotFound("site".into()));
    assert!(office.ledger.site().is_none() && office.ledger.state.memories.is_empty());
}

#[test]
fn a_site_is_founded_once_by_its_first_device() {
    let check = |change: fn(&mut crate::command::Found)| {
        let mut office = Office::empty();
        let mut found = found();
        change(&mut found);
        refusal(office.by_holder(Command::Found(Box::new(found))));
        assert!(office.ledger.site().is_none());
    };
    check(|found| found.device = device_key(1));
    check(|found| found.root = public(50));
    check(|found| found.generation = Generation { number: 2, id: [0; 16] });
    check(|found| found.certificate.signature[0] ^= 1);
    check(|found| found.sealed_root = Sealed(Vec::new()));
    check(|found| found.sealed_pool_key = Sealed(vec![0; 1_025]));

    let mut office = Office::open();
    office.done_by_holder(Command::Found(Box::new(found())));
    let mut other = found();
    other.generation.number = 2;
    assert!(matches!(refusal(office.by_holder(Command::Found(Box::new(other)))), Refusal::Conflict(_)));
    assert_eq!(office.ledger.site().unwrap().id, public(super::office::ROOT).site());
    assert_eq!(office.ledger.devices().len(), 3);
}

#[test]
fn an_invitation_admits_so_many_and_each_device_once() {
    let mut office = Office::open();
    office.done_by_admin(invite(1, 2));
    office.done_by_admin(invite(1, 2));
    assert!(matches!(refusal(office.by_admin(invite(1, 3))), Refusal::Conflict(_)));
    for _ in 0..3 {
        assert_eq!(admit_invited(&mut office, 5, 1), Outcome::Done);
    }
    assert_eq!(office.ledger.invite(&InviteId([1; 16])).unwrap().used, 1);
    assert_eq!(admit_invited(&mut office, 6, 1), Outcome::Done);
    assert!(matches!(refusal(admit_invited(&mut office, 7, 1)), Refusal::NotPermitted(_)), "used up");
    assert!(matches!(refusal(admit_invited(&mut office, 7, 9)), Refusal::NotFound(_)));
    assert_eq!(office.ledger.devices().len(), 5);
}

#[test]
fn an_invitation_ends() {
    let mut office = Office::open();
    office.done_by_admin(invite(1, 9));
    office.done_by_admin(invite(2, 9));
    office.done_by_admin(Command::RevokeInvite { invite: InviteId([2; 16]) });
    let again = office.by_admin(Command::RevokeInvite { invite: InviteId([2; 16]) });
    assert!(matches!(refusal(again), Refusal::NotFound(_)));
    assert!(matches!(refusal(admit_invited(&mut office, 5, 2)), Refusal::NotFound(_)));
    office.time = START.plus_ms(DAY_MS);
    assert!(matches!(refusal(admit_invited(&mut office, 5, 1)), Refusal::NotPermitted(_)));
    assert!(matches!(refusal(office.by_admin(invite(3, 1))), Refusal::Invalid(_)), "in the past");
    office.time = START;
    for uses in [0, 10_001] {
        assert!(matches!(refusal(office.by_admin(invite(3, uses))), Refusal::Invalid(_)));
    }
}

#[test]
fn an_admitted_device_says_what_it_is_and_an_admin_knows_better() {
    let mut office = Office::open();
    let laptop = DeviceInfo { name: name("eva's"), form: Form::Laptop, version: name("0.2.0") };
    assert_eq!(office.by_device(1, Command::Describe(laptop.clone())), Outcome::Done);
    let settings = DeviceSettings { name: Some(name("rack")), always_on: Some(true), form: None };
    office.done_by_admin(Command::SetDevice { device: device(1), settings });
    let settings = DeviceSettings { form: Some(Form::Desktop), ..DeviceSettings::default() };
    office.done_by_admin(Command::SetDevice { device: device(1), settings: settings.clone() });
    let record = office.ledger.device(&device(1)).unwrap();
    assert_eq!((record.name(), record.form(), record.always_on()), (&name("rack"), Form::Desktop, true));
    assert_eq!(record.info, laptop);
    let nobody = office.by_admin(Command::SetDevice { device: device(9), settings });
    assert!(matches!(refusal(nobody), Refusal::NotFound(_)));
}

#[test]
fn a_revoked_device_is_out_but_its_seats_run_to_the_end_of_their_leases() {
    let mut office = Office::with_license(1, "");
    let grant = office.granted(1, want(1, "eva", "cad"));
    let revoke = |n| Command::RevokeDevice { device: device(n) };
    office.done_by_admin(revoke(1));
    office.done_by_admin(revoke(1));
    assert!(office.ledger.is_revoked(&device(1)) && office.ledger.device(&device(1)).is_none());
    assert!(!office.ledger.live(&session(1), grant.attach));
    assert_eq!(office.books(), "L1: 1/1", "I1");
    assert!(matches!(office.refused(1, want(1, "eva", "cad")), Refusal::NotPermitted(_)));
    let Refusal::NoSeat(denial) = office.refused(2, want(2, "max", "cad")) else { panic!() };
    assert_eq!(denial.holders[0].device_name, name("ws-1"), "still known by name");
    assert!(!office.ledger.pool_key_exposed(), "it had none");
    office.restart_twin();
    assert_eq!(office.expire(1, grant.attach), Outcome::Done);
    office.granted(2, want(3, "max", "cad"));
    let back = office.by_admin(Command::Admit { key: device_key(1), info: info("ws-1") });
    assert!(matches!(refusal(back), Refusal::NotPermitted(_)), "for good");
    office.done_by_admin(invite(1, 5));
    assert!(matches!(refusal(admit_invited(&mut office, 1, 1)), Refusal::NotPermitted(_)));
    office.done_by_admin(revoke(2));
    assert!(matches!(refusal(office.by_admin(revoke(0))), Refusal::Conflict(_)), "the last one");
    assert!(matches!(refusal(office.by_admin(revoke(9))), Refusal::NotFound(_)));
}

#[test]
fn a_device_that_leaves_gives_its_seats_back() {
    let mut office = Office::with_license(2, "share = \"none\"");
    office.granted(1, want(1, "eva", "cad"));
    office.granted(1, want(2, "eva", "cad"));
    let seq = office.ledger.next_seq();
    assert_eq!(office.by_device(1, Command::Leave), Outcome::Done);
    assert_eq!(office.happened_since(seq), ["return", "return", "device-left"]);
    assert_eq!(office.books(), "L1: 0/2");
    assert!(matches!(office.refused(1, want(3, "eva", "cad")), Refusal::NotPermitted(_)));
    assert_eq!(office.by_device(2, Command::Leave), Outcome::Done);
    assert!(matches!(refusal(office.by_device(0, Command::Leave)), Refusal::Conflict(_)), "the last one");
    office.done_by_admin(Command::Admit { key: device_key(1), info: info("ws-1") });
    office.granted(1, want(1, "eva", "cad"));
}

#[test]
fn the_pool_key_is_rotated_after_a_device_that_had_it_was_revoked() {
    let mut office = Office::open();
    let seal =
        |n, number, bytes| Command::SealPoolKey { device: device(n), number, sealed: Sealed(vec![1; bytes]) };
    office.done_by_holder(seal(1, 1, 60));
    office.done_by_holder(seal(2, 1, 60));
    assert!(matches!(refusal(office.by_holder(seal(9, 1, 60))), Refusal::NotFound(_)));
    assert!(matches!(refusal(office.by_holder(seal(2, 2, 60))), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.by_holder(seal(2, 1, 0))), Refusal::Invalid(_)));
    assert!(matches!(refusal(office.by_holder(seal(2, 1, 2_000))), Refusal::Limit { .. }));
    office.done_by_admin(Command::RevokeDevice { device: device(1) });
    assert!(office.ledger.pool_key_exposed());

    let sealed = || vec![(device(0), Sealed(vec![7; 60]))];
    let rotate = |certificate, sealed| Command::RotatePoolKey { certificate, sealed };
    assert!(matches!(refusal(office.by_admin(rotate(certificate(3), sealed()))), Refusal::Conflict(_)));
    let mut forged = certificate(2);
    forged.key = public(60);
    assert!(matches!(refusal(office.by_admin(rotate(forged, sealed()))), Refusal::Invalid(_)));
    let rival = Generation { number: 1, id: [0; 16] };
    let rival = PoolKeyCertificate::sign(&key(super::office::ROOT), rival, 2, public(60));
    assert!(matches!(refusal(office.by_admin(rotate(rival, sealed()))), Refusal::Invalid(_)));
    assert!(matches!(refusal(office.by_admin(rotate(certificate(2), vec![]))), Refusal::Invalid(_)));
    let to_revoked = vec![(device(1), Sealed(vec![7; 60]))];
    assert!(matches!(refusal(office.by_admin(rotate(certificate(2), to_revoked))), Refusal::NotFound(_)));
    assert!(office.ledger.pool_key_exposed());
    office.done_by_admin(rotate(certificate(2), sealed()));
    office.done_by_admin(rotate(certificate(2), sealed()));
    assert!(!office.ledger.pool_key_exposed());
    let pool_key = office.ledger.pool_key().unwrap();
    assert_eq!((pool_key.certificate.number, pool_key.sealed.len()), (2, 1));
}

#[test]
fn only_an_admin_changes_the_site() {
    let mut office = Office::open();
    office.done_by_admin(add_admin("rita", 60, AdminRole::Reader));
    let text = license_file("L1", "cad", "2026", 1, "");
    let command = Command::AddLicense { text };
    let request = office.next_request();
    let reader = sign("rita", 60, request, &command);
    assert!(matches!(refusal(office.apply(reader, request, 1, command.clone())), Refusal::NotPermitted(_)));
    let forged = sign("ada", 60, request, &command);
    assert!(matches!(refusal(office.apply(forged, request, 1, command.clone())), Refusal::NotPermitted(_)));
    let stranger = sign("nobody", 60, request, &command);
    assert!(matches!(refusal(office.apply(stranger, request, 1, command.clone())), Refusal::NotPermitted(_)));
    let other = office.next_request();
    let moved = sign("ada", ADMIN, request, &command);
    assert!(matches!(refusal(office.apply(moved, other, 1, command.clone())), Refusal::NotPermitted(_)));
    assert!(matches!(refusal(office.by_device(1, command.clone())), Refusal::NotPermitted(_)));
    assert!(matches!(refusal(office.by_holder(command.clone())), Refusal::NotPermitted(_)));
    assert!(matches!(refusal(office.by_device(9, Command::Leave)), Refusal::NotPermitted(_)));
    assert!(matches!(refusal(office.by_admin(Command::Leave)), Refusal::NotPermitted(_)));
    let stranger =
        office.apply(Actor::Holder(device(9)), request, 1, Command::EndLicense { license: name("L1") });
    assert!(matches!(refusal(stranger), Refusal::NotPermitted(_)));
    office.done_by_admin(command);
}

#[test]
fn the_last_admin_stays() {
    let mut office = Office::open();
    let remove = |who| Command::RemoveAdmin { name: name(who) };
    office.done_by_admin(add_admin("rita", 60, AdminRole::Reader));
    assert!(matches!(refusal(office.by_admin(remove("ada"))), Refusal::Conflict(_)));
    let demote = add_admin("ada", ADMIN, AdminRole::Reader);
    assert!(matches!(refusal(office.by_admin(demote)), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.by_admin(remove("nobody"))), Refusal::NotFound(_)));
    office.done_by_admin(add_admin("rita", 60, AdminRole::Admin));
    office.done_by_admin(remove("ada"));
    assert!(
        matches!(refusal(office.by_admin(remove("rita"))), Refusal::NotPermitted(_)),
        "ada is none any more"
    );
    assert_eq!(office.ledger.admins().len(), 1);
}
