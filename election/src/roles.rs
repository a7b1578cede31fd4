//! Who should vote and who should stand by: a pure plan, one step at a time (design section 6, rules 1 to 6).

use std::collections::BTreeSet;

use seatkeeper_protocol::id::{DeviceId, NodeId};

use crate::status::{Member, Peer};

/// A voter silent for longer is replaced, milliseconds.
pub const SILENT_MS: u64 = 3_000;
/// When voters go, one that is silent for so long and not connected has gone as well, milliseconds: a leader is
/// answered each heartbeat, and dialed by every voter as soon as it leads.
pub const GONE_MS: u64 = 500;
/// A node that stays silent for so long while its device is connected has lost its log, milliseconds.
pub const GHOST_MS: u64 = 10_000;
/// A standby is promoted when it lags by less, entries.
pub const LAG_MAX: u64 = 100;
/// A leader that goes together with other voters sees to their places first, but hands over after so long,
/// milliseconds.
pub const HAND_OVER_BY_MS: u64 = 1_500;
/// Standbys beside the voters.
pub const STANDBYS: usize = 2;

/// What the leader knows of an enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which device.
    pub device: DeviceId,
    /// Its log; `None`: it has none yet (a spare).
    pub node: Option<NodeId>,
    /// Lower is better.
    pub rank: u32,
    /// Whether it may vote at all.
    pub may_vote: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it has been connected for 5 s. One that is only just connected may hold a log and vote too when
    /// a voter goes: better than no quorum.
    pub healthy: bool,
    /// Whether it has said that it is about to go.
    pub leaving: bool,
    /// Whether it never goes.
    pub always_on: bool,
}

/// The enrolled devices as the leader sees them. Empty until it has looked: nothing is planned then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Devices enrolled in the site.
    pub enrolled: usize,
    /// Desktops among them.
    pub desktops: usize,
    /// The devices, revoked ones left out.
    pub candidates: Vec<Candidate>,
}

/// Everything a plan rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// This node, the leader.
    pub me: NodeId,
    /// The log holders.
    pub members: Vec<Member>,
    /// Whether a two-step change was left half way.
    pub joint: bool,
    /// The leader's last entry.
    pub last_log: u64,
    /// The devices.
    pub standing: Standing,
    /// For how long this node has been about to go, whatever the standing says, milliseconds.
    pub leaving_ms: Option<u64>,
    /// Devices that have just failed to open a log, or to say that they stay.
    pub resting: BTreeSet<DeviceId>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take a half-way membership to its end.
    FinishJoint,
    /// Ask a spare to open a log, then add it.
    Recruit(DeviceId),
    /// Add a log holder.
    AddStandby(Peer),
    /// Give a standby a vote.
    Promote(NodeId),
    /// Take a voter's vote.
    Demote(NodeId),
    /// Let a standby go.
    Remove(NodeId),
    /// Hand leadership to a voter.
    Transfer(NodeId),
}

/// How many voters a site of this size should have.
pub fn voters_target(enrolled: usize, desktops: usize) -> usize {
    match enrolled {
        0..=2 => 1,
        _ if enrolled >= 10 && desktops >= 5 => 5,
        _ => 3,
    }
}

/// What the leader should do next, if anything.
pub fn plan(view: &View) -> Option<Step> {
    if view.joint {
        return Some(Step::FinishJoint);
    }
    if view.standing.candidates.is_empty() {
        return None;
    }
    let table = Table::new(view)?;
    if !table.me.may_stay() {
        // One that was revoked would be missed in whatever it made smaller: nobody lets it vote any more.
        return table.hand_over();
    }
    table.hand_over().or_else(|| table.voters()).or_else(|| table.standbys())
}

/// A log holder and what is known of its device.
#[derive(Clone, Copy, Debug)]
struct Holder<'a> {
    member: &'a Member,
    /// `None` for one that should hold no log, or not this one: revoked, unknown, with another log by now, or with one
    /// that has lost entries.
    candidate: Option<&'a Candidate>,
    me: bool,
    leaving: bool,
    resting: bool,
    lag: Option<u64>,
}

