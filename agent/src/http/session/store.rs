//! Codes, sessions and failed sign-ins, in memory only: an agent's restart ends them all.
//!
//! Codes and tokens are kept by their hashes, so that how long a look takes says nothing of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatkeeper_protocol::id::{Name, PublicKey};
use seatkeeper_protocol::time::BootTime;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::keys::signing::CommandSigner;
use crate::platform::local::Caller;

/// How long a code can be used, milliseconds.
pub(crate) const CODE_MS: u64 = 60_000;
/// How long a session lasts unused, milliseconds.
pub(crate) const SESSION_MS: u64 = 12 * 3_600_000;
/// How long an admin stays signed in without doing anything, milliseconds.
pub(crate) const ADMIN_MS: u64 = 15 * 60_000;
const CODES_MAX: usize = 32;
const SESSIONS_MAX: usize = 64;
/// Keys whose failed sign-ins are remembered.
const FAILURES_MAX: usize = 64;
/// Wrong passwords that cost no time.
const FREE_FAILURES: u32 = 3;
/// Longest wait after a wrong password, milliseconds.
const SLOWED_MS_MAX: u64 = 300_000;

/// The hash of a code or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hashed([u8; 32]);

impl Hashed {
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

/// An admin who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) name: Name,
    pub(crate) role: String,
    /// One command at a time: their counters must rise in the order in which they are sent.
    pub(crate) signer: Arc<Mutex<CommandSigner>>,
    used: BootTime,
}

impl SignedIn {
    pub(crate) fn new(name: Name, role: String, signer: CommandSigner, now: BootTime) -> Self {
        Self { name, role, signer: Arc::new(Mutex::new(signer)), used: now }
    }

    /// How long it still lasts, milliseconds.
    pub(crate) fn left_ms(&self, now: BootTime) -> u64 {
        ADMIN_MS.saturating_sub(now.ms_since(self.used))
    }
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// In whose name it acts.
    pub(crate) caller: Caller,
    /// What a page must know, and another site's page cannot.
    pub(crate) csrf: String,
    pub(crate) admin: Option<SignedIn>,
    used: BootTime,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    codes: BTreeMap<Hashed, (Caller, BootTime)>,
    sessions: BTreeMap<Hashed, Session>,
    failures: BTreeMap<PublicKey, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: BootTime,
}

impl Failures {
    /// How long no password is looked at from the last failure on, milliseconds.
    fn slowed_ms(self) -> u64 {
        match self.count.checked_sub(FREE_FAILURES) {
            None => 0,
            Some(doubled) => (2_000_u64 << doubled.min(8)).min(SLOWED_MS_MAX),
        }
    }
}

impl Store {
    /// Keeps a code in whose name it is; of too many the oldest goes.
    pub(crate) fn add_code(&mut self, code: Hashed, caller: Caller, now: BootTime) {
        self.codes.retain(|_, (_, since)| now.ms_since(*since) < CODE_MS);
        while self.codes.len() >= CODES_MAX {
            let Some(oldest) = self.codes.iter().min_by_key(|(_, (_, since))| *since).map(|(code, _)| *code)
            else {
                break;
            };
            self.codes.remove(&oldest);
        }
        self.codes.insert(code, (caller, now));
    }

    /// Whose code it is. It cannot be used again.
    pub(crate) fn use_code(&mut self, code: &Hashed, now: BootTime) -> Option<Caller> {
        let (caller, since) = self.codes.remove(code)?;
        (now.ms_since(since) < CODE_MS).then_some(caller)
    }

