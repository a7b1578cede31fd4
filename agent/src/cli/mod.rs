//! The command line (design section 9).
//!
//! | module | holds |
//! |---|---|
//! | [`args`] | what may stand on the command line |
//! | `agent` | `agent` |
//! | `config` | the file that holds its options |
//! | `site`, `admin`, `device`, `license`, `vendor` | the commands of those names |
//! | [`limits`] | `limits` |
//! | `usage` | `usage` |
//! | [`audit`] | `audit` |
//! | `doctor`, `bundle` | `doctor`, `debug bundle` |
//! | `look` | `status`, `seats`, `events` |
//! | `open` | `open` |
//! | `run`, `hold` | programs that hold seats |
//! | `idle` | whether seats are used, and asking for idle ones |
//! | `borrow` | `borrow`, `return` |
//! | `sign` | admin keys and signed commands |
//! | [`notices`] | desktop notices |
//! | `manual` | `completions`, `man` |
//! | `watch` | `--watch` |
//! | `fail`, `print`, `files` | exit codes, output, files |

use std::process::ExitCode;

use clap::Parser;
use seatkeeper_client::Client;

use args::{Cli, Command};
use fail::Fail;

mod admin;
mod agent;
pub mod args;
pub mod audit;
mod borrow;
mod bundle;
mod compliance;
mod config;
mod device;
mod doctor;
pub(crate) mod fail;
pub(crate) mod files;
mod hold;
mod idle;
mod inventory;
pub mod launcher;
mod license;
pub mod limits;
mod look;
mod manual;
pub mod notices;
mod open;
pub mod org;
pub(crate) mod print;
pub mod purchase;
mod recover;
mod run;
mod seat;
pub(crate) mod sign;
mod site;
mod usage;
mod vendor;
mod watch;

/// The runtime's threads, on a machine with many processors too: one works while the other waits for the disk. More would
/// only wake each other.
const WORKERS: usize = 2;

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            // Help and version are not errors.
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let cli = match config::with_file(cli, std::env::args_os()) {
        Ok(cli) => cli,
        Err(Fail { code, text }) => {
            print::note(format!("seatkeeper: {text}"));
            return ExitCode::from(code);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            print::note(format!("seatkeeper: the program cannot start: {error}"));
            return ExitCode::from(fail::OTHER);
        }
    };
    let code = runtime.block_on(dispatch(cli));
    // What still runs in the background must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn dispatch(cli: Cli) -> u8 {
    let client = match &cli.socket {
        Some(socket) => Client::with_socket(socket),
        None => Client::connect_default(),
    };
    let json = cli.json;
    let done = match cli.command {
        Command::Agent(args) => agent::agent(args, cli.socket).await,
        Command::Demo { keep } => return crate::demo::demo(keep).await,
        Command::Site(command) => site::site(&client, command, json).await,
        Command::Admin(command) => admin::admin(&client, command, json).await,
        Command::Device(command) => device::device(&client, command, json).await,
        Command::License(command) => license::license(&client, command, json).await,
        Command::Limits { command } => limits::limits(&client, command, json).await,
        Command::Org(command) => org::org(&client, command, json).await,
        Command::Purchase(command) => purchase::purchase(&client, command, json).await,
        Command::Allocation(command) => purchase::allocation(&client, command).await,
        Command::Inventory(command) => inventory::inventory(&client, command, json).await,
        Command::Compliance(args) => compliance::compliance(&client, args, json).await,
        Command::Vendor(command) => vendor::vendor(command),
        Command::Doctor(args) => doctor::doctor(&client, args, json).await,
        Command::Debug(command) => bundle::debug(&client, command).await,
        Command::Status(watch) => look::status(&client, watch, json).await,
        Command::Open { print } => open::open(&client, print, json).await,
        Command::Seats { command: None, watch } => look::seats(&client, watch, json).await,
        Command::Seats { command: Some(args::SeatsCommand::Ask { id, message }), .. } => {
            idle::ask(&client, id, message.as_ref(), json).await
        }
        Command::Seats { command: Some(args::SeatsCommand::Release { id, sign }), .. } => {
            look::release(&client, id, &sign).await
        }
        Command::Events { follow } => look::events(&client, follow, json).await,
        Command::Usage(args) => usage::usage(&client, &args, json).await,
        Command::Audit(args) => audit::audit(&client, args, json).await,
        Command::Run(args) => return run::run(client, args).await,
        Command::Launcher(command) => launcher::launcher(cli.socket.as_deref(), command, json),
        Command::Hold(args) => hold::hold(client, &args).await,
        Command::Borrow(args) => borrow::borrow(&client, args, json).await,
        Command::Return { product } => borrow::give_back(&client, &product, json).await,
        Command::Notices(args) => notices::notices(&client, &args).await,
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    };
    match done {
        Ok(()) => 0,
        Err(Fail { code, text }) => {
            print::note(format!("seatkeeper: {text}"));
            code
        }
    }
}

#[cfg(test)]
mod tests;
