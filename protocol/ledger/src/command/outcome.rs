//! What `apply` answers.

use seatkeeper_protocol::id::{DeviceId, Feature, Name, ProductId, SeatId, SessionId, Version};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use super::{OverNodeLimit, Whom};

/// What `apply` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done, nothing more to say.
    Done,
    /// A seat.
    Granted(Grant),
    /// No seat yet: a place in the queue.
    Waiting(Box<Waiting>),
    /// Not done; nothing changed.
    Refused(Refusal),
    /// A borrowed seat.
    Borrowed(Box<Borrowed>),
}

/// A seat that was borrowed, or whose borrow was prolonged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borrowed {
    /// The seat.
    pub seat: SeatId,
    /// Ticket serial: the index of the entry that granted it.
    pub serial: u64,
    /// The license it stands on until it is given back.
    pub license: Name,
    /// SHA-256 of the license's signed text.
    pub license_hash: [u8; 32],
    /// The license file's text: what an application verifies offline.
    pub license_text: String,
    /// The product.
    pub product: ProductId,
    /// The version granted: the one asked for, or the license's.
    pub version: Version,
    /// The features granted.
    pub features: Vec<Feature>,
    /// Whose.
    pub user: Name,
    /// Which starts share the seat.
    pub share: Share,
    /// The site's time of the grant.
    pub issued: WallTime,
    /// Until when.
    pub ends: WallTime,
    /// Whether a running seat became the borrowed one.
    pub converted: bool,
}

/// A place in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The session that waits.
    pub session: SessionId,
    /// The session's attach: what pings and the return must name.
    pub attach: u32,
    /// How long the place lives without contact, milliseconds.
    pub ttl_ms: u64,
    /// 1 for who is next: one more than wait before it for seats that it could use.
    pub position: u32,
    /// Why there is no seat now.
    pub denial: Denial,
}

/// A granted, shared or resumed seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The seat.
    pub seat: SeatId,
    /// The session it was granted to.
    pub session: SessionId,
    /// The session's attach: what pings and the return must name.
    pub attach: u32,
    /// Ticket serial: the index of the entry that granted it.
    pub serial: u64,
    /// The license it was granted on.
    pub license: Name,
    /// SHA-256 of the license's signed text.
    pub license_hash: [u8; 32],
    /// The product.
    pub product: ProductId,
    /// The version granted: the one asked for, or the license's.
    pub version: Version,
    /// The features granted.
    pub features: Vec<Feature>,
    /// Whose.
    pub user: Name,
    /// How long the seat lives without contact, milliseconds.
    pub ttl_ms: u64,
    /// The site's time of the grant.
    pub issued: WallTime,
    /// Whether it shares a seat that was in use already.
    pub shared: bool,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// All seats are in use, or kept for who waits longer.
    #[error("{}", .0)]
    NoSeat(Box<Denial>),
    /// Nothing owned covers the product, version and features asked for.
    #[error("no license of this site covers {product}{}; add one with `seatkeeper license add`", at(.version))]
    NotLicensed {
        /// The product asked for.
        product: ProductId,
        /// The version asked for.
        version: Option<Version>,
        /// Whether the product is owned in another version or without the features.
        otherwise_owned: bool,
    },
    /// The request is older than what the ledger remembers of its actor (invariant I4); use an epoch above `epoch`.
    #[error(
        "the request is older than the last {} of its sender",
        seatkeeper_protocol::limits::OUTCOMES_PER_DEVICE
    )]
    Stale {
        /// The actor's current epoch.
        epoch: u64,
    },
    /// The session was given back before.
    #[error("this session was given back already")]
    SessionEnded,
    /// The attach is older than the session's (invariant I8), or the session is not of this device.
    #[error("another connection of this session has taken over")]
    Superseded,
    /// Decided in another term (invariant I7).
    #[error("decided in term {decided}, applied in term {applied}")]
    OtherTerm {
        /// Term of the decision.
        decided: u64,
        /// Term of the entry.
        applied: u64,
    },
    /// The actor may not do this.
    #[error("{0}")]
    NotPermitted(String),
    /// No such thing.
    #[error("there is no {0} here")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// A bound is reached.
    #[error("the limit of {limit} {what} is reached")]
    Limit {
        /// Of what.
        what: String,
        /// How many.
        limit: u64,
    },
    /// Bad input, with the reason.
    #[error("{0}")]
    Invalid(String),
    /// The entry's bytes are not a command of a format known here.
    #[error("the command has a format that this version does not know")]
    UnknownFormat,
    /// An internal invariant would have been broken; nothing was done. Health `bug`.
    #[error("internal error, please report it: {0}")]
    Bug(String),
    /// An admin's limit is reached.
    #[error("{}", .0)]
    OverLimit(Box<OverLimit>),
    /// An admin's limit of a node is reached.
    #[error("{}", .0)]
    OverNodeLimit(Box<OverNodeLimit>),
}

