//! The whole state as bytes, and back.
//!
//! Format: one version byte, SHA-256 of the rest, the state as postcard. The state has ordered maps only, so equal
//! states have equal bytes (invariant I5).

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::limits;
use sha2::{Digest, Sha256};

use crate::ledger::Ledger;
use crate::state::{Index, State};

/// The version byte of snapshots of this release.
const VERSION: u8 = 1;
/// Bytes of the digest.
const DIGEST_BYTES: usize = 32;

/// Why bytes are not a snapshot to go on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Over [`limits::SNAPSHOT_BYTES_MAX`].
    #[error("a snapshot of the ledger has at most {} bytes", limits::SNAPSHOT_BYTES_MAX)]
    TooLong,
    /// From a newer release.
    #[error("the ledger's snapshot has version {0}, known here is {VERSION}; update Seatkeeper")]
    UnknownVersion(u8),
    /// Cut short, changed, or not a snapshot.
    #[error("the ledger's snapshot is damaged")]
    Damaged,
    /// Its parts contradict each other.
    #[error("the ledger's snapshot contradicts itself: {0}")]
    Contradictory(String),
}

impl Ledger {
    /// Everything, to go on from elsewhere with [`Ledger::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        let mut body = self.body();
        if planted(Fault::SnapshotForgets) {
            let state = State { memories: std::collections::BTreeMap::new(), ..self.state.clone() };
            body = Self { by: Index::build(&state), state }.body();
        }
        [[VERSION].as_slice(), Sha256::digest(&body).as_slice(), &body].concat()
    }

    /// SHA-256 over the whole state: what replicas at one index compare when they make snapshots (invariant I5).
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.body()).into()
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// When the bytes are not a whole, consistent snapshot of a known version.
    pub fn restore(snapshot: &[u8]) -> Result<Self, RestoreError> {
        if snapshot.len() > limits::SNAPSHOT_BYTES_MAX {
            return Err(RestoreError::TooLong);
        }
        let (version, rest) = snapshot.split_first().ok_or(RestoreError::Damaged)?;
        if *version != VERSION {
            return Err(RestoreError::UnknownVersion(*version));
        }
        let (digest, body) = rest.split_at_checked(DIGEST_BYTES).ok_or(RestoreError::Damaged)?;
        if Sha256::digest(body).as_slice() != digest {
            return Err(RestoreError::Damaged);
        }
        let Ok((mut state, [])) = postcard::take_from_bytes::<State>(body) else {
            return Err(RestoreError::Damaged);
        };
        // Postcard reads other bytes as the same state too: numbers with zeros in front, maps in another order. Two
        // replicas that went on from such bytes would agree on everything but the digest.
        if encoded(&state) != body {
            return Err(RestoreError::Damaged);
        }
        check(&state).map_err(RestoreError::Contradictory)?;
        if !state.records.read() {
            return Err(RestoreError::Contradictory(
                "its records are not those that its head stands for".into(),
            ));
        }
        let by = Index::build(&state);
        Ok(Self { state, by })
    }

    fn body(&self) -> Vec<u8> {
        encoded(&self.state)
    }
}

fn encoded(state: &State) -> Vec<u8> {
    // Postcard fails on sequences of unknown length and full buffers; the state has neither. Were it to fail, the
    // empty body is one that no replica restores.
    postcard::to_stdvec(state).unwrap_or_default()
}

/// That seats, sessions and licenses refer to each other.
pub(crate) fn check(state: &State) -> Result<(), String> {
    for (id, session) in &state.sessions {
        let seat = state.seats.get(&session.seat);
        if !seat.is_some_and(|seat| seat.sessions.contains(id)) {
            return Err(format!("session {id} has no seat"));
        }
    }
    for (id, seat) in &state.seats {
        if seat.sessions.is_empty() && seat.borrow.is_none() {
            return Err(format!("seat {id} has no session"));
        }
        let mut sessions = seat.sessions.iter().map(|session| state.sessions.get(session));
        if !sessions.all(|session| session.is_some_and(|session| session.seat == *id)) {
            return Err(format!("seat {id} has a session that is not its own"));
        }
        if !state.licenses.contains_key(&seat.license) {
            return Err(format!("seat {id} is of license {}, which is not there", seat.license));
        }
        if id.0 >= state.next_seat {
            return Err(format!("seat {id} has an id that was not given yet"));
        }
    }
    let mut places = std::collections::BTreeSet::new();
    for (id, waiting) in &state.waiting {
        if state.sessions.contains_key(id) || waiting.want.session != *id {
            return Err(format!("session {id} waits and has a seat"));
        }
        if !state.devices.contains_key(&waiting.device) {
            return Err(format!("session {id} waits on a device that is not here"));
        }
        if !places.insert(waiting.place) {
            return Err(format!("session {id} waits in a place that another one has"));
        }
    }
    if let Some((id, _)) = state.licenses.iter().find(|(id, record)| record.license().id != **id) {
        return Err(format!("license {id} is filed under another id"));
    }
    Ok(())
}
