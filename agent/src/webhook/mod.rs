//! `seatkeeper agent --webhook`: posts what somebody should know to a URL, signed.
//!
//! The agents that are told to do it do it, each for itself; nobody else. What is in the books is followed by its number,
//! which is written down once it was taken: a restart repeats one event at most, and loses none as long as the books
//! have it. Repeats have the same id.
//!
//! | module | holds |
//! |---|---|
//! | `post` | one request |

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::api::{self, WebhookEvent};
use seatkeeper_protocol::wire::Query;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::middle::webhook::{GIVE_UP_AFTER, Reach, Teller, pause, signature};
use crate::node::Node;
use crate::platform::clock::SystemClock;

mod post;

pub use post::{Target, TargetError};

/// Events that wait for the receiver. While it is full, the books are not followed: they keep the last 10,000 records.
const WAITING_MAX: usize = 256;
/// Whether the site is in reach.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Licenses end by the day.
const LICENSES_EVERY: Duration = Duration::from_secs(60 * 60);
/// After an answer that did not come.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The record of what was told.
const RECORD: &str = "webhook";

/// An event on its way, and its number in the books.
type Told = (WebhookEvent, Option<u64>);

/// What was told before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    /// Id and generation: another site has other events.
    site: String,
    /// The last event of the books that was looked at.
    seq: Option<u64>,
    /// Licenses of which it was said that they end soon.
    licenses: BTreeSet<String>,
}

/// Tells `target` until `stop`.
pub async fn run(node: Node, target: Target, stop: CancellationToken) {
    let (waiting, queue) = mpsc::channel(WAITING_MAX);
    let before = Arc::new(Memory::read(&node));
    let tell = async {
        tokio::join!(
            follow(&node, &before, &waiting),
            watch_licenses(&node, &before, &waiting),
            watch_reach(&node, &waiting),
            deliver(&target, &before, queue),
        );
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tell => {}
    }
}

/// [`Before`], here and on disk.
struct Memory {
    node: Node,
    before: Mutex<Before>,
}

impl Memory {
    fn read(node: &Node) -> Self {
        let before = node.disk().read_record(RECORD).unwrap_or_else(|error| {
            tracing::warn!(%error, "what the webhook was told before is not known: it begins with what is new");
            None
        });
        Self { node: node.clone(), before: Mutex::new(before.unwrap_or_default()) }
    }

    fn of_site(&self, site: &api::Site) -> Before {
        let site = format!("{} {}", site.id, site.generation);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.site != site {
            *before = Before { site, ..Before::default() };
        }
        before.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Before)) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let old = before.clone();
        change(&mut before);
        if *before == old {
            return;
        }
        if let Err(error) = self.node.disk().write_record(RECORD, &*before) {
            tracing::warn!(%error, "what the webhook was told is not written down: a restart may repeat it");
        }
    }
}

async fn teller(node: &Node) -> Teller {
    loop {
        let status = node.status().await;
        if let (Some(site), Some(me)) = (status.site, status.me) {
            return Teller { site, machine: api::Holder { id: me.id, name: me.name } };
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Denials and ended licenses, out of the site's events.
async fn follow(node: &Node, memory: &Memory, waiting: &mpsc::Sender<Told>) {
    loop {
        let teller = teller(node).await;
        let mut after = memory.of_site(&teller.site).seq;
        while node.site().is_some_and(|site| site.id == teller.site.id) {
            let page = node.query(Query::Events { after }).await.ok();
            let Some(page) = page.and_then(|json| serde_json::from_slice::<api::Events>(&json).ok()) else {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            };
            let Some(last) = page.events.last().map(|event| event.seq) else { continue };
            if after.is_none() {
                // What happened before the webhook was set up is nobody's news.
                memory.change(|before| before.seq = Some(last));
            } else {
                for event in &page.events {
                    if let Some(told) = teller.happened(event)
                        && waiting.send((told, Some(event.seq))).await.is_err()
                    {
                        return;
                    }
                }
            }
            after = Some(last);
        }
    }
}

async fn watch_licenses(node: &Node, memory: &Memory, waiting: &mpsc::Sender<Told>) {
    loop {
        let teller = teller(node).await;
        let Ok(json) = node.query(Query::Licenses).await else {
            tokio::time::sleep(AGAIN_AFTER).await;
            continue;
        };
        if let Ok(licenses) = serde_json::from_slice::<api::Licenses>(&json) {
            let mut told = memory.of_site(&teller.site).licenses;
            for event in teller.ending(&licenses.licenses, SystemClock.wall(), &mut told) {
                if waiting.send((event, None)).await.is_err() {
                    return;
                }
            }
            memory.change(|before| before.licenses = told);
        }
        tokio::time::sleep(LICENSES_EVERY).await;
    }
}

async fn watch_reach(node: &Node, waiting: &mpsc::Sender<Told>) {
    let mut reach = Reach::default();
    loop {
        let status = node.status().await;
        if let (Some(site), Some(me)) = (status.site, status.me)
            && let Some(lost) = reach.look(status.holder.is_some())
        {
            let teller = Teller { site, machine: api::Holder { id: me.id, name: me.name } };
            // A receiver that takes nothing is no reason to look less.
            if waiting.try_send((teller.reach(lost, SystemClock.wall()), None)).is_err() {
                tracing::warn!(lost, "the webhook takes nothing; this is not told");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One after the other, in order.
async fn deliver(target: &Target, memory: &Memory, mut queue: mpsc::Receiver<Told>) {
    while let Some((event, seq)) = queue.recv().await {
        let Ok(body) = serde_json::to_vec(&event) else { continue };
        let begun = Instant::now();
        let mut failures = 0;
        loop {
            // Each try is signed anew: receivers refuse what is old.
            let signed = signature(target.secret(), SystemClock.wall(), &body);
            match target.post(&event.id, &signed, &body).await {
                Ok(()) => break,
                Err(why) if begun.elapsed() >= GIVE_UP_AFTER => {
                    tracing::error!(%why, event = %event.id, "the webhook did not take an event; it is given up");
                    break;
                }
                Err(why) => {
                    failures += 1;
                    let again = pause(failures);
                    tracing::warn!(%why, event = %event.id, again_s = again.as_secs(), "the webhook did not take an event");
                    tokio::time::sleep(again).await;
                }
            }
        }
        if let Some(seq) = seq {
            memory.change(|before| before.seq = before.seq.max(Some(seq)));
        }
    }
}
