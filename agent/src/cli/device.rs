//! `seatkeeper device`.

use std::path::Path;

use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::{Command, DeviceSettings, Form};
use seatkeeper_protocol::id::DeviceId;
use zeroize::Zeroizing;

use super::args::{DeviceCommand, FormArg, SettingsArgs, SignArgs, WatchArgs, YesNo, names_device};
use super::fail::Fail;
use super::print::Page;
use super::sign::{self, SiteSigner};
use super::{files, print, watch};
use crate::plan::devices::{self, Root};

pub(super) async fn device(client: &Client, command: DeviceCommand, json: bool) -> Result<(), Fail> {
    match command {
        DeviceCommand::List(watch) => list(client, watch, json).await,
        DeviceCommand::Admit { id, sign } => admit(client, &id, &sign).await,
        DeviceCommand::Revoke { id, recovery_file, sign } => {
            revoke(client, &id, recovery_file.as_deref(), &sign).await
        }
        DeviceCommand::Lost { id, found, sign } => lose(client, &id, !found, &sign).await,
        DeviceCommand::Set { id, settings, sign } => set(client, &id, settings, &sign).await,
    }
}

async fn list(client: &Client, args: WatchArgs, json: bool) -> Result<(), Fail> {
    watch::show(client, args, json, async || Ok(client.devices().await?), page).await
}

fn page(devices: &api::Devices) -> Page {
    let mut page = Page::new();
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |device: &api::Device| {
        let form = if device.always_on { format!("{}, always on", device.form) } else { device.form.clone() };
        vec![
            device.id.chars().take(8).collect(),
            device.name.clone(),
            device.role.clone(),
            match (&device.lost, device.online, &device.last_seen) {
                (Some(_), ..) => "lost".to_owned(),
                (None, true, _) => "online".to_owned(),
                (None, false, None) => "offline".to_owned(),
                (None, false, Some(seen)) => format!("offline since {}", print::when(Some(seen))),
            },
            form,
            device.seats.to_string(),
            device.borrowed.to_string(),
            dash(&device.address),
            dash(&device.version),
        ]
    };
    let rows: Vec<_> = devices.devices.iter().map(row).collect();
    let titles = ["id", "name", "role", "state", "form", "seats", "borrowed", "address", "version"];
    page.table(&titles, &rows, "No devices.");
    if !devices.waiting.is_empty() {
        page.line("");
        page.line("Waiting to be admitted (compare the id with what the machine shows):");
        let row = |device: &api::WaitingDevice| {
            vec![device.id.clone(), device.name.clone(), device.form.clone(), dash(&device.address)]
        };
        let rows: Vec<_> = devices.waiting.iter().map(row).collect();
        page.table(&["id", "name", "form", "address"], &rows, "");
    }
    page
}

async fn admit(client: &Client, id: &str, sign: &SignArgs) -> Result<(), Fail> {
    let known = client.devices().await?;
    let mut waiting = known.waiting.iter().filter(|device| names_device(id, &device.id));
    let device = match (waiting.next(), waiting.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(Fail::input(format!("several waiting devices begin with {id}"))),
        (None, _) if known.devices.iter().any(|device| names_device(id, &device.id)) => {
            print::line("That device belongs to the site already.");
            return Ok(());
        }
        (None, _) => {
            let text =
                format!("no device {id} waits to be admitted; `seatkeeper device list` shows who does");
            return Err(Fail::other(text));
        }
    };
    let command = devices::admit(device)?;
    SiteSigner::open(client, sign).await?.send(&command).await?;
    print::line(format!("{} is admitted.", device.name));
    Ok(())
}

async fn revoke(
    client: &Client,
    id: &str,
    recovery_file: Option<&Path>,
    sign: &SignArgs,
) -> Result<(), Fail> {
    let devices = client.devices().await?;
    let device = find(&devices, id)?;
    let mut signer = SiteSigner::open(client, sign).await?;
    if device.role == "revoked" {
        print::line(format!("{} is revoked already.", device.name));
    } else {
        let device: DeviceId = parse_device(&device.id)?;
        signer.send(&Command::RevokeDevice { device }).await?;
        print::line("It is revoked. Its seats come back at the end of their leases.");
    }
    let info = client.pool_key().await?;
    if !info.exposed {
        return Ok(());
    }
    let code = match recovery_file {
        Some(file) => files::read_secret(file)?,
        None if print::can_ask() => {
            print::note("The machine knew the key that signs tickets. The recovery code replaces it;");
            sign::ask("Recovery code (empty: later): ")?
        }
        None => Zeroizing::new(String::new()),
    };
    if code.trim().is_empty() {
        print::note(format!(
            "warning: the machine knew the key that signs tickets, which is not replaced yet; have the recovery code and repeat `seatkeeper device revoke {id}`"
        ));
        return Ok(());
    }
    let command = Root::open(signer.site(), &info, &code)?.rotation(signer.site(), &info)?;
    signer.send(&command).await?;
    print::line("The key that signs tickets is replaced.");
    Ok(())
}

async fn lose(client: &Client, id: &str, lost: bool, sign: &SignArgs) -> Result<(), Fail> {
    let devices = client.devices().await?;
    let found = find(&devices, id)?;
    let command = Command::LoseDevice { device: parse_device(&found.id)?, lost };
    SiteSigner::open(client, sign).await?.send(&command).await?;
    let after = client.devices().await?;
    let borrowed = after.devices.iter().find(|device| device.id == found.id).map_or(0, |d| d.borrowed);
    print::line(match (lost, borrowed) {
        (false, _) => format!("{} is found and may use seats again.", found.name),
        (true, 0) => format!("{} is reported as lost and gets no seats.", found.name),
        (true, borrowed) => format!(
            "{} is reported as lost and gets no seats; {} it borrowed come back at the end of the borrow, as the \
             licenses say.",
            found.name,
            print::count(borrowed, "seat that", "seats that")
        ),
    });
    Ok(())
}

async fn set(client: &Client, id: &str, settings: SettingsArgs, sign: &SignArgs) -> Result<(), Fail> {
    let devices = client.devices().await?;
    let found = find(&devices, id)?;
    let settings = DeviceSettings {
        name: settings.name,
        always_on: settings.always_on.map(|always_on| always_on == YesNo::Yes),
        form: settings.form.map(|form| match form {
            FormArg::Desktop => Form::Desktop,
            FormArg::Laptop => Form::Laptop,
        }),
    };
    let command = Command::SetDevice { device: parse_device(&found.id)?, settings };
    SiteSigner::open(client, sign).await?.send(&command).await?;
    print::line(format!("{} is set.", found.name));
    Ok(())
}

/// The one device that `id` means: by id, by its beginning, or by name.
pub(super) fn find<'a>(devices: &'a api::Devices, id: &str) -> Result<&'a api::Device, Fail> {
    let matching: Vec<&api::Device> =
        devices.devices.iter().filter(|device| names_device(id, &device.id) || device.name == id).collect();
    match matching.as_slice() {
        [only] => Ok(only),
        [] => Err(Fail::other(format!("there is no device {id} here; `seatkeeper device list` shows all"))),
        _ => Err(Fail::input(format!("several devices are meant by {id}; give more of the id"))),
    }
}

pub(super) fn parse_device(id: &str) -> Result<DeviceId, Fail> {
    id.parse().map_err(|_| Fail::other("the agent's answer about the device is malformed"))
}
