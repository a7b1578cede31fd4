//! One seed from beginning to end, and what came of it. A run has a thread of its own, and a process of its own if it
//! has to be the same again: see [`super::chance`].

use std::cell::RefCell;
use std::panic;
use std::thread;

use seatkeeper_protocol::fault::{self, Fault};

use super::chance;
use super::check::Violation;
use super::counts::Counts;
use super::schedule::{Schedule, setting};
use super::trace::{Telling, Trace};
use super::world::World;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Simulated milliseconds.
    pub lasted_ms: u64,
    /// The hash of all that happened.
    pub trace: String,
    /// What happened, counted.
    pub counts: Counts,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// The last lines of the trace, if something did not hold.
    pub last: Vec<String>,
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes panics of simulated agents instead of printing them: they are violations, with a seed.
pub fn note_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let simulated = thread::current().name().is_some_and(|name| name.starts_with("seed "));
        if !simulated {
            return before(info);
        }
        PANIC.with_borrow_mut(|noted| {
            noted.get_or_insert_with(|| info.to_string());
        });
    }));
}

/// The first panic on this thread, if there was one.
pub fn panicked() -> Option<String> {
    PANIC.with_borrow(Clone::clone)
}

/// Runs a seed's schedule, on a thread of its own.
///
/// # Panics
/// When the system gives no thread.
pub fn run(seed: u64, planted: Option<Fault>, telling: Telling) -> Report {
    alone(seed, planted, move || {
        let mut world = World::new(setting(seed), Trace::new(telling));
        let mut result = world.found();
        if result.is_ok() {
            result = Schedule::new(seed).run(&mut world);
        }
        report(seed, world, result)
    })
}

/// Runs something seeded on a thread of its own.
///
/// # Panics
/// When it does, or the system gives no thread.
pub fn alone<R: Send + 'static>(
    seed: u64,
    planted: Option<Fault>,
    run: impl FnOnce() -> R + Send + 'static,
) -> R {
    let seeded = move || {
        chance::seed(seed);
        fault::plant(planted);
        run()
    };
    let thread = thread::Builder::new().name(format!("seed {seed}")).spawn(seeded);
    thread.expect("a thread").join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// What came of a world.
pub fn report(seed: u64, mut world: World, result: Result<(), Violation>) -> Report {
    world.take_counters();
    let last = match &result {
        Ok(()) => Vec::new(),
        Err(_) => world.trace.last().map(str::to_owned).collect(),
    };
    let trace = format!("{}{:016x}", world.trace.hash(), world.net().digest());
    Report {
        seed,
        lasted_ms: world.now(),
        trace,
        counts: world.counts.clone(),
        violation: result.err(),
        last,
    }
}
