//! Test bench: an office of devices with engines, on a network that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seatkeeper_election::engine::Change;
use seatkeeper_election::seam::{Channel, Clock, Transport};
use seatkeeper_election::{
    Applied, Engine, EngineConfig, LogStore, Peer, ProposeError, RestoreError, StartError, StateMachine,
    Status,
};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) type TestEngine = Engine<Wire>;

/// A generous bound for whatever should happen within a second or two.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) fn device(n: u8) -> DeviceId {
    DeviceId([n; 20])
}

pub(crate) fn node_id(n: u8) -> u64 {
    100 + u64::from(n)
}

pub(crate) fn peer(n: u8) -> Peer {
    Peer { node: node_id(n), device: device(n) }
}

#[derive(Default)]
struct HubState {
    doors: BTreeMap<DeviceId, mpsc::Sender<(DeviceId, DuplexStream)>>,
    /// Directions in which nothing passes.
    cuts: BTreeSet<(DeviceId, DeviceId)>,
}

/// The office's network.
#[derive(Default)]
pub(crate) struct Hub(Mutex<HubState>);

impl Hub {
    fn is_cut(&self, from: DeviceId, to: DeviceId) -> bool {
        self.0.lock().unwrap().cuts.contains(&(from, to))
    }

    /// Nothing passes from `from` to `to` any more; what is under way is lost.
    pub(crate) fn cut_one_way(&self, from: u8, to: u8) {
        self.0.lock().unwrap().cuts.insert((device(from), device(to)));
    }

    pub(crate) fn cut(&self, a: u8, b: u8) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    pub(crate) fn heal_all(&self) {
        self.0.lock().unwrap().cuts.clear();
    }
}

/// One device's access to the network.
pub(crate) struct Wire {
    hub: Arc<Hub>,
    me: DeviceId,
}

impl Transport for Wire {
    type Stream = DuplexStream;

    async fn open(&self, to: DeviceId, _channel: Channel) -> io::Result<DuplexStream> {
        let door = {
            let state = self.hub.0.lock().unwrap();
            if state.cuts.contains(&(self.me, to)) { None } else { state.doors.get(&to).cloned() }
        };
        let Some(door) = door else { return Err(io::ErrorKind::HostUnreachable.into()) };
        let (mine, near) = tokio::io::duplex(64 * 1024);
        let (far, theirs) = tokio::io::duplex(64 * 1024);
        door.try_send((self.me, theirs)).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let (near_in, near_out) = tokio::io::split(near);
        let (far_in, far_out) = tokio::io::split(far);
        tokio::spawn(relay(Arc::clone(&self.hub), self.me, to, near_in, far_out));
        tokio::spawn(relay(Arc::clone(&self.hub), to, self.me, far_in, near_out));
        Ok(mine)
    }
}

