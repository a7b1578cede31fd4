//! The holder compares what is installed with what was bought whenever one of them changes, or a purchase begins or
//! ends, and commits what differs from the calculation before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_ledger::history::{
    CALCULATION_NODES_MAX, CALCULATION_PRODUCTS_MAX, CALCULATION_QUOTAS_MAX, Calculated, ProductChange,
    Quota, REASONS_MAX, Reason,
};
use seatkeeper_ledger::org::{
    Installs, NodeDifference, NodeId, NodeLine, PurchaseId, Register, Share, Totals,
};
use seatkeeper_ledger::{Happening, Ledger};
use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::time::WallTime;

use super::Inner;
use super::compliance::Basis;
use super::duty::Duty;

/// Changes that come within this long are looked at together.
const TOGETHER: Duration = Duration::from_secs(2);
/// Of all time at most one part in so many goes into calculations.
const SHARE: u32 = 20;
/// The clock is looked at at least this often: it may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// After a calculation that was not committed.
const RETRY: Duration = Duration::from_secs(30);

/// What the last calculation saw and came to.
#[derive(Default)]
struct Last {
    changed: u64,
    seq: u64,
    time: WallTime,
    /// When the next purchase begins or ends.
    boundary: Option<WallTime>,
    /// Those of each product's nodes that have any.
    nodes: BTreeMap<ProductId, Vec<NodeLine>>,
}

/// What a calculation is of.
struct Seen {
    now: Last,
    reasons: Vec<Reason>,
    register: Register,
    products: Vec<(ProductId, Installs)>,
    /// The figures that the books have.
    totals: BTreeMap<ProductId, Totals>,
    quotas: BTreeMap<ProductId, BTreeMap<NodeId, u32>>,
    /// The purchases that are licenses: only they have seats.
    licenses: BTreeSet<PurchaseId>,
}

/// Calculates as long as the duty lasts.
pub(super) async fn keep(inner: Arc<Inner>, duty: Arc<Duty>) {
    let mut applied = duty.log.books.applied();
    let mut last: Option<Last> = None;
    let mut pause = Duration::ZERO;
    loop {
        applied.mark_unchanged();
        let now = duty.time(&inner);
        let seen = {
            let ledger = duty.log.books.read();
            let stale = last.as_ref().is_none_or(|last| {
                let over = last.boundary.is_some_and(|boundary| now >= boundary);
                over || last.changed != ledger.compliance_changed()
            });
            if stale { Seen::of(&ledger, last.as_ref(), now) } else { None }
        };
        let mut again = false;
        if let Some(seen) = seen {
            let began = inner.clock.mono();
            let (came_to, result) = seen.calculate(last.as_ref()).await;
            pause = Duration::from_millis(inner.clock.mono().ms_since(began)) * SHARE;
            again = !commit(&inner, &duty, result).await;
            if !again {
                last = Some(came_to);
            }
        }
        let boundary = last.as_ref().and_then(|last| last.boundary);
        let ms = boundary.map_or(i64::MAX, |boundary| boundary.0.saturating_sub(now.0));
        let next = if again { RETRY } else { Duration::from_millis(u64::try_from(ms).unwrap_or_default()) };
        tokio::select! {
            biased;
            () = duty.stop.cancelled() => return,
            changed = applied.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(next.min(LOOK_EVERY)) => {}
        }
        // Checkouts change nothing of it.
        let known = last.as_ref().map(|last| last.changed);
        if known == Some(duty.log.books.read().compliance_changed()) {
            continue;
        }
        tokio::select! {
            biased;
            () = duty.stop.cancelled() => return,
            () = tokio::time::sleep(TOGETHER.max(pause)) => {}
        }
    }
}

/// Purchases that begin to count, or cease to, after one time and up to another.
fn begun_or_over(register: &Register, after: WallTime, until: WallTime) -> impl Iterator<Item = Reason> {
    let within = move |time: WallTime| time > after && time <= until;
    let reasons = move |(id, from, over): (PurchaseId, Option<WallTime>, Option<WallTime>)| {
        let began = from.filter(|from| within(*from)).map(|_| Reason::Began(id.clone()));
        let ended = over.filter(|over| within(*over)).map(|_| Reason::Ended(id));
        began.into_iter().chain(ended)
    };
    boundaries(register).into_iter().flat_map(reasons)
}

