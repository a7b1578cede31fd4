//! `GET /v1/audit`: the site's records, a page at a time; `GET /v1/audit/heads`: what other machines say of one.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::license::Date;
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::AuditQuery;
use serde::Deserialize;

#[cfg(test)]
use super::describe::Asks;
use super::page::{Given, given};
use super::problem::Problem;
use super::routes::json_bytes;
use crate::node::Node;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(super) struct Span {
    /// Only records after the one with this number.
    after: Option<u64>,
    /// Only those from this time on: RFC 3339, or a day.
    from: Option<String>,
    /// Only those before this time: RFC 3339, or a day, which is included.
    to: Option<String>,
}

/// Records of the audit in the order in which they happened, a page of them.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/audit", params(Span), responses((status = 200, body = api::AuditPage), Asks)
))]
pub(super) async fn page(State(node): State<Node>, query: Given<Span>) -> Result<Response, Problem> {
    let Span { after, from, to } = given(query)?;
    let from = from.map(|from| instant("from", &from, 0)).transpose()?;
    let to = to.map(|to| instant("to", &to, DAY_MS)).transpose()?;
    Ok(json_bytes(node.audit(AuditQuery::Page { after: after.unwrap_or(0), from, to }).await?))
}

/// A time, or a day, of which `day_ms` are meant.
fn instant(name: &str, text: &str, day_ms: i64) -> Result<WallTime, Problem> {
    if let Some(day) = Date::read(text) {
        return Ok(day.starts().plus_ms(day_ms));
    }
    WallTime::from_rfc3339(text).map_err(|_| {
        Problem::bad_request(format!(
            "`{name}` is neither a day such as 2026-12-24 nor a time such as 2026-12-24T18:00:00Z"
        ))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(super) struct Which {
    /// The number of the record.
    seq: u64,
}

/// What the machines that keep the log say is the hash of one record.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/audit/heads", params(Which), responses((status = 200, body = api::AuditHeads), Asks)
))]
pub(super) async fn heads(
    State(node): State<Node>,
    query: Given<Which>,
) -> Result<Json<api::AuditHeads>, Problem> {
    let Which { seq } = given(query)?;
    Ok(Json(node.audit_heads(seq).await?))
}
