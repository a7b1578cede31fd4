//! Whether the seats here are used: programs, their screens and the operating system say it, pings pass it on; and what
//! programs hear of somebody who asks for an idle one.

use std::sync::Arc;
use std::time::Duration;

use seatkeeper_protocol::api::{IdleSource, SeatEvent};
use seatkeeper_protocol::id::Name;
use seatkeeper_protocol::limits::ASK_EVERY_MS;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{Ping, SeatWish};

use super::proof::find;
use super::{SeatKey, Seats, State};
use crate::node::{Inner, Node};

/// How long the operating system may take to say for how long a user was idle.
const SYSTEM_WITHIN: Duration = Duration::from_secs(5);

impl Node {
    /// A program of `user`'s, or its screen, says for how long it has had no input. Whether it has such a seat here.
    pub fn says_idle(&self, user: &Name, key: SeatKey, source: IdleSource, idle: Duration) -> bool {
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let now = self.inner.clock.mono();
        let mut state = self.inner.seats.state();
        let Some(session) = find(&state.holds, user, key).map(|hold| hold.basis.session) else {
            return false;
        };
        match source {
            IdleSource::Application => state.idle.application_said(session, idle_ms, now),
            IdleSource::Display => state.idle.display_said(session, idle_ms, now),
        }
        true
    }
}

impl Inner {
    /// The ping to send now.
    pub(crate) fn ping(self: &Arc<Self>, now: BootTime) -> Ping {
        let mut state = self.seats.state();
        let mut ping = state.sessions.ping(now, self.clock.wall());
        let State { idle, holds, sessions, .. } = &mut *state;
        let online = || holds.iter().filter(|(session, _)| sessions.held(session).is_some());
        let users = || online().map(|(session, hold)| (session, &hold.basis.user));
        let due = idle.to_ask(users(), now);
        let known = users().filter_map(|(session, user)| Some((*session, idle.minutes(session, user, now)?)));
        ping.idle = known.collect();
        drop(state);
        for user in due {
            self.ask_system(user);
        }
        ping
    }

    fn ask_system(self: &Arc<Self>, user: Name) {
        let Some(system) = self.world.users() else { return };
        let inner = self.clone();
        self.tasks.spawn(async move {
            let idle = tokio::select! {
                () = inner.stop.cancelled() => return,
                idle = tokio::time::timeout(SYSTEM_WITHIN, system.idle(&user)) => idle.ok().flatten(),
            };
            let idle_ms = idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
            let now = inner.clock.mono();
            inner.seats.state().idle.system_said(user, idle_ms, now);
        });
    }
}

impl Seats {
    /// Somebody asks for seats here: their programs are told once in a while.
    pub(super) fn asked(&self, wishes: &[SeatWish], now: BootTime) {
        let mut state = self.state();
        state.asked.retain(|_, told| now.ms_since(*told) < ASK_EVERY_MS);
        for wish in wishes {
            if state.asked.contains_key(&wish.seat) {
                continue;
            }
            let event = SeatEvent::Asked {
                user: wish.user.to_string(),
                device: wish.device.to_string(),
                device_name: wish.device_name.to_string(),
                waiting: wish.waiting,
                message: wish.note.as_ref().map(ToString::to_string),
            };
            let on_seat =
                state.holds.values().filter(|hold| hold.is_on(wish.seat) && hold.borrowed.is_none());
            let events = on_seat.filter_map(|hold| hold.connection.as_ref());
            // Whoever does not read now may at the next pong.
            let told = events.filter(|(_, events)| events.try_send(event.clone()).is_ok()).count();
            if told > 0 {
                state.asked.insert(wish.seat, now);
            }
        }
    }
}
