//! Small random offices against brute force, objective by objective.

use seatkeeper_protocol::id::Version;

use super::brute::{Assignment, Books, PieceId};
use super::random::{Office, Size, shuffled, versions};
use super::{NOW, cad};
use crate::org::{Calculation, Difference, Installs, Register};
use crate::tests::chance::Chance;

const CASES: u64 = if cfg!(debug_assertions) { 1_500 } else { 30_000 };

/// What the calculation says covers what.
pub(super) fn assignment(books: &Books<'_>, calculation: &Calculation) -> Assignment {
    let mut assignment = Assignment::new();
    let nodes = calculation.organisation.nodes();
    for part in calculation.find().spread {
        let piece = &calculation.pieces.pieces[part.piece];
        let id = PieceId {
            purchase: calculation.purchases[piece.purchase].0.clone(),
            node: nodes[piece.stands].id.clone(),
            manual: calculation.pieces.classes[calculation.pieces.class_of.at(part.piece)].manual,
        };
        let piece = books.pieces.iter().position(|piece| piece.id == id).unwrap();
        let version = calculation.versions.get(part.version).unwrap();
        let here =
            |place: &super::brute::Place| place.node == nodes[part.node].id && place.version == *version;
        let place = books.places.iter().position(here).unwrap();
        assert_eq!(part.steps, books.steps(&books.pieces[piece], &books.places[place]));
        *assignment.entry((piece, place)).or_default() += part.count;
    }
    assignment
}

fn check(register: &Register, installs: &Installs, names: &[Version], seed: u64) -> u64 {
    let books = Books::new(register, installs, names);
    let calculation = Calculation::new(register, &cad(), installs, NOW);
    let (mine, best) = (books.score(&assignment(&books, &calculation)), books.best());
    assert_eq!(mine.covered, best.covered, "seed {seed}: most installs covered");
    assert_eq!(mine.manual, best.manual, "seed {seed}: manual pieces first");
    assert_eq!(mine.transfers, best.transfers, "seed {seed}: fewest transfers");
    assert_eq!(mine.steps, best.steps, "seed {seed}: fewest version steps");
    assert_eq!(mine.pieces, best.pieces, "seed {seed}: pieces in their order");
    assert_eq!(mine.nodes, best.nodes, "seed {seed}: nodes in their order");
    let totals = calculation.compliance().totals;
    assert_eq!((totals.covered, totals.transfers), (best.covered, best.transfers.0), "seed {seed}");
    assert_eq!(totals.version_steps, best.steps.0, "seed {seed}");
    assert_eq!(totals.surplus, totals.owned - totals.covered, "seed {seed}");
    best.covered
}

#[test]
fn no_assignment_is_better_in_any_objective() {
    let size = Size { nodes: 5, purchases: 4, quantity: 3, installs: 7 };
    let covered: u64 = (0..CASES)
        .map(|seed| {
            let office = Office::new(&mut Chance::new(seed), size);
            check(&office.register(), &office.installs(), &versions(), seed)
        })
        .sum();
    assert!(covered > CASES, "{covered} covered: not much of a test");
}

#[test]
fn the_order_of_input_does_not_matter() {
    let size = Size { nodes: 12, purchases: 10, quantity: 6, installs: 60 };
    for seed in 0..CASES / 10 {
        let mut chance = Chance::new(seed);
        let office = Office::new(&mut chance, size);
        let other = Office {
            nodes: shuffled(&mut chance, &office.nodes),
            purchases: shuffled(&mut chance, &office.purchases),
            installed: shuffled(&mut chance, &office.installed),
            stop_at_legal: office.stop_at_legal,
        };
        let found = office.register().compliance(&cad(), &office.installs(), NOW);
        assert_eq!(found, other.register().compliance(&cad(), &other.installs(), NOW), "seed {seed}");
    }
}

#[test]
fn one_changed_install_gives_what_a_new_calculation_gives() {
    let size = Size { nodes: 8, purchases: 6, quantity: 4, installs: 25 };
    for seed in 0..CASES / 10 {
        let mut chance = Chance::new(seed);
        let office = Office::new(&mut chance, size);
        let (register, mut installs) = (office.register(), office.installs());
        let mut calculation = Calculation::new(&register, &cad(), &installs, NOW);
        for _ in 0..6 {
            let (node, version) = (chance.pick(&office.nodes).id, chance.pick(&versions()));
            let count = chance.small(0..=2);
            let before = calculation.compliance();
            installs.set(&cad(), &node, &version, count).unwrap();
            calculation.set_installs(&node, &version, count).unwrap();
            let anew = register.compliance(&cad(), &installs, NOW);
            assert_eq!(calculation.compliance(), anew, "seed {seed}");
            let difference = Difference::between(&before, &anew);
            assert_eq!(
                difference.is_none(),
                before.nodes == anew.nodes
                    && before.purchases == anew.purchases
                    && before.totals == anew.totals
            );
        }
    }
}
