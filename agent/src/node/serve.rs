//! Answering other agents: control streams, requests, joins.

use std::sync::Arc;
use std::time::Duration;

use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::{SEATS_PER_DEVICE_MAX, SESSION_FRAME_BYTES_MAX};
use seatkeeper_protocol::wire::{
    FromPeer, Hello, Opening, PeerRefusal, Ping, Request, Response, SiteRef, ToPeer,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Inner;
use crate::seam::frames::{read_frame, write_frame};
use crate::seam::{BoxStream, Inbound, Peer};

/// How long a peer may take to say what a stream is for, and a reader to take an answer.
const PROMPT: Duration = Duration::from_secs(10);
/// Pings of one stream being answered.
const PONGS_MAX: usize = 16;
/// Pause between two rosters for one peer, per hundred devices in them.
const ROSTER_PAUSE_PER_HUNDRED: Duration = Duration::from_millis(500);

/// Serves streams as they come in.
pub(crate) async fn run(inner: Arc<Inner>, mut inbound: mpsc::Receiver<Inbound>) {
    loop {
        let stream = tokio::select! {
            () = inner.stop.cancelled() => return,
            stream = inbound.recv() => stream,
        };
        let Some(Inbound { peer, channel, stream }) = stream else { return };
        let inner = inner.clone();
        // The transport bounds connections and streams per peer, and so these tasks.
        tokio::spawn(async move {
            let stop = inner.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = inner.serve(peer, channel, stream) => {}
            }
        });
    }
}

impl Inner {
    async fn serve(self: &Arc<Self>, peer: Peer, channel: Channel, stream: BoxStream) {
        match channel {
            Channel::Raft => {
                if let Some(log) = self.log() {
                    log.engine.serve(peer.device, stream).await;
                }
            }
            Channel::Join => self.serve_join(peer, stream).await,
            Channel::Session => self.serve_session(peer, stream).await,
        }
    }

    async fn serve_session(self: &Arc<Self>, peer: Peer, mut stream: BoxStream) {
        let opening = tokio::time::timeout(PROMPT, read_frame(&mut stream, SESSION_FRAME_BYTES_MAX)).await;
        match opening {
            Ok(Ok(Opening::Control(hello))) => self.serve_control(peer, hello, stream).await,
            Ok(Ok(Opening::Request(site, request))) => {
                let response = match self.turn_away(&peer.device, site) {
                    Some(refusal) => Response::Refused(refusal),
                    None if matches!(request, Request::CallBack) => self.call_back(peer).await,
                    None => self.answer(peer.device, &request).await,
                };
                let write = async {
                    write_frame(&mut stream, &response, SESSION_FRAME_BYTES_MAX).await?;
                    stream.shutdown().await.map_err(Into::into)
                };
                if let Ok(Err(error)) = tokio::time::timeout(PROMPT, write).await {
                    let error: crate::seam::frames::FrameIoError = error;
                    tracing::debug!(peer = %peer.device.short(), %error, "answer not delivered");
                }
            }
            Ok(Err(error)) => tracing::debug!(peer = %peer.device.short(), %error, "unreadable request"),
            Err(_) => tracing::debug!(peer = %peer.device.short(), "a stream was opened and nothing said"),
        }
    }

    /// Why a device is not answered, if it is not.
    fn turn_away(self: &Arc<Self>, device: &DeviceId, theirs: SiteRef) -> Option<PeerRefusal> {
        let Some(site) = self.site() else { return Some(PeerRefusal::NoSite) };
        if theirs.site != site.id {
            return Some(PeerRefusal::OtherSite);
        }
        if theirs.generation != site.generation && !planted(Fault::AnyGeneration) {
            if theirs.generation.number > site.generation.number {
                self.meet(*device);
            }
            let recovery = site.recovery.as_deref().cloned().map(Box::new);
            return Some(PeerRefusal::OtherGeneration { generation: site.generation, recovery });
        }
        self.refuse_device(device)
    }

    /// Whether the newest books here list the device.
    pub(crate) fn refuse_device(&self, device: &DeviceId) -> Option<PeerRefusal> {
        let Some(site) = self.site() else { return Some(PeerRefusal::NoSite) };
        if site.revoked(device) {
            return Some(PeerRefusal::Revoked);
        }
        if site.enrolled(device) {
            return None;
        }
        // The roster is made from the books a moment later. Books that are older than it, of a machine that was taken
        // out of the log or has an old disk, say nothing.
        let in_books = self.log().is_some_and(|log| {
            log.books.read().device(device).is_some() && !site.is_newer_than(&log.engine.status().borrow())
        });
        if in_books { None } else { Some(PeerRefusal::NotEnrolled) }
    }

