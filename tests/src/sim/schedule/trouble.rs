//! What goes wrong.

use std::time::Duration;

use seatkeeper_election::{Member, Status};
use seatkeeper_ledger::command::{Command, Outcome};

use super::super::device::Device;
use super::super::disk::Moment;
use super::super::net::Pause;
use super::super::program::Program;
use super::super::site::Sale;
use super::super::world::World;
use super::{Mend, Schedule};

/// A rolled back disk is found out and replaced before anything else goes wrong, milliseconds.
const QUIET_MS: u64 = 15_000;
/// A disk that is to go back waits this long for everybody to be well, milliseconds.
const HEALTHY_WITHIN_MS: u64 = 90_000;

/// What goes wrong, or is just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
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
    CutAtGrant,
    Flap,
    CutOffAndStall,
    BackAtTtl,
    LateAndCut,
    Reconnect,
    OldDecision,
    WrongClock,
    VoteTwice,
}

/// What is worth a whole schedule.
pub(super) const HUNTED: [Trouble; 11] = [
    Trouble::CutOffAndStall,
    Trouble::CutAtGrant,
    Trouble::Flap,
    Trouble::BackAtTtl,
    Trouble::LateAndCut,
    Trouble::IsolateHolder,
    Trouble::SuspendLong,
    Trouble::Reconnect,
    Trouble::OldDecision,
    Trouble::WrongClock,
    Trouble::VoteTwice,
];

pub(super) const TROUBLE: [(Trouble, u64); 40] = [
    (Trouble::Kill, 10),
    (Trouble::KillHolder, 12),
    (Trouble::Stop, 6),
    (Trouble::StopHolder, 8),
    (Trouble::PowerCut, 8),
    (Trouble::MassPowerCut, 3),
    (Trouble::CutInWrite, 6),
    (Trouble::Suspend, 8),
    (Trouble::SuspendLong, 6),
    (Trouble::Stall, 8),
    (Trouble::StallHolder, 8),
    (Trouble::DiskStall, 10),
    (Trouble::MessageStall, 8),
    (Trouble::Isolate, 8),
    (Trouble::IsolateHolder, 14),
    (Trouble::Split, 8),
    (Trouble::OneWay, 10),
    (Trouble::Heal, 10),
    (Trouble::Slow, 6),
    (Trouble::Lossy, 6),
    (Trouble::Move, 3),
    (Trouble::ClockStep, 6),
    (Trouble::FullDisk, 3),
    (Trouble::BrokenDisk, 4),
    (Trouble::Rollback, 6),
    (Trouble::Clone, 5),
    (Trouble::Leave, 3),
    (Trouble::Revoke, 1),
    (Trouble::Release, 5),
    (Trouble::SwapLicense, 2),
    (Trouble::Rival, 3),
    (Trouble::CutAtGrant, 4),
    (Trouble::Flap, 5),
    (Trouble::CutOffAndStall, 10),
    (Trouble::BackAtTtl, 8),
    (Trouble::LateAndCut, 8),
    (Trouble::Reconnect, 6),
    (Trouble::OldDecision, 3),
    (Trouble::WrongClock, 4),
    (Trouble::VoteTwice, 4),
];

