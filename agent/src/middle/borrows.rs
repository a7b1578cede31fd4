//! The seats that this device has borrowed: it uses them by their tickets alone, with no network at all (design
//! section 5).
//!
//! The device judges a borrow's end by the latest time that it has ever known, so that setting the clock back prolongs
//! nothing. A seat is given back in two steps: it is *retired* here for good, on disk, and only then is the site told.

use seatkeeper_protocol::id::{Feature, Name, ProductId, SeatId, Version};
use seatkeeper_protocol::license::{Share, SignedLicense};
use seatkeeper_protocol::time::{BootTime, WallTime};
use seatkeeper_protocol::wire::BorrowPlace;
use serde::{Deserialize, Serialize};

/// How long before its end a borrow is warned of, milliseconds; the last first.
pub const WARN_MS: [i64; 3] = [10 * 60 * 1_000, 60 * 60 * 1_000, 24 * 60 * 60 * 1_000];

/// A borrowed seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The seat.
    pub seat: SeatId,
    /// Of the ticket.
    pub serial: u64,
    /// The ticket, base64url.
    pub ticket: String,
    /// The license.
    pub license: Name,
    /// Its file: what an application verifies offline.
    pub license_text: String,
    /// The product.
    pub product: ProductId,
    /// The version granted.
    pub version: Version,
    /// The features granted.
    pub features: Vec<Feature>,
    /// Whose.
    pub user: Name,
    /// Which starts share it.
    pub share: Share,
    /// Until when.
    pub ends: WallTime,
    /// Prolonged whenever the site is seen, to so long from then, milliseconds.
    pub renew_ms: Option<i64>,
}

impl Kept {
    /// Whether a start of `user` may use the seat, as far as its terms go.
    pub fn covers(&self, start: &Start<'_>) -> bool {
        self.product == *start.product
            && (self.share == Share::Device || self.user == *start.user)
            && start.version.is_none_or(|version| self.version.covers(version))
            && start.features.iter().all(|feature| self.features.contains(feature))
    }

    /// Until when it is to be prolonged now, if it is: a tenth of what it should last has passed. No borrow outlives
    /// its license; near that end there is nothing to prolong.
    pub fn prolong_until(&self, now: WallTime) -> Option<WallTime> {
        let ms = self.renew_ms?;
        if self.ends.ms_since(now) >= ms.saturating_sub(ms / 10) {
            return None;
        }
        let license = SignedLicense::parse(&self.license_text).ok();
        let end = license.and_then(|file| file.license().valid_until).map(|day| day.ends());
        let until = now.plus_ms(ms);
        Some(end.map_or(until, |end| until.min(end))).filter(|until| *until > self.ends)
    }
}

/// A start that looks for a borrowed seat.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Who.
    pub user: &'a Name,
    /// The product.
    pub product: &'a ProductId,
    /// The version; `None`: whatever is granted.
    pub version: Option<&'a Version>,
    /// Features.
    pub features: &'a [Feature],
}

/// What stands on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The latest time known when this was written.
    pub mark: WallTime,
    /// The borrowed seats.
    pub kept: Vec<Kept>,
    /// Seats that are given up here and that the site may not know of yet.
    pub retired: Vec<SeatId>,
}

/// What a pong means for the borrowed seats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The site has taken these back.
    pub gone: Vec<SeatId>,
    /// An admin wants these back: they are to be retired. With the serial of the borrow, as the site knows it.
    pub recalled: Vec<(SeatId, u64)>,
    /// The site believes that this device has these, and it has not: they are to be given back.
    pub unknown: Vec<(SeatId, u64)>,
    /// The site knows that these are given back.
    pub confirmed: Vec<SeatId>,
}

impl Settled {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The borrowed seats, and the latest time known.
#[derive(Clone, Debug, Default)]
pub struct Borrows {
    record: Record,
    /// When the mark was the time, by the boot clock.
    marked: BootTime,
    /// Answers to pings up to this number say nothing of what is kept now.
    settled_after: u64,
    /// A borrow is being asked for: no pong says anything of it.
    asking: bool,
}

impl Borrows {
    /// What was on disk, read at `mono`.
    pub fn read(record: Record, mono: BootTime) -> Self {
        Self { record, marked: mono, ..Self::default() }
    }

    /// What goes to disk.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The time by which ends are judged: the clock's, or the latest that was ever known and what has passed since.
    pub fn now(&self, wall: WallTime, mono: BootTime) -> WallTime {
        let passed = i64::try_from(mono.ms_since(self.marked)).unwrap_or(i64::MAX);
        wall.max(self.record.mark.plus_ms(passed))
    }

