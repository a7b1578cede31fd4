//! `seatkeeper launcher`: entries of the desktop's menu that start a program with a seat, and the windows in which such
//! a program's person is told what others read on the terminal.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use seatkeeper_client::socket::SOCKET_VARIABLE;
use seatkeeper_client::{Client, ClientError, api};
use seatkeeper_protocol::id::Feature;
use serde::Serialize;
use tokio::sync::watch;

use super::args::{OnLost, ProductAt};
use super::fail::{Fail, NO_SEAT};
use super::seat::{self, HeldSeat};
use super::{open, print};
use crate::platform::dialog::{Choice, Choices, Dialogs, Notice, Progress};
use crate::platform::menu::{Entry, Installed, Menu, MenuError};
use crate::platform::paths;

/// Whoever chose to wait waits as long as it takes, seconds.
const WAIT_S: u64 = 365 * 24 * 60 * 60;

/// Who has seats is listed up to so many.
const USERS_SHOWN: usize = 12;

/// `launcher`.
#[derive(Debug, Subcommand)]
pub enum LauncherCommand {
    /// Add an entry to the menu that starts a program with a seat
    Install(InstallArgs),
    /// The entries that start a program with a seat
    List,
    /// Remove an entry
    Remove {
        /// Its id, as `launcher list` shows it
        id: String,
    },
}

/// `launcher install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The product
    #[arg(value_name = "PRODUCT[@VERSION]")]
    pub product: ProductAt,
    /// What the menu says (else the product)
    #[arg(long, value_name = "N", conflicts_with = "replace")]
    pub name: Option<String>,
    /// An icon: a file, or a name that the desktop knows
    #[arg(long, value_name = "I", conflicts_with = "replace")]
    pub icon: Option<String>,
    /// Make this entry of the system's menu (cad.desktop) take a seat, for you
    #[arg(long, value_name = "ID")]
    pub replace: Option<String>,
    /// A feature it needs; may be repeated
    #[arg(long, value_name = "F")]
    pub feature: Vec<Feature>,
    /// What to do when the seat is lost while the program runs
    #[arg(long, value_enum, value_name = "warn|terminate", default_value_t = OnLost::Warn, require_equals = true)]
    pub on_lost: OnLost,
    /// The program and its arguments; %F stands for the files that are opened with it
    #[arg(last = true, required_unless_present = "replace", conflicts_with = "replace", num_args = 1..,
          value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// An entry of `launcher list --json`.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    product: &'a str,
    path: &'a Path,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    format: u32,
    launchers: Vec<Listed<'a>>,
}

pub(super) fn launcher(socket: Option<&Path>, command: LauncherCommand, json: bool) -> Result<(), Fail> {
    let menu = Menu::of_user()?;
    // The menu knows nothing of this shell's variables.
    let variable = std::env::var_os(SOCKET_VARIABLE).filter(|socket| !socket.is_empty());
    let socket = socket.map(Path::to_owned).or_else(|| variable.map(PathBuf::from));
    match command {
        LauncherCommand::Install(args) => install(&menu, socket.as_deref(), args),
        LauncherCommand::List => list(&menu.list()?, json),
        LauncherCommand::Remove { id } => {
            let path = menu.remove(&id)?;
            print::line(format!("Removed {}.", path.display()));
            Ok(())
        }
    }
}

fn install(menu: &Menu, socket: Option<&Path>, args: InstallArgs) -> Result<(), Fail> {
    let product = args.product.to_string();
    if let Some(program) = args.command.first() {
        paths::find_program(program).ok_or_else(|| {
            Fail::input(format!("there is no program {program:?}; name it with its whole path"))
        })?;
    }
    let entry = Entry {
        name: args.name.clone().unwrap_or_else(|| args.product.product.to_string()),
        icon: args.icon.clone(),
        launcher: launcher_words(socket, &product, &args)?,
        command: args.command,
        product,
    };
    let path = match &args.replace {
        Some(id) => menu.replace(id, &entry)?,
        None => menu.add(&entry)?,
    };
    let product = &entry.product;
    print::line(format!(
        "{} now starts the program with a seat of {product}. `seatkeeper launcher list` shows it.",
        path.display()
    ));
    Ok(())
}

