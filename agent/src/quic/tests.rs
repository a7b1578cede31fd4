//! Real endpoints on the loopback interface.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;
use crate::keys;
use crate::seam::frames;

const LONG: Duration = Duration::from_secs(10);
const CHANNELS: [Channel; 3] = [Channel::Session, Channel::Raft, Channel::Join];

/// Lets everybody in, but for those it has words for.
#[derive(Default)]
struct Book {
    refused: RwLock<BTreeMap<DeviceId, String>>,
    addresses: RwLock<BTreeMap<DeviceId, Vec<SocketAddr>>>,
    met: Mutex<Vec<(Peer, Channel)>>,
}

impl Gate for Book {
    fn admit(&self, peer: &Peer, _channel: Channel) -> Result<(), String> {
        self.refused.read().unwrap().get(&peer.device).map_or(Ok(()), |words| Err(words.clone()))
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.addresses.read().unwrap().get(device).cloned().unwrap_or_default()
    }

    fn connected(&self, peer: &Peer, channel: Channel) {
        self.met.lock().unwrap().push((*peer, channel));
    }
}

struct Machine {
    quic: Quic,
    streams: mpsc::Receiver<Inbound>,
    book: Arc<Book>,
    device: DeviceId,
}

impl Machine {
    fn start() -> Self {
        Self::start_as(&keys::generate().unwrap(), 0)
    }

    fn start_as(key: &ed25519_dalek::SigningKey, port: u16) -> Self {
        let (cert, private) = keys::identity::self_signed(key).unwrap();
        let book = Arc::new(Book::default());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (quic, streams) = Quic::bind(listen, cert, private, book.clone()).unwrap();
        Self { quic, streams, book, device: keys::public(key).device() }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.quic.port()))
    }

    fn knows(&self, other: &Self) {
        self.knows_at(other.device, &[other.address()]);
    }

    fn knows_at(&self, device: DeviceId, addresses: &[SocketAddr]) {
        self.book.addresses.write().unwrap().insert(device, addresses.to_vec());
    }

    async fn next(&mut self) -> Inbound {
        timeout(LONG, self.streams.recv()).await.expect("no stream came").unwrap()
    }

    /// A stream to `other` with one byte on it, and its other end.
    async fn pair(&self, other: &mut Self, channel: Channel) -> (BoxStream, Inbound) {
        let mut stream = self.quic.open(other.device, channel).await.unwrap();
        stream.write_all(b"!").await.unwrap();
        let mut inbound = other.next().await;
        assert_eq!(inbound.stream.read_u8().await.unwrap(), b'!');
        (stream, inbound)
    }
}

async fn says(stream: &mut BoxStream, bytes: &[u8], to: &mut BoxStream) {
    stream.write_all(bytes).await.unwrap();
    let mut read = vec![0; bytes.len()];
    timeout(LONG, to.read_exact(&mut read)).await.expect("nothing arrived").unwrap();
    assert_eq!(read, bytes);
}

