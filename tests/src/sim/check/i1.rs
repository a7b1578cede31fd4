//! I1: the seats that programs may be using, by the tickets and leases in force on their devices, are at most the
//! seats owned. Seats that run on a license which ended or was removed are its seats still. Two exceptions that the
//! design names are not counted: see [`View::is_excused`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, View};

#[derive(Debug, Default)]
pub(super) struct NeverOversubscribed;

impl Check for NeverOversubscribed {
    const NAME: &'static str = "I1";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        let mut used: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for using in view.using().filter(|using| !view.is_excused(using)) {
            // One seat id on two devices is two seats: nothing shares over devices here.
            let seat = (using.seat, using.device.number(), using.program.user().clone());
            used.entry(using.license).or_default().insert(seat);
        }
        for (license, seats) in used {
            let owned = view.history.licenses.iter().find(|(id, _)| id.as_str() == license);
            let owned = owned.map_or(0, |(_, owned)| owned.license.seats);
            if seats.len() > usize::try_from(owned).unwrap_or(usize::MAX) {
                return Err(format!(
                    "{} seats of {license} are in use, {owned} are owned: {seats:?}",
                    seats.len()
                ));
            }
        }
        Ok(())
    }
}
