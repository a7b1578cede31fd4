//! Vendors and license files.

use seatkeeper_protocol::id::{Name, ProductId, PublicKey};
use seatkeeper_protocol::license::SignedLicense;
use seatkeeper_protocol::limits;

use crate::command::{Outcome, Refusal};
use crate::ledger::{Answer, Ledger, Moment, limit};
use crate::records::Happening;
use crate::state::{LicenseRecord, PREFIXES_MAX, Vendor};

impl Ledger {
    pub(crate) fn trust_vendor(
        &mut self,
        moment: Moment,
        by: &Name,
        name: &Name,
        key: &PublicKey,
        prefixes: &[ProductId],
    ) -> Answer {
        if prefixes.is_empty() {
            return Err(Refusal::Invalid("name at least one product prefix to trust the vendor for".into()));
        }
        if prefixes.len() > PREFIXES_MAX {
            return Err(limit("product prefixes of one vendor", PREFIXES_MAX));
        }
        for (other_key, other) in self.state.vendors.iter().filter(|(other, _)| *other != key) {
            let overlap = |mine: &&ProductId| other.prefixes.iter().any(|theirs| overlaps(mine, theirs));
            if let Some(prefix) = prefixes.iter().find(overlap) {
                return Err(Refusal::Conflict(format!(
                    "products that begin with {prefix} are those of the vendor {} (key {other_key}) already",
                    other.name
                )));
            }
        }
        let vendor = Vendor { name: name.clone(), prefixes: prefixes.to_vec() };
        match self.state.vendors.get(key) {
            Some(known) if *known == vendor => return Ok(Outcome::Done),
            Some(known) if known.name != *name => {
                return Err(Refusal::Conflict(format!("this key is the vendor {}'s already", known.name)));
            }
            None if self.state.vendors.len() >= limits::VENDORS_MAX => {
                return Err(limit("vendors", limits::VENDORS_MAX));
            }
            _ => {}
        }
        self.state.vendors.insert(*key, vendor);
        self.record(moment, Happening::VendorTrusted { name: name.clone(), by: by.clone() });
        Ok(Outcome::Done)
    }

    pub(crate) fn add_license(&mut self, moment: Moment, by: &Name, text: &str) -> Answer {
        let file = SignedLicense::parse(text).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if file.file().len() > limits::LICENSE_BYTES_MAX {
            // Its normal form, which the snapshot stores, may be some line ends longer than what was sent.
            return Err(limit("bytes of a license file", limits::LICENSE_BYTES_MAX));
        }
        let id = file.license().id.clone();
        let known = self.state.licenses.get(&id);
        if known.is_some_and(|known| known.file.hash() == file.hash() && !known.removed) {
            return Ok(Outcome::Done);
        }
        if known.is_some_and(|known| known.file.hash() != file.hash()) {
            return Err(Refusal::Conflict(format!(
                "there is another license {id} here; remove that one first with `seatkeeper license remove`"
            )));
        }
        if known.is_none() && self.state.licenses.len() >= limits::LICENSES_MAX {
            return Err(limit("licenses", limits::LICENSES_MAX));
        }
        self.check_license(moment, &file)?;
        let (product, seats) = (file.license().product.clone(), file.license().seats);
        // A removed license whose seats still run and that comes back keeps them; one that had ended stays ended.
        let ended = known.and_then(|known| known.ended);
        let record = LicenseRecord { file, added: moment.time, ended, removed: false };
        self.check_renewal(moment, &record)?;
        self.state.licenses.insert(id.clone(), record);
        self.by.build_pool(&self.state, &product);
        self.record(moment, Happening::LicenseAdded { license: id, product, seats, by: by.clone() });
        Ok(Outcome::Done)
    }

    /// Vendor, signature, site, dates.
    fn check_license(&self, moment: Moment, file: &SignedLicense) -> Result<(), Refusal> {
        let license = file.license();
        let Some(vendor) = self.state.vendors.get(&file.signer()) else {
            return Err(Refusal::NotPermitted(format!(
                "the license is signed by {} with the key {}, which this site does not trust; compare the key with the \
                 vendor and trust it with `seatkeeper license trust`",
                license.vendor,
                file.signer()
            )));
        };
        if vendor.name != license.vendor {
            return Err(Refusal::Invalid(format!(
                "the license names the vendor {}, but its key is trusted as {}'s",
                license.vendor, vendor.name
            )));
        }
        if !vendor.prefixes.iter().any(|prefix| license.product.as_str().starts_with(prefix.as_str())) {
            return Err(Refusal::NotPermitted(format!(
                "the vendor {} is not trusted for the product {}; `seatkeeper license trust` names its product prefixes",
                vendor.name, license.product
            )));
        }
        file.verify(&file.signer()).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let site = self.site_or_refuse()?;
        if let Some(other) = license.site.filter(|bound| *bound != site.id) {
            return Err(Refusal::Invalid(format!(
                "the license is for the site {other}, this site is {}; ask the vendor for one for this site (`seatkeeper \
                 site request` writes what it needs)",
                site.id
            )));
        }
        if let Some(until) = license.valid_until.filter(|until| moment.time >= until.ends()) {
            return Err(Refusal::Invalid(format!(
                "the license ended on {until}; ask the vendor for a newer one"
            )));
        }
        Ok(())
    }

    pub(crate) fn remove_license(&mut self, moment: Moment, by: &Name, id: &Name) -> Answer {
        let Some(record) = self.state.licenses.get_mut(id).filter(|record| !record.removed) else {
            return Err(Refusal::NotFound(format!("license {id}")));
        };
        record.removed = true;
        let product = record.license().product.clone();
        if let Some(pool) = self.by.pools.get_mut(&product) {
            pool.set_standing(record);
        }
        self.forget_removed(id);
        if let Some(register) = &mut self.state.register
            && register.remove_purchase(&id.clone().into()).is_ok()
        {
            // It was registered as a purchase, too.
            self.by.build_pool(&self.state, &product);
        }
        self.record(moment, Happening::LicenseRemoved { license: id.clone(), product, by: by.clone() });
        Ok(Outcome::Done)
    }

    /// Ends a license whose last day is over; the holder has waited as design section 5 says.
    pub(crate) fn end_license(&mut self, moment: Moment, id: &Name) -> Answer {
        let Some(record) = self.state.licenses.get_mut(id) else {
            return Err(Refusal::NotFound(format!("license {id}")));
        };
        if record.ended.is_some() {
            return Ok(Outcome::Done);
        }
        if record.license().valid_until.is_none_or(|until| moment.time < until.ends()) {
            return Err(Refusal::Conflict(format!("the license {id} has not ended")));
        }
        record.ended = Some(moment.time);
        let product = record.license().product.clone();
        if let Some(pool) = self.by.pools.get_mut(&product) {
            pool.set_standing(record);
        }
        self.record(moment, Happening::LicenseEnded { license: id.clone(), product });
        Ok(Outcome::Done)
    }

    /// Drops a removed license once no seat runs on it.
    pub(crate) fn forget_removed(&mut self, id: &Name) {
        let Some(record) = self.state.licenses.get(id).filter(|record| record.removed) else { return };
        if self.by.seats_standing(record.license()) == 0 {
            let product = record.license().product.clone();
            self.state.licenses.remove(id);
            self.by.build_pool(&self.state, &product);
        }
    }
}

fn overlaps(a: &ProductId, b: &ProductId) -> bool {
    a.as_str().starts_with(b.as_str()) || b.as_str().starts_with(a.as_str())
}
