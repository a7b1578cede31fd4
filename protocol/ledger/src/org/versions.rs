//! A total order of versions, which [`Version::is_older_than`] alone is not.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::Version;

/// A version as it is sorted. Wherever [`Version::is_older_than`] decides, it is kept; a word counts as older than a
/// number, and of two that read alike (`1.9`, `1.09`) the text decides.
type Key<'a> = (Vec<(usize, &'a str)>, &'a str);

fn key(version: &Version) -> Key<'_> {
    let mut rest = version.as_str();
    let mut runs = Vec::new();
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest.find(|char: char| char.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        // Without leading zeros the longer number is the greater one. Words have length 0.
        let number = run.trim_start_matches('0');
        runs.push(if digit { (number.len() + 1, number) } else { (0, run) });
        rest = behind;
    }
    (runs, version.as_str())
}

/// The versions of a product that are installed or were bought, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    list: Vec<Version>,
    numbers: BTreeMap<Version, usize>,
}

impl Versions {
    pub(super) fn new<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Self {
        let mut list: Vec<Version> = versions.into_iter().cloned().collect();
        list.sort();
        list.dedup();
        list.sort_by(|a, b| key(b).cmp(&key(a)));
        let numbers = list.iter().cloned().zip(0..).collect();
        Self { list, numbers }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn number(&self, version: &Version) -> Option<usize> {
        self.numbers.get(version).copied()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Version> {
        self.list.get(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Version> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_people_and_total() {
        let text =
            ["10", "9.2", "9", "v2", "v10", "2026.1", "2026", "1.9", "1.09", "10-rc", "10-beta", "2025a"];
        let versions: Vec<Version> = text.iter().map(|text| Version::new(*text).unwrap()).collect();
        for a in &versions {
            for b in &versions {
                assert!(!a.is_older_than(b) || key(a) < key(b), "{a} {b}");
                assert_eq!(key(a) == key(b), a == b);
            }
        }
        let sorted = Versions::new(&versions);
        let shown: Vec<&str> = sorted.iter().map(Version::as_str).collect();
        let newest_first =
            ["2026.1", "2026", "2025a", "10-rc", "10-beta", "10", "9.2", "9", "1.9", "1.09", "v10", "v2"];
        assert_eq!(shown, newest_first);
    }
}
