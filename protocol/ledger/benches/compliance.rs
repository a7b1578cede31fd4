//! How fast compliance is calculated, for one product, on one thread, beside its targets.
//!
//! ```text
//! cargo bench -p seatkeeper-ledger --bench compliance
//! ```
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints a table"
)]

use std::time::{Duration, Instant};

use seatkeeper_ledger::org::{
    Calculation, Change, Installs, Node, NodeId, Organisation, Purchase, PurchaseId, Register,
};
use seatkeeper_protocol::id::{Name, ProductId, Version};
use seatkeeper_protocol::license::{Date, Downgrade};
use seatkeeper_protocol::time::WallTime;

const NOW: WallTime = WallTime(1_772_323_200_000);

/// SplitMix64, as in the tests.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below).expect("small")).expect("small")
    }
}

#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    versions: usize,
    purchases: usize,
    installs: usize,
}

const OFFICE: Size = Size { nodes: 1_000, versions: 5, purchases: 200, installs: 100_000 };
const GROUP: Size = Size { nodes: 10_000, versions: 10, purchases: 1_000, installs: 1_000_000 };

/// What the purchases are like.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// One node in so many is a legal entity.
    legal: usize,
    /// Of 100 purchases, so many have manual allocations, at up to so many nodes.
    manual: usize,
    targets: usize,
    /// Of 100 purchases, so many are automatic.
    automatic: usize,
    /// What is owned, of 100 installs.
    owned: usize,
    /// How the tree and the installs are.
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Four levels or so, all versions alike.
    Broad,
    /// Each node below one of the three before it.
    Deep,
    /// What was bought is new, what is installed is old.
    Old,
}

const KINDS: [Kind; 8] = [
    Kind { name: "mixed", legal: 20, manual: 30, targets: 8, automatic: 85, owned: 90, shape: Shape::Broad },
    Kind {
        name: "all at the root",
        legal: usize::MAX,
        manual: 0,
        targets: 1,
        automatic: 100,
        owned: 90,
        shape: Shape::Broad,
    },
    Kind {
        name: "many entities, ample",
        legal: 2,
        manual: 20,
        targets: 4,
        automatic: 90,
        owned: 130,
        shape: Shape::Broad,
    },
    Kind {
        name: "mostly by hand",
        legal: 10,
        manual: 95,
        targets: 30,
        automatic: 70,
        owned: 95,
        shape: Shape::Broad,
    },
    Kind { name: "scarce", legal: 5, manual: 30, targets: 8, automatic: 85, owned: 40, shape: Shape::Broad },
    Kind { name: "deep", legal: 1, manual: 10, targets: 4, automatic: 90, owned: 80, shape: Shape::Deep },
    Kind {
        name: "old installs",
        legal: 200,
        manual: 20,
        targets: 4,
        automatic: 90,
        owned: 90,
        shape: Shape::Old,
    },
    Kind {
        name: "old and deep",
        legal: 1,
        manual: 30,
        targets: 8,
        automatic: 90,
        owned: 90,
        shape: Shape::Old,
    },
];

struct Office {
    register: Register,
    installed: Vec<(NodeId, Version)>,
    cad: ProductId,
}

fn node_id(number: usize) -> NodeId {
    NodeId::new(format!("node-{number:05}")).expect("a name")
}

fn version(number: usize) -> Version {
    Version::new((2026 - number).to_string()).expect("a version")
}

