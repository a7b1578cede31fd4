use std::future::ready;
use std::ops::RangeInclusive;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use seatkeeper_election::seam::{Channel, Clock, Transport};
use seatkeeper_election::{Engine, EngineConfig, Peer, RestoreError, StateMachine};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};
use tokio::time::Instant;

use super::*;

const NODE: NodeId = 7;

fn mount(disk: &SimDisk) -> Arc<Mounted> {
    disk.mount(Latency::NONE, Chance::new(1))
}

#[track_caller]
fn check_error<T: fmt::Debug>(result: io::Result<T>, kind: io::ErrorKind) {
    assert_eq!(result.unwrap_err().kind(), kind);
}

/// What a database is to hold.
type Table = BTreeMap<u64, u64>;

const TABLE: TableDefinition<'static, u64, u64> = TableDefinition::new("table");

fn open(mounted: &Mounted) -> Result<Database, redb::Error> {
    let backend = mounted.backend(NODE)?;
    Ok(Database::builder().set_cache_size(1 << 20).create_with_backend(backend)?)
}

fn content(db: &Database) -> Result<Table, redb::Error> {
    let txn = db.begin_read()?;
    let table = match txn.open_table(TABLE) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Table::new()),
        table => table?,
    };
    table
        .iter()?
        .map(|item| item.map(|(key, value)| (key.value(), value.value())))
        .collect::<Result<_, _>>()
        .map_err(Into::into)
}

/// One commit that changes several keys in all corners of the tree.
fn commit(db: &Database, next: &mut Table, chance: &mut Chance) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    let changes: Vec<_> =
        (0..chance.range(1..=20)).map(|_| (chance.range(0..=2_000), chance.number())).collect();
    for (key, value) in &changes {
        if chance.chance(0.2) {
            next.remove(key)
        } else {
            next.insert(*key, *value)
        };
    }
    {
        let mut table = txn.open_table(TABLE)?;
        for (key, _) in changes {
            match next.get(&key) {
                Some(value) => table.insert(key, value)?,
                None => table.remove(key)?,
            };
        }
    }
    txn.commit()?;
    Ok(())
}

/// One life of a database, from power cut to power cut; `acknowledged` is what it has promised.
fn live(disk: &SimDisk, acknowledged: &mut Table, chance: &mut Chance) {
    if chance.chance(0.8) {
        disk.cut_after(chance.range(0..=40));
    }
    let mounted = mount(disk);
    let mut next = acknowledged.clone();
    // Opening can be cut off as well.
    let opened = open(&mounted);
    if let Ok(db) = &opened
        && let Ok(found) = content(db)
    {
        assert_eq!(&found, acknowledged);
        for _ in 0..chance.range(0..=8) {
            if commit(db, &mut next, chance).is_err() {
                break;
            }
            acknowledged.clone_from(&next);
        }
    }
    let cut_within = disk.is_dead();
    disk.power_cut(chance);
    // Only now, so that the disk has a database that was not closed.
    drop(opened);
    let db = open(&mount(disk)).unwrap();
    let found = content(&db).unwrap();
    assert!(&found == acknowledged || (cut_within && found == next), "neither before nor after the commit");
    *acknowledged = found;
    disk.power_cut(chance);
}

#[test]
fn a_database_keeps_what_it_acknowledged_through_a_thousand_power_cuts() {
    let mut lost = Counters::default();
    for seed in 0..10 {
        let mut chance = Chance::new(seed);
        let disk = SimDisk::new();
        let mut acknowledged = Table::new();
        for _ in 0..50 {
            live(&disk, &mut acknowledged, &mut chance);
        }
        assert!(!acknowledged.is_empty());
        lost += disk.counters();
    }
    assert_eq!(lost.power_cuts, 1_000);
    assert!(lost.cuts_within > 200 && lost.lost_unsynced > 200 && lost.torn > 200, "{lost:?}");
}

