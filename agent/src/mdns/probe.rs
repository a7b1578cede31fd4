//! Whether multicast works: asking everybody on each network who is an agent, and listening who answers, and whether the
//! question itself came back.
//!
//! The daemon of this module's parent can't tell: it answers from what it remembers, and doesn't say what it hears.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use super::{Interfaces, SERVICE};
use crate::platform::host::{Interface, interfaces};
use crate::seam::checks::{Heard, Subnet};

/// RFC 6762 section 3.
const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// The question is asked twice, should a packet get lost: again after this part of the time.
const AGAIN_AFTER: u32 = 3;
/// Longest packet, bytes: RFC 6762 section 17.
const PACKET_BYTES_MAX: usize = 9_000;
/// Machines told of.
const OTHERS_MAX: usize = 64;

/// Asks on each of these interfaces that is up, and listens so long.
///
/// # Errors
/// When the system tells of no interface, or gives no socket.
pub async fn hear(on: &Interfaces, within: Duration) -> io::Result<Vec<Heard>> {
    let ears = Ears::open(interfaces()?.into_iter().filter(|found| is_wanted(on, found)).collect())?;
    let deadline = tokio::time::sleep(within);
    let again = tokio::time::sleep(within / AGAIN_AFTER);
    tokio::pin!(deadline, again);
    let (mut v4, mut v6) = (vec![0; PACKET_BYTES_MAX], vec![0; PACKET_BYTES_MAX]);
    let mut told = BTreeSet::new();
    ears.ask();
    let mut asked_again = false;
    loop {
        let heard = tokio::select! {
            () = &mut deadline => break,
            () = &mut again, if !asked_again => {
                asked_again = true;
                ears.ask();
                continue;
            }
            (len, from) = receive(ears.v4.as_ref(), &mut v4) => ears.understand(v4.get(..len), from),
            (len, from) = receive(ears.v6.as_ref(), &mut v6) => ears.understand(v6.get(..len), from),
        };
        if told.len() < OTHERS_MAX {
            told.extend(heard);
        }
    }
    Ok(ears.heard(&told))
}

fn is_wanted(on: &Interfaces, found: &Interface) -> bool {
    match on {
        Interfaces::All => !found.is_loopback,
        Interfaces::Only(names) => {
            let loopback = found.is_loopback && names.iter().any(|name| name == "lo");
            loopback || names.contains(&found.name)
        }
    }
}

/// The next packet. Without a socket, or when it fails, there is none.
async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> (usize, SocketAddr) {
    if let Some(socket) = socket
        && let Ok(received) = socket.recv_from(buffer).await
    {
        return received;
    }
    std::future::pending().await
}

/// Something heard on an interface: of whom, or this machine itself.
type Sound = (String, Option<IpAddr>);

struct Ears {
    interfaces: Vec<Interface>,
    question: Vec<u8>,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Ears {
    /// Either family may be missing on a machine, or on all its interfaces.
    fn open(interfaces: Vec<Interface>) -> io::Result<Self> {
        let mut failure = None;
        let mut open = |domain| {
            let of_domain = |interface: &&Interface| interface.address.is_ipv4() == (domain == Domain::IPV4);
            let on: Vec<&Interface> = interfaces.iter().filter(of_domain).collect();
            if on.is_empty() {
                return None;
            }
            listen(domain, &on).map_err(|error| failure = Some(error)).ok()
        };
        let (v4, v6) = (open(Domain::IPV4), open(Domain::IPV6));
        match failure {
            Some(error) if v4.is_none() && v6.is_none() => Err(error),
            _ => Ok(Self { interfaces, question: question(), v4, v6 }),
        }
    }

    fn ask(&self) {
        for interface in &self.interfaces {
            if let Err(error) = self.ask_on(interface) {
                tracing::debug!(%error, interface = interface.name, "no question by multicast");
            }
        }
    }

    fn ask_on(&self, interface: &Interface) -> io::Result<()> {
        let (socket, group) = match (interface.address, &self.v4, &self.v6) {
            (IpAddr::V4(ip), Some(socket), _) => {
                SockRef::from(socket).set_multicast_if_v4(&ip)?;
                (socket, SocketAddr::from((GROUP_V4, PORT)))
            }
            (IpAddr::V6(_), _, Some(socket)) => {
                SockRef::from(socket).set_multicast_if_v6(interface.index)?;
                (socket, SocketAddrV6::new(GROUP_V6, PORT, 0, interface.index).into())
            }
            _ => return Ok(()),
        };
        // A queue that is full at this moment is as good as a lost packet.
        socket.try_send_to(&self.question, group).map(drop)
    }

    fn understand(&self, packet: Option<&[u8]>, from: SocketAddr) -> Option<Sound> {
        let packet = packet?;
        let ip = from.ip().to_canonical();
        if packet == self.question {
            let own = self.interfaces.iter().find(|own| own.address == ip)?;
            // A link-local address may be the same on two interfaces.
            let scope = match from {
                SocketAddr::V6(from) => self.interfaces.iter().find(|own| own.index == from.scope_id()),
                SocketAddr::V4(_) => None,
            };
            return Some((scope.unwrap_or(own).name.clone(), None));
        }
        if !is_answer(packet) || self.interfaces.iter().any(|own| own.address == ip) {
            return None;
        }
        let near = |own: &&Interface| match from {
            SocketAddr::V6(from) if from.scope_id() != 0 => own.index == from.scope_id(),
            _ => subnet(own).has(ip),
        };
        self.interfaces.iter().find(near).map(|own| (own.name.clone(), Some(ip)))
    }

    fn heard(&self, told: &BTreeSet<Sound>) -> Vec<Heard> {
        let names: BTreeSet<&str> = self.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        let on = |name: &str| Heard {
            interface: name.to_owned(),
            own: told.contains(&(name.to_owned(), None)),
            others: told.iter().filter(|(on, _)| on == name).filter_map(|(_, ip)| *ip).collect(),
        };
        names.into_iter().map(on).collect()
    }
}

pub(crate) fn subnet(interface: &Interface) -> Subnet {
    let Interface { name, address, prefix, .. } = interface.clone();
    Subnet { interface: name, address, prefix }
}

/// A socket that hears the group on these interfaces, beside whoever else on this machine does.
fn listen(domain: Domain, on: &[&Interface]) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    let any = if domain == Domain::IPV4 {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))
    } else {
        socket.set_only_v6(true)?;
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))
    };
    socket.set_nonblocking(true)?;
    socket.bind(&any.into())?;
    for interface in on {
        let joined = match interface.address {
            IpAddr::V4(ip) => socket.join_multicast_v4(&GROUP_V4, &ip),
            IpAddr::V6(_) => socket.join_multicast_v6(&GROUP_V6, interface.index),
        };
        // A second address on one interface joins what is joined already.
        if let Err(error) = joined {
            tracing::debug!(%error, interface = interface.name, "multicast is not joined");
        }
    }
    UdpSocket::from_std(socket.into())
}

