//! `POST /v1/seats`: a seat, or a place in the queue for one, held by an open answer; and what proves it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use data_encoding::BASE64URL_NOPAD;
use futures_util::Stream;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Feature, IdError, Name, ProductId, Version};
use seatkeeper_protocol::limits::{NONCE_BYTES_MAX, NONCE_BYTES_MIN};

#[cfg(test)]
use super::describe::Uses;
use super::io::SharedIo;
use super::problem::Problem;
use super::routes::read_json;
use crate::node::{Node, SeatAsk, SeatHold, SeatWait, WaitEvent, Waited};
use crate::platform::local::Caller;
use crate::platform::tree::ProcessTree;
use crate::seam::BoxTree;

/// Shortest and longest nonce of a ticket or proof, bytes.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = NONCE_BYTES_MIN..=NONCE_BYTES_MAX;

/// Takes a seat, or a place in the queue for one, and holds it.
///
/// The answer is a stream of lines, each a JSON object with an `event`. The seat is held for as long as the stream is
/// open; closing the connection gives it back.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/seats", request_body = api::SeatRequest,
    responses((status = 200, body = api::SeatEvent, content_type = "application/x-ndjson"), Uses)
))]
pub(super) async fn take(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Extension(io): Extension<SharedIo>,
    body: Body,
) -> Result<Response, Problem> {
    let request: api::SeatRequest = read_json(body).await?;
    let wait = request.wait_s.map(Duration::from_secs);
    let ask = seat_ask(request, &caller)?;
    let waited = match wait {
        Some(within) => node.wait_for_seat(ask, within).await?,
        None => Waited::Seat(node.take_seat(ask).await?),
    };
    let stream = match waited {
        Waited::Seat(hold) => SeatBody { io, first: Some(granted(&hold)), stands: Stands::Has(hold) },
        Waited::Waiting(wait) => SeatBody { io, first: None, stands: Stands::Waits(wait) },
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// Gives a seat back: a program says that it and all it started are done.
///
/// Whoever knows a session's id, which is random and never listed, has it.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/seats/{session}", params(("session" = String, Path, description = "The session.")),
    responses((status = 204, description = "It is not held any more."))
))]
pub(super) async fn give_back(
    State(node): State<Node>,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = session.parse().map_err(|error: IdError| Problem::bad_request(error.to_string()))?;
    node.give_back(session).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Proves a seat to a program of the caller's that does not trust this agent.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/seats/{session}/proof",
    params(("session" = String, Path, description = "The session, or the seat.")),
    request_body = api::ProofRequest, responses((status = 200, body = api::SeatProof), Uses)
))]
pub(super) async fn prove(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<api::SeatProof>, Problem> {
    let request: api::ProofRequest = read_json(body).await?;
    let nonce = nonce(&request.nonce)?;
    let user = Name::new(caller.user.as_str()).map_err(|error| Problem::bad_request(error.to_string()))?;
    let proof = match id.parse() {
        Ok(key) => node.prove_seat(&user, key, &nonce)?,
        Err(()) => None,
    };
    proof.map(Json).ok_or_else(|| no_such_seat(&user, &id))
}

/// The user has no such seat here.
pub(super) fn no_such_seat(user: &Name, id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    let detail = format!(
        "{user} has no seat {id} on this machine; name the session or the seat that `granted` named, and take a seat first"
    );
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn seat_ask(request: api::SeatRequest, caller: &Caller) -> Result<SeatAsk, Problem> {
    let bad = |error: IdError| Problem::bad_request(error.to_string());
    let tree = match &request.tree {
        Some(tree) => Some(
            ProcessTree::adopt(tree.pid, &tree.token, caller)
                .map(|tree| Box::new(tree) as BoxTree)
                .map_err(|error| Problem::not_permitted(error.to_string()))?,
        ),
        None => None,
    };
    Ok(SeatAsk {
        user: Name::new(caller.user.as_str()).map_err(bad)?,
        product: ProductId::new(request.product).map_err(bad)?,
        version: request.version.map(Version::new).transpose().map_err(bad)?,
        features: request.features.into_iter().map(Feature::new).collect::<Result<_, _>>().map_err(bad)?,
        pid: request.tree.map(|tree| tree.pid).or(caller.pid),
        nonce: request.nonce.as_deref().map(nonce).transpose()?,
        session: request.session.as_deref().map(str::parse).transpose().map_err(bad)?,
        tree,
    })
}

fn nonce(text: &str) -> Result<Vec<u8>, Problem> {
    BASE64URL_NOPAD
        .decode(text.trim_end_matches('=').as_bytes())
        .ok()
        .filter(|nonce| NONCE_BYTES.contains(&nonce.len()))
        .ok_or_else(|| {
            Problem::bad_request(format!(
                "a nonce is base64url of {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes"
            ))
        })
}

fn line(event: &api::SeatEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

fn granted(hold: &SeatHold) -> Bytes {
    line(&api::SeatEvent::Granted(Box::new(hold.granted.clone())))
}

/// Holds the seat, or the place in the queue, and tells what happens to it. Dropped when the client closes, which gives
/// it back.
struct SeatBody {
    io: SharedIo,
    stands: Stands,
    first: Option<Bytes>,
}

/// Where the client stands.
enum Stands {
    Waits(SeatWait),
    Has(SeatHold),
    Over,
}

impl Stands {
    /// What happens next.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Self::Waits(wait) => match ready!(wait.poll_next(cx)) {
                Some(WaitEvent::Place(place)) => {
                    Poll::Ready(Some(line(&api::SeatEvent::Waiting(Box::new(place)))))
                }
                Some(WaitEvent::Seat(hold)) => {
                    let granted = granted(&hold);
                    *self = Self::Has(hold);
                    Poll::Ready(Some(granted))
                }
                Some(WaitEvent::Over(error)) => {
                    *self = Self::Over;
                    Poll::Ready(Some(line(&api::SeatEvent::NoSeat(Problem::from(error).0))))
                }
                None => Poll::Ready(None),
            },
            Self::Has(hold) => match ready!(hold.events.poll_recv(cx)) {
                Some(event) => {
                    if matches!(event, api::SeatEvent::Lost { .. }) {
                        *self = Self::Over;
                    }
                    Poll::Ready(Some(line(&event)))
                }
                None => Poll::Ready(None),
            },
            Self::Over => Poll::Ready(None),
        }
    }
}

impl Stream for SeatBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if matches!(self.stands, Stands::Over) || self.io.poll_client_gone(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.stands.poll_line(cx).map(|line| line.map(Ok))
    }
}
