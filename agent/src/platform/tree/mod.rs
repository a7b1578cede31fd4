//! Watching a process and everything it started.
//!
//! The seat of a program is held as long as any process of its tree lives, however the others end: a starter that
//! exits at once, a daemon that detaches itself, a wrapper that is killed. The watching is the agent's own, so that
//! it does not depend on any process of the tree.
//!
//! `members` decides who belongs to the tree, from a table of all processes; this file keeps the table fresh.

mod members;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod table;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "unix.rs"]
mod table;
#[cfg(windows)]
#[path = "windows.rs"]
mod table;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use self::members::Members;
use self::table::Exits;
use super::local::Caller;
use crate::seam::{Later, Tree, TreeIdentity};

/// Processes of one tree that are watched; more are not, so a runaway program can't exhaust the agent.
const MEMBERS_MAX: usize = 4_096;
/// How often new members are looked for. Nothing tells an unprivileged watcher of a fork; a process that is started
/// and detached between two looks is still found by its token, session or group.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The least time between two looks: a build that starts thousands of processes must not cost a look for each.
const LOOKS_APART: Duration = Duration::from_millis(50);
/// A look that finds nobody is repeated after these pauses before it is believed: while a process executes a new
/// program, its environment reads as empty for a moment, and its token with it.
const NOBODY_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(300)];
/// The variable by which a process says which tree it is of.
#[cfg(target_os = "linux")]
const TOKEN_VARIABLE: &[u8] = b"SEATKEEPER_SESSION=";

/// A watched tree.
#[derive(Debug)]
pub struct ProcessTree {
    identity: TreeIdentity,
    members: Members,
    exits: Exits,
    last_look: Option<Instant>,
}

/// Why a tree can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// No such process.
    #[error("there is no process {0}")]
    NoSuchProcess(u32),
    /// The process is another user's.
    #[error("process {pid} does not belong to {user}")]
    NotYours {
        /// The process.
        pid: u32,
        /// Who asked.
        user: String,
    },
    /// The system did not tell.
    #[error("cannot look at process {pid}: {source}")]
    Io {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

impl ProcessTree {
    /// Watches the tree that begins with `pid`.
    ///
    /// # Errors
    /// When the process does not exist, or is neither the caller's nor the caller root.
    pub fn adopt(pid: u32, token: &str, caller: &Caller) -> Result<Self, TreeError> {
        let start_time = match table::started(pid) {
            Ok(Some(start)) => start,
            Ok(None) => return Err(TreeError::NoSuchProcess(pid)),
            Err(source) => return Err(TreeError::Io { pid, source }),
        };
        if !table::belongs_to(pid, caller).map_err(|source| TreeError::Io { pid, source })? {
            return Err(TreeError::NotYours { pid, user: caller.user.clone() });
        }
        Ok(Self::of(TreeIdentity { pid, start_time, token: token.to_owned() }))
    }

    /// Watches a tree again after a restart of the agent. `None` when none of its processes is left.
    pub fn resume(identity: TreeIdentity) -> Option<Self> {
        let mut tree = Self::of(identity);
        tree.members = tree.members.after(&table::read(&tree.identity).ok()?);
        (!tree.members.is_empty()).then_some(tree)
    }

    async fn until_ended(&mut self) {
        let mut again = NOBODY_AGAIN_AFTER.iter();
        loop {
            if let Some(last) = self.last_look {
                tokio::time::sleep_until(last + LOOKS_APART).await;
            }
            self.last_look = Some(Instant::now());
            let known = self.members.clone();
            self.look().await;
            if self.members.is_empty() {
                let Some(pause) = again.next() else { return };
                // Who was there still says whose children and sessions belong.
                self.members = known;
                tokio::time::sleep(*pause).await;
                continue;
            }
            again = NOBODY_AGAIN_AFTER.iter();
            tokio::select! {
                () = self.exits.next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Reads the table and learns who came and went.
    async fn look(&mut self) {
        let identity = self.identity.clone();
        match tokio::task::spawn_blocking(move || table::read(&identity)).await {
            Ok(Ok(table)) => {
                self.members = self.members.after(&table);
                self.exits.watch(self.members.iter());
            }
            // Not knowing is no reason to give a seat away that a program may be using.
            Ok(Err(error)) => tracing::warn!(%error, "the process table could not be read"),
            Err(error) => tracing::warn!(%error, "reading the process table failed"),
        }
    }

    fn of(identity: TreeIdentity) -> Self {
        let members = Members::first(identity.pid, identity.start_time);
        Self { identity, members, exits: Exits::new(), last_look: None }
    }
}

impl Tree for ProcessTree {
    fn identity(&self) -> TreeIdentity {
        self.identity.clone()
    }

    fn ended(&mut self) -> Later<'_, ()> {
        Box::pin(self.until_ended())
    }
}
