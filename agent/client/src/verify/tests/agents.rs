//! What answers in an agent's place, on a socket, and what [`Verifier::take_seat`] says to it.

#![cfg(unix)]

use std::path::Path;

use seatkeeper_protocol::api::{ProofRequest, SeatEvent, SeatGranted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::Client;

/// What it answers to the two nonces of a start.
type Answers = Box<dyn Fn(&[u8], &[u8]) -> SeatProof + Send>;

/// Listens in `folder`; each seat that is asked for is granted, and proven by `answers`.
fn listen(folder: &Path, answers: Answers) -> Client {
    let socket = folder.join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut nonce, mut held) = (Vec::new(), Vec::new());
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (path, body) = read_request(&mut stream).await;
            if path == "/v1/seats" {
                let request: SeatRequest = serde_json::from_slice(&body).unwrap();
                nonce = decode(&request.nonce.unwrap());
                let mut line = serde_json::to_vec(&SeatEvent::Granted(Box::new(granted()))).unwrap();
                line.push(b'\n');
                stream.write_all(&[b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &line].concat()).await.unwrap();
                // A seat is held as long as its answer is open.
                held.push(stream);
                continue;
            }
            assert_eq!(path, format!("/v1/seats/{}/proof", granted().session));
            let request: ProofRequest = serde_json::from_slice(&body).unwrap();
            let answer = serde_json::to_vec(&answers(&nonce, &decode(&request.nonce))).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
        }
    });
    Client::with_socket(socket)
}

/// The path of a request, and its body.
async fn read_request(stream: &mut UnixStream) -> (String, Vec<u8>) {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "the request is whole");
        read.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            return (path, body.as_bytes().to_vec());
        }
    }
}

fn decode(nonce: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(nonce.as_bytes()).unwrap()
}

fn granted() -> SeatGranted {
    SeatGranted {
        format: 1,
        seat: "7".to_owned(),
        session: "01".repeat(16),
        license: "L1".to_owned(),
        product: "cad".to_owned(),
        version: "2026.1".to_owned(),
        shared: false,
        durability: "majority".to_owned(),
        until_boot_ms: 90_000,
        ticket: "what this says is not believed".to_owned(),
        proof: None,
    }
}

/// What an application says to an agent that answers so.
async fn taken(answers: impl Fn(&[u8], &[u8]) -> SeatProof + Send + 'static) -> Result<(), VerifyError> {
    let folder = tempfile::tempdir().unwrap();
    let client = listen(folder.path(), Box::new(answers));
    let mut seat = verifier().take_seat(&client).await?;
    seat.check_again().await?;
    seat.resume().await.map(drop)
}

#[tokio::test]
async fn an_agent_that_has_all_keys_is_believed() {
    taken(|ticket, proof| Parts::honest().answer(ticket, proof)).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_says_yes_to_everything_is_not() {
    let forged = taken(|ticket, proof| {
        let own = key(50);
        let mut parts = Parts::honest();
        (parts.vendor, parts.root, parts.certifier, parts.pool) =
            (own.clone(), own.clone(), own.clone(), own.clone());
        parts.bound = format!("site = \"{}\"\n", public(&own).site());
        (parts.device, parts.signer) = (own.clone(), (own.clone(), own));
        parts.answer(ticket, proof)
    });
    assert!(matches!(forged.await, Err(VerifyError::OtherVendor { .. })));
}

#[tokio::test]
async fn one_that_repeats_what_an_agent_once_said_is_not() {
    // It recorded an earlier start, of which it repeats everything.
    let recorded = Parts::honest().answer(&[1; 32], &[2; 32]);
    assert!(matches!(taken(move |_, _| recorded.clone()).await, Err(VerifyError::Replayed)));
    // It repeats an earlier ticket, for which the machine's agent signs anew.
    let ticket = taken(|_, proof| Parts::honest().answer(&[1; 32], proof));
    assert!(matches!(ticket.await, Err(VerifyError::Replayed)));
    // It has the ticket of this start, and repeats an earlier signature of the device.
    let signature = taken(|ticket, _| Parts::honest().answer(ticket, &[2; 32]));
    assert!(matches!(signature.await, Err(VerifyError::ProofForged)));
}

#[tokio::test]
async fn one_on_another_machine_than_the_tickets_is_not() {
    let copied = taken(|ticket, proof| {
        let mut parts = Parts::honest();
        parts.signer = (key(5), key(5));
        parts.answer(ticket, proof)
    });
    assert!(matches!(copied.await, Err(VerifyError::OtherDevice)));
}
