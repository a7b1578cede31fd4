//! A program that trusts its vendor's key alone, and the real agent.

use seatkeeper_client::verify::{PublicKey, Verifier, VerifyError, WallTime};
use seatkeeper_client::{Client, api};

use crate::office::{Office, eventually};

/// What the office's vendor compiles into the program `cad`.
fn verifier(office: &Office) -> Verifier {
    let key = std::fs::read_to_string(office.path("vendor.key.pub")).unwrap();
    let key = key.lines().find_map(|line| line.strip_prefix("key = "));
    let key: PublicKey = key.expect("a key").trim_matches('"').parse().unwrap();
    Verifier::new(key, "cad".parse().unwrap()).version("2026.1".parse().unwrap())
}

#[tokio::test]
async fn a_seat_of_an_honest_agent_is_proven() {
    let mut office = Office::with_two_seats().await;
    let verifier = verifier(&office).remember_in(office.path("sites.json"));
    let mut seat = verifier.take_seat(&office.client).await.unwrap();
    let device = office.client.status().await.unwrap().me.unwrap().id;
    let verified = seat.verified();
    assert_eq!((verified.license.seats, verified.certificate.number), (2, 1));
    assert_eq!(verified.ticket.device.to_string(), device);
    let listed = office.until_seats(1).await;
    assert_eq!(listed[0].id, verified.ticket.seat.to_string());
    seat.check_again().await.unwrap();
    // Another program beside it has a ticket of its own.
    let other = verifier.take_seat(&office.client).await.unwrap();
    assert_ne!(other.verified().ticket.nonce, seat.verified().ticket.nonce);
    drop(other);
    office.until_seats(1).await;
    // The agent is killed: the seat goes on, and is proven anew.
    office.kill_agent().await;
    assert!(seat.check_again().await.unwrap_err().is_transient());
    office.start_agent().await;
    let before = seat.verified().ticket.clone();
    eventually("the seat is resumed", async || seat.resume().await.is_ok()).await;
    let after = &seat.verified().ticket;
    assert_eq!((after.seat, &after.nonce), (before.seat, &before.nonce));
    assert!(after.serial > before.serial);
    drop(seat);
    office.until_seats(0).await;
}

