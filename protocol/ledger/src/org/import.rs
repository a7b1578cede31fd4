//! Organisations and purchases from files: CSV as spreadsheets write it (comma or semicolon), and JSON.
//!
//! Errors name the row: in CSV the line of the file, in JSON the item of the list, both from 1.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{IdError, Name, ProductId, Version};
use seatkeeper_protocol::license::{Date, Downgrade};
use serde::Deserialize;
use thiserror::Error;

use super::{
    Glob, IMPORT_BYTES_MAX, Match, NODES_MAX, Node, NodeId, Organisation, PLACEMENTS_MAX, PURCHASES_MAX,
    PlacementError, Purchase, PurchaseId, Rule, TreeError,
};

/// Why a file was not imported. Nothing of it was.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Too large.
    #[error("the file has more than {} MiB; split it", IMPORT_BYTES_MAX >> 20)]
    TooLarge,
    /// Too many rows.
    #[error("row {row}: there are at most {max} rows; split the file")]
    TooManyRows {
        /// The first that is too many.
        row: usize,
        /// How many there may be.
        max: usize,
    },
    /// A needed column is missing.
    #[error("there is no column `{0}`; the first line names the columns, as in `{1}`")]
    NoColumn(&'static str, &'static str),
    /// A column that means nothing.
    #[error("there is a column `{0}` that means nothing; the first line names the columns, as in `{1}`")]
    UnknownColumn(String, &'static str),
    /// A column twice.
    #[error("there are two columns `{0}`; leave one out")]
    ColumnTwice(String),
    /// Not CSV, or not in UTF-8.
    #[error(
        "row {row}: it can't be read ({why}); save the file as CSV in UTF-8, as many cells in each row as in the first"
    )]
    Csv {
        /// Where.
        row: usize,
        /// What the reader says.
        why: String,
    },
    /// Not a JSON list.
    #[error("the file is not a JSON list of nodes ({0})")]
    Json(String),
    /// An item that is no node.
    #[error(
        "row {row}: it is no node ({why}); write one as in {{\"id\": \"E1\", \"parent\": \"E\", \"name\": \"Studio\", \"legal\": false}}"
    )]
    Item {
        /// Which item, from 1.
        row: usize,
        /// What the reader says.
        why: String,
    },
    /// A cell that can't be meant.
    #[error("row {row}: `{column}` is {found:?}; write {expected}")]
    Cell {
        /// Where.
        row: usize,
        /// In which column.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A cell that is no id or name.
    #[error("row {row}: `{column}` can't be used: {why}")]
    Id {
        /// Where.
        row: usize,
        /// In which column.
        column: &'static str,
        /// Why not.
        why: IdError,
    },
    /// A rule that can't be meant.
    #[error("row {row}: {why}")]
    Rule {
        /// Where.
        row: usize,
        /// Why not.
        why: PlacementError,
    },
    /// One purchase twice.
    #[error("row {row}: purchase `{purchase}` is there already, in row {first}; give it another id")]
    PurchaseTwice {
        /// The second one.
        row: usize,
        /// Its id.
        purchase: PurchaseId,
        /// The row of the first one.
        first: usize,
    },
    /// Nodes that are no tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Not the inventory of a machine.
    #[error(
        "the file is no inventory that GLPI-Agent wrote in JSON ({0}); write one with `glpi-inventory --json > FILE`"
    )]
    Glpi(String),
    /// Only what changed on a machine.
    #[error(
        "the inventory is partial, it does not say all that is installed; write a whole one with `glpi-inventory --json > FILE`"
    )]
    Partial,
    /// A machine without a name.
    #[error(
        "the inventory does not say what the machine is called; write its name into `content.hardware.name`"
    )]
    NoHost,
    /// Too many machines.
    #[error("row {row}: there are at most {max} machines in a file; split it")]
    TooManyMachines {
        /// Where the first that is too many stands.
        row: usize,
        /// How many there may be.
        max: usize,
    },
    /// Too much of a machine.
    #[error("machine `{host}` has more than {max} {what}; {remedy}")]
    MachineTooLarge {
        /// Which machine.
        host: Name,
        /// How many there may be.
        max: usize,
        /// Of what.
        what: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
}

