//! Trouble that sets up a race: several things in the one order in which a mistake shows, at random times around it.

use std::time::Duration;

use seatkeeper_protocol::time::device_deadline_ms;

use super::super::device::Device;
use super::super::net::Pause;
use super::super::program::{Kind, Program, State};
use super::super::world::World;
use super::{Mend, Schedule, YEAR_MS, user_on};

impl Schedule {
    /// What the holder answers a machine comes late, and then nothing more comes: its seats end soon.
    pub(super) fn late_and_cut(&mut self, world: &mut World, holder: Option<usize>) {
        let Some(holder) = holder else { return };
        let Some(number) = self.any(world, |device| device.number() != holder && device.is_ready()) else {
            return;
        };
        world.counts.message_stalls += 1;
        world.counts.partitions += 1;
        let (a, b) = (world.devices()[holder].place(), world.devices()[number].place());
        let late = self.chance.range(2_000..=5_000);
        world.net().slow(a, b, Duration::from_millis(late)..=Duration::from_millis(late + 500));
        if let Some(program) = world.checkout(number, user_on(world, number, "late"), Kind::Run) {
            let now = world.now();
            world.trace.tell(now, format_args!("pc{number}: program {program} asks over a slow link"));
        }
        let cut = 2 * late + self.chance.range(0..=6_000);
        self.later(world, cut..=cut, Mend::CutOff(number));
        self.later(world, cut + 15_000..=cut + 30_000, Mend::Links);
        self.later(world, cut + 100..=cut + 100, Mend::Calm);
    }

    /// A program drops its connection over a link on which messages overtake each other, and asks again at once.
    pub(super) fn reconnect(&mut self, world: &World, holder: Option<usize>) {
        let using: Vec<(usize, Program)> = world
            .devices()
            .iter()
            .flat_map(|device| device.programs().iter().map(|program| (device.number(), program.clone())))
            .filter(|(_, program)| program.is_connected())
            .collect();
        let Some((number, program)) = self.chance.pick(&using).cloned() else { return };
        if let Some(holder) = holder.filter(|holder| *holder != number) {
            let (a, b) = (world.devices()[holder].place(), world.devices()[number].place());
            world.net().slow(a, b, Duration::from_millis(20)..=Duration::from_millis(900));
            self.later(world, 2_000..=4_000, Mend::Calm);
        }
        program.reconnect();
    }

    /// Ends what keeps machines from hearing each other, and leaves a race alone with this machine until a time; now and
    /// then it does not, so that races meet other trouble too.
    fn set_up(&mut self, world: &World, number: usize, until: u64) {
        self.mends.retain(|_, mend| !matches!(mend, Mend::Links | Mend::Calm | Mend::CutOff(_)));
        world.net().heal_all();
        world.net().calm();
        self.spared = Some((number, until));
        if self.chance.chance(0.8) {
            self.quiet_until = self.quiet_until.max(until);
        }
    }

    /// A program that uses a seat on a machine of this kind, and for how long still if nobody answers its device any more,
    /// milliseconds. If there is none, one is started, for the next time.
    fn user(&mut self, world: &mut World, of: impl Fn(&Device) -> bool) -> Option<(usize, u64)> {
        let left = |device: &Device, program: &Program| match program.state() {
            // A borrowed seat does not end for want of an answer.
            State::Using { until, borrowed: false, .. }
                if program.kind() == Kind::Run && program.is_connected() =>
            {
                Some(until.saturating_sub(device.mono()))
            }
            _ => None,
        };
        let fit = |device: &&Device| device.is_awake() && device.in_site() && of(device);
        let using: Vec<(usize, u64)> = world
            .devices()
            .iter()
            .filter(fit)
            .flat_map(|device| {
                device.programs().iter().filter_map(|program| Some((device.number(), left(device, program)?)))
            })
            .collect();
        if using.is_empty() {
            let idle: Vec<usize> = world.devices().iter().filter(fit).map(Device::number).collect();
            let number = self.chance.pick(&idle).copied()?;
            if let Some(program) = world.checkout(number, user_on(world, number, "user"), Kind::Run) {
                let now = world.now();
                world.trace.tell(now, format_args!("pc{number}: program {program} starts"));
            }
        }
        self.chance.pick(&using).copied()
    }

