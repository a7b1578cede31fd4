//! Taking a seat without trusting the agent that gives it.
//!
//! An agent is a program on the user's machine, and so is whatever answers in its place. A [`Verifier`] believes its
//! vendor's key alone, which is compiled into the application, and follows the chain of signatures from there:
//!
//! vendor key → license → site → pool key → ticket with the application's nonce → device.
//!
//! `protocol/TICKET.md` tells each step, and what no such chain can prove.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use seatkeeper_client::Client;
//! use seatkeeper_client::verify::Verifier;
//!
//! let vendor = "nz5bzxjjwc3y7uj26tcvtd7p6txsvfywny6kn4xe7p6m3acqlpyq".parse()?;
//! let verifier = Verifier::new(vendor, "allplan-engineering".parse()?)
//!     .version("2026.1".parse()?)
//!     .remember_in("/home/eva/.config/allplan/sites.json");
//! let mut seat = verifier.take_seat(&Client::connect_default()).await?;
//! println!("licensed to {}", seat.verified().license.customer);
//! // Use the program; the seat is given back when `seat` is dropped or the process ends.
//! while let Some(event) = seat.next_event().await? {
//!     eprintln!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use seatkeeper_protocol::api::{SeatProof, SeatRequest};
pub use seatkeeper_protocol::id::{Feature, ProductId, PublicKey, Version};
pub use seatkeeper_protocol::license::License;
use seatkeeper_protocol::license::{LicenseError, SignedLicense};
use seatkeeper_protocol::limits::CLOCK_OFF_MS;
use seatkeeper_protocol::ticket::{DeviceProof, SeatKind, Ticket, TicketError};
pub use seatkeeper_protocol::ticket::{PoolKeyCertificate, TicketBody};
pub use seatkeeper_protocol::time::WallTime;

mod error;
mod memory;
mod seat;
#[cfg(test)]
mod tests;

pub use error::VerifyError;
use memory::Memory;
pub use seat::VerifiedSeat;

/// Length of the nonces that are drawn here, bytes.
const NONCE_BYTES: usize = 32;
/// A site may give seats on a license for a while after its end, milliseconds: a holder waits for 10 min before it ends
/// one, and begins anew when it changes.
const LICENSE_END_SLACK_MS: i64 = 60 * 60 * 1_000;
/// A dated ticket may seem to be made so long from now, milliseconds: this clock may be slow, the site's fast.
const ISSUED_AHEAD_MS: i64 = 10 * 60 * 1_000;
const _: () = assert!(ISSUED_AHEAD_MS > CLOCK_OFF_MS, "a machine that may borrow may use what it borrowed");

/// What an application demands of a seat. Built once, with what is compiled in; cheap to clone.
///
/// It remembers the newest pool key of each site that it met, clones included, so that a key that a site has replaced
/// is refused: for as long as it lives, or with [`Verifier::remember_in`] for good.
#[derive(Clone, Debug)]
pub struct Verifier {
    vendors: Vec<PublicKey>,
    product: ProductId,
    version: Option<Version>,
    features: Vec<Feature>,
    any_site: bool,
    memory: Memory,
}

/// What a seat was proven by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// What the vendor signed.
    pub license: License,
    /// What the site signed.
    pub ticket: TicketBody,
    /// What the site's root key signed.
    pub certificate: PoolKeyCertificate,
}

/// Two nonces of one check: the ticket of an online seat must carry the first, the device must sign the second. Drawn
/// here and used up by [`Verifier::check`], so that none is used twice or chosen by somebody else.
#[derive(Debug)]
pub struct Challenge {
    ticket: Nonce,
    proof: Nonce,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Nonce([u8; NONCE_BYTES]);

impl Nonce {
    fn random() -> Result<Self, VerifyError> {
        let mut bytes = [0; NONCE_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| VerifyError::NoRandomness(error.to_string()))?;
        Ok(Self(bytes))
    }

    fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl Challenge {
    /// For a seat whose ticket carries `ticket`.
    fn again(ticket: Nonce) -> Result<Self, VerifyError> {
        Ok(Self { ticket, proof: Nonce::random()? })
    }

    /// What to ask the seat with: `nonce` of `POST /v1/seats`, base64url.
    pub fn ticket_nonce(&self) -> String {
        self.ticket.text()
    }

    /// What to ask the proof with: `nonce` of `POST /v1/seats/{id}/proof`, base64url.
    pub fn proof_nonce(&self) -> String {
        self.proof.text()
    }
}

impl Verifier {
    /// Demands a seat of `product` on a license that `vendor` signed for one site.
    pub fn new(vendor: PublicKey, product: ProductId) -> Self {
        Self {
            vendors: vec![vendor],
            product,
            version: None,
            features: Vec::new(),
            any_site: false,
            memory: Memory::default(),
        }
    }

    /// Takes licenses by this key too: a vendor that replaces its key has licenses of both for a while.
    #[must_use]
    pub fn or_vendor(mut self, vendor: PublicKey) -> Self {
        self.vendors.push(vendor);
        self
    }

    /// Demands that license and ticket cover this version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Demands that license and ticket have this feature, beside those demanded before.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// Takes licenses that name no site too. Everybody who has such a file can make a site of his own that gives out
    /// its seats: what is proven then is that the vendor signed it, and no more.
    #[must_use]
    pub fn any_site(mut self) -> Self {
        self.any_site = true;
        self
    }

    /// Keeps what is known of sites in this file, so that it outlives the process. One per user, in a folder that is
    /// there and that the application may write to; several applications and processes may share it. Whoever deletes
    /// it makes the application forget which pool keys were replaced.
    #[must_use]
    pub fn remember_in(mut self, file: impl Into<PathBuf>) -> Self {
        self.memory = Memory::kept_in(file.into());
        self
    }

    /// Draws the nonces of one check.
    ///
    /// # Errors
    /// [`VerifyError::NoRandomness`].
    pub fn challenge(&self) -> Result<Challenge, VerifyError> {
        Challenge::again(Nonce::random()?)
    }

    /// What to ask the agent with, for a check by `challenge`.
    pub fn request(&self, challenge: &Challenge) -> SeatRequest {
        self.request_with(&challenge.ticket)
    }

    fn request_with(&self, nonce: &Nonce) -> SeatRequest {
        SeatRequest {
            version: self.version.as_ref().map(ToString::to_string),
            features: self.features.iter().map(ToString::to_string).collect(),
            nonce: Some(nonce.text()),
            ..SeatRequest::product(self.product.to_string())
        }
    }

    /// Checks what an agent answered to `challenge`, at `now` by this machine's clock. [`Verifier::take_seat`] does
    /// all of it; this is for whoever talks to the agent by other means.
    ///
    /// Reads and may write the file of [`Verifier::remember_in`].
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        &self,
        challenge: Challenge,
        proof: &SeatProof,
        now: WallTime,
    ) -> Result<Verified, VerifyError> {
        self.check_again(&challenge, proof, now, None)
    }

    /// `verified`: the ticket that was verified in full before. Its pool key may have been replaced since, which takes
    /// nobody's running seat away.
    fn check_again(
        &self,
        challenge: &Challenge,
        proof: &SeatProof,
        now: WallTime,
        verified: Option<&str>,
    ) -> Result<Verified, VerifyError> {
        let file = self.vendors_license(&proof.license_text)?;
        let license = file.license();
        let root: PublicKey = proof.root.parse().map_err(|_| VerifyError::Malformed("root key"))?;
        match license.site {
            None if !self.any_site => return Err(VerifyError::AnySite),
            Some(bound) if bound != root.site() => {
                return Err(VerifyError::OtherSite { bound, site: root.site() });
            }
            _ => {}
        }
        let ticket = Ticket::from_text(&proof.ticket)?;
        let body = ticket.verify(&root)?;
        if verified != Some(&*proof.ticket) {
            self.memory.check(&ticket.certificate, &body)?;
        }
        self.check_terms(&file, &body)?;
        check_time(license, &body, challenge, now)?;
        let key = proof.device_key.parse().map_err(|_| VerifyError::Malformed("device key"))?;
        let signature = BASE64URL_NOPAD
            .decode(proof.signature.as_bytes())
            .map_err(|_| VerifyError::Malformed("device signature"))?;
        DeviceProof { key, signature }.verify(&ticket, &root, &challenge.proof.0)?;
        self.memory.learn(&ticket.certificate, body.issued)?;
        Ok(Verified { license: license.clone(), ticket: body, certificate: ticket.certificate })
    }

