//! An X server's idle time, by its screen saver extension.

use std::time::Duration;

use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::screensaver::{self, ConnectionExt};
use x11rb::protocol::xproto::{ConnectionExt as _, Window};
use x11rb::rust_connection::RustConnection;

/// A connection to the X server that `DISPLAY` names.
#[derive(Debug)]
pub(super) struct Screen {
    connection: RustConnection,
    root: Window,
}

impl Screen {
    /// Nothing without `DISPLAY`, and nothing under Wayland: its X server sees only the input to X windows.
    pub(super) fn open() -> Option<Self> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
            return None;
        }
        Self::on(None)
    }

    /// The screen of this name; else the one that `DISPLAY` names.
    pub(super) fn on(name: Option<&str>) -> Option<Self> {
        let (connection, screen) = x11rb::connect(name).ok()?;
        if connection.query_extension(b"XWAYLAND").ok()?.reply().ok()?.present {
            return None;
        }
        connection.extension_information(screensaver::X11_EXTENSION_NAME).ok()??;
        let root = connection.setup().roots.get(screen)?.root;
        Some(Self { connection, root })
    }

    pub(super) fn idle(&self) -> Option<Duration> {
        // Every client is told of new keyboards; nobody else reads that here.
        while let Ok(Some(_)) = self.connection.poll_for_event() {}
        let info = self.connection.screensaver_query_info(self.root).ok()?.reply().ok()?;
        Some(Duration::from_millis(info.ms_since_user_input.into()))
    }
}
