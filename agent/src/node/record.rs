//! What the agent remembers of its site between runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use seatkeeper_election::Status;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, Generation, Name, NodeId, PublicKey, SiteId};
use seatkeeper_protocol::recovery::Recovery;
use seatkeeper_protocol::roster::{Role, Roster, RosterDevice, SignedRoster};
use seatkeeper_protocol::wire::SiteRef;
use serde::{Deserialize, Serialize};

/// The site record on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SiteRecord {
    pub(crate) root: PublicKey,
    pub(crate) name: Name,
    pub(crate) generation: Generation,
    pub(crate) roster: Option<SignedRoster>,
    /// The log on this device, if it keeps one.
    pub(crate) node: Option<NodeId>,
    /// By whose word the site is in this generation, if it was recovered.
    pub(crate) recovery: Option<Recovery>,
    /// Remembered addresses.
    pub(crate) addresses: Vec<(DeviceId, SocketAddr)>,
}

/// How many addresses are remembered across restarts.
pub(crate) const REMEMBERED_MAX: usize = 256;

/// Terms fit above this many bits of log index in a roster's number.
pub(crate) const INDEX_BITS: u32 = 40;

/// Rosters of a later term rank above those of an earlier one, within a term those of a later entry.
pub(crate) fn roster_number(term: u64, index: u64) -> u64 {
    (term << INDEX_BITS) | (index & ((1 << INDEX_BITS) - 1))
}

/// The site this device belongs to, with its newest roster.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) root: PublicKey,
    pub(crate) id: SiteId,
    pub(crate) name: Name,
    pub(crate) generation: Generation,
    pub(crate) roster: Option<Arc<OpenRoster>>,
    /// By whose word it is in this generation, if it was recovered.
    pub(crate) recovery: Option<Arc<Recovery>>,
}

/// A verified roster and the bytes to pass on.
#[derive(Debug)]
pub(crate) struct OpenRoster {
    pub(crate) roster: Roster,
    pub(crate) signed: SignedRoster,
    by_id: BTreeMap<DeviceId, usize>,
}

impl OpenRoster {
    pub(crate) fn new(roster: Roster, signed: SignedRoster) -> Self {
        let by_id = roster.devices.iter().enumerate().map(|(at, d)| (d.key.device(), at)).collect();
        Self { roster, signed, by_id }
    }

    /// The enrolled device with this id.
    pub(crate) fn device(&self, id: &DeviceId) -> Option<&RosterDevice> {
        self.by_id.get(id).and_then(|at| self.roster.devices.get(*at)).filter(|_| !self.roster.is_revoked(id))
    }

    /// What makes one roster newer than another: first the pool key that signed it, so that a revoked device's key
    /// outranks nothing, then its number.
    pub(crate) fn rank(&self) -> (u32, u64) {
        (self.signed.certificate.number, self.roster.number)
    }
}

impl Site {
    /// The site of a record; a roster that does not verify is left out.
    pub(crate) fn of(record: &SiteRecord) -> Self {
        let roster = record.roster.as_ref().and_then(|signed| {
            let roster = signed.open(&record.root).ok()?;
            Some(Arc::new(OpenRoster::new(roster, signed.clone())))
        });
        Self {
            root: record.root,
            id: record.root.site(),
            name: record.name.clone(),
            generation: record.generation,
            roster,
            recovery: record.recovery.clone().map(Arc::new),
        }
    }

    pub(crate) fn reference(&self) -> SiteRef {
        SiteRef { site: self.id, generation: self.generation }
    }

    /// Whether the roster was made after everything in the log of this status.
    pub(crate) fn is_newer_than(&self, status: &Status) -> bool {
        self.roster_number() > roster_number(status.term, status.last_log)
    }

    pub(crate) fn roster_number(&self) -> u64 {
        self.roster.as_ref().map_or(0, |open| open.roster.number)
    }

    /// Whether the roster lists `device` as enrolled.
    pub(crate) fn enrolled(&self, device: &DeviceId) -> bool {
        self.roster.as_ref().is_some_and(|open| open.device(device).is_some())
    }

    pub(crate) fn revoked(&self, device: &DeviceId) -> bool {
        self.roster.as_ref().is_some_and(|open| open.roster.is_revoked(device))
    }

    pub(crate) fn role(&self, device: &DeviceId) -> Option<Role> {
        self.roster.as_ref().and_then(|open| open.device(device)).map(|listed| listed.role)
    }

    pub(crate) fn device_name(&self, device: &DeviceId) -> Option<&Name> {
        self.roster.as_ref().and_then(|open| open.device(device)).map(|listed| &listed.name)
    }

    /// Devices that hold the log, voters first.
    pub(crate) fn log_holders(&self) -> Vec<DeviceId> {
        let Some(open) = &self.roster else { return Vec::new() };
        let with =
            |role: Role| open.roster.devices.iter().filter(move |d| d.role == role).map(|d| d.key.device());
        with(Role::Voter).chain(with(Role::Standby)).collect()
    }

    /// Whether a device beside `me` is enrolled that has no vote: it could take one.
    pub(crate) fn has_other_than_voters(&self, me: &DeviceId) -> bool {
        let other = |listed: &RosterDevice| listed.role != Role::Voter && listed.key.device() != *me;
        self.roster.as_ref().is_some_and(|open| open.roster.devices.iter().any(other))
    }

    pub(crate) fn api(&self) -> api::Site {
        api::Site { id: self.id.to_string(), name: self.name.to_string(), generation: self.generation.number }
    }
}
