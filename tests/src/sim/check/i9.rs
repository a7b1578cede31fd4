//! I9: nobody is refused a seat, nor has to wait, while one that covers him is free in the books that nobody could have
//! who waits longer.
//!
//! Offices here have few and equal licenses. That no cleverer assignment is missed where licenses differ is what the
//! ledger's own tests compare with brute force.

use std::collections::BTreeSet;

use seatkeeper_ledger::ActorKey;
use seatkeeper_ledger::command::{Actor, Command, Entry, Outcome, Refusal};

use super::{Check, View};
use crate::sim::history::Owned;

#[derive(Debug, Default)]
pub(super) struct NoFalseDenial {
    /// Requests that were answered; a repetition is told what was true then.
    answered: BTreeSet<(Option<ActorKey>, u64, u64)>,
}

impl Check for NoFalseDenial {
    const NAME: &'static str = "I9";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        let mut repeated = false;
        for first in view.history.fresh.iter().filter_map(|index| view.history.entries.get(index)) {
            if let Some(entry) = &first.entry {
                let request = (entry.request.epoch, entry.request.counter);
                repeated = !self.answered.insert((actor(entry), request.0, request.1));
            }
        }
        if repeated {
            return Ok(());
        }
        // Only the last entry of a step stands before books that are known as they were.
        let Some(index) = view.history.fresh.last() else { return Ok(()) };
        let Some(first) = view.history.entries.get(index) else { return Ok(()) };
        let (Some(Command::Checkout(want)) | Some(Command::Wait(want))) =
            first.entry.as_ref().map(|entry| &entry.command)
        else {
            return Ok(());
        };
        let (Outcome::Refused(Refusal::NoSeat(_)) | Outcome::Waiting(_)) = &first.outcome else {
            return Ok(());
        };
        let place = view.history.waiting.get(&want.session).map_or(*index, |place| place.index);
        let ahead = view.history.ahead(&want.product, place).count();
        let (used, _) = view.history.pool(&want.product);
        let covers = |owned: &&Owned| {
            owned.active && owned.license.covers(&want.product, want.version.as_ref(), &want.features)
        };
        let owned: u32 = view.history.licenses.values().filter(covers).map(|owned| owned.license.seats).sum();
        if used + ahead < usize::try_from(owned).unwrap_or(usize::MAX) {
            return Err(format!(
                "{} was refused a seat of {}: {used} of {owned} are in use, {ahead} wait longer",
                want.user, want.product
            ));
        }
        Ok(())
    }
}

fn actor(entry: &Entry) -> Option<ActorKey> {
    match &entry.actor {
        Actor::Device(device) => Some(ActorKey::Device(*device)),
        Actor::Admin { name, .. } => Some(ActorKey::Admin(name.clone())),
        Actor::Holder(_) => None,
    }
}
