//! What the report says of purchases, and what would be different if.

use seatkeeper_protocol::license::{Date, Downgrade};

use super::{NOW, bought, cad, node, node_id, office, purchase_id, version};
use crate::org::{
    Change, Installs, Line, Node, NotAssessed, NotUsed, Purchase, Register, Share, Surplus, Transfer, Verdict,
};

fn installs() -> Installs {
    let mut installs = Installs::new();
    for (node, of, count) in [("E1", "2026", 3), ("E1", "2025", 2), ("W1", "2025", 2), ("gone", "2026", 1)] {
        installs.set(&cad(), &node_id(node), &version(of), count).unwrap();
    }
    installs
}

fn register() -> Register {
    let mut register = Register::new(office());
    let mut add = |id: &str, purchase| register.add_purchase(purchase_id(id), purchase).unwrap();
    let dg = Downgrade::To(vec![version("2025")]);
    add("all", Purchase { downgrade: dg.clone(), ..bought("2026", 3) });
    let at_w =
        Purchase { owner: Some(node_id("W")), unit_cost: Some(25_050), downgrade: dg, ..bought("2026", 4) };
    add("some", at_w);
    add("unfit", Purchase { unit_cost: None, ..bought("2024", 2) });
    add("over", Purchase { valid_until: Date::new(2026, 2, 27), ..bought("2026", 9) });
    add("early", Purchase { valid_from: Date::new(2026, 3, 2), ..bought("2026", 9) });
    register
}

#[test]
fn each_purchase_is_told_why() {
    let found = register().compliance(&cad(), &installs(), NOW);
    let verdicts: Vec<(&str, u64, u64, Verdict)> = found
        .purchases
        .iter()
        .map(|line| (line.purchase.as_str(), line.used, line.transfers, line.verdict))
        .collect();
    let over = NotAssessed::Over(Date::new(2026, 2, 27).unwrap());
    let early = NotAssessed::NotYet(Date::new(2026, 3, 2).unwrap());
    assert_eq!(
        verdicts,
        [
            ("all", 3, 0, Verdict::Used),
            ("early", 0, 0, Verdict::NotAssessed(early)),
            ("over", 0, 0, Verdict::NotAssessed(over)),
            ("some", 2, 2, Verdict::PartlyUsed(NotUsed::AllCovered)),
            ("unfit", 0, 0, Verdict::NotUsed(NotUsed::NothingInstalled)),
        ]
    );
    assert_eq!(Verdict::NotAssessed(over).to_string(), "it is not assessed: it ended on 2026-02-27");
    assert_eq!(
        verdicts[4].3.to_string(),
        "it is not used: nothing that it could cover is installed where it may be used"
    );
    assert_eq!(
        found.purchases[3].to_string(),
        "it covers 2 of 4, 2 by downgrade; some of it is not used: all installs that it could cover are covered"
    );
    let surplus = |purchase, node, quantity, cost| Surplus {
        purchase: purchase_id(purchase),
        node: node_id(node),
        quantity,
        cost,
    };
    assert_eq!(found.surplus, [surplus("some", "W", 2, Some(50_100)), surplus("unfit", "R", 2, None)]);
    let moved = Transfer {
        purchase: purchase_id("some"),
        node: node_id("W1"),
        version: version("2025"),
        steps: 1,
        count: 2,
    };
    assert_eq!(found.transfers, [moved]);
    let share = |purchase, node, count| Share { purchase: purchase_id(purchase), node: node_id(node), count };
    assert_eq!(found.automatic, [share("all", "R", 1), share("all", "E1", 2), share("some", "W1", 2)]);
    let totals = found.totals;
    assert_eq!((totals.owned, totals.required, totals.covered, totals.short), (9, 8, 5, 3));
    assert_eq!((totals.surplus, totals.surplus_cost), (4, 50_100));
    let versions: Vec<_> = found
        .versions
        .iter()
        .map(|line| (line.version.as_str(), line.all.requirement, line.all.coverage))
        .collect();
    assert_eq!(versions, [("2026", 4, 3), ("2025", 4, 2)]);
    // What is installed at a node that is not there is the root's.
    let root = found.node(&node_id("R")).unwrap();
    assert_eq!(root.own, Line { requirement: 1, coverage: 1 });
    assert_eq!(root.rolled_up.compliance(), -3);
}