    async fn serve_control(self: &Arc<Self>, peer: Peer, hello: Hello, mut stream: BoxStream) {
        if let Some(refusal) = self.turn_away(&peer.device, hello.site) {
            let _ = write_frame(&mut stream, &FromPeer::Refused(refusal), SESSION_FRAME_BYTES_MAX).await;
            let _ = stream.shutdown().await;
            return;
        }
        let _presence = self.arrived(peer.device);
        let (mut from, mut to) = tokio::io::split(stream);
        let (out, mut outbox) = mpsc::channel::<FromPeer>(PONGS_MAX);
        let reading = async {
            while let Ok(message) = read_frame::<ToPeer>(&mut from, SESSION_FRAME_BYTES_MAX).await {
                match message {
                    ToPeer::Ping(ping) => {
                        if ping.sessions.len().max(ping.idle.len()) > SEATS_PER_DEVICE_MAX {
                            return;
                        }
                        self.serve_ping(peer.device, ping, out.clone());
                    }
                    ToPeer::Intent { leaving } => self.intends(peer.device, leaving),
                }
            }
        };
        let writing = async {
            let mut known = self.known.subscribe();
            let mut site = self.site.subscribe();
            let mut queue = self.queue.subscribe();
            let places = |queue: &super::queue::Places| queue.get(&peer.device).cloned().unwrap_or_default();
            let mut told = Vec::new();
            // The dialer names its roster by number only; it takes what ranks above what it has.
            let own = self.site().and_then(|site| site.roster.as_ref().map(|open| open.rank()));
            let mut seen = own.filter(|rank| rank.1 == hello.roster);
            let mut next_roster = Instant::now();
            let mut view = || {
                let (view, rank) = self.view_for(seen);
                seen = rank.or(seen);
                view
            };
            let mut message = FromPeer::Welcome(view());
            loop {
                if matches!(&message, FromPeer::Welcome(view) | FromPeer::View(view) if view.roster.is_some())
                {
                    next_roster = Instant::now() + self.roster_pause();
                }
                let written =
                    tokio::time::timeout(PROMPT, write_frame(&mut to, &message, SESSION_FRAME_BYTES_MAX));
                if !matches!(written.await, Ok(Ok(()))) {
                    return;
                }
                // A thousand sessions shall not each keep a roster of a thousand devices until the next message.
                drop(message);
                message = loop {
                    tokio::select! {
                        Some(message) = outbox.recv() => break message,
                        Ok(()) = known.changed() => break FromPeer::View(view()),
                        Ok(()) = async {
                            tokio::time::sleep_until(next_roster).await;
                            site.changed().await
                        } => break FromPeer::View(view()),
                        Ok(()) = queue.changed() => {
                            let now = places(&queue.borrow_and_update());
                            if now != told {
                                told.clone_from(&now);
                                break FromPeer::Queue(now);
                            }
                        }
                        else => return,
                    }
                };
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }

    /// How long somebody who has been told a roster waits for the next. It lists all devices, and when a thousand
    /// join one after the other, a thousand would each read all of them a thousand times.
    fn roster_pause(&self) -> Duration {
        let devices = self.site().and_then(|site| site.roster.as_ref().map(|open| open.roster.devices.len()));
        ROSTER_PAUSE_PER_HUNDRED * u32::try_from(devices.unwrap_or_default() / 100).unwrap_or(u32::MAX)
    }

    fn serve_ping(self: &Arc<Self>, device: DeviceId, ping: Ping, out: mpsc::Sender<FromPeer>) {
        let received = self.clock.mono();
        let inner = self.clone();
        tokio::spawn(async move {
            if let Some(pong) = inner.answer_ping(device, ping, received).await {
                // A peer that does not read its pongs has none.
                let _ = out.try_send(FromPeer::Pong(pong));
            }
        });
    }

    /// Answers this agent's own request, as the holder.
    pub(crate) async fn answer_own(self: &Arc<Self>, request: &Request) -> Response {
        self.answer(self.device, request).await
    }

    async fn answer(self: &Arc<Self>, device: DeviceId, request: &Request) -> Response {
        match request {
            Request::StartLog | Request::StopLog => self.answer_log_request(device, request).await,
            Request::Audit(query) => self.answer_audit(query).await,
            // Nobody calls himself.
            Request::CallBack => Response::Unknown,
            Request::Device { .. } | Request::Admin(_) | Request::Query(_) | Request::Ask { .. } => {
                match self.duty() {
                    Some(duty) => duty.answer(self, device, request).await,
                    None => self.not_holder(),
                }
            }
        }
    }

    pub(crate) fn not_holder(&self) -> Response {
        let known = self.known();
        Response::NotHolder { term: known.term, holder: known.holder.filter(|holder| *holder != self.device) }
    }

    /// Only the holder recruits and dismisses log holders.
    async fn answer_log_request(self: &Arc<Self>, from: DeviceId, request: &Request) -> Response {
        let known = self.known();
        if known.holder != Some(from) || from == self.device {
            return self.not_holder();
        }
        let votes = || {
            let status = self.log()?.engine.status();
            let status = status.borrow();
            status.member_on(self.device).map(|member| member.voter)
        };
        if matches!(request, Request::StopLog) && votes() == Some(true) {
            // A vote is taken by the log, not by a message.
            return Response::Unknown;
        }
        let leaves = || *self.leaving.borrow();
        let done = match request {
            Request::StartLog if leaves() => return Response::Unknown,
            Request::StartLog => self.open_log().await.map(Response::LogStarted),
            _ => self.drop_log().await.map(|()| Response::Done),
        };
        if matches!(request, Request::StartLog) {
            self.note_vote_coming();
            // Noted first: who begins to leave from here on waits for the vote.
            if leaves() {
                return Response::Unknown;
            }
        }
        done.unwrap_or_else(|error| {
            tracing::warn!(%error, "the log could not be opened or dropped");
            Response::Unknown
        })
    }
}
