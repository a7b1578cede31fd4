//! Several licenses in one pool: downgrade, renewal, and seats that move in the books.

use rustix::process::Signal;

use crate::office::{Office, ended, signal};

#[tokio::test]
async fn a_seat_on_a_flexible_license_makes_room_for_who_needs_it() {
    let office = Office::with_two_seats().await;
    office.license("L2", "2027", 1, "downgrade = [\"2026\"]\n").await;
    let run = |product: &str| {
        office.seatkeeper(&["run", product, "--", "sleep", "60"]).spawn().expect("the program starts")
    };
    let mut first = run("cad@2026");
    office.until_seats(1).await;
    let _second = run("cad@2026");
    office.until_seats(2).await;
    // Both seats of L1 are taken: this one stands on L2.
    let _third = run("cad@2026");
    office.until_seats(3).await;
    let refused = office.output(&["run", "cad@2027", "--", "true"]).await;
    assert_eq!(refused.status.code(), Some(75));
    // A seat of L1 is free, and the one of L2 is not. Who runs on it needs no more than L1.
    signal(&first, Signal::TERM);
    ended(&mut first).await;
    office.until_seats(2).await;
    office.done(&["run", "cad@2027", "--", "true"]).await;
}

#[tokio::test]
async fn a_renewal_neither_doubles_nor_interrupts() {
    let office = Office::with_two_seats().await;
    let mut running = office.run(&[], "sleep 60");
    office.until_seats(1).await;
    office.license("L2", "2027", 2, "replaces = [\"L1\"]\ndowngrade = \"any\"\n").await;
    let listed = office.done(&["license", "list"]).await;
    assert!(listed.contains("replaced by L2"), "{listed}");
    let licenses = office.client.licenses().await.expect("the agent answers").licenses;
    let new = licenses.iter().find(|license| license.id == "L2").expect("the new license is listed");
    assert_eq!((new.state.as_str(), new.downgrade_any), ("active", true));
    assert_eq!(new.replaces, ["L1"]);
    // Whoever runs on the old license has one of the two places.
    let pools = office.client.status().await.expect("the agent answers").pools;
    let owned: u32 = pools.iter().map(|pool| pool.owned).sum();
    let free: u32 = pools.iter().map(|pool| pool.free).sum();
    assert_eq!((owned, free), (2, 1), "{pools:?}");
    let _second = office.run(&[], "sleep 60");
    office.until_seats(2).await;
    assert_eq!(office.output(&["run", "cad", "--", "true"]).await.status.code(), Some(75));
    assert!(running.try_wait().expect("it can be asked").is_none(), "the program runs on");
}
