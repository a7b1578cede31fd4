//! What stands in the sentences of health.

use super::says::{self, Says};
use super::{Args, args};

/// Names told in one sentence; more are counted.
const NAMES_MAX: usize = 5;

/// The machines that vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Voters {
    /// How many answer.
    pub live: usize,
    /// How many there are.
    pub all: usize,
}

impl Voters {
    /// How many must answer.
    pub fn needed(self) -> usize {
        self.all / 2 + 1
    }

    /// Whether so many answer.
    pub fn suffice(self) -> bool {
        self.live >= self.needed()
    }

    /// As values of a sentence.
    pub fn args(self) -> Args {
        args([
            ("live", self.live.to_string()),
            ("voters", self.all.to_string()),
            ("needed", self.needed().to_string()),
        ])
    }

    pub(super) fn args_missed(self, missed: &[String]) -> Args {
        let mut args = self.args();
        args.insert("missed".to_owned(), names(missed));
        args
    }
}

/// Another site of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twin {
    /// The name.
    pub site: String,
    /// The first characters of our site's id.
    pub id: String,
    /// The first characters of the other's.
    pub other: String,
    /// Where that was seen.
    pub address: String,
}

impl Twin {
    pub(super) fn args(&self) -> Args {
        let Self { site, id, other, address } = self;
        let values = [("site", site), ("id", id), ("other", other), ("address", address)];
        args(values.map(|(name, value)| (name, value.clone())))
    }
}

/// Another generation of this site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherGeneration {
    /// Ours.
    pub generation: u32,
    /// Theirs.
    pub other: u32,
    /// Where they were seen.
    pub address: String,
}

impl OtherGeneration {
    pub(super) fn args(&self) -> Args {
        let (generation, other) = (self.generation.to_string(), self.other.to_string());
        args([("generation", generation), ("other", other), ("address", self.address.clone())])
    }
}

/// A license and its last day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dated {
    /// Its id.
    pub license: String,
    /// Its product.
    pub product: String,
    /// Its last day.
    pub until: String,
}

impl Dated {
    pub(super) fn args(&self, name: &str, value: String) -> Args {
        let Self { license, product, until } = self.clone();
        args([("license", license), ("product", product), ("until", until), (name, value)])
    }
}

/// A call that nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// The port.
    pub port: u16,
    /// The address that was called.
    pub address: String,
    /// Who called.
    pub peer: String,
}

impl Called {
    /// As values of a sentence.
    pub fn args(&self) -> Args {
        let Self { port, address, peer } = self;
        args([("port", port.to_string()), ("address", address.clone()), ("peer", peer.clone())])
    }
}

/// A file system's space, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Space {
    /// What may still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

const MIB: u64 = 1024 * 1024;
/// Below this the books may not find room for their next minutes.
const FULL_BYTES: u64 = 20 * MIB;
/// Below this, or below a fiftieth of a disk, it is time to make room.
const LOW_BYTES: u64 = 200 * MIB;
const LOW_SHARE: u64 = 50;

impl Space {
    /// Whether there is next to nothing left.
    pub fn is_full(self) -> bool {
        self.free < FULL_BYTES
    }

    /// Whether little is left.
    pub fn is_low(self) -> bool {
        self.free < LOW_BYTES || self.free < self.total / LOW_SHARE
    }

    /// As values of a sentence.
    pub fn args(self, path: &str) -> Args {
        let bytes = |bytes: u64| (size(bytes), bytes.to_string());
        let ((free, free_bytes), (total, total_bytes)) = (bytes(self.free), bytes(self.total));
        args([
            ("path", path.to_owned()),
            ("free", free),
            ("total", total),
            ("free_bytes", free_bytes),
            ("total_bytes", total_bytes),
        ])
    }
}

/// What is wrong with the rights of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// It is another user's, with this id.
    ForeignOwner(u32),
    /// Others may change it.
    OthersWrite,
    /// Others may read it.
    OthersRead,
}

impl Wrong {
    pub(super) fn parts(self, path: &str) -> (&'static Says, Args) {
        let path = ("path", path.to_owned());
        match self {
            Self::ForeignOwner(uid) => (&says::FOREIGN_OWNER, args([path, ("uid", uid.to_string())])),
            Self::OthersWrite => (&says::OTHERS_WRITE, args([path])),
            Self::OthersRead => (&says::OTHERS_READ, args([path])),
        }
    }
}

/// How far a clock is off: in words, and in seconds with its sign.
pub(super) fn clock_args(off_ms: i64) -> Args {
    let apart = about(off_ms.saturating_abs());
    args([("apart", apart), ("off_s", (off_ms / 1_000).to_string())])
}

/// "3 min ahead of", "2 h behind".
pub fn apart(off_ms: i64) -> String {
    let side = if off_ms > 0 { "ahead of" } else { "behind" };
    format!("{} {side}", about(off_ms.saturating_abs()))
}

/// `pc2, pc3 and 4 more`.
pub fn names(names: &[String]) -> String {
    let (shown, more) = names.split_at(NAMES_MAX.min(names.len()));
    match more.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `12 MiB`, `1.5 GiB`, rounded down.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // The unit of which there are 1 to 1023; the last one takes what is left.
    let (mut unit, mut rest) = (0, bytes);
    while rest >= 1024 * 1024 && unit + 1 < UNITS.len() {
        (unit, rest) = (unit + 1, rest / 1024);
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    match (rest / 1024, rest % 1024 * 10 / 1024) {
        (whole @ 0..10, tenth @ 1..) => format!("{whole}.{tenth} {name}"),
        (whole, _) => format!("{whole} {name}"),
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
