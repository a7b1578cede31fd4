//! Desktop notices. The agent is a service without a screen: they come from the processes of the user's session, from
//! `run` and `hold` for their own seats, and from `seatkeeper notices` for the borrowed ones that nobody watches.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use clap::{Args, ValueEnum};
use seatkeeper_client::{Client, api};

use super::borrow::about_s;
use super::fail::Fail;
use super::seat::Change;
use super::{files, print, run};
use crate::platform::{notices, paths, people, signals};

/// Borrows are looked at as often; the agent alone is asked.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The setting, in a file of its own.
const OFF: &str = "off";
/// So long before the end of a borrow it is told, seconds.
const TELL_AT_S: [u64; 2] = [24 * 60 * 60, 60 * 60];
/// Borrows that are watched; a machine has fewer.
const WATCHED_MAX: usize = 1_000;

/// `notices`.
#[derive(Debug, Args)]
pub struct NoticesArgs {
    /// Turn all notices of this user on or off; without it, show those about borrowed seats until stopped
    #[arg(value_name = "on|off")]
    set: Option<OnOff>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnOff {
    /// Show them
    On,
    /// Show none
    Off,
}

pub(super) async fn notices(client: &Client, args: &NoticesArgs) -> Result<(), Fail> {
    match args.set {
        Some(set) => write(set),
        None if !wanted() => {
            print::line("Notices are turned off; `seatkeeper notices on` turns them on.");
            Ok(())
        }
        None if !notices::THERE_ARE => Err(Fail::other("notices are shown on Linux desktops only")),
        None => {
            tokio::select! {
                () = signals::shutdown() => Ok(()),
                never = watch(client) => match never {},
            }
        }
    }
}

fn write(set: OnOff) -> Result<(), Fail> {
    let path = paths::notices_file()
        .ok_or_else(|| Fail::other("there is no home folder to keep the setting in; set HOME"))?;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)
            .map_err(|error| Fail::other(format!("{} cannot be made: {error}", dir.display())))?;
    }
    let (word, said) = match set {
        OnOff::On => ("on\n", "Notices are on."),
        OnOff::Off => ("off\n", "Notices are off, at once and for all programs of yours."),
    };
    files::write(&path, word, false)?;
    print::line(said);
    Ok(())
}

/// Whether the user wants notices; who has not said so does.
fn wanted() -> bool {
    let Some(path) = paths::notices_file() else { return true };
    match files::read_text(&path, 64) {
        Ok(text) => text.trim() != OFF,
        // Not there, mostly.
        Err(_) => std::fs::metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound),
    }
}

/// Shows a notice, in the background: nothing waits for a desktop.
fn tell(title: String, text: &str, urgent: bool) {
    if wanted() {
        let showing = notices::show(title, print::sentence(text), urgent);
        tokio::spawn(async move {
            if let Err(error) = showing.await {
                // Where there is no desktop there is nobody to be told.
                tracing::debug!(%error, "a notice was not shown");
            }
        });
    }
}

/// What happened to a seat of a program, if it is worth a notice.
pub(super) fn of_change(product: &str, change: &Change) {
    let urgent = match change {
        Change::Lost(_) => true,
        Change::Ends(_) | Change::Asked(_) => false,
        Change::Unreachable(_) | Change::Reachable | Change::Regained => return,
    };
    let title = match change {
        Change::Lost(_) => format!("The seat of {product} is lost"),
        Change::Ends(_) => format!("The borrowed seat of {product} ends soon"),
        _ => format!("Somebody asks for your seat of {product}"),
    };
    tell(title, &run::describe(change), urgent);
}

/// A seat was waited for, and is there.
pub(super) fn of_grant(granted: &api::SeatGranted) {
    let text = format!("seat {} on license {} is yours", granted.seat, granted.license);
    tell(format!("A seat of {} is free for you", granted.product), &text, false);
}

