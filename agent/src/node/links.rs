//! The device's control streams: one to the holder, which carries pings, and a light one to a second log holder,
//! which pushes who holds and the newest roster, so that a spare finds a new holder as fast as a voter does.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_election::seam::{Channel, Transport};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::{PING_EVERY_MS, SESSION_FRAME_BYTES_MAX};
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{FromPeer, Hello, Opening, PeerRefusal, ToPeer};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::view::Known;
use crate::seam::frames::{read_frame, write_frame};

/// Links kept at once.
const LINKS: usize = 2;
/// A peer that does not answer the dial or the hello for this long is given up for now.
const UP_WITHIN: Duration = Duration::from_secs(2);
/// First and longest pause before a peer is tried again, milliseconds.
const RETRY_MS: (u64, u64) = (200, 5_000);
/// Between two pings there are 5 s: after more than that, the machine has slept, milliseconds.
const SLEPT_MS: u64 = PING_EVERY_MS + 3_000;
/// Messages waiting for one peer.
const OUT_MAX: usize = 64;

enum Event {
    Up(DeviceId),
    Heard(DeviceId, Box<FromPeer>),
    Down(DeviceId, String),
}

struct Link {
    out: mpsc::Sender<ToPeer>,
    task: AbortHandle,
    up: bool,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone, Copy, Default)]
struct Trouble {
    failures: u32,
    retry_at: BootTime,
}

/// Keeps the links of one site until `stop`.
pub(crate) async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    let (events_in, mut events) = mpsc::channel(256);
    let mut links =
        Links { inner: inner.clone(), links: BTreeMap::new(), trouble: BTreeMap::new(), events: events_in };
    let mut known = inner.known.subscribe();
    let mut site = inner.site.subscribe();
    let mut leaving = inner.leaving.subscribe();
    let mut queue = inner.queue.subscribe();
    let mut ping = tokio::time::interval(Duration::from_millis(PING_EVERY_MS));
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticked = inner.clock.mono();
    loop {
        links.settle();
        inner.meter.linked(links.up());
        let retry = links.next_retry();
        tokio::select! {
            () = stop.cancelled() => {
                inner.meter.linked(BTreeSet::new());
                return;
            }
            Some(event) = events.recv() => links.handle(event),
            Ok(()) = known.changed() => links.forgive(),
            Ok(()) = site.changed() => {}
            Ok(()) = leaving.changed() => {
                let leaving = *leaving.borrow_and_update();
                links.tell_all(&ToPeer::Intent { leaving });
                // Its answer says that the intent was heard.
                links.ping();
            }
            // What this device tells as the holder, it tells itself too.
            Ok(()) = queue.changed() => {
                let own = queue.borrow_and_update().get(&inner.device).cloned().unwrap_or_default();
                inner.seats.queue(&own);
            }
            () = inner.sighted.notified() => links.forgive(),
            () = inner.woke.notified() => {
                links.woke(mem::replace(&mut ticked, inner.clock.mono()));
                ping.reset();
            }
            _ = ping.tick() => {
                let before = mem::replace(&mut ticked, inner.clock.mono());
                if ticked.ms_since(before) > SLEPT_MS { links.woke(before) } else { links.ping() }
            }
            () = tokio::time::sleep(retry) => {}
        }
    }
}

struct Links {
    inner: Arc<Inner>,
    links: BTreeMap<DeviceId, Link>,
    trouble: BTreeMap<DeviceId, Trouble>,
    events: mpsc::Sender<Event>,
}

impl Links {
    /// Whom they reach.
    fn up(&self) -> BTreeSet<DeviceId> {
        self.links.iter().filter(|(_, link)| link.up).map(|(device, _)| *device).collect()
    }

    /// Opens and closes links so that they are the wanted ones.
    fn settle(&mut self) {
        let wanted = self.wanted();
        self.links.retain(|device, _| wanted.contains(device));
        for device in wanted {
            if self.links.contains_key(&device) || self.in_trouble(&device) {
                continue;
            }
            let (out, outbox) = mpsc::channel(OUT_MAX);
            if *self.inner.leaving.borrow() {
                // Nobody else writes yet: there is room.
                let _ = out.try_send(ToPeer::Intent { leaving: true });
            }
            let task = tokio::spawn(link(self.inner.clone(), device, outbox, self.events.clone()));
            self.links.insert(device, Link { out, task: task.abort_handle(), up: false });
        }
    }

