//! The holder goes: killed, cut off, or properly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, TTL_S, checkout, never_more_than};
use crate::program::Program;
use crate::wait::{Watch, measured, stays, wait_until};

#[test]
fn the_holder_is_killed() {
    // The sixth is a spare, which does not take part in the election.
    let Some(lan) = Lan::new(6) else { return };
    let office = Office::of(&lan);
    let (holder, voter) = (office.holder(), office.with_role("voter")[0]);
    let spare = office.with_role("spare")[0];
    let programs = [Program::start(voter, CAD), Program::start(spare, CAD)];
    let seats: Vec<String> = programs.iter().filter_map(Program::seat).collect();

    holder.kill();
    let watch = Watch::start();
    std::thread::scope(|scope| {
        for (host, what) in [(voter, "a voter"), (spare, "a spare")] {
            scope.spawn(move || {
                // It shares the program's seat, and must ask the new holder all the same.
                let done = checkout(host, CAD);
                assert_eq!(done.code, 0, "the first checkout after the holder died, on {what}: {done:?}");
                measured(&format!("the first checkout after the holder died, on {what}"), watch);
            });
        }
    });
    assert!(watch.elapsed() < Duration::from_secs(5), "slow: {:?}", watch.elapsed());
    let standby =
        office.without(holder).into_iter().find(|host| ![voter.number, spare.number].contains(&host.number));
    assert_eq!(checkout(standby.expect("a host"), CAD).code, 0);

    stays("the running programs keep their seats", TTL_S + 5, || programs.iter().all(|p| !p.lost()));
    let listed = office.seats().expect("seats");
    assert!(seats.iter().all(|seat| listed.contains(seat)), "{seats:?} became {listed:?}");

    holder.start(&[]);
    office.settle();
}

#[test]
fn the_holder_is_cut_off_and_heals() {
    let Some(lan) = Lan::new(5) else { return };
    let office = Office::of(&lan);
    let cut_off = office.holder();
    let others = office.without(cut_off);
    let mut programs =
        vec![Program::start(cut_off, CAD), Program::start(others[0], CAD), Program::start(others[1], CAD)];
    lan.cut(cut_off);
    let watch = Watch::start();
    wait_until("the others elect another holder", 10, || {
        let holder = others[2].status("/holder/name")?;
        (holder != cut_off.name).then_some(())
    });
    measured("another holder", watch);

    let mut lost_at = None;
    wait_until("the seat of the machine that is cut off is free", 2 * TTL_S + 20, || {
        let done = checkout(others[2], CAD);
        if lost_at.is_none() && programs[0].lost() {
            lost_at = Some(watch.elapsed());
        }
        if done.code == 0 {
            assert!(
                lost_at.is_some(),
                "given away while its program still used it: {}",
                programs[0].output()
            );
            return Some(());
        }
        assert_eq!(done.code, NO_SEAT, "{done:?}");
        never_more_than(3, &mut programs);
        // The machine that is cut off has nothing to give.
        None
    });
    measured("the seat is free for others", watch);
    let lost_at = lost_at.expect("it was told").as_secs_f32();
    // To the lease's end, counted from the last answered ping, up to 5 s before the cut, less the safety margin of
    // 2 s and 1 %; and a second for the looking.
    assert!((6.5..16.0).contains(&lost_at), "lost after {lost_at:.1} s");
    assert!(programs[1..].iter().all(|program| !program.lost()), "the others were disturbed");

    // The seat goes to somebody else, and the old program gets it neither while cut off nor after the healing.
    programs.push(Program::start(others[2], CAD));
    assert_ne!(checkout(cut_off, CAD).code, 0, "a machine that is cut off gave itself a seat");
    lan.heal(cut_off);
    let healed = Watch::start();
    let holder = wait_until("a holder among the others", 10, || others[2].status("/holder/name"));
    wait_until("the old holder follows the new one", 60, || {
        never_more_than(3, &mut programs);
        (cut_off.status("/holder/name")? == holder && cut_off.status("/me/role")? != "holder").then_some(())
    });
    measured("the old holder follows the new one", healed);
    office.settle();
    never_more_than(3, &mut programs);
    assert_eq!(checkout(cut_off, CAD).code, NO_SEAT);
    let last = programs.pop().expect("a program");
    last.end();
    wait_until("the old program regains a seat", 30, || (!programs[0].lost()).then_some(()));
    never_more_than(3, &mut programs);
}

#[test]
fn a_host_that_is_cut_off_for_a_moment_notices_nothing() {
    let Some(lan) = Lan::new(3) else { return };
    let office = Office::of(&lan);
    let host = office.without(office.holder())[0];
    let program = Program::start(host, CAD);
    let seat = program.seat().expect("a seat");
    lan.cut(host);
    stays("the program keeps its seat", 4, || !program.lost());
    lan.heal(host);
    stays("the program keeps its seat", TTL_S + 5, || !program.lost());
    assert_eq!(office.seats().expect("seats"), [seat]);
}

#[test]
fn the_holder_leaves_and_nobody_is_refused() {
    let Some(lan) = Lan::new(5) else { return };
    let office = Office::of(&lan);
    // Twice: the second time with one machine fewer.
    for _ in 0..2 {
        let here: Vec<_> =
            office.hosts.iter().copied().filter(|host| host.status("/me/role").is_some()).collect();
        let leaver = office.holder();
        let stayers: Vec<_> = here.into_iter().filter(|host| host.number != leaver.number).take(2).collect();
        let stop = AtomicBool::new(false);
        let (done, stopping) = std::thread::scope(|scope| {
            let loops: Vec<_> = stayers
                .iter()
                .map(|host| {
                    scope.spawn(|| {
                        let (mut count, mut slowest) = (0, Duration::ZERO);
                        while !stop.load(Ordering::Relaxed) {
                            let watch = Watch::start();
                            let done = checkout(host, CAD);
                            assert_eq!(done.code, 0, "refused on {} after {count}: {done:?}", host.name);
                            slowest = slowest.max(watch.elapsed());
                            count += 1;
                        }
                        (count, slowest)
                    })
                })
                .collect();
            let pause = || stays("checkouts go on", 2, || loops.iter().all(|one| !one.is_finished()));
            let leave = || {
                pause();
                let watch = Watch::start();
                let status = leaver.stop();
                assert!(status.success(), "{status}");
                let stopping = watch.elapsed();
                pause();
                stopping
            };
            let stopping = std::panic::catch_unwind(std::panic::AssertUnwindSafe(leave));
            stop.store(true, Ordering::Relaxed);
            let done: Vec<_> = loops.into_iter().map(|one| one.join().expect("no checkout fails")).collect();
            (done, stopping.expect("the holder leaves"))
        });
        tell(&leaver.name, &done, stopping);
        assert!(stopping < Duration::from_secs(5), "leaving took {stopping:?}");
    }
}

#[allow(clippy::print_stdout, reason = "a test's output")]
fn tell(leaver: &str, done: &[(u32, Duration)], stopping: Duration) {
    println!("measured: {leaver} left in {stopping:.2?}; meanwhile checkouts and the slowest: {done:.2?}");
}
