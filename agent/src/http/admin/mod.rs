//! What admins change. Each handler takes the admin who has signed in, in whose name the agent signs commands; the
//! ledger decides whether they may.
//!
//! | module | holds |
//! |---|---|
//! | `devices` | invitations, devices, the key that signs tickets |
//! | `licenses` | licenses and vendors |
//! | `people` | admins |
//! | `limits` | limits, groups, priorities |
//! | `organisation` | nodes, rules that place devices |
//! | `purchases` | purchases and allocations |
//! | `inventory` | the catalog, machines without an agent |

use axum::body::Body;
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::org::IMPORT_BYTES_MAX;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{IdError, PublicKey};
use seatkeeper_protocol::wire::Query;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::routes::read_json_up_to;
use super::session::AdminSigner;
use crate::keys::signing::SignedFor;
use crate::node::{Node, NodeError};
use crate::plan::PlanError;

pub(super) mod devices;
pub(super) mod inventory;
pub(super) mod licenses;
pub(super) mod limits;
pub(super) mod organisation;
pub(super) mod people;
pub(super) mod purchases;

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        match &error {
            PlanError::BadInput(_) => Self::bad_request(error.to_string()),
            PlanError::UnknownKey { key, .. } => Self::new(
                axum::http::StatusCode::CONFLICT,
                "unknown-key",
                format!("{error}, with `trust`: {key}"),
            ),
            PlanError::Malformed(_) | PlanError::Key(_) | PlanError::Encoding(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

fn bad(error: IdError) -> Problem {
    Problem::bad_request(error.to_string())
}

/// What the holder says.
async fn asked<T: DeserializeOwned>(node: &Node, query: Query) -> Result<T, Problem> {
    serde_json::from_slice(&node.query(query).await?).map_err(Problem::unreadable)
}

fn site_of(node: &Node) -> Result<SignedFor, Problem> {
    let site = node.site().ok_or(NodeError::NoSite)?;
    SignedFor::read(&site).ok_or_else(|| Problem::internal("this agent's site is not understood"))
}

fn public_key(text: &str) -> Result<PublicKey, Problem> {
    text.trim().parse().map_err(bad)
}

/// A body that may be as long as a file that is imported. Only for handlers that have an admin.
async fn read_long<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    read_json_up_to(body, IMPORT_BYTES_MAX).await
}

/// Sends one command after the other.
async fn send_all(admin: &AdminSigner, commands: Vec<Command>) -> Result<api::CommandResult, Problem> {
    let (mut done, all) = (0, commands.len());
    let mut result = api::CommandResult {
        format: api::FORMAT,
        done: true,
        refusal: None,
        code: None,
        epoch: None,
        durability_single: false,
    };
    for command in commands {
        result = match admin.send(&command).await {
            Ok(result) => result,
            Err(mut problem) => {
                if done > 0 {
                    problem.0.detail.push_str(&format!("; {done} of {all} parts were done before"));
                }
                return Err(problem);
            }
        };
        done += 1;
    }
    Ok(result)
}
