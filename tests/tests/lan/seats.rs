//! Seats, refusals, and programs that outlive their agent.

use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, checkout, checkout_soon};
use crate::program::Program;
use crate::wait::{stays, wait_until};

#[test]
fn every_host_gets_seats_and_the_fourth_is_told_who_has_them() {
    let Some(lan) = Lan::new(5) else { return };
    let office = Office::of(&lan);
    for host in lan.hosts() {
        assert_eq!(checkout(host, CAD).code, 0, "on {}", host.name);
    }
    let mut programs: Vec<Program> = (3..=5).map(|host| Program::start(lan.host(host), CAD)).collect();
    for host in [lan.host(1), lan.host(2)] {
        let refused = checkout(host, CAD);
        assert_eq!(refused.code, NO_SEAT, "{refused:?}");
        assert!(refused.err.starts_with("seatkeeper:"), "{}", refused.err);
        for owner in ["h3", "h4", "h5"] {
            assert!(refused.err.contains(owner), "{owner} is not named: {}", refused.err);
        }
    }
    // A second start by the same user on the same machine shares its seat.
    assert_eq!(checkout(lan.host(3), CAD).code, 0);
    assert_eq!(office.seats().expect("seats").len(), 3);

    programs.remove(0).end();
    office.signed(&["limits", "set", CAD, "--device", "h2", "--seats", "0"]);
    let excluded = checkout(lan.host(2), CAD);
    assert!(excluded.code == 77 && excluded.err.contains("excludes"), "{excluded:?}");
    checkout_soon(lan.host(1), 10);
    // Taken away by an admin: the user is told by whom.
    office.signed(&["seats", "release", &programs[0].seat().expect("a seat")]);
    wait_until("the user is told who took the seat", 20, || {
        programs[0].output().contains("took the seat back").then_some(())
    });
    assert!(programs[0].lost());
    drop(programs);
    wait_until("killed programs' seats are free", 20, || office.seats()?.is_empty().then_some(()));
}

#[test]
fn a_running_program_keeps_its_seat_over_a_restart_of_the_agent() {
    let Some(lan) = Lan::new(4) else { return };
    // A program that hears nothing from its agent takes the last ping for 12 s old: with the shortest ttl it would
    // hear that its seat is lost whenever the agent takes a second to start.
    let ttl_s = 30;
    let office = Office::with_ttl(&lan, ttl_s);
    let host = *office.without(office.holder()).last().expect("a host");
    let program = Program::start(host, CAD);
    let seat = program.seat().expect("a seat");
    let keeps_seat = |for_s| {
        stays("the program keeps its seat", for_s, || {
            !program.lost() && office.seats().is_none_or(|seats| seats.contains(&seat))
        });
        assert_eq!(office.seats().expect("seats"), [seat.as_str()]);
    };
    assert!(host.stop().success(), "a stopped agent ends well");
    host.start(&[]);
    keeps_seat(5);
    host.kill();
    host.start(&[]);
    keeps_seat(ttl_s + 5);
    program.end();
    wait_until("the seat is free", 10, || office.seats()?.is_empty().then_some(()));
}
