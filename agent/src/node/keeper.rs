//! Watching the engine: taking up and laying down the holder's duties, and the standing work in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_election::{Peer, Standing, Status};
use seatkeeper_ledger::command::{Command, Form, Sealed};
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{DeviceId, Name, PublicKey, SeatId};
use seatkeeper_protocol::roster::{Role, Roster, RosterDevice, SignedRoster};
use seatkeeper_protocol::time::BootTime;

use super::Inner;
use super::duty::{Duty, POOL_KEY_CONTEXT};
use super::log::Log;
use super::queue;
use super::recalculation;
use super::record::{INDEX_BITS, Site, roster_number};
use crate::keys::seal;
use crate::middle::standing::{self, DeviceFacts};

/// How long a new leader's first read may take before it is tried again.
const PROVE_WITHIN: Duration = Duration::from_secs(1);
/// Under load, changes of this long are looked at together.
const TOGETHER: Duration = Duration::from_millis(20);
/// The keeper looks at least this often while it holds: boot-clock deadlines outlive the runtime's timers in suspend.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A license or borrow ends when the site's time has stood past its end for this long, milliseconds (design section 5).
const END_AFTER_MS: u64 = 10 * 60 * 1_000;
/// How long a log must have been without a leader before a newer roster may end it.
const OUTDATED_FOR: Duration = Duration::from_secs(5);
/// Standing and roster are looked at again after this long when only seats changed, milliseconds.
const REFRESH_EVERY_MS: u64 = 300;

/// Follows the engine of one log until it is closed.
pub(crate) async fn follow(inner: Arc<Inner>, log: Arc<Log>, stop: tokio_util::sync::CancellationToken) {
    let mut status = log.engine.status();
    let mut site = inner.site.subscribe();
    loop {
        let now = status.borrow_and_update().clone();
        let suspect = site.borrow_and_update().as_ref().is_some_and(|site| outdated(site, &now));
        if suspect && still_outdated(&inner, &log, &stop).await {
            let inner = inner.clone();
            // Dropping the log ends this task: it cannot wait for it.
            tokio::spawn(async move {
                if let Err(error) = inner.drop_log().await {
                    tracing::warn!(%error, "a log that is no longer wanted could not be dropped");
                }
            });
            break;
        }
        let mut again = false;
        if now.is_leader && now.quorum_ok {
            let current = inner.duty().is_some_and(|duty| duty.term == now.term);
            if !current {
                again = !take_up(&inner, &log, now.term).await;
            }
        } else {
            lay_down(&inner, &log);
            match now.leader {
                Some(leader) if leader.device != inner.device => {
                    inner.learn_holder(inner.device, now.term, leader.device);
                }
                // An engine that has stopped knows nothing new.
                _ if inner.known().holder == Some(inner.device)
                    || (now.term > inner.known().term && now.fatal.is_none()) =>
                {
                    inner.lost_holder(now.term);
                }
                _ => {}
            }
        }
        if let Some(fatal) = &now.fatal {
            inner.log_failed(fatal);
        }
        tokio::select! {
            () = stop.cancelled() => break,
            changed = status.changed() => if changed.is_err() { break },
            Ok(()) = site.changed() => {}
            () = tokio::time::sleep(TOGETHER), if again => {}
        }
    }
    lay_down(&inner, &log);
}

/// Whether a roster newer than everything in this log lists the device without one: it was taken out of the
/// membership while it was off, and nobody could tell it.
fn outdated(site: &Site, status: &Status) -> bool {
    let member = status.members.iter().any(|member| member.peer == status.me);
    let spare = site.role(&status.me.device) == Some(Role::Spare);
    let alone = !status.is_leader && status.leader.is_none();
    alone && member && spare && site.is_newer_than(status)
}

/// Looks again after a while: whoever is still a member hears of a leader.
async fn still_outdated(inner: &Inner, log: &Log, stop: &tokio_util::sync::CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => return false,
        () = tokio::time::sleep(OUTDATED_FOR) => {}
    }
    let status = log.engine.status().borrow().clone();
    inner.site().is_some_and(|site| outdated(&site, &status))
}

/// Proves the leadership by a read, then begins. Whether it did.
async fn take_up(inner: &Arc<Inner>, log: &Arc<Log>, term: u64) -> bool {
    match log.engine.read_index(PROVE_WITHIN).await {
        Ok(read) if read.term == term => {}
        _ => return false,
    }
    let before = inner.last_duty();
    // The same term again (its quorum was away for a moment): the same table, lest an Expire be forgotten.
    let kept = before.filter(|duty| {
        (duty.term == term || planted(Fault::LeasesAcrossTerms)) && Arc::ptr_eq(&duty.log, log)
    });
    let duty = Duty::new(inner, log.clone(), term, kept.map(|duty| duty.leases.clone()));
    tracing::info!(term, "this machine is the holder now");
    inner.set_duty(Some(duty.clone()));
    tokio::spawn(keep(inner.clone(), duty.clone()));
    tokio::spawn(recalculation::keep(inner.clone(), duty));
    inner.learn_holder(inner.device, term, inner.device);
    true
}

