//! The books of a site in a file, which only the recovery code opens.
//!
//! The bytes are [`MAGIC`], then [`Backup`] as postcard. What is in it is sealed to the root key, and signed by the pool
//! key, so that nobody who has neither can make one that is believed.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::frame;
use crate::id::{Generation, Name, PublicKey};
use crate::limits::BACKUP_BYTES_MAX;
use crate::ticket::{PoolKeyCertificate, TicketError};
use crate::time::WallTime;

/// How a backup of this release begins.
pub const MAGIC: &[u8] = b"seatkeeper-backup-v1\n";

const DOMAIN: &[u8] = b"seatkeeper-backup-v1\n";

/// The books of a site at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// What can be read without the recovery code.
    pub about: About,
    /// The snapshot, sealed to the root key.
    pub sealed: Vec<u8>,
    /// Of the pool key that signed.
    pub certificate: PoolKeyCertificate,
    /// Ed25519 by the pool key.
    pub signature: Vec<u8>,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The root public key; its fingerprint is the site id.
    pub root: PublicKey,
    /// The site's name.
    pub name: Name,
    /// The generation of the books.
    pub generation: Generation,
    /// The root private key, sealed under the recovery code.
    pub sealed_root: Vec<u8>,
    /// The consensus term of the machine that made it.
    pub term: u64,
    /// The log index of the newest entry in it.
    pub index: u64,
    /// When it was made, by that machine's clock.
    pub time: WallTime,
}

/// Why a backup is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Something else.
    #[error("the file is no backup of a site")]
    NoBackup,
    /// Longer than [`BACKUP_BYTES_MAX`].
    #[error("the backup is too long")]
    TooLong,
    /// Cut short or changed.
    #[error("the backup is damaged")]
    Malformed,
    /// Not signed by a pool key of its site.
    #[error("the backup is not signed by its site: {0}")]
    NotSigned(TicketError),
}

impl Backup {
    /// Signs what was sealed.
    ///
    /// # Errors
    /// When the certificate is not of this site and generation, or not of this key.
    pub fn sign(
        about: About,
        sealed: Vec<u8>,
        certificate: PoolKeyCertificate,
        pool_key: &SigningKey,
    ) -> Result<Self, BackupError> {
        certificate.check_scope(&about.root.site(), &about.generation).map_err(BackupError::NotSigned)?;
        let message = message(&about, &sealed)?;
        let signature = certificate.sign_with(pool_key, DOMAIN, &message).map_err(BackupError::NotSigned)?;
        Ok(Self { about, sealed, certificate, signature })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// [`BackupError::TooLong`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, BackupError> {
        let bytes = postcard::to_extend(self, MAGIC.to_vec()).map_err(|_| BackupError::Malformed)?;
        if bytes.len() > BACKUP_BYTES_MAX { Err(BackupError::TooLong) } else { Ok(bytes) }
    }

    /// Reads a file and checks who has signed it.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn open(bytes: &[u8]) -> Result<Self, BackupError> {
        if bytes.len() > BACKUP_BYTES_MAX {
            return Err(BackupError::TooLong);
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(BackupError::NoBackup)?;
        let backup: Self = frame::decode_body(body).map_err(|_| BackupError::Malformed)?;
        let Self { about, sealed, certificate, signature } = &backup;
        let message = message(about, sealed)?;
        certificate
            .verify_signed(&about.root, DOMAIN, &message, signature)
            .and_then(|()| certificate.check_scope(&about.root.site(), &about.generation))
            .map_err(BackupError::NotSigned)?;
        Ok(backup)
    }
}

fn message(about: &About, sealed: &[u8]) -> Result<Vec<u8>, BackupError> {
    let hash: [u8; 32] = Sha256::digest(sealed).into();
    postcard::to_stdvec(&(about, hash)).map_err(|_| BackupError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> Backup {
        let (root, pool) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
        let generation = Generation { number: 3, id: [9; 16] };
        let about = About {
            root: public(&root),
            name: Name::new("Office").unwrap(),
            generation,
            sealed_root: vec![7; 60],
            term: 4,
            index: 500,
            time: WallTime(5),
        };
        let certificate = PoolKeyCertificate::sign(&root, generation, 2, public(&pool));
        Backup::sign(about, vec![8; 100], certificate, &pool).unwrap()
    }

    #[test]
    fn a_backup_is_read_as_it_was_written() {
        let backup = signed();
        assert_eq!(Backup::open(&backup.to_bytes().unwrap()), Ok(backup));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let bytes = signed().to_bytes().unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Backup::open(&changed).is_err(), "byte {at}");
            assert!(Backup::open(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(Backup::open(b"something else"), Err(BackupError::NoBackup));
    }

    #[test]
    fn nobody_without_a_pool_key_makes_one() {
        let mut backup = signed();
        let stranger = SigningKey::from_bytes(&[3; 32]);
        let forged = Backup::sign(backup.about.clone(), vec![1], backup.certificate.clone(), &stranger);
        assert!(matches!(forged, Err(BackupError::NotSigned(TicketError::OtherKey))), "{forged:?}");
        backup.about.generation.number = 4;
        let other = Backup::sign(backup.about, vec![1], backup.certificate, &stranger);
        assert!(matches!(other, Err(BackupError::NotSigned(TicketError::OtherGeneration))), "{other:?}");
    }
}
