//! I11: `apply` never errors or panics, no internal invariant of the books breaks, and nothing else panics either.

use super::{Check, View};
use crate::sim::watch::Seen;

#[derive(Debug, Default)]
pub(super) struct NeverBreaks;

impl Check for NeverBreaks {
    const NAME: &'static str = "I11";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for seen in view.seen {
            match seen {
                Seen::Wrong(what) => return Err(what.clone()),
                Seen::Applied(applied) => {
                    if let Some(bug) = &applied.bug {
                        return Err(format!("device {}: {bug}", applied.device));
                    }
                    if applied.entry.is_none() {
                        return Err(format!("entry {} is not readable", applied.index));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
