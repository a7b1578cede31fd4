//! A simulated machine's disk.
//!
//! A [`SimDisk`] is the hardware: it survives its machine's crashes, can be rolled back and cloned. One run of the
//! agent sees it through a [`Mounted`]; when that run ends, by [`SimDisk::kill`], by [`SimDisk::power_cut`] or because
//! the next run begins, nothing that was mounted can be read or written any more.
//!
//! | module | holds |
//! |---|---|
//! | `file` | one file: pages, unsynced changes, what a power cut leaves of them |
//! | `bench` | the time that the disk takes, and its stalls |

mod bench;
mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::StorageBackend;
use seatkeeper::seam::Disk;
use seatkeeper::seam::record::RECORD_BYTES_MAX;
use seatkeeper_election::seam::Bench;
use seatkeeper_election::{LogStore, StartError};
use seatkeeper_protocol::id::NodeId;

use super::chance::Chance;
use bench::Stall;
pub use bench::{Latency, Moment, SimBench};
use file::{Content, File, PAGE};

/// The hardware. Cheap to clone; all clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    hardware: Arc<Mutex<Hardware>>,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// What is on a disk at one moment, as after a power cut that loses all it can. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Image {
    records: BTreeMap<String, Arc<Vec<u8>>>,
    logs: BTreeMap<NodeId, Content>,
}

/// What has happened to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Writes, new lengths and removals that were done.
    pub writes: u64,
    /// Syncs that were done.
    pub syncs: u64,
    /// Syncs that were answered and not done: [`SimDisk::lie`].
    pub lies: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Power cuts within the work: [`SimDisk::cut_after`].
    pub cuts_within: u64,
    /// Unsynced changes that a power cut lost as a whole.
    pub lost_unsynced: u64,
    /// Unsynced writes of which a power cut left a part.
    pub torn: u64,
    /// Writes refused because the disk was full.
    pub enospc: u64,
    /// Writes and syncs that failed: [`SimDisk::break_writes`].
    pub eio: u64,
    /// Restored images.
    pub rollbacks: u64,
    /// Work held up: [`SimDisk::stall`].
    pub stalls: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.syncs += other.syncs;
        self.lies += other.lies;
        self.power_cuts += other.power_cuts;
        self.cuts_within += other.cuts_within;
        self.lost_unsynced += other.lost_unsynced;
        self.torn += other.torn;
        self.enospc += other.enospc;
        self.eio += other.eio;
        self.rollbacks += other.rollbacks;
        self.stalls += other.stalls;
    }
}

/// A record: written aside, synced, renamed.
#[derive(Debug, Default)]
struct Record {
    durable: Option<Arc<Vec<u8>>>,
    cached: Option<Arc<Vec<u8>>>,
    /// The two are not the same.
    unsynced: bool,
}

#[derive(Debug, Default)]
struct Hardware {
    records: BTreeMap<String, Record>,
    logs: BTreeMap<NodeId, File>,
    /// Mounts so far; each has its number.
    mounts: u64,
    mounted: Option<u64>,
    open: BTreeSet<NodeId>,
    /// Operations until the power fails.
    cut_in: Option<u64>,
    /// Operations until they fail.
    break_in: Option<u64>,
    capacity: Option<usize>,
    lies: bool,
    before_work: Stall,
    before_answer: Stall,
    counters: Counters,
}

fn off() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the machine is off")
}

/// Of what the machine's disk refuses, the errors that a program can do nothing about.
fn broken() -> io::Error {
    io::Error::other("the disk has an error")
}

impl Hardware {
    fn alive(&self, mount: u64) -> io::Result<()> {
        if self.mounted == Some(mount) { Ok(()) } else { Err(off()) }
    }

