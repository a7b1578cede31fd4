//! The other side of [`crate::network`]: answers other nodes' requests.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::AppendEntriesResponse;
use seatkeeper_protocol::id::{DeviceId, NodeId};
use seatkeeper_protocol::limits::{COMMAND_BYTES_MAX, SNAPSHOT_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedMutexGuard;

use crate::network::{receive, send};
use crate::seam::Clock;
use crate::types::{Raft, Snapshot, SnapshotMeta};
use crate::wire::{Answer, Ask, Refusal, Request, WireVote, append_request, transfer_request, vote_request};

/// How long the rest of a snapshot may be awaited before its place is given to another.
const SNAPSHOT_IDLE: Duration = Duration::from_secs(15);

/// What serving needs from the engine.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) raft: Raft,
    pub(crate) me: NodeId,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told each time the leader is heard.
    pub(crate) heard: Arc<dyn Fn() + Send + Sync>,
    /// One incoming snapshot at a time, so that memory has a bound.
    pub(crate) snapshot: Arc<tokio::sync::Mutex<()>>,
}

/// A snapshot that is coming in on this stream.
struct Incoming {
    vote: WireVote,
    meta: SnapshotMeta,
    bytes: usize,
    data: Vec<u8>,
    _place: OwnedMutexGuard<()>,
}

/// Serves one stream until it ends or breaks the protocol.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(desk: Desk, peer: DeviceId, mut stream: S) {
    let mut incoming: Option<Incoming> = None;
    loop {
        let request = receive::<_, Request>(&mut stream);
        let request = if incoming.is_some() {
            match tokio::time::timeout(SNAPSHOT_IDLE, request).await {
                Ok(request) => request,
                Err(_) => return,
            }
        } else {
            request.await
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::InvalidData {
                    tracing::warn!(%error, peer = %peer.short(), "a log holder sent something unreadable");
                }
                return;
            }
        };
        let answer = match desk.check(peer, &request) {
            Ok(()) => desk.answer(request.body, &mut incoming).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        let last = matches!(answer, Answer::Refused(_));
        if send(&mut stream, &answer).await.is_err() || last {
            return;
        }
    }
}

impl Desk {
    /// A request must be meant for this node's present log, and come from the device that owns the node it names.
    fn check(&self, peer: DeviceId, request: &Request) -> Result<(), Refusal> {
        if request.to != self.me {
            return Err(Refusal::NotThisNode);
        }
        if request.from == self.me {
            return Err(Refusal::NotYourNode);
        }
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        // A node may be new to us: whoever lags learns of it only from the new leader itself. The transport has made
        // sure that it is an enrolled device.
        match metrics.membership_config.membership().get_node(&request.from) {
            Some(place) if place.0 != peer => Err(Refusal::NotYourNode),
            _ => Ok(()),
        }
    }

    async fn answer(&self, body: Ask, incoming: &mut Option<Incoming>) -> Answer {
        let answered = match body {
            Ask::Append { vote, prev, entries, commit } => {
                let Ok(request) = append_request(vote, prev, entries, commit) else {
                    return Answer::Refused(Refusal::Malformed);
                };
                let oversize = |entry: &crate::types::Entry| match &entry.payload {
                    openraft::EntryPayload::Normal(command) => command.0.len() > COMMAND_BYTES_MAX,
                    _ => false,
                };
                if request.entries.iter().any(oversize) {
                    return Answer::Refused(Refusal::Malformed);
                }
                let response = self.raft.append_entries(request).await;
                if matches!(&response, Ok(response) if !matches!(response, AppendEntriesResponse::HigherVote(_)))
                {
                    (self.heard)();
                }
                let wall = self.clock.wall();
                response.map(|response| Answer::Append(response.into(), wall)).map_err(|_| ())
            }
            Ask::Vote { vote, last, transfer } => {
                self.raft.vote(vote_request(vote, last, transfer)).await.map(Answer::from).map_err(|_| ())
            }
            Ask::PreVote { vote, last } => {
                self.raft.pre_vote(vote_request(vote, last, false)).await.map(Answer::from).map_err(|_| ())
            }
            Ask::Transfer { vote, to, last } => {
                let request = transfer_request(vote, to, last);
                let response = self.raft.handle_transfer_leader(request).await;
                response.map(|response| Answer::Transfer { accepted: response.is_ok() }).map_err(|_| ())
            }
            Ask::SnapshotStart { vote, meta, bytes } => {
                return self.start_snapshot(vote, meta, bytes, incoming).await;
            }
            Ask::SnapshotChunk { data } => return self.take_chunk(data, incoming).await,
        };
        answered.unwrap_or(Answer::Refused(Refusal::Stopped))
    }

    async fn start_snapshot(
        &self,
        vote: WireVote,
        meta: crate::wire::WireSnapshotMeta,
        bytes: u64,
        incoming: &mut Option<Incoming>,
    ) -> Answer {
        *incoming = None;
        let meta = SnapshotMeta::try_from(meta);
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= SNAPSHOT_BYTES_MAX);
        let (Ok(meta), Some(bytes)) = (meta, bytes) else { return Answer::Refused(Refusal::Malformed) };
        let sound = meta.last_log_id.is_some_and(|last| vote.allows(last));
        if !sound {
            return Answer::Refused(Refusal::Malformed);
        }
        let Ok(place) = Arc::clone(&self.snapshot).try_lock_owned() else {
            return Answer::Refused(Refusal::Busy);
        };
        (self.heard)();
        *incoming = Some(Incoming { vote, meta, bytes, data: Vec::new(), _place: place });
        if bytes == 0 { self.take_chunk(Vec::new(), incoming).await } else { Answer::SnapshotMore }
    }

    async fn take_chunk(&self, mut data: Vec<u8>, incoming: &mut Option<Incoming>) -> Answer {
        let Some(mut snapshot) = incoming.take() else { return Answer::Refused(Refusal::Malformed) };
        let len = snapshot.data.len() + data.len();
        if len > snapshot.bytes || (data.is_empty() && snapshot.bytes > 0) {
            return Answer::Refused(Refusal::Malformed);
        }
        snapshot.data.append(&mut data);
        if len < snapshot.bytes {
            *incoming = Some(snapshot);
            return Answer::SnapshotMore;
        }
        let whole = Snapshot { meta: snapshot.meta, snapshot: snapshot.data };
        match self.raft.install_full_snapshot(snapshot.vote.into(), whole).await {
            Ok(response) => Answer::SnapshotDone { vote: response.vote.into() },
            Err(_) => Answer::Refused(Refusal::Stopped),
        }
    }
}
