//! One process's side of the network: the agent's `quic` with its pool and its gate, on simulated connections.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use seatkeeper::seam::{BoxStream, Gate, Inbound, Later, Network, Peer};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::Host;
use super::conn::{DIALED, DIALER, take};
use super::office::{Attempt, Office, Shared};
use super::stream::NetStream;

// As in the agent's `quic`.
const INBOUND_QUEUE: usize = 256;
const ADDRESSES_MAX: usize = 8;
const HANDSHAKE: Duration = Duration::from_secs(5);
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(100);
/// How long a shutdown waits for peers to have heard of it.
const FAREWELL: Duration = Duration::from_millis(100);

pub(super) struct Port {
    shared: Shared,
    host: Host,
    serial: u64,
    gate: Arc<dyn Gate>,
    /// One per device and channel that this process ever asked for.
    pool: Mutex<BTreeMap<(DeviceId, Channel), Arc<Slot>>>,
}

/// The place of one connection.
#[derive(Default)]
struct Slot {
    /// Held while dialing, so that all who need the connection share one dial.
    dialing: tokio::sync::Mutex<()>,
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    conn: Option<u64>,
    /// Dials that have ended; tells who waited for one that failed from who came later.
    dials: u64,
    failure: Option<(io::ErrorKind, String)>,
    /// Taken out of the pool: a dial that is still under way is not to be used.
    closed: bool,
}

impl Port {
    /// Opens the port. Must be called within the machine's runtime.
    pub(super) fn open(
        shared: Shared,
        host: Host,
        serial: u64,
        gate: Arc<dyn Gate>,
    ) -> (Arc<Self>, mpsc::Receiver<Inbound>) {
        let (inbound, streams) = mpsc::channel(INBOUND_QUEUE);
        tokio::spawn(welcome(shared.clone(), host, serial, gate.clone()));
        tokio::spawn(hand_out(shared.clone(), host, serial, inbound));
        (Arc::new(Self { shared, host, serial, gate, pool: Mutex::default() }), streams)
    }

