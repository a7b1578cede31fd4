//! The agent's heart: one device, its site, its sessions, and the holder's duties when it holds.
//!
//! | module | holds |
//! |---|---|
//! | `record` | what is remembered of the site between runs |
//! | `view` | everything learned from others: term, holder, roster, addresses |
//! | `links` | control streams to the holder and to a second log holder |
//! | `command`, `submit` | getting a request to the holder, whoever it is |
//! | `seats` | seats that programs on this device use |
//! | `borrows` | borrowing seats, giving them back |
//! | `gate` | who may connect, who is here, who waits for admission |
//! | `serve` | answering other agents |
//! | `log`, `machine` | the log on this device: engine, ledger, role controller |
//! | `keeper` | following the engine; the holder's standing work |
//! | `duty`, `reads` | the holder's duties for one term; reads that prove it |
//! | `queue` | who waits: telling whose turn it is, passing over who is silent |
//! | `asks` | what the holder hears of idleness; asking for idle seats |
//! | `answers` | the books as JSON |
//! | `meter` | what is counted and measured here |
//! | `status`, `health` | how site and machine are; noticing what is not as it should be |
//! | `doctor` | looking for faults, and helping others to |
//! | `audit` | older records on disk, and reading all of them |
//! | `finding` | discovery, static peers, remembering |
//! | `leaving`, `power` | going: for good, or while the machine sleeps |
//! | `site`, `joining` | creating, joining, leaving |

mod answers;
mod asks;
mod audit;
mod backup;
mod borrows;
mod command;
mod compliance;
mod doctor;
mod duty;
mod errors;
mod finding;
mod gate;
mod health;
mod inventory;
mod joining;
mod keeper;
mod leaving;
mod links;
mod log;
mod machine;
mod meter;
mod organisation;
mod power;
mod queue;
mod reads;
mod recalculation;
mod record;
mod recovery;
mod seats;
mod serve;
mod site;
mod state;
mod status;
mod submit;
mod survey;
mod view;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_election::seam::Clock;
use seatkeeper_election::{EngineConfig, Status};
use seatkeeper_ledger::command::Outcome;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, Name, NodeId, ProductId, PublicKey, SessionId, SiteId, Version};
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{AdminRequest, Ping, Pong, Query, Request};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::keys;
use crate::middle::book::Book;
use crate::middle::contacts::Contacts;
use crate::middle::sighting::Announcement;
use crate::middle::standing::Presence;
use crate::seam::{Discovery, Disk, Net, Programs, World};

pub use crate::middle::doctor::Page;
pub use borrows::{BorrowAsk, Until};
pub use duty::POOL_KEY_CONTEXT;
pub use errors::{NodeError, SeatError, StartError};
pub use seats::{SeatAsk, SeatHold, SeatKey, SeatWait, WaitEvent, Waited};
pub(crate) use seats::{idle_of, seat_holders};

/// Requests of this device under way at once; fewer than the outcomes that the ledger remembers (invariant I4).
const REQUESTS_MAX: usize = 32;
/// Returns under way at once, beside them.
const RETURNS_MAX: usize = 16;
const _: () = assert!(REQUESTS_MAX + RETURNS_MAX < seatkeeper_protocol::limits::OUTCOMES_PER_DEVICE);
/// Join requests answered at once.
const JOINS_MAX: usize = 16;
/// How long queries and admin commands may take.
const ADMIN_WITHIN: Duration = Duration::from_secs(15);
/// An events query rests at the holder for up to 20 s.
const EVENTS_WITHIN: Duration = Duration::from_secs(30);

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The device's name.
    pub name: Name,
    /// Whether it is a laptop: it may be gone tomorrow.
    pub laptop: bool,
    /// Addresses to dial beside what discovery shows.
    pub peers: Vec<SocketAddr>,
    /// The settings of the log, should this device keep one.
    pub engine: EngineConfig,
}

/// A running agent. A cheap handle.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("device", &self.inner.device).finish_non_exhaustive()
    }
}

/// What an admin's command came to.
#[derive(Clone, Debug)]
pub struct AdminAnswer {
    /// The ledger's outcome.
    pub outcome: Outcome,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
}

