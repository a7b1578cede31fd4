//! The license file: TOML that an admin can read, above one signature block (design section 8).
//!
//! [`SignedLicense`] is a file as it is stored and sent; [`License`] is what its text says. Text is normalized before
//! anything else looks at it (byte order mark dropped, CRLF to LF), so that a file signs and hashes the same on every
//! system.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Feature, IdError, Name, ProductId, PublicKey, SiteId, Version};
use crate::limits;
use crate::time::WallTime;

mod signed;
mod terms;
#[cfg(test)]
mod tests;

pub use signed::{SignedLicense, parse_unsigned, sign};

/// Day, in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a license's text says. Made only by parsing, so every field is within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct License {
    /// Its id, unique per vendor.
    pub id: Name,
    /// Who sells it, as the site's vendor trust names it.
    pub vendor: Name,
    /// Who bought it.
    pub customer: Name,
    /// The day it was written.
    pub issued: Date,
    /// What it is for.
    pub product: ProductId,
    /// The product's name for people.
    pub title: Name,
    /// The version it covers, with its sub-versions.
    pub version: Version,
    /// Which earlier versions it covers as well.
    pub downgrade: Downgrade,
    /// Seats, 1 to [`limits::SEATS_PER_LICENSE_MAX`].
    pub seats: u32,
    /// Features it covers; each once, in the file's order.
    pub features: Vec<Feature>,
    /// Its first day; `None`: at once.
    pub valid_from: Option<Date>,
    /// Its last day, never before `valid_from`; `None`: perpetual.
    pub valid_until: Option<Date>,
    /// The only site that may use it; `None`: any.
    pub site: Option<SiteId>,
    /// How long an online seat lives without contact, milliseconds, within [`limits::TTL_MS_MIN`] and
    /// [`limits::TTL_MS_MAX`].
    pub ttl_ms: u64,
    /// Which starts share one seat.
    pub share: Share,
    /// The licenses of the same vendor and product that it renews: they have no seats from its first day on. Each
    /// once, never itself.
    pub replaces: Vec<Name>,
    /// Whether and how its seats may be borrowed; `None`: not.
    pub borrow: Option<BorrowTerms>,
    /// What becomes of a borrowed seat whose device is lost.
    pub lost: Lost,
}

impl License {
    /// Whether a seat of this license may run `wanted` of its product.
    pub fn covers_version(&self, wanted: &Version) -> bool {
        self.version.covers(wanted) || self.downgrade.covers(wanted, &self.version)
    }

    /// Whether a seat of this license may run `product` in `version` (`None`: any) with all of `features`.
    pub fn covers(&self, product: &ProductId, version: Option<&Version>, features: &[Feature]) -> bool {
        self.product == *product
            && version.is_none_or(|wanted| self.covers_version(wanted))
            && features.iter().all(|feature| self.features.contains(feature))
    }
}

/// How seats may be borrowed: used without contact to the site until a day that is fixed beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BorrowTerms {
    /// For how many days at most, 1 to [`limits::BORROW_DAYS_MAX`].
    pub max_days: u32,
    /// How many seats at once at most, 1 to the license's seats.
    pub max_seats: u32,
}

impl BorrowTerms {
    /// The longest time that a seat may be borrowed for, milliseconds.
    pub fn max_ms(self) -> i64 {
        i64::from(self.max_days).saturating_mul(DAY_MS)
    }
}

/// What becomes of a borrowed seat whose device is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lost {
    /// It is free at the end of the borrow: until then whoever found the device may be using it.
    #[default]
    AtEnd,
    /// It is free at once: the vendor accepts that it may be used twice until then.
    Immediate,
}

impl Lost {
    /// As in the license file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtEnd => "at-end",
            Self::Immediate => "immediate",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::AtEnd, Self::Immediate].into_iter().find(|lost| lost.as_str() == text)
    }
}

/// Which versions a license covers beside its own.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Downgrade {
    /// None.
    #[default]
    None,
    /// These, with their sub-versions; each once, in the file's order.
    To(Vec<Version>),
    /// Every one that is older than the license's own, as [`Version::is_older_than`] says.
    Any,
}

impl Downgrade {
    fn covers(&self, wanted: &Version, own: &Version) -> bool {
        match self {
            Self::None => false,
            Self::To(versions) => versions.iter().any(|version| version.covers(wanted)),
            Self::Any => wanted.is_older_than(own),
        }
    }
}

/// Which starts of a product share one seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Share {
    /// Those of one user on one device.
    #[default]
    UserDevice,
    /// All on one device.
    Device,
    /// All of one user.
    User,
    /// None: each start is a seat.
    None,
}

impl Share {
    /// Whether whoever shares by `self` may share by `other` too: `other` lets at least the same starts share.
    pub fn is_within(self, other: Self) -> bool {
        match (self, other) {
            (Self::None, _) | (Self::UserDevice, Self::Device | Self::User) => true,
            _ => self == other,
        }
    }

    /// As in the license file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserDevice => "user-device",
            Self::Device => "device",
            Self::User => "user",
            Self::None => "none",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::UserDevice, Self::Device, Self::User, Self::None]
            .into_iter()
            .find(|share| share.as_str() == text)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A day of the Gregorian calendar, year 0 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(jiff::civil::Date);

