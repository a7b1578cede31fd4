//! `GET /v1/events`: what happens in the ledger, as server-sent events, or as one page of JSON for a client that
//! accepts `application/json`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as UrlQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use seatkeeper_protocol::api;
use seatkeeper_protocol::wire::Query;
use serde::Deserialize;

use super::problem::Problem;
use super::routes::{json_bytes, wants_json};
use crate::node::Node;

/// How long to wait before asking again while the site has no holder.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub(super) struct After {
    after: Option<u64>,
}

pub(super) async fn events(
    State(node): State<Node>,
    query: Result<UrlQuery<After>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let UrlQuery(After { after }) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    if wants_json(&headers) {
        return Ok(json_bytes(node.query(Query::Events { after }).await?));
    }
    // A browser that reconnects says what it saw last.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let pages = follow(node, after.or(seen));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// Page after page; a query waits at the holder until something happened, or 20 s.
fn follow(node: Node, after: Option<u64>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((node, after), |(node, after)| async move {
        let page = node.query(Query::Events { after }).await;
        let page = page.map(|json| serde_json::from_slice::<api::Events>(&json));
        let (text, after) = match page {
            Ok(Ok(page)) => {
                let last = page.events.last().map(|event| event.seq).or(after).unwrap_or(0);
                (render(&page.events), Some(last))
            }
            // A comment: it keeps the connection alive and tells a person with curl why nothing comes.
            Ok(Err(error)) => (pause(&error.to_string()).await, after),
            Err(error) => (pause(&error.to_string()).await, after),
        };
        Some((Ok(Bytes::from(text)), (node, after)))
    })
}

async fn pause(why: &str) -> String {
    tokio::time::sleep(ASK_AGAIN_AFTER).await;
    format!(": {}\n\n", why.replace(['\r', '\n'], " "))
}

fn render(events: &[api::Event]) -> String {
    if events.is_empty() {
        return ":\n\n".to_owned();
    }
    events
        .iter()
        .map(|event| {
            let data = serde_json::to_string(event).unwrap_or_default();
            format!("id: {}\nevent: {}\ndata: {data}\n\n", event.seq, event.kind)
        })
        .collect()
}
