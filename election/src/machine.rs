//! The state machine that the log drives.

use std::io;
use std::sync::{Mutex, PoisonError};

use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};

use crate::store::Store;
use crate::types::{LogId, Snapshot, SnapshotMeta, StoredMembership, Types};

/// What the committed commands change. It is rebuilt from snapshot and log at each start.
pub trait StateMachine: Send + 'static {
    /// Applies one committed command and answers its outcome. Never fails. Called in index order, exactly once per
    /// index since the last restore.
    fn apply(&mut self, index: u64, term: u64, command: &[u8]) -> Vec<u8>;

    /// The whole state.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the whole state by one that [`StateMachine::snapshot`] gave, here or on another node.
    ///
    /// # Errors
    /// When the bytes are not a state; the engine stops then.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError>;
}

/// Why bytes are not a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot cannot be restored: {0}")]
pub struct RestoreError(pub String);

/// The state machine as the engine sees it.
pub(crate) struct Machine {
    // The engine asks for `Sync`; only one task ever uses it.
    state: Mutex<Box<dyn StateMachine>>,
    store: Store,
    applied: Option<LogId>,
    membership: StoredMembership,
}

impl Machine {
    pub(crate) fn new(state: Box<dyn StateMachine>, store: Store) -> Self {
        Self { state: Mutex::new(state), store, applied: None, membership: StoredMembership::default() }
    }

    fn state(&mut self) -> &mut dyn StateMachine {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let id = entry.log_id;
            let outcome = match entry.payload {
                EntryPayload::Blank => Vec::new(),
                EntryPayload::Normal(command) => self.state().apply(id.index, id.leader_id.term, &command.0),
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(id), membership);
                    Vec::new()
                }
            };
            self.applied = Some(id);
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        Builder { meta, data: self.state().snapshot(), store: self.store.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: Vec<u8>) -> Result<(), io::Error> {
        self.state().restore(&data).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        // At a start the engine hands us the snapshot that is on the disk already.
        if self.store.snapshot_meta().as_ref() == Some(meta) {
            return Ok(());
        }
        self.store.save_snapshot(meta, data).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(self.store.load_snapshot().await?.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// A state taken at one index, on its way to the disk.
pub(crate) struct Builder {
    meta: SnapshotMeta,
    data: Vec<u8>,
    store: Store,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        self.store.save_snapshot(&self.meta, self.data.clone()).await?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot: std::mem::take(&mut self.data) })
    }
}
