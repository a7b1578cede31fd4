//! Finding, joining, waiting, being shut out.

use seatkeeper_client::verify::{Challenge, PublicKey, Verifier, WallTime};
use seatkeeper_client::{Client, api};

use crate::host::Host;
use crate::lan::Lan;
use crate::office::{CAD, Office, TTL_S, UNAVAILABLE, checkout, start};
use crate::program::Program;
use crate::wait::{Watch, measured, stays, wait_until};

#[test]
fn five_hosts_find_each_other_and_join_by_code() {
    let Some(lan) = Lan::new(5) else { return };
    let watch = Watch::start();
    let office = Office::of(&lan);
    measured("five agents started, joined and settled", watch);
    let holder = office.holder();
    for host in lan.hosts() {
        assert_eq!(host.status("/site/name").as_deref(), Some("office"), "on {}", host.name);
        assert_eq!(host.status("/holder/name").as_deref(), Some(&*holder.name), "on {}", host.name);
    }
    // The code is used up.
    let code = office.invite(1);
    let (first, second) = (lan.host(4), lan.host(5));
    for host in [first, second] {
        host.ok(&["site", "leave"]);
    }
    first.ok(&["site", "join", &code]);
    let refused = second.cli(&["site", "join", &code]);
    assert_ne!(refused.code, 0, "a code for one machine let a second one in");
    assert_ne!(second.status("/me/role").as_deref(), Some("spare"));
}

#[test]
fn a_device_without_a_code_gets_nothing() {
    let Some(lan) = Lan::new(3) else { return };
    start(lan.hosts());
    let mut office = Office::found(lan.host(1), "office");
    office.license(CAD, 3, TTL_S);
    office.join(&[lan.host(2)]);
    let stranger = lan.host(3);
    assert_eq!(checkout(stranger, CAD).code, UNAVAILABLE);

    let told = stranger.json(&["site", "join"]);
    assert_eq!(told["waiting"], true);
    assert_eq!(told["device"].as_str(), Some(&*stranger.device()));
    stays("the stranger waits and gets nothing", 5, || {
        stranger.status("/me/role").as_deref() == Some("waiting") && checkout(stranger, CAD).code != 0
    });
    assert_eq!(office.devices().expect("devices").len(), 2);

    // The admin compares what the machine shows with what the site shows.
    let fingerprint = stranger.device();
    let waiting = lan.host(1).json(&["device", "list"])["waiting"].clone();
    assert_eq!(waiting[0]["id"].as_str(), Some(&*fingerprint), "{waiting}");
    office.signed(&["device", "admit", &fingerprint]);
    let watch = Watch::start();
    wait_until("the admitted machine gets a seat", 20, || (checkout(stranger, CAD).code == 0).then_some(()));
    measured("a seat on the admitted machine", watch);
}

#[test]
fn two_sites_on_one_lan_are_never_confused() {
    let Some(lan) = Lan::new(5) else { return };
    start(lan.hosts());
    let (mut north, mut south) = (Office::found(lan.host(1), "north"), Office::found(lan.host(2), "south"));
    north.license("north-cad", 2, TTL_S);
    south.license("south-cad", 2, TTL_S);
    north.join(&[lan.host(3)]);
    // Its code finds the right site whoever else answers.
    south.join(&[lan.host(4), lan.host(5)]);
    north.settle();
    south.settle();
    for (office, name, own, others) in
        [(&north, "north", "north-cad", "south-cad"), (&south, "south", "south-cad", "north-cad")]
    {
        for host in &office.hosts {
            assert_eq!(host.status("/site/name").as_deref(), Some(name), "on {}", host.name);
            let holder = host.status("/holder/name").expect("a holder");
            assert!(office.hosts.iter().any(|member| member.name == holder), "{holder} holds {name}");
            assert_eq!(checkout(host, own).code, 0, "{own} on {}", host.name);
            assert_ne!(checkout(host, others).code, 0, "{others} on {}", host.name);
        }
    }
    // One site's trouble is not the other's.
    let holder = south.holder();
    lan.power_off(holder);
    assert_eq!(checkout(lan.host(1), "north-cad").code, 0);
    let survivor = south.without(holder)[0];
    wait_until("the south gets a new holder", 20, || {
        (checkout(survivor, "south-cad").code == 0).then_some(())
    });
    assert_eq!(north.devices().expect("devices").len(), 2);
    assert_eq!(south.devices().expect("devices").len(), 3);
}

