//! The holder's lease table (invariant I7): when it last heard of each session, with a seat or waiting for one, for
//! one term only.
//!
//! A new term, even of the same holder, starts from a new table in which every session has a full ttl.
//! The table is brought in line with the ledger by [`Leases::sync`]; a session not seen before gets a full ttl from
//! then, which is later than the device counts and so on the safe side.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::SessionId;
use seatkeeper_protocol::limits::PING_EVERY_MS;
use seatkeeper_protocol::time::BootTime;

/// What a device said of idleness holds for so long without another ping, milliseconds.
const IDLE_KNOWN_MS: u64 = 3 * PING_EVERY_MS;

#[derive(Clone, Copy, Debug)]
struct Lease {
    attach: u32,
    until: BootTime,
    /// When it was heard of last, or first seen.
    heard: BootTime,
    /// For how many minutes its user had no input then, if its device knows. Soft: of the table alone.
    idle: Option<u16>,
    /// An Expire was proposed in this term: no pong may list the session any more (invariant I6).
    expiring: bool,
}

/// When the holder of one term gives seats back that nobody pings for.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    table: BTreeMap<SessionId, Lease>,
}

impl Leases {
    /// Brings the table in line with the ledger's sessions: `(session, attach, ttl_ms)`.
    pub fn sync(&mut self, now: BootTime, sessions: impl Iterator<Item = (SessionId, u32, u64)>) {
        let mut next = BTreeMap::new();
        for (session, attach, ttl_ms) in sessions {
            let lease = match self.table.get(&session) {
                Some(known) if known.attach == attach => *known,
                _ => Lease { attach, until: now.plus_ms(ttl_ms), heard: now, idle: None, expiring: false },
            };
            next.insert(session, lease);
        }
        self.table = next;
    }

    /// A ping received at `received` named the session, and the ledger has it at a read index begun afterwards.
    /// Whether the pong may list it.
    pub fn heard(&mut self, session: &SessionId, attach: u32, ttl_ms: u64, received: BootTime) -> bool {
        let until = received.plus_ms(ttl_ms);
        let new = Lease { attach, until, heard: received, idle: None, expiring: false };
        let lease = self.table.entry(*session).or_insert(new);
        if lease.attach != attach {
            // A newer attach than the table knew: the ledger was asked, the table is behind.
            *lease = new;
        }
        if lease.expiring {
            return false;
        }
        lease.until = lease.until.max(until);
        lease.heard = lease.heard.max(received);
        true
    }

    /// For how many minutes a session's user has had no input, as its device just said; `None`: it does not know.
    pub fn idles(&mut self, session: &SessionId, minutes: Option<u16>) {
        if let Some(lease) = self.table.get_mut(session) {
            lease.idle = minutes;
        }
    }

    /// For how many minutes a session's user has had no input, if that is known.
    pub fn idle(&self, session: &SessionId, now: BootTime) -> Option<u16> {
        let lease = self.table.get(session)?;
        lease.idle.filter(|_| now.ms_since(lease.heard) <= IDLE_KNOWN_MS)
    }

    /// For how long this attach of a session has not been heard of, milliseconds; 0 if it is not known.
    pub fn silent_ms(&self, session: &SessionId, attach: u32, now: BootTime) -> u64 {
        let known = self.table.get(session).filter(|lease| lease.attach == attach);
        known.map_or(0, |lease| now.ms_since(lease.heard))
    }

    /// The sessions to expire now; from here on no pong lists them.
    pub fn due(&mut self, now: BootTime) -> Vec<(SessionId, u32)> {
        let mut due = Vec::new();
        for (session, lease) in &mut self.table {
            if !lease.expiring && lease.until <= now {
                lease.expiring = true;
                due.push((*session, lease.attach));
            }
        }
        due
    }

    /// The sessions whose Expire was proposed and that the ledger still has: propose again, with the same term.
    pub fn expiring(&self) -> Vec<(SessionId, u32)> {
        self.table.iter().filter(|(_, lease)| lease.expiring).map(|(id, lease)| (*id, lease.attach)).collect()
    }

