//! The holder's side of waiting: it tells each device where its sessions stand and whose turn it is, and passes over
//! who is not heard of. Nothing is granted here: whose turn it is asks anew (invariant I7).

use std::collections::BTreeMap;
use std::sync::Arc;

use seatkeeper_ledger::Place;
use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::id::{DeviceId, SessionId};
use seatkeeper_protocol::limits::PASS_OVER_AFTER_MS;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::QueuePlace;

use super::Inner;
use super::duty::Duty;

/// Who waits, by device.
pub(crate) type Places = BTreeMap<DeviceId, Vec<QueuePlace>>;

/// Whose turn it is, under which attach and since when.
pub(crate) type Turns = BTreeMap<SessionId, (u32, BootTime)>;

/// Looks at the queue after the books changed: tells whom it concerns, and proposes to pass over who is silent.
pub(crate) fn look(inner: &Arc<Inner>, duty: &Arc<Duty>, now: BootTime, turns: &mut Turns) {
    let time = duty.time(inner);
    let queue = duty.log.books.read().queue(time);
    let mut places = Places::new();
    for place in &queue {
        let Place { session, device, attach, position, turn, passed } = *place;
        places.entry(device).or_default().push(QueuePlace { session, attach, position, ask: turn || passed });
    }
    inner.queue.send_if_modified(|known| {
        let changed = *known != places;
        *known = places;
        changed
    });
    let since = |place: &Place| {
        let known = turns.get(&place.session).filter(|(attach, _)| *attach == place.attach);
        known.map_or(now, |(_, since)| *since)
    };
    let told = queue.iter().filter(|place| place.turn).map(|place| {
        let turn = (place.attach, since(place));
        (place.session, turn)
    });
    *turns = told.collect();
    for place in queue.iter().filter(|place| !place.passed) {
        let Place { session, attach, .. } = *place;
        let silent = duty.leases().silent_ms(&session, attach, now) >= PASS_OVER_AFTER_MS;
        // Somebody who pings and never takes what he is offered must not keep others waiting either.
        let idle = turns.get(&session).is_some_and(|(_, since)| now.ms_since(*since) >= PASS_OVER_AFTER_MS);
        if (silent || idle) && duty.claim_expiry(session) {
            let (inner, duty) = (inner.clone(), duty.clone());
            tokio::spawn(async move {
                let outcome = duty.propose_own(&inner, Command::PassOver { session, attach }).await;
                tracing::info!(?session, ?outcome, "a silent session that waits was passed over");
                duty.expiry_done(session);
            });
        }
    }
}
