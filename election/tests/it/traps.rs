//! The engine's traps, each with the test that fails when its remedy is taken out. Trap 6 needs the engine's inside
//! and is tested in the crate.

use std::time::Duration;

use seatkeeper_election::engine::Change;
use seatkeeper_election::{ChangeError, ProposeError, ReadError, TransferError};
use tokio::time::{Instant, sleep, timeout};

use crate::office::{DEADLINE, Office, SOON, device, node_id};
use crate::site::Site;

/// `pre_vote` is implemented and switched on: a machine that comes back does not disturb.
#[tokio::test(start_paused = true)]
async fn trap_1_a_returning_machine_unseats_nobody() {
    let office = Office::of_voters(3).await;
    let before = office.status(1);
    office.isolate(3);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(office.status(3).term, before.term, "alone, nobody grants it anything");
    office.hub.heal_all();
    sleep(Duration::from_secs(5)).await;
    assert!(office.status(1).is_leader);
    assert_eq!(office.status(1).term, before.term);
}

/// `quorum_loss_probe_interval` is set: a leader that hears nobody lets the others elect.
#[tokio::test(start_paused = true)]
async fn trap_2_a_deaf_leader_does_not_hold_the_office_up() {
    let office = Office::of_voters(3).await;
    office.hub.cut_one_way(2, 1);
    office.hub.cut_one_way(3, 1);
    let leader = office.leader_but(1).await;
    office.propose(leader, "a").await.unwrap();
}

/// `enable_leader_restore` is off: a restart begins a new term.
#[tokio::test(start_paused = true)]
async fn trap_3_a_restarted_leader_begins_a_new_term() {
    let mut office = Office::of_voters(1).await;
    let before = office.status(1).term;
    office.close(1).await;
    office.open(1).await;
    let after = office.wait(1, |status| status.is_leader).await;
    assert!(after.term > before, "{} after {before}", after.term);
}

/// `committed` is on the disk: what was applied is applied again, without anybody else.
#[tokio::test(start_paused = true)]
async fn trap_3_a_restart_forgets_nothing_that_was_committed() {
    let mut office = Office::of_voters(3).await;
    let commands: Vec<String> = (0..5).map(|n| format!("c{n}")).collect();
    for command in &commands {
        office.propose(1, command).await.unwrap();
    }
    office.applied(2, &commands).await;
    for n in 1..=3 {
        office.close(n).await;
    }
    office.open(2).await;
    assert_eq!(office.desks[&2].commands(), commands);
}

/// A transfer is tried only to a voter that answers and has everything: tried in vain, it would stop all writing.
#[tokio::test(start_paused = true)]
async fn trap_4_a_transfer_to_a_dead_voter_is_not_tried() {
    let office = Office::of_voters(3).await;
    office.hub.cut(1, 3);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(office.engine(1).transfer(node_id(3)).await, Err(TransferError::NotReady(node_id(3))));
    office.propose(1, "a").await.unwrap();
    assert_eq!(office.engine(1).transfer(node_id(1)).await, Err(TransferError::NotVoter(node_id(1))));
    office.engine(1).transfer(node_id(2)).await.unwrap();
}

/// A leader is never demoted: it hands over, and its successor demotes it.
#[tokio::test(start_paused = true)]
async fn trap_5_a_leader_without_a_vote_does_not_lead_on() {
    let site = Site::settled(5, 3, 2).await;
    let leader = site.office.leader().await;
    let demoted = site.office.engine(leader).change(Change::Demote(node_id(leader))).await;
    assert!(matches!(demoted, Err(ChangeError::Refused(_))), "{demoted:?}");
    site.edit(leader, |candidate| candidate.may_vote = false);
    let votes = |status: &seatkeeper_election::Status, n: u8| {
        status.member_on(device(n)).is_some_and(|member| member.voter)
    };
    let status = site.until(|status| status.voters() == 3 && !votes(status, leader)).await;
    assert!(status.members.iter().any(|member| member.peer == status.me && member.voter));
    assert!(!site.office.status(leader).is_leader);
}

/// Every proposal has a deadline, and past it the outcome is unknown, not refused.
#[tokio::test(start_paused = true)]
async fn trap_7_a_leader_without_quorum_does_not_hang() {
    let office = Office::of_voters(3).await;
    office.isolate(1);
    assert!(office.status(1).is_leader, "it does not know yet");
    let began = Instant::now();
    let engine = office.engine(1);
    let proposed = timeout(SOON, engine.propose(b"a".to_vec(), Duration::from_millis(700))).await;
    assert_eq!(proposed.expect("an answer"), Err(ProposeError::Unknown));
    assert!(began.elapsed() < Duration::from_millis(800));
    let changed = timeout(SOON, engine.change(Change::Demote(node_id(3)))).await.expect("an answer");
    assert!(changed.is_err());
    office.wait(1, |status| !status.quorum_ok).await;
}

/// Reads ask a majority; the lease of a leader that was cut off just now proves nothing.
#[tokio::test(start_paused = true)]
async fn trap_8_a_read_is_never_answered_from_a_lease() {
    let office = Office::of_voters(3).await;
    office.engine(1).read_index(DEADLINE).await.unwrap();
    office.isolate(1);
    let began = Instant::now();
    let read = office.engine(1).read_index(Duration::from_millis(300)).await;
    assert_eq!(read, Err(ReadError::NoQuorum));
    assert!(began.elapsed() < Duration::from_millis(400), "within the lease");
}

/// A wiped device gets a new node id and takes nothing that is meant for the old one.
#[tokio::test(start_paused = true)]
async fn trap_9_a_wiped_node_does_not_answer_for_its_former_self() {
    let mut office = Office::of_voters(3).await;
    office.propose(1, "a").await.unwrap();
    office.close(3).await;
    std::fs::remove_file(office.log_path(3)).unwrap();
    office.try_open(3, node_id(3) + 100).await.unwrap();
    // A new leader, which has heard nothing of the former node yet and would give it the whole log.
    office.engine(1).transfer(node_id(2)).await.unwrap();
    office.wait(2, |status| status.is_leader).await;
    office.propose(2, "b").await.unwrap();
    office
        .wait(2, |status| status.member_on(device(3)).is_some_and(|member| member.silent_ms >= Some(2_000)))
        .await;
    let wiped = office.status(3);
    assert_eq!((wiped.last_log, wiped.members.len()), (0, 0));
}
