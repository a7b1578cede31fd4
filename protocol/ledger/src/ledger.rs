//! [`Ledger`]: who may ask, what was asked before, and the running hash.

use std::collections::BTreeSet;

use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{DeviceId, Name, RequestId};
use seatkeeper_protocol::time::WallTime;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::codec;
use crate::command::{Actor, AdminRole, Command, Denial, Entry, Grant, Outcome, Refusal, admin_message};
use crate::memory::{ActorKey, FORGET_EVERY, Memory, OUTCOME_ENTRIES, RequestDigest};
use crate::records::Happening;
use crate::state::{Index, Site, State};

/// How many actors that left keep their memory: devices are forgotten oldest first, admins never.
pub(crate) const RETIRED_MAX: usize = 10_000;

/// The site's books.
///
/// [`Ledger::apply`] is called for each committed entry, in index order. Everything else only reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    pub(crate) state: State,
    pub(crate) by: Index,
}

/// Where and when a command stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) index: u64,
    pub(crate) time: WallTime,
}

/// What an entry came to, and its bytes.
struct Decided {
    outcome: Outcome,
    encoded: Vec<u8>,
}

impl From<Outcome> for Decided {
    fn from(outcome: Outcome) -> Self {
        // An outcome is encodable by construction; a replica on which it were not differs by its hash from the others.
        let encoded = codec::encode_outcome(&outcome).unwrap_or_default();
        Self { outcome, encoded }
    }
}

