//! Reading the audit: what is on disk, then what is in the books, as one.

use seatkeeper_ledger::audit::{Link, Linked, SEGMENT, Stretch, read_record};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::time::WallTime;

use super::archive::{Archive, Segment, last_of, segment_of};
use crate::middle::audit::told;
use crate::node::machine::Books;

/// Records of one page.
const PAGE: usize = SEGMENT as usize;
/// The text of a page, bytes: it fits into a frame with room to spare.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Reads what this machine has. Blocks: for the bench.
pub(crate) struct Reader {
    pub(crate) archive: Archive,
    pub(crate) books: Books,
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) part: Stretch,
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
    pub(crate) head: Link,
    pub(crate) damaged: Vec<String>,
    /// Whether nothing comes after it.
    pub(crate) last: bool,
}

impl Reader {
    /// The records after `after`, up to a page of them.
    pub(crate) fn page(&self, after: u64, from: Option<WallTime>, to: Option<WallTime>) -> Page {
        let mut damaged = Vec::new();
        let segments = self.archive.segments().unwrap_or_else(|error| {
            damaged.push(format!("the files of the audit cannot be listed: {error}"));
            std::collections::BTreeMap::new()
        });
        let (window, newest, head) = {
            let ledger = self.books.read();
            (ledger.audit(0, 0).first, ledger.next_seq() - 1, ledger.audit_head())
        };
        let look = Look { reader: self, segments: segments.values().copied().collect(), window };
        let oldest = segments.values().next().map_or(window, |segment| segment.first.min(window));
        let mut page = Page { oldest, newest, head, damaged, ..Page::default() };
        let mut seq = after.saturating_add(1);
        if let Some(from) = from.filter(|_| after == 0) {
            seq = look.first_that_may_be_of(from);
        }
        loop {
            page.part = look.stretch(seq, &mut page.damaged);
            if let Some(from) = from.filter(|_| after == 0) {
                let early = page.part.records.iter().take_while(|linked| time_of(linked) < from).count();
                page.part.skip_to(page.part.first.saturating_add(u64::try_from(early).unwrap_or(u64::MAX)));
            }
            seq = page.part.next();
            if !page.part.records.is_empty() || seq > newest {
                break;
            }
        }
        page.last = seq > newest;
        if let Some(to) = to
            && let Some(late) = page.part.records.iter().position(|linked| time_of(linked) >= to)
        {
            page.part.records.truncate(late);
            page.last = true;
        }
        page
    }

    /// The hash that this machine has of a record; `None` when it has it no more, not yet, or not as it was.
    pub(crate) fn link_of(&self, seq: u64) -> Option<Link> {
        {
            let ledger = self.books.read();
            if seq >= ledger.next_seq() {
                return None;
            }
            let stretch = ledger.audit(seq.saturating_add(1), 0);
            if stretch.first == seq.saturating_add(1) {
                return Some(stretch.before);
            }
        }
        let segment = *self.archive.segments().ok()?.get(&segment_of(seq))?;
        let stretch = self.archive.read(segment).ok()??;
        stretch.verify().ok()?;
        stretch.link_of(seq)
    }
}

/// One look at the files and the books.
struct Look<'a> {
    reader: &'a Reader,
    /// In the order of their records.
    segments: Vec<Segment>,
    /// The oldest record in the books.
    window: u64,
}

impl Look<'_> {
    /// Records from this one on, or from the next one that is there. Empty at the end of all.
    fn stretch(&self, mut seq: u64, damaged: &mut Vec<String>) -> Stretch {
        while seq < self.window {
            let later = |segment: &&Segment| last_of(segment_of(segment.first)) >= seq;
            let Some(segment) = self.segments.iter().find(later).filter(|s| s.first < self.window) else {
                break;
            };
            match self.reader.archive.read(*segment) {
                Ok(Some(mut stretch)) => {
                    stretch.skip_to(seq);
                    return stretch;
                }
                // It was dropped while we looked.
                Ok(None) => {}
                Err(error) => {
                    let last = last_of(segment_of(segment.first));
                    damaged.push(format!(
                        "records {} to {last} cannot be read: {error}",
                        segment.first.max(seq)
                    ));
                }
            }
            seq = last_of(segment_of(segment.first)) + 1;
        }
        self.reader.books.read().audit(seq, PAGE)
    }

    /// A record before which none is of `from` or later, by the times of whole segments: the site's time may step
    /// back within one.
    fn first_that_may_be_of(&self, from: WallTime) -> u64 {
        let files: Vec<&Segment> = self.segments.iter().filter(|s| s.first < self.window).collect();
        let earlier = |segment: &&Segment| match self.reader.archive.read(**segment) {
            Ok(Some(stretch)) => stretch.records.iter().all(|linked| time_of(linked) < from),
            _ => false,
        };
        let at = files.partition_point(earlier);
        files.get(at).map_or(self.window, |segment| segment.first)
    }
}

/// What cannot be read has the time of no record.
fn time_of(linked: &Linked) -> WallTime {
    read_record(linked.bytes.as_slice()).map_or(WallTime(i64::MIN), |record| record.time)
}

impl Page {
    pub(crate) fn api(self, site: api::Site, keeper: api::Holder) -> api::AuditPage {
        let mut records = Vec::with_capacity(self.part.records.len());
        let (mut seq, mut bytes, mut last) = (self.part.first, 0, self.last);
        for linked in &self.part.records {
            let record = told(seq, linked);
            bytes += record.record.len() + record.text.len();
            if bytes > PAGE_BYTES_MAX {
                last = false;
                break;
            }
            records.push(record);
            seq = seq.saturating_add(1);
        }
        api::AuditPage {
            format: FORMAT,
            site: Some(site),
            keeper,
            oldest: self.oldest,
            newest: api::AuditPoint { seq: self.newest, hash: self.head.to_string() },
            part: api::AuditPart { first: self.part.first, before: self.part.before.to_string(), records },
            damaged: self.damaged,
            next: (!last).then(|| seq.saturating_sub(1)),
        }
    }
}
