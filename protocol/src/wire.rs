//! Messages between agents.
//!
//! On `seatkeeper/1` the dialing side opens one *control* stream ([`Hello`], then [`ToPeer`] one way and
//! [`FromPeer`] the other) and one stream per [`Request`], answered by one [`Response`]. Either side may dial.
//! On `seatkeeper-join/1` one stream carries [`JoinRequest`] and [`JoinResponse`].
//!
//! Ledger commands and outcomes are opaque bytes here: the ledger crate owns their format.

use serde::{Deserialize, Serialize};

use crate::id::{
    DeviceId, Generation, InviteId, Name, NodeId, Note, ProductId, PublicKey, RequestId, SeatId, SessionId,
    SiteId,
};
use crate::recovery::Recovery;
use crate::roster::SignedRoster;
use crate::ticket::Ticket;
use crate::time::WallTime;

/// ALPN of seat sessions.
pub const ALPN_SESSION: &[u8] = b"seatkeeper/1";
/// ALPN of consensus.
pub const ALPN_RAFT: &[u8] = b"seatkeeper-raft/1";
/// ALPN of joining.
pub const ALPN_JOIN: &[u8] = b"seatkeeper-join/1";

/// How a stream of `seatkeeper/1` begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Opening {
    /// The control stream. [`FromPeer::Welcome`] or [`FromPeer::Refused`] answers.
    Control(Hello),
    /// One request, answered by one [`Response`].
    Request(SiteRef, Request),
}

/// Which site and generation the sender believes to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRef {
    /// The site.
    pub site: SiteId,
    /// Its generation.
    pub generation: Generation,
}

/// How a control stream begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Site and generation.
    pub site: SiteRef,
    /// The number of the newest roster the dialer has; 0: none.
    pub roster: u64,
}

/// Dialer to dialed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToPeer {
    /// Every 5 s to the holder, and at once when sessions change hands.
    Ping(Ping),
    /// The machine means to go (or, `false`, stays after all). No log entry.
    Intent {
        /// Whether it leaves.
        leaving: bool,
    },
}

/// A ping (invariants I6, I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Counts the pings of this connection; the pong repeats it.
    pub number: u64,
    /// The sessions of this device that use seats or wait for one, with their attach.
    pub sessions: Vec<(SessionId, u32)>,
    /// For how many minutes those with a seat have had no input, where that is known. Whole minutes: how idle a seat is
    /// matters, not what somebody does from moment to moment.
    pub idle: Vec<(SessionId, u16)>,
    /// What the device's clock says. People are shown how far it is off; nothing is decided by it.
    pub clock: WallTime,
}

/// Dialed to dialer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromPeer {
    /// Accepted.
    Welcome(View),
    /// Not accepted; the connection closes.
    Refused(PeerRefusal),
    /// Answers a ping after a ReadIndex begun when the ping had arrived.
    Pong(Pong),
    /// Term, holder or roster changed.
    View(View),
    /// Places in the queue of this device's sessions that wait, when one of them has changed. It grants nothing: whose
    /// turn it is asks anew (invariant I7).
    Queue(Vec<QueuePlace>),
}

/// Who leads, as far as the sender knows, and the newest roster if the receiver's is older.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    /// The consensus term.
    pub term: u64,
    /// The holder of that term.
    pub holder: Option<DeviceId>,
    /// The newest roster, when newer than the receiver's.
    pub roster: Option<SignedRoster>,
    /// Where log holders and the holder were last seen, to dial them.
    pub addresses: Vec<(DeviceId, std::net::SocketAddr)>,
}

/// A pong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// The ping's number.
    pub number: u64,
    /// The holder's term.
    pub term: u64,
    /// Of the ping's sessions, those that the ledger has at the read index with that attach and that have no
    /// Expire proposed in this term. The others have lost their seat, or their place in the queue.
    pub live: Vec<SessionId>,
    /// Of the others, those whose seat an admin took away, and who that was.
    pub released: Vec<(SessionId, Name)>,
    /// Where those of them stand that wait.
    pub queue: Vec<QueuePlace>,
    /// The site's time.
    pub time: WallTime,
    /// The seats that the ledger has as borrowed by this device at the read index.
    pub borrows: Vec<BorrowPlace>,
    /// The device is reported as lost.
    pub lost: bool,
    /// Its seats that somebody who waits asks for. Nothing is taken away by that.
    pub asked: Vec<SeatWish>,
    /// The number of the newest change by which the device may have something else to report of itself; `None`: nothing
    /// is asked of it.
    pub survey: Option<u64>,
}