impl Holder<'_> {
    fn node(&self) -> NodeId {
        self.member.peer.node
    }

    fn may_stay(&self) -> bool {
        self.candidate.is_some()
    }

    /// May vote from now on.
    fn fit(&self) -> bool {
        self.may_stay() && !self.leaving && self.candidate.is_some_and(|candidate| candidate.may_vote)
    }

    fn live(&self) -> bool {
        self.me || (!self.member.lost && self.member.silent_ms.is_some_and(|silent| silent < SILENT_MS))
    }

    fn connected(&self) -> bool {
        self.candidate.is_some_and(|candidate| candidate.connected)
    }

    /// Neither connected nor heard of lately.
    fn gone(&self) -> bool {
        !self.me && !self.connected() && self.member.silent_ms >= Some(GONE_MS)
    }

    fn healthy(&self) -> bool {
        self.candidate.is_some_and(|candidate| candidate.healthy)
    }

    /// Has answered lately. One that has yet to answer a new leader has no lag.
    fn heard(&self) -> bool {
        !self.member.lost && self.member.silent_ms == Some(0) && self.lag.is_some()
    }

    /// Has answered lately and has nearly everything.
    fn answers(&self) -> bool {
        self.member.silent_ms == Some(0) && self.lag.is_some_and(|lag| lag < LAG_MAX)
    }

    /// Better first.
    fn order(&self) -> (u32, NodeId) {
        (self.candidate.map_or(u32::MAX, |candidate| candidate.rank), self.node())
    }

    fn rank(&self) -> u32 {
        self.order().0
    }
}

struct Table<'a> {
    me: Holder<'a>,
    /// The voters but for this node, best first.
    others: Vec<Holder<'a>>,
    /// Holders without a vote, best first.
    learners: Vec<Holder<'a>>,
    /// Devices that could open a log now, best first.
    spares: Vec<&'a Candidate>,
    /// A voter is about to go: who takes its place need not have been here for long.
    urgent: bool,
    /// This node must go very soon.
    late: bool,
    standing: &'a Standing,
}

fn best<'a>(holders: impl Iterator<Item = Holder<'a>>) -> Option<Holder<'a>> {
    holders.min_by_key(Holder::order)
}

fn worst<'a>(holders: impl Iterator<Item = Holder<'a>>) -> Option<Holder<'a>> {
    holders.max_by_key(Holder::order)
}

impl<'a> Table<'a> {
    /// `None` when this node is not in the membership: then it has nothing to plan.
    fn new(view: &'a View) -> Option<Self> {
        let holders: Vec<Holder<'a>> = view.members.iter().map(|member| holder(view, member)).collect();
        let me = *holders.iter().find(|holder| holder.me)?;
        let (mut others, learners): (Vec<_>, Vec<_>) =
            holders.iter().filter(|holder| !holder.me).copied().partition(|holder| holder.member.voter);
        let taken: BTreeSet<DeviceId> = holders
            .iter()
            .filter(|holder| holder.candidate.is_some())
            .map(|holder| holder.member.peer.device)
            .collect();
        let urgent = me.leaving || others.iter().any(|voter| voter.leaving);
        if urgent {
            // It may have told that to an earlier leader only, or to nobody.
            others.iter_mut().for_each(|voter| voter.leaving |= voter.gone());
        }
        let mut spares: Vec<&Candidate> = view
            .standing
            .candidates
            .iter()
            .filter(|candidate| candidate.connected && (candidate.healthy || urgent) && !candidate.leaving)
            .filter(|candidate| {
                // A log that is no longer wanted goes before another one comes.
                let still = view.members.iter().any(|member| Some(member.peer.node) == candidate.node);
                !taken.contains(&candidate.device) && !still && !view.resting.contains(&candidate.device)
            })
            .collect();
        spares.sort_by_key(|candidate| {
            (!candidate.may_vote, !candidate.healthy, candidate.rank, candidate.device)
        });
        let late = view.leaving_ms >= Some(HAND_OVER_BY_MS);
        Some(Self { me, others, learners, spares, urgent, late, standing: &view.standing })
    }

