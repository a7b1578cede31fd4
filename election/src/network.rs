//! The engine's requests to other nodes, over the transport seam.
//!
//! Replication, heartbeats, snapshots and each election have streams of their own, so that a long append delays no
//! vote. On each stream requests wait for their answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, VoteRequest,
    VoteResponse,
};
use openraft::{OptionalSend, RPCTypes};
use seatkeeper_protocol::frame;
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::limits::RAFT_FRAME_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::clocks::Clocks;
use crate::seam::{Channel, Transport};
use crate::types::{LogId, Place, Snapshot, Types, Vote};
use crate::wire::{Answer, Ask, Request, vote_response, wire_ids};

/// Bytes of a snapshot in one frame.
const SNAPSHOT_CHUNK_BYTES: usize = 512 * 1024;
const _: () = assert!(SNAPSHOT_CHUNK_BYTES < RAFT_FRAME_BYTES_MAX / 2, "a chunk fits into a frame");
/// How long one chunk, or the installation after the last, may take.
const SNAPSHOT_STEP: Duration = Duration::from_secs(10);
/// How long an append may take: entries may be large and the air slow. Heartbeats are cut off earlier by the engine.
const APPEND_TTL: Duration = Duration::from_secs(2);

/// Writes one frame.
pub(crate) async fn send<S: AsyncWrite + Unpin, M: Serialize + Sync>(
    stream: &mut S,
    message: &M,
) -> io::Result<()> {
    let bytes = frame::encode(message, RAFT_FRAME_BYTES_MAX)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Reads one frame.
pub(crate) async fn receive<S: AsyncRead + Unpin, M: DeserializeOwned>(stream: &mut S) -> io::Result<M> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let len = frame::length(header, RAFT_FRAME_BYTES_MAX).map_err(invalid)?;
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await?;
    frame::decode(&bytes).map_err(invalid)
}

/// What each node has acknowledged to this node, by the term in which it led.
///
/// A node that denies what it has acknowledged has lost part of its log, for example to a restored disk. The engine
/// would stop the leader over it; here that node is treated as unreachable, and told of in the status, so that the
/// controller replaces it: it still answers heartbeats, which say nothing of entries.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged(Mutex<BTreeMap<u64, Acked>>);

#[derive(Debug)]
struct Acked {
    term: u64,
    last: LogId,
    /// It has denied it in this term.
    lost: bool,
}

impl Acknowledged {
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<u64, Acked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, target: u64, term: u64, last: Option<LogId>) {
        let Some(last) = last else { return };
        let mut nodes = self.nodes();
        if !nodes.contains_key(&target) {
            // What was acknowledged in an earlier term is never asked for; node ids are new ones each time.
            nodes.retain(|_, known| known.term >= term);
        }
        let known = nodes.entry(target).or_insert(Acked { term, last, lost: false });
        if (term, last) >= (known.term, known.last) {
            *known = Acked { term, last, lost: false };
        }
    }

    /// Whether `target`, which says that it doesn't have `at`, had acknowledged it.
    fn denied(&self, target: u64, term: u64, at: LogId) -> bool {
        let mut nodes = self.nodes();
        let known = nodes.get_mut(&target).filter(|known| known.term == term && at.index <= known.last.index);
        if let Some(known) = known {
            known.lost = true;
            return true;
        }
        false
    }

    /// Whether a node has lost entries that it had acknowledged to this node in `term`.
    pub(crate) fn lost(&self, target: u64, term: u64) -> bool {
        self.nodes().get(&target).is_some_and(|known| known.lost && known.term == term)
    }
}

/// Makes clients.
pub(crate) struct Network<T> {
    transport: Arc<T>,
    me: u64,
    acknowledged: Arc<Acknowledged>,
    clocks: Arc<Clocks>,
}

impl<T> Network<T> {
    pub(crate) fn new(
        transport: Arc<T>,
        me: u64,
        acknowledged: Arc<Acknowledged>,
        clocks: Arc<Clocks>,
    ) -> Self {
        Self { transport, me, acknowledged, clocks }
    }
}

impl<T: Transport> RaftNetworkFactory<Types> for Network<T> {
    type Network = Link<T>;

    async fn new_client(&mut self, target: u64, place: &Place) -> Link<T> {
        Link {
            transport: Arc::clone(&self.transport),
            me: self.me,
            target,
            device: place.0,
            acknowledged: Arc::clone(&self.acknowledged),
            clocks: Arc::clone(&self.clocks),
            stream: Mutex::new(None),
        }
    }
}

/// One stream to one node, opened when needed.
pub(crate) struct Link<T: Transport> {
    transport: Arc<T>,
    me: u64,
    target: u64,
    device: DeviceId,
    acknowledged: Arc<Acknowledged>,
    clocks: Arc<Clocks>,
    /// Kept between requests. The lock is never contended; the engine wants clients that can be shared.
    stream: Mutex<Option<T::Stream>>,
}

