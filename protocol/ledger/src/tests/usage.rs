//! How much was used.

use super::office::*;
use crate::DeniedBy;
use crate::usage::{DAYS_MAX, HOURS_MAX, Used};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn days_and_hours(office: &Office) -> (Vec<Used>, Vec<Used>) {
    let usage = office.ledger.usage(office.time);
    let (_, hours, days) = usage.into_iter().find(|(product, ..)| product.as_str() == "cad").unwrap();
    (days, hours)
}

#[test]
fn seats_times_hours_add_up() {
    let mut office = Office::with_license(2, "borrow = { max_days = 30 }\nshare = \"none\"");
    // 12:00; two seats from 12:30 to 14:15, one until 15:00.
    office.time = START.plus_ms(HOUR_MS / 2);
    office.granted(1, want(1, "eva", "cad"));
    let borrowed = office.borrows(2, "ola", "cad", 1);
    office.refused(0, want(3, "jan", "cad"));
    office.refused(0, want(4, "jan", "cad@2031"));
    office.time = START.plus_ms(2 * HOUR_MS + HOUR_MS / 4);
    office.give_back(1, 1, None);
    office.time = START.plus_ms(3 * HOUR_MS);
    let (days, hours) = days_and_hours(&office);
    let quarter = u64::try_from(HOUR_MS / 4).unwrap();
    let told: Vec<_> = hours
        .iter()
        .map(|h| (h.start, h.peak, h.seat_ms / quarter, h.borrowed_ms / quarter, h.starts))
        .collect();
    let at = |hour: i64| START.plus_ms(hour * HOUR_MS);
    assert_eq!(told, [(at(0), 2, 4, 2, 1), (at(1), 2, 8, 4, 0), (at(2), 2, 5, 4, 0)]);
    assert_eq!(hours[0].denied, [(DeniedBy::NoSeat, 1), (DeniedBy::License, 1)].into());
    let [day] = &days[..] else { panic!("{days:?}") };
    assert_eq!((day.start, day.peak, day.seat_ms / quarter, day.starts), (at(-12), 2, 17, 1));
    assert_eq!(day.denied, hours[0].denied);
    // What nobody uses and nobody owns leaves nothing.
    office.return_borrow(2, &borrowed);
    office.refused(0, want(5, "jan", "cae"));
    office.time = office.time.plus_ms(90 * HOUR_MS);
    assert_eq!(days_and_hours(&office).1.len(), 3);
    assert_eq!(office.ledger.usage(office.time).len(), 1);
}

#[test]
fn a_time_that_steps_back_or_far_ahead_is_counted_once_and_kept_bounded() {
    let mut office = Office::with_license(1, "");
    let grant = office.granted(1, want(1, "eva", "cad"));
    office.time = START.plus_ms(-5 * HOUR_MS);
    office.refused(2, want(2, "ola", "cad"));
    office.time = START.plus_ms(HOUR_MS);
    office.refused(2, want(3, "ola", "cad"));
    let (days, hours) = days_and_hours(&office);
    assert_eq!((hours.len(), hours[0].seat_ms), (2, HOUR_MS.unsigned_abs()));
    assert_eq!(days[0].seat_ms, HOUR_MS.unsigned_abs());
    office.time = START.plus_ms(100 * 366 * DAY_MS);
    assert_eq!(office.expire(1, grant.attach), crate::command::Outcome::Done);
    let (days, hours) = days_and_hours(&office);
    assert_eq!((hours.len(), days.len()), (HOURS_MAX, DAYS_MAX));
    assert!(days.iter().skip(1).all(|day| day.peak == 1));
}
