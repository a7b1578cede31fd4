//! Which socket an agent listens on, and connecting to it.

use std::io;
use std::path::{Path, PathBuf};

/// Names the agent's socket.
pub const SOCKET_VARIABLE: &str = "SEATKEEPER_SOCKET";

/// The socket to ask: `SEATKEEPER_SOCKET`, else the machine's agent if there is one, else the user's own.
pub fn default_socket() -> PathBuf {
    match std::env::var_os(SOCKET_VARIABLE) {
        Some(socket) if !socket.is_empty() => PathBuf::from(socket),
        _ if Path::new(MACHINE_SOCKET).exists() => PathBuf::from(MACHINE_SOCKET),
        _ => user_socket(),
    }
}

/// The socket to listen on: `SEATKEEPER_SOCKET`, else the machine's for root (on Windows for everybody), else the
/// user's own.
pub fn default_listen_socket() -> PathBuf {
    match std::env::var_os(SOCKET_VARIABLE) {
        Some(socket) if !socket.is_empty() => PathBuf::from(socket),
        _ if is_machine_agent() => PathBuf::from(MACHINE_SOCKET),
        _ => user_socket(),
    }
}

/// The machine's agent.
#[cfg(all(unix, not(target_os = "macos")))]
pub const MACHINE_SOCKET: &str = "/run/seatkeeper/agent.sock";
/// The machine's agent.
#[cfg(target_os = "macos")]
pub const MACHINE_SOCKET: &str = "/var/run/seatkeeper/agent.sock";
/// The machine's agent.
#[cfg(windows)]
pub const MACHINE_SOCKET: &str = r"\\.\pipe\seatkeeper";

#[cfg(unix)]
fn is_machine_agent() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(windows)]
fn is_machine_agent() -> bool {
    true
}

/// In the user's runtime folder, else in the user's state folder: never in a folder that others can write to.
#[cfg(unix)]
fn user_socket() -> PathBuf {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(runtime) = folder("XDG_RUNTIME_DIR") {
        return runtime.join("seatkeeper.sock");
    }
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    match state {
        Some(state) => state.join("seatkeeper").join("agent.sock"),
        None => PathBuf::from(MACHINE_SOCKET),
    }
}

#[cfg(windows)]
fn user_socket() -> PathBuf {
    PathBuf::from(MACHINE_SOCKET)
}

#[cfg(unix)]
pub(crate) async fn connect(socket: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(socket).await
}

/// A pipe has as many instances as there are clients; between two of them it is busy for a moment.
#[cfg(windows)]
pub(crate) async fn connect(socket: &Path) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    use std::time::Duration;

    const ERROR_PIPE_BUSY: i32 = 231;
    let mut tries = 0;
    loop {
        match tokio::net::windows::named_pipe::ClientOptions::new().open(socket) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) && tries < 100 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}
