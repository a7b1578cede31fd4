//! An agent that crashes leaves no image of its memory, and of the keys in it, on the disk.

/// From here on this process leaves no core dump.
#[cfg(unix)]
pub(crate) fn none() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps of this agent cannot be turned off; keys may be in them");
    }
}

/// Windows keeps none unless an administrator asks for them.
#[cfg(windows)]
pub(crate) fn none() {}
