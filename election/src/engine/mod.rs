//! Proposals, confirmed reads, leadership: what the agent talks to.

mod change;
pub(crate) mod config;
pub(crate) mod error;
mod places;
mod report;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader, LinearizableReadError, RaftError};
use openraft::{Instant as _, LinearizerOption, ReadPolicy};
use seatkeeper_protocol::id::{DeviceId, NodeId};
use seatkeeper_protocol::limits::COMMAND_BYTES_MAX;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

pub use change::Change;
use config::EngineConfig;
use error::{InitError, ProposeError, ReadError, StartError, TransferError};
use places::Places;

use crate::clocks::{Clocks, Reading};
use crate::machine::{Machine, StateMachine};
use crate::network::{Acknowledged, Network};
use crate::seam::{Clock, Transport};
use crate::server::{Desk, serve};
use crate::status::{Peer, Status};
use crate::store::{LogStore, Store};
use crate::types::{Command, Metrics, Place, Raft, Types};

/// A transfer target must have answered within this time, or a transfer could leave the site without a leader.
const TRANSFER_ACK_MAX: Duration = Duration::from_millis(200);

/// A command that has been committed and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its place in the log.
    pub index: u64,
    /// The term in which it was written.
    pub term: u64,
    /// What the state machine answered.
    pub outcome: Vec<u8>,
}

/// A confirmed read: when this was begun, this node led, and the state machine now has everything committed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadIndex {
    /// The state machine has applied at least up to here.
    pub index: u64,
    /// The term in which this node led.
    pub term: u64,
}

/// One node of the site's consensus. Cheap to clone.
pub struct Engine<T> {
    inner: Arc<Inner>,
    transport: PhantomData<fn(T)>,
}

impl<T> Clone for Engine<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), transport: PhantomData }
    }
}

impl<T> std::fmt::Debug for Engine<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("me", &self.inner.me).finish_non_exhaustive()
    }
}

