//! Finding each other on the simulated network, as the agent's `mdns` does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use seatkeeper::middle::sighting::{Announcement, Sighting};
use seatkeeper::seam::{Discovery, Later};
use seatkeeper_protocol::id::DeviceId;
use tokio::sync::mpsc;

use super::Host;
use super::office::{Due, Office, Shared};
use crate::sim::clock::ns;

/// How long a word takes by multicast.
const TOLD_AFTER: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(50);
/// A link that comes up again is noticed by the machines behind it.
const HEALED_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(9);
/// Sightings that wait to be taken; one that doesn't fit comes again with the next renewal.
const SIGHTINGS_QUEUE: usize = 256;
/// A browse is begun anew first after this time, and at last always after that. As in the agent's `mdns`.
const RENEW_FIRST: Duration = Duration::from_secs(10);
const RENEW_LAST: Duration = Duration::from_secs(60);
/// When a device is asked for by name. As `mdns-sd` does within the agent's time for it.
const LOOK_FOR_AFTER: [Duration; 3] =
    [Duration::from_millis(70), Duration::from_millis(1_070), Duration::from_millis(3_070)];
const FAREWELL: Duration = Duration::from_millis(10);

/// A machine's part in discovery.
#[derive(Default)]
pub(super) struct Announcer {
    /// Tells one process's from the next one's.
    life: u64,
    announced: Option<(Announcement, u16)>,
    browse: Option<Browse>,
    /// Does not take part.
    pub(super) off: bool,
}

struct Browse {
    id: u64,
    sightings: mpsc::Sender<Sighting>,
    /// What was told, so that a renewal doesn't tell it again.
    told: BTreeMap<DeviceId, Announcement>,
    renew_after: Duration,
}

/// A browse is begun anew.
pub(super) struct Asks {
    host: Host,
    browse: u64,
    /// By its own timer.
    regular: bool,
    /// One device alone.
    whom: Option<DeviceId>,
}

/// One machine's word on its way to another's browse.
pub(super) struct Told {
    from: Host,
    to: Host,
    browse: u64,
    sighting: Sighting,
}

impl Announcer {
    /// The process is over. What others know of it stays.
    pub(super) fn forget(&mut self) {
        *self = Self { life: self.life + 1, off: self.off, ..Self::default() };
    }
}

impl Office {
    fn announce(&mut self, host: Host, announcement: Announcement, port: u16) {
        self.machine(host).announcer.announced = Some((announcement, port));
        self.announce_again(host);
    }

    /// Tells everybody where the machine is now.
    pub(super) fn announce_again(&mut self, host: Host) {
        let Some(seen) = self.announcement(host) else { return };
        for to in self.browsing() {
            self.tell_sighting(host, to, Sighting::Seen(seen.clone()));
        }
    }

    fn withdraw(&mut self, host: Host) {
        let Some((announcement, _)) = self.machine(host).announcer.announced.take() else { return };
        for to in self.browsing() {
            self.tell_sighting(host, to, Sighting::Gone(announcement.device));
        }
    }

    fn browse(&mut self, host: Host) -> mpsc::Receiver<Sighting> {
        let (sightings, receiver) = mpsc::channel(SIGHTINGS_QUEUE);
        let id = self.next_id();
        let browse = Browse { id, sightings, told: BTreeMap::new(), renew_after: RENEW_FIRST };
        self.machine(host).announcer.browse = Some(browse);
        let now = self.now(host);
        self.schedule(now, Due::Asks(Asks { host, browse: id, regular: true, whom: None }));
        receiver
    }

    /// Asks for one device, some times.
    fn look_for(&mut self, host: Host, device: DeviceId) {
        let Some(browse) = self.machine(host).announcer.browse.as_ref().map(|browse| browse.id) else {
            return;
        };
        for after in LOOK_FOR_AFTER {
            let at = self.now(host) + ns(after);
            self.schedule(at, Due::Asks(Asks { host, browse, regular: false, whom: Some(device) }));
        }
    }

    /// After a heal every machine asks around once.
    pub(super) fn links_came_up(&mut self) {
        for host in self.browsing() {
            let Some(browse) = self.machine(host).announcer.browse.as_ref().map(|browse| browse.id) else {
                continue;
            };
            let at = self.now(host) + ns(self.chance.duration(HEALED_AFTER));
            self.schedule(at, Due::Asks(Asks { host, browse, regular: false, whom: None }));
        }
    }

