//! Frames that are none, silence, and floods: a stream ends in bounded time, and others are served meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use seatkeeper::seam::BoxStream;
use seatkeeper_client::SeatRequest;
use seatkeeper_election::seam::Channel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::keys::memory;
use super::peer::Peer;
use crate::office::{Office, eventually};

/// The longest that an agent listens to somebody who says nothing of use: 10 s, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(20);
/// Checkouts measured.
const CHECKOUTS: usize = 100;

/// How long the agent keeps a stream; nothing may be answered on it.
async fn ends(what: &str, mut stream: BoxStream) -> Duration {
    let begun = Instant::now();
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{what}: {read:?}");
    begun.elapsed()
}

#[tokio::test]
async fn what_is_no_frame_ends_its_stream_and_disturbs_nobody() {
    let office = Office::with_two_seats().await;
    let thief = Peer::enrolled(&office).await;
    let before = memory(&office);
    let attack = async |channel: Channel, what: &str, bytes: &[u8]| {
        let what = format!("{what} on {channel:?}");
        let mut stream = thief.open(&office, channel).await.expect("an enrolled machine is let in");
        // The agent may end it before it has all.
        let _ = stream.write_all(bytes).await;
        (ends(&what, stream).await, what)
    };
    let header = |len: u32| len.to_le_bytes().to_vec();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("the longest length there is", [header(u32::MAX), vec![1; 64]].concat()),
        ("one byte over the limit", [header(8 * 1024 * 1024 + 1), vec![1; 64]].concat()),
        ("no length", header(0)),
        ("an unknown version", [header(3), vec![9, 1, 1]].concat()),
        ("noise", (0..=255).cycle().take(70_000).collect()),
        ("a message that is none", [header(6), vec![1, 250, 255, 255, 255, 255]].concat()),
    ];
    let mut attacks = Vec::new();
    for channel in [Channel::Session, Channel::Raft, Channel::Join] {
        attacks.extend(cases.iter().map(|(what, bytes)| attack(channel, what, bytes)));
    }
    let asked = CheckoutTimes::of(&office, 20);
    let (ended, served) = tokio::join!(join_all(attacks), asked);
    let slowest = ended.iter().max().unwrap();
    println!("{} malformed beginnings: the slowest ended after {:?} ({})", ended.len(), slowest.0, slowest.1);
    println!("checkouts meanwhile: {served}; memory grew by {} KiB", memory(&office).saturating_sub(before));
    assert!(slowest.0 < Duration::from_secs(5), "{slowest:?}");
}

#[tokio::test]
async fn who_says_nothing_or_byte_by_byte_is_not_waited_for() {
    let office = Office::with_two_seats().await;
    let thief = Peer::enrolled(&office).await;
    let mut waiting = Vec::new();
    for channel in [Channel::Session, Channel::Join] {
        for slowly in [false, true] {
            let mut stream = thief.dial(&office, channel).await.unwrap();
            waiting.push(async move {
                // Without a byte the other side does not even know of the stream.
                stream.write_all(&1_000u32.to_le_bytes()).await.unwrap();
                if slowly {
                    let (mut from, mut to) = tokio::io::split(stream);
                    let begun = Instant::now();
                    let dripping = async {
                        loop {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            if to.write_all(b"x").await.is_err() {
                                return;
                            }
                        }
                    };
                    let mut answer = [0; 64];
                    let ending = async {
                        tokio::select! {
                            _ = from.read(&mut answer) => {}
                            () = dripping => {}
                        }
                    };
                    tokio::time::timeout(PATIENCE, ending).await.expect("a slow frame is not waited for");
                    begun.elapsed()
                } else {
                    ends("silence", stream).await
                }
            });
        }
    }
    let (ended, served) = tokio::join!(join_all(waiting), CheckoutTimes::of(&office, 50));
    println!("silent and slow streams ended after {ended:?}; checkouts meanwhile: {served}");
}

