use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::{LogStore, Store};
use crate::machine::{Machine, RestoreError, StateMachine};
use crate::types::Types;

struct Nothing;

impl StateMachine for Nothing {
    fn apply(&mut self, _index: u64, _term: u64, _command: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

struct OnDisk;

impl StoreBuilder<Types, Store, Machine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, Store, Machine), StorageError<Types>> {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogStore::open_file(folder.path().join("log")).unwrap();
        log.claim(1).unwrap();
        let store = Store::start(log);
        Ok((folder, store.clone(), Machine::new(Box::new(Nothing), store)))
    }
}

/// The engine's own suite of 44 storage tests.
#[tokio::test]
async fn the_engines_storage_suite_passes() {
    Suite::test_all(OnDisk).await.unwrap();
}
