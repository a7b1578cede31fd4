//! One UDP port, three ALPNs, mutual TLS: the agent's side of the `Transport` seam.
//!
//! TLS proves that a peer has the key of its certificate (`tls`); *who may talk to us* is the [`Gate`]'s decision,
//! taken by the dialed side once the handshake is over. The dialer waits for it: the dialed side opens a stream
//! without a byte as a welcome, or closes with the reason in words.
//!
//! | module | holds |
//! |---|---|
//! | `tls` | certificates and their verification |
//! | `limits` | every bound and timeout, and the channels' settings |
//! | `inbound` | connections from others |
//! | `outbound` | connections to others, pooled |
//! | `call` | calling a device from a port of its own |
//! | `restart` | telling peers at once that this process is a new one |
//! | `stream` | a stream both ways, and errors in words |

mod call;
mod inbound;
mod limits;
mod outbound;
mod restart;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::{Connection, Endpoint, ServerConfig, TokioRuntime};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

pub use stream::QuicStream;

use inbound::Arrivals;
use outbound::Pool;
use tls::Tls;

use crate::seam::{BoxStream, Gate, Inbound, Later, Network, Peer};

/// Why the port can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error(
        "UDP port {} is taken by another program, perhaps another agent; stop it, or start this one with \
         --listen {}:PORT", .0.port(), host(.0)
    )]
    Taken(SocketAddr),
    /// The system refuses.
    #[error("cannot listen at UDP {listen}: {source}")]
    Io {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The device's key can't be used.
    #[error("the device's key cannot be used: {0}")]
    Key(String),
}

/// The agent's one UDP port. Cheap to clone; shutting it down ends it for all.
#[derive(Clone, Debug)]
pub struct Quic {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    port: u16,
    tls: Tls,
    gate: Arc<dyn Gate>,
    arrivals: Arrivals,
    pool: Pool,
}

impl Quic {
    /// Opens the port and begins to accept. An unspecified IPv6 address means IPv4 as well, and IPv4 alone where the
    /// machine has no IPv6. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Any of [`BindError`]'s.
    pub fn bind(
        listen: SocketAddr,
        cert: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        gate: Arc<dyn Gate>,
    ) -> Result<(Self, mpsc::Receiver<Inbound>), BindError> {
        let config = restart::endpoint_config(&key).map_err(|error| BindError::Key(error.to_string()))?;
        let tls = Tls::new(cert, key).map_err(|error| BindError::Key(error.to_string()))?;
        let socket = open_socket(listen)?;
        let broken = |source| BindError::Io { listen, source };
        let port = socket.local_addr().map_err(broken)?.port();
        let mut server = ServerConfig::with_crypto(tls.server.clone());
        server.transport_config(Arc::new(limits::server_transport()));
        server.max_incoming(limits::HANDSHAKES_MAX);
        let endpoint = Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime)).map_err(broken)?;
        let shared = Arc::new(Shared {
            endpoint,
            port,
            tls,
            gate,
            arrivals: Arrivals::default(),
            pool: Pool::default(),
        });
        let (inbound, streams) = mpsc::channel(limits::INBOUND_QUEUE);
        tokio::spawn(inbound::run(shared.clone(), inbound));
        Ok((Self { shared }, streams))
    }

    /// Closes the connections of one channel with a device, whoever dialed.
    pub fn close_channel(&self, device: &DeviceId, channel: Channel) {
        self.close_with(device, channel, "the connection is no longer needed");
    }

    fn close_with(&self, device: &DeviceId, channel: Channel, reason: &str) {
        let dialed = self.shared.pool.take(device, channel);
        for connection in dialed.into_iter().chain(self.shared.arrivals.take(device, channel)) {
            connection.close(limits::CODE_CLOSED, limits::reason(reason));
        }
    }

    /// Moves to another local address, as a laptop does that changes its network.
    #[cfg(test)]
    fn rebind(&self, listen: SocketAddr) -> io::Result<()> {
        self.shared.endpoint.rebind(UdpSocket::bind(listen)?)
    }
}

impl Network for Quic {
    fn open(&self, peer: DeviceId, channel: Channel) -> Later<'_, io::Result<BoxStream>> {
        Box::pin(async move { Ok(Box::new(self.shared.open(peer, channel).await?) as BoxStream) })
    }

    fn dial(&self, address: SocketAddr, channel: Channel) -> Later<'_, io::Result<(Peer, BoxStream)>> {
        Box::pin(async move {
            let (peer, connection) = self.shared.connect(address, channel, None).await?;
            let (send, receive) = connection.open_bi().await.map_err(stream::io_error)?;
            Ok((peer, Box::new(QuicStream::new(connection, send, receive)) as BoxStream))
        })
    }

    fn close(&self, device: &DeviceId, reason: &str) {
        for channel in [Channel::Session, Channel::Raft, Channel::Join] {
            self.close_with(device, channel, reason);
        }
    }

    fn call(&self, device: DeviceId, address: SocketAddr) -> Later<'_, io::Result<()>> {
        Box::pin(self.shared.call(device, address))
    }

    fn is_connected(&self, device: &DeviceId) -> Option<bool> {
        let shared = &self.shared;
        Some(shared.pool.is_live(device) || !shared.arrivals.addresses(device).is_empty())
    }

    fn port(&self) -> u16 {
        self.shared.port
    }

    fn shutdown(&self) -> Later<'_, ()> {
        self.shared.endpoint.close(limits::CODE_CLOSED, b"the agent is stopping");
        // A peer that is gone does not answer the farewell.
        Box::pin(async {
            let _ = tokio::time::timeout(limits::FAREWELL, self.shared.endpoint.wait_idle()).await;
        })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quic").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The proven other end of an established connection, and its channel.
fn proven(connection: &Connection) -> io::Result<(Peer, Channel)> {
    let key = tls::peer_key(connection).ok_or_else(|| stream::broken("the peer proved no device key"))?;
    let channel = tls::channel(connection).ok_or_else(|| stream::broken("the peer named no channel"))?;
    let address = plain(connection.remote_address());
    Ok((Peer { device: key.device(), key, address }, channel))
}

/// An IPv4 address as such, also when the socket speaks both.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

fn host(address: &SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn open_socket(listen: SocketAddr) -> Result<UdpSocket, BindError> {
    let error = match bind_udp(listen) {
        Ok(socket) => return Ok(socket),
        Err(error) => error,
    };
    if error.kind() == io::ErrorKind::AddrInUse {
        return Err(BindError::Taken(listen));
    }
    let any_v6 = listen.is_ipv6() && listen.ip().is_unspecified();
    if any_v6 {
        // No IPv6 here; what else is wrong shows again.
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port()));
        return bind_udp(v4).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(v4),
            _ => BindError::Io { listen, source },
        });
    }
    Err(BindError::Io { listen, source: error })
}

/// Opens the port as [`Quic::bind`] does, and closes it again: whether it could be had.
///
/// # Errors
/// Any of [`BindError`]'s.
pub fn try_bind(listen: SocketAddr) -> Result<(), BindError> {
    open_socket(listen).map(drop)
}

fn bind_udp(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    if listen.is_ipv6() {
        // Systems differ in the default.
        socket.set_only_v6(!listen.ip().is_unspecified())?;
    }
    // A burst of all seats after a failover must not be dropped; a smaller buffer only costs resending.
    let _ = socket.set_recv_buffer_size(limits::SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(limits::SOCKET_BUFFER_BYTES);
    socket.bind(&listen.into())?;
    Ok(socket.into())
}
