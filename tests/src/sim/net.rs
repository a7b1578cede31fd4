//! The office's network: what the agent's `quic` and `mdns` are in life, seeded and in memory.
//!
//! The world makes one [`SimNet`] and attaches every machine to it; a run of the agent gets its
//! [`Network`] and [`Discovery`] from the machine's
//! [`NetCard`]. At the beginning of each quantum the world calls [`SimNet::deliver`]: what is due by then can be read.
//! Nothing takes less than a quantum, so it does not matter in which order the machines are run within one.
//!
//! What is modeled is what the agent can tell apart: connections per dialer, device and channel; the gate's word as
//! the answer to a dial; ordered streams with a window, which overtake each other; keep-alives and idle timeouts that
//! stand still while a machine is paused; sending again what a cut, a sleeping machine or a process that is not yet
//! back did not take; stateless resets by whoever does not know a connection.
//!
//! | module | holds |
//! |---|---|
//! | `office` | machines, what is under way, what is held back |
//! | `links` | who hears whom, how late, how reliably |
//! | `conn` | connections |
//! | `flow` | their streams |
//! | `port` | a process's side: the pool, dialing, the gate |
//! | `stream` | a stream in somebody's hands |
//! | `discovery` | announcements and who looks for them |

mod conn;
mod discovery;
mod flow;
mod links;
mod office;
mod port;
mod stream;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper::seam::{Discovery, Gate, Inbound, Network};
use seatkeeper_protocol::id::PublicKey;
use tokio::sync::mpsc;

use super::chance::Chance;
use super::clock::{SimClock, WorldTime};
use conn::DIALER;
use discovery::SimDiscovery;
use links::Links;
use office::{Office, Shared};
use port::Port;

/// A machine on the network. Its device may change, and a cloned device is on two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(usize);

/// Why a machine is not run for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// It sleeps: what is sent to it is lost, and sent again by whoever still waits when it wakes.
    Suspended,
    /// Its process stands still: what is sent to it waits in its socket, however old it gets.
    Stalled,
}

/// What has happened on the network so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets of any kind.
    pub packets: u64,
    /// Pieces of streams that arrived.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Dials, by address.
    pub dials: u64,
    /// Dials that reached a device.
    pub connections: u64,
    /// Dials turned away by a gate.
    pub refused: u64,
    /// Connections broken because the other side did not know them.
    pub resets: u64,
    /// Ends of connections that gave up in silence.
    pub idle_timeouts: u64,
    /// Connections that survived a change of address.
    pub migrated: u64,
    /// Connections that did not.
    pub stranded: u64,
    /// Packets held back until they could arrive.
    pub held: u64,
    /// Packets lost for ever.
    pub lost: u64,
    /// Sightings told.
    pub sightings: u64,
}

/// The network. Cheap to clone.
#[derive(Clone)]
pub struct SimNet {
    shared: Shared,
    time: WorldTime,
}

