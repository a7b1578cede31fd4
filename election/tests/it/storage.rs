//! Logs on disk: newer formats, other nodes' logs, damage.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, StorageBackend, TableDefinition};
use seatkeeper_election::{EngineConfig, LogStore, ProposeError, StartError};

use crate::office::{Office, node_id};

const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");

pub(crate) fn entries_on_disk(path: &Path) -> u64 {
    let db = Database::open(path).unwrap();
    let txn = db.begin_read().unwrap();
    let entries = txn.open_table(LOG).unwrap().len().unwrap();
    drop(txn);
    entries
}

fn edit(path: &Path, edit: impl FnOnce(&redb::WriteTransaction)) {
    let db = Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    edit(&txn);
    txn.commit().unwrap();
}

/// A log with some entries, closed.
async fn written() -> Office {
    let mut office = Office::of_voters(1).await;
    for n in 0..20 {
        office.propose(1, &format!("c{n}")).await.unwrap();
    }
    office.close(1).await;
    office
}

#[tokio::test(start_paused = true)]
async fn a_newer_format_is_told_apart_from_damage() {
    let mut office = written().await;
    edit(&office.log_path(1), |txn| {
        txn.open_table(META).unwrap().insert("format", 2u64.to_le_bytes().as_slice()).unwrap();
    });
    let refused = office.try_open(1, node_id(1)).await;
    assert!(matches!(refused, Err(StartError::NewerFormat { found: 2, known: 1 })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn another_nodes_log_is_refused() {
    let mut office = written().await;
    let refused = office.try_open(1, 999).await;
    assert!(matches!(refused, Err(StartError::WrongNode { stored: 101, given: 999 })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hole_or_rubbish_in_the_log_is_damage() {
    for damage in [0, 1, 2] {
        let mut office = written().await;
        edit(&office.log_path(1), |txn| match damage {
            0 => drop(txn.open_table(LOG).unwrap().remove(5).unwrap()),
            1 => drop(txn.open_table(LOG).unwrap().insert(5, [0xff; 9].as_slice()).unwrap()),
            _ => drop(txn.open_table(META).unwrap().insert("vote", [].as_slice()).unwrap()),
        });
        let refused = office.try_open(1, node_id(1)).await;
        assert!(matches!(refused, Err(StartError::Corrupt(_))), "{damage}: {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_in_use_is_refused() {
    let office = Office::of_voters(1).await;
    assert!(matches!(LogStore::open_file(office.log_path(1)), Err(StartError::InUse)));
}

#[test]
fn a_file_of_something_else_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
    let refused = LogStore::open_file(&path);
    assert!(matches!(refused, Err(StartError::Corrupt(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn damaged_bytes_anywhere_never_panic() {
    let office = written().await;
    let sound = std::fs::read(office.log_path(1)).unwrap();
    let path = office.log_path(9);
    for at in (0..sound.len()).step_by(sound.len() / 64) {
        let mut damaged = sound.clone();
        damaged[at..].iter_mut().take(512).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(&path, &damaged).unwrap();
        // Whether it is noticed depends on whether the place is used; it must not panic.
        let _ = LogStore::open_file(&path);
    }
    std::fs::write(&path, &sound[..sound.len() / 3]).unwrap();
    assert!(LogStore::open_file(&path).is_err());
}

/// A disk that fills up when told.
#[derive(Debug, Default)]
struct Disk {
    memory: InMemoryBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.memory.write(offset, data)
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_the_engine_and_shows() {
    let (disk, mut office) = (Disk::default(), Office::with(EngineConfig::default()));
    let full = Arc::clone(&disk.full);
    office.open_on(1, node_id(1), LogStore::open(disk).unwrap()).await.unwrap();
    office.engine(1).initialize().await.unwrap();
    office.leader().await;
    office.propose(1, "a").await.unwrap();
    full.store(true, Ordering::SeqCst);
    assert_eq!(office.propose(1, "b").await, Err(ProposeError::Unknown));
    let status = office.wait(1, |status| status.fatal.is_some()).await;
    assert!(!status.is_leader && !status.quorum_ok);
    assert!(matches!(office.propose(1, "c").await, Err(ProposeError::Stopped(_))));
    assert_eq!(office.desks[&1].commands(), ["a"]);
}
