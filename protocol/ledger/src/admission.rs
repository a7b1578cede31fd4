//! Which license takes a seat: admission by maximum flow (design section 5, invariant I9).
//!
//! The books of a product are a flow. From each running seat an edge goes to every license that the seat may stand on;
//! each license takes as many as it has seats. A start is admitted exactly if the flow rises by one while everybody
//! who is seated stays so, which is to say: if one augmenting path leads from the start to a license with room, each
//! step of which moves one running seat, in the books only, from a full license to the next. First-match servers
//! refuse where only the first step is full.
//!
//! **Where a seat may stand.** On a license of its product that covers whatever its sessions were granted, versions and
//! features together (a session that named no version was granted the one in its ticket), and whose terms are not
//! stricter than those that the seat got: its ttl is not shorter, and at least the same starts may share (invariant I7:
//! ttl and share are fixed in the seat at its grant). A seat that an admin took away stays where it is until it is
//! free, as do seats that a ticket pins to one license: they may stand nowhere else.
//!
//! **Licenses without seats.** One that ended, was removed, has not begun or was replaced takes nobody. Who runs on it
//! goes on running: that is over-commitment, which is shown and which a return repays, for the place that it frees is
//! not given out. Such seats are not moved to other licenses, where they would take the place of somebody who starts
//! later; so a fitting start is admitted as if they were not there. They move in one case only: when a further start
//! of the same person shares the seat, which needs no more room on the other license than a new seat would.
//!
//! **Replaced licenses.** From its first day on, the seats of a license that replaces others are the ones that the
//! others had: whoever still runs on a replaced license takes up a place of the replacing one, whether that covers him
//! or not. So there is neither a gap nor a doubling. If more run than the new license has, no start gets a place there
//! until returns have repaid it; starts that need another license are not held up.
//!
//! **Parts.** Some seats of a license may be for the devices of one node of the organisation, and the others for those
//! that its owner reaches: see `parts`. A path then leads over licenses and nodes, since what is full for a seat of one
//! node may have room for that of another.
//!
//! **Who waits.** A new seat is given only if those who wait longer could have theirs as well: see `queue`.
//!
//! **Which way.** Among the licenses with room the least flexible one is taken: the very version, then
//! [`Flexibility`]. The path is the shortest one, in that order too, so that replicas choose alike.

mod flow;
mod parts;
mod pieces;
mod pool;
mod queue;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use seatkeeper_protocol::id::{Feature, Name, ProductId, SeatId, Version};
use seatkeeper_protocol::license::{Downgrade, License, Share};
use seatkeeper_protocol::time::WallTime;

pub(crate) use flow::Wanted;
pub(crate) use parts::{Change, Parts, Registered};
pub(crate) use pieces::PieceSet;
pub(crate) use pool::Pool;
pub(crate) use queue::Line;

/// What a start needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Demand<'a> {
    pub(crate) product: &'a ProductId,
    /// `None`: whatever is owned.
    pub(crate) version: Option<&'a Version>,
    pub(crate) features: &'a [Feature],
}

impl Demand<'_> {
    pub(crate) fn fits(&self, license: &License) -> bool {
        license.covers(self.product, self.version, self.features)
    }
}

/// What a running seat needs: all that its sessions were granted, on terms that are not stricter than its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need<'a> {
    /// Each with a version.
    pub(crate) granted: Vec<Demand<'a>>,
    pub(crate) ttl_ms: u64,
    pub(crate) share: Share,
    /// Stays on its license whatever happens.
    pub(crate) pinned: bool,
}

impl Need<'_> {
    /// Whether the seat may be moved to `license`.
    pub(crate) fn fits(&self, license: &License) -> bool {
        !self.pinned
            && self.granted.iter().all(|demand| demand.fits(license))
            && is_not_stricter(license, self.ttl_ms, self.share)
    }
}

/// Whether the license gives a seat at least this much.
fn is_not_stricter(license: &License, ttl_ms: u64, share: Share) -> bool {
    license.ttl_ms >= ttl_ms && share.is_within(license.share)
}

/// Where a seat goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) license: Name,
    /// Running seats that move, in the books only, to make room: seat and its new license. In an order in which each
    /// finds room.
    pub(crate) moves: Vec<(SeatId, Name)>,
}

/// How much else a license may be needed for: few and near earlier versions, few features, an early end; the id makes
/// the order total. The less, the sooner it is taken.
pub(crate) type Flexibility = (usize, Reverse<usize>, usize, bool, Option<WallTime>, Name);

pub(crate) fn flexibility(license: &License) -> Flexibility {
    let earlier = match &license.downgrade {
        Downgrade::None => 0,
        Downgrade::To(versions) => versions.len(),
        Downgrade::Any => usize::MAX,
    };
    // `2026.1` covers less than `2026` does.
    let precision = license.version.as_str().split('.').count();
    let ends = license.valid_until.map(|until| until.ends());
    (earlier, Reverse(precision), license.features.len(), ends.is_none(), ends, license.id.clone())
}
