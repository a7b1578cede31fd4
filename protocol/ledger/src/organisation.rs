//! What an admin registers of the organisation: nodes, rules, purchases, allocations. What of it fits together is the
//! register's business (`org`); here it is changed as a whole or not at all, and recorded.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::Name;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment};
use crate::org::{Node, NodeId, Organisation, Purchase, PurchaseId, Register, RegisterError, Rule};
use crate::query::LicenseState;
use crate::records::Happening;
use crate::state::LicenseRecord;
use crate::units::purchase_of;

/// What an admin changed of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Organised {
    /// Nodes were added or changed, and others taken out.
    Nodes {
        /// How many are as the admin says now.
        set: u32,
        /// How many were taken out.
        removed: u32,
    },
    /// The rules that place devices were set.
    Rules {
        /// How many there are now.
        rules: u32,
    },
    /// Purchases were registered, or got other terms.
    Purchases {
        /// The first.
        first: PurchaseId,
        /// How many others.
        others: u32,
    },
    /// A purchase was taken out.
    PurchaseRemoved {
        /// Which.
        purchase: PurchaseId,
    },
    /// A purchase was allocated by hand; to no node: all of it is left to automatic allocation.
    Allocated {
        /// Which.
        purchase: PurchaseId,
        /// How many installs, to all nodes together.
        quantity: u32,
        /// To how many nodes.
        nodes: u32,
    },
    /// Whether automatic pieces end where another legal entity begins.
    StopAtLegal {
        /// They do.
        stop: bool,
    },
    /// The catalog was set.
    Catalog {
        /// How many entries it has now.
        entries: u32,
    },
    /// Machines without an agent were imported, or another site's.
    Machines {
        /// How many.
        machines: u32,
        /// The site; `None`: from a file.
        site: Option<Name>,
    },
    /// Such machines were forgotten.
    MachinesRemoved {
        /// How many.
        machines: u32,
        /// The site; `None`: from a file.
        site: Option<Name>,
    },
    /// The exports of another site are taken from now on.
    SiteTrusted {
        /// Its name.
        site: Name,
    },
}

impl Organised {
    /// A stable word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nodes { .. } => "organisation-set",
            Self::Rules { .. } => "placement-set",
            Self::Purchases { .. } => "purchase-set",
            Self::PurchaseRemoved { .. } => "purchase-removed",
            Self::Allocated { .. } => "allocation-set",
            Self::StopAtLegal { .. } => "stop-at-legal-set",
            Self::Catalog { .. } => "catalog-set",
            Self::Machines { .. } => "machines-imported",
            Self::MachinesRemoved { .. } => "machines-removed",
            Self::SiteTrusted { .. } => "site-trusted",
        }
    }

    /// One sentence.
    pub(crate) fn text(&self, by: &Name) -> String {
        match self {
            Self::Nodes { set, removed } => {
                format!("{by} changed the organisation: {set} nodes set, {removed} removed")
            }
            Self::Rules { rules } => format!("{by} set the rules that place devices: {rules}"),
            Self::Purchases { first, others: 0 } => format!("{by} registered the purchase {first}"),
            Self::Purchases { first, others } => {
                format!("{by} registered the purchase {first} and {others} more")
            }
            Self::PurchaseRemoved { purchase } => format!("{by} removed the purchase {purchase}"),
            Self::Allocated { purchase, nodes: 0, .. } => {
                format!("{by} left the purchase {purchase} to automatic allocation")
            }
            Self::Allocated { purchase, quantity, nodes } => {
                format!("{by} allocated {quantity} of the purchase {purchase} to {nodes} nodes")
            }
            Self::StopAtLegal { stop: true } => format!("{by} had coverage stop at legal entities"),
            Self::StopAtLegal { stop: false } => format!("{by} let coverage pass legal entities"),
            Self::Catalog { entries } => format!("{by} set the catalog: {entries} entries"),
            Self::Machines { machines, site: None } => {
                format!("{by} imported what is installed on {machines} machines")
            }
            Self::Machines { machines, site: Some(site) } => {
                format!("{by} imported what is installed on {machines} machines of the site {site}")
            }
            Self::MachinesRemoved { machines, site: None } => {
                format!("{by} removed {machines} machines from the inventory")
            }
            Self::MachinesRemoved { machines, site: Some(site) } => {
                format!("{by} removed {machines} machines of the site {site} from the inventory")
            }
            Self::SiteTrusted { site } => format!("{by} trusts exports of the site {site}"),
        }
    }
}

impl From<RegisterError> for Refusal {
    fn from(error: RegisterError) -> Self {
        let text = error.to_string();
        match error {
            RegisterError::InUse { .. }
            | RegisterError::Rules(_)
            | RegisterError::Owns { .. }
            | RegisterError::Allocated { .. }
            | RegisterError::Placed { .. }
            | RegisterError::HasChildren { .. }
            | RegisterError::IsRoot(_)
            | RegisterError::PurchaseExists(_) => Self::Conflict(text),
            _ => Self::Invalid(text),
        }
    }
}

pub(crate) fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

impl Ledger {
    /// Adds nodes, or changes those that are there, and takes others out. Their parents may come later in the same
    /// command.
    pub(crate) fn set_nodes(&mut self, moment: Moment, by: &Name, set: &[Node], remove: &[NodeId]) -> Answer {
        let known = self.state.register.as_ref();
        let mut nodes: BTreeMap<NodeId, Node> = BTreeMap::new();
        let there = known.map(|register| register.organisation().nodes()).unwrap_or_default();
        for node in there.iter().chain(set) {
            nodes.insert(node.id.clone(), node.clone());
        }
        let refused = |error| Refusal::from(RegisterError::Tree(error));
        let organisation = Organisation::new(nodes.into_values().collect()).map_err(refused)?;
        let mut register = match known {
            Some(register) => {
                let mut register = register.clone();
                register.set_organisation(organisation)?;
                register
            }
            None => Register::new(organisation),
        };
        for node in remove {
            self.check_without_limits(node)?;
            register.remove_node(node)?;
        }
        let organised = Organised::Nodes { set: count(set.len()), removed: count(remove.len()) };
        self.organised(moment, by, register, organised)
    }

