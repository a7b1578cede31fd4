//! Borrowed seats: who borrows them, and what happens to machines that leave with them.

use std::ops::Range;
use std::time::Duration;

use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::id::{DeviceId, Name};

use super::super::check::Violation;
use super::super::device::Device;
use super::super::disk::Image;
use super::super::lending::Lent;
use super::super::net::Pause;
use super::super::program::{Kind, Program, State};
use super::super::world::World;
use super::{Mend, Schedule, USERS};

/// From before a laptop is forgotten with a borrowed seat until after the site has ended that, milliseconds: 15 minutes
/// after the seat's time, which has then stood for ten.
pub(super) const FORGOTTEN_MS: Range<u64> = 560_000..2_260_000;
/// A forgotten laptop has borrowed for this long.
const FORGOTTEN_S: u64 = 60;
/// Most people borrow for longer than a schedule lasts.
const HOUR_S: u64 = 3_600;
/// What was asked of agents has an answer within this time, milliseconds: a request lives for 10 s.
const ANSWERED_WITHIN_MS: u64 = 12_000;
/// Whatever goes on beside it, everybody gets rid of what is borrowed in so many tries, with this pause between two,
/// milliseconds.
const RETURN_TRIES: usize = 4;
const TRY_AGAIN_MS: u64 = 2_000;

/// Whether the licenses of a seed's office lend. One office of eight is enough; the others keep their schedules.
pub(super) fn lends(seed: u64) -> bool {
    seed % 8 == 5
}

/// Whether a laptop of a seed's office is forgotten with a borrowed seat.
pub(super) fn forgets(seed: u64) -> bool {
    seed % 64 == 37 && lends(seed)
}

/// What licenses say of lending.
pub(super) fn terms(seed: u64) -> &'static str {
    match seed % 24 == 5 {
        true => "borrow = { max_days = 30 }\nlost = \"immediate\"\n",
        false => "borrow = { max_days = 30 }\n",
    }
}

/// What happens on the way of a machine that has borrowed.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Its agent dies.
    Kill,
    /// It gets another address.
    Move,
    /// Its clock is off by so much, milliseconds, for so long.
    Clock(i64, u64),
    /// Who has borrowed starts a program.
    Start,
    /// Its programs end.
    End,
    /// Who has borrowed gives back.
    Return,
    /// Its disk is put back to an earlier time.
    Restore(Image),
    /// Somebody borrows for a minute, and then nobody thinks of the machine for half an hour.
    Forget,
    /// It sleeps for so long, milliseconds.
    Sleep(u64),
    /// It is found again.
    Found,
}

impl Schedule {
    /// Somebody does something with borrowed seats.
    pub(super) fn lend(&mut self, world: &mut World) {
        let at: Vec<usize> = world
            .devices()
            .iter()
            .filter(|device| !self.is_spared(world, device.number()) && !device.borrowers().is_empty())
            .map(Device::number)
            .collect();
        let lent = world.history().lent().count();
        let seats = usize::try_from(world.setting().sale.seats).unwrap_or(1);
        let number = self.chance.pick(&at).copied();
        match (self.chance.range(0..=9), number) {
            (9, _) => self.lose(world),
            (0..=4, _) | (_, None) => {
                if lent < seats {
                    self.borrow(world);
                }
            }
            (5..=6, Some(number)) => {
                self.on_the_way(world, number, Way::End);
                let soon = self.chance.range(50..=3_000);
                self.later(world, soon..=soon, Mend::OnTheWay(number, Way::Return));
                // What was given back must stay given back.
                if self.chance.chance(0.4) {
                    let leaves = soon + self.chance.range(50..=1_000);
                    self.later(world, leaves..=leaves, Mend::CutOff(number));
                    self.later(world, leaves + 50..=leaves + 1_000, Mend::OnTheWay(number, Way::Kill));
                    self.later(world, leaves + 8_000..=leaves + 60_000, Mend::Links);
                    self.later(world, leaves + 2_500..=leaves + 7_000, Mend::OnTheWay(number, Way::Start));
                }
            }
            (_, Some(number)) => self.on_the_way(world, number, Way::Start),
        }
    }

    fn is_spared(&self, world: &World, number: usize) -> bool {
        self.spared.is_some_and(|(spared, until)| spared == number && world.now() < until)
    }

    /// Somebody borrows: often who runs a program, whose seat is the borrowed one from then on. Most leave.
    fn borrow(&mut self, world: &mut World) {
        let fit = |device: &&Device| {
            device.in_site() && device.is_awake() && !self.is_spared(world, device.number())
        };
        let uses = |program: &&Program| matches!(program.state(), State::Using { .. });
        let running: Vec<(usize, Name)> = world
            .devices()
            .iter()
            .filter(fit)
            .flat_map(|device| {
                let users = device.programs().iter().filter(uses).map(|program| program.user().clone());
                users.map(|user| (device.number(), user))
            })
            .collect();
        let all: Vec<usize> = world.devices().iter().filter(fit).map(Device::number).collect();
        let user = Name::new(USERS[self.chance.index(USERS.len())]).expect("a user's name");
        let any = self.chance.pick(&all).map(|number| (*number, user));
        let running = self.chance.pick(&running).cloned();
        let Some((number, user)) = (if self.chance.chance(0.6) { running.or(any) } else { any }) else {
            return;
        };
        let seconds = if self.chance.chance(0.35) { self.chance.range(20..=120) } else { HOUR_S };
        let renew = self.chance.chance(0.25);
        Self::ask_to_borrow(world, number, &user, seconds, renew);
        if self.chance.chance(0.75) && world.now() >= self.quiet_until {
            self.leave(world, number, seconds);
        }
    }

