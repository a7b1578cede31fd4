//! What an admin registers of the organisation, by commands.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::Version;
use seatkeeper_protocol::license::{Downgrade, License};

use super::chance::Chance;
use super::office::{Office, name, product};
use crate::command::{Command, NodeLimits, Outcome, Refusal};
use crate::org::{Glob, Installs, Match, Node, NodeId, Purchase, PurchaseId, RegisterError, Rule};
use crate::{Ledger, Organised};

pub(super) fn node_id(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

pub(super) fn purchase_id(text: &str) -> PurchaseId {
    PurchaseId::new(text).unwrap()
}

/// A node; the root is a legal entity.
pub(super) fn node(id: &str, parent: Option<&str>) -> Node {
    let legal = parent.is_none();
    Node { id: node_id(id), parent: parent.map(node_id), name: name(id), legal, priority: 0 }
}

pub(super) fn purchase(quantity: u32) -> Purchase {
    let downgrade = Downgrade::To(vec![Version::new("2025").unwrap()]);
    Purchase { downgrade, ..Purchase::new(product("cad"), Version::new("2026").unwrap(), quantity) }
}

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule { matches: Match::Host(Glob::new("CAD-*").unwrap()), node: node_id("E") },
        Rule { matches: Match::Address("10.1.0.0/16".parse().unwrap()), node: node_id("E") },
    ]
}

fn set_nodes(set: &[Node], remove: &[&str]) -> Command {
    Command::SetNodes { set: set.to_vec(), remove: remove.iter().map(|id| node_id(id)).collect() }
}

fn buy(id: &str, terms: Purchase) -> Command {
    Command::SetPurchases { purchases: vec![(purchase_id(id), terms)] }
}

fn allocate(id: &str, manual: &[(&str, u32)]) -> Command {
    let manual = manual.iter().map(|(node, quantity)| (node_id(node), *quantity)).collect();
    Command::Allocate { purchase: purchase_id(id), manual }
}

/// The nodes that a random office may begin with.
pub(super) fn first_nodes() -> Command {
    let legal = Node { legal: true, ..node("E", Some("R")) };
    set_nodes(&[node("R", None), legal, node("E1", Some("E")), node("W", Some("R"))], &[])
}

/// Something of the organisation, at random: often what fits together.
pub(super) fn organise(ledger: &Ledger, chance: &mut Chance) -> Command {
    const NODES: [&str; 4] = ["R", "E", "E1", "W"];
    let register = ledger.register();
    let some = |chance: &mut Chance| if chance.one_in(3) { chance.pick(&NODES) } else { "R" };
    let any = chance.pick(&["PO-1", "PO-2", "L0", "L1"]);
    let known = register.and_then(|register| register.purchases().keys().next()).map(PurchaseId::as_str);
    let known = known.filter(|_| !chance.one_in(4)).unwrap_or(any);
    match chance.index(21) {
        0 | 1 => {
            let (new, below) = (chance.pick(&NODES), some(chance));
            let legal = !chance.one_in(3);
            let mut set =
                vec![node("R", None), node("E", Some("R")), Node { legal, ..node(new, Some(below)) }];
            set.truncate(chance.small(1..=3));
            let remove = if chance.one_in(3) { vec![chance.pick(&NODES)] } else { Vec::new() };
            set_nodes(&set, &remove)
        }
        2 | 3 => {
            let rules =
                rules().into_iter().map(|rule| Rule { node: node_id(some(chance)), ..rule }).collect();
            let from = if chance.one_in(2) { 0 } else { chance.small(1..=3) };
            Command::SetPlacement { from, rules }
        }
        4 | 5 => {
            let hosts = ["ws-*", "invited", "admitted", "moved", "renamed"];
            let by_host = |chance: &mut Chance| Match::Host(Glob::new(chance.pick(&hosts)).unwrap());
            let rule = |chance: &mut Chance| Rule {
                matches: match ledger.devices().nth(chance.index(8)) {
                    Some((device, _)) => Match::Device(*device),
                    None => by_host(chance),
                },
                node: node_id(chance.pick(&NODES)),
            };
            Command::SetPlacement { from: 0, rules: (0..4).map(|_| rule(chance)).collect() }
        }
        6 | 7 => buy(any, purchase(chance.small(0..=6))),
        8..=11 => {
            let nth = chance.index(ledger.licenses().len().max(1));
            let Some((id, record)) = ledger.licenses().nth(nth) else { return set_nodes(&[], &[]) };
            buy(id.as_str(), registered(record.license(), chance, NODES))
        }
        12 | 13 => Command::RemovePurchase { purchase: purchase_id(known) },
        14 | 15 => allocate(known, &[(some(chance), chance.small(0..=3))]),
        16..=18 => limit_node(ledger, node_id(chance.pick(&NODES)), chance),
        _ => Command::SetStopAtLegal { stop: chance.one_in(2) },
    }
}

