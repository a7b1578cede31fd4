//! Going on from this machine's books alone, or from a backup of them.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Json;
use data_encoding::BASE64;
use seatkeeper_protocol::api;
use seatkeeper_protocol::limits::BACKUP_BYTES_MAX;
use zeroize::Zeroizing;

#[cfg(test)]
use super::describe::Manages;
use super::problem::Problem;
use super::routes::{read_json, read_json_up_to};
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

/// The books of the site in a file, which only the recovery code opens.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/site/export", responses((status = 200, body = api::SiteExport), Manages)
))]
pub(super) async fn export(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<api::SiteExport>, Problem> {
    must_manage(&caller)?;
    let file = BASE64.encode(&node.export_site()?);
    Ok(Json(api::SiteExport { format: api::FORMAT, file }))
}

/// Goes on in a new generation of the site, from the books in a backup.
///
/// Only when all machines that kept newer ones are gone for good.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/site/import", request_body = api::ImportSite,
    responses((status = 200, body = api::Site), Manages)
))]
pub(super) async fn import(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::Site>, Problem> {
    must_manage(&caller)?;
    // Base64 is longer by a third.
    let api::ImportSite { file, recovery_code } = read_json_up_to(body, 2 * BACKUP_BYTES_MAX).await?;
    let code = Zeroizing::new(recovery_code);
    let file = BASE64
        .decode(file.as_bytes())
        .map_err(|error| Problem::bad_request(format!("`file` is not base64: {error}")))?;
    Ok(Json(node.import_site(&file, &code).await?))
}
