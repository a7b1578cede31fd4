//! Exports: what one site tells another of its machines, signed by an admin. The first line is JSON, the second its
//! seal.

use data_encoding::BASE64;
use seatkeeper_ledger::inventory::{ImportedMachine, Software};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, PublicKey, SiteId};
use seatkeeper_protocol::time::WallTime;

/// What the file is.
pub(crate) const KIND: &str = "seatkeeper-inventory";
/// What the signed message begins with, so that no other signature of the key passes for an export's.
const DOMAIN: &[u8] = b"seatkeeper-inventory-v1\n";

/// An export whose signature holds.
pub(crate) struct Export {
    /// The site.
    pub(crate) site: SiteId,
    /// Its name.
    pub(crate) name: Name,
    /// Who signed.
    pub(crate) key: PublicKey,
    /// When.
    pub(crate) issued: WallTime,
    /// By what they are called there.
    pub(crate) machines: Vec<(Name, ImportedMachine)>,
}

/// What is signed of it.
pub(crate) fn message(line: &str) -> Vec<u8> {
    [DOMAIN, line.as_bytes()].concat()
}

/// Whether a file is an export, of whatever release.
pub(crate) fn is_one(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: String,
    }
    let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    serde_json::from_str::<Kind>(line).is_ok_and(|head| head.kind == KIND)
}

/// Reads an export and checks its signature. Whose key that is, is for others to know.
pub(crate) fn read(text: &str) -> Result<Export, String> {
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
