//! Noticing what is not as it should be: once a minute, or when something has changed; each condition is logged when it
//! begins and when it ends.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seatkeeper_protocol::api::Health;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::BootTime;
use tokio::sync::Notify;

use super::doctor::Callers;
use super::{Inner, Node, answers, lock};
use crate::middle::doctor::{Call, Neighbor, Page, near};
use crate::middle::health::{Condition, Voters, key};
use crate::middle::nearby::{self, Own};
use crate::seam::Checks;
use crate::seam::checks::Look;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A change is looked at after this time: an election is over by then.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// Others are asked to call this machine so long after its start, and again so long after they could and could not.
const CALL_FIRST_MS: u64 = 60 * 1_000;
const CALL_AGAIN_MS: u64 = 6 * 60 * 60 * 1_000;
const CALL_CLOSED_AGAIN_MS: u64 = 10 * 60 * 1_000;
/// Who is connected and not heard by multicast for so long is not heard at all.
const UNHEARD_MS: u64 = 10 * 60 * 1_000;
/// A voter that has not answered its leader for so long is missed.
const SILENT_MS: u64 = 2_000;
/// Conditions whose beginning and end are logged.
const TOLD_MAX: usize = 64;

/// What is known of this machine's health.
pub(crate) struct Watch {
    pub(super) checks: Option<Arc<dyn Checks>>,
    look: Mutex<Option<Look>>,
    pub(super) page: Mutex<Option<Page>>,
    /// What came of the last call that told something, and when others were last asked for one.
    called: Mutex<Option<(Call, BootTime)>>,
    /// Since when others are connected here and not heard by multicast.
    unheard: Mutex<Option<BootTime>>,
    /// The conditions whose beginning was logged.
    told: Mutex<BTreeMap<String, Health>>,
    changed: Notify,
    /// One doctor at a time.
    pub(super) doctor: tokio::sync::Mutex<()>,
    pub(super) callers: Callers,
    /// The settings in force, for who looks into a fault.
    pub(super) settings: Mutex<BTreeMap<String, String>>,
}

impl Watch {
    pub(super) fn new(checks: Option<Arc<dyn Checks>>) -> Self {
        Self {
            checks,
            look: Mutex::default(),
            page: Mutex::default(),
            called: Mutex::default(),
            unheard: Mutex::default(),
            told: Mutex::default(),
            changed: Notify::new(),
            doctor: tokio::sync::Mutex::default(),
            callers: Callers::default(),
            settings: Mutex::default(),
        }
    }

    pub(super) fn note_call(&self, call: &Call, now: BootTime) {
        *lock(&self.called) = Some((call.clone(), now));
    }
}

impl Node {
    /// Where the page is served, or why it is not.
    pub fn set_page(&self, page: Page) {
        *lock(&self.inner.watch.page) = Some(page);
        self.inner.watch.changed.notify_one();
    }

    /// The settings in force, by the names of their options; for who looks into a fault.
    pub fn set_settings(&self, settings: BTreeMap<String, String>) {
        *lock(&self.inner.watch.settings) = settings;
    }
}

impl Inner {
    /// Begins to look after the machine, where it can be looked at.
    pub(super) fn start_watching(self: Arc<Self>) {
        let Some(checks) = self.watch.checks.clone() else { return };
        let inner = self.clone();
        self.tasks.spawn(async move {
            let stop = inner.stop.clone();
            stop.run_until_cancelled(inner.watch_health(checks)).await;
        });
    }

