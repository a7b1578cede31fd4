//! `seatkeeper-tests sim`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use seatkeeper_protocol::fault::Fault;

use super::batch::{self, Told};
use super::counts::Counts;
use super::trace::Telling;
use super::{run, schedule};

const USAGE: &str = "\
usage: seatkeeper-tests sim --seed N [--steps] [--fault NAME]
       seatkeeper-tests sim --seeds A..B [--jobs N] [--fault NAME]
       seatkeeper-tests sim --fresh N [--jobs N]
       seatkeeper-tests sim --faults [--fault NAME] [--within N] [--jobs N]
       seatkeeper-tests sim --caught

  --seed N      runs one schedule and says what came of it; --steps narrates it
  --seeds A..B  runs all of them, each in a process of its own; 400 or more
                fail also if anything was never seen to happen
  --fresh N     the same with N seeds that nobody has chosen; not everything needs to happen
  --fault NAME  with a planted fault
  --faults      plants each fault in turn, or the one named, and looks for a seed that catches it
  --caught      plants each fault into the seed that is known to catch it

  --jobs N      processes at once (2)
  --within N    seeds in which a planted fault must be caught (2000)
";

/// In so many seeds everything must have happened once.
const ALL_SEEN_IN: u64 = 400;
/// Every so many seeds are run twice: the same seed has the same trace.
const AGAIN_EVERY: u64 = 50;

/// Seeds that catch a planted fault, each of them.
const CAUGHT: [(Fault, u64); Fault::ALL.len()] = [
    (Fault::TicketBeforeCommit, 0),
    (Fault::PongWithoutRead, 5),
    (Fault::DeadlineFromReceiving, 44),
    (Fault::LeasesAcrossTerms, 112),
    (Fault::UnsyncedVote, 56),
    (Fault::UnsyncedAppend, 3),
    (Fault::DoubleApply, 7),
    (Fault::StaleHolderCommand, 35),
    (Fault::ExpireAnyAttach, 15),
    (Fault::ReturnAnyAttach, 21),
    (Fault::OneClock, 19),
    (Fault::SuspendNotCounted, 38),
    (Fault::SnapshotForgets, 0),
    (Fault::AnyGeneration, 1),
    (Fault::AdmissionBlind, 0),
    (Fault::ReturnBeforeRetired, 21),
    (Fault::ReturnWhileUsed, 29),
    (Fault::BorrowByWallClock, 781),
];

