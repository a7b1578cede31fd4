//! Sets of the licenses of one pool, by number.

/// Bits in a word of a set.
const WORD: usize = 64;

/// Some licenses of one pool. Seats that may stand on the same licenses have equal sets, whatever versions and features
/// brought it about; so there are few different ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PieceSet(Vec<u64>);

impl PieceSet {
    /// No license of a pool of so many.
    pub(crate) fn empty(pieces: usize) -> Self {
        Self(vec![0; pieces.div_ceil(WORD)])
    }

    pub(crate) fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word |= 1 << (number % WORD);
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word &= !(1 << (number % WORD));
        }
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        self.0.get(number / WORD).is_some_and(|word| word & (1 << (number % WORD)) != 0)
    }

    /// All of a pool of so many.
    pub(crate) fn full(pieces: usize) -> Self {
        let mut set = Self::empty(pieces);
        (0..pieces).for_each(|number| set.insert(number));
        set
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(word, others)| *word |= others);
    }

    pub(crate) fn keep_only(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(word, others)| *word &= others);
    }

    /// Its numbers, rising.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(n, word)| Numbers { next: n * WORD, rest: *word })
    }

    /// The numbers that are in both, rising.
    pub(super) fn both<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let words = self.0.iter().zip(&other.0).enumerate();
        words.flat_map(|(n, (word, other))| Numbers { next: n * WORD, rest: word & other })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether a number is in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, other)| word & other != 0)
    }

    /// Whether all its numbers are in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(word, other)| word & !other == 0)
    }

    /// The numbers that are not in `seen` yet, rising; from now on they are.
    pub(super) fn not_yet<'a>(&'a self, seen: &'a mut Self) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&mut seen.0).enumerate().flat_map(|(n, (word, seen))| {
            let rest = word & !*seen;
            *seen |= rest;
            Numbers { next: n * WORD, rest }
        })
    }
}

/// The numbers of one word.
struct Numbers {
    /// The number of the lowest bit of `rest`.
    next: usize,
    rest: u64,
}

impl Iterator for Numbers {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.rest == 0 {
            return None;
        }
        let skip = self.rest.trailing_zeros();
        let number = self.next + usize::try_from(skip).ok()?;
        // Two steps: a shift by all 64 bits is none.
        self.rest = (self.rest >> skip) >> 1;
        self.next = number + 1;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let numbers = [0, 1, 63, 64, 65, 127, 128, 199];
        let mut set = PieceSet::empty(200);
        numbers.iter().for_each(|number| set.insert(*number));
        assert_eq!(set.iter().collect::<Vec<_>>(), numbers);
        assert!((0..400).all(|number| set.contains(number) == numbers.contains(&number)));
        set.remove(64);
        assert!(!set.contains(64) && set.contains(65));
        assert_eq!(PieceSet::empty(0).iter().count(), 0);
    }

    #[test]
    fn what_was_seen_is_not_told_again() {
        let (mut set, mut seen) = (PieceSet::empty(130), PieceSet::empty(130));
        [3, 70, 129].into_iter().for_each(|number| set.insert(number));
        seen.insert(70);
        assert_eq!(set.both(&seen).collect::<Vec<_>>(), [70]);
        assert!(!set.is_within(&seen));
        assert_eq!(set.not_yet(&mut seen).collect::<Vec<_>>(), [3, 129]);
        assert!(set.is_within(&seen));
        assert_eq!(set.not_yet(&mut seen).count(), 0);
        assert!(seen.contains(3) && seen.contains(70) && !seen.contains(4));
    }
}
