//! JSON types of the local API (design section 9). Fields are only added; unknown is null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod admin;
mod audit;
mod borrow;
mod command;
mod compliance;
mod doctor;
mod inventory;
mod limits;
mod organisation;
mod seat;
mod session;
mod site;
mod usage;
mod webhook;

pub use admin::{
    AddLicense, AdminRole, AdminSet, DeviceForm, DeviceRevoked, ImportMachines, ImportSite, Invite, Invited,
    LicenseAdded, LoseDevice, MachinesImported, NearbySite, RecoverSite, RecoveryMachine, RecoveryPlan,
    RevokeDevice, RotatePoolKey, SetAdmin, SetAllocations, SetCatalog, SetDevice, SetGroup, SetLimit,
    SetNode, SetNodes, SetPlacement, SetPriority, SetPurchase, SetStopAtLegal, SiteExport, Sites,
    TrustVendor, WithheldSeats,
};
pub use audit::{
    AuditExport, AuditHeads, AuditPage, AuditPart, AuditPoint, AuditRecord, AuditSpan, AuditVerdict,
    AuditWitness,
};
pub use borrow::{Borrow, BorrowRequest, BorrowReturned, Borrows, ReturnRequest};
pub use command::{CommandResult, SignedCommand};
pub use compliance::{
    Calculation, Calculations, Compliance, ComplianceChange, ComplianceChanges, ComplianceDifferences,
    ComplianceLine, ComplianceTotals, NodeCompliance, NodeLineDifference, ProductCompliance,
    ProductDifference, ProductTotals, PurchaseCompliance, PurchaseUseDifference, SurplusLine, TransferLine,
    VersionCompliance,
};
pub use doctor::{CalledBack, DebugState, Doctor, ElectionMember, ElectionState, StateFile};
pub use inventory::{
    Catalog, CatalogEntry, ExportedMachine, InstalledProduct, Inventory, InventoryExport, InventorySeal,
    Machine, MachineDetail, OtherSite, Program, UnknownProgram, UnknownPrograms,
};
pub use limits::{Group, Limit, Limits, NodeLimits, Priority, Whom};
pub use organisation::{OrgNode, Organisation, PlacementRule, Purchase, Purchases, Unregistered};
pub use seat::{
    AskSeat, IdleSource, ProofRequest, SeatActivity, SeatAsked, SeatEvent, SeatGranted, SeatProof,
    SeatRequest, SeatWaiting, Tree,
};
pub use session::{Session, SessionAdmin, SessionCode, SessionDevice, SignIn, UseCode};
pub use site::{CreateSite, Join, Joined, SiteCreated};
pub use usage::{ProductUsage, Usage, Used, WhatIf, WhatIfTold};
pub use webhook::WebhookEvent;

/// The `format` of every object.
pub const FORMAT: u32 = 1;

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Status {
    /// 1.
    pub format: u32,
    /// The site, once this device belongs to one.
    pub site: Option<Site>,
    /// This device.
    pub me: Option<Me>,
    /// The holder.
    pub holder: Option<Holder>,
    /// The voters.
    pub quorum: Option<Quorum>,
    /// Devices.
    pub devices: Option<DeviceCount>,
    /// Per license.
    pub pools: Vec<Pool>,
    /// What is not as it should be.
    pub health: Vec<Health>,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Site {
    /// Site id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Counts forced recoveries, from 1.
    pub generation: u32,
}

/// This device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Me {
    /// Device id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `holder`, `voter`, `standby` or `spare`; `none` outside a site; `waiting` for admission.
    pub role: String,
}

/// The holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Holder {
    /// Device id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// The voters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Quorum {
    /// How many vote.
    pub voters: u32,
    /// How many of them answered lately.
    pub live: u32,
    /// How many must answer.
    pub needed: u32,
    /// Whether they do.
    pub ok: bool,
}

/// Devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceCount {
    /// Enrolled.
    pub enrolled: u32,
    /// Connected to the holder now.
    pub online: u32,
}

