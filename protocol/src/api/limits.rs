//! `GET /v1/limits`.

use serde::{Deserialize, Serialize};

/// `GET /v1/limits`: who may use how many seats, and who goes first in queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Limits {
    /// 1.
    pub format: u32,
    /// The limits.
    pub limits: Vec<Limit>,
    /// The groups that limits and priorities may name.
    pub groups: Vec<Group>,
    /// The priorities above 0.
    pub priorities: Vec<Priority>,
    /// The limits of nodes of the organisation. An agent that does not know of any leaves it out.
    #[serde(default)]
    pub nodes: Vec<NodeLimits>,
}

/// For whom a rule is. One field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Whom {
    /// A user.
    pub user: Option<String>,
    /// A group of users together.
    pub group: Option<String>,
    /// Whoever uses a device: its id.
    pub device: Option<String>,
    /// The device's name.
    pub device_name: Option<String>,
}

/// How many seats of a product somebody may use at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Limit {
    /// Product.
    pub product: String,
    /// Who.
    #[serde(flatten)]
    pub whom: Whom,
    /// How many; 0 excludes.
    pub seats: u32,
    /// How many of them are in use.
    pub used: u32,
}

/// What the devices of a node, and of those below it, may use of a product. The limits of the nodes above hold as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeLimits {
    /// Product.
    pub product: String,
    /// The node's id.
    pub node: String,
    /// The node's name.
    pub node_name: String,
    /// How many seats at once; 0 excludes; null: no limit.
    pub seats: Option<u32>,
    /// How many borrowed seats at once; null: no limit.
    pub borrowed: Option<u32>,
    /// For how many days a seat may be borrowed; null: no limit.
    pub borrow_days: Option<u32>,
    /// How many of the seats that they may use must stay unborrowed; null: none.
    pub kept: Option<u32>,
    /// How many seats are in use there.
    pub used: u32,
    /// How many of them are borrowed.
    pub used_borrowed: u32,
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Group {
    /// Name.
    pub name: String,
    /// Users.
    pub members: Vec<String>,
}

/// Who goes first in queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Priority {
    /// Who.
    #[serde(flatten)]
    pub whom: Whom,
    /// 1 to 9; the higher goes first.
    pub priority: u8,
}
