use super::*;

#[test]
fn cells_are_quoted_and_never_a_formula() {
    let check = |cell: &str, expected: &str| assert_eq!(quoted(cell), expected);
    check("eva", "eva");
    check("eva, jan", "\"eva, jan\"");
    check("the \"boss\"", "\"the \"\"boss\"\"\"");
    check("=cmd()", "\"'=cmd()\"");
    check("", "");
}

const PAGE: &str = include_str!("../../../../protocol/AUDIT.md");

fn example() -> api::AuditExport {
    let begin = "```json export\n";
    let at = PAGE.find(begin).expect("the page has an export") + begin.len();
    serde_json::from_str(&PAGE[at..at + PAGE[at..].find("```").expect("it ends")]).expect("an export")
}

/// What is told of the example after `change`: whole or not, where it breaks, whether it is signed.
fn told(change: impl FnOnce(&mut api::AuditExport)) -> (bool, Option<u64>, Option<bool>, String) {
    let mut export = example();
    change(&mut export);
    let verdict = verify::check("F", &export);
    (verdict.broken.is_empty(), verdict.broken_at, verdict.signed, verdict.text())
}

#[test]
fn the_pages_example_is_whole_and_signed() {
    let (whole, at, signed, text) = told(|_| {});
    assert_eq!((whole, at, signed), (true, None, Some(true)));
    assert!(text.starts_with("records 1 to "), "{text}");
    assert!(text.ends_with("are whole in F; the site has signed the last one"), "{text}");
}

#[test]
fn an_export_that_was_changed_is_not_whole() {
    let records = |export: &mut api::AuditExport| std::mem::take(&mut export.parts[0].records);
    let check = |what: &str, broken_at: Option<u64>, change: &dyn Fn(&mut api::AuditExport)| {
        let (whole, at, _, text) = told(change);
        assert_eq!((whole, at), (false, broken_at), "{what}: {text}");
        assert!(text.starts_with("F is not as it was recorded: "), "{text}");
    };
    check("a word", Some(2), &|export| export.parts[0].records[1].text.push('!'));
    check("left out", Some(2), &|export| drop(export.parts[0].records.remove(1)));
    check("swapped", Some(2), &|export| export.parts[0].records.swap(1, 2));
    check("the hash before", Some(1), &|export| export.parts[0].before = "0".repeat(64));
    check("cut off at the end", None, &|export| drop(export.parts[0].records.pop()));
    check("another site", Some(1), &|export| {
        export.site.as_mut().unwrap().id = seatkeeper_protocol::id::SiteId([7; 20]).to_string();
    });
    check("no root", None, &|export| export.root = None);
    check("a changed signature", None, &|export| {
        let seal = export.seal.as_mut().unwrap();
        let last = seal.pop().unwrap();
        seal.push(if last == 'A' { 'Q' } else { 'A' });
    });
    check("a signature of nothing", None, &|export| drop(records(export)));
    check("told damage", None, &|export| export.damaged.push("records 9 to 10 cannot be read".into()));
    let (whole, _, signed, text) = told(|export| export.seal = None);
    assert_eq!((whole, signed), (true, None));
    assert!(text.ends_with("the site has not signed the last one"), "{text}");
    let (whole, _, _, text) = told(|export| {
        (export.parts, export.seal) = (Vec::new(), None);
    });
    assert!(whole && text == "there are no records in F", "{text}");
}

#[test]
fn another_machine_with_another_past_is_told() {
    let machine = |name: &str| api::Holder { id: format!("id-{name}"), name: name.to_owned() };
    let hash = seatkeeper_ledger::audit::Link([5; 32]);
    let witness = |name: &str, hash: Option<String>| api::AuditWitness {
        machine: machine(name),
        hash,
        seal: None,
        root: None,
    };
    let mut verdict = verify::Verdict::of_machine(&machine("ws1"));
    let same = Some(hash.to_string());
    let told = vec![witness("ws1", same.clone()), witness("ws2", same.clone()), witness("ws3", None)];
    verdict.compare(7, hash, told);
    assert!(verdict.broken.is_empty());
    verdict.spans = vec![api::AuditSpan { first: 1, last: 7, from: None, to: None }];
    assert_eq!(verdict.text(), "records 1 to 7, from - to -, are whole on ws1; ws2 has the same");
    verdict.compare(7, hash, vec![witness("ws4", same), witness("ws5", Some("0".repeat(64)))]);
    let text = verdict.text();
    assert!(text.starts_with("ws1 is not as it was recorded: ws5 has another hash of record 7: "), "{text}");
}
