//! For which nodes licenses are, by the plainest look at the organisation; and that nothing given breaks it.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Name};
use seatkeeper_protocol::time::WallTime;

use super::brute::{Division, Used, counts_on};
use crate::Ledger;
use crate::org::{Node, NodeId, Purchase, Register};
use crate::state::LicenseRecord;

/// Nodes are numbered by their places.
fn place(register: &Register, node: &NodeId) -> usize {
    register.organisation().nodes().iter().position(|other| other.id == *node).unwrap()
}

/// The node of a device; the root's for one that is not enrolled any more.
pub(super) fn node_at(ledger: &Ledger, device: DeviceId) -> usize {
    let register = ledger.register().zip(ledger.node_of(&device));
    register.map_or(0, |(register, node)| place(register, node))
}

pub(super) fn records(ledger: &Ledger) -> Vec<LicenseRecord> {
    ledger.state.licenses.values().cloned().collect()
}

/// For which nodes the licenses are. `None`: for all alike.
pub(super) fn divisions(ledger: &Ledger, records: &[LicenseRecord]) -> Vec<Option<Division>> {
    let Some(register) = ledger.register() else { return Vec::new() };
    let nodes = register.organisation().nodes();
    let reaches = |owner: &NodeId, node: &NodeId| {
        let mut at = register.organisation().node(node);
        while let Some(node) =
            at.filter(|node| node.id != *owner && !(register.stop_at_legal() && node.legal))
        {
            at = node.parent.as_ref().and_then(|parent| register.organisation().node(parent));
        }
        at.is_some_and(|node| node.id == *owner)
    };
    let many = |seats: u32| usize::try_from(seats).unwrap();
    let division = |record: &LicenseRecord| {
        let license = record.license();
        let registered = register.purchases().get(&license.id.clone().into());
        let registered = registered.filter(|terms| terms.check_within(license).is_ok()).cloned();
        let terms = registered.unwrap_or_else(|| Purchase::of_license(license));
        // Nobody owns it while the root may not.
        let owner = terms.owner.clone().or_else(|| nodes[0].legal.then(|| nodes[0].id.clone()))?;
        let manual = terms.manual.iter().map(|(node, seats)| (place(register, node), many(*seats)));
        let is_in_reach = |node: &Node| node.id == owner || (terms.automatic && reaches(&owner, &node.id));
        let reach = (0..nodes.len()).filter(|place| is_in_reach(&nodes[*place]));
        Some(Division { manual: manual.collect(), rest: many(terms.remainder()), reach: reach.collect() })
    };
    records.iter().map(division).collect()
}

/// How many seats of each node take up places of the licenses.
fn used(ledger: &Ledger, records: &[LicenseRecord], now: WallTime) -> Vec<Used> {
    let numbers: BTreeMap<&Name, usize> =
        records.iter().enumerate().map(|(number, record)| (&record.license().id, number)).collect();
    let mut used = vec![Used::new(); records.len()];
    for (_, seat) in ledger.seats() {
        let at = counts_on(records, numbers[&seat.license], now);
        *used[at].entry(node_at(ledger, seat.device)).or_default() += 1;
    }
    used
}

/// # Panics
/// When a grant took what is reserved for another node.
pub(super) fn check_grant(before: &Ledger, after: &Ledger, now: WallTime) {
    if after.register().is_none() {
        return;
    }
    // A removed license is forgotten with the seat that a grant moves off it.
    let records = records(before);
    let (used_before, used_after) = (used(before, &records, now), used(after, &records, now));
    let parts = divisions(before, &records).into_iter().zip(used_before.iter().zip(&used_after));
    for (record, (division, (before, after))) in records.iter().zip(parts) {
        let license = record.license();
        assert!(
            division.is_none_or(|division| division.holds(before, after)),
            "I1: what is reserved of {} was given away: {before:?}, {after:?}",
            license.id
        );
    }
}
