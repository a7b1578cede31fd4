//! Records: small named files that are either whole or absent, and the logs beside them.

use std::fmt;
use std::io;
use std::sync::Arc;

use seatkeeper_election::seam::{Bench, Threads};
use seatkeeper_election::{LogStore, StartError};
use seatkeeper_protocol::frame::{self, FrameError};
use seatkeeper_protocol::id::NodeId;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest record, bytes.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A node's state on disk. Held by one node at a time.
pub trait Disk: Send + Sync + 'static {
    /// Reads a record; `None` when it was never written or has been removed.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::FileTooLarge`] over [`RECORD_BYTES_MAX`].
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Writes a record, whose name may have a folder, durably and readable for the owner alone. A reader, also after a power cut, sees the old
    /// content or the new.
    ///
    /// # Errors
    /// As the system says; the old record is untouched then, or its replacement is whole.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a record, durably; it may be absent.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The records whose names begin with `folder` and a slash, with their bytes, in the order of their names.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>>;

    /// How many bytes a log takes; `None`: nobody knows.
    fn log_bytes(&self, _node: NodeId) -> Option<u64> {
        None
    }

    /// Where longer work on records is done, so that it does not hold up the runtime.
    fn bench(&self) -> Arc<dyn Bench> {
        Arc::new(Threads)
    }

    /// Opens or creates the log of `node`.
    ///
    /// # Errors
    /// When it is in use, damaged, or of a newer format.
    fn open_log(&self, node: NodeId) -> Result<LogStore, StartError>;

    /// The logs that exist.
    ///
    /// # Errors
    /// As the system says.
    fn logs(&self) -> io::Result<Vec<NodeId>>;

    /// Deletes the log of `node`; it is not open.
    ///
    /// # Errors
    /// As the system says.
    fn remove_log(&self, node: NodeId) -> io::Result<()>;

    /// Keeps the log of `node` under the name of a record, in place of what was there; [`Disk::logs`] sees it no more.
    ///
    /// # Errors
    /// The disk's.
    fn set_log_aside(&self, node: NodeId, name: &str) -> io::Result<()>;

    /// How people find a record: its path.
    fn place(&self, name: &str) -> String;
}

impl fmt::Debug for dyn Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

/// Why a record can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not what was written.
    #[error("{place} is damaged: {source}")]
    Damaged {
        /// The record.
        place: String,
        /// What is wrong.
        source: FrameError,
    },
    /// The system refuses, or the disk is full.
    #[error("cannot use {place}: {source}")]
    Io {
        /// The record.
        place: String,
        /// Why.
        source: io::Error,
    },
}

impl dyn Disk {
    /// Reads a record; `None` when it was never written.
    ///
    /// # Errors
    /// Any of [`RecordError`]'s.
    pub fn read_record<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RecordError> {
        let Some(bytes) = self.read(name).map_err(|source| self.broken(name, source))? else {
            return Ok(None);
        };
        decode(&bytes).map(Some).map_err(|source| RecordError::Damaged { place: self.place(name), source })
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`RecordError::Io`]; the old record is untouched then.
    pub fn write_record<T: Serialize>(&self, name: &str, record: &T) -> Result<(), RecordError> {
        frame::encode(record, RECORD_BYTES_MAX - 4)
            .map_err(io::Error::other)
            .and_then(|bytes| self.write(name, &bytes))
            .map_err(|source| self.broken(name, source))
    }

    fn broken(&self, name: &str, source: io::Error) -> RecordError {
        RecordError::Io { place: self.place(name), source }
    }
}

/// The length in the frame's header guards against a file cut short.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let (header, body) = bytes.split_first_chunk::<4>().ok_or(FrameError::Short)?;
    let len = frame::length(*header, RECORD_BYTES_MAX)?;
    match body.len().checked_sub(len) {
        None => Err(FrameError::Short),
        Some(0) => frame::decode(body),
        Some(more) => Err(FrameError::TrailingBytes(more)),
    }
}
