//! The engine's type parameters. One leader per term, so that a term names its leader.

use std::fmt;

use openraft::impls::leader_id_std;
use seatkeeper_protocol::id::DeviceId;

/// A command: opaque bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) Vec<u8>);

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where a log lives: the device that holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) DeviceId);

impl Default for Place {
    fn default() -> Self {
        Self(DeviceId([0; 20]))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Vec<u8>,
        NodeId = u64,
        Node = Place,
        LeaderId = leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

pub(crate) type Raft = openraft::Raft<Types, crate::machine::Machine>;
pub(crate) type LogId = openraft::alias::LogIdOf<Types>;
pub(crate) type Vote = openraft::alias::VoteOf<Types>;
pub(crate) type Entry = openraft::alias::EntryOf<Types>;
pub(crate) type Membership = openraft::Membership<u64, Place>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;
pub(crate) type Snapshot = openraft::alias::SnapshotOf<Types, Vec<u8>>;
pub(crate) type Metrics = openraft::RaftMetrics<Types>;
