//! The books: plain records in ordered maps, as a snapshot stores them.
//!
//! A change to a type here is a new snapshot format (see `snapshot`).

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{
    DeviceId, Feature, Generation, InviteId, Name, ProductId, PublicKey, SeatId, SessionId, SiteId, Version,
};
use seatkeeper_protocol::license::{License, LicenseError, Share, SignedLicense};
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::admission::{Demand, Need, PieceSet, Pool};
use crate::audit::Records;
use crate::command::{
    AdminRole, Checkout, DeviceInfo, DeviceSettings, Form, InviteKey, NodeLimits, Sealed, Whom,
};
use crate::history::History;
use crate::inventory::{Installed, Inventory};
use crate::memory::{ActorKey, Memory};
use crate::org::{NodeId, Register};
use crate::rules::Turn;
use crate::tombstones::Tombstones;
use crate::units::Reaches;
use crate::usage::Usage;

/// Sessions of a site: with sharing there may be more than seats.
pub(crate) const SESSIONS_MAX: usize = 2 * seatkeeper_protocol::limits::SEATS_MAX;
/// Product prefixes of one vendor.
pub(crate) const PREFIXES_MAX: usize = 64;
/// Longest sealed secret, bytes.
pub(crate) const SEALED_BYTES_MAX: usize = 1_024;
/// Log holders a rotated pool key is sealed to.
pub(crate) const SEALED_COPIES_MAX: usize = 64;
/// How many devices one invitation may admit.
pub(crate) const INVITE_USES_MAX: u32 = 10_000;

/// Everything that a snapshot stores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) index: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) bug: Option<String>,
    pub(crate) site: Option<Site>,
    pub(crate) pool_key: Option<PoolKey>,
    pub(crate) devices: BTreeMap<DeviceId, DeviceRecord>,
    pub(crate) revoked: BTreeMap<DeviceId, Revoked>,
    pub(crate) admins: BTreeMap<Name, Admin>,
    pub(crate) invites: BTreeMap<InviteId, Invite>,
    pub(crate) vendors: BTreeMap<PublicKey, Vendor>,
    pub(crate) licenses: BTreeMap<Name, LicenseRecord>,
    pub(crate) next_seat: u64,
    pub(crate) seats: BTreeMap<SeatId, SeatRecord>,
    pub(crate) sessions: BTreeMap<SessionId, SessionRecord>,
    pub(crate) waiting: BTreeMap<SessionId, WaitRecord>,
    pub(crate) groups: BTreeMap<Name, BTreeSet<Name>>,
    pub(crate) limits: BTreeMap<(ProductId, Whom), u32>,
    pub(crate) node_limits: BTreeMap<(ProductId, NodeId), NodeLimits>,
    pub(crate) priorities: BTreeMap<Whom, u8>,
    pub(crate) register: Option<Register>,
    pub(crate) inventory: Inventory,
    pub(crate) history: History,
    pub(crate) tombstones: Tombstones,
    pub(crate) memories: BTreeMap<ActorKey, Memory>,
    pub(crate) records: Records,
    pub(crate) usage: Usage,
}

/// The site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id: the root key's fingerprint.
    pub id: SiteId,
    /// Its name.
    pub name: Name,
    /// The root public key.
    pub root: PublicKey,
    /// Its generation.
    pub generation: Generation,
    /// The root private key, sealed under the recovery code.
    pub sealed_root: Sealed,
    /// When it was founded, by the first device's clock.
    pub founded: WallTime,
}

/// The key that signs tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolKey {
    /// Its certificate by the root key.
    pub certificate: PoolKeyCertificate,
    /// The private key, sealed to each device that has or had the log while it was current.
    pub sealed: BTreeMap<DeviceId, Sealed>,
    /// Whether a device that had it was revoked: it must be rotated.
    pub exposed: bool,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its key.
    pub key: PublicKey,
    /// What it says of itself.
    pub info: DeviceInfo,
    /// What an admin says of it.
    pub settings: DeviceSettings,
    /// Since when it is enrolled.
    pub admitted: WallTime,
    /// The last attach given to a session of this device. Attaches are counted per device and not per session,
    /// so that a session that comes back after its seat expired never repeats one (invariant I8).
    pub attaches: u32,
    /// Since when it is reported as lost.
    pub lost: Option<WallTime>,
}

