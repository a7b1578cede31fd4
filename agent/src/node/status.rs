//! How the site and this machine are, as this machine knows it.

use std::time::Duration;

use seatkeeper_protocol::api;
use seatkeeper_protocol::roster::Role;
use seatkeeper_protocol::wire::Query;

use super::{Inner, Node, answers, lock};
use crate::middle::health::Condition;

/// How long a query waits for the holder before the answer comes without it.
const STATUS_WITHIN: Duration = Duration::from_millis(1_500);

impl Node {
    /// What this machine knows and what the holder says.
    pub async fn status(&self) -> api::Status {
        let inner = &self.inner;
        let asked = match inner.site() {
            Some(_) => inner.query(Query::Status, STATUS_WITHIN).await.ok(),
            None => None,
        };
        let told: Option<api::Status> = asked.and_then(|json| serde_json::from_slice(&json).ok());
        let mut status = told.unwrap_or_else(|| inner.status_alone());
        status.me = Some(inner.me());
        inner.own_health(&mut status.health);
        status
    }
}

impl Inner {
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
            health: if site.is_some() { vec![Condition::NoHolder.health()] } else { Vec::new() },
        }
    }

    fn own_health(&self, health: &mut Vec<api::Health>) {
        if self.site().is_none() {
            let waiting = self.waiting_site.borrow().clone();
            health.push(match waiting {
                Some(site) => Condition::Waiting { site }.health(),
                None => Condition::NoSite.health(),
            });
        }
        if let Some(reason) = lock(&self.turned).clone() {
            health.push(Condition::Turned { reason }.health());
        }
        if let Some(reason) = lock(&self.log_failure).clone() {
            health.push(Condition::LogFailed { reason }.health());
        }
        self.audit_health(health);
        self.borrow_health(health);
    }
}
