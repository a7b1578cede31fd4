//! The process table of Windows. A process there keeps naming its parent after that one's end.

use std::io;

use super::TreeIdentity;
use super::members::Row;
use crate::platform::local::Caller;
use crate::platform::windows;

/// When a living process started; `None` when there is none of that number.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    const ERROR_INVALID_PARAMETER: i32 = 87;
    match windows::started(pid) {
        Ok(start) => Ok(Some(start)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // How Windows says that there is no such process.
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the caller may have this process watched.
pub(super) fn belongs_to(pid: u32, caller: &Caller) -> io::Result<bool> {
    Ok(windows::account_of(pid)?.name == caller.user)
}

/// Every living process that we may look at.
pub(super) fn read(_tree: &TreeIdentity) -> io::Result<Vec<Row>> {
    let processes = windows::processes()?;
    Ok(processes
        .into_iter()
        .filter_map(|process| {
            let start = windows::started(process.pid).ok()?;
            Some(Row { pid: process.pid, parent: process.parent, start, ..Row::default() })
        })
        .collect())
}

/// The looks tell of an end here.
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
