//! Limits of nodes: what the devices of a node and of those below it may use and borrow.
//!
//! The limits of all nodes from a device's own up to the root hold, so that the strictest one decides. Like other limits
//! (`rules`) they refuse what is new and take nothing away.

use std::ops::Range;

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SeatId};
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::admission::Pool;
use crate::command::{NodeLimit, NodeLimits, Outcome, OverNodeLimit, Refusal};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::org::{NodeId, Organisation};
use crate::records::Happening;
use crate::rules::Asker;
use crate::state::SeatRecord;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A node with limits, and the places of it and of those below it.
struct Limited<'a> {
    node: &'a NodeId,
    limits: NodeLimits,
    places: Range<usize>,
}

impl Ledger {
    pub(crate) fn set_node_limits(
        &mut self,
        moment: Moment,
        by: &Name,
        product: &ProductId,
        node: &NodeId,
        limits: &NodeLimits,
    ) -> Answer {
        let key = (product.clone(), node.clone());
        let known = self.state.node_limits.contains_key(&key);
        if *limits == NodeLimits::default() {
            if self.state.node_limits.remove(&key).is_none() {
                return Err(Refusal::NotFound(format!("limit of {product} for node {node}")));
            }
        } else {
            if self.organisation().and_then(|organisation| organisation.node(node)).is_none() {
                return Err(Refusal::NotFound(format!("node {node}")));
            }
            if !known && self.state.node_limits.len() >= limits::LIMITS_MAX {
                return Err(limit("limits of nodes", limits::LIMITS_MAX));
            }
            self.state.node_limits.insert(key, *limits);
        }
        let (product, node, by) = (product.clone(), node.clone(), by.clone());
        self.record(moment, Happening::NodeLimitsSet { product, node, limits: *limits, by });
        Ok(Outcome::Done)
    }

    /// Refuses to take out a node that has limits: they would apply to nobody.
    pub(crate) fn check_without_limits(&self, node: &NodeId) -> Result<(), Refusal> {
        match self.state.node_limits.keys().find(|(_, limited)| limited == node) {
            Some((product, _)) => Err(Refusal::Conflict(format!(
                "node `{node}` has limits of {product}; remove them first with `seatkeeper limits remove {product} --node \
                 {node}`"
            ))),
            None => Ok(()),
        }
    }

    fn organisation(&self) -> Option<&Organisation> {
        self.state.register.as_ref().map(|register| register.organisation())
    }

    /// The nodes with limits of a product, from a device's own up to the root.
    fn limited(&self, product: &ProductId, device: DeviceId) -> Vec<Limited<'_>> {
        let Some(organisation) = self.organisation().filter(|_| !self.state.node_limits.is_empty()) else {
            return Vec::new();
        };
        let nodes = organisation.nodes();
        let own = nodes.get(self.by.node(&device));
        let up = std::iter::successors(own, |node| organisation.node(node.parent.as_ref()?));
        let limited = up.filter_map(|node| {
            let limits = *self.state.node_limits.get(&(product.clone(), node.id.clone()))?;
            let places = organisation.within(organisation.place(&node.id)?);
            Some(Limited { node: &node.id, limits, places })
        });
        limited.collect()
    }

    /// Whether a seat counts for these nodes: one of its programs runs there, or it is borrowed there.
    fn counts_in(&self, seat: &SeatRecord, places: &Range<usize>) -> bool {
        let sessions = seat.sessions.iter().filter_map(|id| self.state.sessions.get(id));
        let borrow = seat.borrow.iter().map(|borrow| borrow.device);
        let mut devices = sessions.map(|session| session.device).chain(borrow);
        devices.any(|device| places.contains(&self.by.node(&device)))
    }

    fn used_in(&self, product: &ProductId, places: &Range<usize>) -> u32 {
        let seats = self.state.seats.values().filter(|seat| seat.product == *product);
        let used = seats.filter(|seat| self.counts_in(seat, places)).count();
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    fn borrowed_in(&self, product: &ProductId, places: &Range<usize>) -> u32 {
        let devices = self.by.borrowed.iter().filter(|(device, _)| places.contains(&self.by.node(device)));
        let seats = devices.flat_map(|(_, seats)| seats).filter_map(|id| self.state.seats.get(id));
        u32::try_from(seats.filter(|seat| seat.product == *product).count()).unwrap_or(u32::MAX)
    }

    /// The limit of a node that keeps somebody from one seat more, if there is one. `joins` is a seat that he would share.
    pub(crate) fn over_node_limit(&self, asker: Asker<'_>, joins: Option<SeatId>) -> Option<OverNodeLimit> {
        let joined = joins.and_then(|id| self.state.seats.get(&id));
        self.node_limit_where(asker, |used, most, places| {
            used >= most && !joined.is_some_and(|seat| self.counts_in(seat, places))
        })
    }

    /// The limit of a node that is exceeded already.
    pub(crate) fn beyond_node_limit(&self, asker: Asker<'_>) -> Option<OverNodeLimit> {
        self.node_limit_where(asker, |used, most, _| used > most)
    }

    fn node_limit_where(
        &self,
        asker: Asker<'_>,
        is_over: impl Fn(u32, u32, &Range<usize>) -> bool,
    ) -> Option<OverNodeLimit> {
        let product = asker.product;
        self.limited(product, asker.device).into_iter().find_map(|Limited { node, limits, places }| {
            let most = limits.seats?;
            let used = self.used_in(product, &places);
            let over = NodeLimit::Seats { most, used };
            is_over(used, most, &places).then(|| OverNodeLimit {
                product: product.clone(),
                node: node.clone(),
                over,
            })
        })
    }

    /// Refuses what the nodes of a device may not borrow. `prolongs`: the seat is borrowed already.
    pub(crate) fn check_node_borrow(
        &self,
        now: WallTime,
        pool: &Pool,
        asker: Asker<'_>,
        until: WallTime,
        prolongs: bool,
    ) -> Result<(), Refusal> {
        let product = asker.product;
        for Limited { node, limits, places } in self.limited(product, asker.device) {
            let borrowed = self.borrowed_in(product, &places);
            let then = borrowed.saturating_add(u32::from(!prolongs));
            let refused = |over| {
                let over = OverNodeLimit { product: product.clone(), node: node.clone(), over };
                Err(Refusal::OverNodeLimit(Box::new(over)))
            };
            if let Some(most) = limits.borrow_days
                // By the device's own clock, as with the days of a license.
                && (most == 0 || until > now.plus_ms(i64::from(most) * DAY_MS + limits::CLOCK_OFF_MS))
            {
                return refused(NodeLimit::BorrowDays { most });
            }
            if let Some(most) = limits.borrowed.filter(|most| then > *most) {
                return refused(NodeLimit::Borrowed { most, borrowed });
            }
            let of = pool.usable_in(&places, now);
            if let Some(kept) = limits.kept.filter(|kept| then.saturating_add(*kept) > of) {
                return refused(NodeLimit::Kept { kept, of, borrowed });
            }
        }
        Ok(())
    }

    /// The limits of nodes: product, node, limits, and how many seats are used and borrowed there and below.
    pub fn node_limits(&self) -> impl Iterator<Item = (&ProductId, &NodeId, NodeLimits, u32, u32)> {
        self.state.node_limits.iter().filter_map(|((product, node), limits)| {
            let organisation = self.organisation()?;
            let places = organisation.within(organisation.place(node)?);
            let (used, borrowed) = (self.used_in(product, &places), self.borrowed_in(product, &places));
            Some((product, node, *limits, used, borrowed))
        })
    }
}
