//! Organisation, allocation, compliance: whether what is installed is covered by what was bought.
//!
//! All of it is pure: a [`Register`] holds what an office registers, [`Installs`] what is installed, and
//! [`Register::compliance`] says how the two compare. Terms: *requirement*, the installs; *coverage*, how many of them
//! a purchase covers; *compliance*, coverage − requirement; *transfer*, an install covered by downgrade.
//!
//! | module | holds |
//! |---|---|
//! | `ids` | what nodes and purchases are called |
//! | `tree` | [`Organisation`]: the tree of nodes |
//! | `placement` | [`Placement`]: which device belongs to which node |
//! | `import` | the same from CSV and JSON |
//! | `json` | purchases as the API writes them |
//! | `purchase` | [`Purchase`] and the rules that it is refused by |
//! | `reach` | which nodes a remainder is for: that of live seats |
//! | `register` | [`Register`]: tree, rules and purchases that fit together |
//! | `installs` | [`Installs`]: what is installed, by node and version |
//! | `versions` | a total order of versions |
//! | `pieces` | purchases as pieces: what covers what (rule 3) |
//! | `network` | pieces and installs of a product as a flow network on the tree |
//! | `flow` | the cheapest maximum flow: the first four objectives |
//! | `settle` | the other objectives, on the face of the cheapest maximum flows |
//! | `calculation` | [`Calculation`]: all of this for one product |
//! | `spread` | which piece covers which install |
//! | `report` | [`Compliance`]: the result for people |
//! | `what_if` | the same on a changed copy, and the difference |
//!
//! **The objectives, in order** (rule 4): most installs covered; most of them by manual pieces; fewest transfers;
//! fewest version steps; the pieces in their order (least flexible, earliest expiry, oldest purchase); the nodes in
//! theirs (priority, then the tree's order). The first four are totals and are found by one flow, whose cost is the
//! three costs one above the other. The others fill one piece, or one node, after the other: flows of one cost form a
//! network themselves (arcs without reduced cost), so each next piece takes what paths in it bring, and keeps it.
//!
//! **Small by classes.** Nodes below the same automatic pieces are alike as long as no piece names one of them, and so
//! are pieces of the same reach; so the network has a place for each *region*, the nodes whose nearest owner of an
//! automatic piece is the same, and not for each node. Nodes are told apart only at the end.
//!
//! **Same whatever the order of input**: everything is sorted by id before it is looked at, and the calculation always
//! starts anew, so that two ways to the same register and the same installs give the same result.

mod calculation;
mod flow;
mod ids;
mod import;
mod installs;
mod json;
mod network;
mod pieces;
mod placement;
mod purchase;
mod reach;
mod register;
mod report;
mod settle;
mod spread;
mod table;
mod tree;
mod versions;
mod what_if;

#[cfg(test)]
mod tests;

pub use calculation::Calculation;
pub use ids::{NodeId, PurchaseId};
pub(crate) use import::each_row;
pub use import::{ImportError, read_cost, read_downgrade};
pub use installs::{Installs, InstallsError};
pub use json::{JsonError, downgrade_from_json};
pub use placement::{Device, Glob, Match, Network, Placement, PlacementError, Rule};
pub use purchase::{Purchase, PurchaseError};
pub use register::{Register, RegisterError};
pub use report::{
    Compliance, Line, NodeLine, NotAssessed, NotUsed, PurchaseLine, Share, Surplus, Totals, Transfer,
    Verdict, VersionLine,
};
pub use tree::{Node, Organisation, TreeError};
pub use what_if::{Change, Difference, NodeDifference, PurchaseDifference};

/// Nodes of one organisation.
pub const NODES_MAX: usize = 20_000;
/// Placement rules of one site.
pub const PLACEMENTS_MAX: usize = 10_000;
/// Purchases of one site.
pub const PURCHASES_MAX: usize = 10_000;
/// Nodes that one purchase allocates to by hand.
pub const ALLOCATIONS_MAX: usize = 1_024;
/// Nodes that all purchases together allocate to by hand.
pub const ALLOCATIONS_IN_ALL_MAX: usize = 100_000;
/// Installs that one purchase may cover.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// Versions of one product that are installed at one time.
pub const VERSIONS_MAX: usize = 256;
/// Installs of one version at one node.
pub const INSTALLS_MAX: u32 = 10_000_000;
/// Largest file that is imported, bytes.
pub const IMPORT_BYTES_MAX: usize = 8 * 1024 * 1024;