    fn voter_count(&self) -> usize {
        self.others.len() + usize::from(self.me.member.voter)
    }

    /// Whether a standby counts. When voters go, one that is not connected has gone as well: it may have told that to
    /// an earlier leader only.
    fn stands_by(&self, standby: &Holder<'_>) -> bool {
        standby.may_stay()
            && !standby.leaving
            && standby.live()
            && (!self.urgent || (standby.connected() && !standby.resting))
    }

    /// The standbys that can be given a vote now.
    fn ready(&self) -> impl Iterator<Item = Holder<'a>> + '_ {
        let ready = |standby: &Holder<'_>| standby.fit() && standby.answers() && !standby.resting;
        self.learners
            .iter()
            .copied()
            .filter(move |standby| ready(standby) && (standby.healthy() || self.urgent))
    }

    /// A leader that should not lead hands over first and is demoted by its successor: a leader without a vote
    /// would lead on.
    fn hand_over(&self) -> Option<Step> {
        if self.me.fit() {
            return None;
        }
        // Its successor would have to find out first who is there.
        if self.me.may_stay() && !self.late && self.others.iter().any(|voter| voter.leaving) {
            let step = self.voters().or_else(|| self.recruit());
            if step.is_some() {
                return step;
            }
        }
        let successor = best(self.others.iter().copied().filter(|voter| voter.fit() && voter.answers()));
        if let Some(successor) = successor {
            return Some(Step::Transfer(successor.node()));
        }
        if self.others.iter().any(|voter| voter.fit() && voter.live()) {
            return None;
        }
        best(self.ready()).map(|standby| Step::Promote(standby.node()))
    }

    fn voters(&self) -> Option<Step> {
        let (count, want) = (self.voter_count(), self.voters_wanted());
        let unfit = || self.others.iter().copied().filter(|voter| !voter.fit());
        let silent = || self.others.iter().copied().filter(|voter| voter.fit() && !voter.live());
        // Of two, one that goes would take the quorum along.
        if count == 2
            && self.me.fit()
            && self.ready().next().is_none()
            && let Some(leaver) = best(unfit())
        {
            return Some(Step::Demote(leaver.node()));
        }
        if count > want {
            let out = |of: &dyn Fn(&Holder<'a>) -> bool| {
                worst(self.others.iter().copied().filter(|voter| of(voter) && self.can_spare(voter)))
            };
            // Whoever still answers helps to commit that; so the others go first.
            let out = out(&|voter| !voter.fit() && voter.gone())
                .or_else(|| out(&|voter| !voter.fit()))
                .or_else(|| out(&|voter| !voter.live()))
                .or_else(|| out(&|_| unfit().next().is_none()));
            return out.map(|voter| Step::Demote(voter.node()));
        }
        let standby = best(self.ready())?;
        let promote = Some(Step::Promote(standby.node()));
        if count < want {
            // Odd at rest: a second one must be at hand before an even number is entered upon.
            let enough = count % 2 == 0 || count + 1 == want || self.ready().count() >= 2;
            return if enough { promote } else { None };
        }
        if unfit().next().is_some() || silent().next().is_some() {
            return promote;
        }
        let weakest = worst(self.others.iter().copied())?;
        if standby.rank() < weakest.rank() { promote } else { None }
    }

    /// Whether most of the voters answer when this one is out: else that could never be committed, nor anything after it.
    fn can_spare(&self, voter: &Holder<'_>) -> bool {
        let left = || self.others.iter().filter(|other| other.node() != voter.node());
        let me = usize::from(self.me.member.voter);
        let answering = me + left().filter(|other| other.heard()).count();
        2 * answering > me + left().count()
    }

