//! What is installed, by product, node and version.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{ProductId, Version};
use thiserror::Error;

use super::{INSTALLS_MAX, NODES_MAX, NodeId, VERSIONS_MAX};

/// Counts of installs. Nodes that are not in the organisation may have some; they are looked at as the root's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installs(BTreeMap<ProductId, OfProduct>);

/// Those of one product. No count is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfProduct {
    nodes: BTreeMap<NodeId, BTreeMap<Version, u32>>,
    /// How many nodes have each version.
    versions: BTreeMap<Version, usize>,
}

/// Why installs are not counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstallsError {
    /// Too many installs.
    #[error("one node has at most {INSTALLS_MAX} installs of one version")]
    TooMany,
    /// Too many versions.
    #[error("one product has at most {VERSIONS_MAX} versions; map several to one in the catalog")]
    TooManyVersions,
    /// Too many nodes.
    #[error("one product is installed at {NODES_MAX} nodes at most")]
    TooManyNodes,
}

impl Installs {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, so many of this version are installed there.
    ///
    /// # Errors
    /// When there are too many of something; then nothing is changed.
    pub fn set(
        &mut self,
        product: &ProductId,
        node: &NodeId,
        version: &Version,
        count: u32,
    ) -> Result<(), InstallsError> {
        if count > INSTALLS_MAX {
            return Err(InstallsError::TooMany);
        }
        if count == 0 {
            self.forget(product, node, version);
            return Ok(());
        }
        // Looked up before it is made: most are there, and need no copy of their name.
        if !self.0.contains_key(product) {
            self.0.insert(product.clone(), OfProduct::default());
        }
        let Some(of) = self.0.get_mut(product) else { return Ok(()) };
        if !of.versions.contains_key(version) && of.versions.len() >= VERSIONS_MAX {
            return Err(InstallsError::TooManyVersions);
        }
        if !of.nodes.contains_key(node) {
            if of.nodes.len() >= NODES_MAX {
                return Err(InstallsError::TooManyNodes);
            }
            of.nodes.insert(node.clone(), BTreeMap::new());
        }
        let Some(at) = of.nodes.get_mut(node) else { return Ok(()) };
        match at.get_mut(version) {
            Some(there) => *there = count,
            None => {
                at.insert(version.clone(), count);
                *of.versions.entry(version.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn forget(&mut self, product: &ProductId, node: &NodeId, version: &Version) {
        let Some(of) = self.0.get_mut(product) else { return };
        let Some(at) = of.nodes.get_mut(node) else { return };
        if at.remove(version).is_none() {
            return;
        }
        if at.is_empty() {
            of.nodes.remove(node);
        }
        if let Some(nodes) = of.versions.get_mut(version) {
            *nodes -= 1;
            if *nodes == 0 {
                of.versions.remove(version);
            }
        }
        if of.nodes.is_empty() {
            self.0.remove(product);
        }
    }

    /// So many more of this version are installed there.
    ///
    /// # Errors
    /// When there are too many of something; then nothing is changed.
    pub fn add(
        &mut self,
        product: &ProductId,
        node: &NodeId,
        version: &Version,
        more: u32,
    ) -> Result<(), InstallsError> {
        let of = self.0.get_mut(product).and_then(|of| of.nodes.get_mut(node));
        match of.and_then(|at| at.get_mut(version)) {
            Some(there) => {
                let sum = there.checked_add(more).filter(|sum| *sum <= INSTALLS_MAX);
                *there = sum.ok_or(InstallsError::TooMany)?;
                Ok(())
            }
            None => self.set(product, node, version, more),
        }
    }

    /// How many of this version are installed there.
    pub fn count(&self, product: &ProductId, node: &NodeId, version: &Version) -> u32 {
        let at = self.0.get(product).and_then(|of| of.nodes.get(node));
        at.and_then(|at| at.get(version)).copied().unwrap_or_default()
    }

    /// The products that are installed anywhere.
    pub fn products(&self) -> impl Iterator<Item = &ProductId> {
        self.0.keys()
    }

    pub(super) fn of(&self, product: &ProductId) -> Option<&OfProduct> {
        self.0.get(product)
    }
}

impl OfProduct {
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.keys()
    }

    /// By id.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&NodeId, &BTreeMap<Version, u32>)> {
        self.nodes.iter()
    }
}
