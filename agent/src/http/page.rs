//! Pages of listings that may be long: `?limit=&after=`.

use std::str::FromStr;

use axum::extract::Query as UrlQuery;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{DeviceId, SeatId};
use seatkeeper_protocol::wire::Query;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::routes::json_bytes;
use crate::node::Node;

/// Entries of one page at most.
const PAGE_MAX: u32 = 1_000;

pub(super) type Given<T> = Result<UrlQuery<T>, QueryRejection>;

pub(super) fn given<T>(query: Given<T>) -> Result<T, Problem> {
    query.map(|UrlQuery(given)| given).map_err(|error| Problem::bad_request(error.body_text()))
}

/// Which page of a listing is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(super) struct Page {
    /// At most so many entries, in the order of their ids. Without `limit` and `after` the listing comes whole.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000))]
    limit: Option<u32>,
    /// What the page before named as `next`: those that follow.
    after: Option<String>,
}

impl Page {
    fn is_whole(&self) -> bool {
        self.limit.is_none() && self.after.is_none()
    }

    /// How many entries it has at most.
    pub(super) fn entries(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::bad_request(format!("`limit` is 1 to {PAGE_MAX}")));
        }
        Ok(usize::try_from(limit).unwrap_or(1))
    }

    pub(super) fn into_after(self) -> Option<String> {
        self.after
    }
}

/// A listing that has pages.
pub(super) trait Listing: DeserializeOwned + Serialize {
    type Entry;
    /// What orders the entries of pages, so that a page can follow an entry that is gone.
    type Key: Ord + FromStr;

    fn id(entry: &Self::Entry) -> &str;
    /// The entries, and where the id that the next page follows is put.
    fn parts(&mut self) -> (&mut Vec<Self::Entry>, &mut Option<String>);
    /// Takes out what comes with the first page alone.
    fn follows(&mut self) {}
}

impl Listing for api::Seats {
    type Entry = api::Seat;
    type Key = SeatId;

    fn id(entry: &api::Seat) -> &str {
        &entry.id
    }
    fn parts(&mut self) -> (&mut Vec<api::Seat>, &mut Option<String>) {
        (&mut self.seats, &mut self.next)
    }
    fn follows(&mut self) {
        self.waiting.clear();
    }
}

impl Listing for api::Devices {
    type Entry = api::Device;
    type Key = DeviceId;

    fn id(entry: &api::Device) -> &str {
        &entry.id
    }
    fn parts(&mut self) -> (&mut Vec<api::Device>, &mut Option<String>) {
        (&mut self.devices, &mut self.next)
    }
    fn follows(&mut self) {
        self.waiting.clear();
    }
}

impl Listing for api::Licenses {
    type Entry = api::License;
    type Key = String;

    fn id(entry: &api::License) -> &str {
        &entry.id
    }
    fn parts(&mut self) -> (&mut Vec<api::License>, &mut Option<String>) {
        (&mut self.licenses, &mut self.next)
    }
}

impl Listing for api::Purchases {
    type Entry = api::Purchase;
    type Key = String;

    fn id(entry: &api::Purchase) -> &str {
        &entry.id
    }
    fn parts(&mut self) -> (&mut Vec<api::Purchase>, &mut Option<String>) {
        (&mut self.purchases, &mut self.next)
    }
    fn follows(&mut self) {
        self.unregistered.clear();
    }
}

impl Listing for api::Organisation {
    type Entry = api::OrgNode;
    type Key = String;

    fn id(entry: &api::OrgNode) -> &str {
        &entry.id
    }
    fn parts(&mut self) -> (&mut Vec<api::OrgNode>, &mut Option<String>) {
        (&mut self.nodes, &mut self.next)
    }
    fn follows(&mut self) {
        self.rules.clear();
    }
}

/// A listing as the holder answers it, or a page of it.
pub(super) async fn listing<L: Listing>(
    node: &Node,
    query: Query,
    page: Given<Page>,
) -> Result<Response, Problem> {
    let page = given(page)?;
    let limit = page.entries()?;
    let whole = node.query(query).await?;
    if page.is_whole() {
        return Ok(json_bytes(whole));
    }
    let mut listing: L = serde_json::from_slice(&whole).map_err(Problem::unreadable)?;
    cut(&mut listing, limit, page.after.as_deref())?;
    Ok(json_bytes(serde_json::to_vec(&listing).map_err(Problem::unreadable)?))
}

/// Leaves the page of `limit` entries that follow `after`.
fn cut<L: Listing>(listing: &mut L, limit: usize, after: Option<&str>) -> Result<(), Problem> {
    let key = |id: &str| id.parse::<L::Key>().ok();
    let after = match after {
        Some(id) => Some(
            key(id)
                .ok_or_else(|| Problem::bad_request("`after` is not what an earlier page named as `next`"))?,
        ),
        None => None,
    };
    if after.is_some() {
        listing.follows();
    }
    let (entries, next) = listing.parts();
    entries.retain(|entry| match (&after, key(L::id(entry))) {
        (Some(after), Some(key)) => key > *after,
        _ => true,
    });
    entries.sort_by_cached_key(|entry| key(L::id(entry)));
    let more = entries.len() > limit;
    entries.truncate(limit);
    *next = entries.last().filter(|_| more).map(|last| L::id(last).to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn licenses(ids: &[&str]) -> api::Purchases {
        let purchase = |id: &&str| {
            serde_json::from_value(serde_json::json!({
                "id": id, "license": false, "registered": true, "product": "cad", "version": "1", "quantity": 1,
                "owner": "R", "automatic": true, "downgrade": [], "downgrade_any": false, "manual": {}
            }))
            .unwrap()
        };
        let unregistered = vec![api::Unregistered { license: "L".to_owned(), why: "x".to_owned() }];
        api::Purchases {
            format: api::FORMAT,
            purchases: ids.iter().map(purchase).collect(),
            unregistered,
            next: None,
        }
    }

    /// All pages of `limit` one after the other; between two of them `b` goes.
    #[test]
    fn pages_have_every_entry_once_also_when_one_goes_meanwhile() {
        let mut after = None;
        let mut seen = Vec::new();
        let mut pages = Vec::new();
        loop {
            let mut all = match &after {
                None => licenses(&["c", "a", "d", "b"]),
                Some(_) => licenses(&["c", "a", "d"]),
            };
            cut(&mut all, 2, after.as_deref()).unwrap();
            pages.push((all.purchases.len(), all.unregistered.len()));
            seen.extend(all.purchases.into_iter().map(|purchase| purchase.id));
            after = all.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c", "d"]);
        assert_eq!(pages, [(2, 1), (2, 0)]);
    }

    #[test]
    fn a_page_has_bounds_and_follows_an_id() {
        let limit = |limit| Page { limit: Some(limit), after: None }.entries();
        assert!(limit(0).is_err() && limit(1_001).is_err());
        assert_eq!((limit(1).unwrap(), limit(1_000).unwrap()), (1, 1_000));
        let mut seats =
            api::Seats { format: api::FORMAT, seats: Vec::new(), waiting: Vec::new(), next: None };
        assert!(cut(&mut seats, 1, Some("x")).is_err());
        assert!(cut(&mut seats, 1, Some("7")).is_ok());
    }
}
