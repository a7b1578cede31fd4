//! What is installed, by commands.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{ProductId, SiteId, Version};

use super::chance::Chance;
use super::office::{Office, START, device, name, product, public};
use super::organisation::{node, node_id, purchase, purchase_id};
use crate::command::{Command, Outcome, Refusal};
use crate::history::{Calculated, ProductChange, Quota, Reason};
use crate::inventory::{
    CatalogRule, MachineChange, MachineId, Means, OtherSite, RULES_MAX, SOFTWARE_REPORTED_MAX, Software,
    Source, Translation, USERS_MAX, VersionFrom,
};
use crate::org::{Glob, Line, Match, NodeDifference, Rule, Totals};
use crate::{Ledger, Organised};

pub(super) fn software(text: &str) -> Software {
    let (text, publisher) = text.split_once('/').unwrap_or((text, ""));
    let (text, version) = text.split_once('=').unwrap_or((text, ""));
    Software::read(text, publisher, version).unwrap()
}

pub(super) fn change(host: &str, add: &[&str], remove: &[&str]) -> MachineChange {
    let all = |texts: &[&str]| texts.iter().map(|text| software(text)).collect();
    MachineChange {
        host: name(host),
        addresses: vec!["10.1.2.3".parse().unwrap()],
        users: vec![name("eva")],
        remove: all(remove),
        add: all(add),
    }
}

fn rule(pattern: &str, means: Means) -> CatalogRule {
    CatalogRule { name: Glob::new(pattern).unwrap(), publisher: None, reported: None, means }
}

fn cad(version: VersionFrom) -> Means {
    Means::Product { product: product("cad"), version }
}

pub(super) fn catalog() -> Vec<CatalogRule> {
    vec![
        rule("lib*", Means::Ignored),
        CatalogRule {
            publisher: Some(Glob::new("Example*").unwrap()),
            reported: Some(Glob::new("25.*").unwrap()),
            ..rule("Draw", cad(VersionFrom::Is(Version::new("2026").unwrap())))
        },
        rule("Example CAD*", cad(VersionFrom::Name(1))),
        rule("cad-bin", cad(VersionFrom::Reported(1))),
    ]
}

pub(super) fn set_catalog(from: u32, rules: Vec<CatalogRule>) -> Command {
    Command::SetCatalog { from, rules }
}

pub(super) fn site(n: u8) -> SiteId {
    public(n).site()
}

pub(super) fn export(n: u8, issued: i64) -> Command {
    let export = OtherSite { name: name("Gdańsk"), key: public(n), issued: START.plus_ms(issued) };
    Command::TakeExport { site: site(90), export }
}

pub(super) fn import(source: Source, machines: &[(&str, MachineChange)]) -> Command {
    let machines = machines.iter().map(|(id, change)| (name(id), change.clone())).collect();
    Command::ImportMachines { source, machines }
}

fn totals(short: u64) -> Totals {
    Totals { required: short, short, ..Totals::default() }
}

pub(super) fn calculated(before: Option<Totals>, after: Option<Totals>) -> Calculated {
    let line = |requirement| Line { requirement, coverage: 0 };
    let node = NodeDifference { node: node_id("E"), before: Some(line(1)), after: Some(line(2)) };
    let product = ProductChange { product: product("cad"), before, after, nodes: vec![node], other_nodes: 0 };
    Calculated {
        reasons: vec![Reason::Installs, Reason::Ended(purchase_id("PO-1"))],
        products: vec![product],
        quotas: Vec::new(),
    }
}

const PROGRAMS: [&str; 8] = [
    "Example CAD 2026",
    "Example CAD 2025",
    "Example CAD",
    "Draw=25.1/Example",
    "Draw=24.0/Example",
    "cad-bin=2026.1",
    "libdraw",
    "Editor",
];

/// What a machine reports, at random.
pub(super) fn report(chance: &mut Chance) -> Command {
    Command::Report(some_change(chance.pick(&["ws-1", "cad-1", "x"]), chance))
}

fn some_change(host: &str, chance: &mut Chance) -> MachineChange {
    let some =
        |chance: &mut Chance| -> Vec<&str> { PROGRAMS.into_iter().filter(|_| chance.one_in(4)).collect() };
    let (add, remove) = (some(chance), some(chance));
    change(host, &add, &remove)
}

