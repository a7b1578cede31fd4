//! Return, expire, release: how sessions and seats end.

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{DeviceId, Name, SeatId, SessionId};

use crate::command::{Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment};
use crate::records::{Happening, Who};
use crate::state::SeatRecord;

impl Ledger {
    /// Gives a session's seat back (invariants I4, I8).
    pub(crate) fn give_back(
        &mut self,
        moment: Moment,
        device: DeviceId,
        id: SessionId,
        attach: Option<u32>,
    ) -> Answer {
        if let Some(session) = self.state.sessions.get(&id) {
            let other =
                attach.is_some_and(|attach| attach != session.attach) && !planted(Fault::ReturnAnyAttach);
            if session.device != device || other {
                return Err(Refusal::Superseded);
            }
            let ended = self.end_session(id)?;
            self.record(moment, ended.returned());
        } else if let Some(waiting) = self.state.waiting.get(&id) {
            if waiting.device != device || attach.is_some_and(|attach| attach != waiting.attach) {
                return Err(Refusal::Superseded);
            }
            self.left_queue(moment, id, false);
        }
        self.state.tombstones.add(device, id);
        Ok(Outcome::Done)
    }

    /// Ends a session that the holder did not hear of for its ttl.
    pub(crate) fn expire(&mut self, moment: Moment, id: SessionId, attach: u32) -> Answer {
        if let Some(waiting) = self.state.waiting.get(&id) {
            if waiting.attach != attach {
                return Err(Refusal::Superseded);
            }
            self.left_queue(moment, id, true);
            return Ok(Outcome::Done);
        }
        let Some(session) = self.state.sessions.get(&id) else {
            return Err(Refusal::NotFound("session".into()));
        };
        if session.attach != attach && !planted(Fault::ExpireAnyAttach) {
            return Err(Refusal::Superseded);
        }
        let device = session.device;
        let ended = self.end_session(id)?;
        // An expired session may come back and take a seat again, a released one may not.
        if ended.seat.released_by.is_some() {
            self.state.tombstones.add(device, id);
        }
        self.record(moment, ended.expired());
        Ok(Outcome::Done)
    }

    /// Takes a seat away from all its sessions: the next pong tells them. It is free when they return or expire.
    pub(crate) fn release_seat(&mut self, moment: Moment, by: &Name, id: SeatId) -> Answer {
        let Some(seat) = self.state.seats.get_mut(&id) else {
            return Err(Refusal::NotFound(format!("seat {id}")));
        };
        if seat.released_by.is_some() {
            return Ok(Outcome::Done);
        }
        if let Some(pool) = self.by.pools.get_mut(&seat.product) {
            pool.stop_sharing(id, seat);
        }
        seat.released_by = Some(by.clone());
        let (user, device, product) = (seat.user.clone(), seat.device, seat.product.clone());
        self.need_changed(id);
        let who = self.who(&user, device);
        self.record(moment, Happening::Released { seat: id, who, product, by: by.clone() });
        Ok(Outcome::Done)
    }

    /// Ends all sessions of a device that says so itself.
    pub(crate) fn end_sessions_of(&mut self, moment: Moment, device: DeviceId) -> Result<(), Refusal> {
        let own: Vec<SessionId> =
            self.by.sessions_of_device.get(&device).into_iter().flatten().copied().collect();
        if let Some(lost) = own.iter().find(|id| !self.has_seat(id)) {
            return Err(Refusal::Bug(format!("the session {lost} has no seat")));
        }
        for id in own {
            let ended = self.end_session(id)?;
            self.record(moment, ended.returned());
        }
        self.end_waiting_of(moment, device);
        Ok(())
    }

    fn has_seat(&self, id: &SessionId) -> bool {
        self.state.sessions.get(id).is_some_and(|session| self.state.seats.contains_key(&session.seat))
    }

    /// Takes a session out of the books, its seat with the last one, and a removed license with its last seat.
    fn end_session(&mut self, id: SessionId) -> Result<EndedSession, Refusal> {
        if !self.has_seat(&id) {
            return Err(Refusal::Bug(format!("the session {id} has no seat")));
        }
        let lost = || Refusal::Bug(format!("the session {id} is not there"));
        let session = self.state.sessions.remove(&id).ok_or_else(lost)?;
        self.by.remove_session(id, &session);
        let seat = self.state.seats.get_mut(&session.seat).ok_or_else(lost)?;
        seat.sessions.remove(&id);
        let borrowed = seat.borrow.is_some();
        let users = seat.sessions.iter().filter_map(|other| self.state.sessions.get(other));
        // Who shows as the seat's user is somebody who uses it. The sharing key stays: what of user and device may
        // differ between sessions of one seat is not part of it.
        let any_version = users.clone().any(|other| other.asked_version.is_none());
        if let Some(longest) = users.min_by_key(|other| (other.since, other.attach)).filter(|_| !borrowed) {
            seat.user = longest.user.clone();
            seat.device = longest.device;
            // Who named no version was granted the seat's, which then stays.
            if let Some(version) = longest.asked_version.clone().filter(|_| !any_version) {
                seat.version = version;
            }
            seat.features.clone_from(&longest.features);
        }
        let seat = seat.clone();
        let free = self.free_if_unused(session.seat, &seat);
        let who = self.who(&session.user, session.device);
        Ok(EndedSession { id: session.seat, seat, who, free })
    }

    /// Takes a seat out of the books that nobody uses and nobody has borrowed. Whether it did.
    pub(crate) fn free_if_unused(&mut self, id: SeatId, seat: &SeatRecord) -> bool {
        let free = seat.sessions.is_empty() && seat.borrow.is_none();
        if free {
            if let Some(pool) = self.by.pools.get_mut(&seat.product) {
                pool.remove_seat(id, seat);
            }
            self.state.seats.remove(&id);
            self.forget_removed(&seat.license);
        } else {
            self.need_changed(id);
        }
        free
    }
}

/// A session that was taken out of the books.
struct EndedSession {
    id: SeatId,
    seat: SeatRecord,
    who: Who,
    free: bool,
}

impl EndedSession {
    fn returned(&self) -> Happening {
        let Self { id, seat, who, free } = self;
        Happening::Returned { seat: *id, who: who.clone(), product: seat.product.clone(), free: *free }
    }

    fn expired(&self) -> Happening {
        let Self { id, seat, who, free } = self;
        Happening::Expired { seat: *id, who: who.clone(), product: seat.product.clone(), free: *free }
    }
}
