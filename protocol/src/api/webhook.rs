//! What an agent posts to a webhook. `protocol/WEBHOOK.md` tells receivers how to verify it.

use serde::{Deserialize, Serialize};

use super::{Holder, Site};

/// Something that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// 1.
    pub format: u32,
    /// The same for the same event, whoever tells it and however often.
    pub id: String,
    /// `denied`, `license-ends-soon`, `license-ended`, `quorum-lost`, `quorum-regained`.
    pub kind: String,
    /// When, RFC 3339.
    pub time: Option<String>,
    /// One sentence.
    pub text: String,
    /// The site.
    pub site: Site,
    /// The machine that tells.
    pub told_by: Holder,
    /// Product, where it concerns one.
    pub product: Option<String>,
    /// User, where it concerns one.
    pub user: Option<String>,
    /// Device id, where it concerns one.
    pub device: Option<String>,
    /// License id, where it concerns one.
    pub license: Option<String>,
    /// Of `denied`, the rule that refused: `no-seat`, `queue`, `not-licensed`, `limit`.
    pub code: Option<String>,
    /// Of `license-ends-soon`, when it ends, RFC 3339.
    pub ends: Option<String>,
}
