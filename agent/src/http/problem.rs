//! Errors as problem+json (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use seatkeeper_ledger::command::{Denial, Refusal};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::SeatId;
use seatkeeper_protocol::time::WallTime;

use crate::node::{NodeError, SeatError, idle_of, seat_holders};

/// An error of one request.
#[derive(Debug)]
pub(crate) struct Problem(pub(super) Box<api::Problem>);

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(api::Problem {
            kind: kind.to_owned(),
            title: status.canonical_reason().unwrap_or("error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            holders: Vec::new(),
            expected: None,
            retry_after_s: None,
        }))
    }

    /// The same, with when to try again, seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// What the site answered can't be read here.
    pub(super) fn unreadable(error: impl std::fmt::Display) -> Self {
        let detail = format!("the site's answer is not understood here ({error}); update the older agent");
        Self::internal(detail)
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(super) fn not_permitted(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-permitted", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.0.retry_after_s.or(unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let (status, kind) = match &error {
            NodeError::NoSite => (StatusCode::CONFLICT, "no-site"),
            NodeError::NoHolder(_) => (StatusCode::SERVICE_UNAVAILABLE, "no-holder"),
            NodeError::NotPermitted(_) => (StatusCode::FORBIDDEN, "not-permitted"),
            NodeError::TurnedAway(_) => (StatusCode::FORBIDDEN, "turned-away"),
            NodeError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            NodeError::BadInput(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            NodeError::Unknown => (StatusCode::SERVICE_UNAVAILABLE, "unknown"),
            NodeError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self::new(status, kind, error.to_string())
    }
}

impl From<SeatError> for Problem {
    fn from(error: SeatError) -> Self {
        match error {
            SeatError::Node(error) => error.into(),
            SeatError::NoSeat(denial, idle) => no_seat(&denial, &idle),
            SeatError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NotPermitted(_) => StatusCode::FORBIDDEN,
            Refusal::OverLimit(over) if over.seats == 0 => StatusCode::FORBIDDEN,
            Refusal::OverNodeLimit(over) if over.excludes() => StatusCode::FORBIDDEN,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::OtherTerm { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::UnknownFormat | Refusal::Bug(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        match &refusal {
            Refusal::NoSeat(denial) => no_seat(denial, &[]),
            refusal => Self::new(status, refusal_code(refusal), refusal.to_string()),
        }
    }
}

/// Why there is no seat, who has those that there are, and for how many minutes they have been idle.
fn no_seat(denial: &Denial, idle: &[(SeatId, u16)]) -> Problem {
    let mut detail = denial.with_idle(|seat| idle_of(idle, seat));
    detail.push_str(if denial.kept {
        "; wait too, or try again later"
    } else if denial.reserved > 0 {
        "; ask an admin to allocate some to this device's node with `seatkeeper allocation set`, or wait for one that it \
         may use"
    } else {
        "; ask one of them to give a seat back, wait for one, or try again later"
    });
    let mut problem = Problem::new(StatusCode::CONFLICT, "no-seat", detail);
    problem.0.expected = denial.next_return.and_then(WallTime::rfc3339);
    problem.0.holders = seat_holders(denial, idle);
    problem
}

/// The stable code of a refusal.
pub(super) fn refusal_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoSeat(_) => "no-seat",
        Refusal::NotLicensed { .. } => "not-licensed",
        Refusal::Stale { .. } => "stale",
        Refusal::SessionEnded => "session-ended",
        Refusal::Superseded => "superseded",
        Refusal::OtherTerm { .. } => "unknown",
        Refusal::NotPermitted(_) => "not-permitted",
        Refusal::NotFound(_) => "not-found",
        Refusal::Conflict(_) => "conflict",
        Refusal::OverLimit(over) if over.seats == 0 => "excluded",
        Refusal::OverNodeLimit(over) if over.excludes() => "excluded",
        Refusal::OverLimit(_) | Refusal::OverNodeLimit(_) => "over-limit",
        Refusal::Limit { .. } => "limit",
        Refusal::Invalid(_) => "invalid",
        Refusal::UnknownFormat | Refusal::Bug(_) => "internal",
    }
}