impl Schedule {
    fn pick_fault(&mut self) -> Option<Trouble> {
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

    pub(super) fn holder(world: &World) -> Option<usize> {
        world
            .devices()
            .iter()
            .find(|device| device.is_awake() && device.holds().is_some())
            .map(Device::number)
    }

    pub(super) fn any(&mut self, world: &World, of: impl Fn(&Device) -> bool) -> Option<usize> {
        let all: Vec<usize> =
            world.devices().iter().filter(|device| of(device)).map(Device::number).collect();
        self.chance.pick(&all).copied()
    }

    pub(super) fn trouble(&mut self, world: &mut World) {
        let now = world.now();
        if now < self.quiet_until || self.quiet.contains(&now) {
            return;
        }
        if let Some((number, until)) = self.rolling_back {
            if now >= until || self.roll_back(world, number) {
                self.rolling_back = None;
            }
            return;
        }
        let Some(fault) = self.pick_fault() else { return };
        let holder = Self::holder(world);
        let any = self.any(world, Device::has_agent);
        // A machine that lost power while it left knows nothing of it: its user tries again.
        let outside = |device: &Device| {
            device.in_site() && device.id().is_some_and(|id| !world.history().enrolled.contains(&id))
        };
        let undone = self.any(world, |device| outside(device));
        let number = match fault {
            Trouble::Leave => undone.or(any),
            Trouble::KillHolder | Trouble::StopHolder | Trouble::StallHolder | Trouble::IsolateHolder => {
                holder.or(any)
            }
            _ => any,
        };
        let Some(number) = number else { return };
        world.trace.tell(now, format_args!("{fault:?} pc{number}"));
        match fault {
            Trouble::Kill | Trouble::KillHolder => {
                world.counts.kills += 1;
                world.device(number).kill();
                self.later(world, 50..=25_000, Mend::Start(number));
            }
            Trouble::Stop | Trouble::StopHolder => {
                world.counts.stops += 1;
                if fault == Trouble::StopHolder {
                    world.counts.transfers += u64::from(holder == Some(number));
                }
                world.device(number).stop();
                self.later(world, 5_000..=40_000, Mend::Start(number));
            }
            Trouble::PowerCut => self.power_cut(world, number),
            Trouble::MassPowerCut => {
                world.counts.mass_power_cuts += 1;
                for number in 0..world.devices().len() {
                    if world.devices()[number].is_on() && self.chance.chance(0.8) {
                        self.power_cut(world, number);
                    }
                }
            }
            Trouble::CutInWrite => {
                let operations = self.chance.range(0..=40);
                world.device(number).disk().cut_after(operations);
                self.later(world, 5_000..=30_000, Mend::Start(number));
            }
            Trouble::Suspend | Trouble::SuspendLong => {
                let long = fault == Trouble::SuspendLong;
                let ms =
                    if long { self.chance.range(16_000..=60_000) } else { self.chance.range(500..=15_000) };
                if world.device(number).pause_until(now + ms, Pause::Suspended) {
                    world.counts.suspends += 1;
                    world.counts.suspends_past_ttl += u64::from(ms > world.setting().sale.ttl_s * 1_000);
                }
            }
            Trouble::Stall | Trouble::StallHolder => {
                let ms = self.chance.range(30..=8_000);
                world.counts.stalls += u64::from(world.device(number).pause_until(now + ms, Pause::Stalled));
            }
            Trouble::DiskStall => {
                world.counts.disk_stalls += 1;
                let moment = if self.chance.chance(0.5) { Moment::BeforeWork } else { Moment::BeforeAnswer };
                let time = Duration::from_millis(self.chance.range(20..=4_000));
                world.device(number).disk().stall(moment, time);
            }
            Trouble::MessageStall | Trouble::Slow => {
                let Some(other) = holder.filter(|other| *other != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                let ms = if fault == Trouble::Slow {
                    world.counts.slow_links += 1;
                    self.chance.range(20..=300)
                } else {
                    world.counts.message_stalls += 1;
                    self.chance.range(300..=6_000)
                };
                world.net().slow(a, b, Duration::from_millis(ms / 2)..=Duration::from_millis(ms));
                self.later(world, 200..=15_000, Mend::Calm);
            }
            Trouble::Isolate | Trouble::IsolateHolder => {
                world.counts.partitions += 1;
                world.net().isolate(world.devices()[number].place());
                self.later(world, 300..=45_000, Mend::Links);
            }
            Trouble::Split => {
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
            Trouble::OneWay => {
                world.counts.one_way += 1;
                let Some(other) = self.any(world, |device| device.number() != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                world.net().cut_one_way(a, b);
                world.trace.tell(now, format_args!("pc{other} no longer hears pc{number}"));
                self.later(world, 300..=30_000, Mend::Links);
            }
            Trouble::Heal => world.net().heal_all(),
            Trouble::Lossy => {
                world.counts.lossy_links += 1;
                let Some(other) = self.any(world, |device| device.number() != number) else { return };
                let (a, b) = (world.devices()[number].place(), world.devices()[other].place());
                let probability = [0.05, 0.3, 0.7][self.chance.index(3)];
                world.net().lossy(a, b, probability);
                self.later(world, 1_000..=30_000, Mend::Calm);
            }
            Trouble::Move => {
                world.counts.moves += 1;
                let last = u8::try_from(self.chance.range(1..=250)).unwrap_or(1);
                let subnet = u8::try_from(1 + number).unwrap_or(1);
                let address = std::net::SocketAddr::from(([10, 1, subnet, last], 7410));
                world.net().move_to(world.devices()[number].place(), address, 0.7);
            }
            Trouble::ClockStep => {
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
            Trouble::FullDisk => {
                world.counts.full_disks += 1;
                let left = self.chance.range(0..=20_000);
                world.device(number).disk().fill(Some(left));
                self.later(world, 1_000..=20_000, Mend::Disk(number));
            }
            Trouble::BrokenDisk => {
                world.counts.broken_disks += 1;
                let operations = self.chance.range(0..=30);
                world.device(number).disk().break_writes(operations);
                self.later(world, 1_000..=20_000, Mend::Disk(number));
            }
            Trouble::Rollback => {
                let known: Vec<usize> = self.images.keys().copied().collect();
                let number = self.chance.pick(&known).copied().unwrap_or(number);
                self.rolling_back = Some((number, now + HEALTHY_WITHIN_MS));
            }
            Trouble::Clone => self.clone_disk(world),
            Trouble::Leave => self.leave_and_rejoin(world, number),
            Trouble::Revoke => self.revoke(world, number),
            Trouble::Release => {
                let borrowed = world.history().lent().map(|(seat, _)| seat);
                let live: Vec<u64> =
                    world.history().live().map(|session| session.seat).chain(borrowed).collect();
                if let Some(seat) = self.chance.pick(&live).copied() {
                    let command = Command::ReleaseSeat { seat: seatkeeper_protocol::id::SeatId(seat) };
                    world.ask(number, format!("release seat {seat}"), command);
                }
            }
            Trouble::SwapLicense => {
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
            Trouble::Rival => world.send_rival(number),
            Trouble::CutAtGrant => self.cut_at_grant = true,
            Trouble::Flap => {
                self.flaps = self.chance.range(3..=12);
                if let Some(holder) = holder {
                    world.counts.kills += 1;
                    world.device(holder).kill();
                    self.later(world, 20..=6_000, Mend::Start(holder));
                }
                self.later(world, 50..=500, Mend::Flap);
            }
            Trouble::LateAndCut => self.late_and_cut(world, holder),
            Trouble::Reconnect => self.reconnect(world, holder),
            Trouble::CutOffAndStall => self.cut_off_and_stall(world, holder),
            Trouble::BackAtTtl => self.back_at_ttl(world, holder),
            Trouble::OldDecision => self.old_decision(world, holder),
            Trouble::WrongClock => self.wrong_clock(world, holder),
            Trouble::VoteTwice => self.vote_twice(world, holder),
        }
    }

    /// All lights go out right after a seat was granted.
    pub(super) fn dark_after_grant(&mut self, world: &mut World) {
        let granted = |index: &u64| {
            let first = world.history().entries.get(index);
            first.is_some_and(|first| matches!(first.outcome, Outcome::Granted(_)))
        };
        if !self.cut_at_grant || !world.history().fresh.iter().any(granted) {
            return;
        }
        self.cut_at_grant = false;
        world.counts.mass_power_cuts += 1;
        let now = world.now();
        world.trace.tell(now, format_args!("the power fails everywhere"));
        for number in 0..world.devices().len() {
            if world.devices()[number].is_on() {
                world.counts.power_cuts += 1;
                world.device(number).power_cut();
                if !self.away.contains(&number) {
                    self.later(world, 100..=8_000, Mend::Start(number));
                }
            }
        }
    }

    fn power_cut(&mut self, world: &mut World, number: usize) {
        if self.chance.chance(0.5) {
            // In the middle of its next write, if there is one soon.
            let operations = self.chance.range(0..=12);
            world.device(number).disk().cut_after(operations);
            self.later(world, 100..=3_000, Mend::PowerOff(number));
        } else {
            world.counts.power_cuts += 1;
            world.device(number).power_cut();
        }
        if !self.away.contains(&number) {
            self.later(world, 3_100..=30_000, Mend::Start(number));
        }
    }

    /// Whether nothing is wrong anywhere: everybody is on, hears everybody, and every log that could still take part in
    /// an election has everything. That of a machine that was taken out or left while it was cut off, and has not heard of it
    /// yet, could: with an old disk beside it that also takes it for a voter.
    fn healthy(&self, world: &World) -> bool {
        let up = world.devices().iter().filter(|device| !self.is_out(device.number()));
        let statuses: Vec<_> = world.devices().iter().filter_map(Device::status).collect();
        let whole = statuses.iter().find(|status| status.is_leader).is_some_and(|leader| {
            let behind = |member: &Member| member.matched.is_some_and(|at| at < leader.last_log);
            let complete = |status: &Status| {
                status.last_log == leader.last_log || status.member_on(status.me.device).is_none()
            };
            leader.quorum_ok && !leader.members.iter().any(behind) && statuses.iter().all(complete)
        });
        whole && self.mends.is_empty() && up.clone().all(|device| device.is_awake() && device.is_ready())
    }

    pub(super) fn is_out(&self, number: usize) -> bool {
        self.revoked.contains_key(&number) || self.away.contains(&number)
    }

    /// An old image of a disk is put back, or made if there is none. Only while all others have what it loses, as a
    /// majority of disks must live. Whether it was done.
    fn roll_back(&mut self, world: &mut World, number: usize) -> bool {
        if !self.healthy(world) || Some(number) == Self::holder(world) || self.is_out(number) {
            return false;
        }
        let Some(image) = self.images.remove(&number) else {
            self.images.insert(number, world.devices()[number].disk().image());
            return true;
        };
        world.counts.rollbacks += 1;
        let now = world.now();
        world.trace.tell(now, format_args!("pc{number} gets an old image of its disk"));
        world.device(number).restore(&image, now);
        self.quiet_until = now + QUIET_MS;
        true
    }

    /// A spare's disk is put into another machine too, for a while. Not a log holder's, and none that remembers running
    /// programs, which the copy would give up: a cloned machine is not defended (README).
    fn clone_disk(&mut self, world: &mut World) {
        let spare = self.any(world, |device| {
            let idle = !device.programs().iter().any(Program::is_running);
            device.in_site() && device.status().is_none() && idle
        });
        let Some(spare) = spare.filter(|spare| !self.is_out(*spare) && self.away.is_empty()) else { return };
        world.counts.clones += 1;
        let image = world.devices()[spare].disk().image();
        let number = world.add_clone(&image);
        self.away.push(number);
        world.start(number);
        self.later(world, 5_000..=60_000, Mend::SwitchOff(number));
    }

    fn leave_and_rejoin(&self, world: &mut World, number: usize) {
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
        self.revoked.insert(number, device);
        world.ask(other, format!("revoke pc{number}"), Command::RevokeDevice { device });
    }
}
