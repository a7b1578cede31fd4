//! The holder's side of idleness: what the pings say of it, and asking for idle seats. Soft state of one term; nothing is
//! ever taken away by it.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use seatkeeper_ledger::command::{Outcome, Refusal};
use seatkeeper_ledger::{Ledger, SeatRecord};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, Name, Note, ProductId, SeatId, SessionId};
use seatkeeper_protocol::limits::{ASK_EVERY_MS, ASK_IDLE_MINUTES_MIN, IDLE_MINUTES_MAX};
use seatkeeper_protocol::time::{BootTime, WallTime};
use seatkeeper_protocol::wire::{Request, Response, SeatWish};

use super::command::Answer;
use super::duty::{Duty, refused};
use super::errors::{NodeError, SeatError};
use super::reads::READ_WITHIN;
use super::{Inner, Node};
use crate::middle::asks::{Ask, Asker, Asks, Unasked};
use crate::middle::leases::Leases;

/// How long an ask may take.
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// For how many minutes the least idle of a seat's sessions has had no input. A borrowed seat is used out of sight.
fn seat_idle(leases: &Leases, seat: &SeatRecord, now: BootTime) -> Option<u16> {
    if seat.borrow.is_some() {
        return None;
    }
    let mut least: Option<u16> = None;
    for session in &seat.sessions {
        let minutes = leases.idle(session, now)?;
        least = Some(least.map_or(minutes, |least| least.min(minutes)));
    }
    least
}

/// Whether `by` waits for a seat of the product.
fn waits(ledger: &Ledger, by: &Asker, product: &ProductId) -> bool {
    ledger.waiting().any(|(_, waiting)| {
        waiting.device == by.device && waiting.want.user == by.user && waiting.want.product == *product
    })
}

impl Duty {
    fn asks(&self) -> MutexGuard<'_, Asks> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a device's ping says of idleness, and which of its seats are asked for.
    pub(super) fn hear_idle(
        &self,
        ledger: &Ledger,
        leases: &mut Leases,
        device: &DeviceId,
        idle: &[(SessionId, u16)],
        live: &[SessionId],
        now: BootTime,
    ) -> Vec<SeatWish> {
        let said: BTreeMap<&SessionId, u16> =
            idle.iter().map(|(session, minutes)| (session, (*minutes).min(IDLE_MINUTES_MAX))).collect();
        for session in live {
            leases.idles(session, said.get(session).copied());
        }
        let mut asks = self.asks();
        asks.close_unless(device, |id, ask| {
            let seat = ledger.seat(*id).filter(|seat| seat.borrow.is_none() && seat.released_by.is_none())?;
            waits(ledger, &ask.by, &seat.product).then(|| seat_idle(leases, seat, now))
        });
        let wish = |(id, ask): (&SeatId, &Ask)| {
            let seat = ledger.seat(*id)?;
            let waiting =
                ledger.waiting().filter(|(_, waiting)| waiting.want.product == seat.product).count();
            Some(SeatWish {
                seat: *id,
                user: ask.by.user.clone(),
                device: ask.by.device,
                device_name: ledger.device_name(&ask.by.device),
                waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
                note: ask.by.note.clone(),
            })
        };
        asks.open_of(device).filter_map(wish).collect()
    }

    /// For how long a seat has been idle, seconds, and since when it is asked for, as lists say it.
    pub(super) fn idle_and_asked(
        &self,
        inner: &Inner,
        id: &SeatId,
        seat: &SeatRecord,
        time: WallTime,
    ) -> (Option<u64>, Option<String>) {
        let now = inner.clock.mono();
        let idle_s = seat_idle(&self.leases(), seat, now).map(seconds);
        let asks = self.asks();
        let ago = asks.open(id).map(|ask| i64::try_from(now.ms_since(ask.at)).unwrap_or(i64::MAX));
        let asked = ago.and_then(|ago| WallTime(time.0.saturating_sub(ago)).rfc3339());
        (idle_s, asked)
    }

    /// What is known of the seats that a denial names.
    pub(super) fn idle_of(&self, inner: &Inner, outcome: &Outcome) -> Vec<(SeatId, u16)> {
        let denial = match outcome {
            Outcome::Refused(Refusal::NoSeat(denial)) => denial,
            Outcome::Waiting(waiting) => &waiting.denial,
            _ => return Vec::new(),
        };
        let ledger = self.log.books.read();
        let (leases, now) = (self.leases(), inner.clock.mono());
        let known = |id: SeatId| Some((id, seat_idle(&leases, ledger.seat(id)?, now)?));
        denial.holders.iter().filter_map(|holder| known(holder.seat)).collect()
    }

