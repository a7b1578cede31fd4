use std::collections::BTreeSet;

use super::*;

fn event(seq: u64, kind: &str, product: &str, code: Option<&str>) -> api::Event {
    api::Event {
        seq,
        time: None,
        kind: kind.to_owned(),
        text: String::new(),
        product: Some(product.to_owned()),
        user: None,
        device: None,
        seat: None,
        code: code.map(str::to_owned),
    }
}

/// Everything that can be measured.
fn measured() -> Measured {
    let pool = api::Pool {
        product: "cad".to_owned(),
        version: "2026".to_owned(),
        license: "L\"1".to_owned(),
        owned: 5,
        online: 2,
        borrowed: 1,
        parked: 0,
        grace: 0,
        offline: 1,
        free: 2,
        over: 0,
        waiting: 0,
    };
    let mut denials = Denials::default();
    denials.take(&[event(7, "checkout", "cad", None)]);
    denials.take(&[event(7, "checkout", "cad", None), event(8, "denied", "cad", Some("no-seat"))]);
    let mut checkouts = Durations { failed: 1, ..Durations::default() };
    checkouts.observe(Duration::from_micros(1_500));
    checkouts.observe(Duration::from_secs(60));
    Measured {
        version: "1.2.3",
        started_ms: 1_767_225_600_250,
        term: 4,
        elections: 2,
        peers: 3,
        clock_ahead_ms: Some(-1_500),
        log: Some(LogSizes { entries: 9, snapshot_bytes: 100, bytes: Some(4_096), last: 20, applied: 19 }),
        checkouts,
        denials,
        licenses: vec![LicenseEnd {
            product: "cad".to_owned(),
            license: "L\"1".to_owned(),
            ends_ms: 1_798_804_800_000,
        }],
        status: api::Status {
            format: 1,
            site: None,
            me: Some(api::Me { id: "d".to_owned(), name: "pc1".to_owned(), role: "voter".to_owned() }),
            holder: Some(api::Holder { id: "e".to_owned(), name: "pc2".to_owned() }),
            quorum: Some(api::Quorum { voters: 3, live: 2, needed: 2, ok: true }),
            devices: Some(api::DeviceCount { enrolled: 4, online: 3 }),
            pools: vec![pool],
            health: vec![crate::middle::health::Condition::PoolKeyExposed.health()],
        },
    }
}

