//! The calculation for one product (rules 3 to 5).

use std::cmp::Reverse;
use std::sync::Arc;

use seatkeeper_protocol::id::{ProductId, Version};
use seatkeeper_protocol::time::WallTime;

use super::VERSIONS_MAX;
use super::network::{Network, Places};
use super::pieces::Pieces;
use super::purchase::Validity;
use super::settle::{Settled, settle};
use super::spread::{Covered, spread};
use super::table::Table;
use super::versions::Versions;
use super::{
    Compliance, INSTALLS_MAX, Installs, InstallsError, NodeId, Organisation, Purchase, PurchaseId, Register,
};

/// A product's purchases and installs, ready to be compared, and what came of it.
///
/// Made by [`Calculation::new`]; then any number of [`Calculation::set_installs`], each followed by what is asked of
/// it. It is always calculated anew, from what is kept ready, so that the result does not depend on the way to it.
#[derive(Clone, Debug)]
pub struct Calculation {
    pub(super) organisation: Arc<Organisation>,
    pub(super) product: ProductId,
    /// In the order of ids.
    pub(super) purchases: Vec<(PurchaseId, Purchase, Validity)>,
    stop_at_legal: bool,
    pub(super) versions: Versions,
    /// By place of the node and version.
    pub(super) counts: Table<u32>,
    /// By version.
    totals: Table<u64>,
    pub(super) pieces: Pieces,
    /// Places of nodes: by priority, then in the tree's order.
    order: Vec<usize>,
}

/// What was calculated.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) settled: Settled,
    pub(super) spread: Vec<Covered>,
    /// By class: how much is installed that it could cover.
    pub(super) reach: Vec<u64>,
}

impl Calculation {
    /// For a product as registered and installed, at `now`.
    pub fn new(register: &Register, product: &ProductId, installs: &Installs, now: WallTime) -> Self {
        let organisation = register.shared_organisation();
        let of_product = register.purchases().iter().filter(|(_, terms)| terms.product == *product);
        let purchases: Vec<_> =
            of_product.map(|(id, terms)| (id.clone(), terms.clone(), terms.validity(now))).collect();
        let installed = installs.of(product);
        let names = installed.into_iter().flat_map(|of| of.versions());
        let versions = Versions::new(names.chain(bought(&purchases)));
        let mut order: Vec<usize> = (0..organisation.nodes().len()).collect();
        let priority = |place: &usize| organisation.nodes().get(*place).map(|node| node.priority);
        order.sort_by_key(|place| Reverse(priority(place)));
        let mut made = Self {
            counts: Table::new(organisation.nodes().len() * versions.len(), 0),
            totals: Table::new(versions.len(), 0),
            stop_at_legal: register.stop_at_legal(),
            product: product.clone(),
            pieces: Pieces::default(),
            organisation: Arc::clone(&organisation),
            purchases,
            versions,
            order,
        };
        // Both sides are sorted by id.
        let mut places = organisation.places().peekable();
        for (node, counts) in installed.into_iter().flat_map(|of| of.nodes()) {
            while places.next_if(|(id, _)| *id < node).is_some() {}
            let place = places.next_if(|(id, _)| *id == node).map_or(0, |(_, place)| place);
            for (version, count) in counts {
                if let Some(version) = made.versions.number(version) {
                    made.add(place, version, *count);
                }
            }
        }
        made.make_pieces();
        made
    }

    fn add(&mut self, place: usize, version: usize, count: u32) {
        self.counts
            .change(place * self.versions.len() + version, |there| *there = there.saturating_add(count));
        self.totals.change(version, |total| *total += u64::from(count));
    }

    fn make_pieces(&mut self) {
        let valid =
            self.purchases.iter().enumerate().filter(|(_, (.., validity))| *validity == Validity::Valid);
        let valid: Vec<_> = valid.map(|(number, (id, terms, _))| (number, id, terms)).collect();
        self.pieces = Pieces::new(&self.organisation, self.stop_at_legal, &valid, &self.versions);
    }

    /// From now on, so many of this version are installed there; at a node that is not in the organisation: at the
    /// root.
    ///
    /// # Errors
    /// When there are too many of something; then nothing is changed.
    pub fn set_installs(
        &mut self,
        node: &NodeId,
        version: &Version,
        count: u32,
    ) -> Result<(), InstallsError> {
        if count > INSTALLS_MAX {
            return Err(InstallsError::TooMany);
        }
        let place = self.organisation.place(node).unwrap_or_default();
        let number = match self.versions.number(version) {
            Some(number) => number,
            None if count == 0 => return Ok(()),
            None => self.with_version(version)?,
        };
        let at = place * self.versions.len() + number;
        let before = u64::from(self.counts.at(at));
        self.counts.set(at, count);
        self.totals.change(number, |total| *total = total.saturating_sub(before) + u64::from(count));
        if self.totals.at(number) == 0 && !bought(&self.purchases).any(|other| other == version) {
            self.without_version(version);
        }
        Ok(())
    }

    /// A version that was not there counts as a step between others: what covers what is told anew.
    fn with_version(&mut self, version: &Version) -> Result<usize, InstallsError> {
        if self.versions.len() >= VERSIONS_MAX {
            return Err(InstallsError::TooManyVersions);
        }
        self.set_versions(Versions::new(self.versions.iter().chain([version])));
        Ok(self.versions.number(version).unwrap_or_default())
    }

    fn without_version(&mut self, version: &Version) {
        self.set_versions(Versions::new(self.versions.iter().filter(|other| *other != version)));
    }

    fn set_versions(&mut self, versions: Versions) {
        let nodes = self.organisation.nodes().len();
        let mut counts = Table::new(nodes * versions.len(), 0_u32);
        let mut totals = Table::new(versions.len(), 0);
        for (old, name) in self.versions.iter().enumerate() {
            let Some(new) = versions.number(name) else { continue };
            totals.set(new, self.totals.at(old));
            for node in 0..nodes {
                counts.set(node * versions.len() + new, self.counts.at(node * self.versions.len() + old));
            }
        }
        (self.versions, self.counts, self.totals) = (versions, counts, totals);
        self.make_pieces();
    }

    /// How what is installed compares with what was bought.
    pub fn compliance(&self) -> Compliance {
        Compliance::new(self, &self.find())
    }

    pub(super) fn find(&self) -> Found {
        let places = Places { pieces: &self.pieces, versions: self.versions.len() };
        let mut network = Network::new(&places, &self.counts);
        network.flow.fill();
        let settled = settle(&mut network, &places, self.order.iter().copied(), &self.counts);
        let spread = spread(&network, &places, &settled);
        Found { settled, spread, reach: network.reach }
    }
}

/// The versions of purchases that count now.
fn bought(purchases: &[(PurchaseId, Purchase, Validity)]) -> impl Iterator<Item = &Version> {
    purchases.iter().filter(|(.., validity)| *validity == Validity::Valid).map(|(_, terms, _)| &terms.version)
}
