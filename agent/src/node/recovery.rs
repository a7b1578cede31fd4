//! Going on in a new generation of the site (design section 6, "Recovery").
//!
//! When the majority of voters is gone for good, nothing can be committed any more. One device that has the log then
//! goes on from it as the only voter, of a new generation, by the root key's word: [`Recovery`]. Its site record is what
//! decides: until that is on disk the device is in the old generation, from then on in the new one. All others follow
//! when they meet somebody of the new generation, who shows them that word; their logs of the old one are set aside.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_election::seam::{Channel, Transport};
use seatkeeper_election::{Peer, Salvaged, StartError as LogError};
use seatkeeper_ledger::command::{Command, Recover, Sealed};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, Generation, NodeId, PublicKey};
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::recovery::Recovery;
use seatkeeper_protocol::roster::Role;
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::wire::{FromPeer, Hello, Opening, PeerRefusal, Query};

use super::duty::POOL_KEY_CONTEXT;
use super::log::Log;
use super::machine::Books;
use super::record::Site;
use super::site::{internal, new_node_id};
use super::{Inner, Node, NodeError, random, state};
use crate::keys;
use crate::keys::code::{RecoveryCode, open_root};
use crate::keys::seal::seal_to;
use crate::middle::standing::Presence;
use crate::seam::frames::{read_frame, write_frame};

/// How long a working quorum may take to show itself.
const QUORUM_WITHIN: Duration = Duration::from_secs(3);
/// How long somebody of another generation may take to say so.
const MEET_WITHIN: Duration = Duration::from_secs(5);

impl Node {
    /// What a recovery from this device would do, and what stands against it.
    ///
    /// # Errors
    /// When the device belongs to no site.
    pub async fn recovery_plan(&self) -> Result<api::RecoveryPlan, NodeError> {
        let site = self.inner.site().ok_or(NodeError::NoSite)?;
        let against = self.inner.may_recover(&site).await.err();
        Ok(self.inner.recovery_plan(&site, against.map(|error| error.to_string())))
    }

    /// Goes on in a new generation from this device's books. `code` is the recovery code.
    ///
    /// # Errors
    /// When a quorum answers, the device has no log, others may still use what it does not know of, the code is wrong, or
    /// the disk refuses; nothing has changed then.
    pub async fn recover_site(&self, code: &str) -> Result<api::Site, NodeError> {
        let code: RecoveryCode =
            code.parse().map_err(|error: keys::code::CodeError| NodeError::BadInput(error.to_string()))?;
        let inner = self.inner.clone();
        // A caller that goes away must not leave it half done.
        self.inner.tasks.spawn(async move { inner.recover_site(&code).await }).await.map_err(internal)?
    }
}

/// What a site goes on from.
pub(super) enum Source {
    /// The log on this device.
    Log,
    /// A snapshot, and where in the log it was made.
    Backup(Salvaged, Vec<u8>),
}

/// The root key of the site whose public one is `public`.
pub(super) fn open_site_root(
    sealed: &[u8],
    code: &RecoveryCode,
    public: &PublicKey,
) -> Result<SigningKey, NodeError> {
    let root = open_root(sealed, code).map_err(|error| NodeError::BadInput(error.to_string()))?;
    if keys::public(&root) != *public {
        return Err(NodeError::BadInput("the recovery code is of another site".to_owned()));
    }
    Ok(root)
}

impl Inner {
    /// What stands against a recovery from this device.
    async fn may_recover(self: &Arc<Self>, site: &Site) -> Result<(), NodeError> {
        let Some(log) = self.log() else {
            let names: Vec<_> =
                site.log_holders().iter().filter_map(|id| site.device_name(id)).cloned().collect();
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            return Err(NodeError::Conflict(format!(
                "this machine keeps no copy of the books; recover the site on one that does: {}",
                if names.is_empty() { "none is known here".to_owned() } else { names.join(", ") }
            )));
        };
        let longest_ms = log.books.read().longest_ttl_ms();
        self.is_left_alone(longest_ms).await
    }

    /// Whether no majority answers, and none has for as long as seats live without contact.
    pub(super) async fn is_left_alone(self: &Arc<Self>, longest_ms: u64) -> Result<(), NodeError> {
        if self.query(Query::Status, QUORUM_WITHIN).await.is_ok() {
            return Err(NodeError::Conflict(
                "the site works: a majority of the voting machines answers, and nothing needs to be recovered".to_owned(),
            ));
        }
        let silent_ms = self.clock.mono().ms_since(*self.quorum_at());
        match longest_ms.saturating_sub(silent_ms).div_ceil(1_000) {
            0 => Ok(()),
            wait_s => Err(NodeError::Conflict(format!(
                "machines that this one does not see may still use seats for {wait_s} s; try again then"
            ))),
        }
    }

