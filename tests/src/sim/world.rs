//! The world: true time, the machines, the network between them. One call of [`World::step`] lets a quantum of time
//! pass everywhere, and then looks at everything.

use std::time::Duration;

use seatkeeper_election::{EngineConfig, Timing};
use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_protocol::id::Name;

use super::chance::Chance;
use super::check::{Checks, View, Violation};
use super::clock::{SimClock, WorldTime};
use super::counts::Counts;
use super::device::{Answer, Device, Make, address, wall_at};
use super::disk::Image;
use super::history::History;
use super::lending::{self, Lent};
use super::net::SimNet;
use super::program::{Kind, Program};
use super::rival::Rival;
use super::site::{self, Admin, Sale};
use super::trace::Trace;
use super::watch::{Seen, Watch};

/// What a world is like.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The seed.
    pub seed: u64,
    /// Machines.
    pub devices: usize,
    /// The last so many of them are laptops.
    pub laptops: usize,
    /// Milliseconds of a step; no message is faster.
    pub quantum_ms: u64,
    /// The settings of logs.
    pub engine: EngineConfig,
    /// Without discovery: devices know each other as static peers.
    pub discovery: bool,
    /// The license.
    pub sale: Sale,
}

impl Setting {
    /// An office as most are.
    pub fn office(seed: u64, devices: usize) -> Self {
        Self {
            seed,
            devices,
            laptops: 0,
            quantum_ms: 5,
            engine: EngineConfig {
                timing: Timing::lan(),
                snapshot_every_entries: 60,
                keep_log_entries: 20,
                ..EngineConfig::default()
            },
            discovery: true,
            sale: Sale { seats: 3, ttl_s: 15, share: "user-device", valid_until: None, terms: "" },
        }
    }
}

/// Everything.
#[derive(Debug)]
pub struct World {
    setting: Setting,
    time: WorldTime,
    net: SimNet,
    devices: Vec<Device>,
    watch: Watch,
    history: History,
    checks: Checks,
    /// What has happened so far.
    pub counts: Counts,
    /// What is told of it.
    pub trace: Trace,
    admin: Admin,
    programs: u64,
    asked: Vec<(String, Answer<Result<(), String>>)>,
    /// Borrows and returns under way.
    lending: Vec<(String, Answer<Lent>)>,
    rival: Rival,
}

impl World {
    /// A world in which all machines are off.
    pub fn new(setting: Setting, trace: Trace) -> Self {
        let chance = Chance::new(setting.seed);
        let quantum = Duration::from_millis(setting.quantum_ms);
        let time = WorldTime::new();
        trace.tell_logs(&time);
        let latency = quantum..=quantum * 3;
        let net = SimNet::new(&time, chance.fork("network"), quantum, latency);
        let watch = Watch::default();
        let devices = (0..setting.devices)
            .map(|number| {
                let peers = (0..setting.devices).filter(|_| !setting.discovery).map(address);
                let make = Make {
                    number,
                    laptop: number + setting.laptops >= setting.devices,
                    engine: setting.engine,
                    peers: peers.collect(),
                    discovers: setting.discovery,
                };
                let mut chance = chance.fork(format!("device {number}"));
                let clock = SimClock::new(&time, &mut chance);
                Device::new(make, &net, clock, watch.clone(), chance)
            })
            .collect();
        let admin = Admin::default();
        let rival = Rival::new(&net, SimClock::new(&time, &mut chance.fork("rival")));
        Self {
            setting,
            time,
            net,
            devices,
            watch,
            history: History::default(),
            checks: Checks::default(),
            counts: Counts::default(),
            trace,
            admin,
            programs: 0,
            asked: Vec::new(),
            lending: Vec::new(),
            rival,
        }
    }

    /// True time, milliseconds.
    pub fn now(&self) -> u64 {
        self.time.now_ns() / 1_000_000
    }

