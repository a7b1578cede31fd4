//! Somebody on the network who announces what he likes, in packets of his own making.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::*;

/// False announcements, each of another device.
const LIES: usize = 3_000;
/// The group and port of mDNS.
const EVERYBODY: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

fn on_loopback_too() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_multicast_loop_v4(true).unwrap();
    // Answers from another port than this are not listened to.
    socket.set_reuse_address(true).unwrap();
    #[cfg(unix)]
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, EVERYBODY.1)).into()).unwrap();
    socket.into()
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let (class, ttl) = (1u16, 120u32);
    let len = u16::try_from(data.len()).unwrap();
    let head = [&kind.to_be_bytes()[..], &class.to_be_bytes(), &ttl.to_be_bytes(), &len.to_be_bytes()];
    [name(owner), head.concat(), data.to_vec()].concat()
}

/// Says that `device` is of `site`, at this address.
fn lie(device: &DeviceId, site: &str, called: &str, address: Ipv4Addr) -> Vec<u8> {
    let (instance, host) = (full_name(device), host_name(device));
    let properties = [
        "v=1".to_owned(),
        format!("site={site}"),
        format!("dev={device}"),
        "gen=1".to_owned(),
        format!("name={called}"),
    ];
    let mut text = Vec::new();
    for property in properties {
        text.push(u8::try_from(property.len()).unwrap());
        text.extend(property.as_bytes());
    }
    let service = [&[0, 0, 0, 0][..], &7_001u16.to_be_bytes(), &name(&host)].concat();
    let header = [0u16, 0x8400, 0, 4, 0, 0].map(u16::to_be_bytes).concat();
    [
        header,
        record(SERVICE, 12, &name(&instance)),
        record(&instance, 33, &service),
        record(&instance, 16, &text),
        record(&host, 1, &address.octets()),
    ]
    .concat()
}

#[tokio::test]
async fn thousands_of_lies_hide_nobody() {
    let (a, b) = (on_loopback(), on_loopback());
    let of_a = device();
    let mut sightings = b.browse();
    // One that is well made shows that lies get through at all.
    let liar = on_loopback_too();
    let first = device();
    let plain = lie(&first, "abcdefgh", "Office", Ipv4Addr::LOCALHOST);
    let heard = async {
        loop {
            liar.send_to(&plain, EVERYBODY).unwrap();
            let soon = timeout(Duration::from_millis(500), next(&mut sightings, &[first])).await;
            if let Ok(Sighting::Seen(announcement)) = soon {
                return announcement;
            }
        }
    };
    let announcement = timeout(LONG, heard).await.expect("the liar is heard");
    assert_eq!(announcement.addresses, [SocketAddr::from(([127, 0, 0, 1], 7_001))]);

    let absurd = [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 251], [127, 0, 0, 1], [10, 1, 2, 3]];
    let lied_of: Vec<DeviceId> = (0..LIES).map(|_| device()).collect();
    let invented: BTreeSet<DeviceId> = lied_of.iter().copied().collect();
    let flood = std::thread::spawn(move || {
        for (number, device) in lied_of.iter().enumerate() {
            let address = Ipv4Addr::from(absurd[number % absurd.len()]);
            let called = if number % 2 == 0 { "Office\u{1b}[2J\r\n".to_owned() } else { "x".repeat(200) };
            let site = if number % 3 == 0 { "../../et" } else { "abcdefgh" };
            // A full buffer loses a lie.
            let _ = liar.send_to(&lie(device, site, &called, address), EVERYBODY);
        }
        // At last, that the true one is elsewhere.
        let _ = liar.send_to(&lie(&of_a, "abcdefgh", "Office", Ipv4Addr::new(10, 6, 6, 6)), EVERYBODY);
    });
    tokio::task::spawn_blocking(move || flood.join().unwrap()).await.unwrap();
    a.announce(&of(of_a, 1), 7_002).unwrap();
    let mut lies = 0;
    let found = async {
        loop {
            match sightings.recv().await.expect("the browse goes on") {
                Sighting::Seen(seen) if seen.device == of_a => {
                    if seen.addresses.contains(&SocketAddr::from(([127, 0, 0, 1], 7_002))) {
                        return;
                    }
                }
                Sighting::Seen(seen) if invented.contains(&seen.device) => {
                    lies += 1;
                    assert!(seen.addresses.len() <= Announcement::ADDRESSES_MAX, "{seen:?}");
                    assert!(seen.site != "../../et" && seen.name.is_none(), "{seen:?}");
                    let dialable = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
                    assert!(seen.addresses.iter().all(|address| dialable(address.ip())), "{seen:?}");
                }
                Sighting::Seen(_) | Sighting::Gone(_) => {}
            }
        }
    };
    timeout(LONG, found).await.expect("the true one is found among the lies");
    assert!(lies > 0, "nobody lied");
    b.shutdown().await;
}
