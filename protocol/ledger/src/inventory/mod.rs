//! What is installed where: what machines report and files tell, and the catalog that makes products of it.
//!
//! | module | holds |
//! |---|---|
//! | `software` | [`Software`]: a program as a machine names it |
//! | `catalog` | [`Catalog`]: which names are which product and version |
//! | `json` | the catalog and programs as the API writes them |
//! | `books` | machines and what is installed on them, as the books keep it |
//! | `commands` | the commands that tell it, and what is read of it |
//! | `text` | the catalog as TOML |
//! | `import` | [`ImportedMachine`]: machines without an agent, from files |

mod books;
mod catalog;
mod commands;
mod import;
mod json;
mod software;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use books::{Installed, Inventory};
pub use books::{Machine, MachineChange, MachineId, OtherSite, Source};
pub use catalog::{Catalog, CatalogRule, Means, Translation, VersionFrom};
pub use import::ImportedMachine;
pub use software::{Software, clean};
pub use text::CatalogError;

/// Rules of one catalog.
pub const RULES_MAX: usize = 1_000;
/// Numbers of a version that a rule may take from a name or a reported version.
pub const VERSION_PARTS_MAX: u8 = 4;
/// Machines that one file tells of, and machines without an agent of this site in all.
pub const MACHINES_MAX: usize = 10_000;
/// Programs that are read of one machine, also those that are not counted.
pub const SOFTWARE_MAX: usize = 20_000;
/// Programs of one machine that are left when those that the catalog ignores are gone.
pub const SOFTWARE_REPORTED_MAX: usize = 1_000;
/// Different programs in all of one site.
pub const SOFTWARE_IN_ALL_MAX: usize = 20_000;
/// Other sites whose machines are counted here.
pub const SITES_MAX: usize = 256;
/// Users of one machine.
pub const USERS_MAX: usize = 16;
/// Addresses of one machine.
pub const ADDRESSES_MAX: usize = 16;
