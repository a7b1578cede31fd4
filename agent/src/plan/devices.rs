//! Admitting devices, and replacing the key that signs tickets.

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use seatkeeper_ledger::command::{Command, DeviceInfo, Form, Sealed};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, PublicKey};
use seatkeeper_protocol::ticket::PoolKeyCertificate;

use super::PlanError;
use crate::keys::code::{RecoveryCode, open_root};
use crate::keys::signing::SignedFor;
use crate::keys::{self, seal};
use crate::node::POOL_KEY_CONTEXT;

/// Admits a device that waits.
pub(crate) fn admit(device: &api::WaitingDevice) -> Result<Command, PlanError> {
    let malformed = |_| PlanError::Malformed("the device");
    let key: PublicKey = device.key.parse().map_err(malformed)?;
    // What the admin compared is the fingerprint: the key must be the one it belongs to.
    if key.device().to_string() != device.id {
        return Err(PlanError::BadInput(
            "the device's key does not belong to its id; it is not admitted".to_owned(),
        ));
    }
    let info = DeviceInfo {
        name: Name::new(device.name.as_str()).map_err(malformed)?,
        form: if device.form == "laptop" { Form::Laptop } else { Form::Desktop },
        version: Name::new(device.version.as_str()).map_err(malformed)?,
    };
    Ok(Command::Admit { key, info })
}

/// The site's root key, opened.
#[derive(Debug)]
pub(crate) struct Root(SigningKey);

impl Root {
    /// Opens it with the recovery code.
    pub(crate) fn open(site: &SignedFor, info: &api::PoolKeyInfo, code: &str) -> Result<Self, PlanError> {
        let bad = |error: &dyn std::fmt::Display| PlanError::BadInput(error.to_string());
        let sealed_root = BASE64.decode(info.sealed_root.as_bytes());
        let sealed_root = sealed_root.map_err(|_| PlanError::Malformed("its root key"))?;
        let code = code.parse::<RecoveryCode>().map_err(|error| bad(&error))?;
        let root = open_root(&sealed_root, &code).map_err(|error| bad(&error))?;
        if keys::public(&root).site() != site.id {
            return Err(bad(&"the recovery code is of another site"));
        }
        Ok(Self(root))
    }

    /// A new pool key, certified by the root key, sealed to every log holder.
    pub(crate) fn rotation(&self, site: &SignedFor, info: &api::PoolKeyInfo) -> Result<Command, PlanError> {
        let malformed = || PlanError::Malformed("its pool key");
        let pool_key = keys::generate()?;
        let number = info.number.checked_add(1).ok_or_else(malformed)?;
        let public = keys::public(&pool_key);
        let certificate = PoolKeyCertificate::sign(&self.0, site.generation, number, public);
        let mut sealed = Vec::new();
        for holder in &info.log_holders {
            let holder: PublicKey = holder.parse().map_err(|_| malformed())?;
            let bytes = seal::seal_to(&holder, pool_key.as_bytes(), POOL_KEY_CONTEXT)?;
            sealed.push((holder.device(), Sealed(bytes)));
        }
        Ok(Command::RotatePoolKey { certificate, sealed })
    }
}
