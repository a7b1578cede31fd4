//! How the site and this machine are.

use std::time::Duration;

use seatkeeper_protocol::api;
use seatkeeper_protocol::roster::Role;
use seatkeeper_protocol::wire::Query;

use super::{Inner, Node, answers};

/// How long a query waits for the holder before the answer comes without it.
const STATUS_WITHIN: Duration = Duration::from_millis(1_500);

impl Node {
    /// What this machine knows and what the holder says.
    pub async fn status(&self) -> api::Status {
        self.inner.status().await.0
    }

    /// What this device is, as it knows itself.
    pub fn me(&self) -> api::Me {
        self.inner.me()
    }
}

impl Inner {
    /// What this machine knows and what the holder says; why that one says nothing.
    pub(super) async fn status(self: &std::sync::Arc<Self>) -> (api::Status, Result<(), String>) {
        let asked = match self.site() {
            Some(_) => self.query(Query::Status, STATUS_WITHIN).await.map_err(|error| error.to_string()),
            None => Err("this machine belongs to no site".to_owned()),
        };
        let told: Result<api::Status, String> =
            asked.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()));
        let (mut status, answered) = match told {
            Ok(status) => (status, Ok(())),
            Err(reason) => (self.status_alone(), Err(reason)),
        };
        status.me = Some(self.me());
        status.health.extend(self.own_health().iter().map(|condition| condition.health()));
        (status, answered)
    }

    fn me(&self) -> api::Me {
        let role = match self.site() {
            None if self.waiting_site_id().is_some() => "waiting",
            None => "none",
            Some(_) if self.duty().is_some() => "holder",
            Some(site) => match self.log() {
                Some(log) => {
                    let status = log.engine.status();
                    let voter = status.borrow().member_on(self.device).is_some_and(|member| member.voter);
                    if voter { "voter" } else { "standby" }
                }
                None => {
                    site.role(&self.device).filter(|role| *role == Role::Spare).map_or("spare", Role::as_str)
                }
            },
        };
        api::Me { id: self.device.to_string(), name: self.config.name.to_string(), role: role.to_owned() }
    }

    /// Status when the holder does not answer.
    fn status_alone(&self) -> api::Status {
        let site = self.site();
        let quorum = self.log().map(|log| answers::quorum(&log.engine.status().borrow()));
        let enrolled =
            site.as_ref().and_then(|site| site.roster.as_ref()).map(|open| open.roster.devices.len());
        api::Status {
            format: api::FORMAT,
            site: site.as_ref().map(|site| site.api()),
            me: None,
            holder: None,
            quorum: quorum.map(|quorum| api::Quorum { ok: false, ..quorum }),
            devices: enrolled.map(|enrolled| api::DeviceCount {
                enrolled: u32::try_from(enrolled).unwrap_or(u32::MAX),
                online: 1,
            }),
            pools: Vec::new(),
            health: if site.is_some() { vec![self.quorum_trouble().health()] } else { Vec::new() },
        }
    }
}