    async fn connection(&self, peer: DeviceId, channel: Channel) -> io::Result<u64> {
        let slot = lock(&self.pool).entry((peer, channel)).or_default().clone();
        let live = |slot: &Slot| {
            let conn = lock(&slot.state).conn;
            conn.filter(|conn| self.shared.with(|office| office.is_live(*conn)))
        };
        let dials_before = lock(&slot.state).dials;
        if let Some(live) = live(&slot) {
            return Ok(live);
        }
        let _dialing = slot.dialing.lock().await;
        if let Some(live) = live(&slot) {
            return Ok(live);
        }
        let failed = Some(lock(&slot.state)).filter(|state| state.dials != dials_before);
        if let Some((kind, words)) = failed.and_then(|state| state.failure.clone()) {
            // The dial we waited for has just failed; another would tell the same.
            return Err(io::Error::new(kind, words));
        }
        let dialed = self.race(peer, channel).await;
        let mut state = lock(&slot.state);
        state.dials += 1;
        match dialed {
            Ok(conn) if state.closed => {
                self.shared.with(|office| office.close(conn, DIALER, "the connection is no longer needed"));
                let words = "the connection was closed here";
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, words))
            }
            Ok(conn) => {
                (state.conn, state.failure) = (Some(conn), None);
                drop(state);
                if let Some(found) = self.peer(conn) {
                    self.gate.connected(&found, channel);
                }
                Ok(conn)
            }
            Err(error) => {
                state.failure = Some((error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    /// Where to dial a device: where it is by its own connections to us, then where the gate says.
    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        let mut addresses = self.shared.with(|office| office.addresses(self.serial, device));
        addresses.extend(self.gate.addresses(device));
        let mut seen = BTreeSet::new();
        addresses.retain(|address| seen.insert(*address));
        addresses.truncate(ADDRESSES_MAX);
        addresses
    }

    /// Dials the addresses of a device, each a little after the one before; the first that is the device wins.
    async fn race(&self, device: DeviceId, channel: Channel) -> io::Result<u64> {
        let mut addresses = self.addresses(&device).into_iter().peekable();
        let mut dials: Vec<Dial> = Vec::new();
        let mut failure: Option<io::Error> = None;
        loop {
            if let Some(address) = addresses.next() {
                dials.push(self.dial_at(address, channel, Some(device))?);
            }
            if dials.is_empty() {
                return Err(failure.unwrap_or_else(|| {
                    let words = format!("no address of device {} is known yet", device.short());
                    io::Error::new(io::ErrorKind::NotFound, words)
                }));
            }
            tokio::select! {
                biased;
                (at, ended) = poll_fn(|cx| first_ended(&mut dials, cx)) => {
                    dials.remove(at);
                    match ended {
                        Ok(conn) => return Ok(conn),
                        Err(error) => {
                            // A refusal by the device itself says more than an address that is out of date.
                            let refused = |e: &io::Error| e.kind() == io::ErrorKind::PermissionDenied;
                            if !failure.as_ref().is_some_and(refused) {
                                failure = Some(error);
                            }
                        }
                    }
                }
                () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if addresses.peek().is_some() => {}
            }
        }
    }

    fn dial_at(&self, address: SocketAddr, channel: Channel, expected: Option<DeviceId>) -> io::Result<Dial> {
        let attempt = Attempt {
            host: self.host,
            address,
            channel,
            expected,
            own: expected.is_none(),
            conn: None,
            outcome: None,
            waker: None,
        };
        let id = self.shared.with(|office| office.dial(self.serial, attempt));
        let id = id.ok_or_else(|| io::Error::other("the network is shut down"))?;
        let late = Box::pin(tokio::time::sleep(HANDSHAKE));
        Ok(Dial { shared: self.shared.clone(), id, address, late })
    }

    async fn open_stream(&self, conn: u64) -> io::Result<BoxStream> {
        let opened = poll_fn(|cx| self.shared.with(|office| office.open_stream(conn, cx.waker()))).await;
        Ok(Box::new(NetStream::new(self.shared.clone(), (conn, opened?, DIALER))))
    }

    fn peer(&self, conn: u64) -> Option<Peer> {
        self.shared.with(|office| office.conns.get(&conn).map(|conn| conn.ends[DIALED].peer))
    }
}

impl Network for Port {
    fn open(&self, peer: DeviceId, channel: Channel) -> Later<'_, io::Result<BoxStream>> {
        Box::pin(async move {
            let conn = self.connection(peer, channel).await?;
            match self.open_stream(conn).await {
                Ok(stream) => Ok(stream),
                // It died meanwhile; it is now known to be dead, so a new one is dialed.
                Err(_) => self.open_stream(self.connection(peer, channel).await?).await,
            }
        })
    }

    fn dial(&self, address: SocketAddr, channel: Channel) -> Later<'_, io::Result<(Peer, BoxStream)>> {
        Box::pin(async move {
            let mut dial = self.dial_at(address, channel, None)?;
            let conn = poll_fn(|cx| dial.poll(cx)).await?;
            let peer = self.peer(conn);
            let stream = self.open_stream(conn).await?;
            peer.map(|peer| (peer, stream)).ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
        })
    }

    fn close(&self, device: &DeviceId, reason: &str) {
        let mut pool = lock(&self.pool);
        for channel in [Channel::Session, Channel::Raft, Channel::Join] {
            if let Some(slot) = pool.remove(&(*device, channel)) {
                let mut state = lock(&slot.state);
                state.closed = true;
                let conn = state.conn.take();
                self.shared
                    .with(|office| conn.into_iter().for_each(|conn| office.close(conn, DIALER, reason)));
            }
        }
        drop(pool);
        self.shared.with(|office| {
            let ends = office.ends_of(self.serial);
            for (conn, side) in ends.into_iter().filter(|(_, side)| *side == DIALED) {
                let of_device = |conn| office.conns.get(conn).map(|conn| conn.ends[DIALER].peer.device);
                if of_device(&conn) == Some(*device) {
                    office.close(conn, side, reason);
                }
            }
        });
    }