/// This program and its arguments, before those of the program that it starts.
fn launcher_words(socket: Option<&Path>, product: &str, args: &InstallArgs) -> Result<Vec<String>, Fail> {
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| Fail::input(format!("{} cannot stand in a menu entry", path.display())))
    };
    let me = std::env::current_exe()
        .map_err(|error| Fail::other(format!("where this program is cannot be told: {error}")))?;
    let mut words = vec![text(&me)?];
    if let Some(socket) = socket {
        let socket = std::path::absolute(socket).map_err(|error| Fail::input(error.to_string()))?;
        words.extend(["--socket".to_owned(), text(&socket)?]);
    }
    words.extend(["run".to_owned(), "--window".to_owned(), product.to_owned()]);
    words.extend(args.feature.iter().flat_map(|feature| ["--feature".to_owned(), feature.to_string()]));
    if args.on_lost == OnLost::Terminate {
        words.push("--on-lost=terminate".to_owned());
    }
    words.push("--".to_owned());
    Ok(words)
}

fn list(installed: &[Installed], json: bool) -> Result<(), Fail> {
    if json {
        let listed = installed.iter().map(|entry| Listed {
            id: &entry.id,
            name: &entry.name,
            product: &entry.product,
            path: &entry.path,
        });
        return print::json(&List { format: api::FORMAT, launchers: listed.collect() });
    }
    let rows: Vec<Vec<String>> = installed
        .iter()
        .map(|entry| vec![entry.id.clone(), entry.name.clone(), entry.product.clone()])
        .collect();
    print::table(&["id", "name", "product"], &rows, "No entry of the menu starts a program with a seat.");
    Ok(())
}

impl From<MenuError> for Fail {
    fn from(error: MenuError) -> Self {
        match error {
            MenuError::NoFolder | MenuError::File { .. } => Self::other(error.to_string()),
            MenuError::NotFound(_) | MenuError::Unfit(..) => Self::input(error.to_string()),
            #[cfg(unix)]
            MenuError::NotInSystem(_) | MenuError::NotOurs(_) => Self::input(error.to_string()),
        }
    }
}

/// How the person is told: on the terminal, or in windows.
#[derive(Debug)]
pub(super) struct Voice {
    dialogs: Option<Dialogs>,
    /// The newest thing said while the program runs; it takes the place of the one before.
    notice: Option<Notice>,
}

impl Voice {
    /// `window`: in windows, if there is a screen and something that opens windows on it.
    pub(super) fn new(window: bool) -> Self {
        Self { dialogs: window.then(Dialogs::find).flatten(), notice: None }
    }

    /// Whether what happens to the seat is said in windows.
    pub(super) fn has_windows(&self) -> bool {
        self.dialogs.is_some()
    }

    /// Says something that does not wait for the person.
    pub(super) fn say(&mut self, text: &str) {
        print::note(format!("seatkeeper: {text}"));
        if let Some(dialogs) = &self.dialogs {
            self.notice = None;
            match dialogs.notice(&print::sentence(text)) {
                Ok(notice) => self.notice = Some(notice),
                Err(error) => no_window(&error),
            }
        }
    }

    /// Says that what was said last is over.
    pub(super) fn relieve(&mut self, text: &str) {
        self.hush();
        print::note(format!("seatkeeper: {text}"));
    }

    /// What was said last is over.
    pub(super) fn hush(&mut self) {
        self.notice = None;
    }

    /// Says why nothing is started, and waits until the person has seen it.
    pub(super) async fn refuse(&mut self, text: &str) {
        self.hush();
        print::note(format!("seatkeeper: {text}"));
        if let Some(dialogs) = &self.dialogs
            && let Err(error) = dialogs.tell(&print::sentence(text)).await
        {
            no_window(&error);
        }
    }

