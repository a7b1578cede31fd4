//! Calling a device from a port of its own: a firewall that lets answers in, as most do, knows nothing of it yet, and so
//! treats the call as it will treat anybody's.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use quinn::Endpoint;
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;

use super::{Shared, limits, proven, stream, tls};

impl Shared {
    /// Whether `device` answers at `address`. The connection ends with the answer.
    pub(super) async fn call(&self, device: DeviceId, address: SocketAddr) -> io::Result<()> {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let endpoint = Endpoint::client(any)?;
        let called = async {
            // On the one channel that tells nobody where this device is: here it is at a port for a moment only.
            let config = self.tls.client(Channel::Join);
            let connection = endpoint
                .connect_with(config, address, tls::SERVER_NAME)
                .map_err(io::Error::other)?
                .await
                .map_err(stream::io_error)?;
            let (peer, _) = proven(&connection)?;
            connection.close(limits::CODE_CLOSED, b"the call is over");
            if peer.device == device {
                Ok(())
            } else {
                Err(io::Error::new(
                    io::ErrorKind::AddrNotAvailable,
                    format!("another device answers at {address}"),
                ))
            }
        };
        let called = match tokio::time::timeout(limits::CALL, called).await {
            Ok(called) => called,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("nobody answers at {address}"))),
        };
        endpoint.close(limits::CODE_CLOSED, b"the call is over");
        // The peer shall not wait for more; that it has heard so is not worth waiting for long.
        let _ = tokio::time::timeout(limits::NEXT_ADDRESS_AFTER, endpoint.wait_idle()).await;
        called
    }
}
