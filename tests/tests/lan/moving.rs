//! Laptops and new addresses.

use crate::host::Host;
use crate::lan::Lan;
use crate::office::{CAD, Office, TTL_S, checkout, checkout_soon};
use crate::program::Program;
use crate::wait::{Watch, measured, stays};

#[test]
fn a_machine_with_a_new_address_keeps_its_seat() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let host = *office.without(office.holder()).last().expect("a host");
    keeps_seat(&office, host, || lan.change_address(host));
}

#[test]
fn a_laptop_taken_from_its_dock_keeps_its_seat() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let host = *office.without(office.holder()).last().expect("a host");
    keeps_seat(&office, host, || lan.undock(host));
}

#[test]
fn the_holder_gets_a_new_address() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let holder = office.holder();
    lan.change_address(holder);
    let watch = Watch::start();
    for host in office.without(holder) {
        checkout_soon(host, 60);
        measured(&format!("a seat on {}", host.name), watch);
    }
    office.settle();
}

#[test]
fn a_holder_is_found_at_an_address_that_was_not_heard_of() {
    let Some(lan) = Lan::new(6) else { return };
    lan.hosts().iter().for_each(|host| lan.without_ipv6(host));
    let office = Office::of(&lan);
    let (holder, spares) = (office.holder(), office.with_role("spare"));
    let others = office.without(holder);
    others.iter().for_each(|host| lan.multicast(host, false));
    lan.change_address(holder);
    let watch = Watch::start();
    // Log holders see it by the connections that the holder makes to them, a spare asks for it.
    let (spares, keepers): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|host| spares.iter().any(|spare| spare.number == host.number));
    assert!(!spares.is_empty() && !keepers.is_empty());
    for host in keepers.into_iter().chain(spares) {
        checkout_soon(host, 60);
        measured(&format!("a seat on {}", host.name), watch);
    }
}

#[test]
fn an_office_with_ipv6_alone() {
    of_one_family(true);
}

#[test]
fn an_office_with_ipv4_alone() {
    of_one_family(false);
}

fn of_one_family(ipv6: bool) {
    let Some(lan) = Lan::new(4) else { return };
    lan.hosts().iter().for_each(|host| lan.only(host, ipv6));
    let office = Office::of(&lan);
    let holder = office.holder();
    lan.power_off(holder);
    for host in office.without(holder) {
        checkout_soon(host, 20);
    }
}

/// A program on `host` keeps its seat over the change, well past its ttl, and new ones are to be had.
#[track_caller]
fn keeps_seat(office: &Office<'_>, host: &Host, change: impl FnOnce()) {
    let program = Program::start(host, CAD);
    let seat = program.seat().expect("a seat");
    change();
    let watch = Watch::start();
    stays("the program keeps its seat", 2 * TTL_S, || !program.lost());
    assert_eq!(office.seats().expect("seats"), [seat], "another seat than before the change");
    let done = checkout(host, CAD);
    assert_eq!(done.code, 0, "{done:?}");
    measured("the seat is kept", watch);
}
