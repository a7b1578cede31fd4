//! A stand-in for systemd-logind.
#![allow(clippy::disallowed_types, reason = "zbus's macro makes maps of its own")]

use zbus::OwnedObjectPath;

/// Where a session is.
pub(crate) fn session_path(id: u8) -> String {
    format!("/org/freedesktop/login1/session/{id}")
}

/// Its sessions: two of this user, one of somebody else.
pub(crate) struct Manager(pub(crate) String);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let path = |id: u8| OwnedObjectPath::try_from(session_path(id)).unwrap();
        vec![
            ("c1".to_owned(), 1, self.0.clone(), "seat0".to_owned(), path(1)),
            ("c2".to_owned(), 2, "somebody-else".to_owned(), "seat0".to_owned(), path(2)),
            ("c3".to_owned(), 1, self.0.clone(), String::new(), path(3)),
        ]
    }
}

/// An idle session.
pub(crate) struct Session {
    pub(crate) since_us: u64,
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn class(&self) -> &str {
        "user"
    }

    #[zbus(property, name = "Type")]
    fn kind(&self) -> &str {
        "x11"
    }

    #[zbus(property)]
    fn state(&self) -> &str {
        "active"
    }

    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn idle_since_hint(&self) -> u64 {
        self.since_us
    }
}
