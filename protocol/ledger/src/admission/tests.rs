//! The solver alone, against brute force on very many small pools.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Feature, Name, ProductId, SeatId, SessionId, Version};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::WallTime;

use super::*;
use crate::state::{LicenseRecord, SeatRecord};
use crate::tests::brute::{Asks, Running, can_seat, counts_on, is_open};
use crate::tests::office::{START, license_file, name, product};

/// Chance that repeats (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(n).unwrap()).unwrap()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const TERMS: [&[&str]; 6] = [
    &["2026", "2026", "2025", "2026.1", "2024"],
    &["", "", "downgrade = [\"2025\"]", "downgrade = [\"2025\", \"2024\"]", "downgrade = \"any\""],
    &["", "", "features = [\"bim\"]", "features = [\"bim\", \"render\"]"],
    &["", "", "ttl = \"60s\"", "ttl = \"120s\""],
    &["", "share = \"device\"", "share = \"none\""],
    &["", "", "", "valid_from = 2026-03-02", "valid_until = 2026-09-01"],
];
const VERSIONS: [Option<&str>; 7] =
    [None, Some("2026"), Some("2026.1"), Some("2026.1.2"), Some("2025"), Some("2025.3"), Some("2024")];
const FEATURES: [&[&str]; 4] = [&[], &[], &["bim"], &["bim", "render"]];
/// Before and after the first day of those that begin later.
const TIMES: [WallTime; 2] = [START, WallTime(START.0 + 24 * 60 * 60 * 1_000)];

/// Licenses to make pools of. Some replace their neighbor.
fn catalog() -> Vec<LicenseRecord> {
    let mut chance = Chance(1);
    let license = |n: usize| {
        let version = *chance.one_of(TERMS[0]);
        let mut more: Vec<String> =
            TERMS[1..].iter().map(|terms| (*chance.one_of(terms)).to_owned()).collect();
        if n % 5 == 1 {
            more.push(format!("replaces = [\"L{}\"]", n - 1));
        }
        let seats = u32::try_from(chance.below(3) + 1).unwrap();
        let file = license_file(&format!("L{n}"), "cad", version, seats, &more.join("\n"));
        let file = seatkeeper_protocol::license::SignedLicense::parse(&file).unwrap();
        LicenseRecord { file, added: START, ended: None, removed: false }
    };
    (0..200).map(license).collect()
}

/// A start as it may come.
struct Start {
    version: Option<Version>,
    features: Vec<Feature>,
}

fn starts() -> Vec<Start> {
    let mut starts = Vec::new();
    for version in VERSIONS {
        for features in FEATURES {
            starts.push(Start {
                version: version.map(|version| Version::new(version).unwrap()),
                features: features.iter().map(|feature| Feature::new(*feature).unwrap()).collect(),
            });
        }
    }
    starts
}

/// A pool, and its books kept beside it in the plainest way.
struct Twin<'a> {
    cad: &'a ProductId,
    starts: &'a [Start],
    records: Vec<LicenseRecord>,
    pool: Pool,
    seats: BTreeMap<SeatId, (Name, Need<'a>)>,
    next: u64,
    now: WallTime,
    thorough: bool,
}

impl<'a> Twin<'a> {
    fn number(&self, license: &Name) -> usize {
        self.records.iter().position(|record| record.license().id == *license).unwrap()
    }

