//! The role controller at work.

use std::time::Duration;

use seatkeeper_election::{LeaveOutcome, Status};
use tokio::time::Instant;

use crate::office::{Office, device, node_id};
use crate::site::{Site, propose_anywhere};

const LEAVE: Duration = Duration::from_secs(2);

fn votes(status: &Status, n: u8) -> bool {
    status.member_on(device(n)).is_some_and(|member| member.voter)
}

#[tokio::test(start_paused = true)]
async fn voters_grow_as_devices_join() {
    let site = Site::new(Office::of_devices(12).await, 1);
    site.roles(1, 0).await;
    site.enroll(2);
    site.roles(1, 1).await;
    site.enroll(3);
    site.roles(3, 0).await;
    site.enroll(4);
    site.enroll(5);
    site.enroll(6);
    site.roles(3, 2).await;
    for n in 7..=12 {
        site.enroll(n);
    }
    site.roles(5, 2).await;
    site.propose("a").await;
    assert_eq!(site.office.leader().await, 1, "growth unseats nobody");
}

#[tokio::test(start_paused = true)]
async fn a_silent_voter_is_replaced() {
    let mut site = Site::settled(6, 3, 2).await;
    let status = site.roles(3, 2).await;
    let lost = (2..=6).find(|n| votes(&status, *n)).unwrap();
    site.office.close(lost).await;
    site.edit(lost, |candidate| candidate.healthy = false);
    let began = Instant::now();
    let status = site.until(|status| status.voters() == 3 && !votes(status, lost)).await;
    assert_eq!(status.voters_live, 3);
    assert!(began.elapsed() > Duration::from_secs(2), "not for a short silence");
    // A spare takes the standby's place, and the lost one is let go.
    site.until(|status| status.members.len() == 5 && status.member_on(device(lost)).is_none()).await;
    site.until(|_| site.was_stopped(lost)).await;
}