/// The test above would notice: on a disk that lies, commits are lost.
#[test]
fn a_disk_that_lies_loses_what_was_acknowledged() {
    let lost = (0..50).filter(|seed| {
        let mut chance = Chance::new(*seed);
        let disk = SimDisk::new();
        let mut table = Table::new();
        let db = open(&mount(&disk)).unwrap();
        commit(&db, &mut table, &mut chance).unwrap();
        disk.lie(true);
        commit(&db, &mut table, &mut chance).unwrap();
        disk.power_cut(&mut chance);
        disk.lie(false);
        let kept = open(&mount(&disk)).and_then(|db| content(&db));
        kept.map_or(true, |kept| kept != table)
    });
    assert!((10..50).contains(&lost.count()));
}

#[test]
fn what_a_killed_process_wrote_is_there() {
    let disk = SimDisk::new();
    let mut table = Table::new();
    let mut chance = Chance::new(1);
    let mounted = mount(&disk);
    disk.lie(true);
    let db = open(&mounted).unwrap();
    commit(&db, &mut table, &mut chance).unwrap();
    mounted.write("site", b"new").unwrap();
    disk.kill();
    assert!(disk.is_dead());
    let mounted = mount(&disk);
    assert_eq!(content(&open(&mounted).unwrap()).unwrap(), table);
    assert_eq!(mounted.read("site").unwrap().unwrap(), b"new");
    assert_eq!(disk.counters().lost_unsynced, 0);
}

#[test]
fn nothing_of_an_earlier_run_can_write() {
    let disk = SimDisk::new();
    let old = mount(&disk);
    old.write("site", b"old").unwrap();
    let backend = old.backend(NODE).unwrap();
    backend.set_len(4096).unwrap();
    let check = || {
        check_error(old.read("site"), io::ErrorKind::NotConnected);
        check_error(old.write("site", b"zombie"), io::ErrorKind::NotConnected);
        check_error(old.remove("site"), io::ErrorKind::NotConnected);
        check_error(old.logs(), io::ErrorKind::NotConnected);
        check_error(old.remove_log(NODE), io::ErrorKind::NotConnected);
        check_error(backend.write(0, &[1]), io::ErrorKind::NotConnected);
        check_error(backend.sync_data(), io::ErrorKind::NotConnected);
        check_error(backend.set_len(0), io::ErrorKind::NotConnected);
        check_error(backend.read(0, &mut [0]), io::ErrorKind::NotConnected);
        check_error(backend.len(), io::ErrorKind::NotConnected);
        assert!(matches!(old.open_log(NODE), Err(StartError::Io(_))));
    };
    disk.kill();
    check();
    let new = mount(&disk);
    check();
    assert_eq!(new.read("site").unwrap().unwrap(), b"old");
    // The old run's database closes late; the new one's stays open.
    let held = new.backend(NODE).unwrap();
    backend.close().unwrap();
    check_error(new.backend(NODE), io::ErrorKind::ResourceBusy);
    check_error(new.remove_log(NODE), io::ErrorKind::ResourceBusy);
    held.close().unwrap();
    new.remove_log(NODE).unwrap();
    assert!(new.logs().unwrap().is_empty());
}

#[test]
fn a_record_is_old_or_new_and_new_once_acknowledged() {
    let (mut old_left, mut new_left) = (0, 0);
    for seed in 0..200 {
        let mut chance = Chance::new(seed);
        let disk = SimDisk::new();
        let mounted = mount(&disk);
        mounted.write("site", b"old").unwrap();
        disk.cut_after(chance.range(0..=3));
        let written = mounted.write("site", b"new");
        disk.power_cut(&mut chance);
        let read = mount(&disk).read("site").unwrap().unwrap();
        assert!(read == b"new" || (written.is_err() && read == b"old"), "{written:?}");
        if written.is_err() {
            *(if read == b"old" { &mut old_left } else { &mut new_left }) += 1;
        }
    }
    assert!(old_left > 50 && new_left > 10, "{old_left} {new_left}");
}

#[test]
fn a_removed_record_stays_away() {
    let mut removed = 0;
    for seed in 0..50 {
        let mut chance = Chance::new(seed);
        let disk = SimDisk::new();
        let mounted = mount(&disk);
        mounted.remove("site").unwrap();
        mounted.write("site", b"old").unwrap();
        disk.cut_after(chance.range(0..=2));
        let answer = mounted.remove("site");
        disk.power_cut(&mut chance);
        let read = mount(&disk).read("site").unwrap();
        assert!(read.is_none() || (answer.is_err() && read.unwrap() == b"old"));
        removed += u64::from(answer.is_ok());
    }
    assert!(removed > 5);
}

