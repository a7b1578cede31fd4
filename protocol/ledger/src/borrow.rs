//! Borrowing: a seat that a device uses without contact until a day that is fixed beforehand (design section 5).
//!
//! A borrow is a mark on a seat, beside the sessions that use it. While it stands the seat keeps its place on its
//! license, whoever is heard of: the device may be using it by its ticket. It ends in two ways only. The device gives
//! it back, after it has retired its tickets for good; or its time is over by the site's clock, with a margin for the
//! device's. What runs then goes on with the same seat online, so that the count never rises.

use std::collections::BTreeSet;

use seatkeeper_protocol::id::{DeviceId, Name, SeatId, SessionId};
use seatkeeper_protocol::license::{License, Lost, Share};
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Assignment, Need, PieceSet, Pool, Wanted};
use crate::command::{Borrow, Borrowed, Checkout, Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment, limit, not_permitted};
use crate::records::{BorrowOver, Happening};
use crate::seats::Start;
use crate::state::{BorrowRecord, SeatRecord};

/// The session of a start that no program makes.
const NOBODY: SessionId = SessionId([0; 16]);

impl Borrow {
    /// The start that would get the same seat.
    pub(crate) fn as_checkout(&self) -> Checkout {
        Checkout {
            session: NOBODY,
            user: self.user.clone(),
            product: self.product.clone(),
            version: self.version.clone(),
            features: self.features.clone(),
            pid: None,
        }
    }
}

impl Ledger {
    /// Borrows a seat for a device, or prolongs its borrow.
    pub(crate) fn borrow(&mut self, moment: Moment, device: DeviceId, want: &Borrow) -> Answer {
        if want.until <= moment.time {
            return Err(Refusal::Invalid("the borrow would end before it begins; name a later end".into()));
        }
        self.check_lost(&device)?;
        let checkout = want.as_checkout();
        let start = self.start(device, &checkout)?;
        if let Some(seat) = self.own_borrow(&start) {
            return self.prolong(moment, &start, seat, want.until);
        }
        if self.borrowed_by(&device).count() >= limits::SEATS_PER_DEVICE_MAX {
            return Err(limit("borrowed seats on one device", limits::SEATS_PER_DEVICE_MAX));
        }
        let (running, assignment) = self.find_borrow(moment.time, &start, want.until)?;
        self.take_borrow(moment, &start, running, assignment, want.until)
    }

    /// The user's borrowed seat on this device that is for this start already.
    fn own_borrow(&self, start: &Start<'_>) -> Option<SeatId> {
        self.borrowed_by(&start.device)
            .find(|(_, seat, borrow)| {
                seat.product == start.want.product
                    && borrow.user == start.want.user
                    && start.want.version.as_ref().is_none_or(|version| *version == borrow.version)
                    && start.features.iter().all(|feature| borrow.features.contains(feature))
            })
            .map(|(id, _, _)| id)
    }

    fn prolong(&mut self, moment: Moment, start: &Start<'_>, id: SeatId, until: WallTime) -> Answer {
        let (seat, record) = self.seat_and_license(id)?;
        let Some(borrow) = &seat.borrow else {
            return Err(Refusal::Bug(format!("the borrow of seat {id} is not there")));
        };
        let (ends, product) = (borrow.ends, seat.product.clone());
        if until < ends {
            return Err(Refusal::Conflict(format!(
                "{product} is borrowed until {} already; give it back with `seatkeeper return {product}` to borrow it \
                 for a shorter time",
                day(ends)
            )));
        }
        if seat.released_by.is_some() {
            return Err(Refusal::Conflict(format!("an admin took the borrowed seat of {product} back")));
        }
        if until > ends {
            // A borrow that is prolonged again and again would outlive a limit that was set since.
            self.check_kept_limits(start.asker())?;
            let pool = self.by.pools.get(&product);
            let own = pool.and_then(|pool| Some((pool, pool.number_of(&seat.license)?)));
            let open = own.filter(|(pool, _)| {
                pool.place(id, moment.time).is_some_and(|at| pool.is_open(at, moment.time))
            });
            let Some(license) = open.and_then(|(pool, own)| pool.license(own)).filter(|_| !record.removed)
            else {
                return Err(Refusal::Conflict(format!(
                    "the license {} of the borrowed seat has no seats any more; the borrow ends as it was agreed",
                    seat.license
                )));
            };
            let node = self.by.node(&start.device);
            if open.is_some_and(|(pool, own)| !pool.is_for(own, node)) {
                return Err(Refusal::Conflict(format!(
                    "the seats of the license {} are not for this device's node any more; the borrow ends as it was \
                     agreed",
                    seat.license
                )));
            }
            check_until(license, moment.time, until).map_err(|last| too_long(license, last))?;
            if let Some(pool) = pool {
                self.check_node_borrow(moment.time, pool, start.asker(), until, true)?;
            }
        }
        if let Some(borrow) = self.state.seats.get_mut(&id).and_then(|seat| seat.borrow.as_mut()) {
            (borrow.ends, borrow.serial) = (until, moment.index);
        }
        if until > ends {
            let who = self.who(&start.want.user, start.device);
            self.record(moment, Happening::Borrowed { seat: id, who, product, ends: until, prolonged: true });
        }
        self.borrowed(moment, id, false)
    }

