//! Windows by what the desktop has: zenity (GNOME and others), kdialog (KDE), else xmessage.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};

use tokio::process::Child;

use super::{Choice, Choices, TITLE, shown};
use crate::platform::paths::find_program_in;

/// How wide zenity's windows are, pixels.
const WIDTH: &str = "--width=460";
/// What kdialog ends with when its "no" was chosen; a closed window is "cancel".
const KDIALOG_NO: i32 = 1;
/// Not what xmessage ends with by itself.
const XMESSAGE_THIRD: i32 = 103;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zenity,
    Kdialog,
    Xmessage,
}

/// The program that opens windows here.
#[derive(Clone, Debug)]
pub(crate) struct Dialogs {
    kind: Kind,
    program: PathBuf,
}

impl Dialogs {
    /// `None`: there is no screen, or nothing that opens windows on it.
    pub(crate) fn find() -> Option<Self> {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
            return None;
        }
        let path = std::env::var_os("PATH")?;
        let kde = std::env::var("XDG_CURRENT_DESKTOP").is_ok_and(|desktop| desktop.contains("KDE"));
        Self::find_in(&path, kde)
    }

    fn find_in(path: &OsStr, kde: bool) -> Option<Self> {
        let mut known = [("zenity", Kind::Zenity), ("kdialog", Kind::Kdialog), ("xmessage", Kind::Xmessage)];
        if kde {
            known.swap(0, 1);
        }
        let find = |name: &str| find_program_in(path, name);
        known.into_iter().find_map(|(name, kind)| Some(Self { kind, program: find(name)? }))
    }

    /// Asks, and waits for the answer. A window that is closed means the second.
    pub(crate) async fn ask(&self, text: &str, choices: &Choices<'_>) -> io::Result<Choice> {
        let mut command = self.command();
        let text = shown(text);
        let Choices { first, second, third } = choices;
        match self.kind {
            Kind::Zenity => command
                .args(["--question", WIDTH, "--no-markup", "--text", &text, "--ok-label", first])
                .args(["--cancel-label", second, "--extra-button", third]),
            Kind::Kdialog => command.args(["--yesnocancel", &text, "--yes-label", first]).args([
                "--no-label",
                third,
                "--cancel-label",
                second,
            ]),
            Kind::Xmessage => {
                command.args(["-buttons", &format!("{first}:0,{second}:1,{third}:{XMESSAGE_THIRD}"), &text])
            }
        };
        command.stdout(Stdio::piped());
        let answer = spawn(command)?.wait_with_output().await?;
        // zenity writes the extra button's words, and ends as if it had been closed.
        let is_third = match self.kind {
            Kind::Zenity => answer.stdout.trim_ascii() == third.as_bytes(),
            Kind::Kdialog => answer.status.code() == Some(KDIALOG_NO),
            Kind::Xmessage => answer.status.code() == Some(XMESSAGE_THIRD),
        };
        Ok(match (answer.status.success(), is_third) {
            (true, _) => Choice::First,
            (false, true) => Choice::Third,
            (false, false) => Choice::Second,
        })
    }

    /// Says something, and waits until the window is closed.
    pub(crate) async fn tell(&self, text: &str) -> io::Result<()> {
        spawn(self.warning(text))?.wait().await.map(drop)
    }

    /// Says something in a window that stays until it is closed, or this is dropped.
    pub(crate) fn notice(&self, text: &str) -> io::Result<Notice> {
        Notice::open(self.warning(text))
    }

    /// Says that something is under way.
    pub(crate) fn progress(&self, text: &str, stop: &str) -> io::Result<Progress> {
        let mut progress =
            Progress { dialogs: self.clone(), stop: stop.to_owned(), child: None, input: None };
        progress.open(text)?;
        Ok(progress)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match self.kind {
            Kind::Zenity | Kind::Kdialog => command.args(["--title", TITLE]),
            Kind::Xmessage => command.args(["-title", TITLE, "-center"]),
        };
        command
    }

    fn warning(&self, text: &str) -> Command {
        let mut command = self.command();
        let text = shown(text);
        match self.kind {
            Kind::Zenity => {
                command.args(["--warning", WIDTH, "--no-markup", "--text", &text, "--ok-label", "Close"])
            }
            Kind::Kdialog => command.args(["--sorry", &text]),
            Kind::Xmessage => command.args(["-buttons", "Close:0", &text]),
        };
        command
    }
}

