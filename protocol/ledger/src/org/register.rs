//! Tree, rules and purchases that fit together.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    ALLOCATIONS_IN_ALL_MAX, Calculation, Compliance, Installs, Node, NodeId, Organisation, PURCHASES_MAX,
    Placement, PlacementError, Purchase, PurchaseError, PurchaseId, Rule, TreeError,
};

/// What an office registers. Every change is refused as a whole or made as a whole.
///
/// 1. Each purchase has an owner and may be registered in the organisation, as [`PurchaseError`] tells.
/// 2. Each rule puts devices into a node that is there.
/// 3. At most [`PURCHASES_MAX`] purchases with [`ALLOCATIONS_IN_ALL_MAX`] allocations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OnDisk", into = "OnDisk")]
pub struct Register {
    organisation: Arc<Organisation>,
    placement: Placement,
    purchases: BTreeMap<PurchaseId, Purchase>,
    stop_at_legal: bool,
}

/// [`Register`] in a snapshot: everything is checked again.
#[derive(Serialize, Deserialize)]
struct OnDisk {
    nodes: Vec<Node>,
    rules: Vec<Rule>,
    purchases: BTreeMap<PurchaseId, Purchase>,
    stop_at_legal: bool,
}

impl From<Register> for OnDisk {
    fn from(register: Register) -> Self {
        let Register { organisation, placement, purchases, stop_at_legal } = register;
        let (nodes, rules) = (organisation.nodes().to_vec(), placement.rules().to_vec());
        Self { nodes, rules, purchases, stop_at_legal }
    }
}

impl TryFrom<OnDisk> for Register {
    type Error = RegisterError;