    /// A running seat of the user on this device first, which the assignment puts where it may be borrowed: the count of
    /// seats in use does not rise. Else a new one, if those who wait could have theirs as well.
    fn find_borrow(
        &self,
        now: WallTime,
        start: &Start<'_>,
        until: WallTime,
    ) -> Result<(Option<SeatId>, Assignment), Refusal> {
        let product = &start.want.product;
        let pool = self.by.pools.get(product).ok_or_else(|| start.not_licensed(false))?;
        if pool.open_set(&start.demand(), now).is_empty() {
            return Err(start.not_licensed(pool.is_any_open(now)));
        }
        let covering = self.usable_now(pool, &start.demand(), &start.device, now);
        if covering.is_empty() {
            return Err(Refusal::NoSeat(Box::new(self.denial(now, pool, start, false))));
        }
        let on = self.may_borrow(now, pool, &covering, until)?;
        self.check_node_borrow(now, pool, start.asker(), until, false)?;
        let version = start.want.version.as_ref();
        let node = self.by.node(&start.device);
        for id in self.running(start) {
            let Some(seat) = self.state.seats.get(&id) else { continue };
            let mut may = pool.allowed(&start.need_with(seat, &self.state.sessions));
            may.keep_only(&on);
            self.by.keep_usable(pool, &mut may, seat, &self.state.sessions);
            let own_node = pool.node(id) == pool.counted_node(node);
            if let Some(at) = pool.place(id, now).filter(|at| own_node && may.contains(*at))
                && let Some(license) = pool.license(at)
            {
                return Ok((Some(id), Assignment { license: license.id.clone(), moves: Vec::new() }));
            }
            if let Some(found) = pool.admit(now, &Wanted { on: &may, version, running: Some(id), node }) {
                return Ok((Some(id), found));
            }
        }
        self.check_limits(start.asker(), None)?;
        let wanted = Wanted { on: &on, version, running: None, node };
        let free = pool.admit(now, &wanted);
        let kept = free.is_some();
        match free.and_then(|free| self.behind_others(now, pool, start, &wanted, free)) {
            Some(found) => Ok((None, found)),
            None => Err(Refusal::NoSeat(Box::new(self.denial(now, pool, start, kept)))),
        }
    }

    /// Of these licenses, those that let a seat be borrowed until then, and have not lent as many as they may.
    fn may_borrow(
        &self,
        now: WallTime,
        pool: &Pool,
        covering: &PieceSet,
        until: WallTime,
    ) -> Result<PieceSet, Refusal> {
        let mut on = PieceSet::empty(pool.len());
        let mut lent: Option<&License> = None;
        let mut latest: Option<(WallTime, &License)> = None;
        for number in covering.iter() {
            let Some(license) = pool.license(number) else { continue };
            let Some(terms) = license.borrow else { continue };
            match check_until(license, now, until) {
                Err(last) if latest.is_some_and(|(known, _)| known >= last) => {}
                Err(last) => latest = Some((last, license)),
                Ok(()) if self.lent(now, pool, number) >= terms.max_seats => lent = Some(license),
                Ok(()) => on.insert(number),
            }
        }
        if !on.is_empty() {
            return Ok(on);
        }
        match (lent, latest) {
            (Some(license), _) => {
                let seats = license.borrow.map_or(0, |terms| terms.max_seats);
                let what = format!("borrowed seats of license {}", license.id);
                Err(Refusal::Limit { what, limit: u64::from(seats) })
            }
            (None, Some((last, license))) => Err(too_long(license, last)),
            (None, None) => Err(not_permitted(
                "no license of this site lets a seat of this product be borrowed; ask the vendor for one that does",
            )),
        }
    }