    /// The license, if the vendor signed it and it is for this application.
    fn vendors_license(&self, text: &str) -> Result<SignedLicense, VerifyError> {
        let file = SignedLicense::parse(text).map_err(VerifyError::LicenseUnreadable)?;
        let Some(vendor) = self.vendors.iter().find(|vendor| **vendor == file.signer()) else {
            return Err(VerifyError::OtherVendor { signer: file.signer() });
        };
        file.verify(vendor).map_err(|error| match error {
            LicenseError::BadSignature => VerifyError::LicenseAltered,
            other => VerifyError::LicenseUnreadable(other),
        })?;
        let license = file.license();
        if license.product != self.product {
            return Err(VerifyError::OtherProduct {
                licensed: license.product.clone(),
                wanted: self.product.clone(),
            });
        }
        if !license.covers(&self.product, self.version.as_ref(), &self.features) {
            return Err(VerifyError::NotCovered { license: license.id.clone() });
        }
        Ok(file)
    }

    /// Whether the ticket grants what is demanded, on that license and no other.
    fn check_terms(&self, file: &SignedLicense, ticket: &TicketBody) -> Result<(), VerifyError> {
        let license = file.license();
        if ticket.license != license.id || ticket.license_hash != file.hash() {
            return Err(VerifyError::OtherLicense);
        }
        let version = self.version.as_ref().is_none_or(|wanted| ticket.version.covers(wanted));
        if ticket.product != self.product || !version || !license.covers_version(&ticket.version) {
            return Err(VerifyError::OtherGrant);
        }
        if !self.features.iter().all(|wanted| ticket.features.contains(wanted)) {
            return Err(VerifyError::OtherGrant);
        }
        Ok(())
    }
}

/// Whether the ticket is in force.
///
/// The ticket of an online seat is new, since it carries the nonce, and so is the site's time in it: a machine whose own
/// clock is wrong may work. A dated ticket is used without anybody's answer: it is judged by this clock, but never as
/// if it were not made yet.
fn check_time(
    license: &License,
    ticket: &TicketBody,
    challenge: &Challenge,
    now: WallTime,
) -> Result<(), VerifyError> {
    if (ticket.kind == SeatKind::Online) != ticket.ends.is_none() {
        return Err(VerifyError::OtherGrant);
    }
    let at = match ticket.ends {
        None => {
            if ticket.nonce.as_deref() != Some(&challenge.ticket.0) {
                return Err(VerifyError::Replayed);
            }
            ticket.issued
        }
        Some(ends) => {
            let longest = license.borrow.ok_or(VerifyError::TooLong)?.max_ms().saturating_add(CLOCK_OFF_MS);
            if ends.ms_since(ticket.issued) > longest {
                return Err(VerifyError::TooLong);
            }
            if ticket.issued.ms_since(now) > ISSUED_AHEAD_MS {
                return Err(VerifyError::ClockBehind { issued: ticket.issued });
            }
            let at = now.max(ticket.issued);
            if at >= ends {
                return Err(VerifyError::Ended { ends });
            }
            at
        }
    };
    if let Some(from) = license.valid_from.filter(|from| at < from.starts()) {
        return Err(VerifyError::LicenseNotYet { from });
    }
    match license.valid_until {
        Some(until) if at >= until.ends().plus_ms(LICENSE_END_SLACK_MS) => {
            Err(VerifyError::LicenseEnded { until })
        }
        _ => Ok(()),
    }
}

impl From<TicketError> for VerifyError {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::BadCertificate => Self::PoolKeyForged,
            TicketError::BadSignature => Self::TicketForged,
            TicketError::OtherDevice => Self::OtherDevice,
            TicketError::BadProof => Self::ProofForged,
            other => Self::TicketUnreadable(other),
        }
    }
}
