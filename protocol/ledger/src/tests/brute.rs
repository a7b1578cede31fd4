//! Whether everybody can be seated, found out without any cleverness: what the solver is compared with.

use seatkeeper_protocol::license::License;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Demand, Need};
use crate::state::LicenseRecord;

/// A seat in use: the number of its license, and what it needs.
pub(crate) struct Running<'a> {
    pub(crate) license: usize,
    pub(crate) need: Need<'a>,
}

/// Who is to be seated beside those who run.
pub(crate) enum Asks<'a> {
    /// New seats: each may stand where this says.
    New(&'a [Demand<'a>]),
    /// The seat with this number, when it needs this.
    Running(usize, &'a Need<'a>),
}

/// Places per license, and for each seat the licenses where it may stand, as bits.
#[derive(Debug)]
struct Books {
    places: Vec<usize>,
    seats: Vec<u32>,
}

/// Whether a license replaces another one at `now`.
fn replaces(new: &LicenseRecord, old: &LicenseRecord, now: WallTime) -> bool {
    let begun = new.license().valid_from.is_none_or(|from| now >= from.starts());
    !new.removed && begun && new.license().replaces.contains(&old.license().id)
}

/// The license whose places the seats of `at` take up.
pub(crate) fn counts_on(records: &[LicenseRecord], at: usize, now: WallTime) -> usize {
    let newer = (0..records.len()).find(|new| replaces(&records[*new], &records[at], now));
    newer.map_or(at, |newer| counts_on(records, newer, now))
}

/// Whether a license has seats at `now`.
pub(crate) fn is_open(records: &[LicenseRecord], at: usize, now: WallTime) -> bool {
    let record = &records[at];
    let begun = record.license().valid_from.is_none_or(|from| now >= from.starts());
    !record.removed && record.ended.is_none() && begun && counts_on(records, at, now) == at
}

/// Whether there is an assignment with everybody on a license that he may stand on.
pub(crate) fn can_seat(
    records: &[LicenseRecord],
    running: &[Running<'_>],
    asks: &Asks<'_>,
    now: WallTime,
    thorough: bool,
) -> bool {
    let open = |at: usize| is_open(records, at, now);
    let bits = |fits: &dyn Fn(&License) -> bool| {
        let fitting = (0..records.len()).filter(|at| open(*at) && fits(records[*at].license()));
        fitting.fold(0_u32, |bits, at| bits | 1 << at)
    };
    let mut seats = Vec::new();
    let mut used = vec![0; records.len()];
    for (number, seat) in running.iter().enumerate() {
        let at = counts_on(records, seat.license, now);
        match asks {
            Asks::Running(asking, need) if *asking == number => {
                let wanted = bits(&|license| need.fits(license));
                if wanted & 1 << at != 0 {
                    return true;
                }
                seats.push(wanted);
            }
            // Who runs on a license without seats goes on running, and that is all there is to it.
            _ if !open(at) => {}
            _ => {
                used[at] += 1;
                seats.push(bits(&|license| seat.need.fits(license)) | 1 << at);
            }
        }
    }
    if let Asks::New(demands) = asks {
        seats.extend(demands.iter().map(|demand| bits(&|license| demand.fits(license))));
    }
    let places = records.iter().zip(used).enumerate().map(|(at, (record, used))| {
        // Over-commitment stays what it is: it is neither repaid by others nor does it grow.
        if open(at) { used.max(usize::try_from(record.license().seats).unwrap()) } else { 0 }
    });
    let books = Books { places: places.collect(), seats };
    let possible = books.by_subsets();
    assert!(!thorough || possible == books.by_trial(), "{books:?}");
    possible
}

impl Books {
    /// Hall's theorem: all can be seated if no set of licenses has fewer places than there are seats that may stand
    /// nowhere else.
    fn by_subsets(&self) -> bool {
        (0..1_u32 << self.places.len()).all(|set| {
            let places: usize =
                self.places.iter().enumerate().filter(|(at, _)| set & 1 << at != 0).map(|(_, n)| n).sum();
            self.seats.iter().filter(|seat| **seat & !set == 0).count() <= places
        })
    }

    /// One after the other, wherever there is a place, and back.
    fn by_trial(&self) -> bool {
        fn seat(seats: &[u32], places: &mut [usize]) -> bool {
            let Some((first, rest)) = seats.split_first() else { return true };
            (0..places.len()).any(|at| {
                if first & 1 << at == 0 || places[at] == 0 {
                    return false;
                }
                places[at] -= 1;
                let all = seat(rest, places);
                places[at] += 1;
                all
            })
        }
        seat(&self.seats, &mut self.places.clone())
    }
}