#[test]
fn revoking_shuts_the_door_at_once() {
    let Some(lan) = Lan::new(4) else { return };
    let office = Office::of(&lan);
    let thief = *office.without(office.holder()).iter().rev().find(|host| host.number != 1).expect("a host");
    let mut programs = vec![Program::start(thief, CAD)];
    let id = thief.device();
    let recovery = lan.host(1).file("recovery");
    let recovery = recovery.to_str().expect("a plain path");
    let loyal = *office.without(thief).last().expect("a host");
    let [before, kept] = [(); 2].map(|()| Proven::on(loyal, lan.host(1)));
    assert_eq!(before.check(), Ok(1));
    office.signed(&["device", "revoke", &id, "--recovery-file", recovery]);
    let watch = Watch::start();
    assert_ne!(checkout(thief, CAD).code, 0, "a revoked machine got a seat");
    assert!(office.devices().expect("devices").iter().all(|(name, _, _)| *name != thief.name));

    // Its program ends with its lease; only then is the seat free.
    for host in office.without(thief).into_iter().take(2) {
        programs.push(Program::start(host, CAD));
    }
    wait_until("the revoked machine's seat is free", TTL_S + 15, || {
        never_more(&mut programs);
        (checkout(loyal, CAD).code == 0).then_some(())
    });
    measured("the revoked machine's seat is free", watch);
    assert!(programs[0].lost(), "the revoked machine's program was not told: {}", programs[0].output());
    assert_ne!(checkout(thief, CAD).code, 0);
    lan.host(1).ok(&["status"]);

    // The thief knew the key that signs tickets: programs believe the new one, and the old one no more.
    assert_eq!(Proven::on(loyal, lan.host(1)).check(), Ok(2));
    let refused = kept.check().expect_err("a ticket of the key that the thief knows is believed");
    assert!(refused.contains("key number 1, which it replaced by number 2"), "{refused}");
}

/// A seat as a program sees it that trusts its vendor alone.
struct Proven {
    verifier: Verifier,
    challenge: Challenge,
    proof: api::SeatProof,
}

impl Proven {
    /// Takes a seat and its proof on a host, and gives the seat back.
    fn on(host: &Host, vendor: &Host) -> Self {
        let key = std::fs::read_to_string(vendor.file(&format!("{CAD}.key.pub"))).expect("the vendor's key");
        let key = key.lines().find_map(|line| line.strip_prefix("key = ")).expect("a key");
        let key: PublicKey = key.trim_matches('"').parse().expect("a key");
        let product = CAD.parse().expect("a product");
        let verifier = Verifier::new(key, product).remember_in(host.file("sites.json"));
        let client = Client::with_socket(host.file("agent.sock"));
        let take = async {
            let challenge = verifier.challenge().expect("a nonce");
            let held = client.take_seat(&verifier.request(&challenge)).await.expect("a seat");
            let session = &held.granted().session;
            let proof = client.prove(session, &challenge.proof_nonce()).await.expect("a proof");
            (challenge, proof)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (challenge, proof) = runtime.block_on(take);
        Self { verifier, challenge, proof }
    }

    /// By which of the site's keys it is believed.
    fn check(self) -> Result<u32, String> {
        let checked = self.verifier.check(self.challenge, &self.proof, WallTime(0));
        checked.map(|verified| verified.certificate.number).map_err(|error| error.to_string())
    }
}

#[track_caller]
fn never_more(programs: &mut [Program]) {
    crate::office::never_more_than(3, programs);
}

#[test]
fn the_first_machine_leaves_only_after_another_keeps_the_books() {
    let Some(lan) = Lan::new(2) else { return };
    start(lan.hosts());
    let (old, new) = (lan.host(1), lan.host(2));
    let mut office = Office::found(old, "office");
    office.license(CAD, 3, TTL_S);
    assert_ne!(old.cli(&["site", "leave"]).code, 0, "the last machine left and took the books along");
    office.join(&[new]);
    // The new machine is off: nobody else has the books.
    lan.power_off(new);
    assert_ne!(old.cli(&["site", "leave"]).code, 0, "the only machine with the books left");
    assert_eq!(checkout(old, CAD).code, 0, "a refused leave changes nothing");
    lan.power_on(new);

    // Nor does it leave while a program uses a seat.
    let program = Program::start(old, CAD);
    let refused = old.cli(&["site", "leave"]);
    assert_ne!(refused.code, 0, "left under a running program");
    program.end();

    wait_until("the old machine leaves", 60, || (old.cli(&["site", "leave"]).code == 0).then_some(()));
    wait_until("the new machine goes on with the licenses", 20, || {
        (checkout(new, CAD).code == 0).then_some(())
    });
    assert_eq!(old.status("/me/role").as_deref(), Some("none"));
}
