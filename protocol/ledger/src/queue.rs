//! Waiting for a seat: who waits has a place, and whoever comes later gets no seat that he could have instead.
//!
//! Nothing is granted to a waiter before he takes it by another `Wait` (invariant I7). [`Ledger::queue`] tells the holder
//! whose turn it is; how those who come later are held back is told in `admission::queue`. Resuming a seat, and sharing
//! one, needs no new seat and so nobody's turn.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{DeviceId, SessionId};
use seatkeeper_protocol::license::License;
use seatkeeper_protocol::limits;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Assignment, Line, PieceSet, Pool, Wanted};
use crate::command::{Checkout, Outcome, Refusal, Waiting};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::Happening;
use crate::seats::Start;
use crate::state::WaitRecord;

/// Where a session stands in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The session.
    pub session: SessionId,
    /// Its device.
    pub device: DeviceId,
    /// Its attach.
    pub attach: u32,
    /// 1 for who is next: one more than wait before it for seats that it could use.
    pub position: u32,
    /// Whether it would get a seat now.
    pub turn: bool,
    /// Not heard of lately: others go first.
    pub passed: bool,
}

impl Ledger {
    /// Takes a seat, or a place in the queue.
    pub(crate) fn wait(&mut self, moment: Moment, device: DeviceId, want: &Checkout) -> Answer {
        let start = self.start(device, want)?;
        self.check_lost(&device)?;
        match self.try_checkout(moment, &start) {
            Err(Refusal::NoSeat(_)) => self.enqueue(moment, &start),
            answer => {
                self.record_denial(moment, device, want, &answer);
                answer
            }
        }
    }

    fn enqueue(&mut self, moment: Moment, start: &Start<'_>) -> Answer {
        let (id, product) = (start.want.session, &start.want.product);
        let Some(pool) = self.by.pools.get(product) else {
            return Err(Refusal::Bug(format!("nobody can wait for {product}, which has no license")));
        };
        let known = self.state.waiting.get(&id);
        if known.is_none() {
            let in_line = self.by.queues.get(product).map_or(0, BTreeMap::len);
            if in_line >= limits::WAITERS_PER_PRODUCT_MAX {
                return Err(limit("starts that wait for one product", limits::WAITERS_PER_PRODUCT_MAX));
            }
            if self.state.waiting.len() >= limits::WAITERS_MAX {
                return Err(limit("starts that wait for seats of this site", limits::WAITERS_MAX));
            }
        }
        let open = pool.open_set(&start.demand(), moment.time);
        let ttls = pool.open(&open, moment.time).filter_map(|number| pool.license(number));
        let waiting = WaitRecord {
            device: start.device,
            attach: start.attach,
            want: Checkout { features: start.features.clone(), ..start.want.clone() },
            since: known.map_or(moment.time, |known| known.since),
            place: known.map_or(moment.index, |known| known.place),
            priority: known
                .map_or_else(|| self.priority_of(&start.want.user, start.device), |known| known.priority),
            over_quota: known.map_or_else(|| self.is_over_quota(start.asker()), |known| known.over_quota),
            ttl_ms: ttls.map(|license| license.ttl_ms).min().unwrap_or(limits::TTL_MS_MIN),
            passed: false,
        };
        let is_new = known.is_none();
        self.by.add_waiting(id, &waiting);
        self.state.waiting.insert(id, waiting);
        self.count_attach(start);
        let outcome = self.waiting_outcome(moment.time, &id)?;
        if is_new {
            let who = self.who(&start.want.user, start.device);
            let (product, position) = (product.clone(), outcome.position);
            self.record(moment, Happening::Waits { who, product, position });
        }
        Ok(Outcome::Waiting(Box::new(outcome)))
    }

    /// Where a session stands now, and why.
    fn waiting_outcome(&self, now: WallTime, id: &SessionId) -> Result<Waiting, Refusal> {
        let known = self.state.waiting.get(id).and_then(|waiting| {
            let pool = self.by.pools.get(&waiting.want.product);
            let (start, pool) = (waiting.start(), pool?);
            let on = self.usable(pool, &waiting.demand(), &waiting.device);
            let wanted = self.wanted(waiting, &on);
            let denial = self.denial(now, pool, &start, pool.admit(now, &wanted).is_some());
            Some((waiting, denial))
        });
        let (waiting, denial) = known.ok_or(Refusal::SessionEnded)?;
        Ok(Waiting {
            session: *id,
            attach: waiting.attach,
            ttl_ms: waiting.ttl_ms,
            position: denial.waiting.saturating_add(1),
            denial,
        })
    }

