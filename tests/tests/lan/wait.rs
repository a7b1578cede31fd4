//! Waiting for what other processes do.

#![allow(clippy::disallowed_methods, reason = "other processes are watched by looking, in real time")]

use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The time of day, as logs tell it, seconds.
pub(crate) fn time_of_day() -> f64 {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock of this century");
    now.as_secs_f64() % 86_400.0
}

/// Looks until `look` finds something.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, within_s: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let (watch, within) = (Watch::start(), Duration::from_secs(within_s));
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(watch.elapsed() < within, "not within {within_s} s: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Looks for this long that `holds` goes on to hold.
#[track_caller]
pub(crate) fn stays(what: &str, for_s: u64, mut holds: impl FnMut() -> bool) {
    let (watch, lasts) = (Watch::start(), Duration::from_secs(for_s));
    while watch.elapsed() < lasts {
        assert!(holds(), "no longer after {:.1} s: {what}", watch.elapsed().as_secs_f32());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Tells what was measured; shown with `--nocapture`.
#[allow(clippy::print_stdout, reason = "a test's output")]
pub(crate) fn measured(what: &str, watch: Watch) {
    println!("measured: {what} after {:.2} s", watch.elapsed().as_secs_f32());
}