const NODE_COLUMNS: &str = "id,parent,name,legal";
const RULE_COLUMNS: &str = "match,pattern,node";
const PURCHASE_COLUMNS: &str =
    "id,product,version,quantity,owner,automatic,downgrade,manual,valid_from,valid_until,purchased,unit_cost";

impl Organisation {
    /// From CSV with the columns `id`, `parent`, `name`, `legal` and, where wanted, `priority`, in any order.
    ///
    /// # Errors
    /// The first row that is wrong.
    pub fn from_csv(bytes: &[u8]) -> Result<Self, ImportError> {
        let columns = ["id", "parent", "name", "legal", "priority"];
        let mut nodes = Vec::new();
        each_row(bytes, NODE_COLUMNS, &columns, &["id", "parent"], NODES_MAX, |row| {
            let id: NodeId = row.name("id")?.into();
            let parent = row.text("parent").map(|_| row.name("parent")).transpose()?.map(NodeId::from);
            let name = row.text("name").map(|_| row.name("name")).transpose()?;
            let name = name.map_or_else(|| row.name("id"), Ok)?;
            let legal = row.flag("legal", false)?;
            let priority = row.number("priority", 0, "a priority from 0 to 9, or nothing")?;
            nodes.push((row.number, Node { id, parent, name, legal, priority }));
            Ok(())
        })?;
        Ok(Self::from_rows(nodes)?)
    }

    /// From a JSON list of objects with `id`, `parent` (absent or null: the root), `name`, `legal` and, where wanted,
    /// `priority`.
    ///
    /// # Errors
    /// The first item that is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ImportError> {
        if bytes.len() > IMPORT_BYTES_MAX {
            return Err(ImportError::TooLarge);
        }
        let items: Vec<serde_json::Value> =
            serde_json::from_slice(bytes).map_err(|error| ImportError::Json(error.to_string()))?;
        let mut nodes = Vec::new();
        for (item, row) in items.into_iter().zip(1..) {
            let item: Item = serde_json::from_value(item)
                .map_err(|error| ImportError::Item { row, why: error.to_string() })?;
            let name = item.name.unwrap_or_else(|| item.id.clone());
            let (id, parent) = (item.id.into(), item.parent.map(NodeId::from));
            nodes.push((row, Node { id, parent, name, legal: item.legal, priority: item.priority }));
        }
        Ok(Self::from_rows(nodes)?)
    }
}

/// A node in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: Name,
    #[serde(default)]
    parent: Option<Name>,
    #[serde(default)]
    name: Option<Name>,
    #[serde(default)]
    legal: bool,
    #[serde(default)]
    priority: u8,
}

impl Purchase {
    /// Purchases from CSV, each with its row: the columns `id`, `product`, `version`, `quantity` and, where wanted,
    /// `owner`, `automatic` (yes, unless it says no), `downgrade` (`any`, or versions), `manual` (`NODE=N; NODE=N`),
    /// `valid_from`, `valid_until`, `purchased` (dates as in 2026-12-31) and `unit_cost`, in any order.
    ///
    /// # Errors
    /// The first row that is wrong. Whether a purchase fits the organisation is not looked at here.
    pub fn from_csv(bytes: &[u8]) -> Result<Vec<(usize, PurchaseId, Self)>, ImportError> {
        let columns: Vec<&str> = PURCHASE_COLUMNS.split(',').collect();
        let needed = ["id", "product", "version", "quantity"];
        let mut found: Vec<(usize, PurchaseId, Self)> = Vec::new();
        let mut rows: BTreeMap<PurchaseId, usize> = BTreeMap::new();
        each_row(bytes, PURCHASE_COLUMNS, &columns, &needed, PURCHASES_MAX, |row| {
            let purchase: PurchaseId = row.name("id")?.into();
            if let Some(first) = rows.insert(purchase.clone(), row.number) {
                return Err(ImportError::PurchaseTwice { row: row.number, purchase, first });
            }
            found.push((row.number, purchase, row.purchase()?));
            Ok(())
        })?;
        Ok(found)
    }
}

