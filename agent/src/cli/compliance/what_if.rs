//! `seatkeeper compliance what-if`.

use std::path::PathBuf;

use clap::Args;
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::org::{IMPORT_BYTES_MAX, Purchase, PurchaseId};

use super::super::args::ProductAt;
use super::super::fail::Fail;
use super::super::files;
use super::super::org::{YesNo, of_file};
use super::super::print::{self, progress::while_doing};

/// What might be changed.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct WhatIfArgs {
    /// So many more were bought, at the root; may be repeated
    #[arg(long, value_name = "PRODUCT@VERSION=N", value_parser = parse_bought)]
    buy: Vec<(ProductAt, u32)>,
    /// The purchases of this file were registered, as `purchase import` would
    #[arg(long, value_name = "FILE")]
    purchases: Option<PathBuf>,
    /// A purchase was not there; may be repeated
    #[arg(long, value_name = "ID")]
    remove_purchase: Vec<String>,
    /// A purchase was owned by another node; may be repeated
    #[arg(long, value_name = "ID=NODE", value_parser = parse_pair)]
    move_purchase: Vec<(String, String)>,
    /// Another node was there, below this one; may be repeated
    #[arg(long, value_name = "ID=PARENT", value_parser = parse_pair)]
    add_node: Vec<(String, String)>,
    /// A node was below another one; may be repeated
    #[arg(long, value_name = "ID=PARENT", value_parser = parse_pair)]
    move_node: Vec<(String, String)>,
    /// A node was not there: what is installed there counts as the root's; may be repeated
    #[arg(long, value_name = "ID")]
    remove_node: Vec<String>,
    /// Automatic coverage stopped where another legal entity begins, or did not
    #[arg(long, value_name = "yes|no")]
    stop_at_legal: Option<YesNo>,
}

fn parse_bought(text: &str) -> Result<(ProductAt, u32), String> {
    let wrong = || format!("`{text}` is not a product, a version and a number such as cad@2026=5");
    let (product, quantity) = text.rsplit_once('=').ok_or_else(wrong)?;
    let product: ProductAt = product.parse().map_err(|_| wrong())?;
    if product.version.is_none() {
        return Err(wrong());
    }
    Ok((product, quantity.parse().map_err(|_| wrong())?))
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.rsplit_once('=').filter(|(id, to)| !id.is_empty() && !to.is_empty());
    let (id, to) = pair.ok_or_else(|| format!("`{text}` is not two ids such as E1=W"))?;
    Ok((id.to_owned(), to.to_owned()))
}

pub(super) async fn what_if(client: &Client, args: &WhatIfArgs, json: bool) -> Result<(), Fail> {
    let changes = api::ComplianceChanges { changes: changes(client, args).await? };
    let found = while_doing("calculating", client.compliance_what_if(&changes)).await?;
    if json {
        return print::json(&found);
    }
    if found.products.is_empty() {
        print::line("Nothing would be different.");
        return Ok(());
    }
    print::line("Nothing is changed. It would be different so:");
    found.products.iter().for_each(super::difference);
    Ok(())
}

async fn changes(client: &Client, args: &WhatIfArgs) -> Result<Vec<api::ComplianceChange>, Fail> {
    let mut changes = Vec::new();
    let nodes = client.organisation().await?.nodes;
    let known = |id: &str| {
        let node = nodes.iter().find(|node| node.id == id).cloned();
        node.ok_or_else(|| Fail::input(format!("there is no node {id}; `seatkeeper org show` lists all")))
    };
    if let Some(stop) = args.stop_at_legal {
        changes.push(api::ComplianceChange::StopAtLegal(stop == YesNo::Yes));
    }
    for (id, parent) in &args.add_node {
        let (id, parent) = (id.clone(), Some(parent.clone()));
        let node = api::OrgNode { name: id.clone(), id, parent, legal: false, priority: 0 };
        changes.push(api::ComplianceChange::SetNode(node));
    }
    for (id, parent) in &args.move_node {
        let node = api::OrgNode { parent: Some(parent.clone()), ..known(id)? };
        changes.push(api::ComplianceChange::SetNode(node));
    }
    changes.extend(args.remove_purchase.iter().cloned().map(api::ComplianceChange::RemovePurchase));
    if !args.move_purchase.is_empty() {
        let purchases = client.purchases().await?.purchases;
        for (id, owner) in &args.move_purchase {
            let purchase = purchases.iter().find(|purchase| purchase.id == *id).cloned();
            let purchase = purchase.ok_or_else(|| {
                Fail::input(format!("there is no purchase {id}; `seatkeeper purchase list` shows all"))
            })?;
            let purchase = api::Purchase { owner: owner.clone(), ..purchase };
            changes.push(api::ComplianceChange::SetPurchase(Box::new(purchase)));
        }
    }
    if let Some(file) = &args.purchases {
        let text = files::read_text(file, IMPORT_BYTES_MAX)?;
        let rows = Purchase::from_csv(text.as_bytes()).map_err(|error| of_file(file, &error))?;
        let purchase = |(_, id, terms): (usize, PurchaseId, Purchase)| written(&id, &terms);
        changes.extend(rows.into_iter().map(purchase));
    }
    for (number, (product, quantity)) in (1..).zip(&args.buy) {
        let Some(version) = product.version.clone() else { continue };
        let terms = Purchase::new(product.product.clone(), version, *quantity);
        let id =
            PurchaseId::new(format!("bought {number}")).map_err(|error| Fail::other(error.to_string()))?;
        changes.push(written(&id, &terms));
    }
    changes.extend(args.remove_node.iter().cloned().map(api::ComplianceChange::RemoveNode));
    Ok(changes)
}

fn written(id: &PurchaseId, terms: &Purchase) -> api::ComplianceChange {
    api::ComplianceChange::SetPurchase(Box::new(terms.to_json(id, false, true)))
}
