//! Connections to others: one per device and channel, dialed by the first who needs it, kept for the next, and closed
//! when nobody has needed it for a while: its keep-alives would go on for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use quinn::Connection;
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use tokio::sync::watch;

use super::{Peer, QuicStream, Shared, limits, proven, stream, tls};

/// The connections we made.
#[derive(Default)]
pub(super) struct Pool {
    slots: Mutex<BTreeMap<(DeviceId, Channel), Arc<Slot>>>,
}

/// The place of one connection.
#[derive(Default)]
struct Slot {
    connection: Mutex<Option<Kept>>,
    /// Held while dialing, so that all who need the connection share one dial.
    dialing: tokio::sync::Mutex<()>,
    /// Dials that have ended; tells who waited for one that failed from who came later.
    dials: AtomicU64,
    failure: Mutex<Option<(io::ErrorKind, String)>>,
    /// Taken out of the pool: a dial that is still under way is not to be used.
    closed: AtomicBool,
}

/// A connection, and how many streams are open on it.
#[derive(Clone)]
struct Kept {
    connection: Connection,
    uses: Arc<watch::Sender<usize>>,
}

/// Keeps a connection from being closed as unused.
#[derive(Debug)]
pub(super) struct InUse(Arc<watch::Sender<usize>>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.send_modify(|uses| *uses = uses.saturating_sub(1));
    }
}

impl Kept {
    fn new(connection: Connection) -> Self {
        Self { connection, uses: Arc::new(watch::Sender::new(0)) }
    }

    fn used(&self) -> (Connection, InUse) {
        self.uses.send_modify(|uses| *uses += 1);
        (self.connection.clone(), InUse(self.uses.clone()))
    }
}

impl Pool {
    /// The connection to a peer on a channel, no longer ours to use.
    pub(super) fn take(&self, device: &DeviceId, channel: Channel) -> Option<Connection> {
        let slot = lock(&self.slots).remove(&(*device, channel))?;
        slot.closed.store(true, Ordering::SeqCst);
        lock(&slot.connection).take().map(|kept| kept.connection)
    }

    /// Whether a connection that we made to the device lives, on a channel that outlasts a question.
    pub(super) fn is_live(&self, device: &DeviceId) -> bool {
        let slots = lock(&self.slots);
        let live = |channel| slots.get(&(*device, channel)).is_some_and(|slot| slot.is_live());
        live(Channel::Session) || live(Channel::Raft)
    }

    fn slot(&self, device: DeviceId, channel: Channel) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if slots.len() >= limits::POOL_TIDY_AT && !slots.contains_key(&(device, channel)) {
            slots.retain(|_, slot| slot.is_live() || Arc::strong_count(slot) > 1);
        }
        slots.entry((device, channel)).or_default().clone()
    }
}

impl Slot {
    fn is_live(&self) -> bool {
        lock(&self.connection).as_ref().is_some_and(|kept| kept.connection.close_reason().is_none())
    }

    /// The connection, which is not closed as unused from now on.
    fn live(&self) -> Option<(Connection, InUse)> {
        let kept = lock(&self.connection);
        kept.as_ref().filter(|kept| kept.connection.close_reason().is_none()).map(Kept::used)
    }

    /// Closes the connection once nobody has used it for a while.
    async fn close_unused(self: Arc<Self>, kept: Kept) {
        let Kept { connection, uses } = kept;
        let mut count = uses.subscribe();
        loop {
            tokio::select! {
                _ = connection.closed() => return,
                _ = count.wait_for(|uses| *uses == 0) => {}
            }
            let used = count.wait_for(|uses| *uses > 0);
            tokio::select! {
                _ = connection.closed() => return,
                used = tokio::time::timeout(limits::UNUSED_FOR, used) => if used.is_ok() { continue },
            }
            // Uses begin under this lock: none does between the look and the end.
            let _held = lock(&self.connection);
            if *uses.borrow() == 0 {
                connection.close(limits::CODE_CLOSED, b"the connection is no longer needed");
                return;
            }
        }
    }
}

impl Shared {
    /// Opens a stream on the pooled connection, dialing if there is none.
    pub(super) async fn open(&self, peer: DeviceId, channel: Channel) -> io::Result<QuicStream> {
        let mut redialed = false;
        loop {
            let (connection, in_use) = self.connection(peer, channel).await?;
            match connection.open_bi().await {
                Ok((send, receive)) => {
                    return Ok(QuicStream::new(connection, send, receive).using(in_use));
                }
                Err(error) if redialed => return Err(stream::io_error(error)),
                // It died of old age; it is now known to be dead, so a new one is dialed.
                Err(_) => redialed = true,
            }
        }
    }