pub(crate) struct Inner {
    config: NodeConfig,
    world: Arc<dyn World>,
    disk: Arc<dyn Disk>,
    key: SigningKey,
    public: PublicKey,
    device: DeviceId,
    clock: Arc<dyn Clock>,
    net: Net,
    discovery: Option<Arc<dyn Discovery>>,
    book: Mutex<Book>,
    contacts: Mutex<Contacts>,
    seen: Mutex<BTreeMap<DeviceId, Announcement>>,
    waiting: Mutex<gate::WaitingRoom>,
    streams: Mutex<BTreeMap<DeviceId, usize>>,
    presence: watch::Sender<Presence>,
    site: watch::Sender<Option<Arc<record::Site>>>,
    known: watch::Sender<view::Known>,
    leaving: watch::Sender<bool>,
    /// Locked while it changes.
    stands: tokio::sync::Mutex<leaving::Stands>,
    /// The machine is awake again.
    woke: Notify,
    /// While this device holds: who waits, by device.
    queue: watch::Sender<queue::Places>,
    log: Mutex<Option<site::OpenLog>>,
    /// Which log the site record names. It is so before the log is open, or a record that is written meanwhile would
    /// give it up.
    log_node: Mutex<Option<NodeId>>,
    /// When the holder was last told that this device keeps a log and stays.
    vote_coming: Mutex<Option<BootTime>>,
    /// When a majority of voters was last known to answer; before the first time, when the agent started.
    quorum_at: Mutex<BootTime>,
    /// Who says to be of a newer generation is asked by one task at a time: anybody can say so.
    meetings: Arc<Semaphore>,
    duty: Mutex<Option<Arc<duty::Duty>>>,
    /// The duty of the last term this device held, for the case that the same term comes back.
    last_duty: Mutex<Option<Arc<duty::Duty>>>,
    seats: seats::Seats,
    lent: borrows::Lent,
    waiting_site: watch::Sender<Option<String>>,
    programs: Option<Arc<dyn Programs>>,
    /// What the site wants to know of this machine.
    survey: watch::Sender<Option<u64>>,
    waiting_site_id: Mutex<Option<SiteId>>,
    turned: Mutex<Option<String>>,
    watch: health::Watch,
    log_failure: Mutex<Option<String>>,
    /// Why records that leave the books are not written down.
    audit_failure: Mutex<Option<String>>,
    epoch: AtomicU64,
    counter: AtomicU64,
    turn: AtomicU64,
    requests: Semaphore,
    returns: Semaphore,
    /// One writer of the state directory's records at a time, with what it knows then.
    writing: Mutex<()>,
    joins: Semaphore,
    sighted: Notify,
    save_site: Notify,
    site_change: tokio::sync::Mutex<()>,
    log_change: tokio::sync::Mutex<()>,
    site_stop: Mutex<Option<CancellationToken>>,
    meter: meter::Meter,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these for a moment; should it, the data is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], NodeError> {
    keys::random().map_err(|error| NodeError::Internal(error.to_string()))
}

/// This agent's version.
fn version() -> Name {
    Name::new(env!("CARGO_PKG_VERSION")).unwrap_or_else(|_| unreachable!("a version is a name"))
}

