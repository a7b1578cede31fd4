//! What announcements nearby say about other sites. Anybody can send one: they are reasons to look, never facts.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::Name;

use super::health::{Condition, OtherGeneration, Twin};
use super::sighting::Announcement;

/// Sites that a machine without one is told of by name.
const SITES_MAX: usize = 8;
/// Other sites of our name that are told of.
const TWINS_MAX: usize = 3;

/// The site that this device belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The first characters of its id, as announced.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The number of its generation.
    pub generation: u32,
}

/// What is to be said of what other devices announce.
pub fn conditions<'a>(own: Option<Own<'_>>, seen: impl Iterator<Item = &'a Announcement>) -> Vec<Condition> {
    match own {
        Some(own) => beside(own, seen),
        None => several(seen).into_iter().collect(),
    }
}

fn beside<'a>(own: Own<'_>, seen: impl Iterator<Item = &'a Announcement>) -> Vec<Condition> {
    let mut twins: BTreeMap<&str, &Announcement> = BTreeMap::new();
    let (mut newer, mut older): (Option<&Announcement>, Option<&Announcement>) = (None, None);
    for other in seen {
        if other.site != own.id {
            if other.name.as_ref().map(Name::as_str) == Some(own.name) {
                twins.entry(&other.site).or_insert(other);
            }
        } else if other.generation > own.generation {
            if newer.is_none_or(|newer| other.generation > newer.generation) {
                newer = Some(other);
            }
        } else if other.generation < own.generation {
            older = older.or(Some(other));
        }
    }
    let generation = |other: &Announcement| OtherGeneration {
        generation: own.generation,
        other: other.generation,
        address: address(other),
    };
    let twins = twins.into_values().take(TWINS_MAX).map(|other| {
        Condition::TwoSites(Twin {
            site: own.name.to_owned(),
            id: own.id.to_owned(),
            other: other.site.clone(),
            address: address(other),
        })
    });
    let generations = [
        newer.map(|other| Condition::NewerGeneration(generation(other))),
        older.map(|other| Condition::OlderGeneration(generation(other))),
    ];
    twins.chain(generations.into_iter().flatten()).collect()
}

fn several<'a>(seen: impl Iterator<Item = &'a Announcement>) -> Option<Condition> {
    let mut sites: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for other in seen {
        let name = sites.entry(&other.site).or_default();
        *name = name.or(other.name.as_ref().map(Name::as_str));
    }
    let label = |(id, name): (&str, Option<&str>)| match name {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    };
    (sites.len() > 1).then(|| Condition::SeveralSites { sites: some_of(sites.into_iter().map(label)) })
}

/// The first of these, and how many more there are: anybody can announce a thousand.
pub fn some_of(mut sites: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let mut some: Vec<String> = sites.by_ref().take(SITES_MAX).collect();
    if sites.len() > 0 {
        some.push(format!("{} more", sites.len()));
    }
    some
}

fn address(of: &Announcement) -> String {
    of.addresses.first().map_or_else(|| of.device.short(), |address| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use seatkeeper_protocol::id::DeviceId;

    use super::*;

    fn seen(device: u8, site: &str, name: Option<&str>, generation: u32) -> Announcement {
        let addresses = vec![SocketAddr::from(([10, 0, 0, device], 7410))];
        let (site, name) = (site.to_owned(), name.map(|name| Name::new(name).unwrap()));
        Announcement { device: DeviceId([device; 20]), site, generation, name, addresses }
    }

    fn check(own: Option<(&str, &str, u32)>, seen: &[Announcement], expected: &[&str]) {
        let own = own.map(|(id, name, generation)| Own { id, name, generation });
        let found = conditions(own, seen.iter());
        let texts: Vec<String> = found
            .iter()
            .map(|condition| {
                let health = condition.health();
                let values = ["other", "address", "sites"].map(|name| health.args.get(name).cloned());
                format!("{} {}", health.code, values.into_iter().flatten().collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(texts, expected, "{own:?}");
    }

    #[test]
    fn own_machines_and_other_offices_are_no_trouble() {
        let office = Some(("aaaaaaaa", "Office", 1));
        check(office, &[], &[]);
        check(office, &[seen(2, "aaaaaaaa", Some("Office"), 1), seen(3, "aaaaaaaa", None, 1)], &[]);
        check(office, &[seen(2, "bbbbbbbb", Some("Neighbors"), 1), seen(3, "cccccccc", None, 7)], &[]);
        check(None, &[seen(2, "aaaaaaaa", Some("Office"), 1), seen(3, "aaaaaaaa", None, 1)], &[]);
    }

    #[test]
    fn twins_and_generations_are_told_once_each() {
        let office = Some(("aaaaaaaa", "Office", 2));
        let twins = [seen(2, "bbbbbbbb", Some("Office"), 1), seen(3, "bbbbbbbb", Some("Office"), 1)];
        check(office, &twins, &["two-sites bbbbbbbb 10.0.0.2"]);
        let generations = [
            seen(2, "aaaaaaaa", None, 1),
            seen(3, "aaaaaaaa", None, 1),
            seen(4, "aaaaaaaa", None, 3),
            seen(5, "aaaaaaaa", None, 4),
        ];
        check(office, &generations, &["newer-generation 4 10.0.0.5", "older-generation 1 10.0.0.2"]);
    }

    #[test]
    fn a_flood_of_twins_is_bounded() {
        let many: Vec<_> = (0..50).map(|n| seen(n, &format!("bbbbbb{n:02}"), Some("Office"), 1)).collect();
        let own = Own { id: "aaaaaaaa", name: "Office", generation: 1 };
        assert_eq!(conditions(Some(own), many.iter()).len(), TWINS_MAX);
    }

    #[test]
    fn a_flood_of_sites_is_bounded() {
        let many: Vec<_> = (0..50).map(|n| seen(n, &format!("bbbbbb{n:02}"), None, 1)).collect();
        let found = conditions(None, many.iter());
        let [Condition::SeveralSites { sites }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((sites.len(), sites.last().map(String::as_str)), (SITES_MAX + 1, Some("42 more")));
    }

    #[test]
    fn a_machine_without_a_site_hears_of_the_choice() {
        let sites = [
            seen(2, "bbbbbbbb", None, 1),
            seen(3, "aaaaaaaa", Some("Office"), 1),
            seen(4, "bbbbbbbb", Some("Annex"), 1),
        ];
        check(None, &sites, &["several-sites Office (aaaaaaaa), Annex (bbbbbbbb)"]);
    }
}
