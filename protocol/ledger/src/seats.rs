//! Checkout, resume, sharing, return, expire, release.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{DeviceId, Feature, Name, SeatId, SessionId, Version};
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{self, Assignment, Demand, NoFit, Piece};
use crate::command::{Checkout, Denial, Grant, Outcome, Refusal, SeatHolder};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::{Happening, Who};
use crate::state::{LicenseRecord, SESSIONS_MAX, SeatRecord, SessionRecord, ShareKey};

/// A checkout with its features in order, each once, and the attach it will get.
struct Start<'a> {
    device: DeviceId,
    want: &'a Checkout,
    features: Vec<Feature>,
    attach: u32,
}

impl Start<'_> {
    fn demand(&self) -> Demand<'_> {
        Demand { product: &self.want.product, version: self.want.version.as_ref(), features: &self.features }
    }

    fn version_on(&self, license: &LicenseRecord) -> Version {
        self.want.version.clone().unwrap_or_else(|| license.license().version.clone())
    }
}

impl Ledger {
    pub(crate) fn checkout(&mut self, moment: Moment, device: DeviceId, want: &Checkout) -> Answer {
        let answer = self.try_checkout(moment, device, want);
        if let Err(refusal @ (Refusal::NoSeat(_) | Refusal::NotLicensed { .. })) = &answer {
            let reason = match refusal {
                Refusal::NoSeat(denial) => format!("all {} seats are in use", denial.owned),
                other => other.to_string(),
            };
            let who = self.who(&want.user, device);
            self.record(moment, Happening::Denied { who, product: want.product.clone(), reason });
        }
        answer
    }

    fn try_checkout(&mut self, moment: Moment, device: DeviceId, want: &Checkout) -> Answer {
        if want.features.len() > limits::FEATURES_MAX {
            return Err(limit("features in one checkout", limits::FEATURES_MAX));
        }
        let Some(record) = self.state.devices.get(&device) else {
            return Err(Refusal::Bug("a device that checks out is not enrolled".into()));
        };
        let Some(attach) = record.attaches.checked_add(1) else {
            return Err(limit("attaches of one device", usize::try_from(u32::MAX).unwrap_or(usize::MAX)));
        };
        let features: BTreeSet<Feature> = want.features.iter().cloned().collect();
        let start = Start { device, want, features: features.into_iter().collect(), attach };
        if self.state.sessions.contains_key(&want.session) {
            return self.resume(moment, &start);
        }
        if self.state.tombstones.contains(device, want.session) {
            return Err(Refusal::SessionEnded);
        }
        if self.by.sessions_of_device.get(&device).map_or(0, BTreeSet::len) >= limits::SEATS_PER_DEVICE_MAX {
            return Err(limit("seats on one device", limits::SEATS_PER_DEVICE_MAX));
        }
        if self.state.sessions.len() >= SESSIONS_MAX {
            return Err(limit("starts that use seats of this site", SESSIONS_MAX));
        }
        match self.shareable_seat(moment.time, &start) {
            Some(seat) => self.share(moment, &start, seat),
            None => self.take(moment, &start),
        }
    }

    /// The session has a seat: it goes on with it under a new attach (invariant I8).
    fn resume(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
        let (want, id) = (start.want, start.want.session);
        let Some(session) = self.state.sessions.get(&id) else {
            return Err(Refusal::Bug("a session to resume is not there".into()));
        };
        if session.device != start.device {
            return Err(Refusal::Superseded);
        }
        let (seat, license) = self.seat_and_license(session.seat)?;
        if seat.released_by.is_some() {
            return Err(Refusal::SessionEnded);
        }
        let same = seat.product == want.product
            && session.user == want.user
            && session.asked_version == want.version
            && session.features == start.features;
        if !same {
            return Err(Refusal::Conflict(
                "this session has a seat for another product, version, features or user; use a new session"
                    .into(),
            ));
        }
        let grant = grant(moment, start, session.seat, seat, license, seat.sessions.len() > 1);
        if let Some(session) = self.state.sessions.get_mut(&id) {
            session.attach = start.attach;
            session.pid = want.pid;
        }
        self.count_attach(start);
        Ok(Outcome::Granted(grant))
    }

    /// A seat in use that this start may share by the terms of its license. No start on a license that ended.
    fn shareable_seat(&self, now: WallTime, start: &Start<'_>) -> Option<SeatId> {
        let demand = start.demand();
        let mut covering: Vec<&LicenseRecord> = self.covering(now, &demand).collect();
        covering.sort_by_key(|record| admission::preference(record.license(), &demand));
        covering.into_iter().find_map(|record| {
            let key = ShareKey::of(record.license().share, &start.want.user, start.device)?;
            self.by.shareable.get(&(record.license().id.clone(), key)).copied()
        })
    }

