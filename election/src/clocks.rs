//! What other members' wall clocks say. It comes with each acknowledgement, so a leader that a majority follows knows
//! the time of a majority.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::time::{BootTime, WallTime};

use crate::seam::Clock;

/// A reading is forgotten after this time, milliseconds.
const KEPT_MS: u64 = 60_000;

/// What a device's wall clock said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the answer arrived here.
    pub received: BootTime,
    /// What it said.
    pub wall: WallTime,
}

/// The latest reading of each device that has acknowledged something within the last minute.
pub(crate) struct Clocks {
    clock: Arc<dyn Clock>,
    readings: Mutex<BTreeMap<DeviceId, Reading>>,
}

impl Clocks {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, readings: Mutex::default() }
    }

    pub(crate) fn note(&self, device: DeviceId, wall: WallTime) {
        let received = self.clock.mono();
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if readings.insert(device, Reading { received, wall }).is_none() {
            readings.retain(|_, reading| received.ms_since(reading.received) <= KEPT_MS);
        }
    }

    pub(crate) fn readings(&self) -> BTreeMap<DeviceId, Reading> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
