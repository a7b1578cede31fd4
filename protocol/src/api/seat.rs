//! `POST /v1/seats`: what is asked, and the stream that answers.

use serde::{Deserialize, Serialize};

use super::{Problem, SeatHolder};

/// Body of `POST /v1/seats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SeatRequest {
    /// Product.
    pub product: String,
    /// Version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// A nonce that the ticket of an online seat and the device proof cover, base64url, 16 to 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Resumes this session (hexadecimal, 16 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The process whose tree keeps the seat: the seat outlives the connection while a process of the tree lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Tree>,
    /// Waits in the queue for so long, seconds, when no seat is free. Absent: does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u64>,
}

impl SeatRequest {
    /// Asks for a seat of `product`, any version.
    pub fn product(product: impl Into<String>) -> Self {
        Self {
            product: product.into(),
            version: None,
            features: Vec::new(),
            nonce: None,
            session: None,
            tree: None,
            wait_s: None,
        }
    }
}

/// A process tree that keeps a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The first process; it must belong to the caller.
    pub pid: u32,
    /// The value of `SEATKEEPER_SESSION` in the environment of the tree's processes.
    pub token: String,
}

/// A line of the stream that `POST /v1/seats` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum SeatEvent {
    /// The seat is there (first line, or after waiting), or is there again after an interruption.
    Granted(Box<SeatGranted>),
    /// A place in the queue; comes again when it changes.
    Waiting(Box<SeatWaiting>),
    /// The wait is over without a seat: what would have been the problem without waiting. The last line.
    NoSeat(Box<Problem>),
    /// The seat is gone: stop using it.
    Lost {
        /// One sentence.
        reason: String,
    },
    /// No contact to the holder; the seat lives until `until_boot_ms` unless contact returns.
    Unreachable {
        /// Boot-clock milliseconds (suspend counts).
        until_boot_ms: u64,
    },
    /// The seat is borrowed, and its time is over soon.
    Ends {
        /// When, RFC 3339.
        ends: Option<String>,
        /// How long that is from now, seconds.
        left_s: u64,
    },
    /// The seat seems idle, and somebody who waits for one asks for it. Nothing is taken away: whoever sees this decides.
    Asked {
        /// Who asks.
        user: String,
        /// The device of who asks.
        device: String,
        /// That device's name.
        device_name: String,
        /// How many wait for seats of the product.
        waiting: u32,
        /// What the one who asks says.
        message: Option<String>,
    },
    /// Contact is back.
    Reachable,
    /// The site answered: the seat lives until `until_boot_ms` unless contact goes on. Comes about every 5 s, so that
    /// a program knows its deadline should this agent go away.
    Alive {
        /// Boot-clock milliseconds (suspend counts).
        until_boot_ms: u64,
    },
}

/// A place in the queue for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatWaiting {
    /// 1.
    pub format: u32,
    /// The session, to go on waiting with after an interruption.
    pub session: String,
    /// 1 for who is next: one more than wait before it for seats that it could use.
    pub position: u32,
    /// When a seat may come, RFC 3339; unknown is null.
    pub expected: Option<String>,
    /// One sentence.
    pub detail: String,
    /// Who has the seats, where that was just asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SeatHolder>,
}

/// A granted seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatGranted {
    /// 1.
    pub format: u32,
    /// Seat id.
    pub seat: String,
    /// The session, to resume with.
    pub session: String,
    /// License id.
    pub license: String,
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// Whether it shares a seat in use.
    pub shared: bool,
    /// `single` while no second machine has it on disk, else `majority`.
    pub durability: String,
    /// Boot-clock milliseconds until which it lives without further contact.
    pub until_boot_ms: u64,
    /// The ticket, base64url.
    pub ticket: String,
    /// The device's signature over ticket and nonce, base64url, when a nonce was given.
    pub proof: Option<String>,
}

/// Body of `POST /v1/seats/{id}/activity`: for how long a program's user has touched nothing. The id is a session's, or
/// a seat's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SeatActivity {
    /// Seconds; 0, which is meant when nothing is said: the user does something now.
    pub idle_s: u64,
    /// Who says so.
    pub source: IdleSource,
}

/// Who knows for how long a user has touched nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdleSource {
    /// The program itself: until it says otherwise, its user goes on doing nothing. It counts more than all others.
    #[default]
    Application,
    /// The screen on which the program runs. Forgotten when it is not said again within two minutes and a half.
    Display,
}

/// Body of `POST /v1/seats/{id}/ask`; the id is a seat's, as listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AskSeat {
    /// What to say to who has it: one line, 200 bytes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Answers [`AskSeat`]: who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatAsked {
    /// 1.
    pub format: u32,
    /// Seat id.
    pub seat: String,
    /// Product.
    pub product: String,
    /// User.
    pub user: String,
    /// Device id.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// Seconds without input.
    pub idle_s: u64,
}

/// Body of `POST /v1/seats/{id}/proof`; the id is a session's, or a seat's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// What the device signs, base64url, 16 to 64 bytes: fresh, and never told before.
    pub nonce: String,
}

/// What proves a seat of this device to a program that trusts nobody but its vendor (`protocol/TICKET.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatProof {
    /// 1.
    pub format: u32,
    /// Seat id.
    pub seat: String,
    /// The session that has it.
    pub session: String,
    /// The ticket, base64url.
    pub ticket: String,
    /// The file of the license that the ticket names.
    pub license_text: String,
    /// The site's root public key, base32. Its fingerprint is the site id that the license names.
    pub root: String,
    /// The device's public key, base32. Its fingerprint is the device id that the ticket names.
    pub device_key: String,
    /// The device's signature over ticket and nonce, base64url.
    pub signature: String,
}
