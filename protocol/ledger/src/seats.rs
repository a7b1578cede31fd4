//! Checkout, resume, sharing.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{DeviceId, Feature, Name, ProductId, SeatId, SessionId};
use seatkeeper_protocol::license::License;
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Assignment, Change, Demand, Need, PieceSet, Pool, Wanted};
use crate::command::{Checkout, Denial, Grant, Outcome, Refusal, SeatHolder};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::{DeniedBy, Happening, Who};
use crate::rules::Asker;
use crate::state::{LicenseRecord, SESSIONS_MAX, SeatRecord, SessionRecord};

/// A checkout with its features in order, each once, and the attach it will get.
pub(crate) struct Start<'a> {
    pub(crate) device: DeviceId,
    pub(crate) want: &'a Checkout,
    pub(crate) features: Vec<Feature>,
    pub(crate) attach: u32,
}

impl Start<'_> {
    pub(crate) fn demand(&self) -> Demand<'_> {
        Demand { product: &self.want.product, version: self.want.version.as_ref(), features: &self.features }
    }

    /// Nothing that is owned covers it.
    pub(crate) fn not_licensed(&self, otherwise_owned: bool) -> Refusal {
        let (product, version) = (self.want.product.clone(), self.want.version.clone());
        Refusal::NotLicensed { product, version, otherwise_owned }
    }

    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker { product: &self.want.product, user: &self.want.user, device: self.device }
    }

    /// What a new seat needs.
    fn need_of<'a>(&'a self, seat: &'a SeatRecord) -> Need<'a> {
        let granted = vec![Demand { version: Some(&seat.version), ..self.demand() }];
        Need { granted, ttl_ms: seat.ttl_ms, share: seat.share, pinned: false }
    }

    /// What a running seat needs when this start shares it.
    pub(crate) fn need_with<'a>(
        &'a self,
        seat: &'a SeatRecord,
        sessions: &'a BTreeMap<SessionId, SessionRecord>,
    ) -> Need<'a> {
        let mut need = seat.need(sessions);
        // The seat's version is that of whoever named none; without such a start it is not given away yet.
        let version = Some(&seat.version).filter(|_| seat.any_version(sessions));
        need.granted.push(Demand { version: self.want.version.as_ref().or(version), ..self.demand() });
        need
    }
}

impl Ledger {
    pub(crate) fn checkout(&mut self, moment: Moment, device: DeviceId, want: &Checkout) -> Answer {
        let answer = self.start(device, want).and_then(|start| {
            self.check_lost(&device)?;
            self.try_checkout(moment, &start)
        });
        self.record_denial(moment, device, want, &answer);
        answer
    }

    pub(crate) fn record_denial(
        &mut self,
        moment: Moment,
        device: DeviceId,
        want: &Checkout,
        answer: &Answer,
    ) {
        let (by, reason) = match answer {
            // Without the list of holders: a record is short.
            Err(Refusal::NoSeat(denial)) if denial.kept && denial.waiting > 0 => {
                (DeniedBy::Queue, denial.to_string())
            }
            Err(Refusal::NoSeat(denial)) => {
                let by = if denial.kept { DeniedBy::Queue } else { DeniedBy::NoSeat };
                (by, denial.what_of("seats"))
            }
            Err(other @ Refusal::NotLicensed { .. }) => (DeniedBy::License, other.to_string()),
            Err(other @ (Refusal::OverLimit(_) | Refusal::OverNodeLimit(_))) => {
                (DeniedBy::Limit, other.to_string())
            }
            _ => return,
        };
        let who = self.who(&want.user, device);
        self.record(moment, Happening::Denied { who, product: want.product.clone(), reason, by });
    }

