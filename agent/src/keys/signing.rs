//! Commands signed by an admin's key.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use seatkeeper_ledger::command::{Command, admin_message};
use seatkeeper_ledger::{CodecError, encode_command};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Generation, Name, RequestId, SiteId};
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::AdminRequest;

/// How often a command whose fate is unknown is sent again, with the same id: it acts once however often it is sent.
pub const TRIES_MAX: u32 = 5;

/// The site that commands are signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedFor {
    /// Its id.
    pub id: SiteId,
    /// Its generation.
    pub generation: Generation,
}

impl SignedFor {
    /// As an agent tells its site; `None`: it cannot be understood.
    pub fn read(detail: &api::SiteDetail) -> Option<Self> {
        let id = data_encoding::HEXLOWER.decode(detail.generation_id.as_bytes()).ok()?;
        let generation = Generation { number: detail.generation, id: id.try_into().ok()? };
        Some(Self { id: detail.id.parse().ok()?, generation })
    }
}

/// Signs one command after the other as one admin. The order of calls: [`Self::next`], then [`Self::sign`] as often as
/// that command is sent; if the ledger answers `stale`, [`Self::stale`] and [`Self::sign`] again.
pub struct CommandSigner {
    site: SignedFor,
    name: Name,
    key: SigningKey,
    request: RequestId,
}

impl fmt::Debug for CommandSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSigner").field("name", &self.name).finish_non_exhaustive()
    }
}

impl CommandSigner {
    /// A signer that begins `now`: later ones of the same admin outrank it.
    pub fn new(site: SignedFor, name: Name, key: SigningKey, now: WallTime) -> Self {
        let request = RequestId { epoch: u64::try_from(now.0).unwrap_or(0), counter: 0 };
        Self { site, name, key, request }
    }

    /// The site that it signs for.
    pub fn site(&self) -> &SignedFor {
        &self.site
    }

    /// The admin's key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What is signed from now on is another command.
    pub fn next(&mut self) {
        self.request.counter += 1;
    }

    /// The ledger has seen a higher epoch, from a clock that was ahead.
    pub fn stale(&mut self, epoch: Option<u64>) {
        self.request.epoch = epoch.unwrap_or(self.request.epoch).saturating_add(1);
    }

    /// The command, signed.
    ///
    /// # Errors
    /// When it cannot be encoded; does not happen.
    pub fn sign(&self, command: &Command) -> Result<AdminRequest, CodecError> {
        let message = admin_message(&self.site.id, &self.site.generation, &self.name, &self.request, command)
            .map_err(|_| CodecError::Unknown)?;
        Ok(AdminRequest {
            admin: self.name.clone(),
            request: self.request,
            command: encode_command(command)?,
            signature: self.key.sign(&message).to_bytes().to_vec(),
        })
    }
}