    /// When the borrowed seats of these licenses end, the earliest first.
    pub(crate) fn borrow_ends(&self, now: WallTime, pool: &Pool, on: &PieceSet) -> Vec<WallTime> {
        let seats = self.by.borrowed.values().flatten();
        let here = seats.filter(|id| pool.place(**id, now).is_some_and(|at| on.contains(at)));
        let ends = here.filter_map(|id| Some(self.state.seats.get(id)?.borrow.as_ref()?.ends));
        let mut ends: Vec<WallTime> = ends.collect();
        ends.sort_unstable();
        ends
    }

    /// How many seats of a license are borrowed.
    fn lent(&self, now: WallTime, pool: &Pool, number: usize) -> u32 {
        let seats = self.by.borrowed.values().flatten();
        let here = seats.filter(|id| pool.place(**id, now) == Some(number)).count();
        u32::try_from(here).unwrap_or(u32::MAX)
    }

    /// The seats that programs of this user on this device use for such starts, oldest first.
    fn running(&self, start: &Start<'_>) -> BTreeSet<SeatId> {
        let own = self.sessions_of(&start.device).filter(|(_, session)| session.user == start.want.user);
        let seat = |id: SeatId| Some((id, self.state.seats.get(&id)?));
        own.filter_map(|(_, session)| seat(session.seat))
            .filter(|(_, seat)| {
                seat.product == start.want.product && seat.borrow.is_none() && seat.released_by.is_none()
            })
            .map(|(id, _)| id)
            .collect()
    }

    fn take_borrow(
        &mut self,
        moment: Moment,
        start: &Start<'_>,
        running: Option<SeatId>,
        assignment: Assignment,
        until: WallTime,
    ) -> Answer {
        let product = start.want.product.clone();
        self.check_assignment(moment.time, &product, &assignment, running, start.device)?;
        let Assignment { license, moves } = assignment;
        let Some(record) = self.state.licenses.get(&license) else {
            return Err(Refusal::Bug("admission chose a license that is not there".into()));
        };
        let (text_version, ttl_ms, share) =
            (record.license().version.clone(), record.license().ttl_ms, record.license().share);
        let runs = running.and_then(|id| self.state.seats.get(&id)).map(|seat| seat.version.clone());
        let version = start.want.version.clone().or(runs).unwrap_or(text_version);
        let id = match running {
            Some(id) => id,
            None => self.next_seat()?,
        };
        let borrow = BorrowRecord {
            user: start.want.user.clone(),
            device: start.device,
            since: moment.time,
            ends: until,
            serial: moment.index,
            version,
            features: start.features.clone(),
        };
        let moves = moves.into_iter().chain(running.map(|id| (id, license.clone())));
        let left = self.move_seats(moves);
        self.by.add_borrow(id, &borrow);
        if running.is_none() {
            let new = SeatRecord {
                license,
                product: product.clone(),
                version: borrow.version.clone(),
                features: start.features.clone(),
                user: start.want.user.clone(),
                device: start.device,
                since: moment.time,
                sessions: BTreeSet::new(),
                serial: moment.index,
                ttl_ms,
                share,
                released_by: None,
                borrow: Some(borrow),
            };
            if let Some(pool) = self.by.pools.get_mut(&product) {
                let stays = PieceSet::empty(pool.len());
                pool.add_seat(id, &new, stays, self.by.nodes.get(&new.device).copied().unwrap_or_default());
            }
            self.state.seats.insert(id, new);
        } else if let Some(seat) = self.state.seats.get_mut(&id) {
            // The sharing key stays: what of user and device may differ is not part of it.
            (seat.user, seat.device) = (borrow.user.clone(), borrow.device);
            seat.borrow = Some(borrow);
            self.need_changed(id);
        }
        left.iter().for_each(|license| self.forget_removed(license));
        let who = self.who(&start.want.user, start.device);
        self.record(moment, Happening::Borrowed { seat: id, who, product, ends: until, prolonged: false });
        self.borrowed(moment, id, running.is_some())
    }

