//! Connections: what QUIC does between two machines, without its packets' details.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};

use seatkeeper::seam::Peer;
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;

use super::Host;
use super::flow::Flow;
use super::office::{Attempt, Body, Due, Office, Packet, Waiting};

/// One end of a connection.
pub(super) type Side = usize;
pub(super) const DIALER: Side = 0;
pub(super) const DIALED: Side = 1;

pub(super) fn other(side: Side) -> Side {
    1 - side
}

/// Connections that one peer may keep to us per channel; the oldest goes. As in the agent's `quic`.
const PER_PEER_MAX: usize = 4;

const SECOND: u64 = 1_000_000_000;

/// Idle timeout and keep-alive of a channel, ns, as in the agent's `quic`.
fn timeouts(channel: Channel) -> (u64, Option<u64>) {
    match channel {
        Channel::Session => (6 * SECOND, Some(2 * SECOND)),
        Channel::Raft => (3 * SECOND, Some(SECOND)),
        Channel::Join => (15 * SECOND, None),
    }
}

/// What is sent on a connection.
pub(super) enum What {
    /// The dialed side's gate lets us in.
    Welcome,
    /// It does not, in its words.
    Refused(String),
    /// Bytes of a stream from `offset` on; `fin`: the last ones.
    Chunk {
        stream: u64,
        offset: u64,
        bytes: Vec<u8>,
        fin: bool,
    },
    /// The reader has gone.
    Stop {
        stream: u64,
    },
    /// The reader has taken so many bytes more.
    Credit {
        stream: u64,
        bytes: u64,
    },
    /// The dialed side is done with a stream: another one may be opened.
    Done,
    Ping,
    Ack,
    /// The other side closed the connection, and says why.
    Close(String),
    /// The other side does not know the connection.
    Reset,
}

pub(super) struct Conn {
    pub(super) channel: Channel,
    pub(super) ends: [End; 2],
    /// After an address change that it did not survive: nothing arrives.
    pub(super) silent: bool,
    pub(super) secret: u64,
    /// It belongs to its one stream.
    pub(super) own: bool,
    /// The dial that made it.
    attempt: u64,
    pub(super) streams: BTreeMap<u64, Flow>,
    /// Streams that the dialer has opened, and not heard the end of.
    pub(super) open: usize,
    /// Who waits until they are fewer.
    pub(super) openers: Vec<Waker>,
    /// Streams in somebody's hands at either end, or waiting to be taken.
    pub(super) handles: usize,
}

pub(super) struct End {
    pub(super) host: Host,
    /// Of the process.
    pub(super) serial: u64,
    /// Who is at this end, for the other one.
    pub(super) peer: Peer,
    /// Why it is over.
    pub(super) closed: Option<(io::ErrorKind, String)>,
    /// What an end that was closed tells whoever still writes to it.
    farewell: Option<String>,
    /// A ping waits to be sent again.
    pub(super) ping_held: bool,
    /// Since when it is idle, by the machine's timers, ns.
    idle_from: u64,
    /// Something that wants an answer was sent since something was heard.
    asked: bool,
    /// When something was last heard, ns.
    heard: u64,
    /// When the last packet it has sent is due.
    last_due: u64,
}

