//! Tables that are read and written by number without a way to panic.

/// A table with a value for each number below its length; beyond it, reads give the default and writes do nothing.
/// Numbers come from the code that made the table, so that never happens; but nothing here stops a holder.
#[derive(Clone, Debug, Default)]
pub(super) struct Table<T>(Vec<T>);

impl<T: Copy + Default> Table<T> {
    pub(super) fn new(len: usize, value: T) -> Self {
        Self(vec![value; len])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn at(&self, number: usize) -> T {
        self.0.get(number).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn set(&mut self, number: usize, value: T) {
        if let Some(place) = self.0.get_mut(number) {
            *place = value;
        }
    }

    #[inline]
    pub(super) fn change(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(place) = self.0.get_mut(number) {
            change(place);
        }
    }

    pub(super) fn fill(&mut self, value: T) {
        self.0.fill(value);
    }

    pub(super) fn push(&mut self, value: T) -> usize {
        self.0.push(value);
        self.0.len() - 1
    }

    /// The values of these numbers.
    #[inline]
    pub(super) fn slice(&self, from: usize, to: usize) -> &[T] {
        self.0.get(from..to).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }
}

impl<T> From<Vec<T>> for Table<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}
