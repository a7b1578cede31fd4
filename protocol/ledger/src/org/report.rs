//! The result for people (rule 6).

use std::collections::BTreeMap;
use std::fmt;

use seatkeeper_protocol::id::{ProductId, Version};
use seatkeeper_protocol::license::Date;
use serde::{Deserialize, Serialize};

use super::calculation::{Calculation, Found};
use super::purchase::Validity;
use super::table::Table;
use super::{NodeId, PurchaseId};

/// How what is installed of a product compares with what was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compliance {
    /// The product.
    pub product: ProductId,
    /// The whole organisation.
    pub totals: Totals,
    /// Every node, in the tree's order.
    pub nodes: Vec<NodeLine>,
    /// Every version that is installed, the newest first.
    pub versions: Vec<VersionLine>,
    /// Every purchase of the product, by id.
    pub purchases: Vec<PurchaseLine>,
    /// What covers nothing, where it stands; by purchase, then in the tree's order.
    pub surplus: Vec<Surplus>,
    /// Installs covered by downgrade; by purchase, then in the tree's order, the newest version first.
    pub transfers: Vec<Transfer>,
    /// What is covered by pieces that are not for one node alone, where; by purchase, then in the tree's order.
    pub automatic: Vec<Share>,
}

/// What a purchase covers at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The purchase.
    pub purchase: PurchaseId,
    /// Where.
    pub node: NodeId,
    /// How many installs.
    pub count: u64,
}

/// Figures of the whole organisation. All but the cost are installs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// What purchases that count now cover at most.
    pub owned: u64,
    /// What is installed.
    pub required: u64,
    /// What of it is covered.
    pub covered: u64,
    /// What of it is not.
    pub short: u64,
    /// What is owned and covers nothing.
    pub surplus: u64,
    /// What the surplus cost, in hundredths, as far as costs are known.
    pub surplus_cost: u64,
    /// What is covered by downgrade.
    pub transfers: u64,
    /// By how many versions they are downgraded, added up.
    pub version_steps: u64,
}

/// Installs and how many of them are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Installs.
    pub requirement: u64,
    /// How many of them are covered.
    pub coverage: u64,
}

/// A node's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    /// The node.
    pub node: NodeId,
    /// Its own installs.
    pub own: Line,
    /// Those of the node and of all below it.
    pub rolled_up: Line,
}

/// A version's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionLine {
    /// The version.
    pub version: Version,
    /// Its installs in the whole organisation.
    pub all: Line,
}

/// A purchase's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseLine {
    /// The purchase.
    pub purchase: PurchaseId,
    /// How many installs it covers at most.
    pub quantity: u64,
    /// How many it covers.
    pub used: u64,
    /// How many of them where it is allocated by hand.
    pub manual: u64,
    /// How many of them by downgrade.
    pub transfers: u64,
    /// Why.
    pub verdict: Verdict,
}

/// Why a purchase covers what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is used.
    Used,
    /// Some of it is used.
    PartlyUsed(NotUsed),
    /// None of it is used.
    NotUsed(NotUsed),
    /// It was not looked at.
    NotAssessed(NotAssessed),
}

/// Why a purchase, or part of it, covers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotUsed {
    /// Nothing that it could cover is installed where it may be used.
    NothingInstalled,
    /// All that it could cover is covered.
    AllCovered,
}

/// Why a purchase was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAssessed {
    /// It has not begun: its first day.
    NotYet(Date),
    /// It is over: its last day.
    Over(Date),
}

/// Part of a purchase that covers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surplus {
    /// The purchase.
    pub purchase: PurchaseId,
    /// Where it stands: the node that it is allocated to by hand, or the owner.
    pub node: NodeId,
    /// How many.
    pub quantity: u64,
    /// What they cost, in hundredths; `None`: not known.
    pub cost: Option<u64>,
}

/// Installs covered by downgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The purchase that covers them.
    pub purchase: PurchaseId,
    /// Where they are.
    pub node: NodeId,
    /// What is installed.
    pub version: Version,
    /// By how many versions it is downgraded, 1 or more; versions that are installed or were bought count.
    pub steps: u64,
    /// How many.
    pub count: u64,
}

impl Line {
    /// Coverage − requirement: 0, or how many are missing, negative.
    pub fn compliance(&self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.coverage).saturating_sub(signed(self.requirement))
    }
}

