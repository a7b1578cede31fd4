//! Which nodes a purchase is for, beside those that it is allocated to by hand.

use std::ops::Range;

use super::Register;

impl Register {
    /// The nodes that what an owner has left reaches, by their places in the tree's order: rising, without gaps between
    /// neighbors. An automatic piece reaches all that is below the owner, but not what is below another legal entity
    /// there, if pieces stop at those; other pieces stay with the owner.
    pub(crate) fn reach(&self, owner: usize, automatic: bool) -> Vec<Range<usize>> {
        let organisation = self.organisation();
        let behind_owner = owner.saturating_add(1);
        let end = if automatic { organisation.within(owner).end } else { behind_owner };
        let mut reach = Vec::new();
        let (mut begin, mut at) = (owner, behind_owner);
        while self.stop_at_legal() && at < end {
            if organisation.nodes().get(at).is_some_and(|node| node.legal) {
                reach.push(begin..at);
                begin = organisation.within(at).end;
                at = begin;
            } else {
                at += 1;
            }
        }
        reach.push(begin..end);
        reach.retain(|range| !range.is_empty());
        reach
    }
}

#[cfg(test)]
mod tests {
    use seatkeeper_protocol::id::{Name, ProductId, Version};
    use seatkeeper_protocol::time::WallTime;

    use crate::org::{Installs, Node, NodeId, Organisation, Purchase, PurchaseId, Register};
    use crate::tests::chance::Chance;

    fn tree(chance: &mut Chance) -> Organisation {
        let id = |n: usize| NodeId::new(format!("n{n}")).unwrap();
        let node = |n: usize, chance: &mut Chance| Node {
            id: id(n),
            parent: n.checked_sub(1).map(|last| id(chance.index(last + 1))),
            name: Name::new(format!("n{n}")).unwrap(),
            legal: n == 0 || chance.one_in(3),
            priority: 0,
        };
        let many = 1 + chance.index(9);
        Organisation::new((0..many).map(|n| node(n, chance)).collect()).unwrap()
    }

    /// A seat may be used exactly where an install would be covered.
    #[test]
    fn it_is_as_far_as_coverage_goes() {
        let (cad, version) = (ProductId::new("cad").unwrap(), Version::new("2026").unwrap());
        let id = PurchaseId::new("PO-1").unwrap();
        for seed in 0..500 {
            let mut chance = Chance::new(seed);
            let organisation = tree(&mut chance);
            let mut register = Register::new(organisation.clone());
            register.set_stop_at_legal(chance.one_in(2));
            let owners: Vec<&Node> = organisation.nodes().iter().filter(|node| node.legal).collect();
            let owner = chance.pick(&owners).id.clone();
            let automatic = chance.one_in(2);
            let terms = Purchase::new(cad.clone(), version.clone(), 1);
            let terms = Purchase { owner: Some(owner.clone()), automatic, ..terms };
            register.add_purchase(id.clone(), terms).unwrap();
            let reach = register.reach(organisation.place(&owner).unwrap(), automatic);
            for node in organisation.nodes() {
                let mut installs = Installs::new();
                installs.set(&cad, &node.id, &version, 1).unwrap();
                let covered = register.compliance(&cad, &installs, WallTime(0)).totals.covered;
                let place = organisation.place(&node.id).unwrap();
                let reached = reach.iter().any(|range| range.contains(&place));
                assert_eq!(reached, covered == 1, "{seed}: {owner} and {}: {reach:?}", node.id);
            }
        }
    }
}
