//! How what is installed compares with what was bought, for people and programs.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_ledger::command::Refusal;
use seatkeeper_ledger::history::{self, Reason};
use seatkeeper_ledger::org::{self, Change, Difference, Installs, NodeId, PurchaseId, Register, Verdict};
use seatkeeper_ledger::{Ledger, Used};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::id::{Name, ProductId};
use seatkeeper_protocol::time::WallTime;

use super::Inner;
use super::duty::Duty;

/// Changes of one what-if.
const CHANGES_MAX: usize = 1_000;
/// Records of the audit that are told as reasons of one calculation.
const RECORDS_MAX: usize = 10;

/// What a calculation needs, as it is at one time.
pub(super) struct Basis {
    pub(super) register: Register,
    pub(super) unregistered: Vec<(PurchaseId, org::RegisterError)>,
}

impl Basis {
    /// `None`: there is no organisation.
    pub(super) fn of(ledger: &Ledger, now: WallTime) -> Option<Self> {
        let (register, unregistered) = ledger.purchases(now)?;
        Some(Self { register, unregistered })
    }

    /// Every product that is installed or was bought.
    pub(super) fn products(&self, ledger: &Ledger) -> BTreeSet<ProductId> {
        let bought = self.register.purchases().values().map(|terms| terms.product.clone());
        bought.chain(ledger.installed_products().map(|(product, _)| product.clone())).collect()
    }
}

/// The books are looked at under their lock, and calculated without.
pub(super) fn compliance(inner: &Inner, duty: &Duty) -> api::Compliance {
    let now = duty.time(inner);
    let ledger = duty.log.books.read();
    let Some(basis) = Basis::of(&ledger, now) else {
        return api::Compliance { format: FORMAT, products: Vec::new(), unregistered: Vec::new() };
    };
    let products = basis.products(&ledger).into_iter();
    let installed: Vec<(ProductId, Installs)> =
        products.map(|product| (product.clone(), ledger.installs(&product, &basis.register))).collect();
    let peak = |(product, hours, days): (ProductId, Vec<Used>, Vec<Used>)| {
        let peak = hours.iter().chain(&days).map(|used| used.peak).max()?;
        Some((product, peak))
    };
    let peaks: BTreeMap<ProductId, u32> = ledger.usage(now).into_iter().filter_map(peak).collect();
    drop(ledger);
    let line = |(product, installs): (ProductId, Installs)| api::ProductTotals {
        seat_peak: peaks.get(&product).copied(),
        totals: totals(&basis.register.compliance(&product, &installs, now).totals),
        product: product.to_string(),
    };
    api::Compliance {
        format: FORMAT,
        products: installed.into_iter().map(line).collect(),
        unregistered: basis
            .unregistered
            .iter()
            .map(|(license, why)| api::Unregistered { license: license.to_string(), why: why.to_string() })
            .collect(),
    }
}

pub(super) fn of_product(inner: &Inner, duty: &Duty, product: &ProductId) -> api::ProductCompliance {
    let now = duty.time(inner);
    let ledger = duty.log.books.read();
    let Some(Basis { register, .. }) = Basis::of(&ledger, now) else {
        return api::ProductCompliance {
            format: FORMAT,
            product: product.to_string(),
            totals: api::ComplianceTotals::default(),
            nodes: Vec::new(),
            versions: Vec::new(),
            purchases: Vec::new(),
            surplus: Vec::new(),
            transfers: Vec::new(),
        };
    };
    let installs = ledger.installs(product, &register);
    drop(ledger);
    let found = register.compliance(product, &installs, now);
    let nodes = found.nodes.iter().filter(|node| node.rolled_up.requirement > 0);
    api::ProductCompliance {
        format: FORMAT,
        product: product.to_string(),
        totals: totals(&found.totals),
        nodes: nodes.filter_map(|node| node_line(&register, node)).collect(),
        versions: found
            .versions
            .iter()
            .map(|of| api::VersionCompliance { version: of.version.to_string(), all: line(&of.all) })
            .collect(),
        purchases: found.purchases.iter().map(purchase_line).collect(),
        surplus: found
            .surplus
            .iter()
            .map(|part| api::SurplusLine {
                purchase: part.purchase.to_string(),
                node: part.node.to_string(),
                quantity: part.quantity,
                cost: part.cost,
            })
            .collect(),
        transfers: found
            .transfers
            .iter()
            .map(|transfer| api::TransferLine {
                purchase: transfer.purchase.to_string(),
                node: transfer.node.to_string(),
                version: transfer.version.to_string(),
                count: transfer.count,
            })
            .collect(),
    }
}

