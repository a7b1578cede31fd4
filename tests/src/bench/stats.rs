//! Medians and percentiles.

use std::time::Duration;

/// Durations that were measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration that `percent` of the samples do not exceed, in milliseconds; nearest rank. Zero without samples.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
    }

    pub(super) fn p50_ms(&self) -> f64 {
        self.percentile_ms(50)
    }

    pub(super) fn max_ms(&self) -> f64 {
        self.percentile_ms(100)
    }
}

/// The middle of several runs' figures; zero of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (len, half) if len % 2 == 1 => sorted[half],
        (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.p50_ms(), 0.0);
        (1..=100).rev().for_each(|ms| samples.add(Duration::from_millis(ms)));
        assert_eq!([50, 99, 100].map(|p| samples.percentile_ms(p)), [50.0, 99.0, 100.0]);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([&[][..], &[3.0], &[3.0, 1.0, 2.0], &[4.0, 1.0]].map(median), [0.0, 3.0, 2.0, 2.5]);
    }
}
