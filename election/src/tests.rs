//! Engine trap 6, which needs the engine's inside. On the bench of the integration tests.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::EntryPayload;

use crate::engine::Change;
use crate::types::Membership;

#[allow(dead_code, unreachable_pub, reason = "the bench offers more than is used here")]
#[path = "../tests/it/office.rs"]
mod office;
#[allow(dead_code, unreachable_pub, reason = "the bench offers more than is used here")]
#[path = "../tests/it/site.rs"]
mod site;

use office::{Office, node_id, peer};
use site::Site;

/// A membership change whose second half never comes: the proposer died in between.
async fn left_half_way(office: &Office) {
    let raft = office.engine(1).raft();
    let metrics = crate::status::borrow(&raft.metrics());
    let now = metrics.membership_config.membership();
    let (old, new) = (BTreeSet::from([101, 102, 103]), BTreeSet::from([101, 102]));
    let nodes: std::collections::BTreeMap<_, _> = now.nodes().map(|(node, place)| (*node, *place)).collect();
    let joint = Membership::new(vec![old, new], nodes).unwrap();
    raft.append_membership(joint, EntryPayload::Blank, []).await.unwrap();
}

/// The controller finishes a two-step change that was left half way, and only then makes others.
#[tokio::test(start_paused = true)]
async fn trap_6_a_half_way_membership_is_finished() {
    let mut office = Office::of_voters(3).await;
    office.open(4).await;
    left_half_way(&office).await;
    office.wait(1, |status| status.joint).await;
    assert!(office.engine(1).change(Change::AddStandby(peer(4))).await.is_err(), "not before it is finished");
    let site = Site::new(office, 4);
    let status = site.roles(3, 1).await;
    assert!(!status.joint);
    site.propose("a").await;
}

/// A leader of a few milliseconds refuses changes; they are tried again.
#[tokio::test(start_paused = true)]
async fn trap_6_a_fresh_leader_is_given_time() {
    let mut office = Office::of_voters(3).await;
    office.open(4).await;
    let mut leader = 1;
    for next in [2, 3, 1, 2, 3, 1] {
        let (old, new) = (office.engine(leader).clone(), office.engine(next).clone());
        old.transfer(node_id(next)).await.unwrap();
        // At once, when it hardly knows of its election.
        let mut status = new.status();
        status.wait_for(|status| status.is_leader).await.unwrap();
        let change =
            if next == 2 || next == 1 { Change::AddStandby(peer(4)) } else { Change::Remove(node_id(4)) };
        let made = tokio::time::timeout(Duration::from_secs(3), new.change(change)).await.unwrap();
        assert_eq!(made, Ok(()), "{change:?} by {next}");
        if next == 1 {
            new.change(Change::Remove(node_id(4))).await.unwrap();
        }
        leader = next;
    }
}
