//! Going on from one voter's log, when the others are gone for good.

use std::sync::Arc;

use seatkeeper_election::{LogStore, Peer, StartError, StateMachine};

use crate::office::{Office, Recorder, Tape, device, node_id, peer};

fn commands(tape: &Tape) -> Vec<String> {
    tape.lock().unwrap().iter().map(|(.., command)| String::from_utf8_lossy(command).into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn one_log_goes_on_alone_with_all_that_it_has() {
    let mut office = Office::of_voters(3).await;
    let leader = office.leader().await;
    for n in 0..5 {
        office.propose(leader, &format!("c{n}")).await.unwrap();
    }
    // An entry that only the leader has: nobody knows whether it was committed.
    office.isolate(leader);
    let engine = office.engine(leader).clone();
    let alone =
        tokio::spawn(
            async move { engine.propose(b"alone".to_vec(), std::time::Duration::from_secs(1)).await },
        );
    office.wait(leader, |status| status.last_log > status.last_applied).await;
    let (term, last) = (office.status(leader).term, office.status(leader).last_log);
    let _ = alone.await.unwrap();
    for n in 1..=3 {
        office.close(n).await;
    }

    let old = LogStore::open_file(office.log_path(leader)).unwrap();
    let tape = Tape::default();
    let salvaged = old.salvage(&mut Recorder(Arc::clone(&tape))).unwrap();
    assert_eq!(commands(&tape), ["c0", "c1", "c2", "c3", "c4", "alone"]);
    assert_eq!(salvaged.index(), last);
    let mut new = LogStore::open_file(office.log_path(9)).unwrap();
    new.seed(peer(9), salvaged, Recorder(Arc::clone(&tape)).snapshot()).unwrap();
    let twice = new.seed(peer(9), salvaged, Vec::new());
    assert!(matches!(twice, Err(StartError::WrongNode { .. })), "{twice:?}");
    office.hub.heal_all();
    office.open_on(9, node_id(9), new).await.unwrap();
    let status = office.wait(9, |status| status.is_leader).await;
    assert!(status.term > term, "terms go on");
    assert_eq!(status.members.iter().map(|member| member.peer).collect::<Vec<Peer>>(), [peer(9)]);
    let applied = office.propose(9, "new").await.unwrap();
    assert!(applied.index > last, "indexes go on");
    assert_eq!(office.desks[&9].commands(), ["c0", "c1", "c2", "c3", "c4", "alone", "new"]);
    // Others take it up from here, and it is still there after a restart.
    office.open(8).await;
    office.add_standby(8).await;
    office.promote(8).await;
    assert!(office.status(9).member_on(device(8)).is_some());
    office.close(9).await;
    office.open(9).await;
    office.leader().await;
    office.propose(office.leader().await, "newer").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn from_an_empty_log_nothing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = LogStore::open_file(folder.path().join("log")).unwrap();
    let salvaged = log.salvage(&mut Recorder(Tape::default()));
    assert!(matches!(salvaged, Err(StartError::Corrupt(_))), "{salvaged:?}");
}
