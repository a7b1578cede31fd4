//! A stream both ways, and the network's errors in words.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, WriteError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits::CODE_REFUSED;
use super::outbound::InUse;
use crate::seam::Stream;

/// A stream both ways. `poll_shutdown` ends our direction and leaves the other one open; dropping it ends both.
#[derive(Debug)]
pub struct QuicStream {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    /// Of a connection that was dialed here.
    _in_use: Option<InUse>,
}

impl QuicStream {
    pub(super) fn new(connection: Connection, send: SendStream, receive: RecvStream) -> Self {
        Self { connection, send, receive, _in_use: None }
    }

    pub(super) fn using(self, in_use: InUse) -> Self {
        Self { _in_use: Some(in_use), ..self }
    }
}

impl Stream for QuicStream {
    fn exporter(&self, label: &[u8]) -> io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        match self.connection.export_keying_material(&mut bytes, label, b"") {
            Ok(()) => Ok(bytes),
            Err(_) => Err(io::Error::other("the connection has no exporter")),
        }
    }
}

impl AsyncRead for QuicStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let space = buf.initialize_unfilled();
        if space.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.receive.poll_read(cx, space).map(|read| match read {
            Ok(len) => {
                buf.advance(len);
                Ok(())
            }
            Err(ReadError::ConnectionLost(error)) => Err(io_error(error)),
            Err(ReadError::Reset(_)) => Err(io::ErrorKind::ConnectionReset.into()),
            Err(error) => Err(io::Error::other(error)),
        })
    }
}

impl AsyncWrite for QuicStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(cx, buf).map_err(|error| match error {
            WriteError::ConnectionLost(error) => io_error(error),
            WriteError::Stopped(_) => io::ErrorKind::BrokenPipe.into(),
            error => io::Error::other(error),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is under way; QUIC has nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An error says that it is over already.
        let _ = self.send.finish();
        Poll::Ready(Ok(()))
    }
}

/// A peer that does not keep to the protocol.
pub(super) fn broken(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.to_owned())
}

/// Why a connection ended, in words. A refusal by the peer's gate is [`io::ErrorKind::PermissionDenied`] with the
/// gate's own words.
pub(super) fn io_error(error: ConnectionError) -> io::Error {
    /// The TLS alert `no_application_protocol`, RFC 9001 section 4.8.
    const NO_APPLICATION_PROTOCOL: u64 = 0x178;

    let said = |bytes: &[u8]| -> String {
        String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(512).collect()
    };
    let (kind, words) = match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == CODE_REFUSED => {
            (io::ErrorKind::PermissionDenied, said(&close.reason))
        }
        ConnectionError::ApplicationClosed(close) => {
            let words = said(&close.reason);
            let words =
                if words.is_empty() { "the other machine closed the connection".to_owned() } else { words };
            (io::ErrorKind::ConnectionAborted, words)
        }
        ConnectionError::ConnectionClosed(close)
            if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
        {
            (io::ErrorKind::ConnectionRefused, "the other machine is busy; try again".to_owned())
        }
        ConnectionError::ConnectionClosed(close)
            if u64::from(close.error_code) == NO_APPLICATION_PROTOCOL =>
        {
            let words = "the other machine runs an incompatible version; update the older one".to_owned();
            (io::ErrorKind::ConnectionRefused, words)
        }
        ConnectionError::TimedOut => {
            (io::ErrorKind::TimedOut, "the other machine does not answer".to_owned())
        }
        ConnectionError::Reset => {
            (io::ErrorKind::ConnectionReset, "the other machine has forgotten the connection".to_owned())
        }
        ConnectionError::LocallyClosed => {
            (io::ErrorKind::ConnectionAborted, "the connection was closed here".to_owned())
        }
        error => (io::ErrorKind::ConnectionAborted, format!("the connection broke: {error}")),
    };
    io::Error::new(kind, words)
}
