//! `seatkeeper usage`.

use seatkeeper_client::{Client, api};
use seatkeeper_ledger::whatif::{Replay, Told, WhatIf};
use seatkeeper_protocol::id::ProductId;
use seatkeeper_protocol::time::WallTime;

use super::args::UsageArgs;
use super::audit::Pages;
use super::fail::Fail;
use super::print::{self, Page, progress::Progress};
use super::watch;
use crate::middle::audit::Verifier;

/// The rules that refuse, as columns.
const DENIED: [&str; 4] = ["no-seat", "queue", "not-licensed", "limit"];

pub(super) async fn usage(client: &Client, args: &UsageArgs, json: bool) -> Result<(), Fail> {
    if let (Some(product), Some(seats)) = (&args.product, args.what_if) {
        return what_if(client, product, seats, args, json).await;
    }
    if args.csv {
        let rows = rows(&chosen(client, args).await?, args);
        print::line(TITLES.map(|title| title.replace(' ', "_")).join(","));
        rows.iter().for_each(|row| print::line(row.join(",")));
        return Ok(());
    }
    let page = |usage: &api::Usage| {
        let mut page = Page::new();
        page.table(&TITLES, &rows(usage, args), "Nothing was used then.");
        page
    };
    watch::show(client, args.watch, json, async || chosen(client, args).await, page).await
}

const TITLES: [&str; 10] = [
    "start",
    "product",
    "peak",
    "average",
    "borrowed",
    "starts",
    "no seat",
    "queue",
    "not licensed",
    "limit",
];

/// Of the products and the time that are asked for.
async fn chosen(client: &Client, args: &UsageArgs) -> Result<api::Usage, Fail> {
    let mut usage = client.usage().await?;
    let within = |used: &api::Used| {
        let start = used.start.as_deref().and_then(|start| WallTime::from_rfc3339(start).ok());
        start.is_some_and(|start| {
            args.from.is_none_or(|from| start >= from) && args.to.is_none_or(|to| start < to)
        })
    };
    usage.products.retain(|product| args.product.as_ref().is_none_or(|p| p.as_str() == product.product));
    for product in &mut usage.products {
        product.hours.retain(within);
        product.days.retain(within);
    }
    Ok(usage)
}

fn rows(usage: &api::Usage, args: &UsageArgs) -> Vec<Vec<String>> {
    let length_s = if args.hours { 3_600 } else { 86_400 };
    let row = |product: &str, used: &api::Used| {
        let start = used.start.as_deref().unwrap_or("-");
        let mut row = vec![
            if args.csv { start.to_owned() } else { print::when(Some(start)) },
            product.to_owned(),
            used.peak.to_string(),
            hundredths(used.seat_s, length_s),
            hundredths(used.borrowed_s, length_s),
            used.starts.to_string(),
        ];
        row.extend(DENIED.map(|by| used.denied.get(by).copied().unwrap_or(0).to_string()));
        row
    };
    let used = |product: &api::ProductUsage| {
        let used = if args.hours { &product.hours } else { &product.days };
        used.iter().map(|used| row(&product.product, used)).collect::<Vec<_>>()
    };
    usage.products.iter().flat_map(used).collect()
}

