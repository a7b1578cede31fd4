//! A stream in somebody's hands.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use seatkeeper::seam::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::conn::Side;
use super::office::Shared;
use crate::sim::chance::Chance;

pub(super) struct NetStream {
    shared: Shared,
    /// Connection, stream, and which end this is.
    at: (u64, u64, Side),
}

impl NetStream {
    /// The stream is counted as handed out already.
    pub(super) fn new(shared: Shared, at: (u64, u64, Side)) -> Self {
        Self { shared, at }
    }
}

impl Stream for NetStream {
    fn exporter(&self, label: &[u8]) -> io::Result<[u8; 32]> {
        let secret = self.shared.with(|office| office.conns.get(&self.at.0).map(|conn| conn.secret));
        let secret = secret.ok_or_else(|| io::Error::other("the connection has no exporter"))?;
        let mut chance = Chance::new(secret).fork(label.escape_ascii());
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&chance.number().to_le_bytes()));
        Ok(bytes)
    }
}

impl AsyncRead for NetStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let space = buf.initialize_unfilled();
        if space.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let read = self.shared.with(|office| office.read(self.at, space, cx.waker()));
        read.map_ok(|len| buf.advance(len))
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.shared.with(|office| office.write(self.at, buf, cx.waker()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is under way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with(|office| office.finish(self.at));
        Poll::Ready(Ok(()))
    }
}

impl Drop for NetStream {
    fn drop(&mut self) {
        self.shared.with(|office| office.drop_stream(self.at));
    }
}
