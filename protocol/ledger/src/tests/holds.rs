//! What no command may do to borrowed seats, the queue, limits and lost devices, whatever it is: the books before and
//! after each are compared.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SeatId};
use seatkeeper_protocol::license::Lost;
use seatkeeper_protocol::limits::{BORROW_END_AFTER_MS, CLOCK_OFF_MS};

use crate::Ledger;
use crate::command::{Actor, Borrowed, Command, Entry, NodeLimits, Outcome, Whom};
use crate::org::NodeId;
use crate::state::BorrowRecord;

/// The books before a command, as far as they are compared.
pub(super) struct Before {
    /// The borrows, and the licenses they stand on.
    borrows: BTreeMap<SeatId, (Name, BorrowRecord)>,
    /// Seats, and how many of them are used.
    limits: BTreeMap<(ProductId, Whom), (u32, u32)>,
    groups: BTreeMap<Name, BTreeSet<Name>>,
    /// Seats used and borrowed at nodes with limits, and below them.
    nodes: BTreeMap<(ProductId, NodeId), (u32, u32)>,
    lost: BTreeSet<DeviceId>,
    seats: usize,
    attaches: BTreeMap<DeviceId, u32>,
}

impl Before {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let limits = ledger.limits();
        let lost = ledger.devices().filter(|(_, record)| record.lost.is_some());
        Self {
            borrows: borrows(ledger),
            limits: limits
                .map(|(product, whom, seats, used)| ((product.clone(), whom.clone()), (seats, used)))
                .collect(),
            groups: ledger.state.groups.clone(),
            nodes: at_nodes(ledger).into_iter().map(|(key, (_, used))| (key, used)).collect(),
            lost: lost.map(|(id, _)| *id).collect(),
            seats: ledger.seats().len(),
            attaches: ledger.devices().map(|(id, record)| (*id, record.attaches)).collect(),
        }
    }

    /// # Panics
    /// When the command did what it must not.
    pub(super) fn compare(&self, ledger: &Ledger, entry: &Entry, outcome: &Outcome) {
        self.borrows_last(ledger, entry, outcome);
        self.limits_keep(ledger);
        if matches!(outcome, Outcome::Granted(_) | Outcome::Borrowed(_)) {
            self.node_limits_keep(ledger);
        }
        if let (Actor::Device(device), Outcome::Granted(_) | Outcome::Waiting(_) | Outcome::Borrowed(_)) =
            (&entry.actor, outcome)
            // A repetition is answered as it was, and acts no more.
            && self.lost.contains(device)
        {
            let attaches = ledger.device(device).map(|record| record.attaches);
            assert_eq!(attaches.as_ref(), self.attaches.get(device), "a lost device takes something");
            assert!(borrows(ledger) == self.borrows, "a lost device borrows");
        }
        match outcome {
            Outcome::Waiting(waiting) => {
                assert!(ledger.session(&waiting.session).is_none(), "waits and has a seat");
                let attach = ledger.waiting_session(&waiting.session).map(|known| known.attach);
                assert_eq!(attach, Some(waiting.attach), "has another place than it was told");
            }
            Outcome::Granted(grant) => {
                assert!(ledger.waiting_session(&grant.session).is_none(), "has a seat and waits");
            }
            Outcome::Borrowed(borrowed) => self.borrowed(ledger, entry, borrowed),
            Outcome::Done | Outcome::Refused(_) => {}
        }
    }

    /// A borrow stands on its license until its device gives it back, its time is over or its device is lost; only its
    /// own device prolongs it.
    fn borrows_last(&self, ledger: &Ledger, entry: &Entry, outcome: &Outcome) {
        let now = borrows(ledger);
        for (id, (license, borrow)) in &self.borrows {
            let Some((now_on, now)) = now.get(id) else {
                assert!(
                    may_end(ledger, entry, *id, license, borrow),
                    "the borrow of seat {id} was ended by this"
                );
                continue;
            };
            assert_eq!(license, now_on, "the borrowed seat {id} was moved");
            if now != borrow {
                let prolonged = matches!(outcome, Outcome::Borrowed(borrowed) if borrowed.seat == *id);
                assert!(
                    prolonged && entry.actor == Actor::Device(borrow.device),
                    "the borrow of {id} changed"
                );
                assert!(now.ends >= borrow.ends && now.serial > borrow.serial, "{borrow:?} became {now:?}");
                assert_eq!((&now.user, now.device), (&borrow.user, borrow.device));
            }
        }
        for id in now.keys().filter(|id| !self.borrows.contains_key(id)) {
            let asked = matches!(outcome, Outcome::Borrowed(borrowed) if borrowed.seat == *id);
            assert!(asked, "seat {id} is borrowed, and nobody was told");
        }
    }

    /// A borrow that was just made or prolonged is within its license's terms.
    fn borrowed(&self, ledger: &Ledger, entry: &Entry, borrowed: &Borrowed) {
        let now = borrows(ledger);
        let (_, borrow) = now.get(&borrowed.seat).expect("what was borrowed is");
        assert_eq!((borrow.serial, borrow.ends), (borrowed.serial, borrowed.ends));
        let before = self.borrows.get(&borrowed.seat).map(|(_, before)| before);
        if before.is_some_and(|before| before.ends == borrow.ends) {
            return;
        }
        let license = ledger.license(&borrowed.license).expect("it stands on a license").license();
        let terms = license.borrow.expect("a license that lends");
        let longest = entry.time.plus_ms(terms.max_ms()).plus_ms(CLOCK_OFF_MS);
        assert!(borrow.ends <= longest, "borrowed for too long: {borrow:?}");
        assert!(
            license.valid_until.is_none_or(|until| borrow.ends <= until.ends()),
            "beyond the license's end"
        );
        if before.is_none() {
            let lent = now.values().filter(|(on, _)| *on == borrowed.license).count();
            assert!(u32::try_from(lent).unwrap() <= terms.max_seats, "more are lent than may be");
            let grown = ledger.seats().len() - self.seats;
            assert_eq!(grown, usize::from(!borrowed.converted), "converting takes no seat more");
        }
    }

    /// No grant lets a node use or borrow more than its limits allow.
    fn node_limits_keep(&self, ledger: &Ledger) {
        for (key, (limits, (used, borrowed))) in at_nodes(ledger) {
            let (used_before, borrowed_before) = self.nodes[&key];
            let most = |limit: Option<u32>, before: u32| limit.map_or(u32::MAX, |limit| limit.max(before));
            assert!(used <= most(limits.seats, used_before), "{key:?} uses {used}: {limits:?}");
            assert!(
                borrowed <= most(limits.borrowed, borrowed_before),
                "{key:?} borrows {borrowed}: {limits:?}"
            );
        }
    }

    /// Nobody comes to use more than his limit allows.
    fn limits_keep(&self, ledger: &Ledger) {
        if ledger.state.groups != self.groups {
            return;
        }
        for (product, whom, seats, used) in ledger.limits() {
            let Some((before, used_before)) = self.limits.get(&(product.clone(), whom.clone())) else {
                continue;
            };
            assert!(
                *before != seats || used <= seats.max(*used_before),
                "{whom} uses {used} of {seats} {product}"
            );
        }
    }
}

