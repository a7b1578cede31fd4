//! Membership changes: one step at a time, only on the membership they were planned for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, ForwardReason, RaftError};
use openraft::{ChangeMembers, EntryPayload, Precondition};
use seatkeeper_protocol::id::NodeId;
use tokio::time::{Instant, timeout_at};

use super::Engine;
use super::error::ChangeError;
use crate::status::Peer;
use crate::types::{Membership, Place, StoredMembership};

/// How long one change may take before it counts as unknown.
const CHANGE_DEADLINE: Duration = Duration::from_secs(2);
/// How long a change that a fresh leader refuses for the moment is tried again.
const RETRY_FOR: Duration = Duration::from_millis(500);
/// How often; what it waits for (the first commit of its term) has no event of its own.
const RETRY_EVERY: Duration = Duration::from_millis(10);

/// One step from a membership to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new log holder without a vote.
    AddStandby(Peer),
    /// A standby becomes a voter.
    Promote(NodeId),
    /// A voter becomes a standby. Not the leader: it would go on leading.
    Demote(NodeId),
    /// A standby stops holding a log.
    Remove(NodeId),
    /// Ends a two-step change that was left half way.
    FinishJoint,
}

enum Attempt {
    Done(StoredMembership),
    Again,
    Failed(ChangeError),
}

impl<T> Engine<T> {
    /// Changes the membership by one step and waits until that is committed.
    ///
    /// # Errors
    /// When this node does not lead, the step does not fit the present membership, or no majority confirms in time.
    pub async fn change(&self, change: Change) -> Result<(), ChangeError> {
        let until = Instant::now() + CHANGE_DEADLINE;
        let patience = Instant::now() + RETRY_FOR;
        let mut metrics = self.inner.raft.metrics();
        // Based on one membership throughout: whatever changes meanwhile makes this step stale.
        let based_on = crate::status::borrow(&metrics).membership_config.as_ref().clone();
        loop {
            match timeout_at(until, self.attempt(change, &based_on)).await {
                Err(_) => return Err(ChangeError::Unknown),
                Ok(Attempt::Failed(error)) => return Err(error),
                Ok(Attempt::Again) => {
                    if Instant::now() >= patience {
                        return Err(ChangeError::NotLeader);
                    }
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Ok(Attempt::Done(stored)) => {
                    // So that who plans next plans on this membership.
                    while crate::status::borrow(&metrics).membership_config.log_id() < stored.log_id() {
                        if !matches!(timeout_at(until, metrics.changed()).await, Ok(Ok(()))) {
                            break;
                        }
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn attempt(&self, change: Change, based_on: &StoredMembership) -> Attempt {
        let unchanged = Precondition::LastMembershipLogId { last_membership_log_id: *based_on.log_id() };
        let written = if change == Change::FinishJoint {
            // Asking for no further voter takes a half-way membership to its second half.
            let nothing = ChangeMembers::AddVoterIds(BTreeSet::new());
            self.inner.raft.change_membership_if(nothing, true, [unchanged]).await
        } else {
            let next = match self.next_membership(change, based_on.membership()) {
                Ok(next) => next,
                Err(reason) => return Attempt::Failed(ChangeError::Refused(reason)),
            };
            self.inner.raft.append_membership(next, EntryPayload::Blank, [unchanged]).await
        };
        let error = match written {
            Ok(response) => {
                let membership = response.membership.unwrap_or_default();
                return Attempt::Done(StoredMembership::new(Some(response.log_id), membership));
            }
            Err(RaftError::Fatal(fatal)) => return Attempt::Failed(ChangeError::Stopped(fatal.to_string())),
            Err(RaftError::APIError(error)) => error,
        };
        match error {
            // A leader of some 20 ms: nothing is written yet.
            ClientWriteError::ForwardToLeader(forward) if forward.reason == ForwardReason::LeaseExpired => {
                Attempt::Again
            }
            ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::UncommittedLeaderLog(_) | ChangeMembershipError::InProgress(_),
            ) => Attempt::Again,
            ClientWriteError::ForwardToLeader(_) => Attempt::Failed(ChangeError::NotLeader),
            ClientWriteError::LogEntryDiscarded(_) => Attempt::Failed(ChangeError::Unknown),
            ClientWriteError::PreconditionFailed(_) => Attempt::Failed(ChangeError::Stale),
            ClientWriteError::ChangeMembershipError(error) => {
                Attempt::Failed(ChangeError::Refused(error.to_string()))
            }
        }
    }

    fn next_membership(&self, change: Change, now: &Membership) -> Result<Membership, String> {
        let [voters] = now.get_joint_config().as_slice() else {
            return Err("a two-step change is half way; finish it first".to_owned());
        };
        let mut voters = voters.clone();
        let mut nodes: BTreeMap<NodeId, Place> = now.nodes().map(|(node, place)| (*node, *place)).collect();
        match change {
            Change::AddStandby(peer) => {
                if nodes.insert(peer.node, Place(peer.device)).is_some() {
                    return Err(format!("node {} holds a log already", peer.node));
                }
            }
            Change::Promote(node) => {
                if !nodes.contains_key(&node) || !voters.insert(node) {
                    return Err(format!("node {node} is not a standby"));
                }
            }
            // The engine lets a leader without a vote lead on, and for good: transfer first.
            Change::Demote(node) if node == self.inner.me.node => {
                return Err("a leader cannot give up its own vote; transfer first".to_owned());
            }
            Change::Demote(node) => {
                if !voters.remove(&node) {
                    return Err(format!("node {node} does not vote"));
                }
            }
            Change::Remove(node) => {
                if voters.contains(&node) || nodes.remove(&node).is_none() {
                    return Err(format!("node {node} is not a standby"));
                }
            }
            Change::FinishJoint => {}
        }
        Membership::new(vec![voters], nodes).map_err(|error| error.to_string())
    }
}
