//! The site's time: the median of the voters' clocks (design section 5, "Time").

use std::collections::BTreeMap;

use seatkeeper_election::Reading;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};

/// A report counts this long, milliseconds.
const REPORT_MS: u64 = 10_000;

/// A holder whose clock is further off hands over, milliseconds.
const HOLDER_OFF_MS: u64 = 30_000;

/// What voters' clocks said, and when they were asked.
#[derive(Clone, Debug, Default)]
pub struct ClockReports(pub BTreeMap<DeviceId, Reading>);

impl ClockReports {
    /// The median (the lower of two) of `own` and of what the other `voters` reported within the last 10 s, each moved
    /// on by the time since. Each clock counts once, whoever reported it.
    pub fn median(
        &self,
        now: BootTime,
        (me, own): (DeviceId, WallTime),
        voters: impl Iterator<Item = DeviceId>,
    ) -> WallTime {
        middle(&self.walls(now, (me, own), voters)).unwrap_or(own)
    }

    /// Whether `own` is so far off the median that its device should not hold. Two clocks can't tell which is wrong.
    pub fn is_off(
        &self,
        now: BootTime,
        (me, own): (DeviceId, WallTime),
        voters: impl Iterator<Item = DeviceId>,
    ) -> bool {
        let walls = self.walls(now, (me, own), voters);
        let off = |median| own.ms_since(median).unsigned_abs() > HOLDER_OFF_MS;
        walls.len() >= 3 && middle(&walls).is_some_and(off)
    }

    fn walls(
        &self,
        now: BootTime,
        (me, own): (DeviceId, WallTime),
        voters: impl Iterator<Item = DeviceId>,
    ) -> Vec<WallTime> {
        let mut walls: Vec<WallTime> = voters
            .filter(|voter| *voter != me)
            .filter_map(|voter| self.0.get(&voter))
            .map(|reading| (now.ms_since(reading.asked), reading.wall))
            .filter(|(age_ms, _)| *age_ms <= REPORT_MS)
            .map(|(age_ms, wall)| wall.plus_ms(i64::try_from(age_ms).unwrap_or(i64::MAX)))
            .chain([own])
            .collect();
        walls.sort_unstable();
        walls
    }
}

/// The lower of two.
fn middle(sorted: &[WallTime]) -> Option<WallTime> {
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: DeviceId = DeviceId([9; 20]);

    fn reports<const N: usize>(walls: [(DeviceId, i64); N]) -> ClockReports {
        let reading = |wall| Reading { asked: BootTime(0), wall: WallTime(wall) };
        ClockReports(walls.into_iter().map(|(device, wall)| (device, reading(wall))).collect())
    }

    #[test]
    fn one_wrong_clock_of_three_does_not_count() {
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        let reports = reports([(a, 1_000), (b, 1_200)]);
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
    fn the_holders_clock_counts_once() {
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        let behind = WallTime(5);
        let reports = reports([(ME, 5), (a, 1_000), (b, 1_200)]);
        assert_eq!(reports.median(BootTime(0), (ME, behind), [ME, a, b].into_iter()), WallTime(1_000));
    }

    #[test]
    fn a_clock_is_off_if_two_others_say_so() {
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        let one = reports([(a, 100_000)]);
        let two = reports([(a, 100_000), (b, 101_000)]);
        let off = |reports: &ClockReports, own| {
            reports.is_off(BootTime(0), (ME, WallTime(own)), [ME, a, b].into_iter())
        };
        assert!(!off(&one, 500_000), "one against one");
        for (own, expected) in [(100_500, false), (131_000, false), (131_001, true), (69_999, true)] {
            assert_eq!(off(&two, own), expected, "{own}");
        }
    }
}
