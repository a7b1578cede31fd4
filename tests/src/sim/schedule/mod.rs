//! Random schedules: an office at work, with everything going wrong that can.
//!
//! Every fault has its end in the same schedule, so that there is always something left to go wrong; the last phase
//! ends all of them and sees that everybody can work.

mod end;
mod lending;
mod races;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use seatkeeper_election::{EngineConfig, Timing};
use seatkeeper_protocol::fault::Fault;
use seatkeeper_protocol::id::DeviceId;

use super::chance::Chance;
use super::check::Violation;
use super::device::Device;
use super::disk::Image;
use super::program::{Kind, Program};
use super::site::Sale;
use super::world::{Setting, World};
use lending::{FORGOTTEN_MS, Way, forgets, lends, terms};
use trouble::{HUNTED, TROUBLE, Trouble};

/// Shortest schedule, milliseconds, and fewest events.
const LASTS_MS: u64 = 600_000;
const EVENTS: u64 = 200;
/// Who runs programs.
const USERS: [&str; 3] = ["eva", "jan", "ola"];
/// A clock that is a year off, milliseconds.
const YEAR_MS: i64 = 365 * 24 * 3_600_000;
/// From before the end of a license that ends until after its `EndLicense`, milliseconds.
const LICENSE_ENDS_MS: Range<u64> = 400_000..1_110_000;

/// The end of a fault.
#[derive(Clone, Debug)]
enum Mend {
    Start(usize),
    Links,
    Calm,
    Disk(usize),
    Clock(usize, i64),
    /// A voter dies and comes back at once, and so on.
    Flap,
    /// Nobody hears it, nor it them.
    CutOff(usize),
    /// The power is off by now.
    PowerOff(usize),
    SwitchOff(usize),
    /// What this machine says to voters takes so long, milliseconds, and what they say to it.
    SlowVoters(usize, u64),
    /// Whoever holds stands still, until this machine holds again or it was tried so often.
    Unseat(usize, u64),
    /// Something happens on the way of a machine that has borrowed.
    OnTheWay(usize, Way),
}

/// A random schedule under way.
#[derive(Debug)]
pub struct Schedule {
    chance: Chance,
    mends: BTreeMap<(u64, u64), Mend>,
    number: u64,
    quiet_until: u64,
    /// Nothing goes wrong then: a license ends only when its holder has been left alone for long.
    quiet: Range<u64>,
    /// Until when the programs of a machine are left alone.
    spared: Option<(usize, u64)>,
    images: BTreeMap<usize, Image>,
    /// The disk that goes back as soon as everybody is well, and until when that is waited for.
    rolling_back: Option<(usize, u64)>,
    /// By number; a machine that does not run does not say its id.
    revoked: BTreeMap<usize, DeviceId>,
    away: Vec<usize>,
    weights: Vec<(Trouble, u64)>,
    /// Of a hundred events, how many are trouble.
    trouble: u64,
    /// The next grant is followed by darkness.
    cut_at_grant: bool,
    /// A holder that is cut off, its term, and until when a candidate is waited for.
    cut_off: Option<(usize, u64, u64)>,
    /// Voters that are still to die and come back at once.
    flaps: u64,
}

/// The clockwork of elections on a slow network.
fn slow() -> Timing {
    let ms = Duration::from_millis;
    Timing { heartbeat: ms(800), election_min: ms(2_000), election_max: ms(4_000) }
}

/// The world of a seed.
pub fn setting(seed: u64) -> Setting {
    let mut chance = Chance::new(seed).fork("setting");
    // Small offices more often: most races need no more than three machines.
    let devices = [3, 3, 3, 4, 4, 5, 6, 7][chance.index(8)];
    let devices = match hunted(seed) {
        // Whoever is away for long keeps its vote only where nobody can take its place.
        Some(Trouble::OldDecision | Trouble::VoteTwice) => 3,
        // A machine without a vote must be there.
        Some(Trouble::CutOffAndStall | Trouble::BackAtTtl) => devices.max(4),
        _ => devices,
    };
    let (timing, quantum_ms) = match chance.index(20) {
        0 => (Timing::lan(), 10),
        1..5 => (Timing::wifi(), [20, 25, 40][chance.index(3)]),
        // Not a product's: fewer messages, so several schedules in the same time.
        _ => (slow(), [20, 25, 40][chance.index(3)]),
    };
    let mut setting = Setting {
        devices,
        laptops: chance.index(2),
        quantum_ms,
        engine: EngineConfig {
            timing,
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
            terms: "",
        },
        ..Setting::office(seed, devices)
    };
    if lends(seed) {
        // Licenses are all equal, also in how long they lend. One seat more, so that not all are always borrowed.
        let sale = Sale { valid_until: None, terms: terms(seed), ..setting.sale };
        setting.sale = Sale { seats: sale.seats + 1, ..sale };
        // Now and then there are machines without a log: their disks can be put back at any time.
        setting.devices = if seed % 32 == 29 { devices.max(6) } else { devices };
    }
    setting
}

