//! `seatkeeper compliance`: how what is installed compares with what was bought.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::org::NodeId;
use seatkeeper_protocol::id::ProductId;

use super::fail::Fail;
use super::print::{self, progress::while_doing};
use super::purchase::parse_node;

mod what_if;

use what_if::WhatIfArgs;

/// `compliance`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ComplianceArgs {
    /// Show this product in full: by node, version and purchase
    #[arg(long, value_name = "PRODUCT")]
    product: Option<ProductId>,
    /// Show this node and those below it only
    #[arg(long, value_name = "NODE", value_parser = parse_node)]
    node: Option<NodeId>,
    /// Print every node of every product as CSV
    #[arg(long)]
    csv: bool,
    /// What else.
    #[command(subcommand)]
    command: Option<ComplianceCommand>,
}

/// What else there is to see of compliance.
#[derive(Debug, Subcommand)]
pub(super) enum ComplianceCommand {
    /// What would be different if something was bought, sold or moved. Changes nothing
    WhatIf(Box<WhatIfArgs>),
    /// When the figures changed, and why
    History,
}

pub(super) async fn compliance(client: &Client, args: ComplianceArgs, json: bool) -> Result<(), Fail> {
    match &args.command {
        Some(ComplianceCommand::WhatIf(changes)) => what_if::what_if(client, changes, json).await,
        Some(ComplianceCommand::History) => history(client, json).await,
        None if args.csv => csv(client, &args).await,
        None => match &args.product {
            Some(product) => {
                let found = of_product(client, product.as_str(), args.node.as_ref()).await?;
                if json { print::json(&found) } else { in_full(&found, args.node.as_ref()) }
            }
            None if args.node.is_some() => by_product(client, &args, json).await,
            None => summary(client, json).await,
        },
    }
}

/// One product, of a node and those below it, if one is named.
async fn of_product(
    client: &Client,
    product: &str,
    node: Option<&NodeId>,
) -> Result<api::ProductCompliance, Fail> {
    let mut found = while_doing("calculating", client.product_compliance(product)).await?;
    let Some(node) = node else { return Ok(found) };
    let organisation = client.organisation().await?;
    if !organisation.nodes.iter().any(|known| known.id == node.as_str()) {
        return Err(Fail::input(format!("there is no node {node}; `seatkeeper org show` lists all")));
    }
    // Each node comes before those below it.
    let mut within = BTreeSet::from([node.to_string()]);
    for known in &organisation.nodes {
        if known.parent.as_ref().is_some_and(|parent| within.contains(parent)) {
            within.insert(known.id.clone());
        }
    }
    found.nodes.retain(|line| within.contains(&line.node));
    found.surplus.retain(|part| within.contains(&part.node));
    found.transfers.retain(|transfer| within.contains(&transfer.node));
    Ok(found)
}

async fn summary(client: &Client, json: bool) -> Result<(), Fail> {
    let found = while_doing("calculating", client.compliance()).await?;
    if json {
        return print::json(&found);
    }
    let row = |of: &api::ProductTotals| {
        let api::ComplianceTotals { owned, required, covered, short, surplus, surplus_cost, transfers } =
            of.totals;
        vec![
            of.product.clone(),
            required.to_string(),
            owned.to_string(),
            covered.to_string(),
            transfers.to_string(),
            short.to_string(),
            surplus.to_string(),
            if surplus_cost > 0 { amount(surplus_cost) } else { "-".to_owned() },
            of.seat_peak.map_or_else(|| "-".to_owned(), |peak| peak.to_string()),
        ]
    };
    let rows: Vec<_> = found.products.iter().map(row).collect();
    let titles = [
        "product",
        "installed",
        "owned",
        "covered",
        "by downgrade",
        "short",
        "surplus",
        "surplus cost",
        "seat peak",
    ];
    let none = "Nothing to compare: import the organisation, purchases and what is installed first \
                (`seatkeeper org import`, `purchase import`, `inventory`).";
    print::table(&titles, &rows, none);
    for license in &found.unregistered {
        print::line(format!("\nLicense {} covers nothing yet: {}.", license.license, license.why));
    }
    Ok(())
}