/// One sentence.
impl fmt::Display for PurchaseLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.used > 0 {
            write!(f, "it covers {} of {}", self.used, self.quantity)?;
            if self.manual > 0 {
                write!(f, ", {} as allocated by hand", self.manual)?;
            }
            if self.transfers > 0 {
                write!(f, ", {} by downgrade", self.transfers)?;
            }
            f.write_str("; ")?;
        }
        self.verdict.fmt(f)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used => f.write_str("all of it is used"),
            Self::PartlyUsed(why) => write!(f, "some of it is not used: {why}"),
            Self::NotUsed(why) => write!(f, "it is not used: {why}"),
            Self::NotAssessed(NotAssessed::NotYet(day)) => {
                write!(f, "it is not assessed: it begins on {day}")
            }
            Self::NotAssessed(NotAssessed::Over(day)) => write!(f, "it is not assessed: it ended on {day}"),
        }
    }
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingInstalled => "nothing that it could cover is installed where it may be used",
            Self::AllCovered => "all installs that it could cover are covered",
        })
    }
}

impl Compliance {
    /// The line of a node.
    pub fn node(&self, id: &NodeId) -> Option<&NodeLine> {
        self.nodes.iter().find(|line| line.node == *id)
    }

    pub(super) fn new(of: &Calculation, found: &Found) -> Self {
        let nodes = node_lines(of, &found.settled.covered);
        let transfers = transfers(of, found);
        let (purchases, surplus) = purchase_lines(of, found);
        let whole = nodes.first().map(|root| root.rolled_up).unwrap_or_default();
        let valid = of.purchases.iter().filter(|(.., validity)| *validity == Validity::Valid);
        let totals = Totals {
            owned: valid.map(|(_, terms, _)| u64::from(terms.quantity)).sum(),
            required: whole.requirement,
            covered: whole.coverage,
            short: whole.requirement.saturating_sub(whole.coverage),
            surplus: surplus.iter().map(|part| part.quantity).sum(),
            surplus_cost: surplus.iter().filter_map(|part| part.cost).fold(0, u64::saturating_add),
            transfers: transfers.iter().map(|transfer| transfer.count).sum(),
            version_steps: transfers
                .iter()
                .map(|transfer| transfer.count.saturating_mul(transfer.steps))
                .sum(),
        };
        let versions = version_lines(of, &found.settled.covered);
        let automatic = automatic(of, found);
        Self {
            product: of.product.clone(),
            totals,
            nodes,
            versions,
            purchases,
            surplus,
            transfers,
            automatic,
        }
    }
}

fn node_lines(of: &Calculation, covered: &Table<u32>) -> Vec<NodeLine> {
    let versions = of.versions.len();
    let sum = |table: &Table<u32>, place: usize| {
        table.slice(place * versions, (place + 1) * versions).iter().copied().map(u64::from).sum()
    };
    let mut lines: Vec<NodeLine> = Vec::with_capacity(of.organisation.nodes().len());
    for (place, node) in of.organisation.nodes().iter().enumerate() {
        let own = Line { requirement: sum(&of.counts, place), coverage: sum(covered, place) };
        lines.push(NodeLine { node: node.id.clone(), own, rolled_up: own });
    }
    for place in (1..lines.len()).rev() {
        let below = lines.get(place).map(|line| line.rolled_up).unwrap_or_default();
        if let Some(above) = lines.get_mut(of.organisation.parent(place)) {
            above.rolled_up.requirement += below.requirement;
            above.rolled_up.coverage += below.coverage;
        }
    }
    lines
}

fn version_lines(of: &Calculation, covered: &Table<u32>) -> Vec<VersionLine> {
    let nodes = of.organisation.nodes().len();
    let sum = |table: &Table<u32>, version: usize| {
        (0..nodes).map(|node| u64::from(table.at(node * of.versions.len() + version))).sum()
    };
    let lines = of.versions.iter().enumerate().map(|(number, version)| VersionLine {
        version: version.clone(),
        all: Line { requirement: sum(&of.counts, number), coverage: sum(covered, number) },
    });
    lines.filter(|line| line.all.requirement > 0).collect()
}

fn node_id(of: &Calculation, place: usize) -> NodeId {
    of.organisation.nodes().get(place).unwrap_or_else(|| of.organisation.root()).id.clone()
}

