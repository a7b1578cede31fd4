//! Files and books as one, whatever happens to the files.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::SigningKey;
use seatkeeper_election::{LogStore, StartError, StateMachine};
use seatkeeper_ledger::audit::{SEGMENT, Stretch, WINDOW};
use seatkeeper_ledger::command::{Actor, Checkout, Command, DeviceInfo, Entry, Form, Found, Sealed};
use seatkeeper_ledger::encode;
use seatkeeper_protocol::id::{Generation, Name, NodeId, PublicKey, RequestId, SessionId, SiteId};
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::time::WallTime;

use super::archive::BYTES_MAX;
use super::page::Page;
use super::*;
use crate::disk::StateDir;

const START: WallTime = WallTime(1_772_366_400_000);
const GENERATION: Generation = Generation { number: 1, id: [9; 16] };
const MINUTE_MS: i64 = 60_000;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey(key(n).verifying_key().to_bytes())
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Books with a record each minute: the site's founding, then starts that are refused.
struct Office {
    books: Books,
    records: u64,
}

impl Office {
    fn new() -> Self {
        let mut office = Self { books: Books::new(None), records: 0 };
        let found = Found {
            name: name("Office"),
            root: public(1),
            generation: GENERATION,
            sealed_root: Sealed(vec![1; 60]),
            certificate: PoolKeyCertificate::sign(&key(1), GENERATION, 1, public(2)),
            sealed_pool_key: Sealed(vec![2; 60]),
            device: public(5),
            info: DeviceInfo { name: name("ws-1"), form: Form::Desktop, version: name("0.1.0") },
            admin: name("anna"),
            admin_key: public(4),
        };
        office.apply(Actor::Holder(public(5).device()), Command::Found(Box::new(found)));
        office
    }

    fn apply(&mut self, actor: Actor, command: Command) {
        self.records += 1;
        let time = START.plus_ms(MINUTE_MS * i64::try_from(self.records).unwrap());
        let request = RequestId { epoch: 1, counter: self.records };
        let entry = encode(&Entry { time, term: 1, actor, request, command }).unwrap();
        self.books.apply(self.records, 1, &entry);
        assert_eq!(self.books.read().next_seq(), self.records + 1);
    }

    /// Goes on until there are so many records.
    fn until(&mut self, records: u64) {
        while self.records < records {
            let want = Checkout {
                session: SessionId([1; 16]),
                user: name("eva"),
                product: "cad".parse().unwrap(),
                version: None,
                features: Vec::new(),
                pid: None,
            };
            self.apply(Actor::Device(public(5).device()), Command::Checkout(want));
        }
    }

    fn window(&self) -> u64 {
        self.books.read().audit(0, 0).first
    }
}

fn time_of(seq: u64) -> WallTime {
    START.plus_ms(MINUTE_MS * i64::try_from(seq).unwrap())
}

/// A state folder whose writes can be made to fail.
struct Folder {
    dir: tempfile::TempDir,
    state: StateDir,
    broken: AtomicBool,
}

impl Folder {
    fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        Arc::new(Self { dir, state, broken: AtomicBool::new(false) })
    }

    fn archive(self: &Arc<Self>) -> Archive {
        Archive::new(self.clone())
    }

    fn file(&self, first: u64) -> std::path::PathBuf {
        self.dir.path().join(format!("state/audit/{first:010}"))
    }

    fn files(&self) -> Vec<u64> {
        let listed = Disk::list(&self.state, "audit").unwrap();
        listed.iter().map(|(name, _)| name.strip_prefix("audit/").unwrap().parse().unwrap()).collect()
    }
}