/// `seat_s` per `length_s`, with two digits.
fn hundredths(seat_s: u64, length_s: u64) -> String {
    let hundredths = seat_s.saturating_mul(100) / length_s;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

async fn what_if(
    client: &Client,
    product: &ProductId,
    seats: u32,
    args: &UsageArgs,
    json: bool,
) -> Result<(), Fail> {
    let mut pages = Pages::new(client, args.from, args.to);
    let mut verifier = Verifier::default();
    let mut replay = Replay::new(product.clone());
    let mut progress = Progress::new("reading the records", None);
    while let Some(page) = pages.next().await? {
        progress.add(page.part.records.len());
        let Some(first) = page.part.records.first().map(|record| record.seq) else { continue };
        if replay.last() > 0 && first != replay.last().saturating_add(1) {
            // Nobody knows who was at work after a gap: only what follows it is lived through.
            replay = Replay::new(product.clone());
        }
        verifier.take(&page.part, |record| replay.take(&record)).map_err(|wrong| {
            Fail::other(format!("the records are not as they were: {wrong}; see `seatkeeper audit verify`"))
        })?;
    }
    drop(progress);
    let Some(found) = replay.with_seats(seats) else {
        return Err(Fail::input("nothing was recorded in that time; name another with --from and --to"));
    };
    let told = api_of(product, seats, &found);
    if json {
        return print::json(&told);
    }
    let (from, to) = (print::when(told.from.as_deref()), print::when(told.to.as_deref()));
    let (first, last) = found.records;
    if told.starts == 0 && told.refused_anyway == 0 {
        print::line(format!("From {from} to {to}, records {first} to {last} tell of no start of {product}."));
        return Ok(());
    }
    print::line(format!("{product} from {from} to {to}, as records {first} to {last} tell:"));
    print::line("");
    let (was, would) = (&told.recorded, &told.replayed);
    let count = |what: &str, of: fn(&api::WhatIfTold) -> u64| {
        vec![what.to_owned(), of(was).to_string(), of(would).to_string()]
    };
    let time =
        |what: &str, of: fn(&api::WhatIfTold) -> u64| vec![what.to_owned(), clock(of(was)), clock(of(would))];
    let rows = [
        count("starts that were refused", |told| told.refused),
        count("starts that waited", |told| told.waited),
        time("  together, h:min", |told| told.waited_s),
        time("  at longest", |told| told.longest_s),
        count("  of these, gave up", |told| told.gave_up),
        count("most seats in use at once", |told| u64::from(told.peak)),
    ];
    let with = format!("with {}", print::count(seats, "seat", "seats"));
    print::table(&[&format!("of {} starts", told.starts), "recorded", &with], &rows, "");
    print::line("");
    if told.refused_anyway > 0 {
        print::line(format!(
            "{} no license covered, or a limit of the site refused, whatever the number of seats.",
            print::count(
                u32::try_from(told.refused_anyway).unwrap_or(u32::MAX),
                "further start",
                "further starts"
            )
        ));
    }
    if was.refused > 0 {
        print::line(match told.taken_to_run_s {
            Some(ran) => format!(
                "A refused start is taken to run for {}, as half of the others did at most.",
                clock(ran)
            ),
            None => "A refused start is taken to run to the end: no start has ended yet.".to_owned(),
        });
    }
    print::line("All seats count as alike, whatever versions and features their licenses have.");
    Ok(())
}

fn api_of(product: &ProductId, seats: u32, found: &WhatIf) -> api::WhatIf {
    let told = |told: Told| api::WhatIfTold {
        refused: told.refused,
        waited: told.waited,
        waited_s: told.waited_ms / 1_000,
        longest_s: told.longest_ms / 1_000,
        gave_up: told.gave_up,
        peak: told.peak,
    };
    api::WhatIf {
        format: api::FORMAT,
        product: product.to_string(),
        seats,
        from: found.span.0.rfc3339(),
        to: found.span.1.rfc3339(),
        first: found.records.0,
        last: found.records.1,
        starts: found.starts,
        refused_anyway: found.refused_anyway,
        taken_to_run_s: found.taken_to_run_ms.and_then(|ms| u64::try_from(ms / 1_000).ok()),
        recorded: told(found.recorded),
        replayed: told(found.replayed),
    }
}

/// `1:05`: hours and minutes, a part of a minute as a whole one.
fn clock(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!([0, 1, 60, 3_900, 360_000].map(clock), ["0:00", "0:01", "0:01", "1:05", "100:00"]);
        assert_eq!(hundredths(90, 3_600), "0.02");
    }
}
