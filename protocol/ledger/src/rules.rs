//! Limits and priorities: who may use how many seats, and who goes first in the queue.
//!
//! A limit is for a user, for a group of users together, for a device, or for a node of the organisation (`node_limits`);
//! 0 seats exclude. It refuses new seats and
//! takes none away. Who waits and has come to his limit meanwhile keeps his place, and others go first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SeatId};
use seatkeeper_protocol::limits;

use crate::command::{Outcome, OverLimit, OverNodeLimit, Refusal, Whom};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::Happening;
use crate::state::{SeatRecord, WaitRecord};

/// Where a start stands in the queue: the highest priority first, then whose node has seats left in its quota, then the
/// longest wait.
pub(crate) type Turn = (Reverse<u8>, bool, u64);

/// Who asks for a seat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) product: &'a ProductId,
    pub(crate) user: &'a Name,
    pub(crate) device: DeviceId,
}

impl WaitRecord {
    pub(crate) fn turn(&self) -> Turn {
        (Reverse(self.priority), self.over_quota, self.place)
    }

    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker { product: &self.want.product, user: &self.want.user, device: self.device }
    }
}

impl Ledger {
    pub(crate) fn set_limit(
        &mut self,
        moment: Moment,
        by: &Name,
        product: &ProductId,
        whom: &Whom,
        seats: Option<u32>,
    ) -> Answer {
        self.check_whom(whom, seats.is_some())?;
        let key = (product.clone(), whom.clone());
        if seats.is_some()
            && !self.state.limits.contains_key(&key)
            && self.state.limits.len() >= limits::LIMITS_MAX
        {
            return Err(limit("limits", limits::LIMITS_MAX));
        }
        match seats {
            Some(seats) => _ = self.state.limits.insert(key, seats),
            None if self.state.limits.remove(&key).is_none() => {
                return Err(Refusal::NotFound(format!("limit of {product} for {whom}")));
            }
            None => {}
        }
        let (product, whom, by) = (product.clone(), whom.clone(), by.clone());
        self.record(moment, Happening::LimitSet { product, whom, seats, by });
        Ok(Outcome::Done)
    }

    /// Says who is in a group; nobody: there is no such group.
    pub(crate) fn set_group(&mut self, moment: Moment, by: &Name, group: &Name, members: &[Name]) -> Answer {
        if members.len() > limits::GROUP_MEMBERS_MAX {
            return Err(limit("users in one group", limits::GROUP_MEMBERS_MAX));
        }
        let members: BTreeSet<Name> = members.iter().cloned().collect();
        let known = self.state.groups.contains_key(group);
        if !members.is_empty() && !known && self.state.groups.len() >= limits::GROUPS_MAX {
            return Err(limit("groups", limits::GROUPS_MAX));
        }
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        if members.is_empty() {
            if !known {
                return Err(Refusal::NotFound(format!("group {group}")));
            }
            let whom = Whom::Group(group.clone());
            let named = self.state.limits.keys().any(|(_, other)| *other == whom);
            if named || self.state.priorities.contains_key(&whom) {
                return Err(Refusal::Conflict(format!(
                    "limits or priorities name the group {group}; remove those first"
                )));
            }
            self.state.groups.remove(group);
        } else {
            self.state.groups.insert(group.clone(), members);
        }
        let (group, by) = (group.clone(), by.clone());
        self.record(moment, Happening::GroupSet { group, members: count, by });
        Ok(Outcome::Done)
    }

    /// Sets who goes first in queues; 0, which everybody has, removes.
    pub(crate) fn set_priority(&mut self, moment: Moment, by: &Name, whom: &Whom, priority: u8) -> Answer {
        self.check_whom(whom, priority > 0)?;
        if priority > limits::PRIORITY_MAX {
            return Err(Refusal::Invalid(format!(
                "a priority is a number from 0 to {}, not {priority}",
                limits::PRIORITY_MAX
            )));
        }
        let known = self.state.priorities.contains_key(whom);
        if priority > 0 && !known && self.state.priorities.len() >= limits::LIMITS_MAX {
            return Err(limit("priorities", limits::LIMITS_MAX));
        }
        if priority > 0 {
            self.state.priorities.insert(whom.clone(), priority);
        } else {
            self.state.priorities.remove(whom);
        }
        let (whom, by) = (whom.clone(), by.clone());
        self.record(moment, Happening::PrioritySet { whom, priority, by });
        Ok(Outcome::Done)
    }