impl Rule {
    /// Rules from CSV, in their order: the columns `match` (`host`, `address`, `user` or `device`), `pattern` and
    /// `node`.
    ///
    /// # Errors
    /// The first row that is wrong. Whether the nodes are there is not looked at here.
    pub fn from_csv(bytes: &[u8]) -> Result<Vec<Self>, ImportError> {
        let columns = ["match", "pattern", "node"];
        let mut rules = Vec::new();
        each_row(bytes, RULE_COLUMNS, &columns, &columns, PLACEMENTS_MAX, |row| {
            let pattern = row.text("pattern").unwrap_or_default();
            let wrong = |why| ImportError::Rule { row: row.number, why };
            let matches = match row.text("match") {
                Some("host") => Match::Host(Glob::new(pattern).map_err(wrong)?),
                Some("address") => Match::Address(pattern.parse().map_err(wrong)?),
                Some("user") => Match::User(Glob::new(pattern).map_err(wrong)?),
                Some("device") => {
                    let id = pattern.parse().map_err(|_| row.wrong("pattern", "the whole id of a device"))?;
                    Match::Device(id)
                }
                _ => return Err(row.wrong("match", "host, address, user or device")),
            };
            rules.push(Self { matches, node: row.name("node")?.into() });
            Ok(())
        })?;
        Ok(rules)
    }
}

/// A row of CSV.
pub(crate) struct Row<'a> {
    /// The line of the file in which it begins, from 1.
    pub(crate) number: usize,
    columns: &'a BTreeMap<&'static str, usize>,
    cells: &'a csv::StringRecord,
}

/// Hundredths, from an amount with at most two digits behind the point.
pub fn read_cost(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let hundredths = match part.len() {
        0 => Some(0),
        1 | 2 if part.bytes().all(|byte| byte.is_ascii_digit()) => {
            part.parse().ok().map(|number: u64| if part.len() == 1 { number * 10 } else { number })
        }
        _ => None,
    };
    let whole = whole.parse::<u32>().ok();
    whole.zip(hundredths).map(|(whole, hundredths)| u64::from(whole) * 100 + hundredths)
}

/// `none`, `any`, or versions with spaces, commas or semicolons between them.
///
/// # Errors
/// When something in it is no version.
pub fn read_downgrade(text: &str) -> Result<Downgrade, IdError> {
    match text {
        "none" => Ok(Downgrade::None),
        "any" => Ok(Downgrade::Any),
        _ => {
            let versions = text.split([' ', ',', ';']).filter(|version| !version.is_empty());
            versions.map(Version::new).collect::<Result<_, _>>().map(Downgrade::To)
        }
    }
}

