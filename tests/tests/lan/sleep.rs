//! Machines that are told before they sleep.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seatkeeper_client::{Client, SeatRequest};

use crate::host::Host;
use crate::lan::Lan;
use crate::logind::Logind;
use crate::office::{CAD, NO_SEAT, Office, TTL_S, checkout, never_more_than};
use crate::program::Program;
use crate::wait::{Watch, measured, stays, time_of_day, wait_until};

const HOLDS: &str = "this machine is the holder now";

struct Sleepers<'a> {
    office: Office<'a>,
    logind: &'a [Logind],
}

impl<'a> Sleepers<'a> {
    #[track_caller]
    fn of(lan: &'a Lan, logind: &'a [Logind]) -> Self {
        let office = Office::of(lan);
        logind.iter().for_each(Logind::await_lock);
        Self { office, logind }
    }

    fn logind(&self, host: &Host) -> &'a Logind {
        &self.logind[usize::from(host.number) - 1]
    }

    /// Tells the host that it sleeps, and lets it as soon as its agent does.
    #[track_caller]
    fn sleeps(&self, host: &Host) {
        self.logind(host).prepare("PrepareForSleep", true);
        self.logind(host).await_release();
        host.stand_still(true);
    }

    /// The host is awake again.
    #[track_caller]
    fn wakes(&self, host: &Host) {
        host.stand_still(false);
        self.logind(host).prepare("PrepareForSleep", false);
    }

    /// Seats in use, as somebody says who does not sleep.
    #[track_caller]
    fn seats_in_use(&self, awake: &Host) -> usize {
        awake.json(&["seats"])["seats"].as_array().expect("a list of seats").len()
    }
}

/// When an agent began to hold last, seconds of the day.
fn held_since(host: &Host) -> Option<f64> {
    let log = host.log();
    let line = log.lines().rfind(|line| line.contains(HOLDS))?;
    let (_, time) = line.split_once('T')?;
    let [hours, minutes, seconds] = time.split('Z').next()?.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let number = |text: &str| text.parse::<f64>().ok();
    Some(number(hours)? * 3_600.0 + number(minutes)? * 60.0 + number(seconds)?)
}

/// Takes seats and gives them back until told to stop; the longest time that a take or a return took.
fn longest_wait(host: &Host, stop: &AtomicBool) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = Client::with_socket(host.file("agent.sock"));
    runtime.block_on(async {
        let mut longest = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            let watch = Watch::start();
            let seat = client.take_seat(&SeatRequest::product(CAD)).await.expect("a seat");
            let taken = watch.elapsed();
            client.give_back(&seat.granted().session).await.expect("it goes back");
            longest = longest.max(taken).max(watch.elapsed() - taken);
        }
        longest
    })
}

#[test]
fn the_holder_hands_over_before_it_sleeps_and_its_program_goes_on_when_it_wakes() {
    let Some(lan) = Lan::new(5) else { return };
    let Some(logind) = Logind::on(lan.hosts()) else { return };
    let sleepers = Sleepers::of(&lan, &logind);
    let office = &sleepers.office;
    let sleeper = office.holder();
    let others = office.without(sleeper);
    let program = Program::start(sleeper, CAD);

    let (began, stop) = (time_of_day(), AtomicBool::new(false));
    let (gap, released) = std::thread::scope(|scope| {
        let checkouts = scope.spawn(|| longest_wait(others[0], &stop));
        sleepers.sleeps(sleeper);
        let released = time_of_day();
        stop.store(true, Ordering::Relaxed);
        (checkouts.join().expect("no checkout failed"), released)
    });
    let successor = others.iter().filter_map(|host| held_since(host)).find(|at| *at > began);
    let successor = successor.expect("another machine holds");
    // Looked for all the time, so that it was closed a moment ago: had it not been for the handover, long before.
    assert!(successor < released, "the lock was closed {:.3} s before somebody held", successor - released);
    println(&format!(
        "measured: told to sleep, another holds after {:.0} ms, let sleep after {:.0} ms; nobody else waited longer than {} ms",
        (successor - began) * 1e3,
        (released - began) * 1e3,
        gap.as_millis()
    ));
    program.stand_still(true);

    // Long enough that its seat is somebody else's to take, which nobody does.
    wait_until("the sleeper's seat is back", TTL_S + 15, || {
        (sleepers.seats_in_use(others[0]) == 0).then_some(())
    });
    let holds_before = sleeper.log().matches(HOLDS).count();
    program.stand_still(false);
    sleepers.wakes(sleeper);
    let watch = Watch::start();
    wait_until("its seat is in use again", 20, || (sleepers.seats_in_use(others[0]) == 1).then_some(()));
    measured("awake, the seat is used again", watch);
    sleepers.logind(sleeper).await_lock();
    stays("the program keeps its seat", TTL_S, || !program.output().contains("the seat is lost"));
    assert_eq!(
        sleeper.log().matches(HOLDS).count(),
        holds_before,
        "it served again by what it was before its sleep"
    );
    program.end();
    office.settle();
}

