//! How fast `apply` is: checkouts in an office with 100 licenses of one product and 5,000 live seats; and what the books
//! of the largest office take as a snapshot.
//!
//! ```text
//! cargo bench -p seatkeeper-ledger --bench apply
//! ```
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints a table"
)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer, SigningKey};
use seatkeeper_ledger::command::{
    Actor, Checkout, Command, DeviceInfo, Entry, Form, Found, Outcome, Sealed, admin_message,
};
use seatkeeper_ledger::{Ledger, encode};
use seatkeeper_protocol::id::{
    DeviceId, Feature, Generation, Name, ProductId, PublicKey, RequestId, SessionId, Version,
};
use seatkeeper_protocol::license;
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::time::WallTime;

const LICENSES: u32 = 100;
const LIVE: usize = 5_000;
const DEVICES: u32 = 100;
/// The largest office, and how often each of its devices has taken a seat in a year.
const DEVICES_OF_LARGEST: u32 = 10_000;
const STARTS_PER_DEVICE: usize = 40;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const CHECKOUTS: usize = 50_000;
const RUNS: usize = 5;
const START: WallTime = WallTime(1_772_366_400_000);
const GENERATION: Generation = Generation { number: 1, id: [9; 16] };

/// An office with so many seats per license. The licenses differ in version, earlier versions and features.
struct Office {
    ledger: Ledger,
    index: u64,
    request: u64,
    session: u64,
    live: VecDeque<(DeviceId, SessionId)>,
    devices: Vec<DeviceId>,
    time: WallTime,
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey(key(n).verifying_key().to_bytes())
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn cad() -> ProductId {
    ProductId::new("cad").expect("a product")
}

fn info(text: &str) -> DeviceInfo {
    DeviceInfo { name: name(text), form: Form::Desktop, version: name("0.1.0") }
}

/// Nothing is signed by a device here.
fn device_key(n: u32) -> PublicKey {
    let mut key = [100; 32];
    key[..4].copy_from_slice(&n.to_be_bytes());
    PublicKey(key)
}

impl Office {
    fn open(seats: u32, devices: u32) -> Self {
        let mut office = Self {
            ledger: Ledger::new(),
            index: 0,
            request: 0,
            session: 0,
            live: VecDeque::new(),
            devices: (0..devices).map(|n| device_key(n).device()).collect(),
            time: START,
        };
        let found = Found {
            name: name("Office"),
            root: public(1),
            generation: GENERATION,
            sealed_root: Sealed(vec![1; 60]),
            certificate: PoolKeyCertificate::sign(&key(1), GENERATION, 1, public(2)),
            sealed_pool_key: Sealed(vec![2; 60]),
            device: device_key(0),
            info: info("ws-0"),
            admin: name("ada"),
            admin_key: public(4),
        };
        let founder = Actor::Holder(device_key(0).device());
        assert_eq!(office.apply(founder, Command::Found(Box::new(found))), Outcome::Done);
        for n in 1..devices {
            office.by_admin(Command::Admit { key: device_key(n), info: info(&format!("ws-{n}")) });
        }
        office.by_admin(Command::TrustVendor { name: name("acme"), key: public(3), prefixes: vec![cad()] });
        for n in 0..LICENSES {
            let features = ["", "features = [\"bim\"]", "features = [\"bim\", \"render\"]"];
            let earlier =
                ["", "downgrade = [\"2025\"]", "downgrade = [\"2025\", \"2024\"]", "downgrade = \"any\""];
            let pick =
                |from: &[&'static str], by: u32| from[usize::try_from(n / by).unwrap_or(0) % from.len()];
            let text = format!(
                "# Seatkeeper license v1\nlicense = \"L{n:03}\"\nvendor = \"acme\"\ncustomer = \"Office\"\n\
                 issued = 2026-01-01\nproduct = \"cad\"\ntitle = \"CAD\"\nversion = \"{}\"\nseats = {seats}\n{}\n{}\n",
                2026 - n % 3,
                pick(&features, 3),
                pick(&earlier, 9),
            );
            office.by_admin(Command::AddLicense { text: license::sign(&text, &key(3)).expect("a license") });
        }
        office
    }

    fn entry(&mut self, actor: Actor, command: Command) -> Vec<u8> {
        self.request += 1;
        let request = RequestId { epoch: 1, counter: self.request };
        encode(&Entry { time: self.time, term: 1, actor, request, command }).expect("an entry")
    }

    fn apply(&mut self, actor: Actor, command: Command) -> Outcome {
        let bytes = self.entry(actor, command);
        self.apply_bytes(&bytes)
    }

    fn apply_bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.index += 1;
        self.ledger.apply(self.index, 1, bytes)
    }

    fn by_admin(&mut self, command: Command) {
        let request = RequestId { epoch: 1, counter: self.request + 1 };
        let site = public(1).site();
        let message = admin_message(&site, &GENERATION, &name("ada"), &request, &command).expect("a message");
        let signature = key(4).sign(&message).to_bytes().to_vec();
        assert_eq!(self.apply(Actor::Admin { name: name("ada"), signature }, command), Outcome::Done);
    }

