//! The catalog as people write it: TOML.
//!
//! ```toml
//! [[software]]
//! name = "AutoCAD 2026*"
//! publisher = "Autodesk*"
//! reported = "25.*"
//! product = "autocad"
//! version = "2026"
//! ```
//!
//! Instead of `product` and `version`, `ignore = true`; instead of a version, `{ name = 1 }` or `{ reported = 2 }`.

use std::fmt::Write as _;

use seatkeeper_protocol::id::{IdError, ProductId, Version};
use serde::Deserialize;
use thiserror::Error;
use toml::Value;

use super::{Catalog, CatalogRule, Means, RULES_MAX, VERSION_PARTS_MAX, VersionFrom};
use crate::org::{Glob, IMPORT_BYTES_MAX, PlacementError};

/// How much of what a reader says is passed on, characters.
const SAID_CHARS_MAX: usize = 200;

/// Why a text is no catalog. Entries are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Too large.
    #[error("the catalog has more than {} MiB; leave some of it out", IMPORT_BYTES_MAX >> 20)]
    TooLarge,
    /// Too many rules.
    #[error("the catalog has more than {RULES_MAX} entries; use patterns instead of single names")]
    TooMany,
    /// Not TOML.
    #[error(
        "line {line}: it can't be read ({why}); write entries as in `[[software]]`, then `name = \"AutoCAD 2026*\"`"
    )]
    Toml {
        /// Where, from 1.
        line: usize,
        /// What the reader says.
        why: String,
    },
    /// Something that is no entry.
    #[error("there is a key `{0}` that means nothing; each entry begins with `[[software]]`")]
    UnknownKey(String),
    /// `software` is no list of entries.
    #[error("`software` is no list of entries; begin each entry with `[[software]]`")]
    NoList,
    /// An entry that is none.
    #[error(
        "entry {entry}: it can't be read ({why}); its keys are name, publisher, reported, product, version and ignore"
    )]
    Entry {
        /// Which.
        entry: usize,
        /// What the reader says.
        why: String,
    },
    /// A pattern that is none.
    #[error("entry {entry}: `{key}` can't be used: {why}")]
    Pattern {
        /// Which.
        entry: usize,
        /// Which of its keys.
        key: &'static str,
        /// Why not.
        why: PlacementError,
    },
    /// A product or version that is none.
    #[error("entry {entry}: `{key}` can't be used: {why}")]
    Id {
        /// Which.
        entry: usize,
        /// Which of its keys.
        key: &'static str,
        /// Why not.
        why: IdError,
    },
    /// It does not say what the software is.
    #[error(
        "entry {entry}: it does not say what the software is; write `product` and `version`, or `ignore = true`"
    )]
    NoMeaning {
        /// Which.
        entry: usize,
    },
    /// It says two things.
    #[error(
        "entry {entry}: software that is ignored has no product and no version; leave `ignore` out, or the others"
    )]
    TwoMeanings {
        /// Which.
        entry: usize,
    },
    /// A version that can't be meant.
    #[error(
        "entry {entry}: `version` can't be used; write one as in \"2026\", or from where to take its first 1 to {VERSION_PARTS_MAX} numbers, as in {{ name = 1 }} or {{ reported = 2 }}"
    )]
    Version {
        /// Which.
        entry: usize,
    },
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    publisher: Option<String>,
    reported: Option<String>,
    product: Option<String>,
    version: Option<Value>,
    #[serde(default)]
    ignore: bool,
}

