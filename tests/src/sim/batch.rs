//! Many seeds, each in a process of its own (see [`super::chance`] for why), a few at a time.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use seatkeeper_protocol::fault::Fault;

use super::counts::Counts;

/// What begins the lines that a parent reads.
const COUNT: &str = "count ";
const FOUND: &str = "found ";
const TRACE: &str = "trace ";
const LASTED: &str = "lasted ";

/// What a process said of its seed.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The seed.
    pub seed: u64,
    /// What happened, counted.
    pub counts: Counts,
    /// The hash of all that happened.
    pub trace: String,
    /// Simulated milliseconds.
    pub lasted_ms: u64,
    /// What did not hold: the invariant, and how.
    pub found: Option<(String, String)>,
}

/// A report as the parent reads it.
pub fn print(report: &super::run::Report) -> String {
    let mut text = String::new();
    for (name, count) in report.counts.all() {
        text += &format!("{COUNT}{count} {name}\n");
    }
    text += &format!("{TRACE}{}\n{LASTED}{}\n", report.trace, report.lasted_ms);
    if let Some(violation) = &report.violation {
        text += &format!("{FOUND}{} {}\n", violation.invariant, violation.found.replace('\n', " "));
    }
    text
}

fn read(seed: u64, text: &str) -> Option<Told> {
    let mut told = Told { seed, ..Told::default() };
    for line in text.lines() {
        if let Some((count, name)) = line.strip_prefix(COUNT).and_then(|rest| rest.split_once(' ')) {
            told.counts.add(name, count.parse().ok()?);
        } else if let Some((invariant, found)) =
            line.strip_prefix(FOUND).and_then(|rest| rest.split_once(' '))
        {
            told.found = Some((invariant.to_owned(), found.to_owned()));
        } else if let Some(trace) = line.strip_prefix(TRACE) {
            told.trace = trace.to_owned();
        } else if let Some(lasted) = line.strip_prefix(LASTED) {
            told.lasted_ms = lasted.parse().ok()?;
        }
    }
    (!told.trace.is_empty()).then_some(told)
}

/// Runs one seed in a process of its own.
///
/// # Errors
/// When the process can't be started.
pub fn one(seed: u64, fault: Option<Fault>) -> io::Result<Told> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sim", "--seed", &seed.to_string(), "--for-a-parent"]).stdin(Stdio::null());
    if let Some(fault) = fault {
        command.args(["--fault", &format!("{fault:?}")]);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(read(seed, &text).unwrap_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        let what = format!("the process ended with {}: {}", output.status, errors.trim());
        Told { seed, found: Some(("crash".to_owned(), what)), ..Told::default() }
    }))
}

/// Runs seeds, `jobs` at a time, and hands over each as it is done; stops when `each` says so.
///
/// # Errors
/// When processes can't be started.
pub fn many(
    seeds: &[u64],
    jobs: usize,
    fault: Option<Fault>,
    each: impl FnMut(Told) -> bool + Send,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let state = Mutex::new((each, Ok(())));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() else { return };
                    let told = one(seed, fault);
                    let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let go_on = match told {
                        Ok(told) => (state.0)(told),
                        Err(error) => {
                            state.1 = Err(error);
                            false
                        }
                    };
                    if !go_on {
                        next.store(seeds.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).1
}