/// What an admin does to the inventory, at random.
pub(super) fn survey(chance: &mut Chance) -> Command {
    let source = if chance.one_in(3) { Source::Site(site(90)) } else { Source::File };
    let hosts = ["cad-1", "cad-2", "old"];
    match chance.index(10) {
        0 | 1 => {
            let rules = catalog().into_iter().filter(|_| !chance.one_in(3)).collect();
            set_catalog(chance.pick(&[0, 0, 0, 2]), rules)
        }
        2..=5 => {
            let machines: Vec<_> = hosts
                .into_iter()
                .filter(|_| chance.one_in(2))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|host| (host, some_change(host, chance)))
                .collect();
            import(source, &machines)
        }
        6 | 7 => {
            let names = hosts.iter().filter(|_| chance.one_in(2)).map(|host| name(host)).collect();
            Command::RemoveMachines { source, machines: (!chance.one_in(3)).then_some(names) }
        }
        _ => export(chance.pick(&[91, 91, 91, 92]), chance.range(0..=3)),
    }
}

/// What a holder calculated, at random; mostly from the newest figures on.
pub(super) fn some_calculation(ledger: &Ledger, chance: &mut Chance) -> Command {
    let known = ledger.calculated_totals().get(&product("cad")).copied();
    let before = if chance.one_in(6) { Some(totals(9)) } else { known };
    let after = (!chance.one_in(6)).then(|| totals(chance.small(0..=3)));
    let mut result = calculated(before, after);
    for node in ["R", "E"].into_iter().filter(|_| chance.one_in(2)).collect::<Vec<_>>() {
        let (product, node, seats) = (product("cad"), node_id(node), chance.small(0..=2));
        result.quotas.push(Quota { product, node, seats });
    }
    Command::Calculated(result)
}

fn installed(office: &Office) -> BTreeMap<ProductId, u64> {
    office.ledger.installed_products().map(|(product, count)| (product.clone(), count)).collect()
}

fn counts(office: &Office) -> Vec<(&'static str, &'static str, u32)> {
    let register = office.ledger.register().unwrap();
    let installs = office.ledger.installs(&product("cad"), register);
    let at = |node: &'static str, version: &'static str| {
        let count = installs.count(&product("cad"), &node_id(node), &Version::new(version).unwrap());
        (count > 0).then_some((node, version, count))
    };
    ["R", "E"]
        .into_iter()
        .flat_map(|node| ["2026", "2025"].map(|version| at(node, version)))
        .flatten()
        .collect()
}

fn office() -> Office {
    let mut office = Office::with_license(3, "");
    let nodes = vec![node("R", None), node("E", Some("R"))];
    office.done_by_admin(Command::SetNodes { set: nodes, remove: Vec::new() });
    office
}

#[test]
fn the_catalog_makes_products_of_what_machines_report() {
    let mut office = office();
    assert_eq!(
        office.by_device(0, Command::Report(change("cad-1", &["Example CAD 2026", "Editor"], &[]))),
        Outcome::Done
    );
    assert_eq!(installed(&office), BTreeMap::new());
    assert_eq!(office.ledger.unknown_software().len(), 2);
    office.done_by_admin(set_catalog(0, catalog()));
    assert_eq!(counts(&office), [("R", "2026", 1)]);
    // Each version counts once for a machine, whatever it consists of.
    let more =
        change("cad-1", &["cad-bin=2026.3", "Draw=25.0/Example", "Example CAD 2025", "libcad"], &["Editor"]);
    assert_eq!(office.by_device(0, Command::Report(more)), Outcome::Done);
    assert_eq!(counts(&office), [("R", "2026", 1), ("R", "2025", 1)]);
    assert!(office.ledger.unknown_software().is_empty());
    let less = change("cad-1", &[], &["Example CAD 2026", "Draw=25.0/Example"]);
    assert_eq!(office.by_device(0, Command::Report(less)), Outcome::Done);
    assert_eq!(counts(&office), [("R", "2026", 1), ("R", "2025", 1)]);
    // The rules place it.
    let rules = vec![Rule { matches: Match::Address("10.1.0.0/16".parse().unwrap()), node: node_id("E") }];
    office.done_by_admin(Command::SetPlacement { from: 0, rules });
    assert_eq!(counts(&office), [("E", "2026", 1), ("E", "2025", 1)]);
    // The last entry alone is replaced.
    office.done_by_admin(set_catalog(3, vec![]));
    assert_eq!(counts(&office), [("E", "2025", 1)]);
    let machine = office.ledger.machine(&MachineId::Device(device(0))).unwrap();
    let told: Vec<_> = office
        .ledger
        .software_of(machine)
        .map(|(software, means)| (software.name.as_str(), means.clone()))
        .collect();
    assert!(told.contains(&("cad-bin", Translation::Unknown)), "{told:?}");
    office.check();
}

#[test]
fn machines_are_asked_once_somebody_wants_to_know() {
    let mut office = Office::with_license(3, "");
    assert_eq!(office.ledger.survey(), None);
    office.done_by_admin(set_catalog(0, catalog()));
    let first = office.ledger.survey().unwrap();
    office.done_by_admin(Command::SetNodes { set: vec![node("R", None)], remove: vec![] });
    assert!(office.ledger.survey().unwrap() > first);
    let second = office.ledger.survey();
    office.done_by_admin(Command::SetPurchases { purchases: vec![(purchase_id("PO-1"), purchase(1))] });
    assert_eq!(office.ledger.survey(), second);
}

