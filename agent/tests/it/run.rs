//! `seatkeeper run` and `hold`: exit codes, signals, and seats that follow the process tree.

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::office::{Office, ended, signal, written};

#[tokio::test]
async fn the_exit_code_is_the_programs_and_else_says_why() {
    let office = Office::with_two_seats().await;
    let status = office.path("status");
    let check = async |options: &[&str], command: &[&str], code: i32, expected: &str| {
        let file = ["--status-file", status.to_str().unwrap(), "--"];
        let args = [&["run"], options, &file, command].concat();
        let output = office.output(&args).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        let written = std::fs::read_to_string(&status).unwrap();
        assert!(written.contains(expected), "{args:?}: {written}");
        let ours = expected.contains("seatkeeper");
        assert_eq!(error.starts_with("seatkeeper: "), ours, "{args:?}: {error}");
    };
    let child = |code: &str| format!(r#""from":"child","code":{code}"#);
    let ours = |code: &str| format!(r#""from":"seatkeeper","code":{code}"#);
    check(&["cad"], &["true"], 0, &child("0")).await;
    check(&["cad@2026.1"], &["sh", "-c", "exit 75"], 75, &child("75")).await;
    check(&["cad"], &["sh", "-c", "kill -KILL $$"], 137, r#""code":137,"signal":9"#).await;
    check(&["cad"], &["/no/such/program"], 127, &ours("127")).await;
    check(&["cad"], &["/"], 126, &ours("126")).await;
    check(&["cad@2025"], &["true"], 1, &ours("1")).await;
    check(&["--socket", "/no/socket", "cad"], &["true"], 69, &ours("69")).await;
    let _first = office.run(&[], "sleep 60");
    let _second = office.run(&[], "sleep 60");
    office.until_seats(2).await;
    check(&["cad"], &["true"], 75, &ours("75")).await;
}

#[tokio::test]
async fn one_program_after_the_other_finds_the_seat_free() {
    let office = Office::with_two_seats().await;
    let _other = office.run(&[], "sleep 60");
    office.until_seats(1).await;
    for _ in 0..10 {
        office.done(&["run", "cad", "--", "true"]).await;
    }
}

#[tokio::test]
async fn signals_reach_the_program() {
    let office = Office::with_two_seats().await;
    let (ready, got) = (office.path("ready"), office.path("got"));
    let script = format!(
        "trap 'echo usr1 > {got}' USR1; trap 'exit 7' TERM; echo > {ready}; while :; do sleep 0.05; done",
        got = got.display(),
        ready = ready.display()
    );
    let mut run = office.run(&[], &script);
    written(&ready).await;
    signal(&run, Signal::USR1);
    assert_eq!(written(&got).await, "usr1\n");
    signal(&run, Signal::TERM);
    assert_eq!(ended(&mut run).await, Some(7));
    office.until_seats(0).await;
}

#[tokio::test]
async fn the_seat_stays_until_the_program_ends_also_if_the_wrapper_is_killed() {
    let office = Office::with_two_seats().await;
    let (ready, go) = (office.path("ready"), office.path("go"));
    // The program waits on a pipe: it ends exactly when it is told.
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let mut run = office.run(&[], &format!("echo > {}; read x < {}", ready.display(), go.display()));
    written(&ready).await;
    let seat = office.until_seats(1).await;
    run.kill().await.unwrap();
    // Longer than the agent takes to see a connection close.
    office.done(&["run", "cad", "--", "true"]).await;
    assert_eq!(office.until_seats(1).await[0].id, seat[0].id);
    std::fs::write(&go, "\n").unwrap();
    office.until_seats(0).await;
}

#[tokio::test]
async fn a_starter_that_exits_leaves_the_seat_with_what_it_started() {
    let office = Office::with_two_seats().await;
    let go = office.path("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let script = format!("(setsid sh -c 'read x < {}' > /dev/null 2>&1 &) ; exit 4", go.display());
    let mut run = office.run(&[], &script);
    assert_eq!(ended(&mut run).await, Some(4), "the wrapper ends with the starter");
    office.done(&["run", "cad", "--", "true"]).await;
    assert_eq!(office.until_seats(1).await.len(), 1);
    std::fs::write(&go, "\n").unwrap();
    office.until_seats(0).await;
}

#[tokio::test]
async fn a_restarted_agent_resumes_the_seat() {
    let mut office = Office::with_two_seats().await;
    let ready = office.path("ready");
    let mut run = office
        .run(&[], &format!("echo > {}; trap 'exit 0' TERM; while :; do sleep 0.05; done", ready.display()));
    written(&ready).await;
    let seat = office.until_seats(1).await;
    assert_eq!(office.stop_agent().await, Some(0));
    office.start_agent().await;
    assert_eq!(office.until_seats(1).await[0].id, seat[0].id);
    office.kill_agent().await;
    office.start_agent().await;
    assert_eq!(office.until_seats(1).await[0].id, seat[0].id);
    signal(&run, Signal::TERM);
    assert_eq!(ended(&mut run).await, Some(0));
    office.until_seats(0).await;
}

#[tokio::test]
async fn a_program_whose_seat_is_lost_is_told_and_ended_if_wished() {
    let mut office = Office::with_two_seats().await;
    let (ready, ready2) = (office.path("ready"), office.path("ready2"));
    let script = |ready: &std::path::Path| format!("echo > {}; exec sleep 60", ready.display());
    let mut warned = office.run(&[], &script(&ready));
    let mut terminated = office.run(&["--on-lost=terminate"], &script(&ready2));
    written(&ready).await;
    written(&ready2).await;
    office.kill_agent().await;
    assert_eq!(ended(&mut terminated).await, Some(143), "the program was asked to end");
    says(&mut warned, "the seat is lost").await;
    assert_eq!(warned.try_wait().unwrap(), None, "the program goes on");
}

#[tokio::test]
async fn a_released_seat_is_lost() {
    let office = Office::with_two_seats().await;
    let mut run = office.run(&[], "exec sleep 60");
    let seat = office.until_seats(1).await[0].id.clone();
    let password = office.path("password");
    office.done(&["seats", "release", &seat, "--password-file", password.to_str().unwrap()]).await;
    says(&mut run, "the seat is lost").await;
    office.until_seats(0).await;
}

/// Nobody can tell the program: it may be using the seat until its ttl is over.
#[tokio::test]
async fn a_released_seat_of_a_program_whose_wrapper_was_killed_ends_by_its_ttl() {
    let office = Office::with_two_seats().await;
    let go = office.path("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let started = office.path("started");
    let mut run = office.run(&[], &format!("echo > {}; read x < {}", started.display(), go.display()));
    let seat = office.until_seats(1).await[0].id.clone();
    // Else there is no program yet that the seat could stay for.
    written(&started).await;
    run.kill().await.unwrap();
    // Longer than the agent takes to see a connection close.
    office.done(&["run", "cad", "--", "true"]).await;
    let password = office.path("password");
    office.done(&["seats", "release", &seat, "--password-file", password.to_str().unwrap()]).await;
    office.until_seats(0).await;
    let events = office.client.events(None).await.unwrap().events;
    let of_seat = events.iter().filter(|event| event.seat.as_ref() == Some(&seat));
    let kinds: Vec<&str> = of_seat.map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["checkout", "release", "expire"]);
    std::fs::write(&go, "\n").unwrap();
}

#[tokio::test]
async fn hold_gives_its_seat_back_when_interrupted() {
    let office = Office::with_two_seats().await;
    let mut hold =
        office.seatkeeper(&["hold", "cad@2026"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    office.until_seats(1).await;
    signal(&hold, Signal::INT);
    assert_eq!(ended(&mut hold).await, Some(0));
    office.until_seats(0).await;
}

/// Waits for a line of ours on standard error.
async fn says(run: &mut Child, text: &str) {
    let mut lines = BufReader::new(run.stderr.as_mut().unwrap()).lines();
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            assert!(line.starts_with("seatkeeper: "), "{line}");
            if line.contains(text) {
                return;
            }
        }
        panic!("standard error ended without `{text}`");
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), found).await.expect(text);
}
