//! Files that are read, and what is said of those that are not.

use super::office;
use crate::org::{Match, Organisation, Purchase, Rule, read_cost};
use crate::tests::chance::Chance;

const NODES: &str = "id,parent,name,legal\nR,,Group,yes\nE,R,Engineering,no\nE1,E,North,\nE2,E,South,0\n";

fn check_nodes(csv: &str, says: &str) {
    let error = Organisation::from_csv(csv.as_bytes()).expect_err(csv).to_string();
    assert_eq!(error, says, "{csv}");
}

#[test]
fn organisations_are_read_from_csv_and_json_alike() {
    let tree = Organisation::from_csv(NODES.as_bytes()).unwrap();
    let ids: Vec<&str> = tree.nodes().iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["R", "E", "E1", "E2"]);
    assert!(tree.root().legal && !tree.nodes()[1].legal);
    let other = "\u{feff}Legal;ID;Name;Parent\r\nno;E2;South;E\r\n;E1;North;E\r\nx;R;Group;\r\n;;;\r\n;E;Engineering;R\r\n";
    assert_eq!(Organisation::from_csv(other.as_bytes()).unwrap(), tree);
    let json = r#"[{"id":"R","name":"Group","legal":true},{"id":"E","parent":"R","name":"Engineering"},
        {"id":"E1","parent":"E","name":"North"},{"id":"E2","parent":"E","name":"South","legal":false,"priority":0}]"#;
    assert_eq!(Organisation::from_json(json.as_bytes()).unwrap(), tree);
}

#[test]
fn nodes_that_are_no_tree_are_refused_by_row() {
    let with = |rows: &str| format!("{NODES}{rows}");
    check_nodes(
        "id,parent,name,legal\n",
        "there are no nodes; the first row must be the root, whose parent is empty",
    );
    check_nodes(&with("E,R,Again,no\n"), "row 6: node `E` is there already, in row 3; give it another id");
    check_nodes(
        &with("F,Q,Far,no\n"),
        "row 6: node `F` is below `Q`, which is not there; add that node, or correct the parent",
    );
    check_nodes(
        &with("S,,Second,yes\n"),
        "row 6: node `S` has no parent, and neither has `R` in row 2; there is one root, so name a parent",
    );
    let cycle =
        "row 7: node `A` is above itself; give it, or a node between, a parent that leads to the root";
    check_nodes(&with("D,A,Below it,no\nA,B,One,no\nB,A,Two,no\n"), cycle);
    check_nodes(&with("\nA,A,Itself,no\n"), cycle);
    check_nodes(&with("\nA,A,Itself,no\n").replace('\n', "\r\n"), cycle);
    check_nodes(
        &with("\"F\n1\",R,Far,no\n").replace("E,R,", "\"E\",R,"),
        "row 6: `id` can't be used: `\n` may not stand in a name",
    );
    check_nodes(
        "id,parent,name,legal\nA,B,One,no\nB,A,Two,no\n",
        "row 2: node `A` is above itself; give it, or a node between, a parent that leads to the root",
    );
    check_nodes(
        "id,parent,priority\nR,,10\n",
        "row 2: node `R` has priority 10; the highest is 9, write 0 to 9",
    );
}

#[test]
fn cells_that_cannot_be_meant_are_refused_by_row() {
    let columns = "the first line names the columns, as in `id,parent,name,legal`";
    check_nodes("", &format!("there is no column `id`; {columns}"));
    check_nodes("id,name\nR,Group\n", &format!("there is no column `parent`; {columns}"));
    check_nodes("id,parent,color\n", &format!("there is a column `color` that means nothing; {columns}"));
    check_nodes("id,parent,id\n", "there are two columns `id`; leave one out");
    check_nodes(
        "id,parent,legal\nR,,maybe\n",
        "row 2: `legal` is \"maybe\"; write yes or no, or true or false",
    );
    check_nodes("id,parent\nR,\n,R\n", "row 3: `id` can't be used: a name must not be empty");
    let short = Organisation::from_csv(b"id,parent,name\nR,,Group\nE,R\n").unwrap_err().to_string();
    assert!(short.starts_with("row 3: it can't be read"), "{short}");
    let latin = Organisation::from_csv(b"id,parent,name\nR,,B\xfcro\n").unwrap_err().to_string();
    assert!(latin.starts_with("row 2: it can't be read") && latin.contains("UTF-8"), "{latin}");
    for (json, says) in [
        ("{}", "the file is not a JSON list of nodes"),
        ("[{\"id\":\"R\"},{\"id\":\"E\",\"parent\":7}]", "row 2: it is no node"),
        ("[{\"id\":\"R\",\"color\":1}]", "row 1: it is no node (unknown field `color`"),
        ("[{\"id\":\"R\"},{\"id\":\"R\",\"parent\":\"R\"}]", "row 2: node `R` is there already, in row 1"),
    ] {
        let error = Organisation::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(says), "{json}: {error}");
    }
}