fn at_nodes(ledger: &Ledger) -> BTreeMap<(ProductId, NodeId), (NodeLimits, (u32, u32))> {
    let limits = ledger.node_limits();
    let by_node = |(product, node, limits, used, borrowed): (&ProductId, &NodeId, NodeLimits, u32, u32)| {
        ((product.clone(), node.clone()), (limits, (used, borrowed)))
    };
    limits.map(by_node).collect()
}

fn borrows(ledger: &Ledger) -> BTreeMap<SeatId, (Name, BorrowRecord)> {
    let borrow = |(id, seat): (&SeatId, &crate::state::SeatRecord)| {
        Some((*id, (seat.license.clone(), seat.borrow.clone()?)))
    };
    ledger.seats().filter_map(borrow).collect()
}

fn may_end(ledger: &Ledger, entry: &Entry, id: SeatId, license: &Name, borrow: &BorrowRecord) -> bool {
    let at_once = || {
        let record = ledger.license(license);
        // One that was removed is forgotten with its last seat.
        record.is_none_or(|record| record.license().lost == Lost::Immediate)
    };
    match (&entry.actor, &entry.command) {
        (Actor::Device(by), Command::ReturnBorrow { seat, serial }) => {
            (*by, *seat, *serial) == (borrow.device, id, borrow.serial)
        }
        (Actor::Holder(_), Command::EndBorrow { seat, serial }) => {
            (*seat, *serial) == (id, borrow.serial) && entry.time >= borrow.ends.plus_ms(BORROW_END_AFTER_MS)
        }
        (
            Actor::Admin { .. },
            Command::LoseDevice { device, lost: true } | Command::RevokeDevice { device },
        ) => *device == borrow.device && at_once(),
        _ => false,
    }
}
