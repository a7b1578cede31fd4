//! What is installed, from agents and files, and how it compares with what was bought.

use std::io::Write;
use std::path::Path;

use crate::office::{Office, eventually};

/// The files that the README names.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/examples/organisation");

const CATALOG: &str = r#"
[[software]]
name = "Example CAD*"
publisher = "Example*"
product = "cad"
version = { name = 1 }
[[software]]
name = "*"
publisher = "*debian*"
ignore = true
"#;

const MACHINES: &str = "host,name,publisher,version,user,address
north-1,Example CAD 2026,Example,26.1,eva,
north-2,Example CAD 2025,Example,25.1,max,
north-2,Editor,,1.0,,
shop-1,Example CAD 2026,Example,26.1,ida,10.20.0.5
other-1,Example CAD 2024,Example,24.0,,
";

/// An office with the example's organisation, rules, and one purchase of five with downgrade to 2025.
async fn organised() -> Office {
    let office = Office::with_two_seats().await;
    office.signed(&["org", "import", &format!("{EXAMPLES}/organisation.csv")]).await;
    office.signed(&["org", "rules", "--import", &format!("{EXAMPLES}/rules.csv")]).await;
    office.signed(&["license", "remove", "L1"]).await;
    office.signed(&["purchase", "add", "PO-1", "cad@2026", "--quantity", "2", "--downgrade", "2025"]).await;
    office
}

/// Requirement and coverage of a node.
async fn at(office: &Office, node: &str) -> (u64, u64) {
    let found = office.client.product_compliance("cad").await.expect("compliance");
    let line = found.nodes.iter().find(|line| line.node == node).map(|line| line.own).unwrap_or_default();
    (line.requirement, line.coverage)
}

/// Waits for a calculation that was made for this reason.
async fn kept_because(office: &Office, reason: &str) {
    eventually("the calculation is kept", async || {
        let history = office.client.calculations().await.expect("the history").calculations;
        history.iter().flat_map(|kept| &kept.reasons).any(|why| why.contains(reason))
    })
    .await;
}

#[tokio::test]
async fn what_is_installed_is_compared_with_what_was_bought() {
    let mut office = organised().await;
    let catalog = office.file("catalog.toml", CATALOG);
    assert!(office.signed(&["inventory", "catalog", "--import", &catalog]).await.contains("2 entries"));
    let machines = office.file("machines.csv", MACHINES);
    assert!(office.signed(&["inventory", "import", &machines]).await.contains("4 machines are imported"));
    // As few downgrades as can be: both of 2026, not the one of 2025.
    assert_eq!(
        [at(&office, "E1").await, at(&office, "W1").await, at(&office, "R").await],
        [(2, 1), (1, 1), (1, 0)]
    );
    let shown = office.done(&["inventory", "show"]).await;
    assert!(shown.lines().any(|line| line.starts_with("shop-1 ") && line.contains(" W1 ")), "{shown}");
    assert!(office.done(&["inventory", "show", "--unknown"]).await.contains("Editor"));
    assert!(office.done(&["inventory", "show", "NORTH-2"]).await.contains("cad@2025"));

    // What if: nothing is changed.
    let told = office.done(&["compliance", "what-if", "--buy", "cad@2025=1"]).await;
    assert!(told.contains("covered 2 -> 3, short 2 -> 1"), "{told}");
    let told = office.done(&["compliance", "what-if", "--remove-purchase", "PO-1"]).await;
    assert!(told.contains("purchase PO-1: covers 2 -> not there"), "{told}");
    assert_eq!(at(&office, "E1").await, (2, 1));
    for (args, expected) in [
        (["--remove-purchase", "PO-7"], "there is no purchase `PO-7`"),
        (["--move-node", "E=E1"], "above itself"),
        (["--move-purchase", "PO-1=E1"], "`E1` is no legal entity"),
    ] {
        let output = office.output(&[&["compliance", "what-if"][..], &args].concat()).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(65), "{told}");
        assert!(told.contains(expected), "{told}");
    }

    kept_because(&office, "imported what is installed on 4 machines").await;
    // By hand to the engineers: calculated anew at once, and kept with the reason.
    office.signed(&["allocation", "set", "PO-1", "E1=2"]).await;
    assert_eq!([at(&office, "E1").await, at(&office, "W1").await], [(2, 2), (1, 0)]);
    kept_because(&office, "allocated 2 of the purchase PO-1").await;
    let told = office.done(&["compliance", "history"]).await;
    assert!(told.contains("at W1: covered 1 of 1 -> 0 of 1"), "{told}");
    let csv = office.done(&["compliance", "--csv"]).await;
    assert!(csv.contains("cad,E1,Engineering North,E,2,2,0,2,2,0"), "{csv}");
    let output = office.output(&["compliance", "--node", "X"]).await;
    assert_eq!(output.status.code(), Some(65));

    // A purchase that ends: it is calculated at its end without anybody's doing. Here it is over already.
    office.signed(&["purchase", "set", "PO-1", "--until", "2020-12-31"]).await;
    assert_eq!(at(&office, "E1").await, (2, 0));

    // It is in the books, and so there after a crash.
    let before = office.client.inventory(None).await.expect("the inventory");
    office.kill_agent().await;
    office.start_agent().await;
    let after = office.client.inventory(None).await.expect("the inventory");
    let files = |of: &seatkeeper_client::api::Inventory| -> Vec<_> {
        of.machines.iter().filter(|machine| machine.source == "file").cloned().collect()
    };
    assert_eq!(files(&before), files(&after));
    assert_eq!(files(&after).len(), 4);
}

