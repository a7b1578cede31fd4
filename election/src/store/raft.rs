//! The store as the engine's log storage.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};

use super::Store;
use super::writer::Job;
use crate::types::{Entry, LogId, Types, Vote};
use crate::wire::{WireEntry, WireVote, wire_ids};

fn encode<T: serde::Serialize>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}

impl RaftLogReader<Types> for Store {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.entries(range, false).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.entries(start..end, true).await
    }
}

impl RaftLogStorage<Types> for Store {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let shared = self.shared();
        Ok(LogState { last_purged_log_id: shared.purged, last_log_id: shared.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let bytes = encode(&WireVote::from(*vote))?;
        self.send_and_wait(|done| Job::Vote { vote: bytes, done }).await?;
        self.shared().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let id = encode(&wire_ids(committed))?;
        self.shared().committed = committed;
        self.send(Job::Committed { id }).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared().committed)
    }

    async fn append<I>(&mut self, entries: I, done: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        {
            let mut shared = self.shared();
            for entry in entries {
                let bytes = encode(&WireEntry::from(&entry))?;
                let (index, size) = (entry.log_id.index, bytes.len());
                encoded.push((index, bytes));
                shared.remember(entry, size);
            }
        }
        self.send(Job::Append { entries: encoded, done }).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let index = last.map_or(0, |id| id.index.saturating_add(1));
        {
            let mut shared = self.shared();
            shared.forget_from(index);
            shared.last = shared.last.min(last).max(shared.purged);
        }
        self.send_and_wait(|done| Job::TruncateFrom { index, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        {
            let mut shared = self.shared();
            shared.purged = Some(upto).max(shared.purged);
            shared.last = shared.last.max(shared.purged);
            shared.forget_until(upto.index);
        }
        let id = encode(&wire_ids(Some(upto)))?;
        self.send(Job::Purge { id, index: upto.index }).await
    }
}
