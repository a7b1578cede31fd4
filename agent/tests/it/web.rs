//! The page's port: who may do what there.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Answer, exchange};
use crate::office::{Office, eventually};

/// A browser at the page of one agent.
struct Browser {
    /// `127.0.0.1:PORT`.
    host: String,
    cookie: Option<String>,
    csrf: Option<String>,
}

impl Browser {
    /// Uses a code of the office's user.
    async fn open(office: &Office) -> Self {
        let (mut browser, code) = Self::come(office).await;
        let answer = browser.ask("POST", "/v1/session", json!({ "code": code })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.headers["set-cookie"].clone();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        browser.csrf = Some(answer.body["csrf"].as_str().unwrap().to_owned());
        browser
    }

    /// A browser without a session, and a code for it.
    async fn come(office: &Office) -> (Self, String) {
        let url = office.done(&["open", "--print"]).await;
        let (host, code) = url.trim().strip_prefix("http://").unwrap().split_once("/#code=").unwrap();
        (Self { host: host.to_owned(), cookie: None, csrf: None }, code.to_owned())
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_with(method, path, body, &[]).await
    }

    async fn ask_with(&self, method: &str, path: &str, body: Value, more: &[(&str, &str)]) -> Answer {
        let mut headers = Vec::new();
        if more.iter().all(|(name, _)| *name != "Host") {
            headers.push(("Host", self.host.as_str()));
        }
        headers.extend(self.cookie.as_deref().map(|cookie| ("Cookie", cookie)));
        headers.extend(self.csrf.as_deref().map(|csrf| ("X-Seatkeeper-CSRF", csrf)));
        headers.extend(more);
        let stream = TcpStream::connect(&self.host).await.unwrap();
        exchange(stream, method, path, &headers, &body).await
    }
}

#[tokio::test]
async fn a_code_makes_a_session_once() {
    let office = Office::with_two_seats().await;
    let (stranger, code) = Browser::come(&office).await;
    let looked = stranger.ask("GET", "/v1/status", Value::Null).await;
    assert_eq!((looked.status, looked.body["site"]["name"].as_str()), (200, Some("Office")));
    assert!(looked.headers["content-security-policy"].starts_with("default-src 'none'"));
    assert!(!looked.headers.contains_key("access-control-allow-origin"));
    for private in ["/v1/debug/log", "/v1/debug/state"] {
        stranger.ask("GET", private, Value::Null).await.refused(403, "not-permitted");
    }
    let session = stranger.ask("GET", "/v1/session", Value::Null).await;
    assert_eq!((&session.body["user"], &session.body["csrf"]), (&Value::Null, &Value::Null));
    stranger.ask("POST", "/v1/borrows", json!({})).await.refused(401, "no-session");
    stranger.ask("POST", "/v1/session/codes", json!({})).await.refused(401, "no-session");
    stranger.ask("POST", "/v1/session", json!({ "code": "guess" })).await.refused(403, "code-used");
    let other = [("Origin", "http://evil.example")];
    stranger.ask_with("POST", "/v1/session", json!({ "code": code }), &other).await.refused(403, "origin");
    stranger
        .ask_with("GET", "/v1/seats", Value::Null, &[("Host", "evil.example:80")])
        .await
        .refused(403, "host");

    assert_eq!(stranger.ask("POST", "/v1/session", json!({ "code": code })).await.status, 200);
    stranger.ask("POST", "/v1/session", json!({ "code": code })).await.refused(403, "code-used");

    let mut browser = Browser::open(&office).await;
    let session = browser.ask("GET", "/v1/session", Value::Null).await.body;
    assert!(session["user"].is_string() && session["manages_device"] == true, "{session}");
    browser.ask("GET", "/v1/debug/log", Value::Null).await.refused(403, "not-permitted");
    browser.ask("POST", "/v1/session/codes", json!({})).await.refused(403, "not-permitted");
    browser.ask("POST", "/v1/seats/1/release", json!({})).await.refused(401, "sign-in");
    let csrf = browser.csrf.take();
    browser.ask("DELETE", "/v1/session", Value::Null).await.refused(403, "csrf");
    browser.csrf = csrf;
    assert_eq!(browser.ask("DELETE", "/v1/session", Value::Null).await.status, 204);
    browser.ask("DELETE", "/v1/session", Value::Null).await.refused(401, "no-session");
}

#[tokio::test]
async fn an_admin_signs_in_and_is_slowed_after_wrong_passwords() {
    let office = Office::with_two_seats().await;
    let browser = Browser::open(&office).await;
    let key = key_file(office.dir.path()).expect("eva's key file");
    let sign_in = async |password: &str| {
        browser.ask("PUT", "/v1/session/admin", json!({ "key": key, "password": password })).await
    };
    let signed = sign_in("correct horse").await;
    assert_eq!((signed.status, signed.body["admin"]["name"].as_str()), (200, Some("eva")), "{}", signed.body);
    assert_eq!(signed.body["token"], Value::Null, "a page has its cookie");

    let mut program = office.run(&[], "sleep 60");
    eventually("the seat is in use", async || !office.client.seats().await.unwrap().seats.is_empty()).await;
    let seat = office.client.seats().await.unwrap().seats.remove(0).id;
    let released = browser.ask("POST", &format!("/v1/seats/{seat}/release"), json!({})).await;
    assert_eq!((released.status, &released.body["done"]), (200, &json!(true)), "{}", released.body);
    eventually("the seat is free", async || office.client.seats().await.unwrap().seats.is_empty()).await;
    browser.ask("POST", "/v1/seats/999/release", json!({})).await.refused(404, "not-found");
    browser.ask("POST", "/v1/seats/x/release", json!({})).await.refused(400, "bad-request");
    program.kill().await.unwrap();

    let out = browser.ask("DELETE", "/v1/session/admin", Value::Null).await;
    assert_eq!(out.body["admin"], Value::Null);
    browser.ask("POST", "/v1/seats/1/release", json!({})).await.refused(401, "sign-in");
    for _ in 0..3 {
        sign_in("wrong horse").await.refused(403, "wrong-password");
    }
    let slowed = sign_in("correct horse").await;
    slowed.refused(429, "slow-down");
    assert!(slowed.headers["retry-after"].parse::<u64>().unwrap() <= 2);
    eventually("the right password is looked at again", async || {
        sign_in("correct horse").await.status == 200
    })
    .await;
    browser
        .ask("PUT", "/v1/session/admin", json!({ "key": "no key", "password": "x" }))
        .await
        .refused(400, "bad-request");
}

#[tokio::test]
async fn beyond_this_machine_only_with_tls() {
    let office = Office::empty().await;
    let refused = office.output(&["agent", "--web", "0.0.0.0:0"]).await;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("needs TLS: say --web-cert and --web-key"), "{text}");
    let empty = office.file("empty.pem", "");
    let refused =
        office.output(&["agent", "--web", "0.0.0.0:0", "--web-cert", &empty, "--web-key", &empty]).await;
    assert_eq!(refused.status.code(), Some(2));
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn key_file(folder: &std::path::Path) -> Option<String> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return key_file(&path);
        }
        path.to_str()?.ends_with("eva.key").then(|| std::fs::read_to_string(&path).expect("a key file"))
    })
}

