use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::logind::{Session, least_idle};
use super::x11::Screen;

const NOW_US: u64 = 1_000_000_000_000;

fn session(kind: &str, idle: bool, ago_s: u64) -> Session {
    let (class, state) = ("user".to_owned(), "online".to_owned());
    Session { class, state, kind: kind.to_owned(), idle, since_us: NOW_US - ago_s * 1_000_000 }
}

#[test]
fn the_least_idle_session_counts_and_what_one_does_not_tell_is_unknown() {
    let silent = Session { since_us: 0, ..session("x11", false, 0) };
    let closing = Session { state: "closing".to_owned(), ..session("x11", false, 0) };
    let manager = Session { class: "manager".to_owned(), ..session("unspecified", false, 0) };
    let cron = session("unspecified", false, 10);
    let check = |sessions: &[Session], expected_s: Option<u64>| {
        assert_eq!(least_idle(sessions, NOW_US), expected_s.map(Duration::from_secs), "{sessions:?}");
    };
    check(&[], None);
    check(&[session("x11", true, 1_500)], Some(1_500));
    check(&[session("wayland", false, 1_500)], Some(0));
    check(&[session("tty", false, 100)], Some(100));
    check(&[session("tty", true, 7_000), session("x11", true, 1_500)], Some(1_500));
    check(&[session("tty", true, 1_500), silent.clone()], None);
    check(&[silent], None);
    check(&[closing, manager, cron, session("tty", true, 900)], Some(900));
    // A clock that was set back.
    assert_eq!(least_idle(&[session("tty", true, 0)], 0), Some(Duration::ZERO));
}

/// An X server without a screen, and its name.
struct Xvfb {
    server: Child,
    name: String,
}

impl Xvfb {
    /// `None`, and a word about it, where it is not installed; there it must be in CI.
    fn start() -> Option<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "320x240x24"]);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut server) = spawned else {
            assert!(std::env::var_os("CI").is_none(), "CI has Xvfb");
            #[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
            {
                eprintln!("skipped: Xvfb is not installed (Debian: apt install xvfb xdotool)");
            }
            return None;
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut number).unwrap();
        Some(Self { server, name: format!(":{}", number.trim()) })
    }

    fn input(&self) {
        let done = Command::new("xdotool").args(["key", "a"]).env("DISPLAY", &self.name).status();
        assert!(done.expect("xdotool is there where Xvfb is").success());
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

#[tokio::test]
async fn an_x_server_tells_since_when_it_had_no_input() {
    assert!(Screen::on(Some(":54321")).is_none(), "no server is no error");
    let Some(xvfb) = Xvfb::start() else { return };
    let screen = Screen::on(Some(&xvfb.name)).expect("it has the extension");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = screen.idle().expect("it tells");
    assert!(before >= Duration::from_millis(1_500), "{before:?}");
    xvfb.input();
    let after = screen.idle().expect("it tells");
    assert!(after < before && after < Duration::from_millis(1_400), "{after:?}");
    drop(xvfb);
    assert_eq!(screen.idle(), None, "a server that went away is no error");
}
