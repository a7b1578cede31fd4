//! Going on from what one log has, when the majority of its voters is gone for good.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use openraft::EntryPayload;
use redb::{Database, ReadableDatabase};
use seatkeeper_protocol::id::NodeId;

use super::{
    FORMAT, KEY_COMMITTED, KEY_FORMAT, KEY_NODE, KEY_PURGED, KEY_SNAPSHOT_DATA, KEY_SNAPSHOT_META, KEY_VOTE,
    LOG, LogStore, META, SNAPSHOT, corrupt, decode, guarded, load,
};
use crate::engine::error::StartError;
use crate::machine::StateMachine;
use crate::status::Peer;
use crate::types::{LogId, Membership, Place, SnapshotMeta, StoredMembership, Vote};
use crate::wire::{WireEntry, WireLogId, WireSnapshotMeta, WireVote, log_id};

/// Indexes that are left out where a log is taken up again: whoever was lost may have given out some of them, in what
/// is signed by now.
const SKIPPED: u64 = 1 << 32;

/// The last entry that is taken up. Terms and indexes go on from there.
#[derive(Clone, Copy, Debug)]
pub struct Salvaged {
    last: LogId,
}

impl Salvaged {
    /// Of a snapshot that was made at this index, in this term.
    pub fn at(term: u64, index: u64) -> Self {
        Self { last: log_id(term, index) }
    }

    /// The last entry's index.
    pub fn index(&self) -> u64 {
        self.last.index
    }
}

impl LogStore {
    /// Rebuilds `state` from all that is in this log. Entries count that are not known to be committed: who has them may
    /// be the only one left of a majority that acknowledged them.
    ///
    /// # Errors
    /// When the log is empty or damaged.
    pub fn salvage(&self, state: &mut dyn StateMachine) -> Result<Salvaged, StartError> {
        guarded(|| salvage(&self.db, state))
    }

    /// Begins this new log with a snapshot of what was salvaged, with `me` as the only voter.
    ///
    /// # Errors
    /// When this log is not new, or cannot be written.
    pub fn seed(&mut self, me: Peer, salvaged: Salvaged, snapshot: Vec<u8>) -> Result<(), StartError> {
        if let Some(stored) = self.loaded.node {
            return Err(StartError::WrongNode { stored, given: me.node });
        }
        seed(&self.db, me, salvaged.last, snapshot)
            .map_err(|error| StartError::Io(io::Error::other(error)))?;
        self.loaded = load(&self.db)?;
        Ok(())
    }
}

fn salvage(db: &Database, state: &mut dyn StateMachine) -> Result<Salvaged, StartError> {
    let txn = db.begin_read().map_err(corrupt)?;
    let table = txn.open_table(SNAPSHOT).map_err(corrupt)?;
    let meta = table.get(KEY_SNAPSHOT_META).map_err(corrupt)?;
    let data = table.get(KEY_SNAPSHOT_DATA).map_err(corrupt)?;
    let mut last = None;
    if let (Some(meta), Some(data)) = (meta, data) {
        let meta = SnapshotMeta::try_from(decode::<WireSnapshotMeta>(meta.value())?).map_err(corrupt)?;
        state.restore(data.value()).map_err(corrupt)?;
        last = meta.last_log_id;
    }
    let from = last.map_or(0, |last| last.index.saturating_add(1));
    let log = txn.open_table(LOG).map_err(corrupt)?;
    for item in log.range(from..).map_err(corrupt)? {
        let (_, bytes) = item.map_err(corrupt)?;
        let entry = decode::<WireEntry>(bytes.value())?.entry().map_err(corrupt)?;
        let id = entry.log_id;
        if id.index != last.map_or(0, |last| last.index.saturating_add(1)) {
            return Err(corrupt(format!("the entries before {} are missing", id.index)));
        }
        if let EntryPayload::Normal(command) = entry.payload {
            state.apply(id.index, id.leader_id.term, &command.0);
        }
        last = Some(id);
    }
    last.map(|last| Salvaged { last }).ok_or_else(|| corrupt("the log is empty"))
}

fn seed(
    db: &Database,
    me: Peer,
    last: LogId,
    snapshot: Vec<u8>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Peer { node, device } = me;
    let last = LogId::new(last.leader_id, last.index.saturating_add(SKIPPED));
    let members = BTreeMap::from([(node, Place(device))]);
    let membership = Membership::new(vec![BTreeSet::from([node])], members)?;
    let meta = SnapshotMeta {
        last_log_id: Some(last),
        last_membership: StoredMembership::new(Some(last), membership),
    };
    // The next term is above that of the last entry, as in every log.
    let vote = Vote::new(last.leader_id.term, node);
    let txn = db.begin_write()?;
    {
        let last = postcard::to_stdvec(&Some(WireLogId::from(last)))?;
        let mut table = txn.open_table(META)?;
        table.insert(KEY_FORMAT, FORMAT.to_le_bytes().as_slice())?;
        table.insert(KEY_NODE, NodeId::to_le_bytes(node).as_slice())?;
        table.insert(KEY_VOTE, postcard::to_stdvec(&WireVote::from(vote))?.as_slice())?;
        table.insert(KEY_COMMITTED, last.as_slice())?;
        table.insert(KEY_PURGED, last.as_slice())?;
        txn.open_table(LOG)?;
        let mut table = txn.open_table(SNAPSHOT)?;
        table.insert(KEY_SNAPSHOT_META, postcard::to_stdvec(&WireSnapshotMeta::from(&meta))?.as_slice())?;
        table.insert(KEY_SNAPSHOT_DATA, snapshot.as_slice())?;
    }
    txn.commit()?;
    Ok(())
}