fn spawn(command: Command) -> io::Result<Child> {
    tokio::process::Command::from(command).kill_on_drop(true).spawn()
}

/// A window that says that something is under way. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    dialogs: Dialogs,
    stop: String,
    child: Option<Child>,
    /// Where zenity takes another text.
    input: Option<ChildStdin>,
}

impl Progress {
    fn open(&mut self, text: &str) -> io::Result<()> {
        let mut command = self.dialogs.command();
        let text = shown(text);
        match self.dialogs.kind {
            Kind::Zenity => command.stdin(Stdio::piped()).args([
                "--progress",
                WIDTH,
                "--pulsate",
                "--text",
                &text,
                "--cancel-label",
                &self.stop,
            ]),
            Kind::Kdialog => command.args(["--msgbox", &text, "--ok-label", &self.stop]),
            Kind::Xmessage => command.args(["-buttons", &format!("{}:0", self.stop), &text]),
        };
        let mut child = spawn(command)?;
        self.input = match child.stdin.take() {
            Some(input) => Some(ChildStdin::from(input.into_owned_fd()?)),
            None => None,
        };
        self.child = Some(child);
        Ok(())
    }

    /// Another text in the same window; a window that can't change is opened anew.
    pub(crate) fn update(&mut self, text: &str) -> io::Result<()> {
        match &mut self.input {
            // One short line into an empty pipe, which doesn't block. A window that was just closed is seen as closed.
            Some(input) => {
                writeln!(input, "# {}", shown(text).replace('\n', " ")).ok();
                Ok(())
            }
            None => self.open(text),
        }
    }

    /// Ends when the person has closed the window.
    pub(crate) async fn closed(&mut self) {
        match &mut self.child {
            Some(child) => drop(child.wait().await),
            None => std::future::pending().await,
        }
    }
}

/// A window that stays until it is closed. It goes when this is dropped, also if its process was collected by whoever
/// waits for any child of this process.
#[derive(Debug)]
pub(crate) struct Notice {
    #[cfg(target_os = "linux")]
    process: std::os::fd::OwnedFd,
}

impl Notice {
    #[cfg(target_os = "linux")]
    fn open(mut command: Command) -> io::Result<Self> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};

        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("bad process id"))?;
        Ok(Self { process: pidfd_open(pid, PidfdFlags::empty())? })
    }

    #[cfg(not(target_os = "linux"))]
    fn open(mut command: Command) -> io::Result<Self> {
        command.spawn().map(|_| Self {})
    }
}

#[cfg(target_os = "linux")]
impl Drop for Notice {
    fn drop(&mut self) {
        // An error says that it was closed already.
        rustix::process::pidfd_send_signal(&self.process, rustix::process::Signal::TERM).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_desktops_own_windows_are_taken_first() {
        let dir = tempfile::tempdir().unwrap();
        let install = |name: &str, mode: u32| {
            let file = dir.path().join(name);
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        };
        let kind = |kde| Dialogs::find_in(dir.path().as_os_str(), kde).map(|found| found.kind);
        assert_eq!(kind(false), None);
        install("xmessage", 0o755);
        install("zenity", 0o644);
        assert_eq!(kind(false), Some(Kind::Xmessage), "a file that is no program doesn't count");
        install("zenity", 0o755);
        install("kdialog", 0o755);
        assert_eq!((kind(false), kind(true)), (Some(Kind::Zenity), Some(Kind::Kdialog)));
    }
}
