//! What may be looked at: resources that the holder answers from the books.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::wire::Query;

#[cfg(test)]
use super::describe::Asks;
use super::page::{Given, Page, listing};
use super::problem::Problem;
use super::routes::json_bytes;
use crate::node::{Node, NodeError};

/// How the site and this device are.
///
/// Answers also without a site, and without a holder: then with what this device knows by itself.
#[cfg_attr(test, utoipa::path(get, path = "/v1/status", responses((status = 200, body = api::Status))))]
pub(super) async fn status(State(node): State<Node>) -> Json<api::Status> {
    Json(node.status().await)
}

/// The site's identity: what a command is signed for.
#[cfg_attr(test, utoipa::path(get, path = "/v1/site", responses((status = 200, body = api::SiteDetail), Asks)))]
pub(super) async fn site(State(node): State<Node>) -> Result<Json<api::SiteDetail>, Problem> {
    node.site().map(Json).ok_or_else(|| NodeError::NoSite.into())
}

/// The seats in use, and who waits for one.
///
/// Of a page, only the first has those who wait.
#[cfg_attr(test, utoipa::path(get, path = "/v1/seats", params(Page), responses((status = 200, body = api::Seats), Asks)))]
pub(super) async fn seats(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    listing::<api::Seats>(&node, Query::Seats, page).await
}

/// Enrolled devices, and those that ask to be admitted.
///
/// Of pages, only the first has those that ask.
#[cfg_attr(test, utoipa::path(get, path = "/v1/devices", params(Page), responses((status = 200, body = api::Devices), Asks)))]
pub(super) async fn devices(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    listing::<api::Devices>(&node, Query::Devices, page).await
}

/// The site's licenses.
#[cfg_attr(test, utoipa::path(get, path = "/v1/licenses", params(Page), responses((status = 200, body = api::Licenses), Asks)))]
pub(super) async fn licenses(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    listing::<api::Licenses>(&node, Query::Licenses, page).await
}

/// The organisation: its nodes, and which devices belong to them.
///
/// Of pages, only the first has the rules that place devices.
#[cfg_attr(test, utoipa::path(get, path = "/v1/org", params(Page), responses((status = 200, body = api::Organisation), Asks)))]
pub(super) async fn organisation(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    listing::<api::Organisation>(&node, Query::Organisation, page).await
}

/// What is registered as bought.
///
/// Of pages, only the first has the licenses that cover nothing yet.
#[cfg_attr(test, utoipa::path(get, path = "/v1/purchases", params(Page), responses((status = 200, body = api::Purchases), Asks)))]
pub(super) async fn purchases(State(node): State<Node>, page: Given<Page>) -> Result<Response, Problem> {
    listing::<api::Purchases>(&node, Query::Purchases, page).await
}

/// Who may administer the site.
#[cfg_attr(test, utoipa::path(get, path = "/v1/admins", responses((status = 200, body = api::Admins), Asks)))]
pub(super) async fn admins(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Admins).await
}

/// The vendors whose licenses are taken.
#[cfg_attr(test, utoipa::path(get, path = "/v1/vendors", responses((status = 200, body = api::Vendors), Asks)))]
pub(super) async fn vendors(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Vendors).await
}

/// How much was used and refused, by product, hour and day.
#[cfg_attr(test, utoipa::path(get, path = "/v1/usage", responses((status = 200, body = api::Usage), Asks)))]
pub(super) async fn usage(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Usage).await
}

/// Who may use how many seats, and who goes first in queues.
#[cfg_attr(test, utoipa::path(get, path = "/v1/limits", responses((status = 200, body = api::Limits), Asks)))]
pub(super) async fn limits(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Limits).await
}

/// The calculations of compliance that came to something new.
#[cfg_attr(test, utoipa::path(get, path = "/v1/compliance/history", responses((status = 200, body = api::Calculations), Asks)))]
pub(super) async fn calculations(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Calculations).await
}

/// Programs of which the catalog says nothing.
#[cfg_attr(test, utoipa::path(get, path = "/v1/inventory/unknown", responses((status = 200, body = api::UnknownPrograms), Asks)))]
pub(super) async fn unknown_programs(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::UnknownPrograms).await
}

/// Which programs are which product and version.
#[cfg_attr(test, utoipa::path(get, path = "/v1/inventory/catalog", responses((status = 200, body = api::Catalog), Asks)))]
pub(super) async fn catalog(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::Catalog).await
}

/// What an admin needs to rotate the key that signs tickets.
#[cfg_attr(test, utoipa::path(get, path = "/v1/pool-key", responses((status = 200, body = api::PoolKeyInfo), Asks)))]
pub(super) async fn pool_key(State(node): State<Node>) -> Result<Response, Problem> {
    look(&node, Query::PoolKey).await
}

async fn look(node: &Node, query: Query) -> Result<Response, Problem> {
    Ok(json_bytes(node.query(query).await?))
}
