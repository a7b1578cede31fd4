//! The site's time: the median of the voters' clocks (design section 5, "Time").

use std::collections::BTreeMap;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};

/// A report counts this long, milliseconds.
const REPORT_MS: u64 = 10_000;

/// What voters' clocks said, and when it arrived.
#[derive(Clone, Debug, Default)]
pub struct ClockReports(BTreeMap<DeviceId, (BootTime, WallTime)>);

impl ClockReports {
    /// `device` said `wall` at `received`.
    pub fn report(&mut self, device: DeviceId, received: BootTime, wall: WallTime) {
        self.0.insert(device, (received, wall));
    }

    /// Forgets a device that went.
    pub fn forget(&mut self, device: &DeviceId) {
        self.0.remove(device);
    }

    /// The median (the lower of two) of `own` and of what the other `voters` reported within the last 10 s, each moved
    /// on by the time since. `me` may have reported too, as a holder that pings itself: its clock counts once.
    pub fn median(
        &self,
        now: BootTime,
        (me, own): (DeviceId, WallTime),
        voters: impl Iterator<Item = DeviceId>,
    ) -> WallTime {
        let mut walls: Vec<WallTime> = voters
            .filter(|voter| *voter != me)
            .filter_map(|voter| self.0.get(&voter))
            .filter(|(received, _)| now.ms_since(*received) <= REPORT_MS)
            .map(|(received, wall)| wall.plus_ms(i64::try_from(now.ms_since(*received)).unwrap_or(i64::MAX)))
            .chain([own])
            .collect();
        walls.sort_unstable();
        walls.get((walls.len() - 1) / 2).copied().unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: DeviceId = DeviceId([9; 20]);

    #[test]
    fn one_wrong_clock_of_three_does_not_count() {
        let mut reports = ClockReports::default();
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        reports.report(a, BootTime(0), WallTime(1_000));
        reports.report(b, BootTime(0), WallTime(1_200));
        let year = WallTime(31_000_000_000);
        assert_eq!(reports.median(BootTime(100), (ME, year), [a, b].into_iter()), WallTime(1_300));
        assert_eq!(
            reports.median(BootTime(20_000), (ME, year), [a, b].into_iter()),
            year,
            "old reports do not count"
        );
        assert_eq!(
            reports.median(BootTime(0), (ME, WallTime(5)), [a].into_iter()),
            WallTime(5),
            "the lower of two"
        );
    }

    #[test]
    fn a_holder_that_pings_itself_counts_once() {
        let mut reports = ClockReports::default();
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        let behind = WallTime(5);
        for (device, wall) in [(ME, behind), (a, WallTime(1_000)), (b, WallTime(1_200))] {
            reports.report(device, BootTime(0), wall);
        }
        assert_eq!(reports.median(BootTime(0), (ME, behind), [ME, a, b].into_iter()), WallTime(1_000));
    }
}
