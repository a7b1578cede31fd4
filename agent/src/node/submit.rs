//! Getting a request to the holder, whoever it is by then.
//!
//! A request carries an id under which it acts once, so it may be sent again and elsewhere: after each 300 ms without
//! an answer also to another log holder, after a new holder is known also to that one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seatkeeper_election::seam::{Channel, Transport};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::{SESSION_FRAME_BYTES_MAX, TTL_MS_MIN};
use seatkeeper_protocol::time::device_deadline_ms;
use seatkeeper_protocol::wire::{Opening, PeerRefusal, Request, Response};
use tokio::time::Instant;

use super::Inner;
use super::errors::NodeError;
use crate::seam::frames::{FrameIoError, read_frame, write_frame};

/// How long a request may take in all.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
// A checkout that is answered at the last moment is still within its device's deadline.
const _: () = assert!(WITHIN.as_millis() < device_deadline_ms(TTL_MS_MIN) as u128);
/// Without an answer for this long, another log holder is asked too; again and again, for what it knows may be old: it
/// may not have heard yet that the holder is gone.
const RESEND_AFTER: Duration = Duration::from_millis(300);
/// Pause before somebody who could not answer is asked again: the first one, and the longest. Who is told of a new
/// holder at once may ask it some milliseconds before it is ready.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(100);
/// Attempts under way at once.
const ATTEMPTS_MAX: usize = 4;

enum Attempt {
    Answered(Response),
    NotHolder { term: u64, holder: Option<DeviceId> },
    Failed(Failure),
    Refused(PeerRefusal),
}

impl Inner {
    /// Sends `request` until it is answered or `within` has passed.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        request: Request,
        within: Duration,
    ) -> Result<Response, NodeError> {
        if self.site().is_none() {
            return Err(NodeError::NoSite);
        }
        let mut last = Outcome::default();
        let answering = async {
            tokio::select! {
                () = self.stop.cancelled() => Err(NodeError::NoHolder("the agent is stopping".to_owned())),
                answer = self.submit_until_answered(&request, &mut last) => answer,
            }
        };
        match tokio::time::timeout(within, answering).await {
            Ok(answer) => answer,
            // Sent, and nobody said that it was not done: it may have been.
            Err(_) if last.maybe_done => Err(NodeError::Unknown),
            Err(_) => {
                Err(NodeError::NoHolder(last.reason.unwrap_or_else(|| "no holder is known".to_owned())))
            }
        }
    }

    async fn submit_until_answered(
        self: &Arc<Self>,
        request: &Request,
        last: &mut Outcome,
    ) -> Result<Response, NodeError> {
        let mut known = self.known.subscribe();
        let mut attempts = FuturesUnordered::new();
        let mut asked: Vec<DeviceId> = Vec::new();
        let resend = tokio::time::sleep(RESEND_AFTER);
        tokio::pin!(resend);
        let mut pause = PAUSE_FIRST;
        loop {
            let now = *known.borrow_and_update();
            if let Some(holder) = now.holder
                && !asked.contains(&holder)
                && attempts.len() < ATTEMPTS_MAX
            {
                asked.push(holder);
                attempts.push(self.attempt(holder, request));
            }
            tokio::select! {
                Some((device, attempt)) = attempts.next(), if !attempts.is_empty() => {
                    match attempt {
                        Attempt::Answered(Response::Unknown) => last.maybe_done = true,
                        Attempt::Answered(response) => return Ok(response),
                        Attempt::NotHolder { term, holder } => {
                            last.reason = Some("the holder is changing".to_owned());
                            if let Some(holder) = holder {
                                self.learn_holder(device, term, holder);
                            }
                        }
                        Attempt::Refused(PeerRefusal::Busy) => last.reason = Some("the holder is busy".to_owned()),
                        Attempt::Refused(refusal @ PeerRefusal::OtherGeneration { .. }) => {
                            self.learn_refusal(&refusal);
                            last.reason = Some(refusal.to_string());
                        }
                        // Only the holder knows for sure; another's roster may be behind.
                        Attempt::Refused(refusal) if self.known().holder == Some(device) => {
                            return Err(NodeError::TurnedAway(refusal));
                        }
                        Attempt::Refused(refusal) => last.reason = Some(refusal.to_string()),
                        Attempt::Failed(failure) => {
                            last.maybe_done |= failure.sent;
                            last.reason = Some(failure.reason);
                        }
                    }
                    // The same one may be asked again after a pause; another holder at once.
                    if self.known().holder == Some(device) {
                        tokio::select! {
                            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE),
                            _ = known.changed() => {}
                        }
                    }
                    asked.retain(|known| *known != device);
                }
                Ok(()) = known.changed() => {}
                () = &mut resend, if attempts.len() < ATTEMPTS_MAX => {
                    resend.as_mut().reset(Instant::now() + RESEND_AFTER);
                    if let Some(second) = self.second_log_holder(&asked) {
                        asked.push(second);
                        attempts.push(self.attempt(second, request));
                    }
                }
                () = tokio::time::sleep(PAUSE), if attempts.is_empty() => {
                    // Nobody to ask yet: a view may come, or the second holder may know.
                    if let Some(second) = self.second_log_holder(&[])
                        && attempts.len() < ATTEMPTS_MAX && self.known().holder.is_none() {
                            attempts.push(self.attempt(second, request));
                        }
                }
            }
        }
    }

    /// A log holder that is not this device and not in `asked`, another one each time.
    fn second_log_holder(&self, asked: &[DeviceId]) -> Option<DeviceId> {
        let holders = self.site()?.log_holders();
        let free: Vec<DeviceId> =
            holders.into_iter().filter(|d| *d != self.device && !asked.contains(d)).collect();
        let turn = usize::try_from(self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).unwrap_or(0);
        free.get(turn.checked_rem(free.len())?).copied()
    }

    async fn attempt(self: &Arc<Self>, device: DeviceId, request: &Request) -> (DeviceId, Attempt) {
        let answer = if device == self.device {
            Ok(self.answer_own(request).await)
        } else {
            self.exchange(device, request).await
        };
        let attempt = match answer {
            Ok(Response::NotHolder { term, holder }) => Attempt::NotHolder { term, holder },
            Ok(Response::Refused(refusal)) => Attempt::Refused(refusal),
            Ok(response) => Attempt::Answered(response),
            Err(error) => Attempt::Failed(error),
        };
        (device, attempt)
    }

    /// One request to one device, on a stream of its own.
    pub(super) async fn exchange(&self, device: DeviceId, request: &Request) -> Result<Response, Failure> {
        let site = self
            .site()
            .ok_or_else(|| Failure { sent: false, reason: "this machine left the site".to_owned() })?;
        let name = || site.device_name(&device).map_or_else(|| device.short(), ToString::to_string);
        let mut stream = self.net.open(device, Channel::Session).await.map_err(|error| Failure {
            sent: false,
            reason: format!("{} cannot be reached: {error}", name()),
        })?;
        let gone =
            |error: FrameIoError| Failure { sent: true, reason: format!("{} went away: {error}", name()) };
        let opening = Opening::Request(site.reference(), request.clone());
        write_frame(&mut stream, &opening, SESSION_FRAME_BYTES_MAX).await.map_err(gone)?;
        read_frame(&mut stream, SESSION_FRAME_BYTES_MAX).await.map_err(gone)
    }
}

pub(super) struct Failure {
    /// Whether the request may have arrived.
    sent: bool,
    pub(super) reason: String,
}

#[derive(Default)]
struct Outcome {
    reason: Option<String>,
    maybe_done: bool,
}