    fn recovery_plan(&self, site: &Site, against: Option<String>) -> api::RecoveryPlan {
        let mut plan = api::RecoveryPlan {
            format: api::FORMAT,
            generation: site.generation.number,
            against,
            newest: None,
            stay_off: Vec::new(),
            withheld: Vec::new(),
        };
        for device in site.log_holders() {
            if device != self.device {
                plan.stay_off.push(api::RecoveryMachine {
                    id: device.to_string(),
                    name: site.device_name(&device).map(ToString::to_string).unwrap_or_default(),
                    role: site.role(&device).unwrap_or(Role::Spare).to_string(),
                });
            }
        }
        if let Some(log) = self.log() {
            let ledger = log.books.read();
            plan.newest = ledger.records().next_back().and_then(|record| record.time.rfc3339());
            plan.withheld = ledger
                .to_withhold(self.clock.wall())
                .into_iter()
                .map(|(license, seats, until)| api::WithheldSeats {
                    license: license.to_string(),
                    seats,
                    until: until.rfc3339().unwrap_or_default(),
                })
                .collect();
        }
        plan
    }

    async fn recover_site(self: &Arc<Self>, code: &RecoveryCode) -> Result<api::Site, NodeError> {
        let _change = self.site_change.lock().await;
        let site = self.site().ok_or(NodeError::NoSite)?;
        self.may_recover(&site).await?;
        let log = self.log().ok_or(NodeError::Unknown)?;
        let sealed_root = log.books.read().site().map(|site| site.sealed_root.0.clone()).unwrap_or_default();
        let root = open_site_root(&sealed_root, code, &site.root)?;
        let recover = self.word(&log.books, &root, site.generation.number)?;
        drop(log);
        self.go_on(&site, Source::Log, recover).await
    }

    /// The root key's word that the site goes on from these books in a generation after all that are known, and a new pool
    /// key.
    pub(super) fn word(&self, books: &Books, root: &SigningKey, newest: u32) -> Result<Recover, NodeError> {
        let (from, number) = {
            let ledger = books.read();
            let missing = || internal("the books are empty");
            let from = ledger.site().ok_or_else(missing)?.generation;
            (from, ledger.pool_key().ok_or_else(missing)?.certificate.number)
        };
        let number_after = |number: u32| number.checked_add(1).ok_or_else(|| internal("numbers are used up"));
        let to = Generation { number: number_after(from.number.max(newest))?, id: random()? };
        let pool_key = keys::generate().map_err(internal)?;
        let sealed = seal_to(&self.public, pool_key.as_bytes(), POOL_KEY_CONTEXT).map_err(internal)?;
        Ok(Recover {
            recovery: Recovery::sign(root, (from, to), self.device, self.clock.wall()).map_err(internal)?,
            certificate: PoolKeyCertificate::sign(root, to, number_after(number)?, keys::public(&pool_key)),
            sealed_pool_key: Sealed(sealed),
            device: self.public,
            info: self.info(),
        })
    }

    /// The caller holds `site_change`.
    pub(super) async fn go_on(
        self: &Arc<Self>,
        site: &Site,
        source: Source,
        recover: Recover,
    ) -> Result<api::Site, NodeError> {
        let _log = self.log_change.lock().await;
        let is_new = self.site().is_none();
        let old = self.stop_log().await;
        let recovery = recover.recovery.clone();
        let raised = match self.raise(source, old, recover).await {
            Ok(log) => match self.enter_generation(site, &recovery, Some(&log)) {
                Ok(next) => Ok((log, next)),
                Err(error) => {
                    log.engine.shutdown().await;
                    state::remove_log(&*self.disk, log.node);
                    Err(error)
                }
            },
            Err(error) => Err(error),
        };
        match raised {
            Ok((log, next)) => {
                tracing::warn!(
                    generation = next.generation.number,
                    "the site goes on from this machine's books"
                );
                if let Some(old) = old {
                    state::set_log_aside(&*self.disk, old);
                }
                let told = next.api();
                if is_new {
                    self.enter(next, Some(log));
                } else {
                    self.adopt_log(log);
                    self.begin_generation();
                }
                Ok(told)
            }
            Err(error) => {
                if let Some(old) = old {
                    self.take_up_again(old).await;
                }
                Err(error)
            }
        }
    }

    /// A new log with all that the source has, in the new generation.
    async fn raise(
        self: &Arc<Self>,
        source: Source,
        old: Option<NodeId>,
        recover: Recover,
    ) -> Result<Arc<Log>, NodeError> {
        let node = new_node_id()?;
        let begun = async {
            let (salvaged, snapshot) = match (source, old) {
                (Source::Backup(salvaged, snapshot), _) => (salvaged, snapshot),
                (Source::Log, Some(old)) => {
                    let mut books = Books::new(None);
                    let salvaged = self.disk.open_log(old)?.salvage(&mut books)?;
                    let snapshot = books.read().snapshot();
                    (salvaged, snapshot)
                }
                (Source::Log, None) => return Err(LogError::Corrupt("it is gone".to_owned())),
            };
            let mut store = self.disk.open_log(node)?;
            store.seed(Peer { node, device: self.device }, salvaged, snapshot)?;
            Log::run(self, node, store).await
        };
        let begun: Result<Arc<Log>, LogError> = begun.await;
        let done = match begun {
            Ok(log) => match self.first_command(&log, Command::Recover(Box::new(recover))).await {
                Ok(()) => Ok(log),
                Err(error) => {
                    log.engine.shutdown().await;
                    Err(error)
                }
            },
            Err(error) => Err(internal(error)),
        };
        if done.is_err() {
            state::remove_log(&*self.disk, node);
        }
        done
    }

