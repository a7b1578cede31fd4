use seatkeeper_ledger::audit::Stretch;
use seatkeeper_protocol::id::PublicKey;

use super::*;

/// The example of `protocol/AUDIT.md`.
const EXAMPLE: &str = include_str!("../../../../protocol/AUDIT.md");

fn part() -> (SiteId, AuditPart) {
    let begin = EXAMPLE.find("```json export\n").expect("the page has an export") + "```json export\n".len();
    let rest = &EXAMPLE[begin..];
    let text = &rest[..rest.find("```").expect("it ends")];
    let export: seatkeeper_protocol::api::AuditExport = serde_json::from_str(text).expect("an export");
    let root: PublicKey = export.root.unwrap().parse().unwrap();
    (root.site(), export.parts.into_iter().next().unwrap())
}

fn verified(parts: &[AuditPart]) -> (Verifier, Result<(), Wrong>) {
    let mut verifier = Verifier::new(Some(part().0));
    let done = parts.iter().try_for_each(|part| verifier.take(part, drop));
    (verifier, done)
}

#[test]
fn the_example_is_whole() {
    let (_, part) = part();
    assert!(part.records.len() >= 4);
    let (verifier, done) = verified(&[part.clone()]);
    assert_eq!(done, Ok(()));
    let last = part.records.last().unwrap();
    let (seq, link) = verifier.head().unwrap();
    assert_eq!((seq, link.to_string()), (last.seq, last.hash.clone()));
    let [span] = &verifier.spans()[..] else { panic!() };
    assert_eq!((span.first, span.last), (1, last.seq));
    assert_eq!((&span.from, &span.to), (&part.records[0].time, &last.time));
}

#[test]
fn every_word_of_a_record_is_what_is_hashed() {
    let (_, part) = part();
    let check = |what: &str, change: &dyn Fn(&mut AuditRecord), expected: Wrong| {
        let mut changed = part.clone();
        change(&mut changed.records[2]);
        let (verifier, done) = verified(&[changed]);
        assert_eq!(done, Err(expected.clone()), "{what}");
        assert_eq!(expected.seq(), 3);
        assert_eq!(verifier.spans()[0].last, 2, "those before are whole");
    };
    check("time", &|r| r.time = None, Wrong::OtherWords(3));
    check("text", &|r| r.text.push('!'), Wrong::OtherWords(3));
    check("kind", &|r| r.kind = "denied".into(), Wrong::OtherWords(3));
    check("user", &|r| r.user = Some("max".into()), Wrong::OtherWords(3));
    check("seq", &|r| r.seq = 4, Wrong::OtherWords(3));
    check("no base64", &|r| r.record.push('!'), Wrong::Malformed(3));
    check("no hash", &|r| r.hash.truncate(63), Wrong::Malformed(3));
    check("another hash", &|r| r.hash.replace_range(0..1, "_"), Wrong::Malformed(3));
    check("another record", &|r| r.record.clone_from(&part.records[2].record.replace('A', "B")), Broken::Changed(3).into());
}

#[test]
fn parts_follow_each_other_or_begin_anew() {
    let (_, part) = part();
    let cut = |from: usize, to: usize| {
        let before = from.checked_sub(1).map_or(part.before.clone(), |at| part.records[at].hash.clone());
        AuditPart { first: from as u64 + 1, before, records: part.records[from..to].to_vec() }
    };
    let all = part.records.len();
    let (verifier, done) = verified(&[cut(0, 2), cut(2, 2), cut(2, all)]);
    assert_eq!((done, verifier.spans().len()), (Ok(()), 1));
    let (verifier, done) = verified(&[cut(0, 1), cut(2, all)]);
    assert_eq!(done, Ok(()));
    let spans: Vec<_> = verifier.spans().iter().map(|span| (span.first, span.last)).collect();
    assert_eq!(spans, [(1, 1), (3, all as u64)], "a gap is told, not hidden");
    assert_eq!(verified(&[cut(2, all), cut(0, 2)]).1, Err(Broken::Missing { expected: all as u64 + 1, found: 1 }.into()));
    let mut other = cut(1, all);
    other.before = Link::default().to_string();
    assert_eq!(verified(&[cut(0, 1), other]).1, Err(Broken::Changed(2).into()));
    let mut no_hash = cut(0, all);
    no_hash.before = "nothing".into();
    assert_eq!(verified(&[no_hash]).1, Err(Wrong::Malformed(1)));
    // Another site's records.
    let mut verifier = Verifier::new(Some(SiteId([7; 20])));
    assert_eq!(verifier.take(&part, drop), Err(Broken::OtherSite(SiteId([7; 20])).into()));
}

#[test]
fn a_record_that_nobody_here_knows_is_told_by_its_hash_alone() {
    let bytes = vec![1, 1, 1, 0x7f];
    let link = Link::default().next(&bytes);
    let stretch = Stretch { first: 1, before: Link::default(), records: vec![Linked { bytes: bytes.into(), link }] };
    let record = told(1, &stretch.records[0]);
    assert_eq!((record.kind.as_str(), record.time), ("unreadable", None));
}
