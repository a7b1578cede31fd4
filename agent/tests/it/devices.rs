//! What the holder knows of the site's machines.

use seatkeeper_client::api;

use crate::office::{Office, eventually};

async fn named(office: &Office, name: &str) -> Option<api::Device> {
    office.client.devices().await.ok()?.devices.into_iter().find(|device| device.name == name)
}

#[tokio::test]
async fn a_machine_that_has_gone_was_seen_when_it_went_and_clocks_are_compared() {
    let office = Office::with_two_seats().await;
    let mut second = office.second().await;
    eventually("both have told what their clocks say", async || {
        let clocks =
            [named(&office, "pc1").await, named(&office, "pc2").await].map(|device| device?.clock_off_s);
        clocks == [Some(0), Some(0)]
    })
    .await;
    let here = named(&second, "pc2").await.unwrap();
    assert!(here.online && here.last_seen.is_none(), "{here:?}");

    let before = jiff::Timestamp::now();
    second.stop_agent().await;
    eventually("it has gone", async || named(&office, "pc2").await.is_some_and(|device| !device.online))
        .await;
    let seen = named(&office, "pc2").await.unwrap().last_seen.expect("it was seen");
    let seen: jiff::Timestamp = seen.parse().unwrap();
    // Whole milliseconds, and the site's time is this machine's.
    assert!(seen.as_second() >= before.as_second() && seen <= jiff::Timestamp::now(), "{seen}");
    let listed = office.done(&["device", "list"]).await;
    let row = listed.lines().find(|line| line.contains("pc2")).unwrap();
    assert!(row.contains("offline since 20"), "{listed}");

    second.start_agent().await;
    eventually("it is back", async || named(&office, "pc2").await.is_some_and(|device| device.online)).await;
    assert_eq!(named(&office, "pc2").await.unwrap().last_seen, None);
}
