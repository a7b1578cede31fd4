//! I8: a device never eats two seats for one session, and an older attach can't return a seat that is in use.

use std::collections::BTreeMap;

use seatkeeper_ledger::command::{Actor, Command, Outcome};
use seatkeeper_protocol::id::SessionId;

use super::{Check, Using, View};

#[derive(Debug, Default)]
pub(super) struct OneSeatPerSession {
    /// The newest grant of each session: its seat and attach, and whether that has ended.
    granted: BTreeMap<SessionId, (u64, u32, bool)>,
}

impl Check for OneSeatPerSession {
    const NAME: &'static str = "I8";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        for index in &view.history.fresh {
            let Some(first) = view.history.entries.get(index) else { continue };
            let Some(entry) = &first.entry else { continue };
            match (&entry.command, &first.outcome) {
                (
                    Command::Checkout(_) | Command::Wait(_) | Command::GoOnline { .. },
                    Outcome::Granted(grant),
                ) => {
                    let new = (grant.seat.0, grant.attach, false);
                    let known = self.granted.insert(grant.session, new);
                    if let Some((seat, attach, false)) = known {
                        if seat != grant.seat.0 {
                            return Err(format!(
                                "the session {} has the seats {seat} and {}",
                                grant.session, grant.seat
                            ));
                        }
                        if attach > grant.attach {
                            return Err(format!("the attach of the session {} went back", grant.session));
                        }
                    }
                }
                (Command::Return { session, attach }, Outcome::Done) => {
                    let Actor::Device(_) = entry.actor else { continue };
                    let Some((_, known, ended)) = self.granted.get_mut(session) else { continue };
                    if !*ended && attach.is_some_and(|attach| attach != *known) {
                        return Err(format!(
                            "attach {attach:?} returned the session {session}, which attach {known} has"
                        ));
                    }
                    *ended = true;
                    let uses = |using: &Using<'_>| using.session == *session && !using.borrowed;
                    if let Some(using) = view.using().find(uses) {
                        return Err(format!(
                            "the session {session} was returned while program {} on {} was using its seat",
                            using.program.number(),
                            using.device.name()
                        ));
                    }
                }
                (Command::Expire { session, attach }, Outcome::Done) => {
                    let Some((_, known, ended)) = self.granted.get_mut(session) else { continue };
                    if !*ended && attach != known {
                        return Err(format!(
                            "attach {attach} of the session {session} expired, which attach {known} has"
                        ));
                    }
                    *ended = true;
                }
                (Command::Leave, Outcome::Done) => {
                    let Actor::Device(device) = entry.actor else { continue };
                    for (session, (_, _, ended)) in &mut self.granted {
                        let own =
                            view.history.sessions.get(session).is_some_and(|known| known.device == device);
                        *ended |= own;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
