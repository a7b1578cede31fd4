//! Whether seats are used: what this screen knows of it, telling who waits, and asking for a seat.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use seatkeeper_client::{Client, api};
use seatkeeper_protocol::id::{Note, SeatId};
use seatkeeper_protocol::limits::ASK_IDLE_MINUTES_MIN;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::borrow::about_s;
use super::fail::Fail;
use super::print;
use crate::platform::idle::Display;

/// The screen is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Whether there is a screen by now is looked at this often.
const LOOK_FOR_SCREEN_EVERY: Duration = Duration::from_secs(60);
/// The agent is told this often, though nothing changed: that this process still looks.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Who waits hears of idle seats this often.
const TELL_WHO_EVERY: Duration = Duration::from_secs(60);
/// And of so many at once.
const TELL_WHO_MAX: usize = 3;

/// Tells the agent for how long the screen of this process has had no input, in whole minutes. A program that says so
/// itself is believed more, and one without a screen has none.
pub(super) async fn watch_display(client: Client, session: watch::Receiver<String>) -> Infallible {
    let mut display = Display::default();
    let mut told: Option<(u64, Instant)> = None;
    loop {
        // An answer may be long in coming, from the other end of an ssh.
        let looked = tokio::task::spawn_blocking(move || {
            let idle = display.idle();
            (display, idle)
        });
        let idle;
        (display, idle) = looked.await.unwrap_or_default();
        let Some(idle) = idle else {
            tokio::time::sleep(LOOK_FOR_SCREEN_EVERY).await;
            continue;
        };
        let (idle_s, minutes) = (idle.as_secs(), idle.as_secs() / 60);
        let known = told.is_some_and(|(known, at)| known == minutes && at.elapsed() < TELL_EVERY);
        if !known {
            let session = session.borrow().clone();
            let activity = api::SeatActivity { idle_s, source: api::IdleSource::Display };
            let heard = client.say_idle(&session, &activity).await.is_ok();
            told = heard.then(|| (minutes, Instant::now()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells who waits for a product which of its seats seem not to be used, each once until it is used again. Begins with
/// the first place in the queue.
pub(super) async fn tell_who(client: &Client, product: &str, waiting: &Notify) -> Infallible {
    waiting.notified().await;
    let mut told = BTreeSet::new();
    loop {
        if let Ok(seats) = client.seats().await {
            for text in who_is_idle(&seats.seats, product, &mut told) {
                print::note(format!("seatkeeper: {text}"));
            }
        }
        tokio::time::sleep(TELL_WHO_EVERY).await;
    }
}

fn who_is_idle(seats: &[api::Seat], product: &str, told: &mut BTreeSet<String>) -> Vec<String> {
    let least_s = u64::from(ASK_IDLE_MINUTES_MIN) * 60;
    let mut idle: Vec<(u64, &api::Seat)> = seats
        .iter()
        .filter(|seat| seat.product == product && seat.asked.is_none())
        .filter_map(|seat| Some((seat.idle_s.filter(|idle_s| *idle_s >= least_s)?, seat)))
        .collect();
    told.retain(|id| idle.iter().any(|(_, seat)| seat.id == *id));
    idle.retain(|(_, seat)| !told.contains(&seat.id));
    idle.sort_by_key(|(idle_s, _)| std::cmp::Reverse(*idle_s));
    idle.truncate(TELL_WHO_MAX);
    told.extend(idle.iter().map(|(_, seat)| seat.id.clone()));
    let text = |(idle_s, seat): &(u64, &api::Seat)| {
        let api::Seat { id, user, device_name, .. } = seat;
        format!(
            "{user} on {device_name} has not used seat {id} for {}; `seatkeeper seats ask {id}` asks for it",
            about_s(*idle_s)
        )
    };
    idle.iter().map(text).collect()
}

/// `seats ask`.
pub(super) async fn ask(
    client: &Client,
    seat: SeatId,
    message: Option<&Note>,
    json: bool,
) -> Result<(), Fail> {
    let asked = client.ask_for_seat(&seat.to_string(), message.map(Note::as_str)).await?;
    if json {
        return print::json(&asked);
    }
    let api::SeatAsked { user, device_name, idle_s, .. } = &asked;
    print::line(format!(
        "{user} on {device_name} is asked to give seat {seat} up, which has been idle for {}. It is not taken away.",
        about_s(*idle_s)
    ));
    Ok(())
}

/// How idle a seat is, for a table.
pub(super) fn shown(seat: &api::Seat) -> String {
    let idle = match seat.idle_s {
        None => "-".to_owned(),
        Some(0..60) => "no".to_owned(),
        Some(idle_s) => about_s(idle_s),
    };
    if seat.asked.is_some() { format!("{idle}, asked for") } else { idle }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(id: &str, idle_s: Option<u64>) -> api::Seat {
        api::Seat {
            id: id.to_owned(),
            product: "cad".to_owned(),
            version: "2026".to_owned(),
            kind: "online".to_owned(),
            user: "max".to_owned(),
            device: "x".to_owned(),
            device_name: "pc2".to_owned(),
            org_node: None,
            since: None,
            ends: None,
            pid: None,
            idle_s,
            asked: None,
        }
    }

    #[test]
    fn who_waits_hears_of_each_idle_seat_once_until_it_is_used_again() {
        let mut told = BTreeSet::new();
        let mut hear = |seats: &[api::Seat]| who_is_idle(seats, "cad", &mut told);
        let other = api::Seat { product: "paint".to_owned(), ..seat("5", Some(9_000)) };
        let asked = api::Seat { asked: Some("2026-01-01T08:00:00Z".to_owned()), ..seat("6", Some(9_000)) };
        assert!(hear(&[seat("1", None), seat("2", Some(240)), other, asked]).is_empty());
        let idle = [seat("1", Some(300)), seat("2", Some(9_000))];
        assert_eq!(
            hear(&idle),
            [
                "max on pc2 has not used seat 2 for 2 h; `seatkeeper seats ask 2` asks for it",
                "max on pc2 has not used seat 1 for 5 min; `seatkeeper seats ask 1` asks for it"
            ]
        );
        assert!(hear(&idle).is_empty());
        assert!(hear(&[seat("1", Some(0)), seat("2", Some(9_060))]).is_empty());
        assert_eq!(hear(&idle).len(), 1);
        let many: Vec<_> = (10..20).map(|n| seat(&n.to_string(), Some(600))).collect();
        assert_eq!(hear(&many).len(), TELL_WHO_MAX);
    }

    #[test]
    fn idleness_reads_well() {
        let check = |idle_s, expected: &str| assert_eq!(shown(&seat("1", idle_s)), expected);
        check(None, "-");
        check(Some(0), "no");
        check(Some(1_500), "25 min");
        check(Some(7_200), "2 h");
        check(Some(604_800), "7 days");
    }
}
