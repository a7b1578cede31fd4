//! What the operating system says about a process.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use super::Failure;

/// A process that we started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process(i32);

/// Memory that a process has in RAM, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// All of it: what `ps` calls RSS.
    pub(super) resident: u64,
    /// The part that is its own; the rest is pages of the program's file, shared between its processes.
    pub(super) own: u64,
}

/// Bytes through the interfaces of a process's network namespace, loopback apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Process {
    pub(super) fn new(pid: u32) -> Result<Self, Failure> {
        i32::try_from(pid).map(Self).map_err(|_| format!("{pid} is no process id"))
    }

    /// This one.
    pub(super) fn me() -> Self {
        Self(nix::unistd::getpid().as_raw())
    }

    /// Asks it to end.
    pub(super) fn terminate(self) -> Result<(), Failure> {
        kill(Pid::from_raw(self.0), Signal::SIGTERM).map_err(|error| format!("process {}: {error}", self.0))
    }

    /// Processor time used so far, threads that have ended included.
    pub(super) fn cpu(self) -> Result<Duration, Failure> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.0)).and_then(nix::time::ClockId::now);
        clock
            .map(Duration::from)
            .map_err(|error| format!("the processor time of process {}: {error}", self.0))
    }

    pub(super) fn memory(self) -> Result<Memory, Failure> {
        let text = self.read("status")?;
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let memory = || Some(Memory { resident: kib("VmRSS:")? * 1_024, own: kib("RssAnon:")? * 1_024 });
        memory().ok_or_else(|| format!("the memory of process {} is not told", self.0))
    }

    pub(super) fn traffic(self) -> Result<Traffic, Failure> {
        Ok(traffic(&self.read("net/dev")?))
    }

    fn read(self, file: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{file}", self.0);
        std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }
}

fn traffic(text: &str) -> Traffic {
    let mut all = Traffic::default();
    for line in text.lines() {
        let Some((interface, counters)) = line.split_once(':') else { continue };
        let counters: Vec<u64> = counters.split_whitespace().map_while(|word| word.parse().ok()).collect();
        if let [received, _, _, _, _, _, _, _, sent, ..] = counters[..]
            && interface.trim() != "lo"
        {
            all.received += received;
            all.sent += sent;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let me = Process::me();
        let memory = me.memory().unwrap();
        assert!(memory.resident > memory.own && memory.own > 100_000, "{memory:?}");
        let before = me.cpu().unwrap();
        let mut sum = 0u64;
        while me.cpu().unwrap() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        me.traffic().unwrap();
    }

    #[test]
    fn traffic_is_counted_without_loopback() {
        let text = "Inter-|   Receive    |  Transmit\n face |bytes\n\
                        lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n\
                      eth0: 7 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n wlan0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n";
        let Traffic { received, sent } = traffic(text);
        assert_eq!((received, sent), (17, 25));
    }
}