/// When each purchase that is not for ever begins and ends.
fn boundaries(register: &Register) -> Vec<(PurchaseId, Option<WallTime>, Option<WallTime>)> {
    let purchases = register.purchases().iter();
    let dated = purchases.filter(|(_, terms)| terms.valid_from.is_some() || terms.valid_until.is_some());
    dated
        .map(|(id, terms)| {
            (id.clone(), terms.valid_from.map(|day| day.starts()), terms.valid_until.map(|day| day.ends()))
        })
        .collect()
}

/// When the next purchase begins or ends.
fn next_boundary(register: &Register, now: WallTime) -> Option<WallTime> {
    let times = boundaries(register).into_iter().flat_map(|(_, from, over)| [from, over]).flatten();
    times.filter(|time| *time > now).min()
}

impl Seen {
    /// `None`: there is no organisation.
    fn of(ledger: &Ledger, last: Option<&Last>, now: WallTime) -> Option<Self> {
        let basis = Basis::of(ledger, now)?;
        let mut products = basis.products(ledger);
        // Those that are gone are told once.
        products.extend(ledger.calculated_totals().keys().chain(ledger.quotas().keys()).cloned());
        let register = basis.register;
        let products = products.into_iter().map(|product| {
            let installs = ledger.installs(&product, &register);
            (product, installs)
        });
        let boundary = next_boundary(&register, now);
        let seq = ledger.next_seq();
        Some(Self {
            reasons: reasons(ledger, &register, last, now),
            products: products.collect(),
            totals: ledger.calculated_totals().clone(),
            quotas: ledger.quotas().clone(),
            licenses: ledger.licenses().map(|(id, _)| PurchaseId::from(id.clone())).collect(),
            register,
            now: Last {
                changed: ledger.compliance_changed(),
                seq,
                time: now,
                boundary,
                nodes: BTreeMap::new(),
            },
        })
    }

    async fn calculate(mut self, last: Option<&Last>) -> (Last, Calculated) {
        let (mut changes, mut quotas) = (Vec::new(), Vec::new());
        for (product, installs) in &self.products {
            let found = self.register.compliance(product, installs, self.now.time);
            quotas.extend(self.new_quotas(product, &found.automatic));
            let nodes: Vec<NodeLine> =
                found.nodes.into_iter().filter(|line| line.own.requirement > 0).collect();
            let before = self.totals.get(product).copied();
            let bought = self.register.purchases().values().any(|terms| terms.product == *product);
            let after = (bought || !nodes.is_empty()).then_some(found.totals);
            let mut differ = last
                .map(|last| difference(last.nodes.get(product).map_or(&[], Vec::as_slice), &nodes))
                .unwrap_or_default();
            if before != after || !differ.is_empty() {
                let other_nodes = differ.len().saturating_sub(CALCULATION_NODES_MAX);
                differ.truncate(CALCULATION_NODES_MAX);
                changes.push(ProductChange {
                    product: product.clone(),
                    before,
                    after,
                    nodes: differ,
                    other_nodes: u32::try_from(other_nodes).unwrap_or(u32::MAX),
                });
            }
            self.now.nodes.insert(product.clone(), nodes);
            // Others have their turn between two products.
            tokio::task::yield_now().await;
        }
        (self.now, Calculated { reasons: self.reasons, products: changes, quotas })
    }
}

impl Seen {
    /// The quotas of a product that differ from those in the books.
    fn new_quotas(&self, product: &ProductId, automatic: &[Share]) -> Vec<Quota> {
        let mut wanted: BTreeMap<&NodeId, u32> = BTreeMap::new();
        for share in automatic.iter().filter(|share| self.licenses.contains(&share.purchase)) {
            let seats = wanted.entry(&share.node).or_default();
            *seats = seats.saturating_add(u32::try_from(share.count).unwrap_or(u32::MAX));
        }
        let none = BTreeMap::new();
        let known = self.quotas.get(product).unwrap_or(&none);
        let nodes: BTreeSet<&NodeId> = known.keys().chain(wanted.keys().copied()).collect();
        let seats = |node: &NodeId| wanted.get(node).copied().unwrap_or_default();
        nodes
            .into_iter()
            .filter(|node| known.get(*node).copied().unwrap_or_default() != seats(node))
            .map(|node| Quota { product: product.clone(), node: node.clone(), seats: seats(node) })
            .collect()
    }
}