/// A machine whose disk was put back answers heartbeats, but can't be given what follows on what it has lost.
#[tokio::test(start_paused = true)]
async fn a_voter_that_has_lost_entries_goes_and_comes_back_with_no_old_log() {
    let mut site = Site::settled(4, 3, 1).await;
    let holder = site.office.leader().await;
    let status = site.roles(3, 1).await;
    let lost = (1..=4).find(|n| *n != holder && votes(&status, *n)).unwrap();
    let image = site.office.log_path(lost).with_extension("image");
    site.office.close(lost).await;
    std::fs::copy(site.office.log_path(lost), &image).unwrap();
    site.office.try_open(lost, node_id(lost)).await.unwrap();
    let has = site.propose("a").await.index;
    site.until(|status| status.member_on(device(lost)).is_some_and(|member| member.matched >= Some(has)))
        .await;
    site.office.close(lost).await;
    std::fs::copy(&image, site.office.log_path(lost)).unwrap();
    site.office.try_open(lost, node_id(lost)).await.unwrap();
    site.until(|status| status.voters() == 3 && status.member_on(device(lost)).is_none()).await;
    assert_eq!(site.office.leader().await, holder);
    site.until(|_| site.was_stopped(lost)).await;
    // It still has that log: it is not taken back with it.
    tokio::time::sleep(Duration::from_secs(12)).await;
    site.propose("b").await;
    let status = site.office.status(holder);
    assert!(status.quorum_ok && status.member_on(device(lost)).is_none(), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_standby_a_silent_voter_keeps_its_vote() {
    let mut site = Site::settled(3, 3, 0).await;
    site.office.close(3).await;
    site.edit(3, |candidate| candidate.healthy = false);
    site.until(|status| status.member_on(device(3)).is_some_and(|member| member.silent_ms >= Some(8_000)))
        .await;
    site.roles(3, 0).await;
    site.propose("a").await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_leaves_and_no_proposal_is_lost() {
    let site = Site::settled(5, 3, 2).await;
    let leader = site.office.leader().await;
    let engines: Vec<_> = site.office.desks.values().map(|desk| desk.engine.clone()).collect();
    let writer = tokio::spawn(async move {
        let mut slowest = Duration::ZERO;
        for n in 0..300 {
            let began = Instant::now();
            propose_anywhere(&engines, &format!("c{n}")).await;
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest
    });
    site.edit(leader, |candidate| candidate.leaving = true);
    let began = Instant::now();
    let outcome = site.office.engine(leader).leave(LEAVE, false).await;
    assert_eq!(outcome, LeaveOutcome::Left);
    assert!(began.elapsed() < LEAVE);
    let slowest = writer.await.unwrap();
    assert!(slowest < Duration::from_millis(600), "a proposal took {slowest:?}");
    let next = site.office.leader_but(leader).await;
    let commands: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
    site.office.applied(next, &commands).await;
    site.until(|status| status.voters() == 3 && !votes(status, leader)).await;
}

#[tokio::test(start_paused = true)]
async fn the_only_voter_leaves_its_standby_behind_as_the_holder() {
    let site = Site::settled(2, 1, 1).await;
    site.edit(1, |candidate| candidate.leaving = true);
    assert_eq!(site.office.engine(1).leave(LEAVE, false).await, LeaveOutcome::Left);
    assert_eq!(site.office.leader().await, 2);
    site.until(|status| status.voters() == 1).await;
    site.propose("alone").await;
}

#[tokio::test(start_paused = true)]
async fn at_the_floor_a_leader_hands_over_and_goes_at_once() {
    let site = Site::settled(3, 3, 0).await;
    let leader = site.office.leader().await;
    let began = Instant::now();
    assert_eq!(site.office.engine(leader).leave(LEAVE, false).await, LeaveOutcome::HandedOver);
    assert!(
        began.elapsed() < LEAVE / 2,
        "it waited for a demotion that the floor forbids: {:?}",
        began.elapsed()
    );
    site.roles(3, 0).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_to_hand_over_to() {
    let site = Site::settled(1, 1, 0).await;
    let began = Instant::now();
    assert_eq!(site.office.engine(1).leave(LEAVE, false).await, LeaveOutcome::Alone);
    assert!(began.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_leave_taken_back_changes_nothing_for_good() {
    let mut site = Site::settled(3, 3, 0).await;
    for n in [2, 3] {
        site.office.close(n).await;
        site.edit(n, |candidate| candidate.healthy = false);
    }
    assert_eq!(site.office.engine(1).leave(LEAVE, false).await, LeaveOutcome::TimedOut);
    site.office.engine(1).stay();
    for n in [2, 3] {
        site.office.open(n).await;
        site.edit(n, |candidate| candidate.healthy = true);
    }
    site.roles(3, 0).await;
    site.propose("a").await;
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_together_are_replaced_together() {
    let site = Site::settled(6, 3, 2).await;
    let status = site.roles(3, 2).await;
    let leavers: Vec<u8> = (1..=6).filter(|n| votes(&status, *n)).take(2).collect();
    for n in &leavers {
        site.edit(*n, |candidate| candidate.leaving = true);
    }
    let outcomes =
        futures_util::future::join_all(leavers.iter().map(|n| site.office.engine(*n).leave(LEAVE, false)))
            .await;
    assert_eq!(outcomes, [LeaveOutcome::Left, LeaveOutcome::Left]);
    let status = site.until(|status| status.voters() == 3).await;
    assert!(leavers.iter().all(|n| !votes(&status, *n)));
    site.propose("a").await;
}

#[tokio::test(start_paused = true)]
async fn of_two_the_one_that_stays_goes_on_alone() {
    let office = Office::of_voters(2).await;
    let mut site = Site::new(office, 2);
    // A third device is enrolled but off, so that two would be too few for three and too many for one.
    site.enroll(3);
    site.edit(3, |candidate| candidate.healthy = false);
    site.edit(2, |candidate| candidate.leaving = true);
    site.until(|status| status.voters() == 1).await;
    site.office.close(2).await;
    site.propose("a").await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_device_is_out_even_if_it_leads() {
    let site = Site::settled(5, 3, 2).await;
    let leader = site.office.leader().await;
    site.revoke(leader);
    let status = site.until(|status| status.member_on(device(leader)).is_none()).await;
    assert_ne!(status.me.node, node_id(leader));
    site.roles(3, 1).await;
    site.propose("a").await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_cannot_open_a_log_is_passed_over() {
    let site = Site::new(Office::of_devices(3).await, 2);
    site.refuse_logs(2);
    site.enroll(3);
    let status = site.until(|status| status.members.len() == 2).await;
    assert!(status.member_on(device(3)).is_some());
}

#[tokio::test(start_paused = true)]
async fn at_rest_the_controller_sleeps() {
    let site = Site::settled(5, 3, 2).await;
    let mut status = site.office.engine(1).status();
    status.borrow_and_update();
    // Nothing to act on changes in a minute of health, so that nobody is woken.
    let woken = tokio::time::timeout(Duration::from_secs(60), status.changed()).await;
    assert!(woken.is_err(), "{:#?}", status.borrow());
}
