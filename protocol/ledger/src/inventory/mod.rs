//! What is installed where: what machines report and files tell, and the catalog that makes products of it.
//!
//! | module | holds |
//! |---|---|
//! | `software` | [`Software`]: a program as a machine names it |
//! | `catalog` | [`Catalog`]: which names are which product and version |

mod catalog;
mod software;

pub use catalog::{Catalog, CatalogRule, Means, Translation, VersionFrom};
pub use software::{Software, clean};
