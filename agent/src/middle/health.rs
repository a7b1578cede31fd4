//! Health: what is not as it should be. A code for scripts, a severity, one sentence for people with the remedy.

use seatkeeper_protocol::api::Health;

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// This device belongs to no site.
    NoSite,
    /// It waits for an admin to admit it.
    Waiting {
        /// The site's name.
        site: String,
    },
    /// No holder is known.
    NoHolder,
    /// The site refuses this device.
    Turned {
        /// The site's words.
        reason: String,
    },
    /// Only one machine has the log.
    DurabilitySingle,
    /// A revoked device had the pool key.
    PoolKeyExposed,
    /// The log of this device failed.
    LogFailed {
        /// Why.
        reason: String,
    },
    /// Records of the audit that leave the books are not written down.
    AuditUnwritten {
        /// Why.
        reason: String,
    },
    /// This clock is too far off the site's to borrow.
    ClockOff {
        /// "3 min ahead of" or "behind".
        apart: String,
    },
    /// This device is reported as lost.
    Lost,
    /// A borrow is over soon.
    BorrowEnds {
        /// Of which product.
        product: String,
        /// How soon.
        left: String,
    },
    /// The ledger found itself broken.
    Bug {
        /// Where.
        detail: String,
    },
}

impl Condition {
    /// As the API tells it.
    pub fn health(&self) -> Health {
        let (code, severity, text) = match self {
            Self::NoSite => (
                "no-site",
                "info",
                "this machine belongs to no site; run `seatkeeper site create NAME --admin WHO` on the first machine, \
                 `seatkeeper site join CODE` on the others"
                    .to_owned(),
            ),
            Self::Waiting { site } => (
                "waiting",
                "info",
                format!("site `{site}` knows that this machine wants to join; an admin admits it with `seatkeeper device admit`"),
            ),
            Self::NoHolder => (
                "no-holder",
                "error",
                "no machine of the site can hand out seats now; switch on another machine that votes, or check the network"
                    .to_owned(),
            ),
            Self::Turned { reason } => ("turned-away", "error", format!("the site turns this machine away: {reason}")),
            Self::DurabilitySingle => (
                "durability-single",
                "info",
                "only one machine keeps the books; they are lost if its disk fails, so let a second machine join".to_owned(),
            ),
            Self::PoolKeyExposed => (
                "pool-key-exposed",
                "warning",
                "a revoked machine had the key that signs tickets; run `seatkeeper device revoke` for it again with the \
                 recovery code to replace the key"
                    .to_owned(),
            ),
            Self::LogFailed { reason } => (
                "log-failed",
                "error",
                format!("this machine can no longer keep the books: {reason}; check its disk, then restart the agent"),
            ),
            Self::AuditUnwritten { reason } => (
                "audit-unwritten",
                "warning",
                format!(
                    "this machine cannot write down the records of the audit: {reason}; make room or check its disk, or \
                     they are lost here once 10,000 newer ones have come"
                ),
            ),
            Self::ClockOff { apart } => (
                "clock-off",
                "warning",
                format!("this machine's clock is {apart} the site's; set it right: until then it may not borrow seats"),
            ),
            Self::Lost => (
                "device-lost",
                "error",
                "this machine was reported as lost and gets no seats; if it is found, an admin says so with \
                 `seatkeeper device lost DEVICE --found`"
                    .to_owned(),
            ),
            Self::BorrowEnds { product, left } => (
                "borrow-ends",
                "warning",
                format!(
                    "the borrowed seat of {product} ends in {left}; connect to the site and borrow again, or save your work \
                     by then"
                ),
            ),
            Self::Bug { detail } => ("bug", "error", format!("the books refused something impossible, please report it: {detail}")),
        };
        Health { code: code.to_owned(), severity: severity.to_owned(), text }
    }
}

/// About so long, in days, hours or minutes, rounded down: `7 days`, `36 h`, `5 min`.
pub fn about(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0 => "less than a minute".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}
