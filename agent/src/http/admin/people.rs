//! Admins.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use ed25519_dalek::SigningKey;
use seatkeeper_ledger::command::{AdminRole, Command};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, SiteId};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::read_json;
use super::super::session::AdminSigner;
use super::{bad, public_key, site_of};
use crate::keys::admin::{PASSWORD_CHARS_MIN, seal_admin};
use crate::keys::{self, KeyError};
use crate::node::Node;

/// Keys that are sealed at once: each takes 64 MiB and a core.
static SEALING: Semaphore = Semaphore::const_new(1);

/// Adds an admin, or gives one another role or key.
///
/// With a password the agent makes the key, and the answer is the only place where it is.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/admins/{name}", params(("name" = String, Path, description = "The admin's name.")),
    request_body = api::SetAdmin, responses((status = 200, body = api::AdminSet), Administers)
))]
pub(in super::super) async fn set(
    admin: AdminSigner,
    State(node): State<Node>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<api::AdminSet>, Problem> {
    let name = Name::new(name).map_err(bad)?;
    let api::SetAdmin { role, key, password } = read_json(body).await?;
    let (key, key_file) = match (key, password.map(Zeroizing::new)) {
        (Some(key), None) => (public_key(&key)?, None),
        (None, Some(password)) => {
            let (key, file) = new_key(&name, &site_of(&node)?.id, password).await?;
            (keys::public(&key), Some(file))
        }
        _ => return Err(Problem::bad_request("name either `key` or `password`")),
    };
    let role = match role {
        api::AdminRole::Admin => AdminRole::Admin,
        api::AdminRole::Reader => AdminRole::Reader,
    };
    let result = admin.send(&Command::AddAdmin { name, key, role }).await?;
    Ok(Json(api::AdminSet {
        format: api::FORMAT,
        done: true,
        durability_single: result.durability_single,
        key_file,
    }))
}

/// Removes an admin; the last one who may do everything stays.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/admins/{name}", params(("name" = String, Path, description = "The admin's name.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn remove(
    admin: AdminSigner,
    Path(name): Path<String>,
) -> Result<Json<api::CommandResult>, Problem> {
    let name = Name::new(name).map_err(bad)?;
    admin.send(&Command::RemoveAdmin { name }).await.map(Json)
}

/// Refuses passwords that are too short.
pub(in super::super) fn check_password(password: &str) -> Result<(), Problem> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(Problem::bad_request(format!(
            "a password has at least {PASSWORD_CHARS_MIN} characters; nothing was done"
        )));
    }
    Ok(())
}

/// Seals an admin's key by a password.
pub(in super::super) async fn seal(
    name: &Name,
    site: &SiteId,
    key: &SigningKey,
    password: Zeroizing<String>,
) -> Result<String, Problem> {
    let _sealing = SEALING.acquire().await.map_err(|error| Problem::internal(error.to_string()))?;
    let (name, site, key) = (name.clone(), *site, key.clone());
    let sealed = tokio::task::spawn_blocking(move || seal_admin(&name, &site, &key, &password)).await;
    let sealed = sealed.map_err(|_| Problem::internal("the key could not be sealed"))?;
    sealed.map_err(|error: KeyError| Problem::internal(error.to_string()))
}

/// A new key, and its file.
async fn new_key(
    name: &Name,
    site: &SiteId,
    password: Zeroizing<String>,
) -> Result<(SigningKey, String), Problem> {
    check_password(&password)?;
    let key = keys::generate().map_err(|error| Problem::internal(error.to_string()))?;
    let file = seal(name, site, &key, password).await?;
    Ok((key, file))
}