fn node_line(register: &Register, of: &org::NodeLine) -> Option<api::NodeCompliance> {
    let node = register.organisation().node(&of.node)?;
    Some(api::NodeCompliance {
        node: node.id.to_string(),
        name: node.name.to_string(),
        parent: node.parent.as_ref().map(ToString::to_string),
        own: line(&of.own),
        rolled_up: line(&of.rolled_up),
    })
}

fn purchase_line(of: &org::PurchaseLine) -> api::PurchaseCompliance {
    let verdict = match of.verdict {
        Verdict::Used => "used",
        Verdict::PartlyUsed(_) => "partly-used",
        Verdict::NotUsed(_) => "not-used",
        Verdict::NotAssessed(_) => "not-assessed",
    };
    api::PurchaseCompliance {
        purchase: of.purchase.to_string(),
        quantity: of.quantity,
        used: of.used,
        manual: of.manual,
        transfers: of.transfers,
        verdict: verdict.to_owned(),
        why: of.verdict.to_string(),
    }
}

fn totals(of: &org::Totals) -> api::ComplianceTotals {
    api::ComplianceTotals {
        owned: of.owned,
        required: of.required,
        covered: of.covered,
        short: of.short,
        surplus: of.surplus,
        surplus_cost: of.surplus_cost,
        transfers: of.transfers,
    }
}

fn line(of: &org::Line) -> api::ComplianceLine {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    api::ComplianceLine {
        requirement: of.requirement,
        coverage: of.coverage,
        compliance: signed(of.coverage).saturating_sub(signed(of.requirement)),
    }
}

fn node_difference(of: &org::NodeDifference) -> api::NodeLineDifference {
    api::NodeLineDifference {
        node: of.node.to_string(),
        before: of.before.as_ref().map(line),
        after: of.after.as_ref().map(line),
    }
}

/// What would be different.
pub(super) fn what_if(
    inner: &Inner,
    duty: &Duty,
    changes: &[u8],
) -> Result<api::ComplianceDifferences, Refusal> {
    let changes: api::ComplianceChanges = serde_json::from_slice(changes)
        .map_err(|error| Refusal::Invalid(format!("the changes are not what is expected: {error}")))?;
    if changes.changes.len() > CHANGES_MAX {
        return Err(Refusal::Invalid(format!(
            "at most {CHANGES_MAX} changes are looked at once; send fewer"
        )));
    }
    let now = duty.time(inner);
    let ledger = duty.log.books.read();
    let Some(basis) = Basis::of(&ledger, now) else {
        return Err(Refusal::Invalid(
            "there is no organisation yet; import one first (`seatkeeper org import`)".to_owned(),
        ));
    };
    let changes: Vec<Change> = changes
        .changes
        .iter()
        .map(|change| read_change(&ledger, &basis.register, change))
        .collect::<Result<_, _>>()?;
    let mut all = basis.products(&ledger);
    all.extend(changes.iter().filter_map(|change| match change {
        Change::AddPurchase(_, terms) | Change::SetPurchase(_, terms) => Some(terms.product.clone()),
        _ => None,
    }));
    let mut installs = Installs::new();
    for product in &all {
        ledger.add_installs(&mut installs, product, &basis.register);
    }
    drop(ledger);
    let found = basis.register.what_if(&changes, &installs, now).map_err(Refusal::from)?;
    let difference = |of: Difference| api::ProductDifference {
        product: of.product.to_string(),
        before: Some(totals(&of.before)),
        after: Some(totals(&of.after)),
        nodes: of.nodes.iter().map(node_difference).collect(),
        other_nodes: 0,
        purchases: of
            .purchases
            .iter()
            .map(|of| api::PurchaseUseDifference {
                purchase: of.purchase.to_string(),
                before: of.before.as_ref().map(|line| line.used),
                after: of.after.as_ref().map(|line| line.used),
            })
            .collect(),
    };
    Ok(api::ComplianceDifferences { format: FORMAT, products: found.into_iter().map(difference).collect() })
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}

