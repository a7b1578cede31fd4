//! Why a start is refused, and how a borrow is over.

use serde::{Deserialize, Serialize};

/// The rule that refused a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeniedBy {
    /// All seats are in use.
    NoSeat,
    /// What is free is for who waits longer.
    Queue,
    /// No license covers it.
    License,
    /// A limit of the site.
    Limit,
}

impl DeniedBy {
    /// A stable word, as in the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSeat => "no-seat",
            Self::Queue => "queue",
            Self::License => "not-licensed",
            Self::Limit => "limit",
        }
    }
}

/// How a borrow can be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BorrowOver {
    /// The device gave the seat back.
    Returned,
    /// Its time was over.
    Ended,
    /// The device is lost, and the license gives such seats back at once.
    Lost,
}