#[test]
fn a_disk_that_lies_loses_whole_records() {
    let mut lost = 0;
    for seed in 0..50 {
        let disk = SimDisk::new();
        let mounted = mount(&disk);
        mounted.write("site", b"old").unwrap();
        disk.lie(true);
        mounted.write("site", b"new").unwrap();
        assert_eq!(mounted.read("site").unwrap().unwrap(), b"new");
        disk.power_cut(&mut Chance::new(seed));
        lost += u64::from(mount(&disk).read("site").unwrap().unwrap() == b"old");
    }
    assert!((10..40).contains(&lost), "{lost}");
}

#[test]
fn a_full_disk_refuses_and_keeps_what_it_has() {
    let disk = SimDisk::new();
    let mounted = mount(&disk);
    let mut table = Table::new();
    let mut chance = Chance::new(1);
    let db = open(&mounted).unwrap();
    commit(&db, &mut table, &mut chance).unwrap();
    mounted.write("site", b"old").unwrap();
    disk.fill(Some(4096));
    mounted.write("one more", b"fits").unwrap();
    check_error(mounted.write("site", b"new"), io::ErrorKind::StorageFull);
    let mut next = table.clone();
    let refused = std::iter::repeat_with(|| {
        table.clone_from(&next);
        commit(&db, &mut next, &mut chance)
    });
    let error = refused.take(10_000).find_map(Result::err).unwrap();
    assert!(error.to_string().contains("full"), "{error}");
    assert!(disk.counters().enospc >= 2);
    drop(db);
    disk.kill();
    disk.fill(None);
    let mounted = mount(&disk);
    assert_eq!(mounted.read("site").unwrap().unwrap(), b"old");
    assert_eq!(content(&open(&mounted).unwrap()).unwrap(), table);
}

#[test]
fn a_broken_disk_fails_until_it_is_mended() {
    let disk = SimDisk::new();
    let mounted = mount(&disk);
    disk.break_writes(3);
    mounted.write("site", b"old").unwrap();
    for _ in 0..2 {
        check_error(mounted.write("site", b"new"), io::ErrorKind::Other);
        check_error(mounted.remove("site"), io::ErrorKind::Other);
    }
    assert!(open(&mounted).is_err());
    assert_eq!(mounted.read("site").unwrap().unwrap(), b"old");
    assert!(disk.counters().eio >= 5);
    disk.mend();
    open(&mounted).unwrap();
    mounted.write("site", b"new").unwrap();
}

#[test]
fn a_disk_is_rolled_back_and_cloned() {
    let disk = SimDisk::new();
    let mut chance = Chance::new(1);
    let mut table = Table::new();
    let mounted = mount(&disk);
    let db = open(&mounted).unwrap();
    commit(&db, &mut table, &mut chance).unwrap();
    mounted.write("site", b"old").unwrap();
    let (image, before) = (disk.image(), table.clone());
    commit(&db, &mut table, &mut chance).unwrap();
    mounted.write("site", b"new").unwrap();
    mounted.write("more", b"new").unwrap();

    let check = |disk: &SimDisk| {
        assert!(disk.is_dead());
        let mounted = mount(disk);
        assert_eq!(mounted.read("site").unwrap().unwrap(), b"old");
        assert_eq!(mounted.read("more").unwrap(), None);
        assert_eq!(mounted.logs().unwrap(), [NODE]);
        assert_eq!(content(&open(&mounted).unwrap()).unwrap(), before);
    };
    let clone = SimDisk::of(&image);
    check(&clone);
    // The clone's life is its own, and the image is as it was.
    mount(&clone).write("site", b"clone").unwrap();
    assert_eq!(mounted.read("site").unwrap().unwrap(), b"new");
    disk.restore(&image);
    check(&disk);
    assert_eq!(disk.counters().rollbacks, 1);
}

