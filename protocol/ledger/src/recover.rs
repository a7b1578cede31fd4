//! Going on in a new generation of the site, after the majority of its log holders was lost for good (design section
//! 6, "Recovery").
//!
//! The books go on from those of one device, which may have missed the last of what the lost ones agreed on. What that
//! can have been is provided for: what ran online ends by its ttl before anybody else gets the seat, and whatever could
//! have been borrowed since is withheld until such a borrow would be over. A withheld seat is a borrow of a device that
//! there is not, so that all that is true of borrows is true of it.

use std::collections::BTreeSet;

use seatkeeper_protocol::id::{DeviceId, Name, SeatId};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::WallTime;

use crate::admission::PieceSet;
use crate::command::{Outcome, Recover, Refusal};
use crate::keys::check_sealed;
use crate::ledger::{Answer, Ledger, Moment};
use crate::records::Happening;
use crate::state::{BorrowRecord, LicenseRecord, PoolKey, SeatRecord};

/// Seat ids and attaches that a recovery leaves out.
const SEATS_SKIPPED: u64 = 1_000_000;
const ATTACHES_SKIPPED: u32 = 1_000_000;
/// Who has borrowed what a recovery withholds. No device has this id: it is no key's fingerprint.
pub const WITHHELD: DeviceId = DeviceId([0; 20]);

impl Ledger {
    pub(crate) fn recover(&mut self, moment: Moment, holder: DeviceId, recover: &Recover) -> Answer {
        let Recover { recovery, certificate, sealed_pool_key, device, info } = recover;
        let (site, Some(current)) = (self.site_or_refuse()?, &self.state.pool_key) else {
            return Err(Refusal::Bug("the site has no pool key".into()));
        };
        if site.generation == recovery.to && current.certificate == *certificate {
            return Ok(Outcome::Done);
        }
        if self.state.revoked.contains_key(&holder) {
            return Err(Refusal::NotPermitted(
                "this device was revoked; recover the site on another one".into(),
            ));
        }
        if holder != recovery.device || holder != device.device() {
            return Err(Refusal::NotPermitted(
                "a site is recovered by the device whose books it goes on from".into(),
            ));
        }
        recovery.verify(&site.root).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if recovery.from != site.generation {
            return Err(Refusal::Conflict(format!(
                "the recovery goes on from generation {}, these books are of generation {}",
                recovery.from.number, site.generation.number
            )));
        }
        certificate.verify(&site.root).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if certificate.generation != recovery.to || certificate.number <= current.certificate.number {
            return Err(Refusal::Invalid(
                "the recovery's pool key is not a new one of its generation".into(),
            ));
        }
        check_sealed(sealed_pool_key)?;
        let (from, to) = (recovery.from.number, recovery.to.number);
        if let Some(site) = &mut self.state.site {
            site.generation = recovery.to;
        }
        if !self.state.devices.contains_key(&holder) {
            self.enroll(moment, device, info);
        }
        // What those that are lost have given out is not given out again.
        self.state.next_seat = self.state.next_seat.saturating_add(SEATS_SKIPPED);
        for record in self.state.devices.values_mut() {
            record.attaches = record.attaches.saturating_add(ATTACHES_SKIPPED);
        }
        self.state.pool_key = Some(PoolKey {
            certificate: certificate.clone(),
            sealed: [(holder, sealed_pool_key.clone())].into(),
            exposed: false,
        });
        let withheld = self.withhold(moment)?;
        let name = self.device_name(&holder);
        self.record(moment, Happening::Recovered { from, to, device: holder, name, withheld });
        Ok(Outcome::Done)
    }

    /// What a recovery now would withhold: license, how many of its seats, until when.
    pub fn to_withhold(&self, now: WallTime) -> Vec<(Name, u32, WallTime)> {
        let licenses = self.state.licenses.values();
        licenses.filter_map(|record| self.may_be_lent(record, now)).collect()
    }

    /// How many seats of a license may have been borrowed without these books, and until when.
    fn may_be_lent(&self, record: &LicenseRecord, now: WallTime) -> Option<(Name, u32, WallTime)> {
        let license = record.license();
        let terms = license.borrow.filter(|_| !record.removed && record.ended.is_none())?;
        let longest = now.plus_ms(terms.max_ms());
        let until = license.valid_until.map_or(longest, |day| day.ends().min(longest));
        let lent = self.state.seats.values().filter(|seat| seat.license == license.id && known_borrow(seat));
        let known = u32::try_from(lent.count()).unwrap_or(u32::MAX);
        let most = terms.max_seats.min(license.seats);
        let unknown = most.saturating_sub(known);
        (unknown > 0 && until > now).then(|| (license.id.clone(), unknown, until))
    }

    fn withhold(&mut self, moment: Moment) -> Result<u32, Refusal> {
        let wanted = self.to_withhold(moment.time);
        // Those of an earlier recovery are laid down anew: what was lent since may end later.
        let earlier: Vec<SeatId> = self.borrowed_by(&WITHHELD).map(|(id, ..)| id).collect();
        earlier.into_iter().for_each(|id| self.forget_withheld(id));
        let mut all = 0_u32;
        for (license, seats, ends) in wanted {
            for _ in 0..seats {
                self.withhold_seat(moment, &license, ends)?;
                all = all.saturating_add(1);
            }
        }
        Ok(all)
    }

    fn withhold_seat(&mut self, moment: Moment, license: &Name, ends: WallTime) -> Result<(), Refusal> {
        let id = self.next_seat()?;
        let Some(record) = self.state.licenses.get(license) else {
            return Err(Refusal::Bug(format!("license {license} is not there")));
        };
        let terms = record.license();
        let user = Name::new("unknown").map_err(|error| Refusal::Bug(error.to_string()))?;
        let borrow = BorrowRecord {
            user: user.clone(),
            device: WITHHELD,
            since: moment.time,
            ends,
            serial: moment.index,
            version: terms.version.clone(),
            features: Vec::new(),
        };
        let seat = SeatRecord {
            license: license.clone(),
            product: terms.product.clone(),
            version: terms.version.clone(),
            features: Vec::new(),
            user,
            device: WITHHELD,
            since: moment.time,
            sessions: BTreeSet::new(),
            serial: moment.index,
            ttl_ms: terms.ttl_ms,
            share: Share::None,
            released_by: None,
            borrow: Some(borrow.clone()),
        };
        self.by.add_borrow(id, &borrow);
        if let Some(pool) = self.by.pools.get_mut(&seat.product) {
            let stays = PieceSet::empty(pool.len());
            pool.add_seat(id, &seat, stays, 0);
        }
        self.state.seats.insert(id, seat);
        Ok(())
    }

    fn forget_withheld(&mut self, id: SeatId) {
        let Some(seat) = self.state.seats.get_mut(&id) else { return };
        let Some(borrow) = seat.borrow.take() else { return };
        self.by.remove_borrow(id, &borrow);
        let seat = seat.clone();
        self.free_if_unused(id, &seat);
    }
}

/// Whether somebody whom the books know has borrowed the seat.
fn known_borrow(seat: &SeatRecord) -> bool {
    seat.borrow.as_ref().is_some_and(|borrow| borrow.device != WITHHELD)
}
