//! `seatkeeper org`: the organisation's nodes, and which machines belong to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::org::{IMPORT_BYTES_MAX, Node, NodeId, Organisation, Rule};

use super::args::SignArgs;
use super::fail::Fail;
use super::sign::SiteSigner;
use super::{files, print};
use crate::plan::long;

/// `org`.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Make the organisation what a file says: CSV with the columns id, parent, name and legal, or JSON
    Import {
        /// The file
        file: PathBuf,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show the nodes
    Show,
    /// Show the rules that say which machine belongs to which node, or replace them
    Rules {
        /// Take the rules of this file instead: CSV with the columns match (host, address, user or device), pattern, node
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Say whether automatic coverage stops where another legal entity begins
    StopAtLegal {
        /// Whether it does
        stop: YesNo,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// It is so.
    Yes,
    /// It is not.
    No,
}

pub(super) async fn org(client: &Client, command: OrgCommand, json: bool) -> Result<(), Fail> {
    match command {
        OrgCommand::Import { file, sign } => import(client, &file, &sign).await,
        OrgCommand::Show => show(client, json).await,
        OrgCommand::Rules { import: None, .. } => rules(client, json).await,
        OrgCommand::Rules { import: Some(file), sign } => {
            let text = files::read_text(&file, IMPORT_BYTES_MAX)?;
            let rules = Rule::from_csv(text.as_bytes()).map_err(|error| of_file(&file, &error))?;
            let count = rules.len();
            let mut signer = SiteSigner::open(client, &sign).await?;
            signer.send_all("sending the rules", long::placement(rules)?).await?;
            print::line(format!(
                "{count} rules place machines into nodes; whatever none fits belongs to the root."
            ));
            Ok(())
        }
        OrgCommand::StopAtLegal { stop, sign } => {
            let stop = stop == YesNo::Yes;
            SiteSigner::open(client, &sign).await?.send(&Command::SetStopAtLegal { stop }).await?;
            print::line(match stop {
                true => "Automatic coverage stops where another legal entity begins.",
                false => "Automatic coverage includes legal entities below the owner.",
            });
            Ok(())
        }
    }
}

pub(super) fn of_file(file: &Path, error: &dyn std::fmt::Display) -> Fail {
    Fail::input(format!("{}: {error}", file.display()))
}

async fn import(client: &Client, file: &Path, sign: &SignArgs) -> Result<(), Fail> {
    let text = files::read_text(file, IMPORT_BYTES_MAX)?;
    let is_json = text.trim_start().starts_with('[');
    let read = if is_json { Organisation::from_json } else { Organisation::from_csv };
    let wanted = read(text.as_bytes()).map_err(|error| of_file(file, &error))?;
    let there = client.organisation().await?.nodes;
    let known: BTreeMap<&str, &api::OrgNode> = there.iter().map(|node| (node.id.as_str(), node)).collect();
    // In the tree's order: at each step a node hangs below one that is where it belongs already.
    let differs = |node: &&Node| known.get(node.id.as_str()).is_none_or(|known| !is_as_known(node, known));
    let set: Vec<Node> = wanted.nodes().iter().filter(differs).cloned().collect();
    let added = set.iter().filter(|node| !known.contains_key(node.id.as_str())).count();
    let changed = set.len() - added;
    let gone = there.iter().rev().filter_map(|node| NodeId::new(node.id.as_str()).ok());
    let remove: Vec<NodeId> = gone.filter(|id| wanted.node(id).is_none()).collect();
    let removed = remove.len();
    if added + changed + removed > 0 {
        let mut signer = SiteSigner::open(client, sign).await?;
        signer.send_all("sending the nodes", long::nodes(set, remove)?).await?;
    }
    print::line(format!(
        "The organisation has {}: {added} added, {changed} changed, {removed} removed.",
        print::count(u32::try_from(wanted.nodes().len()).unwrap_or(u32::MAX), "node", "nodes")
    ));
    Ok(())
}

fn is_as_known(node: &Node, known: &api::OrgNode) -> bool {
    node.parent.as_ref().map(NodeId::as_str) == known.parent.as_deref()
        && node.name.as_str() == known.name
        && (node.legal, node.priority) == (known.legal, known.priority)
}

async fn show(client: &Client, json: bool) -> Result<(), Fail> {
    let organisation = client.organisation().await?;
    if json {
        return print::json(&organisation);
    }
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for node in &organisation.nodes {
        let above = node.parent.as_deref().and_then(|parent| depths.get(parent));
        let depth = above.map_or(0, |depth| depth + 1);
        depths.insert(&node.id, depth);
        rows.push(vec![
            format!("{}{}", "  ".repeat(depth), node.id),
            node.name.clone(),
            if node.legal { "yes" } else { "-" }.to_owned(),
            node.priority.to_string(),
        ]);
    }
    let none = "No organisation. Import one with `seatkeeper org import FILE`.";
    print::table(&["node", "name", "legal entity", "priority"], &rows, none);
    if organisation.stop_at_legal {
        print::line("\nAutomatic coverage stops where another legal entity begins.");
    }
    Ok(())
}

async fn rules(client: &Client, json: bool) -> Result<(), Fail> {
    let organisation = client.organisation().await?;
    if json {
        return print::json(&organisation.rules);
    }
    let row = |rule: &api::PlacementRule| vec![rule.matches.clone(), rule.pattern.clone(), rule.node.clone()];
    let rows: Vec<_> = organisation.rules.iter().map(row).collect();
    print::table(&["match", "pattern", "node"], &rows, "No rules: every machine belongs to the root.");
    Ok(())
}