    /// The next start: each is of another person, so that none shares a seat.
    fn checkout(&mut self) -> (DeviceId, SessionId, Vec<u8>) {
        self.session += 1;
        let n = self.session;
        let pick = |many: u64| {
            usize::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).unwrap_or(0)
                % usize::try_from(many).unwrap_or(1)
        };
        let versions = [Some("2026"), Some("2026.1"), Some("2025"), Some("2024"), Some("2025.3"), None];
        let features: &[&[&str]] = &[&[], &[], &["bim"], &["bim", "render"]];
        let mut session = [0; 16];
        session[..8].copy_from_slice(&n.to_be_bytes());
        let device = self.devices[usize::try_from(n).unwrap_or(0) % self.devices.len()];
        let want = Checkout {
            session: SessionId(session),
            user: name(&format!("user-{n}")),
            product: cad(),
            version: versions[pick(6)].map(|version| Version::new(version).expect("a version")),
            features: features[pick(4)]
                .iter()
                .map(|feature| Feature::new(*feature).expect("a feature"))
                .collect(),
            pid: Some(4_000),
        };
        let bytes = self.entry(Actor::Device(device), Command::Checkout(want));
        (device, SessionId(session), bytes)
    }

    fn give_back_the_longest(&mut self) {
        if let Some((device, session)) = self.live.pop_front() {
            let back = Command::Return { session, attach: None };
            assert_eq!(self.apply(Actor::Device(device), back), Outcome::Done);
        }
    }

    fn fill(&mut self) {
        while self.live.len() < LIVE {
            let (device, session, bytes) = self.checkout();
            if matches!(self.apply_bytes(&bytes), Outcome::Granted(_)) {
                self.live.push_back((device, session));
            }
        }
    }
}

/// What one run measured.
struct Run {
    per_second: u64,
    p50: Duration,
    p99: Duration,
    refused: usize,
}

/// Checkouts, with a return before each, so that as many seats stay live.
fn run(office: &mut Office) -> Run {
    let mut times = Vec::with_capacity(CHECKOUTS);
    let mut refused = 0;
    for _ in 0..CHECKOUTS {
        if office.live.len() >= LIVE {
            office.give_back_the_longest();
        }
        let (device, session, bytes) = office.checkout();
        let begun = Instant::now();
        let outcome = office.apply_bytes(&bytes);
        times.push(begun.elapsed());
        match outcome {
            Outcome::Granted(_) => office.live.push_back((device, session)),
            _ => refused += 1,
        }
    }
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100];
    let per_second =
        u64::try_from(CHECKOUTS).unwrap_or(0) * 1_000_000 / u64::try_from(total.as_micros()).unwrap_or(1);
    Run { per_second, p50: at(50), p99: at(99), refused }
}

fn main() {
    println!(
        "{LICENSES} licenses of one product, {LIVE} live seats, medians of {RUNS} runs of {CHECKOUTS} checkouts"
    );
    println!("{:24} {:>12} {:>9} {:>9} {:>9}", "", "checkouts/s", "p50", "p99", "refused");
    for (what, seats) in [("plenty of room", 100), ("nearly full", 51)] {
        let mut office = Office::open(seats, DEVICES);
        office.fill();
        run(&mut office);
        let mut runs: Vec<Run> = (0..RUNS).map(|_| run(&mut office)).collect();
        assert_eq!(office.ledger.bug(), None);
        let refused = runs.iter().map(|run| run.refused).sum::<usize>() * 100 / (RUNS * CHECKOUTS);
        let mut median = |of: fn(&Run) -> u128| {
            runs.sort_by_key(of);
            of(&runs[RUNS / 2])
        };
        let per_second = median(|run| u128::from(run.per_second));
        let (p50, p99) = (median(|run| run.p50.as_nanos()), median(|run| run.p99.as_nanos()));
        println!("{what:24} {per_second:>12} {:>6} ns {:>6} ns {refused:>7} %", p50, p99);
        snapshots(&office.ledger);
    }
    println!("{DEVICES_OF_LARGEST} devices, {LIVE} live seats, a year of history");
    snapshots(&largest());
}

/// An office of ten thousand devices after a year.
fn largest() -> Ledger {
    let mut office = Office::open(100, DEVICES_OF_LARGEST);
    office.fill();
    let starts = office.devices.len() * STARTS_PER_DEVICE;
    for n in 0..starts {
        office.time = WallTime(
            START.0 + 365 * DAY_MS * i64::try_from(n).unwrap_or(0) / i64::try_from(starts).unwrap_or(1),
        );
        office.give_back_the_longest();
        office.fill();
    }
    assert_eq!(office.ledger.bug(), None);
    office.ledger
}

/// What the books take as a snapshot, and the records' part of it.
fn snapshots(ledger: &Ledger) {
    let mut times: Vec<(Duration, Duration)> = Vec::new();
    let mut bytes = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        let snapshot = ledger.snapshot();
        let made = begun.elapsed();
        let begun = Instant::now();
        assert!(Ledger::restore(&snapshot).is_ok());
        times.push((made, begun.elapsed()));
        bytes = snapshot.len();
    }
    times.sort_unstable();
    let (made, restored) = times[RUNS / 2];
    let window = ledger.audit(0, usize::MAX);
    let begun = Instant::now();
    assert_eq!(window.verify(), Ok(()));
    let verified = begun.elapsed();
    let records: usize = window.records.iter().map(|linked| linked.bytes.as_slice().len() + 2).sum();
    println!(
        "  snapshot: {bytes} bytes in {made:.1?}, restored in {restored:.1?}; of it {} records: {records} bytes, \
         verified in {verified:.1?}",
        window.records.len()
    );
}
