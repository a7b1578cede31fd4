//! What stands in the log, and what `apply` answers.
//!
//! Released structs never gain a field: a change is a new variant of [`Format`], [`Command`] or [`Outcome`].

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{
    DeviceId, Feature, Generation, InviteId, Name, ProductId, PublicKey, RequestId, SeatId, SessionId,
    SiteId, Version,
};
use seatkeeper_protocol::recovery::Recovery;
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::history::Calculated;
use crate::inventory::{CatalogRule, MachineChange, OtherSite, Source};
use crate::org::{Node, NodeId, Purchase, PurchaseId, Rule};

mod node_limits;
mod outcome;

pub use node_limits::{NodeLimit, NodeLimits, OverNodeLimit};
pub use outcome::{Borrowed, Denial, Grant, Outcome, OverLimit, Refusal, SeatHolder, Waiting};

/// The bytes of one log entry, by format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first release's.
    V1(Entry),
}

/// One command as the holder proposed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The site's time: the median of the voters' clocks, taken by the holder. May step back.
    pub time: WallTime,
    /// The consensus term in which the holder decided this. [`Actor::Holder`] commands of another term are refused.
    pub term: u64,
    /// Who asks.
    pub actor: Actor,
    /// Acts once per actor (invariant I4). Ignored for [`Actor::Holder`], whose commands are idempotent by content.
    pub request: RequestId,
    /// What is asked.
    pub command: Command,
}

/// Who asks for a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// A device, proven by its TLS key to the holder.
    Device(DeviceId),
    /// An admin; `signature` is checked by `apply` over [`admin_message`].
    Admin {
        /// The admin's name in the ledger.
        name: Name,
        /// Ed25519.
        signature: Vec<u8>,
    },
    /// The holder itself.
    Holder(DeviceId),
}

/// The bytes an admin signs for a command.
///
/// # Errors
/// When the command cannot be encoded (a text over postcard's limits; does not happen for checked types).
pub fn admin_message(
    site: &SiteId,
    generation: &Generation,
    name: &Name,
    request: &RequestId,
    command: &Command,
) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&(site, generation, name, request, command), b"seatkeeper-admin-v1\n".to_vec())
}

/// What a machine says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its name; the host name by default.
    pub name: Name,
    /// Desktop or laptop.
    pub form: Form,
    /// The agent's version.
    pub version: Name,
}

/// What kind of machine a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Stays where it is.
    Desktop,
    /// Leaves.
    Laptop,
}

/// What an admin says of a device. `None` leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct DeviceSettings {
    /// Its name.
    pub name: Option<Name>,
    /// Declared always-on.
    pub always_on: Option<bool>,
    /// Overrides what the device says of its form.
    pub form: Option<Form>,
}

/// What an admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRole {
    /// Everything.
    Admin,
    /// Looks only.
    Reader,
}

/// Secret bytes sealed to one device's key. Opaque to the ledger.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The key that an invitation's code proves: HMAC key, 128 bits. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteKey(pub [u8; 16]);

impl std::fmt::Debug for InviteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteKey(..)")
    }
}

/// A checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The run of the program that wants a seat. The same session again resumes its seat.
    pub session: SessionId,
    /// Who runs it, as the agent knows from the operating system.
    pub user: Name,
    /// The product.
    pub product: ProductId,
    /// The version; `None`: whatever is owned.
    pub version: Option<Version>,
    /// Features it needs, all from one license.
    pub features: Vec<Feature>,
    /// The process, for people.
    pub pid: Option<u32>,
}

