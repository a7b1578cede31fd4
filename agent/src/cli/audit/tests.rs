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
