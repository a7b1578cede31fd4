//! Carries the plan of [`crate::roles`] out while this node leads: one change in flight, awake only when something
//! changes or is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_protocol::id::{DeviceId, NodeId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::{Change, Engine};
use crate::roles::{HAND_OVER_BY_MS, Standing, Step, View, plan};
use crate::status::{Peer, Status};

/// How soon a step that failed is looked at again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a device that failed to open a log is left alone.
const REST: Duration = Duration::from_secs(5);
/// How long a leader that should have handed over by now waits for one device.
const LATE_ANSWER: Duration = Duration::from_millis(200);

/// Why a spare did not open or close a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device did not follow: {0}")]
pub struct RecruitError(pub String);

/// An answer that comes later.
pub type Later<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// Asks devices to open and close logs. The agent does so over the seat session.
pub trait Recruit: Send + Sync + 'static {
    /// Asks a spare to open a fresh log; answers its new node id.
    fn start_log(&self, device: DeviceId) -> Later<'_, Result<NodeId, RecruitError>>;

    /// Tells a device that its log is no longer needed.
    fn stop_log(&self, device: DeviceId) -> Later<'_, Result<(), RecruitError>>;
}

/// The running controller; stops when dropped.
#[derive(Debug)]
pub struct Controller(JoinHandle<()>);

impl Drop for Controller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts the controller of `engine`. It does nothing until the engine leads and `standing` has candidates.
pub fn spawn_controller<T: 'static>(
    engine: Engine<T>,
    standing: watch::Receiver<Standing>,
    recruit: Arc<dyn Recruit>,
) -> Controller {
    let leaving = engine.leaving();
    let loop_ = Loop {
        status: engine.status(),
        engine,
        standing,
        recruit,
        leaving,
        leaving_since: None,
        resting: BTreeMap::new(),
    };
    Controller(tokio::spawn(loop_.run()))
}

struct Loop<T> {
    engine: Engine<T>,
    status: watch::Receiver<Status>,
    standing: watch::Receiver<Standing>,
    leaving: watch::Receiver<bool>,
    /// Since when this node has been about to go.
    leaving_since: Option<Instant>,
    recruit: Arc<dyn Recruit>,
    /// Devices that failed to open a log, until when they are left alone.
    resting: BTreeMap<DeviceId, Instant>,
}

