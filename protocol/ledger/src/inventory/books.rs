//! Machines and what is installed on them, as the books keep it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use seatkeeper_protocol::id::{DeviceId, IdError, Name, ProductId, PublicKey, SiteId, Version};
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use super::{
    ADDRESSES_MAX, Catalog, MACHINES_MAX, SOFTWARE_IN_ALL_MAX, SOFTWARE_REPORTED_MAX, Software, Translation,
    USERS_MAX,
};
use crate::org::{Device, Installs, NodeId, Register};

/// Where something is known from that did not come from an agent of this site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// A file that an admin imported.
    File,
    /// Another site's signed export.
    Site(SiteId),
}

/// A machine that software is installed on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MachineId {
    /// One with an agent of this site.
    Device(DeviceId),
    /// Another one, by what it is called there.
    Other(Source, Name),
}

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name; of one with an agent, as it was when it last reported.
    pub host: Name,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Who uses it.
    pub users: Vec<Name>,
    /// When that was said last.
    pub reported: WallTime,
    /// What is installed, by number.
    pub(crate) software: BTreeSet<u32>,
}

/// What is new of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineChange {
    /// Its host name.
    pub host: Name,
    /// Its addresses, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<IpAddr>,
    /// Who uses it, at most [`USERS_MAX`].
    pub users: Vec<Name>,
    /// What is not installed any more.
    pub remove: Vec<Software>,
    /// What is installed too.
    pub add: Vec<Software>,
}

/// Another site whose exports are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherSite {
    /// Its name.
    pub name: Name,
    /// The key that signs its exports.
    pub key: PublicKey,
    /// When the newest one was made.
    pub issued: WallTime,
}

/// Software that at least one machine has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    software: Software,
    machines: u32,
}

/// Everything installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inventory {
    pub(super) catalog: Catalog,
    /// Log index of the newest entry by which machines may have something else to report; 0: nothing is asked of them.
    pub(super) survey: u64,
    software: BTreeMap<u32, Known>,
    next: u32,
    pub(super) machines: BTreeMap<MachineId, Machine>,
    pub(super) sites: BTreeMap<SiteId, OtherSite>,
}

/// What follows from the inventory and the organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Installed {
    numbers: BTreeMap<Software, u32>,
    means: BTreeMap<u32, Translation>,
    places: BTreeMap<MachineId, Option<NodeId>>,
    counts: BTreeMap<ProductId, BTreeMap<(Option<NodeId>, Version), u32>>,
}

/// Why what a machine reports is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    Facts,
    OfMachine,
    Machines,
    InAll,
}

/// As programs name it: a device's id, `file:NAME`, or `site:SITE:NAME`.
impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => device.fmt(f),
            Self::Other(Source::File, name) => write!(f, "file:{name}"),
            Self::Other(Source::Site(site), name) => write!(f, "site:{site}:{name}"),
        }
    }
}

impl FromStr for MachineId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(name) = text.strip_prefix("file:") {
            return Ok(Self::Other(Source::File, Name::new(name)?));
        }
        match text.strip_prefix("site:").and_then(|rest| rest.split_once(':')) {
            Some((site, name)) => Ok(Self::Other(Source::Site(site.parse()?), Name::new(name)?)),
            None => text.parse().map(Self::Device),
        }
    }
}

impl MachineId {
    fn is_other(&self) -> bool {
        matches!(self, Self::Other(..))
    }
}

impl Machine {
    /// How many programs are installed.
    pub fn software_count(&self) -> usize {
        self.software.len()
    }

    /// What rules look at to place it.
    fn place(&self, id: &MachineId, register: Option<&Register>) -> Option<NodeId> {
        let users: Vec<&str> = self.users.iter().map(Name::as_str).collect();
        let device = Device {
            id: match id {
                MachineId::Device(device) => Some(*device),
                MachineId::Other(..) => None,
            },
            host: self.host.as_str(),
            addresses: &self.addresses,
            users: &users,
        };
        register?.placement().node(&device).cloned()
    }
}

