//! The child of `run` on Unix.

use std::io;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::signal::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::mpsc;

use super::{Exit, SpawnError};

/// Passed on to the child.
const FORWARDED: [i32; 8] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT];
/// Signals waiting to be passed on; the kernel merges more of a kind anyway.
const SIGNALS_MAX: usize = 64;
/// A child seen stopped for this long was stopped alone, not together with us by the terminal.
const STOPPED_ALONE_AFTER: Duration = Duration::from_millis(150);

/// Signals are caught from here on; the child is about to be started.
#[derive(Debug)]
pub struct Preparation {
    signals: mpsc::Receiver<Origin>,
}

impl Preparation {
    /// Catches the signals that are passed on, and makes orphans of the child's tree ours, so that the tree stays
    /// in one piece while this process lives.
    ///
    /// # Errors
    /// When the operating system refuses to install the signal handlers.
    pub fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        // What is ignored stays ignored, here and in the child: `nohup seatkeeper run …` must survive a hangup.
        let ignored = ignored_signals();
        let caught = FORWARDED.iter().copied().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut source = SignalsInfo::<WithOrigin>::new(caught.chain([SIGCHLD]))?;
        let (sender, signals) = mpsc::channel(SIGNALS_MAX);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for origin in source.forever() {
                if sender.blocking_send(origin).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { signals })
    }

    /// Starts the child with our terminal, process group and standard streams.
    ///
    /// # Errors
    /// [`SpawnError`], by which shells tell 126 from 127.
    pub fn spawn(self, command: &mut Command) -> Result<Child, SpawnError> {
        let child = command.spawn().map_err(|error| SpawnError::from_io(command, error))?;
        // A pid always fits; it came from the kernel as this type.
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| SpawnError::from_io(command, io::Error::other("bad process id")))?;
        Ok(Child { pid, signals: self.signals, stopped: false })
    }
}

/// A running child.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    signals: mpsc::Receiver<Origin>,
    /// The child was seen stopped, and we have not yet stopped with it.
    stopped: bool,
}

impl Child {
    /// Passes signals on until the child has ended. Cancel safe.
    ///
    /// # Errors
    /// When the operating system no longer tells about signals or children.
    pub async fn ended(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.reap()? {
                return Ok(exit);
            }
            let signal = if self.stopped {
                match tokio::time::timeout(STOPPED_ALONE_AFTER, self.signals.recv()).await {
                    Ok(signal) => signal,
                    Err(_) => {
                        self.stop_along()?;
                        continue;
                    }
                }
            } else {
                self.signals.recv().await
            };
            let Some(origin) = signal else { return Err(io::Error::other("the signal thread ended")) };
            if is_for_the_child(&origin) {
                self.send(origin.signal);
            }
        }
    }

    /// Whether nothing that the ended child started is left. Orphans of the tree have become our children; where
    /// they don't, nobody knows.
    pub fn was_the_last(&self) -> bool {
        let none_left =
            || matches!(rustix::process::wait(WaitOptions::NOHANG), Err(rustix::io::Errno::CHILD));
        cfg!(target_os = "linux") && none_left()
    }

    /// Asks the child to end.
    pub fn terminate(&mut self) {
        self.send(SIGTERM);
        // A stopped process acts on no signal.
        self.send(SIGCONT);
    }

    /// Ends the child.
    pub fn kill(&mut self) {
        self.send(signal_hook::consts::signal::SIGKILL);
    }

    fn send(&self, signal: i32) {
        // The child is not reaped yet, so the id is still its own; it may have ended already, which is fine.
        if let Some(signal) = Signal::from_named_raw(signal) {
            rustix::process::kill_process(self.pid, signal).ok();
        }
    }

    /// Collects whatever ended; orphans of the tree have become our children.
    fn reap(&mut self) -> io::Result<Option<Exit>> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(None) => return Ok(None),
                Ok(Some((pid, status))) if pid == self.pid => {
                    if let Some(exit) = exit(status) {
                        return Ok(Some(exit));
                    }
                    self.stopped = status.stopped();
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stops this process if the child still is stopped, so that the shell sees a stopped job and `fg` works.
    /// Waking up again is a SIGCONT, which is passed on.
    fn stop_along(&mut self) -> io::Result<()> {
        self.stopped = false;
        if is_stopped(self.pid) {
            rustix::process::kill_process(rustix::process::getpid(), Signal::STOP)?;
            self.send(SIGCONT);
        }
        Ok(())
    }
}

/// The terminal sends its signals to the whole process group: the child has them already.
fn is_for_the_child(origin: &Origin) -> bool {
    let from_terminal = matches!(origin.signal, SIGINT | SIGQUIT | SIGHUP | SIGWINCH | SIGCONT)
        && matches!(origin.cause, Cause::Kernel);
    origin.signal != SIGCHLD && !from_terminal
}

fn exit(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}

#[cfg(target_os = "linux")]
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // The state follows the name, which is in parentheses and may contain some itself.
    stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't')))
}

#[cfg(not(target_os = "linux"))]
fn is_stopped(_: Pid) -> bool {
    true
}

/// Bit n - 1 is set when signal n is ignored.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