    fn borrowed(&self, moment: Moment, id: SeatId, converted: bool) -> Answer {
        let (seat, record) = self.seat_and_license(id)?;
        let Some(borrow) = &seat.borrow else {
            return Err(Refusal::Bug(format!("the borrow of seat {id} is not there")));
        };
        Ok(Outcome::Borrowed(Box::new(Borrowed {
            seat: id,
            serial: borrow.serial,
            license: seat.license.clone(),
            license_hash: record.file.hash(),
            license_text: record.file.file(),
            product: seat.product.clone(),
            version: borrow.version.clone(),
            features: borrow.features.clone(),
            user: borrow.user.clone(),
            share: seat.share,
            issued: moment.time,
            ends: borrow.ends,
            converted,
        })))
    }

    /// The device will not use the seat by its tickets any more.
    pub(crate) fn return_borrow(
        &mut self,
        moment: Moment,
        device: DeviceId,
        id: SeatId,
        serial: u64,
    ) -> Answer {
        let known = self.borrowed_by(&device).find(|(own, _, _)| *own == id);
        match known.map(|(_, _, borrow)| borrow.serial) {
            // A late return must not give back what was borrowed anew since.
            Some(newest) if newest != serial => Err(Refusal::Superseded),
            Some(_) => {
                self.over(moment, id, BorrowOver::Returned);
                Ok(Outcome::Done)
            }
            None => Ok(Outcome::Done),
        }
    }

    /// A program on a borrowed seat goes on with it online.
    pub(crate) fn go_online(
        &mut self,
        moment: Moment,
        device: DeviceId,
        id: SeatId,
        want: &Checkout,
    ) -> Answer {
        let start = self.start(device, want)?;
        self.check_lost(&device)?;
        if self.state.sessions.contains_key(&want.session) {
            return self.resume(moment, &start);
        }
        if self.state.tombstones.contains(device, want.session) {
            return Err(Refusal::SessionEnded);
        }
        if self.starts_of(&device) >= limits::SEATS_PER_DEVICE_MAX {
            return Err(limit("seats on one device", limits::SEATS_PER_DEVICE_MAX));
        }
        let no_borrow = || Refusal::NotFound(format!("borrow of seat {id} by this device"));
        let (_, seat, borrow) =
            self.borrowed_by(&device).find(|(own, _, _)| *own == id).ok_or_else(no_borrow)?;
        let alone = seat.share != Share::None || seat.sessions.is_empty();
        // Whoever goes on with the seat when the borrow is over shares it by the same key.
        let own = seat.share == Share::Device || borrow.user == want.user;
        let fits = seat.product == want.product && alone && own && seat.released_by.is_none();
        let need = Need { pinned: false, ..start.need_with(seat, &self.state.sessions) };
        let place = self.by.pools.get(&want.product).and_then(|pool| {
            let at = pool.place(id, moment.time)?;
            let may = pool.allowed(&need);
            let stays = pool.number_of(&seat.license).is_some_and(|own| may.contains(own));
            let open = pool.is_open(at, moment.time) && may.contains(at) && stays;
            pool.license(at).filter(|_| open && fits)
        });
        let Some(license) = place.map(|license| license.id.clone()) else {
            return Err(Refusal::Conflict(format!("the borrowed seat {id} is not for this program")));
        };
        self.share(moment, &start, id, Assignment { license, moves: Vec::new() })
    }

    /// Ends a borrow whose time is over; the holder has waited as design section 5 says.
    pub(crate) fn end_borrow(&mut self, moment: Moment, id: SeatId, serial: u64) -> Answer {
        let Some(borrow) = self.state.seats.get(&id).and_then(|seat| seat.borrow.as_ref()) else {
            return Err(Refusal::NotFound(format!("borrow of seat {id}")));
        };
        if borrow.serial != serial {
            return Err(Refusal::Superseded);
        }
        if moment.time < borrow.ends.plus_ms(limits::BORROW_END_AFTER_MS) {
            return Err(Refusal::Conflict(format!("the borrow of seat {id} has not ended")));
        }
        self.over(moment, id, BorrowOver::Ended);
        Ok(Outcome::Done)
    }

    /// A device is lost, or is found again. What it borrowed comes back as the licenses allow.
    pub(crate) fn lose_device(&mut self, moment: Moment, by: &Name, device: &DeviceId, lost: bool) -> Answer {
        let Some(record) = self.state.devices.get_mut(device) else {
            return Err(Refusal::NotFound(format!("device {device}")));
        };
        if record.lost.is_some() == lost {
            return Ok(Outcome::Done);
        }
        record.lost = lost.then_some(moment.time);
        let (name, by) = (record.name().clone(), by.clone());
        self.record(moment, Happening::DeviceLost { device: *device, name, by, lost });
        if lost {
            self.give_lost_back(moment, device);
        }
        Ok(Outcome::Done)
    }

