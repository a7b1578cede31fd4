//! The discovery book: where devices were seen. Hints to dial by, newest first; bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::DEVICES_MAX;

/// Addresses remembered per device.
const ADDRESSES_MAX: usize = 8;

/// Where devices were seen.
#[derive(Clone, Debug, Default)]
pub struct Book(BTreeMap<DeviceId, VecDeque<SocketAddr>>);

impl Book {
    /// `device` was seen at `address`, or says so. The newest is tried first. Whether that is news.
    pub fn saw(&mut self, device: DeviceId, address: SocketAddr) -> bool {
        if !self.0.contains_key(&device) && self.0.len() >= DEVICES_MAX {
            return false;
        }
        let addresses = self.0.entry(device).or_default();
        if addresses.front() == Some(&address) {
            return false;
        }
        let known = addresses.iter().position(|known| *known == address);
        if let Some(at) = known {
            addresses.remove(at);
        }
        addresses.push_front(address);
        addresses.truncate(ADDRESSES_MAX);
        known.is_none()
    }

    /// Where to dial `device`, best first.
    pub fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.0.get(device).map(|addresses| addresses.iter().copied().collect()).unwrap_or_default()
    }

    /// Whether anything is known of `device`, or there is room for one that nobody vouches for: what strangers say must
    /// not crowd out the site's own devices.
    pub fn has_room_for(&self, device: &DeviceId) -> bool {
        self.0.contains_key(device) || self.0.len() < DEVICES_MAX / 2
    }

    /// The newest address of `device`.
    pub fn newest(&self, device: &DeviceId) -> Option<SocketAddr> {
        self.0.get(device).and_then(|addresses| addresses.front().copied())
    }

    /// All devices with an address.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.0.keys().copied()
    }

    /// Forgets everything: the device left the site.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_address_comes_first_and_the_list_is_bounded() {
        let mut book = Book::default();
        let device = DeviceId([1; 20]);
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        for port in 0..20 {
            assert!(book.saw(device, address(port)));
        }
        assert_eq!(book.addresses(&device).len(), ADDRESSES_MAX);
        assert_eq!(book.newest(&device), Some(address(19)));
        assert!(!book.saw(device, address(15)), "known already");
        assert_eq!(book.newest(&device), Some(address(15)));
        assert_eq!(book.addresses(&device).len(), ADDRESSES_MAX);
    }
}