/// How a command's handler answers.
pub(crate) type Answer = Result<Outcome, Refusal>;

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Empty books: no site yet.
    pub fn new() -> Self {
        Self { state: State { next_seat: 1, ..State::default() }, by: Index::default() }
    }

    /// Applies one committed entry. Never fails, whatever the bytes (invariant I11).
    pub fn apply(&mut self, index: u64, term: u64, bytes: &[u8]) -> Outcome {
        let Decided { outcome, encoded } = match codec::decode(bytes) {
            Ok(entry) => self.decide(index, term, &entry, bytes),
            Err(_) => Outcome::Refused(Refusal::UnknownFormat).into(),
        };
        if let Outcome::Refused(Refusal::Bug(what)) = &outcome {
            self.state.bug.get_or_insert_with(|| what.clone());
        }
        self.state.index = index;
        if index.is_multiple_of(FORGET_EVERY) {
            let before = index.saturating_sub(OUTCOME_ENTRIES);
            self.state.memories.values_mut().for_each(|memory| memory.forget_before(before));
        }
        let mut chain = Sha256::new();
        chain.update(self.state.hash);
        chain.update(index.to_be_bytes());
        chain.update(term.to_be_bytes());
        chain.update(bytes);
        chain.update(encoded);
        self.state.hash = chain.finalize().into();
        outcome
    }

    fn decide(&mut self, index: u64, term: u64, entry: &Entry, bytes: &[u8]) -> Decided {
        let moment = Moment { index, time: entry.time };
        let actor = match &entry.actor {
            Actor::Holder(device) => {
                return self.by_holder(moment, term, *device, entry).unwrap_or_else(Outcome::Refused).into();
            }
            Actor::Device(device) => ActorKey::Device(*device),
            Actor::Admin { name, .. } => ActorKey::Admin(name.clone()),
        };
        let Some(digest) = digest(bytes) else {
            return Outcome::Refused(Refusal::Bug("a decoded entry cannot be decoded".into())).into();
        };
        // The very same request was proven to be its actor's when it came first.
        if let Some(outcome) = self.remembered(&actor, entry, &digest)
            && !planted(Fault::DoubleApply)
        {
            return outcome.into();
        }
        // What is not proven to be its actor's must not touch the actor's memory.
        if let Err(refusal) = self.authenticate(entry) {
            return Outcome::Refused(refusal).into();
        }
        if let Some(memory) = self.state.memories.get(&actor).filter(|memory| !memory.is_new(entry.request))
            && !planted(Fault::DoubleApply)
        {
            return Outcome::Refused(Refusal::Stale { epoch: memory.epoch() }).into();
        }
        let answer = match &entry.actor {
            Actor::Device(device) => self.by_device(moment, *device, &entry.command),
            Actor::Admin { name, .. } => self.by_admin(moment, name, &entry.command),
            Actor::Holder(_) => Err(Refusal::Bug("a holder's command is remembered".into())),
        };
        let decided = Decided::from(answer.unwrap_or_else(Outcome::Refused));
        self.remember(moment, actor, entry.request, digest, &decided);
        decided
    }

    /// Whether the entry is its actor's: an enrolled device's, or signed by an admin.
    fn authenticate(&self, entry: &Entry) -> Result<(), Refusal> {
        let site = self.site_or_refuse()?;
        match &entry.actor {
            Actor::Holder(device) | Actor::Device(device) => {
                if self.state.revoked.contains_key(device) {
                    return Err(not_permitted("this device was revoked; ask an admin"));
                }
                if !self.state.devices.contains_key(device) {
                    return Err(not_permitted(
                        "this device is not enrolled in the site; ask an admin for an invitation",
                    ));
                }
                Ok(())
            }
            Actor::Admin { name, signature } => {
                let Some(admin) = self.state.admins.get(name) else {
                    return Err(Refusal::NotPermitted(format!("{name} is not an admin of this site")));
                };
                let message = admin_message(&site.id, &site.generation, name, &entry.request, &entry.command)
                    .map_err(|_| Refusal::Bug("a decoded command cannot be encoded".into()))?;
                if !admin.key.verifies(&message, signature) {
                    return Err(Refusal::NotPermitted(format!(
                        "the command is not signed by the key that this site knows as {name}'s"
                    )));
                }
                Ok(())
            }
        }
    }

    fn by_holder(&mut self, moment: Moment, term: u64, device: DeviceId, entry: &Entry) -> Answer {
        if entry.term != term && !planted(Fault::StaleHolderCommand) {
            return Err(Refusal::OtherTerm { decided: entry.term, applied: term });
        }
        if let Command::Found(found) = &entry.command {
            return self.found(moment, device, found);
        }
        // By the root key's word, also of a device that the books do not know.
        if let Command::Recover(recover) = &entry.command {
            return self.recover(moment, device, recover);
        }
        self.authenticate(entry)?;
        match &entry.command {
            Command::Expire { session, attach } => self.expire(moment, *session, *attach),
            Command::PassOver { session, attach } => self.pass_over(moment, *session, *attach),
            Command::AdmitInvited { invite, key, info } => self.admit_invited(moment, invite, key, info),
            Command::SealPoolKey { device, number, sealed } => self.seal_pool_key(device, *number, sealed),
            Command::EndLicense { license } => self.end_license(moment, license),
            Command::EndBorrow { seat, serial } => self.end_borrow(moment, *seat, *serial),
            Command::Calculated(result) => self.calculated(moment, device, result),
            _ => Err(not_permitted("the holder may not do this by itself")),
        }
    }

    fn by_device(&mut self, moment: Moment, device: DeviceId, command: &Command) -> Answer {
        match command {
            Command::Checkout(checkout) => self.checkout(moment, device, checkout),
            Command::Wait(checkout) => self.wait(moment, device, checkout),
            Command::Return { session, attach } => self.give_back(moment, device, *session, *attach),
            Command::Describe(info) => self.describe(device, info),
            Command::Leave => self.leave(moment, device),
            Command::Borrow(want) => self.borrow(moment, device, want),
            Command::ReturnBorrow { seat, serial } => self.return_borrow(moment, device, *seat, *serial),
            Command::GoOnline { seat, start } => self.go_online(moment, device, *seat, start),
            Command::Report(change) => self.report(moment, device, change),
            _ => Err(not_permitted("a device may not do this; it needs an admin")),
        }
    }

    fn by_admin(&mut self, moment: Moment, by: &Name, command: &Command) -> Answer {
        if self.state.admins.get(by).map(|admin| admin.role) != Some(AdminRole::Admin) {
            return Err(Refusal::NotPermitted(format!(
                "{by} may look but not change anything; ask an admin"
            )));
        }
        match command {
            Command::CreateInvite { invite, key, ends, uses } => {
                self.create_invite(moment, by, *invite, key, *ends, *uses)
            }
            Command::RevokeInvite { invite } => self.revoke_invite(moment, by, invite),
            Command::Admit { key, info } => self.admit(moment, by, key, info),
            Command::RevokeDevice { device } => self.revoke_device(moment, by, device),
            Command::SetDevice { device, settings } => self.set_device(moment, by, device, settings),
            Command::AddAdmin { name, key, role } => self.add_admin(moment, by, name, key, *role),
            Command::RemoveAdmin { name } => self.remove_admin(moment, by, name),
            Command::TrustVendor { name, key, prefixes } => {
                self.trust_vendor(moment, by, name, key, prefixes)
            }
            Command::AddLicense { text } => self.add_license(moment, by, text),
            Command::RemoveLicense { license } => self.remove_license(moment, by, license),
            Command::ReleaseSeat { seat } => self.release_seat(moment, by, *seat),
            Command::RotatePoolKey { certificate, sealed } => {
                self.rotate_pool_key(moment, by, certificate, sealed)
            }
            Command::LoseDevice { device, lost } => self.lose_device(moment, by, device, *lost),
            Command::SetLimit { product, whom, seats } => self.set_limit(moment, by, product, whom, *seats),
            Command::SetGroup { group, members } => self.set_group(moment, by, group, members),
            Command::SetPriority { whom, priority } => self.set_priority(moment, by, whom, *priority),
            Command::SetNodes { set, remove } => self.set_nodes(moment, by, set, remove),
            Command::SetPlacement { from, rules } => self.set_placement(moment, by, *from, rules),
            Command::SetPurchases { purchases } => self.set_purchases(moment, by, purchases),
            Command::RemovePurchase { purchase } => self.remove_purchase(moment, by, purchase),
            Command::Allocate { purchase, manual } => self.allocate(moment, by, purchase, manual),
            Command::SetStopAtLegal { stop } => self.set_stop_at_legal(moment, by, *stop),
            Command::SetCatalog { from, rules } => self.set_catalog(moment, by, *from, rules),
            Command::ImportMachines { source, machines } => {
                self.import_machines(moment, by, *source, machines)
            }
            Command::RemoveMachines { source, machines } => {
                self.remove_machines(moment, by, *source, machines.as_deref())
            }
            Command::TakeExport { site, export } => self.take_export(moment, by, *site, export),
            Command::SetNodeLimits { product, node, limits } => {
                self.set_node_limits(moment, by, product, node, limits)
            }
            Command::Found(_)
            | Command::Borrow(_)
            | Command::ReturnBorrow { .. }
            | Command::GoOnline { .. }
            | Command::EndBorrow { .. }
            | Command::Checkout(_)
            | Command::Wait(_)
            | Command::Return { .. }
            | Command::Describe(_)
            | Command::Report(_)
            | Command::Leave
            | Command::Expire { .. }
            | Command::PassOver { .. }
            | Command::AdmitInvited { .. }
            | Command::SealPoolKey { .. }
            | Command::EndLicense { .. }
            | Command::Recover(_)
            | Command::Calculated(_) => Err(not_permitted("an admin may not do this")),
        }
    }

    /// The outcome of a request that was answered before.
    fn remembered(&self, actor: &ActorKey, entry: &Entry, digest: &RequestDigest) -> Option<Outcome> {
        let bytes = self.state.memories.get(actor)?.outcome(entry.request, digest)?;
        let Ok(outcome) = codec::decode_outcome(bytes) else {
            return Some(Outcome::Refused(Refusal::Bug("a remembered outcome cannot be read".into())));
        };
        Some(match outcome {
            // A seat that was given back or expired meanwhile must not come to life again by a late repetition (I1).
            Outcome::Granted(grant) if !self.in_force(&grant) => {
                Outcome::Refused(match self.state.sessions.get(&grant.session) {
                    Some(session) if session.attach != grant.attach => Refusal::Superseded,
                    _ => Refusal::SessionEnded,
                })
            }
            Outcome::Waiting(waiting) => self.waiting_again(entry.time, &waiting),
            // The same of a borrow that was given back, or has a newer ticket.
            Outcome::Borrowed(borrowed) if !self.still_borrowed(&borrowed) => {
                Outcome::Refused(Refusal::SessionEnded)
            }
            Outcome::Refused(Refusal::NoSeat(mut denial)) => {
                denial.holders = match &entry.command {
                    Command::Checkout(want) => self.holders(entry.time, want),
                    Command::Borrow(want) => self.holders(entry.time, &want.as_checkout()),
                    _ => Vec::new(),
                };
                Outcome::Refused(Refusal::NoSeat(denial))
            }
            other => other,
        })
    }

    /// Whether a grant is still what its session has. A device that left and came back counts its attaches anew, so
    /// that the same session under the same attach may have another seat by now.
    fn in_force(&self, grant: &Grant) -> bool {
        self.live(&grant.session, grant.attach)
            && self.state.sessions.get(&grant.session).is_some_and(|session| session.seat == grant.seat)
    }

    fn remember(
        &mut self,
        moment: Moment,
        actor: ActorKey,
        request: RequestId,
        digest: RequestDigest,
        decided: &Decided,
    ) {
        let present = match &actor {
            ActorKey::Device(device) if self.state.revoked.contains_key(device) => return,
            ActorKey::Device(device) => self.state.devices.contains_key(device),
            ActorKey::Admin(name) => self.state.admins.contains_key(name),
        };
        let bytes = match &decided.outcome {
            // Who holds the seats is looked up anew for a repetition: the list is long and soon out of date.
            Outcome::Refused(Refusal::NoSeat(denial)) => {
                let denial = Denial { holders: Vec::new(), ..Denial::clone(denial) };
                Decided::from(Outcome::Refused(Refusal::NoSeat(Box::new(denial)))).encoded
            }
            Outcome::Waiting(waiting) => {
                let mut waiting = waiting.clone();
                waiting.denial.holders = Vec::new();
                Decided::from(Outcome::Waiting(waiting)).encoded
            }
            _ => decided.encoded.clone(),
        };
        let memory = self.state.memories.entry(actor.clone()).or_default();
        memory.remember(request, moment.index, digest, bytes);
        if !present {
            self.retire(moment, &actor);
        }
    }

    /// Shrinks the memory of an actor that left; see [`RETIRED_MAX`].
    pub(crate) fn retire(&mut self, moment: Moment, actor: &ActorKey) {
        if let Some(memory) = self.state.memories.get_mut(actor) {
            memory.retire(moment.index);
        }
        let retired: BTreeSet<(u64, DeviceId)> =
            self.state.memories.iter().filter_map(retired_device).collect();
        if let Some((_, oldest)) = retired.first().filter(|_| retired.len() > RETIRED_MAX) {
            self.state.memories.remove(&ActorKey::Device(*oldest));
        }
    }

    pub(crate) fn site_or_refuse(&self) -> Result<&Site, Refusal> {
        self.state.site.as_ref().ok_or_else(|| Refusal::NotFound("site".into()))
    }

    pub(crate) fn record(&mut self, moment: Moment, what: Happening) {
        self.count_use(moment, &what);
        let gone = matches!(what, Happening::DeviceLeft { .. } | Happening::DeviceRevoked { .. });
        if gone || what.is_of_compliance() {
            self.figures_may_differ(moment);
        }
        self.state.records.add(moment.index, moment.time, what);
    }
}

/// When a device that left did so.
fn retired_device((actor, memory): (&ActorKey, &Memory)) -> Option<(u64, DeviceId)> {
    match actor {
        ActorKey::Device(device) => memory.retired.map(|index| (index, *device)),
        ActorKey::Admin(_) => None,
    }
}

/// Tells requests with one id apart, by what is behind the time and the term in an entry's bytes: actor, request and
/// command. `None` cannot happen for an entry that was decoded.
pub(crate) fn digest(bytes: &[u8]) -> Option<RequestDigest> {
    let ((Head::V1, WallTime(_), _), asked) =
        postcard::take_from_bytes::<(Head, WallTime, u64)>(bytes).ok()?;
    Sha256::digest(asked).first_chunk().copied()
}

/// How the bytes of a [`Format`](crate::command::Format) begin.
#[derive(Deserialize)]
enum Head {
    V1,
}

pub(crate) fn not_permitted(why: &str) -> Refusal {
    Refusal::NotPermitted(why.into())
}

pub(crate) fn limit(what: &str, limit: usize) -> Refusal {
    Refusal::Limit { what: what.into(), limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}
