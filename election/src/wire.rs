//! What goes over the network and onto the disk, as types of our own: the engine's types may change with its version,
//! these may not. A released variant never changes; new ones are added at the end.

use std::collections::{BTreeMap, BTreeSet};

use openraft::EntryPayload;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use openraft::vote::RaftLeaderId;
use openraft::vote::RaftVote;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::types::{Command, Entry, LogId, Membership, Place, SnapshotMeta, StoredMembership, Types, Vote};

#[cfg(test)]
mod tests;

/// Most voters plus standbys that a membership read from outside may name.
const MEMBERS_MAX: usize = 64;

/// Why bytes that decode are still not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the membership is not valid")]
    Membership,
    #[error("the entries do not follow each other")]
    Entries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireLogId {
    term: u64,
    index: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireVote {
    term: u64,
    node: u64,
    committed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireMembership {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, DeviceId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum WirePayload {
    Blank,
    Command(Vec<u8>),
    Membership(WireMembership),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireEntry {
    id: WireLogId,
    payload: WirePayload,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireSnapshotMeta {
    last: Option<WireLogId>,
    membership_at: Option<WireLogId>,
    membership: WireMembership,
}

/// One request. `to` is checked by the receiver: a wiped node answers under its new id only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) body: Ask,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Append { vote: WireVote, prev: Option<WireLogId>, entries: Vec<WireEntry>, commit: Option<WireLogId> },
    Vote { vote: WireVote, last: Option<WireLogId>, transfer: bool },
    PreVote { vote: WireVote, last: Option<WireLogId> },
    Transfer { vote: WireVote, to: u64, last: Option<WireLogId> },
    SnapshotStart { vote: WireVote, meta: WireSnapshotMeta, bytes: u64 },
    SnapshotChunk { data: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// With what the wall clock says here.
    Append(WireAppended, WallTime),
    Vote {
        vote: WireVote,
        last: Option<WireLogId>,
        granted: bool,
    },
    Transfer {
        accepted: bool,
    },
    SnapshotMore,
    SnapshotDone {
        vote: WireVote,
    },
    Refused(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WireAppended {
    Success,
    Partial(Option<WireLogId>),
    Conflict,
    HigherVote(WireVote),
}

/// Why a request was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The node asked for does not live here (any more).
    NotThisNode,
    /// The asking device does not own the node id that it claims.
    NotYourNode,
    /// The request breaks the protocol.
    Malformed,
    /// Too much at once; ask later.
    Busy,
    /// The engine here has stopped.
    Stopped,
}

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(<openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(term, 0).to_committed(), index)
}

impl From<LogId> for WireLogId {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, index: id.index }
    }
}

impl From<WireLogId> for LogId {
    fn from(id: WireLogId) -> Self {
        log_id(id.term, id.index)
    }
}

pub(crate) fn ids(id: Option<WireLogId>) -> Option<LogId> {
    id.map(LogId::from)
}

pub(crate) fn wire_ids(id: Option<LogId>) -> Option<WireLogId> {
    id.map(WireLogId::from)
}

impl WireVote {
    /// Whether this leader can have a log that ends with `last`.
    pub(crate) fn allows(self, last: LogId) -> bool {
        self.committed && last.leader_id.term <= self.term
    }
}

impl From<Vote> for WireVote {
    fn from(vote: Vote) -> Self {
        Self { term: vote.leader_id.term, node: vote.leader_id.voted_for, committed: vote.committed }
    }
}

impl From<WireVote> for Vote {
    fn from(vote: WireVote) -> Self {
        Self::from_leader_id(RaftLeaderId::new(vote.term, vote.node), vote.committed)
    }
}

impl From<&Membership> for WireMembership {
    fn from(membership: &Membership) -> Self {
        Self {
            configs: membership.get_joint_config().clone(),
            nodes: membership.nodes().map(|(id, place)| (*id, place.0)).collect(),
        }
    }
}

impl TryFrom<WireMembership> for Membership {
    type Error = WireError;

    fn try_from(wire: WireMembership) -> Result<Self, WireError> {
        if wire.nodes.len() > MEMBERS_MAX || wire.configs.len() > 2 {
            return Err(WireError::Membership);
        }
        if wire.configs.is_empty() && wire.nodes.is_empty() {
            return Ok(Self::default());
        }
        let nodes: BTreeMap<u64, Place> =
            wire.nodes.into_iter().map(|(id, device)| (id, Place(device))).collect();
        Self::new(wire.configs, nodes).map_err(|_| WireError::Membership)
    }
}

impl From<&Entry> for WireEntry {
    fn from(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            EntryPayload::Blank => WirePayload::Blank,
            EntryPayload::Normal(command) => WirePayload::Command(command.0.clone()),
            EntryPayload::Membership(membership) => WirePayload::Membership(membership.into()),
        };
        Self { id: entry.log_id.into(), payload }
    }
}

impl WireEntry {
    /// The engine's entry.
    pub(crate) fn entry(self) -> Result<Entry, WireError> {
        let payload = match self.payload {
            WirePayload::Blank => EntryPayload::Blank,
            WirePayload::Command(bytes) => EntryPayload::Normal(Command(bytes)),
            WirePayload::Membership(membership) => {
                let membership = Membership::try_from(membership)?;
                if membership.get_joint_config().is_empty() {
                    return Err(WireError::Membership);
                }
                EntryPayload::Membership(membership)
            }
        };
        Ok(Entry { log_id: self.id.into(), payload })
    }
}

impl From<&SnapshotMeta> for WireSnapshotMeta {
    fn from(meta: &SnapshotMeta) -> Self {
        Self {
            last: wire_ids(meta.last_log_id),
            membership_at: wire_ids(*meta.last_membership.log_id()),
            membership: meta.last_membership.membership().into(),
        }
    }
}

impl TryFrom<WireSnapshotMeta> for SnapshotMeta {
    type Error = WireError;

    fn try_from(wire: WireSnapshotMeta) -> Result<Self, WireError> {
        let membership = Membership::try_from(wire.membership)?;
        Ok(Self {
            last_log_id: ids(wire.last),
            last_membership: StoredMembership::new(ids(wire.membership_at), membership),
        })
    }
}

impl From<AppendEntriesRequest<Types>> for Ask {
    fn from(rpc: AppendEntriesRequest<Types>) -> Self {
        Self::Append {
            vote: rpc.vote.into(),
            prev: wire_ids(rpc.prev_log_id),
            entries: rpc.entries.iter().map(WireEntry::from).collect(),
            commit: wire_ids(rpc.leader_commit),
        }
    }
}

/// Checks what the engine takes for granted: consecutive entries, a committed vote, terms that do not fall.
pub(crate) fn append_request(
    vote: WireVote,
    prev: Option<WireLogId>,
    entries: Vec<WireEntry>,
    commit: Option<WireLogId>,
) -> Result<AppendEntriesRequest<Types>, WireError> {
    if !vote.committed {
        return Err(WireError::Entries);
    }
    let mut term = prev.map_or(0, |id| id.term);
    let mut next = prev.map_or(Some(0), |id| id.index.checked_add(1));
    for entry in &entries {
        if Some(entry.id.index) != next || entry.id.term < term || entry.id.term > vote.term {
            return Err(WireError::Entries);
        }
        term = entry.id.term;
        next = entry.id.index.checked_add(1);
    }
    let entries = entries.into_iter().map(WireEntry::entry).collect::<Result<_, _>>()?;
    Ok(AppendEntriesRequest {
        vote: vote.into(),
        prev_log_id: ids(prev),
        entries,
        leader_commit: ids(commit),
    })
}

impl From<AppendEntriesResponse<Types>> for WireAppended {
    fn from(response: AppendEntriesResponse<Types>) -> Self {
        match response {
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(last) => Self::Partial(wire_ids(last)),
            AppendEntriesResponse::Conflict => Self::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

impl From<WireAppended> for AppendEntriesResponse<Types> {
    fn from(wire: WireAppended) -> Self {
        match wire {
            WireAppended::Success => Self::Success,
            WireAppended::Partial(last) => Self::PartialSuccess(ids(last)),
            WireAppended::Conflict => Self::Conflict,
            WireAppended::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

pub(crate) fn vote_request(vote: WireVote, last: Option<WireLogId>, transfer: bool) -> VoteRequest<Types> {
    let mut request = VoteRequest::new(vote.into(), ids(last));
    request.leadership_transfer = transfer;
    request
}

pub(crate) fn vote_response(vote: WireVote, last: Option<WireLogId>, granted: bool) -> VoteResponse<Types> {
    VoteResponse::new(Vote::from(vote), ids(last), granted)
}

impl From<VoteResponse<Types>> for Answer {
    fn from(response: VoteResponse<Types>) -> Self {
        Self::Vote {
            vote: response.vote.into(),
            last: wire_ids(response.last_log_id),
            granted: response.vote_granted,
        }
    }
}

pub(crate) fn transfer_request(
    vote: WireVote,
    to: u64,
    last: Option<WireLogId>,
) -> TransferLeaderRequest<Types> {
    TransferLeaderRequest::new(vote.into(), to, ids(last))
}
