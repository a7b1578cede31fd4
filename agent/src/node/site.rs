//! Creating, joining and leaving a site, and the log on this device.

use std::sync::Arc;
use std::time::Duration;

use seatkeeper_ledger::command::{Actor, Command, DeviceInfo, Entry, Form, Found, Outcome, Sealed};
use seatkeeper_ledger::{decode_outcome, encode};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Generation, Name, NodeId, PublicKey, RequestId};
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::wire::PeerRefusal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::command::Answer;
use super::duty::POOL_KEY_CONTEXT;
use super::errors::{NodeError, StartError};
use super::log::Log;
use super::record::{REMEMBERED_MAX, Site, SiteRecord};
use super::{Inner, audit, keeper, links, lock, random, state, survey};
use crate::keys;
use crate::keys::code::{RecoveryCode, seal_root};
use crate::keys::seal::seal_to;
use crate::middle::standing::Presence;
use crate::seam::RecordError;

/// The site record's file in the state directory.
pub(crate) const RECORD: &str = "site";
/// How long a new site's engine may take to lead and commit.
const FOUND_WITHIN: Duration = Duration::from_secs(10);
/// How long leaving a site may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// The log that is open, and what ends its followers.
pub(crate) struct OpenLog {
    pub(crate) log: Arc<Log>,
    stop: CancellationToken,
    followers: TaskTracker,
}

pub(super) fn internal(error: impl std::fmt::Display) -> NodeError {
    NodeError::Internal(error.to_string())
}

impl Inner {
    /// What this machine says of itself.
    pub(crate) fn info(&self) -> DeviceInfo {
        let form = if self.config.laptop { Form::Laptop } else { Form::Desktop };
        DeviceInfo { name: self.config.name.clone(), form, version: super::version() }
    }

    /// Creates a site on this device and becomes its holder.
    pub(crate) async fn create_site(
        self: &Arc<Self>,
        body: api::CreateSite,
    ) -> Result<api::SiteCreated, NodeError> {
        let _change = self.site_change.lock().await;
        self.refuse_second_site()?;
        let bad = |error: seatkeeper_protocol::id::IdError| NodeError::BadInput(error.to_string());
        let name = Name::new(body.name).map_err(bad)?;
        let admin = Name::new(body.admin).map_err(bad)?;
        let admin_key =
            body.admin_key.ok_or_else(|| NodeError::BadInput("name the admin's key".to_owned()))?;
        let admin_key: PublicKey = admin_key.parse().map_err(bad)?;
        let root = keys::generate().map_err(internal)?;
        let pool_key = keys::generate().map_err(internal)?;
        let code = RecoveryCode::generate().map_err(internal)?;
        let generation = Generation { number: 1, id: random()? };
        let sealed_pool_key =
            seal_to(&self.public, pool_key.as_bytes(), POOL_KEY_CONTEXT).map_err(internal)?;
        let found = Found {
            name: name.clone(),
            root: keys::public(&root),
            generation,
            sealed_root: Sealed(seal_root(&root, &code).map_err(internal)?),
            certificate: PoolKeyCertificate::sign(&root, generation, 1, keys::public(&pool_key)),
            sealed_pool_key: Sealed(sealed_pool_key),
            device: self.public,
            info: self.info(),
            admin,
            admin_key,
        };
        let node = new_node_id()?;
        let log = Log::start(self, node).await.map_err(internal)?;
        let founded = async {
            log.engine.initialize().await.map_err(internal)?;
            self.first_command(&log, Command::Found(Box::new(found))).await
        };
        if let Err(error) = founded.await {
            log.engine.shutdown().await;
            state::remove_log(&*self.disk, node);
            return Err(error);
        }
        let record = SiteRecord {
            root: keys::public(&root),
            name,
            generation,
            roster: None,
            node: Some(node),
            recovery: None,
            addresses: Vec::new(),
        };
        self.disk.write_record(RECORD, &record).map_err(internal)?;
        *self.log_node() = record.node;
        let site = Site::of(&record);
        let created = api::SiteCreated {
            format: api::FORMAT,
            site: site.api(),
            recovery_code: code.to_text().to_string(),
            key_file: None,
        };
        self.enter(site, Some(log));
        Ok(created)
    }

