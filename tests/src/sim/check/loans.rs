//! Borrowed seats: a program uses one by its ticket only while the books lend it to its device, and not beyond its end,
//! whatever was done to the device's clock; and the holder ends no loan before the device can be sure to have stopped.

use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_protocol::limits::{BORROW_END_AFTER_MS, CLOCK_OFF_MS};

use super::{Check, Using, View};
use crate::sim::device::wall_at;

/// The site's clocks are at most so far off when a loan ends, milliseconds.
const CLOCKS_WITHIN_MS: i64 = 60_000;
/// How long a loan's end must have stood, milliseconds.
const END_AFTER_MS: i64 = 10 * 60 * 1_000;
/// A device whose agent has run all the time since the loan stops this soon after its end, milliseconds: its clock is
/// nearly right when it borrows, and its boot clock is off by 0.5 % at most.
const STOPS_WITHIN_MS: i64 = CLOCK_OFF_MS + 30_000;

#[derive(Debug, Default)]
pub(super) struct LentSeats;

impl LentSeats {
    fn used(view: &View<'_>, using: &Using<'_>) -> Result<(), String> {
        let Some(loan) = view.loan_of(using) else {
            return Err(format!(
                "program {} uses seat {}, which was never lent",
                using.program.number(),
                using.seat
            ));
        };
        if let Some((how, at)) = loan.over
            && !view.is_excused(using)
        {
            return Err(format!(
                "program {} on {} uses the borrowed seat {}, whose loan is over since {at} ms: {how:?}",
                using.program.number(),
                using.device.name(),
                using.seat
            ));
        }
        // The device borrows only with the site's time.
        let late = wall_at(view.now).ms_since(loan.ends.plus_ms(loan.site_off_ms.saturating_neg()));
        if late > STOPS_WITHIN_MS && using.device.started() <= loan.since {
            return Err(format!(
                "program {} on {} uses the borrowed seat {} {late} ms after its end",
                using.program.number(),
                using.device.name(),
                using.seat
            ));
        }
        Ok(())
    }
}

impl Check for LentSeats {
    const NAME: &'static str = "loans";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        view.using().filter(|using| using.borrowed).try_for_each(|using| Self::used(view, &using))?;
        for first in view.history.fresh.iter().filter_map(|index| view.history.entries.get(index)) {
            let Some(Command::EndBorrow { seat, .. }) = first.entry.as_ref().map(|entry| &entry.command)
            else {
                continue;
            };
            let Some(loan) = view.history.loans.get(&seat.0) else { continue };
            let until = loan.ends.plus_ms(BORROW_END_AFTER_MS + END_AFTER_MS - CLOCKS_WITHIN_MS);
            let early = until.ms_since(wall_at(view.now));
            if first.outcome == Outcome::Done && early > 0 {
                return Err(format!("the loan of seat {seat} was ended {early} ms too early"));
            }
        }
        Ok(())
    }
}