#[tokio::test]
async fn a_browser_elsewhere_comes_by_tls() {
    let office = Office::empty().await;
    let certificate = rcgen::generate_simple_self_signed(["seats.example.com".to_owned()]).unwrap();
    let chain = office.file("chain.pem", &pem("CERTIFICATE", certificate.cert.der()));
    let key = office.file("key.pem", &pem("PRIVATE KEY", certificate.signing_key.serialized_der()));
    let (state, socket) = (office.path("other"), office.path("other.sock"));
    let web = ["agent", "--listen", "127.0.0.1:0", "--no-mdns", "--web", "127.0.0.1:0"];
    let files = ["--web-cert", &chain, "--web-key", &key, "--state-dir", state.to_str().unwrap()];
    let mut agent = office.seatkeeper(&[&web[..], &files].concat());
    let _agent = agent.arg("--socket").arg(&socket).stderr(std::process::Stdio::null()).spawn().unwrap();
    let client = seatkeeper_client::Client::with_socket(&socket);
    eventually("the agent serves its page", async || client.session_code().await.is_ok()).await;
    let url = client.session_code().await.unwrap().url;
    let address = url.strip_prefix("https://").unwrap().split_once('/').unwrap().0.to_owned();
    let port = address.rsplit_once(':').unwrap().1;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let ask = async |host: &str| {
        let stream = TcpStream::connect(&address).await.unwrap();
        let name = "seats.example.com".try_into().unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        let head = format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server may close without a farewell.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    assert!(ask(&format!("seats.example.com:{port}")).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(&format!("evil.example.com:{port}")).await.starts_with("HTTP/1.1 403 "));
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "nothing is said in the clear");
}