    /// A user of `device` asks for an idle seat.
    pub(super) async fn ask(
        &self,
        inner: &Inner,
        device: DeviceId,
        id: SeatId,
        user: &Name,
        note: Option<Note>,
    ) -> Response {
        match self.log.engine.read_index(READ_WITHIN).await {
            Ok(read) if read.term == self.term => {}
            _ => return inner.not_holder(),
        }
        match self.asked(inner, id, Asker { user: user.clone(), device, note }) {
            Ok(asked) => serde_json::to_vec(&asked).map_or(Response::Unknown, Response::Json),
            Err(refusal) => refused(refusal),
        }
    }

    fn asked(&self, inner: &Inner, id: SeatId, by: Asker) -> Result<api::SeatAsked, Refusal> {
        let ledger = self.log.books.read();
        let seat = ledger.seat(id).ok_or_else(|| Refusal::NotFound(format!("seat {id}")))?;
        let product = &seat.product;
        if !waits(&ledger, &by, product) {
            return Err(Refusal::NotPermitted(format!(
                "only who waits for a seat of {product} may ask for one; wait with `seatkeeper run {product} --wait -- \
                 COMMAND` or `seatkeeper hold {product} --wait`, and ask meanwhile"
            )));
        }
        let has = format!("{} on {}", seat.user, ledger.device_name(&seat.device));
        if seat.borrow.is_some() {
            return Err(Refusal::Conflict(format!(
                "{has} has borrowed seat {id}, and it is not known whether it is used; ask in person"
            )));
        }
        if seat.released_by.is_some() {
            return Err(Refusal::Conflict(format!(
                "seat {id} is being taken away from {has} already; wait for it"
            )));
        }
        let now = inner.clock.mono();
        let minutes = seat_idle(&self.leases(), seat, now);
        let asked = self.asks().ask(id, seat.device, minutes, by, now);
        let minutes = asked.map_err(|why| Refusal::Conflict(unasked(&why, id, &has)))?;
        Ok(api::SeatAsked {
            format: api::FORMAT,
            seat: id.to_string(),
            product: product.to_string(),
            user: seat.user.to_string(),
            device: seat.device.to_string(),
            device_name: ledger.device_name(&seat.device).to_string(),
            idle_s: seconds(minutes),
        })
    }
}

/// Why not, and what to do.
fn unasked(why: &Unasked, id: SeatId, has: &str) -> String {
    match why {
        Unasked::Unknown => format!("nobody knows whether {has} uses seat {id} now; ask in person"),
        Unasked::InUse(minutes) => {
            let used = match minutes {
                0 => "used it within the last minute".to_owned(),
                minutes => format!("used it {minutes} min ago"),
            };
            format!(
                "{has} {used}, and only a seat that has been idle for {ASK_IDLE_MINUTES_MIN} min can be asked for; wait, or \
                 ask for another one"
            )
        }
        Unasked::Lately(left_ms) => format!(
            "{has} was asked for seat {id} within the last {} min; ask again in {} min",
            ASK_EVERY_MS / 60_000,
            left_ms.div_ceil(60_000)
        ),
        Unasked::TooMany => {
            "too many seats of this site are asked for now; try again in some minutes".to_owned()
        }
    }
}

/// Whole minutes as the API says them.
pub(super) fn seconds(minutes: u16) -> u64 {
    u64::from(minutes) * 60
}

impl Node {
    /// Asks who has an idle seat to give it up, for `user`, who waits for one on this device. Nothing is taken away.
    ///
    /// # Errors
    /// When the user does not wait, the seat is not known to be idle or was asked for lately, or nobody answers.
    pub async fn ask_for_seat(
        &self,
        user: Name,
        seat: SeatId,
        note: Option<Note>,
    ) -> Result<api::SeatAsked, SeatError> {
        self.inner.ask_for_seat(user, seat, note).await
    }
}

impl Inner {
    async fn ask_for_seat(
        self: &Arc<Self>,
        user: Name,
        seat: SeatId,
        note: Option<Note>,
    ) -> Result<api::SeatAsked, SeatError> {
        let sent = self.clock.mono();
        match self.submit(Request::Ask { seat, user, note }, ASK_WITHIN).await? {
            Response::Json(json) => serde_json::from_slice(&json).map_err(|error| {
                NodeError::Internal(format!("the holder's answer is not readable here: {error}")).into()
            }),
            response => match Answer::of(sent, response)?.outcome {
                Outcome::Refused(refusal) => Err(SeatError::Refused(refusal)),
                other => Err(NodeError::Internal(format!("unexpected outcome {other:?}")).into()),
            },
        }
    }
}
