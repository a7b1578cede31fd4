//! The commands that tell what is installed, and what is read of it.

use std::collections::BTreeSet;

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SiteId, Version};
use seatkeeper_protocol::limits;

use super::books::{Installed, Machine, MachineChange, MachineId, OtherSite, Source, TooMuch};
use super::{
    Catalog, CatalogRule, MACHINES_MAX, RULES_MAX, SITES_MAX, SOFTWARE_IN_ALL_MAX, SOFTWARE_REPORTED_MAX,
    Software, Translation, USERS_MAX, VERSION_PARTS_MAX,
};
use crate::command::{Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::org::{Installs, NodeId, Register};
use crate::organisation::{Organised, count};
use crate::records::Happening;

impl TooMuch {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Facts => limit("users, or addresses, of one machine", USERS_MAX),
            Self::OfMachine => limit("programs on one machine", SOFTWARE_REPORTED_MAX),
            Self::Machines => limit("machines without an agent", MACHINES_MAX),
            Self::InAll => limit("different programs in one site", SOFTWARE_IN_ALL_MAX),
        }
    }
}

/// Host names are alike in upper and lower case; Windows and other inventories write them otherwise.
fn is_same_host(one: &Name, other: &Name) -> bool {
    one.as_str().to_lowercase() == other.as_str().to_lowercase()
}

impl Ledger {
    /// A device says where it is and what is installed on it.
    pub(crate) fn report(&mut self, moment: Moment, device: DeviceId, change: &MachineChange) -> Answer {
        self.change_machines(moment, &[(MachineId::Device(device), change)])?;
        // It was known from a file until it got an agent.
        let machines = self.state.inventory.machines.keys();
        let twins = machines.filter(
            |id| matches!(id, MachineId::Other(Source::File, name) if is_same_host(name, &change.host)),
        );
        let twins: Vec<MachineId> = twins.cloned().collect();
        twins.iter().for_each(|twin| self.forget_machine(twin));
        self.place_device(device);
        Ok(Outcome::Done)
    }

    /// All of the changes, or none.
    fn change_machines(
        &mut self,
        moment: Moment,
        changes: &[(MachineId, &MachineChange)],
    ) -> Result<(), Refusal> {
        let (inventory, by) = (&mut self.state.inventory, &mut self.by.installed);
        let named = changes.iter().map(|(id, change)| (id, *change));
        inventory.check(by, named).map_err(|why| why.refusal())?;
        for (id, change) in changes {
            inventory.change(by, self.state.register.as_ref(), id, change, moment.time);
        }
        self.figures_may_differ(moment);
        Ok(())
    }

    pub(crate) fn forget_machine(&mut self, id: &MachineId) {
        self.state.inventory.forget(&mut self.by.installed, id);
    }

    /// Puts rules into the place of those of the catalog from this one on.
    pub(crate) fn set_catalog(
        &mut self,
        moment: Moment,
        by: &Name,
        from: u32,
        rules: &[CatalogRule],
    ) -> Answer {
        let kept = &self.state.inventory.catalog.0;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let kept = kept.get(..from).ok_or_else(|| {
            Refusal::Invalid(format!(
                "the catalog has {} entries; add others behind the last of them",
                kept.len()
            ))
        })?;
        if kept.len() + rules.len() > RULES_MAX {
            return Err(limit("entries in a catalog", RULES_MAX));
        }
        if let Some(rule) = rules.iter().find(|rule| !rule.takes_parts()) {
            return Err(Refusal::Invalid(format!(
                "the entry for `{}` takes no number of parts that a version may have; write 1 to {VERSION_PARTS_MAX}",
                rule.name
            )));
        }
        let all = [kept, rules].concat();
        let entries = count(all.len());
        self.state.inventory.catalog = Catalog(all);
        self.surveyed_anew(moment);
        let (what, by) = (Organised::Catalog { entries }, by.clone());
        self.record(moment, Happening::Organised { what, by });
        Ok(Outcome::Done)
    }

    /// What machines are asked, or where they belong, has changed.
    pub(crate) fn surveyed_anew(&mut self, moment: Moment) {
        let asks = self.state.register.is_some() || !self.state.inventory.catalog.0.is_empty();
        self.state.inventory.survey = if asks { moment.index } else { 0 };
        self.by.installed = Installed::build(&self.state.inventory, self.state.register.as_ref());
    }

    /// Takes machines without an agent, or another site's. Those that report themselves are left out.
    pub(crate) fn import_machines(
        &mut self,
        moment: Moment,
        by: &Name,
        source: Source,
        machines: &[(Name, MachineChange)],
    ) -> Answer {
        if let Source::Site(site) = &source
            && !self.state.inventory.sites.contains_key(site)
        {
            return Err(Refusal::NotFound(format!("site {site}")));
        }
        let taken = machines
            .iter()
            .filter(|(_, change)| source != Source::File || !self.reports_itself(&change.host));
        let changes: Vec<_> =
            taken.map(|(name, change)| (MachineId::Other(source, name.clone()), change)).collect();
        let names: BTreeSet<&MachineId> = changes.iter().map(|(id, _)| id).collect();
        if names.len() < changes.len() {
            return Err(Refusal::Invalid("a machine is named twice; name each once".into()));
        }
        self.change_machines(moment, &changes)?;
        let what = Organised::Machines { machines: count(changes.len()), site: self.site_name(&source) };
        self.record(moment, Happening::Organised { what, by: by.clone() });
        Ok(Outcome::Done)
    }

    fn reports_itself(&self, host: &Name) -> bool {
        let machines = self.state.inventory.machines.iter();
        machines
            .take_while(|(id, _)| matches!(id, MachineId::Device(_)))
            .any(|(_, machine)| is_same_host(&machine.host, host))
    }

