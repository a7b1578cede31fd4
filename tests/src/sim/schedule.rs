//! Random schedules: an office at work, with everything going wrong that can.
//!
//! Every fault has its end in the same schedule, so that there is always something left to go wrong; the last phase
//! ends all of them and sees that everybody can work.

use std::collections::BTreeMap;
use std::time::Duration;

use seatkeeper_election::{EngineConfig, Timing};
use seatkeeper_ledger::command::Command;

use super::chance::Chance;
use super::check::Violation;
use super::device::Device;
use super::disk::{Image, Moment};
use super::net::Pause;
use super::program::{Kind, State};
use super::site::Sale;
use super::world::{Setting, World};

/// Shortest schedule, milliseconds, and fewest events.
const LASTS_MS: u64 = 600_000;
const EVENTS: u64 = 200;
/// Who runs programs.
const USERS: [&str; 3] = ["eva", "jan", "ola"];
/// A clock that is a year off, milliseconds.
const YEAR_MS: i64 = 365 * 24 * 3_600_000;
/// A rolled back disk is found out and replaced before anything else goes wrong, milliseconds.
const QUIET_MS: u64 = 15_000;
/// After everything is mended, an office has this long to notice that old seats are free, milliseconds.
const SETTLE_MS: u64 = 45_000;
/// Then everybody who asks within the pool's size has a seat within this time, milliseconds.
const SEAT_WITHIN_MS: u64 = 10_000;

/// The end of a fault.
#[derive(Clone, Debug)]
enum Mend {
    Start(usize),
    Links,
    Calm,
    Disk(usize),
    Clock(usize, i64),
    SwitchOff(usize),
}

/// A random schedule under way.
#[derive(Debug)]
pub struct Schedule {
    chance: Chance,
    mends: BTreeMap<(u64, u64), Mend>,
    number: u64,
    quiet_until: u64,
    images: BTreeMap<usize, Image>,
    revoked: Vec<usize>,
    away: Vec<usize>,
    weights: Vec<(Fault, u64)>,
}

/// What goes wrong, or is just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    KillHolder,
    Stop,
    StopHolder,
    PowerCut,
    MassPowerCut,
    CutInWrite,
    Suspend,
    SuspendLong,
    Stall,
    StallHolder,
    DiskStall,
    MessageStall,
    Isolate,
    IsolateHolder,
    Split,
    OneWay,
    Heal,
    Slow,
    Lossy,
    Move,
    ClockStep,
    FullDisk,
    BrokenDisk,
    Rollback,
    Clone,
    Leave,
    Revoke,
    Release,
    SwapLicense,
    Rival,
}

const FAULTS: [(Fault, u64); 31] = [
    (Fault::Kill, 10),
    (Fault::KillHolder, 12),
    (Fault::Stop, 6),
    (Fault::StopHolder, 8),
    (Fault::PowerCut, 8),
    (Fault::MassPowerCut, 3),
    (Fault::CutInWrite, 6),
    (Fault::Suspend, 8),
    (Fault::SuspendLong, 6),
    (Fault::Stall, 8),
    (Fault::StallHolder, 8),
    (Fault::DiskStall, 10),
    (Fault::MessageStall, 8),
    (Fault::Isolate, 8),
    (Fault::IsolateHolder, 14),
    (Fault::Split, 8),
    (Fault::OneWay, 10),
    (Fault::Heal, 10),
    (Fault::Slow, 6),
    (Fault::Lossy, 6),
    (Fault::Move, 3),
    (Fault::ClockStep, 6),
    (Fault::FullDisk, 3),
    (Fault::BrokenDisk, 4),
    (Fault::Rollback, 2),
    (Fault::Clone, 2),
    (Fault::Leave, 3),
    (Fault::Revoke, 1),
    (Fault::Release, 5),
    (Fault::SwapLicense, 2),
    (Fault::Rival, 3),
];

/// The world of a seed.
pub fn setting(seed: u64) -> Setting {
    let mut chance = Chance::new(seed).fork("setting");
    let devices = 3 + chance.index(4);
    let lan = chance.chance(0.3);
    Setting {
        devices,
        laptops: chance.index(2),
        quantum_ms: if lan { 5 } else { 10 },
        engine: EngineConfig {
            timing: if lan { Timing::lan() } else { Timing::wifi() },
            snapshot_every_entries: chance.range(30..=120),
            keep_log_entries: chance.range(5..=30),
            ..EngineConfig::default()
        },
        discovery: chance.chance(0.85),
        sale: Sale {
            seats: u32::try_from(chance.range(1..=3)).unwrap_or(1),
            ttl_s: chance.range(15..=20),
            share: if chance.chance(0.5) { "user-device" } else { "none" },
            valid_until: chance.chance(0.4).then_some("2026-01-04"),
        },
        ..Setting::office(seed, devices)
    }
}

