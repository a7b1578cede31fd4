//! `GET /metrics`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::office::{Office, eventually};

/// What Prometheus would be told.
async fn scrape(office: &Office) -> String {
    let mut stream = UnixStream::connect(office.client.socket()).await.expect("the agent");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("text/plain; version=0.0.4"), "{text}");
    text
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
        .map(|v| v.parse().expect("a number"))
}

const DENIED: &str = "seatkeeper_denials_total{product=\"cad\",reason=\"no-seat\"}";

#[tokio::test]
async fn seats_denials_and_checkouts_are_measured() {
    let mut office = Office::with_two_seats().await;
    let before = scrape(&office).await;
    assert_eq!(value(&before, DENIED), Some(0.0), "{before}");
    assert_eq!(value(&before, "seatkeeper_role{role=\"holder\"}"), Some(1.0));
    assert_eq!(value(&before, "seatkeeper_holder_reachable"), Some(1.0));
    assert!(value(&before, "seatkeeper_log_size_bytes").is_some_and(|bytes| bytes > 1_000.0), "{before}");
    let request = seatkeeper_client::SeatRequest::product("cad");
    let _held = (
        office.client.take_seat(&request).await.expect("one"),
        office.client.take_seat(&request).await.expect("two"),
    );
    office.client.take_seat(&request).await.expect_err("there are two");
    let after = scrape(&office).await;
    assert_eq!(value(&after, DENIED), Some(1.0), "{after}");
    assert_eq!(value(&after, "seatkeeper_checkout_duration_seconds_count"), Some(3.0));
    let of_pool = "product=\"cad\",version=\"2026\",license=\"L1\"";
    assert_eq!(value(&after, &format!("seatkeeper_seats_free{{{of_pool}}}")), Some(0.0), "{after}");
    assert_eq!(value(&after, &format!("seatkeeper_seats_used{{{of_pool},kind=\"online\"}}")), Some(2.0));
    assert_eq!(value(&scrape(&office).await, DENIED), Some(1.0), "counted once");
    // A counter begins anew with its process, which Prometheus knows how to take.
    office.stop_agent().await;
    office.start_agent().await;
    eventually("it counts again", async || value(&scrape(&office).await, DENIED) == Some(0.0)).await;
}

#[tokio::test]
async fn a_machine_without_a_site_answers_too() {
    let office = Office::empty().await;
    let text = scrape(&office).await;
    assert_eq!(value(&text, "seatkeeper_holder_reachable"), Some(0.0), "{text}");
    assert_eq!(value(&text, "seatkeeper_role{role=\"none\"}"), Some(1.0));
}
