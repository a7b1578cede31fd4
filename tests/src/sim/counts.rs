//! What has happened in a run, counted: a batch in which something never happens proves nothing about it.

use std::collections::BTreeSet;

use seatkeeper_election::Peer;
use seatkeeper_ledger::command::{Actor, Command, Entry, Outcome, Refusal};
use seatkeeper_protocol::id::{DeviceId, SessionId};
use seatkeeper_protocol::ticket::SeatKind;

use super::device::Device;
use super::history::{First, History};
use super::program::kind_of;
use super::watch::Seen;

/// Steps between two looks at the engines.
const LOOK_EVERY: u64 = 8;
/// A clock that is further off than this is wrong in its date.
const A_MONTH_MS: i64 = 30 * 24 * 3_600_000;

/// Whose request it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ActorOf {
    Device(DeviceId),
    Admin,
}

macro_rules! counts {
    ($($name:ident: $text:literal,)*) => {
        /// Counters of a run, or of a batch of them.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $(#[doc = $text] pub $name: u64,)*
            terms: BTreeSet<u64>,
            members: BTreeSet<Vec<(Peer, bool)>>,
            voters: BTreeSet<usize>,
            sessions: BTreeSet<SessionId>,
            requests: BTreeSet<(ActorOf, u64, u64)>,
        }

        impl Counts {
            /// Each count with its name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($text, self.$name),)*]
            }

            /// Adds another run's, as [`Counts::all`] gave them.
            pub fn add(&mut self, name: &str, count: u64) {
                match name {
                    $($text => self.$name += count,)*
                    _ => {}
                }
            }
        }
    };
}

counts! {
    steps: "steps",
    events: "events of the schedule",
    entries: "entries applied",
    elections: "terms that somebody held",
    transfers: "holders that handed over",
    snapshots: "snapshots restored",
    memberships: "changes of who holds the log",
    pool_keys: "pool keys sealed to another log holder",
    promotions: "devices that became voters",
    grants: "seats granted",
    denials: "seats refused for want of one",
    waits: "places in the queue given or kept",
    passed_over: "waiting programs passed over",
    unanswered: "requests without an answer",
    resumes: "sessions resumed",
    shared: "starts that shared a seat",
    returns: "seats returned",
    expiries: "seats expired",
    losses: "programs that lost their seat",
    repeats: "requests that stood in the log twice",
    released: "seats taken back by an admin",
    license_ends: "licenses that ended",
    license_swaps: "licenses removed",
    joins: "devices that joined",
    leaves: "devices that left",
    revocations: "devices revoked",
    kills: "agents killed",
    stops: "agents stopped",
    power_cuts: "power cuts",
    mass_power_cuts: "power cuts of several machines at once",
    suspends: "suspends",
    suspends_past_ttl: "suspends longer than the ttl",
    stalls: "stalls of a machine",
    disk_stalls: "stalls of a disk",
    message_stalls: "stalls of messages",
    partitions: "partitions",
    one_way: "one-way partitions",
    slow_links: "slow links",
    lossy_links: "lossy links",
    moves: "changes of address",
    clock_steps: "clock steps",
    year_off: "holders with a clock a year off",
    full_disks: "full disks",
    broken_disks: "disks that failed to write",
    rollbacks: "disks rolled back",
    clones: "disks cloned",
    lost_writes: "unsynced writes lost",
    torn_writes: "writes torn",
    timeouts: "connections that timed out",
    resets: "connections reset",
    rivals: "rivals of another generation",
    borrows: "seats borrowed",
    converted: "running seats that became borrowed",
    prolonged: "borrows prolonged",
    borrowed_starts: "grants of borrowed seats without the site",
    borrow_returns: "borrowed seats given back",
    late_returns: "returns of borrowed seats sent later",
    clock_ends: "borrows that ended by the device's clock",
    site_ends: "borrows that the site ended",
    recalled: "borrowed seats taken back by an admin",
    lost_devices: "devices reported as lost",
}