/// Why it is calculated, since the last one, or since the last one that the books tell of.
fn reasons(ledger: &Ledger, register: &Register, last: Option<&Last>, now: WallTime) -> Vec<Reason> {
    let told = |what: &Happening| matches!(what, Happening::Recalculated { .. });
    let known = || ledger.records().rev().find(|record| told(&record.what)).map_or(0, |record| record.seq);
    let since = last.map_or_else(known, |last| last.seq.saturating_sub(1));
    let mut records =
        ledger.records_after(since).filter(|record| record.what.is_of_compliance()).map(|record| record.seq);
    let first = records.next();
    let mut reasons: Vec<Reason> = first
        .map(|first| Reason::Registered(first, records.next_back().unwrap_or(first)))
        .into_iter()
        .collect();
    if let Some(last) = last {
        reasons.extend(begun_or_over(register, last.time, now));
    }
    if reasons.is_empty() {
        reasons.push(Reason::Installs);
    }
    reasons.truncate(REASONS_MAX);
    reasons
}

/// Nodes whose own figures differ; those that have none have no line.
fn difference(before: &[NodeLine], after: &[NodeLine]) -> Vec<NodeDifference> {
    let own = |lines: &[NodeLine]| -> BTreeMap<NodeId, seatkeeper_ledger::org::Line> {
        lines.iter().map(|line| (line.node.clone(), line.own)).collect()
    };
    let (before, after) = (own(before), own(after));
    let nodes = before.keys().chain(after.keys().filter(|node| !before.contains_key(*node)));
    nodes
        .map(|node| NodeDifference {
            node: node.clone(),
            before: before.get(node).copied(),
            after: after.get(node).copied(),
        })
        .filter(|node| node.before != node.after)
        .collect()
}

/// Whether the books have it now. What is too much for one command takes several.
async fn commit(inner: &Arc<Inner>, duty: &Arc<Duty>, result: Calculated) -> bool {
    let mut products = result.products.chunks(CALCULATION_PRODUCTS_MAX);
    let mut quotas = result.quotas.chunks(CALCULATION_QUOTAS_MAX);
    loop {
        let (products, quotas) = (products.next(), quotas.next());
        if products.is_none() && quotas.is_none() {
            return true;
        }
        let part = Calculated {
            reasons: result.reasons.clone(),
            products: products.unwrap_or_default().to_vec(),
            quotas: quotas.unwrap_or_default().to_vec(),
        };
        match duty.propose_own(inner, Command::Calculated(part)).await {
            Some(Outcome::Done) => {}
            other => {
                tracing::debug!(?other, "a calculation was not kept");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use seatkeeper_ledger::org::{Node, Organisation, Purchase};
    use seatkeeper_protocol::id::{Name, Version};
    use seatkeeper_protocol::license::Date;

    use super::*;

    #[test]
    fn purchases_that_begin_or_end_are_told_once_and_waited_for() {
        let id = |text: &str| PurchaseId::new(text).unwrap();
        let day = |text: &str| Date::read(text).unwrap();
        let root = Node {
            id: NodeId::new("R").unwrap(),
            parent: None,
            name: Name::new("R").unwrap(),
            legal: true,
            priority: 0,
        };
        let mut register = Register::new(Organisation::new(vec![root]).unwrap());
        let bought = |from: Option<&str>, until: Option<&str>| Purchase {
            valid_from: from.map(day),
            valid_until: until.map(day),
            ..Purchase::new(ProductId::new("cad").unwrap(), Version::new("2026").unwrap(), 1)
        };
        register.add_purchase(id("for ever"), bought(None, None)).unwrap();
        register.add_purchase(id("new"), bought(Some("2026-03-02"), None)).unwrap();
        register.add_purchase(id("old"), bought(None, Some("2026-03-01"))).unwrap();
        let (begins, ends) = (day("2026-03-02").starts(), day("2026-03-01").ends());
        let told = |after: WallTime, until: WallTime| -> Vec<Reason> {
            begun_or_over(&register, after, until).collect()
        };
        let (began, ended) = (Reason::Began(id("new")), Reason::Ended(id("old")));
        assert_eq!(told(begins.plus_ms(-1), begins), std::slice::from_ref(&began));
        assert_eq!(told(begins, ends.plus_ms(-1)), []);
        assert_eq!(told(ends.plus_ms(-1), ends), std::slice::from_ref(&ended));
        assert_eq!(told(begins.plus_ms(-1), ends), [began, ended]);
        assert_eq!(told(ends, ends.plus_ms(i64::from(u32::MAX))), []);
        // The next one is waited for, and nothing once all is over.
        let next = |now| next_boundary(&register, now);
        assert_eq!(next(begins.plus_ms(-1)), Some(begins));
        assert_eq!(next(begins), Some(ends));
        assert_eq!(next(ends), None);
    }
}