    /// `time` was known at `mono`: no earlier one is believed again as long as something is borrowed. With nothing there
    /// is nothing to prolong, and a clock that was ahead once is forgotten. Answers the time by which ends are judged.
    pub fn raise(&mut self, time: WallTime, mono: BootTime) -> WallTime {
        self.record.mark = if self.record.kept.is_empty() { time } else { self.now(time, mono) };
        self.marked = mono;
        self.record.mark
    }

    /// The borrowed seats.
    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.record.kept.iter()
    }

    /// A borrowed seat.
    pub fn get(&self, seat: SeatId) -> Option<&Kept> {
        self.record.kept.iter().find(|kept| kept.seat == seat)
    }

    /// The seats that are given up and not confirmed.
    pub fn retired(&self) -> &[SeatId] {
        &self.record.retired
    }

    /// The borrowed seats that a start may use at `now`, the longest first.
    pub fn usable<'a>(&'a self, start: &'a Start<'a>, now: WallTime) -> Vec<&'a Kept> {
        let mut usable: Vec<&Kept> =
            self.record.kept.iter().filter(|kept| kept.ends > now && kept.covers(start)).collect();
        usable.sort_by_key(|kept| std::cmp::Reverse(kept.ends));
        usable
    }

    /// A borrow is asked for from now on.
    pub fn ask(&mut self) {
        self.asking = true;
    }

    /// It was answered, one way or the other; the last ping sent is `ping`.
    pub fn answered(&mut self, ping: u64) {
        (self.asking, self.settled_after) = (false, ping);
    }

    /// Keeps a seat, instead of what was kept under its id.
    pub fn keep(&mut self, kept: Kept) {
        self.record.kept.retain(|known| known.seat != kept.seat);
        self.record.retired.retain(|seat| *seat != kept.seat);
        self.record.kept.push(kept);
    }

    /// Gives a seat up for good. To be written before the site is told.
    pub fn retire(&mut self, seat: SeatId) {
        self.record.kept.retain(|kept| kept.seat != seat);
        if !self.record.retired.contains(&seat) {
            self.record.retired.push(seat);
        }
    }

    /// Forgets seats that the site knows to be no longer here.
    pub fn forget(&mut self, seats: &[SeatId]) {
        self.record.kept.retain(|kept| !seats.contains(&kept.seat));
        self.record.retired.retain(|seat| !seats.contains(seat));
    }

    /// The seats whose time is over.
    pub fn over(&self, now: WallTime) -> Vec<SeatId> {
        self.record.kept.iter().filter(|kept| kept.ends <= now).map(|kept| kept.seat).collect()
    }

    /// What the answer to ping `ping` says of the borrowed seats.
    pub fn settle(&self, ping: u64, places: &[BorrowPlace]) -> Settled {
        if self.asking || ping <= self.settled_after {
            return Settled::default();
        }
        let place = |seat: SeatId| places.iter().find(|place| place.seat == seat);
        let (here, unknown): (Vec<&BorrowPlace>, Vec<&BorrowPlace>) =
            places.iter().partition(|place| self.get(place.seat).is_some());
        let named = |place: &BorrowPlace| (place.seat, place.serial);
        Settled {
            gone: self.kept().map(|kept| kept.seat).filter(|seat| place(*seat).is_none()).collect(),
            recalled: here.into_iter().filter(|place| place.recalled).map(named).collect(),
            unknown: unknown.into_iter().map(named).collect(),
            confirmed: self.record.retired.iter().copied().filter(|seat| place(*seat).is_none()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use seatkeeper_protocol::license::{self, parse_unsigned};

    use super::*;

    const HOUR: i64 = 60 * 60 * 1_000;
    const START: WallTime = WallTime(1_772_366_400_000);

    fn kept(seat: u64, ends: WallTime) -> Kept {
        Kept {
            seat: SeatId(seat),
            serial: seat,
            ticket: String::new(),
            license: Name::new("L1").unwrap(),
            license_text: String::new(),
            product: ProductId::new("cad").unwrap(),
            version: Version::new("2026").unwrap(),
            features: vec![Feature::new("bim").unwrap()],
            user: Name::new("eva").unwrap(),
            share: Share::UserDevice,
            ends,
            renew_ms: None,
        }
    }

    fn borrows(ends: &[WallTime]) -> Borrows {
        let kept = ends.iter().zip(1..).map(|(ends, seat)| kept(seat, *ends)).collect();
        Borrows::read(Record { mark: START, kept, retired: Vec::new() }, BootTime(1_000))
    }

    #[test]
    fn a_clock_set_back_prolongs_nothing_and_one_set_ahead_is_not_forgotten() {
        let mut borrows = borrows(&[START.plus_ms(2 * HOUR)]);
        let later = BootTime(1_000 + 2 * HOUR.unsigned_abs());
        for (wall, mono, hours) in [
            (START.plus_ms(HOUR), BootTime(1_000), 1),
            (START.plus_ms(-300 * HOUR), BootTime(1_000), 0),
            (START.plus_ms(-300 * HOUR), later, 2),
            (START.plus_ms(3 * HOUR), later, 3),
        ] {
            assert_eq!(borrows.now(wall, mono), START.plus_ms(hours * HOUR));
        }
        assert_eq!(borrows.over(borrows.now(START, later)), [SeatId(1)]);
        borrows.raise(START.plus_ms(5 * HOUR), later);
        let again = Borrows::read(borrows.record().clone(), BootTime(7));
        assert_eq!(again.now(START, BootTime(7)), START.plus_ms(5 * HOUR));
        // With nothing borrowed any more the clock is believed again.
        borrows.retire(SeatId(1));
        assert_eq!(borrows.raise(START, later), START);
        assert_eq!(borrows.now(START, later), START);
    }

    #[test]
    fn a_start_uses_what_covers_it_until_its_end() {
        let names = |text: &str| Name::new(text).unwrap();
        let check =
            |user: &str, product: &str, version: Option<&str>, feature: Option<&str>, expected: bool| {
                let (user, product) = (names(user), ProductId::new(product).unwrap());
                let version = version.map(|version| Version::new(version).unwrap());
                let features: Vec<Feature> = feature.into_iter().map(|f| Feature::new(f).unwrap()).collect();
                let start =
                    Start { user: &user, product: &product, version: version.as_ref(), features: &features };
                let found = borrows(&[START.plus_ms(HOUR)]).usable(&start, START).len();
                assert_eq!(found == 1, expected, "{start:?}");
                assert!(borrows(&[START.plus_ms(HOUR)]).usable(&start, START.plus_ms(HOUR)).is_empty());
            };
        check("eva", "cad", None, None, true);
        check("eva", "cad", Some("2026.1"), Some("bim"), true);
        check("eva", "cad", Some("2025"), None, false);
        check("eva", "cad", None, Some("cloud"), false);
        check("ola", "cad", None, None, false);
        check("eva", "cae", None, None, false);
        let mut shared = kept(1, START.plus_ms(HOUR));
        shared.share = Share::Device;
        let (user, product) = (names("ola"), ProductId::new("cad").unwrap());
        assert!(shared.covers(&Start { user: &user, product: &product, version: None, features: &[] }));
    }

    #[test]
    fn a_pong_settles_what_it_can_know() {
        let mut borrows = borrows(&[START.plus_ms(HOUR), START.plus_ms(HOUR), START.plus_ms(HOUR)]);
        borrows.retire(SeatId(3));
        borrows.record.retired.push(SeatId(4));
        let place = |seat, recalled| BorrowPlace { seat: SeatId(seat), serial: 10 * seat, recalled };
        let places = [place(2, true), place(3, false), place(9, false)];
        borrows.answered(10);
        assert!(borrows.settle(10, &places).is_empty(), "an older ping");
        let settled = borrows.settle(11, &places);
        assert_eq!(settled.gone, [SeatId(1)]);
        assert_eq!(settled.recalled, [(SeatId(2), 20)]);
        assert_eq!(settled.unknown, [(SeatId(3), 30), (SeatId(9), 90)]);
        assert_eq!(settled.confirmed, [SeatId(4)]);
        borrows.ask();
        assert!(borrows.settle(12, &places).is_empty(), "one is being asked for");
        borrows.forget(&settled.confirmed);
        assert_eq!(borrows.retired(), [SeatId(3)]);
    }

    #[test]
    fn a_borrow_is_renewed_when_a_tenth_has_passed() {
        let mut kept = kept(1, START.plus_ms(10 * HOUR));
        let later = |ms| START.plus_ms(ms);
        assert_eq!(kept.prolong_until(later(9 * HOUR)), None);
        kept.renew_ms = Some(10 * HOUR);
        assert_eq!(kept.prolong_until(later(HOUR)), None);
        assert_eq!(kept.prolong_until(later(HOUR + 1)), Some(later(11 * HOUR + 1)));
        // No borrow outlives its license, whose last day ends at noon.
        let text = "# Seatkeeper license v1\nlicense = \"L\"\nvendor = \"acme\"\ncustomer = \"Office\"\n\
                    issued = 2026-01-01\nproduct = \"cad\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = 1\n\
                    valid_until = 2030-01-02\n";
        let end = parse_unsigned(text).unwrap().valid_until.unwrap().ends();
        kept.license_text = license::sign(text, &ed25519_dalek::SigningKey::from_bytes(&[7; 32])).unwrap();
        kept.ends = end.plus_ms(-HOUR);
        assert_eq!(kept.prolong_until(end.plus_ms(-3 * HOUR)), Some(end));
        kept.ends = end;
        assert_eq!(kept.prolong_until(end.plus_ms(-3 * HOUR)), None);
    }
}
