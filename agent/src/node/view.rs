//! What this agent knows of the site: term, holder, roster, addresses. Everything learned goes through here.

use std::net::SocketAddr;
use std::sync::Arc;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::roster::SignedRoster;
use seatkeeper_protocol::wire::View;

use super::Inner;
use super::record::{OpenRoster, Site};

/// The newest known term and its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) term: u64,
    pub(crate) holder: Option<DeviceId>,
    /// Who said so: what a device has said is worth nothing once it is revoked.
    pub(crate) by: Option<DeviceId>,
}

/// Addresses that go along with a pushed view.
const ADDRESSES_PUSHED_MAX: usize = 16;

impl Inner {
    /// The site this device belongs to.
    pub(crate) fn site(&self) -> Option<Arc<Site>> {
        self.site.borrow().clone()
    }

    /// The holder as far as known.
    pub(crate) fn known(&self) -> Known {
        *self.known.borrow()
    }

    /// `by`, who is enrolled, says that `holder` holds `term`. Only an enrolled device can be it.
    ///
    /// A device that was stolen says what it likes until it is revoked, also a term that no election will ever reach.
    /// So this device's own engine is believed whatever others have said, and the holder itself corrects what others
    /// say of it.
    ///
    /// That nobody holds is learned from this device's own engine alone, and gives way to whoever says who does: a term
    /// that one machine has seen may be gone with its log, and must not hide the holder of an earlier one.
    pub(crate) fn learn_holder(&self, by: DeviceId, term: u64, holder: DeviceId) {
        // Whether this device holds, it knows best.
        let holds = || self.duty().is_some_and(|duty| duty.term == term);
        let believed = if holder == self.device { holds() } else { self.refuse_device(&holder).is_none() };
        if !believed {
            return;
        }
        self.meter.holds(term);
        self.known.send_if_modified(|known| {
            let next = Known { term, holder: Some(holder), by: Some(by) };
            let newer = term > known.term || known.holder.is_none();
            let knows_best = by == self.device
                || (by == holder && known.holder == Some(holder) && known.by != Some(holder));
            if !newer && !knows_best {
                return false;
            }
            // Who said so first is no news.
            let news = (known.term, known.holder) != (next.term, next.holder);
            *known = next;
            news
        });
    }

    /// This device's own engine no longer hears of a holder of `term`.
    pub(crate) fn lost_holder(&self, term: u64) {
        self.known.send_if_modified(|known| {
            let lost = term >= known.term && known.holder.is_some();
            if lost {
                *known = Known { term, holder: None, by: Some(self.device) };
            }
            lost
        });
    }

    /// What revoked devices have said of themselves or of others counts no more.
    fn forget_word_of(&self, revoked: &[DeviceId]) {
        let forgotten = self.known.send_if_modified(|known| {
            let theirs =
                [known.holder, known.by].into_iter().flatten().any(|device| revoked.contains(&device));
            if theirs {
                *known = Known::default();
            }
            theirs
        });
        // The engine tells of changes only.
        if forgotten && let Some(log) = self.log() {
            let (term, leader) = {
                let status = log.engine.status();
                let status = status.borrow();
                (status.term, status.leader)
            };
            if let Some(leader) = leader {
                self.learn_holder(self.device, term, leader.device);
            }
        }
    }

    /// A view that `peer` pushed: each part is taken if it is newer. A roster proves itself; what else is said counts
    /// only from an enrolled device.
    pub(crate) fn learn_view(&self, peer: &DeviceId, view: View) {
        if let Some(signed) = view.roster {
            self.learn_roster(signed);
        }
        if self.refuse_device(peer).is_some() {
            return;
        }
        for (device, address) in view.addresses.into_iter().take(ADDRESSES_PUSHED_MAX) {
            // What others say fills gaps; what this agent knew before stays first.
            let mut book = self.book();
            if !book.addresses(&device).contains(&address) {
                let own = book.newest(&device);
                book.heard(device, address);
                if let Some(own) = own {
                    book.heard(device, own);
                }
            }
        }
        if let Some(holder) = view.holder {
            self.learn_holder(*peer, view.term, holder);
        }
    }

    /// A roster: verified, and taken if newer. Connections of devices that it revokes are closed.
    pub(crate) fn learn_roster(&self, signed: SignedRoster) {
        let Some(site) = self.site() else { return };
        // Both links bring the same one, and reading it costs by the number of devices.
        if site.roster.as_ref().is_some_and(|open| open.signed == signed) {
            return;
        }
        let known = site.roster.as_ref().map(|open| open.rank());
        let roster = match signed.open(&site.root) {
            Ok(roster) if roster.site == site.id && roster.generation == site.generation => roster,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "a roster does not verify and is ignored");
                return;
            }
        };
        let open = Arc::new(OpenRoster::new(roster, signed));
        if known.is_some_and(|known| open.rank() <= known) {
            return;
        }
        let mut newly_revoked = Vec::new();
        self.site.send_if_modified(|current| {
            let Some(site) = current.as_ref() else { return false };
            if site.roster.as_ref().is_some_and(|old| open.rank() <= old.rank()) {
                return false;
            }
            newly_revoked = open.roster.revoked.iter().filter(|id| !site.revoked(id)).copied().collect();
            let mut next = Site::clone(site);
            next.roster = Some(open.clone());
            *current = Some(Arc::new(next));
            true
        });
        self.forget_word_of(&newly_revoked);
        for device in newly_revoked {
            if device != self.device {
                self.net.0.close(&device, "this device was revoked");
            }
        }
        self.save_site.notify_one();
    }

    /// The view to push to somebody who has seen a roster of this rank, and the rank of the roster in it.
    pub(crate) fn view_for(&self, roster_seen: Option<(u32, u64)>) -> (View, Option<(u32, u64)>) {
        let known = self.known();
        let site = self.site();
        let open = site.as_ref().and_then(|site| site.roster.clone());
        let roster = open.filter(|open| roster_seen.is_none_or(|seen| open.rank() > seen));
        let book = self.book();
        let mut addresses: Vec<(DeviceId, SocketAddr)> = Vec::new();
        let holders = site.map(|site| site.log_holders()).unwrap_or_default();
        for device in known.holder.into_iter().chain(holders).take(ADDRESSES_PUSHED_MAX) {
            if let Some(address) = book.newest(&device)
                && !addresses.contains(&(device, address))
            {
                addresses.push((device, address));
            }
        }
        let rank = roster.as_ref().map(|open| open.rank());
        let roster = roster.map(|open| open.signed.clone());
        (View { term: known.term, holder: known.holder, roster, addresses }, rank)
    }
}