/// A file against a plain vector of bytes.
#[test]
fn a_file_reads_as_written_and_a_sync_keeps_all_of_it() {
    let mut chance = Chance::new(5);
    let disk = SimDisk::new();
    let mut naive = Vec::new();
    let mut backend = mount(&disk).backend(NODE).unwrap();
    backend.sync_data().unwrap();
    for step in 0..3_000 {
        if chance.chance(0.1) {
            naive.resize(chance.index(40_000), 0);
            backend.set_len(naive.len() as u64).unwrap();
        }
        let offset = chance.index(naive.len() + 1);
        let len = chance.index((naive.len() - offset).min(9_000) + 1);
        let bytes: Vec<u8> = (0..len).map(|_| chance.number() as u8).collect();
        naive[offset..offset + len].copy_from_slice(&bytes);
        backend.write(offset as u64, &bytes).unwrap();
        check_error(backend.write(naive.len() as u64, &[0]), io::ErrorKind::UnexpectedEof);
        if step % 7 == 0 {
            backend.sync_data().unwrap();
            disk.power_cut(&mut chance);
            backend = mount(&disk).backend(NODE).unwrap();
        }
        let mut all = vec![1; naive.len()];
        backend.read(0, &mut all).unwrap();
        assert!(all == naive && backend.len().unwrap() == naive.len() as u64, "step {step}");
        let allocated: usize = disk.lock().logs[&NODE].cached().allocated_bytes();
        assert!(allocated <= naive.len().next_multiple_of(PAGE));
    }
    assert_eq!(disk.counters().lost_unsynced + disk.counters().torn, 0);
}

/// After a power cut each sector is what the cache held at some moment since the last sync.
#[test]
fn a_torn_file_has_whole_sectors() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let disk = SimDisk::new();
        let backend = mount(&disk).backend(NODE).unwrap();
        backend.set_len(1024).unwrap();
        backend.write(0, &[1; 1024]).unwrap();
        backend.sync_data().unwrap();
        backend.write(0, &[2; 1024]).unwrap();
        backend.write(256, &[3; 512]).unwrap();
        disk.power_cut(&mut Chance::new(seed));
        let mut found = [0; 1024];
        mount(&disk).backend(NODE).unwrap().read(0, &mut found).unwrap();
        let sector = |half: usize| (found[half * 512], found[half * 512 + 256]);
        assert!(matches!(sector(0), (1, 1) | (2, 2) | (2, 3)), "{:?}", sector(0));
        assert!(matches!(sector(1), (1, 1) | (2, 2) | (3, 2)), "{:?}", sector(1));
        seen.insert((sector(0), sector(1)));
    }
    assert_eq!(seen.len(), 9);
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn work_takes_its_time_and_waits_while_the_disk_stalls() {
    let disk = SimDisk::new();
    let ms = Duration::from_millis;
    let latency = Latency { usual: ms(1)..=ms(3), slow: ms(50)..=ms(60), slow_share: 0.05 };
    let bench = disk.mount(latency, Chance::new(3)).bench();
    let run = async |done_within: RangeInclusive<u64>, ended_within: RangeInclusive<u64>| {
        let begun = Instant::now();
        let done = Arc::new(Mutex::new(None));
        let at = Arc::clone(&done);
        bench.run(Box::new(move || *at.lock().unwrap() = Some(Instant::now()))).await;
        let since = |at: Instant| u64::try_from((at - begun).as_millis()).unwrap();
        let (done, ended) = (since(done.lock().unwrap().unwrap()), since(Instant::now()));
        assert!(done_within.contains(&done) && ended_within.contains(&ended), "{done} {ended}");
        ended
    };
    paused().block_on(async {
        let mut slow = 0;
        for _ in 0..200 {
            slow += u64::from(run(1..=61, 2..=122).await >= 50);
        }
        assert!((5..50).contains(&slow), "{slow}");
        disk.stall(Moment::BeforeWork, ms(5_000));
        // Armed by the first, and the second one waits for the rest of it.
        tokio::join!(run(5_001..=5_061, 5_002..=5_122), run(4_900..=5_061, 4_900..=5_122));
        disk.stall(Moment::BeforeAnswer, ms(5_000));
        run(1..=61, 5_002..=5_122).await;
        run(1..=61, 2..=122).await;
        // A mended disk stalls no more, not even who was held up before.
        disk.stall(Moment::BeforeWork, ms(5_000));
        disk.stall(Moment::BeforeAnswer, ms(5_000));
        let mend = async {
            tokio::time::sleep(ms(1_000)).await;
            disk.mend();
        };
        tokio::join!(run(1_000..=1_111, 1_001..=1_172), mend);
        run(1..=61, 2..=122).await;
    });
    assert_eq!(disk.counters().stalls, 4);
}

