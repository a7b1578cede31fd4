//! Connections from others.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::{Connection, Incoming};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Inbound, Peer, QuicStream, Shared, limits, plain, proven, stream};

/// The connections that peers made to us, and handshakes under way.
#[derive(Default)]
pub(super) struct Arrivals {
    connections: Mutex<BTreeMap<(DeviceId, Channel), VecDeque<Connection>>>,
    /// Those on the channel that is open to strangers, the oldest first.
    guests: Mutex<VecDeque<(IpAddr, Connection)>>,
    handshakes: Mutex<Handshakes>,
}

#[derive(Default)]
struct Handshakes {
    all: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

/// One handshake under way.
struct Handshake {
    shared: Arc<Shared>,
    ip: IpAddr,
}

impl Arrivals {
    /// The connections of a peer on a channel, no longer ours to watch.
    pub(super) fn take(&self, device: &DeviceId, channel: Channel) -> VecDeque<Connection> {
        self.connections().remove(&(*device, channel)).unwrap_or_default()
    }

    /// Where a peer is now by its living connections, the newest first: they follow it to another address.
    pub(super) fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        let connections = self.connections();
        let of_device = [Channel::Session, Channel::Raft].map(|channel| connections.get(&(*device, channel)));
        of_device
            .into_iter()
            .flatten()
            .flat_map(|of_peer| of_peer.iter().rev())
            .map(|connection| plain(connection.remote_address()))
            .collect()
    }

    /// Notes a connection; answers the one that has to go for it.
    fn add(&self, device: DeviceId, channel: Channel, connection: &Connection) -> Option<Connection> {
        let mut connections = self.connections();
        let of_peer = connections.entry((device, channel)).or_default();
        of_peer.push_back(connection.clone());
        if of_peer.len() > limits::PER_PEER_MAX { of_peer.pop_front() } else { None }
    }

    fn remove(&self, device: DeviceId, channel: Channel, connection: &Connection) {
        let mut connections = self.connections();
        if let Some(of_peer) = connections.get_mut(&(device, channel)) {
            of_peer.retain(|other| other.stable_id() != connection.stable_id());
            if of_peer.is_empty() {
                connections.remove(&(device, channel));
            }
        }
    }

    /// Notes a connection on the channel that is open to strangers; answers the one that has to go for it. A key costs
    /// a stranger nothing, so that [`limits::PER_PEER_MAX`] does not bound these.
    fn add_guest(&self, ip: IpAddr, connection: &Connection) -> Option<Connection> {
        let mut guests = self.guests();
        let of_ip = guests.iter().filter(|(other, _)| *other == ip).count();
        let goes = if of_ip >= limits::GUESTS_PER_IP_MAX {
            guests.iter().position(|(other, _)| *other == ip)
        } else if guests.len() >= limits::GUESTS_MAX {
            Some(0)
        } else {
            None
        };
        let gone = goes.and_then(|at| guests.remove(at)).map(|(_, connection)| connection);
        guests.push_back((ip, connection.clone()));
        gone
    }

    fn remove_guest(&self, connection: &Connection) {
        self.guests().retain(|(_, other)| other.stable_id() != connection.stable_id());
    }

    fn guests(&self) -> MutexGuard<'_, VecDeque<(IpAddr, Connection)>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<(DeviceId, Channel), VecDeque<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// `None`: too many under way.
    fn begin(shared: &Arc<Shared>, ip: IpAddr) -> Option<Self> {
        let mut handshakes = shared.arrivals.handshakes();
        let of_ip = handshakes.by_ip.get(&ip).copied().unwrap_or(0);
        if handshakes.all >= limits::HANDSHAKES_MAX || of_ip >= limits::HANDSHAKES_PER_IP_MAX {
            return None;
        }
        handshakes.all += 1;
        handshakes.by_ip.insert(ip, of_ip + 1);
        drop(handshakes);
        Some(Self { shared: shared.clone(), ip })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut handshakes = self.shared.arrivals.handshakes();
        handshakes.all = handshakes.all.saturating_sub(1);
        match handshakes.by_ip.get_mut(&self.ip) {
            Some(of_ip) if *of_ip > 1 => *of_ip -= 1,
            _ => {
                handshakes.by_ip.remove(&self.ip);
            }
        }
    }
}

