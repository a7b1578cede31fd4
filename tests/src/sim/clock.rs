//! The clocks of simulated machines.
//!
//! The world has one true time, [`WorldTime`]. A machine's runtime is paused and stepped a quantum at a time; what its
//! clocks show within a quantum follows from where that began and how far tokio's clock has moved since. While the
//! machine is not stepped (suspended, stalled) tokio's clock stands still and these go on, as in real life.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::time::{BootTime, WallTime};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::chance::Chance;

/// When every simulation begins: 2026-01-05, a Monday, 11:52 UTC, eight minutes before the licenses of the day before
/// end; milliseconds since the Unix epoch.
pub const EPOCH: WallTime = WallTime(1_767_613_920_000);

/// A quartz is off by this much at most, parts per million.
const RATE_PPM_MAX: u64 = 5_000;
const NS_PER_MS: u64 = 1_000_000;
const MILLION: i128 = 1_000_000;

/// The world's true time, nanoseconds since the simulation began; between quanta it is the same for everybody.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WorldTime(Arc<AtomicU64>);

impl WorldTime {
    /// A world that begins now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it stands, ns.
    pub fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The next quantum begins.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(ns(by), Ordering::Relaxed);
    }
}

/// A time of the simulation in nanoseconds; saturates.
pub(super) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The clocks of one machine. Cheap to clone; they outlive the agent's processes.
#[derive(Clone, Debug)]
pub struct SimClock {
    world: WorldTime,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// While a quantum runs: its beginning by true time and by the runtime's clock.
    quantum: Option<(u64, Instant)>,
    /// What the boot clock showed at the true time `since_ns`.
    boot_ms: u64,
    since_ns: u64,
    /// How much faster than true the boot clock runs.
    rate_ppm: i64,
    wall_error_ms: i64,
}

impl SimClock {
    /// The clocks of a machine that has been on for a while: its boot clock shows up to a month and is off by up to
    /// 0.5 %, its wall clock by up to half a second.
    pub fn new(world: &WorldTime, chance: &mut Chance) -> Self {
        let rate = chance.range(0..=2 * RATE_PPM_MAX);
        let state = State {
            quantum: None,
            boot_ms: chance.range(60_000..=30 * 24 * 3_600_000),
            since_ns: world.now_ns(),
            rate_ppm: signed(rate) - signed(RATE_PPM_MAX),
            wall_error_ms: signed(chance.range(0..=1_000)) - 500,
        };
        Self { world: world.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// Runs everything that the machine does within the quantum that begins at the world's time.
    pub fn run_quantum(&self, runtime: &Runtime, quantum: Duration) {
        runtime.block_on(async {
            let begin = Instant::now();
            self.lock().quantum = Some((self.world.now_ns(), begin));
            tokio::time::sleep_until(begin + quantum).await;
        });
        self.lock().quantum = None;
    }

    /// The true time by this machine's progress: within its quantum as far as it has come, else the world's; ns.
    pub fn true_ns(&self) -> u64 {
        let state = self.lock();
        match state.quantum {
            Some((begin_ns, begin)) => begin_ns.saturating_add(ns(begin.elapsed())),
            None => self.world.now_ns(),
        }
    }

    /// The machine boots: its boot clock begins anew. A mere restart of the process changes nothing.
    pub fn reboot(&self, chance: &mut Chance) {
        let now = self.true_ns();
        let mut state = self.lock();
        state.since_ns = now;
        state.boot_ms = chance.range(200..=20_000);
    }

    /// Steps the wall clock by so many milliseconds.
    pub fn step(&self, ms: i64) {
        let mut state = self.lock();
        state.wall_error_ms = state.wall_error_ms.saturating_add(ms);
    }

    /// By how much the wall clock is ahead of the truth, milliseconds.
    pub fn wall_error_ms(&self) -> i64 {
        self.lock().wall_error_ms
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    fn mono(&self) -> BootTime {
        let now = self.true_ns();
        let state = self.lock();
        let true_ns = i128::from(now.saturating_sub(state.since_ns));
        let shown_ns = true_ns * (MILLION + i128::from(state.rate_ppm)) / MILLION;
        let shown_ms = u64::try_from(shown_ns / i128::from(NS_PER_MS)).unwrap_or(u64::MAX);
        BootTime(state.boot_ms.saturating_add(shown_ms))
    }

    fn wall(&self) -> WallTime {
        let now_ms = signed(self.true_ns() / NS_PER_MS);
        EPOCH.plus_ms(now_ms).plus_ms(self.lock().wall_error_ms)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q: Duration = Duration::from_millis(5);

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    }

    fn run(world: &WorldTime, clock: &SimClock, runtime: &Runtime, quanta: u32) {
        for _ in 0..quanta {
            clock.run_quantum(runtime, Q);
            world.advance(Q);
        }
    }

    #[test]
    fn within_a_quantum_a_clock_follows_the_runtimes() {
        let (world, mut chance) = (WorldTime::new(), Chance::new(1));
        let (clock, runtime) = (SimClock::new(&world, &mut chance), runtime());
        let (seen, seen_by) = (Arc::new(Mutex::new(Vec::new())), clock.clone());
        let told = seen.clone();
        runtime.spawn(async move {
            loop {
                told.lock().unwrap().push(seen_by.true_ns() / NS_PER_MS);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        run(&world, &clock, &runtime, 2);
        assert_eq!(*seen.lock().unwrap(), [0, 2, 4, 6, 8]);
        assert_eq!(clock.true_ns(), world.now_ns());
    }

    #[test]
    fn the_boot_clock_counts_what_is_slept_through_and_is_little_off() {
        let mut counted = Vec::new();
        for seed in 0..100 {
            let (world, mut chance) = (WorldTime::new(), Chance::new(seed));
            let (clock, runtime) = (SimClock::new(&world, &mut chance), runtime());
            let before = clock.mono();
            run(&world, &clock, &runtime, 200);
            world.advance(Duration::from_secs(3_600));
            run(&world, &clock, &runtime, 200);
            let passed = clock.mono().ms_since(before);
            assert!((3_583_900..=3_620_100).contains(&passed), "{passed}");
            counted.push(passed);
        }
        assert!(counted.iter().any(|passed| *passed < 3_592_000), "{counted:?}");
        assert!(counted.iter().any(|passed| *passed > 3_612_000), "{counted:?}");
    }

    #[test]
    fn only_a_reboot_restarts_the_boot_clock_and_only_a_step_moves_the_wall_clock() {
        let (world, mut chance) = (WorldTime::new(), Chance::new(3));
        let clock = SimClock::new(&world, &mut chance);
        let wall = clock.wall();
        clock.step(-365 * 24 * 3_600_000);
        assert_eq!(clock.wall().ms_since(wall), -365 * 24 * 3_600_000);
        assert!(clock.mono() >= BootTime(60_000));
        world.advance(Duration::from_secs(60));
        clock.reboot(&mut chance);
        assert!(clock.mono() <= BootTime(20_000));
        assert_eq!(clock.wall().ms_since(wall), 60_000 - 365 * 24 * 3_600_000);
    }
}
