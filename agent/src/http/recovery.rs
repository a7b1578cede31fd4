//! Going on from this machine's books alone.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Json;
use seatkeeper_protocol::api;
use zeroize::Zeroizing;

#[cfg(test)]
use super::describe::Manages;
use super::problem::Problem;
use super::routes::read_json;
use super::site::must_manage;
use crate::node::Node;
use crate::platform::local::Caller;

/// What a recovery of the site from this machine would mean, and what stands against it.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/site/recovery", responses((status = 200, body = api::RecoveryPlan), Manages)
))]
pub(super) async fn plan(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<api::RecoveryPlan>, Problem> {
    must_manage(&caller)?;
    Ok(Json(node.recovery_plan().await?))
}

/// Goes on in a new generation of the site, from this machine's books.
///
/// Only when the majority of the voting machines is gone for good. Those that are left join the new generation by
/// themselves.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/site/recovery", request_body = api::RecoverSite,
    responses((status = 200, body = api::Site), Manages)
))]
pub(super) async fn recover(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::Site>, Problem> {
    must_manage(&caller)?;
    let api::RecoverSite { recovery_code } = read_json(body).await?;
    Ok(Json(node.recover_site(&Zeroizing::new(recovery_code)).await?))
}