    fn votes(device: &Device) -> bool {
        device.status().is_some_and(|status| {
            status.members.iter().any(|member| member.peer == status.me && member.voter)
        })
    }

    /// The holder and a machine without a vote hear nobody else, and then the holder stands still until the others have
    /// elected another. It wakes and knows nothing of that; its voters seem to have been silent for a moment only.
    /// What it tells the machine now must not keep the seat there for longer than the new holder waits.
    pub(super) fn cut_off_and_stall(&mut self, world: &mut World, holder: Option<usize>) {
        let Some(holder) = holder else { return };
        let Some((user, _)) = self.user(world, |device| device.number() != holder && !Self::votes(device))
        else {
            return;
        };
        let now = world.now();
        let stands = self.chance.range(3_000..=11_000);
        let ttl = world.setting().sale.ttl_s * 1_000;
        // Until the new holder has given the seat away.
        let apart = stands.max(8_000) + ttl + self.chance.range(0..=4_000);
        self.set_up(world, user, now + apart);
        world.counts.partitions += 1;
        for device in world.devices() {
            if device.number() != holder && device.number() != user {
                world.net().cut(device.place(), world.devices()[holder].place());
                world.net().cut(device.place(), world.devices()[user].place());
            }
        }
        world
            .trace
            .tell(now, format_args!("pc{holder} and pc{user} hear nobody else, pc{holder} stands still"));
        world.counts.stalls += u64::from(world.device(holder).pause_until(now + stands, Pause::Stalled));
        self.later(world, apart..=apart, Mend::Links);
    }

    /// An agent is away for just so long that its seats expire while its resume is being committed, which takes long.
    pub(super) fn back_at_ttl(&mut self, world: &mut World, holder: Option<usize>) {
        let Some(holder) = holder else { return };
        let other = |device: &Device| device.number() != holder;
        let found = self.user(world, |device| other(device) && !Self::votes(device));
        let Some((number, left)) = found.or_else(|| self.user(world, other)) else { return };
        let now = world.now();
        let ttl = world.setting().sale.ttl_s * 1_000;
        // The holder counts from receiving what the device counts from sending, and to the full ttl.
        let expires = left + ttl - device_deadline_ms(ttl);
        self.set_up(world, number, now + expires + 3_000);
        world.trace.tell(now, format_args!("pc{number} dies; its seats expire in {expires} ms"));
        world.counts.kills += 1;
        world.counts.message_stalls += 1;
        world.device(number).kill();
        let back = expires.saturating_sub(self.chance.range(0..=4_500)).max(50);
        self.later(world, back..=back, Mend::Start(number));
        let ms = self.chance.range(100..=900);
        let slow = expires.saturating_sub(4_000);
        self.later(world, slow..=slow, Mend::SlowVoters(holder, ms));
        self.later(world, expires + 1_500..=expires + 3_000, Mend::Calm);
    }

    pub(super) fn slow_voters(world: &World, number: usize, ms: u64) {
        let late = Duration::from_millis(ms)..=Duration::from_millis(ms + 100);
        let place = world.devices()[number].place();
        for device in world.devices().iter().filter(|device| device.number() != number && Self::votes(device))
        {
            world.net().slow(place, device.place(), late.clone());
        }
    }

