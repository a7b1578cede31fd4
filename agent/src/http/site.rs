//! `/v1/site`: founding, joining and leaving one on this device.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, SiteId};
use zeroize::Zeroizing;

use super::admin::people::{check_password, seal};
#[cfg(test)]
use super::describe::Manages;
use super::problem::Problem;
use super::routes::read_json;
use crate::keys;
use crate::node::Node;
use crate::platform::local::Caller;

/// Creates a site on this device.
///
/// With a password the agent makes the first admin's key; the answer is the only place where key file and recovery code
/// are.
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
    let mut wanted: api::CreateSite = read_json(body).await?;
    let Some(password) = wanted.password.take().map(Zeroizing::new) else {
        return Ok(Json(node.create_site(wanted).await?));
    };
    if wanted.admin_key.is_some() {
        return Err(Problem::bad_request("name either `admin_key` or `password`"));
    }
    check_password(&password)?;
    let admin = Name::new(wanted.admin.as_str()).map_err(|error| Problem::bad_request(error.to_string()))?;
    let key = keys::generate().map_err(|error| Problem::internal(error.to_string()))?;
    wanted.admin_key = Some(keys::public(&key).to_string());
    let mut created = node.create_site(wanted).await?;
    let site: SiteId = created.site.id.parse().map_err(Problem::unreadable)?;
    created.key_file = Some(seal(&admin, &site, &key, password).await?);
    Ok(Json(created))
}

/// Sites whose machines announce themselves in this network.
///
/// What they say is not proven: joining one proves it, or an admin compares fingerprints.
#[cfg_attr(test, utoipa::path(get, path = "/v1/sites", responses((status = 200, body = api::Sites))))]
pub(super) async fn nearby(State(node): State<Node>) -> Json<api::Sites> {
    Json(node.nearby_sites())
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

pub(super) fn must_manage(caller: &Caller) -> Result<(), Problem> {
    if caller.manages_device {
        return Ok(());
    }
    Err(Problem::not_permitted(format!(
        "{} may not create, join or leave a site on this machine; do it as its administrator, or join the group `seatkeeper`",
        caller.user
    )))
}
