//! Health: what is not as it should be. A code for scripts, a severity, one sentence for people with the remedy, and the
//! sentence's values, so that a page can say it in another language.
//!
//! | module | holds |
//! |---|---|
//! | [`says`] | every sentence |
//! | `values` | what stands in them |

use std::collections::BTreeMap;

use seatkeeper_protocol::api::Health;

use says::Says;
use values::clock_args;

pub use values::{Called, Dated, OtherGeneration, Space, Twin, Voters, Wrong, about, apart, names, size};

pub mod says;
#[cfg(test)]
mod tests;
mod values;

/// From so many days before its end a license is told of.
pub const LICENSE_DAYS: i64 = 30;
/// The values that tell two conditions of one code apart.
const SUBJECTS: [&str; 4] = ["license", "path", "product", "other"];

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
    /// Too few of the machines that vote answer.
    NoQuorum {
        /// How many answer, of how many, and how many must.
        voters: Voters,
        /// Those that do not answer, by name; empty: not known.
        missed: Vec<String>,
    },
    /// Enough of the machines that vote answer, but not all.
    VotersMissed {
        /// How many answer, of how many, and how many must.
        voters: Voters,
        /// Those that do not answer, by name; empty: not known.
        missed: Vec<String>,
    },
    /// The site refuses this device.
    Turned {
        /// The site's words.
        reason: String,
    },
    /// Another site nearby has the same name.
    TwoSites(Twin),
    /// This machine has no site yet, and there are several nearby.
    SeveralSites {
        /// Their names, or the first characters of their ids.
        sites: Vec<String>,
    },
    /// Machines of a newer generation of the site are nearby: the site was recovered without this one.
    NewerGeneration(OtherGeneration),
    /// Machines of an older generation of the site are nearby.
    OlderGeneration(OtherGeneration),
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
        /// This clock less the site's, milliseconds.
        off_ms: i64,
    },
    /// This device is reported as lost.
    Lost,
    /// A borrow is over soon.
    BorrowEnds {
        /// Of which product.
        product: String,
        /// How soon, milliseconds.
        left_ms: i64,
    },
    /// A license ends within some weeks.
    LicenseEnds {
        /// Which.
        license: Dated,
        /// How long its last day is from now, milliseconds.
        left_ms: i64,
    },
    /// A license has ended, and seats of it are in use.
    LicenseEnded {
        /// Which.
        license: Dated,
        /// How many.
        seats: u32,
    },
    /// The disk of the state folder is nearly full.
    DiskLow {
        /// The folder.
        path: String,
        /// What is left, and of how much.
        space: Space,
    },
    /// The rights of the state folder or of a file in it are wrong.
    Rights {
        /// The folder or file.
        path: String,
        /// What is wrong.
        wrong: Wrong,
    },
    /// The page's port is another program's.
    WebPortTaken {
        /// The address.
        address: String,
        /// Which program, as far as the system says.
        program: Option<String>,
    },
    /// The page cannot be served.
    WebPortFailed {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// Another machine called this one at its UDP port, and nobody answered.
    UdpPortClosed(Called),
    /// This machine does not hear its own multicast.
    MulticastOff {
        /// On these interfaces.
        interfaces: Vec<String>,
    },
    /// Multicast of others does not reach this machine, or its own does not reach them.
    MulticastBlocked {
        /// On these interfaces.
        interfaces: Vec<String>,
        /// Who is connected there all the same.
        peers: Vec<String>,
    },
    /// The ledger found itself broken.
    Bug {
        /// Where.
        detail: String,
    },
}

/// The values of a sentence, by the names in its template.
pub type Args = BTreeMap<String, String>;

