//! I2: nothing acknowledged is lost while a majority of the voters' disks lives. What anybody has applied was
//! committed; whoever holds a later term has it.

use std::collections::BTreeMap;

use super::{Check, View};

#[derive(Debug, Default)]
pub(super) struct NothingLost {
    /// The newest term seen held, and by whom.
    held: BTreeMap<u64, usize>,
}

impl Check for NothingLost {
    const NAME: &'static str = "I2";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for device in view.devices {
            let Some(term) = device.holds() else { continue };
            match self.held.get(&term) {
                Some(holder) if *holder == device.number() => continue,
                Some(holder) => {
                    return Err(format!("{} and device {holder} both hold term {term}", device.name()));
                }
                None => {}
            }
            let newest_term = self.held.last_key_value().is_none_or(|(newest, _)| term > *newest);
            self.held.insert(term, device.number());
            let applied = view.history.applied.get(&device.number()).copied().unwrap_or(0);
            if newest_term && applied < view.newest_before {
                return Err(format!(
                    "{} holds term {term} with {applied} entries, {} were committed",
                    device.name(),
                    view.newest_before
                ));
            }
        }
        Ok(())
    }
}