/// What a seed's schedule hunts: one kind of trouble again and again, so that what happens right after it is seen too.
fn hunted(seed: u64) -> Option<Trouble> {
    let mut chance = Chance::new(seed).fork("hunt");
    chance.chance(0.6).then(|| HUNTED[chance.index(HUNTED.len())])
}

/// Whether people of a seed's office wait for seats. One office of eight is enough; in the others programs that find no
/// seat give up, as those do that know nothing of queues.
fn patient(seed: u64) -> bool {
    seed % 8 == 2
}

/// Who starts a program on this machine, where it would be `user` elsewhere. To the site a cloned machine and its original
/// are one device, on which the programs of one user share a seat: who works on a clone works nowhere else, as clones are
/// not defended (README).
fn user_on<'a>(world: &World, number: usize, user: &'a str) -> &'a str {
    if number < world.setting().devices { user } else { "clone" }
}

/// Whether a seed's schedule hunts what brings out a planted fault.
pub fn hunts(seed: u64, fault: Fault) -> bool {
    let by = match fault {
        Fault::PongWithoutRead => Trouble::CutOffAndStall,
        Fault::DeadlineFromReceiving => Trouble::LateAndCut,
        Fault::UnsyncedVote => Trouble::VoteTwice,
        Fault::UnsyncedAppend => Trouble::CutAtGrant,
        Fault::ExpireAnyAttach => Trouble::BackAtTtl,
        Fault::ReturnAnyAttach => Trouble::Reconnect,
        Fault::StaleHolderCommand => Trouble::OldDecision,
        Fault::LeasesAcrossTerms => Trouble::IsolateHolder,
        Fault::OneClock => Trouble::WrongClock,
        Fault::SuspendNotCounted => Trouble::SuspendLong,
        Fault::ReturnBeforeRetired | Fault::ReturnWhileUsed | Fault::BorrowByWallClock => return lends(seed),
        _ => return true,
    };
    hunted(seed) == Some(by)
}

