//! Who may connect, where to dial, who is here, who asks to be admitted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use seatkeeper_election::seam::Channel;
use seatkeeper_ledger::command::Form;
use seatkeeper_protocol::id::{DeviceId, Name, PublicKey};
use seatkeeper_protocol::limits::WAITING_DEVICES_MAX;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::PeerRefusal;

use super::Inner;
use crate::seam::{Gate, Peer};

/// The transport's questions, answered by the node once it exists.
#[derive(Debug, Default)]
pub(crate) struct NodeGate(OnceLock<Weak<Inner>>);

impl NodeGate {
    pub(crate) fn open(&self, inner: &Arc<Inner>) {
        // Set once, right after the node is made.
        let _ = self.0.set(Arc::downgrade(inner));
    }

    fn inner(&self) -> Option<Arc<Inner>> {
        self.0.get().and_then(Weak::upgrade)
    }
}

impl Gate for NodeGate {
    fn admit(&self, peer: &Peer, channel: Channel) -> Result<(), String> {
        let inner = self.inner().ok_or("the agent is starting or stopping")?;
        if channel == Channel::Join {
            return Ok(());
        }
        match inner.refuse_device(&peer.device) {
            Some(refusal) => Err(refusal.to_string()),
            None => Ok(()),
        }
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.inner().map(|inner| inner.book().addresses(device)).unwrap_or_default()
    }

    fn connected(&self, peer: &Peer, channel: Channel) {
        if channel == Channel::Join {
            return;
        }
        if let Some(inner) = self.inner() {
            inner.book().saw(peer.device, peer.address);
        }
    }
}

/// A device that asked to be admitted.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) key: PublicKey,
    pub(crate) name: Name,
    pub(crate) form: Form,
    pub(crate) version: Name,
    pub(crate) address: SocketAddr,
    pub(crate) at: BootTime,
}

/// Devices that ask to be admitted, the newest [`WAITING_DEVICES_MAX`].
pub(crate) type WaitingRoom = BTreeMap<DeviceId, Asked>;

/// A device is connected as long as this lives.
pub(crate) struct Here {
    inner: Arc<Inner>,
    device: DeviceId,
}

impl Drop for Here {
    fn drop(&mut self) {
        // Presence changes under the same lock, or a device that comes back at this moment would be forgotten.
        let mut streams = self.inner.streams();
        let last = streams.get_mut(&self.device).is_some_and(|count| {
            *count -= 1;
            *count == 0
        });
        if last {
            streams.remove(&self.device);
            self.inner.contacts().heard(self.device, self.inner.clock.mono(), None);
            self.inner.presence.send_modify(|presence| {
                presence.since.remove(&self.device);
            });
        }
    }
}

impl Inner {
    /// A control stream of `device` has begun.
    pub(crate) fn arrived(self: &Arc<Self>, device: DeviceId) -> Here {
        let mut streams = self.streams();
        let count = streams.entry(device).or_insert(0usize);
        *count += 1;
        let first = *count == 1;
        let now = self.clock.mono();
        self.presence.send_if_modified(|presence| {
            if first {
                presence.since.insert(device, now);
            }
            // Who still means to go says so again on each new stream.
            presence.leaving.remove(&device) || first
        });
        drop(streams);
        Here { inner: self.clone(), device }
    }

    /// `device` means to go, or stays after all.
    pub(crate) fn intends(&self, device: DeviceId, leaving: bool) {
        self.presence.send_if_modified(|presence| {
            if leaving { presence.leaving.insert(device) } else { presence.leaving.remove(&device) }
        });
    }

    /// `device` must leave the membership, or need not any more.
    pub(crate) fn ban(&self, device: DeviceId, banned: bool) {
        self.presence.send_if_modified(
            |presence| {
                if banned { presence.ban(device) } else { presence.unban(device) }
            },
        );
    }

    /// A device without a code asks to be admitted.
    pub(crate) fn asks_admission(&self, device: DeviceId, asked: Asked) {
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING_DEVICES_MAX && !waiting.contains_key(&device) {
            let oldest = waiting.iter().min_by_key(|(_, asked)| asked.at).map(|(device, _)| *device);
            if let Some(oldest) = oldest {
                waiting.remove(&oldest);
            }
        }
        waiting.insert(device, asked);
    }

    /// What a failed dial says: whether the site turned this device away.
    pub(crate) fn note_refusal(&self, peer: &DeviceId, error: &str) {
        let by_holder = self.known().holder.is_none_or(|holder| holder == *peer);
        for refusal in [PeerRefusal::Revoked, PeerRefusal::NotEnrolled] {
            let text = refusal.to_string();
            if by_holder && error.contains(&text) {
                self.turned_away(Some(text));
            }
        }
    }
}
