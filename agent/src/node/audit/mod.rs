//! The audit on this machine: what leaves the books is written down by a task of its own, and both are read together.
//!
//! The newest records are as durable as the books, since they are part of them. So a segment is written when it is
//! complete, long before it leaves the books; until then a disk that fails costs nothing but a warning.
//!
//! | module | holds |
//! |---|---|
//! | `archive` | the segments on disk |
//! | `page` | reading: files and books as one |
//! | this | writing; who is asked; what the site's other machines say |

mod archive;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use seatkeeper_ledger::audit::SEGMENT;
use seatkeeper_protocol::api;
use seatkeeper_protocol::audit::{AuditHead, SignedAuditHead};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::wire::{AuditQuery, Request, Response};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::errors::NodeError;
use super::log::Log;
use super::machine::Books;
use super::{ADMIN_WITHIN, Inner, Node, lock};
use crate::middle::health::Condition;
use crate::seam::Disk;
use archive::{Archive, last_of, segment_of};
use page::Reader;

/// New records are looked at together after this long.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// After a failure it is tried again this often: some thousand records later would be too late.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How long another machine may take to tell its hash.
const WITNESS_WITHIN: Duration = Duration::from_secs(3);
/// Machines asked for their hashes.
const WITNESSES_MAX: usize = 16;

/// Writes segments down as they become complete, until `stop`.
pub(crate) async fn keep(inner: Arc<Inner>, log: Arc<Log>, stop: CancellationToken) {
    let books = log.books.clone();
    let mut applied = books.applied();
    let mut writer = Writer::new(Archive::new(inner.disk.clone()), books);
    loop {
        applied.mark_unchanged();
        let written = writer.write().await;
        let failed = written.is_err();
        *lock(&inner.audit_failure) = written.err();
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = applied.changed(), if !failed => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY_AFTER), if failed => {}
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_AFTER) => {}
        }
    }
}

/// What writes the segments of one log holder.
pub(crate) struct Writer {
    archive: Archive,
    books: Books,
    /// The segments that are on disk as they are in the books.
    written: BTreeSet<u64>,
}

impl Writer {
    pub(crate) fn new(archive: Archive, books: Books) -> Self {
        Self { archive, books, written: BTreeSet::new() }
    }

    /// Writes what is complete and not on disk.
    ///
    /// # Errors
    /// Why it can't, in words for people.
    pub(crate) async fn write(&mut self) -> Result<(), String> {
        let complete = self.complete();
        // Those that have left the books are nobody's to write.
        self.written = self.written.split_off(&complete.start);
        for segment in complete.filter(|segment| !self.written.contains(segment)).collect::<Vec<_>>() {
            let (archive, books) = (self.archive.clone(), self.books.clone());
            let wrote = on_bench(self.archive.disk(), move || write_segment(&archive, &books, segment)).await;
            wrote.unwrap_or_else(|| Err("the agent is stopping".to_owned()))?;
            self.written.insert(segment);
        }
        Ok(())
    }

    /// The segments that the books have to their last record.
    fn complete(&self) -> std::ops::Range<u64> {
        let ledger = self.books.read();
        segment_of(ledger.audit(0, 0).first)..segment_of(ledger.next_seq())
    }
}

