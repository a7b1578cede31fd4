//! Larger random offices: the total against somebody else's maximum flow; the first four objectives by a proof that no
//! way around would be cheaper.

use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};

use super::brute::{Assignment, Books};
use super::objectives::assignment;
use super::random::{Office, Size, versions};
use super::{NOW, cad};
use crate::org::Calculation;
use crate::tests::chance::Chance;

const CASES: u64 = if cfg!(debug_assertions) { 30 } else { 400 };

/// The most that can be covered.
fn maximum(books: &Books<'_>) -> u64 {
    let mut graph: DiGraph<(), u64> = DiGraph::new();
    let (source, sink) = (graph.add_node(()), graph.add_node(()));
    let places: Vec<NodeIndex> = books.places.iter().map(|_| graph.add_node(())).collect();
    for (place, at) in books.places.iter().zip(&places) {
        graph.add_edge(*at, sink, place.count);
    }
    for piece in &books.pieces {
        let of = graph.add_node(());
        graph.add_edge(source, of, piece.quantity);
        for (place, at) in
            books.places.iter().zip(&places).filter(|(place, _)| piece.covers(books.tree, place))
        {
            graph.add_edge(of, *at, place.count);
        }
    }
    ford_fulkerson(&graph, source, sink).0
}

/// Whether flow could be led around in a circle at a gain (Bellman and Ford): then it would not be the cheapest.
fn could_be_cheaper(books: &Books<'_>, assignment: &Assignment) -> bool {
    const STEP: i64 = 1;
    const TRANSFER: i64 = 10_000;
    const NOT_MANUAL: i64 = TRANSFER * 10_000;
    const COVERED: i64 = NOT_MANUAL * 10_000;
    let score = books.score(assignment);
    let first_place = books.pieces.len();
    let hub = first_place + books.places.len();
    // Tail, head, cost of one more.
    let mut arcs: Vec<(usize, usize, i64)> = Vec::new();
    for (number, piece) in books.pieces.iter().enumerate() {
        let cost = if piece.id.manual { 0 } else { NOT_MANUAL };
        if score.pieces[number] < piece.quantity {
            arcs.push((hub, number, cost));
        }
        if score.pieces[number] > 0 {
            arcs.push((number, hub, -cost));
        }
        for (at, place) in
            books.places.iter().enumerate().filter(|(_, place)| piece.covers(books.tree, place))
        {
            let steps = i64::try_from(books.steps(piece, place)).unwrap();
            let cost = steps * STEP + if steps > 0 { TRANSFER } else { 0 };
            arcs.push((number, first_place + at, cost));
            if assignment.contains_key(&(number, at)) {
                arcs.push((first_place + at, number, -cost));
            }
        }
    }
    for (at, place) in books.places.iter().enumerate() {
        let covered: u64 =
            assignment.iter().filter(|((_, there), _)| *there == at).map(|(_, count)| count).sum();
        if covered < place.count {
            arcs.push((first_place + at, hub, -COVERED));
        }
        if covered > 0 {
            arcs.push((hub, first_place + at, COVERED));
        }
    }
    let mut distances = vec![0_i64; hub + 1];
    for _ in 0..=hub + 1 {
        let mut changed = false;
        for (from, to, cost) in &arcs {
            if distances[*from] + cost < distances[*to] {
                distances[*to] = distances[*from] + cost;
                changed = true;
            }
        }
        if !changed {
            return false;
        }
    }
    true
}

#[test]
fn larger_offices_are_covered_as_well_as_can_be() {
    let size = Size { nodes: 40, purchases: 30, quantity: 12, installs: 300 };
    for seed in 0..CASES {
        let office = Office::new(&mut Chance::new(seed), size);
        let (register, installs) = (office.register(), office.installs());
        let books = Books::new(&register, &installs, &versions());
        let calculation = Calculation::new(&register, &cad(), &installs, NOW);
        let assignment = assignment(&books, &calculation);
        assert_eq!(books.score(&assignment).covered, maximum(&books), "seed {seed}");
        assert!(!could_be_cheaper(&books, &assignment), "seed {seed}");
    }
}