    /// Begins a session; of too many the one that was not used for longest ends.
    pub(crate) fn begin(&mut self, token: Hashed, caller: Caller, csrf: String, now: BootTime) {
        self.sessions.retain(|_, session| now.ms_since(session.used) < SESSION_MS);
        while self.sessions.len() >= SESSIONS_MAX {
            let Some(oldest) =
                self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(token, _)| *token)
            else {
                break;
            };
            self.sessions.remove(&oldest);
        }
        self.sessions.insert(token, Session { caller, csrf, admin: None, used: now });
    }

    /// The session, which is used by this.
    pub(crate) fn find(&mut self, token: &Hashed, now: BootTime) -> Option<Session> {
        let session = self.sessions.get_mut(token)?;
        if now.ms_since(session.used) >= SESSION_MS {
            self.sessions.remove(token);
            return None;
        }
        session.used = now;
        if session.admin.as_ref().is_some_and(|admin| admin.left_ms(now) == 0) {
            session.admin = None;
        }
        Some(session.clone())
    }

    /// The admin signed in, whose 15 minutes begin anew.
    pub(crate) fn use_admin(&mut self, token: &Hashed, now: BootTime) -> Option<SignedIn> {
        self.find(token, now)?;
        let admin = self.sessions.get_mut(token)?.admin.as_mut()?;
        admin.used = now;
        Some(admin.clone())
    }

    /// Signs an admin in, or out; `false`: the session is over.
    pub(crate) fn set_admin(&mut self, token: &Hashed, admin: Option<SignedIn>) -> bool {
        let Some(session) = self.sessions.get_mut(token) else { return false };
        session.admin = admin;
        true
    }

    pub(crate) fn end(&mut self, token: &Hashed) {
        self.sessions.remove(token);
    }

    /// For how many milliseconds no password for this key is looked at.
    pub(crate) fn slowed_ms(&self, key: &PublicKey, now: BootTime) -> u64 {
        let Some(failures) = self.failures.get(key) else { return 0 };
        failures.slowed_ms().saturating_sub(now.ms_since(failures.last))
    }

    /// A wrong password.
    pub(crate) fn failed(&mut self, key: PublicKey, now: BootTime) {
        if !self.failures.contains_key(&key) {
            // What could be guessed at again has waited out its time.
            while self.failures.len() >= FAILURES_MAX {
                let Some(oldest) = self.failures.iter().min_by_key(|(_, one)| one.last).map(|(key, _)| *key)
                else {
                    break;
                };
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// The right one.
    pub(crate) fn succeeded(&mut self, key: &PublicKey) {
        self.failures.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller { user: "eva".to_owned(), uid: None, pid: None, manages_device: false }
    }

    #[test]
    fn a_code_works_once_and_for_a_minute() {
        let mut store = Store::default();
        let (one, two) = (Hashed::of("one"), Hashed::of("two"));
        store.add_code(one, caller(), BootTime(0));
        store.add_code(two, caller(), BootTime(1));
        assert_eq!(store.use_code(&one, BootTime(CODE_MS - 1)), Some(caller()));
        assert_eq!(store.use_code(&one, BootTime(CODE_MS - 1)), None);
        assert_eq!(store.use_code(&two, BootTime(CODE_MS + 1)), None);
        for n in 0..100_u64 {
            store.add_code(Hashed::of(&n.to_string()), caller(), BootTime(100_000 + n));
        }
        assert_eq!(store.codes.len(), CODES_MAX);
        assert!(store.use_code(&Hashed::of("99"), BootTime(100_100)).is_some());
    }

    #[test]
    fn a_session_ends_unused_and_its_admin_before_it() {
        let mut store = Store::default();
        let token = Hashed::of("t");
        store.begin(token, caller(), "c".to_owned(), BootTime(0));
        let site = crate::keys::signing::SignedFor {
            id: seatkeeper_protocol::id::SiteId([1; 20]),
            generation: seatkeeper_protocol::id::Generation { number: 1, id: [0; 16] },
        };
        let signer = || {
            let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
            CommandSigner::new(site, Name::new("anna").unwrap(), key, seatkeeper_protocol::time::WallTime(1))
        };
        let admin = |now| {
            Some(SignedIn::new(Name::new("anna").unwrap(), "admin".to_owned(), signer(), BootTime(now)))
        };
        assert!(store.set_admin(&token, admin(0)));
        assert!(store.use_admin(&token, BootTime(ADMIN_MS - 1)).is_some());
        assert!(store.use_admin(&token, BootTime(2 * ADMIN_MS - 2)).is_some(), "use prolongs it");
        assert!(store.find(&token, BootTime(2 * ADMIN_MS)).unwrap().admin.is_some());
        assert!(store.use_admin(&token, BootTime(3 * ADMIN_MS)).is_none(), "a look does not");
        assert!(store.find(&token, BootTime(3 * ADMIN_MS + SESSION_MS - 1)).is_some());
        assert!(store.find(&token, BootTime(3 * ADMIN_MS + 2 * SESSION_MS)).is_none());
        assert!(!store.set_admin(&token, admin(0)));
        for n in 0..100_u64 {
            store.begin(Hashed::of(&n.to_string()), caller(), String::new(), BootTime(1_000_000_000 + n));
        }
        assert_eq!(store.sessions.len(), SESSIONS_MAX);
    }

    #[test]
    fn wrong_passwords_cost_more_and_more_time() {
        let mut store = Store::default();
        let key = PublicKey([1; 32]);
        let mut waits = Vec::new();
        for _ in 0..14 {
            store.failed(key, BootTime(10));
            waits.push(store.slowed_ms(&key, BootTime(10)) / 1_000);
        }
        assert_eq!(waits, [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
        assert_eq!(store.slowed_ms(&key, BootTime(300_010)), 0);
        assert_eq!(store.slowed_ms(&PublicKey([2; 32]), BootTime(10)), 0);
        store.succeeded(&key);
        store.failed(key, BootTime(20));
        assert_eq!(store.slowed_ms(&key, BootTime(20)), 0);
        for n in 0..=255 {
            store.failed(PublicKey([n; 32]), BootTime(30));
        }
        assert_eq!(store.failures.len(), FAILURES_MAX);
    }
}
