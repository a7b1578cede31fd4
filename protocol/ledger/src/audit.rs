//! The audit: the site's records, each bound to all before it by a hash (`protocol/AUDIT.md`).
//!
//! The books keep the newest [`WINDOW`] records, the link before them and the head, so that every replica can verify
//! what it has and nothing that was recorded can be changed later without changing the head, which all replicas
//! compare. Older records are the agent's to keep, as [`Stretch`]es of [`SEGMENT`] records.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use seatkeeper_protocol::id::SiteId;
use seatkeeper_protocol::time::WallTime;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::records::{Happening, Record};

/// How many records the books keep.
pub const WINDOW: usize = 10_000;
/// How many records a segment has: number `n` those from `n * SEGMENT + 1` on.
pub const SEGMENT: u64 = 1_000;
const _: () = assert!(WINDOW as u64 >= 2 * SEGMENT, "a segment is written long before it leaves the books");
/// The longest record, bytes: the names in it are bounded, and so are the reasons of refusals.
pub const RECORD_BYTES_MAX: usize = 4 * 1024;

const START_DOMAIN: &[u8] = b"seatkeeper-audit-v1\n";
const RECORD_DOMAIN: &[u8] = b"seatkeeper-record-v1\n";
/// Room for most records.
const USUAL_BYTES: usize = 192;

/// A hash over a record and all before it. As text: hexadecimal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link(pub [u8; 32]);

impl Link {
    /// The link before a site's first record.
    pub fn start(site: &SiteId) -> Self {
        Self(Sha256::new().chain_update(START_DOMAIN).chain_update(site.0).finalize().into())
    }

    /// The link of the record that follows this one.
    #[must_use]
    pub fn next(&self, record: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(RECORD_DOMAIN).chain_update(self.0).chain_update(record);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct LinkError;

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pairs = text.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
                _ => None,
            })
            .collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(LinkError)
    }
}

/// A record's canonical bytes: [`Record`] as postcard. What is hashed, kept and exported.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordBytes(Box<[u8]>);

impl RecordBytes {
    fn of(record: &Record) -> Self {
        // Postcard fails on sequences of unknown length and full buffers; a record has neither.
        let bytes = postcard::to_extend(record, Vec::with_capacity(USUAL_BYTES)).unwrap_or_default();
        Self(bytes.into_boxed_slice())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for RecordBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }
}

impl fmt::Debug for RecordBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordBytes({})", self.0.len())
    }
}

impl Serialize for RecordBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for RecordBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = RecordBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a record")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<RecordBytes, E> {
                if bytes.len() > RECORD_BYTES_MAX {
                    return Err(E::custom("a record is too long"));
                }
                Ok(RecordBytes(bytes.into()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Reads a record's canonical bytes; `None` when they are not those of a record that this release knows.
pub fn read_record(bytes: &[u8]) -> Option<Record> {
    match postcard::take_from_bytes::<Record>(bytes) {
        // Postcard reads other bytes as the same record too, such as a number with zeros in front.
        Ok((record, [])) if RecordBytes::of(&record).as_slice() == bytes => Some(record),
        _ => None,
    }
}

/// A record with its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// The record.
    pub bytes: RecordBytes,
    /// The hash over it and all before it.
    pub link: Link,
}

/// Records that follow each other: a segment's file, or a part of the books.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The number of the first one.
    pub first: u64,
    /// The link before it.
    pub before: Link,
    /// The records.
    pub records: Vec<Linked>,
}

impl Stretch {
    /// The number after the last record's.
    pub fn next(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.records.len()).unwrap_or(u64::MAX))
    }

    /// The link of the last record.
    pub fn head(&self) -> Link {
        self.records.last().map_or(self.before, |last| last.link)
    }

    /// The link of this record, or before the first.
    pub fn link_of(&self, seq: u64) -> Option<Link> {
        if seq.checked_add(1) == Some(self.first) {
            return Some(self.before);
        }
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.records.get(at).map(|linked| linked.link)
    }

    /// Leaves out the records before this number.
    pub fn skip_to(&mut self, seq: u64) {
        let skipped = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let skipped = skipped.min(self.records.len());
        if let Some(last) = skipped.checked_sub(1).and_then(|at| self.records.get(at)) {
            self.before = last.link;
        }
        self.records.drain(..skipped);
        self.first = self.first.saturating_add(u64::try_from(skipped).unwrap_or(u64::MAX));
    }

    /// Whether each record follows from the one before.
    ///
    /// # Errors
    /// The first that does not.
    pub fn verify(&self) -> Result<(), Broken> {
        let mut chain = Chain::new(self.first, self.before);
        self.records.iter().try_for_each(|linked| chain.take(linked.bytes.as_slice(), linked.link).map(drop))
    }
}

/// Where records stop being those that were recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The first record of all does not begin the chain of the site.
    #[error("record 1 does not begin the records of site {0}")]
    OtherSite(SiteId),
    /// A record does not follow from the one before it.
    #[error("record {0} was changed, or does not follow the record before it")]
    Changed(u64),
    /// Records are not there, or in another order.
    #[error("record {expected} is missing: record {found} stands in its place")]
    Missing {
        /// Which should come.
        expected: u64,
        /// Which came.
        found: u64,
    },
    /// Its hash is right, but this release cannot read it.
    #[error("record {0} is not of a kind that this version of Seatkeeper knows; verify it with a newer one")]
    Unknown(u64),
}