/// What can be asked of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    // Once, as the first entry, by the holder.
    /// Founds the site on this ledger.
    Found(Box<Found>),

    // By a device.
    /// Takes a seat, or resumes the one this session has.
    Checkout(Checkout),
    /// Takes a seat as a checkout does, or keeps a place in the queue for one. Again for a waiting session: it keeps its
    /// place under a new attach, and is not passed over any more.
    Wait(Checkout),
    /// Gives a session's seat back, or its place in the queue. `attach` below the session's is refused (invariant I8). An unknown session
    /// leaves a tombstone, so that a late checkout of it is refused (invariant I4).
    Return {
        /// Which.
        session: SessionId,
        /// The attach the returner got; `None`: it never got an answer to its checkout.
        attach: Option<u32>,
    },
    /// What the device says of itself.
    Describe(DeviceInfo),
    /// The device leaves the site.
    Leave,

    // By the holder, valid in one term only.
    /// A session, with a seat or waiting for one, whose ttl passed without a ping. Refused if the session was attached anew meanwhile.
    Expire {
        /// Which.
        session: SessionId,
        /// The attach whose lease passed.
        attach: u32,
    },
    /// A waiting session was not heard of for a while: others go first until it waits anew. It keeps its place.
    PassOver {
        /// Which.
        session: SessionId,
        /// The attach that was not heard of.
        attach: u32,
    },
    /// Admits a device that proved an invitation's code; counts its use. Again for the same key: no further use.
    AdmitInvited {
        /// The proven invitation.
        invite: InviteId,
        /// The device's key.
        key: PublicKey,
        /// What it says of itself.
        info: DeviceInfo,
    },
    /// Seals the pool key to a log holder.
    SealPoolKey {
        /// To whom.
        device: DeviceId,
        /// Which pool key.
        number: u32,
        /// The sealed key.
        sealed: Sealed,
    },
    /// A license's last day is over (proposed as design section 5 says).
    EndLicense {
        /// Its id.
        license: Name,
    },

    // By an admin.
    /// Opens an invitation.
    CreateInvite {
        /// Its id.
        invite: InviteId,
        /// What its code proves.
        key: InviteKey,
        /// When it ends, by the site's time.
        ends: WallTime,
        /// How many devices it may admit, 1 to 10,000.
        uses: u32,
    },
    /// Closes an invitation.
    RevokeInvite {
        /// Which.
        invite: InviteId,
    },
    /// Admits a waiting device.
    Admit {
        /// The device's key.
        key: PublicKey,
        /// What it said of itself.
        info: DeviceInfo,
    },
    /// Shuts a device out for good; its seats are released at the end of their leases.
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// Sets what an admin knows better.
    SetDevice {
        /// Which.
        device: DeviceId,
        /// What.
        settings: DeviceSettings,
    },
    /// Adds an admin, or replaces the key of one (a new password needs none: the file is the person's).
    AddAdmin {
        /// Name.
        name: Name,
        /// Key.
        key: PublicKey,
        /// Role.
        role: AdminRole,
    },
    /// Removes an admin; the last one with [`AdminRole::Admin`] stays.
    RemoveAdmin {
        /// Who.
        name: Name,
    },
    /// Trusts a vendor's key for products that begin with one of the prefixes.
    TrustVendor {
        /// The vendor's name, as in its licenses.
        name: Name,
        /// Its key.
        key: PublicKey,
        /// Product prefixes; a prefix of another vendor's prefix is refused.
        prefixes: Vec<ProductId>,
    },
    /// Adds a license file (its text). The same file twice is one.
    AddLicense {
        /// The file's text.
        text: String,
    },
    /// Removes a license; running seats stay until they return.
    RemoveLicense {
        /// Its id.
        license: Name,
    },
    /// Takes a seat away from all its sessions.
    ReleaseSeat {
        /// Which.
        seat: SeatId,
    },
    /// Replaces the pool key after a device that had it was revoked.
    RotatePoolKey {
        /// The new key's certificate, signed by the root key.
        certificate: PoolKeyCertificate,
        /// The new key, sealed to each log holder.
        sealed: Vec<(DeviceId, Sealed)>,
    },

    // Borrowed seats.
    /// By a device: borrows a seat, or prolongs a borrow. A running seat of the same user on the device becomes the
    /// borrowed one.
    Borrow(Borrow),
    /// By a device, which will not use the seat by its tickets any more: gives a borrowed seat back. The programs that
    /// use it go on with an online seat.
    ReturnBorrow {
        /// Which.
        seat: SeatId,
        /// The serial of the borrow's last ticket: refused if there is a newer one, which this does not give back.
        serial: u64,
    },
    /// By a device: a program that uses a seat borrowed there goes on with the same seat online.
    GoOnline {
        /// Which.
        seat: SeatId,
        /// What the program asks for.
        start: Checkout,
    },
    /// By the holder: a borrow is over (proposed as design section 5 says).
    EndBorrow {
        /// Which seat.
        seat: SeatId,
        /// The serial of the borrow's last ticket: refused if it was prolonged meanwhile.
        serial: u64,
    },
    /// By an admin: a device is lost, or found again. A lost one takes nothing, and what it borrowed comes back as the
    /// licenses allow.
    LoseDevice {
        /// Which.
        device: DeviceId,
        /// `false`: it is found.
        lost: bool,
    },

    // Rules, by an admin.
    /// Sets how many seats of a product somebody may use at once.
    SetLimit {
        /// The product.
        product: ProductId,
        /// Who.
        whom: Whom,
        /// How many; 0 excludes; `None`: as many as there are.
        seats: Option<u32>,
    },
    /// Says which users are in a group; none: there is no such group.
    SetGroup {
        /// The group.
        group: Name,
        /// The users, at most [`limits::GROUP_MEMBERS_MAX`](seatkeeper_protocol::limits::GROUP_MEMBERS_MAX).
        members: Vec<Name>,
    },
    /// Sets who goes first in queues; whoever waits already stays in his place.
    SetPriority {
        /// Who.
        whom: Whom,
        /// 0, which everybody has, to [`limits::PRIORITY_MAX`](seatkeeper_protocol::limits::PRIORITY_MAX).
        priority: u8,
    },

    // The organisation, by an admin.
    /// Adds nodes, or changes those that are there, and takes others out.
    SetNodes {
        /// As they are to be.
        set: Vec<Node>,
        /// Those that go, children before their parents.
        remove: Vec<NodeId>,
    },
    /// Puts rules that place devices into the place of those from this one on.
    SetPlacement {
        /// How many of the present ones stay.
        from: u32,
        /// Those that follow.
        rules: Vec<Rule>,
    },
    /// Registers purchases, or gives registered ones other terms.
    SetPurchases {
        /// By their ids.
        purchases: Vec<(PurchaseId, Purchase)>,
    },
    /// Takes a purchase out.
    RemovePurchase {
        /// Which.
        purchase: PurchaseId,
    },
    /// Allocates a purchase by hand.
    Allocate {
        /// Which.
        purchase: PurchaseId,
        /// How many installs at which node; to others nothing.
        manual: BTreeMap<NodeId, u32>,
    },
    /// Sets whether automatic pieces end where another legal entity begins.
    SetStopAtLegal {
        /// They do.
        stop: bool,
    },

    // What is installed.
    /// By a device: where it is and what is installed on it.
    Report(MachineChange),
    /// By an admin: puts rules into the place of those of the catalog from this one on.
    SetCatalog {
        /// How many of the present ones stay.
        from: u32,
        /// Those that follow.
        rules: Vec<CatalogRule>,
    },
    /// By an admin: takes machines without an agent, or another site's, by what they are called there.
    ImportMachines {
        /// Where they are known from.
        source: Source,
        /// What is new of them.
        machines: Vec<(Name, MachineChange)>,
    },
    /// By an admin: forgets machines without an agent, or another site's.
    RemoveMachines {
        /// Where they are known from.
        source: Source,
        /// Which; `None`: all of that source.
        machines: Option<Vec<Name>>,
    },
    /// By an admin: begins to take another site's export. The key that signed the first one signs them all.
    TakeExport {
        /// The site.
        site: SiteId,
        /// What the export says of itself.
        export: OtherSite,
    },
    /// By the holder: what a calculation of compliance came to that the books do not have yet.
    Calculated(Calculated),
    /// Sets what the devices of a node and of those below it may use of a product; without any limit: as much as there
    /// is.
    SetNodeLimits {
        /// The product.
        product: ProductId,
        /// The node.
        node: NodeId,
        /// What they may use.
        limits: NodeLimits,
    },
    /// By the holder of books that go on alone: the site is in a new generation from here on.
    Recover(Box<Recover>),
}

