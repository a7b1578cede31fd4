//! Seats that nobody uses: who says so, who hears of it, and asking for one.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use seatkeeper::platform::clock::SystemClock;
use seatkeeper_client::{SeatRequest, api};
use seatkeeper_election::seam::Clock;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::logind::{Manager, Session, session_path};
use crate::office::{Office, ended, eventually, signal};

/// Nothing answers there.
const NO_BUS: &str = "unix:path=/nonexistent/seatkeeper-test";

fn no_bus() -> Vec<(&'static str, String)> {
    vec![("DBUS_SYSTEM_BUS_ADDRESS", NO_BUS.to_owned())]
}

/// Whether a tool of this test is missing here, which is said; CI has them all.
pub(crate) fn missing(tool: &str, package: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(tool).exists());
    assert!(found || std::env::var_os("CI").is_none(), "CI has {tool}");
    #[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
    if !found {
        eprintln!("skipped: {tool} is not installed (Debian: apt install {package})");
    }
    !found
}

/// A seat as the site lists it.
async fn listed(office: &Office, id: &str) -> api::Seat {
    office.seats().await.into_iter().find(|seat| seat.id == id).expect("the seat is in use")
}

async fn until_idle(office: &Office, id: &str, idle_s: Option<u64>) {
    let what = format!("seat {id} has been idle for {idle_s:?}");
    eventually(&what, async || listed(office, id).await.idle_s == idle_s).await;
}

/// Reads standard error until a line has this text.
async fn says(run: &mut Child, text: &str) -> String {
    let lines = BufReader::new(run.stderr.as_mut().unwrap());
    let mut lines = lines.lines();
    let mut read = String::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
            read.push_str(&line);
        }
        panic!("never said: {text}: {read}");
    };
    tokio::time::timeout(Duration::from_secs(30), reading)
        .await
        .unwrap_or_else(|_| panic!("not said in time: {text}"))
}

#[tokio::test]
async fn who_waits_hears_of_an_idle_seat_asks_for_it_and_nothing_is_taken_away() {
    let first = Office::with_two_seats_and(no_bus()).await;
    let second = first.second().await;
    // A program on each machine: one says that nobody has touched it for 25 minutes, the other that it is in use.
    let mut idle = second.client.take_seat(&SeatRequest::product("cad")).await.unwrap();
    let used = first.client.take_seat(&SeatRequest::product("cad")).await.unwrap();
    let (idle_seat, used_seat) = (idle.granted().seat.clone(), used.granted().seat.clone());
    assert_eq!(listed(&first, &idle_seat).await.idle_s, None, "unknown is null");
    second.client.activity(&idle.granted().session, Duration::from_secs(25 * 60 + 1)).await.unwrap();
    first.client.activity(&used_seat, Duration::ZERO).await.unwrap();
    until_idle(&first, &idle_seat, Some(1_500)).await;
    until_idle(&first, &used_seat, Some(0)).await;
    assert!(second.done(&["seats"]).await.contains("25 min"));

    // A denial says it too, on the other machine and here.
    let denied = first.output(&["run", "cad", "--", "true"]).await;
    let error = String::from_utf8_lossy(&denied.stderr).into_owned();
    assert_eq!(denied.status.code(), Some(75), "{error}");
    assert!(error.contains(" on pc2 (idle 25 min)") && !error.contains("pc1 (idle"), "{error}");
    let problem = second.client.take_seat(&SeatRequest::product("cad")).await.unwrap_err();
    let holders = &problem.problem().unwrap().holders;
    assert!(
        holders.iter().any(|holder| holder.seat == idle_seat && holder.idle_s == Some(1_500)),
        "{holders:?}"
    );

    // Only who waits may ask.
    let refused = first.output(&["seats", "ask", &idle_seat]).await;
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(77), "{error}");
    assert!(error.starts_with("seatkeeper: only who waits for a seat of cad may ask"), "{error}");
    let mut waits = first.run(&["--wait"], "true");
    let told = says(&mut waits, "seats ask").await;
    assert!(told.contains(&format!("has not used seat {idle_seat} for 25 min")), "{told}");
    let refused = first.output(&["seats", "ask", &used_seat]).await;
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("used it within the last minute"), "{error}");
    let refused = second.client.ask_for_seat(&idle_seat, None).await.unwrap_err();
    assert_eq!(refused.problem().unwrap().kind, "not-permitted", "another device waits");
    let refused = first.client.ask_for_seat("99", None).await.unwrap_err();
    assert_eq!(refused.problem().unwrap().kind, "not-found");

    // The program is told, once; the list says so; nobody can ask again soon.
    let asked = first.done(&["seats", "ask", &idle_seat, "--message", "for an hour"]).await;
    assert!(asked.contains("on pc2 is asked to give seat") && asked.contains("25 min"), "{asked}");
    let event = async {
        loop {
            if let Some(api::SeatEvent::Asked { user, device_name, waiting, message, .. }) =
                idle.next_event().await.unwrap()
            {
                return (user, device_name, waiting, message);
            }
        }
    };
    let (user, device_name, waiting, message) =
        tokio::time::timeout(Duration::from_secs(15), event).await.expect("it is told");
    assert_eq!(user, listed(&first, &idle_seat).await.user);
    assert_eq!((device_name.as_str(), waiting, message.as_deref()), ("pc1", 1, Some("for an hour")));
    assert!(listed(&first, &idle_seat).await.asked.is_some());
    let mut pongs = 0;
    while pongs < 2 {
        match idle.next_event().await.unwrap() {
            Some(api::SeatEvent::Alive { .. }) => pongs += 1,
            Some(api::SeatEvent::Asked { .. }) => panic!("it is told once"),
            Some(_) => {}
            None => panic!("the seat is kept"),
        }
    }
    let again = first.output(&["seats", "ask", &idle_seat]).await;
    // Soon after, it would be the same ask, sent twice.
    assert!(matches!(again.status.code(), Some(0 | 1)), "{:?}", again.status);

    // Its next use ends the ask, and the seat is where it was.
    second.client.activity(&idle_seat, Duration::ZERO).await.unwrap();
    until_idle(&first, &idle_seat, Some(0)).await;
    assert_eq!(listed(&first, &idle_seat).await.asked, None);
    assert_eq!(first.seats().await.len(), 2);
    assert_eq!(waits.try_wait().unwrap(), None, "who asked goes on waiting");
    drop(idle);
    assert_eq!(ended(&mut waits).await, Some(0), "a seat that is given up is the next one's");
}

