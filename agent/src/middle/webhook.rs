//! What a webhook is told: which events are worth it, when licenses are about to end, whether the site is in reach; and
//! the signature by which the receiver knows who tells it.

use std::collections::BTreeSet;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use seatkeeper_protocol::api::{self, WebhookEvent};
use seatkeeper_protocol::license::Date;
use seatkeeper_protocol::time::WallTime;
use sha2::Sha256;

/// The header that has the signature.
pub const SIGNATURE_HEADER: &str = "Seatkeeper-Signature";
/// The header that has the event's id, so that repeats can be dropped unread.
pub const ID_HEADER: &str = "Seatkeeper-Event-Id";
/// Days before a license's end at which it is told.
pub const SOON_DAYS: [i64; 3] = [30, 7, 1];
/// Of so many looks in a row without a holder, the site is out of reach: one may fall into an election.
const MISSES: u32 = 2;
/// A second after the first failure, then twice as long each time, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// An event that was not taken for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// `t=1767225600,v1=<hex>`: HMAC-SHA256 under the secret over the time, a full stop, and the body as it is sent.
pub fn signature(secret: &[u8], at: WallTime, body: &[u8]) -> String {
    let at_s = at.0.div_euclid(1_000);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.update(format!("{at_s}.").as_bytes());
    mac.update(body);
    format!("t={at_s},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// How long to wait after so many failures.
pub fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

/// Who tells of which site.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The site.
    pub site: api::Site,
    /// This machine.
    pub machine: api::Holder,
}

impl Teller {
    fn event(&self, id: &str, kind: &str, time: Option<String>, text: String) -> WebhookEvent {
        WebhookEvent {
            format: api::FORMAT,
            id: format!("{}:{}:{id}", self.site.id, self.site.generation),
            kind: kind.to_owned(),
            time,
            text,
            site: self.site.clone(),
            told_by: self.machine.clone(),
            product: None,
            user: None,
            device: None,
            license: None,
            code: None,
            ends: None,
        }
    }

    /// An event of the site, if it is worth telling.
    pub fn happened(&self, event: &api::Event) -> Option<WebhookEvent> {
        if !matches!(event.kind.as_str(), "denied" | "license-ended") {
            return None;
        }
        // Its number in the books: the same on every machine.
        let told = self.event(&event.seq.to_string(), &event.kind, event.time.clone(), event.text.clone());
        Some(WebhookEvent {
            product: event.product.clone(),
            user: event.user.clone(),
            device: event.device.clone(),
            code: event.code.clone(),
            ..told
        })
    }

    /// Licenses that end soon and of which that was not `told`. Of several days the last one is told, and the others are over.
    pub fn ending(
        &self,
        licenses: &[api::License],
        now: WallTime,
        told: &mut BTreeSet<String>,
    ) -> Vec<WebhookEvent> {
        let mut events = Vec::new();
        let mut of_these = BTreeSet::new();
        for license in licenses.iter().filter(|license| license.state == "active") {
            let Some(last) = license.valid_until.as_deref().and_then(Date::read) else { continue };
            let left_ms = last.ends().ms_since(now);
            let reached = SOON_DAYS.iter().filter(|days| left_ms > 0 && left_ms <= **days * DAY_MS);
            // A license that is replaced by another one of the same id has another end.
            let ids: Vec<String> = reached.map(|days| format!("{}:{last}:{days}", license.id)).collect();
            if let Some(newest) = ids.last().filter(|newest| !told.contains(*newest)) {
                let text = format!("license {} of {} ends on {last}", license.id, license.product);
                events.push(WebhookEvent {
                    product: Some(license.product.clone()),
                    license: Some(license.id.clone()),
                    ends: last.ends().rfc3339(),
                    ..self.event(newest, "license-ends-soon", now.rfc3339(), text)
                });
            }
            of_these.extend(ids);
        }
        // What is over is forgotten: there are never more than licenses.
        *told = of_these;
        events
    }

    /// The site is out of reach, or again within.
    pub fn reach(&self, lost: bool, now: WallTime) -> WebhookEvent {
        let name = &self.machine.name;
        let (kind, text) = match lost {
            true => {
                ("quorum-lost", format!("no machine of the site hands out seats, as far as {name} can tell"))
            }
            false => ("quorum-regained", format!("{name} is answered again: seats are handed out")),
        };
        self.event(&format!("{kind}:{}:{}", self.machine.id, now.0), kind, now.rfc3339(), text)
    }
}

/// Whether the site is in reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// Nothing can be lost that was never there.
    known: bool,
    lost: bool,
    misses: u32,
}

impl Reach {
    /// A look. `Some`: it was lost (`true`) or regained by that.
    pub fn look(&mut self, holder: bool) -> Option<bool> {
        if holder {
            let regained = std::mem::take(&mut self.lost);
            (self.known, self.misses) = (true, 0);
            return regained.then_some(false);
        }
        self.misses = self.misses.saturating_add(1);
        if !self.known || self.lost || self.misses < MISSES {
            return None;
        }
        self.lost = true;
        Some(true)
    }
}

#[cfg(test)]
mod tests;
