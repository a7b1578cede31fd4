//! The menu's entries, and what people see who start a program from there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, Command};

use crate::office::{Office, ended, eventually, signal, written};

/// Stands in for the desktop's own: writes down what it was to show, and answers as the file `answer` says.
const ZENITY: &str = r#"#!/bin/sh
dir=$(dirname "$0")
printf '%s|' "$@" | tr '\n' ' ' >> "$dir/shown"
echo >> "$dir/shown"
case "$*" in
  *--progress*) cat >> "$dir/shown"; exec sleep 60 ;;
  *--question*)
    # An answer in words is the extra button's, once.
    answer=$(cat "$dir/answer")
    case "$answer" in
      [01]) exit "$answer" ;;
      *) printf 1 > "$dir/answer"; echo "$answer"; exit 1 ;;
    esac ;;
esac
"#;

fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// An office whose seats are in use by the first two, and a desktop whose windows are answered by `answer`.
async fn full_office(answer: &str) -> (Office, Vec<Child>) {
    let office = Office::with_two_seats().await;
    let users = vec![office.run(&[], "exec sleep 60"), office.run(&[], "exec sleep 60")];
    office.until_seats(2).await;
    std::fs::create_dir(office.path("bin")).unwrap();
    program(&office.path("bin/zenity"), ZENITY);
    std::fs::write(office.path("bin/answer"), answer).unwrap();
    (office, users)
}

