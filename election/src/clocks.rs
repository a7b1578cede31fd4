//! What other members' wall clocks say. It comes with each acknowledgement, so a leader that a majority follows knows
//! the time of a majority.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};

use crate::seam::Clock;

/// A reading may be forgotten after this time, milliseconds.
const KEPT_MS: u64 = 60_000;

/// What a device's wall clock said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When it was asked for: this node may have slept before it looked at the answer, which is then old.
    pub asked: BootTime,
    /// What it said.
    pub wall: WallTime,
}

/// The latest reading of each device. When one is added, those older than a minute are dropped.
pub(crate) struct Clocks {
    clock: Arc<dyn Clock>,
    readings: Mutex<BTreeMap<DeviceId, Reading>>,
}

impl Clocks {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, readings: Mutex::default() }
    }

    pub(crate) fn now(&self) -> BootTime {
        self.clock.mono()
    }

    pub(crate) fn note(&self, device: DeviceId, asked: BootTime, wall: WallTime) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams overtake each other.
        if readings.get(&device).is_some_and(|known| known.asked > asked) {
            return;
        }
        if readings.insert(device, Reading { asked, wall }).is_none() {
            readings.retain(|_, reading| asked.ms_since(reading.asked) <= KEPT_MS);
        }
    }

    pub(crate) fn readings(&self) -> BTreeMap<DeviceId, Reading> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