    /// What a repeated request is answered that got a place in the queue when it came first.
    pub(crate) fn waiting_again(&self, now: WallTime, then: &Waiting) -> Outcome {
        let waits = self.state.waiting.get(&then.session).map(|waiting| waiting.attach);
        let has = self.state.sessions.get(&then.session).map(|session| session.attach);
        let outcome = match waits.or(has) {
            Some(attach) if waits == Some(then.attach) && attach == then.attach => {
                self.waiting_outcome(now, &then.session)
            }
            Some(_) => Err(Refusal::Superseded),
            None => Err(Refusal::SessionEnded),
        };
        outcome.map_or_else(Outcome::Refused, |waiting| Outcome::Waiting(Box::new(waiting)))
    }

    /// Whether the session waits already. Refused if it is another device's, or waits for something else.
    pub(crate) fn check_waiting(&self, start: &Start<'_>) -> Result<bool, Refusal> {
        let Some(waiting) = self.state.waiting.get(&start.want.session) else { return Ok(false) };
        if waiting.device != start.device {
            return Err(Refusal::Superseded);
        }
        let same = Checkout { pid: start.want.pid, ..waiting.want.clone() }
            == Checkout { features: start.features.clone(), ..start.want.clone() };
        if !same {
            return Err(Refusal::Conflict(
                "this session waits for another product, version, features or user; use a new session".into(),
            ));
        }
        Ok(true)
    }

    /// The sessions of a device, with and without a seat.
    pub(crate) fn starts_of(&self, device: &DeviceId) -> usize {
        let count = |of: &BTreeMap<DeviceId, BTreeSet<SessionId>>| of.get(device).map_or(0, BTreeSet::len);
        count(&self.by.sessions_of_device) + count(&self.by.waiting_of_device)
    }

    /// Who waits longer than this start and is not passed over, longest first.
    fn before<'a>(&'a self, start: &Start<'_>) -> impl Iterator<Item = &'a WaitRecord> {
        let new = || {
            let priority = Reverse(self.priority_of(&start.want.user, start.device));
            (priority, self.is_over_quota(start.asker()), u64::MAX)
        };
        // Mostly nobody waits, and nothing is looked up.
        let queue = self.by.queues.get(&start.want.product).into_iter();
        let before = queue.flat_map(move |queue| {
            let turn = self.state.waiting.get(&start.want.session).map_or_else(new, WaitRecord::turn);
            queue.range(..turn)
        });
        before.filter_map(|(_, id)| self.state.waiting.get(id)).filter(|waiting| !self.is_held_back(waiting))
    }

    /// Others go first: it was not heard of, or has come to a limit meanwhile.
    fn is_held_back(&self, waiting: &WaitRecord) -> bool {
        waiting.passed || self.over_limit(waiting.asker(), None).is_some()
    }

    /// How many of them wait for a license that it could use as well.
    pub(crate) fn how_many_before(&self, now: WallTime, pool: &Pool, start: &Start<'_>) -> u32 {
        let open = self.usable_now(pool, &start.demand(), &start.device, now);
        let competes = |waiting: &&WaitRecord| {
            self.usable_now(pool, &waiting.demand(), &waiting.device, now).overlaps(&open)
        };
        u32::try_from(self.before(start).filter(competes).count()).unwrap_or(u32::MAX)
    }

    /// Where a start goes behind those who wait longer. `free` is where it would go without them. `None`: what is free
    /// is theirs.
    pub(crate) fn behind_others(
        &self,
        now: WallTime,
        pool: &Pool,
        start: &Start<'_>,
        wanted: &Wanted<'_>,
        free: Assignment,
    ) -> Option<Assignment> {
        let mut line = Line::new(pool);
        let mut seated = false;
        for waiting in self.before(start) {
            let on = self.usable(pool, &waiting.demand(), &waiting.device);
            // Who can share a seat needs none.
            if self.find_share(now, &waiting.start()).is_some() {
                continue;
            }
            seated |= line.seat(now, &self.wanted(waiting, &on));
        }
        if seated { line.admit(now, wanted) } else { Some(free) }
    }

    /// A seat of its own for who waits.
    fn wanted<'a>(&self, waiting: &'a WaitRecord, on: &'a PieceSet) -> Wanted<'a> {
        let node = self.by.node(&waiting.device);
        Wanted { on, version: waiting.demand().version, running: None, node }
    }