/// Follows what this user has borrowed.
async fn watch(client: &Client) -> std::convert::Infallible {
    let user = people::own_name();
    let mut watched = Watched::default();
    loop {
        if let Ok(borrows) = client.borrows().await {
            for notice in watched.look(&borrows, &user) {
                match notice {
                    Notice::Ends { product, left_s } => {
                        let text = format!(
                            "it ends in {}; connect to the site and borrow again, or save your work by then",
                            about_s(left_s)
                        );
                        tell(format!("The borrowed seat of {product} ends soon"), &text, false);
                    }
                    Notice::Gone { product, seat } => {
                        if let Some(text) = taken_by_an_admin(client, &seat).await {
                            tell(format!("Your borrowed seat of {product} was taken back"), &text, true);
                        }
                    }
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Who took a seat back, in a sentence; `None`: its user gave it back.
async fn taken_by_an_admin(client: &Client, seat: &str) -> Option<String> {
    let events = client.events(None).await.ok()?.events;
    let last = |kind: &str| {
        events.iter().rposition(|event| event.kind == kind && event.seat.as_deref() == Some(seat))
    };
    let taken = last("release")?;
    // Seat ids are never used again, but an old release may be of an earlier borrow of the same seat.
    (last("borrow").is_none_or(|borrowed| borrowed < taken))
        .then(|| events.get(taken).map(|event| event.text.clone()))?
}

#[derive(Debug, PartialEq, Eq)]
enum Notice {
    Ends {
        product: String,
        left_s: u64,
    },
    /// Sooner than it would have ended.
    Gone {
        product: String,
        seat: String,
    },
}

/// What was told of which borrow.
#[derive(Debug, Default)]
struct Watched {
    looked: bool,
    /// By seat: the product, how many of the times have been told, and how long it had at the last look.
    borrows: BTreeMap<String, (String, usize, u64)>,
}

impl Watched {
    fn look(&mut self, borrows: &api::Borrows, user: &str) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut now = BTreeMap::new();
        for borrow in borrows.borrows.iter().filter(|borrow| borrow.user == user).take(WATCHED_MAX) {
            let passed = TELL_AT_S.iter().filter(|at| borrow.left_s <= **at).count();
            let told = match self.borrows.get(&borrow.seat) {
                // Prolonged: it will be told again.
                Some((_, told, _)) => (*told).min(passed),
                // Who borrows for an hour knows that it is an hour.
                None if self.looked => passed,
                None => 0,
            };
            if passed > told {
                notices.push(Notice::Ends { product: borrow.product.clone(), left_s: borrow.left_s });
            }
            now.insert(borrow.seat.clone(), (borrow.product.clone(), passed, borrow.left_s));
        }
        let over = 2 * LOOK_EVERY.as_secs();
        for (seat, (product, _, left_s)) in &self.borrows {
            if !now.contains_key(seat) && *left_s > over {
                notices.push(Notice::Gone { product: product.clone(), seat: seat.clone() });
            }
        }
        (self.looked, self.borrows) = (true, now);
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_borrow_is_told_a_day_and_an_hour_before_and_once_each() {
        let borrows = |left: &[(&str, &str, u64)]| api::Borrows {
            format: 1,
            borrows: left
                .iter()
                .map(|(seat, user, hours)| api::Borrow {
                    format: 1,
                    seat: (*seat).to_owned(),
                    product: "cad".to_owned(),
                    version: "2026".to_owned(),
                    features: Vec::new(),
                    user: (*user).to_owned(),
                    license: "L1".to_owned(),
                    ends: None,
                    left_s: hours * 3_600,
                    renew_s: None,
                    programs: 0,
                })
                .collect(),
            returning: Vec::new(),
        };
        let ends = |hours: u64| Notice::Ends { product: "cad".to_owned(), left_s: hours * 3_600 };
        let mut watched = Watched::default();
        let mut look = |left: &[(&str, &str, u64)]| watched.look(&borrows(left), "eva");
        // Whoever logs in hears what ends today.
        assert_eq!(look(&[("7", "eva", 30), ("8", "eva", 9), ("9", "max", 9)]), [ends(9)]);
        assert_eq!(look(&[("7", "eva", 24), ("8", "eva", 8)]), [ends(24)]);
        assert_eq!(look(&[("7", "eva", 23), ("8", "eva", 7)]), []);
        // Prolonged, and told again.
        assert_eq!(look(&[("7", "eva", 48), ("8", "eva", 1)]), [ends(1)]);
        assert_eq!(look(&[("7", "eva", 24), ("8", "eva", 0)]), [ends(24)]);
        // One that is over is no loss; one that is gone before may be.
        let gone = Notice::Gone { product: "cad".to_owned(), seat: "7".to_owned() };
        assert_eq!(look(&[]), [gone]);
        // Who has just borrowed for half a day knows it.
        assert_eq!(look(&[("10", "eva", 12)]), []);
        assert_eq!(look(&[("10", "eva", 1)]), [ends(1)]);
    }
}
