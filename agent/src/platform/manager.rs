//! The system's service manager: systemd is told when the agent serves, that it stops, and that it is alive. Started by
//! anything else, nobody is told anything.

use std::time::Duration;

/// The agent serves.
pub fn ready() {
    tell(State::Ready);
}

/// The agent stops.
pub fn stopping() {
    tell(State::Stopping);
}

/// The agent is alive.
pub fn alive() {
    tell(State::Alive);
}

#[derive(Clone, Copy, Debug)]
enum State {
    Ready,
    Stopping,
    Alive,
}

/// How often [`alive`] must be said at least; `None`: never.
#[cfg(target_os = "linux")]
pub fn patience() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// How often [`alive`] must be said at least; `None`: never.
#[cfg(not(target_os = "linux"))]
pub fn patience() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn tell(state: State) {
    use sd_notify::NotifyState;

    let told = sd_notify::notify(&[match state {
        State::Ready => NotifyState::Ready,
        State::Stopping => NotifyState::Stopping,
        State::Alive => NotifyState::Watchdog,
    }]);
    if let Err(error) = told {
        tracing::warn!(?state, %error, "the service manager could not be told");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(state: State) {
    let _ = state;
}