impl std::fmt::Debug for SimNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimNet").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl SimNet {
    /// A network without faults. A packet usually takes a time within `latency`, and never less than `quantum`.
    pub fn new(
        time: &WorldTime,
        chance: Chance,
        quantum: Duration,
        latency: RangeInclusive<Duration>,
    ) -> Self {
        let office = Office::new(chance, Links::new(quantum, latency));
        Self { shared: Shared::new(office), time: time.clone() }
    }

    /// Connects a machine.
    ///
    /// # Panics
    /// When another one has the address.
    pub fn attach(&self, address: SocketAddr, clock: &SimClock) -> NetCard {
        let host = self.shared.with(|office| office.attach(address, clock.clone()));
        NetCard { shared: self.shared.clone(), host }
    }

    /// Delivers all that is due at the world's time. To be called at the beginning of each quantum.
    pub fn deliver(&self) {
        self.shared.with(|office| office.deliver(self.time.now_ns()));
    }

    /// The process on a machine is gone and tells nobody: killed, or its machine has lost power. To be called before
    /// its runtime is dropped. A machine that was paused no longer is.
    pub fn kill(&self, host: Host) {
        self.shared.with(|office| office.kill(host));
    }

    /// The machine's runtime is not run until [`Self::resume`].
    pub fn pause(&self, host: Host, pause: Pause) {
        self.shared.with(|office| office.pause(host, pause));
    }

    /// The machine's runtime is run again.
    pub fn resume(&self, host: Host) {
        self.shared.with(|office| office.resume(host));
    }

    /// Neither hears the other.
    pub fn cut(&self, a: Host, b: Host) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// `to` no longer hears `from`.
    pub fn cut_one_way(&self, from: Host, to: Host) {
        self.shared.with(|office| office.links.cut(from, to));
    }

    /// Nobody hears the machine, nor it them.
    pub fn isolate(&self, host: Host) {
        let machines = self.shared.with(|office| office.machines.len());
        (0..machines).map(Host).for_each(|other| self.cut(host, other));
    }

    /// Both hear each other again.
    pub fn heal(&self, a: Host, b: Host) {
        self.healed(|office| {
            office.links.heal(a, b);
            office.links.heal(b, a);
        });
    }

    /// Everybody hears everybody again. Links stay slow or lossy.
    pub fn heal_all(&self) {
        self.healed(|office| office.links.heal_all());
    }

    fn healed(&self, heal: impl FnOnce(&mut Office)) {
        self.shared.with(|office| {
            heal(office);
            office.release();
            office.links_came_up();
        });
    }

    /// From now on packets between the two take a time within `latency`.
    pub fn slow(&self, a: Host, b: Host, latency: RangeInclusive<Duration>) {
        self.shared.with(|office| {
            office.links.slow(a, b, latency.clone());
            office.links.slow(b, a, latency);
        });
    }

    /// From now on packets between the two are lost with this probability and sent again later and later.
    pub fn lossy(&self, a: Host, b: Host, probability: f64) {
        self.shared.with(|office| {
            office.links.lossy(a, b, probability);
            office.links.lossy(b, a, probability);
        });
    }

    /// No link is slow or lossy any more.
    pub fn calm(&self) {
        self.shared.with(|office| office.links.calm());
    }

    /// The machine has another address from now on. A connection that it dialed migrates with the given probability;
    /// the others fall silent and idle out, as those do that were dialed: a dialer does not follow.
    ///
    /// # Panics
    /// When another machine has the address.
    pub fn move_to(&self, host: Host, address: SocketAddr, migrates: f64) {
        self.shared.with(|office| {
            assert!(office.host_at(address).is_none_or(|at| at == host), "two machines at {address}");
            office.machine(host).address = address;
            let serial = office.machine(host).port.as_ref().map(|port| port.serial);
            for (conn, side) in serial.map(|serial| office.ends_of(serial)).unwrap_or_default() {
                let migrated = side == DIALER && office.chance.chance(migrates);
                match migrated {
                    true => office.counters.migrated += 1,
                    false => office.counters.stranded += 1,
                }
                if let Some(conn) = office.conns.get_mut(&conn) {
                    conn.silent |= !migrated;
                }
            }
            office.announce_again(host);
        });
    }

    /// Whether the machine's next run takes part in discovery; it does unless told otherwise.
    pub fn discovers(&self, host: Host, discovers: bool) {
        self.shared.with(|office| office.machine(host).announcer.off = !discovers);
    }

    /// Where a machine is.
    pub fn address(&self, host: Host) -> SocketAddr {
        self.shared.with(|office| office.machine(host).address)
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.shared.with(|office| office.counters)
    }

    /// A hash over all that has arrived and when: two runs of one seed have the same.
    pub fn digest(&self) -> u64 {
        self.shared.with(|office| office.digest())
    }
}

/// A machine's place on the network. Cheap to clone.
#[derive(Clone)]
pub struct NetCard {
    shared: Shared,
    host: Host,
}

impl std::fmt::Debug for NetCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NetCard").field(&self.host).finish()
    }
}

impl NetCard {
    /// Which machine.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Opens the port for one run of the agent under this key; an earlier run on the machine is over. Must be called
    /// within the machine's runtime.
    pub fn network(
        &self,
        key: PublicKey,
        gate: Arc<dyn Gate>,
    ) -> (Arc<dyn Network>, mpsc::Receiver<Inbound>) {
        let serial = self.shared.with(|office| office.bind(self.host, key));
        let (port, streams) = Port::open(self.shared.clone(), self.host, serial, gate);
        (port, streams)
    }

    /// Discovery for one run of the agent; `None` where the machine does not take part.
    pub fn discovery(&self) -> Option<Arc<dyn Discovery>> {
        let discovery = SimDiscovery::start(&self.shared, self.host)?;
        Some(Arc::new(discovery))
    }
}
