use super::super::health::{Space, Wrong};
use super::*;

fn look() -> Look {
    let subnet = |interface: &str, address: &str| Subnet {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
        prefix: 24,
    };
    Look {
        folder: "/s".to_owned(),
        space: Ok(Space { free: 10 << 30, total: 20 << 30 }),
        rights: Ok(Vec::new()),
        subnets: vec![subnet("eth0", "10.0.0.1"), subnet("docker0", "172.17.0.1")],
    }
}

/// An office in which all is well.
fn well() -> Findings {
    let called = Called { port: 7410, address: "10.0.0.1:7410".to_owned(), peer: "pc2".to_owned() };
    let site = [("site", "Office"), ("id", "aaaaaaaa"), ("generation", "1")];
    Findings {
        version: "1.0.0".to_owned(),
        site: Some(args(site.map(|(name, value)| (name, value.to_owned())))),
        holder: Holder::Answers { name: "pc2".to_owned(), ms: "1.2".to_owned() },
        quorum: Some((Voters { live: 3, all: 3 }, Vec::new())),
        multicast: among(&[("eth0", true, &["10.0.0.2"]), ("docker0", true, &[])]),
        port: 7410,
        call: Call::Reached(called),
        clock_off_ms: Some(-300),
        look: look(),
        page: Some(Page::Served("127.0.0.1:7411".to_owned())),
        health: Vec::new(),
    }
}

fn heard(heard: &[(&str, bool, &[&str])]) -> Vec<Heard> {
    let one = |(interface, own, others): &(&str, bool, &[&str])| Heard {
        interface: (*interface).to_owned(),
        own: *own,
        others: others.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    heard.iter().map(one).collect()
}

/// With `pc2` connected at 10.0.0.2, and `far` beyond a router.
fn among(what: &[(&str, bool, &[&str])]) -> Multicast {
    let neighbor = |name: &str, ip: &str| Neighbor {
        name: name.to_owned(),
        addresses: vec![ip.parse().unwrap()],
        answers: true,
    };
    Multicast::Among(heard(what), vec![neighbor("pc2", "10.0.0.2"), neighbor("far", "10.9.9.9")])
}

/// The codes of what is not well.
fn unwell(found: &Findings) -> Vec<String> {
    let checks = checks(found);
    let mut seen = std::collections::BTreeSet::new();
    assert!(checks.iter().all(|check| seen.insert(key(check))), "something is said twice: {checks:#?}");
    let bad = checks.into_iter().filter(|check| check.severity != "ok");
    bad.map(|check| format!("{} {}", check.severity, check.code)).collect()
}

#[test]
fn in_a_healthy_office_all_is_well() {
    assert_eq!(unwell(&well()), [""; 0]);
    let codes: Vec<String> = checks(&well()).into_iter().map(|check| check.code).collect();
    let topics = [
        "agent",
        "site",
        "holder",
        "quorum",
        "multicast",
        "udp-port",
        "sites",
        "generation",
        "clock",
        "licenses",
        "disk",
        "rights",
        "web-port",
    ];
    assert_eq!(codes, topics.map(|topic| format!("{topic}-ok")));
}

#[test]
fn each_fault_is_found() {
    let check = |change: &dyn Fn(&mut Findings), expected: &[&str]| {
        let mut found = well();
        change(&mut found);
        assert_eq!(unwell(&found), expected);
    };
    let missed = || vec!["pc3".to_owned()];
    check(&|f| f.quorum = Some((Voters { live: 2, all: 3 }, missed())), &["info voters-missed"]);
    check(&|f| f.quorum = Some((Voters { live: 1, all: 3 }, missed())), &["error no-quorum"]);
    check(
        &|f| {
            f.quorum = Some((Voters { live: 1, all: 3 }, missed()));
            f.holder = Holder::Nobody;
        },
        &["error no-quorum", "info licenses-unknown"],
    );
    check(&|f| f.quorum = None, &["info quorum-unknown"]);
    check(&|f| f.holder = Holder::Nobody, &["error no-holder", "info licenses-unknown"]);
    let silent = || Holder::Silent { name: "pc2".to_owned(), reason: "x".to_owned() };
    check(&|f| f.holder = silent(), &["error holder-silent", "info licenses-unknown"]);
    let called = || Called { port: 1, address: "a".to_owned(), peer: "pc2".to_owned() };
    check(&|f| f.call = Call::Closed(called()), &["warning udp-port-closed"]);
    check(&|f| f.call = Call::Alone, &["info udp-port-unknown"]);
    check(&|f| f.look.space = Ok(Space { free: 1, total: 1 << 40 }), &["error disk-full"]);
    check(&|f| f.look.rights = Ok(vec![("/s/x".into(), Wrong::OthersRead)]), &["error others-read"]);
    check(&|f| f.clock_off_ms = None, &["info clock-unknown"]);
    check(&|f| f.page = Some(Page::Off), &["info web-off"]);
    let taken = || Condition::WebPortTaken { address: "a".to_owned(), program: None };
    check(&|f| f.page = Some(Page::Trouble(taken())), &["warning web-port-taken"]);
    check(&|f| f.health = vec![Condition::ClockOff { off_ms: 400_000 }.health()], &["warning clock-off"]);
    check(&|f| f.health = vec![Condition::Lost.health()], &["error device-lost"]);
    // What is known from before and was looked at anew counts no more.
    check(&|f| f.health = vec![Condition::NoHolder.health(), taken().health()], &[]);
    check(
        &|f| {
            f.site = None;
            f.health = vec![Condition::NoSite.health()];
        },
        &["info no-site"],
    );
}

#[test]
fn multicast_is_judged_where_others_are() {
    let check = |multicast: Multicast, expected: &str, interfaces: &str| {
        let found = Findings { multicast, ..well() };
        let check = checks(&found).into_iter().find(|check| check.code.starts_with("multicast")).unwrap();
        assert_eq!(check.code, expected, "{}", check.text);
        assert_eq!(check.args.get("interfaces").map_or("", String::as_str), interfaces, "{}", check.text);
    };
    check(well().multicast, "multicast-ok", "eth0");
    check(among(&[("eth0", true, &[]), ("docker0", true, &[])]), "multicast-blocked", "eth0");
    check(among(&[("eth0", false, &[]), ("docker0", true, &[])]), "multicast-off", "eth0");
    check(among(&[("eth0", false, &[]), ("docker0", false, &[])]), "multicast-off", "eth0, docker0");
    check(among(&[("eth0", true, &["10.0.0.2"]), ("docker0", false, &[])]), "multicast-ok", "eth0");
    let Multicast::Among(deaf, mut gone) = among(&[("eth0", true, &[])]) else { unreachable!() };
    gone.iter_mut().for_each(|neighbor| neighbor.answers = false);
    check(Multicast::Among(deaf, gone), "multicast-ok", "eth0");
    let alone = Multicast::Heard(heard(&[("eth0", true, &[]), ("docker0", false, &[])]));
    check(alone, "multicast-ok", "eth0");
    check(Multicast::Heard(Vec::new()), "multicast-unknown", "");
    check(Multicast::NotUsed, "multicast-not-used", "");
    check(Multicast::Failed("no socket".to_owned()), "multicast-unknown", "");
}
