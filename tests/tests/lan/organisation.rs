//! An organisation over several machines: what is installed on them, also when the holder goes, and for whom seats are.

use serde_json::Value;

use crate::host::Host;
use crate::lan::Lan;
use crate::office::{CAD, NO_SEAT, Office, checkout};
use crate::wait::wait_until;

const TREE: &str = "id,parent,name,legal\nR,,Group,yes\nE,R,Engineering,no\nW,R,Workshop,no\n";
const RULES: &str = "match,pattern,node\nhost,h1,E\nhost,h2,E\nhost,h3,W\n";
/// Every machine here has dpkg, and of what it lists nothing else is reported.
const CATALOG: &str = "[[software]]\nname = \"dpkg\"\nproduct = \"example-cad\"\nversion = { reported = 1 }\n\
                       [[software]]\nname = \"*\"\nignore = true\n";

#[track_caller]
fn import(office: &Office<'_>, admin: &Host, command: &[&str], name: &str, text: &str) {
    std::fs::write(admin.file(name), text).expect("the file is written");
    let path = admin.file(name);
    office.signed(&[command, &[path.to_str().expect("a plain path")]].concat());
}

/// The nodes of the machines that tell by their agents that the product is installed.
fn nodes(host: &Host) -> Option<Vec<(String, String)>> {
    let done = host.cli(&["--json", "inventory", "show"]);
    let listing: Value = serde_json::from_str(&done.out).ok()?;
    let machine = |machine: &Value| {
        let products = machine["products"].as_array()?;
        let text = |field: &str| machine[field].as_str().map(str::to_owned);
        (!products.is_empty()).then_some(())?;
        Some((text("host")?, text("node")?))
    };
    let mut nodes: Vec<_> = listing["machines"].as_array()?.iter().filter_map(machine).collect();
    nodes.sort();
    Some(nodes)
}

fn totals(host: &Host) -> Option<(u64, u64)> {
    let done = host.cli(&["--json", "compliance", "--product", CAD]);
    let found: Value = serde_json::from_str(&done.out).ok()?;
    Some((found["totals"]["required"].as_u64()?, found["totals"]["owned"].as_u64()?))
}

#[test]
fn machines_tell_what_is_installed_and_seats_are_for_whom_they_are_allocated() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let admin = lan.host(1);
    import(&office, admin, &["org", "import"], "tree.csv", TREE);
    import(&office, admin, &["org", "rules", "--import"], "rules.csv", RULES);
    import(&office, admin, &["inventory", "catalog", "--import"], "catalog.toml", CATALOG);
    let all = [("h1", "E"), ("h2", "E"), ("h3", "W"), ("h4", "R")]
        .map(|(host, node)| (host.to_owned(), node.to_owned()));
    wait_until("all machines tell what is installed", 60, || (nodes(lan.host(4))? == all).then_some(()));
    assert_eq!(totals(lan.host(2)), Some((4, 3)));

    // Two of three seats are for the workshop alone, the third for whoever asks.
    office.signed(&["allocation", "set", "example-cad-1", "W=2"]);
    let first = crate::program::Program::start(lan.host(1), CAD);
    first.seat().expect("the seat that is for all");
    let refused = checkout(lan.host(2), CAD);
    assert_eq!(refused.code, NO_SEAT, "{refused:?}");
    assert!(refused.err.contains("reserved"), "{}", refused.err);
    assert_eq!(checkout(lan.host(3), CAD).code, 0);

    // Another holder knows all of it, and is told what changes.
    first.end();
    let holder = office.holder();
    holder.kill();
    let other = office.without(holder)[0];
    wait_until("another machine answers", 30, || (nodes(other)? == all).then_some(()));
    holder.start(&[]);
    import(
        &office,
        admin,
        &["inventory", "catalog", "--import"],
        "none.toml",
        "[[software]]\nname = \"*\"\nignore = true\n",
    );
    wait_until("nothing is reported any more", 60, || nodes(other)?.is_empty().then_some(()));
}
