use super::*;

#[test]
fn every_sentence_stands_alone_and_has_its_own_code_or_values() {
    let mut seen = std::collections::BTreeSet::new();
    for says in says::ALL {
        assert!(["ok", "info", "warning", "error"].contains(&says.severity), "{says:?}");
        assert!(!says.template.ends_with('.') && !says.template.contains("  "), "{says:?}");
        assert!(says.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{says:?}");
        assert!(seen.insert(says.template), "said twice: {says:?}");
        // What has to be mended says how: with a verb after the semicolon, or it repeats another's words.
        let words = says.template.contains("; ") || says.template.ends_with('}');
        assert!(words || matches!(says.severity, "ok" | "info"), "no remedy: {says:?}");
    }
}

#[test]
fn the_text_is_made_of_the_values() {
    let voters = Voters { live: 1, all: 3 };
    let missed = vec!["pc2".to_owned(), "pc{voters}".to_owned()];
    let health = Condition::NoQuorum { voters, missed }.health();
    assert_eq!((health.code.as_str(), health.severity.as_str()), ("no-quorum", "error"));
    assert_eq!(health.args["missed"], "pc2, pc{voters}");
    assert!(health.text.contains("1 of the 3 machines that vote answer, 2 must"), "{}", health.text);
    assert!(health.text.contains(": pc2, pc{voters};"), "a value is not read as a template: {}", health.text);
    for value in health.args.values() {
        assert!(health.text.contains(value), "{value} is not in: {}", health.text);
    }
}

#[test]
fn disks_are_judged_by_what_is_left() {
    let check = |free, total, expected: Option<&str>| {
        let space = Space { free, total };
        let health = space.is_low().then(|| Condition::DiskLow { path: "/s".into(), space }.health());
        assert_eq!(health.as_ref().map(|health| health.code.as_str()), expected, "{free} of {total}");
    };
    const MIB: u64 = 1024 * 1024;
    check(19 * MIB, 100 * MIB, Some("disk-full"));
    check(20 * MIB, 100 * MIB, Some("disk-low"));
    check(200 * MIB - 1, 1_000 * MIB, Some("disk-low"));
    check(200 * MIB, 10_000 * MIB, None);
    check(200 * MIB, 10_001 * MIB, Some("disk-low"));
    check(0, 0, Some("disk-full"));
}

#[test]
fn conditions_are_the_same_while_only_their_numbers_change() {
    let disk =
        |free| Condition::DiskLow { path: "/s".into(), space: Space { free, total: 1 << 40 } }.health();
    assert_eq!(key(&disk(30 << 20)), key(&disk(40 << 20)));
    assert_ne!(key(&disk(30 << 20)), key(&disk(3 << 20)), "it got worse");
    let license = |id: &str| {
        let license = Dated { license: id.into(), product: "cad".into(), until: "2026-12-24".into() };
        Condition::LicenseEnds { license, left_ms: 1 }.health()
    };
    assert_ne!(key(&license("L1")), key(&license("L2")));
}

#[test]
fn values_read_well() {
    let sizes = [0, 1_023, 1_024, 1_536, 20 << 20, 3 << 29, 5 << 40, u64::MAX].map(size);
    assert_eq!(sizes, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "20 MiB", "1.5 GiB", "5 TiB", "16383 PiB"]);
    let many: Vec<String> = (1..=7).map(|n| format!("pc{n}")).collect();
    assert_eq!(names(&many[..2]), "pc1, pc2");
    assert_eq!(names(&many), "pc1, pc2, pc3, pc4, pc5 and 2 more");
    assert_eq!(names(&[]), "");
    assert_eq!(apart(-200_000), "3 min behind");
}
