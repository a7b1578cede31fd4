//! An organisation from files: nodes, rules, purchases and allocations, as an administrator registers them.

use crate::office::Office;

/// The files that the README names.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/examples/organisation");

#[tokio::test]
async fn an_organisation_is_registered_from_files() {
    let mut office = Office::with_two_seats().await;
    let (code, told) = office.refused(&["purchase", "add", "PO-1", "cad@2026", "--quantity", "3"]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains("seatkeeper org import"), "{told}");
    let tree = format!("{EXAMPLES}/organisation.csv");
    assert!(
        office.signed(&["org", "import", &tree]).await.contains("6 nodes: 6 added, 0 changed, 0 removed")
    );
    assert!(office.signed(&["org", "import", &tree]).await.contains("0 added, 0 changed, 0 removed"));
    let shown = office.done(&["org", "show"]).await;
    assert!(shown.contains("\n    E1  Engineering North"), "{shown}");

    // A license is a purchase, which is narrowed and allocated like any other, and never widened.
    let listed = office.done(&["purchase", "list"]).await;
    assert!(listed.lines().any(|line| line.starts_with("L1 ") && line.ends_with("license")), "{listed}");
    let (code, told) = office.refused(&["purchase", "set", "L1", "--quantity", "3"]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains("the license has 2 seats"), "{told}");
    office.signed(&["allocation", "set", "L1", "E1=1", "W1=1"]).await;

    let bought = format!("{EXAMPLES}/purchases/17.csv");
    assert!(office.signed(&["purchase", "import", &bought]).await.contains("2 purchases are registered"));
    let terms = ["--downgrade", "2025,2024", "--until", "2026-12-31", "--unit-cost", "12.50", "--owner", "W"];
    office.signed(&[&["purchase", "add", "PO-9", "cad@2026", "--quantity", "3"], &terms[..]].concat()).await;
    let (code, told) = office.refused(&["purchase", "add", "PO-9", "cad@2026", "--quantity", "3"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("seatkeeper purchase set PO-9"), "{told}");
    let (code, told) = office.refused(&["allocation", "set", "PO-9", "W1=2", "E1=1"]).await;
    assert_eq!(code, Some(65));
    assert!(told.contains("`E1`, which is not below the owner `W`"), "{told}");
    office.signed(&["allocation", "set", "PO-9", "W1=2"]).await;
    office.signed(&["purchase", "set", "PO-9", "--automatic", "no", "--until", "none"]).await;

    let rules = office.file("rules.csv", "match,pattern,node\nhost,cad-*,E1\naddress,10.1.0.0/16,W1\n");
    office.signed(&["org", "rules", "--import", &rules]).await;
    office.signed(&["org", "stop-at-legal", "yes"]).await;
    // What something needs does not go.
    let text = std::fs::read_to_string(&tree).expect("the example");
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with('W')).collect();
    let smaller = office.file("smaller.csv", &without.join("\n"));
    let (code, told) = office.refused(&["org", "import", &smaller]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("node `W1`"), "{told}");

    // It is in the books, and so there after a crash.
    let before = (office.client.organisation().await, office.client.purchases().await);
    office.kill_agent().await;
    office.start_agent().await;
    let after = (office.client.organisation().await, office.client.purchases().await);
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    let organisation = after.0.expect("the organisation");
    assert!(organisation.stop_at_legal);
    let rules: Vec<(&str, &str)> =
        organisation.rules.iter().map(|rule| (rule.pattern.as_str(), rule.node.as_str())).collect();
    assert_eq!(rules, [("cad-*", "E1"), ("10.1.0.0/16", "W1")]);
    let purchases = after.1.expect("the purchases").purchases;
    let of = |id: &str| purchases.iter().find(|known| known.id == id).expect("it is listed").clone();
    let (license, bought) = (of("L1"), of("PO-9"));
    assert!(license.license && license.registered && license.manual.len() == 2);
    assert_eq!((bought.owner.as_str(), bought.automatic, bought.unit_cost), ("W", false, Some(1_250)));
    assert_eq!(bought.valid_until, None);
    assert_eq!((bought.downgrade, bought.manual["W1"]), (vec!["2025".to_owned(), "2024".to_owned()], 2));
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing_and_names_the_row() {
    let office = Office::with_two_seats().await;
    for (text, expected) in [
        ("id,parent,name,legal\nR,,Group,yes\nE,X,East,no\n", "row 3: node `E` is below `X`"),
        ("id,parent\nR,\nS,\n", "row 3: node `S` has no parent"),
        ("id,parent\nR,E\nE,R\n", "is above itself"),
        ("id,above\nR,\n", "there is a column `above` that means nothing"),
        ("", "there is no column `id`"),
    ] {
        let tree = office.file("tree.csv", text);
        let (code, told) = office.refused(&["org", "import", &tree]).await;
        assert_eq!(code, Some(65), "{told}");
        assert!(told.contains("tree.csv: ") && told.contains(expected), "{told}");
    }
    let organisation = office.client.organisation().await.expect("the organisation");
    assert!(organisation.nodes.is_empty());
}

/// This machine is at the root, since no rule says otherwise.
#[tokio::test]
async fn live_seats_follow_what_is_allocated_and_what_units_may_use() {
    let office = Office::with_two_seats().await;
    office.signed(&["org", "import", &format!("{EXAMPLES}/organisation.csv")]).await;
    office.signed(&["allocation", "set", "L1", "E1=1", "W1=1"]).await;
    let (code, told) = office.refused(&["run", "cad", "--", "true"]).await;
    assert_eq!(code, Some(75));
    assert!(told.contains("all 2 seats of cad are reserved for other nodes of the organisation"), "{told}");
    assert!(told.contains("seatkeeper allocation set"), "{told}");
    office.signed(&["allocation", "set", "L1", "E1=1"]).await;
    office.done(&["run", "cad", "--", "true"]).await;

    let (code, told) = office.refused(&["limits", "set", "cad", "--node", "R"]).await;
    assert_eq!(code, Some(2));
    assert!(told.contains("--borrow-days"), "{told}");
    let more = ["--seats", "0", "--borrowed", "2", "--borrow-days", "7", "--keep", "1"];
    let told = office.signed(&[&["limits", "set", "cad", "--node", "R"], &more[..]].concat()).await;
    assert!(told.contains("Node R is limited in cad: 0 seats, 2 borrowed seats, 7 days"), "{told}");
    let (code, told) = office.refused(&["run", "cad", "--", "true"]).await;
    assert_eq!(code, Some(77));
    assert!(told.contains("excludes the node `R` from cad"), "{told}");
    let limits = office.client.limits().await.expect("the limits");
    let known = limits.nodes.first().expect("it is listed");
    assert_eq!((known.node.as_str(), known.node_name.as_str()), ("R", "Ringlund Group"));
    assert_eq!((known.seats, known.borrow_days, known.kept, known.used), (Some(0), Some(7), Some(1), 0));
    let listed = office.done(&["limits"]).await;
    assert!(listed.to_lowercase().contains("borrowed") && !listed.contains("No limits"), "{listed}");
    office.signed(&["limits", "remove", "cad", "--node", "R"]).await;
    office.done(&["run", "cad", "--", "true"]).await;
    let (code, told) = office.refused(&["limits", "set", "cad", "--node", "nowhere", "--seats", "1"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("there is no node nowhere here"), "{told}");
}
