//! Purchases as the API writes them, and back; rules as it says them.

use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{IdError, ProductId, Version};
use seatkeeper_protocol::license::{Date, Downgrade};
use thiserror::Error;

use super::{Glob, Match, NodeId, PlacementError, Purchase, PurchaseId, Rule};

/// Why what the API says of a purchase can't be meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not an id, product or version.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Not a day.
    #[error("{0:?} is no day; write one as in 2026-12-31")]
    Day(String),
    /// Not a pattern or a network.
    #[error(transparent)]
    Pattern(#[from] PlacementError),
    /// Nothing that a rule can look at.
    #[error("a rule looks at `host`, `address`, `user` or `device`, not at {0:?}")]
    Match(String),
}

impl Rule {
    /// What the API says of one. Whether the node is there is not looked at here.
    ///
    /// # Errors
    /// When something in it can't be meant.
    pub fn from_json(of: &api::PlacementRule) -> Result<Self, JsonError> {
        let matches = match of.matches.as_str() {
            "host" => Match::Host(Glob::new(&of.pattern)?),
            "address" => Match::Address(of.pattern.parse()?),
            "user" => Match::User(Glob::new(&of.pattern)?),
            "device" => Match::Device(of.pattern.parse()?),
            other => return Err(JsonError::Match(other.chars().take(32).collect())),
        };
        Ok(Self { matches, node: NodeId::new(of.node.as_str())? })
    }
}

impl Purchase {
    /// As the API writes it. `license`: it is a license of the site; `registered`: an admin said so.
    pub fn to_json(&self, id: &PurchaseId, license: bool, registered: bool) -> api::Purchase {
        let (downgrade, downgrade_any) = match &self.downgrade {
            Downgrade::None => (Vec::new(), false),
            Downgrade::To(versions) => (versions.iter().map(ToString::to_string).collect(), false),
            Downgrade::Any => (Vec::new(), true),
        };
        let day = |day: Option<Date>| day.map(|day| day.to_string());
        api::Purchase {
            id: id.to_string(),
            license,
            registered,
            product: self.product.to_string(),
            version: self.version.to_string(),
            quantity: self.quantity,
            owner: self.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            automatic: self.automatic,
            downgrade,
            downgrade_any,
            manual: self.manual.iter().map(|(node, quantity)| (node.to_string(), *quantity)).collect(),
            valid_from: day(self.valid_from),
            valid_until: day(self.valid_until),
            purchased: day(self.purchased),
            unit_cost: self.unit_cost,
        }
    }

    /// What the API says of one. Without an owner it is the root's.
    ///
    /// # Errors
    /// When something in it can't be meant.
    pub fn from_json(of: &api::Purchase) -> Result<Self, JsonError> {
        let day = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| Date::read(text).ok_or_else(|| JsonError::Day(text.chars().take(32).collect())))
                .transpose()
        };
        let owner = Some(of.owner.as_str()).filter(|owner| !owner.is_empty());
        let manual = of.manual.iter().map(|(node, quantity)| Ok((NodeId::new(node.as_str())?, *quantity)));
        Ok(Self {
            product: ProductId::new(of.product.as_str())?,
            version: Version::new(of.version.as_str())?,
            quantity: of.quantity,
            owner: owner.map(NodeId::new).transpose()?,
            automatic: of.automatic,
            downgrade: downgrade_from_json(of.downgrade_any, &of.downgrade)?,
            manual: manual.collect::<Result<_, IdError>>()?,
            valid_from: day(&of.valid_from)?,
            valid_until: day(&of.valid_until)?,
            purchased: day(&of.purchased)?,
            unit_cost: of.unit_cost,
        })
    }
}

/// Earlier versions as the API writes them: any, or by name.
///
/// # Errors
/// When one is no version.
pub fn downgrade_from_json(any: bool, versions: &[String]) -> Result<Downgrade, IdError> {
    if any {
        return Ok(Downgrade::Any);
    }
    let versions: Vec<Version> =
        versions.iter().map(|version| Version::new(version.as_str())).collect::<Result<_, _>>()?;
    Ok(if versions.is_empty() { Downgrade::None } else { Downgrade::To(versions) })
}
