//! `/v1/site`: founding, joining and leaving one on this device.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use seatkeeper_protocol::api;

#[cfg(test)]
use super::describe::Manages;
use super::problem::Problem;
use super::routes::read_json;
use crate::node::Node;
use crate::platform::local::Caller;

/// Creates a site on this device.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/site", request_body = api::CreateSite,
    responses((status = 200, body = api::SiteCreated), Manages)
))]
pub(super) async fn create(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::SiteCreated>, Problem> {
    must_manage(&caller)?;
    Ok(Json(node.create_site(read_json(body).await?).await?))
}

/// Joins a site by an invitation's code, or asks to be admitted.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/site/join", request_body = api::Join,
    responses((status = 200, body = api::Joined), Manages)
))]
pub(super) async fn join(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::Joined>, Problem> {
    must_manage(&caller)?;
    Ok(Json(node.join(read_json(body).await?).await?))
}

/// Leaves the site.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/site/leave", responses((status = 204, description = "This device has left."), Manages)
))]
pub(super) async fn leave(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    must_manage(&caller)?;
    node.leave_site().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn must_manage(caller: &Caller) -> Result<(), Problem> {
    if caller.manages_device {
        return Ok(());
    }
    Err(Problem::not_permitted(format!(
        "{} may not create, join or leave a site on this machine; do it as its administrator, or join the group `seatkeeper`",
        caller.user
    )))
}
