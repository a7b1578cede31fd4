//! Whose seats a license's seats are: some are for the devices of one node, the others for all that the owner reaches.
//!
//! **Reserved is reserved.** Seats that a license's purchase allocates to a node by hand are for devices of that very
//! node, also while nobody there uses them. The *rest* is for the nodes in the owner's reach. A seat of a node stands on
//! what is its node's own as far as that goes, and beyond that, its *excess*, on the rest.
//!
//! **Nothing of that is written down.** Which part a seat stands on follows from how many seats of each node a license
//! has; so replicas agree on it, and a change of the organisation moves nothing. Seats that are beyond what their nodes
//! may have since then stay, and take up the rest until they return, be it more than there is: that is over-commitment
//! like any other, which no start adds to.
//!
//! Nodes are numbered by their places in the tree's order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use seatkeeper_protocol::license::License;
use seatkeeper_protocol::time::WallTime;

use super::{PieceSet, Pool};

/// What a license gives in this office.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    /// Not wider than its file.
    pub(crate) license: License,
    /// `None`: every device may use all of it.
    pub(crate) parts: Option<Parts>,
}

impl From<&License> for Registered {
    fn from(license: &License) -> Self {
        Self { license: license.clone(), parts: None }
    }
}

/// Which nodes a license's seats are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Seats for the devices of one node each.
    pub(crate) manual: BTreeMap<usize, u32>,
    /// How many others there are.
    pub(crate) rest: u32,
    /// For the devices of these nodes: rising, without gaps between neighbors.
    pub(crate) reach: Arc<[Range<usize>]>,
}

impl Parts {
    fn of_node(&self, node: usize) -> u32 {
        self.manual.get(&node).copied().unwrap_or_default()
    }

    fn reaches(&self, node: usize) -> bool {
        let after = self.reach.partition_point(|range| range.end <= node);
        self.rest > 0 && self.reach.get(after).is_some_and(|range| range.contains(&node))
    }

    /// Whether devices of the node may use any of the seats.
    fn is_for(&self, node: usize) -> bool {
        self.of_node(node) > 0 || self.reaches(node)
    }

    /// How many seats devices of these nodes may use.
    fn usable_in(&self, nodes: &Range<usize>) -> u32 {
        let manual = self.manual.range(nodes.clone()).map(|(_, seats)| *seats);
        let touches = |range: &Range<usize>| range.start < nodes.end && nodes.start < range.end;
        let rest = if self.reach.iter().any(touches) { self.rest } else { 0 };
        manual.fold(rest, u32::saturating_add)
    }
}

/// How many seats of which node stand on a license.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    by_node: BTreeMap<usize, u32>,
    /// Beyond what is the nodes' own, all together.
    excess: u32,
}

impl Load {
    fn of_node(&self, node: usize) -> u32 {
        self.by_node.get(&node).copied().unwrap_or_default()
    }

    fn excess_of(&self, node: usize, parts: &Parts) -> u32 {
        self.of_node(node).saturating_sub(parts.of_node(node))
    }

    pub(super) fn add(&mut self, node: usize, parts: Option<&Parts>) {
        let seats = self.by_node.entry(node).or_default();
        *seats = seats.saturating_add(1);
        self.excess += u32::from(parts.is_some_and(|parts| *seats > parts.of_node(node)));
    }

    pub(super) fn take(&mut self, node: usize, parts: Option<&Parts>) {
        let Some(seats) = self.by_node.get_mut(&node) else { return };
        let beyond = parts.is_some_and(|parts| *seats > parts.of_node(node));
        *seats = seats.saturating_sub(1);
        self.excess = self.excess.saturating_sub(u32::from(beyond));
        if *seats == 0 {
            self.by_node.remove(&node);
        }
    }

    /// Whether a further seat of `node` has a place.
    fn has_room(&self, parts: &Parts, node: usize) -> bool {
        self.of_node(node) < parts.of_node(node) || (parts.reaches(node) && self.excess < parts.rest)
    }

    /// Whether no more seats stand on the rest after these changes, by node, than there are, or than did before; and
    /// none more of a node that it is not for.
    fn stays_within(&self, parts: &Parts, changed: impl Iterator<Item = (usize, i64)>) -> bool {
        let mut excess = i64::from(self.excess);
        for (node, change) in changed {
            let seats = i64::from(self.of_node(node)).saturating_add(change);
            let now = i64::from(self.excess_of(node, parts));
            let then = seats.saturating_sub(i64::from(parts.of_node(node))).max(0);
            if then > now && !parts.reaches(node) {
                return false;
            }
            excess = excess.saturating_add(then).saturating_sub(now);
        }
        excess <= i64::from(parts.rest.max(self.excess))
    }
}

/// Whose seats make room for a seat of a node when they leave a full license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InTheWay {
    /// Anybody's.
    All,
    /// Those of this node.
    Node(usize),
    /// Those of these nodes: the same one, and all that have more than is their own.
    Rest(Vec<usize>),
}

/// A seat that changes its place. Places are a license and the node whose seat it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// `None`: a new seat.
    pub(crate) from: Option<(usize, usize)>,
    pub(crate) to: (usize, usize),
}

impl Pool {
    /// Keeps the licenses of which devices of a node may use seats.
    pub(crate) fn keep_usable(&self, set: &mut PieceSet, node: usize) {
        if !self.is_divided() {
            return;
        }
        let not_for = |number: &usize| !self.is_for(*number, node);
        let others: Vec<usize> = self.divided.both(set).filter(not_for).collect();
        others.into_iter().for_each(|number| set.remove(number));
    }