impl Node {
    /// Opens the disk and the port, then lives until [`Node::stop`].
    ///
    /// # Errors
    /// When the disk, the port or the log cannot be used; the text says why and what to do.
    pub async fn start(config: NodeConfig, world: Arc<dyn World>) -> Result<Self, StartError> {
        let disk = world.disk();
        let key = state::identity(&*disk)?;
        let public = keys::public(&key);
        let gate = Arc::new(gate::NodeGate::default());
        let (network, inbound) = world.bind(&key, gate.clone()).map_err(StartError::Machine)?;
        let discovery = world.discovery().map_err(StartError::Machine)?;
        let (programs, checks) = (world.programs(), world.checks());
        let epoch = state::next_epoch(&*disk).map_err(|error| StartError::Record(error.to_string()))?;
        let (meter, started) = (meter::Meter::new(world.clock().wall()), world.clock().mono());
        let inner = Arc::new(Inner {
            config,
            clock: world.clock(),
            world,
            disk,
            public,
            device: public.device(),
            key,
            net: Net(network),
            discovery,
            book: Mutex::default(),
            contacts: Mutex::default(),
            seen: Mutex::default(),
            waiting: Mutex::default(),
            streams: Mutex::default(),
            presence: watch::Sender::default(),
            site: watch::Sender::default(),
            known: watch::Sender::default(),
            leaving: watch::Sender::default(),
            stands: tokio::sync::Mutex::default(),
            woke: Notify::new(),
            queue: watch::Sender::default(),
            log: Mutex::default(),
            log_node: Mutex::default(),
            vote_coming: Mutex::default(),
            quorum_at: Mutex::new(started),
            meetings: Arc::new(Semaphore::new(1)),
            duty: Mutex::default(),
            last_duty: Mutex::default(),
            seats: seats::Seats::default(),
            lent: borrows::Lent::default(),
            waiting_site: watch::Sender::default(),
            programs,
            survey: watch::Sender::default(),
            waiting_site_id: Mutex::default(),
            turned: Mutex::default(),
            watch: health::Watch::new(checks),
            log_failure: Mutex::default(),
            audit_failure: Mutex::default(),
            epoch: AtomicU64::new(epoch),
            counter: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            requests: Semaphore::new(REQUESTS_MAX),
            returns: Semaphore::new(RETURNS_MAX),
            writing: Mutex::default(),
            joins: Semaphore::new(JOINS_MAX),
            sighted: Notify::new(),
            save_site: Notify::new(),
            site_change: tokio::sync::Mutex::default(),
            log_change: tokio::sync::Mutex::default(),
            site_stop: Mutex::default(),
            meter,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        inner.read_borrows().map_err(StartError::Record)?;
        gate.open(&inner);
        inner.tasks.spawn(serve::run(inner.clone(), inbound));
        inner.reenter().await?;
        inner.clone().start_finding();
        inner.clone().start_watching();
        inner.go_on_waiting();
        if let Some(changes) = inner.world.power() {
            inner.tasks.spawn(power::follow(inner.clone(), changes));
        }
        Ok(Self { inner })
    }

    /// Leaves gracefully, within about 3 s, then closes everything. Seats of programs that run on are kept: the
    /// agent resumes them when it is back, or their ttl ends them.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.hand_over(leaving::Stands::Stopping).await;
        inner.stop.cancel();
        inner.tasks.close();
        let log = inner.log();
        let closing = async {
            if let Some(log) = log {
                log.engine.shutdown().await;
            }
            if let Some(discovery) = &inner.discovery {
                discovery.shutdown().await;
            }
            inner.net.0.shutdown().await;
            inner.tasks.wait().await;
        };
        if tokio::time::timeout(Duration::from_secs(2), closing).await.is_err() {
            tracing::warn!("some work did not end in time");
        }
        inner.save();
    }

    /// This device's id.
    pub fn device(&self) -> DeviceId {
        self.inner.device
    }

    /// What the engine of this device's log tells; `None`: it keeps no log.
    pub fn engine(&self) -> Option<Status> {
        self.inner.log().map(|log| log.engine.status().borrow().clone())
    }

    /// The term in which this device holds now, if it does.
    pub fn holds(&self) -> Option<u64> {
        self.inner.duty().map(|duty| duty.term)
    }

    /// The newest term that this device knows, and who holds in it.
    pub fn known_holder(&self) -> (u64, Option<DeviceId>) {
        let known = self.inner.known();
        (known.term, known.holder)
    }

    /// The UDP port it listens on.
    pub fn port(&self) -> u16 {
        self.inner.net.0.port()
    }

    /// Where this agent keeps records.
    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        self.inner.disk.clone()
    }

    /// The site this device belongs to.
    pub fn site(&self) -> Option<api::SiteDetail> {
        let site = self.inner.site()?;
        Some(api::SiteDetail {
            format: api::FORMAT,
            id: site.id.to_string(),
            name: site.name.to_string(),
            generation: site.generation.number,
            generation_id: data_encoding::HEXLOWER.encode(&site.generation.id),
            root: site.root.to_string(),
        })
    }

    /// The sites whose machines announce themselves in this network.
    pub fn nearby_sites(&self) -> api::Sites {
        api::Sites { format: api::FORMAT, sites: self.inner.nearby_sites() }
    }

    /// A look at the books: JSON of the type that the query names.
    ///
    /// # Errors
    /// When this device has no site, or nobody answers.
    pub async fn query(&self, query: Query) -> Result<Vec<u8>, NodeError> {
        let within = if matches!(query, Query::Events { .. }) { EVENTS_WITHIN } else { ADMIN_WITHIN };
        self.inner.query(query, within).await
    }

    /// A command signed by an admin.
    ///
    /// # Errors
    /// When this device has no site, or nobody answers. A refusal is an ordinary outcome.
    pub async fn admin(&self, request: AdminRequest) -> Result<AdminAnswer, NodeError> {
        let sent = self.inner.clock.mono();
        let response = self.inner.submit(Request::Admin(request), ADMIN_WITHIN).await?;
        let answer = command::Answer::of(sent, response)?;
        Ok(AdminAnswer { outcome: answer.outcome, durability_single: answer.durability_single })
    }

    /// Creates a site on this device.
    ///
    /// # Errors
    /// When it belongs to one already, or on bad input.
    pub async fn create_site(&self, body: api::CreateSite) -> Result<api::SiteCreated, NodeError> {
        self.inner.create_site(body).await
    }

    /// Joins a site with a code, or asks to be admitted.
    ///
    /// # Errors
    /// When no site is found or it refuses, or on bad input.
    pub async fn join(&self, body: api::Join) -> Result<api::Joined, NodeError> {
        self.inner.join(body).await
    }

    /// Joins with a code as soon as the site is found; a refused code is tried again. Also done when this device is in
    /// a site by then.
    ///
    /// # Errors
    /// On bad input, or when this machine cannot keep what it learns.
    pub async fn join_when_found(&self, code: String) -> Result<(), NodeError> {
        self.inner.join_when_found(code).await
    }

