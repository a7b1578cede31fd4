//! The solver alone, against brute force on very many small pools.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Feature, Name, ProductId, SeatId, SessionId, Version};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::WallTime;

use super::*;
use crate::state::{LicenseRecord, SeatRecord};
use crate::tests::brute::{Asks, Division, Running, Used, can_seat, counts_on, is_open};
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

/// Nodes of devices; they are told apart where licenses are divided.
const NODES: usize = 4;

/// Divides the seats of a license at random; now and then so that all nodes may use all of them.
fn division(chance: &mut Chance, seats: u32) -> Option<Division> {
    if chance.below(4) == 0 {
        return None;
    }
    let mut rest = usize::try_from(seats).unwrap();
    let mut manual = BTreeMap::new();
    for _ in 0..chance.below(3) {
        let many = chance.below(rest + 1);
        rest -= many;
        if many > 0 {
            *manual.entry(chance.below(NODES)).or_insert(0) += many;
        }
    }
    let reach = (0..NODES).filter(|_| chance.below(2) == 0).collect();
    Some(Division { manual, rest, reach })
}

impl From<&Division> for Parts {
    fn from(division: &Division) -> Self {
        let Division { manual, rest, reach } = division;
        let count = |many: &usize| u32::try_from(*many).unwrap();
        // One range each: that they are not joined makes no difference.
        let reach: Vec<_> = reach.iter().map(|node| *node..node + 1).collect();
        let manual = manual.iter().map(|(node, many)| (*node, count(many))).collect();
        Self { manual, rest: count(rest), reach: reach.into() }
    }
}

/// A pool, and its books kept beside it in the plainest way.
struct Twin<'a> {
    cad: &'a ProductId,
    starts: &'a [Start],
    records: Vec<LicenseRecord>,
    /// By license.
    divisions: Vec<Option<Division>>,
    pool: Pool,
    seats: BTreeMap<SeatId, (Name, Need<'a>, usize)>,
    next: u64,
    now: WallTime,
    thorough: bool,
}

impl<'a> Twin<'a> {
    fn number(&self, license: &Name) -> usize {
        self.records.iter().position(|record| record.license().id == *license).unwrap()
    }

