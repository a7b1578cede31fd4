//! When devices were last heard of, and how far their clocks are off. For people; nothing is decided by it.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::DEVICES_MAX;
use seatkeeper_protocol::time::BootTime;

/// What is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// When it was last heard, on this device's boot clock.
    pub at: BootTime,
    /// By how much its clock was ahead of the site's time, milliseconds, if it has told.
    pub clock_ahead_ms: Option<i64>,
}

/// What this device has heard itself since it started; bounded.
#[derive(Clone, Debug, Default)]
pub struct Contacts(BTreeMap<DeviceId, Contact>);

impl Contacts {
    /// `device` was heard, and told its clock if that is `Some`.
    pub fn heard(&mut self, device: DeviceId, at: BootTime, clock_ahead_ms: Option<i64>) {
        if !self.0.contains_key(&device) && self.0.len() >= DEVICES_MAX {
            let longest_ago = self.0.iter().min_by_key(|(_, contact)| contact.at).map(|(device, _)| *device);
            longest_ago.and_then(|device| self.0.remove(&device));
        }
        let before = self.0.get(&device).and_then(|contact| contact.clock_ahead_ms);
        self.0.insert(device, Contact { at, clock_ahead_ms: clock_ahead_ms.or(before) });
    }

    /// What is known of `device`.
    pub fn get(&self, device: &DeviceId) -> Option<Contact> {
        self.0.get(device).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: usize) -> DeviceId {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&number.to_be_bytes());
        DeviceId(id)
    }

    #[test]
    fn a_clock_is_remembered_until_it_is_told_anew() {
        let mut contacts = Contacts::default();
        assert_eq!(contacts.get(&device(1)), None);
        contacts.heard(device(1), BootTime(5), Some(-900));
        contacts.heard(device(1), BootTime(7), None);
        let known = Contact { at: BootTime(7), clock_ahead_ms: Some(-900) };
        assert_eq!(contacts.get(&device(1)), Some(known));
        contacts.heard(device(1), BootTime(9), Some(20));
        assert_eq!(contacts.get(&device(1)).and_then(|known| known.clock_ahead_ms), Some(20));
    }

    #[test]
    fn when_there_are_too_many_who_was_heard_longest_ago_is_forgotten() {
        let mut contacts = Contacts::default();
        for number in 0..=DEVICES_MAX {
            contacts.heard(device(number), BootTime(u64::try_from(number).unwrap()), None);
        }
        assert_eq!(contacts.0.len(), DEVICES_MAX);
        assert_eq!(contacts.get(&device(0)), None);
        assert!(contacts.get(&device(1)).is_some());
    }
}
