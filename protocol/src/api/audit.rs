//! `GET /v1/audit` and what is exported of it.

use serde::{Deserialize, Serialize};

use super::{Holder, Site};

/// `GET /v1/audit`: records in the order in which they happened, a page of them. Each follows from the one before by
/// its hash, as `protocol/AUDIT.md` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// 1.
    pub format: u32,
    /// The site.
    pub site: Option<Site>,
    /// The machine whose records these are.
    pub keeper: Holder,
    /// The number of the oldest record that it has.
    pub oldest: u64,
    /// The newest record that it has.
    pub newest: AuditPoint,
    /// The records, without a gap between them.
    pub part: AuditPart,
    /// Records that it should have and cannot read; a sentence each.
    pub damaged: Vec<String>,
    /// What to ask for, as `after`, for the next page; null: this is the last one.
    pub next: Option<u64>,
}

/// A record's number and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditPoint {
    /// The number; 0: before the first record.
    pub seq: u64,
    /// The hash over this record and all before it.
    pub hash: String,
}

/// Records that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditPart {
    /// The number of the first one.
    pub first: u64,
    /// The hash before it.
    pub before: String,
    /// The records.
    pub records: Vec<AuditRecord>,
}

/// A record of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// Its number: 1 is the first of the site.
    pub seq: u64,
    /// The site's time.
    pub time: Option<String>,
    /// A stable word.
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// The product it concerns.
    pub product: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The seat.
    pub seat: Option<String>,
    /// The bytes that are hashed, base64: all of the above, in its canonical form.
    pub record: String,
    /// The hash over this record and all before it, hexadecimal.
    pub hash: String,
}

/// `GET /v1/audit/heads`: what the machines that keep the log say is the hash of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditHeads {
    /// 1.
    pub format: u32,
    /// The number of the record.
    pub seq: u64,
    /// What each says.
    pub witnesses: Vec<AuditWitness>,
}

/// What one machine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditWitness {
    /// The machine.
    pub machine: Holder,
    /// The hash that it has; null: it does not have that record, or does not answer.
    pub hash: Option<String>,
    /// The hash signed by the pool key, as in `protocol/AUDIT.md`.
    pub seal: Option<String>,
    /// The site's root key, which the seal is verified by.
    pub root: Option<String>,
}

/// `seatkeeper audit --json`: an export. It is all that is needed to verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditExport {
    /// 1.
    pub format: u32,
    /// The site.
    pub site: Option<Site>,
    /// The machine whose records these are.
    pub keeper: Holder,
    /// The number of the oldest record that it has.
    pub oldest: u64,
    /// Records it should have and could not read; a sentence each.
    pub damaged: Vec<String>,
    /// The records: one part, or more when some between them are no longer kept.
    pub parts: Vec<AuditPart>,
    /// The site's root key, whose fingerprint is the site's id.
    pub root: Option<String>,
    /// The last record's hash signed by the site's pool key.
    pub seal: Option<String>,
}

/// `seatkeeper audit verify`: what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditVerdict {
    /// 1.
    pub format: u32,
    /// Whether all is as it was recorded.
    pub whole: bool,
    /// Whose records: a machine, or a file.
    pub of: String,
    /// The first and last number, and their times, of each part that is whole.
    pub spans: Vec<AuditSpan>,
    /// Where it is not whole; a sentence each.
    pub broken: Vec<String>,
    /// The number of the first record that is wrong.
    pub broken_at: Option<u64>,
    /// The machines that have the same hash of the last record.
    pub agree: Vec<String>,
    /// Those that have another one.
    pub differ: Vec<String>,
    /// Whether the site's pool key signed the last record's hash; null: there is no signature.
    pub signed: Option<bool>,
    /// One sentence.
    pub text: String,
}

/// Records without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditSpan {
    /// The first one's number.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
    /// The first one's time.
    pub from: Option<String>,
    /// The last one's time.
    pub to: Option<String>,
}
