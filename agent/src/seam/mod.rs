//! The seams between a node and the machine it lives on (design section 3): everything in [`crate::node`] reaches
//! clocks, network, discovery, disk and processes through these traits alone. `crate::host` gives it the real ones,
//! the simulator seeded ones.
//!
//! | module | holds |
//! |---|---|
//! | [`checks`] | looking at the machine itself |
//! | [`frames`] | reading and writing bounded frames |
//! | [`power`] | what becomes of the machine |
//! | [`record`] | records: small files that are either whole or absent |

pub mod checks;
pub mod frames;
pub mod power;
pub mod record;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_election::seam::{Channel, Clock, Transport};
use seatkeeper_ledger::Ledger;
use seatkeeper_ledger::command::Outcome;
use seatkeeper_ledger::inventory::Software;
use seatkeeper_protocol::id::{DeviceId, Name, PublicKey};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub use checks::Checks;
pub use power::{Delay, PowerChange};
pub use record::{Disk, RecordError};

use crate::middle::sighting::{Announcement, Sighting};

/// An answer that comes later.
pub type Later<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// The machine that a node lives on.
pub trait World: Send + Sync + 'static {
    /// Its clocks.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Its state on disk.
    fn disk(&self) -> Arc<dyn Disk>;

    /// Opens the port under the device's key. Called once, within the runtime.
    ///
    /// # Errors
    /// A sentence for people: what is wrong and what to do.
    fn bind(
        &self,
        key: &SigningKey,
        gate: Arc<dyn Gate>,
    ) -> Result<(Arc<dyn Network>, mpsc::Receiver<Inbound>), String>;

    /// Starts discovery; `None` where it is off. Called once, within the runtime.
    ///
    /// # Errors
    /// A sentence for people: what is wrong and what to do.
    fn discovery(&self) -> Result<Option<Arc<dyn Discovery>>, String>;

    /// Watches a process tree of the agent's last run again; `None` when none of its processes is left.
    fn resume_tree(&self, identity: TreeIdentity) -> Option<BoxTree>;

    /// Its users, as far as the operating system knows what they do; `None` where it doesn't.
    fn users(&self) -> Option<Arc<dyn Users>> {
        None
    }

    /// What is installed on it; `None` where that is not known.
    fn programs(&self) -> Option<Arc<dyn Programs>> {
        None
    }

    /// Looking at the machine itself, where a node does.
    fn checks(&self) -> Option<Arc<dyn Checks>> {
        None
    }

    /// What becomes of it, where its system tells beforehand. Called once, within the runtime.
    fn power(&self) -> Option<mpsc::Receiver<PowerChange>> {
        None
    }

    /// Who is told of everything that is applied to the books here: nobody, but in a simulation.
    fn observer(&self) -> Option<Arc<dyn Observer>> {
        None
    }
}

/// The people at one machine.
pub trait Users: Send + Sync + 'static {
    /// For how long a user has had no input in any session; `None`: not known. May take long, and may be dropped.
    fn idle<'a>(&'a self, user: &'a Name) -> Later<'a, Option<Duration>>;
}

/// What is installed on one machine, and what rules may place it by. Each call may take long, and blocks.
pub trait Programs: Send + Sync + 'static {
    /// A value that differs when something may have been installed or removed since.
    fn marker(&self) -> u64;

    /// All that is installed.
    ///
    /// # Errors
    /// When the machine's lists cannot be read; a sentence.
    fn scan(&self) -> Result<Vec<Software>, String>;

    /// Who is logged in now, sorted, at most [`seatkeeper_ledger::inventory::USERS_MAX`].
    fn users(&self) -> Vec<Name>;

    /// The machine's addresses that others may know it by, sorted, at most
    /// [`seatkeeper_ledger::inventory::ADDRESSES_MAX`].
    fn addresses(&self) -> Vec<IpAddr>;
}

/// Watches the books of one machine.
pub trait Observer: Send + Sync + 'static {
    /// An entry was applied; `ledger` is what it made.
    fn applied(&self, index: u64, entry: &[u8], outcome: &Outcome, ledger: &Ledger);

    /// The books were replaced by a snapshot's.
    fn restored(&self, ledger: &Ledger);
}

