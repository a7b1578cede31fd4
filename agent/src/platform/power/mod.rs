//! Being told before the machine sleeps or is switched off, and when it is back.

#[cfg(target_os = "linux")]
mod logind;

use tokio::sync::mpsc;

use crate::seam::PowerChange;

/// What becomes of this machine, where the system tells. Must be called within a tokio runtime.
pub fn changes() -> Option<mpsc::Receiver<PowerChange>> {
    #[cfg(target_os = "linux")]
    {
        let (told, changes) = mpsc::channel(logind::CHANGES_MAX);
        tokio::spawn(logind::watch(told));
        Some(changes)
    }
    #[cfg(not(target_os = "linux"))]
    None
}