    fn share(&mut self, moment: Moment, start: &Start<'_>, id: SeatId) -> Answer {
        let (seat, license) = self.seat_and_license(id)?;
        let grant = grant(moment, start, id, seat, license, true);
        let who = self.who(&start.want.user, start.device);
        let product = start.want.product.clone();
        if let Some(seat) = self.state.seats.get_mut(&id) {
            seat.sessions.insert(start.want.session);
        }
        self.add_session(moment, start, id);
        self.record(moment, Happening::Shared { seat: id, who, product });
        Ok(Outcome::Granted(grant))
    }

    fn take(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
        let assignment = self.assign(moment.time, start)?;
        if self.state.seats.len() >= limits::SEATS_MAX {
            return Err(limit("seats in use at once", limits::SEATS_MAX));
        }
        let Some(record) = self.state.licenses.get(&assignment.license) else {
            return Err(Refusal::Bug("admission chose a license that is not there".into()));
        };
        let Some(next_seat) = self.state.next_seat.checked_add(1) else {
            return Err(Refusal::Bug("seat ids are used up".into()));
        };
        let id = SeatId(self.state.next_seat);
        let seat = SeatRecord {
            license: assignment.license.clone(),
            product: start.want.product.clone(),
            version: start.version_on(record),
            features: start.features.clone(),
            user: start.want.user.clone(),
            device: start.device,
            since: moment.time,
            sessions: BTreeSet::from([start.want.session]),
            serial: moment.index,
            ttl_ms: record.license().ttl_ms,
            share: record.license().share,
            released_by: None,
        };
        let grant = grant(moment, start, id, &seat, record, false);
        self.check_assignment(&assignment)?;
        let Assignment { license, moves } = assignment;
        moves.into_iter().for_each(|(seat, to)| self.move_seat(seat, to));
        self.by.add_seat(id, &seat);
        self.state.seats.insert(id, seat);
        self.state.next_seat = next_seat;
        self.add_session(moment, start, id);
        let (who, product) = (self.who(&start.want.user, start.device), start.want.product.clone());
        let version = grant.version.clone();
        self.record(moment, Happening::Checkout { seat: id, who, product, version, license });
        Ok(Outcome::Granted(grant))
    }

    fn assign(&self, now: WallTime, start: &Start<'_>) -> Result<Assignment, Refusal> {
        let demand = start.demand();
        let pieces: Vec<Piece<'_>> = self
            .state
            .licenses
            .values()
            .filter(|record| record.is_active(now) && record.license().product == *demand.product)
            .map(LicenseRecord::license)
            .map(|license| Piece { license, in_use: self.by.seats_of_license.get(&license.id) })
            .collect();
        admission::admit(&pieces, &demand).map_err(|NoFit { owned }| {
            let (product, version) = (start.want.product.clone(), start.want.version.clone());
            if owned == 0 {
                Refusal::NotLicensed { product, version, otherwise_owned: !pieces.is_empty() }
            } else {
                let holders = self.holders(now, start.want);
                Refusal::NoSeat(Box::new(Denial { product, version, owned, holders }))
            }
        })
    }

    /// That the books hold after an assignment: whatever the solver answers, no license is granted beyond its seats
    /// (invariant I1).
    pub(crate) fn check_assignment(&self, assignment: &Assignment) -> Result<(), Refusal> {
        let mut change: BTreeMap<&Name, i64> = BTreeMap::from([(&assignment.license, 1)]);
        for (seat, to) in &assignment.moves {
            let (seat, _) = self.seat_and_license(*seat)?;
            *change.entry(&seat.license).or_default() -= 1;
            *change.entry(to).or_default() += 1;
        }
        for (license, change) in change.into_iter().filter(|(_, change)| *change > 0) {
            let owned =
                self.state.licenses.get(license).map_or(0, |record| i64::from(record.license().seats));
            let used = i64::try_from(self.by.seats_used(license)).unwrap_or(i64::MAX);
            if used.saturating_add(change) > owned {
                return Err(Refusal::Bug(format!(
                    "admission would grant more than the {owned} seats of {license}"
                )));
            }
        }
        Ok(())
    }

