//! `seatkeeper-tests sim`.

use std::io::Write as _;
use std::process::ExitCode;

use super::run::{self, Report};
use super::trace::Telling;
use seatkeeper_protocol::fault::Fault;

const USAGE: &str = "\
usage: seatkeeper-tests sim --seed N [--steps]
       seatkeeper-tests sim --seeds A..B [--jobs N] [--fault NAME]
       seatkeeper-tests sim --faults [--within N]

  --seed N      runs one schedule and says what came of it; --steps narrates it
  --seeds A..B  runs all of them, each in a process of its own
  --fault NAME  with a planted fault
  --faults      plants each fault in turn and counts the seeds until it is caught
";

fn line(text: impl std::fmt::Display) {
    // Whoever reads no further needs no more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs the command line.
pub fn main(args: &[String]) -> ExitCode {
    run::note_panics();
    match Options::read(args) {
        Ok(options) => options.run(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[derive(Debug, Default)]
struct Options {
    seed: Option<u64>,
    steps: bool,
    fault: Option<Fault>,
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--seed" => {
                    options.seed = Some(value()?.parse().map_err(|_| "a seed is a number".to_owned())?)
                }
                "--steps" => options.steps = true,
                "--fault" => {
                    let name = value()?;
                    let fault = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == *name);
                    options.fault = Some(fault.ok_or_else(|| format!("there is no fault {name}"))?);
                }
                other => return Err(format!("{other} is not understood")),
            }
        }
        Ok(options)
    }

    fn run(&self) -> ExitCode {
        let Some(seed) = self.seed else { return ExitCode::from(2) };
        let telling = if self.steps { Telling::Aloud } else { Telling::Quiet };
        let report = run::run(seed, self.fault, telling);
        tell(&report);
        if report.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn tell(report: &Report) {
    if let Some(violation) = &report.violation {
        report.last.iter().for_each(line);
        line(format_args!("seed {}: {}: {}", report.seed, violation.invariant, violation.found));
    }
    for (name, count) in report.counts.all() {
        line(format_args!("{count:>9}  {name}"));
    }
    line(format_args!(
        "seed {} trace {} simulated {} s",
        report.seed,
        report.trace,
        report.lasted_ms / 1_000
    ));
}
