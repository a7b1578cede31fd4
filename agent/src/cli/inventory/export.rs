//! Writing exports: see [`crate::plan::export`].

use std::path::Path;

use data_encoding::BASE64;
use seatkeeper_client::{Client, api};
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::org::IMPORT_BYTES_MAX;

use super::super::args::SignArgs;
use super::super::fail::Fail;
use super::super::sign::SiteSigner;
use super::super::{files, print};
use crate::plan::export::{KIND, message};
use crate::platform::clock::SystemClock;

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
