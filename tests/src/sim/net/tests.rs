//! What the network does, seen by machines on it.

mod lan;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use seatkeeper::middle::sighting::{Announcement, Sighting};
use seatkeeper::seam::BoxStream;
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Pause;
use lan::{MS, SECOND, World, address};

#[test]
fn nothing_takes_less_than_a_quantum_and_streams_keep_their_order() {
    let world = World::new(2, 1);
    let (ours, theirs) = world.pair(0, 1, Channel::Session);
    let (sent_at, clock) = (world.machines[0].clock.clone(), world.machines[1].clock.clone());
    let sending = world.spawn(0, async move {
        let (mut ours, mut sent) = (ours, Vec::new());
        for number in 0..200u8 {
            // Some wait for each other, some don't.
            tokio::time::sleep(if number % 4 == 0 { 30 * MS } else { MS }).await;
            sent.push(sent_at.true_ns());
            ours.write_all(&[number]).await.unwrap();
        }
        sent
    });
    let reading = world.spawn(1, async move {
        let (mut theirs, mut came) = (theirs, Vec::new());
        for number in 0..200u8 {
            assert_eq!(theirs.read_u8().await.unwrap(), number);
            came.push(clock.true_ns());
        }
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "the other side dropped its end");
        came
    });
    let (sent, _) = world.until(sending);
    let (came, _) = world.until(reading);
    let took: Vec<u64> = sent.iter().zip(&came).map(|(sent, came)| came - sent).collect();
    assert!(took.iter().all(|took| (5_000_000..60_000_000).contains(took)), "{took:?}");
    assert!(took.iter().min() < took.iter().max());
}

#[test]
fn a_writer_waits_for_its_reader() {
    let world = World::new(2, 2);
    let (ours, theirs) = world.pair(0, 1, Channel::Raft);
    let big: Vec<u8> = (0..1_000_000u32).map(|number| number.to_be_bytes()[3]).collect();
    let sending = world.sending(0, ours, big.clone());
    world.pass(SECOND);
    assert!(!sending.is_finished(), "nobody reads yet");
    let (read, _) = world.until(world.reading(1, theirs, big.len())).0;
    assert!(read.unwrap() == big);
    world.until(sending).0.0.unwrap();
}

#[test]
fn a_short_cut_delays_and_a_long_one_breaks_both_ends() {
    let world = World::new(2, 3);
    let (a, b) = (world.host(0), world.host(1));
    let (ours, theirs) = world.pair(0, 1, Channel::Raft);
    world.net.cut(a, b);
    let (sent, ours) = world.until(world.sending(0, ours, b"later".to_vec())).0;
    sent.unwrap();
    let reading = world.reading(1, theirs, 5);
    world.pass(2 * SECOND);
    assert!(!reading.is_finished());
    world.net.heal_all();
    let ((read, theirs), took) = world.until(reading);
    assert_eq!(read.unwrap(), b"later");
    assert!(took <= 600 * MS, "{took:?}");

    world.pass(5 * SECOND);
    world.net.cut(a, b);
    let (ours, theirs) = (world.reading(0, ours, 1), world.reading(1, theirs, 1));
    let ((theirs, _), took) = world.until(theirs);
    assert_eq!(World::kind(&theirs), Some(io::ErrorKind::TimedOut));
    assert!((2 * SECOND..=3_100 * MS).contains(&took), "{took:?}");
    // The dialer has asked once more, and waits for that answer.
    let ((ours, _), took) = world.until(ours);
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::TimedOut));
    assert!((900 * MS..=1_100 * MS).contains(&took), "{took:?}");
    assert_eq!(world.net.counters().idle_timeouts, 2);
    world.net.heal_all();
    world.pair(0, 1, Channel::Raft);
}

#[test]
fn what_is_under_way_when_a_link_is_cut_does_not_arrive() {
    let world = World::new(2, 20);
    let (a, b) = (world.host(0), world.host(1));
    let (ours, theirs) = world.pair(0, 1, Channel::Session);
    world.net.slow(a, b, 500 * MS..=500 * MS);
    let (_, _ours) = world.until(world.sending(0, ours, b"!".to_vec())).0;
    world.net.cut_one_way(a, b);
    let reading = world.reading(1, theirs, 1);
    world.pass(3 * SECOND);
    assert!(!reading.is_finished());
    world.net.calm();
    world.net.heal(a, b);
    let ((read, _), took) = world.until(reading);
    read.unwrap();
    assert!(took <= 550 * MS, "{took:?}");
}

