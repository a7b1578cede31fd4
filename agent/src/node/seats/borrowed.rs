//! Programs on borrowed seats: they need nobody's answer.

use std::sync::Arc;

use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::api::{FORMAT, SeatEvent, SeatGranted};
use seatkeeper_protocol::id::{SeatId, SessionId};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::{BootTime, WallTime};

use super::{Asked, Basis, Hold, Remembered, Seats, State};
use crate::middle::borrows::{Kept, Start};
use crate::node::Inner;

/// So long before the end of a borrow the programs that use it ask for the seat online, milliseconds.
const ONLINE_BEFORE_MS: i64 = 5 * 60 * 1_000;

impl Basis {
    fn start(&self) -> Start<'_> {
        let Self { user, product, version, features, .. } = self;
        Start { user, product, version: version.as_ref(), features }
    }
}

impl State {
    /// Whether another start may use the borrowed seat.
    fn may_share(&self, kept: &Kept, session: &SessionId) -> bool {
        let others = || self.holds.iter().filter(|(id, hold)| *id != session && hold.is_on(kept.seat));
        kept.share != Share::None || others().next().is_none()
    }
}

impl Hold {
    /// Tells the program the seat and deadline that it goes on with.
    pub(super) fn tell_granted(&self) {
        if let Some((_, events)) = &self.connection {
            // A program that does not read is not waited for.
            let _ = events.try_send(SeatEvent::Granted(Box::new(self.granted.clone())));
        }
    }

    /// It goes on with a borrowed seat, or with one that was prolonged, until `ends` by the boot clock.
    fn goes_on(&mut self, kept: &Kept, ends: BootTime) {
        self.borrowed = Some(kept.seat);
        self.granted.seat = kept.seat.to_string();
        self.granted.license = kept.license.to_string();
        self.granted.ticket.clone_from(&kept.ticket);
        self.license_text = Some(kept.license_text.clone());
        self.granted.proof = None;
        self.granted.until_boot_ms = ends.0;
        self.tell_granted();
    }

    pub(super) fn is_on(&self, seat: SeatId) -> bool {
        self.granted.seat == seat.to_string()
    }
}

impl Seats {
    /// Does `act` if no program uses any of the seats, and none can begin to meanwhile; else says how many do.
    pub(in crate::node) fn if_unused(&self, kept: &[Kept], act: impl FnOnce()) -> Result<(), usize> {
        let state = self.state();
        let on = |hold: &&Hold| kept.iter().any(|kept| hold.is_on(kept.seat));
        // After a restart of the agent these run on, on seats that are not resumed yet.
        let may = |remembered: &&Remembered| kept.iter().any(|kept| remembered.may_use(kept));
        match state.holds.values().filter(on).count() + state.remembered.values().filter(may).count() {
            0 => {
                act();
                Ok(())
            }
            used => Err(used),
        }
    }

    /// Whether programs of an earlier run may use seats that are not resumed yet.
    pub(in crate::node) fn are_some_remembered(&self) -> bool {
        !self.state().remembered.is_empty()
    }

    /// How many programs use a seat.
    pub(in crate::node) fn users_of(&self, seat: SeatId) -> usize {
        self.state().holds.values().filter(|hold| hold.is_on(seat)).count()
    }

    /// The number of the last ping.
    pub(in crate::node) fn pings(&self) -> u64 {
        self.state().sessions.pings()
    }

    /// Tells the programs on a borrowed seat that it ends soon.
    pub(in crate::node) fn borrow_ends(&self, kept: &Kept, left_ms: i64) {
        let state = self.state();
        state.tell_all(|session| {
            let hold = state.holds.get(session)?;
            let left_s = u64::try_from(left_ms / 1_000).unwrap_or(0);
            hold.is_on(kept.seat).then(|| SeatEvent::Ends { ends: kept.ends.rfc3339(), left_s })
        });
    }
}

impl Inner {
    /// A borrowed seat for a start, if there is one that it may use.
    pub(super) fn take_borrowed(&self, basis: &Basis, nonce: Option<&[u8]>) -> Option<SeatGranted> {
        // Held until the hold is there: a seat that is given back meanwhile is either found used or not found.
        let mut state = self.seats.state();
        let now = self.borrow_now();
        let usable: Vec<Kept> = self.borrows().usable(&basis.start(), now).into_iter().cloned().collect();
        let kept = usable.iter().find(|kept| state.may_share(kept, &basis.session))?;
        let granted = SeatGranted {
            format: FORMAT,
            seat: kept.seat.to_string(),
            session: basis.session.to_string(),
            license: kept.license.to_string(),
            product: kept.product.to_string(),
            version: basis.version.as_ref().unwrap_or(&kept.version).to_string(),
            shared: state.holds.values().any(|hold| hold.is_on(kept.seat)),
            durability: "majority".to_owned(),
            until_boot_ms: self.boot_end(kept, now).0,
            proof: nonce.and_then(|nonce| self.prove(&kept.ticket, nonce)),
            ticket: kept.ticket.clone(),
        };
        let hold = Hold {
            granted: granted.clone(),
            basis: basis.clone(),
            connection: None,
            tree: None,
            borrowed: Some(kept.seat),
            nonce: nonce.map(<[u8]>::to_vec),
            license_text: Some(kept.license_text.clone()),
        };
        state.holds.insert(basis.session, hold);
        Some(granted)
    }

