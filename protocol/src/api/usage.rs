//! `GET /v1/usage`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/usage`: how much was used and refused, by product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Usage {
    /// 1.
    pub format: u32,
    /// By product.
    pub products: Vec<ProductUsage>,
}

/// The use of one product. Hours and days in which nothing happened are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

/// `seatkeeper usage PRODUCT --what-if N --json`: recorded starts, lived through with another number of seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WhatIf {
    /// 1.
    pub format: u32,
    /// Product.
    pub product: String,
    /// So many seats.
    pub seats: u32,
    /// When the first record was made that was looked at.
    pub from: Option<String>,
    /// When the last one was made.
    pub to: Option<String>,
    /// The first one's number.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
    /// Starts that needed a seat of their own.
    pub starts: u64,
    /// Starts that no number of seats would have helped.
    pub refused_anyway: u64,
    /// How long a refused start is taken to run; null: to the end.
    pub taken_to_run_s: Option<u64>,
    /// What came.
    pub recorded: WhatIfTold,
    /// What would have come.
    pub replayed: WhatIfTold,
}

/// What came of starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WhatIfTold {
    /// Refused for want of a seat.
    pub refused: u64,
    /// Waited for one.
    pub waited: u64,
    /// Together so long.
    pub waited_s: u64,
    /// At longest so long.
    pub longest_s: u64,
    /// Gave up waiting.
    pub gave_up: u64,
    /// Most seats in use at once.
    pub peak: u32,
}