#[tokio::test]
async fn who_waits_gets_a_ticket_with_his_nonce_too() {
    let office = Office::with_two_seats().await;
    let verifier = verifier(&office);
    let held = verifier.take_seat(&office.client).await.unwrap();
    let _other = verifier.take_seat(&office.client).await.unwrap();
    let refused = verifier.take_seat(&office.client).await.unwrap_err();
    assert!(matches!(&refused, VerifyError::Client(error) if error.problem().is_some()), "{refused}");
    let (in_line, out) = tokio::sync::oneshot::channel();
    let (mut in_line, client) = (Some(in_line), office.client.clone());
    let waits = tokio::spawn(async move {
        let told = |_: &api::SeatWaiting| {
            if let Some(in_line) = in_line.take() {
                in_line.send(()).unwrap();
            }
        };
        verifier.wait_for_seat(&client, 60, told).await.map(|_| ())
    });
    out.await.unwrap();
    drop(held);
    waits.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_borrowed_seat_is_proven_by_its_dates() {
    let office = Office::with_two_seats().await;
    office.license("L2", "2026", 1, "borrow = { max_days = 7 }\n").await;
    let verifier = verifier(&office);
    let borrow = api::BorrowRequest {
        product: "cad".to_owned(),
        version: Some("2026.1".to_owned()),
        features: Vec::new(),
        until: None,
        for_s: Some(3_600),
        renew: false,
    };
    office.client.borrow(&borrow).await.unwrap();
    let mut seat = verifier.take_seat(&office.client).await.unwrap();
    let verified = seat.verified().clone();
    assert_eq!((verified.license.id.as_str(), &verified.ticket.nonce), ("L2", &None));
    assert!(verified.ticket.ends.is_some());
    let again = seat.check_again().await.unwrap();
    assert_eq!(again.ticket, verified.ticket);
}

#[tokio::test]
async fn a_seat_that_is_not_proven_is_given_back() {
    let office = Office::with_two_seats().await;
    // Another vendor's program of the same name.
    let other = Verifier::new(PublicKey([7; 32]), "cad".parse().unwrap());
    let found = other.take_seat(&office.client).await.unwrap_err();
    assert!(matches!(found, VerifyError::OtherVendor { .. }), "{found}");
    office.until_seats(0).await;
}

#[tokio::test]
async fn what_the_agent_said_to_one_program_is_of_no_use_to_another() {
    let office = Office::with_two_seats().await;
    let verifier = verifier(&office);
    let now = WallTime(0);
    let (one, other) = (verifier.challenge().unwrap(), verifier.challenge().unwrap());
    let held = office.client.take_seat(&verifier.request(&one)).await.unwrap();
    let session = &held.granted().session;
    let proof = office.client.prove(session, &one.proof_nonce()).await.unwrap();
    verifier.check(one, &proof, now).unwrap();
    let found = verifier.check(other, &proof, now);
    assert!(matches!(found, Err(VerifyError::Replayed)), "{found:?}");
    // Nor is the same seat's proof of an earlier nonce.
    let again = verifier.challenge().unwrap();
    let resumed = api::SeatRequest { session: Some(session.clone()), ..verifier.request(&again) };
    let resumed = office.client.take_seat(&resumed).await.unwrap();
    assert_eq!(
        (&resumed.granted().seat, resumed.granted().session.as_str()),
        (&proof.seat, session.as_str())
    );
    let fresh = office.client.prove(&proof.seat, &again.proof_nonce()).await.unwrap();
    let stale = api::SeatProof { signature: proof.signature.clone(), ..fresh.clone() };
    assert_ne!(fresh.ticket, proof.ticket);
    let found = verifier.check(again, &stale, now);
    assert!(matches!(found, Err(VerifyError::ProofForged)), "{found:?}");
    assert_eq!(office.seats().await.len(), 1);
}

#[tokio::test]
async fn only_a_seat_that_is_here_is_proven() {
    let office = Office::with_two_seats().await;
    let held = office.client.take_seat(&api::SeatRequest::product("cad")).await.unwrap();
    let nonce = "AAAAAAAAAAAAAAAAAAAAAA";
    let status = async |client: &Client, id: &str, nonce: &str| {
        let error = client.prove(id, nonce).await.unwrap_err();
        error.problem().map(|problem| problem.status)
    };
    // A seat that was taken without a nonce can be proven too, though not to be new.
    let proof = office.client.prove(&held.granted().seat, nonce).await.unwrap();
    assert_eq!((proof.format, &proof.ticket), (1, &held.granted().ticket));
    assert_eq!(status(&office.client, "7000", nonce).await, Some(404));
    assert_eq!(status(&office.client, &"01".repeat(16), nonce).await, Some(404));
    assert_eq!(status(&office.client, &held.granted().seat, "AAAA").await, Some(400));
    let seat = held.granted().seat.clone();
    drop(held);
    eventually("the seat is gone", async || office.client.prove(&seat, nonce).await.is_err()).await;
    assert_eq!(status(&office.client, &seat, nonce).await, Some(404));
}

/// Another person on the same machine cannot have somebody's seat proven. Run again by itself as that person.
#[tokio::test]
async fn only_ones_own_seat_is_proven() {
    const SOCKET: &str = "SEATKEEPER_TEST_SOCKET";
    const SEAT: &str = "SEATKEEPER_TEST_SEAT";
    let nonce = "AAAAAAAAAAAAAAAAAAAAAA";
    if let (Ok(socket), Ok(seat)) = (std::env::var(SOCKET), std::env::var(SEAT)) {
        let error = Client::with_socket(socket).prove(&seat, nonce).await.unwrap_err();
        assert_eq!(error.problem().map(|problem| problem.status), Some(404), "{error}");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        use std::io::Write;
        assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        writeln!(std::io::stderr(), "skipped: only root can become another person").ok();
        return;
    }
    let office = Office::with_two_seats().await;
    let held = office.client.take_seat(&api::SeatRequest::product("cad")).await.unwrap();
    office.client.prove(&held.granted().seat, nonce).await.unwrap();
    // Both must be within that person's reach.
    for (path, mode) in [(office.dir.path(), 0o755), (office.client.socket(), 0o666)] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let copy = office.path("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for id in [&held.granted().seat, &held.granted().session] {
        let mut other = tokio::process::Command::new(&copy);
        other
            .args(["--exact", "verify::only_ones_own_seat_is_proven"])
            .current_dir("/")
            .uid(65_534)
            .gid(65_534);
        let other = other.env(SOCKET, office.client.socket()).env(SEAT, id).output().await.unwrap();
        let said = String::from_utf8_lossy(&other.stdout);
        assert!(other.status.success() && said.contains("1 passed"), "{said}");
    }
}