    /// Before each write, new length, removal or sync.
    fn operate(&mut self, mount: u64) -> io::Result<()> {
        self.alive(mount)?;
        match &mut self.cut_in {
            Some(0) => {
                self.mounted = None;
                self.cut_in = None;
                self.counters.cuts_within += 1;
                return Err(off());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        match &mut self.break_in {
            Some(0) => {
                self.counters.eio += 1;
                Err(broken())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn used_bytes(&self) -> usize {
        let records = self.records.values().filter_map(|record| record.cached.as_ref());
        let records: usize = records.map(|bytes| bytes.len().next_multiple_of(PAGE)).sum();
        records + self.logs.values().map(|file| file.cached().allocated_bytes()).sum::<usize>()
    }

    fn allocate(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > 0 && self.capacity.is_some_and(|capacity| self.used_bytes() + bytes > capacity) {
            self.counters.enospc += 1;
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        Ok(())
    }

    /// Whether what was written is durable now.
    fn sync(&mut self) -> bool {
        if self.lies {
            self.counters.lies += 1;
        } else {
            self.counters.syncs += 1;
        }
        !self.lies
    }

    fn write_record(&mut self, mount: u64, name: &str, bytes: &[u8]) -> io::Result<()> {
        // A temporary file; the old one keeps its space until it is replaced.
        self.operate(mount)?;
        self.allocate(bytes.len().next_multiple_of(PAGE))?;
        self.counters.writes += 1;
        self.operate(mount)?;
        self.sync();
        let bytes = Some(Arc::new(bytes.to_vec()));
        self.rename(mount, name, bytes)
    }

    /// Puts a synced file, or none, in the place of a record, and syncs the folder.
    fn rename(&mut self, mount: u64, name: &str, bytes: Option<Arc<Vec<u8>>>) -> io::Result<()> {
        self.alive(mount)?;
        let record = self.records.entry(name.to_owned()).or_default();
        record.cached = bytes;
        record.unsynced = true;
        self.operate(mount)?;
        if self.sync()
            && let Some(record) = self.records.get_mut(name)
        {
            record.durable.clone_from(&record.cached);
            record.unsynced = false;
            if record.durable.is_none() {
                self.records.remove(name);
            }
        }
        Ok(())
    }

    fn file(&mut self, mount: u64, node: NodeId) -> io::Result<&mut File> {
        self.alive(mount)?;
        self.logs.get_mut(&node).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn power_cut(&mut self, chance: &mut Chance) {
        self.stop();
        self.counters.power_cuts += 1;
        for record in self.records.values_mut().filter(|record| record.unsynced) {
            record.unsynced = false;
            if chance.chance(0.5) {
                record.durable.clone_from(&record.cached);
            } else {
                record.cached.clone_from(&record.durable);
                self.counters.lost_unsynced += 1;
            }
        }
        self.records.retain(|_, record| record.durable.is_some());
        let counters = &mut self.counters;
        self.logs.retain(|_, file| {
            let (lost, exists) = file.power_cut(chance);
            counters.lost_unsynced += lost.whole;
            counters.torn += lost.torn;
            exists
        });
    }

    fn stop(&mut self) {
        self.mounted = None;
        self.cut_in = None;
    }

    fn put(&mut self, image: &Image) {
        let record = |bytes: &Arc<Vec<u8>>| {
            let bytes = Some(Arc::clone(bytes));
            Record { durable: bytes.clone(), cached: bytes, unsynced: false }
        };
        self.records = image.records.iter().map(|(name, bytes)| (name.clone(), record(bytes))).collect();
        self.logs = image.logs.iter().map(|(node, content)| (*node, File::of(content.clone()))).collect();
    }
}

impl SimDisk {
    /// A new, empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same content.
    pub fn of(image: &Image) -> Self {
        let disk = Self::new();
        disk.lock().put(image);
        disk
    }

    fn lock(&self) -> MutexGuard<'_, Hardware> {
        self.hardware.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the next run of the agent; ends the last one. `chance` draws the times that its work takes.
    pub fn mount(&self, latency: Latency, chance: Chance) -> Arc<Mounted> {
        let mut hardware = self.lock();
        hardware.mounts += 1;
        hardware.mounted = Some(hardware.mounts);
        hardware.open.clear();
        // Their times are those of the last run's clock.
        hardware.before_work = Stall::default();
        hardware.before_answer = Stall::default();
        let number = hardware.mounts;
        drop(hardware);
        Arc::new(Mounted {
            disk: self.clone(),
            number,
            bench: Arc::new(SimBench::new(self.clone(), latency, chance)),
        })
    }

    /// Nothing is mounted: since [`SimDisk::kill`], [`SimDisk::power_cut`], or because the power failed within the
    /// work ([`SimDisk::cut_after`]), which the owner completes with `power_cut` at the end of the quantum.
    pub fn is_dead(&self) -> bool {
        self.lock().mounted.is_none()
    }

    /// The process ends, the machine lives: nothing that it has written is lost.
    pub fn kill(&self) {
        self.lock().stop();
    }

    /// The machine loses power: unsynced writes survive or not, sector by sector; unsynced records as a whole.
    pub fn power_cut(&self, chance: &mut Chance) {
        self.lock().power_cut(chance);
    }

    /// The power fails within the work, after so many operations more (writes, syncs, new lengths; a record takes
    /// three), also of the next run. The next one and all after it fail. A `kill` or `power_cut` before that calls it
    /// off.
    pub fn cut_after(&self, operations: u64) {
        self.lock().cut_in = Some(operations);
    }

    /// Whether the power is still to fail within the work: [`SimDisk::cut_after`].
    pub fn is_to_be_cut(&self) -> bool {
        self.lock().cut_in.is_some()
    }

    /// The disk takes so many bytes more, in pages of 4 KiB; or any number again.
    pub fn fill(&self, bytes_left: Option<u64>) {
        let mut hardware = self.lock();
        let used = hardware.used_bytes();
        hardware.capacity =
            bytes_left.map(|left| used.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
    }

    /// The disk takes nothing more, as others write on it too and take what gets free.
    pub fn fill_for_good(&self) {
        self.lock().capacity = Some(0);
    }

    /// After so many operations more, all writes and syncs fail, until [`SimDisk::mend`].
    pub fn break_writes(&self, operations: u64) {
        self.lock().break_in = Some(operations);
    }

    /// Ends [`SimDisk::break_writes`] and [`SimDisk::stall`], and calls off [`SimDisk::cut_after`].
    pub fn mend(&self) {
        let mut hardware = self.lock();
        hardware.break_in = None;
        hardware.cut_in = None;
        hardware.before_work = Stall::default();
        hardware.before_answer = Stall::default();
    }

    /// Whether syncs are answered without being done: of what is written then, a power cut loses what it likes.
    pub fn lie(&self, lies: bool) {
        self.lock().lies = lies;
    }

    /// Holds up the log's next work, and all that comes in that time, of the machine's own clock.
    pub fn stall(&self, moment: Moment, time: Duration) {
        self.stalled(moment, |stall| stall.arm(time));
        self.lock().counters.stalls += 1;
    }

    fn stalled<R>(&self, moment: Moment, with: impl FnOnce(&mut Stall) -> R) -> R {
        let mut hardware = self.lock();
        with(match moment {
            Moment::BeforeWork => &mut hardware.before_work,
            Moment::BeforeAnswer => &mut hardware.before_answer,
        })
    }

    /// What is durable now.
    pub fn image(&self) -> Image {
        let hardware = self.lock();
        let records = hardware.records.iter();
        let logs = hardware.logs.iter();
        Image {
            records: records
                .filter_map(|(name, record)| Some((name.clone(), record.durable.clone()?)))
                .collect(),
            logs: logs.filter_map(|(node, file)| Some((*node, file.durable()?.clone()))).collect(),
        }
    }

    /// Rolls the disk back to an image; what ran on it is off.
    pub fn restore(&self, image: &Image) {
        let mut hardware = self.lock();
        hardware.stop();
        hardware.put(image);
        hardware.counters.rollbacks += 1;
    }

    /// What has happened to it so far.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }
}

/// The disk as one run of the agent sees it. After the run every operation fails.
#[derive(Debug)]
pub struct Mounted {
    disk: SimDisk,
    number: u64,
    bench: Arc<SimBench>,
}

impl Mounted {
    /// Where the work of its logs is done.
    pub fn bench(&self) -> Arc<SimBench> {
        Arc::clone(&self.bench)
    }

    /// The storage of a log's database, created if need be; open once at a time.
    ///
    /// # Errors
    /// When it is open, or nothing is mounted.
    pub fn backend(&self, node: NodeId) -> io::Result<impl StorageBackend> {
        let mut hardware = self.disk.lock();
        hardware.alive(self.number)?;
        if !hardware.open.insert(node) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        hardware.logs.entry(node).or_default();
        Ok(Backend { disk: self.disk.clone(), mount: self.number, node })
    }
}

impl Disk for Mounted {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let hardware = self.disk.lock();
        hardware.alive(self.number)?;
        let bytes = hardware.records.get(name).and_then(|record| record.cached.as_deref());
        match bytes {
            Some(bytes) if bytes.len() > RECORD_BYTES_MAX => {
                Err(io::Error::from(io::ErrorKind::FileTooLarge))
            }
            bytes => Ok(bytes.cloned()),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().write_record(self.number, name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        hardware.alive(self.number)?;
        if hardware.records.get(name).is_none_or(|record| record.cached.is_none()) {
            return Ok(());
        }
        hardware.operate(self.number)?;
        hardware.counters.writes += 1;
        hardware.rename(self.number, name, None)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let hardware = self.disk.lock();
        hardware.alive(self.number)?;
        let folder = format!("{folder}/");
        let there = |(name, record): (&String, &Record)| {
            let bytes = record.cached.as_ref().filter(|_| name.starts_with(&folder))?;
            Some((name.clone(), u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
        };
        Ok(hardware.records.iter().filter_map(there).collect())
    }

    fn bench(&self) -> Arc<dyn Bench> {
        self.bench()
    }

    fn open_log(&self, node: NodeId) -> Result<LogStore, StartError> {
        let backend = self.backend(node).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => StartError::InUse,
            _ => StartError::Io(error),
        })?;
        let bench: Arc<dyn Bench> = self.bench();
        Ok(LogStore::open(backend)?.on(bench))
    }

    fn logs(&self) -> io::Result<Vec<NodeId>> {
        let hardware = self.disk.lock();
        hardware.alive(self.number)?;
        Ok(hardware.logs.keys().copied().collect())
    }

    fn remove_log(&self, node: NodeId) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        hardware.alive(self.number)?;
        if hardware.open.contains(&node) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        hardware.operate(self.number)?;
        hardware.counters.writes += 1;
        hardware.operate(self.number)?;
        // A lie would bring a whole log back, under an id that is never used again: nothing that a test could want.
        hardware.counters.syncs += 1;
        hardware.logs.remove(&node).map(drop).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn set_log_aside(&self, node: NodeId, _name: &str) -> io::Result<()> {
        // Nobody reads it any more.
        self.remove_log(node)
    }

    fn place(&self, name: &str) -> String {
        format!("the record {name} on the simulated disk")
    }
}

#[derive(Debug)]
struct Backend {
    disk: SimDisk,
    mount: u64,
    node: NodeId,
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().file(self.mount, self.node)?.cached().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.lock().file(self.mount, self.node)?.cached().read(place(offset)?, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        hardware.operate(self.mount)?;
        hardware.file(self.mount, self.node)?.set_len(place(len)?);
        hardware.counters.writes += 1;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        hardware.operate(self.mount)?;
        if hardware.sync() {
            hardware.file(self.mount, self.node)?.sync();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        hardware.operate(self.mount)?;
        let offset = place(offset)?;
        let bytes = hardware.file(self.mount, self.node)?.cached().bytes_to_allocate(offset, data.len());
        hardware.allocate(bytes)?;
        hardware.file(self.mount, self.node)?.write(offset, data)?;
        hardware.counters.writes += 1;
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        let mut hardware = self.disk.lock();
        if hardware.alive(self.mount).is_ok() {
            hardware.open.remove(&self.node);
        }
        Ok(())
    }
}
