//! Which licenses may replace which (`replaces` in the license file). What follows for seats is told in `admission`.
//!
//! A license replaces others of its vendor and product only. One that is not here, and never was, is no matter: a
//! customer need not load what is over. Nor does the order of loading matter, until a replacing license has begun: then
//! what it replaces has nothing left to give, and is refused. Two licenses may replace the same one only if one of them
//! replaces the other as well, or it would not be clear whose places the running seats take up.

use std::collections::BTreeSet;

use seatkeeper_protocol::id::Name;

use crate::command::Refusal;
use crate::ledger::{Ledger, Moment};
use crate::state::LicenseRecord;

impl Ledger {
    /// Refuses a new license whose `replaces`, or that of another one about it, can't be meant.
    pub(crate) fn check_renewal(&self, moment: Moment, new: &LicenseRecord) -> Result<(), Refusal> {
        let own = &new.license().id;
        let others: Vec<&LicenseRecord> = self
            .state
            .licenses
            .values()
            .filter(|record| !record.removed && record.license().id != *own)
            .collect();
        let named = |record: &&LicenseRecord| new.license().replaces.contains(&record.license().id);
        if let Some(other) = others.iter().find(|record| named(record) && !new.replaces(record)) {
            let other = other.license();
            return Err(Refusal::Invalid(format!(
                "the license says that it replaces {}, which is a license of {} for {} here; a license replaces others \
                 of its own vendor and product only, ask the vendor for another one",
                other.id, other.vendor, other.product
            )));
        }
        if let Some(newer) =
            others.iter().find(|record| record.replaces(new) && record.has_begun(moment.time))
        {
            return Err(Refusal::Conflict(format!(
                "the license {own} is replaced by {}, which is here and has begun; it has no seats any more",
                newer.license().id
            )));
        }
        if let Some(older) = circle(new, &others) {
            return Err(Refusal::Conflict(format!(
                "the license replaces {older}, which is here and in turn replaces {own}; ask the vendor which of them is \
                 the newer one",
            )));
        }
        let with_new: Vec<&LicenseRecord> = others.into_iter().chain([new]).collect();
        for old in &with_new {
            let newer: Vec<&LicenseRecord> =
                with_new.iter().filter(|record| record.replaces(old)).copied().collect();
            for (n, one) in newer.iter().enumerate() {
                let rival = |other: &&&LicenseRecord| !one.replaces(other) && !other.replaces(one);
                if let Some(other) = newer.iter().skip(n + 1).find(rival) {
                    return Err(Refusal::Conflict(format!(
                        "the license {} would be replaced by both {} and {}; remove the wrong one, or ask the vendor for one \
                         that replaces the other too",
                        old.license().id,
                        one.license().id,
                        other.license().id
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The license that `new` replaces, itself or through others, and that replaces `new`.
fn circle<'a>(new: &LicenseRecord, others: &[&'a LicenseRecord]) -> Option<&'a Name> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&LicenseRecord> =
        others.iter().filter(|record| new.replaces(record)).copied().collect();
    while let Some(record) = next.pop() {
        if seen.insert(&record.license().id) {
            next.extend(others.iter().filter(|older| record.replaces(older)));
        }
    }
    others
        .iter()
        .find(|record| seen.contains(&record.license().id) && record.replaces(new))
        .map(|record| &record.license().id)
}
