//! Exports: what one site tells another of its machines, signed by an admin. The first line is JSON, the second its
//! seal.

use std::path::Path;

use data_encoding::BASE64;
use seatkeeper_client::{Client, api};
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::inventory::{ImportedMachine, Software};
use seatkeeper_ledger::org::IMPORT_BYTES_MAX;
use seatkeeper_protocol::id::{Name, PublicKey, SiteId};
use seatkeeper_protocol::time::WallTime;

use super::super::args::SignArgs;
use super::super::fail::Fail;
use super::super::sign::SiteSigner;
use super::super::{files, print};
use crate::platform::clock::SystemClock;

/// What the file is.
const KIND: &str = "seatkeeper-inventory";
/// What the signed message begins with, so that no other signature of the key passes for an export's.
const DOMAIN: &[u8] = b"seatkeeper-inventory-v1\n";

/// An export whose signature holds.
pub(super) struct Export {
    pub(super) site: SiteId,
    pub(super) name: Name,
    pub(super) key: PublicKey,
    pub(super) issued: WallTime,
    /// By what they are called there.
    pub(super) machines: Vec<(Name, ImportedMachine)>,
}

fn message(line: &str) -> Vec<u8> {
    [DOMAIN, line.as_bytes()].concat()
}

/// Writes this site's machines, but for those of other sites, and of their programs those that are products.
pub(super) async fn export(client: &Client, to: &Path, sign: &SignArgs) -> Result<(), Fail> {
    let signer = SiteSigner::open(client, sign).await?;
    let site = client.site().await?;
    let mut machines = Vec::new();
    for machine in super::all(client).await?.machines {
        if machine.source == "site" {
            continue;
        }
        let programs = match machine.products.is_empty() {
            true => Vec::new(),
            false => client.machine(&machine.id).await?.programs,
        };
        machines.push(api::ExportedMachine {
            id: machine.id,
            host: machine.host,
            addresses: machine.addresses,
            users: machine.users,
            programs: programs.into_iter().filter(|program| program.product.is_some()).collect(),
        });
    }
    let count = u32::try_from(machines.len()).unwrap_or(u32::MAX);
    let export = api::InventoryExport {
        format: api::FORMAT,
        kind: KIND.to_owned(),
        site: site.id,
        name: site.name,
        issued: SystemClock.wall().rfc3339().unwrap_or_default(),
        machines,
    };
    let unwritable = |error: serde_json::Error| Fail::other(error.to_string());
    let line = serde_json::to_string(&export).map_err(unwritable)?;
    let (key, signature) = signer.sign(&message(&line));
    let seal = api::InventorySeal { key: key.to_string(), signature: BASE64.encode(&signature) };
    let text = format!("{line}\n{}\n", serde_json::to_string(&seal).map_err(unwritable)?);
    if text.len() > IMPORT_BYTES_MAX {
        return Err(Fail::other(format!(
            "the export would have more than {} MiB, which no site imports",
            IMPORT_BYTES_MAX >> 20
        )));
    }
    files::write(to, &text, false)?;
    print::line(format!(
        "{} exported to {}. Its key, for who imports it: {key}",
        print::count(count, "machine is", "machines are"),
        to.display()
    ));
    Ok(())
}

/// Whether a file is an export, of whatever release.
pub(super) fn is_one(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: String,
    }
    let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    serde_json::from_str::<Kind>(line).is_ok_and(|head| head.kind == KIND)
}

/// Reads an export and checks its signature. Whose key that is, is for others to know.
pub(super) fn read(text: &str) -> Result<Export, String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let (line, seal) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let damaged = || "the export is damaged, or not whole; copy it again".to_owned();
    let seal: api::InventorySeal = serde_json::from_str(seal).map_err(|_| damaged())?;
    let key: PublicKey = seal.key.parse().map_err(|_| damaged())?;
    let signature = BASE64.decode(seal.signature.as_bytes()).map_err(|_| damaged())?;
    if !key.verifies(&message(line), &signature) {
        return Err("the export was changed after it was signed; get it anew from its site".to_owned());
    }
    let export: api::InventoryExport = serde_json::from_str(line)
        .map_err(|error| format!("the export is not understood ({error}); update Seatkeeper"))?;
    let wrong = |error: &dyn std::fmt::Display| format!("the export is not understood ({error})");
    let mut machines = Vec::with_capacity(export.machines.len());
    for machine in export.machines {
        let name = |text: &str| Name::new(text).map_err(|error| wrong(&error));
        let (id, host) = (name(&machine.id)?, name(&machine.host)?);
        machines.push((
            id,
            ImportedMachine {
                host,
                addresses: machine.addresses.iter().filter_map(|address| address.parse().ok()).collect(),
                users: machine.users.iter().map(|user| name(user)).collect::<Result<_, _>>()?,
                software: machine.programs.iter().filter_map(Software::from_json).collect(),
            },
        ));
    }
    Ok(Export {
        site: export.site.parse().map_err(|error| wrong(&error))?,
        name: Name::new(export.name).map_err(|error| wrong(&error))?,
        key,
        issued: WallTime::from_rfc3339(&export.issued).map_err(|error| wrong(&error))?,
        machines,
    })
}
