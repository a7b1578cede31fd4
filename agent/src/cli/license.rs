//! `seatkeeper license`.

use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::license::SignedLicense;
use seatkeeper_protocol::limits::LICENSE_BYTES_MAX;

use super::args::LicenseCommand;
use super::fail::Fail;
use super::sign::SiteSigner;
use super::{files, print, vendor};

pub(super) async fn license(client: &Client, command: LicenseCommand, json: bool) -> Result<(), Fail> {
    match command {
        LicenseCommand::Trust { key, name, product, sign } => {
            let (key, named) = vendor::public_key(&key)?;
            let name = name.or(named).ok_or_else(|| {
                Fail::new(2, "say the vendor's name with --name, as it stands in its licenses")
            })?;
            let text = format!("Licenses of {name} are trusted now.");
            let command = Command::TrustVendor { name, key, prefixes: product };
            SiteSigner::open(client, &sign).await?.send(&command).await?;
            print::line(text);
            Ok(())
        }
        LicenseCommand::Add { file, sign } => {
            let text = files::read_text(&file, LICENSE_BYTES_MAX)?;
            let license = SignedLicense::parse(&text)
                .map_err(|error| Fail::input(format!("{}: {error}", file.display())))?;
            let command = Command::AddLicense { text: license.file() };
            SiteSigner::open(client, &sign).await?.send(&command).await?;
            let license = license.license();
            print::line(format!(
                "License {} is added: {} of {}@{}.",
                license.id,
                print::count(license.seats, "seat", "seats"),
                license.product,
                license.version,
            ));
            Ok(())
        }
        LicenseCommand::List => list(client, json).await,
        LicenseCommand::Show { id } => show(client, &id, json).await,
        LicenseCommand::Remove { id, sign } => {
            let text = format!("License {id} is removed; running seats stay until they are given back.");
            SiteSigner::open(client, &sign).await?.send(&Command::RemoveLicense { license: id }).await?;
            print::line(text);
            Ok(())
        }
    }
}

async fn list(client: &Client, json: bool) -> Result<(), Fail> {
    let licenses = client.licenses().await?;
    if json {
        return print::json(&licenses);
    }
    let row = |license: &api::License| {
        vec![
            license.id.clone(),
            format!("{}@{}", license.product, license.version),
            license.seats.to_string(),
            license.features.join(","),
            license.valid_until.clone().unwrap_or_else(|| "-".to_owned()),
            state(license),
        ]
    };
    let rows: Vec<_> = licenses.licenses.iter().map(row).collect();
    let titles = ["id", "product", "seats", "features", "until", "state"];
    print::table(&titles, &rows, "No licenses. Add one with `seatkeeper license add FILE`.");
    Ok(())
}

async fn show(client: &Client, id: &str, json: bool) -> Result<(), Fail> {
    let licenses = client.licenses().await?;
    let license = licenses.licenses.iter().find(|license| license.id == id);
    let license = license.ok_or_else(|| {
        Fail::other(format!("there is no license {id} here; `seatkeeper license list` shows all"))
    })?;
    if json {
        return print::json(license);
    }
    print::line(license.text.trim_end());
    print::line(format!("state: {}", state(license)));
    Ok(())
}

fn state(license: &api::License) -> String {
    match &license.replaced_by {
        Some(by) if license.state == "replaced" => format!("replaced by {by}"),
        _ => license.state.clone(),
    }
}
