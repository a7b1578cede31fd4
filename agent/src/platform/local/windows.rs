//! The named pipe.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::NamedPipeServer;
use tokio::task::JoinSet;

use super::{BindError, Caller, LOOKUPS_MAX};
use crate::platform::windows;

/// The longest name of a pipe.
const PATH_BYTES_MAX: usize = 256;

/// Listens on the named pipe.
#[derive(Debug)]
pub struct LocalListener {
    path: PathBuf,
    /// The instance that the next caller connects to. There is always one, or callers would be told that no agent
    /// runs.
    next: NamedPipeServer,
    lookups: JoinSet<io::Result<(LocalStream, Caller)>>,
}

/// A connection.
#[derive(Debug)]
pub struct LocalStream(NamedPipeServer);

impl LocalListener {
    /// Listens at `path`, as in `\\.\pipe\seatkeeper`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Any of [`BindError`]'s.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let len = path.as_os_str().len();
        if len > PATH_BYTES_MAX {
            return Err(BindError::TooLong { path: path.to_owned(), len, max: PATH_BYTES_MAX });
        }
        if !path.to_string_lossy().to_ascii_lowercase().starts_with(r"\\.\pipe\") {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        match windows::create_pipe(path.as_os_str(), true) {
            Ok(next) => Ok(Self { path: path.to_owned(), next, lookups: JoinSet::new() }),
            // The first instance exists already, in another process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(BindError::Taken(path.to_owned()))
            }
            Err(source) => Err(BindError::Io { path: path.to_owned(), source }),
        }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection and who made it. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the system refuses: wait a moment and try again.
    pub async fn accept(&mut self) -> io::Result<(LocalStream, Caller)> {
        loop {
            tokio::select! {
                Some(known) = self.lookups.join_next() => match known {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(error)) => tracing::debug!(%error, "a local caller could not be identified"),
                    Err(error) => tracing::warn!(%error, "looking up a local caller failed"),
                },
                connected = self.next.connect(), if self.lookups.len() < LOOKUPS_MAX => {
                    // Made before the connected one is handed out, also when that one is broken.
                    let fresh = windows::create_pipe(self.path.as_os_str(), false)?;
                    let stream = std::mem::replace(&mut self.next, fresh);
                    if let Err(error) = connected {
                        tracing::debug!(%error, "a local caller was gone at once");
                        continue;
                    }
                    self.lookups.spawn_blocking(move || {
                        let caller = identify(&stream)?;
                        Ok((LocalStream(stream), caller))
                    });
                },
            }
        }
    }
}

/// Asks the system who the caller is; blocks.
fn identify(pipe: &NamedPipeServer) -> io::Result<Caller> {
    let pid = windows::pipe_client(pipe)?;
    let account = windows::account_of(pid)?;
    let own = windows::account_of(std::process::id())?;
    Ok(Caller {
        manages_device: account.elevated || account.name == own.name,
        user: account.name,
        uid: None,
        pid: Some(pid),
    })
}

impl AsyncRead for LocalStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
