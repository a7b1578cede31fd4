//! `seatkeeper run`: a program that holds a seat.
//!
//! The seat belongs to the process tree of this process and is watched by the agent: it comes back when the last
//! process of the tree has ended, also if this one was killed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use seatkeeper_client::Client;
use seatkeeper_client::socket::SOCKET_VARIABLE;
use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::SessionId;
use serde::Serialize;
use tokio::time::Instant;

use super::args::{OnLost, RunArgs};
use super::borrow::about_s;
use super::fail::{Fail, OTHER};
use super::files;
use super::launcher::{Refused, Voice};
use super::notices;
use super::seat::{self, Asked, Change, HeldSeat};
use crate::keys;
use crate::platform::child::{Child, Exit, Preparation};
use crate::platform::clock::SystemClock;

/// By what the agent knows the processes of the tree.
const SESSION_VARIABLE: &str = "SEATKEEPER_SESSION";
/// Tells a program which seat it has.
const SEAT_VARIABLE: &str = "SEATKEEPER_SEAT";
/// How long this process stays for the seat's return after the program has ended.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(1);
/// How long a program may take to end itself after it was asked to.
const TERMINATE_WITHIN: Duration = Duration::from_secs(10);

/// Runs the program; the exit code is its own once it was started.
pub(super) async fn run(client: Client, args: RunArgs) -> u8 {
    let status_file = args.status_file.clone();
    let mut voice = Voice::new(args.window);
    let ending = match start(client, &args, &voice).await {
        Ok((seat, child)) => follow(seat, child, args.on_lost, &mut voice).await,
        Err(Refused { fail, told }) => {
            if !told {
                voice.refuse(&fail.text).await;
            }
            Ending::Failed(fail)
        }
    };
    if let Some(Err(fail)) = status_file.map(|file| write_status(&file, &ending)) {
        voice.refuse(&fail.text).await;
    }
    ending.code()
}

/// Takes the seat, then starts the program.
async fn start(client: Client, args: &RunArgs, voice: &Voice) -> Result<(HeldSeat, Child), Refused> {
    let session = SessionId(keys::random().map_err(Fail::from)?).to_string();
    let tree = api::Tree { pid: std::process::id(), token: session.clone() };
    let request =
        api::SeatRequest { session: Some(session.clone()), tree: Some(tree), ..seat::request(&args.seat) };
    let socket = client.socket().to_owned();
    let seat = voice.take(client, request).await?;

    let (program, arguments) =
        args.command.split_first().ok_or_else(|| Fail::new(2, "say which program to run after --"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(SESSION_VARIABLE, &session)
        .env(SEAT_VARIABLE, &seat.granted.seat)
        .env(SOCKET_VARIABLE, &socket);
    let spawned = Preparation::new()
        .map_err(|error| Fail::other(format!("the program cannot be watched: {error}; it was not started")))
        .and_then(|preparation| {
            preparation.spawn(&mut command).map_err(|error| Fail::new(error.code(), error.to_string()))
        });
    match spawned {
        Ok(child) => Ok((seat, child)),
        Err(fail) => {
            give_back(&seat).await;
            Err(fail.into())
        }
    }
}

/// Gives the seat of an ended tree back before this process ends: the next program must find it free, and the agent
/// would see the end of the tree only after ours.
async fn give_back(seat: &HeldSeat) {
    tokio::time::timeout(GIVE_BACK_WITHIN, seat.give_back()).await.ok();
}

/// Follows program and seat until the program has ended.
async fn follow(mut seat: HeldSeat, mut child: Child, on_lost: OnLost, voice: &mut Voice) -> Ending {
    let mut kill_at: Option<Instant> = None;
    let mut changes = true;
    loop {
        let kill = async {
            match kill_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            exit = child.ended() => {
                voice.hush();
                return match exit {
                    Ok(exit) => {
                        if child.was_the_last() {
                            give_back(&seat).await;
                        }
                        Ending::Child(exit)
                    }
                    Err(error) => {
                        let text = format!("the program is no longer watched: {error}");
                        voice.refuse(&text).await;
                        Ending::Failed(Fail::new(OTHER, text))
                    }
                };
            }
            change = seat.change(), if changes => match change {
                Some(change) => {
                    let text = describe(&change);
                    if !voice.has_windows() {
                        notices::of_change(&seat.granted.product, &change);
                    }
                    match change {
                        Change::Reachable | Change::Regained => voice.relieve(&text),
                        Change::Unreachable(_) | Change::Ends(_) | Change::Lost(_) | Change::Asked(_) => {
                            voice.say(&text);
                        }
                    }
                    if matches!(change, Change::Lost(_)) && on_lost == OnLost::Terminate && kill_at.is_none() {
                        let seconds = TERMINATE_WITHIN.as_secs();
                        voice.say(&format!("the seat is lost, so the program is asked to end, and killed after {seconds} s"));
                        child.terminate();
                        kill_at = Some(Instant::now() + TERMINATE_WITHIN);
                    }
                }
                None => changes = false,
            },
            () = kill => {
                child.kill();
                kill_at = None;
            }
        }
    }
}

/// What happened to the seat, and what to do.
pub(super) fn describe(change: &Change) -> String {
    match change {
        Change::Unreachable(until) => {
            let left_s = until.ms_since(SystemClock.mono()) / 1000;
            format!("the site is out of reach; the seat is kept for {left_s} s, save your work if this lasts")
        }
        Change::Ends(left_s) => {
            let left = about_s(*left_s);
            format!(
                "the borrowed seat ends in {left}; connect to the site and borrow again, or save your work by then"
            )
        }
        Change::Asked(asked) => {
            let Asked { user, device_name, waiting, message } = &**asked;
            let many = if *waiting > 1 {
                format!(", one of {waiting} who wait,")
            } else {
                ", who waits,".to_owned()
            };
            let said = message.as_ref().map(|said| format!(" (\"{said}\")")).unwrap_or_default();
            format!(
                "{user} on {device_name}{many} asks for this seat, which seems not to be used{said}; end the program to \
                 give it up, or go on: nothing is taken away"
            )
        }
        Change::Reachable => "the site is back, and the seat is kept".to_owned(),
        Change::Lost(reason) => {
            format!(
                "the seat is lost: {reason}; save your work and end the program, somebody else may use the seat"
            )
        }
        Change::Regained => "the seat is regained; go on".to_owned(),
    }
}

/// How it ended.
enum Ending {
    Child(Exit),
    Failed(Fail),
}

impl Ending {
    fn code(&self) -> u8 {
        match self {
            Self::Child(exit) => u8::try_from(exit.code() & 0xff).unwrap_or(OTHER),
            Self::Failed(fail) => fail.code,
        }
    }
}

/// The content of `--status-file`: whose exit code it is.
#[derive(Debug, Serialize)]
struct Status<'a> {
    format: u32,
    from: &'a str,
    code: u8,
    signal: Option<i32>,
    text: Option<&'a str>,
}

fn write_status(file: &Path, ending: &Ending) -> Result<(), Fail> {
    let code = ending.code();
    let status = match ending {
        Ending::Child(exit) => Status {
            format: api::FORMAT,
            from: "child",
            code,
            signal: match exit {
                Exit::Signal(signal) => Some(*signal),
                Exit::Code(_) => None,
            },
            text: None,
        },
        Ending::Failed(fail) => {
            Status { format: api::FORMAT, from: "seatkeeper", code, signal: None, text: Some(&fail.text) }
        }
    };
    let text = serde_json::to_string(&status).map_err(|error| Fail::other(error.to_string()))?;
    files::write(file, &(text + "\n"), false)
}
