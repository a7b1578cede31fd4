//! What the world sees of its devices: everything that is applied to their books, and everything that their programs
//! are told. Gathered while the devices run, taken by the checkers after every step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seatkeeper::seam::Observer;
use seatkeeper_ledger::command::{Entry, Outcome};
use seatkeeper_ledger::{Ledger, decode};
use seatkeeper_protocol::id::SessionId;

/// At which entries replicas compare their whole books.
const DIGEST_EVERY: u64 = 8;

/// Something that happened on a device within one step.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An entry was applied to its books.
    Applied(Box<Applied>),
    /// Its books were replaced by a snapshot's.
    Restored {
        /// The device's number.
        device: usize,
        /// The books.
        books: Arc<Ledger>,
    },
    /// A program got a seat.
    Granted {
        /// The device's number.
        device: usize,
        /// The program's number.
        program: u64,
        /// The ticket as text.
        ticket: String,
    },
    /// The life of a program's seat was extended.
    Alive {
        /// The device's number.
        device: usize,
        /// The session.
        session: SessionId,
        /// Until when, on the device's boot clock.
        until: u64,
    },
    /// A program was told that its seat is gone.
    Lost {
        /// The device's number.
        device: usize,
        /// The program's number.
        program: u64,
        /// What it was told.
        reason: String,
    },
    /// A program's wish was not granted.
    Refused {
        /// The device's number.
        device: usize,
        /// The program's number.
        program: u64,
        /// Why.
        reason: String,
    },
    /// Somebody spoke for another generation of the site.
    Rival {
        /// What the site answered, if not a refusal.
        answered: Option<String>,
    },
    /// Something worth telling that nobody checks.
    Note {
        /// The device's number.
        device: usize,
        /// What.
        text: String,
    },
    /// Something that must not happen was found where it happened.
    Wrong(String),
}

/// An entry as a replica applied it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The device's number.
    pub device: usize,
    /// Its place in the log.
    pub index: u64,
    /// The entry; `None`: not one that this release reads.
    pub entry: Option<Arc<Entry>>,
    /// What it came to.
    pub outcome: Outcome,
    /// The replica's running hash after it.
    pub hash: [u8; 32],
    /// The digest of the whole books, now and then.
    pub digest: Option<[u8; 32]>,
    /// The first broken internal invariant of the replica.
    pub bug: Option<String>,
}

/// The things seen since they were taken last. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Vec<Seen>>>);

impl Watch {
    /// Notes something.
    pub fn note(&self, seen: Seen) {
        self.seen().push(seen);
    }

    /// Takes everything, in the order of its happening.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen())
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The observer of one device's books.
#[derive(Debug)]
pub struct BooksOf {
    /// The device's number.
    pub device: usize,
    /// Where it tells.
    pub watch: Watch,
}

impl Observer for BooksOf {
    fn applied(&self, index: u64, entry: &[u8], outcome: &Outcome, ledger: &Ledger) {
        self.watch.note(Seen::Applied(Box::new(Applied {
            device: self.device,
            index,
            entry: decode(entry).ok().map(Arc::new),
            outcome: outcome.clone(),
            hash: ledger.hash(),
            digest: index.is_multiple_of(DIGEST_EVERY).then(|| ledger.digest()),
            bug: ledger.bug().map(str::to_owned),
        })));
    }

    fn restored(&self, ledger: &Ledger) {
        self.watch.note(Seen::Restored { device: self.device, books: Arc::new(ledger.clone()) });
    }
}
