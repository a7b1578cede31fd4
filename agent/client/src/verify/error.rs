//! Why a seat is not believed.

use std::path::PathBuf;

use seatkeeper_protocol::id::{Name, ProductId, PublicKey, SiteId};
use seatkeeper_protocol::license::{Date, LicenseError};
use seatkeeper_protocol::ticket::TicketError;
use seatkeeper_protocol::time::WallTime;

use crate::ClientError;

/// Why a seat is not believed, or why there is none. Each is a sentence for the application's user.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The agent has no seat, or there is no agent.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The operating system gives no random bytes.
    #[error("this machine gives no random numbers: {0}; restart it")]
    NoRandomness(String),
    /// The license is not one.
    #[error("the license that the agent shows cannot be read: {0}")]
    LicenseUnreadable(LicenseError),
    /// Somebody else than the vendor signed the license.
    #[error(
        "the license is signed by the key {signer}, which is not the vendor's; ask the vendor for a license and add it"
    )]
    OtherVendor {
        /// Whom the license names.
        signer: PublicKey,
    },
    /// The license was changed after the vendor signed it.
    #[error("the license was changed after the vendor signed it; add the vendor's own file again")]
    LicenseAltered,
    /// The license is for something else.
    #[error("the license is for {licensed}, not for {wanted}; ask the vendor for one for {wanted}")]
    OtherProduct {
        /// What it is for.
        licensed: ProductId,
        /// What the application is.
        wanted: ProductId,
    },
    /// The license does not cover the application's version or features.
    #[error(
        "license {license} does not cover this version with these features; ask the vendor for one that does"
    )]
    NotCovered {
        /// Which.
        license: Name,
    },
    /// The license names no site: whoever has the file could give out its seats.
    #[error(
        "the license names no site; ask the vendor for one for your site (see `seatkeeper site request`)"
    )]
    AnySite,
    /// The license is for another site.
    #[error(
        "the license is for the site {bound}, this machine is in the site {site}; ask the vendor for a license for that"
    )]
    OtherSite {
        /// Whose the license is.
        bound: SiteId,
        /// Where the ticket is from.
        site: SiteId,
    },
    /// The license has not begun.
    #[error("the license begins on {from}; wait until then, or set the clocks of the site's machines right")]
    LicenseNotYet {
        /// Its first day.
        from: Date,
    },
    /// The license has ended.
    #[error("the license ended on {until}; ask the vendor for a newer one")]
    LicenseEnded {
        /// Its last day.
        until: Date,
    },
    /// A part of the answer is not what it should be.
    #[error("the {0} that the agent shows cannot be read; update the older of the two programs")]
    Malformed(&'static str),
    /// The ticket cannot be read, or does not fit its certificate.
    #[error("the ticket that the agent shows is of no use: {0}")]
    TicketUnreadable(TicketError),
    /// The site's root key did not sign the certificate of the key that signed the ticket.
    #[error(
        "the key that signed the ticket is not the site's; is something else answering in the agent's place?"
    )]
    PoolKeyForged,
    /// The site has replaced that key since.
    #[error(
        "the ticket is signed by the site's key number {number}, which it replaced by number {newest}; start the program \
         again, and if this stays, give the borrowed seat back or have an admin look for a revoked machine"
    )]
    PoolKeyReplaced {
        /// Which signed.
        number: u32,
        /// The newest that was seen.
        newest: u32,
    },
    /// The site did not sign the ticket.
    #[error("the ticket was not signed by the site; is something else answering in the agent's place?")]
    TicketForged,
    /// The ticket names another license than the one that is shown.
    #[error("the ticket is for another license than the one shown with it; start the program again")]
    OtherLicense,
    /// The ticket grants something else than was asked for.
    #[error("the ticket is not for this program, its version and features; start the program again")]
    OtherGrant,
    /// The ticket was made for another start.
    #[error(
        "the ticket was made for another start of a program: it is a copy of an old one; start the program again"
    )]
    Replayed,
    /// The ticket is for longer than the license lets a seat be borrowed, or it lets none.
    #[error("the seat is borrowed for longer than its license allows; give it back and borrow it again")]
    TooLong,
    /// The time for which the seat was borrowed is over.
    #[error("the time for which the seat was borrowed is over{}; connect to the site, or borrow again", on(.ends))]
    Ended {
        /// Since when.
        ends: WallTime,
    },
    /// This clock is before the time at which the ticket was made.
    #[error("this machine's clock is behind: the seat was borrowed later{}; set the clock right", on(.issued))]
    ClockBehind {
        /// When the ticket was made.
        issued: WallTime,
    },
    /// The ticket is another machine's.
    #[error("the ticket was given to another machine; take a seat on this one")]
    OtherDevice,
    /// The machine did not sign the nonce.
    #[error(
        "the machine does not prove that the ticket is its own; is something else answering in the agent's place?"
    )]
    ProofForged,
    /// What is known of sites cannot be read or written.
    #[error("{} cannot be used: {problem}; make it writable, or delete it", file.display())]
    Memory {
        /// The file of [`super::Verifier::remember_in`].
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl VerifyError {
    /// Whether it may go by itself: the agent is away, restarting or too busy. Nothing has been found wrong.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_transient())
    }
}

fn on(time: &WallTime) -> String {
    time.rfc3339().map(|time| format!(" ({time})")).unwrap_or_default()
}
