//! The queue's order: nobody gets a new seat that somebody who waits longer could have had. Seats here are all alike.

use super::{Check, View};

#[derive(Debug, Default)]
pub(super) struct InTurn;

impl Check for InTurn {
    const NAME: &'static str = "queue";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        match view.history.overtaken.iter().find(|(index, _)| view.history.fresh.contains(index)) {
            Some((index, found)) => Err(format!("by entry {index} {found}")),
            None => Ok(()),
        }
    }
}