/// Somebody who waits asks for an idle seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatWish {
    /// The seat.
    pub seat: SeatId,
    /// Who asks.
    pub user: Name,
    /// From where.
    pub device: DeviceId,
    /// That device's name.
    pub device_name: Name,
    /// How many wait for seats of the product.
    pub waiting: u32,
    /// What the one who asks says.
    pub note: Option<Note>,
}

/// A borrowed seat as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowPlace {
    /// The seat.
    pub seat: SeatId,
    /// The serial of its newest ticket.
    pub serial: u64,
    /// An admin wants it back.
    pub recalled: bool,
}

/// Where a session stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePlace {
    /// The session.
    pub session: SessionId,
    /// The attach that this was found for.
    pub attach: u32,
    /// 1 for who is next.
    pub position: u32,
    /// Whether it should ask anew: it would get a seat, or is passed over because it was not heard of.
    pub ask: bool,
}

/// Why a peer turns a connection or request away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PeerRefusal {
    /// Not enrolled, or not by this roster.
    #[error("this device is not enrolled in the site; ask an admin for an invitation")]
    NotEnrolled,
    /// Revoked.
    #[error("this device was revoked; ask an admin")]
    Revoked,
    /// Another site.
    #[error("the other machine belongs to another site")]
    OtherSite,
    /// Another generation of the site (invariant I10).
    #[error("the other machine is in generation {} of the site", .generation.number)]
    OtherGeneration {
        /// Which.
        generation: Generation,
        /// By whose word the site is in it, where it was recovered and the peer has seen that.
        recovery: Option<Box<Recovery>>,
    },
    /// The peer has no site (any more).
    #[error("the other machine belongs to no site")]
    NoSite,
    /// Too many connections or requests at once.
    #[error("the other machine is busy; try again")]
    Busy,
}

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// A ledger command of the sending device.
    Device {
        /// Acts once.
        request: RequestId,
        /// The command, postcard, by the ledger's format.
        command: Vec<u8>,
        /// What a ticket for it is to carry: a program's own, by which it knows that the ticket was made for it.
        nonce: Option<Vec<u8>>,
    },
    /// A ledger command signed by an admin.
    Admin(AdminRequest),
    /// A look at the ledger, through a ReadIndex.
    Query(Query),
    /// From the holder: open a fresh log and say its node id.
    StartLog,
    /// From the holder: the log is no longer wanted here.
    StopLog,
    /// A look at the audit that this machine keeps: any machine that has the log answers.
    Audit(AuditQuery),
    /// A user of the sending device, who waits for a seat, asks for an idle one. Answered by the JSON of
    /// [`crate::api::SeatAsked`], or by a refusal as an outcome. Soft: nothing of it is in the log.
    Ask {
        /// Which seat.
        seat: SeatId,
        /// Who asks.
        user: Name,
        /// What to say to who has it.
        note: Option<Note>,
    },
    /// The sender wants to know whether its port can be reached: the receiver calls it, at the address that this
    /// connection comes from and nowhere else, from a port of its own that no firewall has seen yet. Answered by the
    /// JSON of [`crate::api::CalledBack`].
    CallBack,
}

/// A look at the audit. The answer is the JSON of the [`crate::api`] type named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditQuery {
    /// [`crate::api::AuditPage`].
    Page {
        /// The number of the last record seen; 0: from the first on.
        after: u64,
        /// Not the records before the first one of this time or later.
        from: Option<WallTime>,
        /// Not the first one of this time or later, and what follows.
        to: Option<WallTime>,
    },
    /// [`crate::api::AuditWitness`].
    Witness {
        /// The number of the record whose hash is asked for.
        seq: u64,
    },
}

/// A ledger command signed by an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminRequest {
    /// Who.
    pub admin: Name,
    /// Acts once per admin.
    pub request: RequestId,
    /// The command, postcard, by the ledger's format.
    pub command: Vec<u8>,
    /// Ed25519 over the ledger's `admin_message`.
    pub signature: Vec<u8>,
}

