//! The numbered, signed list of a site's devices: whom to let in, and whom to dial.

use std::fmt;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::frame;
use crate::id::{DeviceId, Generation, Name, NodeId, PublicKey, SiteId};
use crate::limits;
use crate::ticket::{PoolKeyCertificate, TicketError};

#[cfg(test)]
mod tests;

/// The format of rosters of this release: the first byte of the signed bytes.
pub const FORMAT: u8 = 1;

const DOMAIN: &[u8] = b"seatkeeper-roster-v1\n";

/// What a device does for its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Leads. Never stands in a signed roster, since the holder changes faster than the roster: there it is a voter.
    Holder,
    /// Has the log and a vote.
    Voter,
    /// Has the log, no vote.
    Standby,
    /// Has no log.
    Spare,
}

impl Role {
    /// As in every JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Voter => "voter",
            Self::Standby => "standby",
            Self::Spare => "spare",
        }
    }

    /// Whether a device of this role has the log.
    pub fn has_log(self) -> bool {
        self != Self::Spare
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterDevice {
    /// Its key; its fingerprint is the device id.
    pub key: PublicKey,
    /// Its name.
    pub name: Name,
    /// Its role.
    pub role: Role,
    /// Its consensus node, while it has the log.
    pub node: Option<NodeId>,
    /// Whether it is a laptop.
    pub laptop: bool,
}

/// The devices of a site at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Grows with each roster of the generation; a device goes by the newest it has seen.
    pub number: u64,
    /// The site.
    pub site: SiteId,
    /// Its generation.
    pub generation: Generation,
    /// Its name.
    pub site_name: Name,
    /// The enrolled devices, each key once, at most [`limits::DEVICES_MAX`].
    pub devices: Vec<RosterDevice>,
    /// The devices shut out for good, at most [`limits::REVOKED_MAX`].
    pub revoked: Vec<DeviceId>,
}

impl Roster {
    /// The enrolled device with this id. Takes a hash per device: for many look-ups, go by key.
    pub fn device(&self, id: &DeviceId) -> Option<&RosterDevice> {
        self.devices.iter().find(|device| device.key.device() == *id).filter(|_| !self.is_revoked(id))
    }

    /// The enrolled device with this key, as a TLS peer has proven it.
    pub fn by_key(&self, key: &PublicKey) -> Option<&RosterDevice> {
        self.devices.iter().find(|device| device.key == *key).filter(|_| !self.is_revoked(&key.device()))
    }

    /// Whether the device was shut out. Counts even for one that is listed as enrolled.
    pub fn is_revoked(&self, id: &DeviceId) -> bool {
        self.revoked.contains(id)
    }

    fn check(&self) -> Result<(), RosterError> {
        if self.devices.len() > limits::DEVICES_MAX || self.revoked.len() > limits::REVOKED_MAX {
            return Err(RosterError::TooLong);
        }
        let mut keys: Vec<&PublicKey> = self.devices.iter().map(|device| &device.key).collect();
        keys.sort_unstable();
        if keys.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(RosterError::DeviceTwice) }
    }
}

/// Why a roster is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// More devices or bytes than allowed.
    #[error("the roster is too long")]
    TooLong,
    /// One key listed twice.
    #[error("the roster lists a device twice")]
    DeviceTwice,
    /// A newer release wrote it.
    #[error("roster format {0} is not known here; update Seatkeeper")]
    UnknownFormat(u8),
    /// Not a roster.
    #[error("the roster is damaged")]
    Malformed,
    /// Not signed by a pool key of this site and generation.
    #[error("the roster is not signed by the site: {0}")]
    NotSigned(TicketError),
}

impl From<TicketError> for RosterError {
    fn from(error: TicketError) -> Self {
        Self::NotSigned(error)
    }
}

/// A roster, signed by the pool key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRoster {
    /// [`FORMAT`], then [`Roster`] as postcard: the bytes that are signed.
    pub bytes: Vec<u8>,
    /// Of the pool key that signed.
    pub certificate: PoolKeyCertificate,
    /// Ed25519 by the pool key.
    pub signature: Vec<u8>,
}

impl SignedRoster {
    /// Signs a roster. A [`Role::Holder`] in it is written as [`Role::Voter`].
    ///
    /// # Errors
    /// When the roster is over a bound, lists a device twice or is not of the certificate's site and generation, or
    /// the key is not the certificate's.
    pub fn sign(
        mut roster: Roster,
        certificate: PoolKeyCertificate,
        pool_key: &SigningKey,
    ) -> Result<Self, RosterError> {
        roster.check()?;
        certificate.check_scope(&roster.site, &roster.generation)?;
        for device in roster.devices.iter_mut().filter(|device| device.role == Role::Holder) {
            device.role = Role::Voter;
        }
        let bytes = postcard::to_extend(&roster, vec![FORMAT]).map_err(|_| RosterError::Malformed)?;
        if bytes.len() > limits::ROSTER_BYTES_MAX {
            return Err(RosterError::TooLong);
        }
        let signature = certificate.sign_with(pool_key, DOMAIN, &bytes)?;
        Ok(Self { bytes, certificate, signature })
    }

    /// Checks the whole chain from the site's root key and answers the roster.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn open(&self, root: &PublicKey) -> Result<Roster, RosterError> {
        if self.bytes.len() > limits::ROSTER_BYTES_MAX {
            return Err(RosterError::TooLong);
        }
        self.certificate.verify_signed(root, DOMAIN, &self.bytes, &self.signature)?;
        let roster: Roster = match self.bytes.split_first() {
            Some((&FORMAT, body)) => frame::decode_body(body).map_err(|_| RosterError::Malformed)?,
            Some((&other, _)) => return Err(RosterError::UnknownFormat(other)),
            None => return Err(RosterError::Malformed),
        };
        roster.check()?;
        self.certificate.check_scope(&roster.site, &roster.generation)?;
        Ok(roster)
    }
}