    /// Whether devices of a node may use seats of a license.
    pub(crate) fn is_for(&self, number: usize, node: usize) -> bool {
        let parts = self.piece(number).and_then(|piece| piece.parts.as_ref());
        parts.is_none_or(|parts| parts.is_for(node))
    }

    /// How many seats the devices of these nodes may use now.
    pub(crate) fn usable_in(&self, nodes: &Range<usize>, now: WallTime) -> u32 {
        let usable = (0..self.len()).filter(|number| self.is_open(*number, now)).filter_map(|number| {
            let piece = self.piece(number)?;
            Some(piece.parts.as_ref().map_or(piece.license.seats, |parts| parts.usable_in(nodes)))
        });
        usable.fold(0, u32::saturating_add)
    }

    /// How many seats of these licenses are free, but not for devices of a node.
    pub(crate) fn reserved(&self, set: &PieceSet, node: usize, now: WallTime) -> u32 {
        let full =
            self.open(set, now).filter(|number| !self.has_room(*number, self.counted_node(node), now, None));
        let free = full
            .filter_map(|number| Some(self.license(number)?.seats.saturating_sub(self.used(number, now))));
        free.fold(0, u32::saturating_add)
    }

    /// The seats that take up places of a license, by node, without the one at `gone`.
    fn load(&self, number: usize, now: WallTime, gone: Option<(usize, usize)>) -> Cow<'_, Load> {
        let piece = self.piece(number);
        let parts = piece.and_then(|piece| piece.parts.as_ref());
        let mut load = match piece {
            Some(piece) if piece.is_single() => Cow::Borrowed(&piece.load),
            _ => {
                let mut all = Load::default();
                for (node, seats) in self.counted(number, now).flat_map(|piece| &piece.load.by_node) {
                    (0..*seats).for_each(|_| all.add(*node, parts));
                }
                Cow::Owned(all)
            }
        };
        if let Some((_, node)) = gone.filter(|(at, _)| *at == number) {
            load.to_mut().take(node, parts);
        }
        load
    }

    /// Whether a license has room for a seat of a device at `node`, when the one at `gone` leaves its place.
    pub(super) fn has_room(
        &self,
        number: usize,
        node: usize,
        now: WallTime,
        gone: Option<(usize, usize)>,
    ) -> bool {
        let Some(piece) = self.piece(number) else { return false };
        let leaves = u32::from(gone.is_some_and(|(at, _)| at == number));
        self.used(number, now).saturating_sub(leaves) < piece.license.seats
            && piece.parts.as_ref().is_none_or(|parts| self.load(number, now, gone).has_room(parts, node))
    }

    /// Whose seats are in the way of a seat of `node` on a license that has no room for it.
    pub(super) fn in_the_way(
        &self,
        number: usize,
        node: usize,
        now: WallTime,
        gone: Option<(usize, usize)>,
    ) -> InTheWay {
        let Some(parts) = self.piece(number).and_then(|piece| piece.parts.as_ref()) else {
            return InTheWay::All;
        };
        let load = self.load(number, now, gone);
        if load.of_node(node) < parts.of_node(node) {
            // The node's own places are not all taken, but what was given before is beyond the license's seats.
            return InTheWay::All;
        }
        if !parts.reaches(node) {
            return InTheWay::Node(node);
        }
        let beyond = load.by_node.keys().copied().filter(|node| load.excess_of(*node, parts) > 0);
        InTheWay::Rest(beyond.chain([node]).collect())
    }

    /// That no license has more seats in use after these changes than it has, or than were in use before; nor has any
    /// part of it; and that nobody comes to a license that is not for his node.
    pub(crate) fn check_changes(&self, changes: &[Change], now: WallTime) -> Result<(), String> {
        let too_many =
            |number: usize, seats: u32| format!("grant more than the {seats} seats of {}", self.id(number));
        // Most starts take a free seat of a license that is for all.
        if let [Change { from: None, to: (number, _) }] = changes
            && let Some(piece) = self.piece(*number).filter(|piece| piece.parts.is_none())
        {
            let seats = piece.license.seats;
            return if self.used(*number, now) < seats { Ok(()) } else { Err(too_many(*number, seats)) };
        }
        let mut changed: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for Change { from, to } in changes {
            from.iter().for_each(|from| *changed.entry(*from).or_default() -= 1);
            *changed.entry(*to).or_default() += 1;
            if *from != Some(*to) && !self.is_for(to.0, to.1) {
                return Err(format!("put a seat on {}, which is not for its node", self.id(to.0)));
            }
        }
        let licenses: BTreeSet<usize> = changed.keys().map(|(number, _)| *number).collect();
        for number in licenses {
            let Some(piece) = self.piece(number) else { continue };
            let changed = changed.range((number, 0)..(number + 1, 0)).map(|((_, node), more)| (*node, *more));
            let more: i64 = changed.clone().map(|(_, more)| more).sum();
            let seats = piece.license.seats;
            if more > 0 && i64::from(self.used(number, now)).saturating_add(more) > i64::from(seats) {
                return Err(too_many(number, seats));
            }
            if piece
                .parts
                .as_ref()
                .is_some_and(|parts| !self.load(number, now, None).stays_within(parts, changed))
            {
                return Err(format!("give away seats of {} that are reserved", self.id(number)));
            }
        }
        Ok(())
    }

    fn id(&self, number: usize) -> &str {
        self.license(number).map_or("a license", |license| license.id.as_str())
    }
}