    fn port(&self) -> u16 {
        self.shared.with(|office| office.machine(self.host).address.port())
    }

    fn shutdown(&self) -> Later<'_, ()> {
        self.shared.with(|office| {
            for (conn, side) in office.ends_of(self.serial) {
                office.close(conn, side, "the agent is stopping");
            }
            if let Some(port) = office.port(self.host, self.serial) {
                port.open = false;
                let wakers = [port.dials.waker.take(), port.streams.waker.take()];
                office.wakers.extend(wakers.into_iter().flatten());
            }
        });
        Box::pin(tokio::time::sleep(FAREWELL))
    }
}

/// One dial under way; it is given up when it is dropped.
struct Dial {
    shared: Shared,
    id: u64,
    address: SocketAddr,
    late: Pin<Box<Sleep>>,
}

impl Dial {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let outcome = self.shared.with(|office| {
            let Some(attempt) = office.attempts.get_mut(&self.id) else {
                return Some(Err(io::ErrorKind::ConnectionAborted.into()));
            };
            attempt.waker = Some(cx.waker().clone());
            let outcome = attempt.outcome.take();
            if outcome.is_some() {
                office.attempts.remove(&self.id);
            }
            outcome
        });
        if let Some(outcome) = outcome {
            return Poll::Ready(outcome);
        }
        let words = || format!("nobody answers at {}", self.address);
        self.late.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, words())))
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.shared.with(|office| office.abandon(self.id));
    }
}

/// The first of these that has ended.
fn first_ended(dials: &mut [Dial], cx: &mut Context<'_>) -> Poll<(usize, io::Result<u64>)> {
    for (at, dial) in dials.iter_mut().enumerate() {
        if let Poll::Ready(ended) = dial.poll(cx) {
            return Poll::Ready((at, ended));
        }
    }
    Poll::Pending
}

/// Asks the gate about whoever dials.
async fn welcome(shared: Shared, host: Host, serial: u64, gate: Arc<dyn Gate>) {
    loop {
        let next = poll_fn(|cx| {
            shared.with(|office| take(office.port(host, serial).map(|port| &mut port.dials), cx.waker()))
        });
        let Some(conn) = next.await else { return };
        let dialer = shared.with(|office| {
            let conn = office.conns.get(&conn).filter(|conn| conn.ends[DIALED].closed.is_none())?;
            Some((conn.ends[DIALER].peer, conn.channel))
        });
        let Some((peer, channel)) = dialer else { continue };
        let verdict = gate.admit(&peer, channel);
        let admitted = verdict.is_ok();
        shared.with(|office| office.answer_dial(conn, verdict));
        if admitted {
            gate.connected(&peer, channel);
        }
    }
}

/// Hands out the streams that peers open.
async fn hand_out(shared: Shared, host: Host, serial: u64, inbound: mpsc::Sender<Inbound>) {
    loop {
        let next = poll_fn(|cx| {
            shared.with(|office| take(office.port(host, serial).map(|port| &mut port.streams), cx.waker()))
        });
        let Some((conn, stream)) = next.await else { return };
        let stream = Box::new(NetStream::new(shared.clone(), (conn, stream, DIALED)));
        let dialer =
            |office: &mut Office| office.conns.get(&conn).map(|conn| (conn.ends[DIALER].peer, conn.channel));
        let Some((peer, channel)) = shared.with(dialer) else { continue };
        if inbound.send(Inbound { peer, channel, stream }).await.is_err() {
            shared.with(|office| office.close(conn, DIALED, "the agent is stopping"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
