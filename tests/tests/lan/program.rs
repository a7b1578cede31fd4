//! A program that holds a seat on a host.

use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::{Host, signal};
use crate::wait::wait_until;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// `seatkeeper run` with a program that runs until it is ended; killed on drop with all that it started.
pub(crate) struct Program {
    pub(crate) host: String,
    child: Child,
    started: PathBuf,
    output: PathBuf,
}

impl Program {
    /// Starts it; it may be refused.
    pub(crate) fn try_start(host: &Host, product: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let started = host.file(&format!("program{number}.seat"));
        let output = host.file(&format!("program{number}.log"));
        // Writes down its seat and lives on.
        let script = r#"echo "$SEATKEEPER_SEAT" >"$0.new" && mv "$0.new" "$0" && exec sleep 600"#;
        let file = started.to_str().expect("a plain path");
        let child = host.spawn(&["run", product, "--", "sh", "-c", script, file], &output);
        Self { host: host.name.clone(), child, started, output }
    }

    /// Starts it and waits for its seat.
    #[track_caller]
    pub(crate) fn start(host: &Host, product: &str) -> Self {
        let mut program = Self::try_start(host, product);
        wait_until(&format!("a seat of {product} on {}", host.name), 30, || {
            if let Some(status) = program.ended() {
                panic!("{product} on {} got no seat: {status}: {}", host.name, program.output());
            }
            program.seat()
        });
        program
    }

    /// Its seat, once the program runs.
    pub(crate) fn seat(&self) -> Option<String> {
        std::fs::read_to_string(&self.started).ok().map(|text| text.trim().to_owned())
    }

    /// Everything that `run` told.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Whether it was told that its seat is lost, and not that it is regained since.
    pub(crate) fn lost(&self) -> bool {
        let output = self.output();
        output.rfind("the seat is lost") > output.rfind("the seat is regained")
    }

    /// Whether it may use its seat, as far as it was told.
    pub(crate) fn uses_seat(&mut self) -> bool {
        self.seat().is_some() && !self.lost() && self.ended().is_none()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the program's fate")
    }

    /// Has it stand still with all that it started, as in a sleep, or go on.
    pub(crate) fn stand_still(&self, still: bool) {
        signal(if still { "STOP" } else { "CONT" }, &format!("-{}", self.child.id()));
    }

    /// Ends it as its user would; the seat goes back.
    #[track_caller]
    pub(crate) fn end(mut self) {
        signal("TERM", &self.child.id().to_string());
        wait_until("the program ends", 20, || self.ended());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The group also has what a killed `run` left behind.
        signal("KILL", &format!("-{}", self.child.id()));
        self.child.wait().ok();
    }
}
