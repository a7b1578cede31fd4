//! Log, vote and snapshot of one node, in one redb database.
//!
//! All writes go through one bounded queue to one writer, which commits whatever has gathered at once: many entries,
//! one fsync. An entry can be read as soon as it is queued; it is acknowledged once it is on the disk.

mod raft;
mod salvage;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use seatkeeper_protocol::frame;
use seatkeeper_protocol::id::NodeId;
use seatkeeper_protocol::limits::{COMMAND_BYTES_MAX, RAFT_FRAME_BYTES_MAX};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::engine::error::StartError;
use crate::seam::{Bench, Threads};
use crate::types::{Entry, LogId, SnapshotMeta, Vote};
use crate::wire::{WireEntry, WireLogId, WireSnapshotMeta, WireVote};
use writer::Job;

pub use salvage::Salvaged;

/// The format this release reads and writes.
pub const FORMAT: u64 = 1;

const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");
const SNAPSHOT: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("snapshot");

const KEY_FORMAT: &str = "format";
const KEY_NODE: &str = "node";
const KEY_VOTE: &str = "vote";
const KEY_COMMITTED: &str = "committed";
const KEY_PURGED: &str = "purged";
const KEY_SNAPSHOT_META: &str = "meta";
const KEY_SNAPSHOT_DATA: &str = "data";

/// Jobs waiting for the disk; who wants more waits.
const QUEUE: usize = 1_024;
/// Entries kept in memory for readers after they are on the disk: by number and by size.
const CACHE_ENTRIES: usize = 2_048;
const CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Memory redb may use for pages, bytes.
const PAGE_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of commands that one read hands out, so that a frame never overflows.
const READ_BYTES_MAX: usize = 1024 * 1024;
const _: () =
    assert!(2 * READ_BYTES_MAX + COMMAND_BYTES_MAX < RAFT_FRAME_BYTES_MAX, "a read fits into a frame");

/// An opened log, not yet driven by an engine.
pub struct LogStore {
    db: Database,
    loaded: Loaded,
    bench: Arc<dyn Bench>,
}

impl fmt::Debug for LogStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStore").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Loaded {
    node: Option<NodeId>,
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    snapshot: Option<SnapshotMeta>,
    snapshot_bytes: u64,
}

impl LogStore {
    /// Opens or creates the log in the file at `path`.
    ///
    /// # Errors
    /// When the file is in use, damaged, or of a newer format.
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self, StartError> {
        let path = path.as_ref();
        guarded(|| Self::from_result(builder().create(path)))
    }

    /// Opens or creates the log on any storage.
    ///
    /// # Errors
    /// As [`LogStore::open_file`].
    pub fn open(backend: impl StorageBackend) -> Result<Self, StartError> {
        guarded(|| Self::from_result(builder().create_with_backend(backend)))
    }

    /// Has the work that waits for the disk done on `bench`; by default on the runtime's threads.
    #[must_use]
    pub fn on(self, bench: Arc<dyn Bench>) -> Self {
        Self { bench, ..self }
    }

    /// Whose log this is; `None` for a new one. A node id is never used for another log.
    pub fn node(&self) -> Option<NodeId> {
        self.loaded.node
    }

    fn from_result(db: Result<Database, DatabaseError>) -> Result<Self, StartError> {
        let db = db.map_err(open_error)?;
        let loaded = load(&db)?;
        Ok(Self { db, loaded, bench: Arc::new(Threads) })
    }

    /// Claims the log for `node`, or checks that it is that node's.
    pub(crate) fn claim(&mut self, node: NodeId) -> Result<(), StartError> {
        match self.loaded.node {
            Some(stored) if stored == node => return Ok(()),
            Some(stored) => return Err(StartError::WrongNode { stored, given: node }),
            None => {}
        }
        let write = || -> Result<(), redb::Error> {
            let txn = self.db.begin_write()?;
            {
                let mut meta = txn.open_table(META)?;
                meta.insert(KEY_FORMAT, FORMAT.to_le_bytes().as_slice())?;
                meta.insert(KEY_NODE, node.to_le_bytes().as_slice())?;
                txn.open_table(LOG)?;
                txn.open_table(SNAPSHOT)?;
            }
            txn.commit()?;
            Ok(())
        };
        write().map_err(|error| StartError::Io(io::Error::other(error)))?;
        self.loaded.node = Some(node);
        Ok(())
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(PAGE_CACHE_BYTES);
    builder
}

/// A damaged file may trip an assertion inside the database; that must not take the agent down.
fn guarded<R>(open: impl FnOnce() -> Result<R, StartError>) -> Result<R, StartError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(open))
        .unwrap_or_else(|_| Err(StartError::Corrupt("the database does not hold together".to_owned())))
}