fn office(size: Size, kind: Kind, chance: &mut Chance) -> Office {
    let mut nodes = Vec::new();
    for number in 0..size.nodes {
        // Up to four levels of departments, mostly.
        let parent = (number > 0).then(|| match kind.shape {
            Shape::Broad => node_id(chance.below(number.div_ceil(4))),
            Shape::Deep => node_id(number - 1 - chance.below(number.min(3))),
            Shape::Old => node_id(number - 1 - chance.below(number.min(40))),
        });
        let name = Name::new(format!("Department {number}")).expect("a name");
        let legal = number == 0 || (kind.legal < size.nodes && chance.below(kind.legal) == 0);
        nodes.push(Node { id: node_id(number), parent, name, legal, priority: 0 });
    }
    let organisation = Organisation::new(nodes).expect("a tree");
    let legal: Vec<NodeId> =
        organisation.nodes().iter().filter(|node| node.legal).map(|node| node.id.clone()).collect();
    let cad = ProductId::new("cad").expect("a product");
    let mut register = Register::new(organisation);
    let each = size.installs * kind.owned / 100 / size.purchases;
    for number in 0..size.purchases {
        let own = match kind.shape {
            Shape::Old => chance.below(size.versions).min(chance.below(size.versions)),
            _ => chance.below(size.versions),
        };
        let quantity = u32::try_from(each / 2 + chance.below(each)).expect("small");
        let mut terms = Purchase::new(cad.clone(), version(own), quantity);
        // A third at the root, as offices buy.
        let owner = if chance.below(3) == 0 { node_id(0) } else { legal[chance.below(legal.len())].clone() };
        terms.downgrade = match chance.below(4) {
            0 => Downgrade::None,
            1 => Downgrade::Any,
            _ => {
                Downgrade::To((own + 1..size.versions).filter(|_| chance.below(3) > 0).map(version).collect())
            }
        };
        terms.automatic = chance.below(100) < kind.automatic;
        if chance.below(100) < kind.manual {
            let tree = register.organisation();
            let below: Vec<&Node> =
                tree.nodes().iter().filter(|node| tree.is_within(&node.id, &owner)).collect();
            let targets = 1 + chance.below(kind.targets);
            for _ in 0..targets {
                let share = u32::try_from(targets + 1).expect("small");
                terms.manual.insert(below[chance.below(below.len())].id.clone(), (quantity / share).max(1));
            }
        }
        terms.owner = Some(owner);
        terms.valid_until = Date::new(2027, u8::try_from(1 + chance.below(12)).expect("a month"), 1);
        terms.purchased = Date::new(2025, u8::try_from(1 + chance.below(12)).expect("a month"), 1);
        register
            .add_purchase(PurchaseId::new(format!("order-{number}")).expect("a name"), terms)
            .expect("fits");
    }
    let install = |_| {
        let (one, other) = (chance.below(size.versions), chance.below(size.versions));
        (
            node_id(chance.below(size.nodes)),
            version(if kind.shape == Shape::Old { one.max(other) } else { one }),
        )
    };
    Office { installed: (0..size.installs).map(install).collect(), register, cad }
}

/// The middle and the greatest of several runs.
fn timed<T>(runs: usize, mut run: impl FnMut(usize) -> T) -> (Duration, Duration, T) {
    let mut times = Vec::new();
    let mut last = None;
    for number in 0..runs {
        let begun = Instant::now();
        last = Some(run(number));
        times.push(begun.elapsed());
    }
    times.sort();
    (times[runs / 2], times[runs - 1], last.expect("at least one run"))
}

fn row(kind: &str, what: &str, (middle, most): (Duration, Duration), target_ms: u64) {
    let verdict = if middle <= Duration::from_millis(target_ms) { "ok" } else { "MISSED" };
    println!("{kind:22} {what:34} {middle:>10.2?} {most:>10.2?} {target_ms:>6} ms  {verdict}");
}

fn measure(kind: Kind, size: Size, seed: u64) {
    let mut chance = Chance(seed);
    let made = office(size, kind, &mut chance);
    let large = size.nodes > OFFICE.nodes;
    let (runs, target) = if large { (5, 2_000) } else { (21, 50) };
    let count = || {
        let mut installs = Installs::new();
        for (node, version) in &made.installed {
            installs.add(&made.cad, node, version, 1).expect("few");
        }
        installs
    };
    let (middle, most, installs) = timed(3, |_| count());
    row(kind.name, "counting single installs", (middle, most), if large { 2_000 } else { 50 });
    let (middle, most, found) = timed(runs, |_| made.register.compliance(&made.cad, &installs, NOW));
    row(kind.name, "whole calculation", (middle, most), target);
    let mut calculation = Calculation::new(&made.register, &made.cad, &installs, NOW);
    let (middle, most, _) = timed(runs, |_| {
        let (node, version) = (node_id(chance.below(size.nodes)), version(chance.below(size.versions)));
        let count = installs.count(&made.cad, &node, &version);
        calculation.set_installs(&node, &version, count + 1).expect("few");
        calculation.compliance()
    });
    row(kind.name, "one changed install", (middle, most), if large { 2_000 } else { 5 });
    let (middle, most, _) = timed(runs, |run| {
        let remove = PurchaseId::new(format!("order-{run}")).expect("a name");
        made.register.what_if(&[Change::RemovePurchase(remove)], &installs, NOW).expect("is there")
    });
    row(kind.name, "what if a purchase were not", (middle, most), if large { 4_000 } else { 100 });
    let totals = found.totals;
    println!(
        "{:22} owned {}, required {}, covered {}, transfers {}, steps {}",
        "", totals.owned, totals.required, totals.covered, totals.transfers, totals.version_steps
    );
}

fn main() {
    for size in [OFFICE, GROUP] {
        println!(
            "\n{} nodes, {} versions, {} purchases, {} installs",
            size.nodes, size.versions, size.purchases, size.installs
        );
        println!("{:22} {:34} {:>10} {:>10} {:>9}", "purchases", "", "middle", "most", "target");
        for (kind, seed) in KINDS.into_iter().zip(1..) {
            measure(kind, size, seed);
        }
    }
}
