//! The resources of the local API.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Extension, Json, Router};
use data_encoding::BASE64;
use seatkeeper_ledger::command::{Command, Outcome, Refusal};
use seatkeeper_protocol::id::{IdError, Name, RequestId};
use seatkeeper_protocol::wire::{AdminRequest, Query};
use seatkeeper_protocol::{api, limits};
use serde::de::DeserializeOwned;

use super::problem::{Problem, refusal_code};
use super::session::AdminSigner;
use super::{assets, audit, borrows, compliance, doctor, events, idle, metrics, seats, session};
use crate::node::{Node, NodeError};
use crate::platform::local::Caller;

pub(super) fn router(node: Node) -> Router {
    Router::new()
        .route("/", get(assets::index))
        .route("/assets/{*path}", get(assets::asset))
        .route("/v1/status", get(status))
        .route("/v1/site", get(site).post(create_site))
        .route("/v1/site/join", post(join_site))
        .route("/v1/site/leave", post(leave_site))
        .route("/v1/seats", look(Query::Seats).post(seats::take))
        .route("/v1/seats/{session}", delete(seats::give_back))
        .route("/v1/seats/{session}/proof", post(seats::prove))
        .route("/v1/seats/{session}/activity", post(idle::activity))
        .route("/v1/seats/{session}/ask", post(idle::ask))
        .route("/v1/borrows", get(borrows::list).post(borrows::borrow).delete(borrows::give_back))
        .route("/v1/devices", look(Query::Devices))
        .route("/v1/licenses", look(Query::Licenses))
        .route("/v1/admins", look(Query::Admins))
        .route("/v1/vendors", look(Query::Vendors))
        .route("/v1/usage", look(Query::Usage))
        .route("/v1/audit", get(audit::page))
        .route("/v1/audit/heads", get(audit::heads))
        .route("/v1/limits", look(Query::Limits))
        .route("/v1/org", look(Query::Organisation))
        .route("/v1/purchases", look(Query::Purchases))
        .route("/v1/compliance", get(compliance::compliance))
        .route("/v1/compliance/what-if", post(compliance::what_if))
        .route("/v1/compliance/history", look(Query::Calculations))
        .route("/v1/inventory", get(compliance::inventory))
        .route("/v1/inventory/machines/{id}", get(compliance::machine))
        .route("/v1/inventory/unknown", look(Query::UnknownPrograms))
        .route("/v1/inventory/catalog", look(Query::Catalog))
        .route("/v1/session", get(session::show).post(session::begin).delete(session::end))
        .route("/v1/session/codes", post(session::open_code))
        .route("/v1/session/admin", put(session::sign_in).delete(session::sign_out))
        .route("/v1/seats/{session}/release", post(release))
        .route("/v1/doctor", get(doctor::doctor))
        .route("/v1/debug/state", get(doctor::state))
        .route("/v1/debug/log", get(doctor::log))
        .route("/v1/pool-key", look(Query::PoolKey))
        .route("/v1/events", get(events::events))
        .route("/v1/commands", post(command))
        .route("/metrics", get(metrics::metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(node)
}

async fn status(State(node): State<Node>) -> Json<api::Status> {
    Json(node.status().await)
}

async fn site(State(node): State<Node>) -> Result<Json<api::SiteDetail>, Problem> {
    node.site().map(Json).ok_or_else(|| NodeError::NoSite.into())
}

/// The resource that answers a query of the ledger.
fn look(query: Query) -> MethodRouter<Node> {
    get(move |State(node): State<Node>| async move {
        node.query(query).await.map(json_bytes).map_err(Problem::from)
    })
}

pub(super) fn json_bytes(json: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

async fn command(State(node): State<Node>, body: Body) -> Result<Json<api::CommandResult>, Problem> {
    let signed: api::SignedCommand = read_json(body).await?;
    let answer = node.admin(admin_request(&signed)?).await?;
    let refusal = match &answer.outcome {
        Outcome::Refused(refusal) => Some(refusal),
        Outcome::Done | Outcome::Granted(_) | Outcome::Waiting(_) | Outcome::Borrowed(_) => None,
    };
    Ok(Json(api::CommandResult {
        format: api::FORMAT,
        done: refusal.is_none(),
        refusal: refusal.map(ToString::to_string),
        code: refusal.map(|refusal| refusal_code(refusal).to_owned()),
        epoch: match refusal {
            Some(Refusal::Stale { epoch }) => Some(*epoch),
            _ => None,
        },
        durability_single: answer.durability_single,
    }))
}

fn admin_request(signed: &api::SignedCommand) -> Result<AdminRequest, Problem> {
    let bytes = |text: &str, what| {
        BASE64.decode(text.as_bytes()).map_err(|_| Problem::bad_request(format!("{what} is not base64")))
    };
    Ok(AdminRequest {
        admin: Name::new(signed.admin.as_str()).map_err(|error| Problem::bad_request(error.to_string()))?,
        request: RequestId { epoch: signed.epoch, counter: signed.counter },
        command: bytes(&signed.command, "`command`")?,
        signature: bytes(&signed.signature, "`signature`")?,
    })
}

async fn create_site(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::SiteCreated>, Problem> {
    must_manage(&caller)?;
    Ok(Json(node.create_site(read_json(body).await?).await?))
}

async fn join_site(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::Joined>, Problem> {
    must_manage(&caller)?;
    Ok(Json(node.join(read_json(body).await?).await?))
}

async fn leave_site(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    must_manage(&caller)?;
    node.leave_site().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An admin takes a seat away from whoever uses it.
async fn release(admin: AdminSigner, Path(seat): Path<String>) -> Result<Json<api::CommandResult>, Problem> {
    let seat = seat.parse().map_err(|error: IdError| Problem::bad_request(error.to_string()))?;
    admin.send(&Command::ReleaseSeat { seat }).await.map(Json)
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

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no {} in this API", uri.path()))
}

async fn method_not_allowed(uri: Uri) -> Problem {
    let detail = format!("{} does not take this method", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// Reads a body as JSON whatever its `Content-Type` says: `curl -d` calls everything a form.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    parse(&read(body).await?)
}

/// The same; nothing at all is the default.
pub(super) async fn read_json_or_default<T: DeserializeOwned + Default>(body: Body) -> Result<T, Problem> {
    let bytes = read(body).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limits::API_BODY_BYTES_MAX).await.map_err(|_| {
        let detail = format!("a body has at most {} bytes", limits::API_BODY_BYTES_MAX);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad_request(format!("the body is not what is expected: {error}")))
}

/// Whether the client prefers one page of JSON to a stream.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"))
}