#[tokio::test]
async fn the_agent_tells_what_is_installed_here() {
    if !Path::new("/var/lib/dpkg/status").exists() {
        assert!(std::env::var_os("CI").is_none(), "there is no dpkg here");
        writeln!(std::io::stderr(), "skipped: there is no dpkg here").ok();
        return;
    }
    let office = organised().await;
    let catalog = "[[software]]\nname = \"dpkg\"\nproduct = \"cad\"\nversion = { reported = 1 }\n\
                   [[software]]\nname = \"*\"\nignore = true\n";
    let catalog = office.file("catalog.toml", catalog);
    office.signed(&["inventory", "catalog", "--import", &catalog]).await;
    let own = || async {
        let inventory = office.client.inventory(None).await.expect("the inventory");
        inventory.machines.into_iter().find(|machine| machine.source == "agent")
    };
    eventually("the agent reports", async || own().await.is_some_and(|machine| !machine.products.is_empty()))
        .await;
    assert_eq!(own().await.expect("it is known").programs, 1);
    assert_eq!(at(&office, "R").await.0, 1);
    // Another catalog: it is asked again.
    let catalog = office.file("catalog.toml", "[[software]]\nname = \"*\"\nignore = true\n");
    office.signed(&["inventory", "catalog", "--import", &catalog]).await;
    eventually("the agent takes it back", async || own().await.is_some_and(|machine| machine.programs == 0))
        .await;
    let (code, told) =
        office.refused(&["inventory", "forget", &own().await.expect("it is known").host]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains("by its agent"), "{told}");
}

#[tokio::test]
async fn another_site_is_counted_by_its_signed_export() {
    let there = organised().await;
    let catalog = there.file("catalog.toml", CATALOG);
    there.signed(&["inventory", "catalog", "--import", &catalog]).await;
    let machines = there.file("machines.csv", MACHINES);
    there.signed(&["inventory", "import", &machines]).await;
    let export = there.path("export");
    let export = export.to_str().expect("a path");
    let told = there.signed(&["inventory", "export", "--to", export]).await;
    let key = told.trim().rsplit(' ').next().expect("the key").to_owned();

    let here = organised().await;
    let catalog = here.file("catalog.toml", CATALOG);
    here.signed(&["inventory", "catalog", "--import", &catalog]).await;
    let (code, told) = here.refused(&["inventory", "import", export]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains(&key), "{told}");
    here.signed(&["inventory", "import", export, "--trust", &key]).await;
    assert_eq!(
        [at(&here, "E1").await, at(&here, "W1").await, at(&here, "R").await],
        [(2, 1), (1, 1), (1, 0)]
    );
    // From then on it is known; what is gone there goes here too, and an older export is refused.
    let older = std::fs::read_to_string(export).expect("the export");
    there.signed(&["inventory", "forget", "north-1"]).await;
    let issued = |text: &str| text.split_once("\"issued\":\"").map(|(_, rest)| rest[..20].to_owned());
    // It says the second in which it is made.
    eventually("a later export", async || {
        there.signed(&["inventory", "export", "--to", export]).await;
        issued(&std::fs::read_to_string(export).expect("the export")) != issued(&older)
    })
    .await;
    here.signed(&["inventory", "import", export]).await;
    assert_eq!(at(&here, "E1").await, (1, 1));
    let again = here.file("older", &older);
    let (code, told) = here.refused(&["inventory", "import", &again]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("newer export"), "{told}");
    let changed = here.file("changed", &older.replace("Example CAD 2025", "Example CAD 2026"));
    let (code, told) = here.refused(&["inventory", "import", &changed]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains("was changed after it was signed"), "{told}");
    let (_, own) = there.refused(&["inventory", "import", export, "--trust", &key]).await;
    assert!(own.contains("this site's own"), "{own}");
    let sites = here.client.inventory(None).await.expect("the inventory").sites;
    here.signed(&["inventory", "forget", &sites[0].id]).await;
    assert_eq!(at(&here, "E1").await, (0, 0));
}
