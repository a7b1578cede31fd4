//! What an office registers as bought (rule 2).

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{ProductId, Version};
use seatkeeper_protocol::license::{Date, Downgrade, License};
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ALLOCATIONS_MAX, NodeId, Organisation, QUANTITY_MAX};

/// A purchase as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// What was bought.
    pub product: ProductId,
    /// The version that it covers, with its sub-versions.
    pub version: Version,
    /// How many installs it covers, 1 to [`QUANTITY_MAX`].
    pub quantity: u32,
    /// The legal entity that owns it. `None`: the root; in a register it is always named.
    pub owner: Option<NodeId>,
    /// Whether what is not allocated by hand covers the nodes below the owner too.
    pub automatic: bool,
    /// Which earlier versions it covers too.
    pub downgrade: Downgrade,
    /// Parts that are for one node each, and how many installs there they cover.
    pub manual: BTreeMap<NodeId, u32>,
    /// Its first day; `None`: from the beginning.
    pub valid_from: Option<Date>,
    /// Its last day; `None`: perpetual.
    pub valid_until: Option<Date>,
    /// When it was bought; `None`: not known.
    pub purchased: Option<Date>,
    /// What covers one install, in hundredths of the currency that the office counts in; `None`: not known.
    pub unit_cost: Option<u64>,
}

/// Why a purchase is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PurchaseError {
    /// No or too many installs.
    #[error("the quantity is {0}; write 1 to {QUANTITY_MAX}")]
    Quantity(u32),
    /// More allocated than there is.
    #[error(
        "{manual} are allocated by hand, but {quantity} were bought; allocate less, or raise the quantity"
    )]
    AllocatesTooMuch {
        /// The sum of all manual allocations.
        manual: u64,
        /// How many were bought.
        quantity: u32,
    },
    /// Nothing allocated.
    #[error("0 are allocated to `{0}`; write how many, or leave the node out")]
    AllocatesNothing(NodeId),
    /// Too many allocations.
    #[error(
        "one purchase is allocated to at most {ALLOCATIONS_MAX} nodes by hand; split it, or leave more to automatic allocation"
    )]
    TooManyAllocations,
    /// An allocation to a node that is not there.
    #[error(
        "some are allocated to `{0}`, which is not in the organisation; add the node, or correct the allocation"
    )]
    TargetUnknown(NodeId),
    /// An allocation beyond the owner.
    #[error(
        "some are allocated to `{node}`, which is not below the owner `{owner}`; allocate to the owner or below, or name another owner"
    )]
    TargetOutside {
        /// The target.
        node: NodeId,
        /// The owner.
        owner: NodeId,
    },
    /// Nobody named, and the root can't be it.
    #[error("no owner is named, and the root `{0}` is no legal entity; name a legal entity as the owner")]
    OwnerNotNamed(NodeId),
    /// An owner that is not there.
    #[error("the owner `{0}` is not in the organisation; add the node, or name another owner")]
    OwnerUnknown(NodeId),
    /// An owner that can't own.
    #[error("the owner `{0}` is no legal entity; name one, or make the node one")]
    OwnerNoLegalEntity(NodeId),
    /// A last day before the first.
    #[error("it ends on {until}, before it begins on {from}; correct one of the dates")]
    EndsBeforeItBegins {
        /// The first day.
        from: Date,
        /// The last one.
        until: Date,
    },
    /// A downgrade to a newer version.
    #[error(
        "version {own} is not newer than {to}, so it can't be downgraded to it; name earlier versions only"
    )]
    DowngradeNotOlder {
        /// The purchase's version.
        own: Version,
        /// The one that it names.
        to: Version,
    },
    /// One version twice.
    #[error("the downgrade names {0} twice; name it once")]
    DowngradeTwice(Version),
    /// Not what the license is for.
    #[error("the license is for {0} {1}; register something else as a purchase of its own")]
    NotLicensed(ProductId, Version),
    /// More than the license has.
    #[error("the quantity is {0}, but the license has {1} seats; write at most as many")]
    WiderQuantity(u32, u32),
    /// More versions than the license covers.
    #[error("the license does not cover {0}; name only versions that its own downgrade covers")]
    WiderDowngrade(Version),
    /// Any version, where the license names some.
    #[error("the license does not cover any version; name versions that its own downgrade covers")]
    WiderThanNamed,
    /// More days than the license has.
    #[error("the license is valid for fewer days; keep within its own dates")]
    WiderDates,
    /// Too many versions.
    #[error("a downgrade names at most {} versions; name fewer, or write any", limits::DOWNGRADES_MAX)]
    TooManyDowngrades,
}

/// Whether a purchase counts at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    Valid,
    NotYet(Date),
    Over(Date),
}

impl Purchase {
    /// One with these terms and the usual others: owned by the root, automatic, without downgrade, perpetual.
    pub fn new(product: ProductId, version: Version, quantity: u32) -> Self {
        Self {
            product,
            version,
            quantity,
            owner: None,
            automatic: true,
            downgrade: Downgrade::None,
            manual: BTreeMap::new(),
            valid_from: None,
            valid_until: None,
            purchased: None,
            unit_cost: None,
        }
    }

    /// What a license file is as a purchase, until an admin says more of it.
    pub fn of_license(license: &License) -> Self {
        Self {
            downgrade: license.downgrade.clone(),
            valid_from: license.valid_from,
            valid_until: license.valid_until,
            purchased: Some(license.issued),
            ..Self::new(license.product.clone(), license.version.clone(), license.seats)
        }
    }