    async fn connection(&self, peer: DeviceId, channel: Channel) -> io::Result<(Connection, InUse)> {
        let slot = self.pool.slot(peer, channel);
        let dials_before = slot.dials.load(Ordering::SeqCst);
        if let Some(live) = slot.live() {
            return Ok(live);
        }
        let _dialing = slot.dialing.lock().await;
        if let Some(live) = slot.live() {
            return Ok(live);
        }
        if slot.dials.load(Ordering::SeqCst) != dials_before {
            // The dial we waited for has just failed; another would tell the same.
            if let Some((kind, words)) = lock(&slot.failure).clone() {
                return Err(io::Error::new(kind, words));
            }
        }
        let dialed = self.race(peer, channel).await;
        slot.dials.fetch_add(1, Ordering::SeqCst);
        match dialed {
            Ok((found, connection)) => {
                *lock(&slot.failure) = None;
                let kept = Kept::new(connection.clone());
                let used = kept.used();
                *lock(&slot.connection) = Some(kept.clone());
                if slot.closed.load(Ordering::SeqCst) {
                    connection.close(limits::CODE_CLOSED, b"the connection is no longer needed");
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionAborted,
                        "the connection was closed here",
                    ));
                }
                tokio::spawn(slot.clone().close_unused(kept));
                self.gate.connected(&found, channel);
                Ok(used)
            }
            Err(error) => {
                *lock(&slot.failure) = Some((error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    /// Where to dial a device: where it is by its own connections to us, then where the gate says.
    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        let mut addresses = self.arrivals.addresses(device);
        addresses.extend(self.gate.addresses(device));
        let mut seen = BTreeSet::new();
        addresses.retain(|address| seen.insert(*address));
        addresses.truncate(limits::ADDRESSES_MAX);
        addresses
    }

    /// Dials the addresses of a device, each a little after the one before; the first that is the device wins.
    async fn race(&self, device: DeviceId, channel: Channel) -> io::Result<(Peer, Connection)> {
        let mut addresses = self.addresses(&device).into_iter().peekable();
        let mut attempts = FuturesUnordered::new();
        let mut failure: Option<io::Error> = None;
        attempts.extend(addresses.next().map(|address| self.connect(address, channel, Some(device))));
        loop {
            if attempts.is_empty() && addresses.peek().is_none() {
                return Err(failure.unwrap_or_else(|| {
                    let words = format!("no address of device {} is known yet", device.short());
                    io::Error::new(io::ErrorKind::NotFound, words)
                }));
            }
            tokio::select! {
                Some(ended) = attempts.next() => match ended {
                    Ok(found) => return Ok(found),
                    Err(error) => {
                        // A refusal by the device itself says more than an address that is out of date.
                        let refused = |e: &io::Error| e.kind() == io::ErrorKind::PermissionDenied;
                        if !failure.as_ref().is_some_and(refused) {
                            failure = Some(error);
                        }
                    }
                },
                () = tokio::time::sleep(limits::NEXT_ADDRESS_AFTER), if addresses.peek().is_some() => {}
            }
            attempts.extend(addresses.next().map(|address| self.connect(address, channel, Some(device))));
        }
    }

    /// Dials one address and waits for the welcome.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        channel: Channel,
        expected: Option<DeviceId>,
    ) -> io::Result<(Peer, Connection)> {
        if self.endpoint.open_connections() >= limits::CONNECTIONS_MAX {
            return Err(io::Error::other("too many connections are open"));
        }
        let dialed = async {
            let connection = self
                .endpoint
                .connect_with(self.tls.client(channel), address, tls::SERVER_NAME)
                .map_err(io::Error::other)?
                .await
                .map_err(stream::io_error)?;
            let (peer, _) = proven(&connection)?;
            if expected.is_some_and(|device| device != peer.device) {
                connection.close(limits::CODE_OTHER_DEVICE, b"another device was looked for");
                let words = format!("another device answers at {address}");
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, words));
            }
            connection.accept_uni().await.map_err(stream::io_error)?;
            Ok((peer, connection))
        };
        match tokio::time::timeout(limits::HANDSHAKE, dialed).await {
            Ok(dialed) => dialed,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("nobody answers at {address}"))),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