fn open_error(error: DatabaseError) -> StartError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StartError::InUse,
        DatabaseError::UpgradeRequired(version) => {
            StartError::Corrupt(format!("database layout {version} is not supported"))
        }
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            StartError::Corrupt(error.to_string())
        }
        DatabaseError::Storage(redb::StorageError::Io(error)) => StartError::Io(error),
        other => StartError::Corrupt(other.to_string()),
    }
}

fn bytes_of(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

fn corrupt(error: impl ToString) -> StartError {
    StartError::Corrupt(error.to_string())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StartError> {
    frame::decode_body(bytes).map_err(corrupt)
}

fn decode_u64(bytes: &[u8]) -> Result<u64, StartError> {
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| corrupt("a number has the wrong length"))
}

/// Reads what the log begins with and walks through every entry, so that damage shows now and not in an election.
fn load(db: &Database) -> Result<Loaded, StartError> {
    let mut loaded = Loaded::default();
    let txn = db.begin_read().map_err(corrupt)?;
    let meta = match txn.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(loaded),
        Err(error) => return Err(corrupt(error)),
    };
    let get = |key: &str| meta.get(key).map_err(corrupt);
    let found = match get(KEY_FORMAT)? {
        Some(bytes) => decode_u64(bytes.value())?,
        None => return Err(corrupt("the format is missing")),
    };
    if found > FORMAT {
        return Err(StartError::NewerFormat { found, known: FORMAT });
    }
    loaded.node = get(KEY_NODE)?.map(|bytes| decode_u64(bytes.value())).transpose()?;
    let log_id = |key: &str| -> Result<Option<LogId>, StartError> {
        Ok(get(key)?
            .map(|bytes| decode::<Option<WireLogId>>(bytes.value()))
            .transpose()?
            .flatten()
            .map(LogId::from))
    };
    loaded.committed = log_id(KEY_COMMITTED)?;
    loaded.purged = log_id(KEY_PURGED)?;
    loaded.vote = get(KEY_VOTE)?.map(|bytes| decode::<WireVote>(bytes.value())).transpose()?.map(Vote::from);
    let snapshot = txn.open_table(SNAPSHOT).map_err(corrupt)?;
    loaded.snapshot = match snapshot.get(KEY_SNAPSHOT_META).map_err(corrupt)? {
        Some(bytes) => {
            let meta = decode::<WireSnapshotMeta>(bytes.value())?;
            Some(SnapshotMeta::try_from(meta).map_err(corrupt)?)
        }
        None => None,
    };
    let data = snapshot.get(KEY_SNAPSHOT_DATA).map_err(corrupt)?;
    loaded.snapshot_bytes = data.map_or(0, |data| bytes_of(data.value()));
    loaded.last = loaded.purged;
    let log = txn.open_table(LOG).map_err(corrupt)?;
    for item in log.iter().map_err(corrupt)? {
        let (index, bytes) = item.map_err(corrupt)?;
        let entry = decode::<WireEntry>(bytes.value())?.entry().map_err(corrupt)?;
        let expected = loaded.last.map_or(0, |id| id.index.saturating_add(1));
        if entry.log_id.index != index.value() || entry.log_id.index != expected {
            return Err(corrupt(format!("entry {expected} of the log is missing")));
        }
        loaded.last = Some(entry.log_id);
    }
    Ok(loaded)
}

/// The log as the engine uses it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: RwLock<Option<Database>>,
    shared: Mutex<Shared>,
    jobs: mpsc::Sender<Job>,
    bench: Arc<dyn Bench>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// What readers see: the newest state, partly not on the disk yet.
