//! The site's time is the median of its voters' clocks, so one wrong clock changes nothing: what a holder enters is
//! entered at the right time, and a license ends in the books only after its last day is over for ten minutes of true
//! time.

use std::collections::BTreeMap;

use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_protocol::id::DeviceId;

use super::{Check, View};
use crate::sim::device::{Device, wall_at};

/// A clock is right if it is at most this far off, milliseconds.
const RIGHT_WITHIN_MS: i64 = 30_000;
/// And an entry's time, which is as old as the entry when that is applied first.
const ENTRY_WITHIN_MS: i64 = RIGHT_WITHIN_MS + 15_000;
/// A right clock counts once its holder has heard from it for so long: what it said last before it became right is
/// overtaken by then. Milliseconds.
const HEARD_FOR_MS: u64 = 4_000;
/// A voter that has not answered its leader for longer is not heard, milliseconds.
const SILENT_MS: u64 = 1_500;
/// Time between two looks at the clocks, milliseconds.
const LOOK_EVERY_MS: u64 = 200;
/// The other clocks are at most this far off when a license ends, milliseconds.
const CLOCKS_WITHIN_MS: i64 = 60_000;
const END_AFTER_MS: i64 = 10 * 60 * 1_000;

#[derive(Debug, Default)]
pub(super) struct MedianTime {
    looked: u64,
    /// The term that was held at the last look.
    term: u64,
    /// Its voters that are right, and since when its holder has heard from them.
    right: BTreeMap<DeviceId, u64>,
    /// Its voters.
    voters: usize,
}

impl MedianTime {
    /// Notes who holds and which clocks it hears.
    fn look(&mut self, view: &View<'_>) {
        let held = view.devices.iter().filter(|device| device.is_awake());
        let held = held.filter_map(|device| Some((device.holds()?, device))).max_by_key(|(term, _)| *term);
        let held = held.and_then(|(term, holder)| Some((term, holder.status()?)));
        let Some((term, status)) = held else {
            *self = Self { looked: view.now, ..Self::default() };
            return;
        };
        if term != self.term {
            self.right.clear();
        }
        let right = |id: DeviceId| {
            let mut machines = view.devices.iter().filter(|device| device.id() == Some(id)).peekable();
            let right = |device: &Device| {
                device.is_awake() && device.clock().wall_error_ms().abs() <= RIGHT_WITHIN_MS
            };
            machines.peek().is_some() && machines.all(right)
        };
        let voters = status.members.iter().filter(|member| member.voter);
        self.voters = voters.clone().count();
        let heard = voters
            .filter(|member| member.peer == status.me || member.silent_ms.is_some_and(|ms| ms <= SILENT_MS))
            .map(|member| member.peer.device)
            .filter(|device| right(*device));
        self.right = heard.map(|id| (id, self.right.get(&id).copied().unwrap_or(view.now))).collect();
        (self.looked, self.term) = (view.now, term);
    }

    /// Whether the holder of this term has heard from a majority of right clocks. Then their median is right, whatever
    /// the others say.
    fn hears_the_truth(&self, term: u64, now: u64) -> bool {
        let right = self.right.values().filter(|since| now - **since >= HEARD_FOR_MS).count();
        term == self.term && right * 2 > self.voters
    }

    fn ended(view: &View<'_>, license: &seatkeeper_protocol::id::Name) -> Result<(), String> {
        let Some(owned) = view.history.licenses.get(license) else { return Ok(()) };
        let Some(until) = owned.license.valid_until else {
            return Err(format!("{license} was ended, which never ends"));
        };
        let early = until.ends().plus_ms(END_AFTER_MS - CLOCKS_WITHIN_MS).ms_since(wall_at(view.now));
        if early > 0 {
            return Err(format!("{license} was ended {early} ms too early"));
        }
        Ok(())
    }
}

impl Check for MedianTime {
    const NAME: &'static str = "time";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        if view.now >= self.looked + LOOK_EVERY_MS {
            self.look(view);
        }
        for index in &view.history.fresh {
            let Some(first) = view.history.entries.get(index) else { continue };
            let Some(entry) = &first.entry else { continue };
            let off = entry.time.ms_since(wall_at(view.now));
            if off.abs() > ENTRY_WITHIN_MS {
                // A clock may have become wrong since the last look.
                self.look(view);
                if self.hears_the_truth(entry.term, view.now) {
                    return Err(format!("entry {index} is entered {off} ms off the truth"));
                }
            }
            if let (Command::EndLicense { license }, Outcome::Done) = (&entry.command, &first.outcome) {
                Self::ended(view, license)?;
            }
        }
        Ok(())
    }
}
