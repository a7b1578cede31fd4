//! The child of `run` on Windows. Ctrl-C and Ctrl-Break reach every process of the console; nothing is passed on.

use std::io;
use std::process::Command;

use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

use super::{Exit, SpawnError};

/// Ctrl-C no longer ends this process; the child is about to be started.
#[derive(Debug)]
pub struct Preparation {
    interrupts: (CtrlC, CtrlBreak),
}

impl Preparation {
    /// Leaves Ctrl-C to the child.
    ///
    /// # Errors
    /// When the operating system refuses to install the handlers.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupts: (ctrl_c()?, ctrl_break()?) })
    }

    /// Starts the child with our console and standard streams.
    ///
    /// # Errors
    /// [`SpawnError`], by which shells tell 126 from 127.
    pub fn spawn(self, command: &mut Command) -> Result<Child, SpawnError> {
        // tokio's handle is waited for without a thread; it does not end the child when dropped.
        let mut waited = tokio::process::Command::from(std::mem::replace(command, Command::new("")));
        waited.kill_on_drop(false);
        let child = waited.spawn();
        let child = child.map_err(|error| SpawnError::from_io(waited.as_std(), error))?;
        Ok(Child { child, _interrupts: self.interrupts })
    }
}

/// A running child.
#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
    _interrupts: (CtrlC, CtrlBreak),
}

impl Child {
    /// Waits until the child has ended. Cancel safe.
    ///
    /// # Errors
    /// When the operating system no longer tells about it.
    pub async fn ended(&mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        Ok(Exit::Code(status.code().unwrap_or(1)))
    }

    /// Whether nothing that the ended child started is left: not known on this system.
    pub fn was_the_last(&self) -> bool {
        false
    }

    /// Ends the child: there is no way to ask a program without a window.
    pub fn terminate(&mut self) {
        self.child.start_kill().ok();
    }

    /// Ends the child.
    pub fn kill(&mut self) {
        self.child.start_kill().ok();
    }
}