    fn site_name(&self, source: &Source) -> Option<Name> {
        match source {
            Source::File => None,
            Source::Site(site) => self.state.inventory.sites.get(site).map(|site| site.name.clone()),
        }
    }

    /// Forgets machines of a source; `None`: all, and the site whose they are.
    pub(crate) fn remove_machines(
        &mut self,
        moment: Moment,
        by: &Name,
        source: Source,
        machines: Option<&[Name]>,
    ) -> Answer {
        let of_source = |id: &&MachineId| matches!(id, MachineId::Other(other, _) if *other == source);
        let known = self.state.inventory.machines.keys().filter(of_source);
        let gone: Vec<MachineId> = match machines {
            None => known.cloned().collect(),
            Some(names) => {
                let id = |name: &Name| MachineId::Other(source, name.clone());
                names.iter().map(id).filter(|id| self.state.inventory.machines.contains_key(id)).collect()
            }
        };
        let site = self.site_name(&source);
        let whole = match (machines, &source) {
            (None, Source::Site(id)) => self.state.inventory.sites.remove(id).is_some(),
            _ => false,
        };
        if gone.is_empty() && !whole {
            return Err(Refusal::NotFound("such a machine or site in the inventory".into()));
        }
        gone.iter().for_each(|id| self.forget_machine(id));
        let what = Organised::MachinesRemoved { machines: count(gone.len()), site };
        self.record(moment, Happening::Organised { what, by: by.clone() });
        Ok(Outcome::Done)
    }

    /// Begins to take another site's export: from now on that is its newest one.
    pub(crate) fn take_export(
        &mut self,
        moment: Moment,
        by: &Name,
        site: SiteId,
        export: &OtherSite,
    ) -> Answer {
        if self.state.site.as_ref().is_some_and(|own| own.id == site) {
            return Err(Refusal::Invalid(
                "the export is this site's own; its machines are counted already".into(),
            ));
        }
        let sites = &self.state.inventory.sites;
        match sites.get(&site) {
            Some(known) if known.key != export.key => {
                return Err(Refusal::Conflict(format!(
                    "exports of {} were signed by another key so far; if it has a new one, first forget the site \
                     (`seatkeeper inventory forget`)",
                    known.name
                )));
            }
            Some(known) if known.issued > export.issued => {
                return Err(Refusal::Conflict(format!(
                    "a newer export of {} was taken already; ask that site for its newest",
                    known.name
                )));
            }
            None if sites.len() >= SITES_MAX => return Err(limit("other sites", SITES_MAX)),
            _ => {}
        }
        let fresh = self.state.inventory.sites.insert(site, export.clone()).is_none();
        if fresh {
            let what = Organised::SiteTrusted { site: export.name.clone() };
            self.record(moment, Happening::Organised { what, by: by.clone() });
        }
        Ok(Outcome::Done)
    }

    /// The number of the newest change by which machines may have something else to report; `None`: nothing is asked of
    /// them.
    pub fn survey(&self) -> Option<u64> {
        Some(self.state.inventory.survey).filter(|survey| *survey > 0)
    }

    /// The catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.state.inventory.catalog
    }

    /// Machines and where they belong, those with an agent first; after this one.
    pub fn machines<'a>(
        &'a self,
        after: Option<&MachineId>,
    ) -> impl Iterator<Item = (&'a MachineId, &'a Machine, Option<&'a NodeId>)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let machines = self.state.inventory.machines.range((from, Unbounded));
        machines.map(|(id, machine)| (id, machine, self.by.installed.place(id)))
    }

    /// One machine.
    pub fn machine(&self, id: &MachineId) -> Option<&Machine> {
        self.state.inventory.machines.get(id)
    }

    /// What is installed on a machine, and what the catalog makes of it.
    pub fn software_of<'a>(
        &'a self,
        machine: &'a Machine,
    ) -> impl Iterator<Item = (&'a Software, &'a Translation)> {
        let meaning = |number| self.by.installed.meaning(number).unwrap_or(&Translation::Unknown);
        self.state.inventory.software_of(machine).map(move |(number, software)| (software, meaning(number)))
    }

    /// The products that are installed on a machine.
    pub fn products_of(&self, machine: &Machine) -> Vec<(&ProductId, &Version)> {
        self.by.installed.products_of(machine)
    }

    /// Software of which the catalog says nothing, and how many machines have it; most of them first.
    pub fn unknown_software(&self) -> Vec<(&Software, u32)> {
        self.state.inventory.unknown(&self.by.installed)
    }

    /// Products that are installed, and how many installs there are of each.
    pub fn installed_products(&self) -> impl Iterator<Item = (&ProductId, u64)> {
        self.by.installed.totals()
    }

    /// Adds what is installed of a product, by the nodes of this register.
    pub fn add_installs(&self, installs: &mut Installs, product: &ProductId, register: &Register) {
        self.by.installed.add_installs(installs, product, register);
    }

    /// What is installed of a product, by the nodes of this register.
    pub fn installs(&self, product: &ProductId, register: &Register) -> Installs {
        let mut installs = Installs::new();
        self.add_installs(&mut installs, product, register);
        installs
    }

    /// The node that the rules place a machine into; `None`: none fits, or there is no organisation.
    pub fn place_of(&self, id: &MachineId) -> Option<&NodeId> {
        self.by.installed.place(id)
    }

    /// Another site whose exports are taken.
    pub fn other_site(&self, site: &SiteId) -> Option<&OtherSite> {
        self.state.inventory.sites.get(site)
    }

    /// The other sites.
    pub fn other_sites(&self) -> impl Iterator<Item = (&SiteId, &OtherSite)> {
        self.state.inventory.sites.iter()
    }
}

const _: () = assert!(MACHINES_MAX >= limits::DEVICES_MAX);
