//! The machine's clocks. No other file of the agent reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::time::{BootTime, WallTime};

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn mono(&self) -> BootTime {
        BootTime(boot_ms())
    }

    fn wall(&self) -> WallTime {
        #[expect(clippy::disallowed_methods, reason = "this file owns the clocks")]
        let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        WallTime(ms)
    }
}

/// Milliseconds since boot, suspend included. `std::time::Instant` stops in suspend on Linux and macOS, and a seat
/// whose machine slept past its ttl must be seen as lost when it wakes.
#[cfg(unix)]
fn boot_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    // On macOS this one counts suspend; CLOCK_UPTIME_RAW, which the standard library reads, does not.
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;

    let now = clock_gettime(CLOCK);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

/// Milliseconds since boot, suspend included.
#[cfg(windows)]
fn boot_ms() -> u64 {
    super::windows::boot_ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_moves_forward_and_the_wall_clock_is_of_this_century() {
        let before = SystemClock.mono();
        std::thread::yield_now();
        assert!(SystemClock.mono() >= before);
        assert!(before.0 > 0);
        assert!(SystemClock.wall() > WallTime(1_700_000_000_000));
    }

    /// Deadlines cross the local API as values of this clock, so it must be the system's and not the process's.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_clock_is_the_systems_uptime() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
        let ours = std::time::Duration::from_millis(boot_ms()).as_secs_f64();
        assert!((ours - seconds).abs() < 5.0, "{ours} {seconds}");
    }
}