impl<T: Transport> Link<T> {
    /// One request and its answer. A stream that fails in between is given up.
    async fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        let kept = self.kept().take();
        if let Some(mut stream) = kept {
            // The kept stream may have died with the peer's last run: that says nothing about the peer now.
            if let Ok(answer) = ask(&mut stream, request).await {
                *self.kept() = Some(stream);
                return Ok(answer);
            }
        }
        let mut stream = self.transport.open(self.device, Channel::Raft).await?;
        let answer = ask(&mut stream, request).await?;
        *self.kept() = Some(stream);
        Ok(answer)
    }

    fn kept(&mut self) -> &mut Option<T::Stream> {
        self.stream.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&mut self, body: Ask, ttl: Duration, action: RPCTypes) -> Result<Answer, RPCError<Types>> {
        let (id, target) = (self.me, self.target);
        let request = Request { from: id, to: target, body };
        match tokio::time::timeout(ttl, self.exchange(&request)).await {
            Ok(Ok(Answer::Refused(refusal))) => Err(unreachable(format!("refused: {refusal:?}"))),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(unreachable(error)),
            Err(_) => Err(RPCError::Timeout(Timeout { action, id, target, timeout: ttl })),
        }
    }

    async fn send_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<Types>, RPCError<Types>> {
        let bytes = snapshot.snapshot.len() as u64;
        let start = Ask::SnapshotStart { vote: vote.into(), meta: (&snapshot.meta).into(), bytes };
        let mut answer = self.call(start, SNAPSHOT_STEP, RPCTypes::InstallSnapshot).await?;
        let mut chunks = snapshot.snapshot.chunks(SNAPSHOT_CHUNK_BYTES);
        while answer == Answer::SnapshotMore {
            let Some(chunk) = chunks.next() else { return Err(unexpected()) };
            let chunk = Ask::SnapshotChunk { data: chunk.to_vec() };
            answer = self.call(chunk, SNAPSHOT_STEP, RPCTypes::InstallSnapshot).await?;
        }
        match answer {
            Answer::SnapshotDone { vote: theirs } => {
                let theirs = Vote::from(theirs);
                if theirs == vote {
                    self.acknowledged.note(self.target, vote.leader_id.term, snapshot.meta.last_log_id);
                }
                Ok(SnapshotResponse::new(theirs))
            }
            _ => Err(unexpected()),
        }
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &Request) -> io::Result<Answer> {
    send(stream, request).await?;
    receive(stream).await
}

fn unreachable(reason: impl ToString) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::from_string(reason))
}

fn unexpected() -> RPCError<Types> {
    unreachable("the answer does not fit the request")
}

impl<T: Transport> RaftNetworkV2<Types> for Link<T> {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let (term, prev) = (rpc.vote.leader_id.term, rpc.prev_log_id);
        let last = rpc.entries.last().map(|entry| entry.log_id).or(rpc.prev_log_id);
        let asked = self.clocks.now();
        let answer = self.call(rpc.into(), APPEND_TTL, RPCTypes::AppendEntries).await?;
        let Answer::Append(appended, wall) = answer else { return Err(unexpected()) };
        self.clocks.note(self.device, asked, wall);
        let response = AppendEntriesResponse::from(appended);
        match &response {
            // The engine takes it for granted that neither happens.
            AppendEntriesResponse::Conflict if prev.is_none() => return Err(unexpected()),
            AppendEntriesResponse::PartialSuccess(upto) if *upto > last => return Err(unexpected()),
            AppendEntriesResponse::Conflict
                if prev.is_some_and(|at| self.acknowledged.denied(self.target, term, at)) =>
            {
                tracing::error!(node = self.target, "a log holder has lost entries that it had acknowledged");
                return Err(unreachable("it has lost entries that it had acknowledged"));
            }
            AppendEntriesResponse::Success => self.acknowledged.note(self.target, term, last),
            AppendEntriesResponse::PartialSuccess(upto) => self.acknowledged.note(self.target, term, *upto),
            AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {}
        }
        Ok(response)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let transfer = rpc.leadership_transfer;
        let body = Ask::Vote { vote: rpc.vote.into(), last: wire_ids(rpc.last_log_id), transfer };
        match self.call(body, option.hard_ttl(), RPCTypes::Vote).await? {
            Answer::Vote { vote, last, granted } => Ok(vote_response(vote, last, granted)),
            _ => Err(unexpected()),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let body = Ask::PreVote { vote: rpc.vote.into(), last: wire_ids(rpc.last_log_id) };
        match self.call(body, option.hard_ttl(), RPCTypes::Vote).await? {
            Answer::Vote { vote, last, granted } => Ok(vote_response(vote, last, granted)),
            _ => Err(unexpected()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            sent = self.send_snapshot(vote, snapshot) => Ok(sent?),
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<openraft::raft::TransferLeaderResponse<Types>, RPCError<Types>> {
        let last = wire_ids(rpc.last_log_id().copied());
        let body = Ask::Transfer { vote: (*rpc.from_leader()).into(), to: *rpc.to_node_id(), last };
        // Whether the target took over shows in its election; a refusal only says why it will not.
        match self.call(body, option.hard_ttl(), RPCTypes::TransferLeader).await? {
            Answer::Transfer { accepted: true } => Ok(Ok(())),
            Answer::Transfer { accepted: false } => Err(unreachable("the transfer is refused")),
            _ => Err(unexpected()),
        }
    }
}
