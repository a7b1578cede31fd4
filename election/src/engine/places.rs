//! Places for incoming streams: so many in all, and of one machine a part of them only, so that one that opens streams and
//! says nothing keeps no other out.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seatkeeper_protocol::id::DeviceId;

/// One machine may have this part of all places.
const PART: usize = 4;

pub(super) struct Places {
    max: usize,
    taken: Mutex<BTreeMap<DeviceId, usize>>,
}

/// One place, until it is dropped.
pub(super) struct Place<'a> {
    of: &'a Places,
    peer: DeviceId,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { max, taken: Mutex::default() }
    }

    /// `None`: there is none left, or not for this machine.
    pub(super) fn take(&self, peer: DeviceId) -> Option<Place<'_>> {
        let mut taken = self.taken();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&peer).copied().unwrap_or(0));
        if all >= self.max || own >= self.max.div_ceil(PART) {
            return None;
        }
        taken.insert(peer, own + 1);
        Some(Place { of: self, peer })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<DeviceId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        match taken.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let places = Places::new(8);
        let of = |n| places.take(DeviceId([n; 20]));
        let first = [of(1), of(1)];
        assert!(first.iter().all(Option::is_some) && of(1).is_none());
        let others: Vec<_> = (2..=4).flat_map(|n| [of(n), of(n)]).collect();
        assert!(others.iter().all(Option::is_some));
        assert!(of(5).is_none(), "all are taken");
        drop(first);
        assert!(of(5).is_some() && of(1).is_some());
        drop(others);
        assert_eq!(places.taken().len(), 0);
    }
}
