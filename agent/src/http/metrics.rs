//! `GET /metrics`: what there is to measure, in Prometheus' text format.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::middle::metrics::{CONTENT_TYPE, render};
use crate::node::Node;

pub(super) async fn metrics(State(node): State<Node>) -> Response {
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    (headers, render(&node.measure().await)).into_response()
}