impl DeviceRecord {
    /// Its name: an admin's choice, else its own.
    pub fn name(&self) -> &Name {
        self.settings.name.as_ref().unwrap_or(&self.info.name)
    }

    /// Its form: an admin's word, else its own.
    pub fn form(&self) -> Form {
        self.settings.form.unwrap_or(self.info.form)
    }

    /// Whether an admin declared it always-on.
    pub fn always_on(&self) -> bool {
        self.settings.always_on.unwrap_or(false)
    }
}

/// A device that was shut out for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its last name.
    pub name: Name,
    /// When.
    pub time: WallTime,
}

/// An admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// Its key.
    pub key: PublicKey,
    /// Its role.
    pub role: AdminRole,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// What its code proves.
    pub key: InviteKey,
    /// When it ends.
    pub ends: WallTime,
    /// How many devices it may admit.
    pub uses: u32,
    /// How many it admitted.
    pub used: u32,
}

/// A vendor whose signature is trusted for some products.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vendor {
    /// The name in its licenses.
    pub name: Name,
    /// Its products begin with one of these.
    pub prefixes: Vec<ProductId>,
}

/// A license of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LicenseOnDisk", into = "LicenseOnDisk")]
pub struct LicenseRecord {
    /// The file.
    pub file: SignedLicense,
    /// When it was added.
    pub added: WallTime,
    /// When an entry ended it.
    pub ended: Option<WallTime>,
    /// Removed by an admin; the record goes with its last running seat.
    pub removed: bool,
}

impl LicenseRecord {
    /// What the license says.
    pub fn license(&self) -> &License {
        self.file.license()
    }

    /// Whether its first day has come.
    pub(crate) fn has_begun(&self, now: WallTime) -> bool {
        self.license().valid_from.is_none_or(|from| now >= from.starts())
    }

    /// Whether it says that it replaces `other`. Ids are the vendor's: one of another vendor or product is not meant.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        let (own, theirs) = (self.license(), other.license());
        own.replaces.contains(&theirs.id)
            && own.product == theirs.product
            && self.file.signer() == other.file.signer()
    }
}

/// [`LicenseRecord`] in a snapshot: the file is parsed again.
#[derive(Serialize, Deserialize)]
struct LicenseOnDisk {
    file: String,
    added: WallTime,
    ended: Option<WallTime>,
    removed: bool,
}

impl TryFrom<LicenseOnDisk> for LicenseRecord {
    type Error = LicenseError;

    fn try_from(disk: LicenseOnDisk) -> Result<Self, LicenseError> {
        let LicenseOnDisk { file, added, ended, removed } = disk;
        Ok(Self { file: SignedLicense::parse(&file)?, added, ended, removed })
    }
}

impl From<LicenseRecord> for LicenseOnDisk {
    fn from(record: LicenseRecord) -> Self {
        let LicenseRecord { file, added, ended, removed } = record;
        Self { file: file.file(), added, ended, removed }
    }
}

/// A seat in use. `ttl_ms` and `share` are the license's at the time of the grant (invariant I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatRecord {
    /// The license whose seat it is, in the books.
    pub license: Name,
    /// The product.
    pub product: ProductId,
    /// The version granted first, or to whoever uses it now; while sessions named no version, the one granted to them.
    pub version: Version,
    /// The features granted first, or to whoever uses it now.
    pub features: Vec<Feature>,
    /// Who took it first.
    pub user: Name,
    /// The device it was taken on first.
    pub device: DeviceId,
    /// Since when.
    pub since: WallTime,
    /// Who uses it. Empty only while it is borrowed.
    pub sessions: BTreeSet<SessionId>,
    /// Log index of the entry that granted it.
    pub serial: u64,
    /// How long it lives without contact, milliseconds.
    pub ttl_ms: u64,
    /// Which starts share it.
    pub share: Share,
    /// The admin who took it away. It is freed when its sessions return or expire: until then its devices may
    /// still be using it (invariant I1).
    pub released_by: Option<Name>,
    /// The borrow, while it is borrowed: it then stands on its license whatever happens, also while nobody uses it.
    pub borrow: Option<BorrowRecord>,
}

