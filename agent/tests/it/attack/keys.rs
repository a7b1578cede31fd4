//! Who may talk to an agent: without a key, with a guessed code, with a replayed proof, with a revoked key.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seatkeeper::keys::invite::InviteCode;
use seatkeeper_client::api::SeatEvent;
use seatkeeper_client::{SeatRequest, api};
use seatkeeper_election::seam::Channel;
use seatkeeper_ledger::command::{Checkout, Command};
use seatkeeper_ledger::encode_command;
use seatkeeper_protocol::id::{Generation, InviteId, RequestId, SessionId};
use seatkeeper_protocol::wire::{
    FromPeer, JOIN_EXPORTER_LABEL, JoinResponse, PeerRefusal, Query, Request, Response, SiteRef,
};
use tokio::time::Instant;

use super::peer::{Peer, ask_to_join, converse, hello, proof};
use crate::office::{Office, eventually};

/// That of the office's license: a seat for which nobody pings is gone by then, and its user is told before.
const TTL: Duration = Duration::from_secs(15);

/// How the site is named in the protocol: who is of it knows that, and so does who was.
async fn reference(office: &Office) -> SiteRef {
    let site = office.client.site().await.unwrap();
    let id = data_encoding::HEXLOWER.decode(site.generation_id.as_bytes()).unwrap().try_into().unwrap();
    SiteRef { site: site.id.parse().unwrap(), generation: Generation { number: site.generation, id } }
}

fn checkout(session: u8) -> Request {
    let command = Command::Checkout(Checkout {
        session: SessionId([session; 16]),
        user: "mallory".parse().unwrap(),
        product: "cad".parse().unwrap(),
        version: None,
        features: Vec::new(),
        pid: None,
    });
    let command = encode_command(&command).unwrap();
    Request::Device { request: RequestId { epoch: 1, counter: session.into() }, command, nonce: None }
}

fn refused_by_gate<T>(result: io::Result<T>, words: PeerRefusal) {
    let error = result.err().expect("a refusal");
    assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::PermissionDenied, words.to_string()));
}

async fn machines(office: &Office) -> Vec<api::Device> {
    office.client.devices().await.unwrap().devices
}

async fn invite(office: &Office) -> (String, InviteCode) {
    let text = office.signed(&["site", "invite"]).await;
    let code = text.trim().parse().unwrap();
    (text, code)
}

#[tokio::test]
async fn a_key_that_nobody_knows_opens_nothing() {
    let office = Office::with_two_seats().await;
    let (stranger, site) = (Peer::stranger(), reference(&office).await);
    for channel in [Channel::Session, Channel::Raft] {
        refused_by_gate(stranger.dial(&office, channel).await, PeerRefusal::NotEnrolled);
    }
    refused_by_gate(stranger.ask(&office, site, checkout(1)).await, PeerRefusal::NotEnrolled);

    // The one channel that is open to it takes nothing but a question to join.
    let mut stream = stranger.dial(&office, Channel::Join).await.unwrap();
    assert!(converse::<FromPeer>(&mut stream, &hello(site)).await.is_err());
    let (_, code) = invite(&office).await;
    let other_site = InviteCode { site: seatkeeper_protocol::id::SiteId([7; 20]), ..code };
    let answer = stranger.join(&office, &other_site).await;
    assert!(matches!(answer, JoinResponse::NotHolder { holder: None, address: None }), "{answer:?}");

    assert_eq!(machines(&office).await.len(), 1);
    assert_eq!(office.seats().await, []);
}