#[tokio::test]
async fn streams_go_both_ways_on_each_channel() {
    let (a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    for channel in CHANNELS {
        let (mut ours, mut theirs) = a.pair(&mut b, channel).await;
        assert_eq!((theirs.peer.device, theirs.channel), (a.device, channel));
        assert_eq!(theirs.peer.address, a.address());
        says(&mut ours, b"question", &mut theirs.stream).await;
        ours.shutdown().await.unwrap();
        assert_eq!(theirs.stream.read(&mut [0; 8]).await.unwrap(), 0, "our direction has ended");
        says(&mut theirs.stream, b"answer", &mut ours).await;
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
    }
    // One connection per channel, whatever is opened on it.
    let (_one, _) = a.pair(&mut b, Channel::Session).await;
    let met: Vec<_> = b.book.met.lock().unwrap().iter().map(|(_, channel)| *channel).collect();
    assert_eq!(met, CHANNELS);
    assert_eq!(a.book.met.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_connection_is_closed_when_nobody_has_used_it_for_a_while() {
    let (a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let (mut ours, mut theirs) = a.pair(&mut b, Channel::Session).await;
    drop(a.pair(&mut b, Channel::Session).await);
    let idle = || a.quic.shared.endpoint.wait_idle();
    assert!(timeout(limits::UNUSED_FOR + Duration::from_secs(1), idle()).await.is_err(), "it is in use");
    says(&mut ours, b"still here", &mut theirs.stream).await;
    drop((ours, theirs));
    timeout(limits::UNUSED_FOR + LONG, idle()).await.expect("the connection stays");
    a.pair(&mut b, Channel::Session).await;
    assert_eq!(b.book.met.lock().unwrap().len(), 2, "dialed anew");
}

#[tokio::test]
async fn many_who_need_a_connection_share_one_dial() {
    let (a, b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let opens = (0..32).map(|_| a.quic.open(b.device, Channel::Session));
    let opened = futures_util::future::join_all(opens).await;
    assert!(opened.iter().all(Result::is_ok));
    assert_eq!(b.book.met.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn another_device_at_an_address_is_passed_over() {
    let (a, mut b, other) = (Machine::start(), Machine::start(), Machine::start());
    a.knows_at(b.device, &[other.address(), b.address()]);
    a.pair(&mut b, Channel::Session).await;
    a.knows_at(other.device, &[b.address()]);
    let error = a.quic.open(other.device, Channel::Session).await.unwrap_err();
    assert!(error.to_string().contains("another device answers at 127.0.0.1"), "{error}");
    let nowhere = a.quic.open(a.device, Channel::Session).await.unwrap_err();
    assert_eq!(nowhere.kind(), io::ErrorKind::NotFound, "{nowhere}");
}

#[tokio::test]
async fn a_silent_address_costs_little() {
    let (a, mut b) = (Machine::start(), Machine::start());
    // Bound, but nobody reads it.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    a.knows_at(b.device, &[silent.local_addr().unwrap(), b.address()]);
    let begun = Instant::now();
    a.pair(&mut b, Channel::Raft).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_gates_words_reach_the_dialer() {
    let (a, b) = (Machine::start(), Machine::start());
    a.knows(&b);
    b.book.refused.write().unwrap().insert(a.device, "this device was revoked; ask an admin".to_owned());
    for channel in CHANNELS {
        let error = a.quic.open(b.device, channel).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "this device was revoked; ask an admin");
        let error = a.quic.dial(b.address(), channel).await.unwrap_err();
        assert_eq!(error.to_string(), "this device was revoked; ask an admin");
    }
    b.book.refused.write().unwrap().clear();
    a.quic.open(b.device, Channel::Session).await.unwrap();
}

#[tokio::test]
async fn an_unknown_device_can_be_dialed_and_both_ends_export_the_same() {
    let (a, mut b) = (Machine::start(), Machine::start());
    let (peer, mut ours) = a.quic.dial(b.address(), Channel::Join).await.unwrap();
    assert_eq!((peer.device, peer.address), (b.device, b.address()));
    ours.write_all(b"!").await.unwrap();
    let theirs = b.next().await;
    let exported = ours.exporter(b"label").unwrap();
    assert_eq!(exported, theirs.stream.exporter(b"label").unwrap());
    assert_ne!(exported, ours.exporter(b"other label").unwrap());
    let (_, second) = a.quic.dial(b.address(), Channel::Join).await.unwrap();
    assert_ne!(exported, second.exporter(b"label").unwrap(), "bound to the connection");
}

#[tokio::test]
async fn closing_a_device_ends_its_streams_in_both_directions() {
    let (mut a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    b.knows(&a);
    let (mut a_opened, _b_end) = a.pair(&mut b, Channel::Session).await;
    let (mut b_opened, _a_end) = b.pair(&mut a, Channel::Raft).await;
    b.quic.close(&a.device, "this device was revoked");
    let error = timeout(LONG, a_opened.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "this device was revoked");
    timeout(LONG, b_opened.read_u8()).await.unwrap().unwrap_err();
    // Nothing forbids a new connection: that is the gate's business. The dead one is replaced.
    a.pair(&mut b, Channel::Session).await;
}

#[tokio::test]
async fn closing_a_channel_leaves_the_others() {
    let (a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let (mut session, mut session_end) = a.pair(&mut b, Channel::Session).await;
    let (mut raft, _raft_end) = a.pair(&mut b, Channel::Raft).await;
    a.quic.close_channel(&b.device, Channel::Raft);
    timeout(LONG, raft.read_u8()).await.unwrap().unwrap_err();
    says(&mut session, b"still here", &mut session_end.stream).await;
}

#[tokio::test]
async fn only_the_newest_connections_of_a_peer_are_kept() {
    let (a, b) = (Machine::start(), Machine::start());
    let mut dialed = Vec::new();
    for _ in 0..=limits::PER_PEER_MAX {
        dialed.push(a.quic.dial(b.address(), Channel::Session).await.unwrap().1);
    }
    let error = timeout(LONG, dialed[0].read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "replaced by a newer connection");
    assert!(timeout(Duration::from_millis(100), dialed[1].read_u8()).await.is_err());
}

/// A machine in a runtime of its own, which can be taken away from it without a farewell.
struct Doomed {
    device: DeviceId,
    address: SocketAddr,
    kill: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Doomed {
    fn start(key: ed25519_dalek::SigningKey) -> Self {
        let (kill, killed) = std::sync::mpsc::channel();
        let (started, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
            let machine = runtime.block_on(async { Machine::start_as(&key, 0) });
            started.send((machine.device, machine.address())).unwrap();
            killed.recv().unwrap();
            runtime.shutdown_timeout(LONG);
            // Its tasks are gone, so this tells nobody anything, but it closes the socket.
            drop(machine);
        });
        let (device, address) = address.recv().unwrap();
        Self { device, address, kill, thread }
    }

    async fn kill(self) {
        self.kill.send(()).unwrap();
        tokio::task::spawn_blocking(move || self.thread.join().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_peer_is_noticed_within_the_idle_timeout() {
    let (a, doomed) = (Machine::start(), Doomed::start(keys::generate().unwrap()));
    a.knows_at(doomed.device, &[doomed.address]);
    let mut stream = a.quic.open(doomed.device, Channel::Raft).await.unwrap();
    stream.write_all(b"!").await.unwrap();
    doomed.kill().await;
    let begun = Instant::now();
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert!(begun.elapsed() < Duration::from_millis(4_500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_killed_peer_that_is_back_says_so() {
    let key = keys::generate().unwrap();
    let (a, doomed) = (Machine::start(), Doomed::start(key.clone()));
    a.knows_at(doomed.device, &[doomed.address]);
    let mut stream = a.quic.open(doomed.device, Channel::Session).await.unwrap();
    stream.write_all(b"!").await.unwrap();
    let port = doomed.address.port();
    doomed.kill().await;
    let mut back = Machine::start_as(&key, port);
    stream.write_all(b"!").await.unwrap();
    let begun = Instant::now();
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    a.pair(&mut back, Channel::Session).await;
}

#[tokio::test]
async fn a_laptop_that_changes_its_address_keeps_its_streams() {
    let (mut a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let (mut ours, mut theirs) = a.pair(&mut b, Channel::Session).await;
    a.quic.rebind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    says(&mut ours, b"from elsewhere", &mut theirs.stream).await;
    says(&mut theirs.stream, b"and back", &mut ours).await;

    // And where it is now it can be dialed, also by who was told of no address.
    let mut dialed = b.quic.open(a.device, Channel::Raft).await.unwrap();
    dialed.write_all(b"?").await.unwrap();
    assert_eq!(a.next().await.stream.read_u8().await.unwrap(), b'?');
}

#[tokio::test]
async fn a_frame_of_the_largest_size_passes() {
    use seatkeeper_protocol::limits::RAFT_FRAME_BYTES_MAX;

    let (a, mut b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let (mut ours, mut theirs) = a.pair(&mut b, Channel::Raft).await;
    let big = vec![7u8; RAFT_FRAME_BYTES_MAX - 16];
    let (sent, read) = tokio::join!(
        frames::write_frame(&mut ours, &big, RAFT_FRAME_BYTES_MAX),
        frames::read_frame::<Vec<u8>>(&mut theirs.stream, RAFT_FRAME_BYTES_MAX),
    );
    sent.unwrap();
    assert_eq!(read.unwrap(), big);
}

#[tokio::test]
async fn a_taken_port_is_named_and_a_shutdown_frees_it() {
    let (a, b) = (Machine::start(), Machine::start());
    a.knows(&b);
    let mut stream = a.quic.open(b.device, Channel::Session).await.unwrap();
    let key = keys::generate().unwrap();
    let (cert, private) = keys::identity::self_signed(&key).unwrap();
    let bind = |at| Quic::bind(at, cert.clone(), private.clone_key(), Arc::new(Book::default())).map(|_| ());
    let port = b.quic.port();
    let error = bind(b.address()).unwrap_err();
    assert!(error.to_string().contains(&format!("UDP port {port} is taken")), "{error}");
    let any: SocketAddr = format!("[::]:{port}").parse().unwrap();
    assert!(matches!(bind(any), Err(BindError::Taken(_))));

    let address = b.address();
    b.quic.shutdown().await;
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the agent is stopping");
    let error = a.quic.open(b.device, Channel::Session).await.unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::ConnectionRefused), "{error}");
    drop(b);
    let begun = Instant::now();
    while bind(address).is_err() {
        assert!(begun.elapsed() < LONG, "the port is never freed");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_port_serves_both_families() {
    let key = keys::generate().unwrap();
    let (cert, private) = keys::identity::self_signed(&key).unwrap();
    let book = Arc::new(Book::default());
    let any: SocketAddr = "[::]:0".parse().unwrap();
    let (quic, _streams) = Quic::bind(any, cert, private, book.clone()).unwrap();
    let a = Machine::start();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, quic.port()));
    a.quic.dial(at, Channel::Session).await.unwrap();
    assert_eq!(book.met.lock().unwrap()[0].0.address, a.address(), "an IPv4 address is shown as one");
}
