//! `seatkeeper usage`.

use seatkeeper_client::{Client, api};
use seatkeeper_protocol::time::WallTime;

use super::args::UsageArgs;
use super::fail::Fail;
use super::print;

/// The rules that refuse, as columns.
const DENIED: [&str; 4] = ["no-seat", "queue", "not-licensed", "limit"];

pub(super) async fn usage(client: &Client, args: &UsageArgs, json: bool) -> Result<(), Fail> {
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
    if json {
        return print::json(&usage);
    }
    let length_s = if args.hours { 3_600 } else { 86_400 };
    let used =
        |product: &api::ProductUsage| if args.hours { product.hours.clone() } else { product.days.clone() };
    let row = |product: &str, used: &api::Used| {
        let start = used.start.as_deref().unwrap_or("-");
        let average = hundredths(used.seat_s, length_s);
        let borrowed = hundredths(used.borrowed_s, length_s);
        let mut row = vec![
            if args.csv { start.to_owned() } else { print::when(Some(start)) },
            product.to_owned(),
            used.peak.to_string(),
            average,
            borrowed,
            used.starts.to_string(),
        ];
        row.extend(DENIED.map(|by| used.denied.get(by).copied().unwrap_or(0).to_string()));
        row
    };
    let rows: Vec<Vec<String>> = usage
        .products
        .iter()
        .flat_map(|product| used(product).iter().map(|used| row(&product.product, used)).collect::<Vec<_>>())
        .collect();
    let titles = [
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
    if args.csv {
        print::line(titles.map(|title| title.replace(' ', "_")).join(","));
        rows.iter().for_each(|row| print::line(row.join(",")));
        return Ok(());
    }
    print::table(&titles, &rows, "Nothing was used then.");
    Ok(())
}

/// `seat_s` per `length_s`, with two digits.
fn hundredths(seat_s: u64, length_s: u64) -> String {
    let hundredths = seat_s.saturating_mul(100) / length_s;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
