//! Instants. Nothing here reads a clock: callers pass `now` in.

use serde::{Deserialize, Serialize};

/// 0001-01-01T00:00:00Z, in seconds since the Unix epoch. Earlier years have a sign and six digits in jiff's text.
const YEAR_1_S: i64 = -62_135_596_800;

/// Wall-clock time: milliseconds since the Unix epoch, UTC. May be wrong, may step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct WallTime(pub i64);

impl WallTime {
    /// The instant `ms` milliseconds later; saturates.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is before it; saturates.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with whole seconds, as in every JSON contract; `None` before year 1 and after year 9999, its
    /// last day included.
    pub fn rfc3339(self) -> Option<String> {
        let seconds = self.0.div_euclid(1000);
        if seconds < YEAR_1_S {
            return None;
        }
        jiff::Timestamp::from_second(seconds).ok().map(|t| t.to_string())
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// When the text is not an RFC 3339 instant.
    pub fn from_rfc3339(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_millisecond()))
    }
}

/// Time since this machine booted, suspend included, in milliseconds (design section 3, `Clock::mono`).
/// Comparable between processes of one machine, never between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct BootTime(pub u64);

impl BootTime {
    /// The instant `ms` milliseconds later; saturates.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; zero when `self` is before it.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// When a device stops using an online seat without an answer, counted from *sending* its last answered
/// message: `ttl − (2 s + 1 %)`, milliseconds (invariant I7). The holder counts a full `ttl` from *receiving* it.
pub const fn device_deadline_ms(ttl_ms: u64) -> u64 {
    ttl_ms.saturating_sub(2_000 + ttl_ms.div_ceil(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_always_stops_before_the_holder_gives_the_seat_away() {
        for ttl in [crate::limits::TTL_MS_MIN, 90_000, crate::limits::TTL_MS_MAX] {
            assert!(device_deadline_ms(ttl) + 2_000 + ttl / 100 <= ttl);
            assert!(device_deadline_ms(ttl) > 2 * crate::limits::PING_EVERY_MS);
        }
    }

    #[test]
    fn rfc3339_round_trip() {
        let t = WallTime(1_767_225_600_000);
        assert_eq!(t.rfc3339().as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(WallTime::from_rfc3339("2026-01-01T00:00:00Z").ok(), Some(t));
        assert_eq!(WallTime(i64::MAX).rfc3339(), None);
        let year_1 = WallTime(YEAR_1_S * 1_000);
        assert_eq!(year_1.rfc3339().as_deref(), Some("0001-01-01T00:00:00Z"));
        assert_eq!(year_1.plus_ms(-1).rfc3339(), None);
    }
}
