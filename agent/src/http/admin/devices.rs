//! Invitations, devices, seats that are taken away, and the key that signs tickets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::command::{Command, DeviceSettings, Form, InviteKey};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, InviteId, Name};
use seatkeeper_protocol::wire::Query;
use zeroize::Zeroizing;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::{read_json, read_json_or_default};
use super::super::session::AdminSigner;
use super::{asked, bad, site_of};
use crate::keys;
use crate::keys::invite::InviteCode;
use crate::node::Node;
use crate::plan::devices::{Root, admit as admission};
use crate::platform::clock::SystemClock;

type Done = Result<Json<api::CommandResult>, Problem>;

const LASTS_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
const LASTS_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Takes a seat away from whoever uses it.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/seats/{session}/release",
    params(("session" = String, Path, description = "The seat, as listed.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn release(admin: AdminSigner, Path(seat): Path<String>) -> Done {
    let seat = seat.parse().map_err(bad)?;
    admin.send(&Command::ReleaseSeat { seat }).await.map(Json)
}

/// Invites machines: makes a code with which they join.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/invites", request_body = Option<api::Invite>,
    responses((status = 200, body = api::Invited), Administers)
))]
pub(in super::super) async fn invite(
    admin: AdminSigner,
    State(node): State<Node>,
    body: Body,
) -> Result<Json<api::Invited>, Problem> {
    let api::Invite { lasts_s, uses, address } = read_json_or_default(body).await?;
    let lasts = lasts_s.map_or(LASTS_DEFAULT, Duration::from_secs);
    if lasts.is_zero() || lasts > LASTS_MAX {
        return Err(Problem::bad_request("an invitation lasts a second to 366 days"));
    }
    let address = address.as_deref().map(str::parse::<SocketAddr>).transpose();
    let address = address.map_err(|_| Problem::bad_request("`address` is not one such as 10.0.0.5:7410"))?;
    let uses = uses.unwrap_or(1);
    let random = |error: keys::KeyError| Problem::internal(error.to_string());
    let invite = InviteId(keys::random().map_err(random)?);
    let key = Zeroizing::new(keys::random().map_err(random)?);
    let ends = SystemClock.wall().plus_ms(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
    let site = site_of(&node)?.id;
    admin.send(&Command::CreateInvite { invite, key: InviteKey(*key), ends, uses }).await?;
    let code = InviteCode { site, address, invite, key: *key }.to_text().to_string();
    Ok(Json(api::Invited { format: api::FORMAT, code, ends: ends.rfc3339(), uses }))
}

/// Admits a device that waits, after its fingerprint, which is its id, was compared.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/devices/{id}/admit", params(("id" = String, Path, description = "The device's id.")),
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn admit(
    admin: AdminSigner,
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Done {
    let id = id.parse::<DeviceId>().map_err(bad)?.to_string();
    let devices: api::Devices = asked(&node, Query::Devices).await?;
    let device = devices.waiting.iter().find(|device| device.id == id).ok_or_else(|| {
        Problem::not_found(format!("no device {id} waits to be admitted; ask there to join the site"))
    })?;
    admin.send(&admission(device)?).await.map(Json)
}

/// Shuts a device out for good.
///
/// Its seats come back at the end of their leases. With the recovery code, the key that signs tickets is replaced, too,
/// if the device knew it. Again for a revoked device: only that.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/devices/{id}/revoke", params(("id" = String, Path, description = "The device's id.")),
    request_body = Option<api::RevokeDevice>,
    responses((status = 200, body = api::DeviceRevoked), Administers)
))]
pub(in super::super) async fn revoke(
    admin: AdminSigner,
    State(node): State<Node>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<api::DeviceRevoked>, Problem> {
    let device: DeviceId = id.parse().map_err(bad)?;
    let api::RevokeDevice { recovery_code } = read_json_or_default(body).await?;
    let code = recovery_code.map(Zeroizing::new);
    // A wrong code is found before anything is done.
    let root = match &code {
        Some(code) => Some(root(&node, code).await?),
        None => None,
    };
    let devices: api::Devices = asked(&node, Query::Devices).await?;
    let id = device.to_string();
    let is_revoked = devices.devices.iter().any(|known| known.id == id && known.role == "revoked");
    let mut durability_single = false;
    if !is_revoked {
        durability_single = admin.send(&Command::RevokeDevice { device }).await?.durability_single;
    }
    let mut info: api::PoolKeyInfo = asked(&node, Query::PoolKey).await?;
    if let Some(root) = root.filter(|_| info.exposed) {
        durability_single = admin.send(&root.rotation(&site_of(&node)?, &info)?).await?.durability_single;
        info.exposed = false;
    }
    Ok(Json(api::DeviceRevoked {
        format: api::FORMAT,
        done: true,
        durability_single,
        pool_key_exposed: info.exposed,
    }))
}

/// Says that a device is lost, or found again.
///
/// A lost one gets no seats, and what it borrowed comes back as the licenses say.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/devices/{id}/lost", params(("id" = String, Path, description = "The device's id.")),
    request_body = api::LoseDevice, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn lose(admin: AdminSigner, Path(id): Path<String>, body: Body) -> Done {
    let device = id.parse().map_err(bad)?;
    let api::LoseDevice { lost } = read_json(body).await?;
    admin.send(&Command::LoseDevice { device, lost }).await.map(Json)
}

/// Sets what an admin knows better of a device; what is not named stays.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/devices/{id}", params(("id" = String, Path, description = "The device's id.")),
    request_body = api::SetDevice, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set(admin: AdminSigner, Path(id): Path<String>, body: Body) -> Done {
    let device = id.parse().map_err(bad)?;
    let api::SetDevice { name, always_on, form } = read_json(body).await?;
    let settings = DeviceSettings {
        name: name.map(Name::new).transpose().map_err(bad)?,
        always_on,
        form: form.map(|form| match form {
            api::DeviceForm::Desktop => Form::Desktop,
            api::DeviceForm::Laptop => Form::Laptop,
        }),
    };
    admin.send(&Command::SetDevice { device, settings }).await.map(Json)
}

/// Replaces the key that signs tickets.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/pool-key/rotate", request_body = api::RotatePoolKey,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn rotate(admin: AdminSigner, State(node): State<Node>, body: Body) -> Done {
    let api::RotatePoolKey { recovery_code } = read_json(body).await?;
    let root = root(&node, &Zeroizing::new(recovery_code)).await?;
    let info: api::PoolKeyInfo = asked(&node, Query::PoolKey).await?;
    admin.send(&root.rotation(&site_of(&node)?, &info)?).await.map(Json)
}

async fn root(node: &Node, code: &str) -> Result<Root, Problem> {
    let info: api::PoolKeyInfo = asked(node, Query::PoolKey).await?;
    Ok(Root::open(&site_of(node)?, &info, code)?)
}
