//! What was bought, and for whom.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::org::{NodeId, Purchase, PurchaseId};
use seatkeeper_protocol::api;
use seatkeeper_protocol::wire::Query;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::read_json;
use super::super::session::AdminSigner;
use super::{asked, bad};
use crate::node::Node;

type Done = Result<Json<api::CommandResult>, Problem>;

/// Registers a purchase, or gives one other terms.
///
/// It adds coverage, never seats: those are the licenses'. What is allocated by hand stays.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/purchases/{id}", params(("id" = String, Path, description = "The purchase's id.")),
    request_body = api::SetPurchase, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set(
    admin: AdminSigner,
    State(node): State<Node>,
    Path(id): Path<String>,
    body: Body,
) -> Done {
    let id = PurchaseId::new(id).map_err(bad)?;
    let of: api::SetPurchase = read_json(body).await?;
    let owner = of.owner.map(NodeId::new).transpose().map_err(bad)?;
    let known: api::Purchases = asked(&node, Query::Purchases).await?;
    let known = known.purchases.into_iter().find(|known| known.id == id.as_str());
    let terms = api::Purchase {
        id: id.to_string(),
        license: false,
        registered: true,
        product: of.product,
        version: of.version,
        quantity: of.quantity,
        owner: owner.map(|owner| owner.to_string()).unwrap_or_default(),
        automatic: of.automatic.unwrap_or(true),
        downgrade: of.downgrade,
        downgrade_any: of.downgrade_any,
        manual: known.map(|known| known.manual).unwrap_or_default(),
        valid_from: of.valid_from,
        valid_until: of.valid_until,
        purchased: of.purchased,
        unit_cost: of.unit_cost,
    };
    let terms = Purchase::from_json(&terms).map_err(|error| Problem::bad_request(error.to_string()))?;
    admin.send(&Command::SetPurchases { purchases: vec![(id, terms)] }).await.map(Json)
}

/// Removes a purchase; a license is what its file says again.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/purchases/{id}", params(("id" = String, Path, description = "The purchase's id.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn remove(admin: AdminSigner, Path(id): Path<String>) -> Done {
    let purchase = PurchaseId::new(id).map_err(bad)?;
    admin.send(&Command::RemovePurchase { purchase }).await.map(Json)
}

/// Allocates a purchase by hand; without any allocation all of it is left to automatic allocation.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/purchases/{id}/allocations", params(("id" = String, Path, description = "The purchase's id.")),
    request_body = api::SetAllocations, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn allocate(admin: AdminSigner, Path(id): Path<String>, body: Body) -> Done {
    let purchase = PurchaseId::new(id).map_err(bad)?;
    let api::SetAllocations { allocations } = read_json(body).await?;
    let manual = allocations.into_iter().map(|(node, quantity)| Ok((NodeId::new(node)?, quantity)));
    let manual = manual.collect::<Result<BTreeMap<_, _>, _>>().map_err(bad)?;
    admin.send(&Command::Allocate { purchase, manual }).await.map(Json)
}
