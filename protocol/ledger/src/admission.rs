//! Which license takes a new seat.
//!
//! First fit for now: a start is refused when every license that covers it is full, though moving a running seat to
//! another license might make room. The interface is that of a solver that also moves: it answers an
//! [`Assignment`] with moves in the books.

use std::collections::BTreeSet;

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{Feature, Name, ProductId, SeatId, Version};
use seatkeeper_protocol::license::License;
use seatkeeper_protocol::time::WallTime;

/// A license on which a seat may start now, and the seats in use on it.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) license: &'a License,
    pub(crate) in_use: Option<&'a BTreeSet<SeatId>>,
}

impl Piece<'_> {
    fn is_full(&self) -> bool {
        let used = self.in_use.map_or(0, BTreeSet::len);
        u32::try_from(used).map_or(true, |used| used >= self.license.seats)
    }
}

/// What a start needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) product: &'a ProductId,
    pub(crate) version: Option<&'a Version>,
    pub(crate) features: &'a [Feature],
}

impl Demand<'_> {
    pub(crate) fn fits(&self, license: &License) -> bool {
        license.covers(self.product, self.version, self.features)
    }
}

/// Where the new seat goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) license: Name,
    /// Running seats that move, in the books only, to make room: seat and its new license.
    pub(crate) moves: Vec<(SeatId, Name)>,
}

/// No license takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoFit {
    /// Seats of the licenses that cover the demand; 0: none covers it.
    pub(crate) owned: u32,
}

/// Finds a license for a new seat.
pub(crate) fn admit(pieces: &[Piece<'_>], new: &Demand<'_>) -> Result<Assignment, NoFit> {
    let mut covering: Vec<&Piece<'_>> = pieces.iter().filter(|piece| new.fits(piece.license)).collect();
    covering.sort_by_key(|piece| preference(piece.license, new));
    match covering.iter().find(|piece| !piece.is_full() || planted(Fault::AdmissionBlind)) {
        Some(piece) => Ok(Assignment { license: piece.license.id.clone(), moves: Vec::new() }),
        None => Err(NoFit {
            owned: covering.iter().fold(0, |sum, piece| sum.saturating_add(piece.license.seats)),
        }),
    }
}

/// The least flexible license first, so that the flexible ones stay free: the very version, few features, an early
/// end; the id makes the order total.
pub(crate) fn preference(license: &License, new: &Demand<'_>) -> Preference {
    let exact = new.version == Some(&license.version);
    let ends = license.valid_until.map(|until| until.ends());
    (!exact, license.features.len(), ends.is_none(), ends, license.id.clone())
}

type Preference = (bool, usize, bool, Option<WallTime>, Name);