/// A look at the ledger. The answer is the JSON of the [`crate::api`] type named, so that mixed versions
/// understand each other: fields are only added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// [`crate::api::Status`] without `me` and local health.
    Status,
    /// [`crate::api::Seats`].
    Seats,
    /// [`crate::api::Devices`].
    Devices,
    /// [`crate::api::Licenses`].
    Licenses,
    /// [`crate::api::Admins`].
    Admins,
    /// [`crate::api::Vendors`].
    Vendors,
    /// [`crate::api::PoolKeyInfo`].
    PoolKey,
    /// [`crate::api::Events`] after this sequence number; answers within 20 s, empty if nothing happened.
    Events {
        /// The last one seen; `None`: the newest 100 at once.
        after: Option<u64>,
    },
    /// [`crate::api::Limits`].
    Limits,
    /// [`crate::api::Usage`].
    Usage,
    /// [`crate::api::Organisation`].
    Organisation,
    /// [`crate::api::Purchases`].
    Purchases,
    /// [`crate::api::Compliance`]; of one product [`crate::api::ProductCompliance`].
    Compliance(Option<ProductId>),
    /// [`crate::api::ComplianceDifferences`], for the JSON of [`crate::api::ComplianceChanges`].
    WhatIf(Vec<u8>),
    /// [`crate::api::Calculations`].
    Calculations,
    /// [`crate::api::Inventory`], after the machine with this id.
    Inventory(Option<String>),
    /// [`crate::api::MachineDetail`], or null when nothing is known of it.
    Machine(String),
    /// [`crate::api::UnknownPrograms`].
    UnknownPrograms,
    /// [`crate::api::Catalog`].
    Catalog,
}

/// Answers a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Response {
    /// The ledger's outcome.
    Outcome {
        /// Postcard, by the ledger's format.
        outcome: Vec<u8>,
        /// The proof of the seat, when one was granted.
        ticket: Option<Box<Ticket>>,
        /// The file of the license that the ticket of an online seat names: what an application verifies it by.
        license: Option<String>,
        /// `true`: no second machine has it on disk yet (invariant I2).
        durability_single: bool,
        /// For how many minutes the seats that a denial names have had no input, where that is known. Not in the
        /// outcome, which is the log's.
        idle: Vec<(SeatId, u16)>,
    },
    /// JSON of a query.
    Json(Vec<u8>),
    /// The new log's node id.
    LogStarted(NodeId),
    /// Done.
    Done,
    /// Not the holder; ask this one.
    NotHolder {
        /// The term of that knowledge.
        term: u64,
        /// Who is.
        holder: Option<DeviceId>,
    },
    /// May or may not have been done: ask again with the same id.
    Unknown,
    /// Turned away.
    Refused(PeerRefusal),
}

/// Asks to join.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The site; `None`: whatever site the peer has (a device that waits for admission).
    pub site: Option<SiteId>,
    /// The device's name.
    pub name: Name,
    /// Whether it is a laptop.
    pub laptop: bool,
    /// The agent's version.
    pub version: Name,
    /// The invitation and its proof: HMAC-SHA-256 under the code's key of `"seatkeeper join: device\n"` and the TLS
    /// exporter's bytes. `None`: wait for admission.
    pub invite: Option<(InviteId, [u8; 32])>,
}

/// Label of the TLS exporter that both proofs cover.
pub const JOIN_EXPORTER_LABEL: &[u8] = b"EXPORTER-seatkeeper-join";
/// What the device's proof begins with.
pub const JOIN_PROOF_DEVICE: &[u8] = b"seatkeeper join: device\n";
/// What the site's proof begins with.
pub const JOIN_PROOF_SITE: &[u8] = b"seatkeeper join: site\n";

/// Answers [`JoinRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum JoinResponse {
    /// Admitted.
    Admitted(Box<Admission>),
    /// Seen; an admin must admit it. Ask again in some seconds.
    Waiting {
        /// The site's name, for people.
        site_name: Name,
        /// The site.
        site: SiteId,
    },
    /// Not the holder; ask there.
    NotHolder {
        /// Who is.
        holder: Option<DeviceId>,
        /// Where it was last seen.
        address: Option<std::net::SocketAddr>,
    },
    /// Not admitted, and why.
    Refused(String),
}

/// What a new device learns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admission {
    /// The site's root key; its fingerprint is the site id.
    pub root: PublicKey,
    /// The site's name.
    pub name: Name,
    /// The newest roster; it lists the device.
    pub roster: SignedRoster,
    /// HMAC-SHA-256 under the code's key of [`JOIN_PROOF_SITE`] and the TLS exporter's bytes; `None` without a code.
    pub proof: Option<[u8; 32]>,
    /// Where log holders were last seen.
    pub addresses: Vec<(DeviceId, std::net::SocketAddr)>,
}
