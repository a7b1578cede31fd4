//! For how long people have had no input: at the screen that a program runs on, and as the system knows of a user's
//! sessions. What can't be found out is not known; it is no error.

#[cfg(target_os = "linux")]
mod logind;
#[cfg(all(unix, not(target_os = "macos")))]
mod x11;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::seam::Users;

/// The users of this machine, where the system knows what they do.
pub fn users() -> Option<Arc<dyn Users>> {
    #[cfg(target_os = "linux")]
    return Some(Arc::new(logind::Logind));
    #[cfg(not(target_os = "linux"))]
    None
}

/// The screen that this process runs on, if there is one that tells.
#[derive(Debug, Default)]
pub struct Display {
    #[cfg(all(unix, not(target_os = "macos")))]
    x11: Option<x11::Screen>,
}

impl Display {
    /// For how long it has had no input; `None`: there is no screen, or it does not tell. Blocks on the screen's answer.
    #[cfg(all(unix, not(target_os = "macos")))]
    pub fn idle(&mut self) -> Option<Duration> {
        if self.x11.is_none() {
            self.x11 = x11::Screen::open();
        }
        let idle = self.x11.as_ref()?.idle();
        if idle.is_none() {
            // It went away; another look may find the next one.
            self.x11 = None;
        }
        idle
    }

    /// For how long it has had no input; `None`: it does not tell.
    #[cfg(windows)]
    pub fn idle(&mut self) -> Option<Duration> {
        super::windows::without_input_ms().map(|ms| Duration::from_millis(ms.into()))
    }

    /// For how long it has had no input: not known on this system.
    #[cfg(target_os = "macos")]
    pub fn idle(&mut self) -> Option<Duration> {
        None
    }
}
