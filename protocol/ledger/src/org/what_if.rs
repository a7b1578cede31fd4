//! The same on a changed copy, and the difference (rule 6). The register itself stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use super::{
    Compliance, Installs, Line, Node, NodeId, NodeLine, Purchase, PurchaseId, PurchaseLine, Register,
    RegisterError, Totals,
};

/// Something that might be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another purchase.
    AddPurchase(PurchaseId, Purchase),
    /// A purchase with other terms: moved to another owner, allocated otherwise, raised.
    SetPurchase(PurchaseId, Purchase),
    /// A purchase less.
    RemovePurchase(PurchaseId),
    /// Another node, or one that is moved below another one, or that is a legal entity now or not any more.
    SetNode(Node),
    /// A node less; what is installed there counts as the root's.
    RemoveNode(NodeId),
    /// Whether automatic pieces end where another legal entity begins.
    StopAtLegal(bool),
}

/// What is different between two calculations of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The product.
    pub product: ProductId,
    /// Before.
    pub before: Totals,
    /// Afterwards.
    pub after: Totals,
    /// The nodes whose own figures differ, in the tree's order as it is afterwards; nodes that are gone come last.
    pub nodes: Vec<NodeDifference>,
    /// The purchases whose figures or verdicts differ, by id.
    pub purchases: Vec<PurchaseDifference>,
}

/// A node whose own figures differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDifference {
    /// The node.
    pub node: NodeId,
    /// Before; `None`: it was not there.
    pub before: Option<Line>,
    /// Afterwards; `None`: it is not there.
    pub after: Option<Line>,
}

/// A purchase that is used otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseDifference {
    /// The purchase.
    pub purchase: PurchaseId,
    /// Before; `None`: it was not there.
    pub before: Option<PurchaseLine>,
    /// Afterwards; `None`: it is not there.
    pub after: Option<PurchaseLine>,
}

impl Register {
    /// What would be different with these changes, for each product for which anything would. Changes nothing.
    ///
    /// # Errors
    /// When a change would be refused.
    pub fn what_if(
        &self,
        changes: &[Change],
        installs: &Installs,
        now: WallTime,
    ) -> Result<Vec<Difference>, RegisterError> {
        let mut changed = self.clone();
        for change in changes {
            changed.make(change.clone())?;
        }
        let owned = |register: &Self| -> BTreeSet<ProductId> {
            register.purchases().values().map(|terms| terms.product.clone()).collect()
        };
        let mut products: BTreeSet<ProductId> = owned(self).union(&owned(&changed)).cloned().collect();
        products.extend(installs.products().cloned());
        let concerned = products.into_iter().filter(|product| self.is_concerned(product, &changed));
        let difference = |product: ProductId| {
            let before = self.compliance(&product, installs, now);
            Difference::between(&before, &changed.compliance(&product, installs, now))
        };
        Ok(concerned.map(difference).filter(|difference| !difference.is_none()).collect())
    }

    /// Whether anything of it that matters to a product is different in `other`.
    fn is_concerned(&self, product: &ProductId, other: &Self) -> bool {
        let of = |register: &Self| -> Vec<(PurchaseId, Purchase)> {
            let purchases = register.purchases().iter().filter(|(_, terms)| terms.product == *product);
            purchases.map(|(id, terms)| (id.clone(), terms.clone())).collect()
        };
        self.organisation() != other.organisation()
            || self.stop_at_legal() != other.stop_at_legal()
            || of(self) != of(other)
    }

    fn make(&mut self, change: Change) -> Result<(), RegisterError> {
        match change {
            Change::AddPurchase(id, purchase) => self.add_purchase(id, purchase),
            Change::SetPurchase(id, purchase) => self.set_purchase(&id, purchase),
            Change::RemovePurchase(id) => self.remove_purchase(&id).map(drop),
            Change::SetNode(node) => self.set_node(node),
            Change::RemoveNode(id) => self.remove_node(&id),
            Change::StopAtLegal(stop) => {
                self.set_stop_at_legal(stop);
                Ok(())
            }
        }
    }
}

impl Difference {
    /// What is different in `after`.
    pub fn between(before: &Compliance, after: &Compliance) -> Self {
        let nodes = pairs(&before.nodes, &after.nodes, |line: &NodeLine| &line.node).into_iter();
        let nodes = nodes.map(|(node, before, after)| NodeDifference {
            node: node.clone(),
            before: before.map(|line| line.own),
            after: after.map(|line| line.own),
        });
        let purchases =
            pairs(&before.purchases, &after.purchases, |line: &PurchaseLine| &line.purchase).into_iter();
        let mut purchases: Vec<_> = purchases
            .map(|(purchase, before, after)| PurchaseDifference {
                purchase: purchase.clone(),
                before: before.cloned(),
                after: after.cloned(),
            })
            .filter(|line| line.before != line.after)
            .collect();
        purchases.sort_by(|a, b| a.purchase.cmp(&b.purchase));
        Self {
            product: after.product.clone(),
            before: before.totals,
            after: after.totals,
            nodes: nodes.filter(|line| line.before != line.after).collect(),
            purchases,
        }
    }

    /// Whether nothing is.
    pub fn is_none(&self) -> bool {
        self.before == self.after && self.nodes.is_empty() && self.purchases.is_empty()
    }
}

/// A line's id, the line before and afterwards.
type Pair<'a, I, T> = (&'a I, Option<&'a T>, Option<&'a T>);

/// Lines of two lists with the same id, in the order of the second one; then those that only the first one has.
fn pairs<'a, T, I: Ord>(before: &'a [T], after: &'a [T], id: impl Fn(&'a T) -> &'a I) -> Vec<Pair<'a, I, T>> {
    let mut old: BTreeMap<&I, &T> = before.iter().map(|line| (id(line), line)).collect();
    let mut pairs: Vec<Pair<'a, I, T>> =
        after.iter().map(|line| (id(line), old.remove(id(line)), Some(line))).collect();
    let gone = before.iter().filter(|line| old.contains_key(id(line)));
    pairs.extend(gone.map(|line| (id(line), Some(line), None)));
    pairs
}