    /// Ends the borrows of a device that is out of reach for good, where the license allows it.
    pub(crate) fn give_lost_back(&mut self, moment: Moment, device: &DeviceId) {
        let at_once = |seat: &SeatRecord| {
            let record = self.state.licenses.get(&seat.license);
            record.is_some_and(|record| record.license().lost == Lost::Immediate)
        };
        let own = self.borrowed_by(device).filter(|(_, seat, _)| at_once(seat));
        let own: Vec<SeatId> = own.map(|(id, _, _)| id).collect();
        own.into_iter().for_each(|id| self.over(moment, id, BorrowOver::Lost));
    }

    /// A device that is lost takes nothing.
    pub(crate) fn check_lost(&self, device: &DeviceId) -> Result<(), Refusal> {
        if self.state.devices.get(device).is_some_and(|record| record.lost.is_some()) {
            return Err(not_permitted(
                "this device was reported as lost; if it is found, an admin says so with `seatkeeper device lost DEVICE \
                 --found`",
            ));
        }
        Ok(())
    }

    /// Takes the mark off the seat: what runs on it goes on online.
    fn over(&mut self, moment: Moment, id: SeatId, how: BorrowOver) {
        let Some(seat) = self.state.seats.get_mut(&id) else { return };
        let Some(borrow) = seat.borrow.take() else { return };
        self.by.remove_borrow(id, &borrow);
        if let Some(longest) = seat
            .sessions
            .iter()
            .filter_map(|session| self.state.sessions.get(session))
            .min_by_key(|session| (session.since, session.attach))
        {
            (seat.user, seat.device) = (longest.user.clone(), longest.device);
        }
        let seat = seat.clone();
        let free = self.free_if_unused(id, &seat);
        let who = self.who(&borrow.user, borrow.device);
        let product = seat.product;
        self.record(moment, Happening::BorrowOver { seat: id, who, product, how, free });
    }

    /// Whether a borrow that was answered before is what the seat has.
    pub(crate) fn still_borrowed(&self, borrowed: &Borrowed) -> bool {
        let seat = self.state.seats.get(&borrowed.seat);
        seat.and_then(|seat| seat.borrow.as_ref()).is_some_and(|borrow| borrow.serial == borrowed.serial)
    }

    /// The seats that a device has borrowed.
    pub fn borrowed_by(
        &self,
        device: &DeviceId,
    ) -> impl Iterator<Item = (SeatId, &SeatRecord, &BorrowRecord)> {
        let own = self.by.borrowed.get(device).into_iter().flatten();
        own.filter_map(|id| {
            let seat = self.state.seats.get(id)?;
            Some((*id, seat, seat.borrow.as_ref()?))
        })
    }

    /// The borrows that the holder may have to end: seat and serial of those that are over at `now` for as long as
    /// clocks of devices may be slow.
    pub fn borrows_to_end(&self, now: WallTime) -> impl Iterator<Item = (SeatId, u64)> {
        let seats =
            self.by.borrowed.values().flatten().filter_map(|id| Some((*id, self.state.seats.get(id)?)));
        seats.filter_map(move |(id, seat)| {
            let borrow = seat.borrow.as_ref()?;
            let over = now >= borrow.ends.plus_ms(limits::BORROW_END_AFTER_MS);
            over.then_some((id, borrow.serial))
        })
    }
}

/// Until when a license lets a seat be borrowed at most, if that is before `until`.
fn check_until(license: &License, now: WallTime, until: WallTime) -> Result<(), WallTime> {
    let longest = license.borrow.map_or(now, |terms| now.plus_ms(terms.max_ms()));
    let last = license.valid_until.map_or(longest, |day| day.ends().min(longest));
    // "30 days" counted by the device's own clock.
    if until <= last.plus_ms(limits::CLOCK_OFF_MS)
        && license.valid_until.is_none_or(|day| until <= day.ends())
    {
        return Ok(());
    }
    Err(last)
}

fn too_long(license: &License, last: WallTime) -> Refusal {
    let days = license.borrow.map_or(0, |terms| terms.max_days);
    Refusal::Invalid(format!(
        "license {} lets a seat be borrowed for {days} days at most and never past its own end: until {}; name an end \
         no later than that",
        license.id,
        day(last)
    ))
}

fn day(time: WallTime) -> String {
    time.rfc3339().unwrap_or_else(|| "the end of time".to_owned())
}
