//! The state of the network: machines, what is under way, and what is held back until it can arrive.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::{DeviceId, PublicKey};

use super::conn::{Conn, DIALER, Side, What, other};
use super::discovery::{Announcer, Asks, Told};
use super::links::Links;
use super::{Counters, Host, Pause};
use crate::sim::chance::Chance;
use crate::sim::clock::{SimClock, ns};

/// What could not arrive is sent again this long after it can.
const RESENT_AFTER: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(500);
/// Packets that a stalled process's socket keeps; more are as good as lost.
const SOCKET_PACKETS_MAX: usize = 4_096;
/// Held packets from which on those that nobody sends again are forgotten.
const HELD_TIDY_AT: usize = 1_024;
/// Dials that a device has not yet looked at; more are lost.
const DIALS_MAX: usize = 256;

/// The network, shared by all. Everybody is on one thread, so the lock is never waited for.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Office>>);

impl Shared {
    pub(super) fn new(office: Office) -> Self {
        Self(Arc::new(Mutex::new(office)))
    }

    /// Does something with the network, then wakes whom it concerns: a woken task may come back here.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Office) -> R) -> R {
        let (result, wakers) = {
            let mut office = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let result = act(&mut office);
            (result, std::mem::take(&mut office.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

pub(super) struct Office {
    pub(super) chance: Chance,
    pub(super) links: Links,
    pub(super) machines: Vec<Machine>,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) attempts: BTreeMap<u64, Attempt>,
    pub(super) counters: Counters,
    /// To be woken once the lock is free.
    pub(super) wakers: Vec<Waker>,
    due: BTreeMap<(u64, u64), Due>,
    held: Vec<Packet>,
    tidy_at: usize,
    ids: u64,
    digest: u64,
}

/// A machine on the network; it outlives the agent's processes.
pub(super) struct Machine {
    pub(super) clock: SimClock,
    pub(super) address: SocketAddr,
    /// The port of the process that runs, if one does.
    pub(super) port: Option<Port>,
    pub(super) announcer: Announcer,
    paused: Option<(Pause, u64)>,
    paused_ns: u64,
    /// What arrived for a stalled process.
    socket: VecDeque<Packet>,
}

/// A process's open port.
pub(super) struct Port {
    /// Tells one process's from the next one's.
    pub(super) serial: u64,
    pub(super) device: DeviceId,
    pub(super) key: PublicKey,
    /// False once the agent has shut its network down.
    pub(super) open: bool,
    /// Connections that wait for the gate's word.
    pub(super) dials: Waiting<u64>,
    /// Streams that peers opened: connection and stream. Their bound is the connections' on streams. They are handed
    /// out also when the connection is over by then.
    pub(super) streams: Waiting<(u64, u64)>,
}

/// What waits for a task, and the task.
#[derive(Default)]
pub(super) struct Waiting<T> {
    pub(super) items: VecDeque<T>,
    pub(super) waker: Option<Waker>,
}

/// A dial under way.
pub(super) struct Attempt {
    pub(super) host: Host,
    pub(super) address: SocketAddr,
    pub(super) channel: Channel,
    pub(super) expected: Option<DeviceId>,
    /// The connection belongs to one stream.
    pub(super) own: bool,
    /// Known to the dialed side already.
    pub(super) conn: Option<u64>,
    pub(super) outcome: Option<io::Result<u64>>,
    pub(super) waker: Option<Waker>,
}

/// Something that happens later.
pub(super) enum Due {
    Arrives(Packet),
    KeepAlive(u64),
    Idle(u64, Side),
    /// A browse asks around.
    Asks(Asks),
    Sighted(Told),
}

pub(super) struct Packet {
    pub(super) from: Host,
    pub(super) to: Host,
    pub(super) body: Body,
}

pub(super) enum Body {
    /// The first packet of a dial.
    Dial(u64),
    /// To that side of a connection.
    Frame(u64, Side, What),
}

impl Office {
    pub(super) fn new(chance: Chance, links: Links) -> Self {
        Self {
            chance,
            links,
            machines: Vec::new(),
            conns: BTreeMap::new(),
            attempts: BTreeMap::new(),
            counters: Counters::default(),
            wakers: Vec::new(),
            due: BTreeMap::new(),
            held: Vec::new(),
            tidy_at: HELD_TIDY_AT,
            ids: 0,
            digest: 0,
        }
    }

    pub(super) fn attach(&mut self, address: SocketAddr, clock: SimClock) -> Host {
        assert!(self.host_at(address).is_none(), "two machines at {address}");
        self.machines.push(Machine {
            clock,
            address,
            port: None,
            announcer: Announcer::default(),
            paused: None,
            paused_ns: 0,
            socket: VecDeque::new(),
        });
        Host(self.machines.len() - 1)
    }

    pub(super) fn machine(&mut self, host: Host) -> &mut Machine {
        &mut self.machines[host.0]
    }

    pub(super) fn host_at(&self, address: SocketAddr) -> Option<Host> {
        self.machines.iter().position(|machine| machine.address == address).map(Host)
    }

    /// The true time by a machine's progress, ns.
    pub(super) fn now(&self, host: Host) -> u64 {
        self.machines[host.0].clock.true_ns()
    }

    /// How far a machine's timers have come, ns: they stand still while it is paused.
    pub(super) fn awake_ns(&self, host: Host) -> u64 {
        let machine = &self.machines[host.0];
        let until = machine.paused.map_or_else(|| machine.clock.true_ns(), |(_, since)| since);
        until.saturating_sub(machine.paused_ns)
    }

    pub(super) fn is_paused(&self, host: Host) -> bool {
        self.machines[host.0].paused.is_some()
    }

    /// The open port of a process that is not over.
    pub(super) fn port(&mut self, host: Host, serial: u64) -> Option<&mut Port> {
        self.machine(host).port.as_mut().filter(|port| port.serial == serial && port.open)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        self.wakers.extend(waker);
    }

    /// A process opens its port. Another one's before it on the same machine is over.
    pub(super) fn bind(&mut self, host: Host, key: PublicKey) -> u64 {
        if self.machine(host).port.is_some() {
            self.kill(host);
        }
        let serial = self.next_id();
        self.machine(host).port = Some(Port {
            serial,
            device: key.device(),
            key,
            open: true,
            dials: Waiting::default(),
            streams: Waiting::default(),
        });
        self.release();
        serial
    }

    /// The process on a machine is gone and tells nobody.
    pub(super) fn kill(&mut self, host: Host) {
        self.unpause(host);
        let machine = self.machine(host);
        machine.socket.clear();
        machine.announcer.forget();
        let Some(port) = machine.port.take() else { return };
        self.attempts.retain(|_, attempt| attempt.host != host);
        self.lose_ends(port.serial);
        port.streams.items.into_iter().for_each(|(conn, _)| self.forgo_stream(conn));
    }

    pub(super) fn pause(&mut self, host: Host, pause: Pause) {
        let now = self.now(host);
        let machine = self.machine(host);
        // Whoever is suspended while stalled sleeps on since then.
        let since = machine.paused.map_or(now, |(_, since)| since);
        machine.paused = Some((pause, since));
    }

    /// A machine's process runs again: what waits in its socket is there at once, the rest is sent again.
    pub(super) fn resume(&mut self, host: Host) {
        self.unpause(host);
        for packet in std::mem::take(&mut self.machine(host).socket) {
            self.take_in(packet);
        }
        self.release();
    }

    fn unpause(&mut self, host: Host) {
        let now = self.now(host);
        let machine = self.machine(host);
        if let Some((_, since)) = machine.paused.take() {
            machine.paused_ns += now.saturating_sub(since);
        }
    }

    /// Does everything that is due at the world's time.
    pub(super) fn deliver(&mut self, now: u64) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            match first.remove() {
                Due::Arrives(packet) => self.arrive(packet),
                Due::KeepAlive(conn) => self.keep_alive(conn),
                Due::Idle(conn, side) => self.idle(conn, side),
                Due::Asks(asks) => self.ask(asks),
                Due::Sighted(told) => self.sighted(told),
            }
        }
    }

    pub(super) fn schedule(&mut self, at_ns: u64, due: Due) {
        let id = self.next_id();
        self.due.insert((at_ns, id), due);
    }

    /// Sends a packet, due not before the given time; answers when it is due.
    pub(super) fn send(&mut self, packet: Packet, not_before: u64) -> u64 {
        self.counters.packets += 1;
        let latency = self.links.latency_ns(&mut self.chance, packet.from, packet.to);
        let due = (self.now(packet.from) + latency).max(not_before);
        self.schedule(due, Due::Arrives(packet));
        due
    }

    fn arrive(&mut self, packet: Packet) {
        if !self.links.passes(packet.from, packet.to) {
            return self.hold(packet);
        }
        let machine = self.machine(packet.to);
        let listens = machine.port.as_ref().is_some_and(|port| port.open);
        match machine.paused {
            _ if !listens => self.hold(packet),
            Some((Pause::Suspended, _)) => self.hold(packet),
            Some((Pause::Stalled, _)) if machine.socket.len() < SOCKET_PACKETS_MAX => {
                machine.socket.push_back(packet);
            }
            Some((Pause::Stalled, _)) => self.hold(packet),
            None => self.take_in(packet),
        }
    }

    fn take_in(&mut self, packet: Packet) {
        self.note(&packet);
        match packet.body {
            Body::Dial(attempt) => self.dialed(packet.to, attempt),
            Body::Frame(conn, side, what) => self.frame(conn, side, what),
        }
    }

    fn dialed(&mut self, to: Host, id: u64) {
        let address = self.machines[to.0].address;
        let Some(attempt) = self.attempts.get(&id).filter(|attempt| attempt.address == address) else {
            return;
        };
        let (from, channel, own) = (attempt.host, attempt.channel, attempt.own);
        if self.machine(to).port.as_ref().is_none_or(|port| port.dials.items.len() >= DIALS_MAX) {
            return;
        }
        let Some(conn) = self.connect(from, to, channel, own, id) else { return };
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.conn = Some(conn);
        }
        if let Some(port) = &mut self.machine(to).port {
            port.dials.items.push_back(conn);
            let waker = port.dials.waker.take();
            self.wake(waker);
        }
    }

