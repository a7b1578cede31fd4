//! The books as JSON (design section 9).

use seatkeeper_election::Status as EngineStatus;
use seatkeeper_ledger::command::{AdminRole, Form, NodeLimits, Refusal, Whom};
use seatkeeper_ledger::org::NodeId;
use seatkeeper_ledger::{Happening, Ledger, LicenseState, Record, Used};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::id::{DeviceId, ProductId};
use seatkeeper_protocol::license::Downgrade;
use seatkeeper_protocol::ticket::SeatKind;
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::Query;

use super::duty::Duty;
use super::{Inner, compliance, inventory, organisation};
use crate::middle::health::{Condition, Dated, LICENSE_DAYS};

/// Events of one page.
const EVENTS_PAGE: usize = 200;
/// Events of the first page.
const EVENTS_FIRST: usize = 100;
/// Licenses that status tells of.
const LICENSES_TOLD_MAX: usize = 20;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// A device that asked to be admitted and has not for this long is no longer listed, milliseconds.
const WAITING_MS: u64 = 30_000;

/// Answers a query as the holder.
pub(crate) fn json(inner: &Inner, duty: &Duty, query: &Query) -> Result<Vec<u8>, Unanswered> {
    let json = match query {
        Query::Status => serde_json::to_vec(&status(inner, duty)),
        Query::Seats => serde_json::to_vec(&seats(inner, duty)),
        Query::Devices => serde_json::to_vec(&devices(inner, duty)),
        Query::Licenses => serde_json::to_vec(&licenses(inner, duty)),
        Query::Admins => serde_json::to_vec(&admins(duty)),
        Query::Vendors => serde_json::to_vec(&vendors(duty)),
        Query::PoolKey => serde_json::to_vec(&pool_key(duty)),
        Query::Usage => serde_json::to_vec(&usage(inner, duty)),
        Query::Limits => serde_json::to_vec(&limits(duty)),
        Query::Organisation => serde_json::to_vec(&organisation::organisation(duty)),
        Query::Purchases => serde_json::to_vec(&organisation::purchases(inner, duty)),
        Query::Events { after } => serde_json::to_vec(&events(duty, *after)),
        Query::Compliance(None) => serde_json::to_vec(&compliance::compliance(inner, duty)),
        Query::Compliance(Some(product)) => serde_json::to_vec(&compliance::of_product(inner, duty, product)),
        Query::WhatIf(changes) => serde_json::to_vec(&compliance::what_if(inner, duty, changes)?),
        Query::Calculations => serde_json::to_vec(&compliance::calculations(duty)),
        Query::Inventory(after) => serde_json::to_vec(&inventory::inventory(duty, after.as_deref())?),
        Query::Machine(id) => serde_json::to_vec(&inventory::detail(duty, id)?),
        Query::UnknownPrograms => serde_json::to_vec(&inventory::unknown(duty)),
        Query::Catalog => serde_json::to_vec(&inventory::catalog(duty)),
    };
    Ok(json?)
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// What is asked for can't be meant.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is no JSON; does not happen.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The voters as this device's engine sees them.
pub(crate) fn quorum(status: &EngineStatus) -> api::Quorum {
    let voters = status.voters();
    api::Quorum {
        voters: count(voters),
        live: count(status.voters_live),
        needed: count(voters / 2 + 1),
        ok: status.quorum_ok,
    }
}

pub(super) fn status(inner: &Inner, duty: &Duty) -> api::Status {
    let engine = duty.log.engine.status().borrow().clone();
    let time = duty.time(inner);
    let ledger = duty.log.books.read();
    let presence = inner.presence.borrow();
    let is_online = |id: &DeviceId| *id == inner.device || presence.since.contains_key(id);
    let online = ledger.devices().filter(|(id, _)| is_online(id)).count();
    let pools = ledger
        .pools(time)
        .into_iter()
        .filter(|pool| pool.state == LicenseState::Active || pool.online > 0 || !pool.borrowers.is_empty())
        .map(|pool| api::Pool {
            product: pool.product.to_string(),
            version: pool.version.to_string(),
            license: pool.license.to_string(),
            owned: pool.owned,
            online: pool.online,
            borrowed: count(pool.borrowers.len()),
            parked: 0,
            grace: 0,
            offline: count(pool.borrowers.iter().filter(|device| !is_online(device)).count()),
            free: pool.free,
            over: pool.over,
            waiting: pool.waiting,
        })
        .collect();
    let mut health = Vec::new();
    if engine.voters() == 1 && engine.members.len() == 1 {
        health.push(Condition::DurabilitySingle.health());
    }
    if ledger.pool_key_exposed() {
        health.push(Condition::PoolKeyExposed.health());
    }
    license_health(&ledger, time, &mut health);
    if let Some(bug) = ledger.bug() {
        health.push(Condition::Bug { detail: bug.to_owned() }.health());
    }
    api::Status {
        format: FORMAT,
        site: inner.site().map(|site| site.api()),
        me: None,
        holder: Some(api::Holder {
            id: inner.device.to_string(),
            name: ledger.device_name(&inner.device).to_string(),
        }),
        quorum: Some(quorum(&engine)),
        devices: Some(api::DeviceCount { enrolled: count(ledger.devices().len()), online: count(online) }),
        pools,
        health,
    }
}

/// Licenses that end soon, or have while seats of them are in use.
fn license_health(ledger: &Ledger, time: WallTime, health: &mut Vec<api::Health>) {
    let conditions = ledger.pools(time).into_iter().filter_map(|pool| {
        let record = ledger.license(&pool.license)?;
        let until = record.license().valid_until;
        let dated = |until: String| Dated {
            license: pool.license.to_string(),
            product: pool.product.to_string(),
            until,
        };
        let running = pool.online.saturating_add(count(pool.borrowers.len()));
        match pool.state {
            LicenseState::Active => {
                let until = until.filter(|_| ledger.replaced_by(&pool.license, time).is_none())?;
                let left_ms = until.ends().ms_since(time);
                (left_ms <= LICENSE_DAYS * DAY_MS)
                    .then(|| Condition::LicenseEnds { license: dated(until.to_string()), left_ms })
            }
            LicenseState::Ended if running > 0 => {
                let until = until.map(|until| until.to_string());
                let day = || Some(record.ended?.rfc3339()?.get(..10)?.to_owned());
                let license = dated(until.or_else(day)?);
                Some(Condition::LicenseEnded { license, seats: running })
            }
            _ => None,
        }
    });
    health.extend(conditions.take(LICENSES_TOLD_MAX).map(|condition| condition.health()));
}

fn seats(inner: &Inner, duty: &Duty) -> api::Seats {
    let time = duty.time(inner);
    let ledger = duty.log.books.read();
    let seats = ledger
        .seats()
        .map(|(id, seat)| (id, seat, duty.idle_and_asked(inner, id, seat, time)))
        .map(|(id, seat, (idle_s, asked))| api::Seat {
            id: id.to_string(),
            product: seat.product.to_string(),
            version: seat.version.to_string(),
            kind: match seat.borrow {
                Some(_) => SeatKind::Borrowed,
                None => SeatKind::Online,
            }
            .as_str()
            .to_owned(),
            user: seat.user.to_string(),
            device: seat.device.to_string(),
            device_name: ledger.device_name(&seat.device).to_string(),
            org_node: ledger.node_of(&seat.device).map(ToString::to_string),
            since: seat.since.rfc3339(),
            ends: seat.borrow.as_ref().and_then(|borrow| borrow.ends.rfc3339()),
            pid: seat.sessions.first().and_then(|session| ledger.session(session)).and_then(|s| s.pid),
            idle_s,
            asked,
        })
        .collect();
    let waiting = ledger.queue(time).into_iter().filter_map(|place| {
        let waiting = ledger.waiting_session(&place.session)?;
        Some(api::Waiting {
            product: waiting.want.product.to_string(),
            version: waiting.want.version.as_ref().map(ToString::to_string),
            user: waiting.want.user.to_string(),
            device: waiting.device.to_string(),
            device_name: ledger.device_name(&waiting.device).to_string(),
            position: place.position,
            since: waiting.since.rfc3339(),
            passed_over: place.passed,
            pid: waiting.want.pid,
        })
    });
    let waiting = waiting.collect();
    api::Seats { format: FORMAT, seats, waiting, next: None }
}

fn form(form: Form) -> String {
    match form {
        Form::Desktop => "desktop",
        Form::Laptop => "laptop",
    }
    .to_owned()
}

fn devices(inner: &Inner, duty: &Duty) -> api::Devices {
    let engine = duty.log.engine.status().borrow().clone();
    let ledger = duty.log.books.read();
    let presence = inner.presence.borrow();
    let book = inner.book();
    let role = |id: &DeviceId| match engine.member_on(*id) {
        _ if *id == inner.device => "holder",
        Some(member) if member.voter => "voter",
        Some(_) => "standby",
        None => "spare",
    };
    let (time, now) = (duty.time(inner), inner.clock.mono());
    let is_online = |id: &DeviceId| *id == inner.device || presence.since.contains_key(id);
    let contacts = inner.contacts();
    let last_seen = |id: &DeviceId| {
        let ago_ms = now.ms_since(contacts.get(id).filter(|_| !is_online(id))?.at);
        time.plus_ms(i64::try_from(ago_ms).ok()?.checked_neg()?).rfc3339()
    };
    let mut devices: Vec<api::Device> = ledger
        .devices()
        .map(|(id, record)| api::Device {
            id: id.to_string(),
            name: record.name().to_string(),
            role: role(id).to_owned(),
            online: is_online(id),
            form: form(record.form()),
            always_on: record.always_on(),
            last_seen: last_seen(id),
            clock_off_s: contacts.get(id).and_then(|known| Some(known.clock_ahead_ms? / 1_000)),
            address: book.newest(id).map(|address| address.to_string()),
            version: Some(record.info.version.to_string()),
            seats: count(
                ledger
                    .sessions_of(id)
                    .map(|(_, session)| session.seat)
                    .collect::<std::collections::BTreeSet<_>>()
                    .len(),
            ),
            borrowed: count(ledger.borrowed_by(id).count()),
            lost: record.lost.and_then(WallTime::rfc3339),
        })
        .collect();
    devices.extend(ledger.revoked().map(|(id, revoked)| api::Device {
        id: id.to_string(),
        name: revoked.name.to_string(),
        role: "revoked".to_owned(),
        online: false,
        form: form(Form::Desktop),
        always_on: false,
        last_seen: None,
        clock_off_s: None,
        address: None,
        version: None,
        seats: count(ledger.sessions_of(id).count()),
        borrowed: count(ledger.borrowed_by(id).count()),
        lost: None,
    }));
    let waiting = inner
        .waiting()
        .iter()
        .filter(|(id, asked)| now.ms_since(asked.at) < WAITING_MS && ledger.device(id).is_none())
        .map(|(id, asked)| api::WaitingDevice {
            id: id.to_string(),
            key: asked.key.to_string(),
            name: asked.name.to_string(),
            form: form(asked.form),
            version: asked.version.to_string(),
            address: Some(asked.address.to_string()),
        })
        .collect();
    api::Devices { format: FORMAT, devices, waiting, next: None }
}

fn licenses(inner: &Inner, duty: &Duty) -> api::Licenses {
    let time = duty.time(inner);
    let ledger = duty.log.books.read();
    let licenses = ledger
        .licenses()
        .map(|(id, record)| {
            let license = record.license();
            let downgrade = match &license.downgrade {
                Downgrade::To(versions) => versions.iter().map(ToString::to_string).collect(),
                Downgrade::None | Downgrade::Any => Vec::new(),
            };
            api::License {
                id: id.to_string(),
                vendor: license.vendor.to_string(),
                customer: license.customer.to_string(),
                product: license.product.to_string(),
                title: license.title.to_string(),
                version: license.version.to_string(),
                seats: license.seats,
                features: license.features.iter().map(ToString::to_string).collect(),
                downgrade,
                downgrade_any: license.downgrade == Downgrade::Any,
                replaces: license.replaces.iter().map(ToString::to_string).collect(),
                replaced_by: ledger.replaced_by(id, time).map(ToString::to_string),
                valid_from: license.valid_from.map(|date| date.to_string()),
                valid_until: license.valid_until.map(|date| date.to_string()),
                state: ledger.license_state(id, time).map_or("unknown", LicenseState::as_str).to_owned(),
                text: record.file.file(),
            }
        })
        .collect();
    api::Licenses { format: FORMAT, licenses, next: None }
}

fn admins(duty: &Duty) -> api::Admins {
    let ledger = duty.log.books.read();
    let admins = ledger
        .admins()
        .map(|(name, admin)| api::Admin {
            name: name.to_string(),
            role: match admin.role {
                AdminRole::Admin => "admin",
                AdminRole::Reader => "reader",
            }
            .to_owned(),
            key: admin.key.to_string(),
        })
        .collect();
    api::Admins { format: FORMAT, admins }
}

fn vendors(duty: &Duty) -> api::Vendors {
    let ledger = duty.log.books.read();
    let vendors = ledger
        .vendors()
        .map(|(key, vendor)| api::Vendor {
            name: vendor.name.to_string(),
            key: key.to_string(),
            prefixes: vendor.prefixes.iter().map(ToString::to_string).collect(),
        })
        .collect();
    api::Vendors { format: FORMAT, vendors }
}

fn usage(inner: &Inner, duty: &Duty) -> api::Usage {
    let used = |used: Used| api::Used {
        start: used.start.rfc3339(),
        peak: used.peak,
        seat_s: used.seat_ms / 1_000,
        borrowed_s: used.borrowed_ms / 1_000,
        starts: used.starts,
        denied: used.denied.into_iter().map(|(by, count)| (by.as_str().to_owned(), count)).collect(),
    };
    let product = |(product, hours, days): (ProductId, Vec<Used>, Vec<Used>)| api::ProductUsage {
        product: product.to_string(),
        hours: hours.into_iter().map(used).collect(),
        days: days.into_iter().map(used).collect(),
    };
    let time = duty.time(inner);
    let usage = duty.log.books.read().usage(time);
    api::Usage { format: FORMAT, products: usage.into_iter().map(product).collect() }
}

fn limits(duty: &Duty) -> api::Limits {
    let ledger = duty.log.books.read();
    let whom = |whom: &Whom| match whom {
        Whom::User(name) => api::Whom { user: Some(name.to_string()), ..api::Whom::default() },
        Whom::Group(name) => api::Whom { group: Some(name.to_string()), ..api::Whom::default() },
        Whom::Device(id) => api::Whom {
            device: Some(id.to_string()),
            device_name: Some(ledger.device_name(id).to_string()),
            ..api::Whom::default()
        },
    };
    let limit = |(product, limited, seats, used): (&ProductId, &Whom, u32, u32)| api::Limit {
        product: product.to_string(),
        whom: whom(limited),
        seats,
        used,
    };
    api::Limits {
        format: FORMAT,
        limits: ledger.limits().map(limit).collect(),
        groups: ledger
            .groups()
            .map(|(name, members)| api::Group {
                name: name.to_string(),
                members: members.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        priorities: ledger
            .priorities()
            .map(|(first, priority)| api::Priority { whom: whom(first), priority })
            .collect(),
        nodes: ledger.node_limits().map(|limits| node_limits(&ledger, limits)).collect(),
    }
}

fn node_limits(
    ledger: &Ledger,
    (product, node, limits, used, used_borrowed): (&ProductId, &NodeId, NodeLimits, u32, u32),
) -> api::NodeLimits {
    let NodeLimits { seats, borrowed, borrow_days, kept } = limits;
    let known = ledger.register().and_then(|register| register.organisation().node(node));
    api::NodeLimits {
        product: product.to_string(),
        node: node.to_string(),
        node_name: known.map_or_else(|| node.to_string(), |node| node.name.to_string()),
        seats,
        borrowed,
        borrow_days,
        kept,
        used,
        used_borrowed,
    }
}

fn pool_key(duty: &Duty) -> api::PoolKeyInfo {
    let engine = duty.log.engine.status().borrow().clone();
    let ledger = duty.log.books.read();
    let log_holders = engine
        .members
        .iter()
        .filter_map(|member| ledger.device(&member.peer.device))
        .map(|record| record.key.to_string())
        .collect();
    let site = ledger.site();
    api::PoolKeyInfo {
        format: FORMAT,
        number: ledger.pool_key().map_or(0, |key| key.certificate.number),
        root: site.map(|site| site.root.to_string()).unwrap_or_default(),
        sealed_root: site.map(|site| data_encoding::BASE64.encode(&site.sealed_root.0)).unwrap_or_default(),
        log_holders,
        exposed: ledger.pool_key_exposed(),
    }
}

fn events(duty: &Duty, after: Option<u64>) -> api::Events {
    let ledger = duty.log.books.read();
    let event = |record: Record| api::Event {
        seq: record.seq,
        time: record.time.rfc3339(),
        kind: record.what.kind().to_owned(),
        text: record.what.text(),
        product: record.what.product().map(ToString::to_string),
        user: record.what.who().map(|who| who.user.to_string()),
        device: record.what.device().map(|device| device.to_string()),
        seat: record.what.seat().map(|seat| seat.to_string()),
        code: match &record.what {
            Happening::Denied { by, .. } => Some(by.as_str().to_owned()),
            _ => None,
        },
    };
    let events = match after {
        Some(after) => ledger.records_after(after).take(EVENTS_PAGE).map(event).collect(),
        None => {
            let mut newest: Vec<api::Event> = ledger.records().rev().take(EVENTS_FIRST).map(event).collect();
            newest.reverse();
            newest
        }
    };
    api::Events { format: FORMAT, events }
}