fn read_change(
    ledger: &Ledger,
    register: &Register,
    change: &api::ComplianceChange,
) -> Result<Change, Refusal> {
    Ok(match change {
        api::ComplianceChange::SetPurchase(of) => {
            let (id, terms) =
                (PurchaseId::new(of.id.as_str()).map_err(bad)?, org::Purchase::from_json(of).map_err(bad)?);
            if let Some(license) = ledger.license(id.name()) {
                terms.check_within(license.license()).map_err(bad)?;
            }
            match register.purchases().contains_key(&id) {
                true => Change::SetPurchase(id, terms),
                false => Change::AddPurchase(id, terms),
            }
        }
        api::ComplianceChange::RemovePurchase(id) => {
            Change::RemovePurchase(PurchaseId::new(id.as_str()).map_err(bad)?)
        }
        api::ComplianceChange::SetNode(of) => Change::SetNode(org::Node {
            id: NodeId::new(of.id.as_str()).map_err(bad)?,
            parent: of.parent.as_deref().map(NodeId::new).transpose().map_err(bad)?,
            name: Name::new(of.name.as_str()).map_err(bad)?,
            legal: of.legal,
            priority: of.priority,
        }),
        api::ComplianceChange::RemoveNode(id) => Change::RemoveNode(NodeId::new(id.as_str()).map_err(bad)?),
        api::ComplianceChange::StopAtLegal(stop) => Change::StopAtLegal(*stop),
    })
}

/// The calculations that are kept.
pub(super) fn calculations(duty: &Duty) -> api::Calculations {
    let ledger = duty.log.books.read();
    let calculation = |of: &history::Calculation| api::Calculation {
        number: of.number,
        time: of.time.rfc3339(),
        reasons: of.result.reasons.iter().flat_map(|why| reason(&ledger, why)).collect(),
        products: of
            .result
            .products
            .iter()
            .map(|of| api::ProductDifference {
                product: of.product.to_string(),
                before: of.before.as_ref().map(totals),
                after: of.after.as_ref().map(totals),
                nodes: of.nodes.iter().map(node_difference).collect(),
                other_nodes: of.other_nodes,
                purchases: Vec::new(),
            })
            .collect(),
    };
    api::Calculations { format: FORMAT, calculations: ledger.calculations().map(calculation).collect() }
}

/// A sentence each. What admins did is told in the audit's words as long as the books have it.
fn reason(ledger: &Ledger, why: &Reason) -> Vec<String> {
    match why {
        Reason::Installs => vec!["what is installed changed".to_owned()],
        Reason::Began(purchase) => vec![format!("the purchase {purchase} began")],
        Reason::Ended(purchase) => vec![format!("the purchase {purchase} ended")],
        Reason::Registered(first, last) => {
            let mut records = ledger
                .records_after(first.saturating_sub(1))
                .take_while(|record| record.seq <= *last)
                .filter(|record| record.what.is_of_compliance())
                .map(|record| record.what.text());
            let mut told: Vec<String> = records.by_ref().take(RECORDS_MAX).collect();
            match records.count() {
                _ if told.is_empty() => told.push(format!("records {first} to {last} of the audit")),
                0 => {}
                more => told.push(format!("{more} more changes, up to record {last} of the audit")),
            }
            told
        }
    }
}
