//! Purchases as pieces: what covers what (rule 3).

use std::collections::BTreeMap;

use seatkeeper_protocol::license::Date;

use super::table::Table;
use super::versions::Versions;
use super::{NodeId, Organisation, Purchase, PurchaseId};

/// No region.
pub(super) const NOWHERE: usize = usize::MAX;

/// The nodes that automatic pieces reach. A node belongs to the region of the nearest owner of such a piece above it,
/// or of its own; a piece reaches its owner's region and all regions below that.
#[derive(Clone, Debug, Default)]
pub(super) struct Regions {
    /// By place of the node.
    pub(super) of: Table<usize>,
    /// By place of the node: whether a region begins there.
    pub(super) begins: Table<bool>,
    /// By region: the one above; each comes after the one above it.
    pub(super) above: Table<usize>,
    /// By region: how many nodes it and those below it have.
    nodes: Table<usize>,
}

impl Regions {
    fn new(organisation: &Organisation, owners: &Table<bool>, stop_at_legal: bool) -> Self {
        let len = organisation.nodes().len();
        let (mut of, mut above) = (Table::new(len, NOWHERE), Table::default());
        for (place, node) in organisation.nodes().iter().enumerate() {
            let parent = organisation.parent(place);
            let outer = if place == 0 || (stop_at_legal && node.legal) { NOWHERE } else { of.at(parent) };
            let region = if owners.at(place) { above.push(outer) } else { outer };
            of.set(place, region);
        }
        let mut nodes = Table::new(above.len(), 0_usize);
        of.iter().filter(|region| *region != NOWHERE).for_each(|region| nodes.change(region, |n| *n += 1));
        for region in (0..above.len()).rev() {
            let below = nodes.at(region);
            nodes.change(above.at(region), |n| *n += below);
        }
        Self { of, begins: owners.clone(), above, nodes }
    }

    pub(super) fn len(&self) -> usize {
        self.above.len()
    }
}

/// Where a piece covers installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Site {
    /// At one node, by its place.
    Node(usize),
    /// In a region and all below it.
    Region(usize),
}

/// A version that a piece covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Covers {
    pub(super) version: usize,
    /// 0: it is no transfer.
    pub(super) steps: u64,
}

/// Part of a purchase.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// By number, in the order of ids.
    pub(super) purchase: usize,
    /// Where it stands: the place of the node that it is allocated to, or of the owner.
    pub(super) stands: usize,
    pub(super) quantity: u64,
}

/// Pieces that cover the same, in the order in which they are used.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) manual: bool,
    pub(super) site: Site,
    pub(super) covers: Vec<Covers>,
    pub(super) quantity: u64,
    /// By number; the first is used first.
    pub(super) pieces: Vec<usize>,
}

/// All pieces of the valid purchases of a product.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// In the order in which they are used: least flexible, earliest end, oldest purchase; then by id.
    pub(super) pieces: Vec<Piece>,
    pub(super) classes: Vec<Class>,
    /// By piece.
    pub(super) class_of: Table<usize>,
    pub(super) regions: Regions,
    /// By place of the node: its number among those that a piece names; `NOWHERE` for others.
    pub(super) special: Table<usize>,
    pub(super) specials: usize,
}

/// How a piece is sorted: in how many places (node and version) it may be used; its end; when it was bought; the
/// purchase; where it stands.
type Order = (usize, (bool, Option<Date>), (bool, Option<Date>), usize, usize, bool);

