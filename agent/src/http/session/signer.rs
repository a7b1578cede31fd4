//! Commands in the name of the admin signed in.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use seatkeeper_ledger::command::{Command, Outcome, Refusal};
use seatkeeper_protocol::api;

use super::super::problem::Problem;
use super::store::SignedIn;
use super::{Access, now};
use crate::keys::signing::TRIES_MAX;
use crate::node::{AdminAnswer, Node, NodeError};

/// The admin who makes a request. Handlers that take one are for admins only.
#[derive(Debug)]
pub(crate) struct AdminSigner {
    node: Node,
    admin: SignedIn,
}

impl FromRequestParts<Node> for AdminSigner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self, Problem> {
        let access = parts.extensions.get::<Access>();
        let admin = access.and_then(|access| {
            let token = access.token.as_ref()?;
            access.sessions.store().use_admin(token, now())
        });
        let admin = admin.ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "sign-in",
                "this is for admins of the site: sign in with your admin key and its password",
            )
        })?;
        Ok(Self { node: node.clone(), admin })
    }
}

impl AdminSigner {
    /// Has the site carry out `command`.
    ///
    /// # Errors
    /// The refusal as a problem, or why the site could not be asked.
    pub(crate) async fn send(&self, command: &Command) -> Result<api::CommandResult, Problem> {
        let mut signer = self.admin.signer.lock().await;
        signer.next();
        let encode = |error: seatkeeper_ledger::CodecError| Problem::bad_request(error.to_string());
        let mut answer = self.sent(signer.sign(command).map_err(encode)?).await?;
        if let Outcome::Refused(Refusal::Stale { epoch }) = &answer.outcome {
            signer.stale(Some(*epoch));
            answer = self.sent(signer.sign(command).map_err(encode)?).await?;
        }
        match answer.outcome {
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Done | Outcome::Granted(_) | Outcome::Waiting(_) | Outcome::Borrowed(_) => {
                Ok(api::CommandResult {
                    format: api::FORMAT,
                    done: true,
                    refusal: None,
                    code: None,
                    epoch: None,
                    durability_single: answer.durability_single,
                })
            }
        }
    }

    async fn sent(&self, request: seatkeeper_protocol::wire::AdminRequest) -> Result<AdminAnswer, Problem> {
        let mut tries = 1;
        loop {
            match self.node.admin(request.clone()).await {
                Err(NodeError::Unknown) if tries < TRIES_MAX => tries += 1,
                other => return Ok(other?),
            }
        }
    }
}
