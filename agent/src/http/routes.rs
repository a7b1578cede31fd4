//! The resources of the local API.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router};
use data_encoding::BASE64;
use seatkeeper_ledger::command::{Outcome, Refusal};
use seatkeeper_protocol::id::{Name, RequestId};
use seatkeeper_protocol::wire::AdminRequest;
use seatkeeper_protocol::{api, limits};
use serde::de::DeserializeOwned;

#[cfg(test)]
use super::describe::Uses;
use super::idempotency::{Answers, once};
use super::problem::{Problem, refusal_code};
use super::{
    admin, assets, audit, borrows, compliance, doctor, events, idle, look, metrics, recovery, seats, session,
    site,
};
use crate::node::Node;

/// The description of the API, as a test has made it from the code.
const DESCRIPTION: &str = include_str!("../../openapi.json");

/// Routes, and for tests at which paths.
#[derive(Default)]
struct Routes {
    router: Router<Node>,
    answers: Answers,
    #[cfg(all(test, unix))]
    paths: Vec<&'static str>,
}

impl Routes {
    fn route(mut self, path: &'static str, methods: MethodRouter<Node>) -> Self {
        let once = from_fn_with_state(self.answers.clone(), once);
        self.router = self.router.route(path, methods.route_layer(once));
        #[cfg(all(test, unix))]
        self.paths.push(path);
        self
    }
}

fn routes() -> Routes {
    Routes::default()
        .route("/v1/status", get(look::status))
        .route("/v1/site", get(look::site).post(site::create))
        .route("/v1/site/join", post(site::join))
        .route("/v1/site/leave", post(site::leave))
        .route("/v1/site/export", get(recovery::export))
        .route("/v1/site/import", post(recovery::import))
        .route("/v1/site/recovery", get(recovery::plan).post(recovery::recover))
        .route("/v1/sites", get(site::nearby))
        .route("/v1/seats", get(look::seats).post(seats::take))
        .route("/v1/seats/{session}", delete(seats::give_back))
        .route("/v1/seats/{session}/proof", post(seats::prove))
        .route("/v1/seats/{session}/activity", post(idle::activity))
        .route("/v1/seats/{session}/ask", post(idle::ask))
        .route("/v1/borrows", get(borrows::list).post(borrows::borrow).delete(borrows::give_back))
        .route("/v1/devices", get(look::devices))
        .route("/v1/devices/{id}", put(admin::devices::set))
        .route("/v1/devices/{id}/admit", post(admin::devices::admit))
        .route("/v1/devices/{id}/revoke", post(admin::devices::revoke))
        .route("/v1/devices/{id}/lost", put(admin::devices::lose))
        .route("/v1/invites", post(admin::devices::invite))
        .route("/v1/licenses", get(look::licenses).post(admin::licenses::add))
        .route("/v1/licenses/{id}", delete(admin::licenses::remove))
        .route("/v1/admins", get(look::admins))
        .route("/v1/admins/{name}", put(admin::people::set).delete(admin::people::remove))
        .route("/v1/vendors", get(look::vendors))
        .route("/v1/vendors/{key}", put(admin::licenses::trust))
        .route("/v1/usage", get(look::usage))
        .route("/v1/audit", get(audit::page))
        .route("/v1/audit/heads", get(audit::heads))
        .route("/v1/limits", get(look::limits).put(admin::limits::set))
        .route("/v1/groups/{name}", put(admin::limits::set_group))
        .route("/v1/priorities", put(admin::limits::set_priority))
        .route("/v1/org", get(look::organisation).put(admin::organisation::set))
        .route("/v1/org/placement", put(admin::organisation::place))
        .route("/v1/org/stop-at-legal", put(admin::organisation::stop_at_legal))
        .route("/v1/purchases", get(look::purchases))
        .route("/v1/purchases/{id}", put(admin::purchases::set).delete(admin::purchases::remove))
        .route("/v1/purchases/{id}/allocations", put(admin::purchases::allocate))
        .route("/v1/compliance", get(compliance::compliance))
        .route("/v1/compliance/what-if", post(compliance::what_if))
        .route("/v1/compliance/history", get(look::calculations))
        .route("/v1/inventory", get(compliance::inventory))
        .route("/v1/inventory/machines", post(admin::inventory::import))
        .route("/v1/inventory/machines/{id}", get(compliance::machine).delete(admin::inventory::forget))
        .route("/v1/inventory/sites/{id}", delete(admin::inventory::forget_site))
        .route("/v1/inventory/unknown", get(look::unknown_programs))
        .route("/v1/inventory/catalog", get(look::catalog).put(admin::inventory::set_catalog))
        .route("/v1/session", get(session::show).post(session::begin).delete(session::end))
        .route("/v1/session/codes", post(session::open_code))
        .route("/v1/session/admin", put(session::sign_in).delete(session::sign_out))
        .route("/v1/seats/{session}/release", post(admin::devices::release))
        .route("/v1/pool-key", get(look::pool_key))
        .route("/v1/pool-key/rotate", post(admin::devices::rotate))
        .route("/v1/events", get(events::events))
        .route("/v1/commands", post(command))
        .route("/v1/doctor", get(doctor::doctor))
        .route("/v1/debug/state", get(doctor::state))
        .route("/v1/debug/log", get(doctor::log))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(description))
}

pub(super) fn router(node: Node) -> Router {
    finished(routes().router, node)
}

/// The same, and the paths that it knows.
#[cfg(all(test, unix))]
pub(super) fn router_and_paths(node: Node) -> (Router, Vec<&'static str>) {
    let Routes { router, paths, .. } = routes();
    (finished(router, node), paths)
}

/// With the page, which is for people.
fn finished(router: Router<Node>, node: Node) -> Router {
    router
        .route("/", get(assets::index))
        .route("/assets/{*path}", get(assets::asset))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(node)
}

/// What this API is, in OpenAPI 3.1.
#[cfg_attr(test, utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object))))]
pub(super) async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

pub(super) fn json_bytes(json: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Has the site carry out a command that an admin signed.
///
/// What the site refuses is an answer, too: `done` says which.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/commands", request_body = api::SignedCommand,
    responses((status = 200, body = api::CommandResult), Uses)
))]
pub(super) async fn command(
    State(node): State<Node>,
    body: Body,
) -> Result<Json<api::CommandResult>, Problem> {
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

/// The same of a body that may be longer than others.
pub(super) async fn read_json_up_to<T: DeserializeOwned>(body: Body, bytes_max: usize) -> Result<T, Problem> {
    parse(&read_up_to(body, bytes_max).await?)
}

/// The same; nothing at all is the default.
pub(super) async fn read_json_or_default<T: DeserializeOwned + Default>(body: Body) -> Result<T, Problem> {
    let bytes = read(body).await?;
    if bytes.is_empty() || bytes.trim_ascii() == b"null" { Ok(T::default()) } else { parse(&bytes) }
}

pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    read_up_to(body, limits::API_BODY_BYTES_MAX).await
}

async fn read_up_to(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, bytes_max).await.map_err(|_| {
        let detail = format!("a body has at most {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // What reads a structure would take its fields as a list, too, in an order that nobody has promised.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::bad_request("the body is not what is expected: it is a list, not an object"));
    }
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
