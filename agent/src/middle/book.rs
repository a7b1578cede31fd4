//! The discovery book: where devices were seen. Hints to dial by, newest first; bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::DEVICES_MAX;

/// Addresses remembered per device.
const ADDRESSES_MAX: usize = 8;
/// Of these, so many at which the device has proven its key: what anybody may announce does not push them out.
const PROVEN_MAX: usize = 4;

/// Where devices were seen.
#[derive(Clone, Debug, Default)]
pub struct Book(BTreeMap<DeviceId, VecDeque<Place>>);

#[derive(Clone, Copy, Debug)]
struct Place {
    address: SocketAddr,
    proven: bool,
}

impl Book {
    /// `device` has proven its key at `address`. The newest is tried first. Whether that is news.
    pub fn saw(&mut self, device: DeviceId, address: SocketAddr) -> bool {
        self.note(device, Place { address, proven: true })
    }

    /// Somebody says that `device` is at `address`: an announcement, another device, a record. Tried first as well,
    /// as a device that has moved says so in this way. Whether that is news.
    pub fn heard(&mut self, device: DeviceId, address: SocketAddr) -> bool {
        self.note(device, Place { address, proven: false })
    }

    fn note(&mut self, device: DeviceId, mut place: Place) -> bool {
        if !self.0.contains_key(&device) && self.0.len() >= DEVICES_MAX {
            return false;
        }
        let places = self.0.entry(device).or_default();
        let known = places.iter().position(|known| known.address == place.address);
        if let Some(known) = known.and_then(|at| places.remove(at)) {
            place.proven |= known.proven;
        }
        places.push_front(place);
        places
            .iter_mut()
            .filter(|place| place.proven)
            .skip(PROVEN_MAX)
            .for_each(|place| place.proven = false);
        if places.len() > ADDRESSES_MAX
            && let Some(at) = places.iter().rposition(|place| !place.proven)
        {
            places.remove(at);
        }
        known.is_none()
    }

    /// Where to dial `device`, best first.
    pub fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.0
            .get(device)
            .map(|places| places.iter().map(|place| place.address).collect())
            .unwrap_or_default()
    }

    /// Whether anything is known of `device`, or there is room for one that nobody vouches for: what strangers say must
    /// not crowd out the site's own devices.
    pub fn has_room_for(&self, device: &DeviceId) -> bool {
        self.0.contains_key(device) || self.0.len() < DEVICES_MAX / 2
    }

    /// The newest address of `device`.
    pub fn newest(&self, device: &DeviceId) -> Option<SocketAddr> {
        self.0.get(device).and_then(|places| places.front()).map(|place| place.address)
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

    #[test]
    fn false_hints_do_not_push_out_where_a_device_has_proven_itself() {
        let mut book = Book::default();
        let device = DeviceId([1; 20]);
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        book.saw(device, address(1));
        for port in 100..1_100 {
            book.heard(device, address(port));
        }
        assert_eq!(
            (book.newest(&device), book.addresses(&device).len()),
            (Some(address(1_099)), ADDRESSES_MAX)
        );
        assert!(book.addresses(&device).contains(&address(1)));
        // Nor do all the places where it once was keep out where it says that it is now.
        for port in 2..=40 {
            book.saw(device, address(port));
        }
        book.heard(device, address(50));
        assert_eq!(book.newest(&device), Some(address(50)));
        let proven = (37..=40).map(address);
        assert!(proven.into_iter().all(|address| book.addresses(&device).contains(&address)), "{book:?}");
    }
}
