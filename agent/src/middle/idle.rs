//! For how long the users of seats on this device have had no input, and who says so.
//!
//! Order of calls: [`Idleness::application_said`] and [`Idleness::display_said`] as they come; [`Idleness::to_ask`] now
//! and then for the users that only the operating system knows about, and [`Idleness::system_said`] with its answers;
//! [`Idleness::minutes`] for each ping. What nobody knows is unknown, never 0.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{Name, SessionId};
use seatkeeper_protocol::limits::IDLE_MINUTES_MAX;
use seatkeeper_protocol::time::BootTime;

/// What a screen says is forgotten after this, milliseconds: who watched it may be gone.
const DISPLAY_KNOWN_MS: u64 = 150_000;
/// The operating system is asked about a user this often, milliseconds.
const SYSTEM_EVERY_MS: u64 = 60_000;
/// What it said is forgotten after this, milliseconds.
const SYSTEM_KNOWN_MS: u64 = 150_000;
const _: () = assert!(SYSTEM_KNOWN_MS > 2 * SYSTEM_EVERY_MS, "an answer may fail once");
/// Users asked about at once.
const USERS_MAX: usize = 16;

/// How long somebody was idle when that was said.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: BootTime,
    idle_ms: u64,
}

impl Said {
    fn within(self, ms: u64, now: BootTime) -> Option<u64> {
        // Not counted on from then: whoever came back since is not called idle.
        (now.ms_since(self.at) <= ms).then_some(self.idle_ms)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Session {
    application: Option<Said>,
    display: Option<Said>,
}

/// What is known of the sessions and users of one device.
#[derive(Debug, Default)]
pub struct Idleness {
    sessions: BTreeMap<SessionId, Session>,
    /// What the operating system said, and when it was asked last.
    users: BTreeMap<Name, (BootTime, Option<Said>)>,
}

impl Idleness {
    /// A session's program says for how long its user has done nothing. From then on its silence means more of that.
    pub fn application_said(&mut self, session: SessionId, idle_ms: u64, now: BootTime) {
        self.sessions.entry(session).or_default().application = Some(Said { at: now, idle_ms });
    }

    /// The screen of a session's program says for how long it has had no input.
    pub fn display_said(&mut self, session: SessionId, idle_ms: u64, now: BootTime) {
        self.sessions.entry(session).or_default().display = Some(Said { at: now, idle_ms });
    }

    /// The operating system says for how long the least idle session of a user has had no input, if it knows.
    pub fn system_said(&mut self, user: Name, idle_ms: Option<u64>, now: BootTime) {
        self.users.insert(user, (now, idle_ms.map(|idle_ms| Said { at: now, idle_ms })));
    }

    /// For how many whole minutes the user of a session has had no input; the program knows best, then its screen.
    pub fn minutes(&self, session: &SessionId, user: &Name, now: BootTime) -> Option<u16> {
        let own = self.sessions.get(session).copied().unwrap_or_default();
        let application = own.application.map(|said| said.idle_ms.saturating_add(now.ms_since(said.at)));
        let display = || own.display.and_then(|said| said.within(DISPLAY_KNOWN_MS, now));
        let system =
            || self.users.get(user).and_then(|(_, said)| said.as_ref()?.within(SYSTEM_KNOWN_MS, now));
        let idle_ms = application.or_else(display).or_else(system)?;
        Some(u16::try_from(idle_ms / 60_000).unwrap_or(u16::MAX).min(IDLE_MINUTES_MAX))
    }

    /// The users that the operating system should be asked about now, of those who have these sessions. Everything
    /// about other sessions and users is forgotten; these count as asked.
    pub fn to_ask<'a>(
        &mut self,
        held: impl Iterator<Item = (&'a SessionId, &'a Name)>,
        now: BootTime,
    ) -> Vec<Name> {
        let held: BTreeMap<&SessionId, &Name> = held.collect();
        self.sessions.retain(|session, _| held.contains_key(session));
        let mut wanted: BTreeMap<Name, (BootTime, Option<Said>)> = BTreeMap::new();
        let mut due = Vec::new();
        for (session, user) in held {
            let own = self.sessions.get(session).copied().unwrap_or_default();
            let display = own.display.and_then(|said| said.within(DISPLAY_KNOWN_MS, now));
            if own.application.is_some() || display.is_some() || wanted.contains_key(user) {
                continue;
            }
            let known = self.users.get(user).copied();
            let fresh = known.filter(|(asked, _)| now.ms_since(*asked) < SYSTEM_EVERY_MS);
            if fresh.is_none() && due.len() < USERS_MAX {
                due.push(user.clone());
                wanted.insert(user.clone(), (now, known.and_then(|(_, said)| said)));
            } else if let Some(known) = known {
                wanted.insert(user.clone(), known);
            }
        }
        self.users = wanted;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SessionId = SessionId([1; 16]);
    const MINUTE: u64 = 60_000;

    fn eva() -> Name {
        Name::new("eva").unwrap()
    }

    #[test]
    fn the_program_knows_best_then_its_screen_then_the_system() {
        let now = BootTime(1_000);
        let mut idle = Idleness::default();
        let minutes = |idle: &Idleness| idle.minutes(&S, &eva(), now);
        assert_eq!(minutes(&idle), None, "unknown is not 0");
        idle.system_said(eva(), None, now);
        assert_eq!(minutes(&idle), None);
        idle.system_said(eva(), Some(30 * MINUTE), now);
        assert_eq!(minutes(&idle), Some(30));
        assert_eq!(idle.minutes(&S, &Name::new("max").unwrap(), now), None);
        idle.display_said(S, 0, now);
        assert_eq!(minutes(&idle), Some(0));
        // Longer than this machine has been on.
        idle.application_said(S, 20 * MINUTE + 59_999, now);
        assert_eq!(minutes(&idle), Some(20));
        idle.application_said(S, u64::MAX, now);
        assert_eq!(idle.minutes(&S, &eva(), BootTime(u64::MAX)), Some(IDLE_MINUTES_MAX));
    }

    #[test]
    fn the_silence_of_a_program_is_idleness_that_of_a_screen_or_system_is_not() {
        let mut idle = Idleness::default();
        let at = |idle: &Idleness, ms| idle.minutes(&S, &eva(), BootTime(ms));
        idle.system_said(eva(), Some(9 * MINUTE), BootTime(0));
        assert_eq!(at(&idle, SYSTEM_KNOWN_MS), Some(9));
        assert_eq!(at(&idle, SYSTEM_KNOWN_MS + 1), None);
        idle.display_said(S, 4 * MINUTE, BootTime(0));
        assert_eq!(at(&idle, DISPLAY_KNOWN_MS), Some(4));
        assert_eq!(at(&idle, DISPLAY_KNOWN_MS + 1), None);
        idle.application_said(S, MINUTE, BootTime(0));
        assert_eq!(at(&idle, 100 * MINUTE), Some(101));
        idle.application_said(S, 0, BootTime(100 * MINUTE));
        assert_eq!(at(&idle, 100 * MINUTE), Some(0));
    }

    #[test]
    fn the_system_is_asked_only_for_whom_nobody_else_knows_and_once_a_minute() {
        let mut idle = Idleness::default();
        let (eva, other) = (eva(), SessionId([2; 16]));
        let ask = |idle: &mut Idleness, sessions: &[SessionId], ms| {
            idle.to_ask(sessions.iter().map(|session| (session, &eva)), BootTime(ms))
        };
        assert_eq!(ask(&mut idle, &[], 0), vec![]);
        assert_eq!(ask(&mut idle, &[S, other], 0), vec![eva.clone()]);
        assert_eq!(ask(&mut idle, &[S], SYSTEM_EVERY_MS - 1), vec![], "no answer yet");
        assert_eq!(ask(&mut idle, &[S], SYSTEM_EVERY_MS), vec![eva.clone()]);
        idle.system_said(eva.clone(), Some(0), BootTime(SYSTEM_EVERY_MS));
        assert_eq!(idle.minutes(&S, &eva, BootTime(SYSTEM_EVERY_MS)), Some(0));
        idle.display_said(S, 0, BootTime(SYSTEM_EVERY_MS));
        assert_eq!(ask(&mut idle, &[S], 2 * SYSTEM_EVERY_MS), vec![]);
        assert_eq!(ask(&mut idle, &[S, other], 2 * SYSTEM_EVERY_MS), vec![eva.clone()]);
        idle.application_said(S, 0, BootTime(0));
        assert_eq!(ask(&mut idle, &[S], 9 * SYSTEM_EVERY_MS), vec![]);
        ask(&mut idle, &[], 9 * SYSTEM_EVERY_MS);
        assert_eq!(
            idle.minutes(&S, &eva, BootTime(9 * SYSTEM_EVERY_MS)),
            None,
            "an ended session is forgotten"
        );
    }
}