    fn ask_to_borrow(world: &mut World, number: usize, user: &Name, seconds: u64, renew: bool) {
        let now = world.now();
        let keeps = if renew { ", again and again" } else { "" };
        world.trace.tell(now, format_args!("pc{number}: {user} borrows for {seconds} s{keeps}"));
        let answer = world.devices()[number].borrow(user, Duration::from_secs(seconds), renew);
        world.tell_lent(format!("pc{number}: {user} borrows"), answer);
    }

    /// The machine leaves, and is back after a while. Until then a few things happen to it.
    fn leave(&mut self, world: &World, number: usize, borrowed_s: u64) {
        let leaves = self.chance.range(300..=6_000);
        let away = if borrowed_s < HOUR_S && self.chance.chance(0.5) {
            // Until long after the end.
            borrowed_s * 1_000 + self.chance.range(5_000..=220_000)
        } else {
            self.chance.range(4_000..=90_000)
        };
        let device = &world.devices()[number];
        let image = (device.status().is_none() && device.in_site()).then(|| device.disk().image());
        self.later(world, leaves..=leaves, Mend::CutOff(number));
        // Who would like to keep a seat for longer turns the clock back and works on.
        if away > borrowed_s * 1_000 && self.chance.chance(0.5) {
            let back = leaves + 100;
            self.later(world, back..=back, Mend::OnTheWay(number, Way::Clock(-3_600_000, away)));
            self.later(world, back + 100..=leaves + 3_000, Mend::OnTheWay(number, Way::Start));
        }
        for _ in 0..self.chance.range(1..=5) {
            let at = leaves + self.chance.range(0..=away);
            let way = match (self.chance.index(12), &image) {
                (0, _) => Way::Kill,
                (1, _) => {
                    self.later(world, at..=at, Mend::PowerOff(number));
                    self.later(world, at + 100..=at + 20_000, Mend::Start(number));
                    continue;
                }
                (2 | 3, _) => {
                    let ms = [-3_600_000, -3_600_000, -90_000, 90_000, 3_600_000][self.chance.index(5)];
                    Way::Clock(ms, self.chance.range(2_000..=300_000))
                }
                (4, _) => Way::Move,
                (5, _) => Way::End,
                (6 | 7, _) => Way::Return,
                (8, Some(image)) => Way::Restore(image.clone()),
                _ => Way::Start,
            };
            self.later(world, at..=at, Mend::OnTheWay(number, way));
        }
        self.later(world, leaves + away..=leaves + away, Mend::Links);
    }

    pub(super) fn on_the_way(&mut self, world: &mut World, number: usize, way: Way) {
        let now = world.now();
        if self.is_out(number) {
            return;
        }
        world.trace.tell(now, format_args!("pc{number} on its way: {}", told(&way)));
        match way {
            Way::Kill => {
                world.counts.kills += 1;
                world.device(number).kill();
                self.later(world, 50..=5_000, Mend::Start(number));
            }
            Way::Move => {
                world.counts.moves += 1;
                let last = u8::try_from(self.chance.range(1..=250)).unwrap_or(1);
                let subnet = u8::try_from(1 + number).unwrap_or(1);
                let address = std::net::SocketAddr::from(([10, 1, subnet, last], 7410));
                world.net().move_to(world.devices()[number].place(), address, 0.7);
            }
            Way::Clock(ms, lasts) => {
                let off = |device: &Device| device.clock().wall_error_ms().abs() > 30_000;
                // The median of three bears one wrong clock.
                if ms.abs() <= 30_000 || !world.devices().iter().any(off) {
                    world.counts.clock_steps += 1;
                    world.device(number).clock().step(ms);
                    self.later(world, lasts..=lasts, Mend::Clock(number, -ms));
                }
            }
            Way::Start => {
                let users = world.devices()[number].borrowers();
                if let Some(user) = self.chance.pick(&users)
                    && let Some(program) = world.checkout(number, user.as_str(), Kind::Run)
                {
                    world.trace.tell(now, format_args!("pc{number}: {user} starts program {program}"));
                }
            }
            Way::End => world.devices()[number].programs().iter().for_each(Program::end),
            Way::Return => {
                let users = world.devices()[number].borrowers();
                if let Some(user) = self.chance.pick(&users) {
                    let answer = world.devices()[number].give_back(user);
                    world.tell_lent(format!("pc{number}: {user} gives back"), answer);
                }
            }
            Way::Restore(image) => {
                let device = &world.devices()[number];
                if device.is_awake() && device.in_site() && device.status().is_none() {
                    world.counts.rollbacks += 1;
                    world.device(number).restore(&image, now);
                }
            }
            Way::Forget => {
                let user = Name::new(USERS[0]).expect("a user's name");
                Self::ask_to_borrow(world, number, &user, FORGOTTEN_S, false);
                self.later(world, 6_000..=6_000, Mend::OnTheWay(number, Way::Start));
                let until = FORGOTTEN_MS.end.saturating_sub(now + 12_000);
                self.later(world, 10_000..=10_000, Mend::OnTheWay(number, Way::Sleep(until)));
            }
            Way::Sleep(ms) => {
                world.counts.suspends +=
                    u64::from(world.device(number).pause_until(now + ms, Pause::Suspended));
            }
            Way::Found => {
                if let Some(device) = world.devices()[number].id() {
                    self.report(world, number, device, false);
                }
            }
        }
    }