#[derive(Debug)]
struct Shared {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    snapshot: Option<SnapshotMeta>,
    snapshot_bytes: u64,
    /// A suffix of the log without holes: everything that may not be on the disk, and some of what is.
    cache: BTreeMap<u64, Cached>,
    cache_bytes: usize,
}

#[derive(Debug)]
struct Cached {
    entry: Entry,
    bytes: usize,
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the log is closed")
}

fn failed() -> io::Error {
    io::Error::other("work on the log's file broke off")
}

/// Does `work` on `bench`; `None`: it has panicked.
async fn work<R: Send + 'static>(bench: &dyn Bench, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (done, result) = oneshot::channel();
    let work = Box::new(move || {
        // Nobody who waits any more needs the result.
        let _ = done.send(work());
    });
    bench.run(work).await;
    result.await.ok()
}

impl Store {
    /// Starts the writer on the current runtime.
    pub(crate) fn start(log: LogStore) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let LogStore { db, loaded, bench } = log;
        let shared = Shared {
            vote: loaded.vote,
            committed: loaded.committed,
            purged: loaded.purged,
            last: loaded.last,
            snapshot: loaded.snapshot,
            snapshot_bytes: loaded.snapshot_bytes,
            cache: BTreeMap::new(),
            cache_bytes: 0,
        };
        let inner = Arc::new(Inner { db: RwLock::new(Some(db)), shared: Mutex::new(shared), jobs, bench });
        tokio::spawn(writer::run(Arc::downgrade(&inner), queue));
        Self { inner }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.inner.shared()
    }

    /// Writes what is queued and closes the database, so that it can be opened again. Later calls fail.
    pub(crate) async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.send(Job::Flush { done }).await.is_ok() {
            let _ = wait.await;
        }
        let db = self.inner.db.write().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.bench.run(Box::new(move || drop(db))).await;
    }

    async fn send(&self, job: Job) -> io::Result<()> {
        self.inner.jobs.send(job).await.map_err(|_| closed())
    }

    async fn send_and_wait(
        &self,
        job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job,
    ) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.send(job(done)).await?;
        wait.await.map_err(|_| closed())?
    }

    /// Runs `read` on the database, off the runtime's threads.
    async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let inner = Arc::clone(&self.inner);
        work(&*self.inner.bench, move || inner.with_db(read)).await.ok_or_else(failed)?
    }

    pub(crate) fn snapshot_meta(&self) -> Option<SnapshotMeta> {
        self.shared().snapshot.clone()
    }

    /// How many entries the log has, and how many bytes the snapshot.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let shared = self.shared();
        let index = |id: &Option<LogId>| id.as_ref().map_or(0, |id| id.index);
        (index(&shared.last).saturating_sub(index(&shared.purged)), shared.snapshot_bytes)
    }

    /// The snapshot on the disk.
    pub(crate) async fn load_snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        self.read(|db| {
            let txn = db.begin_read().map_err(io::Error::other)?;
            let table = txn.open_table(SNAPSHOT).map_err(io::Error::other)?;
            let meta = table.get(KEY_SNAPSHOT_META).map_err(io::Error::other)?;
            let data = table.get(KEY_SNAPSHOT_DATA).map_err(io::Error::other)?;
            let (Some(meta), Some(data)) = (meta, data) else { return Ok(None) };
            let meta: WireSnapshotMeta = frame::decode_body(meta.value()).map_err(io::Error::other)?;
            let meta = SnapshotMeta::try_from(meta).map_err(io::Error::other)?;
            Ok(Some((meta, data.value().to_vec())))
        })
        .await
    }

    /// Replaces the snapshot, durably and in one piece. An older one than there is, is dropped.
    pub(crate) async fn save_snapshot(&self, meta: &SnapshotMeta, data: Vec<u8>) -> io::Result<()> {
        {
            let mut shared = self.shared();
            let newer = shared.snapshot.as_ref().is_some_and(|old| old.last_log_id > meta.last_log_id);
            if newer {
                return Ok(());
            }
            shared.snapshot = Some(meta.clone());
            shared.snapshot_bytes = bytes_of(&data);
        }
        let meta = postcard::to_stdvec(&WireSnapshotMeta::from(meta)).map_err(io::Error::other)?;
        self.send_and_wait(|done| Job::Snapshot { meta, data, done }).await
    }

    /// Entries of `range`, in order, from memory or disk; stops early at a size that fits a frame if `bounded`.
    async fn entries(&self, range: impl RangeBounds<u64>, bounded: bool) -> io::Result<Vec<Entry>> {
        let (from, until, mut found) = {
            let shared = self.shared();
            let (from, until) = shared.clamp(range);
            if from >= until {
                return Ok(Vec::new());
            }
            let found: Vec<Entry> =
                shared.cache.range(from..until).map(|(_, cached)| cached.entry.clone()).collect();
            (from, until, found)
        };
        // What is not in memory is on the disk: the writer drops it from memory only then.
        let on_disk_until = found.first().map_or(until, |entry| entry.log_id.index);
        if from < on_disk_until {
            let mut entries = self.read(move |db| read_entries(db, from, on_disk_until, bounded)).await?;
            let joins = entries.last().is_none_or(|entry| entry.log_id.index + 1 == on_disk_until);
            if joins {
                entries.append(&mut found);
            }
            found = entries;
        }
        if bounded {
            // Purged while we looked: better nothing than something with a gap before it.
            if found.first().is_some_and(|entry| entry.log_id.index != from) {
                return Ok(Vec::new());
            }
            let mut bytes = 0;
            let fits = found.iter().take_while(|entry| {
                let first = bytes == 0;
                bytes += size_of_entry(entry);
                first || bytes <= READ_BYTES_MAX
            });
            let fits = fits.count();
            found.truncate(fits);
        }
        Ok(found)
    }
}