/// Writes one segment, unless it is there: what a failing disk made of it is written anew.
fn write_segment(archive: &Archive, books: &Books, segment: u64) -> Result<(), String> {
    let last = last_of(segment);
    let stretch = {
        let ledger = books.read();
        let first = ledger.audit(0, 0).first.max(last - SEGMENT + 1);
        let most = last.saturating_add(1).saturating_sub(first);
        ledger.audit(first, usize::try_from(most).unwrap_or(0))
    };
    if stretch.next() != last + 1 {
        // It left the books meanwhile.
        return Ok(());
    }
    let segments = archive.segments().map_err(|error| error.to_string())?;
    if let Some(there) = segments.get(&segment) {
        let wrong = match archive.read(*there) {
            Ok(Some(read)) if read.verify().is_ok() && read.head() == stretch.head() => return Ok(()),
            Ok(_) => "it has other records than the books".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            file = archive.place(*there),
            wrong,
            "a file of the audit is written anew from the books"
        );
        archive.remove(*there).map_err(|error| error.to_string())?;
    } else if let Some((before, _)) = segments.range(..segment).next_back()
        && last_of(*before) + 1 < stretch.first
    {
        let (after, until) = (last_of(*before), stretch.first);
        tracing::warn!(after, until, "records of the audit are missing on this machine");
    }
    archive.write(&stretch).map_err(|error| error.to_string())?;
    match archive.trim() {
        Ok(None) => {}
        Ok(Some(oldest)) => tracing::info!(oldest, "the oldest records of the audit were dropped for room"),
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

/// Does `work` where the disk's work is done; `None` when it was not done.
async fn on_bench<R: Send + 'static>(
    disk: &Arc<dyn Disk>,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    let (done, result) = oneshot::channel();
    let work = move || {
        let _ = done.send(work());
    };
    disk.bench().run(Box::new(work)).await;
    result.await.ok()
}

impl Node {
    /// A look at the audit: JSON of the type that the query names.
    ///
    /// # Errors
    /// When this device has no site, or nobody answers.
    pub async fn audit(&self, query: AuditQuery) -> Result<Vec<u8>, NodeError> {
        self.inner.audit(query).await
    }

    /// What the machines that keep the log say is the hash of a record.
    ///
    /// # Errors
    /// When this device has no site.
    pub async fn audit_heads(&self, seq: u64) -> Result<api::AuditHeads, NodeError> {
        self.inner.audit_heads(seq).await
    }
}

impl Inner {
    pub(crate) fn audit_health(&self, found: &mut Vec<Condition>) {
        if let Some(reason) = lock(&self.audit_failure).clone() {
            found.push(Condition::AuditUnwritten { reason });
        }
    }

    /// Removes the audit's files: the site is left.
    pub(crate) fn forget_audit(&self) {
        if let Err(error) = Archive::new(self.disk.clone()).forget() {
            tracing::warn!(%error, "files of the audit could not be deleted");
        }
    }

    /// A look at the audit of this machine or, when it keeps none, of one that does: JSON of the type that the query
    /// names.
    pub(crate) async fn audit(self: &Arc<Self>, query: AuditQuery) -> Result<Vec<u8>, NodeError> {
        if let Some(json) = self.own_audit(&query).await {
            return Ok(json);
        }
        match self.submit(Request::Audit(query), ADMIN_WITHIN).await {
            Ok(Response::Json(json)) => Ok(json),
            Ok(other) => Err(NodeError::Internal(format!("unexpected answer {other:?}"))),
            Err(NodeError::Unknown) => Err(NodeError::NoHolder("nobody answered in time".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Answers another machine.
    pub(crate) async fn answer_audit(self: &Arc<Self>, query: &AuditQuery) -> Response {
        match self.own_audit(query).await {
            Some(json) => Response::Json(json),
            None => self.not_holder(),
        }
    }

    async fn own_audit(self: &Arc<Self>, query: &AuditQuery) -> Option<Vec<u8>> {
        let log = self.log()?;
        // A log that was just opened has nothing yet.
        let me = {
            let ledger = log.books.read();
            ledger.site()?;
            api::Holder { id: self.device.to_string(), name: ledger.device_name(&self.device).to_string() }
        };
        let reader = Reader { archive: Archive::new(self.disk.clone()), books: log.books.clone() };
        let (inner, query, site) = (self.clone(), query.clone(), self.site()?.api());
        let work = move || match query {
            AuditQuery::Page { after, from, to } => {
                serde_json::to_vec(&reader.page(after, from, to).api(site, me))
            }
            AuditQuery::Witness { seq } => serde_json::to_vec(&inner.witness(&reader, me, seq)),
        };
        on_bench(&self.disk, work).await?.ok()
    }

    fn witness(&self, reader: &Reader, machine: api::Holder, seq: u64) -> api::AuditWitness {
        let hash = reader.link_of(seq);
        let root = reader.books.read().site().map(|site| site.root);
        let sign = || {
            let (certificate, key) = reader.books.pool_key(&self.device, &self.key)?;
            let (site, generation) = (certificate.site, certificate.generation);
            let head = AuditHead { site, generation, seq, hash: hash?.0 };
            SignedAuditHead::sign(&head, certificate, &key).ok()?.to_text().ok()
        };
        api::AuditWitness {
            machine,
            hash: hash.map(|hash| hash.to_string()),
            seal: sign(),
            root: root.map(|root| root.to_string()),
        }
    }

    /// Asks all machines that keep the log for their hash of a record.
    pub(crate) async fn audit_heads(self: &Arc<Self>, seq: u64) -> Result<api::AuditHeads, NodeError> {
        let site = self.site().ok_or(NodeError::NoSite)?;
        let mut holders = site.log_holders();
        if self.log().is_some() && !holders.contains(&self.device) {
            holders.insert(0, self.device);
        }
        holders.truncate(WITNESSES_MAX);
        let ask = |device: DeviceId| {
            let (inner, site) = (self.clone(), site.clone());
            async move {
                let query = AuditQuery::Witness { seq };
                let json = if device == inner.device {
                    inner.own_audit(&query).await
                } else {
                    let request = Request::Audit(query);
                    match tokio::time::timeout(WITNESS_WITHIN, inner.exchange(device, &request)).await {
                        Ok(Ok(Response::Json(json))) => Some(json),
                        _ => None,
                    }
                };
                let told = json.and_then(|json| serde_json::from_slice::<api::AuditWitness>(&json).ok());
                let name = site.device_name(&device).map_or_else(|| device.short(), ToString::to_string);
                // Who it is is known by its key, not by what it says.
                let machine = api::Holder { id: device.to_string(), name };
                let silent =
                    api::AuditWitness { machine: machine.clone(), hash: None, seal: None, root: None };
                told.map_or(silent, |told| api::AuditWitness { machine, ..told })
            }
        };
        let witnesses = join_all(holders.into_iter().map(ask)).await;
        Ok(api::AuditHeads { format: api::FORMAT, seq, witnesses })
    }
}