struct Inner {
    raft: Raft,
    me: Peer,
    config: EngineConfig,
    store: Store,
    clock: Arc<dyn Clock>,
    clocks: Arc<Clocks>,
    status: watch::Receiver<Status>,
    /// Closed while leadership is handed over: proposals wait for the outcome instead of being refused.
    gate: watch::Sender<bool>,
    proposals: Semaphore,
    places: Places,
    desk: Desk,
    closing: watch::Sender<bool>,
    leaving: watch::Sender<bool>,
    reporter: report::Shared,
    reporting: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Transport> Engine<T> {
    /// Starts the engine of `me` on `log`. The state machine is rebuilt from snapshot and log.
    ///
    /// # Errors
    /// When the log is not this node's or not readable, or the settings contradict each other.
    pub async fn start(
        config: EngineConfig,
        me: Peer,
        mut log: LogStore,
        transport: Arc<T>,
        clock: Arc<dyn Clock>,
        state: Box<dyn StateMachine>,
    ) -> Result<Self, StartError> {
        let raft_config = Arc::new(config.raft()?);
        log.claim(me.node)?;
        let store = Store::start(log);
        let clocks = Arc::new(Clocks::new(Arc::clone(&clock)));
        let machine = Machine::new(state, store.clone());
        let acknowledged = Arc::<Acknowledged>::default();
        let network = Network::new(transport, me.node, Arc::clone(&acknowledged), Arc::clone(&clocks));
        let raft = match Raft::new(me.node, raft_config, network, store.clone(), machine).await {
            Ok(raft) => raft,
            Err(fatal) => {
                store.close().await;
                return Err(StartError::Engine(fatal.to_string()));
            }
        };
        let report::Started { task, status, heard, reporter } =
            report::spawn(raft.clone(), me, config.timing, acknowledged);
        let desk = Desk {
            raft: raft.clone(),
            me: me.node,
            clock: Arc::clone(&clock),
            heard,
            snapshot: Arc::new(tokio::sync::Mutex::new(())),
        };
        let inner = Inner {
            raft,
            me,
            config,
            store,
            clock,
            clocks,
            status,
            gate: watch::Sender::new(true),
            proposals: Semaphore::new(config.proposals_max),
            places: Places::new(config.streams_max),
            desk,
            closing: watch::Sender::new(false),
            leaving: watch::Sender::new(false),
            reporter,
            reporting: Mutex::new(Some(task)),
        };
        Ok(Self { inner: Arc::new(inner), transport: PhantomData })
    }

    /// Makes this node the only voter of a new site.
    ///
    /// # Errors
    /// When the log has a site already.
    pub async fn initialize(&self) -> Result<(), InitError> {
        let me = self.inner.me;
        let members = BTreeMap::from([(me.node, Place(me.device))]);
        self.inner.raft.initialize(members).await.map_err(|error| match error {
            RaftError::APIError(_) => InitError::NotEmpty,
            RaftError::Fatal(fatal) => InitError::Stopped(fatal.to_string()),
        })
    }

    /// Serves one incoming consensus stream until it ends. `peer` is the device that the transport has proven;
    /// requests that name a node of another device, or are meant for another node than this one, are refused.
    pub async fn serve(&self, peer: DeviceId, stream: T::Stream) {
        let Some(_place) = self.inner.places.take(peer) else { return };
        let mut closing = self.inner.closing.subscribe();
        tokio::select! {
            () = serve(self.inner.desk.clone(), peer, stream) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

impl<T> Engine<T> {
    /// This node.
    pub fn me(&self) -> Peer {
        self.inner.me
    }

    /// What the wall clocks of others said with their latest answers to this node as a leader.
    pub fn clocks(&self) -> BTreeMap<DeviceId, Reading> {
        self.inner.clocks.readings()
    }

    /// How many entries the log has that no snapshot has taken the place of, and how many bytes the snapshot.
    pub fn sizes(&self) -> (u64, u64) {
        self.inner.store.sizes()
    }

    /// The settings it was started with.
    pub fn config(&self) -> EngineConfig {
        self.inner.config
    }

    /// What this node knows of the site; changes only when something worth acting on does.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.clone()
    }

    /// Writes a command to the log and waits until it is committed and applied here.
    ///
    /// # Errors
    /// [`ProposeError::Unknown`] means that the command may still be applied: propose it again under the same
    /// request id. With every other error nothing was written.
    pub async fn propose(&self, command: Vec<u8>, deadline: Duration) -> Result<Applied, ProposeError> {
        let until = Instant::now() + deadline;
        if command.len() > COMMAND_BYTES_MAX {
            return Err(ProposeError::TooLarge { len: command.len(), max: COMMAND_BYTES_MAX });
        }
        let Ok(_permit) = self.inner.proposals.try_acquire() else { return Err(ProposeError::Busy) };
        // A leader whose lease has run out, or has not begun, refuses without writing; that often passes at once.
        let patience = until.min(Instant::now() + self.inner.config.timing.election_max);
        loop {
            if let Some(reason) = self.stopped() {
                return Err(ProposeError::Stopped(reason));
            }
            let mut gate = self.inner.gate.subscribe();
            if !matches!(timeout_at(until, gate.wait_for(|open| *open)).await, Ok(Ok(_))) {
                return Err(ProposeError::NotHolder { leader: self.leader() });
            }
            drop(gate);
            let write = self.inner.raft.client_write(Command(command.clone()));
            let forward = match timeout_at(until, write).await {
                Ok(Ok(response)) => {
                    let id = response.log_id;
                    return Ok(Applied { index: id.index, term: id.leader_id.term, outcome: response.data });
                }
                Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => forward,
                // Written and overtaken, or the engine stopped on the way, or the deadline passed.
                Ok(Err(_)) | Err(_) => return Err(ProposeError::Unknown),
            };
            let waits = forward.reason == ForwardReason::LeaseExpired;
            if !waits || timeout_at(patience, self.leased()).await.is_err() {
                return Err(ProposeError::NotHolder { leader: self.forwarded(&forward) });
            }
        }
    }

    /// Confirms with a majority of voters, after this call began, that this node leads, and waits until the state
    /// machine has everything that was committed before.
    ///
    /// # Errors
    /// When another node leads, or no majority answers in time.
    pub async fn read_index(&self, deadline: Duration) -> Result<ReadIndex, ReadError> {
        let began = self.inner.clock.mono();
        let until = Instant::now() + deadline;
        if let Some(reason) = self.stopped() {
            return Err(ReadError::Stopped(reason));
        }
        let option = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(deadline);
        let confirm = async {
            let linearizer = self.inner.raft.get_read_linearizer(option).await?;
            let id = *linearizer.read_log_id().log_id();
            let left = until.saturating_duration_since(Instant::now());
            let ready = linearizer.try_await_ready(&self.inner.raft, Some(left)).await?;
            Ok(ready.is_ok().then_some(ReadIndex { index: id.index, term: id.leader_id.term }))
        };
        let read = match timeout_at(until, confirm).await {
            Ok(Ok(Some(read))) => read,
            Ok(Ok(None)) | Err(_) => return Err(ReadError::NoQuorum),
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
                return Err(ReadError::NotHolder { leader: self.forwarded(&forward) });
            }
            Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {
                return Err(ReadError::NoQuorum);
            }
            Ok(Err(RaftError::Fatal(fatal))) => return Err(ReadError::Stopped(fatal.to_string())),
        };
        // The runtime's clock stands still while the machine sleeps; this one does not.
        let limit = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        if self.inner.clock.mono().ms_since(began) > limit {
            return Err(ReadError::NoQuorum);
        }
        Ok(read)
    }

    /// Hands leadership to `to`, a voter that has the whole log and has answered within the last 200 ms. Proposals
    /// that come meanwhile wait and are then sent to the new leader by their proposers.
    ///
    /// # Errors
    /// When the target is not ready, in which case nothing was tried, or does not take over in time.
    pub async fn transfer(&self, to: NodeId) -> Result<(), TransferError> {
        if let Some(reason) = self.stopped() {
            return Err(TransferError::Stopped(reason));
        }
        let timing = self.inner.config.timing;
        let _closed = Closed::close(&self.inner.gate);
        let mut metrics = self.inner.raft.metrics();
        let patience = Instant::now() + timing.election_max;
        loop {
            let now = crate::status::borrow(&metrics);
            if !now.state.is_leader() {
                return Err(TransferError::NotLeader);
            }
            if to == self.inner.me.node || !now.membership_config.voter_ids().any(|voter| voter == to) {
                return Err(TransferError::NotVoter(to));
            }
            if fit_to_lead(&now, to) {
                break;
            }
            if !matches!(timeout_at(patience, metrics.changed()).await, Ok(Ok(()))) {
                return Err(TransferError::NotReady(to));
            }
        }
        let stopped = |fatal: openraft::errors::Fatal<Types>| TransferError::Stopped(fatal.to_string());
        self.inner.raft.trigger().transfer_leader(to).await.map_err(stopped)?;
        let patience = Instant::now() + timing.election_max * 2;
        loop {
            let now = crate::status::borrow(&metrics);
            if now.current_leader == Some(to) {
                return Ok(());
            }
            if !matches!(timeout_at(patience, metrics.changed()).await, Ok(Ok(()))) {
                return Err(TransferError::NotTaken(to));
            }
        }
    }

    /// Waits until some standby has acknowledged `index`: true then, false at the deadline (design section 6,
    /// rule 6).
    pub async fn acked_by_standby(&self, index: u64, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let mut metrics = self.inner.raft.metrics();
        loop {
            let now = crate::status::borrow(&metrics);
            let matched = |standby: NodeId| {
                let replication = now.replication.as_ref()?;
                replication.get(&standby).copied().flatten().map(|id| id.index)
            };
            let membership = now.membership_config.membership();
            if membership.learner_ids().any(|standby| matched(standby).is_some_and(|has| has >= index)) {
                return true;
            }
            if !matches!(timeout_at(until, metrics.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }

    /// Stops the engine, writes what is queued and closes the log, so that it can be opened again.
    pub async fn shutdown(&self) {
        self.inner.closing.send_replace(true);
        let _ = self.inner.raft.shutdown().await;
        let reporting = self.inner.reporting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reporting) = reporting {
            let _ = reporting.await;
        }
        self.inner.store.close().await;
    }

    /// The status as of now, not as of the last report.
    pub(crate) fn status_now(&self) -> Status {
        let metrics = crate::status::borrow(&self.inner.raft.metrics());
        self.inner.reporter.lock().unwrap_or_else(PoisonError::into_inner).status(&metrics)
    }

    /// Whether a node has lost entries that it had acknowledged to this one in this term.
    pub(crate) fn has_lost(&self, node: NodeId) -> bool {
        let term = crate::status::borrow(&self.inner.raft.metrics()).current_term;
        self.inner.reporter.lock().unwrap_or_else(PoisonError::into_inner).has_lost(node, term)
    }

    #[cfg(test)]
    pub(crate) fn raft(&self) -> &Raft {
        &self.inner.raft
    }

    pub(crate) fn leaving(&self) -> watch::Receiver<bool> {
        self.inner.leaving.subscribe()
    }

    pub(crate) fn set_leaving(&self, leaving: bool) {
        self.inner.leaving.send_replace(leaving);
    }

    /// Waits until a majority has answered this leader lately, or it leads no more.
    async fn leased(&self) {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let now = crate::status::borrow(&metrics);
            let acked =
                now.last_quorum_acked.is_some_and(|at| at.elapsed() < self.inner.config.timing.election_max);
            if acked || !now.state.is_leader() || metrics.changed().await.is_err() {
                return;
            }
        }
    }

    fn stopped(&self) -> Option<String> {
        self.inner.status.borrow().fatal.clone()
    }

    fn leader(&self) -> Option<Peer> {
        self.inner.status.borrow().leader.filter(|leader| *leader != self.inner.me)
    }

    fn forwarded(&self, forward: &ForwardToLeader<Types>) -> Option<Peer> {
        match (forward.leader_id, forward.leader_node) {
            (Some(node), Some(place)) if node != self.inner.me.node => Some(Peer { node, device: place.0 }),
            _ => self.leader(),
        }
    }
}

/// Whether `to` has every entry of this leader's log and has answered just now.
fn fit_to_lead(metrics: &Metrics, to: NodeId) -> bool {
    let matched = metrics.replication.as_ref().and_then(|all| all.get(&to).copied().flatten());
    let acked = metrics.heartbeat.as_ref().and_then(|all| all.get(&to).copied().flatten());
    let whole = matched.is_some_and(|id| Some(id.index) == metrics.last_log_index);
    whole && acked.is_some_and(|at| at.elapsed() < TRANSFER_ACK_MAX)
}

/// Keeps proposals waiting until dropped.
struct Closed<'a>(&'a watch::Sender<bool>);

impl<'a> Closed<'a> {
    fn close(gate: &'a watch::Sender<bool>) -> Self {
        gate.send_replace(false);
        Self(gate)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
