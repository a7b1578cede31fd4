//! What admins ask for. Each is signed by the agent in the name of the admin signed in, and the ledger decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CatalogEntry, PlacementRule};

/// A secret is never shown when something is logged.
macro_rules! hides {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

hides!(Invited, RevokeDevice, RotatePoolKey, RecoverSite, ImportSite, SetAdmin, AdminSet);

/// Body of `POST /v1/invites`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Invite {
    /// How long it lasts, seconds, at most 366 days; absent: a day.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 31_622_400))]
    pub lasts_s: Option<u64>,
    /// How many machines it admits, 1 to 10,000; absent: one.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 10_000))]
    pub uses: Option<u32>,
    /// An address to dial, such as `10.0.0.5:7410`, for a machine that sees no other by itself.
    pub address: Option<String>,
}

/// Answers [`Invite`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Invited {
    /// 1.
    pub format: u32,
    /// What other machines join with. A secret.
    pub code: String,
    /// Until when, RFC 3339.
    pub ends: Option<String>,
    /// How many machines it admits.
    pub uses: u32,
}

/// Body of `POST /v1/devices/{id}/revoke`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RevokeDevice {
    /// Replaces the key that signs tickets, if the device knew it. A secret.
    pub recovery_code: Option<String>,
}

/// Answers [`RevokeDevice`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeviceRevoked {
    /// 1.
    pub format: u32,
    /// `true`: it was done.
    pub done: bool,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
    /// `true`: a revoked device knew the key that signs tickets, which has to be rotated with the recovery code.
    pub pool_key_exposed: bool,
}

/// Body of `PUT /v1/devices/{id}/lost`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoseDevice {
    /// Whether it is lost; else it is found again.
    pub lost: bool,
}

/// Body of `PUT /v1/devices/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SetDevice {
    /// Its name.
    pub name: Option<String>,
    /// Whether it is always on.
    pub always_on: Option<bool>,
    /// What it is.
    pub form: Option<DeviceForm>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeviceForm {
    /// It stays where it is.
    Desktop,
    /// It may be gone tomorrow.
    Laptop,
}

/// Body of `POST /v1/licenses`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddLicense {
    /// The text of the license file.
    pub text: String,
}

/// Answers [`AddLicense`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LicenseAdded {
    /// 1.
    pub format: u32,
    /// `true`: it was done.
    pub done: bool,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
    /// The license's id.
    pub license: String,
    /// Its product.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Its seats.
    pub seats: u32,
}

/// Body of `PUT /v1/vendors/{key}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TrustVendor {
    /// The vendor's name, as in its licenses.
    pub name: String,
    /// What the products begin with for which the vendor is trusted.
    pub prefixes: Vec<String>,
}

/// What an admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AdminRole {
    /// Everything.
    Admin,
    /// Look.
    Reader,
}

/// Body of `PUT /v1/admins/{name}`. One of `key` and `password` is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetAdmin {
    /// What the admin may do.
    pub role: AdminRole,
    /// The admin's public key, base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Makes a new key and seals it by this password, of at least 8 characters. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Answers [`SetAdmin`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AdminSet {
    /// 1.
    pub format: u32,
    /// `true`: it was done.
    pub done: bool,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
    /// The sealed key, to be kept by the admin as a file; null: the admin has the key already.
    pub key_file: Option<String>,
}

/// Body of `PUT /v1/limits`: how much of a product somebody may use. One of `user`, `group`, `device` and `node` is
/// given. For a node, all its limits anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetLimit {
    /// The product.
    pub product: String,
    /// A user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The users of a group together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whoever uses a device: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The devices of a node of the organisation and of those below it, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How many seats at once; 0 excludes; null: no limit.
    #[serde(default)]
    pub seats: Option<u32>,
    /// For a node: how many borrowed seats at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<u32>,
    /// For a node: for how many days a seat may be borrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_days: Option<u32>,
    /// For a node: how many of the seats that it may use must stay unborrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u32>,
}

/// Body of `PUT /v1/groups/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetGroup {
    /// The users, all of them, at most 900; none: there is no such group.
    pub members: Vec<String>,
}

/// Body of `PUT /v1/priorities`. One of `user`, `group` and `device` is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPriority {
    /// A user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The users of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whoever uses a device: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// 0, as everybody has it, to 9, who goes first in queues.
    #[cfg_attr(feature = "schema", schema(maximum = 9))]
    pub priority: u8,
}

/// Body of `PUT /v1/org`: nodes as they are to be; others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SetNodes {
    /// Added or changed, each before those below it.
    pub nodes: Vec<SetNode>,
    /// Ids of nodes that go, each after those below it.
    pub removed: Vec<String>,
}

