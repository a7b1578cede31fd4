//! Licenses that replace others.

use super::admission::check;
use super::office::{DAY_MS, Office, START, license_file, name, refusal, trust, want};
use crate::LicenseState;
use crate::command::{Command, Outcome};

const OLD: (&str, &str, u32, &str) = ("old", "2026", 2, "valid_until = 2026-03-31");

#[test]
fn a_renewal_neither_doubles_nor_leaves_a_gap() {
    check(
        &[OLD, ("new", "2026", 3, "valid_from = 2026-03-02\nreplaces = [\"old\"]")],
        "eva cad: old
         max cad: old
         kim cad: full
         books new: 0/0, old: 2/2
         day 1
         books new: 2/3, old: 0/0
         kim cad: new
         ida cad: full
         back eva
         books new: 2/3, old: 0/0
         ida cad: new
         back max
         back kim
         back ida
         books new: 0/3, old: 0/0
         eva cad: new",
    );
}

#[test]
fn a_renewal_of_fewer_seats_is_repaid_by_returns() {
    check(
        &[
            OLD,
            ("new", "2026", 1, "valid_from = 2026-03-02\nreplaces = [\"old\"]"),
            ("x", "2026", 1, "features = [\"x\"]"),
        ],
        "eva cad: old
         max cad: old
         day 1
         books new: 2/1 over 1, old: 0/0, x: 0/1
         kim cad+x: x
         ida cad: full
         back eva
         ida cad: full
         back max
         ida cad: new",
    );
    // A seat there may move and so make room, as from any full license; the over-commitment stays what it is.
    check(
        &[
            ("old", "2026", 2, "features = [\"x\"]"),
            ("new", "2026", 1, "features = [\"x\"]\nvalid_from = 2026-03-02\nreplaces = [\"old\"]"),
            ("std", "2026", 1, "valid_from = 2026-03-02"),
        ],
        "eva cad: old
         max cad: old
         day 1
         kim cad+x: new
         books new: 2/1 over 1, old: 0/0, std: 1/1
         ida cad+x: full",
    );
}

#[test]
fn who_runs_what_the_renewal_does_not_cover_takes_up_its_place_too() {
    check(
        &[("old", "2025", 1, ""), ("new", "2026", 1, "valid_from = 2026-03-02\nreplaces = [\"old\"]")],
        "eva cad@2025: old
         day 1
         books new: 1/1, old: 0/0
         max cad@2026: full
         max cad@2025: not licensed
         back eva
         max cad@2026: new",
    );
}

#[test]
fn a_further_start_takes_the_seat_along_to_the_renewal() {
    check(
        &[OLD, ("new", "2026", 1, "valid_from = 2026-03-02\nreplaces = [\"old\"]")],
        "eva cad: old
         max cad: old
         day 1
         eva cad: new shared
         books new: 2/1 over 1, old: 0/0
         back max
         books new: 1/1, old: 0/0",
    );
}

#[test]
fn renewals_of_renewals() {
    check(
        &[
            ("a", "2026", 1, ""),
            ("b", "2026", 1, "valid_from = 2026-03-02\nreplaces = [\"a\"]"),
            ("c", "2026", 2, "valid_from = 2026-03-03\nreplaces = [\"a\", \"b\"]"),
        ],
        "eva cad: a
         max cad: full
         day 1
         books a: 0/0, b: 1/1, c: 0/0
         max cad: full
         day 2
         books a: 0/0, b: 0/0, c: 1/2
         max cad: c
         kim cad: full
         back eva
         kim cad: c
         books a: 0/0, b: 0/0, c: 2/2
         day 1
         books a: 0/0, b: 0/1, c: 2/0 over 2",
    );
}

#[test]
fn removing_the_renewal_brings_the_old_license_back_its_end_does_not() {
    let licenses = [
        ("old", "2026", 1, ""),
        ("new", "2026", 2, "valid_from = 2026-03-02\nvalid_until = 2026-03-02\nreplaces = [\"old\"]"),
    ];
    check(
        &licenses,
        "day 1
         eva cad: new
         remove new
         books new: 1/0 over 1, old: 0/1
         max cad: old",
    );
    check(
        &licenses,
        "eva cad: old
         day 3
         end new
         books new: 1/0 over 1, old: 0/0
         max cad: not licensed",
    );
}

