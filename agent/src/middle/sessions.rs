//! The device's side of seat sessions (invariants I6, I7, I8).
//!
//! Order of calls: [`Sessions::granted`] when a checkout was answered; [`Sessions::ping`] whenever one is sent and
//! [`Sessions::pong`] when it is answered; [`Sessions::overdue`] at [`Sessions::next_deadline`];
//! [`Sessions::released`] when the session is given back. A session that waits for a seat is known by
//! [`Sessions::waits`] until it is granted or [`Sessions::waits_no_more`].

use std::collections::{BTreeMap, VecDeque};

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::SessionId;
use seatkeeper_protocol::time::{BootTime, WallTime, device_deadline_ms};
use seatkeeper_protocol::wire::{Ping, Pong};

/// Pings remembered until their pong; older ones count as never answered.
const PINGS_IN_FLIGHT_MAX: usize = 32;

/// One session that uses a seat on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The attach that pings and the return name.
    pub attach: u32,
    /// The seat's ttl, milliseconds.
    pub ttl_ms: u64,
    /// When this device stops using the seat unless an answer comes: sending time of the last answered message
    /// plus `ttl − (2 s + 1 %)`.
    pub deadline: BootTime,
}

/// What a pong took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Sessions that lost their seat; they are no longer held.
    pub seats: Vec<SessionId>,
    /// Sessions that lost their place in the queue: they may ask for another.
    pub places: Vec<SessionId>,
}

/// All sessions that use seats on this device, or wait for one.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    held: BTreeMap<SessionId, Held>,
    /// Those that wait, with the attach of their place.
    waiting: BTreeMap<SessionId, u32>,
    in_flight: VecDeque<(BootTime, Ping)>,
    pings: u64,
}

impl Sessions {
    /// A checkout or resume that was sent at `sent` has been answered with a grant.
    pub fn granted(&mut self, session: SessionId, attach: u32, ttl_ms: u64, sent: BootTime) -> BootTime {
        let deadline = sent.plus_ms(device_deadline_ms(ttl_ms));
        if let Some(newer) = self.held.get(&session).filter(|held| held.attach > attach) {
            return newer.deadline;
        }
        self.waiting.remove(&session);
        self.held.insert(session, Held { attach, ttl_ms, deadline });
        deadline
    }

    /// The session has a place in the queue under this attach.
    pub fn waits(&mut self, session: SessionId, attach: u32) {
        self.waiting.insert(session, attach);
    }

    /// The session waits no longer.
    pub fn waits_no_more(&mut self, session: &SessionId) {
        self.waiting.remove(session);
    }

    /// The attach of the session's place in the queue, if it waits.
    pub fn waiting(&self, session: &SessionId) -> Option<u32> {
        self.waiting.get(session).copied()
    }

    /// The session is no longer used here.
    pub fn released(&mut self, session: &SessionId) -> Option<Held> {
        self.held.remove(session)
    }

    /// The session, if it is used here.
    pub fn held(&self, session: &SessionId) -> Option<&Held> {
        self.held.get(session)
    }

    /// The number of the last ping.
    pub fn pings(&self) -> u64 {
        self.pings
    }

