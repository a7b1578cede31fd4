//! `GET /v1/compliance` and what is below it. All figures but costs are installs.

use serde::{Deserialize, Serialize};

use super::{OrgNode, Purchase, Unregistered};

/// `GET /v1/compliance`: how what is installed compares with what was bought, by product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Compliance {
    /// 1.
    pub format: u32,
    /// Every product that is installed or was bought; none: there is no organisation, or neither.
    pub products: Vec<ProductTotals>,
    /// Licenses that cover nothing until an admin registers them.
    pub unregistered: Vec<Unregistered>,
}

/// The figures of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProductTotals {
    /// The product.
    pub product: String,
    /// The whole organisation's.
    pub totals: ComplianceTotals,
    /// The most seats of it that were in use at once, as far back as usage goes; null: it has no seats here. What is
    /// installed and what is used are different things: this is no part of any other figure.
    pub seat_peak: Option<u32>,
}

/// Figures of the whole organisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ComplianceTotals {
    /// What purchases that count now cover at most.
    pub owned: u64,
    /// What is installed.
    pub required: u64,
    /// What of it is covered.
    pub covered: u64,
    /// What of it is not.
    pub short: u64,
    /// What is owned and covers nothing.
    pub surplus: u64,
    /// What the surplus cost, in hundredths, as far as costs are known.
    pub surplus_cost: u64,
    /// What is covered by downgrade.
    pub transfers: u64,
}

/// `GET /v1/compliance?product=P`: the same for one product in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProductCompliance {
    /// 1.
    pub format: u32,
    /// The product.
    pub product: String,
    /// The whole organisation's figures.
    pub totals: ComplianceTotals,
    /// Nodes where something is installed, or below, in the tree's order.
    pub nodes: Vec<NodeCompliance>,
    /// Every version that is installed, the newest first.
    pub versions: Vec<VersionCompliance>,
    /// Every purchase of the product.
    pub purchases: Vec<PurchaseCompliance>,
    /// What covers nothing, where it stands.
    pub surplus: Vec<SurplusLine>,
    /// Installs covered by downgrade.
    pub transfers: Vec<TransferLine>,
}

/// Installs and how many of them are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ComplianceLine {
    /// What is installed.
    pub requirement: u64,
    /// What of it is covered.
    pub coverage: u64,
    /// Coverage less requirement: never above 0.
    pub compliance: i64,
}

/// A node's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeCompliance {
    /// The node.
    pub node: String,
    /// What people call it.
    pub name: String,
    /// The node above; null: it is the root.
    pub parent: Option<String>,
    /// Its own installs.
    pub own: ComplianceLine,
    /// Those of the node and of all below it.
    pub rolled_up: ComplianceLine,
}

/// A version's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VersionCompliance {
    /// The version.
    pub version: String,
    /// In the whole organisation.
    pub all: ComplianceLine,
}

/// A purchase's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PurchaseCompliance {
    /// The purchase.
    pub purchase: String,
    /// How many installs it covers at most.
    pub quantity: u64,
    /// How many it covers.
    pub used: u64,
    /// How many of them where it is allocated by hand.
    pub manual: u64,
    /// How many of them by downgrade.
    pub transfers: u64,
    /// `used`, `partly-used`, `not-used` or `not-assessed`.
    pub verdict: String,
    /// Why; one sentence.
    pub why: String,
}

/// Part of a purchase that covers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SurplusLine {
    /// The purchase.
    pub purchase: String,
    /// Where it stands: the node that it is allocated to, or the owner.
    pub node: String,
    /// How many installs it could cover.
    pub quantity: u64,
    /// What that cost, in hundredths; null: not known.
    pub cost: Option<u64>,
}

/// Installs covered by downgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferLine {
    /// The purchase.
    pub purchase: String,
    /// Where they are.
    pub node: String,
    /// The version that is installed.
    pub version: String,
    /// How many.
    pub count: u64,
}

/// `POST /v1/compliance/what-if`: what might be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ComplianceChanges {
    /// In their order, at most 1,000.
    pub changes: Vec<ComplianceChange>,
}

/// Something that might be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ComplianceChange {
    /// A purchase more, or one with other terms.
    SetPurchase(Box<Purchase>),
    /// A purchase less.
    RemovePurchase(String),
    /// A node more, or one that is elsewhere.
    SetNode(OrgNode),
    /// A node less; what is installed there counts as the root's.
    RemoveNode(String),
    /// Whether automatic coverage stops where another legal entity begins.
    StopAtLegal(bool),
}

/// Answers [`ComplianceChanges`]: what would be different. Nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ComplianceDifferences {
    /// 1.
    pub format: u32,
    /// For each product for which anything would be.
    pub products: Vec<ProductDifference>,
}

/// What would be different for a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProductDifference {
    /// The product.
    pub product: String,
    /// The figures before; null: it was neither installed nor bought.
    pub before: Option<ComplianceTotals>,
    /// The figures afterwards; null: it is neither installed nor bought.
    pub after: Option<ComplianceTotals>,
    /// The nodes whose own figures differ.
    pub nodes: Vec<NodeLineDifference>,
    /// How many other nodes differ.
    pub other_nodes: u32,
    /// The purchases that are used otherwise.
    pub purchases: Vec<PurchaseUseDifference>,
}

/// A node whose own figures differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeLineDifference {
    /// The node.
    pub node: String,
    /// Before; null: it was not there.
    pub before: Option<ComplianceLine>,
    /// Afterwards; null: it is not there.
    pub after: Option<ComplianceLine>,
}

/// A purchase that is used otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PurchaseUseDifference {
    /// The purchase.
    pub purchase: String,
    /// How many installs it covered; null: it was not there.
    pub before: Option<u64>,
    /// How many it covers afterwards; null: it is not there.
    pub after: Option<u64>,
}

/// `GET /v1/compliance/history`: the calculations that came to something new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Calculations {
    /// 1.
    pub format: u32,
    /// The newest ones, oldest first.
    pub calculations: Vec<Calculation>,
}

/// A calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Calculation {
    /// Counts them, from 1.
    pub number: u64,
    /// When.
    pub time: Option<String>,
    /// Why; a sentence each.
    pub reasons: Vec<String>,
    /// What differs from the one before.
    pub products: Vec<ProductDifference>,
}
