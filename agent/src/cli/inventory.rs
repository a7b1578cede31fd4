//! `seatkeeper inventory`: what is installed where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::inventory::{Catalog, MachineId, Software, Source};
use seatkeeper_ledger::org::IMPORT_BYTES_MAX;
use seatkeeper_protocol::id::{Name, PublicKey, SiteId};

use super::args::SignArgs;
use super::fail::Fail;
use super::org::of_file;
use super::sign::SiteSigner;
use super::{files, print};
use crate::plan::machines::Imported;
use crate::plan::{PlanError, long};

mod export;

/// `inventory`.
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Show the machines and which products are installed on them, or one machine with all its programs
    Show {
        /// The machine's id or host name
        machine: Option<String>,
        /// Show the programs of which the catalog says nothing
        #[arg(long, conflicts_with = "machine")]
        unknown: bool,
    },
    /// Take what is installed on machines without an agent, or at another site, from files: CSV with the columns host and
    /// name (and publisher, version, user, address), the JSON of GLPI-Agent, or an export of another site
    Import {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Take exports signed by this key, as `inventory export` there prints it
        #[arg(long, value_name = "KEY")]
        trust: Option<PublicKey>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Show the catalog, which says which programs are which product and version, or replace it
    Catalog {
        /// Take this catalog instead; what is printed without it is such a file
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Write this site's products and where they are installed into a signed file, for another site to import
    Export {
        /// The file
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Forget a machine that came from a file, or another site with all its machines
    Forget {
        /// The machine's id or host name, or the site's id or name
        what: String,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

pub(super) async fn inventory(client: &Client, command: InventoryCommand, json: bool) -> Result<(), Fail> {
    match command {
        InventoryCommand::Show { unknown: true, .. } => unknown(client, json).await,
        InventoryCommand::Show { machine: None, .. } => show(client, json).await,
        InventoryCommand::Show { machine: Some(machine), .. } => show_one(client, &machine, json).await,
        InventoryCommand::Import { files, trust, sign } => import(client, &files, trust, &sign).await,
        InventoryCommand::Catalog { import: None, .. } => {
            let catalog = client.catalog().await?;
            if json {
                return print::json(&catalog);
            }
            print::line(Catalog::from_json(&catalog).to_toml().trim_end());
            Ok(())
        }
        InventoryCommand::Catalog { import: Some(file), sign } => set_catalog(client, &file, &sign).await,
        InventoryCommand::Export { to, sign } => export::export(client, &to, &sign).await,
        InventoryCommand::Forget { what, sign } => forget(client, &what, &sign).await,
    }
}

/// All machines, page after page.
async fn all(client: &Client) -> Result<api::Inventory, Fail> {
    let mut all = client.inventory(None).await?;
    while let Some(after) = all.next.take() {
        let mut page = client.inventory(Some(&after)).await?;
        all.machines.append(&mut page.machines);
        all.next = page.next;
    }
    Ok(all)
}

fn products(machine: &api::Machine) -> String {
    let products: Vec<String> =
        machine.products.iter().map(|of| format!("{}@{}", of.product, of.version)).collect();
    if products.is_empty() { "-".to_owned() } else { products.join(" ") }
}

async fn show(client: &Client, json: bool) -> Result<(), Fail> {
    let all = all(client).await?;
    if json {
        return print::json(&all);
    }
    let sites: BTreeMap<&str, &str> =
        all.sites.iter().map(|site| (site.id.as_str(), site.name.as_str())).collect();
    let row = |machine: &api::Machine| {
        let site = machine.id.split(':').nth(1).and_then(|site| sites.get(site));
        vec![
            machine.host.clone(),
            match machine.source.as_str() {
                "site" => format!("site {}", site.unwrap_or(&"?")),
                source => source.to_owned(),
            },
            machine.node.clone().unwrap_or_else(|| "-".to_owned()),
            if machine.users.is_empty() { "-".to_owned() } else { machine.users.join(" ") },
            machine.programs.to_string(),
            products(machine),
            print::when(machine.reported.as_deref()),
        ]
    };
    let rows: Vec<_> = all.machines.iter().map(row).collect();
    let none = match all.catalog {
        0 => {
            "There is no catalog yet: import one (`seatkeeper inventory catalog --import FILE`), and the machines tell \
              what is installed on them."
        }
        _ => "No machine has told yet what is installed on it.",
    };
    print::table(&["machine", "from", "node", "users", "programs", "products", "reported"], &rows, none);
    Ok(())
}

/// The id of a machine that is named by its id or host name.
async fn find(client: &Client, named: &str) -> Result<String, Fail> {
    if named.parse::<MachineId>().is_ok() {
        return Ok(named.to_owned());
    }
    let all = all(client).await?.machines;
    let mut found = all.into_iter().filter(|machine| machine.host.eq_ignore_ascii_case(named));
    match (found.next(), found.next()) {
        (Some(machine), None) => Ok(machine.id),
        (None, _) => {
            Err(Fail::input(format!("no machine {named} is known; `seatkeeper inventory show` lists all")))
        }
        (Some(one), Some(other)) => Err(Fail::input(format!(
            "several machines are called {named}; name one by its id, such as {} or {}",
            one.id, other.id
        ))),
    }
}

async fn show_one(client: &Client, named: &str, json: bool) -> Result<(), Fail> {
    let detail = client.machine(&find(client, named).await?).await?;
    if json {
        return print::json(&detail);
    }
    let machine = &detail.machine;
    print::line(format!("{} ({})", machine.host, machine.id));
    let told = |what: &str, of: String| {
        if !of.is_empty() {
            print::line(format!("  {what}: {of}"));
        }
    };
    told("node", machine.node.clone().unwrap_or_default());
    told("users", machine.users.join(", "));
    told("addresses", machine.addresses.join(", "));
    told("reported", print::when(machine.reported.as_deref()));
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |of: &api::Program| {
        let product = of.product.as_ref().map(|of| format!("{}@{}", of.product, of.version));
        vec![of.name.clone(), dash(&of.version), dash(&of.publisher), dash(&product)]
    };
    let mut programs = detail.programs.clone();
    programs.sort_by_key(|of| (of.product.is_none(), of.name.to_lowercase()));
    let rows: Vec<_> = programs.iter().map(row).collect();
    print::line("");
    print::table(&["program", "version", "publisher", "product"], &rows, "No programs are known on it.");
    Ok(())
}

async fn unknown(client: &Client, json: bool) -> Result<(), Fail> {
    let unknown = client.unknown_programs().await?;
    if json {
        return print::json(&unknown);
    }
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |of: &api::UnknownProgram| {
        vec![of.machines.to_string(), of.name.clone(), dash(&of.version), dash(&of.publisher)]
    };
    let rows: Vec<_> = unknown.programs.iter().map(row).collect();
    let none = "There is none: the catalog says of every program what it is.";
    print::table(&["machines", "program", "version", "publisher"], &rows, none);
    let named = u64::try_from(unknown.programs.len()).unwrap_or(u64::MAX);
    if unknown.count > named {
        print::line(format!("And {} more.", unknown.count - named));
    }
    Ok(())
}

async fn set_catalog(client: &Client, file: &Path, sign: &SignArgs) -> Result<(), Fail> {
    let text = files::read_text(file, IMPORT_BYTES_MAX)?;
    let Catalog(rules) = Catalog::from_toml(&text).map_err(|error| of_file(file, &error))?;
    let count = rules.len();
    let mut signer = SiteSigner::open(client, sign).await?;
    signer.send_all("sending the catalog", long::catalog(rules)?).await?;
    print::line(format!(
        "The catalog has {count} entries. The machines look what is installed on them by it."
    ));
    Ok(())
}

async fn import(
    client: &Client,
    files: &[PathBuf],
    trust: Option<PublicKey>,
    sign: &SignArgs,
) -> Result<(), Fail> {
    // All is read before anything is sent.
    let mut read_files = Vec::new();
    for file in files {
        let imported = Imported::read(&files::read_text(file, IMPORT_BYTES_MAX)?);
        read_files.push((file, imported.map_err(|error| of_file(file, &error))?));
    }
    let catalog = Catalog::from_json(&client.catalog().await?);
    let there = all(client).await?;
    let mut signer = SiteSigner::open(client, sign).await?;
    for (file, imported) in read_files {
        let import = imported.plan(&catalog, &there, trust).map_err(|error| match error {
            PlanError::UnknownKey { key, .. } => of_file(file, &format!("{error} with --trust {key}")),
            error => of_file(file, &error),
        })?;
        let mut known = BTreeMap::new();
        for id in import.known(&there) {
            let programs = client.machine(&id).await?.programs;
            known.insert(id, programs.iter().filter_map(Software::from_json).collect());
        }
        let from = match &import.site {
            Some(site) => format!("of the site {site} imported"),
            None => format!("imported from {}", file.display()),
        };
        let told = format!("{} {from}.", print::count(import.count(), "machine is", "machines are"));
        let left_out = import.left_out.clone();
        signer.send_all("sending the machines", import.commands(known)?).await?;
        print::line(told);
        if !left_out.is_empty() {
            let hosts: Vec<&str> = left_out.iter().map(Name::as_str).collect();
            print::line(format!("Left out, since their agents tell themselves: {}.", hosts.join(", ")));
        }
    }
    Ok(())
}

async fn forget(client: &Client, what: &str, sign: &SignArgs) -> Result<(), Fail> {
    let sites = client.inventory(None).await?.sites;
    let site = sites.iter().find(|site| site.id == what || site.name == what);
    let (source, machines, told) = match site {
        Some(site) => {
            let id: SiteId =
                site.id.parse().map_err(|_| Fail::other("the agent's answer is not understood"))?;
            (Source::Site(id), None, format!("The site {} and its machines are forgotten.", site.name))
        }
        None => match find(client, what).await?.parse() {
            Ok(MachineId::Other(source, name)) => {
                (source, Some(vec![name]), format!("The machine {what} is forgotten."))
            }
            _ => {
                return Err(Fail::input(format!(
                    "{what} tells by its agent what is installed on it; it goes with the device (`seatkeeper device`)"
                )));
            }
        },
    };
    SiteSigner::open(client, sign).await?.send(&Command::RemoveMachines { source, machines }).await?;
    print::line(told);
    Ok(())
}
