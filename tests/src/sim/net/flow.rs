//! Streams: ordered bytes both ways within a connection, with a window each way.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::task::{Poll, Waker};

use seatkeeper_election::seam::Channel;

use super::conn::{DIALED, DIALER, Side, What, other};
use super::office::Office;

/// Bytes that a stream has under way in one direction before its writer waits.
const WINDOW_BYTES: u64 = 256 * 1024;
/// The reader tells what it has read once it is so much.
const CREDIT_BYTES: u64 = WINDOW_BYTES / 4;
/// Bytes per message at most.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Streams at once on a connection, as in the agent's `quic`.
fn streams_max(channel: Channel) -> usize {
    match channel {
        Channel::Session => 256,
        Channel::Raft => 64,
        Channel::Join => 2,
    }
}

/// A stream both ways.
pub(super) struct Flow {
    /// By who writes.
    pub(super) halves: [Half; 2],
    /// Whether each end's user has dropped it.
    dropped: [bool; 2],
    /// The dialed side was told of it.
    pub(super) announced: bool,
}

/// One direction of a stream.
#[derive(Default)]
pub(super) struct Half {
    sent: u64,
    pub(super) taken: u64,
    ended: bool,
    pub(super) stopped: bool,
    pub(super) writer: Option<Waker>,
    /// What came before what goes before it.
    early: BTreeMap<u64, (Vec<u8>, bool)>,
    expected: u64,
    ready: VecDeque<Vec<u8>>,
    /// Bytes of the first that are read.
    read: usize,
    all_here: bool,
    untold: u64,
    pub(super) reader: Option<Waker>,
}

impl Half {
    /// A piece arrives; pieces overtake each other on the way, never here.
    pub(super) fn take_in(&mut self, offset: u64, bytes: Vec<u8>, fin: bool) {
        self.early.insert(offset, (bytes, fin));
        while let Some((bytes, fin)) = self.early.remove(&self.expected) {
            self.expected += bytes.len() as u64;
            self.all_here = fin;
            if !bytes.is_empty() {
                self.ready.push_back(bytes);
            }
        }
    }

    fn read_into(&mut self, to: &mut [u8]) -> usize {
        let mut len = 0;
        while let Some(first) = self.ready.front() {
            let part = &first[self.read..];
            let fits = part.len().min(to.len() - len);
            to[len..len + fits].copy_from_slice(&part[..fits]);
            len += fits;
            if fits < part.len() {
                self.read += fits;
                break;
            }
            self.read = 0;
            self.ready.pop_front();
        }
        len
    }
}

impl Office {
    /// The dialer opens a stream; it waits while too many are open.
    pub(super) fn open_stream(&mut self, id: u64, waker: &Waker) -> Poll<io::Result<u64>> {
        let Some(conn) = self.conns.get_mut(&id) else { return Poll::Ready(Err(forgotten())) };
        if let Some((kind, words)) = &conn.ends[DIALER].closed {
            return Poll::Ready(Err(io::Error::new(*kind, words.clone())));
        }
        if conn.open >= streams_max(conn.channel) {
            conn.openers.push(waker.clone());
            return Poll::Pending;
        }
        let stream = self.next_id();
        if let Some(conn) = self.conns.get_mut(&id) {
            let flow = Flow { halves: Default::default(), dropped: [false; 2], announced: false };
            conn.streams.insert(stream, flow);
            conn.open += 1;
            conn.handles += 1;
        }
        Poll::Ready(Ok(stream))
    }

    /// Nobody has taken this stream, and nobody will.
    pub(super) fn forgo_stream(&mut self, id: u64) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.handles -= 1;
            self.reap(id);
        }
    }

    pub(super) fn read(
        &mut self,
        (id, stream, side): (u64, u64, Side),
        to: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        let Some(conn) = self.conns.get_mut(&id) else { return Poll::Ready(Err(forgotten())) };
        let closed = conn.ends[side].closed.clone();
        let Some(flow) = conn.streams.get_mut(&stream) else { return Poll::Ready(Err(forgotten())) };
        let half = &mut flow.halves[other(side)];
        let len = half.read_into(to);
        if len > 0 {
            half.untold += len as u64;
            if half.untold >= CREDIT_BYTES && closed.is_none() {
                let bytes = std::mem::take(&mut half.untold);
                self.tell(id, side, What::Credit { stream, bytes });
            }
            return Poll::Ready(Ok(len));
        }
        if half.all_here {
            return Poll::Ready(Ok(0));
        }
        if let Some((kind, words)) = closed {
            return Poll::Ready(Err(io::Error::new(kind, words)));
        }
        half.reader = Some(waker.clone());
        Poll::Pending
    }

    pub(super) fn write(
        &mut self,
        (id, stream, side): (u64, u64, Side),
        bytes: &[u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        let Some(conn) = self.conns.get_mut(&id) else { return Poll::Ready(Err(forgotten())) };
        if let Some((kind, words)) = &conn.ends[side].closed {
            return Poll::Ready(Err(io::Error::new(*kind, words.clone())));
        }
        let Some(flow) = conn.streams.get_mut(&stream) else { return Poll::Ready(Err(forgotten())) };
        let half = &mut flow.halves[side];
        if half.stopped || half.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = usize::try_from(WINDOW_BYTES - (half.sent - half.taken)).unwrap_or(usize::MAX);
        let len = bytes.len().min(room).min(CHUNK_BYTES_MAX);
        if len == 0 && !bytes.is_empty() {
            half.writer = Some(waker.clone());
            return Poll::Pending;
        }
        let offset = half.sent;
        half.sent += len as u64;
        self.tell(id, side, What::Chunk { stream, offset, bytes: bytes[..len].to_vec(), fin: false });
        Poll::Ready(Ok(len))
    }

    /// Ends our direction of a stream.
    pub(super) fn finish(&mut self, (id, stream, side): (u64, u64, Side)) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.ends[side].closed.is_none()) else {
            return;
        };
        let Some(flow) = conn.streams.get_mut(&stream) else { return };
        let half = &mut flow.halves[side];
        if !std::mem::replace(&mut half.ended, true) && !half.stopped {
            let offset = half.sent;
            self.tell(id, side, What::Chunk { stream, offset, bytes: Vec::new(), fin: true });
        }
    }

    /// A stream's user drops it.
    pub(super) fn drop_stream(&mut self, (id, stream, side): (u64, u64, Side)) {
        self.finish((id, stream, side));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.handles -= 1;
        let Some(flow) = conn.streams.get_mut(&stream) else { return };
        flow.dropped[side] = true;
        let wants_more = !flow.halves[other(side)].all_here;
        if flow.dropped == [true; 2] {
            conn.streams.remove(&stream);
        }
        let closes = conn.own && side == DIALER;
        if conn.ends[side].closed.is_none() {
            if wants_more {
                self.tell(id, side, What::Stop { stream });
            }
            if side == DIALED {
                self.tell(id, side, What::Done);
            }
        }
        if closes {
            self.close(id, side, "");
        }
        self.reap(id);
    }
}

/// A connection that both ends have let go.
fn forgotten() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was closed here")
}