/// Carries bytes one way. A stream that has lost some carries no more.
async fn relay<R, W>(hub: Arc<Hub>, from: DeviceId, to: DeviceId, mut input: R, mut output: W)
where
    R: AsyncReadExt + Unpin,
    W: AsyncWriteExt + Unpin,
{
    let mut buffer = vec![0; 16 * 1024];
    let mut lost = false;
    while let Ok(read) = input.read(&mut buffer).await {
        lost = lost || hub.is_cut(from, to);
        if read == 0 {
            break;
        }
        if !lost && output.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    if !lost {
        let _ = output.shutdown().await;
    } else {
        // The other end of a cut line hears nothing, not even that it is cut.
        std::future::pending::<()>().await;
    }
}

/// The runtime's clock, plus the time that the machine slept.
#[derive(Default)]
pub(crate) struct TestClock {
    pub(crate) slept_ms: std::sync::atomic::AtomicU64,
    pub(crate) wall_ms: std::sync::atomic::AtomicI64,
}

impl Clock for TestClock {
    fn mono(&self) -> BootTime {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let now = tokio::time::Instant::now().into_std();
        let since = now.saturating_duration_since(*START.get_or_init(|| now));
        let slept = self.slept_ms.load(std::sync::atomic::Ordering::SeqCst);
        BootTime(u64::try_from(since.as_millis()).unwrap() + slept)
    }

    fn wall(&self) -> WallTime {
        WallTime(self.wall_ms.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// What one node has applied: index, term, command.
pub(crate) type Tape = Arc<Mutex<Vec<(u64, u64, Vec<u8>)>>>;

/// A state machine that keeps every command. Its outcome is the number of commands so far.
pub(crate) struct Recorder(pub(crate) Tape);

impl StateMachine for Recorder {
    fn apply(&mut self, index: u64, term: u64, command: &[u8]) -> Vec<u8> {
        let mut tape = self.0.lock().unwrap();
        assert!(tape.last().is_none_or(|(last, ..)| *last < index), "each index once, in order");
        tape.push((index, term, command.to_vec()));
        tape.len().to_string().into_bytes()
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, term, command) in self.0.lock().unwrap().iter() {
            bytes.extend(index.to_le_bytes());
            bytes.extend(term.to_le_bytes());
            bytes.extend(u64::try_from(command.len()).unwrap().to_le_bytes());
            bytes.extend(command);
        }
        bytes
    }

    fn restore(&mut self, mut bytes: &[u8]) -> Result<(), RestoreError> {
        let number = |bytes: &mut &[u8]| {
            let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| RestoreError("short".into()))?;
            *bytes = rest;
            Ok(u64::from_le_bytes(*head))
        };
        let mut tape = Vec::new();
        while !bytes.is_empty() {
            let (index, term) = (number(&mut bytes)?, number(&mut bytes)?);
            let len = usize::try_from(number(&mut bytes)?).unwrap();
            let (command, rest) = bytes.split_at_checked(len).ok_or_else(|| RestoreError("short".into()))?;
            tape.push((index, term, command.to_vec()));
            bytes = rest;
        }
        *self.0.lock().unwrap() = tape;
        Ok(())
    }
}

pub(crate) struct Desk {
    pub(crate) engine: TestEngine,
    pub(crate) tape: Tape,
    pub(crate) clock: Arc<TestClock>,
    door: JoinHandle<()>,
}

impl Desk {
    pub(crate) fn commands(&self) -> Vec<String> {
        self.tape
            .lock()
            .unwrap()
            .iter()
            .map(|(.., command)| String::from_utf8_lossy(command).into_owned())
            .collect()
    }
}

/// Devices 1.. with one engine each.
pub(crate) struct Office {
    pub(crate) hub: Arc<Hub>,
    pub(crate) desks: BTreeMap<u8, Desk>,
    pub(crate) config: EngineConfig,
    folder: tempfile::TempDir,
}

impl Office {
    pub(crate) fn with(config: EngineConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { hub: Arc::default(), desks: BTreeMap::new(), config, folder }
    }

    /// Engines on the first `devices` devices, of which the first is a site of its own.
    pub(crate) async fn of_devices(devices: u8) -> Self {
        let mut office = Self::of_voters(1).await;
        for n in 2..=devices {
            office.open(n).await;
        }
        office
    }

    /// An office whose first `voters` devices vote; device 1 leads.
    pub(crate) async fn of_voters(voters: u8) -> Self {
        Self::of(EngineConfig::default(), voters).await
    }

    pub(crate) async fn of(config: EngineConfig, voters: u8) -> Self {
        let mut office = Self::with(config);
        office.open(1).await;
        office.desks[&1].engine.initialize().await.unwrap();
        office.leader().await;
        for n in 2..=voters {
            office.open(n).await;
            office.add_standby(n).await;
        }
        for n in 2..=voters {
            office.promote(n).await;
        }
        office
    }

    pub(crate) fn log_path(&self, n: u8) -> PathBuf {
        self.folder.path().join(format!("{n}.redb"))
    }

    pub(crate) async fn open(&mut self, n: u8) {
        self.try_open(n, node_id(n)).await.unwrap();
    }

    /// Starts the engine of device `n` on whatever its disk has.
    pub(crate) async fn try_open(&mut self, n: u8, node: u64) -> Result<(), StartError> {
        let path = self.log_path(n);
        let log = tokio::task::spawn_blocking(move || LogStore::open_file(path)).await.unwrap()?;
        self.open_on(n, node, log).await
    }

    pub(crate) async fn open_on(&mut self, n: u8, node: u64, log: LogStore) -> Result<(), StartError> {
        let (tape, clock) = (Tape::default(), Arc::new(TestClock::default()));
        let transport = Arc::new(Wire { hub: Arc::clone(&self.hub), me: device(n) });
        let state = Box::new(Recorder(Arc::clone(&tape)));
        let me = Peer { node, device: device(n) };
        let engine = Engine::start(self.config, me, log, transport, Arc::clone(&clock) as _, state).await?;
        let (sender, mut callers) = mpsc::channel(64);
        self.hub.0.lock().unwrap().doors.insert(device(n), sender);
        let door = {
            let engine = engine.clone();
            tokio::spawn(async move {
                while let Some((caller, stream)) = callers.recv().await {
                    let engine = engine.clone();
                    tokio::spawn(async move { engine.serve(caller, stream).await });
                }
            })
        };
        self.desks.insert(n, Desk { engine, tape, clock, door });
        Ok(())
    }

    /// Stops device `n`: nobody reaches it, and its log is closed.
    pub(crate) async fn close(&mut self, n: u8) {
        self.hub.0.lock().unwrap().doors.remove(&device(n));
        let desk = self.desks.remove(&n).unwrap();
        desk.door.abort();
        desk.engine.shutdown().await;
    }

    pub(crate) fn engine(&self, n: u8) -> &TestEngine {
        &self.desks[&n].engine
    }

    pub(crate) fn status(&self, n: u8) -> Status {
        self.engine(n).status().borrow().clone()
    }

    /// Cuts device `n` off from everybody.
    pub(crate) fn isolate(&self, n: u8) {
        for other in 1..=20 {
            if other != n {
                self.hub.cut(n, other);
            }
        }
    }

    pub(crate) async fn add_standby(&self, n: u8) {
        let leader = self.leader().await;
        self.engine(leader).change(Change::AddStandby(peer(n))).await.unwrap();
        self.caught_up(leader, n).await;
    }

    pub(crate) async fn promote(&self, n: u8) {
        let leader = self.leader().await;
        self.engine(leader).change(Change::Promote(node_id(n))).await.unwrap();
    }

    pub(crate) async fn caught_up(&self, leader: u8, n: u8) {
        self.wait(leader, |status| {
            let last = status.last_log;
            status.member_on(device(n)).is_some_and(|member| member.matched == Some(last))
        })
        .await;
    }

    /// Waits until device `n`'s status is as wanted.
    pub(crate) async fn wait(&self, n: u8, wanted: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.engine(n).status();
        let waited = tokio::time::timeout(SOON, status.wait_for(wanted)).await;
        match waited {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("device {n} stays at {:#?}", self.status(n)),
        }
    }

    /// Waits until some device leads with a quorum.
    pub(crate) async fn leader(&self) -> u8 {
        self.leader_but(0).await
    }

    /// Waits until some device other than `not` leads with a quorum.
    pub(crate) async fn leader_but(&self, not: u8) -> u8 {
        let search = async {
            loop {
                for (n, desk) in self.desks.iter().filter(|(n, _)| **n != not) {
                    let status = desk.engine.status().borrow().clone();
                    if status.is_leader && status.quorum_ok {
                        return *n;
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, search).await.expect("somebody leads")
    }

    pub(crate) async fn propose(&self, n: u8, command: &str) -> Result<Applied, ProposeError> {
        self.engine(n).propose(command.as_bytes().to_vec(), DEADLINE).await
    }

    /// Waits until device `n` has applied exactly these commands, in this order.
    pub(crate) async fn applied(&self, n: u8, commands: &[String]) {
        let has = async {
            while self.desks[&n].commands() != commands {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(SOON, has).await.is_err() {
            assert_eq!(self.desks[&n].commands(), commands);
        }
    }
}
