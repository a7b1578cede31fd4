//! The augmenting path.

use std::collections::VecDeque;

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{SeatId, Version};
use seatkeeper_protocol::time::WallTime;

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
}

/// How the search came to a license.
#[derive(Clone, Copy)]
enum CameBy {
    /// It covers the start itself.
    Start,
    /// By moving this seat from this license.
    Move(SeatId, usize),
}

impl Pool {
    /// Finds a license for a seat and who has to move for it. `None`: there is no way to seat everybody.
    pub(crate) fn admit(&self, now: WallTime, wanted: &Wanted<'_>) -> Option<Assignment> {
        let vacated = wanted.running.and_then(|seat| self.place(seat, now));
        let has_room = |number: usize| {
            let used = self.used(number, now).saturating_sub(u32::from(vacated == Some(number)));
            self.license(number).is_some_and(|license| used < license.seats)
        };
        let blind = planted(Fault::AdmissionBlind);
        // The place of a running seat may be the only one on a license that is full otherwise.
        let look_at = if vacated.is_some() || blind { wanted.on } else { &self.roomy };
        let mut with_room = wanted
            .on
            .both(look_at)
            .filter(|number| self.is_open(*number, now) && (blind || has_room(*number)))
            .filter_map(|number| Some((number, self.license(number)?)))
            .peekable();
        let first = with_room.peek().map(|(number, _)| *number);
        let exact =
            wanted.version.and_then(|version| with_room.find(|(_, license)| license.version == *version));
        match exact.map(|(number, _)| number).or(first) {
            Some(number) => self.path(number, &[]),
            None => self.search(now, wanted, has_room),
        }
    }

    /// Breadth first over the licenses, each of which is looked at once; all on the way are full.
    fn search(
        &self,
        now: WallTime,
        wanted: &Wanted<'_>,
        has_room: impl Fn(usize) -> bool,
    ) -> Option<Assignment> {
        let mut seen = PieceSet::empty(self.len());
        let mut queue: VecDeque<usize> =
            wanted.on.not_yet(&mut seen).filter(|at| self.is_open(*at, now)).collect();
        let mut came_by = vec![CameBy::Start; self.len()];
        while let Some(full) = queue.pop_front() {
            for (may, seats) in self.counted(full, now).flat_map(|piece| &piece.seated) {
                if may.is_within(&seen) {
                    continue;
                }
                // Those with equal sets lead to the same licenses: one of them is enough.
                let Some(seat) = seats.iter().find(|seat| wanted.running != Some(**seat)) else { continue };
                for next in may.not_yet(&mut seen).filter(|next| self.is_open(*next, now)) {
                    came_by.get_mut(next).into_iter().for_each(|by| *by = CameBy::Move(*seat, full));
                    if has_room(next) {
                        return self.path(next, &came_by);
                    }
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The way back from the license with room.
    fn path(&self, end: usize, came_by: &[CameBy]) -> Option<Assignment> {
        let mut moves = Vec::new();
        let mut at = end;
        while let Some(CameBy::Move(seat, from)) = came_by.get(at) {
            moves.push((*seat, self.license(at)?.id.clone()));
            at = *from;
        }
        Some(Assignment { license: self.license(at)?.id.clone(), moves })
    }
}
