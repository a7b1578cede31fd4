//! The state folder.

use std::io;
use std::path::{Path, PathBuf};

use seatkeeper_election::{LogStore, StartError};
use seatkeeper_protocol::id::NodeId;

use super::{Mode, leftovers, read_bounded, write_atomic};
use crate::platform::files::{self, Exposure};
use crate::platform::lock::{InstanceLock, LockError};
use crate::seam::Disk;
use crate::seam::record::RECORD_BYTES_MAX;

/// The format of this release's state folders.
const FORMAT: u32 = 1;
/// What the `format` file says before its number.
const FORMAT_WORDS: &str = "seatkeeper state ";

/// The agent's state on disk. Held by one agent at a time.
#[derive(Debug)]
pub struct StateDir {
    dir: PathBuf,
    _lock: InstanceLock,
}

/// Why the state folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another agent uses it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// It was written by a newer version.
    #[error(
        "{} was written by a newer version (its format is {found}, this version knows {FORMAT}); install that \
         version, or start this one with another --state-dir",
        .dir.display()
    )]
    Newer {
        /// The folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Others may write it or read its secrets.
    #[error("{} can be {} by other users; run `chmod {} {}`",
        .path.display(), if *.write { "changed" } else { "read" }, .chmod, .path.display())]
    Exposed {
        /// The folder or file.
        path: PathBuf,
        /// Written, not only read.
        write: bool,
        /// What to give to chmod.
        chmod: &'static str,
    },
    /// It is another user's.
    #[error("{} belongs to another user (uid {uid}); run the agent as that user, or with another --state-dir", .path.display())]
    ForeignOwner {
        /// The folder or file.
        path: PathBuf,
        /// The owner.
        uid: u32,
    },
    /// A file of it is damaged.
    #[error("{} is damaged: {what}; restore it from a backup, or move {} away to start as a new device", .path.display(),
        .path.parent().unwrap_or(.path).display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refuses.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateDir {
    /// Opens the state folder, creating it on first run.
    ///
    /// # Errors
    /// Any of [`StateDirError`]'s; nothing was changed then, except that an empty folder may have been created.
    pub fn open(dir: &Path) -> Result<Self, StateDirError> {
        let broken = |source| StateDirError::Io { path: dir.to_owned(), source };
        files::create_private_dir(dir).map_err(broken)?;
        check_rights(dir, false, "go-w")?;
        let lock = InstanceLock::acquire(dir)?;
        let state = Self { dir: dir.to_owned(), _lock: lock };
        state.check_format()?;
        for secret in [state.identity_key(), state.site(), state.sessions()] {
            if secret.exists() {
                check_rights(&secret, true, "600")?;
            }
        }
        for folder in [dir.to_owned(), state.audit()] {
            for leftover in leftovers(&folder).map_err(broken)? {
                std::fs::remove_file(&leftover)
                    .map_err(|source| StateDirError::Io { path: leftover, source })?;
            }
        }
        Ok(state)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The device's secret key.
    pub fn identity_key(&self) -> PathBuf {
        self.dir.join("identity.key")
    }

    /// What the device knows of its site (a record).
    pub fn site(&self) -> PathBuf {
        self.dir.join("site")
    }

    /// The running sessions and their trees (a record).
    pub fn sessions(&self) -> PathBuf {
        self.dir.join("sessions")
    }

    /// The folder of the audit's older records.
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit")
    }

    /// The consensus log of this node id.
    pub fn log_file(&self, node: NodeId) -> PathBuf {
        self.dir.join(format!("log-{node}.redb"))
    }

    /// The consensus logs that exist, oldest name first.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn log_files(&self) -> io::Result<Vec<(NodeId, PathBuf)>> {
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let node =
                name.to_str().and_then(|name| name.strip_prefix("log-")?.strip_suffix(".redb")?.parse().ok());
            logs.extend(node.map(|node| (node, entry.path())));
        }
        logs.sort();
        Ok(logs)
    }

    fn check_format(&self) -> Result<(), StateDirError> {
        let path = self.dir.join("format");
        let damaged = |what: &str| StateDirError::Damaged { path: path.clone(), what: what.to_owned() };
        let text = match read_bounded(&path, 64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.identity_key().exists() {
                    return Err(damaged("it is missing"));
                }
                let text = format!("{FORMAT_WORDS}{FORMAT}\n");
                return write_atomic(&path, text.as_bytes(), Mode::Public)
                    .map_err(|source| StateDirError::Io { path: path.clone(), source });
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(damaged("it is too long"));
            }
            Err(source) => return Err(StateDirError::Io { path, source }),
        };
        let number = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim_end().strip_prefix(FORMAT_WORDS)?.parse::<u32>().ok());
        match number {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(StateDirError::Newer { dir: self.dir.clone(), found }),
            _ => Err(damaged("it does not say a format")),
        }
    }
}

impl Disk for StateDir {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match read_bounded(&self.dir.join(name), RECORD_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(name);
        if let Some(folder) = path.parent().filter(|folder| *folder != self.dir && !folder.exists()) {
            files::create_private_dir(folder)?;
            files::sync_dir(&self.dir)?;
        }
        write_atomic(&path, bytes, Mode::Secret)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| files::sync_dir(path.parent().unwrap_or(&self.dir))),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let entries = match std::fs::read_dir(self.dir.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A name that is not text is not ours, nor is a temporary one.
            let Some(name) =
                entry.file_name().to_str().filter(|name| !name.starts_with('.')).map(str::to_owned)
            else {
                continue;
            };
            match entry.metadata() {
                Ok(meta) if meta.is_file() => found.push((format!("{folder}/{name}"), meta.len())),
                // Removed meanwhile.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        found.sort();
        Ok(found)
    }

    fn open_log(&self, node: NodeId) -> Result<LogStore, StartError> {
        let path = self.log_file(node);
        // Before the database does: at no time may others read it.
        match files::create_new(&path, Mode::Secret) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StartError::Io(error)),
            _ => LogStore::open_file(path),
        }
    }

    fn log_bytes(&self, node: NodeId) -> Option<u64> {
        std::fs::metadata(self.log_file(node)).ok().map(|file| file.len())
    }

    fn logs(&self) -> io::Result<Vec<NodeId>> {
        Ok(self.log_files()?.into_iter().map(|(node, _)| node).collect())
    }

    fn remove_log(&self, node: NodeId) -> io::Result<()> {
        std::fs::remove_file(self.log_file(node))
    }

    fn set_log_aside(&self, node: NodeId, name: &str) -> io::Result<()> {
        std::fs::rename(self.log_file(node), self.dir.join(name))?;
        files::sync_dir(&self.dir)
    }

    fn place(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}

fn check_rights(path: &Path, secret: bool, chmod: &'static str) -> Result<(), StateDirError> {
    let found = files::exposure(path, secret)
        .map_err(|source| StateDirError::Io { path: path.to_owned(), source })?;
    let path = path.to_owned();
    match found {
        None => Ok(()),
        Some(Exposure::ForeignOwner(uid)) => Err(StateDirError::ForeignOwner { path, uid }),
        Some(Exposure::OthersWrite) => Err(StateDirError::Exposed { path, write: true, chmod }),
        Some(Exposure::OthersRead) => Err(StateDirError::Exposed { path, write: false, chmod }),
    }
}