    /// When a borrow ends by the boot clock.
    fn boot_end(&self, kept: &Kept, now: WallTime) -> BootTime {
        self.clock.mono().plus_ms(u64::try_from(kept.ends.ms_since(now)).unwrap_or(0))
    }

    /// When the borrow ends on which a session runs, by the boot clock; `None`: it runs on none.
    pub(super) fn borrowed_until(&self, seat: Option<SeatId>) -> Option<BootTime> {
        let now = self.borrow_now();
        self.borrows().get(seat?).map(|kept| self.boot_end(kept, now))
    }

    /// A session has lost its seat online. Whether it goes on with a borrowed one.
    pub(super) fn goes_on_borrowed(&self, session: &SessionId) -> bool {
        let mut state = self.seats.state();
        let Some(basis) = state.holds.get(session).map(|hold| hold.basis.clone()) else { return false };
        let now = self.borrow_now();
        let usable: Vec<Kept> = self.borrows().usable(&basis.start(), now).into_iter().cloned().collect();
        let Some(kept) = usable.iter().find(|kept| state.may_share(kept, session)) else { return false };
        let Some(hold) = state.holds.get_mut(session) else { return false };
        hold.goes_on(kept, self.boot_end(kept, now));
        tracing::info!(seat = %kept.seat, product = %kept.product, "a program goes on with its borrowed seat");
        true
    }

    /// A borrow was prolonged: the programs that use it have its new ticket and end.
    pub(in crate::node) fn borrow_prolonged(&self, kept: &Kept) {
        let ends = self.boot_end(kept, self.borrow_now());
        let mut state = self.seats.state();
        let on = state.holds.values_mut().filter(|hold| hold.borrowed == Some(kept.seat));
        on.for_each(|hold| hold.goes_on(kept, ends));
    }

    /// A borrow is over: the programs that use it without the site lose it.
    pub(in crate::node) fn lose_borrowed(self: &Arc<Self>, seat: SeatId, reason: &str) {
        let on = |hold: &Hold| hold.borrowed == Some(seat);
        let lost: Vec<SessionId> =
            self.seats.state().holds.iter().filter(|(_, hold)| on(hold)).map(|(id, _)| *id).collect();
        lost.into_iter().for_each(|session| self.lose(session, None, reason));
    }

    /// Before a borrow ends, the programs that use it without the site ask for the same seat online.
    pub(in crate::node) fn go_online_before_end(self: &Arc<Self>, kept: &[Kept], now: WallTime) {
        let soon = kept.iter().filter(|kept| kept.ends.ms_since(now) <= ONLINE_BEFORE_MS);
        for seat in soon.map(|kept| kept.seat) {
            let asking: Vec<(Basis, Option<Vec<u8>>)> = {
                let state = self.seats.state();
                let on = state.holds.values().filter(|hold| hold.borrowed == Some(seat));
                on.map(|hold| (hold.basis.clone(), hold.nonce.clone())).collect()
            };
            for (basis, nonce) in asking {
                let inner = self.clone();
                self.tasks.spawn(async move { inner.go_online(&basis, seat, nonce.as_deref()).await });
            }
        }
    }

    async fn go_online(self: &Arc<Self>, basis: &Basis, seat: SeatId, nonce: Option<&[u8]>) {
        // Whoever takes the session now does the same.
        if !self.seats.taking.send_if_modified(|sessions| sessions.insert(basis.session)) {
            return;
        }
        let taking = super::Taking { inner: self.clone(), session: basis.session };
        match self.ask(basis, nonce, Command::GoOnline { seat, start: basis.wants() }).await {
            Ok(Asked::Granted(granted)) => {
                tracing::info!(seat = %granted.seat, "a program on a borrowed seat is online again");
                // It may have ended meanwhile.
                drop(super::OnItsWay { taking, granted: *granted });
            }
            Ok(Asked::Waiting(..)) => {}
            Err(error) => tracing::debug!(session = ?basis.session, %error, "not online yet"),
        }
    }
}
