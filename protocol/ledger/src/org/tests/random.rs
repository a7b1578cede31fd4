//! Random registers and installs.

use seatkeeper_protocol::id::Version;
use seatkeeper_protocol::license::{Date, Downgrade};

use super::{bought, cad, node, node_id, purchase_id, version};
use crate::org::{Installs, Node, NodeId, Organisation, Purchase, PurchaseId, Register};
use crate::tests::chance::Chance;

/// How large a random office is at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) purchases: usize,
    /// Of one purchase.
    pub(super) quantity: i64,
    /// Altogether.
    pub(super) installs: usize,
}

/// An office and its parts, which may be put together anew in another order.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) nodes: Vec<Node>,
    pub(super) purchases: Vec<(PurchaseId, Purchase)>,
    /// Single ones.
    pub(super) installed: Vec<(NodeId, Version)>,
    pub(super) stop_at_legal: bool,
}

pub(super) fn versions() -> Vec<Version> {
    ["2026", "2025", "2025.1", "2024", "2023"].map(version).to_vec()
}

impl Office {
    pub(super) fn new(chance: &mut Chance, size: Size) -> Self {
        let count = 1 + chance.index(size.nodes);
        let mut nodes = vec![node("n0", None, !chance.one_in(5))];
        for number in 1..count {
            let parent = format!("n{}", chance.index(number));
            let mut next = node(&format!("n{number}"), Some(&parent), chance.one_in(3));
            next.priority = if chance.one_in(4) { chance.small(0..=9) } else { 0 };
            nodes.push(next);
        }
        let mut office =
            Self { nodes, purchases: Vec::new(), installed: Vec::new(), stop_at_legal: chance.one_in(3) };
        let tree = Organisation::new(office.nodes.clone()).unwrap();
        let legal: Vec<NodeId> =
            office.nodes.iter().filter(|node| node.legal).map(|node| node.id.clone()).collect();
        for number in 0..if legal.is_empty() { 0 } else { 1 + chance.index(size.purchases) } {
            let owner = chance.pick(&legal);
            // Not in the order of ids, so that that order matters.
            let id = purchase_id(&format!("p{}", (number * 7 + 3) % 10 + number / 10 * 10));
            office.purchases.push((id, purchase(chance, size, &tree, owner)));
        }
        for _ in 0..chance.index(size.installs + 1) {
            let at = node_id(&format!("n{}", chance.index(count)));
            office.installed.push((at, chance.pick(&versions())));
        }
        office
    }

    pub(super) fn register(&self) -> Register {
        let mut register = Register::new(Organisation::new(self.nodes.clone()).unwrap());
        register.set_stop_at_legal(self.stop_at_legal);
        for (id, purchase) in &self.purchases {
            register.add_purchase(id.clone(), purchase.clone()).unwrap();
        }
        register
    }

    pub(super) fn installs(&self) -> Installs {
        let mut installs = Installs::new();
        for (node, version) in &self.installed {
            installs.add(&cad(), node, version, 1).unwrap();
        }
        installs
    }
}

fn purchase(chance: &mut Chance, size: Size, tree: &Organisation, owner: NodeId) -> Purchase {
    let names = versions();
    let own = chance.pick(&names);
    let mut made = bought(own.as_str(), chance.small(1..=size.quantity));
    made.downgrade = match chance.index(4) {
        0 => Downgrade::None,
        1 => Downgrade::Any,
        _ => {
            let older: Vec<Version> =
                names.into_iter().filter(|other| other.is_older_than(&own) && !chance.one_in(2)).collect();
            Downgrade::To(older)
        }
    };
    made.automatic = !chance.one_in(4);
    let mut rest = made.quantity;
    while rest > 0 && chance.one_in(3) {
        let below: Vec<NodeId> = tree
            .nodes()
            .iter()
            .map(|node| &node.id)
            .filter(|id| tree.is_within(id, &owner))
            .cloned()
            .collect();
        let some: u32 = chance.small(1..=i64::from(rest));
        *made.manual.entry(chance.pick(&below)).or_default() += some;
        rest -= some;
    }
    made.valid_until =
        chance.pick(&[None, None, Date::new(2027, 1, 1), Date::new(2026, 6, 1), Date::new(2025, 1, 1)]);
    made.valid_from =
        if chance.one_in(12) { Date::new(2026, 4, 1).filter(|_| made.valid_until.is_none()) } else { None };
    made.purchased = chance.pick(&[None, Date::new(2024, 2, 1), Date::new(2025, 2, 1)]);
    made.unit_cost = chance.pick(&[None, Some(125_000)]);
    made.owner = Some(owner);
    made
}

/// In another order.
pub(super) fn shuffled<T: Clone>(chance: &mut Chance, list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    for last in (1..list.len()).rev() {
        list.swap(last, chance.index(last + 1));
    }
    list
}
