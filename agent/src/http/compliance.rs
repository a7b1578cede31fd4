//! `/v1/compliance` and `/v1/inventory`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::wire::Query;
use serde::Deserialize;

#[cfg(test)]
use super::describe::{Asks, Finds};
use super::page::{Given, Page, given};
use super::problem::Problem;
use super::routes::{json_bytes, read_json};
use crate::node::Node;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(super) struct Of {
    /// One product, in full.
    product: Option<String>,
}

/// What [`compliance`] answers.
#[cfg(test)]
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "its schema is what it is for")]
pub(super) enum ComplianceAnswer {
    /// Every product.
    All(api::Compliance),
    /// One product, where it was asked for.
    Product(Box<api::ProductCompliance>),
}

/// How what is installed compares with what was bought, by product; or one product in full.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/compliance", params(Of), responses((status = 200, body = ComplianceAnswer), Asks)
))]
pub(super) async fn compliance(State(node): State<Node>, query: Given<Of>) -> Result<Response, Problem> {
    let product = given(query)?.product.map(ProductId::new).transpose();
    let product = product.map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(json_bytes(node.query(Query::Compliance(product)).await?))
}

/// What would be different if purchases or nodes were changed. Nothing is.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/compliance/what-if", request_body = api::ComplianceChanges,
    responses((status = 200, body = api::ComplianceDifferences), Asks)
))]
pub(super) async fn what_if(State(node): State<Node>, body: Body) -> Result<Response, Problem> {
    // What is wrong with it is told here, not at the holder.
    let changes: api::ComplianceChanges = read_json(body).await?;
    let changes = serde_json::to_vec(&changes).map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(json_bytes(node.query(Query::WhatIf(changes)).await?))
}

/// Machines that software is installed on, a page of them.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/inventory", params(Page), responses((status = 200, body = api::Inventory), Asks)
))]
pub(super) async fn inventory(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    let page = given(page)?;
    let limit = page.entries()?;
    let json = node.query(Query::Inventory(page.into_after())).await?;
    let mut inventory: api::Inventory = serde_json::from_slice(&json).map_err(Problem::unreadable)?;
    if inventory.machines.len() <= limit {
        return Ok(json_bytes(json));
    }
    inventory.machines.truncate(limit);
    inventory.next = inventory.machines.last().map(|machine| machine.id.clone());
    Ok(json_bytes(serde_json::to_vec(&inventory).map_err(Problem::unreadable)?))
}

/// One machine and its programs.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/inventory/machines/{id}",
    params(("id" = String, Path, description = "Its id, as the inventory lists it.")),
    responses((status = 200, body = api::MachineDetail), Finds)
))]
pub(super) async fn machine(State(node): State<Node>, Path(id): Path<String>) -> Result<Response, Problem> {
    let detail = node.query(Query::Machine(id.clone())).await?;
    if detail == b"null" {
        return Err(Problem::not_found(format!(
            "nothing is known of what is installed on `{id}`; look for it in the inventory"
        )));
    }
    Ok(json_bytes(detail))
}
