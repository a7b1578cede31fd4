//! Licenses, and whose are taken.

use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, ProductId};
use seatkeeper_protocol::license::SignedLicense;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::read_json;
use super::super::session::AdminSigner;
use super::{bad, public_key};

/// Adds a license.
///
/// The same file twice is one.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/licenses", request_body = api::AddLicense,
    responses((status = 200, body = api::LicenseAdded), Administers)
))]
pub(in super::super) async fn add(
    admin: AdminSigner,
    body: Body,
) -> Result<Json<api::LicenseAdded>, Problem> {
    let api::AddLicense { text } = read_json(body).await?;
    let file = SignedLicense::parse(&text).map_err(|error| Problem::bad_request(error.to_string()))?;
    let result = admin.send(&Command::AddLicense { text: file.file() }).await?;
    let license = file.license();
    Ok(Json(api::LicenseAdded {
        format: api::FORMAT,
        done: true,
        durability_single: result.durability_single,
        license: license.id.to_string(),
        product: license.product.to_string(),
        version: license.version.to_string(),
        seats: license.seats,
    }))
}

/// Removes a license; running seats stay until they are given back.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/licenses/{id}", params(("id" = String, Path, description = "The license's id.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn remove(
    admin: AdminSigner,
    Path(id): Path<String>,
) -> Result<Json<api::CommandResult>, Problem> {
    let license = Name::new(id).map_err(bad)?;
    admin.send(&Command::RemoveLicense { license }).await.map(Json)
}

/// Trusts a vendor's key for products that begin with one of the prefixes.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/vendors/{key}", params(("key" = String, Path, description = "The vendor's public key, base32.")),
    request_body = api::TrustVendor, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn trust(
    admin: AdminSigner,
    Path(key): Path<String>,
    body: Body,
) -> Result<Json<api::CommandResult>, Problem> {
    let key = public_key(&key)?;
    let api::TrustVendor { name, prefixes } = read_json(body).await?;
    let name = Name::new(name).map_err(bad)?;
    let prefixes = prefixes.into_iter().map(ProductId::new).collect::<Result<_, _>>().map_err(bad)?;
    admin.send(&Command::TrustVendor { name, key, prefixes }).await.map(Json)
}
