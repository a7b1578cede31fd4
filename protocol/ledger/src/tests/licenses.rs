//! Vendors and licenses.

use super::office::{
    DAY_MS, Office, START, VENDOR, key, license_file, name, product, public, refusal, trust, want,
};
use crate::LicenseState;
use crate::command::{Command, Outcome, Refusal};
use seatkeeper_protocol::license;

fn add(office: &mut Office, text: &str) -> Outcome {
    office.by_admin(Command::AddLicense { text: text.into() })
}

#[test]
fn the_same_file_twice_is_one_license() {
    let mut office = Office::open();
    let file = license_file("L1", "cad", "2026", 3, "");
    assert_eq!(add(&mut office, &file), Outcome::Done);
    let seq = office.ledger.next_seq();
    assert_eq!(add(&mut office, &file.replace('\n', "\r\n")), Outcome::Done);
    assert_eq!(office.books(), "L1: 0/3");
    assert!(office.happened_since(seq).is_empty());
    let other = license_file("L1", "cad", "2026", 30, "");
    assert!(matches!(refusal(add(&mut office, &other)), Refusal::Conflict(_)));
    assert_eq!(office.books(), "L1: 0/3");
}

#[test]
fn a_license_is_refused_with_a_sentence() {
    let office_site = Office::open().ledger.site().unwrap().id;
    let check = |file: &str, says: &str| {
        let mut office = Office::open();
        let said = refusal(add(&mut office, file)).to_string();
        assert!(said.contains(says), "{said:?} does not say {says:?}");
        assert_eq!(office.ledger.licenses().len(), 0);
    };
    let good = license_file("L1", "cad", "2026", 3, "");
    check("", "not a license");
    check(&good.replace("seats = 3", "seats = 4"), "was changed");
    check(&license_file("L1", "paint", "2026", 3, ""), "not trusted for the product paint");
    check(&license_file("L1", "cad", "2026", 3, "valid_until = 2026-02-27"), "ended on 2026-02-27");
    let elsewhere = license_file("L1", "cad", "2026", 3, &format!("site = \"{}\"", public(77).site()));
    check(&elsewhere, &format!("this site is {office_site}"));
    let unsigned = good.split("-----BEGIN").next().unwrap();
    check(&license::sign(unsigned, &key(50)).unwrap(), "does not trust");
    let renamed = unsigned.replace("vendor = \"acme\"", "vendor = \"other\"");
    check(&license::sign(&renamed, &key(VENDOR)).unwrap(), "trusted as acme's");
}

#[test]
fn a_license_bound_to_this_site_is_taken() {
    let mut office = Office::open();
    let site = office.ledger.site().unwrap().id;
    office.add_license("L1", "cad-pro", "2026", 1, &format!("site = \"{site}\""));
    office.granted(1, want(1, "eva", "cad-pro"));
}

#[test]
fn a_future_license_grants_from_its_first_day() {
    let mut office = Office::with_license(1, "valid_from = 2026-03-02");
    assert_eq!(office.ledger.license_state(&name("L1"), office.time), Some(LicenseState::Future));
    assert_eq!(office.books(), "L1: 0/0");
    assert!(matches!(
        office.refused(1, want(1, "eva", "cad")),
        Refusal::NotLicensed { otherwise_owned: false, .. }
    ));
    office.time = START.plus_ms(DAY_MS / 2);
    assert_eq!(office.ledger.license_state(&name("L1"), office.time), Some(LicenseState::Active));
    office.granted(1, want(1, "eva", "cad"));
}

#[test]
fn a_license_ends_by_an_entry_only_and_running_seats_stay() {
    let mut office = Office::with_license(2, "valid_until = 2026-03-01");
    let end = || Command::EndLicense { license: name("L1") };
    let grant = office.granted(1, want(1, "eva", "cad"));
    assert_eq!(office.ledger.licenses_to_end(office.time).count(), 0);
    assert!(matches!(refusal(office.by_holder(end())), Refusal::Conflict(_)), "not over yet");
    office.time = START.plus_ms(DAY_MS);
    assert_eq!(office.ledger.licenses_to_end(office.time).collect::<Vec<_>>(), [&name("L1")]);
    office.granted(2, want(2, "max", "cad"));
    office.done_by_holder(end());
    office.done_by_holder(end());
    assert_eq!(office.books(), "L1: 2/0 over 2");
    assert_eq!(office.ledger.licenses_to_end(office.time).count(), 0);
    assert!(
        matches!(office.refused(1, want(3, "eva", "cad")), Refusal::NotLicensed { .. }),
        "no sharing either"
    );
    assert_eq!(office.granted(1, want(1, "eva", "cad")).seat, grant.seat, "a running seat is resumed");
    office.give_back(2, 2, None);
    assert_eq!(office.books(), "L1: 1/0 over 1");
}

#[test]
fn a_removed_license_goes_with_its_last_seat() {
    let mut office = Office::with_license(2, "");
    let remove = || Command::RemoveLicense { license: name("L1") };
    office.granted(1, want(1, "eva", "cad"));
    office.done_by_admin(remove());
    assert_eq!(refusal(office.by_admin(remove())), Refusal::NotFound("license L1".into()));
    assert_eq!(office.books(), "L1: 1/0 over 1");
    assert!(matches!(office.refused(2, want(2, "max", "cad")), Refusal::NotLicensed { .. }));
    office.restart_twin();
    office.give_back(1, 1, None);
    assert_eq!(office.books(), "");
}

#[test]
fn a_removed_license_that_comes_back_keeps_its_running_seats() {
    let mut office = Office::with_license(2, "");
    office.granted(1, want(1, "eva", "cad"));
    office.done_by_admin(Command::RemoveLicense { license: name("L1") });
    let other = license_file("L1", "cad", "2026", 30, "");
    assert!(matches!(refusal(add(&mut office, &other)), Refusal::Conflict(_)));
    office.add_license("L1", "cad", "2026", 2, "");
    assert_eq!(office.books(), "L1: 1/2");
}

#[test]
fn a_vendor_cannot_sign_anothers_products() {
    let mut office = Office::open();
    office.done_by_admin(trust("acme", VENDOR, &["cad"]));
    for prefixes in [&["ca"][..], &["cad"], &["cad-pro"], &["paint", "cad-pro"]] {
        assert!(
            matches!(refusal(office.by_admin(trust("evil", 50, prefixes))), Refusal::Conflict(_)),
            "{prefixes:?}"
        );
    }
    office.done_by_admin(trust("painter", 50, &["paint"]));
    assert!(matches!(refusal(office.by_admin(trust("acme", VENDOR, &["paint-pro"]))), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.by_admin(trust("acme 2", VENDOR, &["cad"]))), Refusal::Conflict(_)));
    assert!(matches!(refusal(office.by_admin(trust("acme", VENDOR, &[]))), Refusal::Invalid(_)));
    office.done_by_admin(trust("acme", VENDOR, &["cad", "bim"]));
    assert_eq!(office.ledger.vendors().len(), 2);
    let acme = office.ledger.vendors().find(|(key, _)| **key == public(VENDOR)).unwrap().1;
    assert_eq!(acme.prefixes, [product("cad"), product("bim")]);
}
