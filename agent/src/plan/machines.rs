//! What files tell of machines without an agent, as commands.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::inventory::{
    Catalog, ImportedMachine, MachineChange, MachineId, OtherSite, Software, Source,
};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, PublicKey};

use super::PlanError;
use super::export::{self, Export};
use super::long::parts;

/// Software in one command about a machine.
const PART: usize = 200;

/// What a file tells.
pub(crate) enum Imported {
    /// Machines.
    Machines(Vec<ImportedMachine>),
    /// Those of another site.
    Site(Export),
}

impl Imported {
    /// Reads CSV, what GLPI-Agent writes, or an export of another site.
    pub(crate) fn read(text: &str) -> Result<Self, PlanError> {
        if export::is_one(text) {
            return export::read(text).map(Self::Site).map_err(PlanError::BadInput);
        }
        let machines = match text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
            true => ImportedMachine::from_glpi(text.as_bytes()).map(|machine| vec![machine]),
            false => ImportedMachine::from_csv(text.as_bytes()),
        };
        machines.map(Self::Machines).map_err(|error| PlanError::BadInput(error.to_string()))
    }

    /// What it changes of what is known.
    pub(crate) fn plan(
        self,
        catalog: &Catalog,
        there: &api::Inventory,
        trust: Option<PublicKey>,
    ) -> Result<Import, PlanError> {
        match self {
            Self::Machines(machines) => of_file(machines, catalog, there),
            Self::Site(export) => of_site(export, there, trust),
        }
    }
}

/// An import that is to be made.
pub(crate) struct Import {
    source: Source,
    machines: Vec<(Name, ImportedMachine)>,
    /// What comes before the machines.
    first: Vec<Command>,
    /// Machines that are left out, since their agents tell themselves.
    pub(crate) left_out: Vec<Name>,
    /// The site that they are of.
    pub(crate) site: Option<Name>,
}

fn of_file(
    machines: Vec<ImportedMachine>,
    catalog: &Catalog,
    there: &api::Inventory,
) -> Result<Import, PlanError> {
    let agents = there.machines.iter().filter(|machine| machine.source == "agent");
    let agents: BTreeSet<String> = agents.map(|machine| machine.host.to_lowercase()).collect();
    let (own, others): (Vec<_>, Vec<_>) =
        machines.into_iter().partition(|machine| agents.contains(&machine.host.as_str().to_lowercase()));
    let mut machines = Vec::new();
    for machine in others {
        let machine =
            machine.without_ignored(catalog).map_err(|error| PlanError::BadInput(error.to_string()))?;
        machines.push((machine.host.clone(), machine));
    }
    let left_out = own.into_iter().map(|machine| machine.host).collect();
    Ok(Import { source: Source::File, machines, first: Vec::new(), left_out, site: None })
}

fn of_site(export: Export, there: &api::Inventory, trust: Option<PublicKey>) -> Result<Import, PlanError> {
    let Export { site, key, name, issued, machines } = export;
    let known = there.sites.iter().any(|known| known.id == site.to_string() && known.key == key.to_string());
    if !known && trust != Some(key) {
        return Err(PlanError::UnknownKey { site: name, key });
    }
    let source = Source::Site(site);
    let of_site = OtherSite { name: name.clone(), key, issued };
    let mut first = vec![Command::TakeExport { site, export: of_site }];
    let named: BTreeSet<String> =
        machines.iter().map(|(id, _)| MachineId::Other(source, id.clone()).to_string()).collect();
    let prefix = format!("site:{site}:");
    let gone =
        there.machines.iter().filter(|known| known.id.starts_with(&prefix) && !named.contains(&known.id));
    let gone: Vec<Name> = gone.filter_map(|known| Name::new(known.id.strip_prefix(&prefix)?).ok()).collect();
    let gone = parts(gone)?.into_iter().filter(|machines| !machines.is_empty());
    first.extend(gone.map(|machines| Command::RemoveMachines { source, machines: Some(machines) }));
    Ok(Import { source, machines, first, left_out: Vec::new(), site: Some(name) })
}

impl Import {
    /// How many machines it tells of.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.machines.len()).unwrap_or(u32::MAX)
    }

    /// Its machines that are known already, whose programs have to be looked up.
    pub(crate) fn known(&self, there: &api::Inventory) -> Vec<String> {
        let there: BTreeSet<&str> = there.machines.iter().map(|machine| machine.id.as_str()).collect();
        let ids =
            self.machines.iter().map(|(name, _)| MachineId::Other(self.source, name.clone()).to_string());
        ids.filter(|id| there.contains(id.as_str())).collect()
    }

    /// The commands that make it so, when `known` is on the machines that are known. A machine with much software takes
    /// several, and no command names a machine twice.
    pub(crate) fn commands(
        self,
        mut known: BTreeMap<String, BTreeSet<Software>>,
    ) -> Result<Vec<Command>, PlanError> {
        let Self { source, machines, first: mut commands, .. } = self;
        let mut rounds: Vec<Vec<(Name, MachineChange)>> = Vec::new();
        for (name, machine) in machines {
            let id = MachineId::Other(source, name.clone()).to_string();
            let changes = changes(machine, &known.remove(&id).unwrap_or_default());
            for (round, change) in changes.into_iter().enumerate() {
                if rounds.len() <= round {
                    rounds.push(Vec::new());
                }
                if let Some(round) = rounds.get_mut(round) {
                    round.push((name.clone(), change));
                }
            }
        }
        for round in rounds {
            let parts = parts(round)?.into_iter();
            commands.extend(parts.map(|machines| Command::ImportMachines { source, machines }));
        }
        Ok(commands)
    }
}

/// What differs from what is known.
fn changes(machine: ImportedMachine, known: &BTreeSet<Software>) -> Vec<MachineChange> {
    let ImportedMachine { host, addresses, users, software } = machine;
    let wanted: BTreeSet<Software> = software.into_iter().collect();
    let remove: Vec<Software> = known.difference(&wanted).cloned().collect();
    let add: Vec<Software> = wanted.difference(known).cloned().collect();
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
    changes
}