#[test]
fn who_hears_nothing_gives_up_and_who_still_speaks_learns_it() {
    let world = World::new(2, 4);
    let (ours, theirs) = world.pair(0, 1, Channel::Raft);
    // The dialer no longer hears answers; the other side hears its pings until it gives up, then nothing.
    world.net.cut_one_way(world.host(1), world.host(0));
    let (sent, theirs) = world.until(world.sending(1, theirs, b"unheard".to_vec())).0;
    sent.unwrap();
    let (ours, theirs) = (world.reading(0, ours, 1), world.reading(1, theirs, 1));
    let ((ours, _), first) = world.until(ours);
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::TimedOut));
    let ((theirs, _), then) = world.until(theirs);
    assert_eq!(World::kind(&theirs), Some(io::ErrorKind::TimedOut));
    assert!(then >= SECOND, "{first:?}, then {then:?}");
}

#[test]
fn a_killed_peer_is_silent_and_its_next_run_says_so() {
    let mut world = World::new(2, 5);
    let (ours, theirs) = world.pair(0, 1, Channel::Session);
    world.kill(1);
    // What a killed process had in its hands says nothing any more.
    drop(theirs);
    let ((ours, _), took) = world.until(world.reading(0, ours, 1));
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::TimedOut));
    assert!((4 * SECOND..=8_500 * MS).contains(&took), "{took:?}");

    world.boot(1);
    let (ours, _theirs) = world.pair(0, 1, Channel::Session);
    world.kill(1);
    world.boot(1);
    let ((ours, _), took) = world.until(world.reading(0, ours, 1));
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::ConnectionReset));
    assert!(took <= 2_500 * MS, "{took:?}");
    assert_eq!(world.net.counters().resets, 1);
}

#[test]
fn what_was_sent_to_a_process_that_restarts_meets_the_next_one() {
    let mut world = World::new(2, 6);
    let (ours, _theirs) = world.pair(0, 1, Channel::Raft);
    world.kill(1);
    let dialing = world.opening(0, 1, Channel::Session);
    let (sent, ours) = world.until(world.sending(0, ours, b"?".to_vec())).0;
    sent.unwrap();
    world.pass(SECOND);
    world.boot(1);
    let ((ours, _), took) = world.until(world.reading(0, ours, 1));
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::ConnectionReset));
    assert!(took <= 600 * MS, "{took:?}");
    world.until(dialing).0.unwrap();
}

#[test]
fn a_gate_refuses_in_its_own_words() {
    let world = World::new(2, 7);
    *world.machines[1].book.refuse.lock().unwrap() = Some("this device was revoked".to_owned());
    let refused = world.until(world.opening(0, 1, Channel::Session)).0.map(|_| ());
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(error.to_string(), "this device was revoked");
    assert_eq!(world.net.counters().refused, 1);
    assert!(world.machines[1].book.met.lock().unwrap().is_empty());
}

#[test]
fn streams_share_a_connection_and_a_dial_has_its_own() {
    let world = World::new(2, 8);
    let opening: Vec<_> = (0..10).map(|_| world.opening(0, 1, Channel::Session)).collect();
    let _streams: Vec<_> = opening.into_iter().map(|opening| world.until(opening).0.unwrap()).collect();
    assert_eq!(world.net.counters().connections, 1);
    assert_eq!(*world.machines[0].book.met.lock().unwrap(), [world.device(1)]);
    let _raft = world.until(world.opening(0, 1, Channel::Raft)).0.unwrap();
    let network = world.run(0).network.clone();
    let dialing = world.spawn(0, async move { network.dial(address(1), Channel::Session).await });
    let (peer, stream) = world.until(dialing).0.unwrap();
    assert_eq!((peer.device, peer.address), (world.device(1), address(1)));
    assert_eq!(world.net.counters().connections, 3);

    // It lasts as long as its stream.
    let accepting = world.accepting(1);
    let (_, stream) = world.until(world.sending(0, stream, b"!".to_vec())).0;
    let inbound = world.until(accepting).0;
    drop(stream);
    let (mut read, mut theirs) = world.until(world.reading(1, inbound.stream, 1)).0;
    assert_eq!(read.unwrap(), b"!");
    (read, theirs) = world.until(world.reading(1, theirs, 1)).0;
    assert_eq!(World::kind(&read), Some(io::ErrorKind::UnexpectedEof));
    world.pass(SECOND);
    let write = world.until(world.sending(1, theirs, b"?".to_vec())).0.0;
    assert_eq!(World::kind(&write), Some(io::ErrorKind::ConnectionAborted));
}