impl Inventory {
    /// What a change takes from a machine, and what it adds that is not there.
    fn difference<'a>(
        &self,
        by: &Installed,
        id: &MachineId,
        change: &'a MachineChange,
    ) -> (BTreeSet<&'a Software>, BTreeSet<&'a Software>) {
        let there = self.machines.get(id);
        let has = |software: &&Software| {
            let number = by.numbers.get(*software);
            number.is_some_and(|number| there.is_some_and(|machine| machine.software.contains(number)))
        };
        let mut add: BTreeSet<&Software> = change.add.iter().collect();
        let remove =
            change.remove.iter().filter(|software| !add.contains(software) && has(software)).collect();
        add.retain(|software| !has(software));
        (remove, add)
    }

    /// Whether there is room for changes of different machines.
    pub(super) fn check<'a>(
        &self,
        by: &Installed,
        changes: impl Iterator<Item = (&'a MachineId, &'a MachineChange)>,
    ) -> Result<(), TooMuch> {
        let mut unknown: BTreeSet<&Software> = BTreeSet::new();
        let mut machines = self.machines.keys().filter(|id| id.is_other()).count();
        for (id, change) in changes {
            if change.addresses.len() > ADDRESSES_MAX || change.users.len() > USERS_MAX {
                return Err(TooMuch::Facts);
            }
            let there = self.machines.get(id);
            machines += usize::from(there.is_none() && id.is_other());
            let (remove, add) = self.difference(by, id, change);
            let len = there.map_or(0, |machine| machine.software.len());
            if len + add.len() - remove.len() > SOFTWARE_REPORTED_MAX {
                return Err(TooMuch::OfMachine);
            }
            unknown.extend(add.into_iter().filter(|software| !by.numbers.contains_key(*software)));
        }
        if machines > MACHINES_MAX {
            return Err(TooMuch::Machines);
        }
        if self.software.len() + unknown.len() > SOFTWARE_IN_ALL_MAX {
            return Err(TooMuch::InAll);
        }
        Ok(())
    }

    /// Takes what is new of a machine, for which there is room; one that is not known yet is from now on.
    pub(super) fn change(
        &mut self,
        by: &mut Installed,
        register: Option<&Register>,
        id: &MachineId,
        change: &MachineChange,
        now: WallTime,
    ) {
        let (remove, fresh) = self.difference(by, id, change);
        let mut machine = self.machines.remove(id).unwrap_or_else(|| Machine {
            host: change.host.clone(),
            addresses: Vec::new(),
            users: Vec::new(),
            reported: now,
            software: BTreeSet::new(),
        });
        by.forget(id, &machine);
        for software in remove {
            if let Some(number) = by.numbers.get(software).copied() {
                machine.software.remove(&number);
                self.drop_software(by, number);
            }
        }
        for software in fresh {
            machine.software.insert(self.number(by, software));
        }
        machine.host = change.host.clone();
        machine.addresses.clone_from(&change.addresses);
        machine.users.clone_from(&change.users);
        machine.reported = now;
        by.add(id, &machine, register);
        self.machines.insert(id.clone(), machine);
    }

    pub(crate) fn machine(&self, id: &MachineId) -> Option<&Machine> {
        self.machines.get(id)
    }

    pub(super) fn forget(&mut self, by: &mut Installed, id: &MachineId) {
        let Some(machine) = self.machines.remove(id) else { return };
        by.forget(id, &machine);
        by.places.remove(id);
        machine.software.iter().for_each(|number| self.drop_software(by, *number));
    }

    /// The number of software, of which one machine more has some.
    fn number(&mut self, by: &mut Installed, software: &Software) -> u32 {
        if let Some(number) = by.numbers.get(software).copied() {
            self.software.get_mut(&number).into_iter().for_each(|known| known.machines += 1);
            return number;
        }
        // There are far fewer than numbers.
        while self.software.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.software.insert(number, Known { software: software.clone(), machines: 1 });
        by.know(number, software, &self.catalog);
        number
    }

    fn drop_software(&mut self, by: &mut Installed, number: u32) {
        let Some(known) = self.software.get_mut(&number) else { return };
        known.machines = known.machines.saturating_sub(1);
        if known.machines == 0 {
            by.numbers.remove(&known.software);
            by.means.remove(&number);
            self.software.remove(&number);
        }
    }

    pub(super) fn software_of(&self, machine: &Machine) -> impl Iterator<Item = (u32, &Software)> {
        machine.software.iter().filter_map(|number| Some((*number, &self.software.get(number)?.software)))
    }

    /// What no rule of the catalog makes anything of, and how many machines have it; most of them first.
    pub(super) fn unknown<'a>(&'a self, by: &'a Installed) -> Vec<(&'a Software, u32)> {
        let unknown = by.means.iter().filter(|(_, means)| **means == Translation::Unknown);
        let mut unknown: Vec<(&Software, u32)> = unknown
            .filter_map(|(number, _)| self.software.get(number))
            .map(|known| (&known.software, known.machines))
            .collect();
        unknown.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        unknown
    }
}

