use std::path::Path;

use seatkeeper_client::{Client, SeatRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::host::{self, HostConfig, MdnsChoice};

/// An agent without a site.
pub(super) async fn node(dir: &Path) -> Node {
    let config = HostConfig {
        state_dir: dir.join("state"),
        listen: "127.0.0.1:0".parse().unwrap(),
        peers: Vec::new(),
        mdns: MdnsChoice::Off,
        name: Some("pc1".to_owned()),
        join_file: None,
    };
    host::start(config).await.unwrap()
}

/// The same, its socket in `dir`.
async fn agent(dir: &Path) -> (Client, CancellationToken) {
    let node = node(dir).await;
    let socket = dir.join("agent.sock");
    let listener = LocalListener::bind(&socket).unwrap();
    let shutdown = CancellationToken::new();
    let serving = shutdown.clone();
    tokio::spawn(async move { Api::new(node).serve(listener, serving).await });
    (Client::with_socket(socket), shutdown)
}

/// Sends raw bytes, reads the whole answer.
async fn raw(client: &Client, request: &str) -> String {
    let mut stream = tokio::net::UnixStream::connect(client.socket()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn every_error_is_a_problem_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (client, shutdown) = agent(dir.path()).await;
    let check = async |request: &str, status: u16, kind: &str| {
        let answer = raw(&client, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains(&format!(r#""type":"{kind}""#)), "{answer}");
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    check(&get("/v1/nothing"), 404, "not-found").await;
    check(&get("/v1/commands"), 405, "method-not-allowed").await;
    check(&get("/v1/site"), 409, "no-site").await;
    check(&get("/v1/seats"), 409, "no-site").await;
    check(&get("/v1/events?after=x"), 400, "bad-request").await;
    check(&post("/v1/seats", r#"{"product":"x"}"#), 409, "no-site").await;
    check(&post("/v1/seats", "product=x"), 400, "bad-request").await;
    check(&post("/v1/seats", r#"{"product":"X"}"#), 400, "bad-request").await;
    check(&post("/v1/seats", r#"{"product":"x","user":"boss"}"#), 400, "bad-request").await;
    check(&post("/v1/seats", r#"{"product":"x","nonce":"AAAA"}"#), 400, "bad-request").await;
    check(&post("/v1/seats", r#"{"product":"x","session":"1"}"#), 400, "bad-request").await;
    let nonce = r#"{"nonce":"AAAAAAAAAAAAAAAAAAAAAA"}"#;
    check(&post("/v1/seats/7/proof", nonce), 404, "not-found").await;
    check(&post(&format!("/v1/seats/{}/proof", "01".repeat(16)), nonce), 404, "not-found").await;
    check(&post("/v1/seats/x/proof", nonce), 404, "not-found").await;
    check(&post("/v1/seats/7/proof", r#"{"nonce":"AAAA"}"#), 400, "bad-request").await;
    check(&post("/v1/seats/7/proof", "{}"), 400, "bad-request").await;
    check(&post("/v1/seats/7/activity", ""), 404, "not-found").await;
    check(&post("/v1/seats/x/activity", r#"{"idle_s":60}"#), 404, "not-found").await;
    check(&post("/v1/seats/7/activity", r#"{"idle_s":-1}"#), 400, "bad-request").await;
    check(&post("/v1/seats/7/activity", r#"{"source":"gossip"}"#), 400, "bad-request").await;
    check(&post("/v1/seats/7/ask", ""), 409, "no-site").await;
    check(&post("/v1/seats/x/ask", "{}"), 400, "bad-request").await;
    check(&post("/v1/seats/7/ask", r#"{"message":"a\nb"}"#), 400, "bad-request").await;
    check(&post("/v1/seats/7/ask", &format!(r#"{{"message":"{}"}}"#, "x".repeat(201))), 400, "bad-request")
        .await;
    check(&get("/v1/seats/7/proof"), 405, "method-not-allowed").await;
    check(
        &post("/v1/commands", r#"{"admin":"a","epoch":1,"counter":1,"command":"*","signature":""}"#),
        400,
        "bad-request",
    )
    .await;
    let long = format!(r#"{{"product":"{}"}}"#, "x".repeat(seatkeeper_protocol::limits::API_BODY_BYTES_MAX));
    check(&post("/v1/seats", &long), 413, "too-large").await;
    shutdown.cancel();
}

#[tokio::test]
async fn a_tree_must_be_the_callers_own() {
    let dir = tempfile::tempdir().unwrap();
    let (client, shutdown) = agent(dir.path()).await;
    let tree = seatkeeper_client::api::Tree { pid: u32::MAX, token: "0".repeat(32) };
    let request = SeatRequest { tree: Some(tree), ..SeatRequest::product("x") };
    let error = client.take_seat(&request).await.unwrap_err();
    assert_eq!(error.problem().map(|problem| problem.status), Some(403), "{error}");
    shutdown.cancel();
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_connections() {
    let users = Arc::new(Users::default());
    let mut places: Vec<_> =
        (0..CONNECTIONS_PER_USER_MAX).map(|_| Users::enter(&users, "eva").unwrap()).collect();
    assert!(Users::enter(&users, "eva").is_none());
    assert!(Users::enter(&users, "max").is_some());
    places.pop();
    places.push(Users::enter(&users, "eva").unwrap());
    drop(places);
    assert!(users.0.lock().unwrap().is_empty());
}
