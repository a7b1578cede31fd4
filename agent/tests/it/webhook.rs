//! The webhook, over TLS, to a receiver that does not always take what it gets.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use seatkeeper::middle::webhook::signature;
use seatkeeper::platform::clock::SystemClock;
use seatkeeper_client::api::WebhookEvent;
use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::time::WallTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::office::{Office, eventually};

const SECRET: &str = "correct horse battery";

struct Receiver {
    listener: TcpListener,
    tls: TlsAcceptor,
}

struct Got {
    event: WebhookEvent,
    signature: String,
}

impl Receiver {
    /// And its certificate, which whoever trusts it needs.
    async fn start() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            BASE64.encode(made.cert.der())
        );
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("its key");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        (Self { listener, tls: TlsAcceptor::from(Arc::new(config)) }, pem)
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/hooks?a=b", self.listener.local_addr().expect("it is bound").port())
    }

    /// The next event, answered with this status.
    async fn next(&self, answer: &str) -> Got {
        tokio::time::timeout(Duration::from_secs(30), self.take(answer)).await.expect("something is told")
    }

    async fn take(&self, answer: &str) -> Got {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        let mut stream = self.tls.accept(stream).await.expect("it trusts the certificate");
        let (mut read, mut bytes) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let count = stream.read(&mut bytes).await.expect("it is read");
            assert_ne!(count, 0, "{}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&bytes[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = header(head, "content-length").expect("a length");
            if body.len() == length.parse::<usize>().expect("a number") {
                break (head.to_owned(), body.to_owned());
            }
        };
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("answered");
        stream.flush().await.expect("sent");
        assert!(head.starts_with("POST /hooks?a=b HTTP/1.1"), "{head}");
        let signature = header(&head, "seatkeeper-signature").expect("it is signed");
        let event: WebhookEvent = serde_json::from_str(&body).expect("an event");
        assert_eq!(header(&head, "seatkeeper-event-id").as_deref(), Some(event.id.as_str()));
        let at_s: i64 = signature[2..].split(',').next().expect("a time").parse().expect("seconds");
        assert_eq!(signature, self::signature(SECRET.as_bytes(), WallTime(at_s * 1_000), body.as_bytes()));
        assert!(SystemClock.wall().ms_since(WallTime(at_s * 1_000)) < 60_000);
        Got { event, signature }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

#[tokio::test]
async fn denials_and_licenses_that_end_are_told_once_and_again_until_somebody_takes_them() {
    let (receiver, certificate) = Receiver::start().await;
    let trust = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(trust.path(), certificate).expect("written");
    let env = vec![("SSL_CERT_FILE", trust.path().to_str().expect("a path").to_owned())];
    let mut office = Office::with_two_seats_and(env).await;
    let day = SystemClock.wall().plus_ms(3 * 24 * 60 * 60 * 1_000).rfc3339().expect("a day");
    office.license("L9", "2026", 1, &format!("valid_until = {}\n", &day[..10])).await;
    let secret = office.file("secret", &format!("{SECRET}\n"));

    // A secret that everybody reads is none.
    let args = ["agent", "--webhook", "https://localhost/", "--webhook-secret-file", &secret];
    std::process::Command::new("chmod").args(["644", &secret]).status().expect("it is done");
    let refused = office.output(&args).await;
    assert_eq!(refused.status.code(), Some(65), "{}", String::from_utf8_lossy(&refused.stderr));
    std::process::Command::new("chmod").args(["600", &secret]).status().expect("it is done");

    office.stop_agent().await;
    office.more = vec!["--webhook".to_owned(), receiver.url(), "--webhook-secret-file".to_owned(), secret];
    office.start_agent().await;
    let soon = receiver.next("204 No Content").await.event;
    assert_eq!((soon.kind.as_str(), soon.license.as_deref()), ("license-ends-soon", Some("L9")));
    assert_eq!(soon.told_by.name, "pc1");
    let record = office.path("state").join("webhook");
    eventually("it is noted from where on it tells", async || record.exists()).await;

    let request = seatkeeper_client::SeatRequest::product("cad");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(office.client.take_seat(&request).await.expect("a seat"));
    }
    office.client.take_seat(&request).await.expect_err("there are three");
    let first = receiver.next("500 Internal Server Error").await;
    let noted = std::fs::read(&record).expect("a record");
    let again = receiver.next("200 OK").await;
    assert_eq!((first.event.kind.as_str(), first.event.code.as_deref()), ("denied", Some("no-seat")));
    assert_eq!(first.event, again.event);
    assert_ne!(first.signature, again.signature, "each try is signed with its time");

    // After a restart it goes on where it was: only what is new is told.
    eventually("it is noted that it was taken", async || std::fs::read(&record).expect("a record") != noted)
        .await;
    office.stop_agent().await;
    office.start_agent().await;
    eventually("the seats are asked for", async || office.client.seats().await.is_ok()).await;
    office
        .client
        .take_seat(&seatkeeper_client::SeatRequest::product("unknown"))
        .await
        .expect_err("no license");
    let next = receiver.next("200 OK").await.event;
    assert_eq!((next.product.as_deref(), next.code.as_deref()), (Some("unknown"), Some("not-licensed")));
    assert_ne!(next.id, first.event.id);
}
