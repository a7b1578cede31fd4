//! Borrowing seats, giving them back, and being of one mind with the site about them.
//!
//! What the device has borrowed is one record on disk. Each pong says which seats the site believes to be borrowed
//! here: what it has taken back is forgotten, what it believes and is not here (an answer that was lost, a crash before
//! the record was written) is given back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use seatkeeper_ledger::command::{self, Borrowed, Command, Outcome};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{Feature, Name, ProductId, SeatId, Version};
use seatkeeper_protocol::limits::CLOCK_OFF_MS;
use seatkeeper_protocol::ticket::{SeatKind, Ticket};
use seatkeeper_protocol::time::{BootTime, WallTime};
use seatkeeper_protocol::wire::Pong;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::errors::{NodeError, SeatError};
use super::submit::WITHIN;
use super::{Inner, lock};
use crate::middle::borrows::{Borrows, Kept, Record, Settled, WARN_MS};
use crate::middle::health::{Condition, about, apart};

/// The file in the state directory.
pub(crate) const RECORD: &str = "borrows";
/// How long a return waits for the site; then it is sent at the next contact.
const RETURN_WITHIN: Duration = Duration::from_secs(3);
/// Ends and warnings are looked at this often while something is borrowed: the runtime's timers stop in suspend.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The latest time known is written down this often while something is borrowed, milliseconds: by so much a clock set
/// back and a restart can prolong a borrow.
const MARK_EVERY_MS: i64 = 5 * 60 * 1_000;
/// Programs on a borrow that ends soon ask for the seat online this often, milliseconds.
const ONLINE_AGAIN_MS: u64 = 5_000;
/// A borrow that could not be prolonged is tried again after this long, milliseconds.
const RENEW_AGAIN_MS: i64 = 10 * 60 * 1_000;
/// The clock's error is not known yet.
const NOT_KNOWN: i64 = i64::MIN;

/// What somebody wants to borrow.
#[derive(Clone, Debug)]
pub struct BorrowAsk {
    /// Who, from the operating system.
    pub user: Name,
    /// The product.
    pub product: ProductId,
    /// The version; `None`: whatever is owned.
    pub version: Option<Version>,
    /// Features.
    pub features: Vec<Feature>,
    /// For how long.
    pub until: Until,
    /// Prolong it to as long from then whenever the site is seen.
    pub renew: bool,
}

/// How long something is borrowed for.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// Until then.
    At(WallTime),
    /// For so long from now.
    For(Duration),
}

/// What this device has borrowed.
#[derive(Debug)]
pub(crate) struct Lent {
    state: Mutex<Borrows>,
    /// What the disk has for sure; locked while it is written. Not known until this run has written it: what was read
    /// may be lost again with the power.
    written: Mutex<Option<Record>>,
    /// One borrow, return or settlement at a time.
    changing: tokio::sync::Mutex<()>,
    /// What was warned of, by seat: the end, and how many warnings are left.
    warned: Mutex<BTreeMap<SeatId, (WallTime, usize)>>,
    /// When prolonging failed last, by seat.
    failed: Mutex<BTreeMap<SeatId, WallTime>>,
    changed: Notify,
    /// This clock less the site's, milliseconds, at the last contact.
    clock_off_ms: AtomicI64,
    lost: AtomicBool,
}

impl Default for Lent {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            written: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            warned: Mutex::default(),
            failed: Mutex::default(),
            changed: Notify::new(),
            clock_off_ms: AtomicI64::new(NOT_KNOWN),
            lost: AtomicBool::new(false),
        }
    }
}

/// Pongs say nothing of what is being borrowed as long as this lives.
struct Asking<'a>(&'a Inner);

impl<'a> Asking<'a> {
    fn begin(inner: &'a Inner) -> Self {
        inner.borrows().ask();
        Self(inner)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let ping = self.0.seats.pings();
        self.0.borrows().answered(ping);
    }
}