impl Counts {
    /// What was seen in a step.
    pub fn follow(&mut self, seen: &[Seen], history: &History, devices: &[Device]) {
        self.steps += 1;
        for seen in seen {
            match seen {
                Seen::Restored { .. } => self.snapshots += 1,
                Seen::Lost { .. } => self.losses += 1,
                Seen::Rival { .. } => self.rivals += 1,
                Seen::Granted { ticket, .. } => {
                    self.borrowed_starts += u64::from(kind_of(ticket) == Some(SeatKind::Borrowed));
                }
                Seen::Refused { reason, .. }
                    if !reason.contains("in use") && !reason.contains("before you") =>
                {
                    self.unanswered += 1
                }
                _ => {}
            }
        }
        for first in history.fresh.iter().filter_map(|index| history.entries.get(index)) {
            self.entries += 1;
            let Some(entry) = &first.entry else { continue };
            let actor = match &entry.actor {
                Actor::Device(device) => Some(ActorOf::Device(*device)),
                Actor::Admin { .. } => Some(ActorOf::Admin),
                Actor::Holder(_) => None,
            };
            if let Some(actor) = actor {
                let request = (actor, entry.request.epoch, entry.request.counter);
                self.repeats += u64::from(!self.requests.insert(request));
            }
            self.follow_loan(entry, first, history);
            match (&entry.command, &first.outcome) {
                (
                    Command::Checkout(want) | Command::Wait(want) | Command::GoOnline { start: want, .. },
                    Outcome::Granted(grant),
                ) => {
                    self.grants += 1;
                    self.shared += u64::from(grant.shared);
                    self.resumes += u64::from(!self.sessions.insert(want.session));
                }
                (_, Outcome::Refused(Refusal::NoSeat(_))) => self.denials += 1,
                (_, Outcome::Waiting(_)) => self.waits += 1,
                (Command::PassOver { .. }, Outcome::Done) => self.passed_over += 1,
                (Command::SealPoolKey { .. }, Outcome::Done) => self.pool_keys += 1,
                (Command::Return { .. }, Outcome::Done) => self.returns += 1,
                (Command::Expire { .. }, Outcome::Done) => self.expiries += 1,
                (Command::ReleaseSeat { .. }, Outcome::Done) => self.released += 1,
                (Command::EndLicense { .. }, Outcome::Done) => self.license_ends += 1,
                (Command::RemoveLicense { .. }, Outcome::Done) => self.license_swaps += 1,
                (Command::AdmitInvited { .. }, Outcome::Done) => self.joins += 1,
                (Command::Leave, Outcome::Done) => self.leaves += 1,
                (Command::RevokeDevice { .. }, Outcome::Done) => self.revocations += 1,
                _ => {}
            }
        }
        if !self.steps.is_multiple_of(LOOK_EVERY) {
            return;
        }
        for device in devices {
            if let Some(term) = device.holds()
                && self.terms.insert(term)
            {
                self.elections += 1;
                self.year_off += u64::from(device.clock().wall_error_ms().abs() > A_MONTH_MS);
            }
            let Some(status) = device.status() else { continue };
            let members = status.members.iter().map(|member| (member.peer, member.voter)).collect();
            self.memberships += u64::from(status.is_leader && self.members.insert(members));
            let votes = status.members.iter().any(|member| member.peer == status.me && member.voter);
            if !votes {
                self.voters.remove(&device.number());
            } else if self.voters.insert(device.number()) {
                self.promotions += 1;
            }
        }
    }

    fn follow_loan(&mut self, entry: &Entry, first: &First, history: &History) {
        let loan = |seat: u64| history.loans.get(&seat);
        match (&entry.command, &first.outcome) {
            (Command::Borrow(_), Outcome::Borrowed(borrowed)) => {
                let new = loan(borrowed.seat.0).is_some_and(|loan| loan.since == first.at);
                self.borrows += u64::from(new);
                self.prolonged += u64::from(!new);
                self.converted += u64::from(new && borrowed.converted);
            }
            (Command::ReturnBorrow { seat, .. }, Outcome::Done) => {
                let Some(loan) = loan(seat.0).filter(|loan| loan.over.is_some_and(|(_, at)| at == first.at))
                else {
                    return;
                };
                self.borrow_returns += 1;
                // Its user cannot give back what is over.
                self.clock_ends += u64::from(entry.time >= loan.ends);
            }
            (Command::EndBorrow { .. }, Outcome::Done) => self.site_ends += 1,
            (Command::ReleaseSeat { seat }, Outcome::Done) => {
                self.recalled += u64::from(loan(seat.0).is_some_and(|loan| loan.over.is_none()));
            }
            (Command::LoseDevice { lost: true, .. }, Outcome::Done) => self.lost_devices += 1,
            _ => {}
        }
    }
}
