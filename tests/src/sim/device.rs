//! One machine: its hardware, which outlives everything, the run of its agent, and its programs.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper::keys;
use seatkeeper::node::{Node, NodeConfig};
use seatkeeper::seam::{
    BoxTree, Delay, Discovery, Disk, Gate, Inbound, Network, Observer, PowerChange, TreeIdentity, World,
};
use seatkeeper_election::seam::Clock;
use seatkeeper_election::{EngineConfig, Status};
use seatkeeper_protocol::id::{DeviceId, Name, PublicKey};
use seatkeeper_protocol::time::WallTime;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::chance::Chance;
use super::clock::{EPOCH, SimClock};
use super::disk::{Image, Latency, Mounted, SimDisk};
use super::net::{Host as Place, NetCard, Pause, SimNet};
use super::program::{Program, State};
use super::watch::{BooksOf, Seen, Watch};

/// The right wall clock at a true time, milliseconds.
pub fn wall_at(now: u64) -> WallTime {
    EPOCH.plus_ms(i64::try_from(now).unwrap_or(i64::MAX))
}

/// Where a machine is at first.
pub fn address(number: usize) -> SocketAddr {
    let last = u8::try_from(number + 1).expect("an office has fewer than 255 machines");
    SocketAddr::from(([10, 0, 0, last], 7410))
}

/// A machine.
pub struct Device {
    number: usize,
    name: Name,
    laptop: bool,
    disk: SimDisk,
    card: NetCard,
    clock: SimClock,
    net: SimNet,
    watch: Watch,
    chance: Chance,
    engine: EngineConfig,
    peers: Vec<SocketAddr>,
    powered: bool,
    /// Until when it does not run, milliseconds of true time.
    asleep_until: u64,
    /// It is about to sleep, and has told its agent so.
    going: Option<Going>,
    /// Its agent is to hear that it is awake again.
    tells: bool,
    agent: Option<Agent>,
    programs: Vec<Program>,
    root: Option<PublicKey>,
    /// When its agent was started last, and its disk put back, milliseconds of true time.
    started: u64,
    restored: Option<u64>,
    /// Its disk is a copy of another machine's.
    copy: bool,
}

/// How long a machine waits for its agent before it sleeps, milliseconds: as long as logind does.
const DELAY_MS_MAX: u64 = 5_000;

/// A machine that is about to sleep. Times are true ones, milliseconds.
struct Going {
    until: u64,
    at_last: u64,
    let_go: Arc<AtomicBool>,
}