impl Office {
    /// A dial reaches its machine: the connection begins.
    pub(super) fn connect(
        &mut self,
        from: Host,
        to: Host,
        channel: Channel,
        own: bool,
        attempt: u64,
    ) -> Option<u64> {
        let ends = [self.end(from)?, self.end(to)?];
        let dialer = ends[DIALER].peer.device;
        let of_peer: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, conn)| {
                let end = &conn.ends[DIALED];
                end.serial == ends[DIALED].serial
                    && end.closed.is_none()
                    && conn.channel == channel
                    && conn.ends[DIALER].peer.device == dialer
            })
            .map(|(id, _)| *id)
            .collect();
        if of_peer.len() >= PER_PEER_MAX {
            self.close(of_peer[0], DIALED, "replaced by a newer connection");
        }
        let conn = Conn {
            channel,
            ends,
            silent: false,
            secret: self.chance.number(),
            own,
            attempt,
            streams: BTreeMap::new(),
            open: 0,
            openers: Vec::new(),
            handles: 0,
        };
        let id = self.next_id();
        self.conns.insert(id, conn);
        self.counters.connections += 1;
        for (side, host) in [(DIALER, from), (DIALED, to)] {
            let at = self.now(host) + timeouts(channel).0;
            self.schedule(at, Due::Idle(id, side));
        }
        Some(id)
    }

    /// Where a device was last heard from by the living connections that it made to a process, the newest first.
    pub(super) fn addresses(&self, serial: u64, device: &DeviceId) -> Vec<SocketAddr> {
        let theirs = |conn: &&Conn| {
            let [dialer, dialed] = &conn.ends;
            dialed.serial == serial && dialed.closed.is_none() && dialer.peer.device == *device
        };
        self.conns.values().rev().filter(theirs).map(|conn| conn.ends[DIALER].peer.address).collect()
    }

    fn end(&mut self, host: Host) -> Option<End> {
        let (now, awake) = (self.now(host), self.awake_ns(host));
        let machine = self.machine(host);
        let port = machine.port.as_ref()?;
        let peer = Peer { device: port.device, key: port.key, address: machine.address };
        Some(End {
            host,
            serial: port.serial,
            peer,
            closed: None,
            farewell: None,
            ping_held: false,
            idle_from: awake,
            asked: false,
            heard: now,
            last_due: 0,
        })
    }

    /// A connection of a living process that dialed it.
    pub(super) fn is_live(&self, id: u64) -> bool {
        self.conns.get(&id).is_some_and(|conn| conn.ends[DIALER].closed.is_none())
    }

    /// Sends to the other end.
    pub(super) fn tell(&mut self, id: u64, side: Side, what: What) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (from, to) = (conn.ends[side].host, conn.ends[other(side)].host);
        // A farewell overtakes nothing.
        let not_before = if matches!(what, What::Close(_)) { conn.ends[side].last_due } else { 0 };
        let awake = self.awake_ns(from);
        if !matches!(what, What::Ack | What::Close(_) | What::Reset | What::Refused(_))
            && let Some(conn) = self.conns.get_mut(&id)
            && !std::mem::replace(&mut conn.ends[side].asked, true)
        {
            // RFC 9000 section 10.1: the first packet that wants an answer starts the idle timer anew.
            conn.ends[side].idle_from = awake;
        }
        let due = self.send(Packet { from, to, body: Body::Frame(id, other(side), what) }, not_before);
        if let Some(conn) = self.conns.get_mut(&id) {
            let last_due = &mut conn.ends[side].last_due;
            *last_due = due.max(*last_due);
        }
    }

    /// The gate of the dialed side has decided.
    pub(super) fn answer_dial(&mut self, id: u64, verdict: Result<(), String>) {
        match verdict {
            Ok(()) => self.tell(id, DIALED, What::Welcome),
            Err(reason) => {
                self.counters.refused += 1;
                self.tell(id, DIALED, What::Refused(reason.clone()));
                let closed = (io::ErrorKind::ConnectionAborted, "the connection was closed here");
                self.lose(id, DIALED, closed, Some(reason));
            }
        }
    }

    /// A packet arrives at an end of a connection.
    pub(super) fn frame(&mut self, id: u64, side: Side, what: What) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.silent) else { return };
        let end = &mut conn.ends[side];
        let host = end.host;
        if end.closed.is_some() {
            let heeds = conn.ends[other(side)].closed.is_none();
            if heeds && !matches!(what, What::Close(_) | What::Reset) {
                self.disown(id, side);
            }
            return;
        }
        let (now, awake) = (self.now(host), self.awake_ns(host));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if side == DIALED {
            // RFC 9000 section 9: the connection follows its client to another address.
            conn.ends[DIALER].peer.address = self.machines[conn.ends[DIALER].host.0].address;
        }
        let end = &mut conn.ends[side];
        (end.heard, end.idle_from, end.asked) = (now, awake, false);
        match what {
            What::Welcome => self.welcomed(id),
            What::Refused(reason) => self.turned_away(id, &reason),
            What::Ping => self.tell(id, side, What::Ack),
            What::Ack => {}
            What::Chunk { stream, offset, bytes, fin } => {
                let Some(flow) = conn.streams.get_mut(&stream) else { return };
                let half = &mut flow.halves[other(side)];
                half.take_in(offset, bytes, fin);
                self.wakers.extend(half.reader.take());
                if side == DIALED && !std::mem::replace(&mut flow.announced, true) {
                    let serial = conn.ends[side].serial;
                    conn.handles += 1;
                    if let Some(port) = self.port(host, serial) {
                        port.streams.items.push_back((id, stream));
                        let waker = port.streams.waker.take();
                        self.wake(waker);
                    }
                }
            }
            What::Stop { stream } => {
                let Some(flow) = conn.streams.get_mut(&stream) else { return };
                flow.halves[side].stopped = true;
                self.wakers.extend(flow.halves[side].writer.take());
            }
            What::Credit { stream, bytes } => {
                let Some(flow) = conn.streams.get_mut(&stream) else { return };
                flow.halves[side].taken += bytes;
                self.wakers.extend(flow.halves[side].writer.take());
            }
            What::Done => {
                conn.open = conn.open.saturating_sub(1);
                self.wakers.append(&mut conn.openers);
            }
            What::Close(reason) => {
                let words =
                    if reason.is_empty() { "the other machine closed the connection" } else { &reason };
                self.lose(id, side, (io::ErrorKind::ConnectionAborted, words), None);
            }
            What::Reset => {
                self.counters.resets += 1;
                let words = "the other machine has forgotten the connection";
                self.lose(id, side, (io::ErrorKind::ConnectionReset, words), None);
            }
        }
    }

    /// Something came for an end that is over: its process, if it still lives and closed it, says so again; whoever
    /// else is there does not know the connection.
    fn disown(&mut self, id: u64, side: Side) {
        let Some(conn) = self.conns.get(&id) else { return };
        let end = &conn.ends[side];
        let (host, serial, farewell) = (end.host, end.serial, end.farewell.clone());
        let same = self.port(host, serial).is_some();
        match farewell {
            Some(words) if same => self.tell(id, side, What::Close(words)),
            _ => self.tell(id, side, What::Reset),
        }
    }

    fn welcomed(&mut self, id: u64) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (attempt, channel, device) = (conn.attempt, conn.channel, conn.ends[DIALED].peer.device);
        let host = conn.ends[DIALER].host;
        let Some(attempt) = self.attempts.get_mut(&attempt) else { return };
        self.wakers.extend(attempt.waker.take());
        if let Some(error) = attempt.another_than(&device) {
            attempt.outcome = Some(Err(error));
            return self.close(id, DIALER, "another device was looked for");
        }
        attempt.outcome = Some(Ok(id));
        if let (_, Some(every)) = timeouts(channel) {
            let at = self.now(host) + every;
            self.schedule(at, Due::KeepAlive(id));
        }
    }

    fn turned_away(&mut self, id: u64, reason: &str) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (attempt, device) = (conn.attempt, conn.ends[DIALED].peer.device);
        if let Some(attempt) = self.attempts.get_mut(&attempt) {
            // Only the device itself can refuse in its name.
            attempt.outcome = attempt.another_than(&device).map(Err);
            self.wakers.extend(attempt.waker.take());
        }
        self.lose(id, DIALER, (io::ErrorKind::PermissionDenied, reason), None);
    }

    /// The dialer's timer: a ping, unless something was heard since the last.
    pub(super) fn keep_alive(&mut self, id: u64) {
        if !self.is_live(id) {
            return;
        }
        let Some(conn) = self.conns.get(&id) else { return };
        let (host, heard) = (conn.ends[DIALER].host, conn.ends[DIALER].heard);
        let (_, Some(every)) = timeouts(conn.channel) else { return };
        let now = self.now(host);
        let mut next = heard + every;
        if next <= now {
            next = now + every;
            if !self.is_paused(host) {
                self.tell(id, DIALER, What::Ping);
            }
        }
        self.schedule(next, Due::KeepAlive(id));
    }

    /// An end's idle timer.
    pub(super) fn idle(&mut self, id: u64, side: Side) {
        let Some(conn) = self.conns.get(&id) else { return };
        let end = &conn.ends[side];
        if end.closed.is_some() {
            return;
        }
        let host = end.host;
        let until = end.idle_from + timeouts(conn.channel).0;
        let left = until.saturating_sub(self.awake_ns(host));
        if left > 0 {
            // Something was heard since, or the machine was paused and its timers stood still.
            return self.schedule(self.now(host) + left, Due::Idle(id, side));
        }
        self.counters.idle_timeouts += 1;
        self.lose(id, side, (io::ErrorKind::TimedOut, "the other machine does not answer"), None);
    }

    /// An end closes the connection and says why.
    pub(super) fn close(&mut self, id: u64, side: Side, words: &str) {
        if self.conns.get(&id).is_none_or(|conn| conn.ends[side].closed.is_some()) {
            return;
        }
        self.tell(id, side, What::Close(words.to_owned()));
        let closed = (io::ErrorKind::ConnectionAborted, "the connection was closed here");
        self.lose(id, side, closed, Some(words.to_owned()));
    }

    /// All ends of a process, at which it is one side or the other.
    pub(super) fn ends_of(&self, serial: u64) -> Vec<(u64, Side)> {
        let ends = self.conns.iter().flat_map(|(id, conn)| [(*id, DIALER, conn), (*id, DIALED, conn)]);
        ends.filter(|(_, side, conn)| conn.ends[*side].serial == serial)
            .map(|(id, side, _)| (id, side))
            .collect()
    }

    /// A process is gone: nothing happens at its ends any more.
    pub(super) fn lose_ends(&mut self, serial: u64) {
        for (id, side) in self.ends_of(serial) {
            self.lose(id, side, (io::ErrorKind::ConnectionAborted, "the process is over"), None);
        }
    }

    /// An end is over, for this reason.
    fn lose(&mut self, id: u64, side: Side, why: (io::ErrorKind, &str), farewell: Option<String>) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = &mut conn.ends[side];
        if end.closed.is_none() {
            end.closed = Some((why.0, why.1.to_owned()));
            end.farewell = farewell;
        }
        for flow in conn.streams.values_mut() {
            self.wakers.extend(flow.halves[side].writer.take());
            self.wakers.extend(flow.halves[other(side)].reader.take());
        }
        if side == DIALER {
            self.wakers.append(&mut conn.openers);
            if let Some(attempt) = self.attempts.get_mut(&conn.attempt)
                && attempt.outcome.is_none()
            {
                attempt.outcome = Some(Err(io::Error::new(why.0, why.1)));
                self.wakers.extend(attempt.waker.take());
            }
        }
        self.reap(id);
    }

    /// Forgets a connection that is over at both ends and in nobody's hands.
    pub(super) fn reap(&mut self, id: u64) {
        let over = |conn: &Conn| conn.handles == 0 && conn.ends.iter().all(|end| end.closed.is_some());
        if self.conns.get(&id).is_some_and(over) {
            self.conns.remove(&id);
        }
    }
}

impl Attempt {
    /// What is wrong if this device has answered.
    fn another_than(&self, device: &DeviceId) -> Option<io::Error> {
        let another = self.expected.is_some_and(|expected| expected != *device);
        let words = || format!("another device answers at {}", self.address);
        another.then(|| io::Error::new(io::ErrorKind::AddrNotAvailable, words()))
    }
}

/// What waits, or `None` when the wait itself is over.
pub(super) fn take<T>(waiting: Option<&mut Waiting<T>>, waker: &Waker) -> Poll<Option<T>> {
    let Some(waiting) = waiting else { return Poll::Ready(None) };
    match waiting.items.pop_front() {
        Some(item) => Poll::Ready(Some(item)),
        None => {
            waiting.waker = Some(waker.clone());
            Poll::Pending
        }
    }
}
