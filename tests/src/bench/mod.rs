//! `seatkeeper-tests bench`: measures real agents on this machine, with the physical floor beside them.
//!
//! | module | holds |
//! |---|---|
//! | `report` | figures, targets, the table, the JSON |
//! | `stats` | medians and percentiles |
//! | `process` | what the operating system says about a process |
//! | `net` | network namespaces joined by a bridge |
//! | `office` | real agents, a site, a license |
//! | `floor` | fdatasync, database commit, QUIC echo: what physics asks for |
//! | `etcd` | three members of etcd at the same work |
//! | `checkout` | latency and throughput of checkouts |
//! | `failover` | a killed holder, a leaving one, a starting agent |
//! | `idle` | memory, processor and traffic at rest; the size of the program |
//! | `crowd` | a holder with a thousand devices |
//!
//! Everything happens on loopback, or in network namespaces made and removed here, and in one temporary folder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use report::Report;

mod checkout;
mod crowd;
mod etcd;
mod failover;
mod floor;
mod idle;
mod net;
mod office;
mod process;
mod report;
mod stats;

/// Why a measurement could not be made: one sentence.
type Failure = String;

/// Measures real agents on this machine, with the physical floor beside them
#[derive(Clone, Debug, Parser)]
#[command(name = "seatkeeper-tests bench")]
struct Args {
    /// Fewer and shorter runs: for a look, not for a figure to publish
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The program to measure (else the `seatkeeper` beside this one: build it with `cargo build --release`)
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Measure these only; may be repeated
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Where the agents' files are put for the time being: the file system whose speed counts (else the temporary folder)
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Checkouts one after the other, floor and etcd beside them
    Checkout,
    /// Many clients at once
    Throughput,
    /// A killed holder
    Failover,
    /// A leaving holder
    Leave,
    /// A starting agent
    Start,
    /// Memory, processor and traffic at rest
    Idle,
    /// A holder with a thousand devices
    Crowd,
    /// The size of the program
    Size,
}

/// What all parts need to know.
#[derive(Debug)]
struct Setting {
    binary: PathBuf,
    dir: PathBuf,
    quick: bool,
}

impl Setting {
    fn of(args: &Args) -> Result<Self, Failure> {
        let beside =
            || -> Option<PathBuf> { Some(std::env::current_exe().ok()?.parent()?.join("seatkeeper")) };
        let binary = args.binary.clone().or_else(beside).filter(|binary| binary.exists());
        let binary =
            binary.ok_or("there is no program to measure; run `cargo build --release`, or say --binary")?;
        let dir = args.dir.clone().unwrap_or_else(std::env::temp_dir);
        Ok(Self { binary, dir, quick: args.quick })
    }

    /// So often, or less often if in a hurry.
    fn times(&self, thorough: usize, quick: usize) -> usize {
        if self.quick { quick } else { thorough }
    }
}

/// Runs the command line.
pub fn main(args: &[String]) -> ExitCode {
    let name = "seatkeeper-tests bench".to_owned();
    let args = match Args::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(args) => args,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let measured = Setting::of(&args).and_then(|setting| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the benchmark cannot start: {error}"))?;
        let report = runtime.block_on(measure(&setting, &args.only));
        runtime.shutdown_background();
        Ok(report)
    });
    let told = measured.and_then(|report| {
        report.tell();
        match &args.json {
            Some(file) => report.write(file),
            None => Ok(()),
        }
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::note(&failure);
            ExitCode::FAILURE
        }
    }
}

/// All parts, or those asked for. One that fails is told as such and keeps no other from being measured.
async fn measure(setting: &Setting, only: &[Part]) -> Report {
    let mut report = Report::begin(setting.quick);
    let parts = Part::value_variants().iter().filter(|part| only.is_empty() || only.contains(part));
    for part in parts {
        let done = match part {
            Part::Checkout => checkout::latency(setting, &mut report).await,
            Part::Throughput => checkout::throughput(setting, &mut report).await,
            Part::Failover => failover::kill(setting, &mut report).await,
            Part::Leave => failover::leave(setting, &mut report).await,
            Part::Start => failover::start(setting, &mut report).await,
            Part::Idle => idle::idle(setting, &mut report).await,
            Part::Crowd => crowd::crowd(setting, &mut report).await,
            Part::Size => idle::size(setting, &mut report),
        };
        if let Err(failure) = done {
            report.failed(&format!("{part:?}").to_lowercase(), &failure);
        }
    }
    report
}