    fn running(&self) -> Vec<Running<'a>> {
        let running = |(license, need, node): &(Name, Need<'a>, usize)| Running {
            license: self.number(license),
            nodes: vec![*node],
            need: need.clone(),
        };
        self.seats.values().map(running).collect()
    }

    fn used(&self) -> Vec<Used> {
        let mut used = vec![Used::new(); self.records.len()];
        for (license, _, node) in self.seats.values() {
            let on = counts_on(&self.records, self.number(license), self.now);
            *used[on].entry(*node).or_default() += 1;
        }
        used
    }

    fn can_seat(&self, asks: &Asks<'_>) -> bool {
        can_seat(&self.records, &self.divisions, &self.running(), asks, self.now, self.thorough)
    }

    /// Whether a start could have a seat if all licenses were for all nodes.
    fn is_reserved(&self, start: &Start, node: usize) -> bool {
        let demand = Demand { product: self.cad, version: start.version.as_ref(), features: &start.features };
        let asks = Asks::New(&[(node, demand)]);
        can_seat(&self.records, &[], &self.running(), &asks, self.now, self.thorough)
    }

    fn allowed(&self, need: &Need<'_>, node: usize) -> PieceSet {
        let mut may = self.pool.allowed(need);
        self.pool.keep_usable(&mut may, node);
        may
    }

    /// The guard behind the solver lets its answer pass.
    fn check_guard(&self, moves: &[(SeatId, Name)], last: (Option<SeatId>, usize, &Name)) {
        let place = |id: SeatId| (self.pool.place(id, self.now).unwrap(), self.seats[&id].2);
        let moves = moves.iter().map(|(id, to)| (Some(*id), self.seats[id].2, to));
        let changes = moves.chain([last]).map(|(id, node, to)| Change {
            from: id.map(|id| (place(id).0, self.pool.counted_node(place(id).1))),
            to: (self.pool.number_of(to).unwrap(), self.pool.counted_node(node)),
        });
        let changes: Vec<Change> = changes.collect();
        assert_eq!(self.pool.check_changes(&changes, self.now), Ok(()));
    }

    fn start(&mut self, start: &'a Start, node: usize) -> bool {
        let demand = Demand { product: self.cad, version: start.version.as_ref(), features: &start.features };
        let mut on = self.pool.covering(&demand);
        self.pool.keep_usable(&mut on, node);
        let wanted = Wanted { on: &on, version: demand.version, running: None, node };
        let answer = self.pool.admit(self.now, &wanted);
        let possible = self.can_seat(&Asks::New(&[(node, demand)]));
        assert_eq!(answer.is_some(), possible, "I9");
        let Some(Assignment { license, moves }) = answer else { return false };
        self.check_guard(&moves, (None, node, &license));
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
        let may = self.allowed(&need, node);
        if start.version.is_some() {
            assert_eq!(may, self.pool.allowed_of(on, need.ttl_ms, need.share));
        }
        self.pool.add_seat(id, &seat(&license, &need), may, node);
        self.seats.insert(id, (license, need, node));
        self.check_places(&before);
        true
    }

    /// A seat gets a second start.
    fn grow(&mut self, id: SeatId, start: &'a Start) {
        let (license, need, node) = self.seats[&id].clone();
        let version = start.version.as_ref().or(need.granted[0].version);
        let mut grown = need;
        grown.granted.push(Demand { product: self.cad, version, features: &start.features });
        let may = self.allowed(&grown, node);
        let here = self.pool.place(id, self.now).unwrap();
        let in_place = self.pool.allowed(&grown).contains(here) && self.pool.is_open(here, self.now);
        let wanted = Wanted { on: &may, version, running: Some(id), node };
        let answer = if in_place {
            let license = self.pool.license(here).unwrap().id.clone();
            Some(Assignment { license, moves: Vec::new() })
        } else {
            self.pool.admit(self.now, &wanted)
        };
        let asking = self.seats.keys().position(|other| *other == id).unwrap();
        let asks = Asks::Running(asking, &grown, node);
        assert_eq!(answer.is_some(), self.can_seat(&asks), "I9 for a seat on {license} that is shared");
        let Some(Assignment { license, moves }) = answer else { return };
        self.check_guard(&moves, (Some(id), node, &license));
        let before = self.used();
        self.follow(moves);
        self.follow(vec![(id, license.clone())]);
        self.pool.set_allowed(id, &license, may, node);
        self.seats.insert(id, (license, grown, node));
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
    fn check_places(&self, before: &[Used]) {
        for (at, (before, after)) in before.iter().zip(self.used()).enumerate() {
            let owned = usize::try_from(self.records[at].license().seats).unwrap();
            let (many_before, many) = (before.values().sum::<usize>(), after.values().sum::<usize>());
            let holds = self.divisions[at].as_ref().is_none_or(|division| division.holds(before, &after));
            assert!(holds, "a reservation is broken");
            assert!(many <= many_before || (many <= owned && is_open(&self.records, at, self.now)), "I1");
        }
        for (license, need, _) in self.seats.values() {
            let terms = self.records[self.number(license)].license();
            assert!(need.pinned || need.fits(terms), "I7");
        }
    }

    fn give_back(&mut self, id: SeatId) {
        let (license, need, _) = self.seats.remove(&id).unwrap();
        self.pool.remove_seat(id, &seat(&license, &need));
    }

    fn pin(&mut self, id: SeatId) {
        let (license, need, node) = self.seats.get_mut(&id).unwrap();
        need.pinned = true;
        let may = self.pool.allowed(need);
        self.pool.set_allowed(id, license, may, *node);
    }

    /// A device gets to another node.
    fn place(&mut self, id: SeatId, node: usize) {
        let (license, need, _) = self.seats[&id].clone();
        let may = self.allowed(&need, node);
        self.pool.set_allowed(id, &license, may, node);
        self.seats.insert(id, (license, need, node));
    }

    /// The licenses are for other nodes now; who runs stays.
    fn divide(&mut self, divisions: Vec<Option<Division>>) {
        self.divisions = divisions;
        self.pool = self.pool_anew();
    }

    fn license_stops(&mut self, at: usize, removed: bool) {
        let record = &mut self.records[at];
        (record.removed, record.ended) = (removed, (!removed).then_some(START));
        self.pool.set_standing(record);
    }

    /// What a restore would make of the books.
    fn pool_anew(&self) -> Pool {
        let registered = self.records.iter().zip(&self.divisions).map(|(record, division)| {
            let parts = division.as_ref().map(Parts::from);
            (record, Registered { parts, ..Registered::from(record.license()) })
        });
        let mut anew = Pool::new(registered);
        for (id, (license, need, node)) in &self.seats {
            let mut may = anew.allowed(need);
            anew.keep_usable(&mut may, *node);
            anew.add_seat(*id, &seat(license, need), may, *node);
        }
        anew
    }
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

/// What was asked of very many pools.
#[derive(Debug, Default)]
struct Asked {
    admitted: u64,
    refused: u64,
    /// Refused although brute force would seat it if all licenses were for all nodes.
    reserved: u64,
}

fn random_pools(pools: u64, divided: bool) -> Asked {
    let (catalog, starts, cad) = (catalog(), starts(), product("cad"));
    let mut asked = Asked::default();
    for seed in 0..pools {
        let mut chance = Chance(seed);
        // Neighbors in the catalog now and then: some of them replace each other.
        let first = chance.below(catalog.len() - 4);
        let count = 1 + chance.below(4);
        let records: Vec<LicenseRecord> = (0..count).map(|n| catalog[first + n].clone()).collect();
        let divisions = |chance: &mut Chance| -> Vec<Option<Division>> {
            let seats = records.iter().map(|record| record.license().seats);
            seats.map(|seats| if divided { division(chance, seats) } else { None }).collect()
        };
        let (now, thorough) = (*chance.one_of(&TIMES), seed % 20 == 0);
        let mut twin = Twin {
            cad: &cad,
            starts: &starts,
            records: records.clone(),
            divisions: divisions(&mut chance),
            pool: Pool::default(),
            seats: BTreeMap::new(),
            next: 1,
            now,
            thorough,
        };
        twin.pool = twin.pool_anew();
        for _ in 0..10 {
            let some = twin.seats.keys().nth(chance.below(twin.seats.len().max(1))).copied();
            match (chance.below(if divided { 26 } else { 24 }), some) {
                (0, _) => twin.license_stops(chance.below(count), chance.below(2) == 0),
                (1, _) => twin.now = *chance.one_of(&TIMES),
                (2, Some(id)) => twin.pin(id),
                (3..=5, Some(id)) => twin.give_back(id),
                (6..=8, Some(id)) => twin.grow(id, chance.one_of(&starts)),
                (24, Some(id)) => twin.place(id, chance.below(NODES)),
                (25, _) => twin.divide(divisions(&mut chance)),
                _ => {
                    let (start, node) = (chance.one_of(&starts), chance.below(NODES));
                    if twin.start(start, node) {
                        asked.admitted += 1;
                    } else {
                        asked.refused += 1;
                        asked.reserved += u64::from(divided && twin.is_reserved(start, node));
                    }
                }
            }
        }
        if thorough {
            assert_eq!(twin.pool_anew(), twin.pool);
        }
    }
    asked
}

#[test]
fn nobody_is_refused_whom_brute_force_can_seat() {
    const POOLS: u64 = 100_000;
    let Asked { admitted, refused, .. } = random_pools(POOLS, false);
    assert!(
        admitted > 2 * POOLS && refused > POOLS,
        "{admitted} admitted, {refused} refused: not much of a test"
    );
}

#[test]
fn nor_beside_seats_that_are_reserved_for_other_nodes() {
    const POOLS: u64 = 40_000;
    let asked = random_pools(POOLS, true);
    assert!(
        asked.admitted > POOLS && asked.refused > POOLS && asked.reserved > POOLS / 2,
        "{asked:?}: not much of a test"
    );
}
