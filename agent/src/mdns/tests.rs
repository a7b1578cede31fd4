//! Real daemons, on the loopback interface alone. Tests of several processes share it: each looks for its own devices.

mod liars;

use seatkeeper_protocol::id::PublicKey;
use tokio::time::timeout;

use super::*;
use crate::keys;

const LONG: Duration = Duration::from_secs(20);

fn on_loopback() -> Mdns {
    Mdns::start(Interfaces::Only(vec!["lo".to_owned()])).unwrap()
}

fn device() -> DeviceId {
    PublicKey(keys::random().unwrap()).device()
}

fn of(device: DeviceId, generation: u32) -> Announcement {
    Announcement {
        device,
        site: "abcdefgh".to_owned(),
        name: Some(Name::new("Büro").unwrap()),
        generation,
        addresses: Vec::new(),
    }
}

/// The next sighting of one of these devices.
async fn next(sightings: &mut mpsc::Receiver<Sighting>, devices: &[DeviceId]) -> Sighting {
    let found = async {
        loop {
            let sighting = sightings.recv().await.expect("the browse goes on");
            let device = match &sighting {
                Sighting::Seen(announcement) => announcement.device,
                Sighting::Gone(device) => *device,
            };
            if devices.contains(&device) {
                return sighting;
            }
        }
    };
    timeout(LONG, found).await.expect("not seen")
}

async fn seen(sightings: &mut mpsc::Receiver<Sighting>, device: DeviceId) -> Announcement {
    match next(sightings, &[device]).await {
        Sighting::Seen(announcement) => announcement,
        Sighting::Gone(device) => panic!("{device} gone"),
    }
}

#[tokio::test]
async fn two_agents_find_each_other_on_loopback() {
    let (a, b) = (on_loopback(), on_loopback());
    let (of_a, of_b) = (device(), device());
    let (mut sees_a, mut sees_b) = (b.browse(), a.browse());
    a.announce(&of(of_a, 1), 7001).unwrap();
    b.announce(&of(of_b, 2), 7002).unwrap();

    let found = seen(&mut sees_a, of_a).await;
    assert_eq!(Announcement { addresses: Vec::new(), ..found.clone() }, of(of_a, 1));
    assert_eq!(found.addresses[0], SocketAddr::from(([127, 0, 0, 1], 7001)));
    assert!(found.addresses.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    assert_eq!(seen(&mut sees_b, of_b).await.generation, 2);

    // A new generation is announced; the same one again is no news.
    a.announce(&of(of_a, 1), 7001).unwrap();
    a.announce(&of(of_a, 3), 7001).unwrap();
    assert_eq!(seen(&mut sees_a, of_a).await.generation, 3);

    // Who says farewell is gone at once, and back at once.
    a.withdraw();
    assert_eq!(next(&mut sees_a, &[of_a]).await, Sighting::Gone(of_a));
    a.announce(&of(of_a, 3), 7003).unwrap();
    assert_eq!(seen(&mut sees_a, of_a).await.addresses[0].port(), 7003);
    a.shutdown().await;
    assert_eq!(next(&mut sees_a, &[of_a]).await, Sighting::Gone(of_a));
    b.shutdown().await;
}

#[tokio::test]
async fn a_second_browse_sees_what_the_first_one_saw() {
    let (a, b) = (on_loopback(), on_loopback());
    let of_a = device();
    a.announce(&of(of_a, 1), 7001).unwrap();
    let mut first = b.browse();
    let found = seen(&mut first, of_a).await;
    drop(first);
    assert_eq!(seen(&mut b.browse(), of_a).await, found);
}

#[tokio::test]
async fn a_device_is_asked_for_by_name_once_at_a_time() {
    let b = on_loopback();
    let wanted = device();
    b.look_for(&wanted);
    b.look_for(&wanted);
    let asked = async {
        loop {
            let metrics = b.daemon.get_metrics().unwrap().recv_async().await.unwrap();
            if let Some(asked) = metrics.get("resolve-hostname").filter(|asked| **asked > 0) {
                return *asked;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(LONG, asked).await.expect("nothing is asked"), 1);
    assert_eq!(*lock(&b.looks), BTreeSet::from([wanted]));
    for _ in 0..2 * LOOKS_MAX {
        b.look_for(&device());
    }
    assert_eq!(lock(&b.looks).len(), LOOKS_MAX);
    // An end of the daemon is the end of every look.
    b.shutdown().await;
    let over = async {
        while !lock(&b.looks).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, over).await.expect("looks go on");
}

type Properties = Vec<(&'static str, String)>;

#[tokio::test]
async fn malformed_announcements_are_none() {
    let (daemon, b) = (on_loopback(), on_loopback());
    let mut sightings = b.browse();
    let mut bad = Vec::new();
    let mut publish = |change: &dyn Fn(&mut Properties)| {
        let device = device();
        let mut properties = vec![
            ("v", "1".to_owned()),
            ("site", "abcdefgh".to_owned()),
            ("dev", device.to_string()),
            ("gen", "1".to_owned()),
        ];
        change(&mut properties);
        let host = format!("{device}.local.");
        let mut service = ServiceInfo::new(SERVICE, &device.to_string(), &host, "", 7001, &properties[..])
            .unwrap()
            .enable_addr_auto();
        service.set_requires_probe(false);
        daemon.daemon.register(service).unwrap();
        bad.push(device);
    };
    publish(&|p| p[0].1 = "2".to_owned());
    publish(&|p| p[1].1 = "../../etc".to_owned());
    publish(&|p| p[1].1 = String::new());
    publish(&|p| p[2].1 = device().to_string());
    publish(&|p| p[2].1 = "x".repeat(200));
    publish(&|p| p[3].1 = "-1".to_owned());
    publish(&|p| p.truncate(1));
    publish(&|p| p.clear());
    // Last, a good one: when it is seen, the bad ones have been.
    publish(&|_| {});
    let good = *bad.last().unwrap();
    assert_eq!(seen_among(&mut sightings, &bad).await, good);
    daemon.shutdown().await;
}

async fn seen_among(sightings: &mut mpsc::Receiver<Sighting>, devices: &[DeviceId]) -> DeviceId {
    match next(sightings, devices).await {
        Sighting::Seen(announcement) => announcement.device,
        Sighting::Gone(device) => panic!("{device} gone"),
    }
}

#[test]
fn link_local_addresses_need_their_interface() {
    let check = |ip: IpAddr, expected: Option<&str>| {
        let expected = expected.map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(address(&ScopedIp::from(ip), 7410), expected, "{ip}");
    };
    check("10.0.0.7".parse().unwrap(), Some("10.0.0.7:7410"));
    check("2001:db8::7".parse().unwrap(), Some("[2001:db8::7]:7410"));
    // Without an interface it can't be dialed.
    check("fe80::7".parse().unwrap(), None);
    check("0.0.0.0".parse().unwrap(), None);
    check("ff02::fb".parse().unwrap(), None);
}
