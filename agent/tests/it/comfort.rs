//! What a person sees on a terminal, and nobody else: tables that fit, colors, pages that follow what happens.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::office::Office;

/// Sooner than a page is looked at again without an event.
const BY_AN_EVENT: Duration = Duration::from_secs(4);

/// Both ends of a terminal of this width: the screen, and what a program writes to.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&screen).expect("granted");
    unlockpt(&screen).expect("unlocked");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&screen, size).expect("a size");
    let name = ptsname(&screen, Vec::new()).expect("a name").into_string().expect("text");
    let program = File::options().read(true).write(true).open(name).expect("its other end");
    (File::from(screen), program.into())
}

/// All that is written to a terminal until nobody has it open any more.
fn read_all(mut screen: File) -> String {
    let (mut text, mut bytes) = (Vec::new(), [0; 4096]);
    // Linux says that the other end is closed by an error.
    while let Ok(read @ 1..) = screen.read(&mut bytes) {
        text.extend_from_slice(&bytes[..read]);
    }
    String::from_utf8(text).expect("text")
}

/// What a command shows on a terminal.
async fn shown(office: &Office, columns: u16, args: &[&str], env: &[(&str, &str)]) -> String {
    let (screen, program) = terminal(columns);
    let mut command = office.seatkeeper(args);
    command
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .stdout(Stdio::from(program));
    let mut child = command.spawn().expect("it starts");
    drop(command);
    let reading = tokio::task::spawn_blocking(move || read_all(screen));
    assert!(child.wait().await.expect("it ends").success());
    reading.await.expect("it was read")
}

#[tokio::test]
async fn tables_fit_the_terminal_and_colors_are_for_people_who_want_them() {
    let office = Office::with_two_seats().await;
    let request = seatkeeper_client::SeatRequest::product("cad");
    let _seat = office.client.take_seat(&request).await.expect("a seat");
    let wide = shown(&office, 200, &["device", "list"], &[]).await;
    assert!(wide.contains("\u{1b}["), "{wide:?}");
    let wide = shown(&office, 200, &["seats"], &[("NO_COLOR", "1")]).await;
    assert!(!wide.contains('\u{1b}') && wide.lines().count() == 2, "{wide:?}");
    let narrow = shown(&office, 72, &["seats"], &[("NO_COLOR", "1")]).await;
    assert!(narrow.lines().all(|line| line.chars().count() <= 72), "{narrow}");
    let words = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    assert!(narrow.lines().count() > 2, "{narrow}");
    assert_eq!(words(&narrow), words(&wide), "nothing is lost, and words stay whole");
    assert!(!shown(&office, 200, &["status"], &[("TERM", "dumb")]).await.contains('\u{1b}'));
    assert!(shown(&office, 200, &["status"], &[("NO_COLOR", "")]).await.contains('\u{1b}'));
    // A pipe gets the table as it was always.
    let piped = office.done(&["device", "list"]).await;
    assert_eq!(piped.lines().count(), 2, "{piped}");
    assert!(!piped.contains('\u{1b}') && piped.starts_with("ID "), "{piped}");
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id().expect("it runs")).expect("a pid");
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::INT).expect("it is told");
}

#[tokio::test]
async fn a_watched_page_follows_what_happens_until_ctrl_c() {
    let office = Office::with_two_seats().await;
    let mut watch =
        office.seatkeeper(&["seats", "--watch"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let first = lines.next_line().await.expect("it is read");
    assert_eq!(first.as_deref(), Some("No seat is in use."));
    // It listens from now on at the latest.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let request = seatkeeper_client::SeatRequest::product("cad");
    let _seat = office.client.take_seat(&request).await.expect("a seat");
    let row = tokio::time::timeout(BY_AN_EVENT, async {
        while let Some(line) = lines.next_line().await.expect("it is read") {
            if line.contains("cad@2026") {
                return line;
            }
        }
        String::new()
    });
    let row = row.await.expect("an event is a new page");
    assert!(row.contains("pc1") && !row.contains('\u{1b}'), "{row}");
    interrupt(&watch);
    assert_eq!(watch.wait().await.expect("it ends").code(), Some(0));
}

#[tokio::test]
async fn a_terminal_that_was_watched_is_as_before() {
    let office = Office::with_two_seats().await;
    let (screen, program) = terminal(80);
    let mut command = office.seatkeeper(&["status", "--watch"]);
    let mut watch = command.env("TERM", "xterm").stdout(Stdio::from(program)).spawn().expect("it starts");
    drop(command);
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::task::spawn_blocking(move || {
        let (mut screen, mut text, mut bytes) = (screen, String::new(), [0; 4096]);
        while let Ok(read @ 1..) = screen.read(&mut bytes) {
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            if text.contains("Ctrl-C ends") {
                told.send(()).ok();
            }
        }
        text
    });
    tells.recv().await.expect("a page");
    interrupt(&watch);
    assert_eq!(watch.wait().await.expect("it ends").code(), Some(0));
    let text = reading.await.expect("it was read");
    assert!(text.starts_with("\u{1b}[?1049h") && text.ends_with("\u{1b}[?1049l"), "{text:?}");
    assert!(text.contains("Office"), "{text:?}");
}

#[tokio::test]
async fn watching_is_for_people_and_needs_an_agent() {
    let office = Office::empty().await;
    assert_eq!(office.output(&["--json", "status", "--watch"]).await.status.code(), Some(2));
    assert_eq!(office.output(&["seats", "--watch"]).await.status.code(), Some(69));
    let script = office.done(&["completions", "bash"]).await;
    assert!(script.contains("_seatkeeper()") && script.contains("what-if"), "{script}");
}
