//! Windows' own message boxes. What is under way, and what happens while a program runs, stands in the console that
//! every shortcut to a console program opens.

use std::io::{self, Write};

use super::{Choice, Choices, TITLE, shown};
use crate::platform::windows;

/// Opens message boxes.
#[derive(Clone, Debug)]
pub(crate) struct Dialogs;

/// What is under way, on the console.
#[derive(Debug)]
pub(crate) struct Progress;

/// What happens, on the console.
#[derive(Debug)]
pub(crate) struct Notice;

impl Dialogs {
    /// There always are message boxes.
    pub(crate) fn find() -> Option<Self> {
        Some(Self)
    }

    /// Asks, and waits for the answer. A window that is closed means the second.
    pub(crate) async fn ask(&self, text: &str, choices: &Choices<'_>) -> io::Result<Choice> {
        // A message box has no words of its own for three.
        let text = format!("{}\n\nOK: {}\nCancel: {}", shown(text), choices.first, choices.second);
        let answered = tokio::task::spawn_blocking(move || windows::message_box(TITLE, &text, true));
        let first = answered.await.map_err(io::Error::other)?;
        Ok(if first { Choice::First } else { Choice::Second })
    }

    /// Says something, and waits until the window is closed.
    pub(crate) async fn tell(&self, text: &str) -> io::Result<()> {
        let text = shown(text);
        let told = tokio::task::spawn_blocking(move || windows::message_box(TITLE, &text, false));
        told.await.map(drop).map_err(io::Error::other)
    }

    /// Says something on the console.
    pub(crate) fn notice(&self, text: &str) -> io::Result<Notice> {
        say(text)?;
        Ok(Notice)
    }

    /// Says that something is under way.
    pub(crate) fn progress(&self, text: &str, _stop: &str) -> io::Result<Progress> {
        Progress.update(text)?;
        Ok(Progress)
    }
}

#[allow(clippy::needless_pass_by_ref_mut, reason = "the same calls as on Unix, where they change something")]
impl Progress {
    /// Another text.
    pub(crate) fn update(&mut self, text: &str) -> io::Result<()> {
        say(&format!("{text} Closing this window gives the place up."))
    }

    /// Never: closing the console ends this process.
    pub(crate) async fn closed(&mut self) {
        std::future::pending().await
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{TITLE}: {}", shown(text))
}
