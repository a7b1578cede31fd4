//! What an engine tells about itself.

use openraft::async_runtime::watch::WatchReceiver;
use seatkeeper_protocol::id::{DeviceId, NodeId};

use crate::types::Types;

/// A copy of what the engine reports now.
pub(crate) fn borrow<M>(watched: &openraft::alias::WatchReceiverOf<Types, M>) -> M
where
    M: Clone + Send + Sync + 'static,
{
    watched.borrow_watched().clone()
}

/// A log holder as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its consensus node id, random per log.
    pub node: NodeId,
    /// The device it lives on.
    pub device: DeviceId,
}

/// One log holder of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub peer: Peer,
    /// Whether it votes; otherwise it is a standby.
    pub voter: bool,
    /// The last entry it is known to have. Known on the leader only.
    pub matched: Option<u64>,
    /// Whether it has lost entries that it had acknowledged: its disk was put back, say. Known on the leader only.
    pub lost: bool,
    /// Since when it has not answered, in milliseconds, rounded down to [`SILENCE_STEP_MS`] so that a healthy site
    /// causes no changes. Known on the leader only.
    pub silent_ms: Option<u64>,
}

/// The step in which [`Member::silent_ms`] grows, milliseconds.
pub const SILENCE_STEP_MS: u64 = 500;

/// A node's view of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub me: Peer,
    /// The current term.
    pub term: u64,
    /// The leader, when one is known and was heard of lately.
    pub leader: Option<Peer>,
    /// Whether this node leads. It may have lost its quorum: see `quorum_ok`.
    pub is_leader: bool,
    /// Every log holder.
    pub members: Vec<Member>,
    /// The last entry the state machine has applied.
    pub last_applied: u64,
    /// The last entry in the log, committed or not.
    pub last_log: u64,
    /// Whether a two-step membership change has been left half way.
    pub joint: bool,
    /// Voters heard of lately, this node included. On a follower: this node and the leader, as far as it can tell.
    pub voters_live: usize,
    /// Whether a majority of voters answers. On a follower: whether a leader is heard of.
    pub quorum_ok: bool,
    /// Why the engine has stopped, if it has.
    pub fatal: Option<String>,
}

impl Status {
    /// What is known before the engine has said anything.
    pub(crate) fn initial(me: Peer) -> Self {
        Self {
            me,
            term: 0,
            leader: None,
            is_leader: false,
            members: Vec::new(),
            last_applied: 0,
            last_log: 0,
            joint: false,
            voters_live: 0,
            quorum_ok: false,
            fatal: None,
        }
    }

    /// The number of voters.
    pub fn voters(&self) -> usize {
        self.members.iter().filter(|member| member.voter).count()
    }

    /// The member on `device`, if it holds a log of this site.
    pub fn member_on(&self, device: DeviceId) -> Option<&Member> {
        self.members.iter().find(|member| member.peer.device == device)
    }
}
