//! What the agent reads.

use seatkeeper_protocol::id::{
    DeviceId, InviteId, Name, ProductId, PublicKey, RequestId, SeatId, SessionId, Version,
};
use seatkeeper_protocol::time::WallTime;

use crate::audit::{Link, Stretch};
use crate::ledger::Ledger;
use crate::memory::{ActorKey, Memory};
use crate::records::Record;
use crate::state::{
    Admin, DeviceRecord, Invite, LicenseRecord, PoolKey, Revoked, SeatRecord, SessionRecord, Site, Vendor,
    WaitRecord,
};

/// Where a license stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenseState {
    /// Its first day has not come.
    Future,
    /// Seats may start on it.
    Active,
    /// A license that replaces it has begun; running seats stay, and take up places of that one.
    Replaced,
    /// An entry ended it, or the last day that the office registered for it is over; running seats stay.
    Ended,
    /// An admin removed it; it is listed until its last running seat returns.
    Removed,
}

impl LicenseState {
    /// As in the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Future => "future",
            Self::Active => "active",
            Self::Replaced => "replaced",
            Self::Ended => "ended",
            Self::Removed => "removed",
        }
    }
}

/// One license's seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSummary {
    /// The license.
    pub license: Name,
    /// The product.
    pub product: ProductId,
    /// The license's version.
    pub version: Version,
    /// Where the license stands.
    pub state: LicenseState,
    /// Seats that may be used now: the license's while it is active, or fewer if the office registered so; else 0.
    pub owned: u32,
    /// Seats in use that are not borrowed, with those that still run on licenses which this one replaces; 0 on a
    /// replaced one.
    pub online: u32,
    /// The devices that have borrowed its seats, once for each seat.
    pub borrowers: Vec<DeviceId>,
    /// Seats free.
    pub free: u32,
    /// Seats in use beyond what is owned.
    pub over: u32,
    /// How many wait for a seat that this license, if it has seats, would cover.
    pub waiting: u32,
}

impl Ledger {
    /// The log index of the last applied entry; 0: none.
    pub fn index(&self) -> u64 {
        self.state.index
    }

    /// The running hash over entries and outcomes: equal on replicas at one index (invariant I5).
    pub fn hash(&self) -> [u8; 32] {
        self.state.hash
    }

    /// The first broken internal invariant, for health `bug`.
    pub fn bug(&self) -> Option<&str> {
        self.state.bug.as_deref()
    }

    /// The site, once founded.
    pub fn site(&self) -> Option<&Site> {
        self.state.site.as_ref()
    }

