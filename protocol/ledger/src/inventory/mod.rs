//! What is installed where: what machines report and files tell, and the catalog that makes products of it.
//!
//! | module | holds |
//! |---|---|
//! | `software` | [`Software`]: a program as a machine names it |
//! | `catalog` | [`Catalog`]: which names are which product and version |
//! | `json` | the catalog and programs as the API writes them |
//! | `books` | machines and what is installed on them, as the books keep it |
//! | `commands` | the commands that tell it, and what is read of it |

mod books;
mod catalog;
mod commands;
mod json;
mod software;

pub use books::{
    CATALOG_RULES_MAX, FACTS_MAX, MACHINES_MAX, Machine, MachineChange, MachineId, OtherSite, SITES_MAX,
    SOFTWARE_MAX, SOFTWARE_PER_MACHINE_MAX, Source,
};
pub(crate) use books::{Installed, Inventory};
pub use catalog::{Catalog, CatalogRule, Means, Translation, VersionFrom};
pub use software::{Software, clean};