fn size_of_entry(entry: &Entry) -> usize {
    64 + match &entry.payload {
        openraft::EntryPayload::Normal(command) => command.0.len(),
        _ => 1_024,
    }
}

fn read_entries(db: &Database, from: u64, until: u64, bounded: bool) -> io::Result<Vec<Entry>> {
    let txn = db.begin_read().map_err(io::Error::other)?;
    let table = txn.open_table(LOG).map_err(io::Error::other)?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    for item in table.range(from..until).map_err(io::Error::other)? {
        let (_, value) = item.map_err(io::Error::other)?;
        let entry: WireEntry = frame::decode_body(value.value()).map_err(io::Error::other)?;
        bytes += value.value().len();
        entries.push(entry.entry().map_err(io::Error::other)?);
        if bounded && bytes > READ_BYTES_MAX {
            break;
        }
    }
    Ok(entries)
}

impl Inner {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_db<R>(&self, run: impl FnOnce(&Database) -> io::Result<R>) -> io::Result<R> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        db.as_ref().map_or_else(|| Err(closed()), run)
    }
}

impl Shared {
    /// The part of `range` that exists: from, until (exclusive).
    fn clamp(&self, range: impl RangeBounds<u64>) -> (u64, u64) {
        use std::ops::Bound;
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let until = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(until) => *until,
            Bound::Unbounded => u64::MAX,
        };
        let first = self.purged.map_or(0, |id| id.index.saturating_add(1));
        let end = self.last.map_or(0, |id| id.index.saturating_add(1));
        (from.max(first), until.min(end))
    }

    fn remember(&mut self, entry: Entry, bytes: usize) {
        self.last = Some(entry.log_id);
        self.cache_bytes += bytes;
        self.cache.insert(entry.log_id.index, Cached { entry, bytes });
    }

    fn forget_from(&mut self, index: u64) {
        let gone = self.cache.split_off(&index);
        self.cache_bytes -= gone.values().map(|cached| cached.bytes).sum::<usize>();
    }

    fn forget_until(&mut self, index: u64) {
        while let Some(first) = self.cache.first_entry() {
            if *first.key() > index {
                break;
            }
            self.cache_bytes -= first.remove().bytes;
        }
    }

    /// Drops entries from memory that are on the disk, beyond what is worth keeping.
    fn trim(&mut self, on_disk: u64) {
        while self.cache.len() > CACHE_ENTRIES || self.cache_bytes > CACHE_BYTES {
            match self.cache.first_entry() {
                Some(first) if *first.key() <= on_disk => self.cache_bytes -= first.remove().bytes,
                _ => break,
            }
        }
    }
}
