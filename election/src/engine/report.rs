//! Turns the engine's metrics into a [`Status`] that changes only when something worth acting on does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use openraft::{Instant as _, ServerState};
use seatkeeper_protocol::id::NodeId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::config::Timing;
use crate::network::Acknowledged;
use crate::status::{Member, Peer, SILENCE_STEP_MS, Status};
use crate::types::{Metrics, Raft};

/// How often time alone is looked at: a leader that falls silent changes no metrics.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) type Heard = Arc<dyn Fn() + Send + Sync>;

/// The reporter, also for those who want to know now.
pub(super) type Shared = Arc<Mutex<Reporter>>;

/// A started reporter.
pub(super) struct Started {
    pub(super) task: JoinHandle<()>,
    pub(super) status: watch::Receiver<Status>,
    /// To be called each time the leader is heard.
    pub(super) heard: Heard,
    pub(super) reporter: Shared,
}

pub(super) fn spawn(raft: Raft, me: Peer, timing: Timing, acknowledged: Arc<Acknowledged>) -> Started {
    let heard_at = Arc::new(Mutex::new(Instant::now()));
    let heard = {
        let heard_at = Arc::clone(&heard_at);
        Arc::new(move || *lock(&heard_at) = Instant::now())
    };
    let (sender, status) = watch::channel(Status::initial(me));
    let reporter = Reporter { me, timing, heard_at, acknowledged, leading: None };
    let reporter = Arc::new(Mutex::new(reporter));
    let task = tokio::spawn(run(Arc::clone(&reporter), raft, sender));
    Started { task, status, heard, reporter }
}

fn lock<R>(mutex: &Mutex<R>) -> MutexGuard<'_, R> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Reporter {
    me: Peer,
    timing: Timing,
    heard_at: Arc<Mutex<Instant>>,
    acknowledged: Arc<Acknowledged>,
    leading: Option<Leading>,
}

/// A term in which this node leads.
struct Leading {
    term: u64,
    /// Since when each member is awaited; one that was added later has been silent only since then.
    awaited: BTreeMap<NodeId, Instant>,
}

async fn run(reporter: Shared, raft: Raft, sender: watch::Sender<Status>) {
    let mut metrics = raft.metrics();
    // Holding the engine here would keep it alive.
    drop(raft);
    loop {
        // Looked at in place: they change with every heartbeat, and a copy costs more than the look.
        let status = lock(&reporter).status(&metrics.borrow_watched());
        let stopped = status.fatal.is_some();
        sender.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
        if stopped {
            return;
        }
        if let Ok(Err(_)) = tokio::time::timeout(LOOK_EVERY, metrics.changed()).await {
            sender.send_modify(|status| {
                status.is_leader = false;
                status.leader = None;
                status.quorum_ok = false;
                status.fatal.get_or_insert_with(|| "stopped".to_owned());
            });
            return;
        }
    }
}

impl Reporter {
    pub(super) fn status(&mut self, metrics: &Metrics) -> Status {
        let fatal = match &metrics.running_state {
            Ok(()) => None,
            Err(Fatal::Stopped) => Some("stopped".to_owned()),
            Err(fatal) => Some(fatal.to_string()),
        };
        let is_leader = metrics.state == ServerState::Leader && fatal.is_none();
        let term = metrics.current_term;
        self.await_members(metrics, is_leader);
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
        let members: Vec<Member> = membership
            .nodes()
            .map(|(node, place)| Member {
                peer: Peer { node: *node, device: place.0 },
                voter: voters.contains(node),
                matched: is_leader.then(|| self.matched(metrics, *node)).flatten(),
                lost: is_leader && self.acknowledged.lost(*node, term),
                silent_ms: self.silent(metrics, *node).map(in_steps),
            })
            .collect();
        let live = |node: &NodeId| {
            let answers = self.silent(metrics, *node).is_some_and(|silent| silent < self.lost_after());
            answers && !self.acknowledged.lost(*node, term)
        };
        let configs = membership.get_joint_config();
        let leader = self.leader(metrics, is_leader);
        let (voters_live, quorum_ok) = if is_leader {
            let majority = |config: &BTreeSet<NodeId>| {
                config.iter().filter(|node| live(node)).count() * 2 > config.len()
            };
            (
                voters.iter().filter(|node| live(node)).count(),
                !configs.is_empty() && configs.iter().all(majority),
            )
        } else {
            let mine = usize::from(voters.contains(&self.me.node));
            (mine + usize::from(leader.is_some()), leader.is_some())
        };
        Status {
            me: self.me,
            term,
            leader: leader.filter(|_| fatal.is_none()),
            is_leader,
            members,
            last_applied: metrics.last_applied.map_or(0, |id| id.index),
            last_log: metrics.last_log_index.unwrap_or(0),
            joint: configs.len() > 1,
            voters_live,
            quorum_ok: quorum_ok && fatal.is_none(),
            fatal,
        }
    }

    /// Whether a node has lost entries that it had acknowledged to this one in `term`.
    pub(super) fn has_lost(&self, node: NodeId, term: u64) -> bool {
        self.acknowledged.lost(node, term)
    }

    fn await_members(&mut self, metrics: &Metrics, is_leader: bool) {
        let term = metrics.current_term;
        self.leading = self.leading.take().filter(|leading| is_leader && leading.term == term);
        if is_leader {
            let leading = self.leading.get_or_insert_with(|| Leading { term, awaited: BTreeMap::new() });
            let membership = metrics.membership_config.membership();
            leading.awaited.retain(|node, _| membership.get_node(node).is_some());
            let now = Instant::now();
            for (node, _) in membership.nodes() {
                leading.awaited.entry(*node).or_insert(now);
            }
        }
    }

    fn leader(&self, metrics: &Metrics, is_leader: bool) -> Option<Peer> {
        let node = metrics.current_leader?;
        let place = metrics.membership_config.membership().get_node(&node)?;
        let heard_at = *lock(&self.heard_at);
        let heard = node == self.me.node || heard_at.elapsed() < self.lost_after();
        let known = if node == self.me.node { is_leader } else { heard };
        known.then_some(Peer { node, device: place.0 })
    }

    fn matched(&self, metrics: &Metrics, node: NodeId) -> Option<u64> {
        if node == self.me.node {
            return metrics.last_log_index;
        }
        metrics.replication.as_ref()?.get(&node).copied().flatten().map(|id| id.index)
    }

    /// How long `node` has not answered this leader; a new leader counts from its beginning.
    fn silent(&self, metrics: &Metrics, node: NodeId) -> Option<Duration> {
        let since = self.leading.as_ref()?.awaited.get(&node)?;
        if node == self.me.node {
            return Some(Duration::ZERO);
        }
        let acked = metrics.heartbeat.as_ref().and_then(|all| all.get(&node).copied().flatten());
        let silent = since.elapsed();
        Some(acked.map_or(silent, |at| at.elapsed().min(silent)))
    }

    /// After which silence a peer counts as lost in a status.
    fn lost_after(&self) -> Duration {
        (self.timing.election_max * 2).max(Duration::from_secs(1))
    }
}

fn in_steps(silent: Duration) -> u64 {
    let ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
    ms - ms % SILENCE_STEP_MS
}
