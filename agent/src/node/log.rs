//! The log on this device, if it keeps one: engine, ledger and role controller.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use seatkeeper_election::{
    Controller, Engine, LogStore, Peer, Recruit, RecruitError, Standing, StartError, spawn_controller,
};
use seatkeeper_protocol::id::{DeviceId, NodeId};
use seatkeeper_protocol::wire::{Request, Response};
use tokio::sync::watch;

use super::Inner;
use super::machine::Books;
use crate::seam::Net;

/// How long a spare may take to open a log.
const RECRUIT_WITHIN: Duration = Duration::from_secs(5);

/// The log on this device.
pub(crate) struct Log {
    pub(crate) node: NodeId,
    pub(crate) engine: Engine<Net>,
    pub(crate) books: Books,
    pub(crate) standing: watch::Sender<Standing>,
    _controller: Controller,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Log {
    /// Makes a new log `node` in the state directory, and starts its engine.
    pub(crate) async fn start(inner: &Arc<Inner>, node: NodeId) -> Result<Arc<Self>, StartError> {
        let store = inner.disk.open_log(node)?;
        Self::run(inner, node, store).await
    }

    /// Opens the log `node` of an earlier run; `None`: it is gone. An empty one in its place would vote again under an
    /// id whose votes and entries others still count on (engine trap 9).
    pub(crate) async fn reopen(inner: &Arc<Inner>, node: NodeId) -> Result<Option<Arc<Self>>, StartError> {
        if !inner.disk.logs().map_err(StartError::Io)?.contains(&node) {
            return Ok(None);
        }
        let store = inner.disk.open_log(node)?;
        // Somebody has emptied the file.
        if store.node().is_none() {
            return Ok(None);
        }
        Self::run(inner, node, store).await.map(Some)
    }

    pub(super) async fn run(
        inner: &Arc<Inner>,
        node: NodeId,
        store: LogStore,
    ) -> Result<Arc<Self>, StartError> {
        let books = Books::new(inner.world.observer());
        let engine = Engine::start(
            inner.config.engine,
            Peer { node, device: inner.device },
            store,
            Arc::new(inner.net.clone()),
            inner.clock.clone(),
            Box::new(books.clone()),
        )
        .await?;
        let standing = watch::Sender::new(Standing::default());
        let recruiter = Arc::new(Recruiter(Arc::downgrade(inner)));
        let controller = spawn_controller(engine.clone(), standing.subscribe(), recruiter);
        Ok(Arc::new(Self { node, engine, books, standing, _controller: controller }))
    }
}

/// Asks spares over the seat session to open and drop logs.
struct Recruiter(Weak<Inner>);

impl Recruiter {
    async fn ask(&self, device: DeviceId, request: Request) -> Result<Response, RecruitError> {
        let inner = self.0.upgrade().ok_or_else(|| RecruitError("the agent is stopping".to_owned()))?;
        match tokio::time::timeout(RECRUIT_WITHIN, inner.exchange(device, &request)).await {
            Ok(answer) => answer.map_err(|failure| RecruitError(failure.reason)),
            Err(_) => Err(RecruitError("no answer".to_owned())),
        }
    }
}

impl Recruit for Recruiter {
    fn start_log(
        &self,
        device: DeviceId,
    ) -> Pin<Box<dyn Future<Output = Result<NodeId, RecruitError>> + Send + '_>> {
        Box::pin(async move {
            match self.ask(device, Request::StartLog).await? {
                Response::LogStarted(node) => Ok(node),
                other => Err(RecruitError(format!("unexpected answer {other:?}"))),
            }
        })
    }

    fn stop_log(
        &self,
        device: DeviceId,
    ) -> Pin<Box<dyn Future<Output = Result<(), RecruitError>> + Send + '_>> {
        Box::pin(async move {
            match self.ask(device, Request::StopLog).await? {
                Response::Done => Ok(()),
                other => Err(RecruitError(format!("unexpected answer {other:?}"))),
            }
        })
    }
}
