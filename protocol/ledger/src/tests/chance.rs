//! Chance that repeats: the same seed draws the same on every machine.

use std::ops::RangeInclusive;

/// SplitMix64: small, quick, and each seed is as good as another.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number; also a seed.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An index below `len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(len).unwrap()).unwrap()
    }

    pub(crate) fn range(&mut self, range: RangeInclusive<i64>) -> i64 {
        let many = u64::try_from(range.end() - range.start()).unwrap() + 1;
        range.start() + i64::try_from(self.number() % many).unwrap()
    }

    /// A small number within `range`.
    pub(crate) fn small<T: TryFrom<i64>>(&mut self, range: RangeInclusive<i64>) -> T {
        T::try_from(self.range(range)).unwrap_or_else(|_| panic!("the range is one of the type"))
    }

    /// True once in `many` times.
    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.index(many) == 0
    }

    /// # Panics
    /// When there are none.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// One of these, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, of: &[(usize, T)]) -> T {
        let mut at = self.index(of.iter().map(|(weight, _)| weight).sum());
        for (weight, what) in of {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *what,
            }
        }
        unreachable!("the index is below the sum of the weights")
    }
}
