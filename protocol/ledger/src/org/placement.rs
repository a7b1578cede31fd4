//! Which device belongs to which node: ordered rules, of which the first that fits decides (rule 1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{NodeId, Organisation, PLACEMENTS_MAX};

/// What is known of a device that is to be placed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'a> {
    /// Its id; `None`: it has no agent, and is known from an import.
    pub id: Option<DeviceId>,
    /// Its host name.
    pub host: &'a str,
    /// Its addresses.
    pub addresses: &'a [IpAddr],
    /// Who uses it.
    pub users: &'a [&'a str],
}

/// A pattern for names: `*` stands for any text, `?` for one character; upper and lower case are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob(Vec<char>);

/// A network of addresses, such as `10.1.0.0/16` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Match {
    /// The host name.
    Host(Glob),
    /// One of the addresses.
    Address(Network),
    /// One of the users.
    User(Glob),
    /// This very device.
    Device(DeviceId),
}

/// Puts the devices that it fits into a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which devices.
    pub matches: Match,
    /// Where they belong.
    pub node: NodeId,
}

/// Ordered rules. Each names a node of the organisation for which they were checked; at most [`PLACEMENTS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement(Vec<Rule>);

/// Why something is no rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// An empty or very long pattern.
    #[error("a pattern has 1 to {} characters; write one as in `cad-*`", limits::NAME_BYTES_MAX)]
    Glob,
    /// No network.
    #[error("`{0}` is no network; write one as in `10.1.0.0/16`")]
    Network(String),
    /// Too many rules.
    #[error("there are at most {PLACEMENTS_MAX} rules; use patterns instead of single devices")]
    TooMany,
    /// A node that is not there.
    #[error(
        "rule {row} puts devices into `{node}`, which is not in the organisation; add the node, or correct the rule"
    )]
    UnknownNode {
        /// Which rule, from 1.
        row: usize,
        /// The node.
        node: NodeId,
    },
}

impl Glob {
    /// A pattern.
    ///
    /// # Errors
    /// When it is empty or longer than a name may be.
    pub fn new(text: &str) -> Result<Self, PlacementError> {
        // A few characters are longer in lower case; what is kept has to be readable again.
        let text: String = lower(text).collect();
        if text.is_empty() || text.len() > limits::NAME_BYTES_MAX {
            return Err(PlacementError::Glob);
        }
        Ok(Self(text.chars().collect()))
    }

    /// Whether the whole of `text` fits.
    pub fn fits(&self, text: &str) -> bool {
        // Most patterns are of other texts: that is seen before anything is copied.
        let first = self.0.first().filter(|char| !matches!(char, '*' | '?'));
        if first.is_some() && first.copied() != lower(text).next() {
            return false;
        }
        let text: Vec<char> = lower(text).collect();
        let (mut at, mut from) = (0, 0);
        // Where the last `*` is, and how much of the text it has taken.
        let mut star: Option<(usize, usize)> = None;
        while let Some(char) = text.get(from) {
            match self.0.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(wanted) if *wanted == '?' || wanted == char => (at, from) = (at + 1, from + 1),
                _ => {
                    let Some((begin, taken)) = star else { return false };
                    star = Some((begin, taken + 1));
                    (at, from) = (begin + 1, taken + 1);
                }
            }
        }
        self.0.iter().skip(at).all(|rest| *rest == '*')
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

impl Network {
    /// Whether the address is one of the network. An IPv4 address written as an IPv6 one is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(of), IpAddr::V4(it)) => masked4(of, self.bits) == masked4(it, self.bits),
            (IpAddr::V6(of), IpAddr::V6(it)) => masked6(of, self.bits) == masked6(it, self.bits),
            _ => false,
        }
    }
}

fn masked4(address: Ipv4Addr, bits: u8) -> u32 {
    u32::from(address).checked_shr(32_u32.saturating_sub(bits.into())).unwrap_or_default()
}

fn masked6(address: Ipv6Addr, bits: u8) -> u128 {
    u128::from(address).checked_shr(128_u32.saturating_sub(bits.into())).unwrap_or_default()
}

impl FromStr for Network {
    type Err = PlacementError;

    fn from_str(text: &str) -> Result<Self, PlacementError> {
        let wrong = || PlacementError::Network(text.chars().take(limits::NAME_BYTES_MAX).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = PlacementError;

    fn try_from(text: String) -> Result<Self, PlacementError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Glob {
    type Error = PlacementError;

    fn try_from(text: String) -> Result<Self, PlacementError> {
        Self::new(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|char| fmt::Write::write_char(f, *char))
    }
}

impl Match {
    /// Whether it fits the device.
    pub fn fits(&self, device: &Device<'_>) -> bool {
        match self {
            Self::Host(glob) => glob.fits(device.host),
            Self::Address(network) => device.addresses.iter().any(|address| network.contains(*address)),
            // Windows names its users with their domain in front, as nobody else does.
            Self::User(glob) => device.users.iter().any(|user| {
                glob.fits(user) || user.rsplit_once('\\').is_some_and(|(_, name)| glob.fits(name))
            }),
            Self::Device(id) => device.id == Some(*id),
        }
    }
}

impl Placement {
    /// Rules that put devices into nodes of this organisation.
    ///
    /// # Errors
    /// When there are too many, or one names a node that is not there.
    pub fn new(rules: Vec<Rule>, organisation: &Organisation) -> Result<Self, PlacementError> {
        if rules.len() > PLACEMENTS_MAX {
            return Err(PlacementError::TooMany);
        }
        let placement = Self(rules);
        placement.check(organisation)?;
        Ok(placement)
    }

    pub(super) fn check(&self, organisation: &Organisation) -> Result<(), PlacementError> {
        match self.0.iter().zip(1..).find(|(rule, _)| organisation.node(&rule.node).is_none()) {
            Some((rule, row)) => Err(PlacementError::UnknownNode { row, node: rule.node.clone() }),
            None => Ok(()),
        }
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// The node of a device; `None`: no rule fits, it belongs to the root.
    pub fn node(&self, device: &Device<'_>) -> Option<&NodeId> {
        self.0.iter().find(|rule| rule.matches.fits(device)).map(|rule| &rule.node)
    }
}
