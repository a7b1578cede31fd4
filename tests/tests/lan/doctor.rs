//! `doctor` on a network that doesn't let everything through.

use serde_json::Value;

use crate::host::Host;
use crate::lan::Lan;
use crate::office::Office;
use crate::wait::wait_until;

/// What a doctor says: the codes of what is not well, and all of it.
#[track_caller]
fn doctor(host: &Host) -> (Vec<String>, Value) {
    let done = host.cli(&["--json", "doctor"]);
    let found: Value = serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let checks = found["checks"].as_array().expect("checks");
    // The disk is that of the machine under all of these hosts.
    let bad = checks.iter().filter(|check| check["severity"] != "ok" && check["severity"] != "info");
    let code = |check: &Value| check["code"].as_str().expect("a code").to_owned();
    let bad: Vec<String> = bad.map(code).filter(|code| !code.starts_with("disk-")).collect();
    if bad.is_empty() != (done.code == 0) {
        assert!(checks.iter().any(|check| code(check).starts_with("disk-l")), "{done:?}");
    }
    (bad, found)
}

#[track_caller]
fn expect(host: &Host, expected: &[&str]) -> Value {
    let (bad, found) = doctor(host);
    assert_eq!(bad, expected, "on {}: {found:#}", host.name);
    found
}

/// The value of a check.
#[track_caller]
fn value(found: &Value, code: &str, name: &str) -> String {
    let checks = found["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["code"] == code);
    let check = check.unwrap_or_else(|| panic!("{code} is not in {found:#}"));
    check["args"][name].as_str().unwrap_or_else(|| panic!("no {name} in {check:#}")).to_owned()
}

#[test]
fn doctor_finds_what_a_firewall_holds_back() {
    let Some(lan) = Lan::with_firewalls(3) else { return };
    let office = Office::of(&lan);
    for host in &office.hosts {
        wait_until(&format!("all is well on {}", host.name), 20, || doctor(host).0.is_empty().then_some(()));
    }
    let host = office.without(office.holder())[0];
    let well = expect(host, &[]);
    assert_eq!(value(&well, "multicast-ok", "interfaces"), "eth0");

    lan.firewall(host, &["udp dport 5353 drop"]);
    let found = expect(host, &["multicast-off"]);
    assert_eq!(value(&found, "multicast-off", "interfaces"), "eth0");
    lan.firewall(host, &[]);
    expect(host, &[]);

    // Its own packets come back from its own interface, those of others don't come through.
    lan.multicast(host, false);
    let found = expect(host, &["multicast-blocked"]);
    let peers = value(&found, "multicast-blocked", "peers");
    assert!(office.without(host).iter().any(|other| peers.contains(&other.name)), "{peers}");
    lan.multicast(host, true);
    expect(host, &[]);

    // As firewalls are by default: what was asked for comes in, nobody else does. Connections go on.
    lan.firewall(host, &["ct state established,related accept", "udp dport 7410 drop"]);
    let found = expect(host, &["udp-port-closed"]);
    assert_eq!(value(&found, "udp-port-closed", "port"), "7410");
    let address = value(&found, "udp-port-closed", "address");
    assert_eq!(address, format!("10.77.0.{}:7410", host.number));
    let status = host.json(&["status"]);
    assert!(status["health"].to_string().contains("udp-port-closed"), "status says so too: {status:#}");
    lan.firewall(host, &[]);
    expect(host, &[]);
}

#[test]
fn doctor_names_who_is_missed() {
    let Some(lan) = Lan::new(3) else { return };
    let office = Office::of(&lan);
    let holder = office.holder();
    let others = office.without(holder);
    others.iter().for_each(|host| host.kill());
    wait_until("the loss of the quorum is told", 30, || {
        let (bad, found) = doctor(holder);
        let health = holder.json(&["status"])["health"].to_string();
        let told = bad.iter().any(|code| code == "no-quorum") && health.contains("no-quorum");
        told.then(|| {
            for missed in &others {
                let names = value(&found, "no-quorum", "missed");
                assert!(names.contains(&missed.name), "{} is not among {names}", missed.name);
                assert!(health.contains(&missed.name), "{} is not in {health}", missed.name);
            }
        })
    });
    others.iter().for_each(|host| host.start(&[]));
    office.settle();
    wait_until("all is well again", 30, || doctor(holder).0.is_empty().then_some(()));
}

#[test]
fn doctor_tells_of_a_second_site_of_the_same_name() {
    let Some(lan) = Lan::new(3) else { return };
    let (first, second, third) = (lan.host(1), lan.host(2), lan.host(3));
    lan.hosts().iter().for_each(|host| host.start(&[]));
    Office::found(first, "office");
    Office::found(second, "office");
    wait_until("each hears of the other", 30, || {
        let twins = |host: &Host| doctor(host).0.iter().any(|code| code == "two-sites");
        (twins(first) && twins(second)).then_some(())
    });
    wait_until("who has no site hears of both", 30, || {
        let health = third.json(&["status"])["health"].clone();
        let several = health.as_array()?.iter().find(|health| health["code"] == "several-sites")?;
        (several["args"]["sites"].as_str()?.matches("office (").count() == 2).then_some(())
    });
    assert_eq!(third.cli(&["doctor"]).code, 0, "a machine that waits for its site is well");
}
