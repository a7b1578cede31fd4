//! I10: who speaks for another generation is refused at the handshake. An impostor of the world tries and reports.

use super::{Check, View};
use crate::sim::watch::Seen;

#[derive(Debug, Default)]
pub(super) struct RivalsRefused;

impl Check for RivalsRefused {
    const NAME: &'static str = "I10";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        view.seen.iter().try_for_each(|seen| match seen {
            Seen::Rival { answered: Some(answer) } => {
                Err(format!("another generation was answered: {answer}"))
            }
            _ => Ok(()),
        })
    }
}
