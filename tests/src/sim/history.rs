//! The one history of the site, as its replicas have applied it: what is in the books, from when to when.
//!
//! Told apart from the product's own books on purpose: it is made from entries and outcomes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seatkeeper_ledger::command::{Actor, Command, Entry, Outcome};
use seatkeeper_protocol::id::{DeviceId, Name, ProductId, RequestId, SessionId};
use seatkeeper_protocol::license::{License, Lost, SignedLicense};
use seatkeeper_protocol::time::WallTime;

use super::device::wall_at;
use super::watch::Applied;

#[cfg(test)]
mod tests;

/// An entry when it was applied first, anywhere.
#[derive(Clone, Debug)]
pub struct First {
    /// The entry; `None`: unreadable.
    pub entry: Option<Arc<Entry>>,
    /// What it came to.
    pub outcome: Outcome,
    /// The running hash after it.
    pub hash: [u8; 32],
    /// When, milliseconds of true time.
    pub at: u64,
}

/// A session's life in the books.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whose.
    pub device: DeviceId,
    /// Its seat.
    pub seat: u64,
    /// Who runs it.
    pub user: Name,
    /// The newest attach.
    pub attach: u32,
    /// The seat's ttl, milliseconds.
    pub ttl_ms: u64,
    /// The license.
    pub license: Name,
    /// When it ended, milliseconds of true time, if it has.
    pub ended: Option<u64>,
}

/// A session's place in the queue.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whose.
    pub device: DeviceId,
    /// Who.
    pub user: Name,
    /// What for.
    pub product: ProductId,
    /// The entry with which it began to wait.
    pub index: u64,
    /// It was passed over.
    pub passed: bool,
}

/// A seat that is lent to a device, or was.
#[derive(Clone, Debug)]
pub struct Loan {
    /// To which.
    pub device: DeviceId,
    /// Who borrowed it.
    pub user: Name,
    /// The license.
    pub license: Name,
    /// The serial of its newest ticket.
    pub serial: u64,
    /// Until when, by that ticket.
    pub ends: WallTime,
    /// Since when, milliseconds of true time.
    pub since: u64,
    /// By how much the site's time was ahead when the newest ticket was granted, milliseconds: with one voter or two it is
    /// as wrong as one clock.
    pub site_off_ms: i64,
    /// How and when it was over, milliseconds of true time, if it is.
    pub over: Option<(LoanOver, u64)>,
}

/// How a loan was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoanOver {
    /// The device gave the seat back.
    Returned,
    /// Its time was over.
    Ended,
    /// The device was out of reach for good, and the license takes what it had at once.
    Lost,
}

/// A license in the books.
#[derive(Clone, Debug)]
pub struct Owned {
    /// What was bought.
    pub license: License,
    /// Seats may start on it.
    pub active: bool,
}

/// The site's history.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every entry by index.
    pub entries: BTreeMap<u64, First>,
    /// Every session that ever had a seat.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Every session that waits.
    pub waiting: BTreeMap<SessionId, Place>,
    /// New seats that were given though those who wait longer could have had them: the entry, and what was found.
    pub overtaken: Vec<(u64, String)>,
    /// The newest loan of every seat that was ever lent.
    pub loans: BTreeMap<u64, Loan>,
    /// The devices that are reported as lost.
    pub lost: BTreeSet<DeviceId>,
    /// Every license that was ever added.
    pub licenses: BTreeMap<Name, Owned>,
    /// The devices that are enrolled.
    pub enrolled: BTreeSet<DeviceId>,
    /// The last entry that each device has applied in its present run.
    pub applied: BTreeMap<usize, u64>,
    /// Entries applied first in this step, in order.
    pub fresh: Vec<u64>,
    /// Requests to wait that were answered.
    requests: BTreeSet<(DeviceId, u64, u64)>,
    /// Requests of admins.
    by_admins: BTreeSet<(Name, RequestId)>,
}

impl History {
    /// The last entry that anybody has applied.
    pub fn newest(&self) -> u64 {
        self.entries.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// Seats in the books for a product now: on licenses that are active, and those that these own. Moves to make room
    /// for others are not told by outcomes; they are all among active licenses, so that the sum is right.
    pub fn pool(&self, product: &ProductId) -> (usize, u32) {
        let of = |owned: &Owned| owned.active && owned.license.product == *product;
        let owned = self.licenses.values().filter(|owned| of(owned)).map(|owned| owned.license.seats).sum();
        let mut seats: Vec<u64> = self
            .live()
            .filter(|session| self.licenses.get(&session.license).is_some_and(of))
            .map(|session| session.seat)
            .collect();
        seats.extend(
            self.lent()
                .filter(|(_, loan)| self.licenses.get(&loan.license).is_some_and(of))
                .map(|(seat, _)| seat),
        );
        seats.sort_unstable();
        seats.dedup();
        (seats.len(), owned)
    }

    /// The sessions that have seats.
    pub fn live(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| session.ended.is_none())
    }