/// A borrow of a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowRecord {
    /// Whose.
    pub user: Name,
    /// Where the tickets are.
    pub device: DeviceId,
    /// Since when.
    pub since: WallTime,
    /// Until when.
    pub ends: WallTime,
    /// Serial of the newest ticket.
    pub serial: u64,
    /// The version that the tickets say.
    pub version: Version,
    /// The features that the tickets say; sorted, each once.
    pub features: Vec<Feature>,
}

impl SeatRecord {
    /// The version that a session of this seat was granted.
    pub(crate) fn version_of<'a>(&'a self, session: &'a SessionRecord) -> &'a Version {
        session.asked_version.as_ref().unwrap_or(&self.version)
    }

    /// Whether a session named no version, and so was granted the seat's.
    pub(crate) fn any_version(&self, sessions: &BTreeMap<SessionId, SessionRecord>) -> bool {
        self.sessions.iter().filter_map(|id| sessions.get(id)).any(|session| session.asked_version.is_none())
    }

    /// What a license must cover to take the seat over, with the terms it has. A seat that was taken away stays where
    /// it is.
    pub(crate) fn need<'a>(&'a self, sessions: &'a BTreeMap<SessionId, SessionRecord>) -> Need<'a> {
        let demand = |session: &'a SessionRecord| Demand {
            product: &self.product,
            version: Some(self.version_of(session)),
            features: &session.features,
        };
        let mut granted: Vec<Demand<'a>> =
            self.sessions.iter().filter_map(|id| sessions.get(id)).map(demand).collect();
        granted.extend(self.borrow.iter().map(|borrow| Demand {
            product: &self.product,
            version: Some(&borrow.version),
            features: &borrow.features,
        }));
        // Most starts that share a seat are of one program: what they need is looked at once.
        granted.dedup();
        let pinned = self.released_by.is_some() || self.borrow.is_some();
        Need { granted, ttl_ms: self.ttl_ms, share: self.share, pinned }
    }
}

/// A run of a program that uses a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its seat.
    pub seat: SeatId,
    /// Its device.
    pub device: DeviceId,
    /// What pings and the return must name (invariant I8).
    pub attach: u32,
    /// Who runs it.
    pub user: Name,
    /// The version it asked for.
    pub asked_version: Option<Version>,
    /// The features it asked for; sorted, each once.
    pub features: Vec<Feature>,
    /// The process, as the program said.
    pub pid: Option<u32>,
    /// Since when.
    pub since: WallTime,
}

/// A session that waits for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRecord {
    /// Its device.
    pub device: DeviceId,
    /// What pings and the return must name (invariant I8).
    pub attach: u32,
    /// What it asks for; features sorted, each once.
    pub want: Checkout,
    /// Since when.
    pub since: WallTime,
    /// Its place: the log index of the entry with which it began to wait.
    pub place: u64,
    /// What it had when it began to wait: the higher goes first.
    pub priority: u8,
    /// Its node used as many seats then as its quota is: others of the same priority go first.
    pub over_quota: bool,
    /// How long the place lives without contact, milliseconds: the shortest ttl that its seat may have.
    pub ttl_ms: u64,
    /// Not heard of lately: others go first.
    pub passed: bool,
}

impl WaitRecord {
    pub(crate) fn demand(&self) -> Demand<'_> {
        let Checkout { product, version, features, .. } = &self.want;
        Demand { product, version: version.as_ref(), features }
    }
}

/// Starts with equal keys share a seat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShareKey {
    /// The device first: it is compared without following a pointer.
    UserDevice(DeviceId, Name),
    Device(DeviceId),
    User(Name),
}

impl ShareKey {
    /// `None`: never shared.
    pub(crate) fn of(share: Share, user: &Name, device: DeviceId) -> Option<Self> {
        match share {
            Share::UserDevice => Some(Self::UserDevice(device, user.clone())),
            Share::Device => Some(Self::Device(device)),
            Share::User => Some(Self::User(user.clone())),
            Share::None => None,
        }
    }
}

/// What follows from the state and is looked up often. Built anew by a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// By product; of those for which there is a license.
    pub(crate) pools: BTreeMap<ProductId, Pool>,
    pub(crate) sessions_of_device: BTreeMap<DeviceId, BTreeSet<SessionId>>,
    /// Who waits, by product in the order of their places.
    pub(crate) queues: BTreeMap<ProductId, BTreeMap<Turn, SessionId>>,
    pub(crate) waiting_of_device: BTreeMap<DeviceId, BTreeSet<SessionId>>,
    /// The borrowed seats, by the device that has the tickets.
    pub(crate) borrowed: BTreeMap<DeviceId, BTreeSet<SeatId>>,
    pub(crate) installed: Installed,
    /// The places of the enrolled devices' nodes in the tree's order; none without an organisation.
    pub(crate) nodes: BTreeMap<DeviceId, usize>,
}