    /// When [`Leases::due`] has something next.
    pub fn next_due(&self) -> Option<BootTime> {
        self.table.values().filter(|lease| !lease.expiring).map(|lease| lease.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SessionId = SessionId([1; 16]);
    const TTL: u64 = 15_000;

    fn table(now: u64) -> Leases {
        let mut leases = Leases::default();
        leases.sync(BootTime(now), [(S, 1, TTL)].into_iter());
        leases
    }

    #[test]
    fn a_new_table_gives_a_full_ttl() {
        let mut leases = table(100);
        assert!(leases.due(BootTime(100 + TTL - 1)).is_empty());
        assert_eq!(leases.due(BootTime(100 + TTL)), vec![(S, 1)]);
    }

    #[test]
    fn a_ping_counts_from_its_receiving() {
        let mut leases = table(0);
        assert!(leases.heard(&S, 1, TTL, BootTime(5_000)));
        assert_eq!(leases.next_due(), Some(BootTime(5_000 + TTL)));
        // An older ping answered later takes nothing back.
        assert!(leases.heard(&S, 1, TTL, BootTime(1_000)));
        assert_eq!(leases.next_due(), Some(BootTime(5_000 + TTL)));
    }

    #[test]
    fn after_an_expire_was_proposed_no_ping_brings_the_session_back() {
        let mut leases = table(0);
        assert_eq!(leases.due(BootTime(TTL)).len(), 1);
        assert!(!leases.heard(&S, 1, TTL, BootTime(TTL)));
        assert!(leases.due(BootTime(10 * TTL)).is_empty());
        assert_eq!(leases.expiring(), vec![(S, 1)]);
        // Also not after the next sync with a ledger that still has it.
        leases.sync(BootTime(TTL), [(S, 1, TTL)].into_iter());
        assert!(!leases.heard(&S, 1, TTL, BootTime(TTL + 1)));
    }

    #[test]
    fn silence_counts_from_the_last_ping_and_in_a_new_table_from_its_beginning() {
        let mut leases = table(100);
        assert_eq!(leases.silent_ms(&S, 1, BootTime(1_100)), 1_000);
        leases.heard(&S, 1, TTL, BootTime(5_000));
        leases.heard(&S, 1, TTL, BootTime(4_000));
        assert_eq!(leases.silent_ms(&S, 1, BootTime(15_000)), 10_000);
        assert_eq!(leases.silent_ms(&S, 2, BootTime(15_000)), 0, "another attach has just been seen");
    }

    #[test]
    fn idleness_is_what_the_last_ping_said_and_unknown_after_a_silence() {
        let mut leases = table(0);
        assert_eq!(leases.idle(&S, BootTime(0)), None);
        leases.heard(&S, 1, TTL, BootTime(5_000));
        leases.idles(&S, Some(25));
        assert_eq!(leases.idle(&S, BootTime(5_000 + IDLE_KNOWN_MS)), Some(25));
        assert_eq!(leases.idle(&S, BootTime(5_001 + IDLE_KNOWN_MS)), None);
        leases.heard(&S, 1, TTL, BootTime(30_000));
        leases.idles(&S, None);
        assert_eq!(leases.idle(&S, BootTime(30_000)), None, "its device knows no more");
        leases.idles(&S, Some(26));
        leases.sync(BootTime(30_000), [(S, 1, TTL)].into_iter());
        assert_eq!(leases.idle(&S, BootTime(30_000)), Some(26));
        leases.sync(BootTime(30_000), [(S, 2, TTL)].into_iter());
        assert_eq!(leases.idle(&S, BootTime(30_000)), None, "another attach");
        leases.idles(&SessionId([9; 16]), Some(1));
    }

    #[test]
    fn a_new_attach_starts_over_and_a_returned_session_is_forgotten() {
        let mut leases = table(0);
        leases.due(BootTime(TTL));
        leases.sync(BootTime(TTL), [(S, 2, TTL)].into_iter());
        assert!(leases.heard(&S, 2, TTL, BootTime(TTL)));
        leases.sync(BootTime(TTL), std::iter::empty());
        assert_eq!(leases.next_due(), None);
    }
}
