//! The audit's older records on disk: each segment is a record of its own, `audit/` and the number of its first
//! record. It is written once, whole, when its last record is in the books, so that a power cut leaves no half of one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use seatkeeper_ledger::audit::{SEGMENT, Stretch};

use crate::seam::{Disk, RecordError};

/// The records' folder.
const FOLDER: &str = "audit";
/// How many bytes the segments may take: some 200,000 records. The oldest go first.
pub(crate) const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The segments of this machine.
#[derive(Clone)]
pub(crate) struct Archive {
    disk: Arc<dyn Disk>,
    bytes_max: u64,
}

/// Why a segment can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The file.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Whole, and of other records.
    #[error("{0} does not have the records that its name says")]
    Other(String),
}

/// A segment on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The number of its first record.
    pub(crate) first: u64,
    /// Its file.
    bytes: u64,
}

/// In which segment a record is.
pub(crate) fn segment_of(seq: u64) -> u64 {
    seq.saturating_sub(1) / SEGMENT
}

/// The number of a segment's last record.
pub(crate) fn last_of(segment: u64) -> u64 {
    segment.saturating_add(1).saturating_mul(SEGMENT)
}

impl Archive {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self::bounded(disk, BYTES_MAX)
    }

    pub(crate) fn bounded(disk: Arc<dyn Disk>, bytes_max: u64) -> Self {
        Self { disk, bytes_max }
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    fn name(first: u64) -> String {
        format!("{FOLDER}/{first:010}")
    }

    /// How people find a segment.
    pub(crate) fn place(&self, segment: Segment) -> String {
        self.disk.place(&Self::name(segment.first))
    }

    /// What is there, by the segments' numbers. Of two files of one segment the one with more records counts.
    pub(crate) fn segments(&self) -> io::Result<BTreeMap<u64, Segment>> {
        let mut segments = BTreeMap::new();
        for (name, bytes) in self.disk.list(FOLDER)? {
            let first = name.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/')?.parse().ok());
            // A file of another name is not ours.
            if let Some(first) = first.filter(|first| *first > 0 && Self::name(*first) == name) {
                segments.entry(segment_of(first)).or_insert(Segment { first, bytes });
            }
        }
        Ok(segments)
    }

    /// The records of a segment; `None` when it was dropped meanwhile.
    pub(crate) fn read(&self, segment: Segment) -> Result<Option<Stretch>, ArchiveError> {
        let name = Self::name(segment.first);
        let Some(stretch) = self.disk.read_record::<Stretch>(&name)? else { return Ok(None) };
        if stretch.first != segment.first || stretch.next() != last_of(segment_of(segment.first)) + 1 {
            return Err(ArchiveError::Other(self.disk.place(&name)));
        }
        Ok(Some(stretch))
    }

    /// Writes a segment's records down.
    pub(crate) fn write(&self, stretch: &Stretch) -> Result<(), RecordError> {
        self.disk.write_record(&Self::name(stretch.first), stretch)
    }

    /// Removes a segment.
    pub(crate) fn remove(&self, segment: Segment) -> io::Result<()> {
        self.disk.remove(&Self::name(segment.first))
    }

    /// Drops the oldest segments that are too many; answers the first record that is still there.
    pub(crate) fn trim(&self) -> io::Result<Option<u64>> {
        let segments = self.segments()?;
        let mut bytes: u64 = segments.values().map(|segment| segment.bytes).sum();
        let mut dropped = false;
        for (number, segment) in &segments {
            let newest = segments.last_key_value().is_some_and(|(last, _)| last == number);
            if bytes <= self.bytes_max || newest {
                return Ok(dropped.then_some(segment.first));
            }
            self.remove(*segment)?;
            bytes -= segment.bytes;
            dropped = true;
        }
        Ok(None)
    }

    /// Removes everything: the machine leaves the site.
    pub(crate) fn forget(&self) -> io::Result<()> {
        self.disk.list(FOLDER)?.into_iter().try_for_each(|(name, _)| self.disk.remove(&name))
    }
}
