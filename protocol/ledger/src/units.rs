//! Live seats follow the organisation: where each device is, and which devices a license's seats are for.
//!
//! A license is a purchase, too. As soon as there is an organisation and somebody in it owns the license, its seats are
//! divided as that purchase is: what is allocated to a node by hand is for the devices of that very node, and the
//! remainder for those of the owner and, if it is automatic, of the nodes below it. A purchase that is registered with
//! less than the license has, in number, versions or days, gives less. Without an organisation, and while nobody may own
//! the license, every device may use it.
//!
//! A change of all this takes no seat away. Whoever runs where he may not start any more goes on, and a further start of
//! the same node may share his seat.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SeatId, SessionId};
use seatkeeper_protocol::license::License;
use seatkeeper_protocol::time::WallTime;

use crate::admission::{Demand, Parts, PieceSet, Pool, Registered};
use crate::inventory::MachineId;
use crate::ledger::Ledger;
use crate::org::{Device, NodeId, Purchase, Register};
use crate::rules::Asker;
use crate::state::{DeviceRecord, Index, LicenseRecord, SeatRecord, SessionRecord, State};

/// The place of a device's node in the tree's order, by its name and by what it has reported of itself; the root's is 0.
fn place_of(register: &Register, state: &State, id: DeviceId, record: &DeviceRecord) -> usize {
    let machine = state.inventory.machine(&MachineId::Device(id));
    let users: Vec<&str> = machine.iter().flat_map(|machine| &machine.users).map(Name::as_str).collect();
    let addresses = machine.map(|machine| machine.addresses.as_slice()).unwrap_or_default();
    let device = Device { id: Some(id), host: record.info.name.as_str(), addresses, users: &users };
    let node = register.placement().node(&device);
    node.and_then(|node| register.organisation().place(node)).unwrap_or_default()
}

/// What the office made of a license: the terms that are registered, if they are within the license's, with their owner.
/// `None`: nobody owns it.
pub(crate) fn purchase_of(register: &Register, license: &License) -> Option<Purchase> {
    let registered = register.purchases().get(&license.id.clone().into());
    match registered.filter(|terms| terms.check_within(license).is_ok()) {
        Some(terms) => Some(terms.clone()),
        None => Purchase::of_license(license).checked(register.organisation()).ok(),
    }
}

/// The nodes that automatic remainders reach, by owner: looked up once for the licenses of a product.
#[derive(Default)]
pub(crate) struct Reaches(BTreeMap<(usize, bool), Arc<[Range<usize>]>>);

impl Reaches {
    /// What a license gives in the office.
    pub(crate) fn registered(&mut self, state: &State, record: &LicenseRecord) -> Registered {
        let license = record.license();
        let owned = |register| Some((register, purchase_of(register, license)?));
        let Some((register, terms)) = state.register.as_ref().and_then(owned) else { return license.into() };
        let organisation = register.organisation();
        let place = |node: &NodeId| organisation.place(node).unwrap_or_default();
        let owner = terms.owner.as_ref().map(place).unwrap_or_default();
        let reach = self.0.entry((owner, terms.automatic));
        let reach = reach.or_insert_with(|| register.reach(owner, terms.automatic).into()).clone();
        let all = 0..organisation.nodes().len();
        let for_all = terms.manual.is_empty() && reach.first() == Some(&all);
        let parts = Parts {
            rest: terms.remainder(),
            manual: terms.manual.iter().map(|(node, seats)| (place(node), *seats)).collect(),
            reach,
        };
        let mut license = license.clone();
        (license.seats, license.downgrade) = (terms.quantity, terms.downgrade);
        (license.valid_from, license.valid_until) = (terms.valid_from, terms.valid_until);
        Registered { license, parts: (!for_all).then_some(parts) }
    }
}

impl Index {
    /// The place of a device's node in the tree's order. Of a device that is not enrolled any more, and without an
    /// organisation: the root's.
    pub(crate) fn node(&self, device: &DeviceId) -> usize {
        self.nodes.get(device).copied().unwrap_or_default()
    }