#[test]
fn purchases_are_refused_by_row() {
    let check = |row: &str, says: &str| {
        let head = "id,product,version,quantity,downgrade,manual,valid_until,unit_cost";
        let file = format!("{head}\nok,cad,2026,1,2025 2024,E1=1,2026-12-31,10.5\n{row}\n");
        let error = Purchase::from_csv(file.as_bytes()).expect_err(row).to_string();
        assert_eq!(error, says, "{row}");
    };
    check("ok,cad,2026,1,,,,", "row 3: purchase `ok` is there already, in row 2; give it another id");
    check("p,cad,2026,many,,,,", "row 3: `quantity` is \"many\"; write how many were bought, a whole number");
    check("p,CAD,2026,1,,,,", "row 3: `product` can't be used: `C` may not stand in a product");
    let manual = "write nodes and numbers as in `E1=4; E2=2`, each node once";
    check("p,cad,2026,1,,E1:4,,", &format!("row 3: `manual` is \"E1:4\"; {manual}"));
    check("p,cad,2026,1,,E1=1;E1=2,,", &format!("row 3: `manual` is \"E1=1;E1=2\"; {manual}"));
    for day in ["31.12.2026", "2026-02-30", "2026-1-1", "2026-01-01-01"] {
        let says = format!("row 3: `valid_until` is {day:?}; write a day as in 2026-12-31, or nothing");
        check(&format!("p,cad,2026,1,,,{day},"), &says);
    }
    for cost in ["1.234", "-1", "1.-1", "5000000000"] {
        let says = format!("row 3: `unit_cost` is {cost:?}; write an amount as in 1250.00, or nothing");
        check(&format!("p,cad,2026,1,,,,{cost}"), &says);
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let words = [
        "id", "parent", "name", "legal", ",", ";", "\n", "\r\n", "\"", "R", "E", "\u{feff}", "yes", "\\",
        "[", "{", ":", "null", "9", "\u{0}", "é",
    ];
    for seed in 0..20_000 {
        let mut chance = Chance::new(seed);
        let mut bytes = if chance.one_in(2) { b"id,parent,name,legal\n".to_vec() } else { Vec::new() };
        for _ in 0..chance.index(30) {
            if chance.one_in(8) {
                bytes.push(chance.small(0..=255));
            } else {
                bytes.extend(chance.pick(&words).bytes());
            }
        }
        let _ = (Organisation::from_csv(&bytes), Organisation::from_json(&bytes), Purchase::from_csv(&bytes));
    }
}

#[test]
fn a_deep_tree_is_no_trouble() {
    let mut rows = String::from("id,parent\nn0,\n");
    (1..20_000).for_each(|number| rows += &format!("n{number},n{}\n", number - 1));
    let tree = Organisation::from_csv(rows.as_bytes()).unwrap();
    assert_eq!(tree.nodes().len(), 20_000);
    rows += "one-more,n0\n";
    check_nodes(&rows, "row 20002: there are at most 20000 rows; split the file");
    assert_eq!(office().nodes().len(), 6);
}

#[test]
fn amounts_are_read_in_hundredths() {
    let amounts = ["1250", "1250.5", "0.07", "", "12.345", "-1", "1,5", "4294967296"];
    let read = amounts.map(read_cost);
    assert_eq!(read, [Some(125_000), Some(125_050), Some(7), None, None, None, None, None]);
}

#[test]
fn rules_are_read_in_their_order() {
    let device = "zelzqzwn4etfdtccf6ty4fxo7fa3xrxk";
    let text = format!(
        "match,pattern,node\nhost,CAD-*,E1\naddress,10.1.0.0/16,E\n\nuser,*@west,W\ndevice,{device},R\n"
    );
    let rules = Rule::from_csv(text.as_bytes()).unwrap();
    let nodes: Vec<&str> = rules.iter().map(|rule| rule.node.as_str()).collect();
    assert_eq!(nodes, ["E1", "E", "W", "R"]);
    assert!(matches!(&rules[0].matches, Match::Host(glob) if glob.fits("cad-7")));
    assert!(matches!(&rules[3].matches, Match::Device(id) if id.to_string() == device));
    for (text, expected) in [
        ("match,node\nhost,E\n", "there is no column `pattern`"),
        ("match,pattern,node\nhost,,E\n", "row 2: a pattern has 1 to"),
        ("match,pattern,node\nhost,a,E\naddress,10.1,E\n", "row 3: `10.1` is no network"),
        ("match,pattern,node\ndevice,zelz,E\n", "row 2: `pattern` is \"zelz\"; write the whole id"),
        ("match,pattern,node\nname,a,E\n", "row 2: `match` is \"name\"; write host, address"),
        ("match,pattern,node\nhost,a,\n", "row 2: `node` can't be used"),
    ] {
        let told = Rule::from_csv(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}
