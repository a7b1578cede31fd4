//! Desktop notices, as a desktop on a private bus gets them.
#![allow(clippy::disallowed_types, reason = "zbus's macro makes maps of its own")]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use seatkeeper_client::{SeatRequest, api};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::idle::missing;
use crate::office::{Office, ended, eventually, signal};

/// Title, text, urgency.
type Shown = (String, String, Option<u8>);

/// A stand-in for the desktop.
struct Desktop(mpsc::UnboundedSender<Shown>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    #[allow(clippy::too_many_arguments, reason = "the specification has so many")]
    fn notify(
        &self,
        app: &str,
        _replaces: u32,
        _icon: &str,
        title: String,
        text: String,
        _actions: Vec<String>,
        hints: BTreeMap<String, zbus::OwnedVariant>,
        _expires_ms: i32,
    ) -> u32 {
        assert_eq!(app, "Seatkeeper");
        let urgency = hints.get("urgency").and_then(|urgency| u8::try_from(urgency).ok());
        self.0.send((title, text, urgency)).ok();
        1
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        let text = |text: &str| text.to_owned();
        (text("stand-in"), text("test"), text("1"), text("1.2"))
    }
}

struct Screen {
    address: String,
    shown: mpsc::UnboundedReceiver<Shown>,
    _daemon: Child,
    _desktop: zbus::Connection,
}

impl Screen {
    async fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a bus");
        let mut lines = BufReader::new(daemon.stdout.take().expect("a pipe")).lines();
        let address = lines.next_line().await.expect("it is read").expect("an address");
        let (told, shown) = mpsc::unbounded_channel();
        let desktop = zbus::connection::Builder::address(address.as_str())
            .name("org.freedesktop.Notifications")
            .serve_at("/org/freedesktop/Notifications", Desktop(told))
            .build()
            .await
            .expect("a desktop");
        Self { address, shown, _daemon: daemon, _desktop: desktop }
    }

    fn spawn(&self, office: &Office, args: &[&str]) -> Child {
        let mut command = office.seatkeeper(args);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("it starts")
    }

    async fn next(&mut self) -> Shown {
        let next = tokio::time::timeout(Duration::from_secs(30), self.shown.recv());
        next.await.expect("a notice comes").expect("the desktop lives")
    }
}

#[tokio::test]
async fn who_waits_hears_of_his_seat_who_is_asked_and_who_loses_one_too() {
    if missing("dbus-daemon", "dbus") {
        return;
    }
    let mut screen = Screen::start().await;
    let office = Office::with_two_seats().await;
    let request = SeatRequest::product("cad");
    let first = office.client.take_seat(&request).await.expect("one");
    let _second = office.client.take_seat(&request).await.expect("two");
    let mut run = screen.spawn(&office, &["run", "cad", "--wait", "--", "sleep", "60"]);
    eventually("it waits", async || office.client.seats().await.is_ok_and(|seats| seats.waiting.len() == 1))
        .await;
    drop(first);
    let (title, text, _) = screen.next().await;
    assert_eq!(title, "A seat of cad is free for you");
    assert!(text.contains("license L1"), "{text}");

    let of_run =
        |seats: &[api::Seat]| seats.iter().find(|seat| seat.pid == run.id()).map(|seat| seat.id.clone());
    let seat = of_run(&office.until_seats(2).await).expect("it has a seat");
    office.client.activity(&seat, Duration::from_secs(3_600)).await.expect("it is told");
    let mut waits = office.seatkeeper(&["run", "cad", "--wait", "--", "true"]).spawn().expect("it starts");
    eventually("somebody may ask", async || {
        office.client.ask_for_seat(&seat, Some("<b>please</b>")).await.is_ok()
    })
    .await;
    let (title, text, urgency) = screen.next().await;
    assert_eq!(title, "Somebody asks for your seat of cad");
    assert!(text.contains("‹b›please‹/b›") && urgency != Some(2), "{text}");

    office.signed(&["seats", "release", &seat]).await;
    let (title, text, urgency) = screen.next().await;
    assert_eq!((title.as_str(), urgency), ("The seat of cad is lost", Some(2)));
    assert!(text.contains("the admin eva took the seat back"), "{text}");
    signal(&run, Signal::TERM);
    ended(&mut run).await;
    waits.kill().await.expect("it is ended");
}

#[tokio::test]
async fn a_borrow_that_ends_is_told_unless_notices_are_off() {
    if missing("dbus-daemon", "dbus") {
        return;
    }
    let mut screen = Screen::start().await;
    let office = Office::with_two_seats().await;
    office.license("L2", "2026", 1, "borrow = { max_days = 7 }\n").await;
    office.done(&["borrow", "cad", "--for", "12h"]).await;
    office.done(&["notices", "off"]).await;
    assert!(office.done(&["notices"]).await.contains("turned off"));
    office.done(&["notices", "on"]).await;
    let mut notices = screen.spawn(&office, &["notices"]);
    let (title, text, _) = screen.next().await;
    assert_eq!(title, "The borrowed seat of cad ends soon");
    assert!(text.starts_with("It ends in 11 h; connect to the site"), "{text}");
    // Off is off also for what runs.
    office.done(&["notices", "off"]).await;
    let [seat] = &office.client.borrows().await.expect("a list").borrows[..] else { panic!("one borrow") };
    office.signed(&["seats", "release", &seat.seat]).await;
    eventually("it is gone", async || office.client.borrows().await.is_ok_and(|b| b.borrows.is_empty()))
        .await;
    signal(&notices, Signal::TERM);
    assert_eq!(ended(&mut notices).await, Some(0));
    assert!(screen.shown.try_recv().is_err(), "nothing is shown any more");
}