    pub(super) fn ask(&mut self, Asks { host, browse: id, regular, whom }: Asks) {
        let (now, asleep) = (self.now(host), self.is_paused(host));
        let announcer = &mut self.machine(host).announcer;
        let Some(browse) = announcer.browse.as_mut().filter(|browse| browse.id == id) else { return };
        if browse.sightings.is_closed() {
            announcer.browse = None;
            return;
        }
        if regular {
            let at = now + ns(browse.renew_after);
            browse.renew_after = (browse.renew_after * 2).min(RENEW_LAST);
            self.schedule(at, Due::Asks(Asks { host, browse: id, regular, whom }));
        }
        if asleep {
            return;
        }
        for from in (0..self.machines.len()).map(Host) {
            // The question must be heard as well.
            if self.links.passes(host, from)
                && !self.is_paused(from)
                && let Some(seen) = self.announcement(from)
                && whom.is_none_or(|device| device == seen.device)
            {
                self.tell_sighting(from, host, Sighting::Seen(seen));
            }
        }
    }

    pub(super) fn sighted(&mut self, Told { from, to, browse: id, sighting }: Told) {
        if !self.links.passes(from, to) || self.is_paused(to) {
            return;
        }
        let Some(browse) = self.machine(to).announcer.browse.as_mut().filter(|browse| browse.id == id) else {
            return;
        };
        let news = match &sighting {
            Sighting::Seen(seen) => browse.told.get(&seen.device) != Some(seen),
            Sighting::Gone(device) => browse.told.remove(device).is_some(),
        };
        if news && browse.sightings.try_send(sighting.clone()).is_ok() {
            if let Sighting::Seen(seen) = sighting {
                browse.told.insert(seen.device, seen);
            }
            self.counters.sightings += 1;
        }
    }

    fn tell_sighting(&mut self, from: Host, to: Host, sighting: Sighting) {
        let Some(browse) = self.machine(to).announcer.browse.as_ref().map(|browse| browse.id) else { return };
        let at = self.now(from) + ns(self.chance.duration(TOLD_AFTER));
        self.schedule(at, Due::Sighted(Told { from, to, browse, sighting }));
    }

    /// What a machine announces, with its address of now.
    fn announcement(&mut self, host: Host) -> Option<Announcement> {
        let machine = self.machine(host);
        let (announcement, port) = machine.announcer.announced.as_ref()?;
        let addresses = vec![SocketAddr::new(machine.address.ip(), *port)];
        Some(Announcement { addresses, ..announcement.clone() })
    }

    fn browsing(&self) -> Vec<Host> {
        let browses = |(_, machine): &(usize, &super::office::Machine)| machine.announcer.browse.is_some();
        self.machines.iter().enumerate().filter(browses).map(|(at, _)| Host(at)).collect()
    }
}

/// One process's discovery.
pub(super) struct SimDiscovery {
    shared: Shared,
    host: Host,
    life: u64,
}

impl SimDiscovery {
    /// `None` where the machine does not take part.
    pub(super) fn start(shared: &Shared, host: Host) -> Option<Self> {
        let life = shared.with(|office| {
            let announcer = &office.machine(host).announcer;
            (!announcer.off).then_some(announcer.life)
        })?;
        Some(Self { shared: shared.clone(), host, life })
    }

    fn with(&self, act: impl FnOnce(&mut Office)) {
        self.shared.with(|office| {
            if office.machine(self.host).announcer.life == self.life {
                act(office);
            }
        });
    }
}

impl Discovery for SimDiscovery {
    fn announce(&self, announcement: &Announcement, port: u16) -> Result<(), String> {
        self.with(|office| office.announce(self.host, announcement.clone(), port));
        Ok(())
    }

    fn withdraw(&self) {
        self.with(|office| office.withdraw(self.host));
    }

    fn browse(&self) -> mpsc::Receiver<Sighting> {
        self.shared.with(|office| office.browse(self.host))
    }

    fn look_for(&self, device: &DeviceId) {
        self.with(|office| office.look_for(self.host, *device));
    }

    fn shutdown(&self) -> Later<'_, ()> {
        self.with(|office| {
            office.withdraw(self.host);
            office.machine(self.host).announcer.browse = None;
        });
        Box::pin(tokio::time::sleep(FAREWELL))
    }
}
