//! What is installed, for people and programs.

use seatkeeper_ledger::Ledger;
use seatkeeper_ledger::command::Refusal;
use seatkeeper_ledger::inventory::{self, MachineId, Software, Source, Translation};
use seatkeeper_ledger::org::NodeId;
use seatkeeper_protocol::api::{self, FORMAT};

use super::duty::Duty;

/// Machines of one page.
const PAGE: usize = 1_000;
/// Unknown programs that are named.
const UNKNOWN: usize = 2_000;

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn read_id(text: &str) -> Result<MachineId, Refusal> {
    text.parse().map_err(|error: seatkeeper_protocol::id::IdError| Refusal::Invalid(error.to_string()))
}

/// A page of machines.
pub(super) fn inventory(duty: &Duty, after: Option<&str>) -> Result<api::Inventory, Refusal> {
    let after = after.map(read_id).transpose()?;
    let ledger = duty.log.books.read();
    let mut machines = ledger.machines(after.as_ref());
    let page: Vec<_> =
        machines.by_ref().take(PAGE).map(|(id, it, node)| machine(&ledger, id, it, node)).collect();
    let next = machines.next().and_then(|_| page.last()).map(|last| last.id.clone());
    Ok(api::Inventory {
        format: FORMAT,
        catalog: count(ledger.catalog().0.len()),
        machines: page,
        next,
        sites: ledger
            .other_sites()
            .map(|(id, site)| api::OtherSite {
                id: id.to_string(),
                name: site.name.to_string(),
                key: site.key.to_string(),
                issued: site.issued.rfc3339(),
            })
            .collect(),
    })
}

fn machine(ledger: &Ledger, id: &MachineId, it: &inventory::Machine, node: Option<&NodeId>) -> api::Machine {
    let root = || ledger.register().map(|register| &register.organisation().root().id);
    let source = match id {
        MachineId::Device(_) => "agent",
        MachineId::Other(Source::File, _) => "file",
        MachineId::Other(Source::Site(_), _) => "site",
    };
    let counted = ledger.software_of(it).filter(|(_, means)| **means != Translation::Ignored).count();
    let products = ledger.products_of(it).into_iter();
    api::Machine {
        id: id.to_string(),
        host: it.host.to_string(),
        source: source.to_owned(),
        node: node.or_else(root).map(ToString::to_string),
        addresses: it.addresses.iter().map(ToString::to_string).collect(),
        users: it.users.iter().map(ToString::to_string).collect(),
        reported: it.reported.rfc3339(),
        programs: count(counted),
        products: products
            .map(|(product, version)| api::InstalledProduct {
                product: product.to_string(),
                version: version.to_string(),
            })
            .collect(),
    }
}

/// One machine and its programs, those that the catalog ignores too.
pub(super) fn detail(duty: &Duty, id: &str) -> Result<Option<api::MachineDetail>, Refusal> {
    let id = read_id(id)?;
    let ledger = duty.log.books.read();
    let Some(it) = ledger.machine(&id) else { return Ok(None) };
    Ok(Some(api::MachineDetail {
        format: FORMAT,
        machine: machine(&ledger, &id, it, ledger.place_of(&id)),
        programs: ledger.software_of(it).map(|(software, means)| software.to_json(means)).collect(),
    }))
}

pub(super) fn unknown(duty: &Duty) -> api::UnknownPrograms {
    let ledger = duty.log.books.read();
    let unknown = ledger.unknown_software();
    let program = |(software, machines): &(&Software, u32)| api::UnknownProgram {
        name: software.name.to_string(),
        publisher: software.publisher.as_ref().map(ToString::to_string),
        version: software.version.as_ref().map(ToString::to_string),
        machines: *machines,
    };
    api::UnknownPrograms {
        format: FORMAT,
        count: u64::from(count(unknown.len())),
        programs: unknown.iter().take(UNKNOWN).map(program).collect(),
    }
}

pub(super) fn catalog(duty: &Duty) -> api::Catalog {
    duty.log.books.read().catalog().to_json()
}