impl Disk for Folder {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.state.read(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.state.write(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.remove(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        self.state.list(folder)
    }

    fn open_log(&self, node: NodeId) -> Result<LogStore, StartError> {
        self.state.open_log(node)
    }

    fn logs(&self) -> io::Result<Vec<NodeId>> {
        self.state.logs()
    }

    fn remove_log(&self, node: NodeId) -> io::Result<()> {
        self.state.remove_log(node)
    }

    fn set_log_aside(&self, node: NodeId, name: &str) -> io::Result<()> {
        self.state.set_log_aside(node, name)
    }

    fn place(&self, name: &str) -> String {
        self.state.place(name)
    }
}

/// All pages, as a reader gets them, each verified; what was damaged, and the spans.
fn read_all(archive: &Archive, books: &Books) -> (Vec<String>, Vec<(u64, u64)>) {
    let reader = Reader { archive: archive.clone(), books: books.clone() };
    let (mut after, mut damaged, mut spans, mut head) = (0, Vec::new(), Vec::<(u64, u64)>::new(), None);
    loop {
        let page = reader.page(after, None, None);
        damaged.extend(page.damaged);
        let part = page.part;
        assert_eq!(part.verify(), Ok(()));
        assert!(!part.records.is_empty());
        after = part.next() - 1;
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == part.first => {
                assert_eq!(head, Some(part.before));
                *last = after;
            }
            _ => spans.push((part.first, after)),
        }
        head = Some(part.head());
        if page.last {
            break;
        }
    }
    let ledger = books.read();
    assert_eq!((after, head), (ledger.next_seq() - 1, Some(ledger.audit_head())));
    (damaged, spans)
}

fn site() -> api::Site {
    api::Site { id: public(1).site().to_string(), name: "Office".into(), generation: 1 }
}

async fn write(archive: &Archive, office: &Office) {
    Writer::new(archive.clone(), office.books.clone()).write().await.unwrap();
}

#[tokio::test]
async fn what_leaves_the_books_is_in_files_and_both_are_one_chain() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    let mut writer = Writer::new(archive.clone(), office.books.clone());
    for records in [1, 999, 1_000, 1_001, 4_500, 9_999, 13_700] {
        office.until(records);
        writer.write().await.unwrap();
        let complete: Vec<u64> = (0..records / SEGMENT).map(|n| n * SEGMENT + 1).collect();
        assert_eq!(folder.files(), complete, "each segment once, when it is complete");
        assert_eq!(read_all(&archive, &office.books), (vec![], vec![(1, records)]));
    }
    assert!(office.window() > 3_700);
    let reader = Reader { archive: archive.clone(), books: office.books.clone() };
    for seq in [0, 1, 1_000, 1_001, 3_700, 3_701, 9_000, 13_700] {
        let link = reader.link_of(seq).unwrap_or_else(|| panic!("{seq}"));
        let page = reader.page(seq, None, None);
        assert_eq!(page.part.before, if seq == 13_700 { office.books.read().audit_head() } else { link });
    }
    assert_eq!(reader.link_of(13_701), None);
    // A restart writes nothing anew.
    let before = std::fs::metadata(folder.file(1_001)).unwrap().modified().unwrap();
    write(&archive, &office).await;
    assert_eq!(std::fs::metadata(folder.file(1_001)).unwrap().modified().unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.file(1)), 0o600);
        assert_eq!(mode(folder.file(1).parent().unwrap()), 0o700);
    }
    archive.forget().unwrap();
    assert!(folder.files().is_empty());
}

#[tokio::test]
async fn a_file_cut_short_is_written_anew_from_the_books_or_told() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    office.until(8_000);
    write(&archive, &office).await;
    office.until(13_500);
    write(&archive, &office).await;
    let window = office.window();
    assert!(window > 3_001);
    // One that the books still have, cut as by a failing disk; one whose records were replaced; one of old.
    let cut = |first: u64| {
        let bytes = std::fs::read(folder.file(first)).unwrap();
        std::fs::write(folder.file(first), &bytes[..bytes.len() / 2]).unwrap();
        bytes
    };
    let (newest, oldest) = (cut(12_001), cut(1_001));
    let mut forged: Stretch = archive.disk().read_record("audit/0000011001").unwrap().unwrap();
    forged.records.reverse();
    archive.disk().write_record("audit/0000011001", &forged).unwrap();
    std::fs::write(folder.file(1).with_file_name("notes.txt"), "not ours").unwrap();
    // The agent starts: the books come a moment later.
    let mut books = Books::new(None);
    let mut writer = Writer::new(archive.clone(), books.clone());
    writer.write().await.unwrap();
    books.restore(&office.books.snapshot()).unwrap();
    writer.write().await.unwrap();
    assert_eq!(std::fs::read(folder.file(12_001)).unwrap(), newest);
    assert_eq!(read_all(&archive, &office.books).1, [(1, 1_000), (2_001, 13_500)]);
    let (damaged, _) = read_all(&archive, &office.books);
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].starts_with("records 1001 to 2000 cannot be read: "), "{damaged:?}");
    let reader = Reader { archive: archive.clone(), books: office.books.clone() };
    assert_eq!(reader.link_of(1_500), None);
    // Gone, and whole but under another's name.
    std::fs::remove_file(folder.file(1_001)).unwrap();
    assert_eq!(read_all(&archive, &office.books), (vec![], vec![(1, 1_000), (2_001, 13_500)]));
    std::fs::write(folder.file(1_001), std::fs::read(folder.file(1)).unwrap()).unwrap();
    assert!(read_all(&archive, &office.books).0[0].contains("does not have the records that its name says"));
    std::fs::write(folder.file(1_001), oldest).unwrap();
    assert_eq!(read_all(&archive, &office.books), (vec![], vec![(1, 13_500)]));
}

#[tokio::test]
async fn a_record_that_was_changed_in_a_file_is_found() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    office.until(3_000);
    write(&archive, &office).await;
    office.until(13_500);
    let mut segment: Stretch = archive.disk().read_record("audit/0000001001").unwrap().unwrap();
    let mut bytes = segment.records[233].bytes.as_slice().to_vec();
    let at = bytes.len() - 2;
    bytes[at] ^= 1;
    segment.records[233].bytes = bytes.into();
    archive.disk().write_record("audit/0000001001", &segment).unwrap();
    let reader = Reader { archive, books: office.books };
    let mut verifier = crate::middle::audit::Verifier::new(None);
    let mut take = |after| {
        let page: Page = reader.page(after, None, None);
        verifier.take(&page.api(site(), api::Holder { id: String::new(), name: String::new() }).part, drop)
    };
    assert_eq!(take(0), Ok(()));
    let wrong = take(1_000).unwrap_err();
    assert_eq!(wrong.seq(), 1_234, "{wrong}");
    assert_eq!(reader.link_of(1_900), None, "it vouches for nothing after it");
}

