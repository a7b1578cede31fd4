//! The augmenting path.

use std::collections::BTreeMap;

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{SeatId, Version};
use seatkeeper_protocol::time::WallTime;

use super::parts::InTheWay;
use super::pool::Seated;
use super::{Assignment, PieceSet, Pool};

/// A seat to place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The licenses that it may stand on.
    pub(crate) on: &'a PieceSet,
    /// The version asked for: a license of that very version comes first.
    pub(crate) version: Option<&'a Version>,
    /// The seat, when it runs already and its need has grown; its place counts as free.
    pub(crate) running: Option<SeatId>,
    /// The node whose seat it is to be.
    pub(crate) node: usize,
}

/// A full license that the search has come to.
#[derive(Clone, Copy, Debug)]
struct Step {
    license: usize,
    /// The node whose seat is to have a place there.
    node: usize,
    /// By moving this seat from the license of that step; `None`: by the start itself.
    came_by: Option<(SeatId, usize)>,
}

/// What the search has looked at.
#[derive(Debug, Default)]
struct Seen {
    /// The licenses that seats of a node were to be moved to.
    by_node: BTreeMap<usize, PieceSet>,
    /// Licenses that are for all nodes alike: whose seat comes makes no difference.
    undivided: PieceSet,
    /// Licenses whose seats were all looked at, or all that stand on the rest.
    all: PieceSet,
    rest: PieceSet,
}

impl Seen {
    /// Of the licenses that a seat of `node` may be moved to, those to which none was before.
    fn anew(&mut self, pool: &Pool, may: &PieceSet, node: usize) -> Vec<usize> {
        let by_node = self.by_node.entry(node).or_insert_with(|| PieceSet::empty(pool.len()));
        if may.is_within(by_node) {
            return Vec::new();
        }
        let mut anew: Vec<usize> = may.not_yet(by_node).collect();
        if pool.is_divided() {
            anew.retain(|license| {
                pool.divided.contains(*license) || first_time(&mut self.undivided, *license)
            });
        }
        anew
    }
}

fn first_time(set: &mut PieceSet, number: usize) -> bool {
    let first = !set.contains(number);
    set.insert(number);
    first
}

impl Pool {
    /// Finds a license for a seat and who has to move for it. `None`: there is no way to seat everybody.
    pub(crate) fn admit(&self, now: WallTime, wanted: &Wanted<'_>) -> Option<Assignment> {
        let vacated = wanted.running.and_then(|seat| Some((self.place(seat, now)?, self.node(seat))));
        let node = self.counted_node(wanted.node);
        let blind = planted(Fault::AdmissionBlind);
        // The place of a running seat may be the only one on a license that is full otherwise.
        let look_at = if vacated.is_some() || blind { wanted.on } else { &self.roomy };
        let mut with_room = wanted
            .on
            .both(look_at)
            .filter(|number| {
                self.is_open(*number, now) && (blind || self.has_room(*number, node, now, vacated))
            })
            .filter_map(|number| Some((number, self.license(number)?)))
            .peekable();
        let first = with_room.peek().map(|(number, _)| *number);
        let exact =
            wanted.version.and_then(|version| with_room.find(|(_, license)| license.version == *version));
        match exact.map(|(number, _)| number).or(first) {
            Some(number) => self.path(Step { license: number, node, came_by: None }, &[]),
            None => self.search(now, wanted, vacated),
        }
    }

    /// Breadth first over the licenses and the nodes whose seats are to have a place there, each of which is looked at
    /// once; all on the way are full.
    fn search(
        &self,
        now: WallTime,
        wanted: &Wanted<'_>,
        vacated: Option<(usize, usize)>,
    ) -> Option<Assignment> {
        let none = || PieceSet::empty(self.len());
        let mut seen = Seen { undivided: none(), all: none(), rest: none(), ..Seen::default() };
        let node = self.counted_node(wanted.node);
        let first = seen.anew(self, wanted.on, node).into_iter();
        let first = first.filter(|license| self.is_open(*license, now));
        let mut steps: Vec<Step> = first.map(|license| Step { license, node, came_by: None }).collect();
        let mut at = 0;
        while let Some(step) = steps.get(at).copied() {
            for ((node, may), seats) in self.to_move(step, now, vacated, &mut seen) {
                // Those with equal sets lead to the same licenses: one of them is enough.
                let Some(seat) = seats.iter().find(|seat| wanted.running != Some(**seat)) else { continue };
                for license in seen.anew(self, may, *node) {
                    if !self.is_open(license, now) {
                        continue;
                    }
                    let next = Step { license, node: *node, came_by: Some((*seat, at)) };
                    if self.has_room(license, *node, now, vacated) {
                        return self.path(next, &steps);
                    }
                    steps.push(next);
                }
            }
            at += 1;
        }
        None
    }

    /// The seats that are in the way at a step, by their nodes and by where they may stand. Those that were told before
    /// are left out.
    fn to_move(
        &self,
        step: Step,
        now: WallTime,
        gone: Option<(usize, usize)>,
        seen: &mut Seen,
    ) -> Vec<Seated<'_>> {
        let Step { license, node, .. } = step;
        let of_node = |node: usize| self.counted(license, now).flat_map(move |piece| piece.seated_at(node));
        match self.in_the_way(license, node, now, gone) {
            InTheWay::All if first_time(&mut seen.all, license) => {
                self.counted(license, now).flat_map(|piece| &piece.seated).collect()
            }
            InTheWay::All => Vec::new(),
            InTheWay::Rest(nodes) if first_time(&mut seen.rest, license) => {
                nodes.into_iter().flat_map(of_node).collect()
            }
            InTheWay::Rest(_) => of_node(node).collect(),
            InTheWay::Node(node) => of_node(node).collect(),
        }
    }

    /// The way back from the license with room.
    fn path(&self, end: Step, steps: &[Step]) -> Option<Assignment> {
        let mut moves = Vec::new();
        let mut at = end;
        while let Some((seat, from)) = at.came_by {
            moves.push((seat, self.license(at.license)?.id.clone()));
            at = *steps.get(from)?;
        }
        Some(Assignment { license: self.license(at.license)?.id.clone(), moves })
    }
}