/// Accepts until the endpoint is closed.
pub(super) async fn run(shared: Arc<Shared>, streams: mpsc::Sender<Inbound>) {
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            incoming = shared.endpoint.accept() => match incoming {
                Some(incoming) => accept(&shared, incoming, &streams, &mut serving),
                None => return,
            },
            Some(ended) = serving.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "serving a connection failed");
            },
        }
    }
}

fn accept(
    shared: &Arc<Shared>,
    incoming: Incoming,
    streams: &mpsc::Sender<Inbound>,
    serving: &mut JoinSet<()>,
) {
    if shared.endpoint.open_connections() >= limits::CONNECTIONS_MAX {
        return incoming.refuse();
    }
    let busy = shared.arrivals.handshakes().all >= limits::HANDSHAKES_BUSY;
    if busy && !incoming.remote_address_validated() {
        // It may always be asked to as long as its address is not validated.
        let _ = incoming.retry();
        return;
    }
    let ip = plain(incoming.remote_address()).ip();
    match Handshake::begin(shared, ip) {
        None => incoming.refuse(),
        Some(handshake) => {
            serving.spawn(serve(handshake, incoming, streams.clone()));
        }
    }
}

async fn serve(handshake: Handshake, incoming: Incoming, streams: mpsc::Sender<Inbound>) {
    let shared = handshake.shared.clone();
    let address = plain(incoming.remote_address());
    let shaken = async { incoming.accept().map_err(stream::io_error)?.await.map_err(stream::io_error) };
    let connection = match tokio::time::timeout(limits::HANDSHAKE, shaken).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "a handshake failed"),
        Err(_) => return tracing::debug!(%address, "a handshake took too long"),
    };
    drop(handshake);
    let (peer, channel) = match proven(&connection) {
        Ok(proven) => proven,
        Err(error) => return tracing::debug!(%address, %error, "a peer was not accepted"),
    };
    // Noted before the gate is asked: a revocation either finds the connection here or is known to the gate.
    if let Some(oldest) = shared.arrivals.add(peer.device, channel, &connection) {
        oldest.close(limits::CODE_REPLACED, b"replaced by a newer connection");
    }
    let is_guest = channel == Channel::Join;
    if is_guest && let Some(oldest) = shared.arrivals.add_guest(address.ip(), &connection) {
        oldest.close(limits::CODE_REPLACED, b"too many ask to join at once; try again");
    }
    match shared.gate.admit(&peer, channel) {
        Ok(()) => {
            let handing_out = hand_out(&shared, peer, channel, &connection, &streams);
            let error = if is_guest {
                tokio::time::timeout(limits::GUEST, handing_out).await.unwrap_or_else(|_| {
                    connection.close(limits::CODE_CLOSED, b"joining takes no longer");
                    stream::broken("a stranger stayed")
                })
            } else {
                handing_out.await
            };
            tracing::debug!(peer = %peer.device.short(), ?channel, %error, "a connection ended");
        }
        Err(reason) => {
            tracing::debug!(peer = %peer.device.short(), ?channel, %address, reason, "a peer was turned away");
            connection.close(limits::CODE_REFUSED, limits::reason(&reason));
        }
    }
    shared.arrivals.remove(peer.device, channel, &connection);
    if is_guest {
        shared.arrivals.remove_guest(&connection);
    }
}

/// Welcomes the peer and hands out its streams until the connection ends.
async fn hand_out(
    shared: &Shared,
    peer: Peer,
    channel: Channel,
    connection: &Connection,
    streams: &mpsc::Sender<Inbound>,
) -> std::io::Error {
    let (streams_max, window) = limits::admitted(channel);
    connection.set_max_concurrent_bi_streams(streams_max);
    connection.set_receive_window(window);
    let welcome = async {
        let mut welcome = connection.open_uni().await.map_err(stream::io_error)?;
        welcome.finish().map_err(std::io::Error::other)
    };
    match tokio::time::timeout(limits::HANDSHAKE, welcome).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return error,
        Err(_) => return stream::broken("the peer takes no welcome"),
    }
    shared.gate.connected(&peer, channel);
    loop {
        let (send, receive) = match connection.accept_bi().await {
            Ok(opened) => opened,
            Err(error) => return stream::io_error(error),
        };
        let stream = QuicStream::new(connection.clone(), send, receive);
        if streams.send(Inbound { peer, channel, stream: Box::new(stream) }).await.is_err() {
            connection.close(limits::CODE_CLOSED, b"the agent is stopping");
            return std::io::ErrorKind::ConnectionAborted.into();
        }
    }
}