    /// Writes down that this device is in the generation that `recovery` leads to, with this log. From here on it is.
    fn enter_generation(
        &self,
        site: &Site,
        recovery: &Recovery,
        log: Option<&Log>,
    ) -> Result<Site, NodeError> {
        let _writing = self.writing();
        // The roster of the old generation says whom to dial until there is a new one.
        let roster = self.site().and_then(|site| site.roster.clone()).or_else(|| site.roster.clone());
        let next = Site {
            generation: recovery.to,
            recovery: Some(Arc::new(recovery.clone())),
            roster,
            ..site.clone()
        };
        let node = log.map(|log| log.node);
        self.write_site(&next, node).map_err(internal)?;
        self.site.send_replace(Some(Arc::new(next.clone())));
        *self.log_node() = node;
        Ok(next)
    }

    /// What was known of the old generation is forgotten, and everybody is met anew.
    fn begin_generation(&self) {
        self.known.send_replace(super::view::Known::default());
        self.presence.send_replace(Presence::default());
        self.turned_away(None);
        let peers: Vec<DeviceId> = self.book().devices().collect();
        let listed = self.site().map(|site| site.log_holders()).unwrap_or_default();
        for device in peers.into_iter().chain(listed).filter(|device| *device != self.device) {
            self.net.0.close(&device, "this machine is in a new generation of the site");
        }
        self.announce();
        self.sighted.notify_waiters();
        self.sighted.notify_one();
    }

    /// Somebody shows by which word the site has gone on.
    pub(super) fn learn_recovery(self: &Arc<Self>, recovery: &Recovery) {
        let Some(site) = self.site() else { return };
        if recovery.to.number <= site.generation.number {
            return;
        }
        if let Err(error) = recovery.verify(&site.root) {
            tracing::warn!(%error, "a recovery of the site does not verify and is ignored");
            return;
        }
        let (inner, recovery) = (self.clone(), recovery.clone());
        self.tasks.spawn(async move {
            if let Err(error) = inner.follow_recovery(&recovery).await {
                tracing::error!(%error, "this machine could not follow the site into its new generation");
            }
        });
    }

    async fn follow_recovery(self: &Arc<Self>, recovery: &Recovery) -> Result<(), NodeError> {
        let _change = self.site_change.lock().await;
        let _log = self.log_change.lock().await;
        let Some(site) = self.site().filter(|site| recovery.to.number > site.generation.number) else {
            return Ok(());
        };
        let old = self.stop_log().await;
        if let Err(error) = self.enter_generation(&site, recovery, None) {
            if let Some(old) = old {
                self.take_up_again(old).await;
            }
            return Err(error);
        }
        if let Some(old) = old {
            state::set_log_aside(&*self.disk, old);
        }
        tracing::warn!(
            generation = recovery.to.number,
            "the site was recovered; this machine goes on in its new generation"
        );
        self.begin_generation();
        Ok(())
    }

    /// After a change that did not come to be.
    async fn take_up_again(self: &Arc<Self>, node: NodeId) {
        match Log::reopen(self, node).await {
            Ok(Some(log)) => self.adopt_log(log),
            Ok(None) => self.log_failed(&format!("its log, of node {node}, is gone")),
            Err(error) => self.log_failed(&error.to_string()),
        }
    }

    /// A device of this site's newer generation is near: asks it for the word.
    pub(super) fn meet(self: &Arc<Self>, device: DeviceId) {
        let Some(site) = self.site() else { return };
        let Ok(permit) = self.meetings.clone().try_acquire_owned() else { return };
        let inner = self.clone();
        self.tasks.spawn(async move {
            let _permit = permit;
            let meeting = async {
                let mut stream = inner.net.open(device, Channel::Session).await.ok()?;
                let hello = Hello { site: site.reference(), roster: 0 };
                write_frame(&mut stream, &Opening::Control(hello), SESSION_FRAME_BYTES_MAX).await.ok()?;
                read_frame::<FromPeer>(&mut stream, SESSION_FRAME_BYTES_MAX).await.ok()
            };
            if let Ok(Some(FromPeer::Refused(refusal))) = tokio::time::timeout(MEET_WITHIN, meeting).await {
                inner.learn_refusal(&refusal);
            }
        });
    }

    /// What a refusal says of the site.
    pub(super) fn learn_refusal(self: &Arc<Self>, refusal: &PeerRefusal) {
        if let PeerRefusal::OtherGeneration { recovery: Some(recovery), .. } = refusal {
            self.learn_recovery(recovery);
        }
    }
}