    /// Takes a seat. In windows, whoever finds none free chooses whether to wait.
    pub(super) async fn take(&self, client: Client, request: api::SeatRequest) -> Result<HeldSeat, Refused> {
        let Some(dialogs) = self.dialogs.clone() else {
            return HeldSeat::take(client, request, seat::say_place).await.map_err(Refused::untold);
        };
        if request.wait_s.is_some() {
            return wait(&dialogs, client, request).await;
        }
        let refused = match HeldSeat::take(client.clone(), request.clone(), |_, _, _| {}).await {
            Ok(seat) => return Ok(seat),
            Err(refused) => refused,
        };
        let holders = refused.problem().map(|problem| users(&problem.holders)).unwrap_or_default();
        let fail = Fail::from(refused);
        if fail.code != NO_SEAT {
            return Err(Refused { fail, told: false });
        }
        print::note(format!("seatkeeper: {}", fail.text));
        let hint = "If you wait, the program starts as soon as a seat is free.";
        let question = format!("{}\n\n{holders}{hint}", print::sentence(&fail.text));
        let choices = Choices { first: "Wait", second: "Close", third: "Show all seats" };
        loop {
            match dialogs.ask(&question, &choices).await {
                Ok(Choice::First) => {
                    let request = api::SeatRequest { wait_s: Some(WAIT_S), ..request };
                    return wait(&dialogs, client, request).await;
                }
                // The window stays meanwhile.
                Ok(Choice::Third) => {
                    if let Err(fail) = open::in_browser(&client).await {
                        print::note(format!("seatkeeper: {}", fail.text));
                    }
                }
                Ok(Choice::Second) => return Err(Refused { fail, told: true }),
                Err(error) => {
                    no_window(&error);
                    return Err(Refused { fail, told: true });
                }
            }
        }
    }
}

/// Why there is no seat, and whether the person knows.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) fail: Fail,
    pub(super) told: bool,
}

impl Refused {
    fn untold(error: ClientError) -> Self {
        Self { fail: error.into(), told: false }
    }
}

impl From<Fail> for Refused {
    fn from(fail: Fail) -> Self {
        Self { fail, told: false }
    }
}

/// Waits for a seat, with a window that says which place it is. Closing it gives the place up.
async fn wait(dialogs: &Dialogs, client: Client, request: api::SeatRequest) -> Result<HeldSeat, Refused> {
    let (place, mut places) = watch::channel(None);
    let taking = HeldSeat::take(client, request.clone(), |_, waiting, _| {
        place.send_replace(Some(waiting.position));
    });
    tokio::pin!(taking);
    let mut window: Option<Progress> = None;
    loop {
        let closed = async {
            match &mut window {
                Some(window) => window.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            taken = &mut taking => return taken.map_err(Refused::untold),
            () = closed => {
                let text = format!("you have stopped waiting for a seat of {}", request.product);
                print::note(format!("seatkeeper: {text}"));
                return Err(Refused { fail: Fail::new(NO_SEAT, text), told: true });
            }
            Ok(()) = places.changed() => {
                let Some(position) = *places.borrow_and_update() else { continue };
                let text = format!("Waiting for a seat of {}: place {position} in the queue.", request.product);
                let shown = match &mut window {
                    Some(window) => window.update(&text),
                    None => dialogs.progress(&text, "Stop waiting").map(|opened| window = Some(opened)),
                };
                if let Err(error) = shown {
                    no_window(&error);
                }
            }
        }
    }
}

/// Who has seats, line by line.
fn users(holders: &[api::SeatHolder]) -> String {
    let line = |holder: &api::SeatHolder| {
        let since = holder.since.as_deref().map(|since| format!(", since {}", print::when(Some(since))));
        let idle =
            holder.idle_s.filter(|idle_s| *idle_s >= 60).map(|idle_s| format!(", idle {} min", idle_s / 60));
        let (since, idle) = (since.unwrap_or_default(), idle.unwrap_or_default());
        format!("•  {} on {}{since}{idle}\n", holder.user, holder.device_name)
    };
    let mut lines: String = holders.iter().take(USERS_SHOWN).map(line).collect();
    if holders.len() > USERS_SHOWN {
        lines += &format!("•  and {} more\n", holders.len() - USERS_SHOWN);
    }
    if lines.is_empty() { lines } else { lines + "\n" }
}

fn no_window(error: &std::io::Error) {
    print::note(format!("seatkeeper: no window can be opened: {error}"));
}