impl Schedule {
    /// The schedule of a seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed).fork("schedule");
        // Each schedule has its own kinds of trouble: some not at all, some all the time.
        let weights = FAULTS
            .iter()
            .map(|(fault, weight)| (*fault, weight * [0, 1, 1, 4][chance.index(4)]))
            .filter(|(_, weight)| *weight > 0)
            .collect();
        Self {
            chance,
            mends: BTreeMap::new(),
            number: 0,
            quiet_until: 0,
            images: BTreeMap::new(),
            revoked: Vec::new(),
            away: Vec::new(),
            weights,
        }
    }

    /// Runs the whole schedule on a world that is founded.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(&mut self, world: &mut World) -> Result<(), Violation> {
        if self.chance.chance(0.3) {
            let number = self.chance.index(world.devices().len());
            let year = if self.chance.chance(0.5) { YEAR_MS } else { -YEAR_MS };
            world.device(number).clock().step(year);
            let now = world.now();
            world.trace.tell(now, format_args!("the clock of pc{number} is a year off"));
        }
        let lasts = LASTS_MS + if self.chance.chance(0.15) { 700_000 } else { 0 };
        let until = world.now() + lasts;
        while world.now() < until || world.counts.events < EVENTS {
            let pause = self.chance.range(20..=4_500);
            let next = world.now() + pause;
            while world.now() < next {
                self.mend_due(world);
                world.step()?;
            }
            world.tell_answers();
            world.counts.events += 1;
            if self.chance.chance(0.5) {
                self.work(world);
            } else {
                self.trouble(world);
            }
        }
        self.end(world)
    }

    fn later(&mut self, world: &World, within_ms: std::ops::RangeInclusive<u64>, mend: Mend) {
        self.number += 1;
        let at = world.now() + self.chance.range(within_ms);
        self.mends.insert((at, self.number), mend);
    }

    fn mend_due(&mut self, world: &mut World) {
        while let Some(entry) = self.mends.first_entry() {
            if entry.key().0 > world.now() {
                return;
            }
            let mend = entry.remove();
            self.mend(world, mend);
        }
    }

    fn mend(&mut self, world: &mut World, mend: Mend) {
        let now = world.now();
        match mend {
            Mend::Start(number) => {
                if !world.devices()[number].has_agent() {
                    world.start(number);
                }
            }
            Mend::Links => {
                world.trace.tell(now, format_args!("the network is whole again"));
                world.net().heal_all();
            }
            Mend::Calm => {
                world.trace.tell(now, format_args!("the network is fast again"));
                world.net().calm();
            }
            Mend::Disk(number) => {
                world.trace.tell(now, format_args!("pc{number}'s disk is mended"));
                let device = world.device(number);
                device.disk().mend();
                device.disk().fill(None);
                // What failed stays failed until the agent starts again.
                device.kill();
                self.later(world, 50..=1_000, Mend::Start(number));
            }
            Mend::Clock(number, ms) => world.device(number).clock().step(ms),
            Mend::SwitchOff(number) => {
                world.trace.tell(now, format_args!("pc{number} is switched off for good"));
                world.device(number).power_cut();
            }
        }
    }

    /// Programs start and end.
    fn work(&mut self, world: &mut World) {
        let now = world.now();
        let running: Vec<u64> = world
            .devices()
            .iter()
            .flat_map(Device::programs)
            .filter(|program| program.is_running())
            .map(super::program::Program::number)
            .collect();
        let seats = usize::try_from(world.setting().sale.seats).unwrap_or(1);
        if running.len() > seats || (!running.is_empty() && self.chance.chance(0.4)) {
            if let Some(number) = self.chance.pick(&running).copied()
                && let Some(program) = world.program(number).cloned()
            {
                world.trace.tell(now, format_args!("program {number} ends"));
                program.end();
            }
            return;
        }
        let number = self.chance.index(world.devices().len());
        let clone = number >= world.setting().devices;
        let user = if clone { "clone" } else { USERS[self.chance.index(USERS.len())] };
        let kind = if self.chance.chance(0.6) { Kind::Run } else { Kind::Connection };
        if let Some(program) = world.checkout(number, user, kind) {
            world.trace.tell(now, format_args!("pc{number}: {user} starts program {program} ({kind:?})"));
        }
    }

    fn pick_fault(&mut self) -> Option<Fault> {
        let all: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = self.chance.range(1..=all.max(1));
        for (fault, weight) in &self.weights {
            if at <= *weight {
                return Some(*fault);
            }
            at -= weight;
        }
        None
    }

    fn holder(world: &World) -> Option<usize> {
        world
            .devices()
            .iter()
            .find(|device| device.is_awake() && device.holds().is_some())
            .map(Device::number)
    }

    fn any(&mut self, world: &World, of: impl Fn(&Device) -> bool) -> Option<usize> {
        let all: Vec<usize> =
            world.devices().iter().filter(|device| of(device)).map(Device::number).collect();
        self.chance.pick(&all).copied()
    }

    fn trouble(&mut self, world: &mut World) {
        let now = world.now();
        if now < self.quiet_until {
            return;
        }
        let Some(fault) = self.pick_fault() else { return };
        let holder = Self::holder(world);
        let any = self.any(world, Device::has_agent);
        let number = match fault {
            Fault::KillHolder | Fault::StopHolder | Fault::StallHolder | Fault::IsolateHolder => {
                holder.or(any)
            }
            _ => any,
        };
        let Some(number) = number else { return };
        world.trace.tell(now, format_args!("{fault:?} pc{number}"));
        match fault {
            Fault::Kill | Fault::KillHolder => {
                world.counts.kills += 1;
                world.device(number).kill();
                self.later(world, 50..=25_000, Mend::Start(number));
            }
            Fault::Stop | Fault::StopHolder => {
                world.counts.stops += 1;
                if fault == Fault::StopHolder {
                    world.counts.transfers += u64::from(holder == Some(number));
                }
                world.device(number).stop();
                self.later(world, 5_000..=40_000, Mend::Start(number));
            }
            Fault::PowerCut => self.power_cut(world, number),
            Fault::MassPowerCut => {
                world.counts.mass_power_cuts += 1;
                for number in 0..world.devices().len() {
                    if world.devices()[number].is_on() && self.chance.chance(0.8) {
                        self.power_cut(world, number);
                    }
                }
            }
            Fault::CutInWrite => {
                let operations = self.chance.range(0..=40);
                world.device(number).disk().cut_after(operations);
                self.later(world, 5_000..=30_000, Mend::Start(number));
            }
            Fault::Suspend | Fault::SuspendLong => {
                let long = fault == Fault::SuspendLong;
                let ms =
                    if long { self.chance.range(16_000..=60_000) } else { self.chance.range(500..=15_000) };
                if world.device(number).pause_until(now + ms, Pause::Suspended) {
                    world.counts.suspends += 1;
                    world.counts.suspends_past_ttl += u64::from(ms > world.setting().sale.ttl_s * 1_000);
                }
            }
            Fault::Stall | Fault::StallHolder => {
                let ms = self.chance.range(30..=8_000);
                world.counts.stalls += u64::from(world.device(number).pause_until(now + ms, Pause::Stalled));
            }
            Fault::DiskStall => {
                world.counts.disk_stalls += 1;
                let moment = if self.chance.chance(0.5) { Moment::BeforeWork } else { Moment::BeforeAnswer };
                let time = Duration::from_millis(self.chance.range(20..=4_000));
                world.device(number).disk().stall(moment, time);
            }
            Fault::MessageStall | Fault::Slow => {
                let Some(other) = holder.filter(|other| *other != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                let ms = if fault == Fault::Slow {
                    world.counts.slow_links += 1;
                    self.chance.range(20..=300)
                } else {
                    world.counts.message_stalls += 1;
                    self.chance.range(300..=6_000)
                };
                world.net().slow(a, b, Duration::from_millis(ms / 2)..=Duration::from_millis(ms));
                self.later(world, 200..=15_000, Mend::Calm);
            }
            Fault::Isolate | Fault::IsolateHolder => {
                world.counts.partitions += 1;
                world.net().isolate(world.devices()[number].place());
                self.later(world, 300..=45_000, Mend::Links);
            }
            Fault::Split => {
                world.counts.partitions += 1;
                let (mut left, mut right) = (Vec::new(), Vec::new());
                for device in world.devices() {
                    if self.chance.chance(0.5) {
                        left.push(device.place())
                    } else {
                        right.push(device.place())
                    }
                }
                for a in &left {
                    right.iter().for_each(|b| world.net().cut(*a, *b));
                }
                world.trace.tell(now, format_args!("left: {left:?}"));
                self.later(world, 300..=45_000, Mend::Links);
            }
            Fault::OneWay => {
                world.counts.one_way += 1;
                let Some(other) = self.any(world, |device| device.number() != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                world.net().cut_one_way(a, b);
                world.trace.tell(now, format_args!("pc{other} no longer hears pc{number}"));
                self.later(world, 300..=30_000, Mend::Links);
            }
            Fault::Heal => world.net().heal_all(),
            Fault::Lossy => {
                world.counts.lossy_links += 1;
                let Some(other) = self.any(world, |device| device.number() != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                let probability = [0.05, 0.3, 0.7][self.chance.index(3)];
                world.net().lossy(a, b, probability);
                self.later(world, 1_000..=30_000, Mend::Calm);
            }
            Fault::Move => {
                world.counts.moves += 1;
                let last = u8::try_from(self.chance.range(1..=250)).unwrap_or(1);
                let subnet = u8::try_from(1 + number).unwrap_or(1);
                let address = std::net::SocketAddr::from(([10, 1, subnet, last], 7410));
                world.net().move_to(world.devices()[number].place(), address, 0.7);
            }
            Fault::ClockStep => {
                world.counts.clock_steps += 1;
                let far = [2_000, 90_000, 3_600_000][self.chance.index(3)];
                let ms = i64::try_from(self.chance.range(0..=2 * far)).unwrap_or(0)
                    - i64::try_from(far).unwrap_or(0);
                let off = world.devices().iter().any(|device| device.clock().wall_error_ms().abs() > 30_000);
                if off && ms.abs() > 30_000 {
                    return; // The median of three bears one wrong clock.
                }
                world.device(number).clock().step(ms);
                self.later(world, 1_000..=90_000, Mend::Clock(number, -ms));
            }
            Fault::FullDisk => {
                world.counts.full_disks += 1;
                let left = self.chance.range(0..=20_000);
                world.device(number).disk().fill(Some(left));
                self.later(world, 1_000..=20_000, Mend::Disk(number));
            }
            Fault::BrokenDisk => {
                world.counts.broken_disks += 1;
                let operations = self.chance.range(0..=30);
                world.device(number).disk().break_writes(operations);
                self.later(world, 1_000..=20_000, Mend::Disk(number));
            }
            Fault::Rollback => self.roll_back(world, number),
            Fault::Clone => self.clone_disk(world),
            Fault::Leave => self.leave_and_rejoin(world, number),
            Fault::Revoke => self.revoke(world, number),
            Fault::Release => {
                let live: Vec<u64> = world.history().live().map(|session| session.seat).collect();
                if let Some(seat) = self.chance.pick(&live).copied() {
                    let command = Command::ReleaseSeat { seat: seatkeeper_protocol::id::SeatId(seat) };
                    world.ask(number, format!("release seat {seat}"), command);
                }
            }
            Fault::SwapLicense => {
                let old: Vec<_> = world.history().licenses.iter().filter(|(_, owned)| owned.active).collect();
                let old = old.first().map(|(id, _)| (*id).clone());
                let sale = Sale { valid_until: None, ..world.setting().sale.clone() };
                let (command, id) = world.admin().license(&sale);
                world.ask(number, format!("add license {id}"), command);
                if let Some(license) = old {
                    world.ask(
                        number,
                        format!("remove license {license}"),
                        Command::RemoveLicense { license },
                    );
                }
            }
            Fault::Rival => world.send_rival(number),
        }
    }

    fn power_cut(&mut self, world: &mut World, number: usize) {
        world.counts.power_cuts += 1;
        world.device(number).power_cut();
        if !self.away.contains(&number) {
            self.later(world, 500..=30_000, Mend::Start(number));
        }
    }

    /// Whether nothing is wrong anywhere: everybody is on, hears everybody, and the voters have everything.
    fn healthy(&self, world: &World) -> bool {
        let up = world.devices().iter().filter(|device| !self.is_out(device.number()));
        let mut statuses = up.clone().filter_map(Device::status);
        let whole = statuses.find(|status| status.is_leader).is_some_and(|leader| {
            leader.quorum_ok
                && leader.members.iter().all(|member| member.matched.is_none_or(|at| at == leader.last_log))
        });
        whole && self.mends.is_empty() && up.clone().all(|device| device.is_awake() && device.is_ready())
    }

    fn is_out(&self, number: usize) -> bool {
        self.revoked.contains(&number) || self.away.contains(&number)
    }

    /// An old image of a disk is put back. Only while all others have what it loses, as a majority of disks must live.
    fn roll_back(&mut self, world: &mut World, number: usize) {
        if !self.healthy(world) || Some(number) == Self::holder(world) || self.is_out(number) {
            return;
        }
        let Some(image) = self.images.remove(&number) else {
            self.images.insert(number, world.devices()[number].disk().image());
            return;
        };
        world.counts.rollbacks += 1;
        let now = world.now();
        world.trace.tell(now, format_args!("pc{number} gets an old image of its disk"));
        world.device(number).power_cut();
        world.device(number).disk().restore(&image);
        world.start(number);
        self.quiet_until = now + QUIET_MS;
    }

    /// A spare's disk is put into another machine too, for a while. A log holder's is not defended against that.
    fn clone_disk(&mut self, world: &mut World) {
        let spare = self
            .any(world, |device| device.is_ready() && device.status().is_none() && device.root().is_some());
        let Some(spare) = spare.filter(|spare| !self.is_out(*spare) && self.away.is_empty()) else { return };
        world.counts.clones += 1;
        let image = world.devices()[spare].disk().image();
        let number = world.add_clone(&image);
        self.away.push(number);
        world.start(number);
        self.later(world, 5_000..=60_000, Mend::SwitchOff(number));
    }

    fn leave_and_rejoin(&mut self, world: &mut World, number: usize) {
        if self.is_out(number) || world.devices().len() < 4 {
            return;
        }
        world.leave_and_rejoin(number);
    }

    fn revoke(&mut self, world: &mut World, number: usize) {
        let left = world.setting().devices - self.revoked.len();
        if self.is_out(number) || left < 4 {
            return;
        }
        let Some(device) = world.devices()[number].id() else { return };
        let Some(other) = self.any(world, |device| device.number() != number && device.is_ready()) else {
            return;
        };
        self.revoked.push(number);
        world.ask(other, format!("revoke pc{number}"), Command::RevokeDevice { device });
    }

    /// Everything is mended; then everybody can work.
    fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        let failed = |found: String| Violation { invariant: "liveness", found };
        let now = world.now();
        world.trace.tell(now, format_args!("everything is mended"));
        for (_, mend) in std::mem::take(&mut self.mends) {
            self.mend(world, mend);
        }
        self.mends.clear();
        world.net().heal_all();
        world.net().calm();
        for number in 0..world.devices().len() {
            let away = self.is_out(number);
            let device = world.device(number);
            device.disk().mend();
            device.disk().fill(None);
            device.programs().iter().for_each(super::program::Program::end);
            device.wake(u64::MAX);
            let dead = device.status().is_some_and(|status| status.fatal.is_some());
            if away || dead {
                device.kill();
            }
        }
        world.run_ms(100)?;
        for number in 0..world.devices().len() {
            if !self.is_out(number) && !world.devices()[number].has_agent() {
                world.start(number);
            }
        }
        let holds = |world: &mut World| Self::holder(world).is_some();
        if !world.run_until(SEAT_WITHIN_MS, holds)? {
            return Err(failed("nobody holds 10 s after everything was mended".to_owned()));
        }
        world.run_ms(SETTLE_MS)?;
        if let Some(session) = world.history().live().next() {
            return Err(failed(format!("a seat is still taken that nobody uses: {session:?}")));
        }
        let owned: u32 = world
            .history()
            .licenses
            .values()
            .filter(|owned| owned.active)
            .map(|owned| owned.license.seats)
            .sum();
        let ready: Vec<usize> = world
            .devices()
            .iter()
            .filter(|device| device.is_ready() && device.root().is_some() && !self.is_out(device.number()))
            .map(Device::number)
            .collect();
        let mut asked = Vec::new();
        for at in 0..usize::try_from(owned).unwrap_or(0) {
            let Some(number) = ready.get(at % ready.len().max(1)) else { break };
            // Nobody shares with anybody.
            if let Some(program) = world.checkout(*number, &format!("late {at}"), Kind::Run) {
                asked.push(program);
            }
        }
        let all = |world: &mut World| {
            asked.iter().all(|program| {
                world.program(*program).is_some_and(|program| matches!(program.state(), State::Using { .. }))
            })
        };
        if !world.run_until(SEAT_WITHIN_MS, all)? {
            let states: Vec<_> =
                asked.iter().filter_map(|program| world.program(*program)).map(|p| p.state()).collect();
            return Err(failed(format!(
                "{owned} seats are owned, and after 10 s these asked for them: {states:?}"
            )));
        }
        Ok(())
    }
}
