//! The site's time is the median of its voters' clocks, so one wrong clock ends nothing: a license ends in the books
//! only after its last day is over for ten minutes of true time.

use seatkeeper_ledger::command::{Command, Outcome};

use super::{Check, View};
use crate::sim::device::wall_at;

/// The other clocks are at most this far off, milliseconds.
const CLOCKS_WITHIN_MS: i64 = 60_000;
const END_AFTER_MS: i64 = 10 * 60 * 1_000;

#[derive(Debug, Default)]
pub(super) struct MedianTime;

impl Check for MedianTime {
    const NAME: &'static str = "time";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for index in &view.history.fresh {
            let Some(first) = view.history.entries.get(index) else { continue };
            let command = first.entry.as_ref().map(|entry| &entry.command);
            let (Some(Command::EndLicense { license }), Outcome::Done) = (command, &first.outcome) else {
                continue;
            };
            let Some(owned) = view.history.licenses.get(license) else { continue };
            let Some(until) = owned.license.valid_until else {
                return Err(format!("{license} was ended, which never ends"));
            };
            let early = until.ends().plus_ms(END_AFTER_MS - CLOCKS_WITHIN_MS).ms_since(wall_at(view.now));
            if early > 0 {
                return Err(format!("{license} was ended {early} ms too early"));
            }
        }
        Ok(())
    }
}
