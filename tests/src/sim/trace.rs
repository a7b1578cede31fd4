//! What is told of a run: to people, line by line if they ask for it, and always as one hash, so that two runs of one
//! seed can be compared.

use std::fmt;
use std::io::Write;

use sha2::{Digest, Sha256};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::clock::WorldTime;
use super::history::History;
use super::watch::Seen;

/// Lines kept for the end of a run that went wrong.
const KEPT: usize = 60;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nowhere; the last ones are kept.
    Quiet,
    /// To standard output.
    Aloud,
}

/// The agents' own logs among the lines that are told aloud, as the variable `SEATKEEPER_LOG` says, by simulated time.
struct SimTime(WorldTime);

impl FormatTime for SimTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let ms = self.0.now_ns() / 1_000_000;
        write!(w, "{:>6}.{:03} ", ms / 1_000, ms % 1_000)
    }
}

/// The trace of a run.
pub struct Trace {
    hash: Sha256,
    telling: Telling,
    last: std::collections::VecDeque<String>,
    events: u64,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Trace {
    /// Nothing has happened yet.
    pub fn new(telling: Telling) -> Self {
        Self { hash: Sha256::new(), telling, last: std::collections::VecDeque::new(), events: 0 }
    }

    /// The agents' logs are told too, if somebody listens and asks for them.
    pub fn tell_logs(&self, time: &WorldTime) {
        let Some(filter) = std::env::var_os("SEATKEEPER_LOG").filter(|_| self.telling == Telling::Aloud)
        else {
            return;
        };
        let Ok(filter) = filter.to_string_lossy().parse::<Targets>() else { return };
        let logs = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(SimTime(time.clone()));
        // Of several worlds in one process the first is told.
        let _ = tracing_subscriber::registry().with(logs).with(filter).try_init();
    }

    /// Something that the world did or saw.
    pub fn tell(&mut self, now: u64, what: fmt::Arguments<'_>) {
        let line = format!("{:>6}.{:03}  {what}", now / 1_000, now % 1_000);
        self.hash.update(line.as_bytes());
        self.events += 1;
        if self.telling == Telling::Aloud {
            // Whoever reads no further needs no more.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// What was seen in a step.
    pub fn follow(&mut self, now: u64, seen: &[Seen], history: &History) {
        for seen in seen {
            match seen {
                Seen::Applied(applied) => {
                    self.hash.update(applied.device.to_le_bytes());
                    self.hash.update(applied.hash);
                    // Told when it is applied first.
                    if let Some(first) = history.entries.get(&applied.index)
                        && first.at == now
                        && history.fresh.contains(&applied.index)
                        && first.hash == applied.hash
                    {
                        let entry = first.entry.as_ref();
                        let command = entry.map(|entry| short(&format!("{:?}", entry.command)));
                        let outcome = short(&format!("{:?}", first.outcome));
                        self.tell(
                            now,
                            format_args!(
                                "pc{} applies {}: {} -> {outcome}",
                                applied.device,
                                applied.index,
                                command.unwrap_or_default()
                            ),
                        );
                    }
                }
                Seen::Restored { device, books } => {
                    self.tell(now, format_args!("pc{device} restores its books at entry {}", books.index()));
                }
                Seen::Granted { device, program, .. } => {
                    self.tell(now, format_args!("pc{device}: program {program} has a seat"));
                }
                Seen::Alive { device, session, until } => {
                    self.hash.update(device.to_le_bytes());
                    self.hash.update(session.0);
                    self.hash.update(until.to_le_bytes());
                }
                Seen::Lost { device, program, reason } => {
                    self.tell(now, format_args!("pc{device}: program {program} loses its seat: {reason}"));
                }
                Seen::Refused { device, program, reason } => {
                    self.tell(now, format_args!("pc{device}: program {program} gets no seat: {reason}"));
                }
                Seen::Rival { answered } => {
                    self.tell(now, format_args!("another generation was answered: {answered:?}"));
                }
                Seen::Note { device, text } => self.tell(now, format_args!("pc{device}: {text}")),
                Seen::Wrong(what) => self.tell(now, format_args!("WRONG: {what}")),
            }
        }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> String {
        let digest = self.hash.clone().finalize();
        data_encoding::HEXLOWER.encode(&digest[..8])
    }

    /// The last lines.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}