#[test]
fn a_license_that_ends_covers_until_noon_of_the_next_day() {
    let mut register = register();
    let (noon, before) =
        (Date::new(2026, 2, 27).unwrap().ends(), Date::new(2026, 2, 27).unwrap().ends().plus_ms(-1));
    register.remove_purchase(&purchase_id("all")).unwrap();
    assert_eq!(register.compliance(&cad(), &installs(), before).totals.owned, 15);
    assert_eq!(register.compliance(&cad(), &installs(), noon).totals.owned, 6);
}

#[test]
fn what_if_changes_nothing_and_tells_the_difference() {
    let register = register();
    let before = register.clone();
    let told = register
        .what_if(&[Change::AddPurchase(purchase_id("new"), bought("2025", 3))], &installs(), NOW)
        .unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].before.covered, told[0].after.covered), (5, 7));
    let nodes: Vec<_> =
        told[0].nodes.iter().map(|line| (line.node.as_str(), line.before, line.after)).collect();
    let line = |coverage| Some(Line { requirement: 5, coverage });
    assert_eq!(nodes, [("E1", line(2), line(4))]);
    let purchases: Vec<&str> = told[0].purchases.iter().map(|line| line.purchase.as_str()).collect();
    assert_eq!(purchases, ["new", "some"]);
    // Nothing different: nothing told.
    let unfit = bought("2020", 1);
    let same = [Change::AddPurchase(purchase_id("x"), unfit), Change::RemovePurchase(purchase_id("x"))];
    assert_eq!(register.what_if(&same, &installs(), NOW).unwrap(), []);
    assert!(register.what_if(&[Change::RemoveNode(node_id("W"))], &installs(), NOW).is_err());
    assert!(register.what_if(&[Change::RemovePurchase(purchase_id("x"))], &installs(), NOW).is_err());
    let moved = [
        Change::RemoveNode(node_id("E2")),
        Change::SetNode(node("N", Some("R"), true)),
        Change::SetNode(node("E", Some("N"), false)),
        Change::StopAtLegal(true),
    ];
    let told = register.what_if(&moved, &installs(), NOW).unwrap();
    assert_eq!(told[0].after.covered, 3);
    let nodes: Vec<&str> = told[0].nodes.iter().map(|line| line.node.as_str()).collect();
    assert_eq!(nodes, ["N", "E1", "E2"]);
    assert_eq!(register, before);
}

#[test]
fn who_has_priority_is_covered_first() {
    let mut register = Register::new(office());
    register.add_purchase(purchase_id("p"), bought("2026", 2)).unwrap();
    let covered = |register: &Register| {
        let found = register.compliance(&cad(), &installs(), NOW);
        ["R", "E1"].map(|node| found.node(&node_id(node)).unwrap().own.coverage)
    };
    assert_eq!(covered(&register), [1, 1]);
    register.set_node(Node { priority: 1, ..node("E1", Some("E"), false) }).unwrap();
    assert_eq!(covered(&register), [0, 2]);
}

#[test]
fn without_anything_there_is_nothing_to_tell() {
    let register = Register::new(office());
    let found = register.compliance(&cad(), &Installs::new(), NOW);
    assert_eq!((found.totals.required, found.nodes.len()), (0, 6));
    let mut installs = installs();
    for (node, of) in [("E1", "2026"), ("E1", "2025"), ("W1", "2025"), ("gone", "2026"), ("E", "2026")] {
        installs.set(&cad(), &node_id(node), &version(of), 0).unwrap();
    }
    assert_eq!(installs, Installs::new());
}
