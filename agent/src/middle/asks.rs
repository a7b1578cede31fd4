//! Who asks for which idle seat: the holder's, for one term, and not in the log. Nothing is ever taken away by it.
//!
//! An ask is open until somebody uses the seat again, the seat is gone, or who asked waits no more
//! ([`Asks::close_unless`]). A seat is asked for once in [`ASK_EVERY_MS`], whoever asks.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Name, Note, SeatId};
use seatkeeper_protocol::limits::{ASK_EVERY_MS, ASK_IDLE_MINUTES_MIN, ASKS_MAX};
use seatkeeper_protocol::time::BootTime;

/// The same ask within this is one that was sent twice, milliseconds.
const SENT_TWICE_MS: u64 = 10_000;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The user.
    pub user: Name,
    /// The device.
    pub device: DeviceId,
    /// What is said to who has the seat.
    pub note: Option<Note>,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub by: Asker,
    /// The device that has the seat.
    pub of: DeviceId,
    /// For how many minutes the seat had been idle when this was last looked at.
    pub minutes: u16,
    /// When.
    pub at: BootTime,
    open: bool,
}

/// Why a seat can't be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// Nobody knows whether it is idle.
    Unknown,
    /// It is not, or only for so many minutes.
    InUse(u16),
    /// It was asked for, and can be again after so many milliseconds.
    Lately(u64),
    /// Too many are asked for.
    TooMany,
}

/// What is asked for.
#[derive(Debug, Default)]
pub struct Asks {
    table: BTreeMap<SeatId, Ask>,
}

impl Asks {
    /// `by` asks for a seat of the device `of` that has been idle for so many minutes.
    ///
    /// # Errors
    /// When the seat is not idle for long enough, as far as is known, or was asked for lately.
    pub fn ask(
        &mut self,
        seat: SeatId,
        of: DeviceId,
        minutes: Option<u16>,
        by: Asker,
        now: BootTime,
    ) -> Result<u16, Unasked> {
        if let Some(known) = self.table.get(&seat) {
            let ago_ms = now.ms_since(known.at);
            if known.open && known.by == by && ago_ms <= SENT_TWICE_MS {
                return Ok(known.minutes);
            }
            if ago_ms < ASK_EVERY_MS {
                return Err(Unasked::Lately(ASK_EVERY_MS - ago_ms));
            }
        }
        let minutes = minutes.ok_or(Unasked::Unknown)?;
        if minutes < ASK_IDLE_MINUTES_MIN {
            return Err(Unasked::InUse(minutes));
        }
        self.table.retain(|_, ask| ask.open || now.ms_since(ask.at) < ASK_EVERY_MS);
        if self.table.len() >= ASKS_MAX {
            return Err(Unasked::TooMany);
        }
        self.table.insert(seat, Ask { by, of, minutes, at: now, open: true });
        Ok(minutes)
    }

    /// Closes the asks for seats of this device that are used again, that are gone, or whose asker waits no more:
    /// `stands` answers `None` for the last two, else for how many minutes the seat has been idle, if that is known.
    pub fn close_unless(&mut self, of: &DeviceId, stands: impl Fn(&SeatId, &Ask) -> Option<Option<u16>>) {
        for (seat, ask) in self.table.iter_mut().filter(|(_, ask)| ask.open && ask.of == *of) {
            match stands(seat, ask) {
                Some(Some(minutes)) if minutes >= ask.minutes => ask.minutes = minutes,
                // Its device is silent for a moment.
                Some(None) => {}
                Some(Some(_)) | None => ask.open = false,
            }
        }
    }

    /// The open ask for a seat.
    pub fn open(&self, seat: &SeatId) -> Option<&Ask> {
        self.table.get(seat).filter(|ask| ask.open)
    }

    /// The open asks for seats of a device.
    pub fn open_of(&self, of: &DeviceId) -> impl Iterator<Item = (&SeatId, &Ask)> {
        self.table.iter().filter(move |(_, ask)| ask.open && ask.of == *of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: SeatId = SeatId(7);

    fn device(n: u8) -> DeviceId {
        DeviceId([n; 20])
    }

    fn by(user: &str) -> Asker {
        Asker { user: Name::new(user).unwrap(), device: device(2), note: None }
    }

    fn ask(asks: &mut Asks, seat: SeatId, minutes: Option<u16>, user: &str, ms: u64) -> Result<u16, Unasked> {
        asks.ask(seat, device(1), minutes, by(user), BootTime(ms))
    }

    #[test]
    fn only_what_is_known_to_be_idle_is_asked_for_and_not_too_often() {
        let mut asks = Asks::default();
        for (minutes, user, ms, expected) in [
            (None, "eva", 0, Err(Unasked::Unknown)),
            (Some(0), "eva", 0, Err(Unasked::InUse(0))),
            (Some(ASK_IDLE_MINUTES_MIN - 1), "eva", 0, Err(Unasked::InUse(ASK_IDLE_MINUTES_MIN - 1))),
            (Some(ASK_IDLE_MINUTES_MIN), "eva", 0, Ok(ASK_IDLE_MINUTES_MIN)),
            // The answer got lost, and the request was sent again.
            (Some(9), "eva", SENT_TWICE_MS, Ok(ASK_IDLE_MINUTES_MIN)),
            (Some(9), "max", SENT_TWICE_MS, Err(Unasked::Lately(ASK_EVERY_MS - SENT_TWICE_MS))),
            (Some(15), "eva", ASK_EVERY_MS - 1, Err(Unasked::Lately(1))),
            (Some(15), "max", ASK_EVERY_MS, Ok(15)),
        ] {
            assert_eq!(ask(&mut asks, SEAT, minutes, user, ms), expected, "{minutes:?} {user} {ms}");
        }
        assert_eq!(asks.open(&SEAT).map(|ask| ask.by.clone()), Some(by("max")));
        assert_eq!(asks.open_of(&device(1)).count(), 1);
        assert_eq!(asks.open_of(&device(2)).count(), 0);
    }

    #[test]
    fn an_ask_ends_with_the_seats_next_use_or_with_the_wait() {
        for (stands, open) in [
            (Some(Some(6)), true),
            (Some(Some(30)), true),
            (Some(None), true),
            (Some(Some(5)), false),
            (Some(Some(0)), false),
            (None, false),
        ] {
            let mut asks = Asks::default();
            ask(&mut asks, SEAT, Some(6), "eva", 0).unwrap();
            asks.close_unless(&device(2), |_, _| None);
            assert!(asks.open(&SEAT).is_some(), "another device's");
            asks.close_unless(&device(1), |_, _| stands);
            assert_eq!(asks.open(&SEAT).is_some(), open, "{stands:?}");
            // Also then it is not asked for again at once.
            assert!(ask(&mut asks, SEAT, Some(30), "max", 20_000).is_err());
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut asks = Asks::default();
        for n in 0..ASKS_MAX {
            ask(&mut asks, SeatId(n as u64), Some(9), "eva", 0).unwrap();
        }
        assert_eq!(ask(&mut asks, SeatId(u64::MAX), Some(9), "eva", 0), Err(Unasked::TooMany));
        asks.close_unless(&device(1), |_, _| None);
        assert_eq!(ask(&mut asks, SeatId(u64::MAX), Some(9), "eva", ASK_EVERY_MS), Ok(9));
        assert_eq!(asks.table.len(), 1);
    }
}
