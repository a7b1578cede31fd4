//! The device's own key and its logs in the state directory.

use std::path::Path;

use ed25519_dalek::SigningKey;
use seatkeeper_protocol::id::NodeId;
use zeroize::Zeroizing;

use super::errors::StartError;
use crate::disk::StateDir;
use crate::keys;

const IDENTITY: &str = "identity.key";

/// The device's key; made on first run.
pub(crate) fn identity(dir: &StateDir) -> Result<SigningKey, StartError> {
    let record = |error: crate::disk::RecordError| StartError::Record(error.to_string());
    if let Some(seed) = dir.read_record::<[u8; 32]>(IDENTITY).map_err(record)? {
        let seed = Zeroizing::new(seed);
        return Ok(SigningKey::from_bytes(&seed));
    }
    let key = keys::generate().map_err(|error| StartError::Internal(error.to_string()))?;
    dir.write_record(IDENTITY, &*Zeroizing::new(key.to_bytes())).map_err(record)?;
    Ok(key)
}

/// Deletes the log of `node`.
pub(crate) fn remove_log(dir: &StateDir, node: NodeId) {
    remove(&dir.log_file(node));
}

/// Deletes logs that are not in use: of a site creation that was cut short, or of an earlier role.
pub(crate) fn remove_logs_except(dir: &StateDir, keep: Option<NodeId>) {
    match dir.log_files() {
        Ok(logs) => {
            for (_, path) in logs.into_iter().filter(|(node, _)| Some(*node) != keep) {
                remove(&path);
            }
        }
        Err(error) => tracing::warn!(%error, "the state directory could not be listed"),
    }
}

/// Deletes a record that is no longer true.
pub(crate) fn remove_record(dir: &StateDir, name: &str) {
    if let Err(error) = dir.remove_record(name) {
        tracing::warn!(%error, "a file of the state directory could not be deleted");
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(file = %path.display(), %error, "a log that is no longer used could not be deleted");
    }
}