    /// Puts rules into the place of those from this one on.
    pub(crate) fn set_placement(&mut self, moment: Moment, by: &Name, from: u32, rules: &[Rule]) -> Answer {
        let mut register = self.register_or_refuse()?.clone();
        let kept = register.placement().rules();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let kept = kept.get(..from).ok_or_else(|| {
            Refusal::Invalid(format!("there are {} rules; add others behind the last of them", kept.len()))
        })?;
        let all = [kept, rules].concat();
        let organised = Organised::Rules { rules: count(all.len()) };
        register.set_placement(all).map_err(|error| Refusal::Invalid(error.to_string()))?;
        self.organised(moment, by, register, organised)
    }

    /// Registers purchases, or gives registered ones other terms. One that has the id of a license says what the
    /// organisation makes of it, and may not be wider.
    pub(crate) fn set_purchases(
        &mut self,
        moment: Moment,
        by: &Name,
        purchases: &[(PurchaseId, Purchase)],
    ) -> Answer {
        let mut register = self.register_or_refuse()?.clone();
        let Some((first, _)) = purchases.first() else {
            return Err(Refusal::Invalid("there is no purchase to register; name one".into()));
        };
        for (id, terms) in purchases {
            if let Some(record) = self.license_of(id) {
                let purchase = id.clone();
                terms
                    .check_within(record.license())
                    .map_err(|why| RegisterError::Purchase { purchase, why })?;
            }
            if register.purchases().contains_key(id) {
                register.set_purchase(id, terms.clone())?;
            } else {
                register.add_purchase(id.clone(), terms.clone())?;
            }
        }
        let organised = Organised::Purchases { first: first.clone(), others: count(purchases.len() - 1) };
        self.organised(moment, by, register, organised)
    }

    pub(crate) fn remove_purchase(&mut self, moment: Moment, by: &Name, purchase: &PurchaseId) -> Answer {
        let mut register = self.register_or_refuse()?.clone();
        register.remove_purchase(purchase)?;
        self.organised(moment, by, register, Organised::PurchaseRemoved { purchase: purchase.clone() })
    }

    /// Allocates a purchase by hand; one that is a license only so far is registered by that.
    pub(crate) fn allocate(
        &mut self,
        moment: Moment,
        by: &Name,
        purchase: &PurchaseId,
        manual: &BTreeMap<NodeId, u32>,
    ) -> Answer {
        let mut register = self.register_or_refuse()?.clone();
        if let Some(record) = self.license_of(purchase)
            && !register.purchases().contains_key(purchase)
        {
            register.add_purchase(purchase.clone(), Purchase::of_license(record.license()))?;
        }
        register.allocate(purchase, manual.clone())?;
        let quantity = manual.values().fold(0_u32, |sum, quantity| sum.saturating_add(*quantity));
        let (purchase, nodes) = (purchase.clone(), count(manual.len()));
        self.organised(moment, by, register, Organised::Allocated { purchase, quantity, nodes })
    }

    pub(crate) fn set_stop_at_legal(&mut self, moment: Moment, by: &Name, stop: bool) -> Answer {
        let mut register = self.register_or_refuse()?.clone();
        register.set_stop_at_legal(stop);
        self.organised(moment, by, register, Organised::StopAtLegal { stop })
    }

    fn organised(&mut self, moment: Moment, by: &Name, register: Register, what: Organised) -> Answer {
        let places = matches!(what, Organised::Nodes { .. } | Organised::Rules { .. });
        self.state.register = Some(register);
        if places {
            self.surveyed_anew(moment);
        }
        self.register_changed(places);
        self.record(moment, Happening::Organised { what, by: by.clone() });
        Ok(Outcome::Done)
    }

    fn register_or_refuse(&self) -> Result<&Register, Refusal> {
        self.state.register.as_ref().ok_or_else(|| {
            Refusal::Invalid(
                "there is no organisation yet; import one first (`seatkeeper org import`)".into(),
            )
        })
    }

    fn license_of(&self, purchase: &PurchaseId) -> Option<&LicenseRecord> {
        self.state.licenses.get(purchase.name())
    }

    /// What an admin registered; `None`: no organisation yet.
    pub fn register(&self) -> Option<&Register> {
        self.state.register.as_ref()
    }

    /// What is registered, and each license as the purchase that it is; with the licenses that cover nothing until an
    /// admin registers them, each with the reason.
    pub fn purchases(&self, now: WallTime) -> Option<(Register, Vec<(PurchaseId, RegisterError)>)> {
        let mut register = self.state.register.clone()?;
        let mut unregistered = Vec::new();
        for (name, record) in &self.state.licenses {
            let (id, license) = (PurchaseId::from(name.clone()), record.license());
            let terms = purchase_of(&register, license).unwrap_or_else(|| Purchase::of_license(license));
            register.remove_purchase(&id).ok();
            let replaced = self.license_state(name, now) == Some(LicenseState::Replaced);
            let stands = !record.removed && record.ended.is_none() && !replaced;
            if stands && let Err(why) = register.add_purchase(id.clone(), terms) {
                unregistered.push((id, why));
            }
        }
        Some((register, unregistered))
    }
}
