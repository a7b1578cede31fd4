//! `GET /v1/audit`: the site's records, a page at a time; `GET /v1/audit/heads`: what other machines say of one.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as UrlQuery, State};
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::license::Date;
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::AuditQuery;
use serde::Deserialize;

use super::problem::Problem;
use super::routes::json_bytes;
use crate::node::Node;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    after: Option<u64>,
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn page(
    State(node): State<Node>,
    query: Result<UrlQuery<Span>, QueryRejection>,
) -> Result<Response, Problem> {
    let UrlQuery(Span { after, from, to }) =
        query.map_err(|error| Problem::bad_request(error.body_text()))?;
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
pub(super) struct Which {
    seq: u64,
}

pub(super) async fn heads(
    State(node): State<Node>,
    query: Result<UrlQuery<Which>, QueryRejection>,
) -> Result<Json<api::AuditHeads>, Problem> {
    let UrlQuery(Which { seq }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok(Json(node.audit_heads(seq).await?))
}
