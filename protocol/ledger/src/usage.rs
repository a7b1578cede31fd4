//! How much was used: by product, by hour for a week and by day for a year and a month.
//!
//! Counted when something happens, by the site's time of that entry; a time that steps back counts as no time at all.
//! Hours and days in which nothing was used or refused are not kept.

use std::collections::{BTreeMap, VecDeque};

use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Moment};
use crate::records::{DeniedBy, Happening};

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Hours that are kept.
pub(crate) const HOURS_MAX: usize = 7 * 24;
/// Days that are kept.
pub(crate) const DAYS_MAX: usize = 396;

/// What was used within one hour or one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// When it begins, UTC.
    pub start: WallTime,
    /// The most seats in use at once.
    pub peak: u32,
    /// Seats times milliseconds.
    pub seat_ms: u64,
    /// Of these, borrowed.
    pub borrowed_ms: u64,
    /// Starts that got a seat, sharing ones among them.
    pub starts: u32,
    /// Refused starts, by the rule that refused.
    pub denied: BTreeMap<DeniedBy, u32>,
}

/// The use of one product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProductUse {
    seats: u32,
    borrowed: u32,
    /// Counted up to here.
    until: WallTime,
    hours: VecDeque<Used>,
    days: VecDeque<Used>,
}

/// The use of all products.
pub(crate) type Usage = BTreeMap<ProductId, ProductUse>;

/// The bucket that begins at `start`, which is not before the last one.
fn bucket(buckets: &mut VecDeque<Used>, start: WallTime, most: usize) -> Option<&mut Used> {
    if buckets.back().is_none_or(|last| last.start < start) {
        buckets.push_back(Used { start, ..Used::default() });
        if buckets.len() > most {
            buckets.pop_front();
        }
    }
    buckets.back_mut()
}

fn start_of(time: WallTime, length_ms: i64) -> WallTime {
    WallTime(time.0.div_euclid(length_ms).saturating_mul(length_ms))
}

impl ProductUse {
    /// Counts what is in use up to `now`.
    fn advance(&mut self, now: WallTime) {
        let from = self.until;
        self.until = from.max(now);
        if self.seats == 0 || now <= from {
            return;
        }
        let (seats, borrowed) = (self.seats, self.borrowed);
        let count = |buckets: &mut VecDeque<Used>, length_ms: i64, most: usize| {
            // No further back than what is kept.
            let kept = i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(length_ms);
            let mut at = from.max(now.plus_ms(kept.saturating_neg()));
            while at < now {
                let start = start_of(at, length_ms);
                let next = start.plus_ms(length_ms).min(now);
                let ms = u64::try_from(next.ms_since(at)).unwrap_or(0);
                if let Some(used) = bucket(buckets, start, most) {
                    used.peak = used.peak.max(seats);
                    used.seat_ms = used.seat_ms.saturating_add(u64::from(seats).saturating_mul(ms));
                    used.borrowed_ms =
                        used.borrowed_ms.saturating_add(u64::from(borrowed).saturating_mul(ms));
                }
                if next <= at {
                    break;
                }
                at = next;
            }
        };
        count(&mut self.hours, HOUR_MS, HOURS_MAX);
        count(&mut self.days, DAY_MS, DAYS_MAX);
    }

    fn now(&mut self, act: impl Fn(&mut Used)) {
        let until = self.until;
        bucket(&mut self.hours, start_of(until, HOUR_MS), HOURS_MAX).into_iter().for_each(&act);
        bucket(&mut self.days, start_of(until, DAY_MS), DAYS_MAX).into_iter().for_each(&act);
    }
}

impl Ledger {
    /// Counts what happened; the books are as they are afterwards.
    pub(crate) fn count_use(&mut self, moment: Moment, what: &Happening) {
        let (started, denied) = match what {
            Happening::Checkout { .. } | Happening::Shared { .. } => (true, None),
            Happening::Denied { by, .. } => (false, Some(*by)),
            Happening::Returned { free: true, .. }
            | Happening::Expired { free: true, .. }
            | Happening::Borrowed { .. }
            | Happening::BorrowOver { .. } => (false, None),
            _ => return,
        };
        let Some(product) = what.product() else { return };
        let seats = self.by.pools.get(product).map_or(0, |pool| pool.seats());
        let borrowed = match what {
            Happening::Borrowed { .. } | Happening::BorrowOver { .. } => Some(self.lent_of(product)),
            _ => None,
        };
        let used = match self.state.usage.get_mut(product) {
            Some(used) => used,
            // What nobody owns is not counted, or anybody could name products without end.
            None if !self.by.pools.contains_key(product) => return,
            None => self.state.usage.entry(product.clone()).or_default(),
        };
        if used.until == WallTime::default() {
            used.until = moment.time;
        }
        used.advance(moment.time);
        (used.seats, used.borrowed) = (seats, borrowed.unwrap_or(used.borrowed));
        if started || denied.is_some() || seats > 0 {
            used.now(|now| {
                now.peak = now.peak.max(seats);
                now.starts = now.starts.saturating_add(u32::from(started));
                if let Some(by) = denied {
                    let count = now.denied.entry(by).or_default();
                    *count = count.saturating_add(1);
                }
            });
        }
    }

    fn lent_of(&self, product: &ProductId) -> u32 {
        let seats = self.by.borrowed.values().flatten().filter_map(|id| self.state.seats.get(id));
        u32::try_from(seats.filter(|seat| seat.product == *product).count()).unwrap_or(u32::MAX)
    }

    /// What was used up to `now`, the site's time: by product, by hour and by day.
    pub fn usage(&self, now: WallTime) -> Vec<(ProductId, Vec<Used>, Vec<Used>)> {
        let counted = |(product, used): (&ProductId, &ProductUse)| {
            let mut used = used.clone();
            used.advance(now);
            (product.clone(), used.hours.into(), used.days.into())
        };
        self.state.usage.iter().map(counted).collect()
    }
}