    /// Looks anew where every device is.
    pub(crate) fn place_devices(&mut self, state: &State) {
        let Some(register) = &state.register else { return };
        let devices = state.devices.iter();
        self.nodes = devices.map(|(id, record)| (*id, place_of(register, state, *id, record))).collect();
    }

    /// Of the licenses where a seat may stand, keeps those that are for all the devices that use it.
    pub(crate) fn keep_usable(
        &self,
        pool: &Pool,
        may: &mut PieceSet,
        seat: &SeatRecord,
        sessions: &BTreeMap<SessionId, SessionRecord>,
    ) {
        if !pool.is_divided() {
            return;
        }
        let used_on = seat.sessions.iter().filter_map(|id| sessions.get(id)).map(|session| session.device);
        let nodes: BTreeSet<usize> = used_on.chain([seat.device]).map(|device| self.node(&device)).collect();
        nodes.into_iter().for_each(|node| pool.keep_usable(may, node));
    }
}

impl Ledger {
    /// The node that a device belongs to; `None`: it is not enrolled, or there is no organisation.
    pub fn node_of(&self, device: &DeviceId) -> Option<&NodeId> {
        let place = self.by.nodes.get(device)?;
        self.state.register.as_ref()?.organisation().nodes().get(*place).map(|node| &node.id)
    }

    /// The licenses that cover a start and are for its device, whether or not they have seats now.
    pub(crate) fn usable(&self, pool: &Pool, demand: &Demand<'_>, device: &DeviceId) -> PieceSet {
        let mut set = pool.covering(demand);
        pool.keep_usable(&mut set, self.by.node(device));
        set
    }

    /// Of these, the licenses that have seats now.
    pub(crate) fn usable_now(
        &self,
        pool: &Pool,
        demand: &Demand<'_>,
        device: &DeviceId,
        now: WallTime,
    ) -> PieceSet {
        let mut set = pool.open_set(demand, now);
        pool.keep_usable(&mut set, self.by.node(device));
        set
    }

    /// Whether the devices of an asker's node use as many seats as the node's quota is. Without any quotas nobody is.
    pub(crate) fn is_over_quota(&self, asker: Asker<'_>) -> bool {
        let Some(quotas) = self.state.history.quotas.get(asker.product) else { return false };
        let node = self.node_of(&asker.device);
        let quota = node.and_then(|node| quotas.get(node)).copied().unwrap_or_default();
        let place = self.by.node(&asker.device);
        let here = |seat: &&SeatRecord| seat.product == *asker.product && self.by.node(&seat.device) == place;
        let used = self.state.seats.values().filter(here).count();
        used >= usize::try_from(quota).unwrap_or(usize::MAX)
    }

    /// Looks anew where a device is, and so whose seats it uses: it came, described itself, or is no more.
    pub(crate) fn place_device(&mut self, device: DeviceId) {
        let Some(register) = &self.state.register else { return };
        let place =
            self.state.devices.get(&device).map(|record| place_of(register, &self.state, device, record));
        let before = match place {
            Some(place) => self.by.nodes.insert(device, place),
            None => self.by.nodes.remove(&device),
        };
        if before.unwrap_or_default() == place.unwrap_or_default() {
            return;
        }
        let running = self.sessions_of(&device).map(|(_, session)| session.seat);
        let borrowed = self.borrowed_by(&device).map(|(seat, ..)| seat);
        let seats: BTreeSet<SeatId> = running.chain(borrowed).collect();
        seats.into_iter().for_each(|seat| self.need_changed(seat));
    }

    /// The register was changed: which seats are for whom, and, if `places`, where devices are.
    pub(crate) fn register_changed(&mut self, places: bool) {
        if places {
            self.by.place_devices(&self.state);
        }
        let products: Vec<ProductId> = self.by.pools.keys().cloned().collect();
        products.iter().for_each(|product| self.by.build_pool(&self.state, product));
    }
}
