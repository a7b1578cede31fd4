//! `seatkeeper status`, `seats` and `events`.

use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::id::SeatId;

use super::args::{SignArgs, WatchArgs};
use super::fail::{Fail, UNAVAILABLE};
use super::print::Page;
use super::sign::SiteSigner;
use super::{idle, print, watch};

pub(super) async fn status(client: &Client, args: WatchArgs, json: bool) -> Result<(), Fail> {
    watch::show(client, args, json, async || Ok(client.status().await?), status_page).await
}

fn status_page(status: &api::Status) -> Page {
    let mut page = Page::new();
    match &status.site {
        Some(site) => page.line(format!("site     {} ({})", site.name, site.id)),
        None => page.line("site     none; `seatkeeper site create` or `seatkeeper site join`"),
    }
    if let Some(me) = &status.me {
        page.line(format!(
            "machine  {} ({}), {}",
            me.name,
            me.id.get(..8).unwrap_or(&me.id),
            page.word(&me.role)
        ));
    }
    if status.site.is_some() {
        let holder = status.holder.as_ref().map_or("none", |holder| holder.name.as_str());
        let holder = if holder == "none" { page.word(holder) } else { holder.to_owned() };
        page.line(format!("holder   {holder}"));
    }
    if let Some(quorum) = &status.quorum {
        let verdict = if quorum.ok { "enough" } else { "too few" };
        let (live, voters, needed) = (quorum.live, quorum.voters, quorum.needed);
        page.line(format!("voters   {live} of {voters} answer, {needed} needed: {}", page.word(verdict)));
    }
    if let Some(devices) = &status.devices {
        page.line(format!("devices  {} enrolled, {} online", devices.enrolled, devices.online));
    }
    if !status.pools.is_empty() {
        page.line("");
        let row = |pool: &api::Pool| {
            vec![
                format!("{}@{}", pool.product, pool.version),
                pool.license.clone(),
                pool.owned.to_string(),
                pool.online.to_string(),
                match pool.offline {
                    0 => pool.borrowed.to_string(),
                    offline => format!("{}, {offline} offline", pool.borrowed),
                },
                pool.free.to_string(),
                pool.waiting.to_string(),
                if pool.over == 0 { String::new() } else { format!("{} too many in use", pool.over) },
            ]
        };
        let rows: Vec<_> = status.pools.iter().map(row).collect();
        page.table(&["product", "license", "seats", "online", "borrowed", "free", "waiting", ""], &rows, "");
    }
    if !status.health.is_empty() {
        page.line("");
    }
    for health in &status.health {
        page.line(format!("{}: {} [{}]", page.word(&health.severity), health.text, health.code));
    }
    page
}

pub(super) async fn seats(client: &Client, args: WatchArgs, json: bool) -> Result<(), Fail> {
    watch::show(client, args, json, async || Ok(client.seats().await?), seats_page).await
}

fn seats_page(seats: &api::Seats) -> Page {
    let mut page = Page::new();
    let row = |seat: &api::Seat| {
        vec![
            seat.id.clone(),
            format!("{}@{}", seat.product, seat.version),
            seat.user.clone(),
            seat.device_name.clone(),
            seat.kind.clone(),
            print::when(seat.since.as_deref()),
            seat.ends.as_deref().map_or_else(|| "-".to_owned(), |ends| print::when(Some(ends))),
            idle::shown(seat),
            seat.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        ]
    };
    let rows: Vec<_> = seats.seats.iter().map(row).collect();
    page.table(
        &["id", "product", "user", "device", "kind", "since", "until", "idle", "pid"],
        &rows,
        "No seat is in use.",
    );
    if seats.waiting.is_empty() {
        return page;
    }
    let row = |waiting: &api::Waiting| {
        let version = waiting.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        vec![
            waiting.position.to_string(),
            format!("{}{version}", waiting.product),
            waiting.user.clone(),
            waiting.device_name.clone(),
            print::when(waiting.since.as_deref()),
            waiting.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            if waiting.passed_over { "out of contact" } else { "" }.to_owned(),
        ]
    };
    let rows: Vec<_> = seats.waiting.iter().map(row).collect();
    page.line("");
    page.table(&["waiting", "product", "user", "device", "since", "pid", ""], &rows, "");
    page
}

pub(super) async fn release(client: &Client, seat: SeatId, sign: &SignArgs) -> Result<(), Fail> {
    SiteSigner::open(client, sign).await?.send(&Command::ReleaseSeat { seat }).await?;
    print::line(format!("Seat {seat} is taken away; it is free once its machine has stopped using it."));
    Ok(())
}

pub(super) async fn events(client: &Client, follow: bool, json: bool) -> Result<(), Fail> {
    if !follow {
        let page = client.events(None).await?;
        if json {
            return print::json(&page);
        }
        page.events.iter().for_each(event);
        return Ok(());
    }
    let mut stream = client.follow_events(None).await?;
    while let Some(next) = stream.next_event().await? {
        if json {
            // One object per line, so that a reader can take them as they come.
            let text = serde_json::to_string(&next).map_err(|error| Fail::other(error.to_string()))?;
            print::line(text);
        } else {
            event(&next);
        }
    }
    Err(Fail::new(UNAVAILABLE, "the agent has stopped"))
}

fn event(event: &api::Event) {
    print::line(format!("{}  {:<17}  {}", print::when(event.time.as_deref()), event.kind, event.text));
}