/// Names and values.
pub fn args<const N: usize>(values: [(&str, String); N]) -> Args {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether two are of the same condition, also when its values have changed.
pub fn key(health: &Health) -> String {
    let subjects = SUBJECTS.iter().filter_map(|name| health.args.get(*name));
    subjects.fold(health.code.clone(), |key, subject| format!("{key} {subject}"))
}

impl Condition {
    /// As the API tells it.
    pub fn health(&self) -> Health {
        let (says, args) = self.parts();
        says.told(args)
    }

    fn parts(&self) -> (&'static Says, Args) {
        let one = |name, value: &String| args([(name, value.clone())]);
        match self {
            Self::NoSite => (&says::NO_SITE, args([])),
            Self::Waiting { site } => (&says::WAITING, one("site", site)),
            Self::NoHolder => (&says::NO_HOLDER, args([])),
            Self::NoQuorum { voters, missed } if missed.is_empty() => (&says::NO_QUORUM, voters.args()),
            Self::NoQuorum { voters, missed } => (&says::NO_QUORUM_MISSED, voters.args_missed(missed)),
            Self::VotersMissed { voters, missed } => (&says::VOTERS_MISSED, voters.args_missed(missed)),
            Self::Turned { reason } => (&says::TURNED_AWAY, one("reason", reason)),
            Self::TwoSites(twin) => (&says::TWO_SITES, twin.args()),
            Self::SeveralSites { sites } => (&says::SEVERAL_SITES, args([("sites", names(sites))])),
            Self::NewerGeneration(seen) => (&says::NEWER_GENERATION, seen.args()),
            Self::OlderGeneration(seen) => (&says::OLDER_GENERATION, seen.args()),
            Self::DurabilitySingle => (&says::DURABILITY_SINGLE, args([])),
            Self::PoolKeyExposed => (&says::POOL_KEY_EXPOSED, args([])),
            Self::LogFailed { reason } => (&says::LOG_FAILED, one("reason", reason)),
            Self::AuditUnwritten { reason } => (&says::AUDIT_UNWRITTEN, one("reason", reason)),
            Self::ClockOff { off_ms } if *off_ms > 0 => (&says::CLOCK_AHEAD, clock_args(*off_ms)),
            Self::ClockOff { off_ms } => (&says::CLOCK_BEHIND, clock_args(*off_ms)),
            Self::Lost => (&says::DEVICE_LOST, args([])),
            Self::BorrowEnds { product, left_ms } => {
                (&says::BORROW_ENDS, args([("product", product.clone()), ("left", about(*left_ms))]))
            }
            Self::LicenseEnds { license, left_ms } => {
                (&says::LICENSE_ENDS, license.args("left", about(*left_ms)))
            }
            Self::LicenseEnded { license, seats } => {
                (&says::LICENSE_ENDED, license.args("seats", seats.to_string()))
            }
            Self::DiskLow { path, space } if space.is_full() => (&says::DISK_FULL, space.args(path)),
            Self::DiskLow { path, space } => (&says::DISK_LOW, space.args(path)),
            Self::Rights { path, wrong } => wrong.parts(path),
            Self::WebPortTaken { address, program: None } => (&says::WEB_PORT_TAKEN, one("address", address)),
            Self::WebPortTaken { address, program: Some(program) } => {
                let values = args([("address", address.clone()), ("program", program.clone())]);
                (&says::WEB_PORT_TAKEN_BY, values)
            }
            Self::WebPortFailed { address, reason } => {
                let values = args([("address", address.clone()), ("reason", reason.clone())]);
                (&says::WEB_PORT_FAILED, values)
            }
            Self::UdpPortClosed(called) => (&says::UDP_PORT_CLOSED, called.args()),
            Self::MulticastOff { interfaces } => {
                (&says::MULTICAST_OFF, args([("interfaces", names(interfaces))]))
            }
            Self::MulticastBlocked { interfaces, peers } => {
                let values = args([("interfaces", names(interfaces)), ("peers", names(peers))]);
                (&says::MULTICAST_BLOCKED, values)
            }
            Self::Bug { detail } => (&says::BUG, one("detail", detail)),
        }
    }
}