    /// Whether no session is used here.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The ping to send now, when this device's clock says `clock`.
    pub fn ping(&mut self, now: BootTime, clock: WallTime) -> Ping {
        self.pings += 1;
        let held = self.held.iter().map(|(id, held)| (*id, held.attach));
        let sessions = held.chain(self.waiting.iter().map(|(id, attach)| (*id, *attach))).collect();
        let ping = Ping { number: self.pings, sessions, idle: Vec::new(), clock };
        if self.in_flight.len() == PINGS_IN_FLIGHT_MAX {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back((now, ping.clone()));
        ping
    }

    /// A ping was answered, and the answer `received` now. Returns the sessions that lost their seat or place.
    ///
    /// Live sessions are extended from the *sending* of that ping. A session attached anew since the ping was sent
    /// is left alone: the pong speaks of its older attach.
    pub fn pong(&mut self, pong: &Pong, received: BootTime) -> Gone {
        let mut gone = Gone::default();
        let Some(at) = self.in_flight.iter().position(|(_, ping)| ping.number == pong.number) else {
            return gone;
        };
        let Some((sent, ping)) = self.in_flight.remove(at) else { return gone };
        let sent = if planted(Fault::DeadlineFromReceiving) { received } else { sent };
        // Earlier pings may still be answered; their answers extend less and are harmless.
        for (session, attach) in ping.sessions {
            if self.waiting.get(&session) == Some(&attach) && !pong.live.contains(&session) {
                gone.places.push(session);
            }
            let Some(held) = self.held.get_mut(&session).filter(|held| held.attach == attach) else {
                continue;
            };
            if pong.live.contains(&session) {
                held.deadline = held.deadline.max(sent.plus_ms(device_deadline_ms(held.ttl_ms)));
            } else {
                self.held.remove(&session);
                gone.seats.push(session);
            }
        }
        gone
    }

    /// The sessions whose deadline has passed; they are no longer held and must not be used any more.
    pub fn overdue(&mut self, now: BootTime) -> Vec<(SessionId, Held)> {
        let overdue: Vec<SessionId> =
            self.held.iter().filter(|(_, held)| held.deadline <= now).map(|(id, _)| *id).collect();
        overdue.into_iter().filter_map(|id| self.held.remove(&id).map(|held| (id, held))).collect()
    }

    /// When [`Sessions::overdue`] is due next.
    pub fn next_deadline(&self) -> Option<BootTime> {
        self.held.values().map(|held| held.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SessionId = SessionId([1; 16]);
    const TTL: u64 = 90_000;

    fn at(ms: u64) -> BootTime {
        BootTime(ms)
    }

    fn pong_of(number: u64, live: Vec<SessionId>) -> Pong {
        let time = seatkeeper_protocol::time::WallTime(0);
        let (released, queue, borrows) = (Vec::new(), Vec::new(), Vec::new());
        Pong {
            number,
            term: 1,
            live,
            released,
            queue,
            time,
            borrows,
            lost: false,
            asked: Vec::new(),
            survey: None,
        }
    }

    fn lost(seats: &[SessionId]) -> Gone {
        Gone { seats: seats.to_vec(), places: Vec::new() }
    }

    fn held() -> Sessions {
        let mut sessions = Sessions::default();
        sessions.granted(S, 1, TTL, at(0));
        sessions
    }

    #[test]
    fn a_pong_extends_from_the_sending_of_its_ping() {
        let mut sessions = held();
        let ping = sessions.ping(at(5_000), WallTime(0));
        assert_eq!(sessions.pong(&pong_of(ping.number, vec![S]), at(99)), lost(&[]));
        assert_eq!(sessions.next_deadline(), Some(at(5_000 + device_deadline_ms(TTL))));
    }

    #[test]
    fn a_late_pong_of_an_early_ping_never_shortens_nor_counts_from_its_arrival() {
        let mut sessions = held();
        let early = sessions.ping(at(1_000), WallTime(0));
        let late = sessions.ping(at(9_000), WallTime(0));
        sessions.pong(&pong_of(late.number, vec![S]), at(99));
        sessions.pong(&pong_of(early.number, vec![S]), at(99));
        assert_eq!(sessions.next_deadline(), Some(at(9_000 + device_deadline_ms(TTL))));
    }

    #[test]
    fn a_session_that_the_pong_leaves_out_is_lost() {
        let mut sessions = held();
        let ping = sessions.ping(at(1), WallTime(0));
        assert_eq!(sessions.pong(&pong_of(ping.number, vec![]), at(99)), lost(&[S]));
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_pong_about_an_older_attach_is_not_believed() {
        let mut sessions = held();
        let ping = sessions.ping(at(1), WallTime(0));
        sessions.granted(S, 2, TTL, at(2));
        assert_eq!(sessions.pong(&pong_of(ping.number, vec![]), at(99)), lost(&[]));
        assert_eq!(sessions.held(&S).map(|h| h.attach), Some(2));
    }

    #[test]
    fn an_unknown_pong_extends_nothing() {
        let mut sessions = held();
        sessions.pong(&pong_of(77, vec![S]), at(99));
        assert_eq!(sessions.next_deadline(), Some(at(device_deadline_ms(TTL))));
    }

    #[test]
    fn without_an_answer_the_device_stops_before_the_ttl() {
        let mut sessions = held();
        assert!(sessions.overdue(at(device_deadline_ms(TTL) - 1)).is_empty());
        let overdue = sessions.overdue(at(device_deadline_ms(TTL)));
        assert_eq!(overdue.len(), 1);
        assert!(device_deadline_ms(TTL) < TTL);
        assert!(sessions.is_empty());
    }

    #[test]
    fn who_waits_is_pinged_for_and_hears_when_its_place_is_gone() {
        let mut sessions = held();
        let other = SessionId([2; 16]);
        sessions.waits(other, 7);
        let ping = sessions.ping(at(1), WallTime(0));
        assert_eq!(ping.sessions, vec![(S, 1), (other, 7)]);
        let gone = sessions.pong(&pong_of(ping.number, vec![S]), at(99));
        assert_eq!((gone.seats, gone.places), (vec![], vec![other]));
        // It asked anew meanwhile, or has its seat: the pong speaks of the older attach.
        for (attach, granted) in [(8, false), (9, true)] {
            let ping = sessions.ping(at(1), WallTime(0));
            if granted {
                sessions.granted(other, attach, TTL, at(2));
            } else {
                sessions.waits(other, attach);
            }
            assert_eq!(sessions.pong(&pong_of(ping.number, vec![S]), at(99)), lost(&[]));
        }
        assert_eq!((sessions.waiting(&other), sessions.held(&other).is_some()), (None, true));
    }
}
