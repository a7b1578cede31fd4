//! The last phase: everything is mended, and then everybody can work.

use super::super::check::Violation;
use super::super::device::{Device, address};
use super::super::program::{Kind, Program, State};
use super::super::world::World;
use super::{Mend, Schedule};

/// An office has this long to notice that old seats are free, milliseconds.
const SETTLE_MS: u64 = 45_000;
/// Then everybody who asks within the pool's size has a seat within this time, milliseconds.
const SEAT_WITHIN_MS: u64 = 10_000;

impl Schedule {
    /// Who knows others as static peers only finds nobody who has moved: all are again where they were.
    fn all_where_expected(&self, world: &World) {
        if world.setting().discovery {
            return;
        }
        for device in world.devices().iter().filter(|device| !self.is_out(device.number())) {
            let expected = address(device.number());
            if world.net().address(device.place()) != expected {
                world.net().move_to(device.place(), expected, 0.7);
            }
        }
    }

    /// Everything is mended; then everybody can work.
    pub(super) fn end(&mut self, world: &mut World) -> Result<(), Violation> {
        let failed = |found: String| Violation { invariant: "liveness", found };
        let now = world.now();
        world.trace.tell(now, format_args!("everything is mended"));
        self.mends.retain(|_, mend| !matches!(mend, Mend::OnTheWay(..)));
        for (_, mend) in std::mem::take(&mut self.mends) {
            self.mend(world, mend);
        }
        self.mends.clear();
        // A revocation that nobody who holds has heard of did not come about.
        self.revoked.retain(|_, id| !world.history().enrolled.contains(id));
        world.net().heal_all();
        world.net().calm();
        self.all_where_expected(world);
        for number in 0..world.devices().len() {
            let away = self.is_out(number);
            let device = world.device(number);
            device.disk().mend();
            device.disk().fill(None);
            device.programs().iter().for_each(Program::end);
            device.wake(u64::MAX);
            let dead = device.status().is_some_and(|status| status.fatal.is_some());
            // One that is just stopping would be off from then on.
            if away || dead || device.is_stopping() {
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
        // A machine that is killed at the end may have held. The slow clockwork, which no product has, takes 4 s to notice
        // and 4 s for each election.
        let slow = world.setting().engine.timing == super::slow();
        let within_ms = if slow { 2 * SEAT_WITHIN_MS } else { SEAT_WITHIN_MS };
        if !world.run_until(within_ms, holds)? {
            return Err(failed(format!("nobody holds {within_ms} ms after everything was mended")));
        }
        self.all_come_back(world)?;
        world.run_ms(SETTLE_MS)?;
        if let Some(session) = world.history().live().next() {
            return Err(failed(format!("a seat is still taken that nobody uses: {session:?}")));
        }
        if let Some(place) = world.history().waiting.values().next() {
            return Err(failed(format!(
                "a place in the queue is still kept for which nobody waits: {place:?}"
            )));
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
            .filter(|device| {
                let enrolled = device.id().is_some_and(|id| world.history().enrolled.contains(&id));
                device.in_site() && enrolled && !self.is_out(device.number())
            })
            .map(Device::number)
            .collect();
        let owned = owned.saturating_sub(self.still_lent(world, &ready)?);
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
                "{owned} seats are owned and not borrowed, and after 10 s these asked for them: {states:?}"
            )));
        }
        Ok(())
    }
}
