//! Finding others and being found: discovery, static peers, remembering.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::api;

use super::Inner;
use crate::middle::sighting::{Announcement, Sighting};

/// Devices that discovery remembers, of any site.
const SEEN_MAX: usize = 1_024;
/// While no holder is known, static peers are dialed this often.
const PEERS_EVERY: Duration = Duration::from_secs(2);
/// The site record is written at most this often.
const SAVE_EVERY: Duration = Duration::from_millis(500);

impl Inner {
    /// Discovery, static peers, writing the site record.
    pub(crate) fn start_finding(self: Arc<Self>) {
        if let Some(discovery) = &self.discovery {
            let sightings = discovery.browse();
            let inner = self.clone();
            self.tasks.spawn(async move { inner.watch_sightings(sightings).await });
        }
        if !self.config.peers.is_empty() {
            let inner = self.clone();
            self.tasks.spawn(async move { inner.dial_static_peers().await });
        }
        let inner = self.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = inner.save_site.notified() => inner.save(),
                }
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = tokio::time::sleep(SAVE_EVERY) => {}
                }
            }
        });
    }

    async fn watch_sightings(self: &Arc<Self>, mut sightings: tokio::sync::mpsc::Receiver<Sighting>) {
        loop {
            let sighting = tokio::select! {
                () = self.stop.cancelled() => return,
                sighting = sightings.recv() => sighting,
            };
            match sighting {
                None => return,
                Some(Sighting::Gone(device)) => {
                    self.seen().remove(&device);
                }
                Some(Sighting::Seen(announcement)) if announcement.device != self.device => {
                    self.sighted(announcement);
                }
                Some(Sighting::Seen(_)) => {}
            }
        }
    }

    pub(crate) fn sighted(self: &Arc<Self>, announcement: Announcement) {
        let device = announcement.device;
        let site = self.site().filter(|site| site.id.short() == announcement.site);
        // Whoever is in a newer generation is asked how the site came to it.
        let ours = site.as_ref().is_some_and(|site| site.generation.number <= announcement.generation);
        let newer = site.is_some_and(|site| site.generation.number < announcement.generation);
        let mut news = false;
        let listed = self.refuse_device(&device).is_none();
        if ours && (listed || self.book().has_room_for(&device)) {
            let mut book = self.book();
            // The first is the best: it goes in last.
            for address in announcement.addresses.iter().rev() {
                news |= book.heard(device, *address);
            }
        }
        let mut seen = self.seen();
        if seen.len() < SEEN_MAX || seen.contains_key(&device) {
            let before = seen.insert(device, announcement.clone());
            news |= before.as_ref() != Some(&announcement);
        }
        drop(seen);
        if newer && news {
            self.meet(device);
        }
        if news {
            self.sighted.notify_waiters();
            self.sighted.notify_one();
        }
    }

    /// Learns who lives at the static peers' addresses while no holder is known.
    async fn dial_static_peers(&self) {
        let mut known = self.known.subscribe();
        loop {
            if self.site().is_some() && known.borrow_and_update().holder.is_none() {
                for address in &self.config.peers {
                    let dial = self.net.0.dial(*address, Channel::Session);
                    if let Ok(Ok((peer, _stream))) = tokio::time::timeout(PEERS_EVERY, dial).await
                        && self.book().saw(peer.device, *address)
                    {
                        self.sighted.notify_one();
                    }
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(PEERS_EVERY) => {}
                _ = known.changed() => {}
            }
        }
    }

    /// The sites whose machines announce themselves here, each with an address of one of them.
    pub(crate) fn nearby_sites(&self) -> Vec<api::NearbySite> {
        let seen = self.seen();
        let mut sites: BTreeMap<&str, api::NearbySite> = BTreeMap::new();
        for announcement in seen.values() {
            let address = announcement.addresses.first().map(ToString::to_string);
            let name = announcement.name.as_ref().map(ToString::to_string);
            let site = sites.entry(&announcement.site).or_insert_with(|| api::NearbySite {
                id: announcement.site.clone(),
                name: None,
                address: None,
            });
            site.name = site.name.take().or(name);
            site.address = site.address.take().or(address);
        }
        sites.into_values().collect()
    }

    /// Announces this device.
    pub(crate) fn announce(&self) {
        let (Some(discovery), Some(site)) = (&self.discovery, self.site()) else { return };
        let announcement = Announcement {
            device: self.device,
            site: site.id.short(),
            name: Some(site.name.clone()),
            generation: site.generation.number,
            addresses: Vec::new(),
        };
        if let Err(error) = discovery.announce(&announcement, self.net.0.port()) {
            tracing::warn!(%error, "this machine could not be announced; others find it by their remembered addresses");
        }
    }

    pub(crate) fn withdraw(&self) {
        if let Some(discovery) = &self.discovery {
            discovery.withdraw();
        }
    }
}
