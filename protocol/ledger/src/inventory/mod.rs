//! What is installed where: what machines report and files tell, and the catalog that makes products of it.
//!
//! | module | holds |
//! |---|---|
//! | `software` | [`Software`]: a program as a machine names it |
//! | `catalog` | [`Catalog`]: which names are which product and version |
//! | `text` | the catalog as TOML |
//! | `import` | [`ImportedMachine`]: machines without an agent, from files |

mod catalog;
mod import;
mod software;
mod text;

#[cfg(test)]
mod tests;

pub use catalog::{Catalog, CatalogRule, Means, Translation, VersionFrom};
pub use import::ImportedMachine;
pub use software::{Software, clean};
pub use text::CatalogError;

/// Rules of one catalog.
pub const RULES_MAX: usize = 2_000;
/// Numbers of a version that a rule may take from a name or a reported version.
pub const VERSION_PARTS_MAX: u8 = 4;
/// Machines that one file tells of.
pub const MACHINES_MAX: usize = 10_000;
/// Programs that are read of one machine, also those that are not counted.
pub const SOFTWARE_MAX: usize = 20_000;
/// Programs of one machine that are left when those that the catalog ignores are gone.
pub const SOFTWARE_REPORTED_MAX: usize = 1_000;
/// Users of one machine.
pub const USERS_MAX: usize = 16;
/// Addresses of one machine.
pub const ADDRESSES_MAX: usize = 16;