    /// The seats that are lent now.
    pub fn lent(&self) -> impl Iterator<Item = (u64, &Loan)> {
        self.loans.iter().filter(|(_, loan)| loan.over.is_none()).map(|(seat, loan)| (*seat, loan))
    }

    /// An entry was applied somewhere. Whether it is new.
    pub fn applied(&mut self, applied: &Applied, now: u64) -> bool {
        self.applied.insert(applied.device, applied.index);
        if self.entries.contains_key(&applied.index) {
            return false;
        }
        let Applied { index, entry, outcome, hash, .. } = applied.clone();
        if let Some(entry) = &entry {
            self.follow(index, entry, &outcome, now);
        }
        self.entries.insert(index, First { entry, outcome, hash, at: now });
        self.fresh.push(index);
        true
    }

    /// Who waits for a product since before an entry, and is not passed over.
    pub fn ahead<'a>(&'a self, product: &'a ProductId, index: u64) -> impl Iterator<Item = &'a Place> {
        let before = move |place: &&Place| place.product == *product && place.index < index && !place.passed;
        self.waiting.values().filter(before)
    }

    /// A new seat is given only beyond those that they could have who wait longer.
    fn look_for_overtaking(&mut self, index: u64, session: SessionId, product: &ProductId, shared: bool) {
        let has = self.sessions.get(&session).is_some_and(|session| session.ended.is_none());
        if shared || has {
            return;
        }
        let own = self.waiting.get(&session).map_or(index, |place| place.index);
        // For who could share a seat that runs, none is kept.
        let shares = |place: &Place| {
            self.live().any(|session| session.device == place.device && session.user == place.user)
        };
        let ahead = self.ahead(product, own).filter(|place| !shares(place)).count();
        let (used, owned) = self.pool(product);
        if used + ahead >= usize::try_from(owned).unwrap_or(usize::MAX) {
            let found =
                format!("{session} got a seat; {used} of {owned} were taken, and {ahead} had waited longer");
            self.overtaken.push((index, found));
        }
    }

    /// Whether an admin's request stands in the log again: it is answered as before and does nothing.
    fn is_repeated(&mut self, entry: &Entry) -> bool {
        let Actor::Admin { name, .. } = &entry.actor else { return false };
        !self.by_admins.insert((name.clone(), entry.request))
    }

