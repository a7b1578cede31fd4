//! The Unix socket.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{BindError, Caller, LOOKUPS_MAX, MANAGER_GROUP};
use crate::platform::files;

/// The longest path in a `sockaddr_un`, without its final zero.
#[cfg(target_os = "linux")]
const PATH_BYTES_MAX: usize = 107;
#[cfg(not(target_os = "linux"))]
const PATH_BYTES_MAX: usize = 103;

/// Listens on the local socket; removes its file when dropped.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    /// Names come from the system's directory, which may be a server that takes its time: one slow answer must not
    /// keep the next caller waiting.
    lookups: JoinSet<io::Result<(LocalStream, Caller)>>,
    file: SocketFile,
}

/// A connection.
#[derive(Debug)]
pub struct LocalStream(UnixStream);

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: after an operator moved ours away, the file of that name is somebody else's.
    identity: (u64, u64),
}

impl LocalListener {
    /// Listens at `path`. Must be called within a tokio runtime.
    ///
    /// The socket's file is open to everybody (0666): what a caller may do follows from who it is.
    ///
    /// # Errors
    /// Any of [`BindError`]'s. A socket file that nobody answers is left from a crash and is replaced.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let broken = |source| BindError::Io { path: path.to_owned(), source };
        let len = path.as_os_str().len();
        if len > PATH_BYTES_MAX {
            return Err(BindError::TooLong { path: path.to_owned(), len, max: PATH_BYTES_MAX });
        }
        if let Some(dir) = path.parent().filter(|dir| *dir != Path::new("")) {
            files::create_dir(dir, 0o755).map_err(broken)?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(path.to_owned()),
            _ => broken(error),
        })?;
        let meta = std::fs::symlink_metadata(path).map_err(broken)?;
        let file = SocketFile { path: path.to_owned(), identity: (meta.dev(), meta.ino()) };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(broken)?;
        Ok(Self { listener, lookups: JoinSet::new(), file })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The next connection and who made it. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the system refuses, as with too many open files: wait a moment and try again.
    pub async fn accept(&mut self) -> io::Result<(LocalStream, Caller)> {
        loop {
            tokio::select! {
                Some(known) = self.lookups.join_next() => match known {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(error)) => tracing::debug!(%error, "a local caller could not be identified"),
                    Err(error) => tracing::warn!(%error, "looking up a local caller failed"),
                },
                accepted = self.listener.accept(), if self.lookups.len() < LOOKUPS_MAX => match accepted {
                    Ok((stream, _)) => {
                        self.lookups.spawn_blocking(move || {
                            let caller = identify(&stream.peer_cred()?);
                            Ok((LocalStream(stream), caller))
                        });
                    }
                    // The caller was gone before we looked: nobody's fault.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if ours {
            // Nothing is to be done about a failure: the next agent replaces a file that nobody answers.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket file of an agent that crashed; refuses anything else of that name.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let broken = |source| BindError::Io { path: path.to_owned(), source };
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(broken(error)),
    };
    if !meta.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    if answers(path.as_os_str()).map_err(broken)? {
        return Err(BindError::Taken(path.to_owned()));
    }
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(broken(error)),
    }
}

/// Whether a process listens at `path`. Does not wait: a full queue means that one does.
fn answers(path: &OsStr) -> io::Result<bool> {
    use rustix::io::Errno;

    let address = SocketAddrUnix::new(path.as_bytes())?;
    #[cfg(target_os = "linux")]
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )?;
    #[cfg(not(target_os = "linux"))]
    let socket = {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        socket
    };
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Asks the system's user directory; blocks.
fn identify(cred: &UCred) -> Caller {
    use nix::unistd::{Gid, Group, Uid, User};

    let user = User::from_uid(Uid::from_raw(cred.uid())).ok().flatten();
    let is_root_or_us = cred.uid() == 0 || cred.uid() == rustix::process::geteuid().as_raw();
    let manages_device = is_root_or_us
        || Group::from_name(MANAGER_GROUP).ok().flatten().is_some_and(|group| {
            group.gid == Gid::from_raw(cred.gid())
                || user.as_ref().is_some_and(|user| user.gid == group.gid || group.mem.contains(&user.name))
        });
    Caller {
        user: user.map_or_else(|| format!("uid:{}", cred.uid()), |user| user.name),
        uid: Some(cred.uid()),
        pid: cred.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
        manages_device,
    }
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