    /// A machine is reported as lost, and mostly found again.
    fn lose(&mut self, world: &mut World) {
        let Some(number) = self.any(world, |device| device.in_site()).filter(|number| !self.is_out(*number))
        else {
            return;
        };
        let Some(device) = world.devices()[number].id() else { return };
        self.report(world, number, device, true);
        self.later(world, 2_000..=30_000, Mend::OnTheWay(number, Way::Found));
    }

    fn report(&mut self, world: &mut World, number: usize, device: DeviceId, lost: bool) {
        let Some(by) = self.any(world, |other| other.number() != number && other.is_ready()) else { return };
        let what = if lost { "lost" } else { "found" };
        world.ask(by, format!("pc{number} is {what}"), Command::LoseDevice { device, lost });
    }

    /// At the end lost machines are found, and everybody gives back what is borrowed.
    pub(super) fn all_come_back(&self, world: &mut World) -> Result<(), Violation> {
        // What people asked for in the last seconds may come yet: a borrow, or that a machine is lost.
        world.run_until(ANSWERED_WITHIN_MS, |world| {
            world.tell_answers();
            let up = |device: &Device| device.is_ready() || self.is_out(device.number());
            !world.awaits_answers() && world.devices().iter().all(up)
        })?;
        self.all_are_found(world)?;
        let mut last = Vec::new();
        for _ in 0..RETURN_TRIES {
            last = self.all_give_back(world)?;
            if !self.at_home(world).any(|device| !device.borrowers().is_empty()) {
                return Ok(());
            }
            world.run_ms(TRY_AGAIN_MS)?;
        }
        let found = format!("borrowed seats are still there after {RETURN_TRIES} tries: {last:?}");
        Err(Violation { invariant: "liveness", found })
    }

    /// The machines that are in the site and not away for good.
    fn at_home<'a>(&'a self, world: &'a World) -> impl Iterator<Item = &'a Device> {
        world.devices().iter().filter(|device| device.in_site() && !self.is_out(device.number()))
    }

    fn all_are_found(&self, world: &mut World) -> Result<(), Violation> {
        let lost: Vec<DeviceId> =
            world.history().lost.intersection(&world.history().enrolled).copied().collect();
        for device in lost {
            // The way of a command is an enrolled machine.
            let enrolled = |by: &&Device| by.id().is_some_and(|id| world.history().enrolled.contains(&id));
            let Some(by) = self.at_home(world).find(enrolled).map(Device::number) else { continue };
            world.done(by, "found", Command::LoseDevice { device, lost: false })?;
        }
        Ok(())
    }

    /// Everybody is asked once to give back what is borrowed, and answers; what.
    fn all_give_back(&self, world: &mut World) -> Result<Vec<(String, Option<Lent>)>, Violation> {
        let mut answers = Vec::new();
        for device in self.at_home(world) {
            for user in device.borrowers() {
                answers.push((format!("{user} on {}", device.name()), device.give_back(&user), None));
            }
        }
        world.run_until(ANSWERED_WITHIN_MS, |_| {
            answers.iter_mut().for_each(|(_, answer, done)| *done = done.take().or_else(|| answer.take()));
            answers.iter().all(|(_, _, done)| done.is_some())
        })?;
        Ok(answers.into_iter().map(|(who, _, done)| (who, done)).collect())
    }

    /// How many seats are still borrowed; only machines that are away may have some.
    pub(super) fn still_lent(&self, world: &World, ready: &[usize]) -> Result<u32, Violation> {
        let is_here = |id: &DeviceId| ready.iter().any(|number| world.devices()[*number].id() == Some(*id));
        if let Some((seat, loan)) = world.history().lent().find(|(_, loan)| is_here(&loan.device)) {
            let found = format!("seat {seat} is still borrowed, and its machine is here: {loan:?}");
            return Err(Violation { invariant: "liveness", found });
        }
        let licenses = &world.history().licenses;
        let active = |license: &Name| licenses.get(license).is_some_and(|owned| owned.active);
        let away = world.history().lent().filter(|(_, loan)| active(&loan.license)).count();
        Ok(u32::try_from(away).unwrap_or(u32::MAX))
    }
}

fn told(way: &Way) -> String {
    match way {
        Way::Restore(_) => "its disk is put back".to_owned(),
        other => format!("{other:?}"),
    }
}