#[tokio::test]
async fn a_code_is_not_guessed_and_a_proof_is_good_for_one_connection() {
    const GUESSES: u8 = 200;
    let office = Office::with_two_seats().await;
    let (text, code) = invite(&office).await;
    let before = memory(&office);
    for guess in 0..GUESSES {
        let mut wrong = code.clone();
        match guess % 2 {
            0 => wrong.key[usize::from(guess) / 16] ^= 1 + guess,
            _ => wrong.invite = InviteId([guess; 16]),
        }
        let answer = Peer::stranger().join(&office, &wrong).await;
        let JoinResponse::Refused(words) = answer else { panic!("guess {guess}: {answer:?}") };
        // Neither is told apart from the other.
        assert!(words.starts_with("the invitation is not known or used up"), "{words}");
    }
    let grown = memory(&office).saturating_sub(before);
    println!("{GUESSES} guesses: the agent's memory grew by {grown} KiB");
    assert!(grown < 32 * 1024, "{grown} KiB");

    // A proof that was overheard, on another connection and under another key, and then on another of the same.
    let peer = Peer::stranger();
    let first = peer.dial(&office, Channel::Join).await.unwrap();
    let overheard = proof(&code.key, &first.exporter(JOIN_EXPORTER_LABEL).unwrap());
    for replayed_by in [&Peer::stranger(), &peer] {
        let mut stream = replayed_by.dial(&office, Channel::Join).await.unwrap();
        let answer = ask_to_join(&mut stream, &code, overheard).await.unwrap();
        assert!(matches!(answer, JoinResponse::Refused(_)), "{answer:?}");
    }
    assert_eq!(machines(&office).await.len(), 1);

    // The code still is what it was, once.
    let second = office.joined_by(&text).await;
    assert_eq!(machines(&office).await.len(), 2);
    drop(second);
    let answer = Peer::stranger().join(&office, &code).await;
    assert!(matches!(answer, JoinResponse::Refused(_)), "{answer:?}");
}

/// What the agent keeps in memory, KiB.
#[cfg(target_os = "linux")]
pub(super) fn memory(office: &Office) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", office.agent_pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn memory(_office: &Office) -> u64 {
    0
}

/// A machine was stolen. It is believed for as long as nobody knows; then it is worth nothing, and no more is what it
/// has said.
#[tokio::test]
async fn a_revoked_key_that_claims_to_hold_gets_nothing_and_misleads_nobody() {
    let mut office = Office::with_two_seats().await;
    let second = office.second().await;
    let mut thief = Peer::enrolled(&office).await;
    let site = reference(&office).await;
    let believed = thief.claim_to_hold();
    // It is let in, and so the others know where it is.
    let id = thief.device.to_string();
    for of in [&office, &second] {
        eventually("the thief is let in", async || {
            let seats = thief.ask(of, site, Request::Query(Query::Seats)).await;
            matches!(seats, Ok(Response::Json(_) | Response::NotHolder { .. }))
        })
        .await;
    }
    // Without the holder, the others ask everybody who holds now.
    office.kill_agent().await;
    let holder = async |of: &Office| of.client.status().await.ok()?.holder.map(|holder| holder.id);
    eventually("the thief is believed", async || believed.load(Ordering::SeqCst)).await;
    office.start_agent().await;
    eventually("the true holder is back", async || machines_of(&office).await == Some(3)).await;

    office.signed(&["device", "revoke", &id]).await;
    let begun = Instant::now();
    let request = SeatRequest::product("cad");
    let mut seat = None;
    eventually("the misled machine gets a seat", async || {
        seat = second.client.take_seat(&request).await.ok();
        seat.is_some()
    })
    .await;
    println!("the misled machine got a seat {:?} after the thief was revoked", begun.elapsed());
    // It also keeps it: it pings the true holder, not the thief.
    let kept = tokio::time::timeout(TTL, seat.as_mut().unwrap().next_event()).await;
    assert!(matches!(kept, Ok(Ok(Some(SeatEvent::Alive { .. })))), "{kept:?}");
    let me = office.client.status().await.unwrap().me.unwrap().id;
    assert_eq!(holder(&second).await, Some(me));

    for of in [&office, &second] {
        eventually("the thief is turned away", async || thief.dial(of, Channel::Session).await.is_err())
            .await;
        for channel in [Channel::Session, Channel::Raft] {
            refused_by_gate(thief.dial(of, channel).await, PeerRefusal::Revoked);
        }
        refused_by_gate(thief.ask(of, site, checkout(2)).await, PeerRefusal::Revoked);
    }
    let (_, code) = invite(&office).await;
    let answer = thief.join(&office, &code).await;
    assert!(matches!(answer, JoinResponse::Refused(_)), "a revoked key joins again: {answer:?}");
    assert!(office.seats().await.iter().all(|seat| seat.device != id), "{:?}", office.seats().await);
}

async fn machines_of(office: &Office) -> Option<usize> {
    office.client.devices().await.ok().map(|devices| devices.devices.len())
}
