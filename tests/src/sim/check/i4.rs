//! I4: each request acts once, and its id stands for nothing else. An entry that repeats a request comes to what it came
//! to before, or is refused.

use std::collections::BTreeMap;

use seatkeeper_ledger::ActorKey;
use seatkeeper_ledger::command::{Actor, Command, Outcome, Refusal};
use seatkeeper_protocol::id::RequestId;

use super::{Check, View};

#[derive(Debug, Default)]
pub(super) struct ActsOnce {
    first: BTreeMap<(ActorKey, u64, u64), (u64, Command, Outcome)>,
}

impl Check for ActsOnce {
    const NAME: &'static str = "I4";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for index in &view.history.fresh {
            let Some(first) = view.history.entries.get(index) else { continue };
            let Some(entry) = &first.entry else { continue };
            let actor = match &entry.actor {
                Actor::Device(device) => ActorKey::Device(*device),
                Actor::Admin { name, .. } => ActorKey::Admin(name.clone()),
                // A holder's commands are idempotent by content.
                Actor::Holder(_) => continue,
            };
            let RequestId { epoch, counter } = entry.request;
            let Some((before, command, outcome)) = self.first.get(&(actor.clone(), epoch, counter)) else {
                let acted = (*index, entry.command.clone(), first.outcome.clone());
                self.first.insert((actor, epoch, counter), acted);
                continue;
            };
            // An id stands for one command, also across restarts: only a device whose disk was put back counts anew, and
            // one whose disk was copied counts together with its copy.
            let counts_anew = view.devices.iter().any(|device| {
                let at = view.history.entries.get(before).map_or(0, |first| first.at);
                device.is_copy() || device.restored().is_some_and(|restored| restored >= at)
            });
            let another = *command != entry.command;
            // What was refused before anything was known of its actor is not remembered: it has not acted.
            if matches!(outcome, Outcome::Refused(Refusal::NotPermitted(_))) && (!another || counts_anew) {
                let acted = (*index, entry.command.clone(), first.outcome.clone());
                self.first.insert((actor, epoch, counter), acted);
                continue;
            }
            let same = match (outcome, &first.outcome) {
                _ if another && !counts_anew => false,
                // Who counts anew learns that it must not; one that was revoked meanwhile learns only that.
                (_, Outcome::Refused(Refusal::Stale { .. } | Refusal::NotPermitted(_))) => true,
                _ if another => false,
                // It came to an end meanwhile.
                (Outcome::Granted(_), Outcome::Refused(Refusal::SessionEnded | Refusal::Superseded)) => true,
                (Outcome::Borrowed(_), Outcome::Refused(Refusal::SessionEnded)) => true,
                // Where it stands in the queue is looked up anew, or that it waits no longer.
                (Outcome::Waiting(then), Outcome::Waiting(now)) => then.attach == now.attach,
                (Outcome::Waiting(_), Outcome::Refused(Refusal::SessionEnded | Refusal::Superseded)) => true,
                // Who has the seats is looked up anew.
                (Outcome::Refused(Refusal::NoSeat(_)), Outcome::Refused(Refusal::NoSeat(_))) => true,
                (then, now) => then == now,
            };
            if !same {
                return Err(format!(
                    "request {epoch}.{counter} of {actor:?} acted at {before} ({command:?} -> {outcome:?}) and again at \
                     {index} ({:?} -> {:?})",
                    entry.command, first.outcome
                ));
            }
        }
        Ok(())
    }
}