    /// What the only voter of a log decides first.
    pub(super) async fn first_command(&self, log: &Log, command: Command) -> Result<(), NodeError> {
        let deciding = async {
            let mut status = log.engine.status();
            let term = status.wait_for(|status| status.is_leader).await.map_err(internal)?.term;
            let entry = Entry {
                time: self.clock.wall(),
                term,
                actor: Actor::Holder(self.device),
                request: RequestId { epoch: 0, counter: 0 },
                command,
            };
            let bytes = encode(&entry).map_err(internal)?;
            let applied = log.engine.propose(bytes, FOUND_WITHIN).await.map_err(internal)?;
            match decode_outcome(&applied.outcome).map_err(internal)? {
                Outcome::Done => Ok(()),
                other => Err(internal(format!("the new ledger answered {other:?}"))),
            }
        };
        tokio::time::timeout(FOUND_WITHIN, deciding).await.unwrap_or_else(|_| {
            Err(internal("the new log did not start within 10 s; is the disk very slow?"))
        })
    }

    pub(crate) fn refuse_second_site(&self) -> Result<(), NodeError> {
        match self.site() {
            Some(site) => Err(NodeError::Conflict(format!(
                "this machine belongs to site `{}` already; leave it first with `seatkeeper site leave`",
                site.name
            ))),
            None => Ok(()),
        }
    }

    /// Begins to live in a site.
    pub(crate) fn enter(self: &Arc<Self>, site: Site, log: Option<Arc<Log>>) {
        self.waiting_site.send_replace(None);
        self.turned_away(None);
        self.site.send_replace(Some(Arc::new(site)));
        let seen: Vec<_> = self.seen().values().cloned().collect();
        seen.into_iter().for_each(|announcement| self.sighted(announcement));
        if let Some(log) = log {
            self.adopt_log(log);
        }
        let stop = self.stop.child_token();
        *self.site_stop() = Some(stop.clone());
        self.tasks.spawn(links::run(self.clone(), stop.clone()));
        self.tasks.spawn(self.clone().watch_deadlines(stop.clone()));
        self.tasks.spawn(self.clone().watch_borrows(stop.clone()));
        self.tasks.spawn(survey::run(self.clone(), stop));
        self.announce();
        self.resume_remembered();
    }

    pub(super) fn adopt_log(self: &Arc<Self>, log: Arc<Log>) {
        let stop = self.stop.child_token();
        let followers = TaskTracker::new();
        self.tasks.spawn(followers.track_future(keeper::follow(self.clone(), log.clone(), stop.clone())));
        self.tasks.spawn(followers.track_future(audit::keep(self.clone(), log.clone(), stop.clone())));
        *self.open_log_slot() = Some(OpenLog { log, stop, followers });
    }

    /// Closes the log without deleting it, and waits until nobody goes by it any more; whose it was.
    pub(super) async fn stop_log(&self) -> Option<NodeId> {
        let OpenLog { log, stop, followers } = self.open_log_slot().take()?;
        stop.cancel();
        log.engine.shutdown().await;
        followers.close();
        followers.wait().await;
        Some(log.node)
    }

    /// At start: the site and the log of the last run.
    pub(crate) async fn reenter(self: &Arc<Self>) -> Result<(), StartError> {
        let record: Option<SiteRecord> =
            self.disk.read_record(RECORD).map_err(|error| StartError::Record(error.to_string()))?;
        let keep = record.as_ref().and_then(|record| record.node);
        state::remove_logs_except(&*self.disk, keep);
        let Some(record) = record else { return Ok(()) };
        {
            let mut book = self.book();
            // Written best first; the newest seen goes in last.
            for (device, address) in record.addresses.iter().rev() {
                book.heard(*device, *address);
            }
        }
        *self.log_node() = record.node;
        let site = Site::of(&record);
        // The engine dials peers by the roster: the site comes first.
        self.site.send_replace(Some(Arc::new(site.clone())));
        let log = match record.node {
            Some(node) => Log::reopen(self, node).await?,
            None => None,
        };
        if let Some(node) = record.node.filter(|_| log.is_none()) {
            self.log_failed(&format!(
                "its log, of node {node}, is gone; it takes up another one when the site asks it to"
            ));
            *self.log_node() = None;
            self.save();
        }
        self.enter(site, log);
        Ok(())
    }

    /// Writes the site record.
    pub(crate) fn save(&self) {
        if let Err(error) = self.try_save() {
            tracing::warn!(%error, "what this machine knows of its site could not be written down");
        }
    }

    fn try_save(&self) -> Result<(), RecordError> {
        // What is written last must be what was true last.
        let _writing = self.writing();
        let Some(site) = self.site() else { return Ok(()) };
        self.write_site(&site, *self.log_node())
    }