/// One license's seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Pool {
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// License id.
    pub license: String,
    /// Seats bought.
    pub owned: u32,
    /// In use, online.
    pub online: u32,
    /// Borrowed.
    pub borrowed: u32,
    /// Parked.
    pub parked: u32,
    /// Grace.
    pub grace: u32,
    /// Borrowed, parked and grace together.
    pub offline: u32,
    /// Free.
    pub free: u32,
    /// In use beyond what is owned (after a license ended or shrank).
    pub over: u32,
    /// Waiting for a seat that this license would cover.
    pub waiting: u32,
}

/// Something not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// Stable code, such as `no-holder`.
    pub code: String,
    /// `info`, `warning` or `error`; of a doctor's check also `ok`.
    pub severity: String,
    /// One sentence that says what happened and what to do next.
    pub text: String,
    /// The values in the text, so that it can be said in another language by its code: names, numbers, dates.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}

/// `GET /v1/seats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Seats {
    /// 1.
    pub format: u32,
    /// Seats in use.
    pub seats: Vec<Seat>,
    /// Who waits for one.
    pub waiting: Vec<Waiting>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A seat in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Seat {
    /// Seat id.
    pub id: String,
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// `online`, `borrowed`, `parked` or `grace`.
    pub kind: String,
    /// User.
    pub user: String,
    /// Device id.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// Organisation node.
    pub org_node: Option<String>,
    /// Since, RFC 3339.
    pub since: Option<String>,
    /// Ends, RFC 3339; null for online seats.
    pub ends: Option<String>,
    /// Process, as the program said.
    pub pid: Option<u32>,
    /// Seconds without input, in whole minutes; unknown is null.
    pub idle_s: Option<u64>,
    /// Since when somebody who waits asks for it, RFC 3339; null: nobody does.
    #[serde(default)]
    pub asked: Option<String>,
}

/// Somebody who waits for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Waiting {
    /// Product.
    pub product: String,
    /// The version it asks for; null: any.
    pub version: Option<String>,
    /// User.
    pub user: String,
    /// Device id.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// Its place: one more than wait before it for seats that it could use.
    pub position: u32,
    /// Since, RFC 3339.
    pub since: Option<String>,
    /// Out of contact: others go first until it is back.
    pub passed_over: bool,
    /// Process, as the program said.
    pub pid: Option<u32>,
}

/// `GET /v1/devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Devices {
    /// 1.
    pub format: u32,
    /// Enrolled devices.
    pub devices: Vec<Device>,
    /// Devices that ask to be admitted.
    pub waiting: Vec<WaitingDevice>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Device {
    /// Device id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `holder`, `voter`, `standby`, `spare` or `revoked`.
    pub role: String,
    /// Whether it is connected to the holder now.
    pub online: bool,
    /// `desktop` or `laptop`.
    pub form: String,
    /// Declared always-on.
    pub always_on: bool,
    /// When the holder last heard of it, RFC 3339; null: it is online, or the holder has not heard of it since it started.
    #[serde(default)]
    pub last_seen: Option<String>,
    /// By how much its clock was ahead of the site's time when the holder last heard of it, seconds; negative: behind; null:
    /// not known.
    #[serde(default)]
    pub clock_off_s: Option<i64>,
    /// Where it was last seen.
    pub address: Option<String>,
    /// The agent's version.
    pub version: Option<String>,
    /// Seats it uses.
    pub seats: u32,
    /// Seats it has borrowed.
    #[serde(default)]
    pub borrowed: u32,
    /// Since when it is reported as lost, RFC 3339; null: it is not.
    #[serde(default)]
    pub lost: Option<String>,
}

/// A device that asks to be admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WaitingDevice {
    /// Device id: the fingerprint to compare.
    pub id: String,
    /// Public key, base32.
    pub key: String,
    /// Name.
    pub name: String,
    /// `desktop` or `laptop`.
    pub form: String,
    /// The agent's version.
    pub version: String,
    /// Where it asks from.
    pub address: Option<String>,
}

