//! The catalog: which of the names that machines report are which product and version.

use seatkeeper_protocol::id::{Name, ProductId, Version};
use serde::{Deserialize, Serialize};

use super::{Software, VERSION_PARTS_MAX};
use crate::org::Glob;

/// Says what software of some names is. All that it names has to fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogRule {
    /// The name.
    pub name: Glob,
    /// The publisher; `None`: any, or none.
    pub publisher: Option<Glob>,
    /// The version as reported; `None`: any, or none.
    pub reported: Option<Glob>,
    /// What it is.
    pub means: Means,
}

/// What software is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    /// Nothing that is counted. Machines don't even report it.
    Ignored,
    /// An install of a product.
    Product {
        /// Which.
        product: ProductId,
        /// Which version of it.
        version: VersionFrom,
    },
}

/// Where the version stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionFrom {
    /// It is this one.
    Is(Version),
    /// The first so many numbers of the first number with points in the name: 1 of `Studio 2026.1.3` is `2026`.
    Name(u8),
    /// The first so many numbers of the version that is reported.
    Reported(u8),
}

/// Rules in their order, of which the first that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog(pub Vec<CatalogRule>);

/// How a catalog sees software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translation {
    /// It is not counted.
    Ignored,
    /// It is a product's install.
    Install(ProductId, Version),
    /// No rule fits, or the one that fits finds no version in it.
    Unknown,
}

impl CatalogRule {
    /// Whether the version, where it is taken from a text, has as many parts as one may.
    pub(super) fn takes_parts(&self) -> bool {
        match &self.means {
            Means::Product { version: VersionFrom::Name(parts) | VersionFrom::Reported(parts), .. } => {
                (1..=VERSION_PARTS_MAX).contains(parts)
            }
            Means::Product { version: VersionFrom::Is(_), .. } | Means::Ignored => true,
        }
    }

    fn fits(&self, software: &Software) -> bool {
        let may = |glob: &Option<Glob>, text: &Option<Name>| {
            glob.as_ref().is_none_or(|glob| glob.fits(text.as_ref().map_or("", Name::as_str)))
        };
        may(&self.publisher, &software.publisher)
            && may(&self.reported, &software.version)
            && self.name.fits(software.name.as_str())
    }
}

impl VersionFrom {
    fn of(&self, software: &Software) -> Option<Version> {
        match self {
            Self::Is(version) => Some(version.clone()),
            Self::Name(parts) => first_number(software.name.as_str(), *parts),
            Self::Reported(parts) => {
                let reported = software.version.as_ref()?.as_str();
                // An epoch, as Linux packages have, is no part of it.
                let behind = reported.split_once(':').map_or(reported, |(_, behind)| behind);
                first_number(behind, *parts)
            }
        }
    }
}

/// The first so many parts of the first number with points in a text.
fn first_number(text: &str, parts: u8) -> Option<Version> {
    let digit = |char: char| char.is_ascii_digit();
    let from = text.get(text.find(digit)?..)?;
    let number = from.split(|char: char| !digit(char) && char != '.').next()?;
    let parts = number.split('.').filter(|part| !part.is_empty()).take(usize::from(parts.max(1)));
    Version::new(parts.collect::<Vec<_>>().join(".")).ok()
}

impl Catalog {
    /// What software is.
    pub fn translate(&self, software: &Software) -> Translation {
        let rule = self.0.iter().find(|rule| rule.fits(software));
        match rule.map(|rule| &rule.means) {
            None => Translation::Unknown,
            Some(Means::Ignored) => Translation::Ignored,
            Some(Means::Product { product, version }) => match version.of(software) {
                Some(version) => Translation::Install(product.clone(), version),
                None => Translation::Unknown,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text).expect("a pattern")
    }

    fn rule(name: &str, means: Means) -> CatalogRule {
        CatalogRule { name: glob(name), publisher: None, reported: None, means }
    }

    fn product(version: VersionFrom) -> Means {
        Means::Product { product: ProductId::new("studio").expect("a product"), version }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let catalog = Catalog(vec![
            CatalogRule { publisher: Some(glob("*example.org>")), ..rule("*", Means::Ignored) },
            CatalogRule {
                reported: Some(glob("25.*")),
                ..rule("Draw*", product(VersionFrom::Is(Version::new("2026").expect("a version"))))
            },
            rule("Studio Viewer*", Means::Ignored),
            rule("studio-cli", product(VersionFrom::Reported(1))),
            rule("Studio*", product(VersionFrom::Name(2))),
        ]);
        let cases = [
            ("Studio 2026.1.3 (64 bit)", "", "", Ok("2026.1")),
            ("STUDIO 2025", "", "9.9", Ok("2025")),
            ("Studio Viewer 2026", "", "", Err(Translation::Ignored)),
            ("Studio 2026", "Ann <ann@example.org>", "", Err(Translation::Ignored)),
            ("Studio", "Ann", "2026", Err(Translation::Unknown)),
            ("Draw", "", "25.1.58", Ok("2026")),
            ("Draw", "", "24.0", Err(Translation::Unknown)),
            ("studio-cli", "", "1:2024.2-1ubuntu3", Ok("2024")),
            ("studio-cli", "", "", Err(Translation::Unknown)),
            ("Editor", "", "1", Err(Translation::Unknown)),
        ];
        for (name, publisher, version, wanted) in cases {
            let found = catalog.translate(&Software::read(name, publisher, version).expect("software"));
            match wanted {
                Ok(version) => {
                    let version = Version::new(version).expect("a version");
                    let studio = ProductId::new("studio").expect("a product");
                    assert_eq!(found, Translation::Install(studio, version), "{name}");
                }
                Err(wanted) => assert_eq!(found, wanted, "{name} {version}"),
            }
        }
    }
}