impl Broken {
    /// The number of the record where the chain breaks.
    pub fn seq(&self) -> u64 {
        match self {
            Self::OtherSite(_) => 1,
            Self::Changed(seq) | Self::Unknown(seq) => *seq,
            Self::Missing { expected, .. } => *expected,
        }
    }
}

/// Verifies records one by one.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    next: u64,
    link: Link,
}

impl Chain {
    /// Begins with the record `first`, before which the link was `before`.
    pub fn new(first: u64, before: Link) -> Self {
        Self { next: first, link: before }
    }

    /// Whether this can be the beginning of a site's records. Only of its very first record can it be known.
    ///
    /// # Errors
    /// [`Broken::OtherSite`].
    pub fn check_start(&self, site: &SiteId) -> Result<(), Broken> {
        if self.next == 1 && self.link != Link::start(site) {
            return Err(Broken::OtherSite(*site));
        }
        Ok(())
    }

    /// The number of the record that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The link of the last one.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Takes the next record, whose link is said to be `link`.
    ///
    /// # Errors
    /// When it does not follow from the last one; it is not taken then.
    pub fn take(&mut self, bytes: &[u8], link: Link) -> Result<Record, Broken> {
        let record = read_record(bytes);
        // Which record stands here is told by itself, so that a missing one can be told from a changed one.
        if let Some(found) = record.as_ref().map(|record| record.seq).filter(|seq| *seq != self.next) {
            return Err(Broken::Missing { expected: self.next, found });
        }
        if self.link.next(bytes) != link {
            return Err(Broken::Changed(self.next));
        }
        let record = record.ok_or(Broken::Unknown(self.next))?;
        self.next = self.next.saturating_add(1);
        self.link = link;
        Ok(record)
    }
}

/// The newest [`WINDOW`] records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Records {
    written: u64,
    /// The link before the oldest one kept.
    before: Link,
    head: Link,
    kept: VecDeque<RecordBytes>,
    /// The link of each kept record. Not in snapshots: [`Records::read`] makes them anew.
    #[serde(skip)]
    links: VecDeque<Link>,
}

impl Records {
    /// Begins the records of a site.
    pub(crate) fn begin(&mut self, site: &SiteId) {
        if self.written == 0 {
            self.before = Link::start(site);
            self.head = self.before;
        }
    }

    pub(crate) fn add(&mut self, index: u64, time: WallTime, what: Happening) {
        self.written = self.written.saturating_add(1);
        let bytes = RecordBytes::of(&Record { seq: self.written, index, time, what });
        self.head = self.head.next(bytes.as_slice());
        self.kept.push_back(bytes);
        self.links.push_back(self.head);
        if self.kept.len() > WINDOW {
            self.kept.pop_front();
            self.before = self.links.pop_front().unwrap_or(self.before);
        }
    }

    /// Completes what a snapshot stores; `false` when its records are not a chain that leads to its head.
    pub(crate) fn read(&mut self) -> bool {
        let Some(first) = self.first() else { return false };
        if self.kept.len() > WINDOW {
            return false;
        }
        let mut link = self.before;
        self.links = self
            .kept
            .iter()
            .map(|bytes| {
                link = link.next(bytes.as_slice());
                link
            })
            .collect();
        let seqs = self.kept.iter().map(|bytes| read_record(bytes.as_slice()).map(|record| record.seq));
        link == self.head && seqs.zip(first..).all(|(found, expected)| found == Some(expected))
    }

    /// The number of the oldest kept record; that of the next one while none is kept.
    fn first(&self) -> Option<u64> {
        self.next_seq().checked_sub(u64::try_from(self.kept.len()).ok()?).filter(|first| *first > 0)
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.written.saturating_add(1)
    }

    pub(crate) fn head(&self) -> Link {
        self.head
    }

    /// Those after this number, oldest first.
    pub(crate) fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = Record> {
        let first = self.first().unwrap_or(u64::MAX);
        let at = usize::try_from(seq.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let range = at.min(self.kept.len())..;
        self.kept.range(range).filter_map(|bytes| read_record(bytes.as_slice()))
    }

    /// Up to `most` from this number on, or from the oldest that is kept.
    pub(crate) fn stretch(&self, from: u64, most: usize) -> Stretch {
        let oldest = self.first().unwrap_or(u64::MAX);
        let first = from.clamp(oldest, self.next_seq().max(oldest));
        let at = usize::try_from(first.saturating_sub(oldest)).unwrap_or(usize::MAX).min(self.kept.len());
        let before = at.checked_sub(1).and_then(|last| self.links.get(last)).copied();
        let both = self.kept.range(at..).zip(self.links.range(at..));
        let records =
            both.take(most).map(|(bytes, link)| Linked { bytes: bytes.clone(), link: *link }).collect();
        Stretch { first, before: before.unwrap_or(self.before), records }
    }
}
