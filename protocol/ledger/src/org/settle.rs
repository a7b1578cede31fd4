//! The objectives that fill one piece, or one node, after the other, on the face of the cheapest maximum flows.
//!
//! Whoever is next gets as much as the others, who come later, can do without: flow is led around, along arcs without
//! reduced cost, from those who have more than what they are sure of. Then he is sure of what he has. A vertex from
//! which a search found nobody is never looked at again: those who have more grow fewer, and no flow that is led
//! around elsewhere opens a way out of what that search saw, since it would have had to come in.

use super::flow::{Flow, SINK, SOURCE};
use super::network::{FIRST_CLASS, Network, Places};
use super::pieces::{NOWHERE, Pieces};
use super::table::Table;

/// A vertex from which nobody is found any more.
const DEAD: usize = usize::MAX;

/// What has been settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// By piece.
    pub(super) used: Vec<u64>,
    /// By node and version.
    pub(super) covered: Table<u32>,
}

/// A search from one vertex for another one.
struct Search {
    /// By vertex: the search that has seen it last.
    seen: Table<usize>,
    /// By vertex: the arc that was followed.
    by: Table<usize>,
    number: usize,
    list: Vec<usize>,
}

impl Search {
    fn new(vertices: usize) -> Self {
        Self { seen: Table::new(vertices, 0), by: Table::new(vertices, 0), number: 0, list: Vec::new() }
    }

    /// Follows arcs without reduced cost, from tail to head or (`backward`) from head to tail, to the first vertex of
    /// which `wanted` says yes. Never goes through `never`.
    fn find(
        &mut self,
        flow: &Flow,
        start: usize,
        never: [usize; 2],
        backward: bool,
        wanted: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.number += 1;
        self.list.clear();
        if self.seen.at(start) == DEAD {
            return None;
        }
        self.seen.set(start, self.number);
        self.list.push(start);
        let mut at = 0;
        while let Some(here) = self.list.get(at).copied() {
            at += 1;
            let (first, arcs) = flow.leaving(here);
            for (number, arc) in arcs.iter().enumerate() {
                let seen = self.seen.at(arc.to);
                if seen == DEAD || seen == self.number || never.contains(&arc.to) {
                    continue;
                }
                let open = if backward {
                    flow.is_tight(arc.to, &flow.arc(arc.twin))
                } else {
                    flow.is_tight(here, arc)
                };
                if !open {
                    continue;
                }
                self.seen.set(arc.to, self.number);
                self.by.set(arc.to, if backward { arc.twin } else { first + number });
                if wanted(arc.to) {
                    return Some(arc.to);
                }
                self.list.push(arc.to);
            }
        }
        self.list.iter().for_each(|vertex| self.seen.set(*vertex, DEAD));
        None
    }

    /// The arcs between `start` and `end`, as found last.
    fn way(&self, flow: &Flow, start: usize, end: usize, backward: bool) -> Vec<usize> {
        let (mut way, mut at) = (Vec::new(), end);
        while at != start {
            let arc = self.by.at(at);
            way.push(arc);
            at = if backward { flow.arc(arc).to } else { flow.arc(flow.arc(arc).twin).to };
        }
        way
    }
}

/// Leads flow around until `wanted` have as much as they are to be sure of, or nobody can do without more.
/// `anchor` is the source or the sink; `ends` tells each vertex's arc from or to it.
struct Around<'a> {
    flow: &'a mut Flow,
    search: Search,
    /// By vertex less `first`: the arc that tells how much it has; `NOWHERE`: none.
    arcs: &'a Table<usize>,
    first: usize,
    /// By the same: how much it is sure of.
    sure: Table<u64>,
    backward: bool,
    never: [usize; 2],
}

impl Around<'_> {
    fn has(&self, number: usize) -> u64 {
        self.flow.amount(self.arcs.at(number))
    }

    /// Asks for `more` for one of them. How much it gets.
    fn ask(&mut self, number: usize, more: u64) -> u64 {
        let arc = self.arcs.at(number);
        if arc == NOWHERE || more == 0 {
            return 0;
        }
        let before = self.sure.at(number);
        let goal = before.saturating_add(more);
        let (start, tail) = (self.first + number, self.flow.arc(self.flow.arc(arc).twin).to);
        while self.has(number) < goal && self.flow.is_tight(tail, &self.flow.arc(arc)) {
            let (flow, sure, arcs, first) = (&*self.flow, &self.sure, self.arcs, self.first);
            let found = self.search.find(flow, start, self.never, self.backward, |vertex| {
                let Some(other) = vertex.checked_sub(first).filter(|other| *other < arcs.len()) else {
                    return false;
                };
                let arc = arcs.at(other);
                arc != NOWHERE && {
                    let twin = flow.arc(arc).twin;
                    flow.arc(twin).room > sure.at(other) && flow.is_tight(flow.arc(arc).to, &flow.arc(twin))
                }
            });
            let Some(end) = found else { break };
            let giver = self.arcs.at(end - self.first);
            let way = self.search.way(self.flow, start, end, self.backward);
            let amount = way.iter().map(|arc| self.flow.arc(*arc).room).min().unwrap_or(u64::MAX);
            let amount = amount
                .min(goal - self.has(number))
                .min(self.flow.amount(giver).saturating_sub(self.sure.at(end - self.first)));
            if amount == 0 {
                break;
            }
            way.iter().for_each(|arc| self.flow.push(*arc, amount));
            self.flow.push(arc, amount);
            self.flow.push(self.flow.arc(giver).twin, amount);
        }
        let sure = self.has(number).min(goal);
        self.sure.set(number, sure);
        sure.saturating_sub(before)
    }
}

/// Settles pieces in their order, then nodes in theirs (`order`: places in the tree).
pub(super) fn settle(
    network: &mut Network,
    places: &Places<'_>,
    order: impl Iterator<Item = usize>,
    counts: &Table<u32>,
) -> Settled {
    let used = settle_pieces(network, places.pieces);
    let covered = settle_nodes(network, places, order, counts);
    Settled { used, covered }
}

fn settle_pieces(network: &mut Network, pieces: &Pieces) -> Vec<u64> {
    let vertices = network.flow.vertices();
    let mut around = Around {
        search: Search::new(vertices),
        flow: &mut network.flow,
        arcs: &network.supply,
        first: FIRST_CLASS,
        sure: Table::new(pieces.classes.len(), 0),
        backward: false,
        never: [SOURCE, SOURCE],
    };
    let ask = |(number, piece): (usize, &super::pieces::Piece)| {
        around.ask(pieces.class_of.at(number), piece.quantity)
    };
    pieces.pieces.iter().enumerate().map(ask).collect()
}

fn settle_nodes(
    network: &mut Network,
    places: &Places<'_>,
    order: impl Iterator<Item = usize>,
    counts: &Table<u32>,
) -> Table<u32> {
    let vertices = network.flow.vertices();
    let mut around = Around {
        search: Search::new(vertices),
        flow: &mut network.flow,
        arcs: &network.demand,
        first: places.first_vertex(),
        sure: Table::new(places.len(), 0),
        backward: true,
        never: [SOURCE, SINK],
    };
    let mut covered = Table::new(counts.len(), 0_u32);
    for node in order {
        let Some(first) = places.of_node(node, 0) else { continue };
        for version in 0..places.versions {
            let at = node * places.versions + version;
            let got = around.ask(first + version, u64::from(counts.at(at)));
            covered.set(at, u32::try_from(got).unwrap_or(u32::MAX));
        }
    }
    covered
}