/// What an agent lets go of when it is ready.
struct LetGo(Arc<AtomicBool>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Agent {
    /// What becomes of its machine.
    power: mpsc::Sender<PowerChange>,
    runtime: Runtime,
    node: Arc<OnceLock<Result<Node, String>>>,
    greeted: bool,
    /// Stops gracefully; true when it has.
    stopping: Option<Arc<OnceLock<()>>>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a machine is.
#[derive(Clone, Debug)]
pub struct Make {
    /// Its number.
    pub number: usize,
    /// Whether it is a laptop.
    pub laptop: bool,
    /// The settings of its log.
    pub engine: EngineConfig,
    /// Static peers.
    pub peers: Vec<SocketAddr>,
    /// Whether it uses discovery.
    pub discovers: bool,
}

impl Device {
    /// A machine that is switched off.
    pub fn new(make: Make, net: &SimNet, clock: SimClock, watch: Watch, chance: Chance) -> Self {
        let Make { number, laptop, engine, peers, discovers } = make;
        let card = net.attach(address(number), &clock);
        net.discovers(card.host(), discovers);
        let name = Name::new(format!("pc{number}")).expect("a name");
        Self {
            number,
            name,
            laptop,
            disk: SimDisk::new(),
            card,
            clock,
            net: net.clone(),
            watch,
            chance,
            engine,
            peers,
            powered: false,
            asleep_until: 0,
            going: None,
            tells: false,
            agent: None,
            programs: Vec::new(),
            root: None,
            started: 0,
            restored: None,
            copy: false,
        }
    }

    /// It gets a copy of another machine's disk, and with it what that machine is to the site.
    pub fn become_copy(&mut self, image: &Image) {
        self.disk.restore(image);
        self.copy = true;
    }

    /// Whether its disk is a copy of another machine's.
    pub fn is_copy(&self) -> bool {
        self.copy
    }

    /// Its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is a laptop.
    pub fn is_laptop(&self) -> bool {
        self.laptop
    }

    /// Its disk.
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Where it is on the network.
    pub fn place(&self) -> Place {
        self.card.host()
    }

    /// Its clocks.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// Its boot clock now, milliseconds.
    pub fn mono(&self) -> u64 {
        self.clock.mono().0
    }

    /// Whether it is switched on.
    pub fn is_on(&self) -> bool {
        self.powered
    }

    /// Whether it is on and not suspended.
    pub fn is_awake(&self) -> bool {
        self.powered && self.asleep_until == 0
    }

    /// Whether an agent runs on it, or begins to.
    pub fn has_agent(&self) -> bool {
        self.agent.is_some()
    }

    /// Whether its agent is up.
    pub fn is_ready(&self) -> bool {
        self.node().is_some()
    }

    /// Whether its agent is on its way out.
    pub fn is_stopping(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.stopping.is_some())
    }

    /// Its programs, also those that ended lately.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The site's root key, once it was in a site.
    pub fn root(&self) -> Option<PublicKey> {
        self.root
    }

    /// When its agent was started last, milliseconds of true time.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// When its disk was put back to an earlier time, milliseconds of true time, if it was.
    pub fn restored(&self) -> Option<u64> {
        self.restored
    }

    /// Loses power, and comes back with an image of its disk of an earlier time.
    pub fn restore(&mut self, image: &Image, now: u64) {
        self.power_cut();
        self.disk.restore(image);
        self.restored = Some(now);
        self.start(now);
    }

    /// Its agent.
    pub fn node(&self) -> Option<&Node> {
        self.agent.as_ref().filter(|agent| agent.stopping.is_none())?.node.get()?.as_ref().ok()
    }

    /// Whether its agent is up and in a site.
    pub fn in_site(&self) -> bool {
        self.node().is_some_and(|node| node.site().is_some())
    }

    /// Its device id, once an agent has run.
    pub fn id(&self) -> Option<DeviceId> {
        self.agent.as_ref()?.node.get()?.as_ref().ok().map(Node::device)
    }

    /// The term that it holds now.
    pub fn holds(&self) -> Option<u64> {
        self.agent.as_ref()?.node.get()?.as_ref().ok()?.holds()
    }

    /// What its engine says, if it keeps a log.
    pub fn status(&self) -> Option<Status> {
        self.agent.as_ref()?.node.get()?.as_ref().ok()?.engine()
    }

    /// Switches it on, or starts its agent again.
    pub fn start(&mut self, now: u64) {
        if self.agent.is_some() {
            return;
        }
        if !self.powered {
            self.powered = true;
            self.asleep_until = 0;
            self.clock.reboot(&mut self.chance);
        }
        self.started = now;
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without IO needs nothing of the system");
        let mount = self.disk.mount(Latency::default(), self.chance.fork(format!("disk {now}")));
        let (power, changes) = mpsc::channel(16);
        (self.going, self.tells) = (None, false);
        let host = Host {
            number: self.number,
            power: Mutex::new(Some(changes)),
            clock: self.clock.clone(),
            disk: mount,
            card: self.card.clone(),
            programs: self.programs.clone(),
            watch: self.watch.clone(),
        };
        let config = NodeConfig {
            name: self.name.clone(),
            laptop: self.laptop,
            peers: self.peers.clone(),
            engine: self.engine,
        };
        let node = Arc::new(OnceLock::new());
        let slot = node.clone();
        runtime.spawn(async move {
            let started = Node::start(config, Arc::new(host)).await.map_err(|error| error.to_string());
            let _ = slot.set(started);
        });
        self.agent = Some(Agent { power, runtime, node, greeted: false, stopping: None });
    }

    /// The agent is killed; the machine and its programs live on.
    pub fn kill(&mut self) {
        if let Some(agent) = self.agent.take() {
            self.net.kill(self.card.host());
            self.disk.kill();
            bury(agent);
            self.programs.iter().for_each(Program::agent_died);
        }
    }

    /// Power fails.
    pub fn power_cut(&mut self) {
        if !self.powered {
            return;
        }
        self.powered = false;
        self.asleep_until = 0;
        self.net.kill(self.card.host());
        self.disk.power_cut(&mut self.chance);
        if let Some(agent) = self.agent.take() {
            bury(agent);
        }
        self.programs.iter().for_each(Program::end);
    }

    /// Begins to stop the agent gracefully.
    pub fn stop(&mut self) {
        let Some(agent) = self.agent.as_mut().filter(|agent| agent.stopping.is_none()) else { return };
        let Some(Ok(node)) = agent.node.get() else { return };
        let (node, done) = (node.clone(), Arc::new(OnceLock::new()));
        agent.stopping = Some(done.clone());
        agent.runtime.spawn(async move {
            node.stop().await;
            let _ = done.set(());
        });
    }

    /// Does not run until this true time, as a suspended machine or a stalled process. Whether it did until now.
    pub fn pause_until(&mut self, until: u64, pause: Pause) -> bool {
        let runs = self.agent.is_some() && self.asleep_until == 0;
        if runs {
            self.asleep_until = until;
            self.net.pause(self.card.host(), pause);
        }
        runs
    }

    /// Tells the agent that the machine is about to sleep until this true time: it does so when the agent is ready, or
    /// after 5 s. Whether there is an agent to tell.
    pub fn sleep_until(&mut self, until: u64, now: u64) -> bool {
        let Some(agent) = self.agent.as_ref().filter(|_| self.asleep_until == 0) else { return false };
        let let_go = Arc::new(AtomicBool::new(false));
        let delay = Delay::new(LetGo(let_go.clone()));
        let told = agent.power.try_send(PowerChange::Goes(delay)).is_ok();
        self.going = Some(Going { until, at_last: now + DELAY_MS_MAX, let_go });
        told
    }

    /// Falls asleep if it is about to and need not wait any more.
    pub fn fall_asleep(&mut self, now: u64) -> bool {
        let ready = |going: &mut Going| going.let_go.load(Ordering::Relaxed) || now >= going.at_last;
        let Some(going) = self.going.take_if(ready) else { return false };
        self.tells = self.pause_until(going.until.max(now + 1), Pause::Suspended);
        self.tells
    }

    /// Wakes if its time has come.
    pub fn wake(&mut self, now: u64) -> bool {
        let wakes = self.asleep_until != 0 && now >= self.asleep_until;
        if wakes {
            self.asleep_until = 0;
            self.net.resume(self.card.host());
            if std::mem::take(&mut self.tells)
                && let Some(agent) = &self.agent
            {
                let _ = agent.power.try_send(PowerChange::Stays);
            }
        }
        wakes
    }

    /// Runs for one step.
    pub fn run(&mut self, quantum: Duration) {
        let Some(agent) = &mut self.agent else { return };
        if self.asleep_until != 0 {
            return;
        }
        let span = tracing::info_span!("pc", number = self.number);
        span.in_scope(|| self.clock.run_quantum(&agent.runtime, quantum));
        if agent.stopping.as_ref().is_some_and(|done| done.get().is_some()) {
            self.watch.note(Seen::Note { device: self.number, text: "has stopped".to_owned() });
            return self.kill();
        }
        if !agent.greeted
            && let Some(started) = agent.node.get()
        {
            agent.greeted = true;
            match started {
                Ok(node) => {
                    if self.root.is_none() {
                        self.root = root_of(node);
                    }
                    let node = node.clone();
                    let (watch, running) = (self.watch.clone(), self.running_programs());
                    for program in running {
                        self.spawn(program.live(node.clone(), watch.clone()));
                    }
                }
                Err(error) => {
                    let text = format!("does not start: {error}");
                    self.watch.note(Seen::Note { device: self.number, text });
                    self.kill();
                }
            }
        } else if self.root.is_none() && agent.greeted {
            self.root = self.node().and_then(root_of);
        }
    }

    fn running_programs(&self) -> Vec<Program> {
        let uses = |program: &&Program| {
            program.is_running() && matches!(program.state(), State::Using { .. } | State::Waiting { .. })
        };
        self.programs.iter().filter(uses).cloned().collect()
    }

    /// Runs something beside the agent, as long as it lives.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(agent) = &self.agent {
            agent.runtime.spawn(work);
        }
    }

    /// Starts a program; whether there is an agent to ask.
    pub fn launch(&mut self, program: Program) -> bool {
        let Some(node) = self.node().cloned() else { return false };
        self.programs.retain(Program::is_running);
        self.programs.push(program.clone());
        self.spawn(program.live(node, self.watch.clone()));
        true
    }
}

