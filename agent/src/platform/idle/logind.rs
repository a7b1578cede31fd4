//! What systemd-logind knows of a user's sessions, over the system bus.
//!
//! A connection lasts for one look, once a minute: nothing is kept while nobody asks, and a bus that restarts is found
//! again.

use std::collections::BTreeMap;
use std::time::Duration;

use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::id::Name;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, connection};

use crate::platform::clock::SystemClock;
use crate::seam::{Later, Users};

const LOGIND: &str = "org.freedesktop.login1";
/// Sessions looked at; more of one user are not known.
const SESSIONS_MAX: usize = 64;

/// systemd-logind, or what speaks for it (elogind).
pub(super) struct Logind;

impl Users for Logind {
    fn idle<'a>(&'a self, user: &'a Name) -> Later<'a, Option<Duration>> {
        Box::pin(async move {
            let idle = async {
                let bus = connection::Builder::system().build().await?;
                idle_on(&bus, user.as_str(), now_us()).await
            };
            idle.await
                .inspect_err(|error: &zbus::Error| tracing::debug!(%error, "idleness is not known"))
                .ok()
                .flatten()
        })
    }
}

/// Session id, user id, user name, seat, path.
type Listed = (String, u32, String, String, OwnedObjectPath);

/// For how long the least idle session of a user has had no input, as logind on this bus says.
pub(super) async fn idle_on(bus: &Connection, user: &str, now_us: u64) -> zbus::Result<Option<Duration>> {
    let manager = "org.freedesktop.login1.Manager";
    let listed =
        bus.call_method(Some(LOGIND), "/org/freedesktop/login1", Some(manager), "ListSessions", &()).await?;
    let listed: Vec<Listed> = listed.body().deserialize()?;
    let own: Vec<Listed> = listed.into_iter().filter(|(_, _, name, ..)| name == user).collect();
    if own.len() > SESSIONS_MAX {
        return Ok(None);
    }
    let mut sessions = Vec::with_capacity(own.len());
    for (.., path) in own {
        let interface = "org.freedesktop.login1.Session";
        let properties = "org.freedesktop.DBus.Properties";
        let all = bus.call_method(Some(LOGIND), &path, Some(properties), "GetAll", &(interface,)).await;
        // One that ended meanwhile says nothing.
        let Ok(all) = all else { continue };
        sessions.push(Session::of(&all.body().deserialize()?));
    }
    Ok(least_idle(&sessions, now_us))
}

/// A session as logind tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) class: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) idle: bool,
    pub(super) since_us: u64,
}

impl Session {
    fn of(properties: &BTreeMap<String, OwnedVariant>) -> Self {
        let text = |name| {
            let text = properties.get(name).and_then(|value| <&str>::try_from(value).ok());
            text.unwrap_or_default().to_owned()
        };
        let idle = properties.get("IdleHint").and_then(|value| bool::try_from(value).ok());
        let since = properties.get("IdleSinceHint").and_then(|value| u64::try_from(value).ok());
        Self {
            class: text("Class"),
            kind: text("Type"),
            state: text("State"),
            idle: idle.unwrap_or(false),
            since_us: since.unwrap_or(0),
        }
    }

    /// Whether a person may sit at it: not a service, a timer, or what is left of somebody who has logged out.
    fn is_somebodys(&self) -> bool {
        let class = matches!(self.class.as_str(), "user" | "user-early" | "user-light" | "user-early-light");
        class && self.state != "closing" && matches!(self.kind.as_str(), "x11" | "wayland" | "mir" | "tty")
    }

    /// `None`: not known.
    fn idle(&self, now_us: u64) -> Option<Duration> {
        let since = Duration::from_micros(now_us.saturating_sub(self.since_us));
        match (self.kind.as_str(), self.idle) {
            // A desktop that has never said anything does not say that its user is there.
            (_, _) if self.since_us == 0 => None,
            // The time of the last input.
            ("tty", _) | (_, true) => Some(since),
            // Desktops say when idleness begins and ends; this one has ended.
            (_, false) => Some(Duration::ZERO),
        }
    }
}

/// Of the sessions that somebody may sit at, the least idle; unknown if one of them is.
pub(super) fn least_idle(sessions: &[Session], now_us: u64) -> Option<Duration> {
    let idle: Option<Vec<Duration>> = sessions
        .iter()
        .filter(|session| session.is_somebodys())
        .map(|session| session.idle(now_us))
        .collect();
    idle?.into_iter().min()
}

/// logind tells times of the wall clock.
fn now_us() -> u64 {
    u64::try_from(SystemClock.wall().0).unwrap_or(0).saturating_mul(1_000)
}