    async fn watch_health(self: Arc<Self>, checks: Arc<dyn Checks>) {
        let begun = self.clock.mono();
        let mut known = self.known.subscribe();
        loop {
            self.look_after(&checks).await;
            self.listen_for_neighbors();
            if self.call_is_due(begun) {
                let (call, _) = self.ask_for_call().await;
                self.watch.note_call(&call, self.clock.mono());
            }
            self.tell_changes();
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.watch.changed.notified() => {}
                _ = known.changed() => tokio::time::sleep(SETTLED_AFTER).await,
            }
        }
    }

    /// Looks at the machine anew.
    pub(super) async fn look_after(&self, checks: &Arc<dyn Checks>) -> Option<Look> {
        let looking = checks.clone();
        let look = tokio::task::spawn_blocking(move || looking.look()).await.ok()?;
        *lock(&self.watch.look) = Some(look.clone());
        Some(look)
    }

    /// This machine's addresses, as far as they are known.
    pub(super) fn own_addresses(&self) -> Vec<IpAddr> {
        let look = lock(&self.watch.look);
        let subnets = look.iter().flat_map(|look| &look.subnets);
        subnets.map(|subnet| subnet.address.to_canonical()).collect()
    }

    fn call_is_due(&self, begun: BootTime) -> bool {
        let now = self.clock.mono();
        if self.site().is_none() {
            return false;
        }
        match &*lock(&self.watch.called) {
            None => now.ms_since(begun) >= CALL_FIRST_MS,
            Some((Call::Reached(_), at)) => now.ms_since(*at) >= CALL_AGAIN_MS,
            Some((_, at)) => now.ms_since(*at) >= CALL_CLOSED_AGAIN_MS,
        }
    }

    /// Notes since when machines nearby are connected and none of them is heard by multicast.
    fn listen_for_neighbors(&self) {
        let deaf = !self.neighbors_unheard().is_empty();
        let mut unheard = lock(&self.watch.unheard);
        *unheard = if deaf { unheard.or_else(|| Some(self.clock.mono())) } else { None };
    }

    /// Machines on this one's networks that are connected, by network, should none of them be heard by multicast.
    fn neighbors_unheard(&self) -> Vec<(String, Vec<String>)> {
        let look = lock(&self.watch.look).clone();
        let (Some(look), Some(_)) = (look, &self.discovery) else { return Vec::new() };
        let own = self.site().map(|site| site.id.short());
        let heard: Vec<DeviceId> = self
            .seen()
            .values()
            .filter(|seen| Some(&seen.site) == own.as_ref())
            .map(|seen| seen.device)
            .collect();
        let neighbors = self.neighbors();
        let mut unheard: Vec<(String, Vec<String>)> = Vec::new();
        for subnet in &look.subnets {
            let here: Vec<Neighbor> = neighbors
                .iter()
                .filter(|(_, neighbor)| neighbor.addresses.iter().any(|ip| subnet.has(*ip)))
                .filter(|(device, _)| !heard.contains(device))
                .map(|(_, neighbor)| neighbor.clone())
                .collect();
            let any_heard = neighbors.iter().any(|(device, neighbor)| {
                heard.contains(device) && neighbor.addresses.iter().any(|ip| subnet.has(*ip))
            });
            let names = near(&subnet.interface, &here, std::slice::from_ref(subnet));
            if !any_heard && !names.is_empty() && !unheard.iter().any(|(known, _)| *known == subnet.interface)
            {
                unheard.push((subnet.interface.clone(), names));
            }
        }
        unheard
    }

    /// The devices of the site that are connected, with their addresses.
    pub(super) fn neighbors(&self) -> Vec<(DeviceId, Neighbor)> {
        let Some(site) = self.site() else { return Vec::new() };
        let known: Vec<DeviceId> = self.book().devices().filter(|device| site.enrolled(device)).collect();
        let connected = known
            .into_iter()
            .filter(|device| *device != self.device && self.net.0.is_connected(device) == Some(true));
        connected
            .map(|device| {
                let addresses = self.book().addresses(&device);
                let addresses = addresses.iter().map(|address| address.ip().to_canonical()).collect();
                (device, Neighbor { name: self.name_of(&device), addresses, answers: false })
            })
            .collect()
    }

    /// A device's name, as far as it is known.
    pub(super) fn name_of(&self, device: &DeviceId) -> String {
        let site = self.site();
        let name = site.as_ref().and_then(|site| site.device_name(device));
        name.map_or_else(|| device.short(), ToString::to_string)
    }

    /// What is not as it should be on this machine, from what is known: nobody is asked.
    pub(super) fn own_health(&self) -> Vec<Condition> {
        let mut found = Vec::new();
        let site = self.site();
        if site.is_none() {
            found.push(match self.waiting_site.borrow().clone() {
                Some(site) => Condition::Waiting { site },
                None => Condition::NoSite,
            });
        }
        found.extend(lock(&self.turned).clone().map(|reason| Condition::Turned { reason }));
        found.extend(lock(&self.log_failure).clone().map(|reason| Condition::LogFailed { reason }));
        self.audit_health(&mut found);
        self.borrow_health(&mut found);
        let id = site.as_ref().map(|site| site.id.short());
        let own = site.as_ref().zip(id.as_deref()).map(|(site, id)| Own {
            id,
            name: site.name.as_str(),
            generation: site.generation.number,
        });
        found.extend(nearby::conditions(own, self.seen().values()));
        self.machine_health(&mut found);
        found
    }

    fn machine_health(&self, found: &mut Vec<Condition>) {
        if let Some(look) = &*lock(&self.watch.look) {
            if let Some(space) = look.space.as_ref().ok().filter(|space| space.is_low()) {
                found.push(Condition::DiskLow { path: look.folder.clone(), space: *space });
            }
            let wrong = look.rights.iter().flatten();
            found.extend(wrong.map(|(path, wrong)| Condition::Rights { path: path.clone(), wrong: *wrong }));
        }
        if let Some(Page::Trouble(condition)) = &*lock(&self.watch.page) {
            found.push(condition.clone());
        }
        if self.site().is_none() {
            return;
        }
        if let Some((Call::Closed(called), _)) = &*lock(&self.watch.called) {
            found.push(Condition::UdpPortClosed(called.clone()));
        }
        let now = self.clock.mono();
        if lock(&self.watch.unheard).is_some_and(|since| now.ms_since(since) >= UNHEARD_MS) {
            let (interfaces, peers): (Vec<_>, Vec<_>) = self.neighbors_unheard().into_iter().unzip();
            if !interfaces.is_empty() {
                found.push(Condition::MulticastBlocked { interfaces, peers: peers.concat() });
            }
        }
    }

    /// Why nobody hands out seats, as far as it is known here.
    pub(super) fn quorum_trouble(&self) -> Condition {
        match self.voters_by_log() {
            Some((voters, missed)) if !voters.suffice() => Condition::NoQuorum { voters, missed },
            _ => Condition::NoHolder,
        }
    }

    /// The machines that vote, and those that do not answer, by what the log on this machine is connected with.
    /// `None`: it can't tell.
    fn voters_by_log(&self) -> Option<(Voters, Vec<String>)> {
        let status = self.log()?.engine.status();
        let status = status.borrow().clone();
        let others =
            || status.members.iter().filter(|member| member.voter && member.peer.device != self.device);
        let mut missed = Vec::new();
        for member in others() {
            let device = member.peer.device;
            let silent = member.silent_ms.is_some_and(|silent_ms| silent_ms >= SILENT_MS);
            if silent || !self.net.0.is_connected(&device)? {
                missed.push(self.name_of(&device));
            }
        }
        let all = status.voters();
        let votes = status.member_on(self.device).is_some_and(|member| member.voter);
        (votes && all > 0).then(|| (Voters { live: all.saturating_sub(missed.len()), all }, missed))
    }

    /// Logs what has begun and what is over.
    fn tell_changes(&self) {
        let mut now: Vec<Health> = self.own_health().iter().map(Condition::health).collect();
        match self.duty() {
            Some(duty) => now.extend(answers::status(self, &duty).health),
            // The holder tells the rest of the site's.
            None if self.site().is_some() && self.known().holder.is_none() => {
                now.push(self.quorum_trouble().health());
            }
            None => {}
        }
        let mut told = lock(&self.watch.told);
        told.retain(|key_told, health| {
            let goes_on = now.iter().any(|health| key(health) == *key_told);
            if !goes_on {
                tracing::info!(code = %health.code, text = %health.text, "a condition is over");
            }
            goes_on
        });
        for health in now {
            let key = key(&health);
            if told.len() >= TOLD_MAX || told.contains_key(&key) {
                continue;
            }
            match health.severity.as_str() {
                "error" => tracing::error!(code = %health.code, text = %health.text, "a condition has begun"),
                "warning" => {
                    tracing::warn!(code = %health.code, text = %health.text, "a condition has begun")
                }
                _ => tracing::info!(code = %health.code, text = %health.text, "a condition has begun"),
            }
            told.insert(key, health);
        }
    }
}
