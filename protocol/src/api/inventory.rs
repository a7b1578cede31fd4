//! `GET /v1/inventory` and what is below it.

use serde::{Deserialize, Serialize};

/// `GET /v1/inventory`: machines that software is installed on, a page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Inventory {
    /// 1.
    pub format: u32,
    /// How many entries the catalog has; 0: machines are not asked for what is installed.
    pub catalog: u32,
    /// Those with an agent first.
    pub machines: Vec<Machine>,
    /// Ask with `?after=` this for those that follow; null: these are the last.
    pub next: Option<String>,
    /// The other sites whose exports were taken.
    pub sites: Vec<OtherSite>,
}

/// A machine that software is installed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Machine {
    /// Its device id; or `file:NAME`, or `site:SITE:NAME`.
    pub id: String,
    /// Its host name.
    pub host: String,
    /// How it is known: `agent`, `file` or `site`.
    pub source: String,
    /// The node that it belongs to; null: there is no organisation.
    pub node: Option<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Who uses it.
    pub users: Vec<String>,
    /// When that was said last.
    pub reported: Option<String>,
    /// How many programs are installed on it, but for those that the catalog ignores.
    pub programs: u32,
    /// Which products.
    pub products: Vec<InstalledProduct>,
}

/// A product that is installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InstalledProduct {
    /// The product.
    pub product: String,
    /// Its version.
    pub version: String,
}

/// Another site whose exports were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OtherSite {
    /// Its site id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The key that signs its exports.
    pub key: String,
    /// When the newest one was made.
    pub issued: Option<String>,
}

/// `GET /v1/inventory/machines/{id}`: one machine and its programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MachineDetail {
    /// 1.
    pub format: u32,
    /// The machine.
    pub machine: Machine,
    /// What is installed on it.
    pub programs: Vec<Program>,
}

/// A program as a machine names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Program {
    /// What it is called.
    pub name: String,
    /// Who made or packaged it.
    pub publisher: Option<String>,
    /// Its version as it is written there.
    pub version: Option<String>,
    /// What the catalog makes of it; null: no product.
    pub product: Option<InstalledProduct>,
}

/// `GET /v1/inventory/unknown`: programs of which the catalog says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnknownPrograms {
    /// 1.
    pub format: u32,
    /// How many different ones there are.
    pub count: u64,
    /// Those that most machines have, at most 2,000.
    pub programs: Vec<UnknownProgram>,
}

/// A program of which the catalog says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnknownProgram {
    /// What it is called.
    pub name: String,
    /// Who made or packaged it.
    pub publisher: Option<String>,
    /// Its version as it is written there.
    pub version: Option<String>,
    /// On how many machines it is.
    pub machines: u32,
}

/// `GET /v1/inventory/catalog`: which programs are which product and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Catalog {
    /// 1.
    pub format: u32,
    /// The entries; the first that fits decides.
    pub entries: Vec<CatalogEntry>,
}

/// What programs of some names are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CatalogEntry {
    /// A pattern for the name.
    pub name: String,
    /// A pattern for the publisher; null: any.
    pub publisher: Option<String>,
    /// A pattern for the version as reported; null: any.
    pub reported: Option<String>,
    /// The product; null: they are ignored.
    pub product: Option<String>,
    /// Its version, where the entry says it.
    pub version: Option<String>,
    /// The first so many numbers of the name are the version.
    pub version_from_name: Option<u8>,
    /// The first so many numbers of the reported version are the version.
    pub version_from_reported: Option<u8>,
}

/// What a site tells another one of its machines: the first line of an export. The second one is [`InventorySeal`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InventoryExport {
    /// 1.
    pub format: u32,
    /// `seatkeeper-inventory`.
    pub kind: String,
    /// The site.
    pub site: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub issued: String,
    /// Its machines.
    pub machines: Vec<ExportedMachine>,
}

/// A machine in an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExportedMachine {
    /// What it is called there; no two have the same.
    pub id: String,
    /// Its host name.
    pub host: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Who uses it.
    pub users: Vec<String>,
    /// Programs that are a product by the catalog there.
    pub programs: Vec<Program>,
}

/// The second line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InventorySeal {
    /// The admin's key.
    pub key: String,
    /// Base64 of the Ed25519 signature over `seatkeeper-inventory-v1`, a line feed, and the first line without its own.
    pub signature: String,
}
