//! Power failures.

use crate::host::Host;
use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, TTL_S, checkout, checkout_soon, never_more_than};
use crate::program::Program;
use crate::wait::{Watch, measured, wait_until};

#[test]
fn all_powered_off_and_any_majority_comes_back() {
    let Some(lan) = Lan::new(5) else { return };
    let office = Office::of(&lan);
    let mut voters = office.with_role("voter");
    voters.push(office.holder());
    assert_eq!(voters.len(), 3);
    let (a, b, c) = (voters[0], voters[1], voters[2]);
    office.hosts.iter().for_each(|host| lan.power_off(host));
    for majority in [[a, b], [b, c], [c, a]] {
        power_on(&lan, &majority);
        let watch = Watch::start();
        for host in majority {
            checkout_soon(host, 20);
        }
        measured(&format!("seats on {} and {}, all others off", majority[0].name, majority[1].name), watch);
        majority.iter().for_each(|host| lan.power_off(host));
    }
    // One voter alone must not.
    power_on(&lan, &[a]);
    assert_ne!(checkout(a, CAD).code, 0, "a minority gave away a seat");
    let rest: Vec<&Host> = office.without(a);
    power_on(&lan, &rest);
    office.settle();
    for host in &office.hosts {
        assert_eq!(checkout(host, CAD).code, 0, "on {}", host.name);
    }
}

fn power_on(lan: &Lan, hosts: &[&Host]) {
    std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(|| lan.power_on(host));
        }
    });
}

#[test]
fn the_seat_of_a_powered_off_machine_is_back_after_its_ttl() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let holder = office.holder();
    let others = office.without(holder);
    let mut programs: Vec<Program> =
        [holder, others[0], others[1]].map(|host| Program::start(host, CAD)).into_iter().collect();
    lan.power_off(others[0]);
    let watch = Watch::start();
    // The agent cannot give it back any more.
    programs.remove(1);
    let refused = checkout(others[2], CAD);
    assert_eq!(refused.code, NO_SEAT, "{refused:?}");
    assert!(refused.err.contains(&others[0].name), "{}", refused.err);
    wait_until("the seat is back", TTL_S + 15, || {
        never_more_than(3, &mut programs);
        (checkout(others[2], CAD).code == 0).then_some(())
    });
    measured("the seat of the powered-off machine is back", watch);
    // Its last ping was up to 5 s before the power went.
    assert!(watch.elapsed().as_secs() >= TTL_S - 6, "given away early, after {:?}", watch.elapsed());
    assert!(programs.iter().all(|program| !program.lost()));
    lan.power_on(others[0]);
    checkout_soon(others[0], 20);
}
