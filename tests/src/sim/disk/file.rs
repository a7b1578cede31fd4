//! One file: what the disk holds, what the machine's page cache holds, and the changes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::super::chance::Chance;

/// How files are kept and counted, bytes.
pub(super) const PAGE: usize = 4096;
/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;
/// Most bytes that a disk keeps back, however much it lies: then it writes them.
const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A sparse vector of bytes; cheap to clone, as clones share their pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: usize,
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
    allocated: usize,
}

fn beyond_the_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is beyond the end of the file")
}

/// The parts of `len` bytes from `offset` on, cut at the multiples of `unit`: (number of the unit, range of the bytes).
fn parts(offset: usize, len: usize, unit: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let end = offset + len;
    let units = if len == 0 { 0..0 } else { offset / unit..end.div_ceil(unit) };
    units.map(move |number| {
        (number, (number * unit).max(offset) - offset..((number + 1) * unit).min(end) - offset)
    })
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The space it takes, bytes.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.allocated * PAGE
    }

    /// The space that a write would take in addition, bytes.
    pub(super) fn bytes_to_allocate(&self, offset: usize, len: usize) -> usize {
        parts(offset, len, PAGE).filter(|(page, _)| self.pages.get(*page).is_none_or(Option::is_none)).count()
            * PAGE
    }

    fn check(&self, offset: usize, len: usize) -> io::Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(beyond_the_end()),
        }
    }

    pub(super) fn read(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        self.check(offset, out.len())?;
        for (page, range) in parts(offset, out.len(), PAGE) {
            let begin = offset + range.start - page * PAGE;
            match &self.pages[page] {
                Some(bytes) => out[range.clone()].copy_from_slice(&bytes[begin..begin + range.len()]),
                None => out[range].fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        for (page, range) in parts(offset, data.len(), PAGE) {
            let begin = offset + range.start - page * PAGE;
            let slot = &mut self.pages[page];
            if slot.is_none() {
                self.allocated += 1;
            }
            let bytes = Arc::make_mut(slot.get_or_insert_with(|| Arc::new([0; PAGE])));
            bytes[begin..begin + range.len()].copy_from_slice(&data[range]);
        }
    }

    fn set_len(&mut self, len: usize) {
        let pages = len.div_ceil(PAGE);
        if len < self.len {
            let freed = self.pages.drain(pages.min(self.pages.len())..).flatten().count();
            self.allocated -= freed;
            if let Some(Some(last)) = self.pages.last_mut() {
                let kept = len - (pages - 1) * PAGE;
                Arc::make_mut(last)[kept..].fill(0);
            }
        }
        self.pages.resize(pages, None);
        self.len = len;
    }
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

/// What a power cut did to the changes that were not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Writes and new lengths of which nothing is left.
    pub(super) whole: u64,
    /// Writes of which a part is left.
    pub(super) torn: u64,
}

/// How a power cut treats the changes that were not synced.
enum Survival {
    Nothing,
    /// So many, in the order in which they were made.
    First(usize),
    /// So many of those that touch a sector, for each sector on its own: what the cache held at any moment.
    PerSector {
        sectors: BTreeMap<usize, usize>,
        lengths: usize,
    },
}

#[derive(Debug, Default)]
pub(super) struct File {
    durable: Content,
    cached: Content,
    pending: Vec<Change>,
    pending_bytes: usize,
    /// The folder knows it, also after a power cut.
    named: bool,
}

impl File {
    pub(super) fn of(content: Content) -> Self {
        Self { durable: content.clone(), cached: content, named: true, ..Self::default() }
    }

    /// What programs see.
    pub(super) fn cached(&self) -> &Content {
        &self.cached
    }

    /// What is on the disk; `None` when the disk doesn't know the file yet.
    pub(super) fn durable(&self) -> Option<&Content> {
        self.named.then_some(&self.durable)
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) -> io::Result<()> {
        self.cached.check(offset, data.len())?;
        self.cached.write(offset, data);
        self.pending.push(Change::Write { offset, data: data.to_vec() });
        self.pending_bytes += data.len();
        if self.pending_bytes > PENDING_BYTES_MAX {
            self.sync();
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.cached.set_len(len);
        self.pending.push(Change::SetLen(len));
    }

    /// Makes all of it durable.
    pub(super) fn sync(&mut self) {
        self.named = true;
        let lengths = self.pending.iter().any(|change| matches!(change, Change::SetLen(_)));
        if lengths {
            self.durable = self.cached.clone();
        } else {
            // Files are long and commits short: only what has changed is taken over.
            let changed = self.pending.iter().flat_map(|change| match change {
                Change::Write { offset, data } => parts(*offset, data.len(), PAGE),
                Change::SetLen(_) => parts(0, 0, PAGE),
            });
            for page in changed.map(|(page, _)| page).collect::<BTreeSet<_>>() {
                self.durable.pages[page].clone_from(&self.cached.pages[page]);
            }
            self.durable.allocated = self.cached.allocated;
        }
        self.pending.clear();
        self.pending_bytes = 0;
    }

    /// Loses some of what is not synced. False when the file itself is gone.
    pub(super) fn power_cut(&mut self, chance: &mut Chance) -> (Lost, bool) {
        self.named |= chance.chance(0.5);
        let changes = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let lost = match Survival::draw(&changes, chance) {
            _ if !self.named => Lost { whole: changes.len() as u64, torn: 0 },
            Survival::Nothing => Lost { whole: changes.len() as u64, torn: 0 },
            Survival::First(number) => self.survive_in_order(&changes, number),
            Survival::PerSector { sectors, lengths } => self.survive_per_sector(&changes, sectors, lengths),
        };
        self.cached = self.durable.clone();
        (lost, self.named)
    }

    fn survive_in_order(&mut self, changes: &[Change], number: usize) -> Lost {
        let (kept, lost) = changes.split_at(number);
        for change in kept {
            match change {
                Change::Write { offset, data } => self.durable.write(*offset, data),
                Change::SetLen(len) => self.durable.set_len(*len),
            }
        }
        Lost { whole: lost.len() as u64, torn: 0 }
    }

    fn survive_per_sector(
        &mut self,
        changes: &[Change],
        mut sectors: BTreeMap<usize, usize>,
        mut lengths: usize,
    ) -> Lost {
        let mut lost = Lost::default();
        for change in changes {
            let (offset, data) = match change {
                Change::SetLen(len) if lengths > 0 => {
                    lengths -= 1;
                    self.durable.set_len(*len);
                    continue;
                }
                Change::SetLen(_) => {
                    lost.whole += 1;
                    continue;
                }
                Change::Write { offset, data } => (*offset, data),
            };
            let (mut kept, mut gone) = (0, 0);
            for (sector, range) in parts(offset, data.len(), SECTOR) {
                let left = sectors.entry(sector).or_default();
                if *left == 0 || self.durable.check(offset + range.start, range.len()).is_err() {
                    gone += 1;
                } else {
                    *left -= 1;
                    kept += 1;
                    self.durable.write(offset + range.start, &data[range]);
                }
            }
            match (kept, gone) {
                (_, 0) => {}
                (0, _) => lost.whole += 1,
                _ => lost.torn += 1,
            }
        }
        lost
    }
}

impl Survival {
    fn draw(changes: &[Change], chance: &mut Chance) -> Self {
        match chance.range(0..=3) {
            0 => return Self::Nothing,
            1 => return Self::First(chance.index(changes.len() + 1)),
            _ => {}
        }
        let mut sectors = BTreeMap::<usize, usize>::new();
        let mut lengths = 0;
        for change in changes {
            match change {
                Change::Write { offset, data } => {
                    for (sector, _) in parts(*offset, data.len(), SECTOR) {
                        *sectors.entry(sector).or_default() += 1;
                    }
                }
                Change::SetLen(_) => lengths += 1,
            }
        }
        sectors.values_mut().for_each(|touching| *touching = chance.index(*touching + 1));
        Self::PerSector { sectors, lengths: chance.index(lengths + 1) }
    }
}
