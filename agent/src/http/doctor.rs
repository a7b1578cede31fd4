//! `GET /v1/doctor`, and what is packed for whoever looks into a fault.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use seatkeeper_protocol::api;

use super::problem::Problem;
use super::recent;
use super::session::Access;
use crate::node::Node;
use crate::platform::local::Caller;

/// Looks for faults of this machine and its site, which takes seconds.
#[cfg_attr(test, utoipa::path(get, path = "/v1/doctor", responses((status = 200, body = api::Doctor))))]
pub(super) async fn doctor(State(node): State<Node>) -> Json<api::Doctor> {
    Json(node.doctor().await)
}

/// What this device knows, without secrets, for whoever looks into a fault. On the socket only.
#[cfg_attr(test, utoipa::path(get, path = "/v1/debug/state", responses((status = 200, body = api::DebugState))))]
pub(super) async fn state(
    State(node): State<Node>,
    Extension(access): Extension<Access>,
    caller: Option<Extension<Caller>>,
) -> Result<Json<api::DebugState>, Problem> {
    must_manage_here(&access, caller)?;
    Ok(Json(node.debug_state().await))
}

/// The newest lines of this agent's log. On the socket only.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/debug/log", responses((status = 200, body = String, content_type = "text/plain"))
))]
pub(super) async fn log(
    Extension(access): Extension<Access>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Problem> {
    must_manage_here(&access, caller)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], recent::text()).into_response())
}

/// The log names everybody who works here: it is for who manages the device, on its own socket.
fn must_manage_here(access: &Access, caller: Option<Extension<Caller>>) -> Result<(), Problem> {
    match caller {
        _ if access.cookie.is_some() => Err(Problem::not_permitted(
            "this is given on the agent's socket only; run `seatkeeper debug bundle`",
        )),
        Some(Extension(caller)) if caller.manages_device => Ok(()),
        _ => Err(Problem::not_permitted(
            "the agent's log and state are for who manages this machine; ask as its administrator, or join the group `seatkeeper`",
        )),
    }
}
