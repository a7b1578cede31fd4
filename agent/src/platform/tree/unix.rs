//! Unix systems other than Linux: only the first process is watched, by asking for it now and then.

use std::io;

use rustix::process::{Pid, test_kill_process};

use super::TreeIdentity;
use super::members::Row;
use crate::platform::local::Caller;

/// These systems don't say when a process started in a portable way: 0 for each that lives.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match test_kill_process(id) {
        // Not permitted: it exists.
        Ok(()) | Err(rustix::io::Errno::PERM) => Ok(Some(0)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the caller may have this process watched: its own, or one it named by connecting itself.
pub(super) fn belongs_to(pid: u32, caller: &Caller) -> io::Result<bool> {
    Ok(caller.uid == Some(0) || caller.pid == Some(pid))
}

/// The first process, while it lives.
pub(super) fn read(tree: &TreeIdentity) -> io::Result<Vec<Row>> {
    let row = started(tree.pid)?.map(|start| Row { pid: tree.pid, start, ..Row::default() });
    Ok(row.into_iter().collect())
}

/// Nothing tells of an end here: the looks do.
#[derive(Debug)]
pub(super) struct Exits;

#[allow(clippy::needless_pass_by_ref_mut, reason = "the same calls as on Linux, where they change something")]
impl Exits {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn watch(&mut self, _members: impl Iterator<Item = (u32, u64)>) {}

    pub(super) async fn next(&mut self) {
        std::future::pending().await
    }
}
