//! This device's own ledger commands, and the outcomes as they come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seatkeeper_ledger::command::{Command, Outcome, Refusal};
use seatkeeper_ledger::{decode_outcome, encode_command};
use seatkeeper_protocol::id::RequestId;
use seatkeeper_protocol::ticket::Ticket;
use seatkeeper_protocol::wire::{Request, Response};

use super::Inner;
use super::errors::NodeError;

/// A ledger outcome as it came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) ticket: Option<Box<Ticket>>,
    pub(crate) durability_single: bool,
}

impl Answer {
    pub(crate) fn of(response: Response) -> Result<Self, NodeError> {
        match response {
            Response::Outcome { outcome, ticket, durability_single } => {
                let outcome = decode_outcome(&outcome).map_err(|error| {
                    NodeError::Internal(format!("the holder's answer is not readable here: {error}"))
                })?;
                Ok(Self { outcome, ticket, durability_single })
            }
            other => Err(NodeError::Internal(format!("unexpected answer {other:?}"))),
        }
    }
}

impl Inner {
    /// A command of this device, once, with a new request id; again under a higher epoch if the ledger remembers a
    /// later life of this device.
    pub(crate) async fn device_command(
        self: &Arc<Self>,
        command: &Command,
        within: Duration,
    ) -> Result<Answer, NodeError> {
        let bytes = encode_command(command).map_err(|error| NodeError::BadInput(error.to_string()))?;
        let _permit =
            self.requests.acquire().await.map_err(|_| NodeError::Internal("stopping".to_owned()))?;
        for _ in 0..2 {
            let request = RequestId {
                epoch: self.epoch.load(Ordering::Relaxed),
                counter: self.counter.fetch_add(1, Ordering::Relaxed),
            };
            let response = self.submit(Request::Device { request, command: bytes.clone() }, within).await?;
            let answer = Answer::of(response)?;
            match answer.outcome {
                Outcome::Refused(Refusal::Stale { epoch }) if epoch >= request.epoch => {
                    self.epoch.fetch_max(epoch + 1, Ordering::Relaxed);
                }
                _ => return Ok(answer),
            }
        }
        Err(NodeError::Unknown)
    }
}
