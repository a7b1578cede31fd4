//! A few machines, each with a little runtime, stepped in lockstep.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seatkeeper::seam::{BoxStream, Discovery, Gate, Inbound, Network, Peer};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::{DeviceId, PublicKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::sim::chance::Chance;
use crate::sim::clock::{SimClock, WorldTime, ns};
use crate::sim::net::{Host, NetCard, Pause, SimNet};

pub(super) const Q: Duration = Duration::from_millis(5);
pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Where machines are, and who is not let in.
#[derive(Default)]
pub(super) struct Book {
    pub(super) addresses: Mutex<BTreeMap<DeviceId, Vec<SocketAddr>>>,
    pub(super) refuse: Mutex<Option<String>>,
    pub(super) met: Mutex<Vec<DeviceId>>,
}

impl Gate for Book {
    fn admit(&self, _peer: &Peer, _channel: Channel) -> Result<(), String> {
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.addresses.lock().unwrap().get(device).cloned().unwrap_or_default()
    }

    fn connected(&self, peer: &Peer, _channel: Channel) {
        self.met.lock().unwrap().push(peer.device);
    }
}

pub(super) struct Machine {
    pub(super) card: NetCard,
    pub(super) clock: SimClock,
    pub(super) key: PublicKey,
    pub(super) book: Arc<Book>,
    runs: bool,
    run: Option<Run>,
}

/// One run of an agent.
pub(super) struct Run {
    pub(super) runtime: Runtime,
    pub(super) network: Arc<dyn Network>,
    pub(super) streams: Arc<tokio::sync::Mutex<mpsc::Receiver<Inbound>>>,
    pub(super) discovery: Option<Arc<dyn Discovery>>,
}

pub(super) struct World {
    pub(super) time: WorldTime,
    pub(super) net: SimNet,
    pub(super) machines: Vec<Machine>,
}

pub(super) fn address(last: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 7410))
}

impl World {
    /// Machines that know where the others are.
    pub(super) fn new(machines: u8, seed: u64) -> Self {
        let time = WorldTime::new();
        let chance = Chance::new(seed);
        let net = SimNet::new(&time, chance.fork("net"), Q, MS..=20 * MS);
        let mut world = Self { time, net, machines: Vec::new() };
        for number in 0..machines {
            let clock = SimClock::new(&world.time, &mut chance.fork(number));
            let card = world.net.attach(address(number), &clock);
            let book = Arc::new(Book::default());
            let key = PublicKey([number; 32]);
            world.machines.push(Machine { card, clock, key, book, runs: true, run: None });
            world.boot(number.into());
        }
        let known: Vec<_> =
            (0..machines).map(|number| (world.device(number.into()), vec![address(number)])).collect();
        for machine in &world.machines {
            *machine.book.addresses.lock().unwrap() = known.iter().cloned().collect();
        }
        world
    }

    pub(super) fn boot(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let within = runtime.enter();
        let (network, streams) = machine.card.network(machine.key, machine.book.clone());
        let discovery = machine.card.discovery();
        drop(within);
        let streams = Arc::new(tokio::sync::Mutex::new(streams));
        machine.run = Some(Run { runtime, network, streams, discovery });
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.net.kill(self.host(at));
        self.machines[at].run = None;
    }

    pub(super) fn pause(&mut self, at: usize, pause: Pause) {
        self.net.pause(self.host(at), pause);
        self.machines[at].runs = false;
    }

    pub(super) fn resume(&mut self, at: usize) {
        self.net.resume(self.host(at));
        self.machines[at].runs = true;
    }

    pub(super) fn step(&self) {
        self.net.deliver();
        for machine in self.machines.iter().filter(|machine| machine.runs) {
            if let Some(run) = &machine.run {
                machine.clock.run_quantum(&run.runtime, Q);
            }
        }
        self.time.advance(Q);
    }

    pub(super) fn pass(&self, time: Duration) {
        let until = self.time.now_ns() + ns(time);
        while self.time.now_ns() < until {
            self.step();
        }
    }

    /// How long something takes; panics after a minute.
    #[track_caller]
    pub(super) fn until<T: Send + 'static>(&self, task: JoinHandle<T>) -> (T, Duration) {
        let begun = self.time.now_ns();
        while !task.is_finished() {
            self.step();
            assert!(self.time.now_ns() - begun < 60_000_000_000, "it takes for ever");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        (runtime.block_on(task).unwrap(), Duration::from_nanos(self.time.now_ns() - begun))
    }

    pub(super) fn host(&self, at: usize) -> Host {
        self.machines[at].card.host()
    }

    pub(super) fn device(&self, at: usize) -> DeviceId {
        self.machines[at].key.device()
    }

    pub(super) fn run(&self, at: usize) -> &Run {
        self.machines[at].run.as_ref().unwrap()
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        at: usize,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.run(at).runtime.spawn(task)
    }

    pub(super) fn opening(
        &self,
        from: usize,
        to: usize,
        channel: Channel,
    ) -> JoinHandle<io::Result<BoxStream>> {
        let (network, device) = (self.run(from).network.clone(), self.device(to));
        self.spawn(from, async move { network.open(device, channel).await })
    }

    pub(super) fn accepting(&self, at: usize) -> JoinHandle<Inbound> {
        let streams = self.run(at).streams.clone();
        self.spawn(at, async move { streams.lock().await.recv().await.unwrap() })
    }

    /// A stream from one machine to another; both ends have said something.
    #[track_caller]
    pub(super) fn pair(&self, from: usize, to: usize, channel: Channel) -> (BoxStream, BoxStream) {
        let accepting = self.accepting(to);
        let mut ours = self.until(self.opening(from, to, channel)).0.unwrap();
        let ours = self.spawn(from, async move {
            ours.write_all(b"!").await.unwrap();
            ours
        });
        let mut inbound = self.until(accepting).0;
        assert_eq!((inbound.peer.device, inbound.channel), (self.device(from), channel));
        let theirs = self.spawn(to, async move {
            assert_eq!(inbound.stream.read_u8().await.unwrap(), b'!');
            inbound.stream
        });
        (self.until(ours).0, self.until(theirs).0)
    }

    pub(super) fn sending(
        &self,
        at: usize,
        mut stream: BoxStream,
        bytes: Vec<u8>,
    ) -> JoinHandle<(io::Result<()>, BoxStream)> {
        self.spawn(at, async move { (stream.write_all(&bytes).await, stream) })
    }

    /// Reads so many bytes.
    pub(super) fn reading(
        &self,
        at: usize,
        mut stream: BoxStream,
        len: usize,
    ) -> JoinHandle<(io::Result<Vec<u8>>, BoxStream)> {
        self.spawn(at, async move {
            let mut bytes = vec![0; len];
            (stream.read_exact(&mut bytes).await.map(|_| bytes), stream)
        })
    }

    pub(super) fn kind<T>(result: &io::Result<T>) -> Option<io::ErrorKind> {
        result.as_ref().err().map(io::Error::kind)
    }
}