/// Calls `each` with each row that is not empty, until one is wrong.
///
/// `example` is a first line as it should be, `known` are the columns that there may be, `needed` those there must be.
///
/// # Errors
/// The first row that is wrong.
pub(crate) fn each_row(
    bytes: &[u8],
    example: &'static str,
    known: &[&'static str],
    needed: &[&'static str],
    rows_max: usize,
    mut each: impl FnMut(&Row<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    if bytes.len() > IMPORT_BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if first_line.contains(&b';') && !first_line.contains(&b',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .flexible(false)
        .from_reader(bytes);
    let mut columns = BTreeMap::new();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let header = reader.headers().map_err(|error| lines.unreadable(&error))?;
    for (at, name) in header.iter().enumerate() {
        let name = name.to_lowercase();
        let Some(column) = known.iter().find(|known| **known == name) else {
            return Err(ImportError::UnknownColumn(shown(&name), example));
        };
        if columns.insert(*column, at).is_some() {
            return Err(ImportError::ColumnTwice(shown(&name)));
        }
    }
    if let Some(missing) = needed.iter().find(|needed| !columns.contains_key(**needed)) {
        return Err(ImportError::NoColumn(missing, example));
    }
    let mut cells = csv::StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut cells).map_err(|error| lines.unreadable(&error))? {
        if cells.iter().all(str::is_empty) {
            continue;
        }
        let number = lines.of(cells.position());
        rows += 1;
        if rows > rows_max {
            return Err(ImportError::TooManyRows { row: number, max: rows_max });
        }
        each(&Row { number, columns: &columns, cells: &cells })?;
    }
    Ok(())
}

/// A column's name on one line; in quotes it may go on for as long as the file does.
fn shown(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(64).collect()
}

/// Counts lines. The reader's own count is that of the line in which the row before ended, or of the next one.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line in which a row begins that is not before the one that was asked for last.
    fn of(&mut self, position: Option<&csv::Position>) -> usize {
        let begin = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        let rest = self.bytes.get(begin..).unwrap_or_default();
        let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.bytes.get(self.at..begin.saturating_add(empty)).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at += passed.len();
        self.line
    }

    fn unreadable(&mut self, error: &csv::Error) -> ImportError {
        ImportError::Csv { row: self.of(error.position()), why: error.to_string() }
    }
}

impl Row<'_> {
    /// What stands in a column; `None`: nothing.
    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.cells.get(*self.columns.get(column)?).filter(|text| !text.is_empty())
    }

    /// The cell can't be meant.
    pub(crate) fn wrong(&self, column: &'static str, expected: &'static str) -> ImportError {
        let found = self.text(column).unwrap_or_default().chars().take(64).collect();
        ImportError::Cell { row: self.number, column, found, expected }
    }

    fn id<T>(
        &self,
        column: &'static str,
        make: impl Fn(&str) -> Result<T, IdError>,
    ) -> Result<T, ImportError> {
        make(self.text(column).unwrap_or_default()).map_err(|why| ImportError::Id {
            row: self.number,
            column,
            why,
        })
    }

    fn name(&self, column: &'static str) -> Result<Name, ImportError> {
        self.id(column, |text| Name::new(text))
    }

    fn flag(&self, column: &'static str, default: bool) -> Result<bool, ImportError> {
        match self.text(column).map(str::to_lowercase).as_deref() {
            None => Ok(default),
            Some("yes" | "true" | "1" | "x") => Ok(true),
            Some("no" | "false" | "0") => Ok(false),
            Some(_) => Err(self.wrong(column, "yes or no, or true or false")),
        }
    }

    fn number<T: std::str::FromStr>(
        &self,
        column: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, ImportError> {
        self.text(column).map_or(Ok(default), |text| text.parse().map_err(|_| self.wrong(column, expected)))
    }

    fn date(&self, column: &'static str) -> Result<Option<Date>, ImportError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let mut parts = text.split('-');
        let mut next = |digits| parts.next().filter(|part| part.len() == digits);
        let date = match (next(4), next(2), next(2)) {
            (Some(year), Some(month), Some(day)) if parts.next().is_none() => year
                .parse()
                .ok()
                .zip(month.parse().ok())
                .zip(day.parse().ok())
                .and_then(|((year, month), day)| Date::new(year, month, day)),
            _ => None,
        };
        date.map(Some).ok_or_else(|| self.wrong(column, "a day as in 2026-12-31, or nothing"))
    }

    fn cost(&self, column: &'static str) -> Result<Option<u64>, ImportError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        read_cost(text).map(Some).ok_or_else(|| self.wrong(column, "an amount as in 1250.00, or nothing"))
    }

    fn purchase(&self) -> Result<Purchase, ImportError> {
        Ok(Purchase {
            product: self.id("product", |text| ProductId::new(text))?,
            version: self.id("version", |text| Version::new(text))?,
            quantity: self.number("quantity", 0, "how many were bought, a whole number")?,
            owner: self.text("owner").map(|_| self.name("owner")).transpose()?.map(NodeId::from),
            automatic: self.flag("automatic", true)?,
            downgrade: self.downgrade()?,
            manual: self.manual()?,
            valid_from: self.date("valid_from")?,
            valid_until: self.date("valid_until")?,
            purchased: self.date("purchased")?,
            unit_cost: self.cost("unit_cost")?,
        })
    }

    fn downgrade(&self) -> Result<Downgrade, ImportError> {
        let row = self.number;
        read_downgrade(self.text("downgrade").unwrap_or("none")).map_err(|why| ImportError::Id {
            row,
            column: "downgrade",
            why,
        })
    }

    fn manual(&self) -> Result<BTreeMap<NodeId, u32>, ImportError> {
        let wrong = || self.wrong("manual", "nodes and numbers as in `E1=4; E2=2`, each node once");
        let mut manual = BTreeMap::new();
        for part in self.text("manual").into_iter().flat_map(|text| text.split(';')) {
            let (node, quantity) = part.rsplit_once('=').ok_or_else(wrong)?;
            let node = NodeId::new(node.trim()).map_err(|_| wrong())?;
            let quantity = quantity.trim().parse().map_err(|_| wrong())?;
            if manual.insert(node, quantity).is_some() {
                return Err(wrong());
            }
        }
        Ok(manual)
    }
}
