//! Carries a story's commands out.

use std::collections::BTreeMap;
use std::time::Duration;

use seatkeeper_election::Timing;
use seatkeeper_ledger::command::{Command as Order, DeviceSettings};
use seatkeeper_protocol::id::{DeviceId, Name};

use super::look::{Meaningless, Names, is_using};
use super::parse::{Ask, Command, Condition, Office, Role, Scene, Set};
use crate::sim::check::Violation;
use crate::sim::device::{Answer, Device};
use crate::sim::disk::Image;
use crate::sim::lending::{Done, Lent};
use crate::sim::net::{Host, Pause};
use crate::sim::program::{Kind, State};
use crate::sim::site::Sale;
use crate::sim::trace::{Telling, Trace};
use crate::sim::world::{Setting, World};

/// A step, milliseconds; no message is faster. The same over Wi-Fi.
const QUANTUM_MS: u64 = 5;
const WIFI_QUANTUM_MS: u64 = 20;
/// An agent stops, and an admin's command is answered, within this time, milliseconds.
const DONE_WITHIN_MS: u64 = 20_000;
/// A rival has spoken to everybody by then, milliseconds.
const RIVAL_MS: u64 = 6_000;

/// Why a story does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It asks for what cannot be.
    Meaningless(Meaningless),
    /// An invariant does not hold.
    Violation(Violation),
}