impl Inner {
    pub(super) fn borrows(&self) -> MutexGuard<'_, Borrows> {
        lock(&self.lent.state)
    }

    /// Reads what was borrowed in an earlier run.
    pub(super) fn read_borrows(&self) -> Result<(), String> {
        if let Some(record) = self.disk.read_record::<Record>(RECORD).map_err(|error| error.to_string())? {
            *self.borrows() = Borrows::read(record, self.clock.mono());
        }
        Ok(())
    }

    /// Forgets everything: the device left its site.
    pub(super) fn forget_borrows(&self) {
        *self.borrows() = Borrows::default();
        *lock(&self.lent.written) = None;
        self.lent.clock_off_ms.store(NOT_KNOWN, Ordering::Relaxed);
        self.lent.lost.store(false, Ordering::Relaxed);
    }

    fn write_borrows(&self) -> Result<(), NodeError> {
        // What is written last must be what was true last.
        let mut written = lock(&self.lent.written);
        let record = {
            let mut borrows = self.borrows();
            borrows.raise(self.clock.wall(), self.clock.mono());
            borrows.record().clone()
        };
        let failed = |error| NodeError::Internal(format!("what is borrowed cannot be written down: {error}"));
        // One that fails may be there all the same.
        *written = None;
        self.disk.write_record(RECORD, &record).map_err(failed)?;
        *written = Some(record);
        self.lent.changed.notify_one();
        Ok(())
    }

    /// The time by which this device judges the ends of its borrows.
    pub(super) fn borrow_now(&self) -> WallTime {
        if planted(Fault::BorrowByWallClock) {
            return self.clock.wall();
        }
        self.borrows().raise(self.clock.wall(), self.clock.mono())
    }

    /// Borrows a seat, or prolongs a borrow.
    pub(crate) async fn borrow(self: &Arc<Self>, ask: BorrowAsk) -> Result<api::Borrow, SeatError> {
        let inner = self.clone();
        // In a task of its own: whoever gives up while it waits must not interrupt it between site and disk.
        let done = self.tasks.spawn(async move {
            let _changing = inner.lent.changing.lock().await;
            inner.borrow_alone(ask).await
        });
        done.await.map_err(|error| NodeError::Internal(error.to_string()))?
    }

    async fn borrow_alone(self: &Arc<Self>, ask: BorrowAsk) -> Result<api::Borrow, SeatError> {
        if let Some(off_ms) = self.clock_off() {
            return Err(clock_is_off(off_ms).into());
        }
        let now = self.borrow_now();
        let until = match ask.until {
            Until::At(until) => until,
            Until::For(length) => now.plus_ms(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)),
        };
        let renew_ms = ask.renew.then(|| until.ms_since(now));
        let kept = self.ask_borrow(&ask, until, renew_ms).await?;
        tracing::info!(seat = %kept.seat, product = %kept.product, ends = ?kept.ends.rfc3339(), "seat borrowed");
        Ok(self.api_borrow(&kept))
    }

    async fn ask_borrow(
        self: &Arc<Self>,
        ask: &BorrowAsk,
        until: WallTime,
        renew_ms: Option<i64>,
    ) -> Result<Kept, SeatError> {
        let want = command::Borrow {
            user: ask.user.clone(),
            product: ask.product.clone(),
            version: ask.version.clone(),
            features: ask.features.clone(),
            until,
        };
        let _asking = Asking::begin(self);
        let answer = self.device_command(&Command::Borrow(want), WITHIN).await?;
        let (borrowed, ticket) = match (answer.outcome, answer.ticket) {
            (Outcome::Borrowed(borrowed), Some(ticket)) => (borrowed, ticket),
            (Outcome::Refused(command::Refusal::NoSeat(denial)), _) => {
                return Err(SeatError::NoSeat(denial, answer.idle));
            }
            (Outcome::Refused(refusal), _) => return Err(SeatError::Refused(refusal)),
            (outcome, _) => {
                return Err(NodeError::Internal(format!("unexpected outcome {outcome:?}")).into());
            }
        };
        let issued = borrowed.issued;
        let off_ms = self.clock.wall().ms_since(issued);
        self.lent.clock_off_ms.store(off_ms, Ordering::Relaxed);
        let kept = self.kept(*borrowed, &ticket, renew_ms)?;
        let (seat, serial) = (kept.seat, kept.serial);
        if self.clock_off().is_some() && self.borrows().get(seat).is_none() {
            // Before the first pong the clock's error was not known. No ticket is kept: the seat goes back.
            self.tell_returned(seat, serial).await;
            return Err(clock_is_off(off_ms).into());
        }
        let before = self.borrows().get(seat).cloned();
        {
            let mut borrows = self.borrows();
            borrows.keep(kept.clone());
            // The clock may have been set back since the last pong.
            borrows.raise(issued, self.clock.mono());
        }
        if let Err(error) = self.write_borrows() {
            // Without the record it cannot be used after a restart. What was there before still is.
            match before {
                Some(before) => self.borrows().keep(before),
                None => {
                    self.borrows().retire(seat);
                    self.tell_returned(seat, serial).await;
                }
            }
            return Err(error.into());
        }
        self.borrow_prolonged(&kept);
        Ok(kept)
    }

    /// What to keep of a borrow that its ticket proves.
    fn kept(&self, borrowed: Borrowed, ticket: &Ticket, renew_ms: Option<i64>) -> Result<Kept, NodeError> {
        let body = self.check_ticket(borrowed.seat, ticket)?;
        if body.kind != SeatKind::Borrowed || body.ends != Some(borrowed.ends) {
            return Err(NodeError::NotPermitted(
                "the machine that answered gave a ticket for another time than it says".to_owned(),
            ));
        }
        Ok(Kept {
            seat: borrowed.seat,
            serial: borrowed.serial,
            ticket: ticket.to_text().map_err(|error| NodeError::Internal(error.to_string()))?,
            license: borrowed.license,
            license_text: borrowed.license_text,
            product: borrowed.product,
            version: borrowed.version,
            features: borrowed.features,
            user: borrowed.user,
            share: borrowed.share,
            ends: borrowed.ends,
            renew_ms,
        })
    }

    /// Gives back what `user` borrowed of a product.
    pub(crate) async fn return_borrow(
        self: &Arc<Self>,
        user: &Name,
        product: &ProductId,
        version: Option<&Version>,
    ) -> Result<api::BorrowReturned, NodeError> {
        let _changing = self.lent.changing.lock().await;
        let fits = |kept: &&Kept| {
            kept.user == *user && kept.product == *product && version.is_none_or(|v| *v == kept.version)
        };
        let kept: Vec<Kept> = self.borrows().kept().filter(fits).cloned().collect();
        if kept.is_empty() {
            let of = |version: &Version| format!("@{version}");
            let version = version.map(of).unwrap_or_default();
            return Err(NodeError::Conflict(format!(
                "{user} has borrowed nothing of {product}{version} on this machine; see `seatkeeper borrow --list`"
            )));
        }
        let seats: Vec<(SeatId, u64)> = kept.iter().map(|kept| (kept.seat, kept.serial)).collect();
        let retire = || {
            let mut borrows = self.borrows();
            seats.iter().for_each(|(seat, _)| borrows.retire(*seat));
        };
        let retired = self.seats.if_unused(&kept, retire);
        if let Err(used) = retired
            && !planted(Fault::ReturnWhileUsed)
        {
            let many = if used == 1 { "a program uses".to_owned() } else { format!("{used} programs use") };
            return Err(NodeError::Conflict(format!(
                "{many} the borrowed seat of {product}; end it first, then return the seat"
            )));
        }
        if planted(Fault::ReturnWhileUsed) {
            retire();
        }
        let before_retired = planted(Fault::ReturnBeforeRetired);
        if let Err(error) = if before_retired { Ok(()) } else { self.write_borrows() } {
            // Not told to anybody yet: it is still borrowed.
            kept.into_iter().for_each(|kept| self.borrows().keep(kept));
            return Err(error);
        }
        let mut pending = false;
        for (seat, serial) in &seats {
            pending |= !self.tell_returned(*seat, *serial).await;
        }
        Ok(api::BorrowReturned {
            format: FORMAT,
            seats: seats.iter().map(|(seat, _)| seat.to_string()).collect(),
            pending,
        })
    }

    /// Tells the site that a seat is no longer used here, which is true, and stays so after a restart. Whether it knows
    /// now.
    async fn tell_returned(self: &Arc<Self>, seat: SeatId, serial: u64) -> bool {
        let retired = lock(&self.lent.written)
            .as_ref()
            .is_some_and(|record| record.kept.iter().all(|kept| kept.seat != seat));
        if !retired
            && !planted(Fault::ReturnBeforeRetired)
            && let Err(error) = self.write_borrows()
        {
            tracing::error!(%seat, %error, "a borrowed seat is not given back yet");
            return false;
        }
        match self.device_command(&Command::ReturnBorrow { seat, serial }, RETURN_WITHIN).await {
            // Its borrow was prolonged by a request whose answer was lost: the next pong names the newest.
            Ok(answer) if answer.outcome != Outcome::Done => false,
            Ok(_) => {
                self.borrows().forget(&[seat]);
                if planted(Fault::ReturnBeforeRetired) {
                    return true;
                }
                // Should this fail, the next contact says the same.
                let _ = self.write_borrows();
                true
            }
            Err(error) => {
                tracing::info!(%seat, %error, "a borrowed seat is given back at the next contact");
                false
            }
        }
    }

    /// A pong: the site's time, and what it believes to be borrowed here.
    pub(super) fn settle_borrows(self: &Arc<Self>, pong: &Pong) {
        *self.quorum_at() = self.clock.mono();
        let wall = self.clock.wall();
        self.lent.clock_off_ms.store(wall.ms_since(pong.time), Ordering::Relaxed);
        self.lent.lost.store(pong.lost, Ordering::Relaxed);
        let now = self.borrow_now();
        let renew: Vec<(Kept, WallTime)> = {
            let mut borrows = self.borrows();
            if borrows.kept().next().is_some() {
                borrows.raise(pong.time, self.clock.mono());
            }
            let prolong = |kept: &Kept| Some((kept.clone(), kept.prolong_until(now)?));
            borrows.kept().filter_map(prolong).collect()
        };
        if self.borrows().settle(pong.number, &pong.borrows).is_empty() && renew.is_empty() {
            return;
        }
        let (inner, number, places) = (self.clone(), pong.number, pong.borrows.clone());
        self.tasks.spawn(async move {
            // Whoever changes something now is followed by another pong.
            let Ok(_changing) = inner.lent.changing.try_lock() else { return };
            let settled = inner.borrows().settle(number, &places);
            inner.settle(settled).await;
            for (kept, until) in renew {
                inner.renew(kept, until, now).await;
            }
        });
    }

    async fn settle(self: &Arc<Self>, settled: Settled) {
        let Settled { gone, recalled, unknown, confirmed } = settled;
        // First nobody can begin to use them, then nobody goes on.
        {
            let mut borrows = self.borrows();
            borrows.forget(&[gone.as_slice(), confirmed.as_slice()].concat());
            recalled.iter().for_each(|(seat, _)| borrows.retire(*seat));
        }
        gone.iter().for_each(|seat| self.lose_borrowed(*seat, "the site took the borrowed seat back"));
        recalled
            .iter()
            .for_each(|(seat, _)| self.lose_borrowed(*seat, "an admin took the borrowed seat back"));
        if !(gone.is_empty() && recalled.is_empty() && confirmed.is_empty())
            && let Err(error) = self.write_borrows()
        {
            // Without the record a restart might use a seat that was given back: the site is told later.
            return tracing::error!(%error, "a borrowed seat is not given back yet");
        }
        // Programs that run since before a restart of this agent are not told of any of this yet.
        if !self.seats.are_some_remembered() {
            for (seat, serial) in recalled.into_iter().chain(unknown) {
                self.tell_returned(seat, serial).await;
            }
        }
    }

    async fn renew(self: &Arc<Self>, kept: Kept, until: WallTime, now: WallTime) {
        let again =
            lock(&self.lent.failed).get(&kept.seat).is_some_and(|at| now.ms_since(*at) < RENEW_AGAIN_MS);
        if again || self.clock_off().is_some() || self.borrows().get(kept.seat).is_none() {
            return;
        }
        let ask = BorrowAsk {
            user: kept.user.clone(),
            product: kept.product.clone(),
            version: Some(kept.version.clone()),
            features: kept.features.clone(),
            until: Until::At(until),
            renew: true,
        };
        match self.ask_borrow(&ask, until, kept.renew_ms).await {
            Ok(kept) => {
                lock(&self.lent.failed).remove(&kept.seat);
                tracing::info!(seat = %kept.seat, ends = ?kept.ends.rfc3339(), "borrow prolonged");
            }
            Err(error) => {
                lock(&self.lent.failed).insert(kept.seat, now);
                tracing::warn!(seat = %kept.seat, %error, "a borrow could not be prolonged");
            }
        }
    }

    /// Ends borrows whose time is over, and warns before, until `stop`.
    pub(crate) async fn watch_borrows(self: Arc<Self>, stop: CancellationToken) {
        let mut asked: Option<BootTime> = None;
        loop {
            let now = self.borrow_now();
            let kept: Vec<Kept> = self.borrows().kept().cloned().collect();
            let still = |seat: &SeatId| kept.iter().any(|kept| kept.seat == *seat);
            lock(&self.lent.warned).retain(|seat, _| still(seat));
            lock(&self.lent.failed).retain(|seat, _| still(seat));
            if !kept.is_empty() {
                self.end_borrows(now);
                kept.iter().for_each(|kept| self.warn(kept, now));
                let mono = self.clock.mono();
                if asked.is_none_or(|at| mono.ms_since(at) >= ONLINE_AGAIN_MS) {
                    asked = Some(mono);
                    self.go_online_before_end(&kept, now);
                }
                let marked = lock(&self.lent.written).as_ref().map(|record| record.mark);
                if marked.is_none_or(|mark| now.ms_since(mark) >= MARK_EVERY_MS) {
                    let written = self.write_borrows();
                    if let Err(error) = written {
                        tracing::warn!(%error, "the time is not written down");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.lent.changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY), if !kept.is_empty() => {}
            }
        }
    }

    /// The programs hear of it at once, whatever is being asked of the site.
    fn end_borrows(self: &Arc<Self>, now: WallTime) {
        let over = self.borrows().over(now);
        if over.is_empty() {
            return;
        }
        for seat in over {
            self.borrows().retire(seat);
            self.lose_borrowed(seat, "the time for which the seat was borrowed is over");
            tracing::info!(%seat, "a borrow is over");
        }
        if let Err(error) = self.write_borrows() {
            tracing::error!(%error, "the end of a borrow is not written down");
        }
        // The next pong shows the site's belief, which is then put right.
    }

    fn warn(&self, kept: &Kept, now: WallTime) {
        let left_ms = kept.ends.ms_since(now);
        let due = WARN_MS.iter().filter(|before| left_ms > **before).count();
        let warn = {
            let mut warned = lock(&self.lent.warned);
            // A borrow that began within a warning's time is not warned of at once.
            let (ends, left) = warned.entry(kept.seat).or_insert((kept.ends, due));
            if *ends != kept.ends {
                (*ends, *left) = (kept.ends, due);
            }
            std::mem::replace(left, due.min(*left)) > due
        };
        if warn {
            let left = about(left_ms);
            tracing::warn!(seat = %kept.seat, product = %kept.product, left, "a borrow ends soon");
            self.seats.borrow_ends(kept, left_ms);
        }
    }

    /// What this device has borrowed.
    pub(crate) fn borrow_list(&self) -> api::Borrows {
        let (kept, retired) = {
            let borrows = self.borrows();
            (borrows.kept().cloned().collect::<Vec<_>>(), borrows.retired().to_vec())
        };
        api::Borrows {
            format: FORMAT,
            borrows: kept.iter().map(|kept| self.api_borrow(kept)).collect(),
            returning: retired.iter().map(ToString::to_string).collect(),
        }
    }

    fn api_borrow(&self, kept: &Kept) -> api::Borrow {
        let left_ms = kept.ends.ms_since(self.borrow_now());
        api::Borrow {
            format: FORMAT,
            seat: kept.seat.to_string(),
            product: kept.product.to_string(),
            version: kept.version.to_string(),
            features: kept.features.iter().map(ToString::to_string).collect(),
            user: kept.user.to_string(),
            license: kept.license.to_string(),
            ends: kept.ends.rfc3339(),
            left_s: u64::try_from(left_ms / 1_000).unwrap_or(0),
            renew_s: kept.renew_ms.and_then(|ms| u64::try_from(ms / 1_000).ok()),
            programs: u32::try_from(self.seats.users_of(kept.seat)).unwrap_or(u32::MAX),
        }
    }

    /// Whether borrowed seats keep this device from leaving its site.
    pub(super) fn check_nothing_borrowed(&self) -> Result<(), NodeError> {
        let borrows = self.borrows();
        let mut products: Vec<&str> = borrows.kept().map(|kept| kept.product.as_str()).collect();
        products.dedup();
        if let Some(first) = products.first() {
            return Err(NodeError::Conflict(format!(
                "seats of {} are borrowed on this machine; give them back first, as with `seatkeeper return {first}`",
                products.join(", ")
            )));
        }
        Ok(())
    }

    /// By how much this clock is off the site's, if that is too much to borrow.
    fn clock_off(&self) -> Option<i64> {
        self.clock_off_ms().filter(|off| off.saturating_abs() > CLOCK_OFF_MS)
    }

    /// This clock less the site's at the last contact, milliseconds.
    pub(super) fn clock_off_ms(&self) -> Option<i64> {
        Some(self.lent.clock_off_ms.load(Ordering::Relaxed)).filter(|off| *off != NOT_KNOWN)
    }

    /// What is to be said of clock and borrows.
    pub(super) fn borrow_health(&self, found: &mut Vec<Condition>) {
        found.extend(self.clock_off().map(|off_ms| Condition::ClockOff { off_ms }));
        if self.lent.lost.load(Ordering::Relaxed) {
            found.push(Condition::Lost);
        }
        let now = self.borrow_now();
        let [.., first] = WARN_MS;
        for kept in self.borrows().kept().filter(|kept| kept.ends.ms_since(now) <= first) {
            let left_ms = kept.ends.ms_since(now);
            found.push(Condition::BorrowEnds { product: kept.product.to_string(), left_ms });
        }
    }
}

fn clock_is_off(off_ms: i64) -> NodeError {
    let apart = apart(off_ms);
    NodeError::Conflict(format!("this machine's clock is {apart} the site's; set it right, then borrow"))
}
