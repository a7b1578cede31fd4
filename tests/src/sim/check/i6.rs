//! I6: a cut-off holder stops. A pong that extends a seat answers a ping by a read begun after the ping arrived: a
//! session that had ended in the books before the ping was sent is never extended.

use super::{Check, View};
use crate::sim::watch::Seen;
use seatkeeper_protocol::time::device_deadline_ms;

/// Clocks of devices run up to 0.5 % fast or slow.
const DRIFT_DIVISOR: u64 = 150;

#[derive(Debug, Default)]
pub(super) struct CutOffHolderStops;

impl Check for CutOffHolderStops {
    const NAME: &'static str = "I6";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for seen in view.seen {
            let Seen::Alive { device, session, until } = seen else { continue };
            let Some(books) = view.history.sessions.get(session) else { continue };
            let Some(ended) = books.ended else { continue };
            let Some(at) = view.devices.get(*device) else { continue };
            // The seat lives from the sending of what was answered; the device's own clock says when that was.
            let sent = until.saturating_sub(device_deadline_ms(books.ttl_ms));
            let ago = at.mono().saturating_sub(sent);
            let slack = 2 * view.quantum + ago / DRIFT_DIVISOR + 2;
            let sent = view.now.saturating_sub(ago + slack);
            if sent > ended {
                return Err(format!(
                    "{}'s session {session} was extended by a ping sent at {sent} ms, but ended at {ended} ms",
                    at.name()
                ));
            }
        }
        Ok(())
    }
}