    /// A rule for what is not there would never apply.
    fn check_whom(&self, whom: &Whom, must_be: bool) -> Result<(), Refusal> {
        let there = match whom {
            Whom::User(_) => true,
            Whom::Group(group) => self.state.groups.contains_key(group),
            Whom::Device(device) => self.state.devices.contains_key(device),
        };
        if must_be && !there { Err(Refusal::NotFound(whom.to_string())) } else { Ok(()) }
    }

    fn is_meant(&self, whom: &Whom, user: &Name, device: DeviceId) -> bool {
        match whom {
            Whom::User(name) => name == user,
            Whom::Group(group) => self.state.groups.get(group).is_some_and(|members| members.contains(user)),
            Whom::Device(id) => *id == device,
        }
    }

    /// Who goes how early in queues: the highest of what is meant.
    pub(crate) fn priority_of(&self, user: &Name, device: DeviceId) -> u8 {
        let meant = self.state.priorities.iter().filter(|(whom, _)| self.is_meant(whom, user, device));
        meant.map(|(_, priority)| *priority).max().unwrap_or(0)
    }

    /// Whether a seat counts for somebody: one of its programs, or its borrow, is of him.
    fn counts_for(&self, seat: &SeatRecord, whom: &Whom) -> bool {
        let sessions = seat.sessions.iter().filter_map(|id| self.state.sessions.get(id));
        let borrow = seat.borrow.iter().map(|borrow| (&borrow.user, borrow.device));
        sessions
            .map(|session| (&session.user, session.device))
            .chain(borrow)
            .any(|(user, device)| self.is_meant(whom, user, device))
    }

    /// How many seats of a product count for somebody.
    pub(crate) fn used_by(&self, product: &ProductId, whom: &Whom) -> u32 {
        let seats = self.state.seats.values().filter(|seat| seat.product == *product);
        let used = seats.filter(|seat| self.counts_for(seat, whom)).count();
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// The limit that keeps somebody from one seat more, if there is one. `joins` is a seat that he would share.
    pub(crate) fn over_limit(&self, asker: Asker<'_>, joins: Option<SeatId>) -> Option<Refusal> {
        let joined = joins.and_then(|id| self.state.seats.get(&id));
        let over = self.limit_where(asker, |over| {
            over.used >= over.seats && !joined.is_some_and(|seat| self.counts_for(seat, &over.whom))
        });
        refusal(over, || self.over_node_limit(asker, joins))
    }

    fn limit_where(&self, asker: Asker<'_>, is_over: impl Fn(&OverLimit) -> bool) -> Option<OverLimit> {
        let Asker { product, user, device } = asker;
        let meant = self
            .state
            .limits
            .iter()
            .filter(|((other, whom), _)| other == product && self.is_meant(whom, user, device));
        let limit = |((_, whom), seats): (&(ProductId, Whom), &u32)| OverLimit {
            product: product.clone(),
            whom: whom.clone(),
            seats: *seats,
            used: self.used_by(product, whom),
        };
        meant.map(limit).find(is_over)
    }

    /// Refuses whoever uses more than a limit allows already, by the seat that he wants to keep.
    pub(crate) fn check_kept_limits(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        let over = self.limit_where(asker, |over| over.used > over.seats);
        refusal(over, || self.beyond_node_limit(asker)).map_or(Ok(()), Err)
    }

    pub(crate) fn check_limits(&self, asker: Asker<'_>, joins: Option<SeatId>) -> Result<(), Refusal> {
        self.over_limit(asker, joins).map_or(Ok(()), Err)
    }

    /// The limits: product, whom, seats, and how many of them are used.
    pub fn limits(&self) -> impl Iterator<Item = (&ProductId, &Whom, u32, u32)> {
        let limits = self.state.limits.iter();
        limits.map(|((product, whom), seats)| (product, whom, *seats, self.used_by(product, whom)))
    }

    /// The groups and who is in them.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, &BTreeSet<Name>)> {
        self.state.groups.iter()
    }

    /// Who goes first in queues, 1 to [`limits::PRIORITY_MAX`].
    pub fn priorities(&self) -> impl Iterator<Item = (&Whom, u8)> {
        self.state.priorities.iter().map(|(whom, priority)| (whom, *priority))
    }
}

/// What somebody is refused by: his own limit, or else one of his node.
fn refusal(over: Option<OverLimit>, node: impl FnOnce() -> Option<OverNodeLimit>) -> Option<Refusal> {
    let own = over.map(|over| Refusal::OverLimit(Box::new(over)));
    own.or_else(|| node().map(|over| Refusal::OverNodeLimit(Box::new(over))))
}
