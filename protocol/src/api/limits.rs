//! `GET /v1/limits`.

use serde::{Deserialize, Serialize};

/// `GET /v1/limits`: who may use how many seats, and who goes first in queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// 1.
    pub format: u32,
    /// The limits.
    pub limits: Vec<Limit>,
    /// The groups that limits and priorities may name.
    pub groups: Vec<Group>,
    /// The priorities above 0.
    pub priorities: Vec<Priority>,
}

/// For whom a rule is. One field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Users.
    pub members: Vec<String>,
}

/// Who goes first in queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// Who.
    #[serde(flatten)]
    pub whom: Whom,
    /// 1 to 9; the higher goes first.
    pub priority: u8,
}