impl From<Meaningless> for Stop {
    fn from(problem: Meaningless) -> Self {
        Self::Meaningless(problem)
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// An office under way.
pub(super) struct Stage {
    world: World,
    names: Names,
    images: BTreeMap<usize, Image>,
    moves: u8,
}

impl Stage {
    /// An office in which everybody has joined and has found their role.
    pub(super) fn new(seed: u64, office: Office, telling: Telling) -> Result<Self, Stop> {
        let Office { machines, laptops, seats, ttl_s, wifi, lends } = office;
        let terms = if lends { "borrow = { max_days = 30 }\n" } else { "" };
        let sale = Sale { seats, ttl_s, share: "user-device", valid_until: None, terms };
        let mut setting =
            Setting { laptops, quantum_ms: QUANTUM_MS, sale, ..Setting::office(seed, machines) };
        if wifi {
            setting.quantum_ms = WIFI_QUANTUM_MS;
            setting.engine.timing = Timing::wifi();
        }
        let world = World::new(setting, Trace::new(telling));
        let mut stage = Self { world, names: Names::default(), images: BTreeMap::new(), moves: 0 };
        let founded = stage.world.found();
        if let Err(violation) = founded {
            return Err(Stop::Violation(violation));
        }
        stage.names.learn(&stage.world);
        Ok(stage)
    }

    /// The last lines of the trace.
    pub(super) fn last(&self) -> Vec<String> {
        self.world.trace.last().map(str::to_owned).collect()
    }

    /// The roles in a new office.
    pub(super) fn roles(&self) -> Vec<String> {
        self.names.roles(&self.world)
    }

    /// Carries a command out; what it says.
    pub(super) fn act(&mut self, scene: &Scene) -> Result<Vec<String>, Stop> {
        let now = self.world.now();
        self.world.trace.tell(now, format_args!("{}", scene.text));
        let said = self.carry_out(&scene.command);
        self.names.learn(&self.world);
        said
    }

    fn carry_out(&mut self, command: &Command) -> Result<Vec<String>, Stop> {
        match command {
            Command::Office(_) => {}
            Command::Call(name, role) => self.call(name, *role)?,
            Command::Wait(ms) => self.world.run_ms(*ms)?,
            Command::Await(condition, ms) => return self.wait_for(condition, *ms),
            Command::Start(set) => self.each(set, |world, number| world.start(number))?,
            Command::Kill(set) => self.each(set, |world, number| world.device(number).kill())?,
            Command::Stop(set, within_ms) => self.stop(set, *within_ms)?,
            Command::PowerCut(set) => self.each(set, |world, number| world.device(number).power_cut())?,
            Command::Suspend(set, ms) => self.pause(set, *ms, Pause::Suspended)?,
            Command::Sleep(set, ms) => self.sleep(set, *ms)?,
            Command::Stall(set, ms) => self.pause(set, *ms, Pause::Stalled)?,
            Command::Partition(set) => self.partition(set)?,
            Command::Deafen(from, to) => {
                let (from, to) =
                    (self.names.machine(&self.world, from)?, self.names.machine(&self.world, to)?);
                self.world.net().cut_one_way(self.place(from), self.place(to));
            }
            Command::Heal => self.world.net().heal_all(),
            Command::Clock(set, by_ms) => self.each(set, |world, number| {
                world.device(number).clock().step(*by_ms);
            })?,
            Command::Move(who, keeping) => {
                let number = self.names.machine(&self.world, who)?;
                self.moves += 1;
                let address = std::net::SocketAddr::from(([10, 1, 1, self.moves], 7410));
                self.world.net().move_to(self.place(number), address, if *keeping { 1.0 } else { 0.0 });
            }
            Command::Image(who) => {
                let number = self.names.machine(&self.world, who)?;
                self.images.insert(number, self.world.devices()[number].disk().image());
            }
            Command::RollBack(who) => {
                let number = self.names.machine(&self.world, who)?;
                let image =
                    self.images.get(&number).ok_or_else(|| "there is no image of its disk".to_owned())?;
                let now = self.world.now();
                self.world.device(number).restore(image, now);
            }
            Command::Fill(set) => {
                self.each(set, |world, number| world.device(number).disk().fill_for_good())?
            }
            Command::MakeRoom(set) => self.each(set, |world, number| {
                world.device(number).disk().fill(None);
            })?,
            Command::Clone(who, name) => {
                let number = self.names.machine(&self.world, who)?;
                let image = self.world.devices()[number].disk().image();
                let clone = self.world.add_clone(&image);
                self.world.start(clone);
                self.name(name, clone)?;
            }
            Command::Add(laptop, name) => {
                let number = self.world.add_machine(*laptop);
                self.name(name, number)?;
                self.world.start(number);
                self.world.run_until(2_000, |world| world.devices()[number].is_ready())?;
                self.world.join(number)?;
            }
            Command::Leave(who) => return self.leave(self.names.machine(&self.world, who)?),
            Command::Revoke(who) => return self.revoke(self.names.machine(&self.world, who)?),
            Command::Recover(who) => {
                let number = self.names.machine(&self.world, who)?;
                let answer = self.world.recover(number);
                return self.answered(&answer);
            }
            Command::AlwaysOn(who) => return self.declare_always_on(self.names.machine(&self.world, who)?),
            Command::Rival(who) => {
                let number = self.names.machine(&self.world, who)?;
                let before = self.world.counts.rivals;
                self.world.send_rival(number);
                self.world.run_ms(RIVAL_MS)?;
                return Ok(vec![format!("refused {} times", self.world.counts.rivals - before)]);
            }
            Command::Checkout(ask, within_ms) => return self.checkout(ask, *within_ms),
            Command::End(name) => self.names.program(name)?.end(),
            Command::Borrow(user, on, ms) => {
                let (user, number) = (a_user(user)?, self.names.machine(&self.world, on)?);
                let length = Duration::from_millis(*ms);
                let answer = self.world.devices()[number].borrow(&user, length, false);
                return self.lent(&answer, "borrowed");
            }
            Command::Return(user, on) => {
                let (user, number) = (a_user(user)?, self.names.machine(&self.world, on)?);
                let answer = self.world.devices()[number].give_back(&user);
                return self.lent(&answer, "returned");
            }
            Command::Show(show) => return Ok(self.names.show(&self.world, show)?),
        }
        Ok(Vec::new())
    }

    fn place(&self, number: usize) -> Host {
        self.world.devices()[number].place()
    }

    fn name(&mut self, name: &str, number: usize) -> Result<(), Meaningless> {
        if self.names.machines.iter().any(|(known, _)| known == name) {
            return Err(format!("another machine is called {name} already"));
        }
        self.names.machines.push((name.to_owned(), number));
        Ok(())
    }

    fn call(&mut self, name: &str, role: Role) -> Result<(), Meaningless> {
        let nameless = |number: &usize| !self.names.machines.iter().any(|(_, named)| named == number);
        let mut numbers = (0..self.world.devices().len()).filter(nameless);
        let found = numbers.find(|number| self.names.role(&self.world, *number) == Some(role));
        let number = found.ok_or_else(|| format!("there is no other {role} now"))?;
        self.name(name, number)
    }

    fn each(&mut self, set: &Set, act: impl Fn(&mut World, usize)) -> Result<(), Meaningless> {
        let numbers = self.names.machines(&self.world, set)?;
        numbers.into_iter().for_each(|number| act(&mut self.world, number));
        Ok(())
    }

    fn wait_for(&mut self, condition: &Condition, ms: u64) -> Result<Vec<String>, Stop> {
        // A name that means nothing is found out before the first step.
        let named = !matches!(condition, Condition::HolderBesides(_));
        if named || self.names.holder(&self.world).is_some() {
            self.names.is_so(&self.world, condition)?;
        }
        let names = &mut self.names;
        let so = self.world.run_until(ms, |world| {
            names.learn(world);
            names.is_so(world, condition) == Ok(true)
        })?;
        Ok(vec![if so { "yes".to_owned() } else { format!("not within {} s", ms / 1_000) }])
    }

    /// The first at once, the last after `within_ms`, the others evenly between.
    fn stop(&mut self, set: &Set, within_ms: u64) -> Result<(), Stop> {
        let numbers = self.names.machines(&self.world, set)?;
        let begun = self.world.now();
        let gaps = u64::try_from(numbers.len().saturating_sub(1)).unwrap_or(1).max(1);
        for (at, number) in (0u64..).zip(numbers) {
            let due = begun + within_ms * at / gaps;
            self.world.run_ms(due.saturating_sub(self.world.now()))?;
            self.world.device(number).stop();
        }
        Ok(())
    }

    fn pause(&mut self, set: &Set, ms: u64, pause: Pause) -> Result<(), Meaningless> {
        let until = self.world.now() + ms;
        for number in self.names.machines(&self.world, set)? {
            if !self.world.device(number).pause_until(until, pause) {
                return Err(format!("pc{number} does not run"));
            }
        }
        Ok(())
    }

    fn sleep(&mut self, set: &Set, ms: u64) -> Result<(), Meaningless> {
        let now = self.world.now();
        for number in self.names.machines(&self.world, set)? {
            if !self.world.device(number).sleep_until(now + ms, now) {
                return Err(format!("pc{number} does not run"));
            }
        }
        Ok(())
    }

    fn partition(&self, set: &Set) -> Result<(), Meaningless> {
        let these = self.names.machines(&self.world, set)?;
        let others = (0..self.world.devices().len()).filter(|number| !these.contains(number));
        for other in others {
            these.iter().for_each(|this| self.world.net().cut(self.place(*this), self.place(other)));
        }
        Ok(())
    }

    fn checkout(&mut self, ask: &Ask, within_ms: Option<u64>) -> Result<Vec<String>, Stop> {
        let on = self.names.machine(&self.world, &ask.on)?;
        let kind = if ask.by_connection { Kind::Connection } else { Kind::Run };
        let number = if ask.waiting {
            self.world.wait(on, &ask.user, kind)
        } else {
            self.world.checkout(on, &ask.user, kind)
        };
        let program = number.and_then(|number| self.world.program(number)).cloned();
        let program = program.ok_or_else(|| format!("no agent runs on pc{on} that could be asked"))?;
        self.names.programs.insert(ask.name.clone(), program.clone());
        let Some(within_ms) = within_ms else { return Ok(Vec::new()) };
        let answered = self.world.run_until(within_ms, |_| !matches!(program.state(), State::Asking))?;
        let said = match program.state() {
            _ if !answered => format!("no answer within {} s", within_ms / 1_000),
            State::Over(why) => format!("refused: {}", self.names.brief(&why)),
            State::Waiting { position, .. } => format!("waits, in place {position}"),
            _ if !is_using(&self.world, &program) => "granted too late".to_owned(),
            _ if program.is_single() => "granted, on one disk only".to_owned(),
            _ => "granted".to_owned(),
        };
        Ok(vec![said])
    }

    fn lent(&mut self, answer: &Answer<Lent>, what: &str) -> Result<Vec<String>, Stop> {
        let mut result = None;
        self.world.run_until(DONE_WITHIN_MS, |_| {
            result = answer.take();
            result.is_some()
        })?;
        Ok(vec![match result {
            Some(Ok(Done::Known)) => what.to_owned(),
            Some(Ok(Done::Later)) => format!("{what}; the site hears of it later"),
            Some(Err(error)) => format!("refused: {}", self.names.brief(&error)),
            None => format!("no answer within {} s", DONE_WITHIN_MS / 1_000),
        }])
    }

    fn leave(&mut self, number: usize) -> Result<Vec<String>, Stop> {
        let node = self.world.devices()[number].node().cloned();
        let node = node.ok_or_else(|| format!("no agent runs on pc{number} that could be asked"))?;
        let answer = Answer::default();
        let given = answer.clone();
        self.world.devices()[number].spawn(async move {
            given.give(node.leave_site().await.map_err(|error| error.to_string()));
        });
        self.answered(&answer)
    }

    fn declare_always_on(&mut self, number: usize) -> Result<Vec<String>, Stop> {
        let settings = DeviceSettings { always_on: Some(true), ..DeviceSettings::default() };
        self.order(number, |device| Order::SetDevice { device, settings })
    }

    fn revoke(&mut self, number: usize) -> Result<Vec<String>, Stop> {
        self.order(number, |device| Order::RevokeDevice { device })
    }

    /// An admin's command about a machine, by way of another one.
    fn order(&mut self, about: usize, order: impl FnOnce(DeviceId) -> Order) -> Result<Vec<String>, Stop> {
        let device = self.world.devices()[about].id().ok_or_else(|| format!("no agent runs on pc{about}"))?;
        let ready = |device: &&Device| device.is_awake() && device.is_ready();
        let others = self.world.devices().iter().filter(|device| device.number() != about);
        let by = others.chain(self.world.devices()).find(ready).map(Device::number);
        let by = by.ok_or_else(|| "no agent runs that could be asked".to_owned())?;
        let answer = self.world.command(by, order(device));
        self.answered(&answer)
    }

    fn answered(&mut self, answer: &Answer<Result<(), String>>) -> Result<Vec<String>, Stop> {
        let mut result = None;
        self.world.run_until(DONE_WITHIN_MS, |_| {
            result = answer.take();
            result.is_some()
        })?;
        Ok(vec![match result {
            Some(Ok(())) => "done".to_owned(),
            Some(Err(error)) => format!("refused: {}", self.names.brief(&error)),
            None => format!("no answer within {} s", DONE_WITHIN_MS / 1_000),
        }])
    }
}

fn a_user(text: &str) -> Result<Name, Meaningless> {
    Name::new(text).map_err(|error| format!("`{text}` is no user: {error}"))
}
