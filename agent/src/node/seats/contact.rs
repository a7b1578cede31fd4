//! What the site says of the seats here, and what its silence means.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatkeeper_protocol::api::SeatEvent;
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::SessionId;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{Pong, QueuePlace};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::overslept::SLEPT_MS;
use super::{LOOK_EVERY, Seats, UNREACHABLE_AFTER_MS};
use crate::node::Inner;

impl Seats {
    /// A pong: extends, or takes away.
    pub(crate) fn pong(&self, inner: &Arc<Inner>, pong: &Pong) {
        inner.settle_borrows(pong);
        self.heard.send_replace(pong.number);
        inner.survey.send_if_modified(|survey| std::mem::replace(survey, pong.survey) != pong.survey);
        let lost = {
            let mut state = self.state();
            let attaches: BTreeMap<SessionId, u32> = state
                .holds
                .keys()
                .filter_map(|id| state.sessions.held(id).map(|held| (*id, held.attach)))
                .collect();
            let gone = state.sessions.pong(pong, inner.clock.mono());
            // Who lost its place asks for another.
            gone.places.iter().for_each(|session| state.call(session, None));
            let lost = gone.seats;
            state.answered = Some(inner.clock.mono());
            if std::mem::take(&mut state.unreachable) {
                // Who overslept hears whether it has a seat again.
                state.tell_all(|session| {
                    let borrowed = state.holds.get(session).is_some_and(|hold| hold.borrowed.is_some());
                    (borrowed || state.sessions.held(session).is_some()).then_some(SeatEvent::Reachable)
                });
            }
            state.tell_all(|session| {
                let until_boot_ms = state.sessions.held(session)?.deadline.0;
                Some(SeatEvent::Alive { until_boot_ms })
            });
            lost.into_iter().map(|id| (id, attaches.get(&id).copied())).collect::<Vec<_>>()
        };
        for (session, attach) in lost {
            let by = pong.released.iter().find(|(released, _)| *released == session);
            match by {
                None if inner.goes_on_borrowed(&session) => {}
                // Whose seat an admin took is told so, and goes on with no other one by itself.
                Some((_, by)) => inner.lose(session, attach, &format!("the admin {by} took the seat back")),
                None => inner.lose(
                    session,
                    attach,
                    "the site took the seat back: it heard nothing from this machine for the seat's ttl",
                ),
            }
        }
        self.queue(&pong.queue);
        self.asked(&pong.asked, inner.clock.mono());
        self.changed.notify_one();
    }

    /// The numbers of pongs.
    pub(crate) fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Deadlines are to be looked at now.
    pub(crate) fn look(&self) {
        self.changed.notify_one();
    }

    /// Where this device's sessions stand in the queue: who may have a seat now asks anew.
    pub(crate) fn queue(&self, places: &[QueuePlace]) {
        let state = self.state();
        for place in
            places.iter().filter(|place| state.sessions.waiting(&place.session) == Some(place.attach))
        {
            state.call(&place.session, Some(place));
        }
    }
}

impl Inner {
    /// The seat is gone: the program is told. A process tree that can't be told now, since its wrapper is just connecting
    /// anew, may still be using the seat: the site gets it when the ttl is over, or when the wrapper has heard of it.
    pub(super) fn lose(self: &Arc<Self>, session: SessionId, attach: Option<u32>, reason: &str) {
        let hold = self.seats.state().holds.remove(&session);
        let mut told = true;
        if let Some(hold) = hold {
            tracing::warn!(seat = %hold.granted.seat, product = %hold.granted.product, reason, "seat lost");
            let lost = SeatEvent::Lost { reason: reason.to_owned() };
            let heard = hold.connection.is_some_and(|(_, events)| events.try_send(lost).is_ok());
            told = heard || hold.tree.is_none();
        }
        self.remember();
        if told {
            self.give_back(session, attach);
        }
    }

    /// Ends sessions at their deadline and says when the site is out of reach, until `stop`.
    pub(crate) async fn watch_deadlines(self: Arc<Self>, stop: CancellationToken) {
        let (began, began_at) = (tokio::time::Instant::now(), self.clock.mono());
        // While seats are held this looks each second: whoever has not looked for much longer has slept.
        let mut looked: Option<BootTime> = None;
        loop {
            let awake = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let suspend_not_counted = planted(Fault::SuspendNotCounted);
            let now = if suspend_not_counted { began_at.plus_ms(awake) } else { self.clock.mono() };
            let slept = looked.is_some_and(|looked| now.ms_since(looked) > SLEPT_MS);
            let overdue = self.seats.state().sessions.overdue(now);
            for (session, held) in overdue {
                if self.goes_on_borrowed(&session) {
                    continue;
                }
                if slept {
                    self.resume_overslept(session, held);
                    continue;
                }
                self.lose(
                    session,
                    Some(held.attach),
                    &format!(
                        "no contact to the site for {} s, so somebody else may get the seat",
                        held.ttl_ms / 1000
                    ),
                );
            }
            let idle = {
                let mut state = self.seats.state();
                let silent = state.answered.is_some_and(|at| now.ms_since(at) > UNREACHABLE_AFTER_MS);
                if silent && !state.unreachable && !state.holds.is_empty() {
                    state.unreachable = true;
                    let state = &*state;
                    state.tell_all(|session| {
                        let until_boot_ms = state.sessions.held(session)?.deadline.0;
                        Some(SeatEvent::Unreachable { until_boot_ms })
                    });
                }
                state.sessions.is_empty()
            };
            looked = (!idle).then_some(now);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.seats.changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY), if !idle => {}
            }
        }
    }
}