    fn follow(&mut self, index: u64, entry: &Entry, outcome: &Outcome, now: u64) {
        if self.is_repeated(entry) {
            return;
        }
        match (&entry.command, outcome) {
            (Command::Wait(want), Outcome::Waiting(_)) => {
                let Actor::Device(device) = entry.actor else { return };
                // A repetition changes nothing: the session is waiting then, or the outcome is another.
                let (user, product) = (want.user.clone(), want.product.clone());
                let new = Place { device, user, product, index, passed: false };
                self.waiting.entry(want.session).or_insert(new);
                if self.requests.insert((device, entry.request.epoch, entry.request.counter))
                    && let Some(place) = self.waiting.get_mut(&want.session)
                {
                    place.passed = false;
                }
            }
            (Command::PassOver { session, .. }, Outcome::Done) => {
                if let Some(place) = self.waiting.get_mut(session) {
                    place.passed = true;
                }
            }
            (
                Command::Checkout(want) | Command::Wait(want) | Command::GoOnline { start: want, .. },
                Outcome::Granted(grant),
            ) => {
                let Actor::Device(device) = entry.actor else { return };
                self.look_for_overtaking(index, want.session, &want.product, grant.shared);
                self.waiting.remove(&want.session);
                let session = Session {
                    device,
                    seat: grant.seat.0,
                    user: grant.user.clone(),
                    attach: grant.attach,
                    ttl_ms: grant.ttl_ms,
                    license: grant.license.clone(),
                    ended: None,
                };
                // A further start may have taken its seat along to another license, in the books.
                for other in self.sessions.values_mut().filter(|other| other.seat == grant.seat.0) {
                    other.license.clone_from(&grant.license);
                }
                self.sessions.insert(grant.session, session);
            }
            (Command::Return { session, .. } | Command::Expire { session, .. }, Outcome::Done) => {
                self.waiting.remove(session);
                if let Some(known) = self.sessions.get_mut(session) {
                    known.ended.get_or_insert(now);
                }
            }
            (
                Command::Borrow(_)
                | Command::ReturnBorrow { .. }
                | Command::EndBorrow { .. }
                | Command::LoseDevice { .. },
                outcome,
            ) => self.follow_loan(index, entry, outcome, now),
            (Command::Found(found), Outcome::Done) => {
                self.enrolled.insert(found.device.device());
            }
            (Command::AdmitInvited { key, .. } | Command::Admit { key, .. }, Outcome::Done) => {
                self.enrolled.insert(key.device());
            }
            (Command::RevokeDevice { device }, Outcome::Done) => {
                self.enrolled.remove(device);
                self.lose_loans(device, now);
                self.waiting.retain(|_, place| place.device != *device);
            }
            (Command::Leave, Outcome::Done) => {
                let Actor::Device(device) = entry.actor else { return };
                self.enrolled.remove(&device);
                // It may come back, and is a new one to the books then.
                self.lost.remove(&device);
                self.waiting.retain(|_, place| place.device != device);
                for session in self.sessions.values_mut().filter(|session| session.device == device) {
                    session.ended.get_or_insert(now);
                }
            }
            (Command::AddLicense { text }, Outcome::Done) => {
                if let Ok(signed) = SignedLicense::parse(text) {
                    let license = signed.license().clone();
                    self.licenses.insert(license.id.clone(), Owned { license, active: true });
                }
            }
            (Command::RemoveLicense { license } | Command::EndLicense { license }, Outcome::Done) => {
                if let Some(owned) = self.licenses.get_mut(license) {
                    owned.active = false;
                }
            }
            _ => {}
        }
    }

    fn follow_loan(&mut self, index: u64, entry: &Entry, outcome: &Outcome, now: u64) {
        let site_off_ms = entry.time.ms_since(wall_at(now));
        match (&entry.command, outcome) {
            // The serial is the entry's place in the log. A repetition is answered as before and lends nothing, and the
            // site's time at it says nothing of the loan.
            (Command::Borrow(_), Outcome::Borrowed(borrowed)) if borrowed.serial == index => {
                let Actor::Device(device) = entry.actor else { return };
                let seat = borrowed.seat.0;
                // The books may have moved it to a license that lends.
                for session in self.sessions.values_mut().filter(|session| session.seat == seat) {
                    session.license.clone_from(&borrowed.license);
                }
                if let Some(loan) = self.loans.get_mut(&seat).filter(|loan| loan.over.is_none()) {
                    (loan.serial, loan.ends) = (borrowed.serial, borrowed.ends);
                    loan.site_off_ms = site_off_ms;
                    return;
                }
                let loan = Loan {
                    device,
                    user: borrowed.user.clone(),
                    license: borrowed.license.clone(),
                    serial: borrowed.serial,
                    ends: borrowed.ends,
                    since: now,
                    site_off_ms,
                    over: None,
                };
                self.loans.insert(seat, loan);
            }
            (Command::ReturnBorrow { seat, serial }, Outcome::Done) => {
                // A late repetition is answered as before and does nothing.
                if let Some(loan) = self.loans.get_mut(&seat.0).filter(|loan| loan.serial == *serial) {
                    loan.over.get_or_insert((LoanOver::Returned, now));
                }
            }
            (Command::EndBorrow { seat, .. }, Outcome::Done) => {
                if let Some(loan) = self.loans.get_mut(&seat.0) {
                    loan.over.get_or_insert((LoanOver::Ended, now));
                }
            }
            (Command::LoseDevice { device, lost: true }, Outcome::Done)
                // A report that repeats what is known does nothing.
                if self.lost.insert(*device) =>
            {
                self.lose_loans(device, now);
            }
            (Command::LoseDevice { device, lost: false }, Outcome::Done) => {
                self.lost.remove(device);
            }
            _ => {}
        }
    }

    /// A device is out of reach for good.
    fn lose_loans(&mut self, device: &DeviceId, now: u64) {
        for loan in self.loans.values_mut().filter(|loan| loan.device == *device) {
            let lost = self.licenses.get(&loan.license).map(|owned| owned.license.lost);
            if lost == Some(Lost::Immediate) {
                loan.over.get_or_insert((LoanOver::Lost, now));
            }
        }
    }
}
