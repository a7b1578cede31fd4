//! Waiting for a seat: `run --wait`, `hold --wait`, and the local API's stream.

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::office::{Office, ended, eventually, signal, written};

async fn until_waiting(office: &Office, count: usize) {
    let what = format!("{count} wait");
    eventually(&what, async || match office.client.seats().await {
        Ok(seats) => seats.waiting.len() == count,
        Err(_) => false,
    })
    .await;
}

/// The first line on standard error.
async fn first_line(run: &mut Child) -> String {
    let mut lines = BufReader::new(run.stderr.as_mut().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    line.expect("a line").unwrap().unwrap()
}

#[tokio::test]
async fn who_waits_starts_when_another_ends() {
    let office = Office::with_two_seats().await;
    let mut first = office.run(&[], "exec sleep 60");
    let _second = office.run(&[], "exec sleep 60");
    office.until_seats(2).await;
    let (started, later) = (office.path("started"), office.path("later"));
    let mut waits = office.run(&["--wait"], &format!("echo x > {}; exec sleep 60", started.display()));
    let line = first_line(&mut waits).await;
    assert!(
        line.starts_with("seatkeeper: waiting for a seat of cad, place 1 in the queue: all 2 seats"),
        "{line}"
    );
    assert!(line.contains(" on pc1"), "{line}");
    until_waiting(&office, 1).await;
    let mut last = office.run(&["--wait=60s"], &format!("echo x > {}; exec sleep 60", later.display()));
    assert!(first_line(&mut last).await.contains("place 2 in the queue"));
    let listed = office.done(&["seats"]).await;
    assert!(listed.contains("WAITING"), "{listed}");
    let status = office.client.status().await.unwrap();
    assert_eq!(status.pools[0].waiting, 2);
    signal(&first, Signal::TERM);
    ended(&mut first).await;
    let begins = tokio::time::timeout(Duration::from_secs(1), written(&started));
    begins.await.expect("the second starts within a second");
    assert!(!later.exists());
    until_waiting(&office, 1).await;
    signal(&waits, Signal::TERM);
    written(&later).await;
    until_waiting(&office, 0).await;
    assert_eq!(office.seats().await.len(), 2);
}

#[tokio::test]
async fn an_interrupted_waiter_gives_its_place_up() {
    let office = Office::with_two_seats().await;
    let _held = (office.run(&[], "exec sleep 60"), office.run(&[], "exec sleep 60"));
    office.until_seats(2).await;
    let mut run = office.run(&["--wait"], "true");
    until_waiting(&office, 1).await;
    let mut hold =
        office.seatkeeper(&["hold", "cad", "--wait"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until_waiting(&office, 2).await;
    signal(&run, Signal::INT);
    ended(&mut run).await;
    until_waiting(&office, 1).await;
    signal(&hold, Signal::INT);
    assert_eq!(ended(&mut hold).await, Some(0));
    until_waiting(&office, 0).await;
    assert_eq!(office.seats().await.len(), 2);
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let office = Office::with_two_seats().await;
    let _held = (office.run(&[], "exec sleep 60"), office.run(&[], "exec sleep 60"));
    office.until_seats(2).await;
    let status = office.path("status");
    let file = status.to_str().unwrap();
    let output = office.output(&["run", "cad", "--wait=1s", "--status-file", file, "--", "true"]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{error}");
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("seatkeeper: ")), "{error}");
    assert!(lines.last().unwrap().contains("all 2 seats of cad are in use"), "{error}");
    assert!(std::fs::read_to_string(&status).unwrap().contains(r#""from":"seatkeeper","code":75"#));
    until_waiting(&office, 0).await;
    let nonsense = office.output(&["run", "cad", "--wait=soon", "--", "true"]).await;
    assert_eq!(nonsense.status.code(), Some(2));
    let unlicensed = office.output(&["run", "paint", "--wait", "--", "true"]).await;
    assert_eq!(unlicensed.status.code(), Some(1), "nobody waits for what is not owned");
}

#[tokio::test]
async fn a_place_outlives_the_agent() {
    let mut office = Office::with_two_seats().await;
    let (started, go) = (office.path("started"), office.path("go"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let _held = (office.run(&[], &format!("read x < {}", go.display())), office.run(&[], "exec sleep 60"));
    office.until_seats(2).await;
    let _first = office.run(&["--wait"], &format!("echo x > {}; exec sleep 60", started.display()));
    until_waiting(&office, 1).await;
    let _later = office.run(&["--wait"], "exec sleep 60");
    until_waiting(&office, 2).await;
    let since = office.client.seats().await.unwrap().waiting[0].since.clone();
    office.kill_agent().await;
    office.start_agent().await;
    office.until_seats(2).await;
    until_waiting(&office, 2).await;
    assert_eq!(office.client.seats().await.unwrap().waiting[0].since, since);
    std::fs::write(&go, "\n").unwrap();
    written(&started).await;
}

#[tokio::test]
async fn the_stream_says_where_one_stands() {
    let office = Office::with_two_seats().await;
    let request = seatkeeper_client::SeatRequest::product("cad");
    let mut held = vec![
        office.client.take_seat(&request).await.unwrap(),
        office.client.take_seat(&request).await.unwrap(),
    ];
    let post = |body: &str| {
        format!("POST /v1/seats HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let until = async |stream: &mut UnixStream, text: &str| {
        let (mut answer, mut read) = ([0; 4096], String::new());
        while !read.contains(text) {
            let count = stream.read(&mut answer).await.unwrap();
            assert_ne!(count, 0, "{text}: {read}");
            read.push_str(&String::from_utf8_lossy(&answer[..count]));
        }
        read
    };
    let mut brief = UnixStream::connect(office.client.socket()).await.unwrap();
    brief.write_all(post(r#"{"product":"cad","wait_s":1}"#).as_bytes()).await.unwrap();
    let said = until(&mut brief, r#""event":"no-seat""#).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.contains(r#""event":"waiting""#), "{said}");
    let last = said.lines().find(|line| line.contains("no-seat")).unwrap();
    assert!(last.contains(r#""status":409"#) && last.contains(r#""holders":[{"#), "{last}");
    // Its place goes back in the background.
    until_waiting(&office, 0).await;
    let mut patient = UnixStream::connect(office.client.socket()).await.unwrap();
    patient.write_all(post(r#"{"product":"cad","wait_s":600}"#).as_bytes()).await.unwrap();
    let said = until(&mut patient, r#""event":"waiting""#).await;
    assert!(said.contains(r#""position":1,"expected":null"#), "{said}");
    held.pop();
    until(&mut patient, r#""event":"granted""#).await;
    assert_eq!(office.until_seats(2).await.len(), 2);
    drop(patient);
    office.until_seats(1).await;
}