    /// The holder, and others until there are two that are not in trouble.
    fn wanted(&self) -> Vec<DeviceId> {
        let inner = &self.inner;
        let Known { holder, .. } = inner.known();
        let me = inner.device;
        let Some(site) = inner.site() else { return Vec::new() };
        if holder == Some(me) {
            return Vec::new();
        }
        let mut wanted: Vec<DeviceId> = holder.into_iter().filter(|holder| !site.revoked(holder)).collect();
        // A log holder's own engine knows who holds: it needs no second opinion.
        let enough = if inner.log().is_some() && holder.is_some() { 1 } else { LINKS };
        let mut fine = wanted.iter().filter(|device| !self.in_trouble(device)).count();
        let others = site.log_holders().into_iter().chain(inner.book().devices().collect::<Vec<_>>());
        for device in others {
            if fine >= enough {
                break;
            }
            if device == me || wanted.contains(&device) || self.in_trouble(&device) || site.revoked(&device) {
                continue;
            }
            if !site.enrolled(&device)
                && site.roster.is_some()
                && site.enrolled(&me)
                && self.knows_enough(&site)
            {
                continue;
            }
            wanted.push(device);
            fine += 1;
        }
        wanted
    }

    /// Whether the roster's own log holders suffice, so that unlisted devices need not be dialed.
    fn knows_enough(&self, site: &super::record::Site) -> bool {
        site.log_holders().iter().any(|device| *device != self.inner.device && !self.in_trouble(device))
    }

    fn in_trouble(&self, device: &DeviceId) -> bool {
        self.trouble.get(device).is_some_and(|trouble| trouble.retry_at > self.inner.clock.mono())
    }

    fn next_retry(&self) -> Duration {
        let now = self.inner.clock.mono();
        let next = self.trouble.values().map(|t| t.retry_at.ms_since(now)).filter(|ms| *ms > 0).min();
        Duration::from_millis(next.unwrap_or(60_000).max(10))
    }

    /// Something changed: everybody may be tried again at once.
    fn forgive(&mut self) {
        for trouble in self.trouble.values_mut() {
            trouble.retry_at = BootTime(0);
        }
    }

    /// The machine is awake again, after it was so at `before`. Who did not hear from it meanwhile has ended the connections,
    /// which this side would find out only by waiting for answers: they are made anew.
    fn woke(&mut self, before: BootTime) {
        self.forgive();
        if self.inner.clock.mono().ms_since(before) > SLEPT_MS {
            tracing::debug!("this agent has slept");
            let links = mem::take(&mut self.links);
            links.keys().for_each(|peer| self.inner.net.0.close(peer, "this machine has slept"));
        }
        self.ping();
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Up(device) => {
                self.trouble.remove(&device);
                if let Some(link) = self.links.get_mut(&device) {
                    link.up = true;
                }
                self.inner.turned_away(None);
                if self.inner.known().holder == Some(device) {
                    self.ping();
                }
            }
            Event::Heard(device, message) => self.heard(device, *message),
            Event::Down(device, reason) => {
                tracing::debug!(peer = %device.short(), %reason, "link down");
                if self.links.remove(&device).is_none() {
                    return;
                }
                // It may have another address, and its announcement may be lost. Only the holder is worth a question
                // to the whole LAN.
                if self.inner.known().holder.is_none_or(|holder| holder == device)
                    && let Some(discovery) = &self.inner.discovery
                {
                    discovery.look_for(&device);
                }
                let trouble = self.trouble.entry(device).or_default();
                let pause = RETRY_MS.0.saturating_mul(1 << trouble.failures.min(8)).min(RETRY_MS.1);
                trouble.failures = trouble.failures.saturating_add(1);
                trouble.retry_at = self.inner.clock.mono().plus_ms(pause);
            }
        }
    }

    fn heard(&self, device: DeviceId, message: FromPeer) {
        match message {
            FromPeer::Welcome(view) | FromPeer::View(view) => {
                let before = self.inner.known().holder;
                self.inner.learn_view(&device, view);
                let after = self.inner.known().holder;
                if after == Some(device) && before != after {
                    self.ping();
                }
            }
            FromPeer::Pong(_) if self.inner.refuse_device(&device).is_some() => {}
            FromPeer::Pong(pong) => {
                self.inner.contacts().heard(device, self.inner.clock.mono(), None);
                self.inner.learn_holder(device, pong.term, device);
                self.inner.seats.pong(&self.inner, &pong);
            }
            FromPeer::Queue(places) => {
                // From the holder alone; whoever claims to be it can make this device ask, and no more.
                if self.inner.known().holder == Some(device) {
                    self.inner.seats.queue(&places);
                }
            }
            FromPeer::Refused(refusal) => {
                self.inner.learn_refusal(&refusal);
                let by_holder = self.inner.known().holder.is_none_or(|holder| holder == device);
                if by_holder && matches!(refusal, PeerRefusal::Revoked | PeerRefusal::NotEnrolled) {
                    self.inner.turned_away(Some(refusal.to_string()));
                }
            }
        }
    }

    /// Pings the holder, which may be this device.
    fn ping(&self) {
        let Some(holder) = self.inner.known().holder else { return };
        let now = self.inner.clock.mono();
        if holder == self.inner.device {
            let ping = self.inner.ping(now);
            let inner = self.inner.clone();
            tokio::spawn(async move {
                if let Some(pong) = inner.answer_ping(inner.device, ping, now).await {
                    inner.seats.pong(&inner, &pong);
                }
            });
            return;
        }
        let Some(link) = self.links.get(&holder).filter(|link| link.up) else { return };
        let ping = self.inner.ping(now);
        // A full outbox means that the holder does not read: this ping is then one that was never answered.
        let _ = link.out.try_send(ToPeer::Ping(ping));
    }

    fn tell_all(&self, message: &ToPeer) {
        for link in self.links.values() {
            let _ = link.out.try_send(message.clone());
        }
    }
}

