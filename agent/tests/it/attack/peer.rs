//! A machine that says what a test wants.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, Mac};
use seatkeeper::keys::invite::InviteCode;
use seatkeeper::quic::Quic;
use seatkeeper::seam::frames::{read_frame, write_frame};
use seatkeeper::seam::{BoxStream, Gate, Inbound, Network, Peer as Proven};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::wire::{
    FromPeer, Hello, JOIN_EXPORTER_LABEL, JOIN_PROOF_DEVICE, JoinRequest, JoinResponse, Opening, Pong,
    Request, Response, SiteRef, ToPeer, View,
};
use sha2::Sha256;
use tokio::sync::mpsc;

use crate::office::Office;

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

/// Lets everybody in.
#[derive(Default)]
struct Addresses(Mutex<BTreeMap<DeviceId, SocketAddr>>);

impl Gate for Addresses {
    fn admit(&self, _peer: &Proven, _channel: Channel) -> Result<(), String> {
        Ok(())
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.0.lock().unwrap().get(device).copied().into_iter().collect()
    }
}

pub(super) struct Peer {
    pub(super) quic: Quic,
    pub(super) device: DeviceId,
    inbound: Option<mpsc::Receiver<Inbound>>,
    addresses: Arc<Addresses>,
}

impl Peer {
    /// A machine with a key of its own, which nobody knows.
    pub(super) fn stranger() -> Self {
        let key = seatkeeper::keys::generate().unwrap();
        let (cert, private) = seatkeeper::keys::identity::self_signed(&key).unwrap();
        let addresses = Arc::new(Addresses::default());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (quic, inbound) = Quic::bind(listen, cert, private, addresses.clone()).unwrap();
        let device = seatkeeper::keys::public(&key).device();
        Self { quic, device, inbound: Some(inbound), addresses }
    }

    /// A machine that an admin has let in.
    pub(super) async fn enrolled(office: &Office) -> Self {
        let peer = Self::stranger();
        let code = office.signed(&["site", "invite"]).await.trim().parse::<InviteCode>().unwrap();
        let admitted = peer.join(office, &code).await;
        assert!(matches!(admitted, JoinResponse::Admitted(_)), "{admitted:?}");
        peer
    }

    /// A stream on a connection of its own.
    pub(super) async fn dial(&self, office: &Office, channel: Channel) -> io::Result<BoxStream> {
        self.quic.dial(office.address(), channel).await.map(|(_, stream)| stream)
    }

    /// A stream on the one connection that all such streams share.
    pub(super) async fn open(&self, office: &Office, channel: Channel) -> io::Result<BoxStream> {
        let device = office.client.status().await.unwrap().me.unwrap().id.parse().unwrap();
        self.addresses.0.lock().unwrap().insert(device, office.address());
        self.quic.open(device, channel).await
    }

    pub(super) async fn join(&self, office: &Office, code: &InviteCode) -> JoinResponse {
        let mut stream = self.dial(office, Channel::Join).await.unwrap();
        let exporter = stream.exporter(JOIN_EXPORTER_LABEL).unwrap();
        ask_to_join(&mut stream, code, proof(&code.key, &exporter)).await.unwrap()
    }

    pub(super) async fn ask(&self, office: &Office, site: SiteRef, request: Request) -> io::Result<Response> {
        let mut stream = self.dial(office, Channel::Session).await?;
        converse(&mut stream, &Opening::Request(site, request)).await
    }

    /// Says to whoever dials that it is the holder, of a term that no election will ever reach. Becomes true once
    /// somebody believes it: pings it for its seats.
    pub(super) fn claim_to_hold(&mut self) -> Arc<AtomicBool> {
        let (mut inbound, me) = (self.inbound.take().unwrap(), self.device);
        let believed = Arc::new(AtomicBool::new(false));
        let believes = believed.clone();
        tokio::spawn(async move {
            while let Some(Inbound { stream, channel, .. }) = inbound.recv().await {
                if channel == Channel::Session {
                    tokio::spawn(lie(stream, me, believes.clone()));
                }
            }
        });
        believed
    }
}

async fn lie(mut stream: BoxStream, me: DeviceId, believed: Arc<AtomicBool>) {
    let view = || View { term: u64::MAX, holder: Some(me), roster: None, addresses: Vec::new() };
    match read_frame::<Opening>(&mut stream, SESSION_FRAME_BYTES_MAX).await {
        Ok(Opening::Control(_)) => {}
        _ => {
            let response = Response::NotHolder { term: u64::MAX, holder: Some(me) };
            let _ = write_frame(&mut stream, &response, SESSION_FRAME_BYTES_MAX).await;
            return;
        }
    }
    let _ = write_frame(&mut stream, &FromPeer::Welcome(view()), SESSION_FRAME_BYTES_MAX).await;
    while let Ok(message) = read_frame::<ToPeer>(&mut stream, SESSION_FRAME_BYTES_MAX).await {
        let ToPeer::Ping(ping) = message else { continue };
        believed.store(true, Ordering::SeqCst);
        let pong = Pong {
            number: ping.number,
            term: u64::MAX,
            live: ping.sessions.iter().map(|(session, _)| *session).collect(),
            released: Vec::new(),
            queue: Vec::new(),
            time: ping.clock,
            borrows: Vec::new(),
            lost: false,
            asked: Vec::new(),
            survey: None,
        };
        for message in [FromPeer::View(view()), FromPeer::Pong(pong)] {
            if write_frame(&mut stream, &message, SESSION_FRAME_BYTES_MAX).await.is_err() {
                return;
            }
        }
    }
}

pub(super) fn proof(key: &[u8; 16], exporter: &[u8; 32]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(JOIN_PROOF_DEVICE);
    mac.update(exporter);
    mac.finalize().into_bytes().into()
}

pub(super) async fn ask_to_join(
    stream: &mut BoxStream,
    code: &InviteCode,
    proof: [u8; 32],
) -> io::Result<JoinResponse> {
    let name = "stranger".parse().unwrap();
    let version = "0.1.0".parse().unwrap();
    let invite = Some((code.invite, proof));
    converse(stream, &JoinRequest { site: Some(code.site), name, laptop: false, version, invite }).await
}

/// One message there, one back.
pub(super) async fn converse<A: serde::de::DeserializeOwned>(
    stream: &mut BoxStream,
    message: &impl serde::Serialize,
) -> io::Result<A> {
    let conversing = async {
        write_frame(stream, message, SESSION_FRAME_BYTES_MAX).await.map_err(io::Error::other)?;
        read_frame(stream, SESSION_FRAME_BYTES_MAX).await.map_err(io::Error::other)
    };
    tokio::time::timeout(ANSWER, conversing).await.expect("an answer, if only a refusal")
}

pub(super) fn hello(site: SiteRef) -> Opening {
    Opening::Control(Hello { site, roster: 0 })
}
