//! Borrowed seats: used with the cable out, given back from somewhere else.

use serde_json::Value;

use crate::host::Host;
use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, TTL_S, checkout, checkout_soon};
use crate::program::Program;
use crate::wait::{Watch, measured, stays, wait_until};

/// The pool of [`CAD`] as `host` sees it: online, borrowed, offline, free.
fn pool(host: &Host) -> Option<[u64; 4]> {
    let status: Value = serde_json::from_str(&host.cli(&["--json", "status"]).out).ok()?;
    let pool = status["pools"].get(0)?;
    Some(["online", "borrowed", "offline", "free"].map(|field| pool[field].as_u64().unwrap_or(99)))
}

#[test]
fn a_laptop_borrows_leaves_works_alone_and_returns() {
    let Some(lan) = Lan::new(5) else { return };
    let office = Office::of(&lan);
    let laptop = *office.without(office.holder()).last().expect("a host");
    let others: Vec<&Host> = lan.hosts().iter().filter(|host| host.number != laptop.number).collect();

    // The running seat becomes the borrowed one; the program notices nothing.
    let program = Program::start(laptop, CAD);
    let seat = program.seat().expect("a seat");
    let borrow = laptop.json(&["borrow", CAD, "--for", "7d"]);
    assert_eq!(borrow["seat"].as_str(), Some(seat.as_str()), "converted in place");
    assert_eq!(pool(others[0]), Some([0, 1, 0, 2]));

    lan.cut(laptop);
    stays("the program keeps its borrowed seat", 2 * TTL_S, || !program.lost());
    program.end();
    wait_until("others see it offline", 20, || (pool(others[0])? == [0, 1, 1, 2]).then_some(()));

    // With no network, after a restart of the agent.
    laptop.kill();
    laptop.start(&[]);
    let watch = Watch::start();
    let run = laptop.cli(&["run", CAD, "--", "true"]);
    assert_eq!(run.code, 0, "{run:?}");
    measured("a run on the borrowed seat, process and all", watch);
    let program = Program::start(laptop, CAD);
    assert_eq!(program.seat().as_deref(), Some(seat.as_str()));
    let used = laptop.cli(&["return", CAD]);
    assert!(used.code != 0 && used.err.contains("end it first"), "{used:?}");

    // Meanwhile the office goes on, with another holder: two seats and not one more.
    let mut programs: Vec<Program> = others[..2].iter().map(|host| Program::start(host, CAD)).collect();
    let holder = office.holder();
    holder.kill();
    let rest: Vec<&Host> = others.iter().copied().filter(|host| host.number != holder.number).collect();
    let third = *rest.last().expect("a host");
    wait_until("somebody else holds", 30, || {
        let done = checkout(third, CAD);
        (done.code == NO_SEAT).then_some(())
    });

    // Back on another address, and given back while a program of its own still runs: refused; then not.
    lan.heal(laptop);
    lan.change_address(laptop);
    program.end();
    let returned = wait_until("the laptop sees the site", 30, || {
        let seen = pool(laptop).is_some_and(|[_, borrowed, ..]| borrowed == 1);
        seen.then(|| laptop.json(&["return", CAD]))
    });
    assert_eq!(returned["pending"].as_bool(), Some(false), "{returned}");
    let watch = Watch::start();
    checkout_soon(third, 5);
    measured("a third host has the returned seat", watch);
    programs.iter_mut().for_each(|program| assert!(program.ended().is_none()));
    assert_eq!(laptop.json(&["borrow", "--list"])["borrows"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_return_without_the_site_is_sent_when_it_is_seen() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let laptop = *office.without(office.holder()).last().expect("a host");
    let other = office.holder();
    laptop.ok(&["borrow", CAD, "--for", "1d"]);
    let refused = laptop.cli(&["borrow", CAD, "--for", "31d"]);
    assert!(refused.code == 65 && refused.err.contains("30 days at most"), "{refused:?}");
    assert_eq!(laptop.cli(&["borrow", CAD]).code, 2);
    lan.cut(laptop);
    let returned = laptop.json(&["return", CAD]);
    assert_eq!(returned["pending"].as_bool(), Some(true), "{returned}");
    // Retired is retired: it cannot be used any more, by a restarted agent neither.
    laptop.kill();
    laptop.start(&[]);
    assert_eq!(checkout(laptop, CAD).code, 69);
    assert_eq!(laptop.json(&["borrow", "--list"])["returning"].as_array().map(Vec::len), Some(1));
    assert_eq!(pool(other), Some([0, 1, 1, 2]));
    lan.heal(laptop);
    wait_until("the site has it back", 60, || (pool(other)? == [0, 0, 0, 3]).then_some(()));
    wait_until("the laptop knows", 20, || {
        laptop.json(&["borrow", "--list"])["returning"].as_array()?.is_empty().then_some(())
    });
}

#[test]
fn a_lost_laptop_gets_nothing_and_is_told() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let laptop = *office.without(office.holder()).last().expect("a host");
    laptop.ok(&["borrow", CAD, "--for", "1d", "--renew"]);
    let told = office.signed(&["device", "lost", &laptop.name]);
    assert!(told.contains("at the end of the borrow"), "{told}");
    wait_until("the laptop is told", 20, || laptop.ok(&["status"]).contains("[device-lost]").then_some(()));
    laptop.ok(&["return", CAD]);
    let refused = checkout(laptop, CAD);
    assert!(refused.code == 77 && refused.err.contains("reported as lost"), "{refused:?}");
    office.signed(&["device", "lost", &laptop.name, "--found"]);
    assert_eq!(checkout(laptop, CAD).code, 0);
}
