//! `GET /v1/usage`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/usage`: how much was used and refused, by product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// 1.
    pub format: u32,
    /// By product.
    pub products: Vec<ProductUsage>,
}

/// The use of one product. Hours and days in which nothing happened are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductUsage {
    /// Product.
    pub product: String,
    /// The last 7 days by hour.
    pub hours: Vec<Used>,
    /// The last 396 days by day.
    pub days: Vec<Used>,
}

/// What was used within one hour or one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// When it begins, RFC 3339.
    pub start: Option<String>,
    /// The most seats in use at once.
    pub peak: u32,
    /// Seats times seconds.
    pub seat_s: u64,
    /// Of these, borrowed.
    pub borrowed_s: u64,
    /// Starts that got a seat, those that shared one among them.
    pub starts: u32,
    /// Refused starts, by the rule that refused: `no-seat`, `queue`, `not-licensed`, `limit`.
    pub denied: BTreeMap<String, u32>,
}
