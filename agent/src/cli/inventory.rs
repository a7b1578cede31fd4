//! `seatkeeper inventory`: what is installed where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::inventory::{
    Catalog, ImportedMachine, MachineChange, MachineId, OtherSite, Software, Source,
};
use seatkeeper_ledger::org::IMPORT_BYTES_MAX;
use seatkeeper_protocol::id::{Name, PublicKey, SiteId};

use super::args::SignArgs;
use super::fail::Fail;
use super::org::{of_file, parts};
use super::sign::SiteSigner;
use super::{files, print, print::progress::Progress};

mod export;

/// Software in one command about a machine.
const PART: usize = 200;

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
    let (count, mut from) = (rules.len(), 0);
    let mut signer = SiteSigner::open(client, sign).await?;
    let mut progress = Progress::new("sending the catalog", Some(count));
    for rules in parts(rules)? {
        let length = rules.len();
        let next = from + u32::try_from(length).unwrap_or(u32::MAX);
        signer.send(&Command::SetCatalog { from, rules }).await?;
        progress.add(length);
        from = next;
    }
    print::line(format!(
        "The catalog has {count} entries. The machines look what is installed on them by it."
    ));
    Ok(())
}

/// What a file tells.
enum Imported {
    Machines(Vec<ImportedMachine>),
    Site(export::Export),
}

fn read(file: &Path, text: &str) -> Result<Imported, Fail> {
    if export::is_one(text) {
        return export::read(text).map(Imported::Site).map_err(|why| of_file(file, &why));
    }
    let machines = match text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        true => ImportedMachine::from_glpi(text.as_bytes()).map(|machine| vec![machine]),
        false => ImportedMachine::from_csv(text.as_bytes()),
    };
    machines.map(Imported::Machines).map_err(|error| of_file(file, &error))
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
        read_files.push((file, read(file, &files::read_text(file, IMPORT_BYTES_MAX)?)?));
    }
    let catalog = Catalog::from_json(&client.catalog().await?);
    let there = all(client).await?;
    let mut signer = SiteSigner::open(client, sign).await?;
    for (file, imported) in read_files {
        match imported {
            Imported::Machines(machines) => {
                let agents: BTreeSet<String> = there
                    .machines
                    .iter()
                    .filter(|machine| machine.source == "agent")
                    .map(|machine| machine.host.to_lowercase())
                    .collect();
                let (own, others): (Vec<_>, Vec<_>) = machines
                    .into_iter()
                    .partition(|machine| agents.contains(&machine.host.as_str().to_lowercase()));
                let count = u32::try_from(others.len()).unwrap_or(u32::MAX);
                let mut machines = Vec::new();
                for machine in others {
                    let machine = machine.without_ignored(&catalog).map_err(|error| of_file(file, &error))?;
                    let name = machine.host.clone();
                    machines.push((name, machine));
                }
                send(client, &mut signer, &there, Source::File, machines).await?;
                let told = print::count(count, "machine is", "machines are");
                print::line(format!("{told} imported from {}.", file.display()));
                if !own.is_empty() {
                    let hosts: Vec<&str> = own.iter().map(|machine| machine.host.as_str()).collect();
                    print::line(format!(
                        "Left out, since their agents tell themselves: {}.",
                        hosts.join(", ")
                    ));
                }
            }
            Imported::Site(export) => {
                take_export(client, &mut signer, file, export, trust, &there).await?;
            }
        }
    }
    Ok(())
}

async fn take_export(
    client: &Client,
    signer: &mut SiteSigner,
    file: &Path,
    export: export::Export,
    trust: Option<PublicKey>,
    there: &api::Inventory,
) -> Result<(), Fail> {
    let export::Export { site, key, name, issued, machines } = export;
    let known = there.sites.iter().any(|known| known.id == site.to_string() && known.key == key.to_string());
    if !known && trust != Some(key) {
        return Err(of_file(
            file,
            &format!(
                "it is of the site {name} and signed by a key that is not known here; compare {key} with what \
                 `seatkeeper inventory export` printed there, and import it with --trust {key}"
            ),
        ));
    }
    let of_site = OtherSite { name: name.clone(), key, issued };
    signer.send(&Command::TakeExport { site, export: of_site }).await?;
    let source = Source::Site(site);
    let named: BTreeSet<String> =
        machines.iter().map(|(id, _)| MachineId::Other(source, id.clone()).to_string()).collect();
    let prefix = format!("site:{site}:");
    let gone =
        there.machines.iter().filter(|known| known.id.starts_with(&prefix) && !named.contains(&known.id));
    let gone: Vec<Name> = gone.filter_map(|known| Name::new(known.id.strip_prefix(&prefix)?).ok()).collect();
    for machines in parts(gone)? {
        if !machines.is_empty() {
            signer.send(&Command::RemoveMachines { source, machines: Some(machines) }).await?;
        }
    }
    let count = u32::try_from(machines.len()).unwrap_or(u32::MAX);
    send(client, signer, there, source, machines).await?;
    print::line(format!(
        "{} of the site {name} imported.",
        print::count(count, "machine is", "machines are")
    ));
    Ok(())
}

/// Sends what differs from what is known. A machine with much software takes several commands, and no command names a
/// machine twice.
async fn send(
    client: &Client,
    signer: &mut SiteSigner,
    there: &api::Inventory,
    source: Source,
    machines: Vec<(Name, ImportedMachine)>,
) -> Result<(), Fail> {
    let there: BTreeSet<&str> = there.machines.iter().map(|machine| machine.id.as_str()).collect();
    let mut rounds: Vec<Vec<(Name, MachineChange)>> = Vec::new();
    for (name, machine) in machines {
        let id = MachineId::Other(source, name.clone()).to_string();
        let known = match there.contains(id.as_str()) {
            true => client.machine(&id).await?.programs.iter().filter_map(Software::from_json).collect(),
            false => BTreeSet::new(),
        };
        let ImportedMachine { host, addresses, users, software } = machine;
        let wanted: BTreeSet<Software> = software.into_iter().collect();
        let remove: Vec<Software> = known.difference(&wanted).cloned().collect();
        let add: Vec<Software> = wanted.difference(&known).cloned().collect();
        let change = |remove: &[Software], add: &[Software]| MachineChange {
            host: host.clone(),
            addresses: addresses.clone(),
            users: users.clone(),
            remove: remove.to_vec(),
            add: add.to_vec(),
        };
        // What goes makes room for what comes.
        let mut changes: Vec<MachineChange> = remove.chunks(PART).map(|remove| change(remove, &[])).collect();
        changes.extend(add.chunks(PART).map(|add| change(&[], add)));
        if changes.is_empty() {
            changes.push(change(&[], &[]));
        }
        for (round, change) in changes.into_iter().enumerate() {
            if rounds.len() <= round {
                rounds.push(Vec::new());
            }
            if let Some(round) = rounds.get_mut(round) {
                round.push((name.clone(), change));
            }
        }
    }
    let mut progress = Progress::new("sending the machines", Some(rounds.iter().map(Vec::len).sum()));
    for round in rounds {
        for machines in parts(round)? {
            let length = machines.len();
            signer.send(&Command::ImportMachines { source, machines }).await?;
            progress.add(length);
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