#[test]
fn who_gets_an_agent_is_not_counted_twice() {
    let mut office = office();
    office.done_by_admin(set_catalog(0, catalog()));
    let old = ("old", change("old", &["Example CAD 2025"], &[]));
    let twin = ("CAD-1", change("CAD-1", &["Example CAD 2026"], &[]));
    office.done_by_admin(import(Source::File, &[old.clone(), twin.clone()]));
    assert_eq!(counts(&office), [("R", "2026", 1), ("R", "2025", 1)]);
    assert_eq!(
        office.by_device(0, Command::Report(change("cad-1", &["Example CAD 2026"], &[]))),
        Outcome::Done
    );
    assert_eq!(counts(&office), [("R", "2026", 1), ("R", "2025", 1)]);
    // An import leaves it out from now on; and what it had is gone with it.
    office.done_by_admin(import(Source::File, &[twin]));
    assert_eq!(counts(&office), [("R", "2026", 1), ("R", "2025", 1)]);
    assert!(matches!(
        office
            .by_admin(Command::RemoveMachines { source: Source::File, machines: Some(vec![name("cad-1")]) }),
        Outcome::Refused(Refusal::NotFound(_))
    ));
    office.done_by_admin(Command::RemoveMachines { source: Source::File, machines: None });
    assert_eq!(counts(&office), [("R", "2026", 1)]);
    assert_eq!(
        office.by_device(1, Command::Report(change("ws-1", &["Example CAD 2026"], &[]))),
        Outcome::Done
    );
    assert_eq!(counts(&office), [("R", "2026", 2)]);
    office.done_by_admin(Command::RevokeDevice { device: device(1) });
    assert_eq!(counts(&office), [("R", "2026", 1)]);
}

#[test]
fn another_site_is_counted_by_its_newest_export() {
    let mut office = office();
    office.done_by_admin(set_catalog(0, catalog()));
    let there = Source::Site(site(90));
    let machines = [("d1", change("ws-1", &["Example CAD 2026"], &[]))];
    assert!(matches!(office.by_admin(import(there, &machines)), Outcome::Refused(Refusal::NotFound(_))));
    office.done_by_admin(export(91, 1_000));
    office.done_by_admin(import(there, &machines));
    assert_eq!(counts(&office), [("R", "2026", 1)]);
    for (older, why) in [(export(91, 0), "newer export"), (export(92, 2_000), "another key")] {
        let Outcome::Refused(Refusal::Conflict(text)) = office.by_admin(older) else { panic!("taken") };
        assert!(text.contains(why), "{text}");
    }
    let own = OtherSite { name: name("own"), key: public(1), issued: START };
    let own = Command::TakeExport { site: office.ledger.site().unwrap().id, export: own };
    assert!(matches!(office.by_admin(own), Outcome::Refused(Refusal::Invalid(_))));
    office.done_by_admin(export(91, 1_000));
    office.done_by_admin(Command::RemoveMachines { source: there, machines: None });
    assert!(counts(&office).is_empty() && office.ledger.other_sites().next().is_none());
    office.done_by_admin(export(92, 0));
}