#[test]
fn a_seat_that_somebody_took_meanwhile_is_lost_and_the_user_is_told() {
    let Some(lan) = Lan::new(4) else { return };
    let Some(logind) = Logind::on(lan.hosts()) else { return };
    let sleepers = Sleepers::of(&lan, &logind);
    let office = &sleepers.office;
    let sleeper = office.holder();
    let others = office.without(sleeper);
    let mut programs = vec![Program::start(sleeper, CAD)];
    sleepers.sleeps(sleeper);
    programs[0].stand_still(true);
    programs.extend(others[..2].iter().map(|host| Program::start(host, CAD)));
    // Not a moment before its ttl is over.
    assert_eq!(checkout(others[2], CAD).code, NO_SEAT);
    programs.push(Program::try_start(others[2], CAD));
    wait_until("somebody else has the seat", TTL_S + 15, || {
        if programs[3].ended().is_some() {
            programs[3] = Program::try_start(others[2], CAD);
        }
        programs[3].seat()
    });
    programs[0].stand_still(false);
    sleepers.wakes(sleeper);
    let watch = Watch::start();
    wait_until("the program hears that its seat is lost", 20, || programs[0].lost().then_some(()));
    measured("awake, the program hears that its seat is lost", watch);
    let told = programs[0].output();
    assert!(told.contains("this machine slept past the seat's ttl"), "{told}");
    stays("three seats are used", TTL_S, || {
        never_more_than(3, &mut programs);
        programs[1..].iter().all(|program| !program.lost())
    });
    // It is regained as soon as one is free.
    programs.remove(1).end();
    wait_until("the seat is regained", 30, || (!programs[0].lost()).then_some(()));
}

#[test]
fn a_machine_that_does_not_sleep_after_all_takes_part_again() {
    let Some(lan) = Lan::new(5) else { return };
    let Some(logind) = Logind::on(lan.hosts()) else { return };
    let sleepers = Sleepers::of(&lan, &logind);
    let office = &sleepers.office;
    // In every role.
    for role in ["holder", "voter", "standby"] {
        let host = office.with_role(role)[0];
        let logind = sleepers.logind(host);
        let program = Program::start(host, CAD);
        logind.prepare("PrepareForSleep", true);
        logind.await_release();
        logind.prepare("PrepareForSleep", false);
        logind.await_lock();
        assert!(!program.lost(), "{}", program.output());
        program.end();
        assert_eq!(checkout(host, CAD).code, 0);
        office.settle();
    }
    // Both words at once: the second one is what counts.
    let holder = office.holder();
    let logind = sleepers.logind(holder);
    logind.prepare("PrepareForSleep", true);
    logind.prepare("PrepareForSleep", false);
    logind.await_lock();
    office.settle();
    for host in &office.hosts {
        assert_eq!(checkout(host, CAD).code, 0, "on {}", host.name);
    }
}

#[test]
fn who_has_handed_over_for_a_shutdown_stops_without_doing_it_again() {
    let Some(lan) = Lan::new(4) else { return };
    let Some(logind) = Logind::on(lan.hosts()) else { return };
    let sleepers = Sleepers::of(&lan, &logind);
    let office = &sleepers.office;
    let holder = office.holder();
    sleepers.logind(holder).prepare("PrepareForShutdown", true);
    sleepers.logind(holder).await_release();
    let successor = wait_until("another holder", 5, || {
        office.with_role("holder").first().copied().filter(|host| host.number != holder.number)
    });
    assert!(holder.stop().success());
    assert_eq!(holder.log().matches("left outcome=").count(), 1, "{}", holder.log());
    assert_eq!(checkout(successor, CAD).code, 0);
}

#[allow(clippy::print_stdout, reason = "a test's output")]
fn println(line: &str) {
    println!("{line}");
}