impl Installed {
    pub(crate) fn build(inventory: &Inventory, register: Option<&Register>) -> Self {
        let mut installed = Self::default();
        for (number, known) in &inventory.software {
            installed.know(*number, &known.software, &inventory.catalog);
        }
        for (id, machine) in &inventory.machines {
            installed.add(id, machine, register);
        }
        installed
    }

    fn know(&mut self, number: u32, software: &Software, catalog: &Catalog) {
        self.numbers.insert(software.clone(), number);
        self.means.insert(number, catalog.translate(software));
    }

    /// Products of a machine: each version once, however many programs are part of it.
    fn products<'a>(&'a self, machine: &Machine) -> BTreeSet<(&'a ProductId, &'a Version)> {
        let means = machine.software.iter().filter_map(|number| self.means.get(number));
        means
            .filter_map(|means| match means {
                Translation::Install(product, version) => Some((product, version)),
                Translation::Ignored | Translation::Unknown => None,
            })
            .collect()
    }

    fn add(&mut self, id: &MachineId, machine: &Machine, register: Option<&Register>) {
        let place = machine.place(id, register);
        let products: Vec<_> =
            self.products(machine).into_iter().map(|(p, v)| (p.clone(), v.clone())).collect();
        for (product, version) in products {
            *self.counts.entry(product).or_default().entry((place.clone(), version)).or_default() += 1;
        }
        self.places.insert(id.clone(), place);
    }

    fn forget(&mut self, id: &MachineId, machine: &Machine) {
        let Some(place) = self.places.get(id) else { return };
        let products: Vec<_> =
            self.products(machine).into_iter().map(|(p, v)| (p.clone(), v.clone())).collect();
        for (product, version) in products {
            let Some(counts) = self.counts.get_mut(&product) else { continue };
            let at = (place.clone(), version);
            if let Some(count) = counts.get_mut(&at) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&at);
                }
            }
            if counts.is_empty() {
                self.counts.remove(&product);
            }
        }
    }

    pub(super) fn meaning(&self, number: u32) -> Option<&Translation> {
        self.means.get(&number)
    }

    /// The node that the rules place a machine into; `None`: none fits, or there is no organisation.
    pub(super) fn place(&self, id: &MachineId) -> Option<&NodeId> {
        self.places.get(id)?.as_ref()
    }

    pub(super) fn products_of<'a>(&'a self, machine: &Machine) -> Vec<(&'a ProductId, &'a Version)> {
        self.products(machine).into_iter().collect()
    }

    /// The products that are installed somewhere, and on how many machines, each version for itself.
    pub(super) fn totals(&self) -> impl Iterator<Item = (&ProductId, u64)> {
        self.counts.iter().map(|(product, counts)| (product, counts.values().copied().map(u64::from).sum()))
    }

    /// What is installed of a product. What is more than there may be is left out, the newest versions last.
    pub(super) fn add_installs(&self, installs: &mut Installs, product: &ProductId, register: &Register) {
        let root = &register.organisation().root().id;
        for ((node, version), count) in self.counts.get(product).into_iter().flatten() {
            let _ = installs.add(product, node.as_ref().unwrap_or(root), version, *count);
        }
    }
}
