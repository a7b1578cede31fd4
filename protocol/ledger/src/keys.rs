//! The pool key: sealed to log holders, replaced after a device that had it was revoked.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::{DeviceId, Name};
use seatkeeper_protocol::ticket::PoolKeyCertificate;

use crate::command::{Outcome, Refusal, Sealed};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::Happening;
use crate::state::{PoolKey, SEALED_BYTES_MAX, SEALED_COPIES_MAX};

impl Ledger {
    pub(crate) fn seal_pool_key(&mut self, device: &DeviceId, number: u32, sealed: &Sealed) -> Answer {
        check_sealed(sealed)?;
        if !self.state.devices.contains_key(device) {
            return Err(Refusal::NotFound(format!("device {device}")));
        }
        let Some(pool_key) = &mut self.state.pool_key else {
            return Err(Refusal::Bug("the site has no pool key".into()));
        };
        if pool_key.certificate.number != number {
            return Err(Refusal::Conflict(format!(
                "the current pool key is number {}, not {number}",
                pool_key.certificate.number
            )));
        }
        pool_key.sealed.insert(*device, sealed.clone());
        Ok(Outcome::Done)
    }

    pub(crate) fn rotate_pool_key(
        &mut self,
        moment: Moment,
        by: &Name,
        certificate: &PoolKeyCertificate,
        sealed: &[(DeviceId, Sealed)],
    ) -> Answer {
        let (site, Some(current)) = (self.site_or_refuse()?, &self.state.pool_key) else {
            return Err(Refusal::Bug("the site has no pool key".into()));
        };
        if current.certificate == *certificate {
            return Ok(Outcome::Done);
        }
        let number = certificate.number;
        if current.certificate.number.checked_add(1) != Some(number) {
            return Err(Refusal::Conflict(format!(
                "the current pool key is number {}, the new one has number {number}; try again",
                current.certificate.number
            )));
        }
        if certificate.generation != site.generation {
            return Err(Refusal::Invalid("the new pool key is for another generation of the site".into()));
        }
        certificate.verify(&site.root).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if sealed.is_empty() {
            return Err(Refusal::Invalid("the new pool key is sealed to no device".into()));
        }
        if sealed.len() > SEALED_COPIES_MAX {
            return Err(limit("devices that the pool key is sealed to", SEALED_COPIES_MAX));
        }
        for (device, sealed) in sealed {
            check_sealed(sealed)?;
            if !self.state.devices.contains_key(device) {
                return Err(Refusal::NotFound(format!(
                    "device {device}, to which the new pool key is sealed"
                )));
            }
        }
        let sealed: BTreeMap<DeviceId, Sealed> = sealed.iter().cloned().collect();
        self.state.pool_key = Some(PoolKey { certificate: certificate.clone(), sealed, exposed: false });
        self.record(moment, Happening::PoolKeyRotated { number, by: by.clone() });
        Ok(Outcome::Done)
    }
}

/// That a sealed secret has a length that one can have.
pub(crate) fn check_sealed(sealed: &Sealed) -> Result<(), Refusal> {
    match sealed.0.len() {
        0 => Err(Refusal::Invalid("a sealed key is empty".into())),
        1..=SEALED_BYTES_MAX => Ok(()),
        _ => Err(limit("bytes of a sealed key", SEALED_BYTES_MAX)),
    }
}
