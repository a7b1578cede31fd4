//! What can go wrong in the agent, as sentences for people.

use seatkeeper_ledger::command::{Denial, Refusal};
use seatkeeper_protocol::id::SeatId;
use seatkeeper_protocol::wire::PeerRefusal;

/// Why a request to the agent was not carried out. The text says what happened and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The device belongs to no site.
    #[error(
        "this machine belongs to no site; create one with `seatkeeper site create` or join one with `seatkeeper site join`"
    )]
    NoSite,
    /// Nobody can commit.
    #[error(
        "no machine of the site can answer now ({0}); switch on another machine that votes, or check the network"
    )]
    NoHolder(String),
    /// Not allowed.
    #[error("{0}")]
    NotPermitted(String),
    /// The site does not know this device, or does not want it any more.
    #[error("the site turns this machine away: {0}")]
    TurnedAway(PeerRefusal),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// Bad input.
    #[error("{0}")]
    BadInput(String),
    /// It may or may not have happened.
    #[error(
        "the site did not answer in time; the request may or may not have been carried out: look before you repeat it"
    )]
    Unknown,
    /// Something that should not happen.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why no seat was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeatError {
    /// All seats are in use; and for how many minutes those that are named have been idle, where that is known.
    #[error("{}", .0)]
    NoSeat(Box<Denial>, Vec<(SeatId, u16)>),
    /// The ledger refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The request did not get through.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the machine does not give: state directory, port, multicast. The sentence says why and what to do.
    #[error("{0}")]
    Machine(String),
    /// A record in it is damaged.
    #[error("{0}")]
    Record(String),
    /// The log.
    #[error("the log in the state directory cannot be used: {0}")]
    Log(#[from] seatkeeper_election::StartError),
    /// Bad input from the command line.
    #[error("{0}")]
    BadInput(String),
    /// No randomness, no certificate.
    #[error("internal error: {0}")]
    Internal(String),
}

impl StartError {
    /// The process's exit code (design section 9).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BadInput(_) => 65,
            _ => 1,
        }
    }
}
