//! Sessions that ended for good, so that a checkout that arrives after its own return is refused (invariant I4).

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{DeviceId, SessionId};
use serde::{Deserialize, Serialize};

/// Tombstones of a site.
pub(crate) const TOMBSTONES_MAX: usize = 10_000;
/// Tombstones of one device: a device that ends many sessions pushes out its own first.
pub(crate) const TOMBSTONES_PER_DEVICE_MAX: usize = 256;

/// A bounded first-in, first-out set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TombstonesOnDisk")]
pub(crate) struct Tombstones {
    next: u64,
    by_session: BTreeMap<(DeviceId, SessionId), u64>,
    by_age: BTreeMap<u64, (DeviceId, SessionId)>,
    by_device: BTreeSet<(DeviceId, u64)>,
    /// How many each device has: known rather than counted, for each return asks.
    #[serde(skip)]
    counts: BTreeMap<DeviceId, usize>,
}

/// [`Tombstones`] in a snapshot.
#[derive(Deserialize)]
struct TombstonesOnDisk {
    next: u64,
    by_session: BTreeMap<(DeviceId, SessionId), u64>,
    by_age: BTreeMap<u64, (DeviceId, SessionId)>,
    by_device: BTreeSet<(DeviceId, u64)>,
}

impl From<TombstonesOnDisk> for Tombstones {
    fn from(disk: TombstonesOnDisk) -> Self {
        let TombstonesOnDisk { next, by_session, by_age, by_device } = disk;
        let mut counts: BTreeMap<DeviceId, usize> = BTreeMap::new();
        by_device.iter().for_each(|(device, _)| *counts.entry(*device).or_default() += 1);
        Self { next, by_session, by_age, by_device, counts }
    }
}

impl Tombstones {
    pub(crate) fn contains(&self, device: DeviceId, session: SessionId) -> bool {
        self.by_session.contains_key(&(device, session))
    }

    /// Adds one; what is over a bound goes, oldest first.
    pub(crate) fn add(&mut self, device: DeviceId, session: SessionId) {
        if self.contains(device, session) {
            return;
        }
        if self.counts.get(&device).is_some_and(|count| *count >= TOMBSTONES_PER_DEVICE_MAX) {
            let oldest =
                self.by_device.range((device, 0)..=(device, u64::MAX)).next().map(|(_, number)| *number);
            oldest.into_iter().for_each(|number| self.remove(number));
        }
        if self.by_age.len() >= TOMBSTONES_MAX {
            let oldest = self.by_age.first_key_value().map(|(number, _)| *number);
            oldest.into_iter().for_each(|number| self.remove(number));
        }
        self.by_session.insert((device, session), self.next);
        self.by_age.insert(self.next, (device, session));
        self.by_device.insert((device, self.next));
        *self.counts.entry(device).or_default() += 1;
        self.next = self.next.saturating_add(1);
    }

    /// Forgets those of a device that left.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        let own: Vec<u64> =
            self.by_device.range((device, 0)..=(device, u64::MAX)).map(|(_, number)| *number).collect();
        own.into_iter().for_each(|number| self.remove(number));
    }

    fn remove(&mut self, number: u64) {
        if let Some((device, session)) = self.by_age.remove(&number) {
            self.by_session.remove(&(device, session));
            self.by_device.remove(&(device, number));
            if let Some(count) = self.counts.get_mut(&device) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.counts.remove(&device);
                }
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.by_age.len(), self.by_session.len());
        assert_eq!(self.by_age.len(), self.by_device.len());
        self.by_age.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u32) -> SessionId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_le_bytes());
        SessionId(id)
    }

    fn device(n: u8) -> DeviceId {
        DeviceId([n; 20])
    }

    #[test]
    fn a_device_pushes_out_its_own_oldest() {
        let mut tombstones = Tombstones::default();
        tombstones.add(device(1), session(0));
        for n in 0..1_000 {
            tombstones.add(device(2), session(n));
            tombstones.add(device(2), session(n));
        }
        assert_eq!(tombstones.len(), 1 + TOMBSTONES_PER_DEVICE_MAX);
        assert!(tombstones.contains(device(1), session(0)));
        assert!(tombstones.contains(device(2), session(999)));
        assert!(!tombstones.contains(device(2), session(1_000 - 257)));
        assert!(tombstones.contains(device(2), session(1_000 - 256)));
        tombstones.forget(device(2));
        assert_eq!(tombstones.len(), 1);
    }

    #[test]
    fn the_total_is_bounded() {
        let mut tombstones = Tombstones::default();
        for d in 0..50 {
            (0..256).for_each(|n| tombstones.add(device(d), session(n)));
        }
        assert_eq!(tombstones.len(), TOMBSTONES_MAX);
        assert!(!tombstones.contains(device(0), session(0)));
        assert!(tombstones.contains(device(49), session(255)));
    }
}
