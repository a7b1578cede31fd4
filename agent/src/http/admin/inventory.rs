//! What is installed: the catalog, and machines without an agent.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::inventory::{Catalog, CatalogRule, MachineId, Software, Source};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::SiteId;
use seatkeeper_protocol::wire::Query;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::session::AdminSigner;
use super::{asked, bad, public_key, read_long, send_all};
use crate::node::Node;
use crate::plan::long;
use crate::plan::machines::Imported;

type Done = Result<Json<api::CommandResult>, Problem>;

/// Says which programs are which product and version: all entries anew.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/inventory/catalog", request_body = api::SetCatalog,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set_catalog(admin: AdminSigner, body: Body) -> Done {
    let api::SetCatalog { entries } = read_long(body).await?;
    let rule = |(row, entry): (usize, &api::CatalogEntry)| {
        CatalogRule::from_json(entry).ok_or_else(|| {
            Problem::bad_request(format!(
                "entry {} of the catalog is not understood: it has a pattern, and a product with one way to its version, \
                 or neither",
                row + 1
            ))
        })
    };
    let rules = entries.iter().enumerate().map(rule).collect::<Result<_, _>>()?;
    send_all(&admin, long::catalog(rules)?).await.map(Json)
}

/// Takes what is installed on machines without an agent, or at another site, from the text of a file.
///
/// What is long is done in parts.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/inventory/machines", request_body = api::ImportMachines,
    responses((status = 200, body = api::MachinesImported), Administers)
))]
pub(in super::super) async fn import(
    admin: AdminSigner,
    State(node): State<Node>,
    body: Body,
) -> Result<Json<api::MachinesImported>, Problem> {
    let api::ImportMachines { text, trust } = read_long(body).await?;
    let trust = trust.as_deref().map(public_key).transpose()?;
    let imported = Imported::read(&text)?;
    let catalog = Catalog::from_json(&asked(&node, Query::Catalog).await?);
    let there = all(&node).await?;
    let import = imported.plan(&catalog, &there, trust)?;
    let mut known: BTreeMap<String, BTreeSet<Software>> = BTreeMap::new();
    for id in import.known(&there) {
        let detail: Option<api::MachineDetail> = asked(&node, Query::Machine(id.clone())).await?;
        let programs = detail.map(|detail| detail.programs).unwrap_or_default();
        known.insert(id, programs.iter().filter_map(Software::from_json).collect());
    }
    let (machines, site) = (import.count(), import.site.as_ref().map(ToString::to_string));
    let left_out = import.left_out.iter().map(ToString::to_string).collect();
    let result = send_all(&admin, import.commands(known)?).await?;
    Ok(Json(api::MachinesImported {
        format: api::FORMAT,
        done: true,
        durability_single: result.durability_single,
        machines,
        left_out,
        site,
    }))
}

/// All machines, page after page.
async fn all(node: &Node) -> Result<api::Inventory, Problem> {
    let mut all: api::Inventory = asked(node, Query::Inventory(None)).await?;
    while let Some(after) = all.next.take() {
        let mut page: api::Inventory = asked(node, Query::Inventory(Some(after))).await?;
        all.machines.append(&mut page.machines);
        all.next = page.next;
    }
    Ok(all)
}

/// Forgets a machine that came from a file or from another site.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/inventory/machines/{id}",
    params(("id" = String, Path, description = "Its id, as the inventory lists it.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn forget(admin: AdminSigner, Path(id): Path<String>) -> Done {
    match id.parse().map_err(bad)? {
        MachineId::Other(source, name) => {
            admin.send(&Command::RemoveMachines { source, machines: Some(vec![name]) }).await.map(Json)
        }
        MachineId::Device(_) => Err(Problem::bad_request(
            "that machine tells by its agent what is installed on it; it goes with the device",
        )),
    }
}

/// Forgets another site with all its machines.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/inventory/sites/{id}", params(("id" = String, Path, description = "The other site's id.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn forget_site(admin: AdminSigner, Path(id): Path<String>) -> Done {
    let source = Source::Site(id.parse::<SiteId>().map_err(bad)?);
    admin.send(&Command::RemoveMachines { source, machines: None }).await.map(Json)
}
