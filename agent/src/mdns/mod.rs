//! Finding and announcing devices on the LAN by mDNS. It only says whom to dial: never that a device lives, and
//! never that it may be trusted.

mod probe;
#[cfg(test)]
mod tests;

pub use probe::hear;
pub(crate) use probe::subnet;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use seatkeeper_protocol::id::{DeviceId, Name};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::middle::sighting::{Announcement, Sighting};
use crate::seam::{Discovery, Later};

/// The service type of every agent.
const SERVICE: &str = "_seatkeeper._udp.local.";
/// The version of the announcement's fields.
const VERSION: &str = "1";
/// Sightings that wait to be taken; one that doesn't fit comes again with the next renewal.
const SIGHTINGS_QUEUE: usize = 256;
/// Devices remembered, so that a renewal doesn't tell again what is known.
const TOLD_MAX: usize = 10_000;
/// The browse asks less and less often, in the end once an hour. Sides that began apart (a cable pulled, a switch
/// without power) would then find each other far too late, so it is begun anew: first after this time,
const RENEW_FIRST: Duration = Duration::from_secs(10);
/// and at last always after this time for each device that is here, so that an office asks equally often however many
/// machines it has: what one of them asks, all that are not yet known answer to everybody.
const RENEW_LAST: Duration = Duration::from_secs(60);
/// The longest such time; the browse itself asks as often.
const RENEW_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a device is asked for by name: about three questions, should some be lost.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// Devices asked for by name at once.
const LOOKS_MAX: usize = 16;
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// Between two tries when the daemon's queue is full.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where to announce and look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// On every interface but loopback.
    All,
    /// On these alone, by name. `lo` is the loopback interface on every system, whatever it is called there.
    Only(Vec<String>),
}