    /// The machines.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// A machine.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn device(&mut self, number: usize) -> &mut Device {
        &mut self.devices[number]
    }

    /// The network.
    pub fn net(&self) -> &SimNet {
        &self.net
    }

    /// The site's history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What the world is like.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The admin.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Lets a quantum pass.
    ///
    /// # Errors
    /// The invariant that does not hold afterwards.
    pub fn step(&mut self) -> Result<(), Violation> {
        let quantum = Duration::from_millis(self.setting.quantum_ms);
        let newest_before = self.history.newest();
        self.net.deliver();
        let now = self.now();
        for device in &mut self.devices {
            if device.wake(now) {
                self.trace.tell(now, format_args!("{} wakes", device.name()));
            }
            if device.fall_asleep(now) {
                self.trace.tell(now, format_args!("{} sleeps", device.name()));
            }
            device.run(quantum);
        }
        self.rival.run(now, quantum, &self.net);
        self.time.advance(quantum);
        let now = self.now();
        let seen = self.watch.take();
        self.history.fresh.clear();
        for seen in &seen {
            match seen {
                Seen::Applied(applied) => {
                    self.history.applied(applied, now);
                }
                Seen::Restored { device, books } => {
                    self.history.applied.insert(*device, books.index());
                }
                _ => {}
            }
        }
        self.trace.follow(now, &seen, &self.history);
        self.counts.follow(&seen, &self.history, &self.devices);
        // A disk that broke in the middle of a write takes its machine along.
        for device in &mut self.devices {
            if device.is_on() && device.disk().is_dead() && device.has_agent() {
                self.trace.tell(now, format_args!("{} loses power in the middle of a write", device.name()));
                self.counts.power_cuts += 1;
                device.power_cut();
            }
        }
        let view = View {
            now,
            quantum: self.setting.quantum_ms,
            devices: &self.devices,
            seen: &seen,
            history: &self.history,
            newest_before,
        };
        let checked = match super::run::panicked() {
            Some(panic) => Err(Violation { invariant: "I11", found: format!("a panic: {panic}") }),
            None => self.checks.step(&view),
        };
        if let Err(violation) = &checked {
            self.trace.tell(now, format_args!("VIOLATION {}: {}", violation.invariant, violation.found));
        }
        checked
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// The invariant that did not hold on the way.
    pub fn run_ms(&mut self, ms: u64) -> Result<(), Violation> {
        let until = self.now() + ms;
        while self.now() < until {
            self.step()?;
        }
        Ok(())
    }

    /// Lets time pass until something is so; whether it was within this time.
    ///
    /// # Errors
    /// The invariant that did not hold on the way.
    pub fn run_until(&mut self, ms: u64, mut so: impl FnMut(&mut Self) -> bool) -> Result<bool, Violation> {
        let until = self.now() + ms;
        loop {
            if so(self) {
                return Ok(true);
            }
            if self.now() >= until {
                return Ok(false);
            }
            self.step()?;
        }
    }

    /// Switches a machine on, or starts its agent.
    pub fn start(&mut self, number: usize) {
        let now = self.now();
        self.trace.tell(now, format_args!("pc{number} starts"));
        self.devices[number].start(now);
    }

    /// A program on a machine asks for a seat; its number, if there is an agent to ask.
    pub fn checkout(&mut self, number: usize, user: &str, kind: Kind) -> Option<u64> {
        self.launch(number, user, kind, false)
    }

    /// As [`World::checkout`]; the program waits in the queue when no seat is free.
    pub fn wait(&mut self, number: usize, user: &str, kind: Kind) -> Option<u64> {
        self.launch(number, user, kind, true)
    }

    fn launch(&mut self, number: usize, user: &str, kind: Kind, patient: bool) -> Option<u64> {
        self.programs += 1;
        let user = Name::new(user).expect("a user's name");
        let program = Program::new(self.programs, number, kind, user, site::product(), patient);
        self.devices[number].launch(program).then_some(self.programs)
    }

    /// A running program.
    pub fn program(&self, number: u64) -> Option<&Program> {
        self.devices.iter().flat_map(Device::programs).find(|program| program.number() == number)
    }

    /// An admin's command, by way of a machine; it is told in the trace how it went.
    pub fn command(&self, number: usize, command: Command) -> Answer<Result<(), String>> {
        let answer = Answer::default();
        if let Some(node) = self.devices[number].node().cloned() {
            let (admin, given) = (self.admin.clone(), answer.clone());
            self.devices[number].spawn(async move {
                given.give(match admin.command(&node, &command).await {
                    Ok(Outcome::Refused(refusal)) => Err(refusal.to_string()),
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                });
            });
        } else {
            answer.give(Err("there is no agent to ask".to_owned()));
        }
        answer
    }

    /// The first machine creates the site and adds the license, the others join; then they are given time to arrange
    /// themselves.
    ///
    /// # Errors
    /// What did not work.
    pub fn found(&mut self) -> Result<(), Violation> {
        let failed = |found: String| Violation { invariant: "setup", found };
        for number in 0..self.devices.len() {
            self.start(number);
        }
        self.run_until(2_000, |world| world.devices.iter().all(Device::is_ready))?;
        let node = self.devices[0].node().cloned().ok_or_else(|| failed("pc0 does not start".to_owned()))?;
        let (admin, created) = (self.admin.clone(), Answer::default());
        let answer = created.clone();
        self.devices[0].spawn(async move { answer.give(admin.create_site(&node).await) });
        let mut result = None;
        self.run_until(15_000, |_| {
            result = created.take();
            result.is_some()
        })?;
        match result {
            Some(Ok(())) => {}
            other => return Err(failed(format!("the site was not created: {other:?}"))),
        }
        let trust = self.admin.trust();
        self.done(0, "trust", trust)?;
        let (license, _) = self.admin.license(&self.setting.sale.clone());
        self.done(0, "license", license)?;
        for number in 1..self.devices.len() {
            self.join(number)?;
        }
        let voters = if self.devices.len() < 3 { 1 } else { 3 };
        let settled = |world: &mut Self| {
            let leader = world.devices.iter().filter_map(Device::status).find(|status| status.is_leader);
            leader.is_some_and(|status| status.voters() >= voters)
        };
        if !self.run_until(60_000, settled)? {
            return Err(failed("the office did not get its voters".to_owned()));
        }
        self.run_ms(2_000)
    }

    /// Has a command of the admin carried out.
    ///
    /// # Errors
    /// When it is not, within 20 s.
    pub fn done(&mut self, number: usize, what: &str, command: Command) -> Result<(), Violation> {
        let answer = self.command(number, command);
        let mut result = None;
        self.run_until(20_000, |_| {
            result = answer.take();
            result.is_some()
        })?;
        match result {
            Some(Ok(())) => Ok(()),
            other => Err(Violation { invariant: "setup", found: format!("{what}: {other:?}") }),
        }
    }

    /// A machine joins, invited by way of the first one.
    ///
    /// # Errors
    /// When it does not, within 30 s.
    pub fn join(&mut self, number: usize) -> Result<(), Violation> {
        let (command, code) = self.admin.invite(wall_at(self.now()).plus_ms(3_600_000));
        self.done(0, "invite", command)?;
        let answer = self.begin_join(number, code);
        let mut result = None;
        self.run_until(30_000, |_| {
            result = answer.take();
            result.is_some()
        })?;
        match result {
            Some(Ok(())) => Ok(()),
            other => {
                Err(Violation { invariant: "setup", found: format!("pc{number} does not join: {other:?}") })
            }
        }
    }

    /// A machine begins to join with a code.
    pub fn begin_join(&mut self, number: usize, code: String) -> Answer<Result<(), String>> {
        let answer = Answer::default();
        match self.devices[number].node().cloned() {
            Some(node) => {
                let given = answer.clone();
                let work =
                    async move { given.give(site::join(&node, code).await.map_err(|e| e.to_string())) };
                self.devices[number].spawn(work);
            }
            None => answer.give(Err("there is no agent".to_owned())),
        }
        answer
    }

    /// The site goes on from the books of this machine.
    pub fn recover(&mut self, number: usize) -> Answer<Result<(), String>> {
        let answer = Answer::default();
        match self.devices[number].node().cloned() {
            Some(node) => {
                let (admin, given) = (self.admin.clone(), answer.clone());
                let work = async move { given.give(admin.recover(&node).await.map_err(|e| e.to_string())) };
                self.devices[number].spawn(work);
            }
            None => answer.give(Err("there is no agent".to_owned())),
        }
        answer
    }

    /// Tells the answers that have come.
    pub fn tell_answers(&mut self) {
        let now = self.now();
        let trace = &mut self.trace;
        self.asked.retain(|(what, answer)| match answer.take() {
            Some(result) => {
                trace.tell(now, format_args!("{what}: {result:?}"));
                false
            }
            None => true,
        });
        let counts = &mut self.counts;
        self.lending.retain(|(what, answer)| match answer.take() {
            Some(result) => {
                counts.late_returns += u64::from(result == Ok(lending::Done::Later));
                trace.tell(now, format_args!("{what}: {result:?}"));
                false
            }
            None => true,
        });
    }

    /// Whether something was asked of an agent that lives and has not answered yet.
    pub fn awaits_answers(&self) -> bool {
        self.asked.iter().any(|(_, answer)| answer.is_awaited())
            || self.lending.iter().any(|(_, answer)| answer.is_awaited())
    }
}