#[tokio::test]
async fn run_says_who_asks_and_how_to_give_the_seat_up() {
    let office = Office::with_two_seats_and(no_bus()).await;
    let mut idle = office.run(&[], "exec sleep 60");
    office.until_seats(1).await;
    let _other = office.run(&[], "exec sleep 60");
    let seats = office.until_seats(2).await;
    let pid = idle.id();
    let seat = seats.iter().find(|seat| seat.pid == pid).unwrap().id.clone();
    office.client.activity(&seat, Duration::from_secs(3_600)).await.unwrap();
    until_idle(&office, &seat, Some(3_600)).await;
    let mut waits = office.run(&["--wait"], "true");
    says(&mut waits, "seats ask").await;
    office.done(&["seats", "ask", &seat, "--message", "back at noon?"]).await;
    let line = says(&mut idle, "asks for this seat").await;
    assert!(line.starts_with("seatkeeper: ") && line.contains(" on pc1, who waits,"), "{line}");
    assert!(line.contains("(\"back at noon?\"); end the program to give it up"), "{line}");
    signal(&idle, Signal::TERM);
    ended(&mut idle).await;
    assert_eq!(ended(&mut waits).await, Some(0));
}

#[tokio::test]
async fn the_screen_of_run_tells_whether_its_seat_is_used() {
    if missing("Xvfb", "xvfb") {
        return;
    }
    let mut server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "320x240x24"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let display = format!(":{}", lines.next_line().await.unwrap().unwrap().trim());
    let office = Office::with_two_seats_and(no_bus()).await;
    let run = |display: &str| {
        let mut run = office.seatkeeper(&["run", "cad", "--", "sleep", "60"]);
        run.env_remove("WAYLAND_DISPLAY").env("DISPLAY", display).spawn().unwrap()
    };
    let seen = run(&display);
    let unseen = run("");
    let seats = office.until_seats(2).await;
    let of = |child: &Child| seats.iter().find(|seat| seat.pid == child.id()).unwrap().id.clone();
    until_idle(&office, &of(&seen), Some(0)).await;
    assert_eq!(listed(&office, &of(&unseen)).await.idle_s, None);
}

#[tokio::test]
async fn logind_is_asked_where_nobody_else_knows() {
    if missing("dbus-daemon", "dbus") {
        return;
    }
    let mut daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap();
    let user = Command::new("id").arg("-un").output().await.unwrap().stdout;
    let user = String::from_utf8(user).unwrap().trim().to_owned();
    let ago_us = |minutes: u64| {
        let now = u64::try_from(SystemClock.wall().0).unwrap() * 1_000;
        now - minutes * 60_000_000
    };
    let _logind = zbus::connection::Builder::address(address.as_str())
        .name("org.freedesktop.login1")
        .serve_at("/org/freedesktop/login1", Manager(user))
        .serve_at(session_path(1), Session { since_us: ago_us(90) })
        .serve_at(session_path(2), Session { since_us: ago_us(1) })
        .serve_at(session_path(3), Session { since_us: ago_us(25) })
        .build()
        .await
        .unwrap();
    let office = Office::with_two_seats_and(vec![("DBUS_SYSTEM_BUS_ADDRESS", address)]).await;
    let mut run = office.run(&[], "exec sleep 60");
    let [seat] = &office.until_seats(1).await[..] else { panic!("one seat") };
    until_idle(&office, &seat.id, Some(1_500)).await;
    signal(&run, Signal::TERM);
    ended(&mut run).await;
}
