//! `GET /v1/events`: what happens in the ledger, as server-sent events, or as one page of JSON for a client that
//! accepts `application/json`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use seatkeeper_protocol::api;
use seatkeeper_protocol::wire::Query;
use serde::Deserialize;

#[cfg(test)]
use super::describe::Asks;
use super::page::{Given, given};
use super::problem::Problem;
use super::routes::{json_bytes, wants_json};
use crate::node::Node;

/// How long to wait before asking again while the site has no holder.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(super) struct After {
    /// Only events after the one with this number.
    after: Option<u64>,
}

/// What happens in the site, as server-sent events.
///
/// With `Accept: application/json` one page of JSON, which waits for up to 20 s until something happens.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/events",
    params(After, ("Last-Event-ID" = Option<String>, Header, description = "What a browser that reconnects saw last.")),
    responses(
        (status = 200, description = "An event for each thing, or a page.", content(
            (api::Event = "text/event-stream"), (api::Events = "application/json")
        )),
        Asks
    )
))]
pub(super) async fn events(
    State(node): State<Node>,
    query: Given<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let After { after } = given(query)?;
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