/// What schedules do.
impl World {
    /// An admin's command by way of a machine, whose answer is told when it comes.
    pub fn ask(&mut self, number: usize, what: String, command: Command) {
        let answer = self.command(number, command);
        self.asked.push((what, answer));
    }

    /// Its answer is told when it comes.
    pub fn tell_lent(&mut self, what: String, answer: Answer<Lent>) {
        self.lending.push((what, answer));
    }

    /// A machine with a copy of another's disk.
    pub fn add_clone(&mut self, image: &Image) -> usize {
        let number = self.add_machine(false);
        self.devices[number].become_copy(image);
        number
    }

    /// One machine more, switched off.
    pub fn add_machine(&mut self, laptop: bool) -> usize {
        let number = self.devices.len();
        let mut chance = Chance::new(self.setting.seed).fork(format!("clone {number}"));
        let make = Make { number, laptop, engine: self.setting.engine, peers: Vec::new(), discovers: true };
        let clock = SimClock::new(&self.time, &mut chance);
        self.devices.push(Device::new(make, &self.net, clock, self.watch.clone(), chance));
        number
    }

    /// A machine leaves the site and comes back with an invitation.
    pub fn leave_and_rejoin(&mut self, number: usize) {
        let (Some(node), admin) = (self.devices[number].node().cloned(), self.admin.clone()) else { return };
        let helper = self.devices.iter().find(|device| device.number() != number && device.is_ready());
        let Some(helper) = helper.and_then(|device| device.node().cloned()) else { return };
        let answer = Answer::default();
        let given = answer.clone();
        let ends = wall_at(self.now()).plus_ms(3_600_000);
        // The way of the admin's command and of the machine's own are two machines: the code goes by hand.
        let code: Answer<String> = Answer::default();
        let (command, text) = admin.invite(ends);
        let by_hand = code.clone();
        if let Some(device) = self.devices.iter().find(|device| device.id() == Some(helper.device())) {
            device.spawn(async move {
                if admin.command(&helper, &command).await.is_ok() {
                    by_hand.give(text);
                }
            });
        }
        self.devices[number].spawn(async move {
            if let Err(error) = node.leave_site().await {
                return given.give(Err(format!("not left: {error}")));
            }
            for _ in 0..600 {
                if let Some(code) = code.take() {
                    let joined = node.join_when_found(code).await.map_err(|error| error.to_string());
                    return given.give(joined);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            given.give(Err("left, and no invitation came".to_owned()));
        });
        self.asked.push((format!("pc{number} leaves and rejoins"), answer));
    }

    /// Somebody with a machine's key speaks for another generation.
    pub fn send_rival(&mut self, number: usize) {
        let Some(site) = self.admin.site() else { return };
        let reachable = |device: &Device| Some((device.id()?, self.net.address(device.place())));
        let others = self.devices.iter().filter_map(reachable).collect();
        let now = self.now();
        self.rival.send(now, self.devices[number].disk(), site, others, self.watch.clone());
    }

    /// Adds what hardware and network have counted.
    pub fn take_counters(&mut self) {
        for device in &self.devices {
            let disk = device.disk().counters();
            self.counts.lost_writes += disk.lost_unsynced;
            self.counts.torn_writes += disk.torn;
        }
        let net = self.net.counters();
        self.counts.timeouts += net.idle_timeouts;
        self.counts.resets += net.resets;
    }
}