/// Why mDNS does not work.
#[derive(Debug, thiserror::Error)]
#[error("mDNS does not work here: {0}; --no-mdns goes without, then name a peer with --peer")]
pub struct MdnsError(#[from] mdns_sd::Error);

/// The agent's mDNS daemon.
pub struct Mdns {
    daemon: ServiceDaemon,
    loopback: bool,
    announced: Mutex<Option<(Announcement, u16)>>,
    /// Devices that are being asked for by name.
    looks: Arc<Mutex<BTreeSet<DeviceId>>>,
    /// The browse is to be begun anew.
    renew: Arc<Notify>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Mdns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mdns").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}

impl Mdns {
    /// Starts the daemon. Nothing is sent before [`Self::announce`] or [`Self::browse`]. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// When the system gives no thread or socket.
    pub fn start(interfaces: Interfaces) -> Result<Self, MdnsError> {
        let daemon = ServiceDaemon::new()?;
        // The daemon takes every interface until it is told otherwise; it is told before it has anything to send.
        let loopback = match interfaces {
            Interfaces::All => {
                daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
                false
            }
            Interfaces::Only(names) => {
                daemon.disable_interface(IfKind::All)?;
                let loopback = names.iter().any(|name| name == "lo");
                let mut kinds: Vec<IfKind> = names.into_iter().map(IfKind::Name).collect();
                if loopback {
                    kinds.extend([IfKind::LoopbackV4, IfKind::LoopbackV6]);
                }
                daemon.enable_interface(kinds)?;
                loopback
            }
        };
        let stop = CancellationToken::new();
        let (events, stopped) = (daemon.monitor()?, stop.clone());
        tokio::spawn(async move {
            while let Some(Ok(event)) = stopped.run_until_cancelled(events.recv_async()).await {
                if let DaemonEvent::Error(error) = event {
                    tracing::warn!(%error, "mDNS had an error");
                }
            }
        });
        Ok(Self {
            daemon,
            loopback,
            announced: Mutex::default(),
            looks: Arc::default(),
            renew: Arc::default(),
            stop,
        })
    }

    fn register(&self, announcement: &Announcement, port: u16) -> Result<(), MdnsError> {
        let wanted = (Announcement { addresses: Vec::new(), ..announcement.clone() }, port);
        let mut announced = lock(&self.announced);
        if announced.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let device = announcement.device.to_string();
        let mut properties = vec![
            ("v", VERSION.to_owned()),
            ("site", announcement.site.clone()),
            ("dev", device.clone()),
            ("gen", announcement.generation.to_string()),
        ];
        properties.extend(announcement.name.iter().map(|name| ("name", name.to_string())));
        // Addresses named while the link is down would never be announced; the daemon follows the machine's own.
        let mut service =
            ServiceInfo::new(SERVICE, &device, &host_name(&announcement.device), "", port, &properties[..])?
                .enable_addr_auto();
        // Names are device ids, so nobody else can have them; asking first would cost 0.8 s.
        service.set_requires_probe(false);
        self.daemon.register(service)?;
        *announced = Some(wanted);
        Ok(())
    }

    fn unregister(&self) -> Option<mdns_sd::Receiver<mdns_sd::UnregisterStatus>> {
        let (announcement, _) = lock(&self.announced).take()?;
        self.daemon.unregister(&full_name(&announcement.device)).ok()
    }
}

impl Discovery for Mdns {
    fn announce(&self, announcement: &Announcement, port: u16) -> Result<(), String> {
        self.register(announcement, port).map_err(|error| error.to_string())
    }

    fn withdraw(&self) {
        // The answer says that the farewell was sent; nobody waits for it here.
        let _ = self.unregister();
    }

    /// Only the latest browse is served.
    fn browse(&self) -> mpsc::Receiver<Sighting> {
        let (sightings, receiver) = mpsc::channel(SIGHTINGS_QUEUE);
        let browse = Browse {
            daemon: self.daemon.clone(),
            loopback: self.loopback,
            sightings,
            told: BTreeMap::new(),
            renew: self.renew.clone(),
        };
        tokio::spawn(browse.run(self.stop.clone()));
        receiver
    }

    fn look_for(&self, device: &DeviceId) {
        let device = *device;
        let mut looks = lock(&self.looks);
        if looks.len() >= LOOKS_MAX || looks.contains(&device) {
            return;
        }
        // A browse asks for names alone, and whoever is known does not answer it: asked for is the address. What
        // comes back reaches the browse like an announcement.
        let within = u64::try_from(LOOK_FOR.as_millis()).unwrap_or(u64::MAX);
        match self.daemon.resolve_hostname(&host_name(&device), Some(within)) {
            Ok(events) => {
                looks.insert(device);
                let (looks, stop) = (self.looks.clone(), self.stop.clone());
                tokio::spawn(async move {
                    while let Some(Ok(_)) = stop.run_until_cancelled(events.recv_async()).await {}
                    lock(&looks).remove(&device);
                });
            }
            Err(error) => tracing::debug!(%error, device = %device.short(), "a device is not looked for"),
        }
    }

    fn renew(&self) {
        let announced = lock(&self.announced).take();
        if let Some((announcement, port)) = announced
            && let Err(error) = self.register(&announcement, port)
        {
            tracing::debug!(%error, "not announced anew");
        }
        self.renew.notify_one();
    }

    fn shutdown(&self) -> Later<'_, ()> {
        self.stop.cancel();
        Box::pin(async {
            if let Some(told) = self.unregister() {
                let _ = tokio::time::timeout(FAREWELL, told.recv_async()).await;
            }
            if let Ok(stopped) = self.daemon.shutdown() {
                let _ = tokio::time::timeout(FAREWELL, stopped.recv_async()).await;
            }
        })
    }
}

impl Drop for Mdns {
    fn drop(&mut self) {
        self.stop.cancel();
        // The daemon's thread would go on for ever. A full queue is no reason to wait here.
        let _ = self.daemon.shutdown();
    }
}

struct Browse {
    daemon: ServiceDaemon,
    loopback: bool,
    sightings: mpsc::Sender<Sighting>,
    told: BTreeMap<DeviceId, Arc<Announcement>>,
    renew: Arc<Notify>,
}

impl Browse {
    async fn run(mut self, stop: CancellationToken) {
        let mut renew_after = RENEW_FIRST;
        let (receiver, anew) = (self.sightings.clone(), self.renew.clone());
        loop {
            let begun = Instant::now();
            match self.daemon.browse(SERVICE) {
                Ok(events) => {
                    let mut look = begun + renew_after.min(RENEW_LAST);
                    let renew = loop {
                        tokio::select! {
                            () = self.listen(&events) => break false,
                            () = receiver.closed() => {
                                // A failure means that the daemon has stopped, and with it the browse.
                                let _ = self.daemon.stop_browse(SERVICE);
                                return;
                            }
                            () = stop.cancelled() => return,
                            () = anew.notified() => {
                                // Twice as long comes next.
                                renew_after = RENEW_FIRST / 2;
                                break true;
                            }
                            () = tokio::time::sleep_until(look) => {}
                        }
                        // Whoever is left alone meanwhile asks as often as one who is alone.
                        if look >= begun + renew_after.min(renew_last(self.told.len())) {
                            break true;
                        }
                        look += RENEW_LAST;
                    };
                    if renew {
                        renew_after = (renew_after * 2).min(RENEW_MAX);
                        continue;
                    }
                    // The subscription ended early: events came faster than they were taken.
                }
                Err(mdns_sd::Error::Again) => {}
                Err(error) => return tracing::warn!(%error, "devices are no longer looked for by mDNS"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
            }
        }
    }

    /// Tells what is seen until the subscription ends.
    async fn listen(&mut self, events: &mdns_sd::Receiver<ServiceEvent>) {
        while let Ok(event) = events.recv_async().await {
            match event {
                ServiceEvent::ServiceResolved(service) => {
                    if let Some(announcement) = read(&service, self.loopback) {
                        self.seen(announcement);
                    }
                }
                ServiceEvent::ServiceRemoved(_, name) => {
                    if let Some(device) = device_of(&name) {
                        self.gone(device);
                    }
                }
                _ => {}
            }
        }
    }

    fn seen(&mut self, announcement: Announcement) {
        let device = announcement.device;
        let known = self.told.get(&device);
        if known.is_some_and(|known| **known == announcement)
            || (known.is_none() && self.told.len() >= TOLD_MAX)
        {
            return;
        }
        if self.sightings.try_send(Sighting::Seen(announcement.clone())).is_ok() {
            self.told.insert(device, Arc::new(announcement));
        }
    }

    fn gone(&mut self, device: DeviceId) {
        // One that was never told of, or no longer is, needs no farewell. If the queue is full, the device counts as
        // here until it is dialed: a sighting is a hint only.
        if self.told.remove(&device).is_some() {
            let _ = self.sightings.try_send(Sighting::Gone(device));
        }
    }
}

/// After which time a browse is begun anew, in the end, where so many devices are here.
fn renew_last(devices: usize) -> Duration {
    let devices = u32::try_from(devices).unwrap_or(u32::MAX).max(1);
    RENEW_LAST.saturating_mul(devices).min(RENEW_MAX)
}

fn host_name(device: &DeviceId) -> String {
    format!("{device}.local.")
}

fn full_name(device: &DeviceId) -> String {
    format!("{device}.{SERVICE}")
}

fn device_of(full_name: &str) -> Option<DeviceId> {
    full_name.strip_suffix(SERVICE)?.strip_suffix('.')?.parse().ok()
}

/// Reads an announcement. Anybody on the LAN can send one; what does not look like ours is none.
fn read(service: &ResolvedService, loopback: bool) -> Option<Announcement> {
    let text = |key| service.get_property_val_str(key);
    let device = device_of(service.get_fullname())?;
    let site = text("site")?;
    let plain = site.len() == 8 && site.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    if text("v") != Some(VERSION) || text("dev")?.parse() != Ok(device) || !plain || service.get_port() == 0 {
        return None;
    }
    let generation = text("gen")?.parse().ok()?;
    // A release that does not know of it leaves it out.
    let name = text("name").and_then(|name| Name::new(name).ok());
    let mut addresses: Vec<SocketAddr> = service
        .get_addresses()
        .iter()
        .filter_map(|ip| address(ip, service.get_port()))
        .filter(|address| loopback || !address.ip().is_loopback())
        .collect();
    // IPv4 first, as it is what offices route; link-local last. A fixed order, so that the same set is the same
    // announcement.
    addresses.sort_by_key(|address| (address.is_ipv6(), is_link_local(address), *address));
    addresses.truncate(Announcement::ADDRESSES_MAX);
    let site = site.to_owned();
    (!addresses.is_empty()).then_some(Announcement { device, site, name, generation, addresses })
}

/// Where to dial. A link-local IPv6 address means something only together with an interface of ours.
fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let address = match ip {
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => match v6.scope_id().index {
            0 => return None,
            scope => SocketAddrV6::new(*v6.addr(), port, 0, scope).into(),
        },
        other => SocketAddr::new(other.to_ip_addr(), port),
    };
    let ip = address.ip();
    (!ip.is_unspecified() && !ip.is_multicast()).then_some(address)
}

fn is_link_local(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