    /// Writes the record of `site`, whose log here is `node`. The caller holds `writing`.
    pub(super) fn write_site(&self, site: &Site, node: Option<NodeId>) -> Result<(), RecordError> {
        let addresses = {
            let book = self.book();
            let devices: Vec<_> = site.log_holders().into_iter().chain(book.devices()).collect();
            let mut addresses = Vec::new();
            for device in devices {
                for address in book.addresses(&device).into_iter().take(2) {
                    if addresses.len() < REMEMBERED_MAX && !addresses.contains(&(device, address)) {
                        addresses.push((device, address));
                    }
                }
            }
            addresses
        };
        let record = SiteRecord {
            root: site.root,
            name: site.name.clone(),
            generation: site.generation,
            roster: site.roster.as_ref().map(|open| open.signed.clone()),
            node,
            recovery: site.recovery.as_deref().cloned(),
            addresses,
        };
        self.disk.write_record(RECORD, &record)
    }

    /// Opens a new log, or says the id of the one that is open.
    pub(crate) async fn open_log(self: &Arc<Self>) -> Result<NodeId, NodeError> {
        let _change = self.log_change.lock().await;
        if let Some(log) = self.log() {
            return Ok(log.node);
        }
        let node = new_node_id()?;
        let log = Log::start(self, node).await.map_err(internal)?;
        *self.log_node() = Some(node);
        self.adopt_log(log);
        if let Err(error) = self.try_save() {
            // A log that is not written down would be deleted at the next start: it must not be counted on.
            self.close_log().await;
            return Err(internal(error));
        }
        *lock(&self.log_failure) = None;
        tracing::info!("this machine keeps the log now");
        Ok(node)
    }

    /// Closes and deletes the log, if there is one.
    pub(crate) async fn drop_log(self: &Arc<Self>) -> Result<(), NodeError> {
        let _change = self.log_change.lock().await;
        self.close_log().await;
        Ok(())
    }

    async fn close_log(&self) {
        let open = self.open_log_slot().take();
        let Some(OpenLog { log, stop, .. }) = open else { return };
        stop.cancel();
        log.engine.shutdown().await;
        *self.log_node() = None;
        match self.try_save() {
            Ok(()) => state::remove_log(&*self.disk, log.node),
            // The record may still name it: the next start opens it again, or deletes it if a later record does not.
            Err(error) => tracing::warn!(%error, "the log stays on the disk for now"),
        }
        tracing::info!("this machine no longer keeps the log");
    }

    /// Leaves the site. In a task of its own: a caller that goes away must not leave it half done.
    pub(crate) async fn leave_site(self: &Arc<Self>) -> Result<(), NodeError> {
        let inner = self.clone();
        self.tasks.spawn(async move { inner.leave_to_the_end().await }).await.map_err(internal)?
    }

    async fn leave_to_the_end(self: &Arc<Self>) -> Result<(), NodeError> {
        let _change = self.site_change.lock().await;
        if self.site().is_none() {
            self.stop_waiting();
            return Err(NodeError::NoSite);
        }
        self.check_nothing_borrowed()?;
        self.seats.close()?;
        if let Err(error) = self.ask_to_leave().await {
            self.seats.reopen();
            return Err(error);
        }
        if let Some(stop) = self.site_stop().take() {
            stop.cancel();
        }
        self.drop_log().await?;
        {
            let _writing = self.writing();
            self.site.send_replace(None);
            state::remove_record(&*self.disk, RECORD);
            state::remove_record(&*self.disk, super::seats::RECORD);
            state::remove_record(&*self.disk, super::borrows::RECORD);
            state::remove_record(&*self.disk, state::OLD_LOG);
        }
        self.forget_audit();
        self.survey.send_replace(None);
        self.known.send_replace(super::view::Known::default());
        self.presence.send_replace(Presence::default());
        self.waiting().clear();
        self.book().clear();
        self.turned_away(None);
        self.seats.forget();
        self.forget_borrows();
        self.withdraw();
        Ok(())
    }

    async fn ask_to_leave(self: &Arc<Self>) -> Result<(), NodeError> {
        let answer: Answer = match self.device_command(&Command::Leave, LEAVE_WITHIN).await {
            Ok(answer) => answer,
            // Its answer to an earlier try was lost, or an admin was quicker: the site is left.
            Err(NodeError::TurnedAway(PeerRefusal::NotEnrolled | PeerRefusal::Revoked)) => return Ok(()),
            Err(error) => return Err(error),
        };
        match answer.outcome {
            Outcome::Done => Ok(()),
            Outcome::Refused(refusal) => Err(NodeError::Conflict(refusal.to_string())),
            other @ (Outcome::Granted(_) | Outcome::Waiting(_) | Outcome::Borrowed(_)) => {
                Err(internal(format!("unexpected outcome {other:?}")))
            }
        }
    }
}

/// Random, so that a node id is never used again after a wipe (engine trap 9).
pub(super) fn new_node_id() -> Result<NodeId, NodeError> {
    Ok(NodeId::from_le_bytes(random()?).max(1))
}
