//! Which piece covers which install: one of the ways that fit what was settled, always the same one.

use super::network::{Network, Places};
use super::pieces::{NOWHERE, Pieces, Site};
use super::settle::Settled;
use super::table::Table;

/// Installs of one version at one node that one piece covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Covered {
    pub(super) piece: usize,
    /// The node's place in the tree.
    pub(super) node: usize,
    pub(super) version: usize,
    /// 0: no transfer.
    pub(super) steps: u64,
    pub(super) count: u64,
}

/// Part of what a piece covers, before it is known at which node.
#[derive(Clone, Copy, Debug)]
struct Share {
    piece: usize,
    steps: u64,
    count: u64,
}

/// Sorted by piece, node and version.
pub(super) fn spread(network: &Network, places: &Places<'_>, settled: &Settled) -> Vec<Covered> {
    let (pieces, versions) = (places.pieces, places.versions);
    let shares = shares(network, places, settled);
    let mut covered = Vec::new();
    // By version: what is covered by pieces of regions, at the nodes behind the one that is looked at.
    let mut open: Vec<Vec<(usize, u64)>> = vec![Vec::new(); versions];
    // Each node after those below it: then what lies on top is what is below it, and whatever is owned further up can
    // cover the rest.
    for node in (0..pieces.special.len()).rev() {
        let special = pieces.special.at(node);
        for (version, open) in open.iter_mut().enumerate() {
            let mut rest = u64::from(settled.covered.at(node * versions + version));
            if special != NOWHERE {
                for share in shares.of((pieces.regions.len() + special) * versions + version) {
                    let Share { piece, steps, count } = *share;
                    covered.push(Covered { piece, node, version, steps, count });
                    rest = rest.saturating_sub(count);
                }
            }
            if rest > 0 {
                open.push((node, rest));
            }
            if pieces.regions.begins.at(node) {
                for share in shares.of(pieces.regions.of.at(node) * versions + version) {
                    take(open, share, version, &mut covered);
                }
            }
        }
    }
    covered.sort_unstable();
    covered
}

fn take(open: &mut Vec<(usize, u64)>, share: &Share, version: usize, covered: &mut Vec<Covered>) {
    let mut left = share.count;
    while let Some((node, rest)) = open.last_mut().filter(|_| left > 0) {
        let count = left.min(*rest);
        covered.push(Covered { piece: share.piece, node: *node, version, steps: share.steps, count });
        left -= count;
        *rest -= count;
        if *rest == 0 {
            open.pop();
        }
    }
}

/// By place.
struct Shares {
    list: Vec<Share>,
    first: Table<usize>,
}

impl Shares {
    fn of(&self, place: usize) -> &[Share] {
        self.list.get(self.first.at(place)..self.first.at(place + 1)).unwrap_or_default()
    }
}

/// The flow of each class, told apart by pieces: the first one takes the newest version.
fn shares(network: &Network, places: &Places<'_>, settled: &Settled) -> Shares {
    let pieces: &Pieces = places.pieces;
    let mut list: Vec<(usize, Share)> = Vec::new();
    let mut uses = network.uses.iter().peekable();
    for (number, class) in pieces.classes.iter().enumerate() {
        let mut members =
            class.pieces.iter().map(|piece| (*piece, settled.used.get(*piece).copied().unwrap_or_default()));
        let (mut piece, mut left) = members.next().unwrap_or_default();
        while let Some((_, which, arc)) = uses.next_if(|(class, _, _)| *class == number) {
            let Some(covers) = class.covers.get(*which) else { continue };
            let place = match class.site {
                Site::Region(region) => region,
                Site::Node(node) => pieces.regions.len().saturating_add(pieces.special.at(node)),
            } * places.versions
                + covers.version;
            let mut amount = network.flow.amount(*arc);
            while amount > 0 {
                let count = amount.min(left);
                if count > 0 {
                    list.push((place, Share { piece, steps: covers.steps, count }));
                }
                amount -= count;
                left -= count;
                if left == 0 {
                    let Some(next) = members.next() else { break };
                    (piece, left) = next;
                }
            }
        }
    }
    list.sort_by_key(|(place, _)| *place);
    let mut first = Table::new(places.len() + 1, 0_usize);
    list.iter().for_each(|(place, _)| first.change(place + 1, |n| *n += 1));
    for place in 1..first.len() {
        let before = first.at(place - 1);
        first.change(place, |n| *n += before);
    }
    Shares { list: list.into_iter().map(|(_, share)| share).collect(), first }
}
