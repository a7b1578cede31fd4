//! `seatkeeper device`.

use std::path::Path;

use data_encoding::BASE64;
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::{Command, DeviceInfo, DeviceSettings, Form, Sealed};
use seatkeeper_protocol::id::{DeviceId, Name, PublicKey};
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use zeroize::Zeroizing;

use super::args::{DeviceCommand, FormArg, SettingsArgs, SignArgs, WatchArgs, YesNo, names_device};
use super::fail::Fail;
use super::print::Page;
use super::sign::{self, SiteSigner};
use super::{files, print, watch};
use crate::keys::code::{RecoveryCode, open_root};
use crate::keys::{self, seal};
use crate::node::POOL_KEY_CONTEXT;

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
            match (&device.lost, device.online) {
                (Some(_), _) => "lost",
                (None, true) => "online",
                (None, false) => "offline",
            }
            .to_owned(),
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
    let devices = client.devices().await?;
    let mut waiting = devices.waiting.iter().filter(|device| names_device(id, &device.id));
    let device = match (waiting.next(), waiting.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(Fail::input(format!("several waiting devices begin with {id}"))),
        (None, _) if devices.devices.iter().any(|device| names_device(id, &device.id)) => {
            print::line("That device belongs to the site already.");
            return Ok(());
        }
        (None, _) => {
            let text =
                format!("no device {id} waits to be admitted; `seatkeeper device list` shows who does");
            return Err(Fail::other(text));
        }
    };
    let malformed = |_| Fail::other("the agent's answer about the device is malformed");
    let key: PublicKey = device.key.parse().map_err(malformed)?;
    // What the admin compared is the fingerprint: the key must be the one it belongs to.
    if key.device().to_string() != device.id {
        return Err(Fail::other("the device's key does not belong to its id; it is not admitted"));
    }
    let info = DeviceInfo {
        name: Name::new(device.name.as_str()).map_err(malformed)?,
        form: if device.form == "laptop" { Form::Laptop } else { Form::Desktop },
        version: Name::new(device.version.as_str()).map_err(malformed)?,
    };
    SiteSigner::open(client, sign).await?.send(&Command::Admit { key, info }).await?;
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
    let command = rotation(&signer, &info, &code)?;
    signer.send(&command).await?;
    print::line("The key that signs tickets is replaced.");
    Ok(())
}

/// A new pool key, certified by the root key that the recovery code opens, sealed to every log holder.
fn rotation(signer: &SiteSigner, info: &api::PoolKeyInfo, code: &str) -> Result<Command, Fail> {
    let malformed = || Fail::other("the agent's answer about the pool key is malformed");
    let sealed_root = BASE64.decode(info.sealed_root.as_bytes()).map_err(|_| malformed())?;
    let code = code.parse::<RecoveryCode>().map_err(|error| Fail::input(error.to_string()))?;
    let root = open_root(&sealed_root, &code).map_err(|error| Fail::input(error.to_string()))?;
    let site = signer.site();
    if keys::public(&root).site() != site.id {
        return Err(Fail::input("the recovery code is of another site"));
    }
    let pool_key = keys::generate()?;
    let number = info.number.checked_add(1).ok_or_else(malformed)?;
    let public = keys::public(&pool_key);
    let certificate = PoolKeyCertificate::sign(&root, site.generation, number, public);
    let mut sealed = Vec::new();
    for holder in &info.log_holders {
        let holder: PublicKey = holder.parse().map_err(|_| malformed())?;
        let bytes = seal::seal_to(&holder, pool_key.as_bytes(), POOL_KEY_CONTEXT)?;
        sealed.push((holder.device(), Sealed(bytes)));
    }
    Ok(Command::RotatePoolKey { certificate, sealed })
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
