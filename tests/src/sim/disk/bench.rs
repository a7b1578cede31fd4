//! The time that a disk takes.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use seatkeeper_election::seam::Bench;
use tokio::time::Instant;

use super::super::chance::Chance;
use super::SimDisk;

/// How long a disk takes for its work: so long before the work is done, and again before the answer comes. Tokio
/// rounds up to whole milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// Mostly.
    pub usual: RangeInclusive<Duration>,
    /// Now and then.
    pub slow: RangeInclusive<Duration>,
    /// How often is now and then: 0 to 1.
    pub slow_share: f64,
}

impl Latency {
    /// Everything at once.
    pub const NONE: Self = Self {
        usual: Duration::ZERO..=Duration::ZERO,
        slow: Duration::ZERO..=Duration::ZERO,
        slow_share: 0.0,
    };

    fn draw(&self, chance: &mut Chance) -> Duration {
        let slow = chance.chance(self.slow_share);
        chance.duration(if slow { self.slow.clone() } else { self.usual.clone() })
    }
}

/// An office machine's SSD.
impl Default for Latency {
    fn default() -> Self {
        Self {
            usual: Duration::from_micros(100)..=Duration::from_millis(3),
            slow: Duration::from_millis(20)..=Duration::from_millis(200),
            slow_share: 0.01,
        }
    }
}

/// Time between two looks whether a stall is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where in a piece of work the disk stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it is written.
    BeforeWork,
    /// It is on the disk, and nobody knows.
    BeforeAnswer,
}

/// Holds up everybody who comes through while it stalls.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// To begin when the next one comes through.
    armed: Option<Duration>,
    until: Option<Instant>,
}

impl Stall {
    pub(super) fn arm(&mut self, time: Duration) {
        self.armed = Some(time);
    }

    /// When to look again; `None` when there is nothing to wait for.
    fn wait(&mut self, now: Instant) -> Option<Instant> {
        if let Some(time) = self.armed.take() {
            self.until = self.until.max(Some(now + time));
        }
        self.until.filter(|until| *until > now)
    }
}

/// Does a log's work on the runtime itself, after the time that the disk takes.
pub struct SimBench {
    disk: SimDisk,
    latency: Latency,
    chance: Mutex<Chance>,
}

impl fmt::Debug for SimBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBench").field("latency", &self.latency).finish_non_exhaustive()
    }
}

impl SimBench {
    pub(super) fn new(disk: SimDisk, latency: Latency, chance: Chance) -> Self {
        Self { disk, latency, chance: Mutex::new(chance) }
    }
}

impl Bench for SimBench {
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (before, after) = {
            let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
            (self.latency.draw(&mut chance), self.latency.draw(&mut chance))
        };
        let disk = self.disk.clone();
        Box::pin(async move {
            pass(&disk, Moment::BeforeWork, before).await;
            work();
            pass(&disk, Moment::BeforeAnswer, after).await;
        })
    }
}

async fn pass(disk: &SimDisk, moment: Moment, time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
    while let Some(until) = disk.stalled(moment, |stall| stall.wait(Instant::now())) {
        // In steps: the disk may be mended meanwhile.
        tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
    }
}