/// A license as a purchase: mostly with all its seats, some of them for nodes.
fn registered(license: &License, chance: &mut Chance, nodes: [&str; 4]) -> Purchase {
    let mut terms = Purchase::of_license(license);
    terms.quantity -= u32::from(terms.quantity > 1 && chance.one_in(5));
    terms.owner = chance.one_in(3).then(|| node_id(chance.pick(&nodes)));
    terms.automatic = !chance.one_in(4);
    if chance.one_in(8) {
        terms.downgrade = Downgrade::None;
    }
    for _ in 0..chance.index(3) {
        let seats = chance.small(1..=i64::from(terms.quantity));
        terms.manual.insert(node_id(chance.pick(&nodes)), seats);
    }
    terms
}

/// Limits of nodes come and go.
fn limit_node(ledger: &Ledger, node: NodeId, chance: &mut Chance) -> Command {
    let known = ledger.node_limits().next().map(|(product, node, ..)| (product.clone(), node.clone()));
    if let Some((product, node)) = known.filter(|_| chance.one_in(2)) {
        return Command::SetNodeLimits { product, node, limits: NodeLimits::default() };
    }
    let mut some = |most| chance.one_in(2).then(|| chance.small(0..=most));
    let limits = NodeLimits { seats: some(9), borrowed: some(3), borrow_days: some(30), kept: some(4) };
    Command::SetNodeLimits { product: product("cad"), node, limits }
}

fn office() -> Office {
    let mut office = Office::with_license(3, "");
    let nodes = [node("R", None), node("E1", Some("E")), node("E", Some("R")), node("W", Some("R"))];
    assert_eq!(office.by_admin(set_nodes(&nodes, &[])), Outcome::Done);
    office
}

fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(Refusal::Invalid(text) | Refusal::Conflict(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_an_organisation_nothing_is_registered() {
    let mut office = Office::with_license(3, "");
    for command in [
        buy("PO-1", purchase(1)),
        Command::RemovePurchase { purchase: purchase_id("PO-1") },
        allocate("PO-1", &[]),
        Command::SetPlacement { from: 0, rules: rules() },
        Command::SetStopAtLegal { stop: true },
    ] {
        assert!(text(office.by_admin(command)).contains("seatkeeper org import"));
    }
    assert!(text(office.by_admin(set_nodes(&[], &[]))).contains("there are no nodes"));
    assert!(office.ledger.register().is_none() && office.ledger.purchases(office.time).is_none());
}

#[test]
fn a_change_is_made_as_a_whole_or_not_at_all() {
    let mut office = office();
    assert_eq!(office.by_admin(buy("PO-1", purchase(10))), Outcome::Done);
    let before = office.ledger.register().unwrap().clone();
    let refused = [
        (set_nodes(&[node("X", Some("R")), node("Y", Some("nowhere"))], &[]), "which is not there"),
        (set_nodes(&[node("E", Some("E1"))], &[]), "is above itself"),
        (set_nodes(&[node("S", None)], &[]), "there is one root"),
        (set_nodes(&[node("X", Some("R"))], &["E"]), "is below node `E`"),
        (set_nodes(&[], &["R"]), "is the root"),
        (Command::SetPurchases { purchases: Vec::new() }, "name one"),
        (
            Command::SetPurchases {
                purchases: vec![(purchase_id("PO-2"), purchase(1)), (purchase_id("PO-3"), purchase(0))],
            },
            "`PO-3`: the quantity is 0",
        ),
        (allocate("PO-1", &[("E1", 8), ("W", 4)]), "12 are allocated by hand, but 10 were bought"),
        (allocate("PO-9", &[("E1", 8)]), "there is no purchase `PO-9`"),
        (Command::RemovePurchase { purchase: purchase_id("PO-9") }, "there is no purchase `PO-9`"),
        (
            Command::SetPlacement { from: 0, rules: vec![Rule { node: node_id("X"), ..rules()[0].clone() }] },
            "rule 1 puts devices into `X`",
        ),
        (Command::SetPlacement { from: 1, rules: rules() }, "there are 0 rules"),
    ];
    for (command, expected) in refused {
        let told = text(office.by_admin(command));
        assert!(told.contains(expected), "{told}");
        assert_eq!(office.ledger.register(), Some(&before));
    }
}

#[test]
fn rules_come_in_parts_and_nodes_go_when_nothing_needs_them() {
    let mut office = office();
    assert_eq!(office.by_admin(Command::SetPlacement { from: 0, rules: rules() }), Outcome::Done);
    let more = vec![Rule { node: node_id("W"), ..rules()[0].clone() }];
    assert_eq!(office.by_admin(Command::SetPlacement { from: 1, rules: more }), Outcome::Done);
    let nodes = |office: &Office| -> Vec<String> {
        let rules = office.ledger.register().unwrap().placement().rules();
        rules.iter().map(|rule| rule.node.to_string()).collect()
    };
    assert_eq!(nodes(&office), ["E", "W"]);
    assert!(text(office.by_admin(set_nodes(&[], &["W"]))).contains("rule 2 puts devices into node `W`"));
    assert_eq!(office.by_admin(Command::SetPlacement { from: 1, rules: Vec::new() }), Outcome::Done);
    assert_eq!(office.by_admin(set_nodes(&[], &["W", "E1"])), Outcome::Done);
    assert_eq!(office.ledger.register().unwrap().organisation().nodes().len(), 2);
    let restored = Ledger::restore(&office.ledger.snapshot()).unwrap();
    assert_eq!(restored, office.ledger, "I5");
}

#[test]
fn a_license_is_a_purchase_that_may_be_narrowed_and_never_widened() {
    let mut office = office();
    let (now, id) = (office.time, purchase_id("L1"));
    let quantity = |ledger: &Ledger| {
        let (register, unregistered) = ledger.purchases(now).unwrap();
        assert!(unregistered.is_empty());
        register.purchases().get(&purchase_id("L1")).map(|terms| terms.quantity)
    };
    assert_eq!(quantity(&office.ledger), Some(3));
    let license = Purchase::of_license(office.ledger.license(&name("L1")).unwrap().license());
    let with = |quantity| Purchase { quantity, ..license.clone() };
    assert!(text(office.by_admin(buy("L1", with(4)))).contains("the license has 3 seats"));
    let any = Purchase { downgrade: Downgrade::Any, ..license.clone() };
    assert!(text(office.by_admin(buy("L1", any))).contains("does not cover any version"));
    assert_eq!(office.by_admin(buy("L1", with(2))), Outcome::Done);
    assert_eq!(quantity(&office.ledger), Some(2));
    assert_eq!(office.by_admin(allocate("L1", &[("E", 2)])), Outcome::Done);
    assert_eq!(office.by_admin(Command::RemovePurchase { purchase: id.clone() }), Outcome::Done);
    assert_eq!(quantity(&office.ledger), Some(3), "it is what its file says again");
    assert_eq!(office.by_admin(allocate("L1", &[("E", 3)])), Outcome::Done, "that registers it");
    assert!(office.ledger.register().unwrap().purchases().contains_key(&id));
    assert_eq!(office.by_admin(Command::RemoveLicense { license: name("L1") }), Outcome::Done);
    assert_eq!(quantity(&office.ledger), None);
    assert!(!office.ledger.register().unwrap().purchases().contains_key(&id));
}

#[test]
fn a_license_covers_nothing_until_somebody_who_may_owns_it() {
    let mut office = Office::with_license(3, "");
    let nodes = [Node { legal: false, ..node("R", None) }, Node { legal: true, ..node("E", Some("R")) }];
    assert_eq!(office.by_admin(set_nodes(&nodes, &[])), Outcome::Done);
    let (register, unregistered) = office.ledger.purchases(office.time).unwrap();
    assert!(register.purchases().is_empty());
    assert!(matches!(&unregistered[..], [(id, RegisterError::Purchase { .. })] if id.as_str() == "L1"));
    let license = Purchase::of_license(office.ledger.license(&name("L1")).unwrap().license());
    let owned = Purchase { owner: Some(node_id("E")), ..license };
    assert_eq!(office.by_admin(buy("L1", owned)), Outcome::Done);
    let (register, unregistered) = office.ledger.purchases(office.time).unwrap();
    assert!(unregistered.is_empty());
    let mut installs = Installs::new();
    installs.set(&product("cad"), &node_id("E"), &Version::new("2026").unwrap(), 5).unwrap();
    let compliance = register.compliance(&product("cad"), &installs, office.time);
    assert_eq!((compliance.totals.covered, compliance.totals.short), (3, 2));
}

#[test]
fn each_change_is_recorded_with_who_made_it() {
    let mut office = office();
    let seq = office.ledger.next_seq();
    for command in [
        Command::SetPurchases {
            purchases: vec![(purchase_id("PO-1"), purchase(1)), (purchase_id("PO-2"), purchase(1))],
        },
        allocate("PO-1", &[("E", 1)]),
        allocate("PO-1", &[]),
        Command::RemovePurchase { purchase: purchase_id("PO-2") },
        Command::SetPlacement { from: 0, rules: rules() },
        Command::SetStopAtLegal { stop: true },
        set_nodes(&[node("V", Some("R"))], &["W"]),
    ] {
        assert_eq!(office.by_admin(command), Outcome::Done);
    }
    let told: Vec<String> = office.ledger.records_after(seq - 1).map(|record| record.what.text()).collect();
    assert_eq!(
        told,
        [
            "ada registered the purchase PO-1 and 1 more",
            "ada allocated 1 of the purchase PO-1 to 1 nodes",
            "ada left the purchase PO-1 to automatic allocation",
            "ada removed the purchase PO-2",
            "ada set the rules that place devices: 2",
            "ada had coverage stop at legal entities",
            "ada changed the organisation: 1 nodes set, 1 removed",
        ]
    );
}

#[test]
fn the_words_for_records_differ() {
    let purchase = || purchase_id("PO-1");
    let all = [
        Organised::Nodes { set: 1, removed: 0 },
        Organised::Rules { rules: 1 },
        Organised::Purchases { first: purchase(), others: 0 },
        Organised::PurchaseRemoved { purchase: purchase() },
        Organised::Allocated { purchase: purchase(), quantity: 1, nodes: 1 },
        Organised::StopAtLegal { stop: false },
    ];
    let page = include_str!("../../../AUDIT.md");
    let words: BTreeMap<&str, usize> = all.iter().map(Organised::kind).zip(0..).collect();
    assert_eq!(words.len(), all.len());
    assert!(words.keys().all(|word| page.contains(&format!("`{word}`"))));
}