/// `run --window` on that desktop.
fn start(office: &Office, script: &str) -> Child {
    let mut command = office.seatkeeper(&["run", "--window", "cad", "--", "sh", "-c", script]);
    let path = format!("{}:{}", office.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("DISPLAY", ":none").env_remove("XDG_CURRENT_DESKTOP");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn who_closes_the_window_is_not_in_the_queue() {
    let (office, _users) = full_office("1").await;
    let mut refused = start(&office, "true");
    assert_eq!(ended(&mut refused).await, Some(75));
    let shown = written(&office.path("bin/shown")).await;
    assert!(
        shown.contains("|--question|")
            && shown.contains("|--ok-label|Wait|--cancel-label|Close|--extra-button|Show all seats|"),
        "{shown}"
    );
    assert!(shown.contains("All 2 seats of cad are in use"), "{shown}");
    assert_eq!(shown.matches("on pc1, since 20").count(), 2, "{shown}");
    assert_eq!(shown.lines().count(), 1, "nobody is told twice: {shown}");
    assert_eq!(office.client.status().await.unwrap().pools[0].waiting, 0);
}

#[tokio::test]
async fn who_wants_to_see_all_seats_gets_the_page_and_is_asked_again() {
    let (office, _users) = full_office("Show all seats").await;
    program(&office.path("bin/xdg-open"), "#!/bin/sh\necho \"$1\" > \"$(dirname \"$0\")/opened\"\n");
    let mut refused = start(&office, "true");
    assert_eq!(ended(&mut refused).await, Some(75));
    let opened = written(&office.path("bin/opened")).await;
    assert!(opened.starts_with("http://127.0.0.1:") && opened.contains("/#code="), "{opened}");
    let shown = written(&office.path("bin/shown")).await;
    assert_eq!(shown.matches("|--question|").count(), 2, "{shown}");
}

#[tokio::test]
async fn who_waits_in_a_window_starts_when_a_seat_is_free() {
    let (office, mut users) = full_office("0").await;
    let started = office.path("started");
    let mut waits = start(&office, &format!("echo yes > {}; exec sleep 60", started.display()));
    let shown = office.path("bin/shown");
    let read = || std::fs::read_to_string(&shown).unwrap_or_default();
    eventually("it waits in a window", async || read().contains("place 1 in the queue.|")).await;
    assert!(!started.exists());
    signal(&users[0], Signal::TERM);
    ended(&mut users[0]).await;
    written(&started).await;
    office.until_seats(2).await;
    // The window goes, and the program's end gives the seat back.
    signal(&waits, Signal::TERM);
    ended(&mut waits).await;
    office.until_seats(1).await;
}

#[tokio::test]
async fn who_closes_the_waiting_window_gives_the_place_up() {
    let (office, _users) = full_office("0").await;
    let impatient = ZENITY.replace("exec sleep 60", "exit 1");
    program(&office.path("bin/zenity"), &impatient.replace("cat >>", "head -c 0 >>"));
    let mut waits = start(&office, "true");
    assert_eq!(ended(&mut waits).await, Some(75));
    eventually("nobody waits", async || office.client.status().await.unwrap().pools[0].waiting == 0).await;
}

#[tokio::test]
async fn other_refusals_are_told_in_a_window() {
    let mut office = Office::with_two_seats().await;
    std::fs::create_dir(office.path("bin")).unwrap();
    program(&office.path("bin/zenity"), ZENITY);
    office.kill_agent().await;
    let mut refused = start(&office, "true");
    assert_eq!(ended(&mut refused).await, Some(69));
    let shown = written(&office.path("bin/shown")).await;
    assert!(shown.contains("|--warning|") && shown.contains("agent"), "{shown}");
}

#[tokio::test]
async fn an_entry_of_the_menu_starts_the_program_with_a_seat() {
    let office = Office::with_two_seats().await;
    let (data, started) = (office.path("data"), office.path("it has started"));
    let launcher = async |args: &[&str]| {
        let mut command = office.seatkeeper(&[&["launcher"], args].concat());
        let output = command.env("XDG_DATA_HOME", &data).output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let script = format!("echo \"$SEATKEEPER_SEAT\" > \"{}\"; sleep 60", started.display());
    let (code, _) = launcher(&["install", "cad", "--name", "My \"CAD\"", "--", "sh", "-c", &script]).await;
    assert_eq!(code, Some(0));
    let (_, listed) = launcher(&["list"]).await;
    assert!(listed.contains("seatkeeper-my-cad  My \"CAD\"  cad"), "{listed}");

    // As a desktop starts it: the value's escapes are undone, then the quoting, by rules that are the shell's own here.
    let entry = std::fs::read_to_string(data.join("applications/seatkeeper-my-cad.desktop")).unwrap();
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap().replace("\\\\", "\\");
    let mut desktop = Command::new("sh");
    desktop.arg("-c").arg(exec.replace("%%", "%")).env_clear().env("PATH", std::env::var("PATH").unwrap());
    let mut child = desktop.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let seat = written(&started).await;
    let seats = office.until_seats(1).await;
    assert_eq!(seats[0].id, seat.trim());
    child.kill().await.unwrap();

    let (code, _) = launcher(&["remove", "seatkeeper-my-cad"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(launcher(&["remove", "seatkeeper-my-cad"]).await.0, Some(65));
    assert_eq!(launcher(&["install", "cad", "--", "/no/such/program"]).await.0, Some(65));
    assert_eq!(launcher(&["install", "cad", "--replace", "nothing"]).await.0, Some(65));
    assert_eq!(launcher(&["install", "cad"]).await.0, Some(2));
}

/// A screen of its own, with the real zenity and a person's keys.
#[tokio::test]
async fn a_person_answers_a_real_window() {
    let tools = ["Xvfb", "xdotool", "zenity"];
    let there = |tool: &&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
    };
    if let Some(missing) = tools.iter().find(|tool| !there(tool)) {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing");
        use std::io::Write;
        writeln!(std::io::stderr(), "skipped: there is no {missing} to open and answer real windows").ok();
        return;
    }
    let (office, mut users) = full_office("unused").await;
    std::fs::remove_file(office.path("bin/zenity")).unwrap();
    let mut screen = Command::new("Xvfb");
    screen.args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]).kill_on_drop(true);
    let mut screen = screen.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let display = {
        use tokio::io::{AsyncBufReadExt, BufReader};
        let mut lines = BufReader::new(screen.stdout.as_mut().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        format!(":{}", line.expect("a screen").unwrap().unwrap())
    };
    let started = office.path("started");
    let script = format!("echo yes > {}; exec sleep 60", started.display());
    let mut run = office.seatkeeper(&["run", "--window", "cad", "--", "sh", "-c", &script]);
    let _waits = run.env("DISPLAY", &display).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let xdotool = async |args: &[&str]| {
        let mut command = Command::new("xdotool");
        command.args(args).env("DISPLAY", &display).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.unwrap().success()
    };
    // Its first button is Wait. Keys are lost on a window that is only just coming.
    let waiting = async || office.client.status().await.unwrap().pools[0].waiting == 1;
    eventually("the person waits", async || {
        if xdotool(&["search", "--onlyvisible", "--name", "Seatkeeper"]).await && !waiting().await {
            xdotool(&["key", "Return"]).await;
        }
        waiting().await
    })
    .await;
    assert!(!started.exists());
    signal(&users[0], Signal::TERM);
    ended(&mut users[0]).await;
    written(&started).await;
    eventually("the window goes", async || {
        !xdotool(&["search", "--onlyvisible", "--name", "Seatkeeper"]).await
    })
    .await;
}
