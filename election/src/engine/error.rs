//! What can go wrong, one type per operation.

use std::io;

use seatkeeper_protocol::id::NodeId;

use crate::status::Peer;

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A newer release has written this log.
    #[error("the log has format {found}, this release knows up to {known}; update this machine's agent")]
    NewerFormat {
        /// What the log says.
        found: u64,
        /// What this release knows.
        known: u64,
    },
    /// The log belongs to another node id.
    #[error("the log belongs to node {stored}, not to {given}")]
    WrongNode {
        /// Whose it is.
        stored: NodeId,
        /// Who asked.
        given: NodeId,
    },
    /// The log is damaged.
    #[error("the log is damaged: {0}; remove it and let this machine join as a new node")]
    Corrupt(String),
    /// Another process or engine has the log open.
    #[error("the log is in use by another process")]
    InUse,
    /// The disk does not work.
    #[error("the log cannot be opened")]
    Io(#[source] io::Error),
    /// The settings contradict each other.
    #[error("the election settings are not usable: {0}")]
    Config(String),
    /// The engine stopped while it started.
    #[error("the engine does not start: {0}")]
    Engine(String),
}

/// Why a new site's first voter cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitError {
    /// This log has a site already.
    #[error("this log belongs to a site already")]
    NotEmpty,
    /// The engine has stopped.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}

/// Why a proposal has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node does not lead; nothing was written.
    #[error("this machine is not the holder")]
    NotHolder {
        /// Who leads, as far as is known.
        leader: Option<Peer>,
    },
    /// The deadline passed, or the leadership was lost on the way: it may or may not be applied, now or later.
    #[error("it is not known whether the command was applied")]
    Unknown,
    /// The command is larger than the log takes; nothing was written.
    #[error("the command has {len} bytes, the limit is {max}")]
    TooLarge {
        /// Its size, bytes.
        len: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// Too many proposals wait; nothing was written.
    #[error("too many commands wait")]
    Busy,
    /// The engine has stopped.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}

/// Why a read is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// This node does not lead.
    #[error("this machine is not the holder")]
    NotHolder {
        /// Who leads, as far as is known.
        leader: Option<Peer>,
    },
    /// No majority of voters answered in time.
    #[error("no majority of voters answered in time")]
    NoQuorum,
    /// The engine has stopped.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}

/// Why leadership was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// This node does not lead.
    #[error("this machine is not the holder")]
    NotLeader,
    /// The target does not vote.
    #[error("node {0} does not vote")]
    NotVoter(NodeId),
    /// The target has not answered lately or does not have the whole log; nothing was tried.
    #[error("node {0} is not ready to take over")]
    NotReady(NodeId),
    /// The target was asked and did not take over in time.
    #[error("node {0} did not take over")]
    NotTaken(NodeId),
    /// The engine has stopped.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}

/// Why the membership was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// This node does not lead, or not yet.
    #[error("this machine is not the holder")]
    NotLeader,
    /// The membership is not what the change was planned for; plan again.
    #[error("the membership has changed meanwhile")]
    Stale,
    /// The engine refuses the change.
    #[error("the change is refused: {0}")]
    Refused(String),
    /// Not committed in time: it may or may not come.
    #[error("it is not known whether the change was made")]
    Unknown,
    /// The engine has stopped.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
}