/// A limit that keeps somebody from one seat more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverLimit {
    /// Of which product.
    pub product: ProductId,
    /// For whom it is.
    pub whom: Whom,
    /// How many seats it allows.
    pub seats: u32,
    /// How many of them are used.
    pub used: u32,
}

impl std::fmt::Display for OverLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { product, whom, seats, used } = self;
        if *seats == 0 {
            return write!(
                f,
                "a limit of this site excludes {whom} from {product}; ask an admin to change it"
            );
        }
        write!(
            f,
            "a limit of this site allows {whom} {seats} of the seats of {product} at once, and {used} are in use; give one \
             back, or ask an admin to change it"
        )
    }
}

fn at(version: &Option<Version>) -> String {
    version.as_ref().map(|v| format!("@{v}")).unwrap_or_default()
}

/// Why there is no seat, and who has those that there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The product asked for.
    pub product: ProductId,
    /// The version asked for.
    pub version: Option<Version>,
    /// Seats owned that would fit.
    pub owned: u32,
    /// Of them, how many are free and not for this device: they are reserved for other nodes of the organisation.
    pub reserved: u32,
    /// Who has them; at most [`Denial::HOLDERS_MAX`].
    pub holders: Vec<SeatHolder>,
    /// How many wait before this start for seats that it could use.
    pub waiting: u32,
    /// A seat is free that is theirs first.
    pub kept: bool,
    /// When a seat may come back at the latest that nobody of those who wait before gets: the end of a borrow.
    pub next_return: Option<WallTime>,
}

impl Denial {
    /// How many holders a denial names.
    pub const HOLDERS_MAX: usize = 32;

    /// Of these ends, the one that is left by those who wait before.
    pub(crate) fn with_next_return(self, ends: Vec<WallTime>) -> Self {
        let before = usize::try_from(self.waiting).unwrap_or(usize::MAX);
        Self { next_return: ends.get(before).copied(), ..self }
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.write(f, |_| None)
    }
}

impl Denial {
    /// The same sentence, saying for how many minutes each holder has been idle where `minutes` knows it.
    pub fn with_idle(&self, minutes: impl Fn(SeatId) -> Option<u16>) -> String {
        struct Told<'a, M>(&'a Denial, M);
        impl<M: Fn(SeatId) -> Option<u16>> std::fmt::Display for Told<'_, M> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.write(f, &self.1)
            }
        }
        Told(self, minutes).to_string()
    }

    /// What is with the seats that there are.
    pub(crate) fn what_of(&self, seats: &str) -> String {
        let Self { owned, reserved, .. } = self;
        if *reserved == 0 {
            format!("all {owned} {seats} are in use")
        } else if reserved == owned {
            format!("all {owned} {seats} are reserved for other nodes of the organisation")
        } else {
            format!(
                "{reserved} of the {owned} {seats} are free but reserved for other nodes of the organisation, and the \
                 others are in use"
            )
        }
    }

    fn write(
        &self,
        f: &mut std::fmt::Formatter<'_>,
        minutes: impl Fn(SeatId) -> Option<u16>,
    ) -> std::fmt::Result {
        let (product, version) = (&self.product, at(&self.version));
        if self.kept && self.waiting > 0 {
            let many = if self.waiting == 1 { "1 waits" } else { &format!("{} wait", self.waiting) };
            return write!(f, "{many} before you for what is free of {product}{version}");
        }
        write!(f, "{}", self.what_of(&format!("seats of {product}{version}")))?;
        for (n, holder) in self.holders.iter().enumerate() {
            write!(f, "{}{} on {}", if n == 0 { ": " } else { ", " }, holder.user, holder.device_name)?;
            if let Some(minutes) = minutes(holder.seat).filter(|minutes| *minutes > 0) {
                write!(f, " (idle {minutes} min)")?;
            }
        }
        match self.waiting {
            0 => {}
            1 => f.write_str(", and 1 waits before you")?,
            many => write!(f, ", and {many} wait before you")?,
        }
        match self.next_return.and_then(WallTime::rfc3339) {
            Some(time) => write!(f, "; a borrowed one is due back {time}"),
            None => Ok(()),
        }
    }
}

/// Who has a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatHolder {
    /// The seat.
    pub seat: SeatId,
    /// The user.
    pub user: Name,
    /// The device.
    pub device: DeviceId,
    /// The device's name.
    pub device_name: Name,
    /// Since when, by the site's time.
    pub since: WallTime,
}
