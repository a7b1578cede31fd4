//! Tests of organisation, allocation and compliance.

mod brute;
mod examples;
mod imports;
mod objectives;
mod oracle;
mod random;
mod refusals;
mod reports;

use seatkeeper_protocol::id::{Name, ProductId, Version};
use seatkeeper_protocol::time::WallTime;

use super::{Node, NodeId, Organisation, Purchase, PurchaseId};

/// 2026-03-01.
const NOW: WallTime = WallTime(1_772_323_200_000);

fn node_id(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

fn purchase_id(text: &str) -> PurchaseId {
    PurchaseId::new(text).unwrap()
}

fn version(text: &str) -> Version {
    Version::new(text).unwrap()
}

fn cad() -> ProductId {
    ProductId::new("cad").unwrap()
}

fn node(id: &str, parent: Option<&str>, legal: bool) -> Node {
    let name = Name::new(id).unwrap();
    Node { id: node_id(id), parent: parent.map(node_id), name, legal, priority: 0 }
}

/// R (legal) → E → {E1, E2}; R → W (legal) → W1.
fn office() -> Organisation {
    let nodes = vec![
        node("R", None, true),
        node("E", Some("R"), false),
        node("E1", Some("E"), false),
        node("E2", Some("E"), false),
        node("W", Some("R"), true),
        node("W1", Some("W"), false),
    ];
    Organisation::new(nodes).unwrap()
}

fn bought(of: &str, quantity: u32) -> Purchase {
    Purchase::new(cad(), version(of), quantity)
}
