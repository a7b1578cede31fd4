//! `GET /v1/org` and `GET /v1/purchases`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/org`: the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Organisation {
    /// 1.
    pub format: u32,
    /// Whether automatic coverage stops where another legal entity begins.
    pub stop_at_legal: bool,
    /// The nodes, each before those below it; none: no organisation is registered.
    pub nodes: Vec<OrgNode>,
    /// The rules that place devices; the first that fits decides.
    pub rules: Vec<PlacementRule>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A unit of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OrgNode {
    /// Its id.
    pub id: String,
    /// The node above; null: it is the root.
    pub parent: Option<String>,
    /// What people call it.
    pub name: String,
    /// Whether it may own purchases.
    pub legal: bool,
    /// 0 to 9; who has the higher one is covered first.
    pub priority: u8,
}

/// Which devices belong to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlacementRule {
    /// What it looks at: `host`, `address`, `user` or `device`.
    #[serde(rename = "match")]
    pub matches: String,
    /// A pattern, a network, or a device's id.
    pub pattern: String,
    /// The node.
    pub node: String,
}

/// `GET /v1/purchases`: what is registered as bought, and each license as the purchase that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Purchases {
    /// 1.
    pub format: u32,
    /// The purchases, by id.
    pub purchases: Vec<Purchase>,
    /// Licenses that cover nothing until an admin registers them.
    pub unregistered: Vec<Unregistered>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// What an office has bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Purchase {
    /// Its id; a license's is the license's.
    pub id: String,
    /// Whether it is a license of the site.
    pub license: bool,
    /// Whether an admin registered it; else it is what a license file says.
    pub registered: bool,
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// How many installs it covers.
    pub quantity: u32,
    /// The node that owns it.
    pub owner: String,
    /// Whether what is not allocated by hand covers the nodes below the owner too.
    pub automatic: bool,
    /// Earlier versions that it covers too, by name.
    pub downgrade: Vec<String>,
    /// Whether it covers every earlier version.
    pub downgrade_any: bool,
    /// What is allocated by hand: how many installs at which node.
    pub manual: BTreeMap<String, u32>,
    /// First day (RFC 3339 date).
    pub valid_from: Option<String>,
    /// Last day.
    pub valid_until: Option<String>,
    /// When it was bought.
    pub purchased: Option<String>,
    /// What covers one install, in hundredths.
    pub unit_cost: Option<u64>,
}

/// A license that covers nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unregistered {
    /// The license.
    pub license: String,
    /// Why; one sentence.
    pub why: String,
}
