//! The calculations of compliance that came to something new (rule 5). The holder calculates and commits what differs; the
//! books keep it, so that any machine can say since when somebody is short, and why.

use std::collections::{BTreeMap, VecDeque};

use seatkeeper_protocol::id::{DeviceId, ProductId};
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::org::{NodeDifference, NodeId, PurchaseId, Totals};
use crate::records::Happening;

/// Calculations that are kept.
pub const CALCULATIONS_MAX: usize = 128;
/// Products of one calculation. Others come with the next one.
pub const CALCULATION_PRODUCTS_MAX: usize = 32;
/// Nodes that are named for one product of a calculation.
pub const CALCULATION_NODES_MAX: usize = 16;
/// Reasons that are named for one calculation.
pub const REASONS_MAX: usize = 32;
/// Quotas that one calculation sets. Others come with the next one.
pub const CALCULATION_QUOTAS_MAX: usize = 256;
/// Quotas of one site.
const QUOTAS_MAX: usize = 100_000;
/// Products whose figures are kept.
const PRODUCTS_MAX: usize = 20_000;

/// Why it was calculated anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Admins changed something: records of the audit, the first and the last of which are these.
    Registered(u64, u64),
    /// What is installed changed.
    Installs,
    /// A purchase began to count.
    Began(PurchaseId),
    /// A purchase was over.
    Ended(PurchaseId),
}

/// What came of a calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calculated {
    /// Why.
    pub reasons: Vec<Reason>,
    /// What differs from the calculation before.
    pub products: Vec<ProductChange>,
    /// What differs from the quotas that the books have.
    pub quotas: Vec<Quota>,
}

/// How many installs at a node the automatic pieces of licenses cover: so many seats its devices use before those of
/// other nodes go first in the queue. Nothing is refused by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The product.
    pub product: ProductId,
    /// The node.
    pub node: NodeId,
    /// How many; 0: none.
    pub seats: u32,
}

/// The figures of a product that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductChange {
    /// The product.
    pub product: ProductId,
    /// Before; `None`: it was neither bought nor installed.
    pub before: Option<Totals>,
    /// Afterwards; `None`: it is neither bought nor installed any more.
    pub after: Option<Totals>,
    /// Nodes whose own figures differ, as far as the holder knows what they were, at most [`CALCULATION_NODES_MAX`].
    pub nodes: Vec<NodeDifference>,
    /// How many other nodes differ.
    pub other_nodes: u32,
}

/// A calculation that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calculation {
    /// Counts them, from 1.
    pub number: u64,
    /// When, by the site's time.
    pub time: WallTime,
    /// What came of it.
    pub result: Calculated,
}

/// The newest figures, and how they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    totals: BTreeMap<ProductId, Totals>,
    kept: VecDeque<Calculation>,
    next: u64,
    pub(crate) quotas: BTreeMap<ProductId, BTreeMap<NodeId, u32>>,
    /// Log index of the newest entry by which a calculation may come to something else.
    pub(crate) changed: u64,
}

impl Happening {
    /// Whether it is an admin's change by which the figures of compliance may differ.
    pub fn is_of_compliance(&self) -> bool {
        matches!(
            self,
            Self::Organised { .. }
                | Self::LicenseAdded { .. }
                | Self::LicenseRemoved { .. }
                | Self::LicenseEnded { .. }
        )
    }
}

impl Ledger {
    /// The figures may differ from now on.
    pub(crate) fn figures_may_differ(&mut self, moment: Moment) {
        self.state.history.changed = moment.index;
    }

    /// Keeps what the holder calculated.
    pub(crate) fn calculated(&mut self, moment: Moment, device: DeviceId, result: &Calculated) -> Answer {
        let history = &mut self.state.history;
        let nodes = result.products.iter().map(|product| product.nodes.len()).max();
        if result.products.len() > CALCULATION_PRODUCTS_MAX {
            return Err(limit("products of one calculation", CALCULATION_PRODUCTS_MAX));
        }
        if nodes > Some(CALCULATION_NODES_MAX) || result.reasons.len() > REASONS_MAX {
            return Err(limit("nodes, or reasons, of one calculation", CALCULATION_NODES_MAX));
        }
        if result.quotas.len() > CALCULATION_QUOTAS_MAX
            || history.quotas.values().map(BTreeMap::len).sum::<usize>() + result.quotas.len() > QUOTAS_MAX
        {
            return Err(limit("quotas", QUOTAS_MAX));
        }
        for product in &result.products {
            if history.totals.get(&product.product) != product.before.as_ref() {
                return Err(Refusal::Conflict("another calculation came first".into()));
            }
        }
        for Quota { product, node, seats } in &result.quotas {
            let of = history.quotas.entry(product.clone()).or_default();
            match seats {
                0 => _ = of.remove(node),
                seats => _ = of.insert(node.clone(), *seats),
            }
        }
        history.quotas.retain(|_, of| !of.is_empty());
        let same = |product: &ProductChange| product.before == product.after && product.nodes.is_empty();
        let known = history.kept.back().is_some_and(|newest| newest.result == *result);
        if known || result.products.iter().all(same) {
            return Ok(Outcome::Done);
        }
        let new = result.products.iter().filter(|product| product.before.is_none()).count();
        if history.totals.len() + new > PRODUCTS_MAX {
            return Err(limit("products that are calculated", PRODUCTS_MAX));
        }
        for ProductChange { product, after, .. } in &result.products {
            match after {
                Some(after) => _ = history.totals.insert(product.clone(), *after),
                None => _ = history.totals.remove(product),
            }
        }
        history.next = history.next.saturating_add(1);
        let (number, time) = (history.next, moment.time);
        if history.kept.len() >= CALCULATIONS_MAX {
            history.kept.pop_front();
        }
        history.kept.push_back(Calculation { number, time, result: result.clone() });
        let short = history.totals.values().fold(0_u64, |sum, totals| sum.saturating_add(totals.short));
        let products = u32::try_from(result.products.len()).unwrap_or(u32::MAX);
        self.record(moment, Happening::Recalculated { number, products, short, device });
        Ok(Outcome::Done)
    }

    /// The newest figures that a calculation came to, by product.
    pub fn calculated_totals(&self) -> &BTreeMap<ProductId, Totals> {
        &self.state.history.totals
    }

    /// For how many seats of a product the devices of a node are before others in the queue.
    pub fn quota(&self, product: &ProductId, node: &NodeId) -> u32 {
        self.state.history.quotas.get(product).and_then(|of| of.get(node)).copied().unwrap_or_default()
    }

    /// All quotas.
    pub fn quotas(&self) -> &BTreeMap<ProductId, BTreeMap<NodeId, u32>> {
        &self.state.history.quotas
    }

    /// Log index of the newest entry by which a calculation may come to something else.
    pub fn compliance_changed(&self) -> u64 {
        self.state.history.changed
    }

    /// The calculations that are kept, oldest first.
    pub fn calculations(&self) -> impl DoubleEndedIterator<Item = &Calculation> {
        self.state.history.kept.iter()
    }
}
