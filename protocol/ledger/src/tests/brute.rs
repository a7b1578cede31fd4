//! Whether everybody can be seated, found out without any cleverness: what the solver is compared with.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::license::License;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Demand, Need, flexibility};
use crate::state::LicenseRecord;

/// A seat in use: the number of its license, the nodes of those who use it, and what it needs.
pub(crate) struct Running<'a> {
    pub(crate) license: usize,
    /// It counts as the first one's.
    pub(crate) nodes: Vec<usize>,
    pub(crate) need: Need<'a>,
}

/// Who is to be seated beside those who run.
pub(crate) enum Asks<'a> {
    /// New seats, each for a node.
    New(&'a [(usize, Demand<'a>)]),
    /// The seat with this number, when it needs this since somebody at this node shares it.
    Running(usize, &'a Need<'a>, usize),
}

/// Which nodes the seats of a license are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Division {
    pub(crate) manual: BTreeMap<usize, usize>,
    pub(crate) rest: usize,
    pub(crate) reach: BTreeSet<usize>,
}

impl Division {
    pub(crate) fn own(&self, node: usize) -> usize {
        self.manual.get(&node).copied().unwrap_or(0)
    }

    pub(crate) fn is_in_reach(&self, node: usize) -> bool {
        self.rest > 0 && self.reach.contains(&node)
    }

    pub(crate) fn is_for(&self, node: usize) -> bool {
        self.own(node) > 0 || self.is_in_reach(node)
    }

    /// Whether what is used is no more than there is, or than it was.
    pub(crate) fn holds(&self, before: &BTreeMap<usize, usize>, after: &BTreeMap<usize, usize>) -> bool {
        let beyond = |used: &BTreeMap<usize, usize>| -> usize {
            used.iter().map(|(node, used)| used.saturating_sub(self.own(*node))).sum()
        };
        let own = |(node, used): (&usize, &usize)| {
            let most = self.own(*node).max(before.get(node).copied().unwrap_or(0));
            self.is_in_reach(*node) || *used <= most
        };
        beyond(after) <= self.rest.max(beyond(before)) && after.iter().all(own)
    }
}

/// How many seats of each node a license has.
pub(crate) type Used = BTreeMap<usize, usize>;

/// What each license may have, and for each seat its node and the licenses where it may stand, as bits.
#[derive(Debug)]
struct Books {
    /// Places, who is on them before anybody moves, and for whom they are.
    licenses: Vec<(usize, Used, Option<Division>)>,
    seats: Vec<(usize, u32)>,
}

/// Whether a license replaces another one at `now`.
fn replaces(new: &LicenseRecord, old: &LicenseRecord, now: WallTime) -> bool {
    let begun = new.license().valid_from.is_none_or(|from| now >= from.starts());
    !new.removed && begun && new.license().replaces.contains(&old.license().id)
}

/// The license whose places the seats of `at` take up. Two may replace the same one only once it is removed; then it is
/// the less flexible of them.
pub(crate) fn counts_on(records: &[LicenseRecord], at: usize, now: WallTime) -> usize {
    let newer = (0..records.len()).filter(|new| replaces(&records[*new], &records[at], now));
    let newer = newer.min_by_key(|new| flexibility(records[*new].license()));
    newer.map_or(at, |newer| counts_on(records, newer, now))
}

/// Whether a license has seats at `now`.
pub(crate) fn is_open(records: &[LicenseRecord], at: usize, now: WallTime) -> bool {
    let record = &records[at];
    let begun = record.license().valid_from.is_none_or(|from| now >= from.starts());
    !record.removed && record.ended.is_none() && begun && counts_on(records, at, now) == at
}

/// Whether there is an assignment with everybody on a license that he may stand on. `divisions` are by license; none:
/// they are for all nodes alike.
pub(crate) fn can_seat(
    records: &[LicenseRecord],
    divisions: &[Option<Division>],
    running: &[Running<'_>],
    asks: &Asks<'_>,
    now: WallTime,
    thorough: bool,
) -> bool {
    let open = |at: usize| is_open(records, at, now);
    let division = |at: usize| divisions.get(at).and_then(Option::as_ref);
    let is_for = |at: usize, node: usize| division(at).is_none_or(|division| division.is_for(node));
    let bits = |nodes: &[usize], fits: &dyn Fn(&License) -> bool| {
        let is_for = |at: usize| nodes.iter().all(|node| is_for(at, *node));
        let fitting =
            (0..records.len()).filter(|at| open(*at) && is_for(*at) && fits(records[*at].license()));
        fitting.fold(0_u32, |bits, at| bits | 1 << at)
    };
    let mut seats = Vec::new();
    let mut used = vec![Used::new(); records.len()];
    for (number, seat) in running.iter().enumerate() {
        let (at, node) = (counts_on(records, seat.license, now), seat.nodes[0]);
        match asks {
            Asks::Running(asking, need, by) if *asking == number => {
                // Its own node shares it where it stands.
                let here = *by == node || is_for(at, *by);
                if here && open(at) && need.fits(records[at].license()) {
                    return true;
                }
                let nodes = [&seat.nodes[..], &[*by]].concat();
                seats.push((node, bits(&nodes, &|license| need.fits(license))));
            }
            // Who runs on a license without seats goes on running, and that is all there is to it.
            _ if !open(at) => {}
            _ => {
                *used[at].entry(node).or_default() += 1;
                seats.push((node, bits(&seat.nodes, &|license| seat.need.fits(license)) | 1 << at));
            }
        }
    }
    if let Asks::New(demands) = asks {
        seats.extend(
            demands.iter().map(|(node, demand)| (*node, bits(&[*node], &|license| demand.fits(license)))),
        );
    }
    let licenses = records.iter().zip(used).enumerate().map(|(at, (record, used))| {
        // Over-commitment stays what it is: it is neither repaid by others nor does it grow.
        let most = usize::try_from(record.license().seats).unwrap().max(used.values().sum());
        (if open(at) { most } else { 0 }, used, division(at).cloned())
    });
    let books = Books { licenses: licenses.collect(), seats };
    if books.licenses.iter().any(|(_, _, division)| division.is_some()) {
        return books.by_trial();
    }
    let possible = books.by_subsets();
    assert!(!thorough || possible == books.by_trial(), "{books:?}");
    possible
}

impl Books {
    /// Hall's theorem: all can be seated if no set of licenses has fewer places than there are seats that may stand
    /// nowhere else. For licenses that are for all nodes alike.
    fn by_subsets(&self) -> bool {
        (0..1_u32 << self.licenses.len()).all(|set| {
            let licenses = self.licenses.iter().enumerate().filter(|(at, _)| set & 1 << at != 0);
            let places: usize = licenses.map(|(_, (places, ..))| places).sum();
            self.seats.iter().filter(|(_, seat)| *seat & !set == 0).count() <= places
        })
    }

    /// One after the other, wherever there is a place: all ways of using the licenses so far.
    fn by_trial(&self) -> bool {
        let mut ways = BTreeSet::from([vec![Used::new(); self.licenses.len()]]);
        for (node, may) in &self.seats {
            let mut further = BTreeSet::new();
            for way in &ways {
                for at in (0..self.licenses.len()).filter(|at| may & 1 << at != 0) {
                    let mut way = way.clone();
                    *way[at].entry(*node).or_default() += 1;
                    let (places, before, division) = &self.licenses[at];
                    let holds = division.as_ref().is_none_or(|division| division.holds(before, &way[at]));
                    if holds && way[at].values().sum::<usize>() <= *places {
                        further.insert(way);
                    }
                }
            }
            ways = further;
        }
        !ways.is_empty()
    }
}
