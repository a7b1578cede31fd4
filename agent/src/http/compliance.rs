//! `/v1/compliance` and `/v1/inventory`.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::wire::Query;
use serde::Deserialize;

use super::problem::Problem;
use super::routes::{json_bytes, read_json};
use crate::node::Node;

type Given<T> = Result<UrlQuery<T>, QueryRejection>;

fn given<T>(query: Given<T>) -> Result<T, Problem> {
    query.map(|UrlQuery(given)| given).map_err(|error| Problem::bad_request(error.body_text()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    product: Option<String>,
}

pub(super) async fn compliance(State(node): State<Node>, query: Given<Of>) -> Result<Response, Problem> {
    let product = given(query)?.product.map(ProductId::new).transpose();
    let product = product.map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(json_bytes(node.query(Query::Compliance(product)).await?))
}

pub(super) async fn what_if(State(node): State<Node>, body: Body) -> Result<Response, Problem> {
    // What is wrong with it is told here, not at the holder.
    let changes: api::ComplianceChanges = read_json(body).await?;
    let changes = serde_json::to_vec(&changes).map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(json_bytes(node.query(Query::WhatIf(changes)).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<String>,
}

pub(super) async fn inventory(State(node): State<Node>, query: Given<After>) -> Result<Response, Problem> {
    Ok(json_bytes(node.query(Query::Inventory(given(query)?.after)).await?))
}

pub(super) async fn machine(State(node): State<Node>, Path(id): Path<String>) -> Result<Response, Problem> {
    let detail = node.query(Query::Machine(id.clone())).await?;
    if detail == b"null" {
        return Err(Problem::not_found(format!(
            "nothing is known of what is installed on `{id}`; look for it in the inventory"
        )));
    }
    Ok(json_bytes(detail))
}