fn lay_down(inner: &Arc<Inner>, log: &Log) {
    if let Some(duty) = inner.duty() {
        tracing::info!(term = duty.term, "this machine is no longer the holder");
        duty.stop.cancel();
        inner.set_duty(None);
        inner.queue.send_replace(queue::Places::new());
        // Should this machine lead again, nothing is planned by what it knew of the others in this term: it could hand over
        // to one that was revoked meanwhile, or go itself for a clock that was set right.
        log.standing.send_replace(Standing::default());
    }
}

/// The standing work of the holder: expiries, standing, roster, sealing, ends of licenses and borrows.
async fn keep(inner: Arc<Inner>, duty: Arc<Duty>) {
    let mut status = duty.log.engine.status();
    let mut applied = duty.log.books.applied();
    let mut presence = inner.presence.subscribe();
    let mut ending: BTreeMap<Over, BootTime> = BTreeMap::new();
    let mut turns = queue::Turns::new();
    let mut refreshed: Option<BootTime> = None;
    let mut members = membership(&status.borrow());
    loop {
        let now = inner.clock.mono();
        expire(&inner, &duty, now);
        queue::look(&inner, &duty, now, &mut turns);
        // Whoever comes or goes while something else is under way is not overlooked.
        if presence.has_changed().unwrap_or(false) {
            presence.mark_unchanged();
            refreshed = None;
        }
        // Checkouts change neither standing nor roster: after one of them alone, once in a while is enough.
        let stale = refreshed.is_none_or(|at| now.ms_since(at) >= REFRESH_EVERY_MS);
        if stale {
            refresh(&inner, &duty);
            if seal_pool_key(&inner, &duty).await {
                // They may vote from now on.
                refresh(&inner, &duty);
            }
            refreshed = Some(now);
        }
        end(&inner, &duty, now, &mut ending).await;
        let busy = duty.leases().next_due().is_some() || !ending.is_empty();
        let healthy_at = standing::next_change(now, &presence.borrow());
        let healthy_in = healthy_at.map(|at| Duration::from_millis(at.ms_since(now)));
        let nap = match (busy, healthy_in) {
            (true, Some(healthy)) => healthy.min(LOOK_EVERY),
            (true, None) => LOOK_EVERY,
            (false, Some(healthy)) => healthy,
            (false, None) => Duration::from_secs(30),
        };
        let nap = if stale { nap } else { nap.min(Duration::from_millis(REFRESH_EVERY_MS)) };
        tokio::select! {
            () = duty.stop.cancelled() => return,
            _ = applied.changed() => {}
            _ = status.changed() => {}
            _ = presence.changed() => refreshed = None,
            () = duty.wake.notified() => refreshed = None,
            () = tokio::time::sleep(nap) => { refreshed = None; continue }
        }
        tokio::select! {
            () = duty.stop.cancelled() => return,
            () = tokio::time::sleep(TOGETHER) => {}
        }
        applied.mark_unchanged();
        let now = membership(&status.borrow_and_update());
        if now != members {
            members = now;
            refreshed = None;
        }
    }
}

/// What of an engine's status the standing and the roster depend on.
fn membership(status: &Status) -> Vec<(Peer, bool)> {
    status.members.iter().map(|member| (member.peer, member.voter)).collect()
}

/// Brings the lease table in line with the books and proposes what is due. What is undecided is proposed again.
fn expire(inner: &Arc<Inner>, duty: &Arc<Duty>, now: BootTime) {
    let due = {
        let ledger = duty.log.books.read();
        let mut leases = duty.leases();
        let seated = ledger.sessions().map(|(id, session)| {
            (*id, session.attach, ledger.seat(session.seat).map_or(0, |seat| seat.ttl_ms))
        });
        let waiting = ledger.waiting().map(|(id, waiting)| (*id, waiting.attach, waiting.ttl_ms));
        leases.sync(now, seated.chain(waiting));
        leases.due(now);
        leases.expiring()
    };
    for (session, attach) in due {
        if !duty.claim_expiry(session) {
            continue;
        }
        let (inner, duty) = (inner.clone(), duty.clone());
        tokio::spawn(async move {
            let mut outcome = duty.propose_own(&inner, Command::Expire { session, attach }).await;
            while outcome.is_none() && planted(Fault::StaleHolderCommand) {
                tokio::time::sleep(LOOK_EVERY).await;
                outcome = duty.propose_own(&inner, Command::Expire { session, attach }).await;
            }
            tracing::info!(?session, ?outcome, "a silent session expired");
            duty.expiry_done(session);
        });
    }
}

