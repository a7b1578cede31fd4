//! The seams between the deterministic middle and the world (design section 3). The agent gives them QUIC, the
//! machine's clocks and files; the simulator gives them seeded stand-ins.

use std::future::Future;
use std::io;
use std::pin::Pin;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};
use tokio::io::{AsyncRead, AsyncWrite};

/// The machine's two clocks.
pub trait Clock: Send + Sync + 'static {
    /// Time since boot, suspend included. Never steps.
    fn mono(&self) -> BootTime;
    /// The wall clock. May be wrong, may step.
    fn wall(&self) -> WallTime;
}

/// What a stream is for; each is its own ALPN on the one UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Seat sessions: `seatkeeper/1`.
    Session,
    /// Consensus: `seatkeeper-raft/1`.
    Raft,
    /// Joining a site: `seatkeeper-join/1`.
    Join,
}

/// Authenticated, ordered byte streams to a peer.
///
/// A stream belongs to exactly one peer, whose [`DeviceId`] the transport has proven. A stream ends with an error
/// or end-of-file as soon as the transport knows that the peer is gone; that is not the only sign of a dead peer.
pub trait Transport: Send + Sync + 'static {
    /// A stream both ways.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens a stream to `peer`. Connections are shared and kept underneath; only the first call dials.
    ///
    /// # Errors
    /// When the peer cannot be reached now, or refuses us.
    fn open(&self, peer: DeviceId, channel: Channel)
    -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Where the work that waits for a disk is done, so that it does not hold up the runtime.
pub trait Bench: Send + Sync + 'static {
    /// Does `work`; ready when it is done, or has panicked.
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The runtime's own threads for blocking work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Bench for Threads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let done = tokio::task::spawn_blocking(work);
        Box::pin(async move {
            // Whoever waits for a result sees that there is none.
            let _ = done.await;
        })
    }
}
