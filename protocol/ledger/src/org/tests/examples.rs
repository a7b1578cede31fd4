//! The examples that are shipped in `packaging/examples/organisation`, each with what must come out.

use std::fs;
use std::path::{Path, PathBuf};

use seatkeeper_protocol::id::ProductId;

use super::{NOW, cad, node_id, version};
use crate::org::{Compliance, Installs, Organisation, Purchase, Register, RegisterError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/examples/organisation")
}

fn rows(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder().join(file)).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn installs() -> Installs {
    let mut installs = Installs::new();
    for row in rows("installs.csv") {
        let product = ProductId::new(row[1].as_str()).unwrap();
        installs.add(&product, &node_id(&row[0]), &version(&row[2]), row[3].parse().unwrap()).unwrap();
    }
    installs
}

/// The register of an example, or why it is refused.
fn register(example: u32, stop_at_legal: bool) -> Result<Register, RegisterError> {
    let read = |file: &str| fs::read(folder().join(file)).unwrap();
    let mut register = Register::new(Organisation::from_csv(&read("organisation.csv")).unwrap());
    register.set_stop_at_legal(stop_at_legal);
    let purchases = Purchase::from_csv(&read(&format!("purchases/{example:02}.csv"))).unwrap();
    for (_, id, purchase) in purchases {
        register.add_purchase(id, purchase)?;
    }
    Ok(register)
}

fn surplus(compliance: &Compliance) -> String {
    let parts = compliance.surplus.iter().map(|part| format!("{}={}", part.node, part.quantity));
    parts.collect::<Vec<_>>().join("; ")
}

#[test]
fn every_example_holds() {
    let expected = rows("expected.csv");
    assert_eq!(expected.len(), 25);
    for row in expected {
        let number: u32 = row[0].parse().unwrap();
        let register = match register(number, row[12] == "yes") {
            Ok(register) => register,
            Err(why) => {
                assert!(!row[13].is_empty() && why.to_string().contains(&row[13]), "example {number}: {why}");
                continue;
            }
        };
        assert_eq!(row[13], "", "example {number} is to be refused");
        let found = register.compliance(&cad(), &installs(), NOW);
        let covered = ["R", "E", "E1", "E2", "W", "W1"]
            .map(|node| found.node(&node_id(node)).unwrap().own.coverage.to_string());
        assert_eq!(covered.as_slice(), &row[1..7], "example {number}: covered per node");
        let totals = found.totals;
        let figures = [
            totals.covered.to_string(),
            totals.short.to_string(),
            surplus(&found),
            totals.transfers.to_string(),
            totals.version_steps.to_string(),
        ];
        assert_eq!(
            figures.as_slice(),
            &row[7..12],
            "example {number}: covered, short, surplus, transfers, steps"
        );
    }
}

#[test]
fn the_requirement_is_what_is_installed() {
    let found = register(1, false).unwrap().compliance(&cad(), &installs(), NOW);
    let own: Vec<(&str, u64)> =
        found.nodes.iter().map(|line| (line.node.as_str(), line.own.requirement)).collect();
    assert_eq!(own, [("R", 2), ("E", 2), ("E1", 6), ("E2", 2), ("W", 1), ("W1", 2)]);
    let rolled: Vec<u64> = found.nodes.iter().map(|line| line.rolled_up.requirement).collect();
    assert_eq!(rolled, [15, 10, 6, 2, 3, 2]);
}