    /// Whether these terms of a license as a purchase widen it nowhere. Its owner and allocations are the office's
    /// own business.
    ///
    /// # Errors
    /// Where they do.
    pub fn check_within(&self, license: &License) -> Result<(), PurchaseError> {
        if self.product != license.product || self.version != license.version {
            return Err(PurchaseError::NotLicensed(license.product.clone(), license.version.clone()));
        }
        if self.quantity > license.seats {
            return Err(PurchaseError::WiderQuantity(self.quantity, license.seats));
        }
        let begins_early = self.valid_from < license.valid_from;
        let ends_late = license.valid_until.is_some_and(|last| self.valid_until.is_none_or(|day| day > last));
        if begins_early || ends_late {
            return Err(PurchaseError::WiderDates);
        }
        match &self.downgrade {
            Downgrade::None => Ok(()),
            Downgrade::Any if license.downgrade == Downgrade::Any => Ok(()),
            Downgrade::Any => Err(PurchaseError::WiderThanNamed),
            Downgrade::To(versions) => match versions.iter().find(|to| !license.covers_version(to)) {
                Some(to) => Err(PurchaseError::WiderDowngrade(to.clone())),
                None => Ok(()),
            },
        }
    }

    /// How many are not allocated by hand.
    pub fn remainder(&self) -> u32 {
        let manual: u64 = self.manual.values().copied().map(u64::from).sum();
        u32::try_from(u64::from(self.quantity).saturating_sub(manual)).unwrap_or_default()
    }

    /// Whether it covers an install of this version.
    pub fn covers_version(&self, wanted: &Version) -> bool {
        self.version.covers(wanted) || self.covers_by_downgrade(wanted)
    }

    /// Whether it covers an install of this version by downgrade: never a newer one.
    pub fn covers_by_downgrade(&self, wanted: &Version) -> bool {
        let named = match &self.downgrade {
            Downgrade::None => false,
            Downgrade::To(versions) => versions.iter().any(|version| version.covers(wanted)),
            Downgrade::Any => wanted.is_older_than(&self.version),
        };
        named && !self.version.covers(wanted) && !self.version.is_older_than(wanted)
    }

    pub(super) fn validity(&self, now: WallTime) -> Validity {
        match (self.valid_from, self.valid_until) {
            (Some(from), _) if now < from.starts() => Validity::NotYet(from),
            (_, Some(until)) if now >= until.ends() => Validity::Over(until),
            _ => Validity::Valid,
        }
    }

    /// With its owner named, if it may be registered in this organisation.
    pub(crate) fn checked(mut self, organisation: &Organisation) -> Result<Self, PurchaseError> {
        if self.quantity == 0 || self.quantity > QUANTITY_MAX {
            return Err(PurchaseError::Quantity(self.quantity));
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && until < from
        {
            return Err(PurchaseError::EndsBeforeItBegins { from, until });
        }
        self.check_downgrade()?;
        let owner = self.check_owner(organisation)?;
        self.check_manual(&owner, organisation)?;
        self.owner = Some(owner);
        Ok(self)
    }

    fn check_downgrade(&self) -> Result<(), PurchaseError> {
        let Downgrade::To(versions) = &self.downgrade else { return Ok(()) };
        if versions.len() > limits::DOWNGRADES_MAX {
            return Err(PurchaseError::TooManyDowngrades);
        }
        for (at, to) in versions.iter().enumerate() {
            if to == &self.version || self.version.is_older_than(to) {
                return Err(PurchaseError::DowngradeNotOlder { own: self.version.clone(), to: to.clone() });
            }
            if versions.iter().take(at).any(|earlier| earlier == to) {
                return Err(PurchaseError::DowngradeTwice(to.clone()));
            }
        }
        Ok(())
    }

    fn check_owner(&self, organisation: &Organisation) -> Result<NodeId, PurchaseError> {
        let root = organisation.root();
        match &self.owner {
            None if root.legal => Ok(root.id.clone()),
            None => Err(PurchaseError::OwnerNotNamed(root.id.clone())),
            Some(owner) => match organisation.node(owner) {
                Some(node) if node.legal => Ok(owner.clone()),
                Some(_) => Err(PurchaseError::OwnerNoLegalEntity(owner.clone())),
                None => Err(PurchaseError::OwnerUnknown(owner.clone())),
            },
        }
    }

    fn check_manual(&self, owner: &NodeId, organisation: &Organisation) -> Result<(), PurchaseError> {
        if self.manual.len() > ALLOCATIONS_MAX {
            return Err(PurchaseError::TooManyAllocations);
        }
        let manual: u64 = self.manual.values().copied().map(u64::from).sum();
        if manual > u64::from(self.quantity) {
            return Err(PurchaseError::AllocatesTooMuch { manual, quantity: self.quantity });
        }
        for (node, quantity) in &self.manual {
            if *quantity == 0 {
                return Err(PurchaseError::AllocatesNothing(node.clone()));
            }
            if organisation.node(node).is_none() {
                return Err(PurchaseError::TargetUnknown(node.clone()));
            }
            if !organisation.is_within(node, owner) {
                return Err(PurchaseError::TargetOutside { node: node.clone(), owner: owner.clone() });
            }
        }
        Ok(())
    }
}
