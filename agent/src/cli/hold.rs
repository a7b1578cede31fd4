//! `seatkeeper hold`: holds a seat until interrupted.

use seatkeeper_client::Client;

use super::args::SeatArgs;
use super::fail::{Fail, UNAVAILABLE};
use super::seat::{self, Change, HeldSeat};
use super::{notices, print, run};
use crate::platform::signals;

pub(super) async fn hold(client: Client, args: &SeatArgs) -> Result<(), Fail> {
    // Before the seat is taken, so that an interruption gives it back.
    let stop = signals::shutdown();
    tokio::pin!(stop);
    let mut seat = tokio::select! {
        () = &mut stop => return Ok(()),
        seat = HeldSeat::take(client, seat::request(args), seat::say_place) => seat?,
    };
    let granted = &seat.granted;
    let shared = if granted.shared { ", shared with a program of yours on this machine" } else { "" };
    print::line(format!(
        "Holding seat {} of {}@{} on license {}{shared}. Ctrl-C gives it back.",
        granted.seat, granted.product, granted.version, granted.license
    ));
    let mut lost = None;
    loop {
        tokio::select! {
            () = &mut stop => break,
            change = seat.change() => match change {
                Some(change) => {
                    print::note(format!("seatkeeper: {}", run::describe(&change)));
                    notices::of_change(&seat.granted.product, &change);
                    lost = match change {
                        Change::Lost(reason) => Some(reason),
                        Change::Regained | Change::Reachable => None,
                        Change::Unreachable(_) | Change::Ends(_) | Change::Asked(_) => lost,
                    };
                }
                None => {
                    let reason = lost.unwrap_or_else(|| "the agent gave no reason".to_owned());
                    return Err(Fail::new(UNAVAILABLE, format!("the seat is lost for good: {reason}")));
                }
            },
        }
    }
    match lost {
        Some(reason) => Err(Fail::new(UNAVAILABLE, format!("the seat was lost: {reason}"))),
        None => {
            print::line("The seat is given back.");
            Ok(())
        }
    }
}
