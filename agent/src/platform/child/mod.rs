//! The child of `seatkeeper run`: it gets the terminal, the signals and the process group that it would have without
//! us, and its end is told exactly.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Child, Preparation};
#[cfg(windows)]
pub use windows::{Child, Preparation};

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code that passes it on: the child's own, or 128 + signal as shells do.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_i32.saturating_add(signal),
        }
    }
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No such program.
    #[error("there is no program `{0}`; check its name and PATH")]
    NotFound(String),
    /// It is there but can't be run.
    #[error("`{0}` cannot be run: {1}")]
    NotExecutable(String, std::io::Error),
}

impl SpawnError {
    /// The exit code that shells give it.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(..) => 126,
        }
    }

    fn from_io(command: &std::process::Command, error: std::io::Error) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound(program),
            _ => Self::NotExecutable(program, error),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
