//! Who hears whom, how late, how reliably.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Host;
use crate::sim::chance::Chance;
use crate::sim::clock::ns;

/// What a lost packet costs until it is sent again; grows with every further loss.
const RESENT_AFTER: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(400);
/// A packet gets through at the latest at this try: what is cut is another fault.
const TRIES_MAX: u32 = 6;

/// The ways between hosts, each direction by itself.
pub(super) struct Links {
    /// Nothing is faster.
    least: Duration,
    usual: RangeInclusive<Duration>,
    cut: BTreeSet<(Host, Host)>,
    slow: BTreeMap<(Host, Host), RangeInclusive<Duration>>,
    lossy: BTreeMap<(Host, Host), f64>,
}

impl Links {
    pub(super) fn new(least: Duration, usual: RangeInclusive<Duration>) -> Self {
        Self { least, usual, cut: BTreeSet::new(), slow: BTreeMap::new(), lossy: BTreeMap::new() }
    }

    pub(super) fn passes(&self, from: Host, to: Host) -> bool {
        !self.cut.contains(&(from, to))
    }

    pub(super) fn cut(&mut self, from: Host, to: Host) {
        // A host always hears itself.
        if from != to {
            self.cut.insert((from, to));
        }
    }

    pub(super) fn heal(&mut self, from: Host, to: Host) {
        self.cut.remove(&(from, to));
    }

    pub(super) fn heal_all(&mut self) {
        self.cut.clear();
    }

    pub(super) fn slow(&mut self, from: Host, to: Host, latency: RangeInclusive<Duration>) {
        self.slow.insert((from, to), latency);
    }

    pub(super) fn lossy(&mut self, from: Host, to: Host, probability: f64) {
        self.lossy.insert((from, to), probability);
    }

    pub(super) fn calm(&mut self) {
        self.slow.clear();
        self.lossy.clear();
    }

    /// How long a packet takes, ns.
    pub(super) fn latency_ns(&self, chance: &mut Chance, from: Host, to: Host) -> u64 {
        let range = self.slow.get(&(from, to)).unwrap_or(&self.usual);
        let mut latency = chance.duration(range.clone()).max(self.least);
        if let Some(probability) = self.lossy.get(&(from, to)) {
            let mut tries = 1;
            while tries < TRIES_MAX && chance.chance(*probability) {
                latency += chance.duration(RESENT_AFTER) * tries;
                tries += 1;
            }
        }
        ns(latency)
    }
}