    /// The holder stands still, cut off, until the seats in its lease table have run out, decides to expire them, and hears
    /// that others have elected another, which has heard of them all the time. Then it becomes the holder again.
    pub(super) fn old_decision(&mut self, world: &mut World, holder: Option<usize>) {
        let Some(holder) = holder else { return };
        let Some((user, left)) = self.user(world, |device| device.number() != holder) else { return };
        let now = world.now();
        let ttl = world.setting().sale.ttl_s * 1_000;
        let stands = left + ttl - device_deadline_ms(ttl) + self.chance.range(0..=1_500);
        let back = stands + self.chance.range(1_000..=5_000);
        self.set_up(world, user, now + back + 30_000);
        world.counts.partitions += 1;
        world.trace.tell(now, format_args!("pc{holder} is cut off and stands still"));
        world.net().isolate(world.devices()[holder].place());
        world.counts.stalls += u64::from(world.device(holder).pause_until(now + stands, Pause::Stalled));
        self.later(world, back..=back, Mend::Links);
        self.later(world, back + 1_000..=back + 6_000, Mend::Unseat(holder, 4));
    }

    /// Whoever holds stands still, for so long that others elect another, until it is `number`.
    pub(super) fn unseat(&mut self, world: &mut World, number: usize, tries: u64) {
        let now = world.now();
        let Some(holder) = Self::holder(world).filter(|holder| *holder != number) else { return };
        let ms = self.chance.range(3_000..=7_500);
        world.trace.tell(now, format_args!("pc{holder} stands still"));
        world.counts.stalls += u64::from(world.device(holder).pause_until(now + ms, Pause::Stalled));
        if tries > 1 {
            self.later(world, ms..=ms + 2_000, Mend::Unseat(number, tries - 1));
        }
    }

    /// The holder is cut off, so that the others elect another; see [`Schedule::kill_who_voted`].
    pub(super) fn vote_twice(&mut self, world: &mut World, holder: Option<usize>) {
        let Some(holder) = holder else { return };
        let Some(term) = world.devices()[holder].holds() else { return };
        let now = world.now();
        self.set_up(world, holder, now + 15_000);
        world.counts.partitions += 1;
        world.trace.tell(now, format_args!("pc{holder} is cut off"));
        world.net().isolate(world.devices()[holder].place());
        self.cut_off = Some((holder, term, now + 15_000));
        self.later(world, 20_000..=25_000, Mend::Links);
    }

    /// Whoever has voted dies the moment its candidate leads, before it hears of that, and comes back with the old holder
    /// as the only other one it hears. It must still know that it has voted: nobody else may lead that term.
    pub(super) fn kill_who_voted(&mut self, world: &mut World) {
        let Some((old, term, until)) = self.cut_off else { return };
        let now = world.now();
        let leads = |device: &&Device| {
            device.number() != old
                && device.status().is_some_and(|status| status.is_leader && status.term > term)
        };
        let leader = world.devices().iter().find(leads).map(Device::number);
        if leader.is_none() && now < until {
            return;
        }
        self.cut_off = None;
        let Some(leader) = leader else { return };
        world
            .trace
            .tell(now, format_args!("pc{leader} leads; its voters die, it is cut off, pc{old} is back"));
        world.net().heal_all();
        world.net().isolate(world.devices()[leader].place());
        for number in 0..world.devices().len() {
            if number != old && number != leader && world.devices()[number].has_agent() {
                world.counts.kills += 1;
                world.device(number).kill();
                self.later(world, 20..=100, Mend::Start(number));
            }
        }
    }

    /// The holder's clock is a year off for a while, and nobody else's is off: the median of three bears one wrong clock.
    pub(super) fn wrong_clock(&mut self, world: &mut World, holder: Option<usize>) {
        let off = world.devices().iter().any(|device| device.clock().wall_error_ms().abs() > 30_000);
        let Some(holder) = holder.filter(|_| !off) else { return };
        let ms = if self.chance.chance(0.5) { YEAR_MS } else { -YEAR_MS };
        let now = world.now();
        world.trace.tell(now, format_args!("the clock of pc{holder} is a year off"));
        world.counts.clock_steps += 1;
        world.device(holder).clock().step(ms);
        let lasts = self.chance.range(5_000..=90_000);
        if self.chance.chance(0.5) {
            self.quiet_until = self.quiet_until.max(now + lasts);
        }
        self.later(world, lasts..=lasts, Mend::Clock(holder, -ms));
    }
}
