//! `seatkeeper doctor`.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use seatkeeper_client::{Client, ClientError, api};

use super::args::{DoctorArgs, WebArg};
use super::fail::{Fail, OTHER, UNAVAILABLE};
use super::print;
use crate::host::look_at;
use crate::middle::doctor::machine;
use crate::middle::health::{Condition, args, says};
use crate::platform::paths;
use crate::platform::ports::{Kind, program_at};
use crate::quic;

pub(super) async fn doctor(client: &Client, args: DoctorArgs, json: bool) -> Result<(), Fail> {
    let (found, code) = match client.doctor().await {
        Ok(found) => {
            let code = if found.is_well() { 0 } else { OTHER };
            (found, code)
        }
        Err(error @ ClientError::NoAgent { .. }) => {
            (without_agent(&error.to_string(), args).await?, UNAVAILABLE)
        }
        Err(error) => return Err(error.into()),
    };
    if json {
        print::json(&found)?;
    } else {
        found.checks.iter().for_each(tell);
    }
    let bad = found.checks.iter().filter(|check| !matches!(check.severity.as_str(), "ok" | "info")).count();
    match code {
        0 if json => Ok(()),
        0 => {
            print::line("\nAll is well.");
            Ok(())
        }
        UNAVAILABLE => {
            Err(Fail::new(code, "no agent runs here; only what can be seen without one was looked at"))
        }
        _ => {
            let bad = print::count(u32::try_from(bad).unwrap_or(u32::MAX), "thing needs", "things need");
            Err(Fail::new(code, format!("{bad} attention")))
        }
    }
}

fn tell(check: &api::Health) {
    let text = print::sentence(&check.text);
    print::line(format!("{:<8} {text} [{}]", check.severity, check.code));
}

/// What can be looked at where no agent runs.
pub(super) async fn without_agent(error: &str, args: DoctorArgs) -> Result<api::Doctor, Fail> {
    let looking = tokio::task::spawn_blocking({
        let error = error.to_owned();
        move || look(error, args)
    });
    let checks = looking.await.map_err(|error| Fail::other(error.to_string()))?;
    Ok(api::Doctor { format: api::FORMAT, checks })
}

fn look(error: String, given: DoctorArgs) -> Vec<api::Health> {
    let mut checks = vec![says::NO_AGENT.told(args([("reason", error)]))];
    if let Some(dir) = given.state_dir.or_else(paths::default_state_dir) {
        checks.extend(state_dir(&dir));
    }
    checks.push(udp_port(given.listen));
    match given.web {
        WebArg::Off => {}
        WebArg::At(address) => checks.push(web_port(address)),
    }
    checks
}

fn state_dir(dir: &Path) -> Vec<api::Health> {
    match dir.try_exists() {
        Ok(false) => vec![says::STATE_DIR_NEW.told(args([("path", dir.display().to_string())]))],
        _ => machine(&look_at(dir)),
    }
}

fn udp_port(listen: SocketAddr) -> api::Health {
    let address = ("address", listen.to_string());
    match quic::try_bind(listen) {
        Ok(()) => says::UDP_PORT_FREE.told(args([address])),
        Err(quic::BindError::Taken(_)) => match program_at(Kind::Udp, listen) {
            Some(program) => says::UDP_PORT_TAKEN_BY.told(args([address, ("program", program)])),
            None => says::UDP_PORT_TAKEN.told(args([address])),
        },
        Err(error) => says::UDP_PORT_FAILED.told(args([address, ("reason", error.to_string())])),
    }
}

fn web_port(address: SocketAddr) -> api::Health {
    match TcpListener::bind(address) {
        Ok(_) => says::WEB_PORT_FREE.told(args([("address", address.to_string())])),
        Err(error) => web_trouble(address, &error).health(),
    }
}

/// Why the page cannot be served at an address.
pub(super) fn web_trouble(address: SocketAddr, error: &std::io::Error) -> Condition {
    let at = address.to_string();
    if error.kind() == std::io::ErrorKind::AddrInUse {
        Condition::WebPortTaken { address: at, program: program_at(Kind::Tcp, address) }
    } else {
        Condition::WebPortFailed { address: at, reason: error.to_string() }
    }
}
