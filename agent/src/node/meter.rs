//! What is counted and measured on this machine, and what the holder says for `GET /metrics`.
//!
//! Nothing is asked of anybody between scrapes.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seatkeeper_protocol::api;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::license::Date;
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::Query;
use tokio::time::Instant;

use super::{Inner, Node, SeatError, lock};
use crate::middle::metrics::{Denials, Durations, LicenseEnd, LogSizes, Measured};

/// A scrape that takes longer than Prometheus' ten seconds counts as down.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// Licenses come with their texts, and change rarely.
const LICENSES_EVERY: Duration = Duration::from_secs(300);
/// Pages of events read in one scrape; the rest is for the next.
const PAGES_MAX: usize = 10;

/// What this agent counts.
#[derive(Debug)]
pub(super) struct Meter {
    started: WallTime,
    /// The newest term that somebody holds, and how many there were.
    term: AtomicU64,
    elections: AtomicU64,
    checkouts: Mutex<Durations>,
    /// Whom this device has dialed and reaches.
    linked: Mutex<BTreeSet<DeviceId>>,
    /// What is kept from scrape to scrape; one at a time.
    told: tokio::sync::Mutex<Told>,
}

/// What the holder told.
#[derive(Debug, Default)]
struct Told {
    /// Another site has other events and licenses.
    site: Option<String>,
    denials: Denials,
    licenses: Option<(Instant, Vec<LicenseEnd>)>,
}

impl Meter {
    pub(super) fn new(started: WallTime) -> Self {
        Self {
            started,
            term: AtomicU64::new(0),
            elections: AtomicU64::new(0),
            checkouts: Mutex::default(),
            linked: Mutex::default(),
            told: tokio::sync::Mutex::default(),
        }
    }

    /// Somebody holds this term.
    pub(super) fn holds(&self, term: u64) {
        if self.term.fetch_max(term, Ordering::Relaxed) < term {
            self.elections.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn linked(&self, up: BTreeSet<DeviceId>) {
        *lock(&self.linked) = up;
    }

    /// Times a checkout until it is answered, granted or not.
    pub(super) async fn checkout<T>(
        &self,
        asking: impl Future<Output = Result<T, SeatError>>,
    ) -> Result<T, SeatError> {
        let begun = Instant::now();
        let answered = asking.await;
        let mut checkouts = lock(&self.checkouts);
        match &answered {
            Ok(_) | Err(SeatError::NoSeat(..) | SeatError::Refused(_)) => checkouts.observe(begun.elapsed()),
            Err(SeatError::Node(_)) => checkouts.failed = checkouts.failed.saturating_add(1),
        }
        answered
    }
}

impl Node {
    /// What there is to measure, of this machine and, as far as the holder answers, of the site.
    pub async fn measure(&self) -> Measured {
        let inner = &self.inner;
        let status = self.status().await;
        let (denials, licenses) = inner.told(&status).await;
        let log = inner.log();
        let sizes = log.as_ref().map(|log| {
            let (entries, snapshot_bytes) = log.engine.sizes();
            let engine = log.engine.status();
            let engine = engine.borrow();
            LogSizes {
                entries,
                snapshot_bytes,
                bytes: inner.disk.log_bytes(log.node),
                last: engine.last_log,
                applied: engine.last_applied,
            }
        });
        let mut peers: BTreeSet<DeviceId> = inner.streams().keys().copied().collect();
        peers.extend(lock(&inner.meter.linked).iter());
        peers.remove(&inner.device);
        Measured {
            version: env!("CARGO_PKG_VERSION"),
            started_ms: inner.meter.started.0,
            term: inner.known().term,
            elections: inner.meter.elections.load(Ordering::Relaxed),
            peers: peers.len(),
            clock_ahead_ms: inner.clock_off_ms(),
            log: sizes,
            checkouts: lock(&inner.meter.checkouts).clone(),
            denials,
            licenses,
            status,
        }
    }
}

impl Inner {
    /// Denials counted until now, and when licenses end.
    async fn told(self: &Arc<Self>, status: &api::Status) -> (Denials, Vec<LicenseEnd>) {
        let mut told = self.meter.told.lock().await;
        let site = status.site.as_ref().map(|site| format!("{} {}", site.id, site.generation));
        if told.site != site {
            *told = Told { site, ..Told::default() };
        }
        // Without a holder nobody can say more than is known.
        if status.holder.is_some() {
            self.count_denials(&mut told.denials).await;
            if told.licenses.as_ref().is_none_or(|(at, _)| at.elapsed() > LICENSES_EVERY)
                && let Ok(json) = self.query(Query::Licenses, ASK_WITHIN).await
                && let Ok(licenses) = serde_json::from_slice::<api::Licenses>(&json)
            {
                told.licenses = Some((Instant::now(), ends(&licenses)));
            }
        }
        let licenses = told.licenses.as_ref().map(|(_, ends)| ends.clone());
        (told.denials.clone(), licenses.unwrap_or_default())
    }

    async fn count_denials(self: &Arc<Self>, denials: &mut Denials) {
        for _ in 0..PAGES_MAX {
            let Ok(json) = self.query(Query::Events { after: denials.after() }, ASK_WITHIN).await else {
                return;
            };
            let Ok(page) = serde_json::from_slice::<api::Events>(&json) else { return };
            if !denials.take(&page.events) {
                return;
            }
        }
    }
}

/// Of the licenses in force that end.
fn ends(licenses: &api::Licenses) -> Vec<LicenseEnd> {
    let active = licenses.licenses.iter().filter(|license| license.state == "active");
    active
        .filter_map(|license| {
            let ends = Date::read(license.valid_until.as_deref()?)?.ends();
            Some(LicenseEnd {
                product: license.product.clone(),
                license: license.id.clone(),
                ends_ms: ends.0,
            })
        })
        .collect()
}