#[test]
fn last_words_come_before_the_end_of_their_connection() {
    let world = World::new(2, 21);
    for _ in 0..20 {
        let (network, accepting) = (world.run(0).network.clone(), world.accepting(1));
        let saying = world.spawn(0, async move {
            let (_, mut stream) = network.dial(address(1), Channel::Join).await.unwrap();
            stream.write_all(b"farewell").await.unwrap();
        });
        world.until(saying);
        let reading = world.reading(1, world.until(accepting).0.stream, 8);
        assert_eq!(world.until(reading).0.0.unwrap(), b"farewell");
    }
}

#[test]
fn a_peer_keeps_four_connections_of_a_channel() {
    let world = World::new(2, 9);
    let mut streams = Vec::new();
    for _ in 0..5 {
        let network = world.run(0).network.clone();
        let dialing = world.spawn(0, async move { network.dial(address(1), Channel::Session).await });
        streams.push(world.until(dialing).0.unwrap().1);
    }
    world.pass(SECOND);
    let oldest = streams.remove(0);
    let error = world.until(world.reading(0, oldest, 1)).0.0.unwrap_err();
    assert_eq!(error.to_string(), "replaced by a newer connection");
    let next = world.reading(0, streams.remove(0), 1);
    world.pass(SECOND);
    assert!(!next.is_finished());
}

#[test]
fn who_opens_too_many_streams_waits_until_one_has_ended() {
    let world = World::new(2, 19);
    let pairs = [world.pair(0, 1, Channel::Join), world.pair(0, 1, Channel::Join)];
    let third = world.opening(0, 1, Channel::Join);
    world.pass(5 * SECOND);
    assert!(!third.is_finished());
    let [(ours, theirs), _others] = pairs;
    drop(ours);
    world.pass(SECOND);
    assert!(!third.is_finished(), "the other side still has it");
    drop(theirs);
    world.until(third).0.unwrap();
    assert_eq!(world.net.counters().connections, 1);
}

#[test]
fn both_ends_of_a_connection_share_secrets() {
    let world = World::new(3, 10);
    let (a, b) = world.pair(0, 1, Channel::Join);
    let (c, _d) = world.pair(0, 2, Channel::Join);
    let secret = |stream: &BoxStream, label: &[u8]| stream.exporter(label).unwrap();
    assert_eq!(secret(&a, b"join"), secret(&b, b"join"));
    assert_ne!(secret(&a, b"join"), secret(&a, b"other"));
    assert_ne!(secret(&a, b"join"), secret(&c, b"join"));
}

#[test]
fn an_address_is_tried_after_another_and_must_be_the_device() {
    let world = World::new(3, 11);
    let device = world.device(2);
    let knows = |addresses: &[SocketAddr]| {
        world.machines[0].book.addresses.lock().unwrap().insert(device, addresses.to_vec());
    };
    knows(&[address(99), address(1), address(2)]);
    let (opened, took) = world.until(world.opening(0, 2, Channel::Session));
    opened.unwrap();
    assert!(took < SECOND, "{took:?}");
    knows(&[address(1)]);
    let error = world.until(world.opening(0, 2, Channel::Raft)).0.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    knows(&[address(99)]);
    let both = [world.opening(0, 2, Channel::Raft), world.opening(0, 2, Channel::Raft)];
    // Whoever has waited for a dial that failed does not dial again.
    for (opening, expected) in both.into_iter().zip([5 * SECOND, Duration::ZERO]) {
        let (error, took) = world.until(opening);
        assert_eq!(World::kind(&error), Some(io::ErrorKind::TimedOut));
        assert!((expected..=expected + 20 * MS).contains(&took), "{took:?}");
    }
    knows(&[]);
    let error = world.until(world.opening(0, 2, Channel::Raft)).0;
    assert_eq!(World::kind(&error), Some(io::ErrorKind::NotFound));
}

