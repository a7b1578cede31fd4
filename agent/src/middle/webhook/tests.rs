use super::*;

fn teller() -> Teller {
    Teller {
        site: api::Site { id: "s1".to_owned(), name: "Office".to_owned(), generation: 1 },
        machine: api::Holder { id: "d1".to_owned(), name: "pc1".to_owned() },
    }
}

fn license(id: &str, until: Option<&str>, state: &str) -> api::License {
    api::License {
        id: id.to_owned(),
        vendor: "acme".to_owned(),
        customer: "Office".to_owned(),
        product: "cad".to_owned(),
        title: "Cad".to_owned(),
        version: "2026".to_owned(),
        seats: 1,
        features: Vec::new(),
        downgrade: Vec::new(),
        downgrade_any: false,
        replaces: Vec::new(),
        replaced_by: None,
        valid_from: None,
        valid_until: until.map(str::to_owned),
        state: state.to_owned(),
        text: String::new(),
    }
}

/// The example of `protocol/WEBHOOK.md`.
#[test]
fn the_signature_is_the_one_that_the_page_shows() {
    let at = WallTime(1_767_225_600_999);
    let signed = signature(b"correct horse battery", at, br#"{"format":1,"kind":"denied"}"#);
    let page = include_str!("../../../../protocol/WEBHOOK.md");
    assert!(page.contains(&signed), "{signed} is not in the page");
    assert_ne!(
        signature(b"correct horse battery", WallTime(0), b"{}"),
        signature(b"other", WallTime(0), b"{}")
    );
}

#[test]
fn denials_and_ended_licenses_are_told_and_nothing_else_of_what_happens() {
    let event = |kind: &str| api::Event {
        seq: 17,
        time: Some("2026-01-01T08:00:00Z".to_owned()),
        kind: kind.to_owned(),
        text: "eva on pc2 got no seat of cad".to_owned(),
        product: Some("cad".to_owned()),
        user: Some("eva".to_owned()),
        device: Some("d2".to_owned()),
        seat: None,
        code: Some("no-seat".to_owned()),
    };
    let told = teller().happened(&event("denied")).unwrap();
    assert_eq!((told.id.as_str(), told.kind.as_str()), ("s1:1:17", "denied"));
    assert_eq!((told.user.as_deref(), told.code.as_deref()), (Some("eva"), Some("no-seat")));
    assert!(teller().happened(&event("license-ended")).is_some());
    assert!(teller().happened(&event("checkout")).is_none());
}

#[test]
fn a_license_that_ends_is_told_at_thirty_seven_and_one_days_once_each() {
    let mut told = BTreeSet::new();
    let licenses = [license("L1", Some("2026-12-31"), "active"), license("L2", None, "active")];
    let ends = Date::read("2026-12-31").unwrap().ends();
    let mut at = |days_left: i64| {
        let now = ends.plus_ms(-days_left * DAY_MS);
        let events = teller().ending(&licenses, now, &mut told);
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert!(at(31).is_empty());
    assert_eq!(at(30), ["s1:1:L1:2026-12-31:30"]);
    assert!(at(29).is_empty());
    assert_eq!(at(7), ["s1:1:L1:2026-12-31:7"]);
    assert_eq!(at(1), ["s1:1:L1:2026-12-31:1"]);
    assert!(at(0).is_empty(), "that it has ended is an event of the site");
    // One that is seen late is told once; one that was replaced, not at all.
    let licenses =
        [license("L3", Some("2026-12-31"), "active"), license("L4", Some("2026-12-31"), "replaced")];
    let mut told = BTreeSet::new();
    assert_eq!(teller().ending(&licenses, ends.plus_ms(-2 * DAY_MS), &mut told).len(), 1);
    assert!(teller().ending(&licenses, ends.plus_ms(-2 * DAY_MS), &mut told).is_empty());
    assert_eq!(told.len(), 2);
    teller().ending(&[], ends, &mut told);
    assert!(told.is_empty(), "what is over is forgotten");
}

#[test]
fn an_election_is_no_lost_quorum() {
    let mut reach = Reach::default();
    let looks = [false, false, false, true, false, true, false, false, false, true, true];
    let told: Vec<Option<bool>> = looks.into_iter().map(|holder| reach.look(holder)).collect();
    let mut expected = [None; 11];
    expected[7] = Some(true);
    expected[9] = Some(false);
    assert_eq!(told, expected);
}

#[test]
fn pauses_grow_and_stay_bounded() {
    assert_eq!([1, 2, 3, 11, 4_000].map(|failures| pause(failures).as_secs()), [1, 2, 4, 600, 600]);
}