    /// How many voters there should be, given who could vote now and who votes already.
    fn voters_wanted(&self) -> usize {
        let fit_voters = self.others.iter().filter(|voter| voter.fit()).count() + usize::from(self.me.fit());
        let fit_standbys = self.learners.iter().filter(|standby| standby.fit() && standby.live()).count();
        let fit_spares = self.spares.iter().filter(|spare| spare.may_vote && spare.healthy).count();
        let possible = (fit_voters + fit_standbys + fit_spares).max(1);
        let target = voters_target(self.standing.enrolled, self.standing.desktops).min(possible);
        let target = if target % 2 == 0 { target - 1 } else { target };
        // The floor: else tomorrow would depend on the one machine that left last.
        let survivor_stays = self.me.fit() && self.me.candidate.is_some_and(|candidate| candidate.always_on);
        if target >= 3 || self.standing.enrolled <= 2 || survivor_stays {
            return target;
        }
        target.max(self.voter_count().min(3))
    }

    fn standbys(&self) -> Option<Step> {
        if let Some(out) = self.learners.iter().find(|standby| !standby.may_stay()) {
            return Some(Step::Remove(out.node()));
        }
        if let Some(step) = self.recruit() {
            return Some(step);
        }
        // Tidying up can wait until those who go have been seen to.
        if self.urgent {
            return None;
        }
        let standing_by = || self.standing_by();
        let (have, want) = (standing_by().count(), self.standbys_wanted());
        if have > want {
            let out = standing_by().max_by_key(|standby| (!standby.fit(), standby.order()));
            return out.map(|standby| Step::Remove(standby.node()));
        }
        // Those who do not count are kept only in the place of some who would.
        let idle = || self.learners.iter().copied().filter(|standby| !self.stands_by(standby));
        if idle().count() > want - have {
            return worst(idle()).map(|standby| Step::Remove(standby.node()));
        }
        if have < want {
            return None;
        }
        let weakest = standing_by().map(|standby| (!standby.fit(), standby.rank())).max()?;
        let spare = self.spares.first().filter(|spare| (!spare.may_vote, spare.rank) < weakest)?;
        Some(recruit(spare))
    }

    /// The standbys that count.
    fn standing_by(&self) -> impl Iterator<Item = Holder<'a>> + '_ {
        self.learners.iter().copied().filter(|standby| self.stands_by(standby))
    }

    /// Voters that there will be too few, once those who go are gone.
    fn voters_missing(&self) -> usize {
        let stay = self.others.iter().filter(|voter| !voter.leaving).count() + usize::from(!self.me.leaving);
        self.voters_wanted().saturating_sub(stay)
    }

    fn standbys_wanted(&self) -> usize {
        self.voters_missing() + STANDBYS.min(self.standing.enrolled.saturating_sub(1))
    }

    /// Another log, if there are too few of them, or too few that could vote.
    fn recruit(&self) -> Option<Step> {
        if self.late {
            return None;
        }
        let spare = self.spares.first()?;
        let could_vote = self.standing_by().filter(Holder::fit).count();
        let vote_needed = could_vote < self.voters_missing() && spare.may_vote;
        let few = self.standing_by().count() < self.standbys_wanted();
        (few || vote_needed).then(|| recruit(spare))
    }
}

fn recruit(spare: &Candidate) -> Step {
    match spare.node {
        Some(node) => Step::AddStandby(Peer { node, device: spare.device }),
        None => Step::Recruit(spare.device),
    }
}

fn holder<'a>(view: &'a View, member: &'a Member) -> Holder<'a> {
    let me = member.peer.node == view.me;
    let candidate = view.standing.candidates.iter().find(|candidate| candidate.device == member.peer.device);
    let has_other_log = |candidate: &&Candidate| {
        let other = candidate.node.filter(|node| *node != member.peer.node);
        // A device's former and present log may both be members for a while.
        other.is_some_and(|node| !view.members.iter().any(|member| member.peer.node == node))
    };
    let ghost = |candidate: &&Candidate| candidate.healthy && member.silent_ms >= Some(GHOST_MS);
    let candidate =
        candidate.filter(|candidate| me || !(member.lost || has_other_log(candidate) || ghost(candidate)));
    Holder {
        member,
        candidate,
        me,
        leaving: candidate.is_some_and(|candidate| candidate.leaving) || (me && view.leaving_ms.is_some()),
        resting: view.resting.contains(&member.peer.device),
        lag: member.matched.map(|matched| view.last_log.saturating_sub(matched)),
    }
}
