//! The catalog and programs as the API writes them, and back.

use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, ProductId, Version};

use super::{Catalog, CatalogRule, Means, Software, Translation, VersionFrom};
use crate::org::Glob;

fn text<T: ToString>(of: Option<&T>) -> Option<String> {
    of.map(ToString::to_string)
}

impl Software {
    /// As the API writes it.
    pub fn to_json(&self, means: &Translation) -> api::Program {
        api::Program {
            name: self.name.to_string(),
            publisher: text(self.publisher.as_ref()),
            version: text(self.version.as_ref()),
            product: match means {
                Translation::Install(product, version) => {
                    Some(api::InstalledProduct { product: product.to_string(), version: version.to_string() })
                }
                Translation::Ignored | Translation::Unknown => None,
            },
        }
    }

    /// What the API says of a program; `None`: it has no name.
    pub fn from_json(of: &api::Program) -> Option<Self> {
        let text = |text: &Option<String>| text.as_deref().and_then(super::clean);
        let name: Name = super::clean(&of.name)?;
        Some(Self { name, publisher: text(&of.publisher), version: text(&of.version) })
    }
}

impl Catalog {
    /// As the API writes it.
    pub fn to_json(&self) -> api::Catalog {
        api::Catalog { format: api::FORMAT, entries: self.0.iter().map(CatalogRule::to_json).collect() }
    }

    /// What the API says. Entries that this release does not understand are left out: what they name is unknown.
    pub fn from_json(of: &api::Catalog) -> Self {
        Self(of.entries.iter().filter_map(CatalogRule::from_json).collect())
    }
}

impl CatalogRule {
    fn to_json(&self) -> api::CatalogEntry {
        let mut entry = api::CatalogEntry {
            name: self.name.to_string(),
            publisher: text(self.publisher.as_ref()),
            reported: text(self.reported.as_ref()),
            product: None,
            version: None,
            version_from_name: None,
            version_from_reported: None,
        };
        if let Means::Product { product, version } = &self.means {
            entry.product = Some(product.to_string());
            match version {
                VersionFrom::Is(version) => entry.version = Some(version.to_string()),
                VersionFrom::Name(parts) => entry.version_from_name = Some(*parts),
                VersionFrom::Reported(parts) => entry.version_from_reported = Some(*parts),
            }
        }
        entry
    }

    /// What the API says of an entry; `None`: it can't be meant.
    pub fn from_json(entry: &api::CatalogEntry) -> Option<Self> {
        let glob = |text: &Option<String>| text.as_deref().map(Glob::new).transpose().ok();
        let named = || entry.version.as_deref().and_then(|version| Version::new(version).ok());
        let version = named()
            .map(VersionFrom::Is)
            .or_else(|| entry.version_from_name.map(VersionFrom::Name))
            .or_else(|| entry.version_from_reported.map(VersionFrom::Reported));
        let means = match &entry.product {
            None => Means::Ignored,
            Some(product) => {
                Means::Product { product: ProductId::new(product.as_str()).ok()?, version: version? }
            }
        };
        let (publisher, reported) = (glob(&entry.publisher)?, glob(&entry.reported)?);
        Some(Self { name: Glob::new(&entry.name).ok()?, publisher, reported, means })
    }
}
