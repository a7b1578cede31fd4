//! `Idempotency-Key`: a request that is sent again because its answer was lost acts once.
//!
//! Answers are kept in memory alone and for ten minutes: some have secrets in them, which are wiped when they go. A
//! request with a key is carried out to its end also when its caller goes away meanwhile, or there would be nothing to
//! answer the next one with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::problem::Problem;
use super::routes::read;
use crate::platform::local::Caller;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Longest key, bytes.
const KEY_BYTES_MAX: usize = 255;
/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// Answers kept for one caller, and requests under way among them.
const PER_CALLER_MAX: usize = 64;
/// The same of all callers together.
const ALL_MAX: usize = 1_024;
/// The largest answer that is kept, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// All kept answers together, bytes.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const _: () = assert!(PER_CALLER_MAX < ALL_MAX && ANSWER_BYTES_MAX < BYTES_MAX);

type Hash = [u8; 32];

/// Whose key it is, and which.
type Slot = (Hash, Hash);

/// The answers to requests with a key.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    slots: BTreeMap<Slot, (Hash, Option<Answer>)>,
    bytes: usize,
}

struct Answer {
    at: Instant,
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Zeroizing<Vec<u8>>,
}

/// What a request with a key finds.
enum Found {
    /// Nobody has asked so: it is under way now.
    Nothing,
    /// It was answered.
    Answer(Response),
    Refused(Problem),
}

impl Kept {
    fn begin(&mut self, slot: Slot, request: Hash, now: Instant) -> Found {
        let old: Vec<Slot> = self
            .slots
            .iter()
            .filter(|(_, (_, answer))| answer.as_ref().is_some_and(|a| now.duration_since(a.at) >= KEPT_FOR))
            .map(|(slot, _)| *slot)
            .collect();
        old.iter().for_each(|slot| self.forget(slot));
        match self.slots.get(&slot) {
            Some((known, _)) if *known != request => {
                return Found::Refused(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "idempotency-mismatch",
                    "this idempotency key was used for another request; choose a new one for each request",
                ));
            }
            Some((_, Some(answer))) => return Found::Answer(answer.response()),
            Some((_, None)) => {
                return Found::Refused(Problem::new(
                    StatusCode::CONFLICT,
                    "in-progress",
                    "a request with this idempotency key is under way; send it again in a moment",
                ));
            }
            None => {}
        }
        let of_caller = |(caller, _): &Slot| *caller == slot.0;
        let has_room = self.make_room(PER_CALLER_MAX, of_caller) && self.make_room(ALL_MAX, |_| true);
        if !has_room {
            let detail = "too many requests with idempotency keys are under way; send this one again later";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow-down", detail);
            return Found::Refused(problem.retry_after(1));
        }
        self.slots.insert(slot, (request, None));
        Found::Nothing
    }

    /// Whether one more may be kept among those that `counts`: the oldest answer goes for it.
    fn make_room(&mut self, max: usize, counts: impl Fn(&Slot) -> bool) -> bool {
        if self.slots.keys().filter(|slot| counts(slot)).count() < max {
            return true;
        }
        self.forget_oldest(counts)
    }

    fn forget_oldest(&mut self, counts: impl Fn(&Slot) -> bool) -> bool {
        let answered = self.slots.iter().filter(|(slot, _)| counts(slot));
        let answered = answered.filter_map(|(slot, (_, answer))| Some((answer.as_ref()?.at, *slot)));
        let Some((_, oldest)) = answered.min() else { return false };
        self.forget(&oldest);
        true
    }

    fn forget(&mut self, slot: &Slot) {
        if let Some((_, Some(answer))) = self.slots.remove(slot) {
            self.bytes = self.bytes.saturating_sub(answer.body.len());
        }
    }

    fn keep(&mut self, slot: &Slot, answer: Answer) {
        while self.bytes + answer.body.len() > BYTES_MAX && self.forget_oldest(|_| true) {}
        if let Some((_, kept)) = self.slots.get_mut(slot) {
            self.bytes += answer.body.len();
            *kept = Some(answer);
        }
    }
}

impl Answer {
    fn response(&self) -> Response {
        let mut response = (self.status, self.body.to_vec()).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        if let Some(content_type) = &self.content_type {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

impl Answers {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes its slot back unless there is an answer for it.
struct UnderWay {
    answers: Answers,
    slot: Slot,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut kept = self.answers.kept();
        if matches!(kept.slots.get(&self.slot), Some((_, None))) {
            kept.forget(&self.slot);
        }
    }
}

/// Whether a key means something there: not to streams, and sessions have secrets of their own.
pub(super) fn takes_key(method: &str, path: &str) -> bool {
    matches!(method, "POST" | "PUT" | "DELETE")
        && !(method == "POST" && path == "/v1/seats")
        && path != "/v1/session"
        && !path.starts_with("/v1/session/")
}

/// Answers a request as before when its key says that it is the same.
pub(super) async fn once(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    let takes = takes_key(request.method().as_str(), request.uri().path());
    match request.headers().get(KEY).cloned() {
        Some(key) if takes => match with_key(answers, key, request, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn with_key(
    answers: Answers,
    key: HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key.as_bytes();
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.iter().all(u8::is_ascii_graphic) {
        let detail = format!("an idempotency key has 1 to {KEY_BYTES_MAX} letters, digits and signs");
        return Err(Problem::bad_request(detail));
    }
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Caller>().map(|caller| caller.user.clone()).unwrap_or_default();
    let slot = (whose(&caller, &parts.headers), hash(&[key]));
    let body = read(body).await?;
    let request = asked(&parts.method, &parts.uri.to_string(), &body);
    match answers.kept().begin(slot, request, Instant::now()) {
        Found::Answer(response) => return Ok(response),
        Found::Refused(problem) => return Err(problem),
        Found::Nothing => {}
    }
    let under_way = UnderWay { answers, slot };
    let running = next.run(Request::from_parts(parts, Body::from(body)));
    // In a task of its own: a caller that goes away must not leave it half done.
    let running = tokio::spawn(async move { finish(under_way, running.await).await });
    running.await.map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the request broke off: {error}"))
    })?
}

/// Keeps the answer, unless it may be another one next time.
async fn finish(under_way: UnderWay, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let passing = matches!(
        parts.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    let known = HttpBody::size_hint(&body).exact();
    let short = known.is_some_and(|length| usize::try_from(length).is_ok_and(|n| n <= ANSWER_BYTES_MAX));
    if passing || parts.status.is_server_error() || !short {
        return Ok(Response::from_parts(parts, body));
    }
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Problem::unreadable)?;
    let answer = Answer {
        at: Instant::now(),
        status: parts.status,
        content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
        body: Zeroizing::new(body.to_vec()),
    };
    under_way.answers.kept().keep(&under_way.slot, answer);
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A caller with other credentials is another caller, so that nobody sees what he could not have done.
fn whose(user: &str, headers: &HeaderMap) -> Hash {
    let of = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    hash(&[user.as_bytes(), of(header::COOKIE), of(header::AUTHORIZATION)])
}

fn asked(method: &Method, uri: &str, body: &[u8]) -> Hash {
    hash(&[method.as_str().as_bytes(), uri.as_bytes(), body])
}

#[cfg(test)]
mod tests;
