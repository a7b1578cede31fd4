//! This device's own ledger commands, and the outcomes as they come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seatkeeper_ledger::command::{Command, Outcome, Refusal};
use seatkeeper_ledger::{decode_outcome, encode_command};
use seatkeeper_protocol::id::{RequestId, SeatId};
use seatkeeper_protocol::ticket::Ticket;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{Query, Request, Response};

use super::errors::NodeError;
use super::{Inner, state};

/// A ledger outcome as it came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// When it was sent first: what deadlines count from (invariant I7).
    pub(crate) sent: BootTime,
    pub(crate) outcome: Outcome,
    pub(crate) ticket: Option<Box<Ticket>>,
    /// The file of the license that an online seat's ticket names.
    pub(crate) license: Option<String>,
    pub(crate) durability_single: bool,
    /// For how many minutes the seats that a denial names have been idle, where that is known.
    pub(crate) idle: Vec<(SeatId, u16)>,
}

impl Answer {
    pub(crate) fn of(sent: BootTime, response: Response) -> Result<Self, NodeError> {
        match response {
            Response::Outcome { outcome, ticket, license, durability_single, idle } => {
                let outcome = decode_outcome(&outcome).map_err(|error| {
                    NodeError::Internal(format!("the holder's answer is not readable here: {error}"))
                })?;
                Ok(Self { sent, outcome, ticket, license, durability_single, idle })
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
        self.device_command_with(command, None, within).await
    }

    /// The same; a ticket that comes of it carries `nonce`.
    pub(crate) async fn device_command_with(
        self: &Arc<Self>,
        command: &Command,
        nonce: Option<&[u8]>,
        within: Duration,
    ) -> Result<Answer, NodeError> {
        let bytes = encode_command(command).map_err(|error| NodeError::BadInput(error.to_string()))?;
        let busy = || NodeError::NoHolder("this machine has too many requests under way".to_owned());
        // Returns may take long: they must not keep others waiting.
        let permits = if matches!(command, Command::Return { .. } | Command::ReturnBorrow { .. }) {
            &self.returns
        } else {
            &self.requests
        };
        let _permit = tokio::time::timeout(within, permits.acquire())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(busy)?;
        for _ in 0..2 {
            let request = RequestId {
                epoch: self.epoch.load(Ordering::Relaxed),
                counter: self.counter.fetch_add(1, Ordering::Relaxed),
            };
            let sent = self.clock.mono();
            let (command, nonce) = (bytes.clone(), nonce.map(<[u8]>::to_vec));
            let response = self.submit(Request::Device { request, command, nonce }, within).await?;
            let answer = Answer::of(sent, response)?;
            match answer.outcome {
                Outcome::Refused(Refusal::Stale { epoch }) if epoch >= request.epoch => {
                    self.outlive(epoch)?;
                }
                _ => return Ok(answer),
            }
        }
        Err(NodeError::Unknown)
    }

    /// Takes an epoch above one in which this device has asked before. On disk first: else the next start would count up
    /// to it, and its requests have the ids of this run's.
    fn outlive(&self, seen: u64) -> Result<(), NodeError> {
        let _writing = self.writing();
        let next = seen.saturating_add(1);
        if self.epoch.load(Ordering::Relaxed) < next {
            state::raise_epoch(&*self.disk, next).map_err(|error| NodeError::Internal(error.to_string()))?;
            self.epoch.store(next, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A look at the books.
    pub(super) async fn query(
        self: &Arc<Self>,
        query: Query,
        within: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        match self.submit(Request::Query(query), within).await {
            Ok(Response::Json(json)) => Ok(json),
            Ok(Response::Outcome { outcome, .. }) => Err(match decode_outcome(&outcome) {
                Ok(Outcome::Refused(refusal)) => NodeError::BadInput(refusal.to_string()),
                other => NodeError::Internal(format!("unexpected answer {other:?}")),
            }),
            Ok(other) => Err(NodeError::Internal(format!("unexpected answer {other:?}"))),
            // Looking changes nothing: there is nothing that may or may not have happened.
            Err(NodeError::Unknown) => Err(NodeError::NoHolder("nobody answered in time".to_owned())),
            Err(error) => Err(error),
        }
    }
}