/// A node as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetNode {
    /// Its id.
    pub id: String,
    /// The node above; null: it is the root.
    #[serde(default)]
    pub parent: Option<String>,
    /// What people call it; null: as its id.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it may own purchases.
    #[serde(default)]
    pub legal: bool,
    /// 0 to 9; who has the higher one is covered first.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(maximum = 9))]
    pub priority: u8,
}

/// Body of `PUT /v1/org/placement`: all rules that place devices, anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPlacement {
    /// The rules; the first that fits decides.
    pub rules: Vec<PlacementRule>,
}

/// Body of `PUT /v1/org/stop-at-legal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetStopAtLegal {
    /// Whether automatic coverage stops where another legal entity begins.
    pub stop_at_legal: bool,
}

/// Body of `PUT /v1/purchases/{id}`: all terms of a purchase, anew. What is allocated by hand stays. A license can be
/// narrowed, not widened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPurchase {
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// How many installs it covers.
    pub quantity: u32,
    /// The node that owns it, a legal entity; null: the root.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether what is not allocated by hand covers the nodes below the owner too; null: it does.
    #[serde(default)]
    pub automatic: Option<bool>,
    /// Earlier versions that it covers too, by name.
    #[serde(default)]
    pub downgrade: Vec<String>,
    /// Whether it covers every earlier version.
    #[serde(default)]
    pub downgrade_any: bool,
    /// First day, such as `2026-01-01`; null: from the beginning.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// Last day; null: perpetual.
    #[serde(default)]
    pub valid_until: Option<String>,
    /// When it was bought; null: not known.
    #[serde(default)]
    pub purchased: Option<String>,
    /// What covers one install, in hundredths; null: not known.
    #[serde(default)]
    pub unit_cost: Option<u64>,
}

/// Body of `PUT /v1/purchases/{id}/allocations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetAllocations {
    /// How many installs at which node, by hand; to others nothing.
    pub allocations: BTreeMap<String, u32>,
}

/// Body of `PUT /v1/inventory/catalog`: all entries, anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetCatalog {
    /// The entries; the first that fits decides.
    pub entries: Vec<CatalogEntry>,
}

/// Body of `POST /v1/inventory/machines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportMachines {
    /// The text of a file: CSV with the columns host and name (and publisher, version, user, address), the JSON of
    /// GLPI-Agent, or an export of another site.
    pub text: String,
    /// Takes another site's export that is signed by this key, base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
}

/// Answers [`ImportMachines`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MachinesImported {
    /// 1.
    pub format: u32,
    /// `true`: it was done.
    pub done: bool,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
    /// How many machines were taken.
    pub machines: u32,
    /// Hosts that were left out, since their agents tell themselves.
    pub left_out: Vec<String>,
    /// The other site's name; null: the machines are this one's.
    pub site: Option<String>,
}

/// Body of `POST /v1/pool-key/rotate`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotatePoolKey {
    /// The site's recovery code. A secret.
    pub recovery_code: String,
}

/// `GET /v1/site/recovery`: what going on from this machine's books alone would mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecoveryPlan {
    /// 1.
    pub format: u32,
    /// The generation that the site is in.
    pub generation: u32,
    /// What stands against it, one sentence; null: nothing.
    pub against: Option<String>,
    /// When the newest thing happened that is in this machine's books, RFC 3339; null: it has none.
    pub newest: Option<String>,
    /// The machines that kept the books beside this one. They must stay off until the site works again.
    pub stay_off: Vec<RecoveryMachine>,
    /// Seats that may be borrowed without this machine knowing: they are withheld.
    pub withheld: Vec<WithheldSeats>,
}

/// A machine that kept the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecoveryMachine {
    /// Device id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `voter` or `standby`, as last heard.
    pub role: String,
}

/// Seats of a license that are given to nobody for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WithheldSeats {
    /// The license.
    pub license: String,
    /// How many.
    pub seats: u32,
    /// Until when, RFC 3339.
    pub until: String,
}

/// Body of `POST /v1/site/recovery`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecoverSite {
    /// The site's recovery code. A secret.
    pub recovery_code: String,
}

/// `GET /v1/site/export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SiteExport {
    /// 1.
    pub format: u32,
    /// The backup, base64. Only the recovery code opens it.
    pub file: String,
}

/// Body of `POST /v1/site/import`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportSite {
    /// The backup, base64.
    pub file: String,
    /// The site's recovery code. A secret.
    pub recovery_code: String,
}

/// `GET /v1/sites`: sites whose machines announce themselves in this network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Sites {
    /// 1.
    pub format: u32,
    /// The sites. What they say of themselves is not proven.
    pub sites: Vec<NearbySite>,
}

/// A site nearby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NearbySite {
    /// The first 8 characters of its id.
    pub id: String,
    /// Its name; null: its machines do not say.
    pub name: Option<String>,
    /// Where one of its machines is.
    pub address: Option<String>,
}