#[test]
fn the_text_is_prometheus_own() {
    let text = render(&measured());
    let has = |line: &str| assert!(text.lines().any(|have| have == line), "{line}\n{text}");
    has("# TYPE seatkeeper_seats_used gauge");
    has(r#"seatkeeper_seats_used{product="cad",version="2026",license="L\"1",kind="borrowed"} 1"#);
    has(r#"seatkeeper_seats_free{product="cad",version="2026",license="L\"1"} 2"#);
    has("process_start_time_seconds 1767225600.25");
    has("seatkeeper_clock_skew_seconds -1.5");
    has(r#"seatkeeper_role{role="voter"} 1"#);
    has(r#"seatkeeper_role{role="holder"} 0"#);
    has(r#"seatkeeper_health{code="pool-key-exposed",severity="warning"} 1"#);
    has(r#"seatkeeper_license_end_timestamp_seconds{product="cad",license="L\"1"} 1798804800"#);
    has("# TYPE seatkeeper_checkout_duration_seconds histogram");
    has(r#"seatkeeper_checkout_duration_seconds_bucket{le="0.001"} 0"#);
    has(r#"seatkeeper_checkout_duration_seconds_bucket{le="0.002"} 1"#);
    has(r#"seatkeeper_checkout_duration_seconds_bucket{le="10"} 1"#);
    has(r#"seatkeeper_checkout_duration_seconds_bucket{le="+Inf"} 2"#);
    has("seatkeeper_checkout_duration_seconds_sum 60.0015");
    has("seatkeeper_checkout_duration_seconds_count 2");
    has(r#"seatkeeper_denials_total{product="cad",reason="no-seat"} 1"#);
    has(r#"seatkeeper_denials_total{product="cad",reason="limit"} 0"#);
    // Counters, and they alone, say so in their names.
    for kind in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = kind.split_once(' ').unwrap();
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
}

#[test]
fn a_machine_without_a_site_has_no_made_up_values() {
    let nothing = api::Status {
        format: 1,
        site: None,
        me: None,
        holder: None,
        quorum: None,
        devices: None,
        pools: Vec::new(),
        health: Vec::new(),
    };
    let of = Measured {
        log: None,
        clock_ahead_ms: None,
        denials: Denials::default(),
        licenses: Vec::new(),
        status: nothing,
        ..measured()
    };
    let text = render(&of);
    let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let without = ["seats", "denials", "quorum", "devices", "log", "snapshot", "clock", "license", "health"];
    for name in without {
        assert!(!values.iter().any(|line| line.starts_with(&format!("seatkeeper_{name}"))), "{name}: {text}");
    }
    assert!(values.contains(&"seatkeeper_holder_reachable 0"));
    assert!(values.contains(&r#"seatkeeper_role{role="none"} 1"#));
}

#[test]
fn denials_are_counted_once_whoever_holds() {
    let mut denials = Denials::default();
    let denied = |seq| event(seq, "denied", "cad", Some("no-seat"));
    let count = |denials: &Denials| denials.counts.values().sum::<u64>();
    assert_eq!(denials.after(), None);
    assert!(!denials.take(&[denied(1), denied(2)]), "the page is the newest");
    assert_eq!((denials.after(), count(&denials)), (Some(1), 0), "what was before is nobody's news");
    assert!(denials.take(&[denied(2), denied(3)]));
    assert!(!denials.take(&[denied(3)]), "nothing is new");
    // Another holder tells it again, or has not heard of it yet.
    assert!(!denials.take(&[denied(3)]));
    assert!(!denials.take(&[]));
    assert_eq!(count(&denials), 1);
    // Older records are gone, and a rule is not known here.
    denials.take(&[
        denied(900),
        event(901, "denied", "cad", Some("new-rule")),
        event(902, "return", "cad", None),
    ]);
    assert_eq!(count(&denials), 3);
    assert_eq!(denials.counts[&("cad".to_owned(), OTHER.to_owned())], 1);
}

#[test]
fn products_that_somebody_makes_up_fill_no_memory() {
    let mut denials = Denials::default();
    denials.take(&[event(0, "checkout", "cad", None)]);
    for seq in 1..=3_000 {
        denials.take(&[event(seq, "denied", &format!("p{seq}"), Some("not-licensed"))]);
    }
    assert_eq!(denials.counts.len(), PRODUCTS_MAX * RULES.len() + 1);
    assert_eq!(denials.counts.values().sum::<u64>(), 3_000);
}

#[test]
fn times_are_seconds() {
    let check = |ms, expected: f64| assert!((seconds(ms) - expected).abs() < 1e-9, "{ms}: {}", seconds(ms));
    check(0, 0.0);
    check(1, 0.001);
    check(-1, -0.001);
    check(1_767_225_600_123, 1_767_225_600.123);
    check(9_999_999_999_999, 9_999_999_999.999);
}

/// The names of ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("seatkeeper_")
        .map(|(at, _)| text[at..].chars().take_while(|c| of_a_name(*c)).collect::<String>())
        .collect()
}

#[test]
fn what_alerts_and_dashboard_name_is_exported() {
    let text = render(&measured());
    let samples: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next().map(str::to_owned))
        .collect();
    let packaging = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging");
    for file in ["prometheus/alerts.yml", "grafana/seatkeeper.json"] {
        let named = names(&std::fs::read_to_string(format!("{packaging}/{file}")).unwrap());
        assert!(named.len() > 8, "{file} names {named:?}");
        for name in named {
            assert!(samples.contains(&name), "{file} names {name}, which is not exported");
        }
    }
}