#[test]
fn who_sleeps_too_long_finds_its_connections_forgotten() {
    let mut world = World::new(2, 12);
    let (ours, theirs) = world.pair(0, 1, Channel::Raft);
    world.pause(0, Pause::Suspended);
    let ((theirs, _), took) = world.until(world.reading(1, theirs, 1));
    assert_eq!(World::kind(&theirs), Some(io::ErrorKind::TimedOut));
    assert!(took <= 4 * SECOND, "{took:?}");
    world.pass(20 * SECOND);
    world.resume(0);
    // Its own timers have slept as well: its next ping tells.
    let ((ours, _), took) = world.until(world.reading(0, ours, 1));
    assert_eq!(World::kind(&ours), Some(io::ErrorKind::ConnectionReset));
    assert!(took <= 1_500 * MS, "{took:?}");
}

#[test]
fn a_sleeper_sends_nothing_again_before_it_wakes() {
    let mut world = World::new(2, 22);
    let (a, b) = (world.host(0), world.host(1));
    let (ours, theirs) = world.pair(0, 1, Channel::Session);
    world.net.cut(a, b);
    let (_, _ours) = world.until(world.sending(0, ours, b"!".to_vec())).0;
    world.pass(SECOND);
    world.pause(0, Pause::Suspended);
    world.net.heal_all();
    let reading = world.reading(1, theirs, 1);
    world.pass(3 * SECOND);
    assert!(!reading.is_finished());
    world.resume(0);
    let ((read, _), took) = world.until(reading);
    read.unwrap();
    assert!(took <= 600 * MS, "{took:?}");
}

#[test]
fn what_waited_for_a_stalled_process_is_there_when_it_runs_and_for_a_sleeping_machine_not() {
    for (pause, comes) in [(Pause::Stalled, true), (Pause::Suspended, false)] {
        let mut world = World::new(2, 13);
        let (ours, theirs) = world.pair(0, 1, Channel::Raft);
        world.pause(1, pause);
        let (sent, ours) = world.until(world.sending(0, ours, b"old".to_vec())).0;
        sent.unwrap();
        world.pass(10 * SECOND);
        drop(ours);
        world.resume(1);
        let read = world.until(world.reading(1, theirs, 3)).0.0;
        assert_eq!(read.is_ok(), comes, "{pause:?}: {read:?}");
    }
}

#[test]
fn a_dialer_that_moves_keeps_its_connections_or_loses_them_in_silence() {
    for (migrates, expected) in [(1.0, None), (0.0, Some(io::ErrorKind::TimedOut))] {
        let world = World::new(2, 14);
        let (ours, theirs) = world.pair(0, 1, Channel::Session);
        world.net.move_to(world.host(0), address(50), migrates);
        let (sent, _ours) = world.until(world.sending(0, ours, b"x".to_vec())).0;
        sent.unwrap();
        let (read, _) = world.until(world.reading(1, theirs, 1)).0;
        assert_eq!(World::kind(&read), expected);
        // Where its connection has followed it, it can be dialed.
        let dialed = world.until(world.opening(1, 0, Channel::Raft)).0;
        assert_eq!(World::kind(&dialed), expected);
        // Nobody is at the old address any more, also for a dial that is on its way there.
        let dialing = world.opening(0, 1, Channel::Raft);
        world.step();
        world.net.move_to(world.host(1), address(51), 1.0);
        assert_eq!(World::kind(&world.until(dialing).0), Some(io::ErrorKind::TimedOut));
    }
}