/// `GET /v1/licenses`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Licenses {
    /// 1.
    pub format: u32,
    /// Licenses.
    pub licenses: Vec<License>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A license.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct License {
    /// License id.
    pub id: String,
    /// Vendor.
    pub vendor: String,
    /// Customer.
    pub customer: String,
    /// Product.
    pub product: String,
    /// Title, for people.
    pub title: String,
    /// Version.
    pub version: String,
    /// Seats.
    pub seats: u32,
    /// Features.
    pub features: Vec<String>,
    /// Earlier versions that it covers too.
    pub downgrade: Vec<String>,
    /// Whether it covers every earlier version.
    pub downgrade_any: bool,
    /// Ids of the licenses whose place it takes.
    pub replaces: Vec<String>,
    /// Id of the license that has taken its place.
    pub replaced_by: Option<String>,
    /// First day, `YYYY-MM-DD`.
    pub valid_from: Option<String>,
    /// Last day, `YYYY-MM-DD`, inclusive.
    pub valid_until: Option<String>,
    /// `active`, `future`, `ended`, `replaced`, or `removed` while seats run on it.
    pub state: String,
    /// The file's text.
    pub text: String,
}

/// `GET /v1/admins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Admins {
    /// 1.
    pub format: u32,
    /// Admins.
    pub admins: Vec<Admin>,
}

/// An admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Admin {
    /// Name.
    pub name: String,
    /// `admin` or `reader`.
    pub role: String,
    /// Public key, base32.
    pub key: String,
}

/// `GET /v1/vendors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Vendors {
    /// 1.
    pub format: u32,
    /// Trusted vendors.
    pub vendors: Vec<Vendor>,
}

/// A trusted vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Vendor {
    /// Name.
    pub name: String,
    /// Public key, base32.
    pub key: String,
    /// Product prefixes.
    pub prefixes: Vec<String>,
}

/// What an admin needs to rotate the pool key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PoolKeyInfo {
    /// 1.
    pub format: u32,
    /// The current pool key's number.
    pub number: u32,
    /// The root public key, base32.
    pub root: String,
    /// The root private key sealed under the recovery code, base64.
    pub sealed_root: String,
    /// Public keys of the log holders, base32: the new pool key is sealed to them.
    pub log_holders: Vec<String>,
    /// Whether a revoked device had the current key.
    pub exposed: bool,
}

/// `GET /v1/site`: what a command is signed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SiteDetail {
    /// 1.
    pub format: u32,
    /// Site id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Generation number.
    pub generation: u32,
    /// Generation id, hexadecimal.
    pub generation_id: String,
    /// Root public key, base32.
    pub root: String,
}

/// `GET /v1/events`, as one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Events {
    /// 1.
    pub format: u32,
    /// In order.
    pub events: Vec<Event>,
}

/// Something that happened in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Counts the site's events.
    pub seq: u64,
    /// When, RFC 3339.
    pub time: Option<String>,
    /// What: `checkout`, `shared`, `return`, `expire`, `denied`, `device-admitted`, …
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// Product, where it concerns one.
    pub product: Option<String>,
    /// User, where it concerns one.
    pub user: Option<String>,
    /// Device id, where it concerns one.
    pub device: Option<String>,
    /// Seat id, where it concerns one.
    pub seat: Option<String>,
    /// Of `denied`, the rule that refused: `no-seat`, `queue`, `not-licensed`, `limit`.
    #[serde(default)]
    pub code: Option<String>,
}

/// problem+json (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `no-seat`, `not-licensed`, `no-holder`, `not-permitted`, `bad-request`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Short.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One sentence that says what happened and what to do next.
    pub detail: String,
    /// Who has the seats, for `no-seat`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SeatHolder>,
    /// When a seat is due back, for `no-seat`, RFC 3339; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// When it is worth trying again, seconds; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// Who has a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatHolder {
    /// Seat id.
    pub seat: String,
    /// User.
    pub user: String,
    /// Device id.
    pub device: String,
    /// Device name.
    pub device_name: String,
    /// Since, RFC 3339.
    pub since: Option<String>,
    /// Seconds without input, in whole minutes; unknown is null.
    pub idle_s: Option<u64>,
}
