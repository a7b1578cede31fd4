//! Commands that an admin has signed.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/commands`: a ledger command signed by an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedCommand {
    /// The admin.
    pub admin: String,
    /// Request epoch.
    pub epoch: u64,
    /// Request counter.
    pub counter: u64,
    /// Postcard of the ledger's command, base64.
    pub command: String,
    /// Signature, base64.
    pub signature: String,
}

/// Answers [`SignedCommand`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CommandResult {
    /// 1.
    pub format: u32,
    /// Whether it was done; else `refusal` says why not.
    pub done: bool,
    /// One sentence.
    pub refusal: Option<String>,
    /// A stable code: `not-permitted`, `not-found`, `conflict`, `invalid`, `limit`, `stale`.
    pub code: Option<String>,
    /// For `stale`: the admin's current epoch in the ledger.
    pub epoch: Option<u64>,
    /// `true`: no second machine has it on disk yet.
    pub durability_single: bool,
}