    /// Keeps what would be sent again until it arrives; the rest is lost.
    fn hold(&mut self, packet: Packet) {
        if !self.is_resent(&packet) {
            self.counters.lost += 1;
            return;
        }
        self.counters.held += 1;
        self.held.push(packet);
        if self.held.len() >= self.tidy_at {
            let held = std::mem::take(&mut self.held);
            self.held = held.into_iter().filter(|packet| self.has_sender(packet)).collect();
            self.tidy_at = HELD_TIDY_AT.max(2 * self.held.len());
        }
    }

    fn is_resent(&mut self, packet: &Packet) -> bool {
        let Body::Frame(conn, to, what) = &packet.body else { return true };
        let Some(conn) = self.conns.get_mut(conn).filter(|conn| !conn.silent) else { return false };
        match what {
            What::Ping => !std::mem::replace(&mut conn.ends[other(*to)].ping_held, true),
            What::Ack | What::Close(_) | What::Reset => false,
            _ => true,
        }
    }

    /// Whether somebody would send it again.
    fn has_sender(&self, packet: &Packet) -> bool {
        match &packet.body {
            Body::Dial(attempt) => self.attempts.contains_key(attempt),
            Body::Frame(conn, to, what) => self.conns.get(conn).is_some_and(|conn| {
                let refused = matches!(what, What::Refused(_));
                !conn.silent && (refused || conn.ends[other(*to)].closed.is_none())
            }),
        }
    }

