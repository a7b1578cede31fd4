//! What is registered of the organisation, for people and programs.

use seatkeeper_ledger::org::{self, Match};
use seatkeeper_protocol::api::{self, FORMAT};

use super::Inner;
use super::duty::Duty;

pub(super) fn organisation(duty: &Duty) -> api::Organisation {
    let ledger = duty.log.books.read();
    let Some(register) = ledger.register() else {
        return api::Organisation {
            format: FORMAT,
            stop_at_legal: false,
            nodes: Vec::new(),
            rules: Vec::new(),
            next: None,
        };
    };
    let node = |node: &org::Node| api::OrgNode {
        id: node.id.to_string(),
        parent: node.parent.as_ref().map(ToString::to_string),
        name: node.name.to_string(),
        legal: node.legal,
        priority: node.priority,
    };
    let rule = |rule: &org::Rule| {
        let (matches, pattern) = match &rule.matches {
            Match::Host(glob) => ("host", glob.to_string()),
            Match::Address(network) => ("address", network.to_string()),
            Match::User(glob) => ("user", glob.to_string()),
            Match::Device(id) => ("device", id.to_string()),
        };
        api::PlacementRule { matches: matches.to_owned(), pattern, node: rule.node.to_string() }
    };
    api::Organisation {
        format: FORMAT,
        stop_at_legal: register.stop_at_legal(),
        nodes: register.organisation().nodes().iter().map(node).collect(),
        rules: register.placement().rules().iter().map(rule).collect(),
        next: None,
    }
}

pub(super) fn purchases(inner: &Inner, duty: &Duty) -> api::Purchases {
    let time = duty.time(inner);
    let ledger = duty.log.books.read();
    let Some((register, unregistered)) = ledger.purchases(time) else {
        return api::Purchases {
            format: FORMAT,
            purchases: Vec::new(),
            unregistered: Vec::new(),
            next: None,
        };
    };
    let by_hand = ledger.register().map(org::Register::purchases);
    let purchase = |(id, terms): (&org::PurchaseId, &org::Purchase)| {
        let registered = by_hand.is_some_and(|known| known.contains_key(id));
        terms.to_json(id, ledger.license(id.name()).is_some(), registered)
    };
    api::Purchases {
        format: FORMAT,
        purchases: register.purchases().iter().map(purchase).collect(),
        unregistered: unregistered
            .into_iter()
            .map(|(license, why)| api::Unregistered { license: license.to_string(), why: why.to_string() })
            .collect(),
        next: None,
    }
}