#[test]
fn too_much_is_refused_as_a_whole() {
    let mut office = office();
    office.done_by_admin(set_catalog(0, catalog()));
    let names: Vec<String> = (0..=SOFTWARE_REPORTED_MAX).map(|n| format!("program {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_limit = |outcome| matches!(outcome, Outcome::Refused(Refusal::Limit { .. }));
    assert!(is_limit(office.by_device(0, Command::Report(change("ws", &names, &[])))));
    let good = ("a", change("a", &["Editor"], &[]));
    assert!(is_limit(
        office.by_admin(import(Source::File, &[good.clone(), ("b", change("b", &names, &[]))]))
    ));
    assert_eq!(office.ledger.machines(None).count(), 0);
    let mut crowd = change("ws", &[], &[]);
    crowd.users = vec![name("eva"); USERS_MAX + 1];
    assert!(is_limit(office.by_device(0, Command::Report(crowd))));
    let rules = vec![rule("x", Means::Ignored); RULES_MAX];
    assert!(is_limit(office.by_admin(set_catalog(1, rules.clone()))));
    assert!(matches!(office.by_admin(set_catalog(5, rules)), Outcome::Refused(Refusal::Invalid(_))));
    for parts in [0, 5] {
        let bad = vec![rule("x", cad(VersionFrom::Reported(parts)))];
        assert!(matches!(office.by_admin(set_catalog(0, bad)), Outcome::Refused(Refusal::Invalid(_))));
    }
    let twice = import(Source::File, &[good.clone(), good]);
    assert!(matches!(office.by_admin(twice), Outcome::Refused(Refusal::Invalid(_))));
    assert_eq!(office.ledger.catalog().0.len(), catalog().len());
    // What is taken away makes room.
    let all_but_one: Vec<&str> = names.iter().skip(1).copied().collect();
    assert_eq!(office.by_device(0, Command::Report(change("ws", &all_but_one, &[]))), Outcome::Done);
    assert_eq!(office.by_device(0, Command::Report(change("ws", &names[..1], &names[1..2]))), Outcome::Done);
    assert!(is_limit(office.by_device(0, Command::Report(change("ws", &names[1..2], &[])))));
}

#[test]
fn calculations_are_kept_where_they_differ() {
    let mut office = office();
    let short = |short| Some(totals(short));
    let seq = office.ledger.next_seq();
    office.done_by_holder(Command::Calculated(calculated(None, short(2))));
    let mut same = calculated(short(2), short(2));
    same.products[0].nodes.clear();
    office.done_by_holder(Command::Calculated(same));
    let stale = office.by_holder(Command::Calculated(calculated(None, short(3))));
    assert!(matches!(stale, Outcome::Refused(Refusal::Conflict(_))));
    office.done_by_holder(Command::Calculated(calculated(short(2), short(1))));
    let kept: Vec<_> = office.ledger.calculations().map(|kept| kept.number).collect();
    assert_eq!(kept, [1, 2]);
    let told: Vec<String> = office.ledger.records_after(seq - 1).map(|record| record.what.text()).collect();
    assert_eq!(
        told,
        [
            "calculation 1: the figures of 1 products changed; 2 installs are not covered",
            "calculation 2: the figures of 1 products changed; 1 installs are not covered",
        ]
    );
    office.done_by_holder(Command::Calculated(calculated(short(1), None)));
    assert!(office.ledger.calculated_totals().is_empty());
    let mut many = calculated(None, short(1));
    many.products[0].nodes =
        vec![many.products[0].nodes[0].clone(); crate::history::CALCULATION_NODES_MAX + 1];
    assert!(matches!(office.by_holder(Command::Calculated(many)), Outcome::Refused(Refusal::Limit { .. })));
    for _ in 0..crate::history::CALCULATIONS_MAX {
        let before = office.ledger.calculated_totals().get(&product("cad")).copied();
        let after = short(before.map_or(1, |totals| totals.short + 1));
        office.done_by_holder(Command::Calculated(calculated(before, after)));
    }
    assert_eq!(office.ledger.calculations().count(), crate::history::CALCULATIONS_MAX);
    // Quotas are set beside, and not told: they follow from the rest.
    let quota = |seats| {
        let quotas = vec![Quota { product: product("cad"), node: node_id("E"), seats }];
        Command::Calculated(Calculated { reasons: vec![], products: vec![], quotas })
    };
    let seq = office.ledger.next_seq();
    office.done_by_holder(quota(3));
    assert_eq!(office.ledger.quota(&product("cad"), &node_id("E")), 3);
    office.done_by_holder(quota(0));
    assert!(office.ledger.quotas().is_empty() && office.ledger.next_seq() == seq);
}

#[test]
fn what_changed_is_told() {
    let mut office = office();
    let seq = office.ledger.next_seq();
    office.done_by_admin(set_catalog(0, catalog()));
    office.done_by_admin(import(Source::File, &[("old", change("old", &["Editor"], &[]))]));
    office.done_by_admin(export(91, 0));
    office.done_by_admin(import(Source::Site(site(90)), &[]));
    office.done_by_admin(Command::RemoveMachines { source: Source::Site(site(90)), machines: None });
    office.done_by_admin(Command::RemoveMachines { source: Source::File, machines: None });
    let told: Vec<String> = office.ledger.records_after(seq - 1).map(|record| record.what.text()).collect();
    assert_eq!(
        told,
        [
            "ada set the catalog: 4 entries",
            "ada imported what is installed on 1 machines",
            "ada trusts exports of the site Gdańsk",
            "ada imported what is installed on 0 machines of the site Gdańsk",
            "ada removed 0 machines of the site Gdańsk from the inventory",
            "ada removed 1 machines from the inventory",
        ]
    );
    let words = [
        Organised::Catalog { entries: 1 },
        Organised::Machines { machines: 1, site: None },
        Organised::MachinesRemoved { machines: 1, site: None },
        Organised::SiteTrusted { site: name("x") },
    ];
    let page = include_str!("../../../AUDIT.md");
    assert!(words.iter().all(|word| page.contains(&format!("`{}`", word.kind()))));
}