#[test]
fn a_removed_license_that_was_replaced_goes_with_its_last_seat() {
    check(
        &[OLD, ("new", "2026", 3, "valid_from = 2026-03-02\nreplaces = [\"old\"]")],
        "eva cad: old
         max cad: old
         day 1
         remove old
         books new: 2/3, old: 0/0
         back eva
         max cad: new shared
         books new: 1/3",
    );
}

#[test]
fn a_replaced_license_is_listed_as_such() {
    let mut office = Office::with_license(1, "");
    office.add_license(
        "L2",
        "cad",
        "2026",
        1,
        "valid_from = 2026-03-02\nreplaces = [\"L1\", \"never-here\"]",
    );
    let state =
        |office: &Office| office.ledger.license_state(&name("L1"), office.time).map(LicenseState::as_str);
    assert_eq!(state(&office), Some("active"));
    office.time = START.plus_ms(DAY_MS);
    assert_eq!(state(&office), Some("replaced"));
    office.add_license("L1", "cad", "2026", 1, "");
    office.restart_twin();
    assert!(
        matches!(office.checkout(1, want(1, "eva", "cad")), Outcome::Granted(grant) if grant.license == name("L2"))
    );
}

/// Adds licenses (id, further lines) on 2026-03-01 and checks what is said to the last one; `None`: it is added.
#[track_caller]
fn check_last(licenses: &[(&str, &str)], says: Option<&str>) {
    let mut office = Office::open();
    let (last, before) = licenses.split_last().unwrap();
    before.iter().for_each(|(id, more)| office.add_license(id, "cad", "2026", 1, more));
    let text = license_file(last.0, "cad", "2026", 1, last.1);
    let outcome = office.by_admin(Command::AddLicense { text });
    match says {
        None => assert_eq!(outcome, Outcome::Done),
        Some(says) => {
            let said = refusal(outcome).to_string();
            assert!(said.contains(says), "{said:?} does not say {says:?}");
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let (by_b, later) = ("replaces = [\"b\"]", "valid_from = 2026-03-02\nreplaces = [\"a\"]");
    check_last(
        &[("b", "replaces = [\"a\"]"), ("a", "")],
        Some("a is replaced by b, which is here and has begun"),
    );
    check_last(&[("b", later), ("a", "")], None);
    check_last(&[("b", later), ("a", by_b)], Some("replaces b, which is here and in turn replaces a"));
    check_last(
        &[("b", later), ("c", by_b), ("a", "replaces = [\"c\"]")],
        Some("replaces b, which is here and in turn replaces a"),
    );
    check_last(
        &[("a", ""), ("b", later), ("c", "replaces = [\"a\"]")],
        Some("a would be replaced by both b and c"),
    );
    check_last(&[("b", later), ("c", later), ("a", "")], Some("a would be replaced by both b and c"));
    check_last(&[("a", ""), ("b", later), ("c", "replaces = [\"a\", \"b\"]")], None);
    check_last(&[("a", ""), ("c", "valid_from = 2026-03-02\nreplaces = [\"a\", \"b\"]"), ("b", later)], None);
}

#[test]
fn only_licenses_of_the_same_vendor_and_product_are_replaced() {
    let mut office = Office::open();
    office.done_by_admin(trust("acme", super::office::VENDOR, &["cad", "bim"]));
    office.add_license("L1", "cad", "2026", 1, "");
    let text = license_file("L2", "bim", "2026", 1, "replaces = [\"L1\"]");
    let said = refusal(office.by_admin(Command::AddLicense { text })).to_string();
    assert!(said.contains("replaces L1, which is a license of acme for cad here"), "{said}");
    // The id alone is not enough when the other one comes later.
    office.add_license("L4", "bim", "2026", 1, "replaces = [\"L3\"]");
    office.add_license("L3", "cad", "2026", 1, "");
    assert_eq!(office.books(), "L1: 0/1, L3: 0/1, L4: 0/1");
}
