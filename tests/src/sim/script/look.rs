//! What a story sees of its office. Machines are told by the names that the story gave them, because who is elected
//! and who stands by is chance.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_election::Status;
use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_protocol::id::{DeviceId, RequestId, SeatId, SessionId};

use super::parse::{Condition, Role, Set, Show, Who};
use crate::sim::device::{Device, wall_at};
use crate::sim::history::Place;
use crate::sim::program::{Program, State};
use crate::sim::site;
use crate::sim::world::World;

/// The site's time may be off by this much, milliseconds: clocks are off by half a second, and an entry takes time.
const TIME_OFF_MS: u64 = 2_000;

/// Whom the story knows by which name.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Machines in the order of their naming.
    pub(super) machines: Vec<(String, usize)>,
    pub(super) programs: BTreeMap<String, Program>,
    /// Devices that are or were in the site; known also while they are off.
    ids: BTreeMap<usize, DeviceId>,
    left: BTreeSet<usize>,
}

/// A name that means nothing, or nothing now.
pub(super) type Meaningless = String;

impl Names {
    /// Learns who is who. To be called whenever machines may have started or left.
    pub(super) fn learn(&mut self, world: &World) {
        for device in world.devices() {
            if let Some(id) = device.id() {
                self.ids.insert(device.number(), id);
            }
            if let Some(node) = device.node() {
                match node.site() {
                    Some(_) => self.left.remove(&device.number()),
                    None => self.left.insert(device.number()),
                };
            }
        }
    }

    pub(super) fn machine(&self, world: &World, who: &Who) -> Result<usize, Meaningless> {
        match who {
            Who::Number(number) if *number < world.devices().len() => Ok(*number),
            Who::Number(number) => Err(format!("there is no pc{number}")),
            Who::Named(name) => {
                let known = self.machines.iter().find(|(known, _)| known == name);
                known.map(|(_, number)| *number).ok_or_else(|| format!("no machine is called {name} yet"))
            }
            Who::Holder => self.holder(world).ok_or_else(|| "nobody holds".to_owned()),
        }
    }

    pub(super) fn machines(&self, world: &World, set: &Set) -> Result<Vec<usize>, Meaningless> {
        let numbers = |whos: &[Who]| whos.iter().map(|who| self.machine(world, who)).collect();
        match set {
            Set::These(whos) => numbers(whos),
            Set::AllBut(whos) => {
                let but: Vec<usize> = numbers(whos)?;
                Ok((0..world.devices().len()).filter(|number| !but.contains(number)).collect())
            }
        }
    }

    pub(super) fn program(&self, name: &str) -> Result<&Program, Meaningless> {
        self.programs.get(name).ok_or_else(|| format!("no program is called {name} yet"))
    }

    /// The machine that holds the newest term.
    pub(super) fn holder(&self, world: &World) -> Option<usize> {
        let awake = world.devices().iter().filter(|device| device.is_awake());
        let holding = awake.filter_map(|device| Some((device.holds()?, device.number())));
        holding.max().map(|(_, number)| number)
    }

    /// Who holds, and the log holders as it sees them.
    fn holder_sees(&self, world: &World) -> Option<(usize, Status)> {
        let number = self.holder(world)?;
        Some((number, world.devices()[number].status()?))
    }

    pub(super) fn role(&self, world: &World, number: usize) -> Option<Role> {
        let (holder, status) = self.holder_sees(world)?;
        let id = self.ids.get(&number);
        Some(match id.and_then(|id| status.member_on(*id)) {
            _ if number == holder => Role::Holder,
            Some(member) if member.voter => Role::Voter,
            Some(_) => Role::Standby,
            None if id.is_none() || self.left.contains(&number) => Role::Outside,
            None => Role::Spare,
        })
    }

