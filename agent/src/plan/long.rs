//! What may be too long for one command. Each part is done as a whole or not at all, one after the other.

use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::inventory::CatalogRule;
use seatkeeper_ledger::org::{Node, NodeId, Purchase, PurchaseId, Rule};
use serde::Serialize;

use super::PlanError;

/// Of a command's content, bytes: what is longer is sent in several. The agent's socket takes 64 KiB at once, and text
/// makes a third more of it.
const PART_BYTES: usize = 32 * 1024;

/// The items in parts that a command takes each; at least one part.
pub(crate) fn parts<T: Serialize>(items: Vec<T>) -> Result<Vec<Vec<T>>, PlanError> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for item in items {
        let length = postcard::to_stdvec(&item)?.len();
        if bytes + length > PART_BYTES && bytes > 0 {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += length;
        if let Some(last) = parts.last_mut() {
            last.push(item);
        }
    }
    Ok(parts)
}

/// Sets nodes of the organisation and takes others out. What fits into one command is one.
pub(crate) fn nodes(set: Vec<Node>, remove: Vec<NodeId>) -> Result<Vec<Command>, PlanError> {
    let (mut sets, mut removals) = (parts(set)?, parts(remove)?);
    let last = (sets.pop().unwrap_or_default(), removals.remove(0));
    let steps = sets.into_iter().map(|set| (set, Vec::new())).chain([last]);
    let steps = steps.chain(removals.into_iter().map(|remove| (Vec::new(), remove)));
    Ok(steps.map(|(set, remove)| Command::SetNodes { set, remove }).collect())
}

/// Each part with how many items are before it.
fn placed<T: Serialize>(items: Vec<T>) -> Result<Vec<(u32, Vec<T>)>, PlanError> {
    let mut before = 0;
    let place = |part: Vec<T>| {
        let from = before;
        before += u32::try_from(part.len()).unwrap_or(u32::MAX);
        (from, part)
    };
    Ok(parts(items)?.into_iter().map(place).collect())
}

/// Makes these the rules that place devices.
pub(crate) fn placement(rules: Vec<Rule>) -> Result<Vec<Command>, PlanError> {
    let commands = placed(rules)?.into_iter().map(|(from, rules)| Command::SetPlacement { from, rules });
    Ok(commands.collect())
}

/// Makes this the catalog.
pub(crate) fn catalog(rules: Vec<CatalogRule>) -> Result<Vec<Command>, PlanError> {
    let commands = placed(rules)?.into_iter().map(|(from, rules)| Command::SetCatalog { from, rules });
    Ok(commands.collect())
}

/// Registers purchases.
pub(crate) fn purchases(purchases: Vec<(PurchaseId, Purchase)>) -> Result<Vec<Command>, PlanError> {
    let parts = parts(purchases)?.into_iter().filter(|part| !part.is_empty());
    Ok(parts.map(|purchases| Command::SetPurchases { purchases }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_sent_in_parts_and_nothing_is_lost() {
        let items: Vec<String> = (0..1_000).map(|n| format!("{n:0>100}")).collect();
        let parts = parts(items.clone()).unwrap();
        assert_eq!(parts.len(), 4);
        let bytes = |part: &Vec<String>| postcard::to_stdvec(part).unwrap().len();
        assert!(parts.iter().all(|part| !part.is_empty() && bytes(part) <= PART_BYTES + 2));
        assert_eq!(parts.concat(), items);
        assert_eq!(super::parts(Vec::<u8>::new()).unwrap(), [Vec::<u8>::new()]);
    }
}
