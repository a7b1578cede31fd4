use std::time::Duration;

use super::logind::{Session, least_idle};

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
