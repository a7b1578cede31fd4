//! Who waits comes first: admission behind those who have waited longer.
//!
//! Nothing is set aside for a waiter, and no seat is his before he takes it. Instead a new seat is given only if all who
//! wait longer and could have a seat now still could have theirs afterwards: they are seated on a copy of the books, one
//! after the other, and the start only if one more augmenting path is left there. Who waits for licenses that the start
//! has no use for, not even by moving others, does not hold it up; who cannot be seated now anyway takes no place.
//!
//! **That they can be seated later** is the exchange property of flows: a flow that has room for the start and for them
//! together is an assignment in which each of them has a place, so each can be seated whenever he asks, in any order. The
//! start therefore goes where it went beside them, and running seats move as they had to for that. To find its way anew
//! in the books without them is not enough: the license that it would choose there fixes its ttl and its sharing, which
//! could keep it from making room for them (invariant I7).
//!
//! **Sharing.** Who can share a seat that runs needs none, and none is kept for him; by the time he asks, that seat may
//! have moved to where he cannot share it, and then he waits on like the others. Who would share the seat of another who
//! waits counts as one seat until the other has taken his.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{Name, SeatId};
use seatkeeper_protocol::time::WallTime;

use super::{Assignment, Pool, Wanted};

/// The books with waiters seated on trial. The books are copied when the first of them finds a place.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    books: &'a Pool,
    trial: Option<Pool>,
    seated: u64,
    moved: BTreeMap<SeatId, Name>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(books: &'a Pool) -> Self {
        Self { books, trial: None, seated: 0, moved: BTreeMap::new() }
    }

    fn pool(&self) -> &Pool {
        self.trial.as_ref().unwrap_or(self.books)
    }

    /// Whether a new seat could be had beside those seated so far.
    pub(crate) fn has_room(&self, now: WallTime, wanted: &Wanted<'_>) -> bool {
        self.pool().admit(now, wanted).is_some()
    }

    /// Seats the next waiter, if there is a way. He may stand wherever he is covered: nothing is granted to him yet.
    pub(crate) fn seat(&mut self, now: WallTime, wanted: &Wanted<'_>) -> bool {
        let Some(Assignment { license, moves }) = self.pool().admit(now, wanted) else { return false };
        // No seat has such an id: they count up from 1.
        let id = SeatId(u64::MAX - self.seated);
        self.seated += 1;
        let trial = self.trial.get_or_insert_with(|| self.books.clone());
        for (seat, to) in moves {
            trial.move_seat(seat, &to);
            self.moved.insert(seat, to);
        }
        trial.stand(id, &license, wanted.on.clone(), wanted.node);
        true
    }

    /// Finds a license for a start beside all who are seated on trial, and who of those that run has to move.
    pub(crate) fn admit(mut self, now: WallTime, wanted: &Wanted<'_>) -> Option<Assignment> {
        let Assignment { license, moves } = self.pool().admit(now, wanted)?;
        if self.trial.is_none() {
            return Some(Assignment { license, moves });
        }
        self.moved.extend(moves);
        let books = self.books;
        let real = |(seat, to): &(SeatId, Name)| books.stands_on(*seat).is_some_and(|at| at != to);
        Some(Assignment { license, moves: self.moved.into_iter().filter(real).collect() })
    }
}