impl TryFrom<String> for Date {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text).ok_or("not a day such as 2026-12-24")
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl Date {
    /// Reads a day such as `2026-12-24`.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    /// The day with this year, month (1 to 12) and day of the month (from 1); `None` when there is none.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let (year, month, day) =
            (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        jiff::civil::Date::new(year, month, day).ok().map(Self)
    }

    /// Its first instant, 00:00 UTC: when a license whose `valid_from` it is starts.
    pub fn starts(self) -> WallTime {
        let seconds = self.0.duration_since(jiff::civil::date(1970, 1, 1)).as_secs();
        WallTime(seconds.saturating_mul(1_000))
    }

    /// 12:00 UTC of the next day: when a license whose `valid_until` it is ends. By then the day is over everywhere
    /// on Earth.
    pub fn ends(self) -> WallTime {
        self.starts().plus_ms(DAY_MS + DAY_MS / 2)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a license, or not one to trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// Over the limit.
    #[error("a license file has at most {} bytes", limits::LICENSE_BYTES_MAX)]
    TooLong,
    /// The first line is not a license's.
    #[error("this is not a license: its first line must be `{}`", signed::FIRST_LINE)]
    NotALicense,
    /// The first line names a version that this release does not know.
    #[error("this is a license of version `{0}`, known here is `v1`; update Seatkeeper")]
    UnknownVersion(String),
    /// No signature block.
    #[error("the license is not signed: there is no `{}` line", signed::BEGIN)]
    NotSigned,
    /// A signature block where none may be.
    #[error("the license is signed already; remove the signature block to sign it anew")]
    AlreadySigned,
    /// More than one signature block.
    #[error("the license must have exactly one signature block")]
    SeveralSignatures,
    /// The signature block has no end.
    #[error("the signature block does not end: there is no `{}` line after it", signed::END)]
    NoEnd,
    /// Something else than white space follows the signature block, which the signature would not cover.
    #[error("nothing may follow the signature block; remove what is below `{}`", signed::END)]
    AfterSignature,
    /// The block does not hold a key and a signature.
    #[error("the signature block is damaged; ask the vendor for the file again")]
    DamagedSignature,
    /// A carriage return that no line feed follows.
    #[error(
        "line {line} of the license has a carriage return without a line feed; save the file with plain line ends"
    )]
    LoneCarriageReturn {
        /// From 1.
        line: usize,
    },
    /// The text is not TOML.
    #[error("line {line} of the license: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What the TOML parser says.
        message: String,
    },
    /// A key that this release does not know. Ignoring it could ignore a term.
    #[error(
        "`{0}` is not known to this version of Seatkeeper; update it, or ask the vendor for a license without it"
    )]
    UnknownKey(String),
    /// A required key is not there.
    #[error("`{key}` is missing; write it as in `{example}`")]
    Missing {
        /// Which.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` has a value of the wrong kind; write it as in `{example}`")]
    WrongType {
        /// Of which key.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A text that is too long, empty, or has a character that may not be there.
    #[error("`{key}` is wrong: {error}; write it as in `{example}`")]
    BadText {
        /// Of which key.
        key: &'static str,
        /// What is wrong.
        error: IdError,
        /// A line that would do.
        example: &'static str,
    },
    /// Not a day: no such day, or with a time.
    #[error("`{key}` must be a day without a time; write it as in `{example}`")]
    BadDate {
        /// Of which key.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// The last day is before the first.
    #[error("`valid_until` ({until}) is before `valid_from` ({from}); write a later day")]
    EndsBeforeStart {
        /// The first day.
        from: Date,
        /// The last day.
        until: Date,
    },
    /// Too few or too many seats.
    #[error("`seats` is {0}; write a number from 1 to {max}", max = limits::SEATS_PER_LICENSE_MAX)]
    Seats(i64),
    /// Not a duration within the bounds.
    #[error("`ttl` is {0:?}; write a time from \"15s\" to \"24h\", such as \"90s\", \"5m\" or \"1h\"")]
    Ttl(String),
    /// No way of sharing.
    #[error("`share` is {0:?}; write \"user-device\", \"device\", \"user\" or \"none\"")]
    Share(String),
    /// Not terms to borrow by.
    #[error(
        "`borrow` is wrong: {0}; write it as in `borrow = {{ max_days = 30, max_seats = 2 }}`, or leave it out"
    )]
    Borrow(String),
    /// No way to deal with lost devices.
    #[error("`lost` is {0:?}; write \"at-end\" or \"immediate\"")]
    Lost(String),
    /// No way to cover other versions.
    #[error("`downgrade` is {0:?}; write [\"2025\", \"2024\"] or \"any\", or leave it out")]
    Downgrade(String),
    /// One version twice.
    #[error("`downgrade` names `{0}` twice; name it once")]
    DowngradeTwice(Version),
    /// Too many versions.
    #[error("`downgrade` has at most {} entries", limits::DOWNGRADES_MAX)]
    TooManyDowngrades,
    /// One license twice.
    #[error("`replaces` names `{0}` twice; name it once")]
    ReplacesTwice(Name),
    /// Itself.
    #[error("`replaces` names the license itself; name the licenses that were there before it")]
    ReplacesItself,
    /// Too many licenses.
    #[error("`replaces` has at most {} entries", limits::REPLACES_MAX)]
    TooManyReplaces,
    /// One feature twice.
    #[error("`features` names `{0}` twice; name it once")]
    FeatureTwice(Feature),
    /// Too many features.
    #[error("`features` has at most {} entries", limits::FEATURES_MAX)]
    TooManyFeatures,
    /// Signed by another key than the vendor's.
    #[error("the license is signed by the key {signer}, not by the vendor's key {expected}")]
    OtherSigner {
        /// Whom the file names.
        signer: PublicKey,
        /// Whose it should be.
        expected: PublicKey,
    },
    /// The signature is not the key's over this text.
    #[error(
        "the signature does not fit the text: the file was changed after it was signed; ask the vendor for it again"
    )]
    BadSignature,
}