#[test]
fn a_closed_connection_says_why_and_a_shut_down_agent_answers_nobody() {
    let world = World::new(2, 15);
    let (_ours, theirs) = world.pair(0, 1, Channel::Session);
    world.run(0).network.close(&world.device(1), "you were revoked");
    let (error, _) = world.until(world.reading(1, theirs, 1)).0;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (io::ErrorKind::ConnectionAborted, "you were revoked")
    );

    let (ours, _theirs) = world.pair(0, 1, Channel::Session);
    let network = world.run(1).network.clone();
    world.until(world.spawn(1, async move { network.shutdown().await }));
    let (error, _) = world.until(world.reading(0, ours, 1)).0;
    assert_eq!(error.unwrap_err().to_string(), "the agent is stopping");
    let error = world.until(world.opening(0, 1, Channel::Session)).0;
    assert_eq!(World::kind(&error), Some(io::ErrorKind::TimedOut));
    let error = world.until(world.opening(1, 0, Channel::Session)).0;
    assert!(error.is_err());
}

fn announcement(device: DeviceId) -> Announcement {
    Announcement { device, site: "abcdefgh".to_owned(), name: None, generation: 1, addresses: Vec::new() }
}

/// What is sighted so far.
fn drain(sightings: &mut mpsc::Receiver<Sighting>) -> Vec<Sighting> {
    std::iter::from_fn(|| sightings.try_recv().ok()).collect()
}

#[test]
fn devices_find_each_other_also_after_a_cut_and_are_told_of_farewells_only() {
    let mut world = World::new(3, 16);
    let discovery = |world: &World, at: usize| world.run(at).discovery.clone().unwrap();
    let seen = |world: &World, at: usize, last: u8| {
        Sighting::Seen(Announcement { addresses: vec![address(last)], ..announcement(world.device(at)) })
    };
    world.net.cut(world.host(0), world.host(2));
    let mut sightings = discovery(&world, 0).browse();
    for at in 0..3 {
        discovery(&world, at).announce(&announcement(world.device(at)), 7410).unwrap();
    }
    world.pass(SECOND);
    let found = drain(&mut sightings);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&seen(&world, 0, 0)) && found.contains(&seen(&world, 1, 1)));

    world.pass(30 * SECOND);
    assert_eq!(drain(&mut sightings), []);
    world.net.heal_all();
    world.pass(10 * SECOND);
    assert_eq!(drain(&mut sightings), [seen(&world, 2, 2)]);

    world.net.move_to(world.host(2), address(60), 1.0);
    world.pass(SECOND);
    assert_eq!(drain(&mut sightings), [seen(&world, 2, 60)]);

    // Who has not heard of a move asks, and need not wait for the next renewal.
    world.net.cut(world.host(0), world.host(2));
    world.net.move_to(world.host(2), address(61), 1.0);
    world.pass(SECOND);
    world.net.heal_all();
    discovery(&world, 0).look_for(&world.device(2));
    world.pass(SECOND / 2);
    assert_eq!(drain(&mut sightings), [seen(&world, 2, 61)]);
    discovery(&world, 2).withdraw();
    world.pass(SECOND);
    assert_eq!(drain(&mut sightings), [Sighting::Gone(world.device(2))]);

    world.kill(1);
    world.pass(200 * SECOND);
    assert_eq!(drain(&mut sightings), []);
    world.net.discovers(world.host(1), false);
    world.boot(1);
    assert!(world.run(1).discovery.is_none());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut world = World::new(3, seed);
        world.net.lossy(world.host(0), world.host(1), 0.2);
        world.net.slow(world.host(0), world.host(2), 30 * MS..=200 * MS);
        let (a, b) = world.pair(0, 1, Channel::Raft);
        let (c, d) = world.pair(0, 2, Channel::Session);
        let tasks = [world.sending(0, a, vec![7; 300_000]), world.sending(0, c, vec![8; 100_000])];
        let reads = [world.reading(1, b, 300_000), world.reading(2, d, 100_000)];
        world.pass(SECOND);
        world.net.isolate(world.host(1));
        world.pass(5 * SECOND);
        world.net.heal_all();
        world.kill(2);
        world.boot(2);
        world.pass(5 * SECOND);
        drop((tasks, reads));
        (world.net.digest(), world.net.counters())
    };
    assert_eq!(trace(17), trace(17));
    assert_ne!(trace(17).0, trace(18).0);
}