    /// A text in which machines have the names of the story, without what is told in parentheses or as advice.
    pub(super) fn brief(&self, text: &str) -> String {
        let text = text.split([';', '(']).next().unwrap_or(text).trim_end();
        let words = text.split(' ').map(|word| {
            let bare = word.trim_end_matches(',');
            let number = bare.strip_prefix("pc").and_then(|number| number.parse::<usize>().ok());
            let named = number.and_then(|number| self.machines.iter().find(|(_, named)| *named == number));
            named.map_or_else(|| word.to_owned(), |(name, _)| word.replace(bare, name))
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Whether something that is awaited is so.
    pub(super) fn is_so(&self, world: &World, condition: &Condition) -> Result<bool, Meaningless> {
        let all_are = |set: &Set, is: &dyn Fn(usize) -> bool| {
            Ok::<_, Meaningless>(self.machines(world, set)?.into_iter().all(is))
        };
        match condition {
            Condition::Holder => Ok(self.holder(world).is_some()),
            Condition::NoHolder => Ok(self.holder(world).is_none()),
            Condition::HolderBesides(who) => {
                let not = self.machine(world, who)?;
                Ok(self.holder(world).is_some_and(|number| number != not))
            }
            Condition::Voters(count) => {
                Ok(self.holder_sees(world).is_some_and(|(_, status)| status.voters() == *count))
            }
            Condition::Are(set, role) => all_are(set, &|number| self.role(world, number) == Some(*role)),
            Condition::AreNot(set, role) => {
                all_are(set, &|number| self.role(world, number).is_some_and(|now| now != *role))
            }
            Condition::Stopped(set) => all_are(set, &|number| !world.devices()[number].has_agent()),
            Condition::HasSeat(name) => Ok(is_using(world, self.program(name)?)),
            Condition::Stops(name) => {
                let program = self.program(name)?;
                let asking =
                    matches!(program.state(), State::Asking | State::Waiting { .. }) && program.is_running();
                Ok(!asking && !is_using(world, program))
            }
            Condition::Free(count) => {
                let (taken, owned) = world.history().pool(&site::product());
                Ok(usize::try_from(owned).unwrap_or(0).saturating_sub(taken) >= *count)
            }
        }
    }

    /// What is told of something.
    pub(super) fn show(&self, world: &World, show: &Show) -> Result<Vec<String>, Meaningless> {
        match show {
            Show::Roles => Ok(self.roles(world)),
            Show::Seats => Ok(vec![self.seats(world)]),
            Show::Queue => Ok(vec![self.queue(world)]),
            Show::Time => Ok(vec![time(world)]),
            Show::Machine(who) => Ok(vec![self.one_machine(world, self.machine(world, who)?)]),
            Show::Program(name) => Ok(vec![self.one_program(world, self.program(name)?)]),
            Show::Log(name) => Ok(vec![log(world, self.program(name)?)]),
            Show::Books(who) => Ok(vec![books(&world.devices()[self.machine(world, who)?])]),
        }
    }

    pub(super) fn roles(&self, world: &World) -> Vec<String> {
        let Some((_, status)) = self.holder_sees(world) else { return vec!["nobody holds".to_owned()] };
        let (voters, holders) = (status.voters(), status.members.len());
        let spares = world.devices().iter().filter(|d| self.role(world, d.number()) == Some(Role::Spare));
        let mut lines = vec![format!(
            "{}, {}, {}",
            count(voters, "voter"),
            count(holders - voters, "standby"),
            count(spares.count(), "spare")
        )];
        lines.extend(self.machines.iter().map(|(name, number)| {
            let machine = self.one_machine(world, *number);
            format!("{name}: {machine}")
        }));
        lines
    }

    fn one_machine(&self, world: &World, number: usize) -> String {
        let device = &world.devices()[number];
        let role = self.role(world, number);
        let mut text = role.map_or_else(|| "nobody holds".to_owned(), |role| role.to_string());
        if device.is_laptop() {
            text += ", laptop";
        }
        if !device.has_agent() {
            text += ", off";
        } else if !device.is_awake() {
            text += ", asleep";
        } else if device.holds().is_some() && role != Some(Role::Holder) {
            text += ", still believes that it holds";
        }
        text
    }

    fn seats(&self, world: &World) -> String {
        let (taken, owned) = world.history().pool(&site::product());
        let using: Vec<&str> = self
            .programs
            .iter()
            .filter(|(_, program)| is_using(world, program))
            .map(|(name, _)| name.as_str())
            .collect();
        let using = if using.is_empty() { "nobody".to_owned() } else { using.join(", ") };
        let borrowed = match world.history().lent().count() {
            0 => String::new(),
            count => format!(", {count} of them borrowed"),
        };
        format!("{taken} of {owned} taken in the books{borrowed}; used by {using}")
    }

    /// Who waits, longest first.
    fn queue(&self, world: &World) -> String {
        let mut places: Vec<_> = world.history().waiting.iter().collect();
        places.sort_by_key(|(_, place)| place.index);
        let name = |session: &SessionId| {
            let waits = |program: &&Program| matches!(program.state(), State::Waiting { session: own, .. } if own == *session);
            let known = self.programs.iter().find(|(_, program)| waits(program));
            known.map_or("somebody", |(name, _)| name.as_str())
        };
        let place = |(session, place): (&SessionId, &Place)| {
            format!("{}{}", name(session), if place.passed { " (passed over)" } else { "" })
        };
        match places.is_empty() {
            true => "nobody waits".to_owned(),
            false => places.into_iter().map(place).collect::<Vec<_>>().join(", "),
        }
    }

    fn one_program(&self, world: &World, program: &Program) -> String {
        match program.state() {
            State::Asking => "waits for an answer".to_owned(),
            State::Waiting { position, .. } => format!("waits, in place {position}"),
            State::Over(why) if why == "ended" => "has ended".to_owned(),
            State::Over(why) => format!("may not use a seat: {}", self.brief(&why)),
            State::Using { .. } if !is_using(world, program) => "has passed its deadline".to_owned(),
            State::Using { .. } if program.is_connected() => "uses a seat".to_owned(),
            State::Using { .. } => "uses a seat until the deadline that it knows".to_owned(),
        }
    }
}

/// Whether a program may be using a seat now.
pub(super) fn is_using(world: &World, program: &Program) -> bool {
    let State::Using { until, .. } = program.state() else { return false };
    let device = world.devices().iter().find(|device| holds_program(device, program));
    program.is_running() && device.is_some_and(|device| device.mono() < until)
}

fn holds_program(device: &Device, program: &Program) -> bool {
    device.programs().iter().any(|other| other.number() == program.number())
}

fn count(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "standby") => format!("{count} standbys"),
        _ => format!("{count} {what}s"),
    }
}

/// How right the time of the last entry is.
fn time(world: &World) -> String {
    let last =
        world.history().entries.values().rev().find_map(|first| Some((first.entry.as_ref()?, first.at)));
    let Some((entry, at)) = last else { return "no entry yet".to_owned() };
    let off = entry.time.ms_since(wall_at(at)).unsigned_abs();
    if off <= TIME_OFF_MS { "right" } else { "wrong" }.to_owned()
}

/// Whether a machine keeps the log, as it knows itself.
fn books(device: &Device) -> String {
    match device.status() {
        None => "keeps no log",
        Some(status) if status.last_log == 0 => "keeps an empty log",
        Some(_) => "keeps a log",
    }
    .to_owned()
}

/// How a program's request stands in the log.
fn log(world: &World, program: &Program) -> String {
    let mut entries = 0usize;
    let (mut requests, mut seats): (BTreeSet<(u64, u64)>, BTreeSet<SeatId>) = Default::default();
    for first in world.history().entries.values() {
        let Some(entry) = &first.entry else { continue };
        let (Command::Checkout(checkout) | Command::Wait(checkout)) = &entry.command else { continue };
        if checkout.pid.map(u64::from) != Some(program.number()) {
            continue;
        }
        let RequestId { epoch, counter } = entry.request;
        entries += 1;
        requests.insert((epoch, counter));
        if let Outcome::Granted(grant) = &first.outcome {
            seats.insert(grant.seat);
        }
    }
    let times = match entries {
        0 => "not in the log",
        1 => "once in the log",
        _ => "more than once in the log",
    };
    format!("{}, {times}, {}", count(requests.len(), "request"), count(seats.len(), "seat"))
}