/// For whom a rule is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Whom {
    /// A user.
    User(Name),
    /// The users of a group together.
    Group(Name),
    /// Whoever uses this device.
    Device(DeviceId),
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Device(id) => write!(f, "device {}", id.short()),
        }
    }
}

/// What a device wants to borrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borrow {
    /// For whom, as the agent knows from the operating system.
    pub user: Name,
    /// The product.
    pub product: ProductId,
    /// The version; `None`: whatever is owned.
    pub version: Option<Version>,
    /// Features, all from one license.
    pub features: Vec<Feature>,
    /// Until when.
    pub until: WallTime,
}

/// The first entry of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The site's name.
    pub name: Name,
    /// The site's root key; its fingerprint is the site id.
    pub root: PublicKey,
    /// The first generation.
    pub generation: Generation,
    /// The root private key, sealed under the recovery code.
    pub sealed_root: Sealed,
    /// The first pool key's certificate.
    pub certificate: PoolKeyCertificate,
    /// The first pool key, sealed to the first device.
    pub sealed_pool_key: Sealed,
    /// The first device's key.
    pub device: PublicKey,
    /// What the first device says of itself.
    pub info: DeviceInfo,
    /// The first admin.
    pub admin: Name,
    /// The first admin's key.
    pub admin_key: PublicKey,
}

/// How a site goes on in a new generation, from the books of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recover {
    /// The root key's word.
    pub recovery: Recovery,
    /// The certificate of a new pool key.
    pub certificate: PoolKeyCertificate,
    /// That key, sealed to the device.
    pub sealed_pool_key: Sealed,
    /// The device's key.
    pub device: PublicKey,
    /// What it says of itself, should the books not know it.
    pub info: DeviceInfo,
}