impl Schedule {
    /// The schedule of a seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed).fork("schedule");
        let hunted = hunted(seed);
        // Each schedule has its own kinds of trouble: some not at all, some all the time.
        let weights = TROUBLE
            .iter()
            .map(|(fault, weight)| (*fault, weight * [0, 1, 1, 4][chance.index(4)]))
            .filter(|(_, weight)| *weight > 0)
            // A clone would use what its original has borrowed: not defended either.
            .filter(|(fault, _)| !(lends(seed) && *fault == Trouble::Clone))
            .collect();
        let mut trouble = [6, 40, 50, 70][chance.index(4)];
        let mut weights: Vec<(Trouble, u64)> = weights;
        if let Some(hunted) = hunted {
            weights.retain(|(fault, _)| !HUNTED.contains(fault));
            let rest: u64 = weights.iter().map(|(_, weight)| weight).sum();
            weights.push((hunted, 2 * rest.max(1)));
            trouble = trouble.max(40);
        }
        Self {
            chance,
            mends: BTreeMap::new(),
            number: 0,
            quiet_until: 0,
            quiet: 0..0,
            spared: None,
            images: BTreeMap::new(),
            rolling_back: None,
            revoked: BTreeMap::new(),
            away: Vec::new(),
            weights,
            trouble,
            cut_at_grant: false,
            cut_off: None,
            flaps: 0,
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
        let number = self.chance.index(world.devices().len());
        self.images.insert(number, world.devices()[number].disk().image());
        let mut until = world.now() + LASTS_MS;
        // Now and then long enough for a license to end, and quiet enough.
        if world.setting().sale.valid_until.is_some() && self.chance.chance(0.15) {
            self.quiet = LICENSE_ENDS_MS;
            until = until.max(LICENSE_ENDS_MS.end);
        }
        if forgets(world.setting().seed) {
            self.quiet = FORGOTTEN_MS;
            until = until.max(FORGOTTEN_MS.end);
            let last = world.setting().devices - 1;
            self.later(world, FORGOTTEN_MS.start..=FORGOTTEN_MS.start, Mend::OnTheWay(last, Way::Forget));
        }
        while world.now() < until || world.counts.events < EVENTS {
            let pause = self.chance.range(20..=4_500);
            let next = world.now() + pause;
            while world.now() < next {
                self.mend_due(world);
                world.step()?;
                self.dark_after_grant(world);
                self.kill_who_voted(world);
            }
            world.tell_answers();
            world.counts.events += 1;
            if self.chance.range(1..=100) > self.trouble {
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
                // A machine that writes little has not lost its power yet, and nobody would start it afterwards.
                if world.devices()[number].has_agent() && world.devices()[number].disk().is_to_be_cut() {
                    world.counts.power_cuts += 1;
                    world.device(number).power_cut();
                }
                // One that sleeps while it stops takes longer than was planned.
                if world.devices()[number].is_stopping() {
                    self.later(world, 1_000..=3_000, Mend::Start(number));
                } else if !world.devices()[number].has_agent() {
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
            Mend::Flap => {
                self.flaps = self.flaps.saturating_sub(1);
                let votes = |device: &Device| device.status().is_some();
                if let Some(number) = self.any(world, votes) {
                    world.counts.kills += 1;
                    world.trace.tell(now, format_args!("pc{number} dies and comes back at once"));
                    world.device(number).kill();
                    world.start(number);
                }
                if self.flaps > 0 {
                    self.later(world, 20..=600, Mend::Flap);
                }
            }
            Mend::CutOff(number) => {
                world.trace.tell(now, format_args!("pc{number} is cut off"));
                let place = world.devices()[number].place();
                world.net().isolate(place);
            }
            Mend::SlowVoters(number, ms) => Self::slow_voters(world, number, ms),
            Mend::Unseat(number, tries) => self.unseat(world, number, tries),
            Mend::PowerOff(number) => world.device(number).power_cut(),
            Mend::OnTheWay(number, way) => self.on_the_way(world, number, way),
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
            .filter(|device| {
                self.spared.is_none_or(|(spared, until)| spared != device.number() || now >= until)
            })
            .flat_map(Device::programs)
            .filter(|program| program.is_running())
            .map(Program::number)
            .collect();
        if lends(world.setting().seed) && !self.quiet.contains(&now) && self.chance.chance(0.35) {
            return self.lend(world);
        }
        let seats = usize::try_from(world.setting().sale.seats).unwrap_or(1);
        if self.chance.chance(0.08)
            && let Some(program) = self.chance.pick(&running).and_then(|number| world.program(*number))
        {
            let program = program.clone();
            world.trace.tell(now, format_args!("program {} connects anew", program.number()));
            program.reconnect();
            return;
        }
        let patient = patient(world.setting().seed);
        let enough = if patient { seats + 3 } else { seats };
        if running.len() > enough || (!running.is_empty() && self.chance.chance(0.4)) {
            if let Some(number) = self.chance.pick(&running).copied()
                && let Some(program) = world.program(number).cloned()
            {
                world.trace.tell(now, format_args!("program {number} ends"));
                program.end();
            }
            return;
        }
        let number = self.chance.index(world.devices().len());
        let user = user_on(world, number, USERS[self.chance.index(USERS.len())]);
        let kind = if self.chance.chance(0.6) { Kind::Run } else { Kind::Connection };
        let waits = patient && self.chance.chance(0.7);
        let program = if waits { world.wait(number, user, kind) } else { world.checkout(number, user, kind) };
        if let Some(program) = program {
            let patiently = if waits { ", patiently" } else { "" };
            world
                .trace
                .tell(now, format_args!("pc{number}: {user} starts program {program} ({kind:?}){patiently}"));
        }
    }
}
