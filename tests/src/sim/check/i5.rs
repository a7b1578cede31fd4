//! I5: replicas at the same index have the same hash, and the same whole books.

use std::collections::BTreeMap;

use super::{Check, View};
use crate::sim::watch::Seen;

#[derive(Debug, Default)]
pub(super) struct SameBooks {
    digests: BTreeMap<u64, [u8; 32]>,
}

impl SameBooks {
    fn digest(&mut self, device: usize, index: u64, digest: [u8; 32]) -> Result<(), String> {
        match self.digests.insert(index, digest) {
            Some(other) if other != digest => {
                Err(format!("device {device} has other books at entry {index} than somebody else"))
            }
            _ => Ok(()),
        }
    }
}

impl Check for SameBooks {
    const NAME: &'static str = "I5";

    fn step(&mut self, view: &View<'_>) -> Result<(), String> {
        let hash = |index: u64| view.history.entries.get(&index).map(|first| first.hash);
        for seen in view.seen {
            match seen {
                Seen::Applied(applied) => {
                    if hash(applied.index) != Some(applied.hash) {
                        return Err(format!(
                            "device {} came to another hash at entry {} than somebody else",
                            applied.device, applied.index
                        ));
                    }
                    if let Some(digest) = applied.digest {
                        self.digest(applied.device, applied.index, digest)?;
                    }
                }
                Seen::Restored { device, books } => {
                    let index = books.index();
                    if hash(index).is_some_and(|hash| hash != books.hash()) {
                        return Err(format!("device {device} restored another hash at entry {index}"));
                    }
                    self.digest(*device, index, books.digest())?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
