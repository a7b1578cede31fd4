//! What a node may look at on its machine to find out why something doesn't work.

use std::net::IpAddr;
use std::time::Duration;

use super::Later;
use crate::middle::health::{Space, Wrong};

/// Looking at the machine itself.
pub trait Checks: Send + Sync + 'static {
    /// Room, rights, networks. Blocks, briefly.
    fn look(&self) -> Look;

    /// The files of the state folder with their sizes, bytes; at most [`FILES_MAX`]. Blocks, briefly.
    fn files(&self) -> Vec<(String, u64)>;

    /// Asks by multicast who is there, and listens so long.
    ///
    /// # Errors
    /// When it cannot be tried; a sentence.
    fn hear(&self, within: Duration) -> Later<'_, Result<Vec<Heard>, String>>;
}

/// Files that are listed.
pub const FILES_MAX: usize = 1_024;

/// What a look at the machine shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The state folder.
    pub folder: String,
    /// The room on its disk; why that is not known.
    pub space: Result<Space, String>,
    /// Folders and files whose rights are wrong; why that is not known.
    pub rights: Result<Vec<(String, Wrong)>, String>,
    /// The networks that this machine is on.
    pub subnets: Vec<Subnet>,
}

/// One of the machine's own addresses, and who else is on that network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The network interface.
    pub interface: String,
    /// This machine's address there.
    pub address: IpAddr,
    /// How many bits of it all machines there have in common.
    pub prefix: u8,
}

impl Subnet {
    /// Whether a machine with this address is on the same network.
    pub fn has(&self, other: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        };
        let ((ours, width), (theirs, other_width)) = (bits(self.address), bits(other));
        let differs = (ours ^ theirs).checked_shr(128 - u32::from(self.prefix.min(width))).unwrap_or(0);
        width == other_width && differs == 0
    }
}

/// What was heard by multicast on one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The interface.
    pub interface: String,
    /// Whether this machine heard its own question.
    pub own: bool,
    /// The machines that answered.
    pub others: Vec<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_on_the_same_network() {
        let check = |own: &str, prefix, other: &str, expected| {
            let (interface, address) = ("eth0".to_owned(), own.parse().unwrap());
            let subnet = Subnet { interface, address, prefix };
            assert_eq!(subnet.has(other.parse().unwrap()), expected, "{own}/{prefix} {other}");
        };
        check("10.0.0.1", 24, "10.0.0.200", true);
        check("10.0.0.1", 24, "10.0.1.200", false);
        check("10.0.0.1", 24, "::ffff:10.0.0.9", true);
        check("10.0.0.1", 32, "10.0.0.1", true);
        check("10.0.0.1", 32, "10.0.0.2", false);
        check("10.0.0.1", 0, "192.168.0.1", true);
        check("10.0.0.1", 99, "10.0.0.2", false);
        check("fd00::1", 64, "fd00::2", true);
        check("fd00::1", 64, "fd01::2", false);
        check("fd00::1", 64, "10.0.0.1", false);
    }
}
