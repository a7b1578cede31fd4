//! Most voters are lost for good: one of the others goes on.

use std::path::Path;

use serde_json::Value;

use crate::host::{Done, Host};
use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, TTL_S, checkout, checkout_soon, never_more_than, start};
use crate::program::Program;
use crate::wait::{Watch, measured, wait_until};

/// A product whose seats may be borrowed.
const VIEW: &str = "example-view";
const BAD_INPUT: i32 = 65;

fn plan(host: &Host) -> Value {
    host.json(&["site", "recover", "--plan"])
}

fn recover(host: &Host, code: &Path) -> Done {
    host.cli(&["site", "recover", "--yes", "--code-file", code.to_str().expect("a plain path")])
}

fn generation(host: &Host) -> Option<u64> {
    let status: Value = serde_json::from_str(&host.cli(&["--json", "status"]).out).ok()?;
    status.pointer("/site/generation")?.as_u64()
}

#[test]
fn two_of_three_voters_are_lost_and_the_third_goes_on() {
    let Some(lan) = Lan::new(5) else { return };
    start(lan.hosts());
    let (first, others) = lan.hosts().split_first().expect("a host");
    let mut office = Office::found(first, "office");
    office.license_on(CAD, 3, TTL_S, "");
    office.license_on(VIEW, 2, TTL_S, "borrow = { max_days = 5, max_seats = 1 }\n");
    office.join(&others.iter().collect::<Vec<_>>());
    office.settle();
    let code = first.file("recovery");

    let holder = office.holder();
    let working = recover(holder, &code);
    assert!(working.code == 1 && working.err.contains("the site works"), "{working:?}");
    let voters = office.with_role("voter");
    let (lost, left) = (voters[0], voters[1]);
    let standbys = office.with_role("standby");
    let mut programs = vec![Program::start(standbys[0], CAD), Program::start(left, CAD)];

    // At once, or a standby would take the vote of the first.
    std::thread::scope(|scope| {
        for host in [holder, lost] {
            scope.spawn(|| host.kill());
        }
    });
    let told = left.ok(&["site", "recover", "--plan"]);
    assert!(told.starts_with("Not now: "), "{told}");
    let early = recover(left, &code);
    assert!(early.code == 1 && early.err.contains("may still use seats"), "{early:?}");
    wait_until("nothing stands against it", TTL_S + 20, || plan(left)["against"].is_null().then_some(()));
    let planned = plan(left);
    let names: Vec<&str> =
        planned["stay_off"].as_array().expect("machines").iter().filter_map(|m| m["name"].as_str()).collect();
    assert!(names.contains(&holder.name.as_str()) && names.contains(&lost.name.as_str()), "{planned}");
    assert_eq!(planned["withheld"][0]["license"], format!("{VIEW}-1"), "{planned}");
    assert_eq!(planned["withheld"][0]["seats"], 1, "{planned}");

    let wrong = left.file("wrong");
    std::fs::write(&wrong, "AAAA-BBBB\n").expect("written");
    let refused = recover(left, &wrong);
    assert_eq!(refused.code, BAD_INPUT, "{refused:?}");
    assert_eq!(generation(left), Some(1));

    let watch = Watch::start();
    let done = recover(left, &code);
    assert!(done.code == 0 && done.out.contains("generation 2"), "{done:?}");
    measured("the recovery", watch);
    for host in [left, standbys[0], standbys[1]] {
        wait_until(&format!("{} is in the new generation", host.name), 60, || {
            (generation(host)? == 2 && host.status("/holder/name")? == left.name).then_some(())
        });
        checkout_soon(host, 20);
    }
    measured("all that are left work", watch);
    wait_until("the programs have their seats again", 60, || {
        never_more_than(3, &mut programs);
        programs.iter().all(|program| !program.lost()).then_some(())
    });
    // One of the two seats that may be borrowed may be out.
    let one = Program::start(standbys[1], VIEW);
    assert_eq!(checkout(left, VIEW).code, NO_SEAT);
    one.end();

    // It is kept over a restart.
    left.kill();
    left.start(&[]);
    wait_until("the holder is back", 60, || (generation(left)? == 2).then_some(()));
    checkout_soon(left, 30);

    // Who was lost comes back, and joins the others.
    for host in [holder, lost] {
        host.start(&[]);
        wait_until(&format!("{} follows", host.name), 60, || (generation(host)? == 2).then_some(()));
    }
    office.settle();
    never_more_than(3, &mut programs);
    // What an admin does is signed for the new generation.
    office.license_on("example-late", 1, TTL_S, "");
    assert_eq!(checkout(left, "example-late").code, 0);
    assert!(holder.cli(&["audit", "verify"]).code == 0);
}

#[test]
fn all_machines_are_lost_and_a_new_one_goes_on_from_a_backup() {
    let Some(lan) = Lan::new(4) else { return };
    start(lan.hosts());
    let (new, old) = lan.hosts().split_last().expect("a host");
    let mut office = Office::found(&old[0], "office");
    office.license_on(CAD, 2, TTL_S, "");
    office.join(&old[1..].iter().collect::<Vec<_>>());
    office.settle();
    let (code, file) = (old[0].file("recovery"), old[0].file("backup"));
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    office.holder().ok(&["site", "export", "-o", &path(&file)]);
    let books = std::fs::read(&file).expect("the backup");
    assert!(
        !books.windows(CAD.len()).any(|words| words == CAD.as_bytes()),
        "it can be read without the code"
    );
    let import = |host: &Host, file: &Path| {
        host.cli(&["site", "import", &path(file), "--yes", "--code-file", &path(&code)])
    };
    let working = import(&old[1], &file);
    assert!(working.code == 1 && working.err.contains("the site works"), "{working:?}");

    for host in old {
        host.kill();
    }
    let damaged = new.file("damaged");
    std::fs::write(&damaged, &books[..books.len() - 1]).expect("written");
    assert_eq!(import(new, &damaged).code, BAD_INPUT);
    let done = import(new, &file);
    assert!(done.code == 0 && done.out.contains("generation 2"), "{done:?}");
    assert_eq!(checkout(new, CAD).code, 0);
    new.kill();
    new.start(&[]);
    checkout_soon(new, 30);

    // One after the other they come back, each alone no majority of the old generation, and are of the new one.
    for host in old {
        host.start(&[]);
        wait_until(&format!("{} follows", host.name), 60, || (generation(host)? == 2).then_some(()));
        checkout_soon(host, 30);
    }
    office.hosts.push(new);
    office.settle();
}