/// The figures of one node and those below it, by product.
async fn by_product(client: &Client, args: &ComplianceArgs, json: bool) -> Result<(), Fail> {
    let mut all = Vec::new();
    for product in client.compliance().await?.products {
        all.push(of_product(client, &product.product, args.node.as_ref()).await?);
    }
    if json {
        return print::json(&all);
    }
    let row = |of: &api::ProductCompliance| {
        let line = of
            .nodes
            .first()
            .filter(|line| args.node.as_ref().is_some_and(|node| node.as_str() == line.node))?;
        let mut row = vec![of.product.clone()];
        row.extend(figures(&line.own));
        row.extend(figures(&line.rolled_up));
        Some(row)
    };
    let rows: Vec<_> = all.iter().filter_map(row).collect();
    let titles = ["product", "installed", "covered", "compliance", "with below", "covered", "compliance"];
    print::table(&titles, &rows, "Nothing is installed there.");
    Ok(())
}

fn figures(line: &api::ComplianceLine) -> [String; 3] {
    [line.requirement.to_string(), line.coverage.to_string(), line.compliance.to_string()]
}

/// Hundredths as people write amounts.
fn amount(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn in_full(found: &api::ProductCompliance, node: Option<&NodeId>) -> Result<(), Fail> {
    let api::ComplianceTotals { owned, required, covered, short, surplus, surplus_cost, transfers } =
        found.totals;
    print::line(format!(
        "{}: {required} installed, {owned} owned; {covered} covered ({transfers} by downgrade), {short} short, {surplus} \
         surplus{}.\n",
        found.product,
        if surplus_cost > 0 { format!(" that cost {}", amount(surplus_cost)) } else { String::new() },
    ));
    let parents: BTreeMap<&str, Option<&str>> =
        found.nodes.iter().map(|line| (line.node.as_str(), line.parent.as_deref())).collect();
    let depth = |node: &str| {
        let mut depth = 0;
        let mut at = node;
        while let Some(Some(parent)) = parents.get(at).filter(|_| depth <= parents.len()) {
            depth += usize::from(parents.contains_key(parent));
            at = parent;
        }
        depth
    };
    let row = |line: &api::NodeCompliance| {
        let label = match line.name == line.node {
            true => line.node.clone(),
            false => format!("{} ({})", line.node, line.name),
        };
        let mut row = vec![format!("{}{label}", "  ".repeat(depth(&line.node)))];
        row.extend(figures(&line.own));
        row.extend(figures(&line.rolled_up));
        row
    };
    let rows: Vec<_> = found.nodes.iter().map(row).collect();
    let titles = ["node", "installed", "covered", "compliance", "with below", "covered", "compliance"];
    print::table(&titles, &rows, "It is installed nowhere.");
    if node.is_none() && !found.versions.is_empty() {
        let row = |of: &api::VersionCompliance| {
            let mut row = vec![of.version.clone()];
            row.extend(figures(&of.all));
            row
        };
        let rows: Vec<_> = found.versions.iter().map(row).collect();
        print::line("");
        print::table(&["version", "installed", "covered", "compliance"], &rows, "");
    }
    if node.is_none() {
        let row = |of: &api::PurchaseCompliance| {
            vec![
                of.purchase.clone(),
                of.quantity.to_string(),
                of.used.to_string(),
                of.manual.to_string(),
                of.transfers.to_string(),
                of.why.clone(),
            ]
        };
        let rows: Vec<_> = found.purchases.iter().map(row).collect();
        print::line("");
        print::table(
            &["purchase", "quantity", "used", "by hand", "by downgrade", "why"],
            &rows,
            "Nothing was bought.",
        );
    }
    if !found.surplus.is_empty() {
        let row = |part: &api::SurplusLine| {
            let cost = part.cost.map_or_else(|| "-".to_owned(), amount);
            vec![part.purchase.clone(), part.node.clone(), part.quantity.to_string(), cost]
        };
        let rows: Vec<_> = found.surplus.iter().map(row).collect();
        print::line("");
        print::table(&["surplus of", "stands at", "quantity", "cost"], &rows, "");
    }
    if !found.transfers.is_empty() {
        let row = |of: &api::TransferLine| {
            vec![of.purchase.clone(), of.node.clone(), of.version.clone(), of.count.to_string()]
        };
        let rows: Vec<_> = found.transfers.iter().map(row).collect();
        print::line("");
        print::table(&["downgrade of", "at", "version", "installs"], &rows, "");
    }
    Ok(())
}

async fn csv(client: &Client, args: &ComplianceArgs) -> Result<(), Fail> {
    let products = match &args.product {
        Some(product) => vec![product.to_string()],
        None => client.compliance().await?.products.into_iter().map(|of| of.product).collect(),
    };
    let cannot = |error: csv::Error| Fail::other(format!("the table could not be written: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    let titles = [
        "product",
        "node",
        "name",
        "parent",
        "requirement",
        "coverage",
        "compliance",
        "requirement_with_below",
        "coverage_with_below",
        "compliance_with_below",
    ];
    table.write_record(titles).map_err(cannot)?;
    for product in products {
        for line in of_product(client, &product, args.node.as_ref()).await?.nodes {
            let mut row = vec![product.clone(), line.node, line.name, line.parent.unwrap_or_default()];
            row.extend(figures(&line.own));
            row.extend(figures(&line.rolled_up));
            table.write_record(row).map_err(cannot)?;
        }
    }
    let bytes = table.into_inner().map_err(|error| Fail::other(error.to_string()))?;
    print::kept(String::from_utf8_lossy(&bytes).trim_end())
}

async fn history(client: &Client, json: bool) -> Result<(), Fail> {
    let history = client.calculations().await?;
    if json {
        return print::json(&history);
    }
    if history.calculations.is_empty() {
        print::line("Nothing was calculated yet: it is some seconds after something changes.");
    }
    for calculation in &history.calculations {
        print::line(format!("{}. {}", calculation.number, print::when(calculation.time.as_deref())));
        calculation.reasons.iter().for_each(|why| print::line(format!("   because {why}")));
        calculation.products.iter().for_each(difference);
    }
    Ok(())
}

/// What differs for one product.
fn difference(of: &api::ProductDifference) {
    let [before, after] = [of.before, of.after].map(Option::unwrap_or_default);
    let change = |name: &str, before: u64, after: u64| {
        (before != after).then(|| format!("{name} {before} -> {after}"))
    };
    let changes: Vec<String> = [
        change("installed", before.required, after.required),
        change("owned", before.owned, after.owned),
        change("covered", before.covered, after.covered),
        change("by downgrade", before.transfers, after.transfers),
        change("short", before.short, after.short),
        change("surplus", before.surplus, after.surplus),
    ]
    .into_iter()
    .flatten()
    .collect();
    let changes = if changes.is_empty() { "the same in all".to_owned() } else { changes.join(", ") };
    print::line(format!("   {}: {changes}", of.product));
    let told = |line: Option<api::ComplianceLine>| {
        line.map_or_else(
            || "not there".to_owned(),
            |line| format!("{} of {}", line.coverage, line.requirement),
        )
    };
    for node in &of.nodes {
        print::line(format!("     at {}: covered {} -> {}", node.node, told(node.before), told(node.after)));
    }
    if of.other_nodes > 0 {
        print::line(format!("     at {} other nodes too", of.other_nodes));
    }
    let used =
        |used: Option<u64>| used.map_or_else(|| "not there".to_owned(), |used| format!("covers {used}"));
    for purchase in of.purchases.iter().filter(|purchase| purchase.before != purchase.after) {
        print::line(format!(
            "     purchase {}: {} -> {}",
            purchase.purchase,
            used(purchase.before),
            used(purchase.after)
        ));
    }
}