fn line(text: impl std::fmt::Display) {
    // Whoever reads no further needs no more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs the command line.
pub fn main(args: &[String]) -> ExitCode {
    run::note_panics();
    match Options::read(args).and_then(|options| options.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[derive(Debug)]
struct Options {
    seed: Option<u64>,
    seeds: Option<std::ops::Range<u64>>,
    fresh: Option<u64>,
    steps: bool,
    for_a_parent: bool,
    fault: Option<Fault>,
    faults: bool,
    caught: bool,
    within: u64,
    jobs: usize,
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self {
            seed: None,
            seeds: None,
            fresh: None,
            steps: false,
            for_a_parent: false,
            fault: None,
            faults: false,
            caught: false,
            within: 2_000,
            jobs: 2,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
            let number = |text: &String| text.parse().map_err(|_| format!("{text} is not a number"));
            match arg.as_str() {
                "--seed" => options.seed = Some(number(value()?)?),
                "--seeds" => {
                    let (from, to) = value()?.split_once("..").ok_or("--seeds wants A..B")?;
                    options.seeds = Some(number(&from.to_owned())?..number(&to.to_owned())?);
                }
                "--fresh" => options.fresh = Some(number(value()?)?),
                "--steps" => options.steps = true,
                "--for-a-parent" => options.for_a_parent = true,
                "--fault" => {
                    let name = value()?;
                    let fault = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == *name);
                    options.fault = Some(fault.ok_or_else(|| format!("there is no fault {name}"))?);
                }
                "--faults" => options.faults = true,
                "--caught" => options.caught = true,
                "--within" => options.within = number(value()?)?,
                "--jobs" => options.jobs = usize::try_from(number(value()?)?).unwrap_or(usize::MAX),
                other => return Err(format!("{other} is not understood")),
            }
        }
        Ok(options)
    }

    /// Whether all was well.
    fn run(&self) -> Result<bool, String> {
        if self.caught {
            return Self::catch_again();
        }
        if self.faults {
            return self.catch_all();
        }
        if let Some(seed) = self.seed {
            return Ok(self.one(seed));
        }
        if let Some(seeds) = &self.seeds {
            return self.many(seeds.clone(), seeds.end - seeds.start >= ALL_SEEN_IN);
        }
        let count = self.fresh.ok_or("nothing to do")?;
        let chance = seatkeeper::keys::random::<4>().map_err(|error| error.to_string())?;
        let first = u64::from(u32::from_le_bytes(chance));
        // Some things happen in one office of hundreds.
        self.many(first..first + count, false)
    }

    fn one(&self, seed: u64) -> bool {
        let telling = if self.steps { Telling::Aloud } else { Telling::Quiet };
        let report = run::run(seed, self.fault, telling);
        if self.for_a_parent {
            line(batch::print(&report));
            return true;
        }
        if !self.steps {
            report.last.iter().for_each(line);
        }
        tell_counts(&report.counts);
        line(format_args!("seed {seed}: {} s simulated, trace {}", report.lasted_ms / 1_000, report.trace));
        if let Some(violation) = &report.violation {
            line(format_args!("seed {seed}: {}: {}", violation.invariant, violation.found));
        }
        report.violation.is_none()
    }

    /// Runs seeds and says what came of them.
    /// Runs seeds; `all`: everything that can happen has to.
    fn many(&self, seeds: std::ops::Range<u64>, all: bool) -> Result<bool, String> {
        line(format_args!("seeds {}..{}", seeds.start, seeds.end));
        let (mut counts, mut found, mut runs, mut lasted_ms) = (Counts::default(), Vec::new(), 0u64, 0);
        let mut again = Vec::new();
        let each = |told: Told| {
            runs += 1;
            lasted_ms += told.lasted_ms;
            for (name, count) in told.counts.all() {
                counts.add(name, count);
            }
            if let Some((invariant, what)) = told.found {
                line(format_args!("seed {}: {invariant}: {what}", told.seed));
                found.push((told.seed, invariant));
            }
            if told.seed.is_multiple_of(AGAIN_EVERY) {
                again.push((told.seed, told.trace.clone()));
            }
            if runs.is_multiple_of(100) {
                line(format_args!("{runs} runs, {} found", found.len()));
            }
            true
        };
        let seeds: Vec<u64> = seeds.collect();
        batch::many(&seeds, self.jobs, self.fault, each).map_err(|error| error.to_string())?;
        for (seed, trace) in &again {
            let told = batch::one(*seed, self.fault).map_err(|error| error.to_string())?;
            if told.trace != *trace {
                line(format_args!(
                    "seed {seed}: the second run had the trace {}, the first {trace}",
                    told.trace
                ));
                found.push((*seed, "trace".to_owned()));
            }
        }
        tell_counts(&counts);
        let hours = Duration::from_millis(lasted_ms).as_secs() / 3_600;
        line(format_args!(
            "{runs} runs, {hours} h simulated, {} violations; {} runs repeated, to the same trace",
            found.len(),
            again.len()
        ));
        let never: Vec<&str> =
            counts.all().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect();
        if !never.is_empty() {
            line(format_args!("never seen to happen: {}", never.join(", ")));
        }
        Ok(found.is_empty() && (never.is_empty() || !all))
    }

    /// Plants the faults that are known to be caught, each into the seed that caught it.
    fn catch_again() -> Result<bool, String> {
        let mut all = true;
        for (fault, seed) in CAUGHT {
            let told = batch::one(seed, Some(fault)).map_err(|error| error.to_string())?;
            match told.found.filter(|(invariant, _)| invariant != "liveness") {
                Some((invariant, what)) => {
                    line(format_args!("{fault:?}: caught by {invariant} at seed {seed}: {what}"));
                }
                None => {
                    all = false;
                    line(format_args!("{fault:?}: NOT CAUGHT at seed {seed}; find another with --faults"));
                }
            }
        }
        Ok(all)
    }

    /// Plants each fault in turn; each must be caught by a checker.
    fn catch_all(&self) -> Result<bool, String> {
        let faults = self.fault.map_or_else(|| Fault::ALL.to_vec(), |fault| vec![fault]);
        let mut escaped = Vec::new();
        for fault in faults {
            let mut caught: BTreeMap<u64, (String, String)> = BTreeMap::new();
            let each = |told: Told| match told.found {
                // A person who can't work is no proof: a fault has to be caught by the invariant that it breaks.
                Some((invariant, _)) if invariant == "liveness" => true,
                Some(found) => {
                    caught.insert(told.seed, found);
                    false
                }
                None => true,
            };
            // Schedules that hunt what brings it out come first.
            let (mut seeds, rest): (Vec<u64>, Vec<u64>) =
                (0..self.within).partition(|seed| schedule::hunts(*seed, fault));
            let first = seeds.len();
            seeds.extend(rest);
            batch::many(&seeds, self.jobs, Some(fault), each).map_err(|error| error.to_string())?;
            line(format_args!("{fault:?}: {first} of {} schedules hunt it", self.within));
            match caught.first_key_value() {
                Some((seed, (invariant, what))) => {
                    line(format_args!("{fault:?}: caught by {invariant} at seed {seed}: {what}"));
                }
                None => {
                    line(format_args!("{fault:?}: NOT CAUGHT within {} seeds", self.within));
                    escaped.push(fault);
                }
            }
        }
        Ok(escaped.is_empty())
    }
}

fn tell_counts(counts: &Counts) {
    for (name, count) in counts.all() {
        line(format_args!("{count:>9}  {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_seed_that_catches_it() {
        let known: Vec<Fault> = CAUGHT.iter().map(|(fault, _)| *fault).collect();
        assert_eq!(known, Fault::ALL);
    }
}
