//! Larger random offices: the total against somebody else's maximum flow; each objective by a proof that leading flow
//! around in whatever circle would not be better.

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

/// Whose turn it is to be better off.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The first four objectives.
    Totals,
    /// The piece with this number, at no cost to those before it.
    Piece(usize),
    /// The node with this number in its order, at no cost to those before it, nor to any piece.
    Node(usize),
}

const STEP: i64 = 1 << 10;
const TRANSFER: i64 = STEP << 12;
const NOT_MANUAL: i64 = TRANSFER << 12;
const COVERED: i64 = NOT_MANUAL << 12;

/// Tail, head, cost of one more.
type Arcs = Vec<(usize, usize, i64)>;

/// Whether flow could be led around in a circle at a gain.
fn could_be_better(books: &Books<'_>, assignment: &Assignment, turn: Turn) -> bool {
    let score = books.score(assignment);
    let first_place = books.pieces.len();
    let first_node = first_place + books.places.len();
    let order = books.nodes();
    let hub = first_node + order.len();
    let mut arcs = Arcs::new();
    for (number, piece) in books.pieces.iter().enumerate() {
        let wanted = matches!(turn, Turn::Piece(of) if of == number);
        let cost = if piece.id.manual { 0 } else { NOT_MANUAL } - i64::from(wanted);
        if score.pieces[number] < piece.quantity {
            arcs.push((hub, number, cost));
        }
        let sure = match turn {
            Turn::Totals => false,
            Turn::Piece(of) => number < of,
            Turn::Node(_) => true,
        };
        if score.pieces[number] > 0 && !sure {
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
        let node = first_node + order.iter().position(|node| **node == place.node).unwrap();
        if covered < place.count {
            arcs.push((first_place + at, node, 0));
        }
        if covered > 0 {
            arcs.push((node, first_place + at, 0));
        }
    }
    for (number, covered) in score.nodes.iter().enumerate() {
        let wanted = matches!(turn, Turn::Node(of) if of == number);
        arcs.push((first_node + number, hub, -COVERED - i64::from(wanted)));
        let sure = matches!(turn, Turn::Node(of) if number < of);
        if *covered > 0 && !sure {
            arcs.push((hub, first_node + number, COVERED + i64::from(wanted)));
        }
    }
    has_gainful_circle(&arcs, hub + 1)
}

/// Bellman and Ford: distances that keep falling.
fn has_gainful_circle(arcs: &Arcs, vertices: usize) -> bool {
    let mut distances = vec![0_i64; vertices];
    for _ in 0..=vertices {
        let mut changed = false;
        for (from, to, cost) in arcs {
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
        assert!(!could_be_better(&books, &assignment, Turn::Totals), "seed {seed}: totals");
        for piece in 0..books.pieces.len() {
            assert!(!could_be_better(&books, &assignment, Turn::Piece(piece)), "seed {seed}: piece {piece}");
        }
        for node in 0..books.nodes().len() {
            assert!(!could_be_better(&books, &assignment, Turn::Node(node)), "seed {seed}: node {node}");
        }
    }
}