impl Catalog {
    /// From TOML: `[[software]]` entries in their order, of which the first that fits decides.
    ///
    /// # Errors
    /// The first entry that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, CatalogError> {
        if text.len() > IMPORT_BYTES_MAX {
            return Err(CatalogError::TooLarge);
        }
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            CatalogError::Toml { line: before.matches('\n').count() + 1, why: short(error.message()) }
        })?;
        let entries = match table.remove("software") {
            None => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(CatalogError::NoList),
        };
        if let Some(key) = table.keys().next() {
            return Err(CatalogError::UnknownKey(short(key)));
        }
        if entries.len() > RULES_MAX {
            return Err(CatalogError::TooMany);
        }
        entries
            .into_iter()
            .zip(1..)
            .map(|(value, entry)| rule(value, entry))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// As TOML, from which [`Catalog::from_toml`] makes the same. Patterns are in lower case.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for rule in &self.0 {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str("[[software]]\n");
            let mut line = |key: &str, value: Value| {
                // Writing to a text never fails.
                let _ = writeln!(text, "{key} = {value}");
            };
            line("name", Value::String(rule.name.to_string()));
            for (key, glob) in [("publisher", &rule.publisher), ("reported", &rule.reported)] {
                if let Some(glob) = glob {
                    line(key, Value::String(glob.to_string()));
                }
            }
            match &rule.means {
                Means::Ignored => line("ignore", Value::Boolean(true)),
                Means::Product { product, version } => {
                    line("product", Value::String(product.to_string()));
                    let from = |key: &str, parts: u8| {
                        Value::Table([(key.to_owned(), Value::Integer(parts.into()))].into_iter().collect())
                    };
                    line(
                        "version",
                        match version {
                            VersionFrom::Is(version) => Value::String(version.to_string()),
                            VersionFrom::Name(parts) => from("name", *parts),
                            VersionFrom::Reported(parts) => from("reported", *parts),
                        },
                    );
                }
            }
        }
        text
    }
}

fn rule(value: Value, entry: usize) -> Result<CatalogRule, CatalogError> {
    let read: Entry =
        value.try_into().map_err(|error| CatalogError::Entry { entry, why: short(error.message()) })?;
    let pattern = |key, text: &str| Glob::new(text).map_err(|why| CatalogError::Pattern { entry, key, why });
    let optional = |key, text: Option<String>| text.map(|text| pattern(key, &text)).transpose();
    Ok(CatalogRule {
        name: pattern("name", &read.name)?,
        publisher: optional("publisher", read.publisher)?,
        reported: optional("reported", read.reported)?,
        means: match (read.ignore, read.product, read.version) {
            (true, None, None) => Means::Ignored,
            (true, ..) => return Err(CatalogError::TwoMeanings { entry }),
            (false, Some(product), Some(version)) => Means::Product {
                product: ProductId::new(product).map_err(|why| CatalogError::Id {
                    entry,
                    key: "product",
                    why,
                })?,
                version: version_from(&version, entry)?,
            },
            (false, ..) => return Err(CatalogError::NoMeaning { entry }),
        },
    })
}

fn version_from(value: &Value, entry: usize) -> Result<VersionFrom, CatalogError> {
    if let Value::String(version) = value {
        let version = Version::new(version.as_str());
        return version.map(VersionFrom::Is).map_err(|why| CatalogError::Id { entry, key: "version", why });
    }
    let wrong = CatalogError::Version { entry };
    let Some(table) = value.as_table().filter(|table| table.len() == 1) else { return Err(wrong) };
    let Some((key, parts)) = table.iter().next() else { return Err(wrong) };
    let parts = parts.as_integer().and_then(|parts| u8::try_from(parts).ok());
    match (key.as_str(), parts.filter(|parts| (1..=VERSION_PARTS_MAX).contains(parts))) {
        ("name", Some(parts)) => Ok(VersionFrom::Name(parts)),
        ("reported", Some(parts)) => Ok(VersionFrom::Reported(parts)),
        _ => Err(wrong),
    }
}

/// What a reader says, on one line and without the whole of what it did not understand.
pub(super) fn short(said: &str) -> String {
    let words: Vec<&str> = said.split(|char: char| char.is_whitespace() || char.is_control()).collect();
    words.join(" ").chars().take(SAID_CHARS_MAX).collect()
}
