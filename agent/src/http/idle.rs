//! `POST /v1/seats/{id}/activity` and `POST /v1/seats/{id}/ask`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{IdError, Name, Note, SeatId};

#[cfg(test)]
use super::describe::{Finds, Uses};
use super::problem::Problem;
use super::routes::read_json_or_default;
use super::seats::no_such_seat;
use crate::node::Node;
use crate::platform::local::Caller;

/// A program, or its screen, says for how long its user has had no input.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/seats/{session}/activity",
    params(("session" = String, Path, description = "The session, or the seat.")),
    request_body = Option<api::SeatActivity>, responses((status = 204, description = "It is known."), Finds)
))]
pub(super) async fn activity(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let api::SeatActivity { idle_s, source } = read_json_or_default(body).await?;
    let user = Name::new(caller.user.as_str()).map_err(bad)?;
    let idle = Duration::from_secs(idle_s);
    match id.parse() {
        Ok(key) if node.says_idle(&user, key, source, idle) => Ok(StatusCode::NO_CONTENT),
        _ => Err(no_such_seat(&user, &id)),
    }
}

/// Somebody who waits asks for an idle seat.
///
/// Nothing is taken away: whoever has it is asked.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/seats/{session}/ask", params(("session" = String, Path, description = "The seat, as listed.")),
    request_body = Option<api::AskSeat>, responses((status = 200, body = api::SeatAsked), Uses)
))]
pub(super) async fn ask(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<api::SeatAsked>, Problem> {
    let request: api::AskSeat = read_json_or_default(body).await?;
    let user = Name::new(caller.user.as_str()).map_err(bad)?;
    let seat: SeatId = id.parse().map_err(bad)?;
    let note = request.message.map(Note::new).transpose().map_err(bad)?;
    Ok(Json(node.ask_for_seat(user, seat, note).await?))
}

fn bad(error: IdError) -> Problem {
    Problem::bad_request(error.to_string())
}