    /// Leaves the site.
    ///
    /// # Errors
    /// When the site does not let it go, or nobody answers.
    pub async fn leave_site(&self) -> Result<(), NodeError> {
        self.inner.leave_site().await
    }

    /// Borrows a seat, or prolongs a borrow.
    ///
    /// # Errors
    /// When the ledger refuses, nobody answers, this clock is wrong or the disk cannot be written.
    pub async fn borrow(&self, ask: BorrowAsk) -> Result<api::Borrow, SeatError> {
        self.inner.borrow(ask).await
    }

    /// What is borrowed on this device.
    pub fn borrow_list(&self) -> api::Borrows {
        self.inner.borrow_list()
    }

    /// Gives back what `user` borrowed of a product here.
    ///
    /// # Errors
    /// When there is nothing, programs use it, or the disk cannot be written.
    pub async fn return_borrow(
        &self,
        user: &Name,
        product: &ProductId,
        version: Option<&Version>,
    ) -> Result<api::BorrowReturned, NodeError> {
        self.inner.return_borrow(user, product, version).await
    }

    /// Gives a session's seat back; waits until it is free. Nothing happens if the session has none here.
    pub async fn give_back(&self, session: SessionId) {
        self.inner.done(session).await;
    }

    /// Takes a seat, or resumes one.
    ///
    /// # Errors
    /// When the ledger refuses, or nobody answers.
    pub async fn take_seat(&self, ask: SeatAsk) -> Result<SeatHold, SeatError> {
        self.inner.meter.checkout(self.inner.take_seat(ask)).await
    }

    /// Takes a seat, or waits for one so long at most.
    ///
    /// # Errors
    /// When the ledger refuses even a place in the queue, or nobody answers.
    pub async fn wait_for_seat(&self, ask: SeatAsk, within: Duration) -> Result<Waited, SeatError> {
        self.inner.meter.checkout(self.inner.wait_for_seat(ask, within)).await
    }
}

impl Inner {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub(crate) fn quorum_at(&self) -> MutexGuard<'_, BootTime> {
        lock(&self.quorum_at)
    }

    pub(crate) fn contacts(&self) -> MutexGuard<'_, Contacts> {
        lock(&self.contacts)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Announcement>> {
        lock(&self.seen)
    }

    pub(crate) fn waiting(&self) -> MutexGuard<'_, gate::WaitingRoom> {
        lock(&self.waiting)
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, BTreeMap<DeviceId, usize>> {
        lock(&self.streams)
    }

    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }

    pub(crate) fn waiting_site_id(&self) -> MutexGuard<'_, Option<SiteId>> {
        lock(&self.waiting_site_id)
    }

    pub(crate) fn log_node(&self) -> MutexGuard<'_, Option<NodeId>> {
        lock(&self.log_node)
    }

    pub(crate) fn site_stop(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        lock(&self.site_stop)
    }

    pub(crate) fn open_log_slot(&self) -> MutexGuard<'_, Option<site::OpenLog>> {
        lock(&self.log)
    }

    /// The log on this device, if it keeps one.
    pub(crate) fn log(&self) -> Option<Arc<log::Log>> {
        lock(&self.log).as_ref().map(|open| open.log.clone())
    }

    /// The holder's duties, while this device holds.
    pub(crate) fn duty(&self) -> Option<Arc<duty::Duty>> {
        lock(&self.duty).clone()
    }

    pub(crate) fn last_duty(&self) -> Option<Arc<duty::Duty>> {
        lock(&self.last_duty).clone()
    }

    pub(crate) fn set_duty(&self, duty: Option<Arc<duty::Duty>>) {
        if let Some(duty) = &duty {
            *lock(&self.last_duty) = Some(duty.clone());
        }
        *lock(&self.duty) = duty;
    }

    /// The site refuses this device, or does not any more.
    pub(crate) fn turned_away(&self, reason: Option<String>) {
        *lock(&self.turned) = reason;
    }

    pub(crate) fn log_failed(&self, reason: &str) {
        let mut failure = lock(&self.log_failure);
        if failure.as_deref() != Some(reason) {
            tracing::error!(reason, "the log failed");
            *failure = Some(reason.to_owned());
        }
    }

    /// Answers a ping, as the holder.
    pub(crate) async fn answer_ping(&self, device: DeviceId, ping: Ping, received: BootTime) -> Option<Pong> {
        if self.refuse_device(&device).is_some() {
            return None;
        }
        let duty = self.duty()?;
        let ahead_ms = ping.clock.ms_since(duty.time(self));
        self.contacts().heard(device, received, Some(ahead_ms));
        let mut pong = duty.pong(self, device, ping, received).await?;
        let queue = self.queue.borrow();
        let places = queue.get(&device).into_iter().flatten();
        pong.queue = places.filter(|place| pong.live.contains(&place.session)).copied().collect();
        Some(pong)
    }
}