    /// Sends again what was held and can arrive now.
    pub(super) fn release(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.retain(|packet| self.has_sender(packet));
        for packet in held {
            let machine = &self.machines[packet.to.0];
            let suspended = matches!(machine.paused, Some((Pause::Suspended, _)));
            let listens = machine.port.as_ref().is_some_and(|port| port.open);
            // A machine that is paused sends nothing again.
            let silent = self.is_paused(packet.from) || !self.links.passes(packet.from, packet.to);
            if suspended || !listens || silent {
                self.held.push(packet);
                continue;
            }
            if let Body::Frame(conn, to, What::Ping) = &packet.body
                && let Some(conn) = self.conns.get_mut(conn)
            {
                conn.ends[other(*to)].ping_held = false;
            }
            let at = self.now(packet.from) + ns(self.chance.duration(RESENT_AFTER));
            self.schedule(at, Due::Arrives(packet));
        }
    }

    /// A running hash over all that arrived, and when: the same seed must give the same.
    fn note(&mut self, packet: &Packet) {
        let mut mix = |number: u64| {
            self.digest = (self.digest ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        };
        mix(self.machines[packet.to.0].clock.true_ns());
        mix(packet.from.0 as u64);
        mix(packet.to.0 as u64);
        match &packet.body {
            Body::Dial(attempt) => mix(*attempt),
            Body::Frame(conn, to, what) => {
                mix(*conn);
                mix(*to as u64);
                if let What::Chunk { stream, offset, bytes, .. } = what {
                    mix(*stream);
                    mix(*offset);
                    for part in bytes.chunks(8) {
                        mix(part.iter().fold(1, |number, byte| (number << 8) | u64::from(*byte)));
                    }
                    self.counters.messages += 1;
                    self.counters.bytes += bytes.len() as u64;
                }
            }
        }
    }

    /// A dial begins; `None` when the process is over.
    pub(super) fn dial(&mut self, serial: u64, attempt: Attempt) -> Option<u64> {
        let (from, address) = (attempt.host, attempt.address);
        self.port(from, serial)?;
        self.counters.dials += 1;
        let id = self.next_id();
        self.attempts.insert(id, attempt);
        if let Some(to) = self.host_at(address) {
            self.send(Packet { from, to, body: Body::Dial(id) }, 0);
        }
        Some(id)
    }

    /// Whoever dialed no longer waits.
    pub(super) fn abandon(&mut self, id: u64) {
        if let Some(Attempt { conn: Some(conn), .. }) = self.attempts.remove(&id) {
            self.close(conn, DIALER, "");
        }
    }
}