    pub(crate) fn start<'a>(&self, device: DeviceId, want: &'a Checkout) -> Result<Start<'a>, Refusal> {
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
        Ok(Start { device, want, features: features.into_iter().collect(), attach })
    }

    pub(crate) fn try_checkout(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
        let Start { device, want, .. } = *start;
        if self.state.sessions.contains_key(&want.session) {
            return self.resume(moment, start);
        }
        if self.state.tombstones.contains(device, want.session) {
            return Err(Refusal::SessionEnded);
        }
        let waits = self.check_waiting(start)?;
        if self.starts_of(&device) >= limits::SEATS_PER_DEVICE_MAX + usize::from(waits) {
            return Err(limit("seats on one device", limits::SEATS_PER_DEVICE_MAX));
        }
        if self.state.sessions.len() >= SESSIONS_MAX {
            return Err(limit("starts that use seats of this site", SESSIONS_MAX));
        }
        match self.find_share(moment.time, start) {
            Some((seat, assignment)) => self.share(moment, start, seat, assignment),
            None => self.take(moment, start),
        }
    }

    /// The session has a seat: it goes on with it under a new attach (invariant I8).
    pub(crate) fn resume(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
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

    /// A seat that the same person uses already and that the start may share, by the terms that it was granted on.
    /// Before a new seat is taken, a seat on a license that does not cover the start moves to one that does, if there is
    /// a way. `None`: no seat to share.
    pub(crate) fn find_share(&self, now: WallTime, start: &Start<'_>) -> Option<(SeatId, Assignment)> {
        let pool = self.by.pools.get(&start.want.product)?;
        let mut here = Vec::new();
        let mut elsewhere = Vec::new();
        for id in pool.shareable(&start.want.user, start.device) {
            let seat = self.state.seats.get(&id)?;
            let mut need = start.need_with(seat, &self.state.sessions);
            let pinned = std::mem::take(&mut need.pinned);
            let mut may = pool.allowed(&need);
            // A borrowed seat stays on the license in its ticket, which so has to cover the start as well as the one
            // that may have replaced it.
            let stays = !pinned || pool.number_of(&seat.license).is_some_and(|own| may.contains(own));
            let place = pool.place(id, now);
            let place = place.filter(|at| stays && may.contains(*at) && pool.is_open(*at, now));
            let node = self.by.node(&start.device);
            pool.keep_usable(&mut may, node);
            // Where it stands its own node may share it, whatever was registered since.
            let own_node = pool.node(id) == pool.counted_node(node);
            match place.filter(|at| own_node || may.contains(*at)) {
                Some(at) => {
                    let exact = pool
                        .license(at)
                        .is_some_and(|license| start.demand().version == Some(&license.version));
                    here.push((!exact, at, id));
                }
                None if pinned => {}
                None => {
                    self.by.keep_usable(pool, &mut may, seat, &self.state.sessions);
                    elsewhere.push((id, may));
                }
            }
        }
        if let Some((_, at, id)) = here.into_iter().min() {
            let license = pool.license(at)?.id.clone();
            return Some((id, Assignment { license, moves: Vec::new() }));
        }
        elsewhere.into_iter().find_map(|(id, may)| {
            let (version, node) = (start.demand().version, pool.node(id));
            let wanted = Wanted { on: &may, version, running: Some(id), node };
            Some((id, pool.admit(now, &wanted)?))
        })
    }

    /// Shares a seat, which the assignment puts where the start is covered too. A borrowed one stays where it is.
    pub(crate) fn share(
        &mut self,
        moment: Moment,
        start: &Start<'_>,
        id: SeatId,
        assignment: Assignment,
    ) -> Answer {
        self.check_limits(start.asker(), Some(id))?;
        let (seat, own) = self.seat_and_license(id)?;
        self.check_assignment(moment.time, &start.want.product, &assignment, Some(id), seat.device)?;
        let stays = seat.borrow.is_some();
        let chosen = if stays { Some(own) } else { self.state.licenses.get(&assignment.license) };
        let Some(record) = chosen else {
            return Err(Refusal::Bug("admission chose a license that is not there".into()));
        };
        let first_without = start.want.version.is_none() && !seat.any_version(&self.state.sessions);
        let version = if first_without { &record.license().version } else { &seat.version }.clone();
        let grant = Grant {
            license: record.license().id.clone(),
            version: start.want.version.clone().unwrap_or_else(|| version.clone()),
            ..grant(moment, start, id, seat, record, true)
        };
        let who = self.who(&start.want.user, start.device);
        let product = start.want.product.clone();
        let Assignment { license, moves } = assignment;
        let left = self.move_seats(moves.into_iter().chain((!stays).then_some((id, license))));
        if let Some(seat) = self.state.seats.get_mut(&id) {
            seat.sessions.insert(start.want.session);
            seat.version = version;
        }
        self.add_session(moment, start, id);
        self.need_changed(id);
        left.iter().for_each(|license| self.forget_removed(license));
        self.record(moment, Happening::Shared { seat: id, who, product });
        Ok(Outcome::Granted(grant))
    }

    fn take(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
        let (assignment, covering) = self.assign(moment.time, start)?;
        let Some(record) = self.state.licenses.get(&assignment.license) else {
            return Err(Refusal::Bug("admission chose a license that is not there".into()));
        };
        let id = SeatId(self.state.next_seat);
        let seat = SeatRecord {
            license: assignment.license.clone(),
            product: start.want.product.clone(),
            version: start.want.version.clone().unwrap_or_else(|| record.license().version.clone()),
            features: start.features.clone(),
            user: start.want.user.clone(),
            device: start.device,
            since: moment.time,
            sessions: BTreeSet::from([start.want.session]),
            serial: moment.index,
            ttl_ms: record.license().ttl_ms,
            share: record.license().share,
            released_by: None,
            borrow: None,
        };
        let grant = grant(moment, start, id, &seat, record, false);
        self.check_assignment(moment.time, &seat.product, &assignment, None, start.device)?;
        self.next_seat()?;
        let Assignment { license, moves } = assignment;
        let left = self.move_seats(moves);
        if let Some(pool) = self.by.pools.get_mut(&seat.product) {
            let node = self.by.nodes.get(&start.device).copied().unwrap_or_default();
            let may = match &start.want.version {
                Some(_) => pool.allowed_of(covering, seat.ttl_ms, seat.share),
                // From now on it is a seat of the version that it was granted.
                None => {
                    let mut may = pool.allowed(&start.need_of(&seat));
                    pool.keep_usable(&mut may, node);
                    may
                }
            };
            pool.add_seat(id, &seat, may, node);
        }
        self.state.seats.insert(id, seat);
        self.add_session(moment, start, id);
        left.iter().for_each(|license| self.forget_removed(license));
        let (who, product) = (self.who(&start.want.user, start.device), start.want.product.clone());
        let version = grant.version.clone();
        self.record(moment, Happening::Checkout { seat: id, who, product, version, license });
        Ok(Outcome::Granted(grant))
    }

    /// The id of a new seat.
    pub(crate) fn next_seat(&mut self) -> Result<SeatId, Refusal> {
        if self.state.seats.len() >= limits::SEATS_MAX {
            return Err(limit("seats in use at once", limits::SEATS_MAX));
        }
        let id = SeatId(self.state.next_seat);
        let next = self.state.next_seat.checked_add(1);
        self.state.next_seat = next.ok_or_else(|| Refusal::Bug("seat ids are used up".into()))?;
        Ok(id)
    }

    /// Where a new seat goes, and the licenses that cover it.
    fn assign(&self, now: WallTime, start: &Start<'_>) -> Result<(Assignment, PieceSet), Refusal> {
        let (product, version) = (&start.want.product, &start.want.version);
        let pool = self.by.pools.get(product).ok_or_else(|| start.not_licensed(false))?;
        let covering = self.usable(pool, &start.demand(), &start.device);
        if pool.open(&covering, now).next().is_some() {
            self.check_limits(start.asker(), None)?;
        }
        let node = self.by.node(&start.device);
        let wanted = Wanted { on: &covering, version: version.as_ref(), running: None, node };
        // Most starts that find no way are refused here, whoever waits.
        let free = pool.admit(now, &wanted);
        let kept = free.is_some();
        if let Some(assignment) = free.and_then(|free| self.behind_others(now, pool, start, &wanted, free)) {
            return Ok((assignment, covering));
        }
        let denial = self.denial(now, pool, start, kept);
        if denial.owned == 0 {
            return Err(start.not_licensed(pool.is_any_open(now)));
        }
        Err(Refusal::NoSeat(Box::new(denial)))
    }

    /// Why a start gets no seat, if it gets none.
    pub(crate) fn denial(&self, now: WallTime, pool: &Pool, start: &Start<'_>, kept: bool) -> Denial {
        let open = pool.open_set(&start.demand(), now);
        let licenses = pool.open(&open, now).filter_map(|number| pool.license(number));
        Denial {
            product: start.want.product.clone(),
            version: start.want.version.clone(),
            owned: licenses.fold(0_u32, |sum, license| sum.saturating_add(license.seats)),
            reserved: if kept { 0 } else { pool.reserved(&open, self.by.node(&start.device), now) },
            holders: self.holders(now, start.want),
            waiting: self.how_many_before(now, pool, start),
            kept,
            next_return: None,
        }
        .with_next_return(self.borrow_ends(now, pool, &open))
    }

    /// That the books hold after an assignment: whatever the solver answers, no license is granted beyond its seats, nor
    /// beyond those that are for a node (invariant I1), and no seat is moved to a license that does not give it what it
    /// was granted (invariant I7). `running` is the seat that is assigned, to a device; `None`: a new one.
    pub(crate) fn check_assignment(
        &self,
        now: WallTime,
        product: &ProductId,
        assignment: &Assignment,
        running: Option<SeatId>,
        device: DeviceId,
    ) -> Result<(), Refusal> {
        let Some(pool) = self.by.pools.get(product) else {
            return Err(Refusal::Bug(format!("admission found a seat of {product}, which has no license")));
        };
        for (id, to) in &assignment.moves {
            let (seat, _) = self.seat_and_license(*id)?;
            let fits = |license: &License| seat.need(&self.state.sessions).fits(license);
            if !pool.number_of(to).and_then(|to| pool.license(to)).is_some_and(fits) {
                return Err(Refusal::Bug(format!(
                    "admission would move seat {id} to {to}, which is not for it"
                )));
            }
        }
        let node = pool.counted_node(self.by.node(&device));
        let moves = assignment.moves.iter().map(|(id, to)| (Some(*id), to, pool.node(*id)));
        let mut changes = Vec::new();
        for (id, to, node) in moves.chain([(running, &assignment.license, node)]) {
            let from = id.map(|id| pool.place(id, now).map(|at| (at, pool.node(id))).ok_or(id)).transpose();
            let from = from.map_err(|id| Refusal::Bug(format!("seat {id} stands nowhere")))?;
            let Some(to) = pool.number_of(to).filter(|number| pool.is_open(*number, now)) else {
                return Err(Refusal::Bug(format!("admission would put a seat on {to}, which has none")));
            };
            changes.push(Change { from, to: (to, node) });
        }
        pool.check_changes(&changes, now).map_err(|why| Refusal::Bug(format!("admission would {why}")))
    }

    /// Moves seats in the books. Their ttl and sharing stay as granted (invariant I7). Answers the licenses that they
    /// left: a removed one may have to be forgotten, once nobody counts on the numbers of its pool any more.
    pub(crate) fn move_seats(&mut self, moves: impl IntoIterator<Item = (SeatId, Name)>) -> Vec<Name> {
        let mut left = Vec::new();
        for (id, to) in moves {
            let Some(seat) = self.state.seats.get_mut(&id).filter(|seat| seat.license != to) else {
                continue;
            };
            if let Some(pool) = self.by.pools.get_mut(&seat.product) {
                pool.move_seat(id, &to);
            }
            left.push(std::mem::replace(&mut seat.license, to));
        }
        left
    }

    /// Looks anew where a seat may stand: who uses it has changed.
    pub(crate) fn need_changed(&mut self, id: SeatId) {
        let Some(seat) = self.state.seats.get(&id) else { return };
        let Some(pool) = self.by.pools.get(&seat.product) else { return };
        let mut may = pool.allowed(&seat.need(&self.state.sessions));
        self.by.keep_usable(pool, &mut may, seat, &self.state.sessions);
        let node = self.by.node(&seat.device);
        if let Some(pool) = self.by.pools.get_mut(&seat.product) {
            pool.set_allowed(id, &seat.license, may, node);
        }
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
        self.out_of_queue(start.want.session);
        self.by.add_session(start.want.session, &session);
        self.state.sessions.insert(start.want.session, session);
        self.count_attach(start);
    }

    pub(crate) fn count_attach(&mut self, start: &Start<'_>) {
        if let Some(device) = self.state.devices.get_mut(&start.device) {
            device.attaches = start.attach;
        }
    }

    /// Who has the seats that a checkout wants, longest first.
    pub(crate) fn holders(&self, now: WallTime, want: &Checkout) -> Vec<SeatHolder> {
        let demand =
            Demand { product: &want.product, version: want.version.as_ref(), features: &want.features };
        let holder = |id: SeatId| {
            let seat = self.state.seats.get(&id)?;
            let Who { user, device, device_name } = self.who(&seat.user, seat.device);
            Some(SeatHolder { seat: id, user, device, device_name, since: seat.since })
        };
        let Some(pool) = self.by.pools.get(&want.product) else { return Vec::new() };
        let open = pool.open_set(&demand, now);
        pool.seats_of(&open, now).filter_map(holder).take(Denial::HOLDERS_MAX).collect()
    }

    pub(crate) fn seat_and_license(&self, id: SeatId) -> Result<(&SeatRecord, &LicenseRecord), Refusal> {
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

    pub(crate) fn who(&self, user: &Name, device: DeviceId) -> Who {
        Who { user: user.clone(), device, device_name: self.device_name(&device) }
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
        version: start.want.version.clone().unwrap_or_else(|| seat.version.clone()),
        features: start.features.clone(),
        user: start.want.user.clone(),
        ttl_ms: seat.ttl_ms,
        issued: moment.time,
        shared,
    }
}
