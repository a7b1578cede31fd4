//! The books of the site in a file, and going on from one.

use std::sync::Arc;

use seatkeeper_election::{Salvaged, StateMachine};
use seatkeeper_protocol::api;
use seatkeeper_protocol::backup::{About, Backup};

use super::record::Site;
use super::recovery::{Source, open_site_root};
use super::site::internal;
use super::{Inner, Node, NodeError};
use crate::keys::code::{CodeError, RecoveryCode};
use crate::keys::seal::{open_sealed, seal_to};
use crate::node::machine::Books;

/// What backups are sealed for.
const CONTEXT: &[u8] = b"backup";

impl Node {
    /// The books of the site, sealed so that only the recovery code opens them.
    ///
    /// # Errors
    /// When this device has no log, or no key to sign with.
    pub fn export_site(&self) -> Result<Vec<u8>, NodeError> {
        self.inner.export_site()
    }

    /// Goes on in a new generation from the books in `file`. `code` is the recovery code.
    ///
    /// # Errors
    /// When the file or the code is wrong, the device belongs to another site, a quorum of its own answers, or the disk
    /// refuses; nothing has changed then.
    pub async fn import_site(&self, file: &[u8], code: &str) -> Result<api::Site, NodeError> {
        let bad = |error: &dyn std::fmt::Display| NodeError::BadInput(error.to_string());
        let code: RecoveryCode = code.parse().map_err(|error: CodeError| bad(&error))?;
        let backup = Backup::open(file).map_err(|error| bad(&error))?;
        let inner = self.inner.clone();
        // A caller that goes away must not leave it half done.
        self.inner
            .tasks
            .spawn(async move { inner.import_site(backup, &code).await })
            .await
            .map_err(internal)?
    }
}

impl Inner {
    fn export_site(&self) -> Result<Vec<u8>, NodeError> {
        self.site().ok_or(NodeError::NoSite)?;
        let none = |what: &str| NodeError::Conflict(format!("this machine {what}; export on one that votes"));
        let log = self.log().ok_or_else(|| none("keeps no copy of the books"))?;
        let (certificate, pool_key) = log
            .books
            .pool_key(&self.device, &self.key)
            .ok_or_else(|| none("does not have the key that signs"))?;
        let term = log.engine.status().borrow().term;
        let (about, snapshot) = {
            let ledger = log.books.read();
            let site = ledger.site().ok_or(NodeError::NoSite)?;
            let about = About {
                root: site.root,
                name: site.name.clone(),
                generation: site.generation,
                sealed_root: site.sealed_root.0.clone(),
                term,
                index: ledger.index(),
                time: self.clock.wall(),
            };
            (about, ledger.snapshot())
        };
        let sealed = seal_to(&about.root, &snapshot, CONTEXT).map_err(internal)?;
        Backup::sign(about, sealed, certificate, &pool_key)
            .and_then(|backup| backup.to_bytes())
            .map_err(internal)
    }

    async fn import_site(
        self: &Arc<Self>,
        backup: Backup,
        code: &RecoveryCode,
    ) -> Result<api::Site, NodeError> {
        let _change = self.site_change.lock().await;
        let Backup { about, sealed, .. } = backup;
        let own = self.site();
        if let Some(other) = own.as_ref().filter(|site| site.root != about.root) {
            return Err(NodeError::Conflict(format!(
                "this machine belongs to the site {}, and the backup is of {}; leave first with `seatkeeper site leave`",
                other.name, about.name
            )));
        }
        let root = open_site_root(&about.sealed_root, code, &about.root)?;
        let damaged = || NodeError::BadInput("the backup is damaged".to_owned());
        let snapshot = open_sealed(&root, &sealed, CONTEXT).ok_or_else(damaged)?;
        let mut books = Books::new(None);
        books.restore(&snapshot).map_err(|error| NodeError::BadInput(error.to_string()))?;
        if own.is_some() {
            let longest_ms = books.read().longest_ttl_ms();
            self.is_left_alone(longest_ms).await?;
        }
        let site = own.map_or_else(
            || Site {
                root: about.root,
                id: about.root.site(),
                name: about.name.clone(),
                generation: about.generation,
                roster: None,
                recovery: None,
            },
            |own| Site::clone(&own),
        );
        let recover = self.word(&books, &root, site.generation.number)?;
        let source = Source::Backup(Salvaged::at(about.term, about.index), snapshot.to_vec());
        let gone_on = self.go_on(&site, source, recover).await?;
        self.stop_waiting();
        Ok(gone_on)
    }
}