    /// Moves a seat in the books. Its ttl and sharing stay as granted (invariant I7).
    pub(crate) fn move_seat(&mut self, id: SeatId, to: Name) {
        if let Some(seat) = self.state.seats.get_mut(&id) {
            self.by.remove_seat(id, seat);
            seat.license = to;
            self.by.add_seat(id, seat);
        }
    }

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
        }
        self.state.tombstones.add(device, id);
        Ok(Outcome::Done)
    }

    /// Ends a session that the holder did not hear of for its ttl.
    pub(crate) fn expire(&mut self, moment: Moment, id: SessionId, attach: u32) -> Answer {
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
        self.by.stop_sharing(id, seat);
        seat.released_by = Some(by.clone());
        let (user, device, product) = (seat.user.clone(), seat.device, seat.product.clone());
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
        let users = seat.sessions.iter().filter_map(|other| self.state.sessions.get(other));
        // Who shows as the seat's user is somebody who uses it. The sharing key stays: what of user and device may
        // differ between sessions of one seat is not part of it.
        if let Some(longest) = users.min_by_key(|other| (other.since, other.attach)) {
            seat.user = longest.user.clone();
            seat.device = longest.device;
        }
        let seat = seat.clone();
        let free = seat.sessions.is_empty();
        if free {
            self.by.remove_seat(session.seat, &seat);
            self.state.seats.remove(&session.seat);
            self.forget_removed(&seat.license);
        }
        let who = self.who(&session.user, session.device);
        Ok(EndedSession { id: session.seat, seat, who, free })
    }

    fn add_session(&mut self, moment: Moment, start: &Start<'_>, seat: SeatId) {
        let session = SessionRecord {
            seat,
            device: start.device,
            attach: start.attach,
            user: start.want.user.clone(),
            asked_version: start.want.version.clone(),
            features: start.features.clone(),
            pid: start.want.pid,
            since: moment.time,
        };
        self.by.add_session(start.want.session, &session);
        self.state.sessions.insert(start.want.session, session);
        self.count_attach(start);
    }

    fn count_attach(&mut self, start: &Start<'_>) {
        if let Some(device) = self.state.devices.get_mut(&start.device) {
            device.attaches = start.attach;
        }
    }

    /// Who has the seats that a checkout wants, longest first.
    pub(crate) fn holders(&self, now: WallTime, want: &Checkout) -> Vec<SeatHolder> {
        let demand =
            Demand { product: &want.product, version: want.version.as_ref(), features: &want.features };
        let seats: BTreeSet<SeatId> = self
            .covering(now, &demand)
            .filter_map(|record| self.by.seats_of_license.get(&record.license().id))
            .flat_map(|seats| seats.iter().copied().take(Denial::HOLDERS_MAX))
            .collect();
        let holder = |id: SeatId| {
            let seat = self.state.seats.get(&id)?;
            let Who { user, device, device_name } = self.who(&seat.user, seat.device);
            Some(SeatHolder { seat: id, user, device, device_name, since: seat.since })
        };
        seats.into_iter().filter_map(holder).take(Denial::HOLDERS_MAX).collect()
    }

    /// The licenses on which this may start now.
    fn covering<'a>(
        &'a self,
        now: WallTime,
        demand: &'a Demand<'_>,
    ) -> impl Iterator<Item = &'a LicenseRecord> {
        let licenses = self.state.licenses.values();
        licenses.filter(move |record| record.is_active(now) && demand.fits(record.license()))
    }

    fn seat_and_license(&self, id: SeatId) -> Result<(&SeatRecord, &LicenseRecord), Refusal> {
        let Some(seat) = self.state.seats.get(&id) else {
            return Err(Refusal::Bug(format!("seat {id} is not there")));
        };
        let Some(license) = self.state.licenses.get(&seat.license) else {
            return Err(Refusal::Bug(format!(
                "seat {id} is of license {}, which is not there",
                seat.license
            )));
        };
        Ok((seat, license))
    }

    fn who(&self, user: &Name, device: DeviceId) -> Who {
        Who { user: user.clone(), device, device_name: self.device_name(&device) }
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

fn grant(
    moment: Moment,
    start: &Start<'_>,
    id: SeatId,
    seat: &SeatRecord,
    license: &LicenseRecord,
    shared: bool,
) -> Grant {
    Grant {
        seat: id,
        session: start.want.session,
        attach: start.attach,
        serial: moment.index,
        license: seat.license.clone(),
        license_hash: license.file.hash(),
        product: seat.product.clone(),
        version: start.version_on(license),
        features: start.features.clone(),
        user: start.want.user.clone(),
        ttl_ms: seat.ttl_ms,
        issued: moment.time,
        shared,
    }
}
