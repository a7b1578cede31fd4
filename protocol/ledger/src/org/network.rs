//! Pieces and installs of a product as a flow network on the tree:
//! source → class of pieces → region and version → regions below, or named nodes → sink.
//!
//! A place is one version in one region (all its nodes that no piece names, together), or at one named node. The
//! network has a vertex for each place and each class and is linear in places and in what the classes cover.

use super::flow::{Flow, NewArc, SINK, SOURCE, UNBOUNDED};
use super::pieces::{Class, NOWHERE, Pieces, Site};
use super::table::Table;

/// A network, and which arcs mean what.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    pub(super) flow: Flow,
    /// By class: its vertex is its number and `FIRST_CLASS`.
    pub(super) supply: Table<usize>,
    /// Class, which of what it covers, and the arc.
    pub(super) uses: Vec<(usize, usize, usize)>,
    /// By place: the arc to the sink; `NOWHERE`: nothing is installed.
    pub(super) demand: Table<usize>,
    /// By class: how much is installed that it could cover.
    pub(super) reach: Vec<u64>,
}

/// The vertex of the first class.
pub(super) const FIRST_CLASS: usize = 2;

/// Numbers of places: regions first, then named nodes; for each as many as there are versions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) pieces: &'a Pieces,
    pub(super) versions: usize,
}

impl Places<'_> {
    /// The place of a node and a version; `None`: no piece reaches it.
    #[inline]
    pub(super) fn of_node(&self, node: usize, version: usize) -> Option<usize> {
        let special = self.pieces.special.at(node);
        let group = if special == NOWHERE {
            Some(self.pieces.regions.of.at(node)).filter(|region| *region != NOWHERE)?
        } else {
            self.pieces.regions.len() + special
        };
        Some(group * self.versions + version)
    }

    fn of_site(&self, site: Site, version: usize) -> usize {
        let group = match site {
            Site::Region(region) => region,
            Site::Node(node) => self.pieces.regions.len().saturating_add(self.pieces.special.at(node)),
        };
        group.saturating_mul(self.versions).saturating_add(version)
    }

    pub(super) fn len(&self) -> usize {
        (self.pieces.regions.len() + self.pieces.specials) * self.versions
    }

    /// The vertex of the first place.
    pub(super) fn first_vertex(&self) -> usize {
        FIRST_CLASS + self.pieces.classes.len()
    }
}

impl Network {
    /// `counts`: installs by node and version.
    pub(super) fn new(places: &Places<'_>, counts: &Table<u32>) -> Self {
        let (pieces, versions) = (places.pieces, places.versions);
        let installed = installed(places, counts);
        // With all that is in regions below.
        let mut within = installed.clone();
        for (node, special) in pieces.special.iter().enumerate().filter(|(_, special)| *special != NOWHERE) {
            let region = pieces.regions.of.at(node);
            for version in (0..versions).filter(|_| region != NOWHERE) {
                let here = installed.at((pieces.regions.len() + special) * versions + version);
                within.change(region * versions + version, |sum| *sum += here);
            }
        }
        for region in (0..pieces.regions.len()).rev() {
            let above = pieces.regions.above.at(region);
            for version in (0..versions).filter(|_| above != NOWHERE) {
                let here = within.at(region * versions + version);
                within.change(above * versions + version, |sum| *sum += here);
            }
        }
        let mut arcs = Arcs { list: Vec::new(), first_place: places.first_vertex() };
        let (supply, uses, reach) = class_arcs(places, &within, &mut arcs);
        tree_arcs(places, &installed, &within, &mut arcs);
        let mut demand = Table::new(installed.len(), NOWHERE);
        for (place, amount) in installed.iter().enumerate().filter(|(_, amount)| *amount > 0) {
            demand.set(place, arcs.add(arcs.first_place + place, SINK, amount, 0));
        }
        let (flow, at) = Flow::new(places.first_vertex() + places.len(), &arcs.list);
        let at = Table::from(at);
        let moved = |arc: usize| if arc == NOWHERE { NOWHERE } else { at.at(arc) };
        Self {
            flow,
            supply: Table::from(supply.iter().map(|arc| moved(*arc)).collect::<Vec<_>>()),
            uses: uses.into_iter().map(|(class, which, arc)| (class, which, moved(arc))).collect(),
            demand: Table::from(demand.iter().map(moved).collect::<Vec<_>>()),
            reach,
        }
    }
}

