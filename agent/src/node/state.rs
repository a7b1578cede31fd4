//! The device's own key and its logs in the state directory.

use ed25519_dalek::SigningKey;
use seatkeeper_protocol::id::NodeId;
use zeroize::Zeroizing;

use super::errors::StartError;
use crate::keys;
use crate::seam::{Disk, RecordError};

const IDENTITY: &str = "identity.key";
/// The last log of an older generation of the site.
pub(crate) const OLD_LOG: &str = "log-of-old-generation";
/// How often the agent has been started.
const EPOCH: &str = "epoch";

/// The device's key; made on first run.
pub(crate) fn identity(disk: &dyn Disk) -> Result<SigningKey, StartError> {
    let record = |error: RecordError| StartError::Record(error.to_string());
    if let Some(seed) = disk.read_record::<[u8; 32]>(IDENTITY).map_err(record)? {
        let seed = Zeroizing::new(seed);
        return Ok(SigningKey::from_bytes(&seed));
    }
    let key = keys::generate().map_err(|error| StartError::Internal(error.to_string()))?;
    disk.write_record(IDENTITY, &*Zeroizing::new(key.to_bytes())).map_err(record)?;
    Ok(key)
}

/// Counts this start of the agent, durably, before it is returned: no two starts have the same epoch.
pub(crate) fn next_epoch(disk: &dyn Disk) -> Result<u64, RecordError> {
    let epoch = disk.read_record::<u64>(EPOCH)?.unwrap_or(0).saturating_add(1);
    disk.write_record(EPOCH, &epoch)?;
    Ok(epoch)
}

/// Goes on from a higher epoch than the starts have counted, durably: the site has seen this device with it, whose disk
/// was put back since.
pub(crate) fn raise_epoch(disk: &dyn Disk, epoch: u64) -> Result<(), RecordError> {
    disk.write_record(EPOCH, &epoch)
}

/// Deletes the log of `node`.
pub(crate) fn remove_log(disk: &dyn Disk, node: NodeId) {
    if let Err(error) = disk.remove_log(node) {
        tracing::warn!(node, %error, "a log that is no longer used could not be deleted");
    }
}

/// Puts the log of `node` where it is not opened any more, in place of what was there: somebody may want to look at it.
pub(crate) fn set_log_aside(disk: &dyn Disk, node: NodeId) {
    if let Err(error) = disk.set_log_aside(node, OLD_LOG) {
        tracing::warn!(node, %error, "the log of the old generation could not be set aside");
    }
}

/// Deletes logs that are not in use: of a site creation that was cut short, or of an earlier role.
pub(crate) fn remove_logs_except(disk: &dyn Disk, keep: Option<NodeId>) {
    match disk.logs() {
        Ok(logs) => {
            logs.into_iter().filter(|node| Some(*node) != keep).for_each(|node| remove_log(disk, node))
        }
        Err(error) => tracing::warn!(%error, "the state directory could not be listed"),
    }
}

/// Deletes a record that is no longer true.
pub(crate) fn remove_record(disk: &dyn Disk, name: &str) {
    if let Err(error) = disk.remove(name) {
        tracing::warn!(record = name, %error, "a file of the state directory could not be deleted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::StateDir;

    #[test]
    fn no_two_starts_have_the_same_epoch_and_all_have_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let key = identity(&state).unwrap();
        assert_eq!(next_epoch(&state).unwrap(), 1);
        drop(state);
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(next_epoch(&state).unwrap(), 2);
        assert_eq!(identity(&state).unwrap().to_bytes(), key.to_bytes());
        // One that was learned from the site is counted on from.
        raise_epoch(&state, 7).unwrap();
        drop(state);
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(next_epoch(&state).unwrap(), 8);
    }
}