    /// Others go first until the session waits anew.
    pub(crate) fn pass_over(&mut self, moment: Moment, id: SessionId, attach: u32) -> Answer {
        let Some(waiting) = self.state.waiting.get_mut(&id) else {
            return Err(Refusal::NotFound("session that waits".into()));
        };
        if waiting.attach != attach {
            return Err(Refusal::Superseded);
        }
        if std::mem::replace(&mut waiting.passed, true) {
            return Ok(Outcome::Done);
        }
        let (device, user, product) =
            (waiting.device, waiting.want.user.clone(), waiting.want.product.clone());
        let who = self.who(&user, device);
        self.record(moment, Happening::PassedOver { who, product });
        Ok(Outcome::Done)
    }

    /// The session waits no longer.
    pub(crate) fn out_of_queue(&mut self, id: SessionId) -> Option<WaitRecord> {
        let waiting = self.state.waiting.remove(&id)?;
        self.by.remove_waiting(id, &waiting);
        Some(waiting)
    }

    /// The session waits no longer and got no seat.
    pub(crate) fn left_queue(&mut self, moment: Moment, id: SessionId, expired: bool) {
        if let Some(WaitRecord { device, want, .. }) = self.out_of_queue(id) {
            let who = self.who(&want.user, device);
            self.record(moment, Happening::LeftQueue { who, product: want.product, expired });
        }
    }

    /// The device leaves, or is shut out.
    pub(crate) fn end_waiting_of(&mut self, moment: Moment, device: DeviceId) {
        let own: Vec<SessionId> =
            self.by.waiting_of_device.get(&device).into_iter().flatten().copied().collect();
        own.into_iter().for_each(|id| self.left_queue(moment, id, false));
    }

    /// How many wait for a seat that a license would cover.
    pub(crate) fn waiting_for(&self, license: &License) -> u32 {
        let queue = self.by.queues.get(&license.product).into_iter().flat_map(BTreeMap::values);
        let waiting = queue.filter_map(|id| self.state.waiting.get(id));
        u32::try_from(waiting.filter(|waiting| waiting.demand().fits(license)).count()).unwrap_or(u32::MAX)
    }

    /// Where everybody stands who waits, at `now`, the site's time: by product, longest first.
    pub fn queue(&self, now: WallTime) -> Vec<Place> {
        let mut places = Vec::with_capacity(self.state.waiting.len());
        for (product, queue) in &self.by.queues {
            let waiting = queue.values().filter_map(|id| self.state.waiting.get(id));
            match self.by.pools.get(product) {
                Some(pool) => self.queue_of(now, pool, waiting, &mut places),
                // Its last license was removed: nobody has a turn.
                None => places.extend(waiting.map(|waiting| waiting.place(1, false))),
            }
        }
        places
    }

    fn queue_of<'a>(
        &self,
        now: WallTime,
        pool: &Pool,
        queue: impl Iterator<Item = &'a WaitRecord>,
        places: &mut Vec<Place>,
    ) {
        let mut line = Line::new(pool);
        // Many wait for the same.
        let mut before: BTreeMap<PieceSet, u32> = BTreeMap::new();
        for waiting in queue {
            let demand = waiting.demand();
            let on = self.usable(pool, &demand, &waiting.device);
            let open = self.usable_now(pool, &demand, &waiting.device, now);
            let wanted = self.wanted(waiting, &on);
            let competing = before.iter().filter(|(other, _)| other.overlaps(&open));
            let position = competing.fold(1_u32, |sum, (_, count)| sum.saturating_add(*count));
            let shares = self
                .find_share(now, &waiting.start())
                .is_some_and(|(seat, _)| self.over_limit(waiting.asker(), Some(seat)).is_none());
            let limited = self.over_limit(waiting.asker(), None).is_some();
            let turn = match waiting.passed || limited {
                false => {
                    *before.entry(open).or_default() += 1;
                    shares || line.seat(now, &wanted)
                }
                true => shares || (!limited && line.has_room(now, &wanted)),
            };
            places.push(waiting.place(position, turn));
        }
    }
}

impl WaitRecord {
    fn start(&self) -> Start<'_> {
        let Self { device, attach, want, .. } = self;
        Start { device: *device, want, features: want.features.clone(), attach: *attach }
    }

    fn place(&self, position: u32, turn: bool) -> Place {
        let Self { device, attach, want, passed, .. } = self;
        Place { session: want.session, device: *device, attach: *attach, position, turn, passed: *passed }
    }
}
