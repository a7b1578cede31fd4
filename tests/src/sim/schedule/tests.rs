use std::collections::BTreeSet;

use super::super::run;
use super::super::trace::{Telling, Trace};
use super::*;

fn users<'a>(devices: impl Iterator<Item = &'a Device>) -> BTreeSet<&'a str> {
    devices.flat_map(Device::programs).map(|program| program.user().as_str()).collect()
}

#[test]
fn who_works_on_a_clone_works_nowhere_else() {
    run::alone(1, None, || {
        let mut world = World::new(Setting::office(1, 6), Trace::new(Telling::Quiet));
        world.found().unwrap();
        let spare = world.devices().iter().find(|device| device.status().is_none());
        let image = spare.expect("a machine without a log").disk().image();
        let clone = world.add_clone(&image);
        world.start(clone);
        world.run_ms(1_000).unwrap();
        // Whatever starts programs, often enough to meet all machines. No time passes, so that no race gets under way.
        let mut schedule = Schedule::new(1);
        let holder = Schedule::holder(&world);
        for _ in 0..40 {
            schedule.work(&mut world);
            schedule.late_and_cut(&mut world, holder);
            schedule.cut_off_and_stall(&mut world, holder);
        }
        let (clones, others) =
            world.devices().iter().partition::<Vec<_>, _>(|device| device.number() == clone);
        let (clones, others) = (users(clones.into_iter()), users(others.into_iter()));
        assert!(others.contains("late") && others.contains("user"), "{others:?}");
        assert!(!clones.is_empty() && clones.is_disjoint(&others), "{clones:?} {others:?}");
    });
}
