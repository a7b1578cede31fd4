//! What discovery sees. A sighting is a hint whom to dial, never a sign of life and never a reason to trust.

use std::net::SocketAddr;

use seatkeeper_protocol::id::{DeviceId, Name};

/// Something discovery saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// A device of some site announces itself.
    Seen(Announcement),
    /// An announcement was withdrawn.
    Gone(DeviceId),
}

/// What a device announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who.
    pub device: DeviceId,
    /// The first 8 characters of its site id.
    pub site: String,
    /// What the site is called; `None`: it does not say. Anybody can say anything.
    pub name: Option<Name>,
    /// The number of its generation.
    pub generation: u32,
    /// Where to dial it; at most [`Announcement::ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
}

impl Announcement {
    /// Addresses kept per announcement.
    pub const ADDRESSES_MAX: usize = 8;
}
