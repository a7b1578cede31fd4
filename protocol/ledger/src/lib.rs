//! The deterministic state machine that owns the seats (design section 5).
//!
//! [`Ledger::apply`] turns the log, entry by entry, into the site's books. It never fails and never panics on any
//! bytes (invariant I11), reads no clock, and gives the same answers on every replica (invariant I5).
//!
//! | module | holds |
//! |---|---|
//! | [`command`] | what stands in the log, and what `apply` answers |
//! | `codec` | their bytes, bounded and versioned |
//! | `ledger` | [`Ledger`]: who may ask, what was asked before, the running hash |
//! | `memory` | idempotency: the last outcomes of each actor (invariant I4) |
//! | `state` | the books: plain records in ordered maps |
//! | `seats` | checkout, resume, sharing |
//! | `queue` | waiting for a seat |
//! | `rules` | limits, groups, priorities |
//! | `returns` | return, expire, release |
//! | `borrow` | borrowed seats, lost devices |
//! | `tombstones` | sessions that ended, so that a late checkout of one is refused |
//! | `admission` | which license takes a seat: maximum flow |
//! | `licenses` | vendors and license files |
//! | `renewals` | which licenses may replace which |
//! | `members` | founding, invitations, devices, admins |
//! | `keys` | the pool key |
//! | [`org`] | organisation, purchases, compliance: what fits together, and what it comes to |
//! | `organisation` | the commands that register them |
//! | [`inventory`] | what is installed where, and the catalog that makes products of names |
//! | [`history`] | the calculations of compliance that came to something new |
//! | `usage` | how much was used, by hour and by day |
//! | `records` | what can happen, as people read it |
//! | [`audit`] | the newest records, chained by hashes; verifying such a chain |
//! | [`whatif`] | what if there were more or fewer seats: records, lived through again |
//! | `query` | what the agent reads |
//! | `snapshot` | the whole state as bytes, and back |
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

pub mod audit;
pub mod command;
pub mod history;
pub mod inventory;
pub mod org;
mod organisation;
pub mod whatif;

mod admission;
mod borrow;
mod codec;
mod keys;
mod ledger;
mod licenses;
mod members;
mod memory;
mod node_limits;
mod query;
mod queue;
mod reasons;
mod records;
mod recover;
mod renewals;
mod returns;
mod rules;
mod seats;
mod snapshot;
mod state;
mod tombstones;
mod units;
mod usage;

#[cfg(test)]
mod tests;

pub use codec::{CodecError, decode, decode_command, decode_outcome, encode, encode_command, encode_outcome};
pub use ledger::Ledger;
pub use memory::ActorKey;
pub use organisation::Organised;
pub use query::{LicenseState, PoolSummary};
pub use queue::Place;
pub use records::{BorrowOver, DeniedBy, Happening, Record, Who};
pub use recover::WITHHELD;
pub use snapshot::RestoreError;
pub use state::{
    Admin, BorrowRecord, DeviceRecord, Invite, LicenseRecord, PoolKey, Revoked, SeatRecord, SessionRecord,
    Site, Vendor, WaitRecord,
};
pub use usage::Used;