impl<T: 'static> Loop<T> {
    async fn run(mut self) {
        loop {
            if self.status.wait_for(|status| status.is_leader || status.fatal.is_some()).await.is_err() {
                return;
            }
            self.status.mark_unchanged();
            self.standing.mark_unchanged();
            let leaving = *self.leaving.borrow_and_update();
            self.leaving_since = leaving.then(|| self.leaving_since.unwrap_or_else(Instant::now));
            let status = self.engine.status_now();
            if status.fatal.is_some() {
                return;
            }
            let now = Instant::now();
            self.resting.retain(|_, until| *until > now);
            // Without a majority no change would ever end.
            let step = if status.is_leader && status.quorum_ok { plan(&self.view(status)) } else { None };
            let wake_at = match step {
                None => {
                    self.resting.values().copied().chain(self.hand_over_by()).filter(|at| *at > now).min()
                }
                Some(step) if self.act(step).await => continue,
                Some(_) => Some(Instant::now() + AGAIN_AFTER),
            };
            self.rest(wake_at).await;
        }
    }

    fn view(&self, status: Status) -> View {
        View {
            me: status.me.node,
            members: status.members,
            joint: status.joint,
            last_log: status.last_log,
            standing: self.standing.borrow().clone(),
            leaving_ms: self
                .leaving_since
                .map(|since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)),
            resting: self.resting.keys().copied().collect::<BTreeSet<_>>(),
        }
    }

    /// Waits for a change, or until `wake_at`.
    async fn rest(&mut self, wake_at: Option<Instant>) {
        let alarm = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // Once the agent has dropped its side of the standing, only the other events wake us.
        let standing = async {
            if self.standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = self.status.changed() => {}
            () = standing => {}
            _ = self.leaving.changed() => {}
            () = alarm => {}
        }
    }

    /// Whether the step was made.
    async fn act(&mut self, step: Step) -> bool {
        tracing::info!(?step, "changing who holds the log");
        let made = match step {
            Step::FinishJoint => self.change(Change::FinishJoint).await,
            Step::Recruit(device) => return self.recruit(device).await,
            Step::AddStandby(peer) => self.change(Change::AddStandby(peer)).await,
            Step::Promote(node) => return self.promote(node).await,
            Step::Demote(node) => self.change(Change::Demote(node)).await,
            Step::Remove(node) => self.remove(node).await,
            Step::Transfer(node) => self.engine.transfer(node).await.map_err(|error| error.to_string()),
        };
        if let Err(reason) = &made {
            tracing::warn!(?step, reason, "not changed");
        }
        made.is_ok()
    }

    async fn change(&self, change: Change) -> Result<(), String> {
        self.engine.change(change).await.map_err(|error| error.to_string())
    }

    async fn remove(&self, node: NodeId) -> Result<(), String> {
        let device = self.engine.status_now().members.iter().find(|member| member.peer.node == node).copied();
        self.change(Change::Remove(node)).await?;
        if let Some(member) = device {
            let (recruit, device) = (Arc::clone(&self.recruit), member.peer.device);
            // It may be off or revoked: nothing waits for it.
            tokio::spawn(async move {
                if let Err(error) = recruit.stop_log(device).await {
                    tracing::debug!(%error, device = %device.short(), "its log stays open");
                }
            });
        }
        Ok(())
    }

    /// Asks the standby once more: one that is just going may have told that to an earlier leader only.
    async fn promote(&mut self, node: NodeId) -> bool {
        let members = self.engine.status_now().members;
        let Some(member) = members.iter().find(|member| member.peer.node == node) else { return false };
        let device = member.peer.device;
        let stays = match self.start_log(device).await {
            None => return false,
            Some(Ok(own)) if own == node => Ok(()),
            Some(Ok(_)) => Err("it has another log".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
        };
        let made = match stays {
            Ok(()) => self.change(Change::Promote(node)).await,
            Err(reason) => {
                self.resting.insert(device, Instant::now() + REST);
                Err(reason)
            }
        };
        if let Err(reason) = &made {
            tracing::warn!(reason, device = %device.short(), "not promoted");
        }
        made.is_ok()
    }

    /// The node id of the log that a device opens, or has open; `None`: there is something better to do.
    async fn start_log(&self, device: DeviceId) -> Option<Result<NodeId, RecruitError>> {
        let mut standing = self.standing.clone();
        let stays = |standing: &Standing| {
            // Nothing is known of anybody: this node no longer leads, or has just lost its majority.
            if standing.candidates.is_empty() {
                return true;
            }
            let own = standing.candidates.iter().find(|candidate| candidate.device == device);
            own.is_some_and(|candidate| candidate.connected && !candidate.leaving)
        };
        tokio::select! {
            node = self.recruit.start_log(device) => Some(node),
            // Others may be waiting for their successor: one that goes is not waited for.
            Ok(_) = standing.wait_for(|standing| !stays(standing)) => Some(Err(RecruitError("it goes".to_owned()))),
            late = self.hurry() => late.then(|| Err(RecruitError("it does not answer in time".to_owned()))),
        }
    }

    async fn recruit(&mut self, device: DeviceId) -> bool {
        let Some(node) = self.start_log(device).await else { return false };
        let added = match node {
            Ok(node) if self.engine.has_lost(node) => {
                Err("it still has the log that has lost entries".to_owned())
            }
            Ok(node) => self.change(Change::AddStandby(Peer { node, device })).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = &added {
            tracing::warn!(reason, device = %device.short(), "no log there");
            self.resting.insert(device, Instant::now() + REST);
        }
        added.is_ok()
    }

    /// Until when a leader that goes has to hand over.
    fn hand_over_by(&self) -> Option<Instant> {
        self.leaving_since.map(|since| since + Duration::from_millis(HAND_OVER_BY_MS))
    }

    /// Ends when this node has something better to do than to wait for a device: it begins to leave, or must hand over.
    /// Once it must (`true`), the only better thing is to ask another one.
    async fn hurry(&self) -> bool {
        match self.hand_over_by() {
            Some(at) if at > Instant::now() => tokio::time::sleep_until(at).await,
            Some(_) => {
                tokio::time::sleep(LATE_ANSWER).await;
                return true;
            }
            None => {
                let _ = self.leaving.clone().wait_for(|leaving| *leaving).await;
            }
        }
        false
    }
}

/// How a leave ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveOutcome {
    /// This node no longer votes.
    Left,
    /// Another node leads, but this one still has its vote.
    HandedOver,
    /// There is nobody to hand anything to.
    Alone,
    /// Nothing came of it in time.
    TimedOut,
}

impl<T> Engine<T> {
    /// Gives up leadership and vote, as far as that goes within `deadline`: the controller promotes a standby if
    /// there must be one, hands over, and the successor takes this node's vote. Afterwards this node may go whatever
    /// came of it. On a node that does not lead, it waits for the leader to take its vote. `heirs`: whether there is a
    /// machine without a vote that might take this one's; if not, handing over leadership is all there is to wait for.
    pub async fn leave(&self, deadline: Duration, heirs: bool) -> LeaveOutcome {
        self.set_leaving(true);
        let me = self.me();
        let votes = |status: &Status| status.members.iter().any(|member| member.peer == me && member.voter);
        let mut status = self.status();
        {
            let now = status.borrow_and_update();
            if votes(&now) && now.members.len() == 1 {
                return LeaveOutcome::Alone;
            }
        }
        // Three votes are the floor: with nobody to take this one it stays.
        let kept = |status: &Status| {
            let successor = status.leader.is_some_and(|leader| leader != me);
            !heirs && successor && status.members.len() == 3 && status.voters() == 3
        };
        let gone = status.wait_for(|status| !status.is_leader && (!votes(status) || kept(status)));
        if let Ok(Ok(status)) = tokio::time::timeout(deadline, gone).await {
            return if votes(&status) { LeaveOutcome::HandedOver } else { LeaveOutcome::Left };
        }
        if self.status_now().is_leader { LeaveOutcome::TimedOut } else { LeaveOutcome::HandedOver }
    }

    /// Takes a leave back: this node stays after all, and may lead and vote again.
    pub fn stay(&self) {
        self.set_leaving(false);
    }
}
