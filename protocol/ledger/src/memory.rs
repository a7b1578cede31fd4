//! What each actor asked last, so that each request acts once (invariant I4).

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Name, RequestId};
use seatkeeper_protocol::limits;
use serde::{Deserialize, Serialize};

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActorKey {
    /// A device's.
    Device(DeviceId),
    /// An admin's.
    Admin(Name),
}

/// Distinguishes requests that carry one id: the first half of SHA-256 over actor, id and command.
pub(crate) type RequestDigest = [u8; 16];

/// Outcomes kept per actor, bytes: with [`limits::DEVICES_MAX`] actors they leave room in a snapshot.
pub(crate) const OUTCOME_BYTES_PER_ACTOR: usize = 16 * 1024;

/// An outcome that is older than so many entries is forgotten, unless it is its actor's last: a request lives for seconds.
/// Without this, ten thousand devices would keep 64 outcomes each for good.
pub(crate) const OUTCOME_ENTRIES: u64 = 16_384;
/// How many entries pass until somebody looks for such outcomes.
pub(crate) const FORGET_EVERY: u64 = 1_024;

const _: () = assert!(OUTCOME_BYTES_PER_ACTOR * limits::DEVICES_MAX < limits::SNAPSHOT_BYTES_MAX);

/// One actor's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MemoryOnDisk")]
pub(crate) struct Memory {
    epoch: u64,
    /// Counters below it are forgotten.
    floor: u64,
    outcomes: BTreeMap<u64, Remembered>,
    /// The log index at which the actor left the site. Its requests stay refused should it come back.
    pub(crate) retired: Option<u64>,
    /// The bytes of all outcomes: known rather than counted, for each request asks.
    #[serde(skip)]
    bytes: usize,
}

/// [`Memory`] in a snapshot.
#[derive(Deserialize)]
struct MemoryOnDisk {
    epoch: u64,
    floor: u64,
    outcomes: BTreeMap<u64, Remembered>,
    retired: Option<u64>,
}

impl From<MemoryOnDisk> for Memory {
    fn from(disk: MemoryOnDisk) -> Self {
        let MemoryOnDisk { epoch, floor, outcomes, retired } = disk;
        let bytes = outcomes.values().map(|remembered| remembered.outcome.len()).sum();
        Self { epoch, floor, outcomes, retired, bytes }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// Where its entry stands in the log.
    index: u64,
    digest: RequestDigest,
    /// By [`crate::encode_outcome`].
    outcome: Vec<u8>,
}

impl Memory {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The outcome of this very request.
    pub(crate) fn outcome(&self, id: RequestId, digest: &RequestDigest) -> Option<&[u8]> {
        let remembered = if id.epoch == self.epoch { self.outcomes.get(&id.counter)? } else { return None };
        (remembered.digest == *digest).then_some(remembered.outcome.as_slice())
    }

    /// Whether a request with this id may act: it is neither forgotten nor used.
    pub(crate) fn is_new(&self, id: RequestId) -> bool {
        id.epoch > self.epoch
            || (id.epoch == self.epoch
                && id.counter >= self.floor
                && !self.outcomes.contains_key(&id.counter))
    }

    /// Remembers the outcome of a request that [`Memory::is_new`].
    pub(crate) fn remember(&mut self, id: RequestId, index: u64, digest: RequestDigest, outcome: Vec<u8>) {
        if id.epoch != self.epoch {
            *self = Self { epoch: id.epoch, ..Self::default() };
        }
        self.retired = None;
        self.bytes = self.bytes.saturating_add(outcome.len());
        if let Some(before) = self.outcomes.insert(id.counter, Remembered { index, digest, outcome }) {
            self.bytes = self.bytes.saturating_sub(before.outcome.len());
        }
        // This one stays, whatever its size and however many later ones overtook it: a request whose answer was lost
        // must not be `stale` at once.
        while self.outcomes.len() > limits::OUTCOMES_PER_DEVICE
            || (self.outcomes.len() > 1 && self.bytes > OUTCOME_BYTES_PER_ACTOR)
        {
            self.forget_oldest_but(Some(id.counter));
        }
    }

    /// Keeps what prevents a replay, and the newest outcome.
    pub(crate) fn retire(&mut self, index: u64) {
        self.retired = Some(index);
        while self.outcomes.len() > 1 {
            self.forget_oldest_but(None);
        }
    }

    /// Forgets what was asked before this entry, but for the newest outcome.
    pub(crate) fn forget_before(&mut self, index: u64) {
        while self.outcomes.len() > 1
            && self.outcomes.first_key_value().is_some_and(|(_, oldest)| oldest.index < index)
        {
            self.forget_oldest_but(None);
        }
    }

    fn forget_oldest_but(&mut self, kept: Option<u64>) {
        let oldest = self.outcomes.keys().copied().find(|counter| Some(*counter) != kept);
        if let Some((counter, oldest)) = oldest.and_then(|counter| self.outcomes.remove_entry(&counter)) {
            self.bytes = self.bytes.saturating_sub(oldest.outcome.len());
            self.floor = self.floor.max(counter.saturating_add(1));
        }
    }
}
