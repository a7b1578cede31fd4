//! I3: no ticket is signed before its entry is committed. The entry that a ticket names was applied by somebody, and
//! granted just this seat.

use seatkeeper_ledger::command::Outcome;
use seatkeeper_protocol::ticket::{SeatKind, Ticket};

use super::{Check, View};
use crate::sim::watch::Seen;

#[derive(Debug, Default)]
pub(super) struct CommittedFirst;

impl Check for CommittedFirst {
    const NAME: &'static str = "I3";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for seen in view.seen {
            let Seen::Granted { device, program, ticket } = seen else { continue };
            let root = view.devices.iter().find_map(|device| device.root());
            let root = root.ok_or("a seat was granted, but no device has a site")?;
            let ticket =
                Ticket::from_text(ticket).map_err(|error| format!("an unreadable ticket: {error}"))?;
            let body = ticket.verify(&root).map_err(|error| format!("a ticket does not verify: {error}"))?;
            let granted = view.history.entries.get(&body.serial).map(|first| &first.outcome);
            match (granted, body.kind) {
                (Some(Outcome::Granted(grant)), SeatKind::Online)
                    if grant.seat == body.seat && grant.user == body.user => {}
                (Some(Outcome::Borrowed(borrowed)), SeatKind::Borrowed)
                    if borrowed.seat == body.seat
                        && borrowed.user == body.user
                        && Some(borrowed.ends) == body.ends => {}
                (other, _) => {
                    return Err(format!(
                        "program {program} on device {device} has a ticket for seat {} by entry {}, which is {other:?}",
                        body.seat, body.serial
                    ));
                }
            }
        }
        Ok(())
    }
}
