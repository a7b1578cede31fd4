//! The process table of Linux: `/proc`, and process descriptors that tell of an end at once.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::members::Row;
use super::{TOKEN_VARIABLE, TreeIdentity};
use crate::platform::local::Caller;

/// Members whose end is told at once; each costs a file descriptor. The end of the others is seen at the next look.
const DESCRIPTORS_MAX: usize = 64;
/// The most of an environment that is read.
const ENVIRONMENT_BYTES_MAX: u64 = 1024 * 1024;
/// A line of `/proc/PID/stat` is far shorter.
const STAT_BYTES_MAX: u64 = 4_096;

/// When a living process started, in clock ticks since boot; `None` when there is none of that number.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    Ok(row(pid)?.map(|row| row.start))
}

/// Whether the caller may have this process watched.
pub(super) fn belongs_to(pid: u32, caller: &Caller) -> io::Result<bool> {
    if caller.uid == Some(0) {
        return Ok(true);
    }
    // The folder's owner is root for a process that may not be looked into; the status line is always true.
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let real =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    Ok(real.is_some() && real == caller.uid)
}

/// Every living process.
pub(super) fn read(tree: &TreeIdentity) -> io::Result<Vec<Row>> {
    let mut table = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process that ends while we look is no error.
        let Ok(Some(mut row)) = row(pid) else { continue };
        // What is older than the tree can't carry its token: spares reading most environments.
        row.marked = row.start >= tree.start_time && carries(pid, &tree.token);
        table.push(row);
    }
    Ok(table)
}

/// `None` for a number without a living process.
fn row(pid: u32) -> io::Result<Option<Row>> {
    let mut line = Vec::new();
    let read = fs::File::open(format!("/proc/{pid}/stat"))
        .and_then(|file| file.take(STAT_BYTES_MAX).read_to_end(&mut line));
    match read {
        Ok(_) => Ok(parse(pid, &String::from_utf8_lossy(&line))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a line of `/proc/PID/stat`, proc(5).
fn parse(pid: u32, line: &str) -> Option<Row> {
    // The program's name stands in parentheses and may hold spaces and parentheses itself.
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    // Negative when the process is in no session.
    let id = |field: usize| number(field).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    // A first thread that has ended shows as a zombie while the others go on.
    let dead = matches!(*fields.first()?, "Z" | "X" | "x") && number(20).unwrap_or(0) <= 1;
    (!dead).then_some(Row {
        pid,
        parent: id(4),
        group: id(5),
        session: id(6),
        start: number(22)?,
        marked: false,
    })
}

/// Whether the process has the token in its environment. Readable for root and for the process's own user.
fn carries(pid: u32, token: &str) -> bool {
    if token.is_empty() {
        return false;
    }
    let mut environment = Vec::new();
    // A process that is not ours, or ends meanwhile, reads as an error or as empty.
    let read = fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut environment));
    let mut entries = environment.split(|byte| *byte == 0);
    read.is_ok() && entries.any(|entry| entry.strip_prefix(TOKEN_VARIABLE) == Some(token.as_bytes()))
}

/// Resolves to the member that has ended.
type End = Pin<Box<dyn Future<Output = (u32, u64)> + Send>>;

/// Tells of the end of members.
#[derive(Default)]
pub(super) struct Exits {
    watched: BTreeSet<(u32, u64)>,
    ends: FuturesUnordered<End>,
}

impl std::fmt::Debug for Exits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exits").field(&self.watched).finish()
    }
}

impl Exits {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Watches these too.
    pub(super) fn watch(&mut self, members: impl Iterator<Item = (u32, u64)>) {
        for (pid, start) in members {
            if self.watched.len() >= DESCRIPTORS_MAX {
                return;
            }
            if self.watched.contains(&(pid, start)) {
                continue;
            }
            // Without a descriptor (an old kernel, no files left) the looks tell, only later.
            let Some(descriptor) = descriptor(pid) else { continue };
            self.watched.insert((pid, start));
            self.ends.push(Box::pin(async move {
                // Readable: it ended. An error: nothing more will be told of it.
                let _ = descriptor.readable().await;
                (pid, start)
            }));
        }
    }

    /// Resolves when a watched process has ended.
    pub(super) async fn next(&mut self) {
        match self.ends.next().await {
            Some(member) => {
                self.watched.remove(&member);
            }
            None => std::future::pending().await,
        }
    }
}

#[allow(deprecated, reason = "the replacement is an unsafe call; an OwnedFd is what it asks for")]
fn descriptor(pid: u32) -> Option<AsyncFd<OwnedFd>> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let descriptor = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
    AsyncFd::with_interest(descriptor, Interest::READABLE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_program_is_called() {
        let rest = "1 2 3 34816 100 4194560 1 2 3 4 5 6 7 8 20 0 THREADS 0 4711 1 1";
        let line = |name: &str, state: &str, threads: &str| {
            format!("42 ({name}) {state} {}", rest.replace("THREADS", threads))
        };
        let expected = Row { pid: 42, parent: 1, group: 2, session: 3, start: 4711, marked: false };
        assert_eq!(parse(42, &line("sh", "S", "1")), Some(expected));
        assert_eq!(parse(42, &line("a) Z 9 (b", "S", "1")), Some(expected));
        assert_eq!(parse(42, &line("sh", "Z", "1")), None);
        assert_eq!(parse(42, &line("sh", "Z", "4")), Some(expected));
        assert_eq!(parse(42, "42 (sh) S 1 2"), None);
        assert_eq!(parse(42, ""), None);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let me = std::process::id();
        let identity = TreeIdentity { pid: me, start_time: 0, token: String::new() };
        let table = read(&identity).unwrap();
        assert!(table.iter().any(|row| row.pid == me && !row.marked));
        assert_eq!(started(u32::MAX).unwrap(), None);
    }
}