/// How long checkouts take: the median and the slowest but one in a hundred.
struct CheckoutTimes {
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for CheckoutTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?}", self.p50, self.p99)
    }
}

impl CheckoutTimes {
    async fn of(office: &Office, count: usize) -> Self {
        let mut times = Vec::with_capacity(count);
        let request = SeatRequest::product("cad");
        for _ in 0..count {
            office.until_seats(0).await;
            let begun = Instant::now();
            let seat = office.client.take_seat(&request).await.expect("a seat");
            times.push(begun.elapsed());
            drop(seat);
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Self { p50: at(50), p99: at(99) }
    }

    /// Twice as slow at most (issue 7), but for what a machine with other work adds to a few.
    fn at_most_twice(&self, quiet: &Self) {
        let limit = quiet.p99 * 2 + Duration::from_millis(250);
        assert!(self.p99 <= limit, "in the flood {self}; without it {quiet}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_is_bounded_and_joining_goes_on() {
    const FLOOD: usize = 500;
    /// What the agent keeps of one address.
    const KEPT_MAX: usize = 32;
    let office = Office::with_two_seats().await;
    let quiet = CheckoutTimes::of(&office, CHECKOUTS).await;
    let before = memory(&office);

    let flooding = async {
        let mut held = Vec::new();
        for _ in 0..FLOOD {
            let stranger = Peer::stranger();
            if let Ok(mut stream) = stranger.dial(&office, Channel::Join).await {
                let _ = stream.write_all(&[200, 0]).await;
                held.push((stranger, stream));
            }
        }
        held
    };
    let begun = Instant::now();
    let (held, flooded) = tokio::join!(flooding, CheckoutTimes::of(&office, CHECKOUTS));
    let grown = memory(&office).saturating_sub(before);
    println!("checkouts: quiet {quiet}; with {FLOOD} connections from one address {flooded}");
    println!("{} of them were let in within {:?}; memory grew by {grown} KiB", held.len(), begun.elapsed());
    // Whoever wants to join comes in meanwhile, from the same address.
    let second = office.second().await;
    let looks = held.into_iter().map(|(stranger, mut stream)| async move {
        let open = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 1])).await.is_err();
        (open, stranger)
    });
    let open = join_all(looks).await.into_iter().filter(|(open, _)| *open).count();
    println!("{open} are open after it");
    assert!(open <= KEPT_MAX, "{open} connections of one address are kept");
    assert!(grown < 64 * 1024, "{grown} KiB");
    eventually("the second machine is served", async || second.client.seats().await.is_ok()).await;
    flooded.at_most_twice(&quiet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_streams_on_one_connection_slows_nobody_else() {
    const FLOOD: usize = 600;
    let office = Office::with_two_seats().await;
    let thief = Peer::enrolled(&office).await;
    let quiet = CheckoutTimes::of(&office, CHECKOUTS).await;
    let before = memory(&office);
    let flooding = async {
        let mut held = Vec::new();
        for _ in 0..FLOOD {
            // More than it may have at once wait here until the agent has closed others.
            let opened =
                tokio::time::timeout(Duration::from_millis(20), thief.open(&office, Channel::Session)).await;
            if let Ok(Ok(mut stream)) = opened {
                // The frame that this begins never comes.
                let _ = stream.write_all(&[0, 0, 1, 0, 1]).await;
                held.push(stream);
            }
        }
        held
    };
    let (held, flooded) = tokio::join!(flooding, CheckoutTimes::of(&office, CHECKOUTS));
    let grown = memory(&office).saturating_sub(before);
    println!("checkouts: quiet {quiet}; with {} streams on one connection {flooded}", held.len());
    println!("memory grew by {grown} KiB");
    assert!(held.len() < FLOOD, "the streams of a connection have a bound");
    assert!(grown < 64 * 1024, "{grown} KiB");
    flooded.at_most_twice(&quiet);
}
