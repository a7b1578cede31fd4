//! I7: a device stops using a seat before the holder may give it away. When an Expire is applied, no program uses the
//! session; and an agent that is awake takes a seat away soon after its deadline.

use std::collections::BTreeMap;

use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_protocol::id::SessionId;

use super::{Check, View};
use crate::sim::program::State;

/// How long an agent may take, while it is awake, to tell a program that its seat's deadline has passed, milliseconds.
const TELL_WITHIN: u64 = 1_600;

#[derive(Debug, Default)]
pub(super) struct DeviceStopsFirst {
    /// Programs that run on past their deadline: for how long their agent has been awake since, milliseconds.
    overdue: BTreeMap<u64, u64>,
}

impl DeviceStopsFirst {
    fn expired(view: &View<'_>, session: &SessionId) -> Result<(), String> {
        // Who goes on by the ticket of a borrowed seat uses nothing of the session's.
        match view.using().find(|using| using.session == *session && !using.borrowed) {
            Some(using) => Err(format!(
                "the session {session} of program {} expired while {} was using its seat",
                using.program.number(),
                using.device.name()
            )),
            None => Ok(()),
        }
    }

    /// Whether the session has a seat again by a later entry of the same step.
    fn granted_after(view: &View<'_>, index: u64, session: &SessionId) -> bool {
        let later = view.history.fresh.iter().filter(|later| **later > index);
        later
            .filter_map(|later| view.history.entries.get(later))
            .any(|entry| matches!(&entry.outcome, Outcome::Granted(grant) if grant.session == *session))
    }

    fn told(&mut self, view: &View<'_>) -> Result<(), String> {
        let mut overdue = BTreeMap::new();
        for device in view.devices.iter().filter(|device| device.is_awake() && device.is_ready()) {
            let mono = device.mono();
            for program in device.programs().iter().filter(|program| program.is_connected()) {
                let State::Using { until, .. } = program.state() else { continue };
                if mono >= until {
                    let known = self.overdue.get(&program.number()).copied().unwrap_or(0);
                    overdue.insert(program.number(), known + view.quantum);
                }
            }
        }
        self.overdue = overdue;
        match self.overdue.iter().find(|(_, awake)| **awake > TELL_WITHIN) {
            Some((program, awake)) => Err(format!(
                "program {program} was not told for {awake} ms that its seat's deadline has passed"
            )),
            None => Ok(()),
        }
    }
}

impl Check for DeviceStopsFirst {
    const NAME: &'static str = "I7";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for index in &view.history.fresh {
            let Some(first) = view.history.entries.get(index) else { continue };
            let command = first.entry.as_ref().map(|entry| &entry.command);
            if let (Some(Command::Expire { session, .. }), Outcome::Done) = (command, &first.outcome)
                && !Self::granted_after(view, *index, session)
            {
                Self::expired(view, session)?;
            }
        }
        self.told(view)
    }
}