/// Authenticated streams to other devices, whose keys the network has proven.
pub trait Network: Send + Sync + 'static {
    /// Opens a stream to a device, at one of the [`Gate`]'s addresses. Connections are shared and kept underneath.
    ///
    /// Its errors: the peer cannot be reached now, or refuses us ([`io::ErrorKind::PermissionDenied`], in its words).
    fn open(&self, peer: DeviceId, channel: Channel) -> Later<'_, io::Result<BoxStream>>;

    /// Opens a stream to whoever is at `address`, on a connection of its own that lasts as long as the stream.
    fn dial(&self, address: SocketAddr, channel: Channel) -> Later<'_, io::Result<(Peer, BoxStream)>>;

    /// Closes all connections with a device, whoever dialed, and tells it why.
    fn close(&self, device: &DeviceId, reason: &str);

    /// Whether a device answers at this address when it is called from a port that no firewall has seen before.
    /// Nothing is sent to it but what the handshake needs.
    ///
    /// Its errors: nobody answers, or another device; [`io::ErrorKind::Unsupported`] where it cannot be tried.
    fn call(&self, device: DeviceId, address: SocketAddr) -> Later<'_, io::Result<()>> {
        let _ = (device, address);
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    /// Whether a connection with the device lives now, whoever dialed; `None`: that is not known.
    fn is_connected(&self, device: &DeviceId) -> Option<bool> {
        let _ = device;
        None
    }

    /// The port it listens at.
    fn port(&self) -> u16;

    /// Closes everything and waits, briefly, until the peers are told.
    fn shutdown(&self) -> Later<'_, ()>;
}

/// A stream both ways. Shutting it down ends our direction and leaves the other one open; dropping it ends both.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// 32 bytes that only the two ends of this connection know, the same on both, bound to `label` (RFC 5705).
    ///
    /// # Errors
    /// When the connection can't give them; every established one can.
    fn exporter(&self, label: &[u8]) -> io::Result<[u8; 32]>;
}

impl fmt::Debug for dyn Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

/// Some network's stream.
pub type BoxStream = Box<dyn Stream>;

/// Decides who may talk to us, and knows where others are: what a network asks its node.
pub trait Gate: Send + Sync + 'static {
    /// Whether a peer that dialed us may use the channel.
    ///
    /// # Errors
    /// The reason, in words that the peer's user may read.
    fn admit(&self, peer: &Peer, channel: Channel) -> Result<(), String>;

    /// Where the device may be; the likeliest first.
    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr>;

    /// A connection stands, whoever dialed; both sides may be dialed at the other's address.
    fn connected(&self, peer: &Peer, channel: Channel) {
        let _ = (peer, channel);
    }
}

/// The proven other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which device.
    pub device: DeviceId,
    /// Its key.
    pub key: PublicKey,
    /// Where it was when the connection was made.
    pub address: SocketAddr,
}

/// A stream that a peer opened.
#[derive(Debug)]
pub struct Inbound {
    /// By whom.
    pub peer: Peer,
    /// On which channel.
    pub channel: Channel,
    /// The stream; its first bytes are there or on their way.
    pub stream: BoxStream,
}

/// A node's network as the transport of its engine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Net(pub(crate) Arc<dyn Network>);

impl Transport for Net {
    type Stream = BoxStream;

    async fn open(&self, peer: DeviceId, channel: Channel) -> io::Result<BoxStream> {
        self.0.open(peer, channel).await
    }
}

/// "Device X of site S seen at A", "gone". Only ever a hint whom to dial.
pub trait Discovery: Send + Sync + 'static {
    /// Announces this device at `port`, at whatever addresses the machine has and will have.
    ///
    /// # Errors
    /// When it cannot now; a sentence.
    fn announce(&self, announcement: &Announcement, port: u16) -> Result<(), String>;

    /// Takes the announcement back.
    fn withdraw(&self);

    /// Looks for devices, this one among them, until the receiver is dropped. Called once.
    fn browse(&self) -> mpsc::Receiver<Sighting>;

    /// Asks where a device is now that does not answer where it was; the browse tells what comes of it.
    fn look_for(&self, device: &DeviceId);

    /// Announces this device anew and asks who is here: after a sleep nobody knows the other any more.
    fn renew(&self) {}

    /// Takes the announcement back, so that others know at once, and stops.
    fn shutdown(&self) -> Later<'_, ()>;
}

/// A watched process tree.
pub trait Tree: Send + fmt::Debug {
    /// What to remember of it.
    fn identity(&self) -> TreeIdentity;

    /// Resolves when no process of the tree is left. May be dropped and called again.
    fn ended(&mut self) -> Later<'_, ()>;
}

/// Some system's process tree.
pub type BoxTree = Box<dyn Tree>;

/// What a restarted agent needs to find a process tree again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeIdentity {
    /// The first process.
    pub pid: u32,
    /// When it started, by the system's own count: tells it from a later process of the same number.
    pub start_time: u64,
    /// What its processes have as `SEATKEEPER_SESSION` in their environment.
    pub token: String,
}