    /// The enrolled devices.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &DeviceRecord)> {
        self.state.devices.iter()
    }

    /// An enrolled device.
    pub fn device(&self, id: &DeviceId) -> Option<&DeviceRecord> {
        self.state.devices.get(id)
    }

    /// The devices that were shut out.
    pub fn revoked(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &Revoked)> {
        self.state.revoked.iter()
    }

    /// Whether a device was shut out.
    pub fn is_revoked(&self, id: &DeviceId) -> bool {
        self.state.revoked.contains_key(id)
    }

    /// A device's name: of an enrolled or revoked one; of another the beginning of its id.
    pub fn device_name(&self, id: &DeviceId) -> Name {
        let enrolled = self.state.devices.get(id).map(DeviceRecord::name);
        let known = enrolled.or_else(|| self.state.revoked.get(id).map(|revoked| &revoked.name));
        known.cloned().unwrap_or_else(|| id.short_name())
    }

    /// How long seats may be used without contact at most, milliseconds.
    pub fn longest_ttl_ms(&self) -> u64 {
        let licenses = self.state.licenses.values().map(|record| record.license().ttl_ms);
        licenses.chain(self.state.seats.values().map(|seat| seat.ttl_ms)).max().unwrap_or_default()
    }

    /// The admins.
    pub fn admins(&self) -> impl ExactSizeIterator<Item = (&Name, &Admin)> {
        self.state.admins.iter()
    }

    /// An admin.
    pub fn admin(&self, name: &Name) -> Option<&Admin> {
        self.state.admins.get(name)
    }

    /// The epoch of an actor's last request; its next one has it or a higher one. `None`: it never asked.
    pub fn epoch(&self, actor: &ActorKey) -> Option<u64> {
        self.state.memories.get(actor).map(Memory::epoch)
    }

    /// Whether a request with this id has yet to act: it is neither known nor forgotten, and of no earlier epoch.
    pub fn is_new(&self, actor: &ActorKey, id: RequestId) -> bool {
        self.state.memories.get(actor).is_none_or(|memory| memory.is_new(id))
    }

    /// The invitations, also those that ended lately.
    pub fn invites(&self) -> impl ExactSizeIterator<Item = (&InviteId, &Invite)> {
        self.state.invites.iter()
    }

    /// An invitation.
    pub fn invite(&self, id: &InviteId) -> Option<&Invite> {
        self.state.invites.get(id)
    }

    /// The trusted vendors by key.
    pub fn vendors(&self) -> impl ExactSizeIterator<Item = (&PublicKey, &Vendor)> {
        self.state.vendors.iter()
    }

    /// The licenses, also ended ones, and removed ones while seats run on them.
    pub fn licenses(&self) -> impl ExactSizeIterator<Item = (&Name, &LicenseRecord)> {
        self.state.licenses.iter()
    }

    /// A license.
    pub fn license(&self, id: &Name) -> Option<&LicenseRecord> {
        self.state.licenses.get(id)
    }

    /// Where a license stands at `now`, the site's time.
    pub fn license_state(&self, id: &Name, now: WallTime) -> Option<LicenseState> {
        self.state.licenses.get(id).map(|record| self.state_of(record, now))
    }

    /// The license that has taken a license's place at `now`, the site's time.
    pub fn replaced_by(&self, id: &Name, now: WallTime) -> Option<&Name> {
        let old = self.state.licenses.get(id)?;
        let new =
            |(_, new): &(&Name, &LicenseRecord)| !new.removed && new.has_begun(now) && new.replaces(old);
        self.state.licenses.iter().find(new).map(|(id, _)| id)
    }

    /// The licenses that the holder may have to end: not ended yet, their last day over at `now`.
    pub fn licenses_to_end(&self, now: WallTime) -> impl Iterator<Item = &Name> {
        let over = move |record: &LicenseRecord| {
            record.ended.is_none() && record.license().valid_until.is_some_and(|until| now >= until.ends())
        };
        self.state.licenses.iter().filter(move |(_, record)| over(record)).map(|(id, _)| id)
    }

    /// The seats in use, also released ones until they are free.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = (&SeatId, &SeatRecord)> {
        self.state.seats.iter()
    }

    /// A seat in use.
    pub fn seat(&self, id: SeatId) -> Option<&SeatRecord> {
        self.state.seats.get(&id)
    }

    /// The sessions that use seats.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = (&SessionId, &SessionRecord)> {
        self.state.sessions.iter()
    }

    /// A session that uses a seat.
    pub fn session(&self, id: &SessionId) -> Option<&SessionRecord> {
        self.state.sessions.get(id)
    }

    /// The sessions of one device.
    pub fn sessions_of(&self, device: &DeviceId) -> impl Iterator<Item = (&SessionId, &SessionRecord)> {
        let own = self.by.sessions_of_device.get(device).into_iter().flatten();
        own.filter_map(|id| self.state.sessions.get_key_value(id))
    }

    /// Whether a pong may list this session: it has its seat under this attach, the seat was not taken away, and
    /// its device is still enrolled. That no Expire of it was proposed in this term is the holder's to know (I6).
    pub fn live(&self, id: &SessionId, attach: u32) -> bool {
        let Some(session) = self.state.sessions.get(id).filter(|session| session.attach == attach) else {
            return false;
        };
        let seat = self.state.seats.get(&session.seat);
        seat.is_some_and(|seat| seat.released_by.is_none())
            && self.state.devices.contains_key(&session.device)
    }

    /// The sessions that wait for seats, in no particular order; [`Ledger::queue`] has their places.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = (&SessionId, &WaitRecord)> {
        self.state.waiting.iter()
    }

    /// A session that waits for a seat.
    pub fn waiting_session(&self, id: &SessionId) -> Option<&WaitRecord> {
        self.state.waiting.get(id)
    }

    /// Each license's seats at `now`, the site's time.
    pub fn pools(&self, now: WallTime) -> Vec<PoolSummary> {
        self.state.licenses.iter().map(|(id, record)| self.pool(id, record, now)).collect()
    }

    fn pool(&self, id: &Name, record: &LicenseRecord, now: WallTime) -> PoolSummary {
        let license = record.license();
        let state = self.state_of(record, now);
        let pool = self.by.pools.get(&license.product);
        let place = pool.and_then(|pool| Some((pool, pool.number_of(id)?)));
        let seats = place.and_then(|(pool, number)| pool.license(number)).map_or(0, |license| license.seats);
        let owned = if state == LicenseState::Active { seats } else { 0 };
        let used = place.map_or(0, |(pool, number)| pool.used(number, now));
        let here =
            |seat: &&SeatId| place.is_some_and(|(pool, number)| pool.place(**seat, now) == Some(number));
        let borrows =
            self.by.borrowed.iter().flat_map(|(device, seats)| seats.iter().map(move |seat| (device, seat)));
        let borrowers: Vec<DeviceId> =
            borrows.filter(|(_, seat)| here(seat)).map(|(device, _)| *device).collect();
        let borrowed = u32::try_from(borrowers.len()).unwrap_or(u32::MAX);
        let waiting = if owned == 0 { 0 } else { self.waiting_for(license) };
        PoolSummary {
            license: id.clone(),
            product: license.product.clone(),
            version: license.version.clone(),
            state,
            owned,
            online: used.saturating_sub(borrowed),
            borrowers,
            free: owned.saturating_sub(used),
            over: used.saturating_sub(owned),
            waiting,
        }
    }

    fn state_of(&self, record: &LicenseRecord, now: WallTime) -> LicenseState {
        let license = record.license();
        let pool = self.by.pools.get(&license.product);
        let place = pool.and_then(|pool| Some((pool, pool.number_of(&license.id)?)));
        match place {
            _ if record.removed => LicenseState::Removed,
            _ if record.ended.is_some() => LicenseState::Ended,
            Some((pool, number)) if pool.counts_on(number, now) != number => LicenseState::Replaced,
            Some((pool, number)) if pool.is_open(number, now) => LicenseState::Active,
            Some((pool, number)) if pool.is_over(number, now) => LicenseState::Ended,
            _ => LicenseState::Future,
        }
    }

    /// The pool key, once the site is founded.
    pub fn pool_key(&self) -> Option<&PoolKey> {
        self.state.pool_key.as_ref()
    }

    /// Whether a revoked device had the current pool key, so that it must be rotated.
    pub fn pool_key_exposed(&self) -> bool {
        self.state.pool_key.as_ref().is_some_and(|key| key.exposed)
    }

    /// The newest records, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = Record> {
        self.records_after(0)
    }

    /// Of the newest records those after this number, oldest first.
    pub fn records_after(&self, seq: u64) -> impl DoubleEndedIterator<Item = Record> {
        self.state.records.after(seq)
    }

    /// The sequence number that the next record will have.
    pub fn next_seq(&self) -> u64 {
        self.state.records.next_seq()
    }

    /// The hash over all records so far.
    pub fn audit_head(&self) -> Link {
        self.state.records.head()
    }

    /// Up to `most` records, as the audit keeps them, from this number on, or from the oldest that the books have.
    pub fn audit(&self, from: u64, most: usize) -> Stretch {
        self.state.records.stretch(from, most)
    }
}