#[tokio::test]
async fn a_machine_that_begins_with_a_snapshot_tells_where_its_records_begin() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    office.until(2_500);
    write(&archive, &office).await;
    // It was away for so long that the log goes on with a snapshot.
    office.until(14_321);
    let snapshot = office.books.snapshot();
    let mut again = Books::new(None);
    again.restore(&snapshot).unwrap();
    let window = 14_321 - u64::try_from(WINDOW).unwrap() + 1;
    Writer::new(archive.clone(), again.clone()).write().await.unwrap();
    assert_eq!(folder.files()[..4], [1, 1_001, window, 5_001], "what is left of a segment is kept too");
    assert_eq!(read_all(&archive, &again), (vec![], vec![(1, 2_000), (window, 14_321)]));
    office.until(15_100);
    write(&archive, &office).await;
    assert_eq!(read_all(&archive, &office.books), (vec![], vec![(1, 2_000), (window, 15_100)]));
}

#[tokio::test]
async fn the_oldest_files_make_room() {
    let (folder, mut office) = (Folder::new(), Office::new());
    office.until(2_000);
    write(&folder.archive(), &office).await;
    let one = std::fs::metadata(folder.file(1_001)).unwrap().len();
    assert!(one * 200 < BYTES_MAX, "200,000 records fit");
    let archive = Archive::bounded(folder.clone(), 3 * one + one / 2);
    office.until(12_600);
    write(&archive, &office).await;
    assert_eq!(folder.files(), [9_001, 10_001, 11_001]);
    office.until(23_400);
    let mut writer = Writer::new(archive.clone(), office.books.clone());
    writer.write().await.unwrap();
    assert_eq!(folder.files(), [20_001, 21_001, 22_001]);
    let reader = Reader { archive: archive.clone(), books: office.books.clone() };
    assert_eq!(
        reader.page(0, None, None).oldest,
        office.window(),
        "the books go further back than the files"
    );
    // One that is larger than all that is allowed stays: it is the newest.
    let archive = Archive::bounded(folder.clone(), 1);
    assert_eq!(archive.trim().unwrap(), Some(22_001));
    assert_eq!(archive.trim().unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost_by_it() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    let mut writer = Writer::new(archive.clone(), office.books.clone());
    office.until(3_100);
    folder.broken.store(true, Ordering::Relaxed);
    let told = writer.write().await.unwrap_err();
    assert!(told.contains("audit/0000000001"), "{told}");
    assert!(folder.files().is_empty());
    office.until(9_000);
    assert!(writer.write().await.is_err());
    folder.broken.store(false, Ordering::Relaxed);
    writer.write().await.unwrap();
    assert_eq!(folder.files().len(), 9);
    assert_eq!(read_all(&archive, &office.books), (vec![], vec![(1, 9_000)]));
}

#[tokio::test]
async fn a_span_of_time_is_found_in_files_and_books() {
    let (folder, mut office) = (Folder::new(), Office::new());
    let archive = folder.archive();
    office.until(5_000);
    write(&archive, &office).await;
    office.until(13_500);
    let reader = Reader { archive, books: office.books.clone() };
    let check = |from: Option<u64>, to: Option<u64>, expected: (u64, usize, bool)| {
        let page = reader.page(0, from.map(time_of), to.map(time_of));
        assert_eq!((page.part.first, page.part.records.len(), page.last), expected, "{from:?} {to:?}");
        assert_eq!(page.part.verify(), Ok(()));
        assert_eq!(page.oldest, 1);
    };
    check(None, None, (1, 1_000, false));
    check(Some(1), Some(3), (1, 2, true));
    check(Some(1_000), None, (1_000, 1, false));
    check(Some(1_001), Some(1_001), (1_001, 0, true));
    check(Some(3_456), Some(3_460), (3_456, 4, true));
    check(Some(13_000), None, (13_000, 501, true));
    check(Some(12_000), None, (12_000, 500 + 1, false));
    check(Some(20_000), None, (13_501, 0, true));
    check(None, Some(0), (1, 0, true));
    // Going on, the beginning is where the last page ended, also after a clock that stepped back.
    let next = reader.page(1_000, Some(time_of(999)), None);
    assert_eq!(next.part.first, 1_001);
    assert_eq!(reader.page(u64::MAX, None, None).part.records.len(), 0);
}

#[test]
fn a_site_is_known_by_its_first_record() {
    let office = Office::new();
    let stretch = office.books.read().audit(1, 1);
    let chain = seatkeeper_ledger::audit::Chain::new(stretch.first, stretch.before);
    assert_eq!(chain.check_start(&public(1).site()), Ok(()));
    assert!(chain.check_start(&SiteId([7; 20])).is_err());
}