fn transfers(of: &Calculation, found: &Found) -> Vec<Transfer> {
    let mut sums: Vec<(usize, usize, usize, u64, u64)> = Vec::new();
    for covered in found.spread.iter().filter(|covered| covered.steps > 0) {
        let Some(piece) = of.pieces.pieces.get(covered.piece) else { continue };
        sums.push((piece.purchase, covered.node, covered.version, covered.steps, covered.count));
    }
    sums.sort_unstable();
    let mut transfers: Vec<Transfer> = Vec::new();
    let mut last = None;
    for (purchase, node, version, steps, count) in sums {
        if last == Some((purchase, node, version)) {
            transfers.last_mut().into_iter().for_each(|transfer| transfer.count += count);
            continue;
        }
        last = Some((purchase, node, version));
        if let (Some((purchase, ..)), Some(version)) = (of.purchases.get(purchase), of.versions.get(version))
        {
            let (purchase, version) = (purchase.clone(), version.clone());
            transfers.push(Transfer { purchase, node: node_id(of, node), version, steps, count });
        }
    }
    transfers
}

fn automatic(of: &Calculation, found: &Found) -> Vec<Share> {
    let mut sums: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for covered in &found.spread {
        let class = of.pieces.classes.get(of.pieces.class_of.at(covered.piece));
        if let Some(piece) =
            of.pieces.pieces.get(covered.piece).filter(|_| class.is_some_and(|class| !class.manual))
        {
            *sums.entry((piece.purchase, covered.node)).or_default() += covered.count;
        }
    }
    let share = |((purchase, node), count): ((usize, usize), u64)| {
        let (purchase, ..) = of.purchases.get(purchase)?;
        Some(Share { purchase: purchase.clone(), node: node_id(of, node), count })
    };
    sums.into_iter().filter_map(share).collect()
}

fn purchase_lines(of: &Calculation, found: &Found) -> (Vec<PurchaseLine>, Vec<Surplus>) {
    let len = of.purchases.len();
    // By purchase: used, by downgrade, and whether an unused part could cover what is covered.
    let (mut used, mut moved, mut covered) =
        (Table::new(len, 0_u64), Table::new(len, 0_u64), Table::new(len, false));
    let mut manual = Table::new(len, 0_u64);
    let mut unused: Vec<(usize, usize, u64)> = Vec::new();
    for (number, piece) in of.pieces.pieces.iter().enumerate() {
        let here = found.settled.used.get(number).copied().unwrap_or_default();
        used.change(piece.purchase, |sum| *sum += here);
        let class = of.pieces.class_of.at(number);
        if of.pieces.classes.get(class).is_some_and(|class| class.manual) {
            manual.change(piece.purchase, |sum| *sum += here);
        }
        if here < piece.quantity {
            unused.push((piece.purchase, piece.stands, piece.quantity - here));
            let reach = found.reach.get(class).copied().unwrap_or_default();
            covered.change(piece.purchase, |covered| *covered |= reach > 0);
        }
    }
    for part in found.spread.iter().filter(|part| part.steps > 0) {
        let purchase = of.pieces.pieces.get(part.piece).map_or(len, |piece| piece.purchase);
        moved.change(purchase, |sum| *sum += part.count);
    }
    let line = |(number, (id, terms, validity)): (usize, &(PurchaseId, super::Purchase, Validity))| {
        let (quantity, used) = (u64::from(terms.quantity), used.at(number));
        let why = if covered.at(number) { NotUsed::AllCovered } else { NotUsed::NothingInstalled };
        let verdict = match validity {
            Validity::NotYet(day) => Verdict::NotAssessed(NotAssessed::NotYet(*day)),
            Validity::Over(day) => Verdict::NotAssessed(NotAssessed::Over(*day)),
            Validity::Valid if used == quantity => Verdict::Used,
            Validity::Valid if used > 0 => Verdict::PartlyUsed(why),
            Validity::Valid => Verdict::NotUsed(why),
        };
        let (manual, transfers) = (manual.at(number), moved.at(number));
        PurchaseLine { purchase: id.clone(), quantity, used, manual, transfers, verdict }
    };
    let lines = of.purchases.iter().enumerate().map(line).collect();
    unused.sort_unstable();
    unused.dedup_by(|next, before| {
        let same = (next.0, next.1) == (before.0, before.1);
        before.2 += if same { next.2 } else { 0 };
        same
    });
    let surplus = unused.into_iter().filter_map(|(purchase, stands, quantity)| {
        let (id, terms, _) = of.purchases.get(purchase)?;
        let cost = terms.unit_cost.map(|cost| cost.saturating_mul(quantity));
        Some(Surplus { purchase: id.clone(), node: node_id(of, stands), quantity, cost })
    });
    (lines, surplus.collect())
}
