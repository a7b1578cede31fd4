//! `seatkeeper purchase` and `seatkeeper allocation`: what was bought, and for whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::org::{
    IMPORT_BYTES_MAX, NodeId, Purchase, PurchaseId, downgrade_from_json, read_cost, read_downgrade,
};
use seatkeeper_protocol::id::{IdError, ProductId, Version};
use seatkeeper_protocol::license::{Date, Downgrade};

use super::args::{ProductAt, SignArgs};
use super::fail::Fail;
use super::org::{YesNo, of_file};
use super::sign::SiteSigner;
use super::{files, print};
use crate::plan::long;

/// `purchase`.
#[derive(Debug, Subcommand)]
pub enum PurchaseCommand {
    /// Register a purchase. It adds coverage, never seats: those are the licenses'
    Add {
        /// What you call it, such as the number of the order
        #[arg(value_parser = parse_purchase)]
        id: PurchaseId,
        /// What was bought
        #[arg(value_name = "PRODUCT@VERSION")]
        product: ProductAt,
        /// How many installs it covers
        #[arg(long, value_name = "N")]
        quantity: u32,
        /// Its other terms.
        #[command(flatten)]
        terms: TermsArgs,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Register purchases from a CSV file; those that are there already get the terms in the file
    Import {
        /// The file
        file: PathBuf,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// List the purchases; a license is one, too
    List,
    /// Give a purchase other terms; what is not named stays. A license can be narrowed, not widened
    Set {
        /// Which
        #[arg(value_parser = parse_purchase)]
        id: PurchaseId,
        /// How many installs it covers
        #[arg(long, value_name = "N")]
        quantity: Option<u32>,
        /// Its other terms.
        #[command(flatten)]
        terms: TermsArgs,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Remove a purchase; a license is what its file says again
    Remove {
        /// Which
        #[arg(value_parser = parse_purchase)]
        id: PurchaseId,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// Terms of a purchase.
#[derive(Debug, Args)]
pub struct TermsArgs {
    /// The node that owns it, a legal entity (else the root)
    #[arg(long, value_name = "NODE", value_parser = parse_node)]
    owner: Option<NodeId>,
    /// Whether what is not allocated by hand also covers the nodes below the owner (yes unless you say no)
    #[arg(long, value_name = "yes|no")]
    automatic: Option<YesNo>,
    /// Which earlier versions it covers too: none, any, or versions with commas between them
    #[arg(long, value_name = "VERSIONS", value_parser = read_downgrade)]
    downgrade: Option<Downgrade>,
    /// Its first day, or none
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    from: Option<OrNone<Date>>,
    /// Its last day, or none
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    until: Option<OrNone<Date>>,
    /// When it was bought, or none: it is not known
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    bought: Option<OrNone<Date>>,
    /// What covers one install, such as 1250.00, or none: it is not known
    #[arg(long, value_name = "AMOUNT", value_parser = parse_cost)]
    unit_cost: Option<OrNone<u64>>,
}

/// `allocation`.
#[derive(Debug, Subcommand)]
pub enum AllocationCommand {
    /// Allocate by hand: these numbers of installs to these nodes, and by hand nothing to others
    Set {
        /// Which purchase
        #[arg(value_parser = parse_purchase)]
        purchase: PurchaseId,
        /// A node, and how many of its installs
        #[arg(value_name = "NODE=N", required = true, value_parser = parse_part)]
        parts: Vec<(NodeId, u32)>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Leave all of a purchase to automatic allocation
    Clear {
        /// Which purchase
        #[arg(value_parser = parse_purchase)]
        purchase: PurchaseId,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

fn parse_purchase(text: &str) -> Result<PurchaseId, IdError> {
    PurchaseId::new(text)
}

pub(super) fn parse_node(text: &str) -> Result<NodeId, IdError> {
    NodeId::new(text)
}

/// A value that may be taken away.
#[derive(Clone, Copy, Debug)]
struct OrNone<T>(Option<T>);

impl<T> OrNone<T> {
    fn read(text: &str, read: impl FnOnce(&str) -> Option<T>, such_as: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        read(text).map(|value| Self(Some(value))).ok_or_else(|| format!("`{text}` is not {such_as}, or none"))
    }
}

/// What is said now, else what is known.
fn set<T>(said: Option<OrNone<T>>, known: Option<T>) -> Option<T> {
    said.map_or(known, |said| said.0)
}

fn parse_day(text: &str) -> Result<OrNone<Date>, String> {
    OrNone::read(text, Date::read, "a day such as 2026-12-31")
}

fn parse_cost(text: &str) -> Result<OrNone<u64>, String> {
    OrNone::read(text, read_cost, "an amount such as 1250.00")
}

fn parse_part(text: &str) -> Result<(NodeId, u32), String> {
    let wrong = || format!("`{text}` is not a node and a number such as E1=4");
    let (node, quantity) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((NodeId::new(node).map_err(|_| wrong())?, quantity.parse().map_err(|_| wrong())?))
}

impl TermsArgs {
    fn put_into(self, terms: Purchase) -> Purchase {
        Purchase {
            owner: self.owner.or(terms.owner),
            automatic: self.automatic.map_or(terms.automatic, |automatic| automatic == YesNo::Yes),
            downgrade: self.downgrade.unwrap_or(terms.downgrade),
            valid_from: set(self.from, terms.valid_from),
            valid_until: set(self.until, terms.valid_until),
            purchased: set(self.bought, terms.purchased),
            unit_cost: set(self.unit_cost, terms.unit_cost),
            ..terms
        }
    }
}

pub(super) async fn purchase(client: &Client, command: PurchaseCommand, json: bool) -> Result<(), Fail> {
    let (command, sign, done) = match command {
        PurchaseCommand::List => return list(client, json).await,
        PurchaseCommand::Import { file, sign } => return import(client, &file, &sign).await,
        PurchaseCommand::Add { id, product, quantity, terms, sign } => {
            let version = product
                .version
                .ok_or_else(|| Fail::new(2, format!("say which version, as in {}@2026", product.product)))?;
            if client.purchases().await?.purchases.iter().any(|known| known.id == id.as_str()) {
                let text =
                    format!("purchase {id} is there already; `seatkeeper purchase set {id}` changes it");
                return Err(Fail::other(text));
            }
            let terms = terms.put_into(Purchase::new(product.product, version, quantity));
            let done = format!("Purchase {id} is registered.");
            (Command::SetPurchases { purchases: vec![(id, terms)] }, sign, done)
        }
        PurchaseCommand::Set { id, quantity, terms, sign } => {
            let known = find(client, &id).await?;
            let terms = terms.put_into(known);
            let terms = Purchase { quantity: quantity.unwrap_or(terms.quantity), ..terms };
            let done = format!("Purchase {id} has these terms now.");
            (Command::SetPurchases { purchases: vec![(id, terms)] }, sign, done)
        }
        PurchaseCommand::Remove { id, sign } => {
            let done = format!("Purchase {id} is removed.");
            (Command::RemovePurchase { purchase: id }, sign, done)
        }
    };
    SiteSigner::open(client, &sign).await?.send(&command).await?;
    print::line(done);
    Ok(())
}

pub(super) async fn allocation(client: &Client, command: AllocationCommand) -> Result<(), Fail> {
    let (purchase, manual, sign) = match command {
        AllocationCommand::Set { purchase, parts, sign } => {
            let mut manual = BTreeMap::new();
            for (node, quantity) in parts {
                if manual.insert(node.clone(), quantity).is_some() {
                    return Err(Fail::new(2, format!("node {node} is named twice; name it once")));
                }
            }
            (purchase, manual, sign)
        }
        AllocationCommand::Clear { purchase, sign } => (purchase, BTreeMap::new(), sign),
    };
    let quantity: u64 = manual.values().copied().map(u64::from).sum();
    let done = match manual.len() {
        0 => format!("All of purchase {purchase} is left to automatic allocation."),
        1 => format!("{quantity} of purchase {purchase} are allocated by hand, to one node."),
        nodes => format!("{quantity} of purchase {purchase} are allocated by hand, to {nodes} nodes."),
    };
    SiteSigner::open(client, &sign).await?.send(&Command::Allocate { purchase, manual }).await?;
    print::line(done);
    Ok(())
}

async fn import(client: &Client, file: &Path, sign: &SignArgs) -> Result<(), Fail> {
    let text = files::read_text(file, IMPORT_BYTES_MAX)?;
    let rows = Purchase::from_csv(text.as_bytes()).map_err(|error| of_file(file, &error))?;
    let purchases: Vec<(PurchaseId, Purchase)> = rows.into_iter().map(|(_, id, terms)| (id, terms)).collect();
    let count = u32::try_from(purchases.len()).unwrap_or(u32::MAX);
    if count > 0 {
        let mut signer = SiteSigner::open(client, sign).await?;
        signer.send_all("sending the purchases", long::purchases(purchases)?).await?;
    }
    print::line(format!("{} registered.", print::count(count, "purchase is", "purchases are")));
    Ok(())
}

/// The terms that a purchase has now.
async fn find(client: &Client, id: &PurchaseId) -> Result<Purchase, Fail> {
    let all = client.purchases().await?;
    if let Some(license) = all.unregistered.iter().find(|license| license.license == id.as_str()) {
        // Nobody may own it yet: what its file says, for an owner to be named.
        let licenses = client.licenses().await?.licenses;
        let known = licenses.iter().find(|known| known.id == license.license);
        return known.and_then(of_license).ok_or_else(|| Fail::other(license.why.clone()));
    }
    let known = all.purchases.iter().find(|known| known.id == id.as_str());
    let known = known.ok_or_else(|| {
        Fail::other(format!("there is no purchase {id}; `seatkeeper purchase list` shows all"))
    })?;
    Purchase::from_json(known)
        .map_err(|_| Fail::other("the agent's answer about its purchases is not understood"))
}

fn days(day: Option<&String>) -> Option<Option<Date>> {
    day.map_or(Some(None), |day| Date::read(day).map(Some))
}

fn of_license(license: &api::License) -> Option<Purchase> {
    let product = ProductId::new(license.product.as_str()).ok()?;
    let version = Version::new(license.version.as_str()).ok()?;
    Some(Purchase {
        downgrade: downgrade_from_json(license.downgrade_any, &license.downgrade).ok()?,
        valid_from: days(license.valid_from.as_ref())?,
        valid_until: days(license.valid_until.as_ref())?,
        ..Purchase::new(product, version, license.seats)
    })
}

async fn list(client: &Client, json: bool) -> Result<(), Fail> {
    let purchases = client.purchases().await?;
    if json {
        return print::json(&purchases);
    }
    let row = |purchase: &api::Purchase| {
        let downgrade = match (purchase.downgrade_any, purchase.downgrade.as_slice()) {
            (true, _) => "any".to_owned(),
            (false, []) => "-".to_owned(),
            (false, versions) => versions.join(","),
        };
        let manual: Vec<String> =
            purchase.manual.iter().map(|(node, quantity)| format!("{node}={quantity}")).collect();
        vec![
            purchase.id.clone(),
            format!("{}@{}", purchase.product, purchase.version),
            purchase.quantity.to_string(),
            purchase.owner.clone(),
            if purchase.automatic { "yes" } else { "no" }.to_owned(),
            downgrade,
            if manual.is_empty() { "-".to_owned() } else { manual.join(" ") },
            purchase.valid_until.clone().unwrap_or_else(|| "-".to_owned()),
            if purchase.license { "license" } else { "registered" }.to_owned(),
        ]
    };
    let rows: Vec<_> = purchases.purchases.iter().map(row).collect();
    let titles = ["id", "product", "quantity", "owner", "automatic", "downgrade", "by hand", "until", "from"];
    let none = "No purchases. Import the organisation first (`seatkeeper org import FILE`), then add them.";
    print::table(&titles, &rows, none);
    for license in &purchases.unregistered {
        print::line(format!("\nLicense {} covers nothing yet: {}.", license.license, license.why));
    }
    Ok(())
}
