//! The one writer. Takes what has queued up and commits it at once.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::storage::IOFlushed;
use redb::{Database, Durability};
use seatkeeper_protocol::fault::{Fault, planted};
use tokio::sync::{mpsc, oneshot};

use super::{
    Inner, KEY_COMMITTED, KEY_PURGED, KEY_SNAPSHOT_DATA, KEY_SNAPSHOT_META, KEY_VOTE, LOG, META, SNAPSHOT,
};
use crate::types::Types;

/// Most jobs and bytes in one commit.
const BATCH_JOBS: usize = 256;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// How long a mere note of what is committed waits for something worth an fsync.
const NOTE_WAIT: Duration = Duration::from_millis(20);

pub(super) type Done = oneshot::Sender<io::Result<()>>;

/// Something to write; bytes are encoded already.
pub(super) enum Job {
    Append { entries: Vec<(u64, Vec<u8>)>, done: IOFlushed<Types> },
    Vote { vote: Vec<u8>, done: Done },
    Committed { id: Vec<u8> },
    TruncateFrom { index: u64, done: Done },
    Purge { id: Vec<u8>, index: u64 },
    Snapshot { meta: Vec<u8>, data: Vec<u8>, done: Done },
    Flush { done: Done },
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.iter().map(|(_, bytes)| bytes.len()).sum(),
            Self::Snapshot { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// Whether it can wait: losing it costs nothing but a later catching up.
    fn is_note(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::Purge { .. })
    }

    fn write(&self, txn: &redb::WriteTransaction) -> Result<(), redb::Error> {
        match self {
            Self::Append { entries, .. } => {
                let mut log = txn.open_table(LOG)?;
                for (index, bytes) in entries {
                    log.insert(index, bytes.as_slice())?;
                }
            }
            Self::Vote { vote, .. } => {
                txn.open_table(META)?.insert(KEY_VOTE, vote.as_slice())?;
            }
            Self::Committed { id } => {
                txn.open_table(META)?.insert(KEY_COMMITTED, id.as_slice())?;
            }
            Self::TruncateFrom { index, .. } => txn.open_table(LOG)?.retain_in(*index.., |_, _| false)?,
            Self::Purge { id, index } => {
                txn.open_table(META)?.insert(KEY_PURGED, id.as_slice())?;
                txn.open_table(LOG)?.retain_in(..=*index, |_, _| false)?;
            }
            Self::Snapshot { meta, data, .. } => {
                let mut table = txn.open_table(SNAPSHOT)?;
                table.insert(KEY_SNAPSHOT_META, meta.as_slice())?;
                table.insert(KEY_SNAPSHOT_DATA, data.as_slice())?;
            }
            Self::Flush { .. } => {}
        }
        Ok(())
    }

    fn last_index(&self) -> Option<u64> {
        match self {
            Self::Append { entries, .. } => entries.last().map(|(index, _)| *index),
            _ => None,
        }
    }

    fn finish(self, result: io::Result<()>) {
        match self {
            Self::Append { done, .. } => done.io_completed(result),
            Self::Vote { done, .. }
            | Self::TruncateFrom { done, .. }
            | Self::Snapshot { done, .. }
            | Self::Flush { done } => {
                let _ = done.send(result);
            }
            Self::Committed { .. } | Self::Purge { .. } => {}
        }
    }
}

/// Everything that is answered must be on the disk first.
fn durability(batch: &[Job]) -> Durability {
    let unsynced = |job: &Job| match job {
        Job::Vote { .. } => planted(Fault::UnsyncedVote),
        Job::Append { .. } => planted(Fault::UnsyncedAppend),
        _ => false,
    };
    if batch.iter().any(unsynced) { Durability::None } else { Durability::Immediate }
}

fn commit(db: &Database, batch: &[Job]) -> Result<(), redb::Error> {
    let mut txn = db.begin_write()?;
    txn.set_durability(durability(batch))?;
    for job in batch {
        job.write(&txn)?;
    }
    txn.commit()?;
    Ok(())
}

/// Writes until the store is gone. After the first failure nothing more is written: the disk's state is unknown.
pub(super) async fn run(inner: Weak<Inner>, mut queue: mpsc::Receiver<Job>) {
    let mut failure: Option<String> = None;
    while let Some(batch) = next_batch(&mut queue).await {
        let Some(inner) = inner.upgrade() else { return };
        if let Some(reason) = &failure {
            for job in batch {
                job.finish(Err(io::Error::other(reason.clone())));
            }
            continue;
        }
        let bench = Arc::clone(&inner.bench);
        let written = super::work(&*bench, move || {
            let result = inner.with_db(|db| commit(db, &batch).map_err(io::Error::other));
            if result.is_ok()
                && let Some(index) = batch.iter().rev().find_map(Job::last_index)
            {
                inner.shared().trim(index);
            }
            let reason = result.err().map(|error| error.to_string());
            for job in batch {
                job.finish(reason.as_ref().map_or(Ok(()), |reason| Err(io::Error::other(reason.clone()))));
            }
            reason
        });
        failure = written.await.unwrap_or_else(|| Some(super::failed().to_string()));
        if let Some(reason) = &failure {
            tracing::error!(reason, "the log can no longer be written");
        }
    }
}

async fn next_batch(queue: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
    let mut batch = vec![queue.recv().await?];
    let mut bytes = batch.iter().map(Job::bytes).sum::<usize>();
    let patience = tokio::time::Instant::now() + NOTE_WAIT;
    while batch.len() < BATCH_JOBS && bytes < BATCH_BYTES {
        let job = match queue.try_recv() {
            Ok(job) => job,
            Err(_) if batch.iter().all(Job::is_note) => {
                match tokio::time::timeout_at(patience, queue.recv()).await {
                    Ok(Some(job)) => job,
                    _ => break,
                }
            }
            Err(_) => break,
        };
        bytes += job.bytes();
        batch.push(job);
    }
    Some(batch)
}