    fn running(&self) -> Vec<Running<'a>> {
        let running = |(license, need): &(Name, Need<'a>)| Running {
            license: self.number(license),
            need: need.clone(),
        };
        self.seats.values().map(running).collect()
    }

    fn used(&self) -> Vec<usize> {
        let mut used = vec![0; self.records.len()];
        for (license, _) in self.seats.values() {
            used[counts_on(&self.records, self.number(license), self.now)] += 1;
        }
        used
    }

    fn start(&mut self, start: &'a Start) -> bool {
        let demand = Demand { product: self.cad, version: start.version.as_ref(), features: &start.features };
        let on = self.pool.covering(&demand);
        let wanted = Wanted { on: &on, version: demand.version, running: None, node: 0 };
        let answer = self.pool.admit(self.now, &wanted);
        let possible =
            can_seat(&self.records, &self.running(), &Asks::New(&[demand]), self.now, self.thorough);
        assert_eq!(answer.is_some(), possible, "I9");
        let Some(Assignment { license, moves }) = answer else { return false };
        let before = self.used();
        self.follow(moves);
        let terms = self.pool.license(self.pool.number_of(&license).unwrap()).unwrap();
        assert!(demand.fits(terms));
        let mut versions = self.starts.iter().filter_map(|start| start.version.as_ref());
        let own = versions.find(|version| **version == terms.version).unwrap();
        let granted = vec![Demand { version: Some(start.version.as_ref().unwrap_or(own)), ..demand }];
        let need = Need { granted, ttl_ms: terms.ttl_ms, share: terms.share, pinned: false };
        let id = SeatId(self.next);
        self.next += 1;
        let may = self.pool.allowed(&need);
        if start.version.is_some() {
            assert_eq!(may, self.pool.allowed_of(on, need.ttl_ms, need.share));
        }
        self.pool.add_seat(id, &seat(&license, &need), may, 0);
        self.seats.insert(id, (license, need));
        self.check_places(&before);
        true
    }

    /// A seat gets a second start.
    fn grow(&mut self, id: SeatId, start: &'a Start) {
        let (license, need) = self.seats[&id].clone();
        let version = start.version.as_ref().or(need.granted[0].version);
        let mut grown = need;
        grown.granted.push(Demand { product: self.cad, version, features: &start.features });
        let may = self.pool.allowed(&grown);
        let here = self.pool.place(id, self.now).unwrap();
        let in_place = may.contains(here) && self.pool.is_open(here, self.now);
        let wanted = Wanted { on: &may, version, running: Some(id), node: 0 };
        let answer = if in_place {
            let license = self.pool.license(here).unwrap().id.clone();
            Some(Assignment { license, moves: Vec::new() })
        } else {
            self.pool.admit(self.now, &wanted)
        };
        let asking = self.seats.keys().position(|other| *other == id).unwrap();
        let asks = Asks::Running(asking, &grown);
        let possible = can_seat(&self.records, &self.running(), &asks, self.now, self.thorough);
        assert_eq!(answer.is_some(), possible, "I9 for a seat on {license} that is shared");
        let Some(Assignment { license, moves }) = answer else { return };
        let before = self.used();
        self.follow(moves);
        self.follow(vec![(id, license.clone())]);
        self.pool.set_allowed(id, &license, may, 0);
        self.seats.insert(id, (license, grown));
        self.check_places(&before);
    }

    fn follow(&mut self, moves: Vec<(SeatId, Name)>) {
        for (id, to) in moves {
            self.pool.move_seat(id, &to);
            let seat = self.seats.get_mut(&id).unwrap();
            seat.0 = to;
        }
    }

    /// Whose license got more seats has room for them, and everybody stands on a license that covers him.
    fn check_places(&self, before: &[usize]) {
        for (at, (before, after)) in before.iter().zip(self.used()).enumerate() {
            let owned = usize::try_from(self.records[at].license().seats).unwrap();
            assert!(after <= *before || (after <= owned && is_open(&self.records, at, self.now)), "I1");
        }
        for (license, need) in self.seats.values() {
            let terms = self.records[self.number(license)].license();
            assert!(need.pinned || need.fits(terms), "I7");
        }
    }

    fn give_back(&mut self, id: SeatId) {
        let (license, need) = self.seats.remove(&id).unwrap();
        self.pool.remove_seat(id, &seat(&license, &need));
    }

    fn pin(&mut self, id: SeatId) {
        let (license, need) = self.seats.get_mut(&id).unwrap();
        need.pinned = true;
        let may = self.pool.allowed(need);
        self.pool.set_allowed(id, license, may, 0);
    }

    fn license_stops(&mut self, at: usize, removed: bool) {
        let record = &mut self.records[at];
        (record.removed, record.ended) = (removed, (!removed).then_some(START));
        self.pool.set_standing(record);
    }

    /// The pool is what a restore would make of the books.
    fn check_index(&self) {
        let mut anew = pool_of(&self.records);
        for (id, (license, need)) in &self.seats {
            let may = anew.allowed(need);
            anew.add_seat(*id, &seat(license, need), may, 0);
        }
        assert_eq!(anew, self.pool);
    }
}

/// Without an organisation.
fn pool_of(records: &[LicenseRecord]) -> Pool {
    Pool::new(records.iter().map(|record| (record, Registered::from(record.license()))))
}

/// What the pool looks at of a seat's record.
fn seat(license: &Name, need: &Need<'_>) -> SeatRecord {
    SeatRecord {
        license: license.clone(),
        product: product("cad"),
        version: Version::new("2026").unwrap(),
        features: Vec::new(),
        user: name("eva"),
        device: DeviceId([1; 20]),
        since: START,
        sessions: [SessionId([1; 16])].into(),
        serial: 1,
        ttl_ms: need.ttl_ms,
        share: Share::None,
        released_by: None,
        borrow: None,
    }
}

#[test]
fn nobody_is_refused_whom_brute_force_can_seat() {
    const POOLS: u64 = 100_000;
    let (catalog, starts, cad) = (catalog(), starts(), product("cad"));
    let (mut admitted, mut refused) = (0_u64, 0_u64);
    for seed in 0..POOLS {
        let mut chance = Chance(seed);
        // Neighbors in the catalog now and then: some of them replace each other.
        let first = chance.below(catalog.len() - 4);
        let count = 1 + chance.below(4);
        let records: Vec<LicenseRecord> = (0..count).map(|n| catalog[first + n].clone()).collect();
        let pool = pool_of(&records);
        let (now, thorough) = (*chance.one_of(&TIMES), seed % 20 == 0);
        let mut twin = Twin {
            cad: &cad,
            starts: &starts,
            records,
            pool,
            seats: BTreeMap::new(),
            next: 1,
            now,
            thorough,
        };
        for _ in 0..10 {
            let some = twin.seats.keys().nth(chance.below(twin.seats.len().max(1))).copied();
            match (chance.below(24), some) {
                (0, _) => twin.license_stops(chance.below(count), chance.below(2) == 0),
                (1, _) => twin.now = *chance.one_of(&TIMES),
                (2, Some(id)) => twin.pin(id),
                (3..=5, Some(id)) => twin.give_back(id),
                (6..=8, Some(id)) => twin.grow(id, chance.one_of(&starts)),
                _ if twin.start(chance.one_of(&starts)) => admitted += 1,
                _ => refused += 1,
            }
        }
        if thorough {
            twin.check_index();
        }
    }
    assert!(
        admitted > 2 * POOLS && refused > POOLS,
        "{admitted} admitted, {refused} refused: not much of a test"
    );
}
