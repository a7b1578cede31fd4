//! One agent per state folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The lock's file name in the folder it guards.
pub const FILE_NAME: &str = "lock";

/// Held as long as the agent uses its state folder. The system lets go of it however the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

/// Why the folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent has it.
    #[error(
        "another agent{} already uses {}; stop it, or start this one with another --state-dir",
        .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        .dir.display()
    )]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// The other agent's process, if it said so.
        pid: Option<u32>,
    },
    /// The lock file can't be used.
    #[error("cannot lock {}: {source}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl InstanceLock {
    /// Locks `dir`, which must exist.
    ///
    /// # Errors
    /// [`LockError::Taken`] when another agent has it, also of this process.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(FILE_NAME);
        let broken = |source| LockError::Io { path: path.clone(), source };
        match lock(&path).map_err(broken)? {
            Some(mut file) => {
                file.set_len(0).map_err(broken)?;
                file.rewind().map_err(broken)?;
                file.write_all(std::process::id().to_string().as_bytes()).map_err(broken)?;
                Ok(Self { _file: file })
            }
            None => Err(LockError::Taken { dir: dir.to_owned(), pid: said_pid(&path) }),
        }
    }
}

/// The process that the lock file names.
fn said_pid(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// `None`: somebody else has it.
#[cfg(unix)]
fn lock(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::OpenOptionsExt;

    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `None`: somebody else has it.
#[cfg(windows)]
fn lock(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;

    const FILE_SHARE_READ: u32 = 1;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    // Others may read whose it is, but not open it for writing as an agent does.
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(FILE_SHARE_READ)
        .open(path);
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_agent_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = InstanceLock::acquire(dir.path()).unwrap();
        let refused = InstanceLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(refused, LockError::Taken { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(refused.to_string().contains("already uses"), "{refused}");
        drop(first);
        InstanceLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = InstanceLock::acquire(Path::new("/nonexistent/seatkeeper")).unwrap_err();
        assert!(error.to_string().contains("seatkeeper"), "{error}");
    }
}