struct Nowhere;

impl Transport for Nowhere {
    type Stream = tokio::io::DuplexStream;

    fn open(&self, _: DeviceId, _: Channel) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        ready(Err(io::Error::from(io::ErrorKind::HostUnreachable)))
    }
}

struct Stopped;

impl Clock for Stopped {
    fn mono(&self) -> BootTime {
        BootTime(0)
    }

    fn wall(&self) -> WallTime {
        WallTime(0)
    }
}

/// Keeps every command.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u64>>>);

impl StateMachine for Tape {
    fn apply(&mut self, _: u64, _: u64, command: &[u8]) -> Vec<u8> {
        self.0.lock().unwrap().push(u64::from_le_bytes(command.try_into().unwrap()));
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.lock().unwrap().iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let numbers = snapshot.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        *self.0.lock().unwrap() = numbers.collect();
        Ok(())
    }
}

/// One run of a lone voter: proposes until the disk goes away. What was acknowledged, and what is there at the start.
async fn vote(disk: &SimDisk, seed: u64, proposals: u64) -> (Vec<u64>, Option<Vec<u64>>) {
    const DEADLINE: Duration = Duration::from_secs(5);
    let mounted = disk.mount(Latency::default(), Chance::new(seed));
    let tape = Tape::default();
    let (mut acknowledged, mut found) = (Vec::new(), None);
    let log = match mounted.open_log(NODE) {
        Ok(log) => log,
        Err(error) => {
            assert!(disk.is_dead(), "{error}");
            return (acknowledged, found);
        }
    };
    let me = Peer { node: NODE, device: DeviceId([1; 20]) };
    let config = EngineConfig { snapshot_every_entries: 20, keep_log_entries: 5, ..EngineConfig::default() };
    let started =
        Engine::start(config, me, log, Arc::new(Nowhere), Arc::new(Stopped), Box::new(tape.clone())).await;
    let Ok(engine) = started else {
        assert!(disk.is_dead());
        return (acknowledged, found);
    };
    // Refused when it was done in an earlier run.
    let _ = engine.initialize().await;
    let mut status = engine.status();
    let leads = tokio::time::timeout(DEADLINE, status.wait_for(|status| status.is_leader)).await;
    if leads.is_ok_and(|leads| leads.is_ok()) && engine.read_index(DEADLINE).await.is_ok() {
        found = Some(tape.0.lock().unwrap().clone());
        for number in 0..proposals {
            let number = seed * 1_000 + number;
            if engine.propose(number.to_le_bytes().to_vec(), DEADLINE).await.is_err() {
                break;
            }
            acknowledged.push(number);
        }
    }
    assert!(disk.is_dead() || found.is_some());
    (acknowledged, found)
}

#[test]
fn a_voters_log_opens_after_each_power_cut_with_all_that_it_acknowledged() {
    let disk = SimDisk::new();
    let mut chance = Chance::new(9);
    let mut promised = Vec::new();
    let mut checks = 0;
    for life in 0..150 {
        if chance.chance(0.8) {
            disk.cut_after(chance.range(0..=150));
        }
        let (acknowledged, found) = paused().block_on(vote(&disk, life, 20));
        if let Some(found) = found {
            assert!(promised.iter().all(|number| found.contains(number)), "life {life}");
            assert!(found.is_sorted(), "each once, in order: {found:?}");
            checks += 1;
        }
        promised.extend(acknowledged);
        disk.power_cut(&mut chance);
    }
    let lost = disk.counters();
    assert!(lost.cuts_within > 50 && lost.lost_unsynced > 50 && lost.torn > 50, "{lost:?}");
    assert!(checks > 50 && promised.len() > 300, "{checks} {}", promised.len());
}
