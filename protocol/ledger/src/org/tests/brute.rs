//! What covers what, found out without any cleverness: the rules read word by word, and every assignment tried.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::Version;
use seatkeeper_protocol::license::Date;

use super::{NOW, cad};
use crate::org::{Installs, NodeId, Organisation, Purchase, PurchaseId, Register};

/// What stands somewhere: how many of a purchase, and whether they were put there by hand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PieceId {
    pub(super) purchase: PurchaseId,
    pub(super) node: NodeId,
    pub(super) manual: bool,
}

#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) id: PieceId,
    pub(super) terms: &'a Purchase,
    pub(super) quantity: u64,
    stop_at_legal: bool,
}

/// Installs of one version at one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) version: Version,
    pub(super) count: u64,
}

/// A product's pieces, in the order in which they are used, and its installs.
#[derive(Debug)]
pub(super) struct Books<'a> {
    pub(super) tree: &'a Organisation,
    pub(super) pieces: Vec<Piece<'a>>,
    pub(super) places: Vec<Place>,
    known: BTreeSet<Version>,
}

/// How many of a place each piece covers, by their numbers.
pub(super) type Assignment = BTreeMap<(usize, usize), u64>;

/// What an assignment is judged by: the greater, the better; the first difference decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    pub(super) covered: u64,
    pub(super) manual: u64,
    pub(super) transfers: std::cmp::Reverse<u64>,
    pub(super) steps: std::cmp::Reverse<u64>,
    pub(super) pieces: Vec<u64>,
    pub(super) nodes: Vec<u64>,
}

/// None is later than any day.
fn by_day(a: Option<Date>, b: Option<Date>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
    }
}

impl Piece<'_> {
    /// Whether it may be used at a node.
    pub(super) fn reaches(&self, tree: &Organisation, node: &NodeId) -> bool {
        if self.id.manual || !self.terms.automatic {
            return self.id.node == *node;
        }
        // Up from the node to the owner.
        let mut at = node.clone();
        while at != self.id.node {
            let here = tree.node(&at).unwrap();
            let Some(parent) = here.parent.clone().filter(|_| !self.stop_at_legal || !here.legal) else {
                return false;
            };
            at = parent;
        }
        true
    }

    pub(super) fn covers(&self, tree: &Organisation, place: &Place) -> bool {
        self.reaches(tree, &place.node) && self.terms.covers_version(&place.version)
    }
}

impl<'a> Books<'a> {
    pub(super) fn new(register: &'a Register, installs: &Installs, names: &[Version]) -> Self {
        let tree = register.organisation();
        let mut places = Vec::new();
        for node in tree.nodes() {
            for version in names {
                let count = u64::from(installs.count(&cad(), &node.id, version));
                if count > 0 {
                    places.push(Place { node: node.id.clone(), version: version.clone(), count });
                }
            }
        }
        let valid = |terms: &&Purchase| {
            terms.valid_from.is_none_or(|day| day.starts() <= NOW)
                && terms.valid_until.is_none_or(|day| NOW < day.ends())
        };
        let mut known: BTreeSet<Version> = places.iter().map(|place| place.version.clone()).collect();
        let mut pieces = Vec::new();
        for (purchase, terms) in register.purchases().iter().filter(|(_, terms)| valid(terms)) {
            known.insert(terms.version.clone());
            let mut rest = terms.quantity;
            let owner = terms.owner.clone().unwrap();
            let stop_at_legal = register.stop_at_legal();
            let mut piece = |node: NodeId, manual, quantity: u32| {
                let id = PieceId { purchase: purchase.clone(), node, manual };
                pieces.push(Piece { id, terms, quantity: quantity.into(), stop_at_legal });
            };
            for (node, quantity) in &terms.manual {
                rest -= quantity;
                piece(node.clone(), true, *quantity);
            }
            if rest > 0 {
                piece(owner, false, rest);
            }
        }
        let mut books = Self { tree, pieces, places, known };
        let mut pieces = std::mem::take(&mut books.pieces);
        let place_of = |node: &NodeId| tree.nodes().iter().position(|there| there.id == *node);
        pieces.sort_by(|a, b| {
            let flexible = books.flexibility(a).cmp(&books.flexibility(b));
            let ends = by_day(a.terms.valid_until, b.terms.valid_until);
            let bought = by_day(a.terms.purchased, b.terms.purchased);
            let purchase = a.id.purchase.cmp(&b.id.purchase);
            let node = place_of(&a.id.node).cmp(&place_of(&b.id.node));
            let order = flexible.then(ends).then(bought).then(purchase).then(node);
            order.then(a.id.manual.cmp(&b.id.manual))
        });
        books.pieces = pieces;
        books
    }

