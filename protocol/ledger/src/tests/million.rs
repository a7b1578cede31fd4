//! A million random commands in several hundred offices; unoptimized, where that would take minutes, fewer of both.
//!
//! ```text
//! cargo test --profile sim -p seatkeeper-ledger --lib over_a_million -- --nocapture
//! ```
//!
//! `SEATKEEPER_SEED` is the first office's, so that one that failed can be run alone, or offices that nobody has chosen.

use std::sync::atomic::{AtomicU64, Ordering};

use seatkeeper_protocol::fault::{Fault, plant};

use super::chance::Chance;
use super::counts::{Counts, VARIANTS};
use super::random::{Compared, RandomOffice};

/// Commands of all offices; `SEATKEEPER_COMMANDS` sets another number.
const COMMANDS: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// Commands of one office: enough that its memories, tombstones and records are full and something is forgotten.
const COMMANDS_PER_OFFICE: u64 = 2_500;

/// What happens at least so often in a million commands, or they have become too dull to prove anything: about half of
/// what they came to when this was written.
const FLOORS: [(&str, u64); 64] = [
    // Seats.
    ("granted", 100_000),
    ("checkout", 45_000),
    ("shared", 20_000),
    ("resumed", 15_000),
    ("seats moved in the books", 3_000),
    ("granted beside over-commitment", 15_000),
    ("no seat", 30_000),
    ("not licensed", 40_000),
    ("denied", 50_000),
    ("return", 25_000),
    ("return of a shared seat", 12_000),
    ("expire", 15_000),
    ("expire of a shared seat", 8_000),
    ("release", 2_000),
    ("session ended", 20_000),
    ("superseded", 25_000),
    // The queue.
    ("waits", 3_000),
    ("places without a turn", 1_400),
    ("turns", 550),
    ("passed-over", 1_100),
    ("left-queue", 650),
    ("expire of a place in the queue", 900),
    // Borrowed seats.
    ("borrow", 4_000),
    ("running seats that became borrowed", 1_000),
    ("borrow prolonged", 280),
    ("borrow given back", 3_500),
    ("borrow ended", 350),
    ("borrow of a lost device", 120),
    // Rules.
    ("over limit", 9_000),
    ("limit-set", 1_500),
    ("group-set", 700),
    ("priority-set", 700),
    // What was asked before.
    ("asked again at once", 70_000),
    ("asked again and answered", 30_000),
    ("asked again for a seat that is over", 8_000),
    ("asked again and forgotten", 12_000),
    ("asked again for a place in the queue", 130),
    ("asked again for a place that is over", 550),
    ("asked again for a borrow that is over", 350),
    ("stale", 15_000),
    // What must not act.
    ("other term", 8_000),
    ("not permitted", 30_000),
    ("unknown format", 15_000),
    ("damaged and read", 8_000),
    ("conflict", 10_000),
    ("invalid", 3_000),
    ("not found", 15_000),
    // The site.
    ("device-admitted", 2_000),
    ("device-invited", 300),
    ("device-left", 1_000),
    ("device-revoked", 600),
    ("device-set", 1_000),
    ("device-lost", 900),
    ("device-found", 550),
    ("admin-added", 800),
    ("admin-removed", 300),
    ("license-added", 2_000),
    ("license-removed", 1_500),
    ("license-ended", 250),
    ("invite-created", 600),
    ("pool-key-rotated", 400),
    // Replicas.
    ("restarts from a snapshot", 4_000),
    ("comparisons", 4_000),
    ("devices that came back", 400),
];

/// Each command is asked for at least so often in a million commands, and as often not refused.
const COMMAND_FLOORS: [u64; 2] = [500, 100];

/// Runs one office until it has had so many commands.
fn run(seed: u64, commands: u64) -> Result<Counts, String> {
    // Every other office has an organisation.
    let mut office = RandomOffice::open(Compared::NowAndThen, seed % 2 == 1);
    let mut seeds = Chance::new(seed);
    while office.commands() < commands {
        office
            .try_step(seeds.number())
            .map_err(|found| format!("office {seed}, after {} commands: {found}", office.commands()))?;
    }
    office.finish()?;
    Ok(office.counts())
}

/// A number that whoever looks for more may set.
fn set_or(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// How often is often enough, for what should happen so often in a million commands: of few commands less than their
/// share, as chance has it.
fn least(in_a_million: u64, commands: u64) -> u64 {
    let share = in_a_million * commands / 1_000_000;
    share.saturating_sub(2 * share.isqrt())
}

#[test]
fn the_invariants_hold_over_a_million_commands() {
    let offices = set_or("SEATKEEPER_COMMANDS", COMMANDS).div_ceil(COMMANDS_PER_OFFICE);
    let first = set_or("SEATKEEPER_SEED", 0);
    let next = AtomicU64::new(first);
    let work = || {
        let mut counts = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + offices {
                return counts;
            }
            counts.add_all(&run(seed, COMMANDS_PER_OFFICE).unwrap_or_else(|found| panic!("{found}")));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let counts = std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        working.into_iter().fold(Counts::default(), |mut all, one| {
            all.add_all(&one.join().unwrap_or_else(|found| std::panic::resume_unwind(found)));
            all
        })
    });
    #[expect(clippy::print_stdout, reason = "for who asks with --nocapture")]
    {
        println!("{offices} offices from seed {first}\n{counts}");
    }
    let commands = counts.of("commands");
    let seldom = FLOORS.iter().filter(|(what, floor)| counts.of(what) < least(*floor, commands));
    let seldom: Vec<&str> = seldom.map(|(what, _)| *what).collect();
    assert!(seldom.is_empty(), "too seldom to prove anything: {seldom:?} of\n{counts}");
    let [asked, done] = COMMAND_FLOORS;
    let seldom = |command: &&&str| {
        let of = counts.of_command(command);
        of[0] < least(asked, commands) || of[1] < least(done, commands)
    };
    // A recovery changes what every admin signs: it has tests of its own.
    let seldom: Vec<_> = VARIANTS.iter().filter(|command| **command != "Recover").filter(seldom).collect();
    assert!(seldom.is_empty(), "commands too seldom to prove anything: {seldom:?} of\n{counts}");
}

/// The mistakes that can be planted into the ledger, what is violated, and within how many commands that must be seen.
const CAUGHT: [(Fault, &str, u64); 6] = [
    (Fault::DoubleApply, "I4", 1_000),
    (Fault::SnapshotForgets, "I5", 1_000),
    (Fault::AdmissionBlind, "I11", 1_000),
    (Fault::StaleHolderCommand, "I7", 1_000),
    (Fault::ExpireAnyAttach, "I8", 1_000),
    (Fault::ReturnAnyAttach, "I8", 1_000),
];

#[test]
fn planted_faults_are_caught() {
    for (fault, invariant, within) in CAUGHT {
        for seed in 0..3 {
            plant(Some(fault));
            let run = run(seed, within);
            plant(None);
            let found =
                run.expect_err(&format!("{fault:?} is not caught within {within} commands of office {seed}"));
            assert!(
                found.contains(&format!("{invariant}:")),
                "{fault:?} is caught by something else: {found}"
            );
        }
    }
}