    fn try_from(disk: OnDisk) -> Result<Self, RegisterError> {
        let mut register = Self::new(Organisation::new(disk.nodes)?);
        register.set_placement(disk.rules)?;
        register.stop_at_legal = disk.stop_at_legal;
        for (id, purchase) in disk.purchases {
            register.add_purchase(id, purchase)?;
        }
        Ok(register)
    }
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A purchase that may not be registered so.
    #[error("purchase `{purchase}`: {why}")]
    Purchase {
        /// Which.
        purchase: PurchaseId,
        /// Why not.
        why: PurchaseError,
    },
    /// A purchase that would lose its owner or a node that it is allocated to, or that node would no longer fit.
    #[error(
        "purchase `{purchase}` needs the organisation as it is: {why}; or first change or remove that purchase"
    )]
    InUse {
        /// Which purchase.
        purchase: PurchaseId,
        /// What would be wrong with it.
        why: PurchaseError,
    },
    /// A rule that would lose its node.
    #[error("the rules need the organisation as it is: {0}")]
    Rules(#[from] PlacementError),
    /// A node that owns something.
    #[error("node `{node}` owns purchase `{purchase}`; move or remove the purchase first")]
    Owns {
        /// The node.
        node: NodeId,
        /// A purchase that it owns.
        purchase: PurchaseId,
    },
    /// A node that has an allocation.
    #[error("part of purchase `{purchase}` is allocated to node `{node}`; change the allocation first")]
    Allocated {
        /// The node.
        node: NodeId,
        /// A purchase that is allocated to it.
        purchase: PurchaseId,
    },
    /// A node that a rule names.
    #[error("rule {row} puts devices into node `{node}`; change the rule first")]
    Placed {
        /// The node.
        node: NodeId,
        /// The rule, from 1.
        row: usize,
    },
    /// A node with others below it.
    #[error("node `{child}` is below node `{node}`; move or remove it first")]
    HasChildren {
        /// The node.
        node: NodeId,
        /// One below it.
        child: NodeId,
    },
    /// The root.
    #[error("node `{0}` is the root; import another organisation instead")]
    IsRoot(NodeId),
    /// A node that is not there.
    #[error("there is no node `{0}`; look for it in the organisation")]
    NoNode(NodeId),
    /// A purchase that is not there.
    #[error("there is no purchase `{0}`; look for it in the list of purchases")]
    NoPurchase(PurchaseId),
    /// A purchase that is there.
    #[error("purchase `{0}` is there already; set its terms, or give the new one another id")]
    PurchaseExists(PurchaseId),
    /// Too many purchases.
    #[error("there are at most {PURCHASES_MAX} purchases; remove some that are over")]
    TooManyPurchases,
    /// Too many allocations.
    #[error(
        "all purchases together are allocated to at most {ALLOCATIONS_IN_ALL_MAX} nodes by hand; leave more to automatic allocation"
    )]
    TooManyAllocations,
    /// Nodes that are no tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Register {
    /// Without rules and purchases.
    pub fn new(organisation: Organisation) -> Self {
        Self {
            organisation: Arc::new(organisation),
            placement: Placement::default(),
            purchases: BTreeMap::new(),
            stop_at_legal: false,
        }
    }

    /// The tree.
    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    pub(super) fn shared_organisation(&self) -> Arc<Organisation> {
        Arc::clone(&self.organisation)
    }

    /// Which device belongs where.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Purchases by id; each has its owner named.
    pub fn purchases(&self) -> &BTreeMap<PurchaseId, Purchase> {
        &self.purchases
    }

    /// Whether automatic pieces end where another legal entity begins.
    pub fn stop_at_legal(&self) -> bool {
        self.stop_at_legal
    }

    /// Whether automatic pieces are to end where another legal entity begins.
    pub fn set_stop_at_legal(&mut self, stop: bool) {
        self.stop_at_legal = stop;
    }

    /// Puts another organisation in the place of this one.
    ///
    /// # Errors
    /// When a purchase or a rule does not fit it.
    pub fn set_organisation(&mut self, organisation: Organisation) -> Result<(), RegisterError> {
        for (purchase, terms) in &self.purchases {
            if let Err(why) = terms.clone().checked(&organisation) {
                return Err(RegisterError::InUse { purchase: purchase.clone(), why });
            }
        }
        self.placement.check(&organisation)?;
        self.organisation = Arc::new(organisation);
        Ok(())
    }

    /// Takes a node out of the tree. What is installed there counts as the root's from then on.
    ///
    /// # Errors
    /// When it is the root or not there, has nodes below it, owns a purchase, or is named by an allocation or a rule.
    pub fn remove_node(&mut self, id: &NodeId) -> Result<(), RegisterError> {
        let (node, tree) = (id.clone(), &self.organisation);
        if tree.node(id).is_none() {
            return Err(RegisterError::NoNode(node));
        }
        if tree.root().id == *id {
            return Err(RegisterError::IsRoot(node));
        }
        if let Some(child) = tree.children(id).next() {
            return Err(RegisterError::HasChildren { node, child: child.id.clone() });
        }
        let owned = self.purchases.iter().find(|(_, terms)| terms.owner.as_ref() == Some(id));
        if let Some((purchase, _)) = owned {
            return Err(RegisterError::Owns { node, purchase: purchase.clone() });
        }
        let allocated = self.purchases.iter().find(|(_, terms)| terms.manual.contains_key(id));
        if let Some((purchase, _)) = allocated {
            return Err(RegisterError::Allocated { node, purchase: purchase.clone() });
        }
        if let Some((row, _)) = (1..).zip(self.placement.rules()).find(|(_, rule)| rule.node == *id) {
            return Err(RegisterError::Placed { node, row });
        }
        let rest = tree.nodes().iter().filter(|other| other.id != *id).cloned().collect();
        self.organisation = Arc::new(Organisation::new(rest)?);
        Ok(())
    }

    /// Adds a node, or changes one that is there: its parent, name, priority, or whether it is a legal entity.
    ///
    /// # Errors
    /// When the nodes are no tree then, or a purchase does not fit them.
    pub fn set_node(&mut self, node: Node) -> Result<(), RegisterError> {
        let mut nodes: Vec<_> = self.organisation.nodes().to_vec();
        match nodes.iter_mut().find(|there| there.id == node.id) {
            Some(there) => *there = node,
            None => nodes.push(node),
        }
        self.set_organisation(Organisation::new(nodes)?)
    }

    /// Puts other rules in the place of these.
    ///
    /// # Errors
    /// When one names a node that is not there, or there are too many.
    pub fn set_placement(&mut self, rules: Vec<Rule>) -> Result<(), PlacementError> {
        self.placement = Placement::new(rules, &self.organisation)?;
        Ok(())
    }

    /// Registers a purchase.
    ///
    /// # Errors
    /// When there is one of this id, or it may not be registered so.
    pub fn add_purchase(&mut self, id: PurchaseId, purchase: Purchase) -> Result<(), RegisterError> {
        if self.purchases.contains_key(&id) {
            return Err(RegisterError::PurchaseExists(id));
        }
        if self.purchases.len() >= PURCHASES_MAX {
            return Err(RegisterError::TooManyPurchases);
        }
        self.put(id, purchase)
    }

    /// Gives a purchase other terms.
    ///
    /// # Errors
    /// When there is none of this id, or it may not be registered so.
    pub fn set_purchase(&mut self, id: &PurchaseId, purchase: Purchase) -> Result<(), RegisterError> {
        self.purchase(id)?;
        self.put(id.clone(), purchase)
    }

    /// Allocates a purchase by hand: so many to each of these nodes, nothing to others. Without any, all is
    /// remainder.
    ///
    /// # Errors
    /// When there is none of this id, or it may not be allocated so.
    pub fn allocate(&mut self, id: &PurchaseId, manual: BTreeMap<NodeId, u32>) -> Result<(), RegisterError> {
        let purchase = Purchase { manual, ..self.purchase(id)?.clone() };
        self.put(id.clone(), purchase)
    }

    /// Takes a purchase out.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn remove_purchase(&mut self, id: &PurchaseId) -> Result<Purchase, RegisterError> {
        self.purchases.remove(id).ok_or_else(|| RegisterError::NoPurchase(id.clone()))
    }

    /// The purchase with this id.
    ///
    /// # Errors
    /// When there is none.
    pub fn purchase(&self, id: &PurchaseId) -> Result<&Purchase, RegisterError> {
        self.purchases.get(id).ok_or_else(|| RegisterError::NoPurchase(id.clone()))
    }

    fn put(&mut self, id: PurchaseId, purchase: Purchase) -> Result<(), RegisterError> {
        let others = self.purchases.iter().filter(|(other, _)| **other != id);
        let allocations: usize = others.map(|(_, terms)| terms.manual.len()).sum();
        if allocations + purchase.manual.len() > ALLOCATIONS_IN_ALL_MAX {
            return Err(RegisterError::TooManyAllocations);
        }
        match purchase.checked(&self.organisation) {
            Ok(purchase) => {
                self.purchases.insert(id, purchase);
                Ok(())
            }
            Err(why) => Err(RegisterError::Purchase { purchase: id, why }),
        }
    }

    /// How what is installed of a product compares with what was bought, at `now`.
    pub fn compliance(&self, product: &ProductId, installs: &Installs, now: WallTime) -> Compliance {
        Calculation::new(self, product, installs, now).compliance()
    }
}
