//! What a node of the organisation may use.

use std::fmt;

use seatkeeper_protocol::id::ProductId;
use serde::{Deserialize, Serialize};

use crate::org::NodeId;

/// What the devices of a node, and of all nodes below it, may use of a product, together. `None`: as much as there is.
/// Limits of the nodes above hold as well, so that the strictest one decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLimits {
    /// How many seats at once; 0 excludes.
    pub seats: Option<u32>,
    /// How many borrowed seats at once; 0: none may be borrowed.
    pub borrowed: Option<u32>,
    /// For how many days a seat may be borrowed; 0: not at all.
    pub borrow_days: Option<u32>,
    /// How many of the seats that they may use must stay unborrowed.
    pub kept: Option<u32>,
}

impl fmt::Display for NodeLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seats, borrowed, borrow_days, kept } = self;
        let told = [
            (seats, "seats"),
            (borrowed, "borrowed seats"),
            (borrow_days, "days of a borrow"),
            (kept, "seats kept in the office"),
        ];
        let told = told.iter().filter_map(|(limit, what)| Some(format!("{} {what}", (**limit)?)));
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}

/// A limit of a node that keeps somebody from one seat more, or from a borrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverNodeLimit {
    /// Of which product.
    pub product: ProductId,
    /// Whose limit.
    pub node: NodeId,
    /// Which one.
    pub over: NodeLimit,
}

/// One of [`NodeLimits`] that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeLimit {
    /// So many seats at once.
    Seats {
        /// How many.
        most: u32,
        /// How many are in use.
        used: u32,
    },
    /// So many borrowed seats at once.
    Borrowed {
        /// How many.
        most: u32,
        /// How many are borrowed.
        borrowed: u32,
    },
    /// So many days.
    BorrowDays {
        /// How many.
        most: u32,
    },
    /// So many seats must stay unborrowed.
    Kept {
        /// How many.
        kept: u32,
        /// Of how many that the node may use now.
        of: u32,
        /// How many of those are borrowed.
        borrowed: u32,
    },
}

impl OverNodeLimit {
    /// Whether the node may use no seat at all.
    pub fn excludes(&self) -> bool {
        matches!(self.over, NodeLimit::Seats { most: 0, .. })
    }
}

impl fmt::Display for OverNodeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, node, over } = self;
        match over {
            NodeLimit::Seats { most: 0, .. } => write!(
                f,
                "a limit of this site excludes the node `{node}` from {product}; ask an admin to change it"
            ),
            NodeLimit::Seats { most, used } => write!(
                f,
                "a limit of this site allows the node `{node}` {most} of the seats of {product} at once, and {used} are in \
                 use; give one back, or ask an admin to change it"
            ),
            NodeLimit::Borrowed { most: 0, .. } | NodeLimit::BorrowDays { most: 0 } => write!(
                f,
                "a limit of this site lets the node `{node}` borrow no seats of {product}; ask an admin to change it"
            ),
            NodeLimit::Borrowed { most, borrowed } => write!(
                f,
                "a limit of this site lets the node `{node}` borrow {most} of the seats of {product} at once, and \
                 {borrowed} are borrowed; give one back, or ask an admin to change it"
            ),
            NodeLimit::BorrowDays { most } => write!(
                f,
                "a limit of this site lets the node `{node}` borrow a seat of {product} for {most} days at most; name an \
                 earlier end, or ask an admin to change it"
            ),
            NodeLimit::Kept { kept, of, borrowed } => write!(
                f,
                "a limit of this site keeps {kept} of the {of} seats of {product} that the node `{node}` may use in the \
                 office, and {borrowed} are borrowed; give one back, or ask an admin to change it"
            ),
        }
    }
}