impl Pieces {
    /// `purchases` are the valid ones, with their numbers, in the order of ids.
    pub(super) fn new(
        organisation: &Organisation,
        stop_at_legal: bool,
        purchases: &[(usize, &PurchaseId, &Purchase)],
        versions: &Versions,
    ) -> Self {
        let len = organisation.nodes().len();
        let place = |id: Option<&NodeId>| id.and_then(|id| organisation.place(id)).unwrap_or_default();
        let mut owners = Table::new(len, false);
        for (_, _, terms) in purchases.iter().filter(|(_, _, terms)| terms.automatic && terms.remainder() > 0)
        {
            owners.set(place(terms.owner.as_ref()), true);
        }
        let regions = Regions::new(organisation, &owners, stop_at_legal);
        let mut special = Table::new(len, NOWHERE);
        let mut specials = 0;
        let mut made: Vec<(Order, Piece, bool, Site, usize)> = Vec::new();
        let mut covering = Covering::default();
        for (number, _, terms) in purchases {
            let covers = covering.number(terms, versions);
            let count = covering.count(covers);
            let owner = place(terms.owner.as_ref());
            let manual = terms.manual.iter().map(|(node, quantity)| (place(Some(node)), *quantity, true));
            for (stands, quantity, manual) in manual.chain([(owner, terms.remainder(), false)]) {
                if quantity == 0 {
                    continue;
                }
                let site = if !manual && terms.automatic {
                    Site::Region(regions.of.at(stands))
                } else {
                    if special.at(stands) == NOWHERE {
                        special.set(stands, specials);
                        specials += 1;
                    }
                    Site::Node(stands)
                };
                let nodes = match site {
                    Site::Node(_) => 1,
                    Site::Region(region) => regions.nodes.at(region),
                };
                let (until, bought) = (terms.valid_until, terms.purchased);
                let order = (
                    nodes.saturating_mul(count),
                    (until.is_none(), until),
                    (bought.is_none(), bought),
                    *number,
                    stands,
                    manual,
                );
                let piece = Piece { purchase: *number, stands, quantity: u64::from(quantity) };
                made.push((order, piece, manual, site, covers));
            }
        }
        made.sort_by_key(|(order, ..)| *order);
        let mut all = Self { regions, special, specials, ..Self::default() };
        let mut numbers: BTreeMap<(bool, Site, usize), usize> = BTreeMap::new();
        for (_, piece, manual, site, covers) in made {
            let class = *numbers.entry((manual, site, covers)).or_insert_with(|| {
                let covers = covering.list(covers);
                all.classes.push(Class { manual, site, covers, quantity: 0, pieces: Vec::new() });
                all.classes.len() - 1
            });
            if let Some(class) = all.classes.get_mut(class) {
                class.quantity += piece.quantity;
                class.pieces.push(all.pieces.len());
            }
            all.class_of.push(class);
            all.pieces.push(piece);
        }
        all
    }
}

/// Which versions are covered, told once for all purchases with the same terms.
#[derive(Default)]
struct Covering<'a> {
    terms: Vec<(&'a Purchase, Vec<Covers>)>,
    by_version: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Covering<'a> {
    fn number(&mut self, terms: &'a Purchase, versions: &Versions) -> usize {
        let alike = self.by_version.entry(terms.version.as_str()).or_default();
        let same = |number: &&usize| {
            self.terms.get(**number).is_some_and(|(other, _)| other.downgrade == terms.downgrade)
        };
        if let Some(number) = alike.iter().find(same) {
            return *number;
        }
        alike.push(self.terms.len());
        let own = versions.number(&terms.version).unwrap_or_default();
        let covers = versions.iter().enumerate().filter_map(|(version, name)| {
            let steps = if terms.version.covers(name) {
                0
            } else if terms.covers_by_downgrade(name) {
                // Versions come newest first. Who names a version that does not compare still makes a step.
                u64::try_from(version.saturating_sub(own)).unwrap_or(u64::MAX).max(1)
            } else {
                return None;
            };
            Some(Covers { version, steps })
        });
        self.terms.push((terms, covers.collect()));
        self.terms.len() - 1
    }

    fn count(&self, number: usize) -> usize {
        self.terms.get(number).map_or(0, |(_, covers)| covers.len())
    }

    fn list(&self, number: usize) -> Vec<Covers> {
        self.terms.get(number).map(|(_, covers)| covers.clone()).unwrap_or_default()
    }
}