impl Index {
    pub(crate) fn build(state: &State) -> Self {
        let installed = Installed::build(&state.inventory, state.register.as_ref());
        let mut index = Self { installed, ..Self::default() };
        index.place_devices(state);
        let products: BTreeSet<&ProductId> =
            state.licenses.values().map(|record| &record.license().product).collect();
        products.into_iter().for_each(|product| index.build_pool(state, product));
        state.sessions.iter().for_each(|(id, session)| index.add_session(*id, session));
        state.waiting.iter().for_each(|(id, waiting)| index.add_waiting(*id, waiting));
        let borrows = state.seats.iter().filter_map(|(id, seat)| Some((*id, seat.borrow.as_ref()?)));
        borrows.for_each(|(id, borrow)| index.add_borrow(id, borrow));
        index
    }

    /// After a license of the product was added or forgotten, or other terms were registered of it.
    pub(crate) fn build_pool(&mut self, state: &State, product: &ProductId) {
        let of_product = |record: &&LicenseRecord| record.license().product == *product;
        let mut reaches = Reaches::default();
        let records = state.licenses.values().filter(of_product);
        let mut pool = Pool::new(records.map(|record| (record, reaches.registered(state, record))));
        if pool.is_empty() {
            self.pools.remove(product);
            return;
        }
        let mut allowed: BTreeMap<Need<'_>, PieceSet> = BTreeMap::new();
        for (id, seat) in state.seats.iter().filter(|(_, seat)| seat.product == *product) {
            let need = seat.need(&state.sessions);
            let mut may = allowed.entry(need).or_insert_with_key(|need| pool.allowed(need)).clone();
            self.keep_usable(&pool, &mut may, seat, &state.sessions);
            pool.add_seat(*id, seat, may, self.node(&seat.device));
        }
        self.pools.insert(product.clone(), pool);
    }

    pub(crate) fn add_session(&mut self, id: SessionId, session: &SessionRecord) {
        self.sessions_of_device.entry(session.device).or_default().insert(id);
    }

    pub(crate) fn remove_session(&mut self, id: SessionId, session: &SessionRecord) {
        if let Some(sessions) = self.sessions_of_device.get_mut(&session.device) {
            sessions.remove(&id);
            if sessions.is_empty() {
                self.sessions_of_device.remove(&session.device);
            }
        }
    }

    pub(crate) fn add_borrow(&mut self, seat: SeatId, borrow: &BorrowRecord) {
        self.borrowed.entry(borrow.device).or_default().insert(seat);
    }

    pub(crate) fn remove_borrow(&mut self, seat: SeatId, borrow: &BorrowRecord) {
        if let Some(seats) = self.borrowed.get_mut(&borrow.device) {
            seats.remove(&seat);
            if seats.is_empty() {
                self.borrowed.remove(&borrow.device);
            }
        }
    }

    pub(crate) fn add_waiting(&mut self, id: SessionId, waiting: &WaitRecord) {
        self.queues.entry(waiting.want.product.clone()).or_default().insert(waiting.turn(), id);
        self.waiting_of_device.entry(waiting.device).or_default().insert(id);
    }

    pub(crate) fn remove_waiting(&mut self, id: SessionId, waiting: &WaitRecord) {
        if let Some(queue) = self.queues.get_mut(&waiting.want.product) {
            queue.remove(&waiting.turn());
            if queue.is_empty() {
                self.queues.remove(&waiting.want.product);
            }
        }
        if let Some(own) = self.waiting_of_device.get_mut(&waiting.device) {
            own.remove(&id);
            if own.is_empty() {
                self.waiting_of_device.remove(&waiting.device);
            }
        }
    }

    /// How many seats stand on a license in the books.
    pub(crate) fn seats_standing(&self, license: &License) -> u32 {
        self.pools.get(&license.product).map_or(0, |pool| pool.standing(&license.id))
    }
}
