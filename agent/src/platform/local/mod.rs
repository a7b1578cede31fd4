//! The local socket (Unix) or named pipe (Windows) and who calls through it.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{LocalListener, LocalStream};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{LocalListener, LocalStream};

#[cfg(all(test, unix))]
mod tests;

use std::io;
use std::path::PathBuf;

/// Connections whose caller is being looked up; the others wait in the system's queue.
const LOOKUPS_MAX: usize = 64;

/// The group whose members may manage this device.
#[cfg(unix)]
const MANAGER_GROUP: &str = "seatkeeper";

/// Who is at the other end of a local connection, as the system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's name; `uid:1234` when the user has none.
    pub user: String,
    /// The user's id; Windows has none of this kind.
    pub uid: Option<u32>,
    /// The process, when the system says it.
    pub pid: Option<u32>,
    /// Whether the caller may join, leave and back up this device: root, the agent's own user, a member of the
    /// group `seatkeeper`; on Windows an elevated administrator or the agent's own user.
    pub manages_device: bool,
}

/// Why the local socket can't be offered.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another agent answers there.
    #[error("another agent already answers at {}; stop it, or start this one with another --socket", .0.display())]
    Taken(PathBuf),
    /// Something else has that name.
    #[error("{} exists and is not a socket; move it away, or start the agent with another --socket", .0.display())]
    NotASocket(PathBuf),
    /// Longer than the system allows.
    #[error("the socket path {} has {len} bytes, the system allows {max}; use a shorter --socket", .path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its bytes.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// Anything else.
    #[error("cannot listen at {}: {source}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
