//! What a site relies on, with everything working and with parts cut off.

use std::time::Duration;

use seatkeeper_election::engine::Change;
use seatkeeper_election::{EngineConfig, ProposeError, ReadError};
use seatkeeper_protocol::limits::COMMAND_BYTES_MAX;
use seatkeeper_protocol::time::WallTime;
use tokio::time::Instant;

use crate::office::{DEADLINE, Office, SOON, device, node_id, peer};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("c{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lone_voter_leads_at_once_and_applies() {
    let office = Office::of_voters(1).await;
    let applied = office.propose(1, "hello").await.unwrap();
    assert_eq!(applied.outcome, b"1");
    let read = office.engine(1).read_index(DEADLINE).await.unwrap();
    assert!(read.index >= applied.index);
    assert_eq!(read.term, applied.term);
}

#[tokio::test(start_paused = true)]
async fn three_voters_apply_the_same_in_the_same_order() {
    let office = Office::of_voters(3).await;
    let commands = numbered(20);
    for command in &commands {
        office.propose(1, command).await.unwrap();
    }
    for n in 1..=3 {
        office.applied(n, &commands).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_replaced_within_a_second() {
    let mut office = Office::of_voters(3).await;
    office.propose(1, "before").await.unwrap();
    office.hub.heal_all();
    let killed = Instant::now();
    office.close(1).await;
    let leader = office.leader().await;
    office.propose(leader, "after").await.unwrap();
    // 400 ms of lease, at most 400 ms until a voter stands, and one repetition.
    assert!(killed.elapsed() < Duration::from_millis(1_600), "{:?}", killed.elapsed());
    office.applied(leader, &["before".to_owned(), "after".to_owned()]).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_names_the_leader_and_does_not_write() {
    let office = Office::of_voters(3).await;
    office.wait(2, |status| status.leader == Some(peer(1))).await;
    assert_eq!(office.propose(2, "x").await, Err(ProposeError::NotHolder { leader: Some(peer(1)) }));
    let read = office.engine(2).read_index(DEADLINE).await;
    assert_eq!(read, Err(ReadError::NotHolder { leader: Some(peer(1)) }));
}

#[tokio::test(start_paused = true)]
async fn many_proposals_at_once_all_get_their_own_outcome() {
    let office = Office::of_voters(3).await;
    let mut proposals = tokio::task::JoinSet::new();
    for n in 0..500 {
        let engine = office.engine(1).clone();
        proposals.spawn(async move { engine.propose(format!("c{n}").into_bytes(), DEADLINE).await.unwrap() });
    }
    let mut outcomes: Vec<u64> = Vec::new();
    while let Some(applied) = proposals.join_next().await {
        outcomes.push(String::from_utf8(applied.unwrap().outcome).unwrap().parse().unwrap());
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, (1..=500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_before_it_is_written() {
    let office = Office::of(EngineConfig { proposals_max: 1, ..EngineConfig::default() }, 1).await;
    let large = vec![0; COMMAND_BYTES_MAX + 1];
    let refused = office.engine(1).propose(large, DEADLINE).await;
    assert_eq!(refused, Err(ProposeError::TooLarge { len: COMMAND_BYTES_MAX + 1, max: COMMAND_BYTES_MAX }));
    let (first, second) = tokio::join!(office.propose(1, "a"), office.propose(1, "b"));
    assert!(first.is_ok());
    assert_eq!(second, Err(ProposeError::Busy));
}

#[tokio::test(start_paused = true)]
async fn largest_commands_reach_everybody() {
    let office = Office::of_voters(1).await;
    let large = vec![7; COMMAND_BYTES_MAX];
    for _ in 0..40 {
        office.engine(1).propose(large.clone(), DEADLINE).await.unwrap();
    }
    let mut office = office;
    office.open(2).await;
    office.add_standby(2).await;
    assert_eq!(office.desks[&2].tape.lock().unwrap().len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_leader_never_acknowledges_and_the_others_go_on() {
    let office = Office::of_voters(3).await;
    office.propose(1, "a").await.unwrap();
    office.isolate(1);
    let lost = office.propose(1, "lost").await;
    assert_eq!(lost, Err(ProposeError::Unknown));
    assert!(matches!(office.engine(1).read_index(DEADLINE).await, Err(ReadError::NoQuorum)));
    let leader = office.leader_but(1).await;
    office.propose(leader, "b").await.unwrap();
    office.hub.heal_all();
    for n in 1..=3 {
        office.applied(n, &["a".to_owned(), "b".to_owned()]).await;
    }
    assert!(!office.status(1).is_leader);
}

#[tokio::test(start_paused = true)]
async fn who_may_commit_knows_what_the_clocks_of_a_majority_say() {
    // Of two voters both are needed.
    let office = Office::of_voters(2).await;
    let says = |n: u8, wall| office.desks[&n].clock.wall_ms.store(wall, std::sync::atomic::Ordering::SeqCst);
    let heard = |by: u8, of: u8| office.engine(by).clocks().get(&device(of)).map(|reading| reading.wall);
    for wall in [5, 7] {
        says(2, wall);
        office.propose(1, "a").await.unwrap();
        assert_eq!(heard(1, 2), Some(WallTime(wall)));
    }
    assert_eq!(heard(2, 1), None, "a follower asks nobody");
    says(1, 9);
    office.engine(1).transfer(node_id(2)).await.unwrap();
    office.wait(2, |status| status.is_leader).await;
    office.engine(2).read_index(DEADLINE).await.unwrap();
    assert_eq!(heard(2, 1), Some(WallTime(9)), "a new leader knows before it writes");
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_nothing_is_promised() {
    let mut office = Office::of_voters(3).await;
    office.close(2).await;
    office.close(3).await;
    let first = office.engine(1).propose(b"x".to_vec(), Duration::from_secs(1)).await;
    assert_eq!(first, Err(ProposeError::Unknown));
    office.wait(1, |status| !status.quorum_ok).await;
    // By now it knows better than to write.
    assert_eq!(office.propose(1, "y").await, Err(ProposeError::NotHolder { leader: None }));
    // One comes back, and both what was uncertain and what is new are settled.
    office.open(2).await;
    let leader = office.leader().await;
    office.propose(leader, "z").await.unwrap();
    assert_eq!(office.desks[&leader].commands().last().map(String::as_str), Some("z"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_everything() {
    let mut office = Office::of_voters(3).await;
    let commands = numbered(10);
    for command in &commands {
        office.propose(1, command).await.unwrap();
    }
    for n in 1..=3 {
        office.close(n).await;
    }
    for n in 1..=3 {
        office.open(n).await;
    }
    let leader = office.leader().await;
    for n in 1..=3 {
        office.applied(n, &commands).await;
    }
    office.propose(leader, "more").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_log_is_compacted_and_a_new_standby_gets_the_snapshot() {
    let config = EngineConfig { snapshot_every_entries: 50, keep_log_entries: 10, ..EngineConfig::default() };
    let mut office = Office::of(config, 1).await;
    let commands = numbered(300);
    for command in &commands {
        office.propose(1, command).await.unwrap();
    }
    office.open(2).await;
    office.add_standby(2).await;
    office.applied(2, &commands).await;
    // The standby's log begins after the snapshot it was given.
    office.close(2).await;
    office.close(1).await;
    for n in 1..=2 {
        let entries = crate::storage::entries_on_disk(&office.log_path(n));
        assert!(entries < 100, "device {n} keeps {entries} entries");
    }
    office.open(1).await;
    office.open(2).await;
    office.applied(1, &commands).await;
    office.applied(2, &commands).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_snapshot_travels_in_chunks() {
    let config = EngineConfig { snapshot_every_entries: 20, keep_log_entries: 0, ..EngineConfig::default() };
    let mut office = Office::of(config, 1).await;
    for _ in 0..45 {
        office.engine(1).propose(vec![3; COMMAND_BYTES_MAX], DEADLINE).await.unwrap();
    }
    office.open(2).await;
    office.add_standby(2).await;
    assert_eq!(office.desks[&2].tape.lock().unwrap().len(), 45);
}

#[tokio::test(start_paused = true)]
async fn leadership_is_handed_over_without_a_refused_proposal() {
    let office = Office::of_voters(3).await;
    let (engine, other) = (office.engine(1).clone(), office.engine(2).clone());
    let writer = tokio::spawn(async move {
        for n in 0..200 {
            let command = format!("c{n}").into_bytes();
            match engine.propose(command.clone(), DEADLINE).await {
                Ok(_) => {}
                // Not written here: the new leader takes it at once.
                Err(ProposeError::NotHolder { leader }) => {
                    assert_eq!(leader, Some(peer(2)));
                    other.propose(command, DEADLINE).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    office.wait(1, |status| status.last_applied > 50).await;
    office.engine(1).transfer(node_id(2)).await.unwrap();
    writer.await.unwrap();
    office.wait(2, |status| status.is_leader).await;
    office.applied(2, &numbered(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_acknowledges_what_it_has() {
    let mut office = Office::of_voters(1).await;
    office.open(2).await;
    office.add_standby(2).await;
    let applied = office.propose(1, "a").await.unwrap();
    assert!(office.engine(1).acked_by_standby(applied.index, Duration::from_secs(1)).await);
    office.hub.cut(1, 2);
    let applied = office.propose(1, "b").await.unwrap();
    assert!(!office.engine(1).acked_by_standby(applied.index, Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn silence_shows_in_the_leaders_status() {
    let office = Office::of_voters(3).await;
    office.hub.cut(1, 3);
    let status = office
        .wait(1, |status| status.member_on(device(3)).is_some_and(|member| member.silent_ms >= Some(3_000)))
        .await;
    assert_eq!((status.voters(), status.voters_live, status.quorum_ok), (3, 2, true));
    office.hub.heal_all();
    office.wait(1, |status| status.voters_live == 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_that_slept_through_its_deadline_is_not_confirmed() {
    let office = Office::of_voters(1).await;
    let clock = &office.desks[&1].clock;
    let read = office.engine(1).read_index(DEADLINE);
    tokio::pin!(read);
    // Begun, then the machine sleeps, then it goes on.
    assert!(futures_util::poll!(read.as_mut()).is_pending());
    clock.slept_ms.store(3_600_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(read.await, Err(ReadError::NoQuorum));
    assert!(office.engine(1).read_index(DEADLINE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_device_cannot_speak_for_another_ones_node() {
    let office = Office::of_voters(3).await;
    let term = office.status(1).term;
    // Device 9 reaches device 2 and pretends to be node 103.
    let (mut theirs, mine) = tokio::io::duplex(1024);
    let engine = office.engine(2).clone();
    let serving = tokio::spawn(async move { engine.serve(device(9), mine).await });
    // from 103, to 102, a vote request for term 900 by node 103.
    let body: Vec<u8> = [vec![1, 103, 102, 1], vec![0x84, 0x07, 103, 0], vec![0], vec![0]].concat();
    let mut frame = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    frame.extend(body);
    tokio::io::AsyncWriteExt::write_all(&mut theirs, &frame).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut answer))
        .await
        .unwrap()
        .unwrap();
    // Length, version, Answer::Refused, Refusal::NotYourNode.
    assert_eq!(answer, [3, 0, 0, 0, 1, 5, 1]);
    serving.await.unwrap();
    assert_eq!(office.status(1).term, term);
}

#[tokio::test(start_paused = true)]
async fn rubbish_ends_the_stream_and_nothing_else() {
    let office = Office::of_voters(1).await;
    for rubbish in [vec![0xff; 64], vec![0; 64], b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![1, 0, 0, 0, 9]] {
        let (mut theirs, mine) = tokio::io::duplex(1024);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &rubbish).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut theirs).await.unwrap();
        tokio::time::timeout(SOON, office.engine(1).serve(device(9), mine)).await.unwrap();
    }
    office.propose(1, "still here").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_planned_on_an_old_membership_is_refused() {
    let mut office = Office::of_voters(3).await;
    office.open(4).await;
    office.add_standby(4).await;
    let engine = office.engine(1);
    let (first, second) =
        tokio::join!(engine.change(Change::Promote(node_id(4))), engine.change(Change::Remove(node_id(4))));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_engine_says_so() {
    let office = Office::of_voters(1).await;
    let engine = office.engine(1).clone();
    engine.shutdown().await;
    assert!(office.status(1).fatal.is_some());
    assert!(matches!(office.propose(1, "x").await, Err(ProposeError::Stopped(_))));
    assert!(matches!(engine.read_index(DEADLINE).await, Err(ReadError::Stopped(_))));
}

/// The one test on the real clock and several threads: the bench's clock hides what only they show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_real_time_a_busy_site_survives_its_leader() {
    let mut office = Office::of_voters(3).await;
    let mut proposals = tokio::task::JoinSet::new();
    for client in 0..32 {
        let engine = office.engine(1).clone();
        proposals.spawn(async move {
            for n in 0..20 {
                engine.propose(format!("{client}-{n}").into_bytes(), DEADLINE).await.unwrap();
            }
        });
    }
    while let Some(done) = proposals.join_next().await {
        done.unwrap();
    }
    office.close(1).await;
    let killed = Instant::now();
    let leader = office.leader().await;
    office.propose(leader, "after").await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    assert_eq!(office.desks[&leader].commands().len(), 641);
}

/// The engine would take the whole leader down for it.
#[tokio::test(start_paused = true)]
async fn a_node_that_lost_what_it_acknowledged_harms_only_itself() {
    let mut office = Office::of_voters(3).await;
    office.propose(1, "a").await.unwrap();
    office.close(3).await;
    let old = std::fs::read(office.log_path(3)).unwrap();
    office.open(3).await;
    for n in 0..10 {
        office.propose(1, &format!("b{n}")).await.unwrap();
    }
    office.caught_up(1, 3).await;
    // Its disk is set back, as from a backup.
    office.close(3).await;
    std::fs::write(office.log_path(3), old).unwrap();
    office.open(3).await;
    office
        .wait(1, |status| status.member_on(device(3)).is_some_and(|member| member.silent_ms >= Some(3_000)))
        .await;
    assert_eq!(office.propose(1, "c").await.unwrap().outcome, b"12");
    assert_eq!(office.status(1).fatal, None);
}