    /// In how many places, node and version, a piece may be used.
    fn flexibility(&self, piece: &Piece<'_>) -> usize {
        let nodes = self.tree.nodes().iter().filter(|node| piece.reaches(self.tree, &node.id)).count();
        nodes * self.known.iter().filter(|version| piece.terms.covers_version(version)).count()
    }

    /// By how many versions a piece is downgraded for a place.
    pub(super) fn steps(&self, piece: &Piece<'_>, place: &Place) -> u64 {
        let (own, wanted) = (&piece.terms.version, &place.version);
        if own.covers(wanted) {
            return 0;
        }
        let passed = self.known.iter().filter(|version| version.is_older_than(own));
        passed.filter(|version| *version == wanted || wanted.is_older_than(version)).count() as u64
    }

    /// The nodes by priority, then in the tree's order.
    pub(super) fn nodes(&self) -> Vec<&NodeId> {
        let nodes = self.tree.nodes();
        let priorities = (0..=9).rev();
        let of = |priority| nodes.iter().filter(move |node| node.priority == priority).map(|node| &node.id);
        priorities.flat_map(of).collect()
    }

    /// What it is worth.
    ///
    /// # Panics
    /// When it is not allowed.
    pub(super) fn score(&self, assignment: &Assignment) -> Score {
        let mut score = Score {
            covered: 0,
            manual: 0,
            transfers: std::cmp::Reverse(0),
            steps: std::cmp::Reverse(0),
            pieces: vec![0; self.pieces.len()],
            nodes: Vec::new(),
        };
        let mut by_place = vec![0; self.places.len()];
        for ((piece, place), count) in assignment {
            let (of, at) = (&self.pieces[*piece], &self.places[*place]);
            assert!(of.covers(self.tree, at), "{of:?} does not cover {at:?}");
            let steps = self.steps(of, at);
            score.covered += count;
            score.manual += if of.id.manual { *count } else { 0 };
            score.transfers.0 += if steps > 0 { *count } else { 0 };
            score.steps.0 += steps * count;
            score.pieces[*piece] += count;
            by_place[*place] += count;
        }
        for (piece, used) in self.pieces.iter().zip(&score.pieces) {
            assert!(*used <= piece.quantity, "{piece:?} covers {used}");
        }
        for (place, covered) in self.places.iter().zip(&by_place) {
            assert!(*covered <= place.count, "{covered} of {place:?} are covered");
        }
        let of = |node: &&NodeId| {
            let places = self.places.iter().zip(&by_place).filter(|(place, _)| place.node == **node);
            places.map(|(_, covered)| covered).sum()
        };
        score.nodes = self.nodes().iter().map(of).collect();
        score
    }

    /// The best there is: every assignment is tried.
    pub(super) fn best(&self) -> Score {
        let mut best = None;
        let mut left: Vec<u64> = self.pieces.iter().map(|piece| piece.quantity).collect();
        self.try_all(0, 0, 0, &mut left, &mut Assignment::new(), &mut best);
        best.unwrap()
    }

    /// Places below `place` are dealt with, and `done` installs of it, of which the next one goes to piece `from` or a
    /// later one, or to none.
    fn try_all(
        &self,
        place: usize,
        done: u64,
        from: usize,
        left: &mut Vec<u64>,
        assignment: &mut Assignment,
        best: &mut Option<Score>,
    ) {
        let Some(at) = self.places.get(place) else {
            let score = self.score(assignment);
            if best.as_ref().is_none_or(|best| score > *best) {
                *best = Some(score);
            }
            return;
        };
        // The rest of this place stays uncovered.
        self.try_all(place + 1, 0, 0, left, assignment, best);
        if done == at.count {
            return;
        }
        for piece in from..self.pieces.len() {
            if left[piece] == 0 || !self.pieces[piece].covers(self.tree, at) {
                continue;
            }
            left[piece] -= 1;
            *assignment.entry((piece, place)).or_default() += 1;
            self.try_all(place, done + 1, piece, left, assignment, best);
            left[piece] += 1;
            let count = assignment.get_mut(&(piece, place)).unwrap();
            *count -= 1;
            if *count == 0 {
                assignment.remove(&(piece, place));
            }
        }
    }
}
