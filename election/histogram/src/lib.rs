//! Stands in for the published `base2histogram`, which openraft links for its runtime statistics.
//!
//! Its first histogram fills tables for sixteen resolutions, 26 MiB, of which openraft uses one. We switch the
//! statistics off, so that nobody ever reads a histogram: here it counts its samples and forgets their values. Only what
//! openraft calls is here; it goes as soon as a release of the published crate fills the tables that are asked for.

use std::fmt;
use std::marker::PhantomData;

/// Counts samples; keeps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    samples: u64,
    data: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self { samples: 0, data: PhantomData }
    }
}

impl<T> Histogram<T> {
    /// Without a sample.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one sample.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts `count` samples.
    pub fn record_n(&mut self, _value: u64, count: u64) {
        self.samples = self.samples.saturating_add(count);
    }

    /// Samples counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.samples
    }

    /// How many samples there were; their values are not known, and shown as 0.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats { samples: self.samples, ..PercentileStats::default() }
    }
}

/// What openraft prints of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say which percentile it is")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[samples: {}]", self.samples)
    }
}

/// A drawing of several histograms, here of their names.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart {
    names: Vec<String>,
}

impl AsciiChart {
    /// Without a histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a histogram.
    #[must_use]
    pub fn add<T>(mut self, name: impl Into<String>, _histogram: Histogram<T>) -> Self {
        self.names.push(name.into());
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("\n"))
    }
}