/// One control stream, from dialing to its end.
async fn link(
    inner: Arc<Inner>,
    peer: DeviceId,
    mut outbox: mpsc::Receiver<ToPeer>,
    events: mpsc::Sender<Event>,
) {
    let reason = match converse(&inner, peer, &mut outbox, &events).await {
        Ok(()) => "closed".to_owned(),
        Err(reason) => reason,
    };
    let _ = events.send(Event::Down(peer, reason)).await;
}

async fn converse(
    inner: &Arc<Inner>,
    peer: DeviceId,
    outbox: &mut mpsc::Receiver<ToPeer>,
    events: &mpsc::Sender<Event>,
) -> Result<(), String> {
    let site = inner.site().ok_or("no site")?;
    let begin = async {
        let mut stream = inner.net.open(peer, Channel::Session).await.map_err(|e| e.to_string())?;
        let hello = Hello { site: site.reference(), roster: site.roster_number() };
        write_frame(&mut stream, &Opening::Control(hello), SESSION_FRAME_BYTES_MAX)
            .await
            .map_err(|e| e.to_string())?;
        let first: FromPeer =
            read_frame(&mut stream, SESSION_FRAME_BYTES_MAX).await.map_err(|e| e.to_string())?;
        Ok::<_, String>((stream, first))
    };
    let (stream, first) = match tokio::time::timeout(UP_WITHIN, begin).await {
        Ok(begun) => begun.inspect_err(|error| inner.note_refusal(&peer, error))?,
        Err(_) => return Err("no answer".to_owned()),
    };
    let refused = match &first {
        FromPeer::Refused(refusal) => Some(refusal.to_string()),
        _ => None,
    };
    let send = |event| async { events.send(event).await.map_err(|_| "stopping".to_owned()) };
    send(Event::Heard(peer, Box::new(first))).await?;
    if let Some(refusal) = refused {
        return Err(refusal);
    }
    send(Event::Up(peer)).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let reading = async {
        loop {
            let message = read_frame(&mut from, SESSION_FRAME_BYTES_MAX).await.map_err(|e| e.to_string())?;
            send(Event::Heard(peer, Box::new(message))).await?;
        }
    };
    let writing = async {
        while let Some(message) = outbox.recv().await {
            write_frame(&mut to, &message, SESSION_FRAME_BYTES_MAX).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}
