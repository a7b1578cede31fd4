//! `seatkeeper borrow` and `return`.

use seatkeeper_client::{Client, api};

use super::args::{BorrowArgs, ProductAt, WatchArgs};
use super::fail::Fail;
use super::print::{self, Page};
use super::watch;
use crate::middle::health::about;

pub(super) async fn borrow(client: &Client, args: BorrowArgs, json: bool) -> Result<(), Fail> {
    let Some(product) = args.product else { return list(client, args.watch, json).await };
    let request = api::BorrowRequest {
        product: product.product.to_string(),
        version: product.version.as_ref().map(ToString::to_string),
        features: args.feature.iter().map(ToString::to_string).collect(),
        until: args.until.and_then(|until| until.rfc3339()),
        for_s: args.lasts.map(|lasts| lasts.as_secs()),
        renew: args.renew,
    };
    let borrow = client.borrow(&request).await?;
    if json {
        return print::json(&borrow);
    }
    let renewed = match borrow.renew_s {
        Some(seconds) => {
            let length = about_s(seconds);
            format!(", prolonged to {length} whenever the site is seen")
        }
        None => String::new(),
    };
    print::line(format!(
        "Seat {} of {}@{} is borrowed until {}{renewed}. `seatkeeper return {}` gives it back.",
        borrow.seat,
        borrow.product,
        borrow.version,
        print::when(borrow.ends.as_deref()),
        borrow.product
    ));
    Ok(())
}

async fn list(client: &Client, args: WatchArgs, json: bool) -> Result<(), Fail> {
    watch::show(client, args, json, async || Ok(client.borrows().await?), page).await
}

fn page(borrows: &api::Borrows) -> Page {
    let mut page = Page::new();
    let row = |borrow: &api::Borrow| {
        vec![
            borrow.seat.clone(),
            format!("{}@{}", borrow.product, borrow.version),
            borrow.user.clone(),
            print::when(borrow.ends.as_deref()),
            borrow.renew_s.map_or_else(|| "-".to_owned(), about_s),
            borrow.programs.to_string(),
        ]
    };
    let rows: Vec<_> = borrows.borrows.iter().map(row).collect();
    let titles = ["id", "product", "user", "until", "prolonged to", "programs"];
    page.table(&titles, &rows, "Nothing is borrowed on this machine.");
    if !borrows.returning.is_empty() {
        page.line(format!("Given back at the next contact with the site: {}", borrows.returning.join(", ")));
    }
    page
}

pub(super) async fn give_back(client: &Client, product: &ProductAt, json: bool) -> Result<(), Fail> {
    let request = api::ReturnRequest {
        product: product.product.to_string(),
        version: product.version.as_ref().map(ToString::to_string),
    };
    let returned = client.return_borrow(&request).await?;
    if json {
        return print::json(&returned);
    }
    print::line(if returned.pending {
        format!(
            "{product} is given up here; the site hears of it at the next contact, and others get it then."
        )
    } else {
        format!("{product} is given back.")
    });
    Ok(())
}

/// [`about`], for seconds.
pub(super) fn about_s(seconds: u64) -> String {
    about(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
}