/// Who is an agent: RFC 1035 section 4.1, RFC 6762 section 18. Its id, which nobody looks at, is that of this process, so that
/// the question is known again.
fn question() -> Vec<u8> {
    let id = u16::try_from(std::process::id() % u32::from(u16::MAX)).unwrap_or_default();
    let mut packet = id.to_be_bytes().to_vec();
    // No flags, one question, nothing else.
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in SERVICE.trim_end_matches('.').split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or_default());
        packet.extend(label.as_bytes());
    }
    // The root; pointers, of the Internet.
    packet.extend([0, 0, 12, 0, 1]);
    packet
}

/// Whether a packet is an answer of an agent.
fn is_answer(packet: &[u8]) -> bool {
    let label = SERVICE.split('.').next().unwrap_or_default().as_bytes();
    let answers = packet.get(2).is_some_and(|flags| flags & 0x80 != 0);
    answers && packet.windows(label.len()).any(|part| part.eq_ignore_ascii_case(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: u32, address: &str, prefix: u8) -> Interface {
        let (name, address) = (name.to_owned(), address.parse().unwrap());
        Interface { name, index, address, prefix, is_loopback: false }
    }

    #[test]
    fn who_is_heard_where() {
        let interfaces = vec![
            interface("eth0", 2, "10.0.0.1", 24),
            interface("wlan0", 3, "10.0.1.1", 24),
            interface("wlan0", 3, "fe80::1", 64),
        ];
        let ears = Ears { interfaces, question: question(), v4: None, v6: None };
        let mut answer = question();
        answer[2] = 0x84;
        let eth0 = |ip: &str| Some(("eth0".to_owned(), Some(ip.parse().unwrap())));
        let check = |packet: &[u8], from: &str, expected: Option<Sound>| {
            assert_eq!(ears.understand(Some(packet), from.parse().unwrap()), expected, "{from}");
        };
        check(&answer, "10.0.0.2:5353", eth0("10.0.0.2"));
        check(&answer, "10.0.0.1:5353", None);
        check(&answer, "10.0.9.2:5353", None);
        check(&question(), "10.0.0.1:5353", Some(("eth0".to_owned(), None)));
        check(&question(), "10.0.0.2:5353", None);
        check(&question()[..20], "10.0.0.1:5353", None);
        check(&[], "10.0.0.2:5353", None);
        check(b"\0\0\x84\0 another service", "10.0.0.2:5353", None);
        let scoped = SocketAddrV6::new("fe80::2".parse().unwrap(), PORT, 0, 3);
        let heard = ears.understand(Some(&answer), scoped.into());
        assert_eq!(heard, Some(("wlan0".to_owned(), Some("fe80::2".parse().unwrap()))));

        let told = BTreeSet::from([("eth0".to_owned(), None), eth0("10.0.0.2").unwrap()]);
        let others = vec!["10.0.0.2".parse().unwrap()];
        assert_eq!(
            ears.heard(&told),
            [
                Heard { interface: "eth0".to_owned(), own: true, others },
                Heard { interface: "wlan0".to_owned(), own: false, others: Vec::new() },
            ]
        );
    }

    #[test]
    fn the_loopback_interface_is_asked_only_by_name() {
        let lo = Interface { is_loopback: true, ..interface("lo", 1, "127.0.0.1", 8) };
        assert!(!is_wanted(&Interfaces::All, &lo));
        assert!(is_wanted(&Interfaces::Only(vec!["lo".to_owned()]), &lo));
        assert!(!is_wanted(&Interfaces::Only(vec!["eth0".to_owned()]), &lo));
        assert!(is_wanted(&Interfaces::All, &interface("eth0", 2, "10.0.0.1", 24)));
    }
}