/// Standing for the role controller, roster for everybody.
pub(crate) fn refresh(inner: &Arc<Inner>, duty: &Duty) {
    let status = duty.log.engine.status().borrow().clone();
    if !status.is_leader || status.term != duty.term {
        return;
    }
    let clock_off = duty.is_clock_off(inner);
    let (facts, roster) = {
        let ledger = duty.log.books.read();
        let Some(site) = ledger.site() else { return };
        let sealed = ledger.pool_key();
        let facts: Vec<DeviceFacts> = ledger
            .devices()
            .map(|(id, record)| DeviceFacts {
                device: *id,
                laptop: record.form() == Form::Laptop,
                always_on: record.always_on(),
                has_pool_key: sealed.is_some_and(|key| key.sealed.contains_key(id)),
                clock_off: clock_off && *id == inner.device,
                node: status.member_on(*id).map(|member| member.peer.node),
            })
            .collect();
        let devices = ledger
            .devices()
            .map(|(id, record)| RosterDevice {
                key: record.key,
                name: record.name().clone(),
                role: role(&status, id),
                node: status.member_on(*id).map(|member| member.peer.node),
                laptop: record.form() == Form::Laptop,
            })
            .collect();
        let number = roster_number(duty.term, ledger.index().max(status.last_applied));
        let roster = Roster {
            number,
            site: site.id,
            generation: site.generation,
            site_name: site.name.clone(),
            devices,
            revoked: ledger.revoked().map(|(id, _)| *id).collect(),
        };
        (facts, roster)
    };
    let standing = standing::standing(inner.clock.mono(), inner.device, &facts, &inner.presence.borrow());
    duty.log.standing.send_if_modified(|current| {
        // Laid down meanwhile: it stays empty.
        let changed = *current != standing && !duty.stop.is_cancelled();
        if changed {
            *current = standing;
        }
        changed
    });
    publish(inner, duty, roster);
}

fn role(status: &Status, device: &DeviceId) -> Role {
    match status.member_on(*device) {
        Some(member) if member.voter => Role::Voter,
        Some(_) => Role::Standby,
        None => Role::Spare,
    }
}

/// Signs a roster that says something new.
fn publish(inner: &Arc<Inner>, duty: &Duty, mut roster: Roster) {
    let certificate = {
        let ledger = duty.log.books.read();
        match ledger.pool_key() {
            Some(key) => key.certificate.clone(),
            None => return,
        }
    };
    let known = inner.site().and_then(|site| site.roster.clone());
    if let Some(known) = &known {
        let same_key = known.signed.certificate == certificate;
        let number = roster.number;
        roster.number = known.roster.number;
        if same_key && roster == known.roster && known.roster.number >> INDEX_BITS == duty.term {
            return;
        }
        roster.number = number.max(known.roster.number.saturating_add(1));
    }
    let Some(key) = duty.pool_key(inner) else { return };
    match SignedRoster::sign(roster, certificate, &key) {
        Ok(signed) => inner.learn_roster(signed),
        Err(error) => tracing::error!(%error, "the roster could not be signed"),
    }
}

/// Log holders get the pool key sealed to them; before that they may not vote. Whether there were any.
async fn seal_pool_key(inner: &Arc<Inner>, duty: &Arc<Duty>) -> bool {
    let status = duty.log.engine.status().borrow().clone();
    let wanting: Vec<(DeviceId, PublicKey, u32)> = {
        let ledger = duty.log.books.read();
        let Some(key) = ledger.pool_key() else { return false };
        status
            .members
            .iter()
            .map(|member| member.peer.device)
            .filter(|device| !key.sealed.contains_key(device))
            .filter_map(|device| {
                ledger.device(&device).map(|record| (device, record.key, key.certificate.number))
            })
            .collect()
    };
    if wanting.is_empty() {
        return false;
    }
    let Some(key) = duty.pool_key(inner) else { return false };
    for (device, public, number) in wanting {
        let sealed = match seal::seal_to(&public, key.as_bytes(), POOL_KEY_CONTEXT) {
            Ok(sealed) => Sealed(sealed),
            Err(error) => {
                tracing::error!(%error, "the pool key could not be sealed");
                return false;
            }
        };
        duty.propose_own(inner, Command::SealPoolKey { device, number, sealed }).await;
    }
    true
}

/// Something that ends by the site's time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Over {
    License(Name),
    /// The borrow of a seat, with the serial of its last ticket.
    Borrow(SeatId, u64),
}

impl Over {
    fn command(&self) -> Command {
        match self {
            Self::License(license) => Command::EndLicense { license: license.clone() },
            Self::Borrow(seat, serial) => Command::EndBorrow { seat: *seat, serial: *serial },
        }
    }
}

/// Ends licenses and borrows whose time has been over for ten minutes.
async fn end(inner: &Arc<Inner>, duty: &Arc<Duty>, now: BootTime, ending: &mut BTreeMap<Over, BootTime>) {
    let time = duty.time(inner);
    let over: Vec<Over> = {
        let ledger = duty.log.books.read();
        let licenses = ledger.licenses_to_end(time).cloned().map(Over::License);
        let borrows = ledger.borrows_to_end(time).map(|(seat, serial)| Over::Borrow(seat, serial));
        licenses.chain(borrows).collect()
    };
    ending.retain(|known, _| over.contains(known));
    for over in over {
        let since = *ending.entry(over.clone()).or_insert(now);
        if now.ms_since(since) >= END_AFTER_MS {
            duty.propose_own(inner, over.command()).await;
            ending.remove(&over);
        }
    }
}