fn root_of(node: &Node) -> Option<PublicKey> {
    node.site()?.root.parse().ok()
}

/// A killed process runs no destructor that anybody would see: card and disk are dead before.
fn bury(agent: Agent) {
    drop(agent.node);
    drop(agent.runtime);
}

/// The machine as its agent sees it.
struct Host {
    number: usize,
    clock: SimClock,
    disk: Arc<Mounted>,
    card: NetCard,
    programs: Vec<Program>,
    watch: Watch,
    power: Mutex<Option<mpsc::Receiver<PowerChange>>>,
}

impl World for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    fn bind(
        &self,
        key: &SigningKey,
        gate: Arc<dyn Gate>,
    ) -> Result<(Arc<dyn Network>, mpsc::Receiver<Inbound>), String> {
        Ok(self.card.network(keys::public(key), gate))
    }

    fn discovery(&self) -> Result<Option<Arc<dyn Discovery>>, String> {
        Ok(self.card.discovery())
    }

    fn resume_tree(&self, identity: TreeIdentity) -> Option<BoxTree> {
        self.programs.iter().find_map(|program| program.tree_if(&identity))
    }

    fn power(&self) -> Option<mpsc::Receiver<PowerChange>> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn observer(&self) -> Option<Arc<dyn Observer>> {
        Some(Arc::new(BooksOf { device: self.number, watch: self.watch.clone() }))
    }
}

/// A place for an answer that comes while the world runs.
#[derive(Clone, Debug)]
pub struct Answer<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T> Answer<T> {
    /// Puts it there.
    pub fn give(&self, answer: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    /// Whether it may still come: it has not, and whoever gives it lives.
    pub fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1 && self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Takes it, if it has come.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