/// How much is installed, by place.
fn installed(places: &Places<'_>, counts: &Table<u32>) -> Table<u64> {
    let mut installed = Table::new(places.len(), 0_u64);
    for node in 0..places.pieces.special.len() {
        let Some(first) = places.of_node(node, 0) else { continue };
        let counts = counts.slice(node * places.versions, (node + 1) * places.versions);
        for (version, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            installed.change(first + version, |sum| *sum += u64::from(*count));
        }
    }
    installed
}

struct Arcs {
    list: Vec<NewArc>,
    first_place: usize,
}

impl Arcs {
    fn add(&mut self, from: usize, to: usize, room: u64, cost: i64) -> usize {
        self.list.push((from, to, room, cost));
        self.list.len() - 1
    }
}

/// What a unit of each objective costs, so that a lot of the later ones never outweighs one of the earlier: no way
/// meets a class twice, so its costs differ by less than this from those of another.
struct Costs {
    transfer: i64,
    not_manual: i64,
}

impl Costs {
    fn new(classes: &[Class]) -> Self {
        let most =
            classes.iter().flat_map(|class| &class.covers).map(|covers| covers.steps).max().unwrap_or(0);
        let count = i64::try_from(classes.len()).unwrap_or(i64::MAX).saturating_add(1);
        let transfer = i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(2 * count).saturating_add(1);
        let not_manual = transfer.saturating_mul(2).saturating_mul(count).saturating_mul(2).saturating_add(1);
        Self { transfer, not_manual }
    }
}

type ClassArcs = (Vec<usize>, Vec<(usize, usize, usize)>, Vec<u64>);

fn class_arcs(places: &Places<'_>, within: &Table<u64>, arcs: &mut Arcs) -> ClassArcs {
    let classes = &places.pieces.classes;
    let costs = Costs::new(classes);
    let (mut supply, mut uses, mut reach) = (Vec::new(), Vec::new(), Vec::new());
    for (number, class) in classes.iter().enumerate() {
        let vertex = FIRST_CLASS + number;
        let cost = if class.manual { 0 } else { costs.not_manual };
        supply.push(arcs.add(SOURCE, vertex, class.quantity, cost));
        let mut sum = 0;
        for (which, covers) in class.covers.iter().enumerate() {
            let place = places.of_site(class.site, covers.version);
            let here = within.at(place);
            if here == 0 {
                continue;
            }
            sum += here;
            let steps = i64::try_from(covers.steps).unwrap_or(i64::MAX);
            let cost = if steps == 0 { 0 } else { costs.transfer.saturating_add(steps) };
            let arc = arcs.add(vertex, arcs.first_place + place, UNBOUNDED, cost);
            uses.push((number, which, arc));
        }
        reach.push(sum);
    }
    (supply, uses, reach)
}

fn tree_arcs(places: &Places<'_>, installed: &Table<u64>, within: &Table<u64>, arcs: &mut Arcs) {
    let (pieces, versions) = (places.pieces, places.versions);
    let first = arcs.first_place;
    for (region, above) in pieces.regions.above.iter().enumerate().filter(|(_, above)| *above != NOWHERE) {
        for version in 0..versions {
            if within.at(region * versions + version) > 0 {
                arcs.add(
                    first + above * versions + version,
                    first + region * versions + version,
                    UNBOUNDED,
                    0,
                );
            }
        }
    }
    for (node, special) in pieces.special.iter().enumerate().filter(|(_, special)| *special != NOWHERE) {
        let region = pieces.regions.of.at(node);
        for version in (0..versions).filter(|_| region != NOWHERE) {
            let place = (pieces.regions.len() + special) * versions + version;
            if installed.at(place) > 0 {
                arcs.add(first + region * versions + version, first + place, UNBOUNDED, 0);
            }
        }
    }
}
