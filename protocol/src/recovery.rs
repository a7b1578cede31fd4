//! The signed record by which a site goes on in a new generation, after the majority of its books was lost for good.

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, Generation, PublicKey, SiteId};
use crate::time::WallTime;

const DOMAIN: &[u8] = b"seatkeeper-recovery-v1\n";

/// The root key's word that the site goes on in another generation. Whoever is in an older one joins it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The site.
    pub site: SiteId,
    /// The generation whose books it goes on from.
    pub from: Generation,
    /// The new generation.
    pub to: Generation,
    /// The device whose books these were.
    pub device: DeviceId,
    /// When, by that device's clock.
    pub time: WallTime,
    /// Ed25519 by the root key.
    pub signature: Vec<u8>,
}

/// Why a recovery is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Of another site.
    #[error("the recovery is of another site")]
    OtherSite,
    /// The root key did not sign it.
    #[error("the recovery is not signed by the site's root key")]
    BadSignature,
    /// It leads to no later generation.
    #[error("the recovery leads to no later generation")]
    NotLater,
}

impl Recovery {
    /// Signs the way from one generation of the site whose root key `root` is to a later one.
    ///
    /// # Errors
    /// [`RecoveryError::NotLater`].
    pub fn sign(
        root: &SigningKey,
        (from, to): (Generation, Generation),
        device: DeviceId,
        time: WallTime,
    ) -> Result<Self, RecoveryError> {
        if to.number <= from.number {
            return Err(RecoveryError::NotLater);
        }
        let site = PublicKey(root.verifying_key().to_bytes()).site();
        let mut signed = Self { site, from, to, device, time, signature: Vec::new() };
        signed.signature = root.sign(&signed.message()).to_vec();
        Ok(signed)
    }

    /// Checks it against the site's root key.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn verify(&self, root: &PublicKey) -> Result<(), RecoveryError> {
        if root.site() != self.site {
            return Err(RecoveryError::OtherSite);
        }
        if self.to.number <= self.from.number {
            return Err(RecoveryError::NotLater);
        }
        if !root.verifies(&self.message(), &self.signature) {
            return Err(RecoveryError::BadSignature);
        }
        Ok(())
    }

    /// All fields have a fixed length, so that no two recoveries have one message.
    fn message(&self) -> Vec<u8> {
        [
            DOMAIN,
            &self.site.0,
            &self.from.number.to_le_bytes(),
            &self.from.id,
            &self.to.number.to_le_bytes(),
            &self.to.id,
            &self.device.0,
            &self.time.0.to_le_bytes(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (PublicKey, Recovery) {
        let root = SigningKey::from_bytes(&[7; 32]);
        let (from, to) = (Generation { number: 1, id: [1; 16] }, Generation { number: 2, id: [2; 16] });
        let signed = Recovery::sign(&root, (from, to), DeviceId([3; 20]), WallTime(4)).unwrap();
        (PublicKey(root.verifying_key().to_bytes()), signed)
    }

    #[test]
    fn what_is_signed_is_believed_and_nothing_else() {
        let (root, recovery) = signed();
        assert_eq!(recovery.verify(&root), Ok(()));
        let altered: [fn(&mut Recovery); 6] = [
            |recovery| recovery.from.id[0] ^= 1,
            |recovery| recovery.to.number += 1,
            |recovery| recovery.to.id[0] ^= 1,
            |recovery| recovery.device.0[0] ^= 1,
            |recovery| recovery.time.0 ^= 1,
            |recovery| recovery.signature[0] ^= 1,
        ];
        for (at, alter) in altered.iter().enumerate() {
            let mut recovery = recovery.clone();
            alter(&mut recovery);
            assert_eq!(recovery.verify(&root), Err(RecoveryError::BadSignature), "alteration {at}");
        }
        let stranger = PublicKey(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
        assert_eq!(recovery.verify(&stranger), Err(RecoveryError::OtherSite));
    }

    #[test]
    fn a_recovery_never_leads_back() {
        let root = SigningKey::from_bytes(&[7; 32]);
        let second = Generation { number: 2, id: [2; 16] };
        for to in [1, 2] {
            let to = Generation { number: to, id: [1; 16] };
            let signed = Recovery::sign(&root, (second, to), DeviceId([3; 20]), WallTime(4));
            assert_eq!(signed, Err(RecoveryError::NotLater));
        }
    }
}
