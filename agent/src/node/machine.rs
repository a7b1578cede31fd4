//! The ledger as the engine's state machine, shared with the agent's reading side.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ed25519_dalek::SigningKey;
use seatkeeper_election::{RestoreError, StateMachine};
use seatkeeper_ledger::{Ledger, encode_outcome};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use tokio::sync::watch;

use super::duty::POOL_KEY_CONTEXT;
use crate::keys::seal;
use crate::seam::Observer;

/// The ledger of this log holder.
#[derive(Clone)]
pub(crate) struct Books {
    ledger: Arc<Mutex<Ledger>>,
    applied: watch::Sender<u64>,
    observer: Option<Arc<dyn Observer>>,
}

impl Books {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self { ledger: Arc::new(Mutex::new(Ledger::new())), applied: watch::Sender::new(0), observer }
    }

    /// The ledger, for a short look: `apply` waits meanwhile.
    pub(crate) fn read(&self) -> MutexGuard<'_, Ledger> {
        // `apply` does not panic (I11); should it, its ledger refuses from then on by its own checks.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current pool key, if it was sealed to this device, whose key is `own`.
    pub(crate) fn pool_key(
        &self,
        device: &DeviceId,
        own: &SigningKey,
    ) -> Option<(PoolKeyCertificate, SigningKey)> {
        let (certificate, sealed) = {
            let ledger = self.read();
            let key = ledger.pool_key()?;
            (key.certificate.clone(), key.sealed.get(device)?.clone())
        };
        let secret = seal::open_sealed(own, &sealed.0, POOL_KEY_CONTEXT)?;
        let bytes: [u8; 32] = secret.as_slice().try_into().ok()?;
        let signing = SigningKey::from_bytes(&bytes);
        (signing.verifying_key().to_bytes() == certificate.key.0).then_some((certificate, signing))
    }

    /// Changes whenever an entry was applied.
    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }
}

impl StateMachine for Books {
    fn apply(&mut self, index: u64, term: u64, command: &[u8]) -> Vec<u8> {
        let mut ledger = self.read();
        let outcome = ledger.apply(index, term, command);
        if let Some(observer) = &self.observer {
            observer.applied(index, command, &outcome, &ledger);
        }
        drop(ledger);
        self.applied.send_replace(index);
        // An outcome always encodes; were it not so, the proposer would see an unreadable answer, nobody a wrong one.
        encode_outcome(&outcome).unwrap_or_default()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.read().snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let restored = Ledger::restore(snapshot).map_err(|error| RestoreError(error.to_string()))?;
        if let Some(observer) = &self.observer {
            observer.restored(&restored);
        }
        *self.read() = restored;
        self.applied.send_modify(|index| *index += 1);
        Ok(())
    }
}
