//! Telling peers of a restart. A process that was killed has forgotten its connections; when a packet of one arrives,
//! the new process answers with a *stateless reset* (RFC 9000 section 10.3), which the peer believes because it
//! carries a code that only this device can compute. So a restarted agent is back at once and not after the idle
//! timeout. For that the codes follow from the device's key, and ids of the old process's connections are not turned
//! away unread, as the stock generator would.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::pki_types::PrivateKeyDer;
use sha2::Sha256;

use crate::keys::{self, KeyError};

const CONTEXT: &[u8] = b"seatkeeper quic stateless reset 1\n";
/// Bytes of a connection id.
const ID_BYTES: usize = 8;

/// The endpoint's settings for a device with this key.
pub(super) fn endpoint_config(key: &PrivateKeyDer<'_>) -> Result<EndpointConfig, KeyError> {
    let reset_key = digest(key.secret_der(), &[CONTEXT]);
    let mut config = EndpointConfig::new(Arc::new(ResetKey(reset_key)));
    let secret: [u8; 32] = keys::random()?;
    config.cid_generator(move || Box::new(Ids { secret, count: 0 }));
    Ok(config)
}

fn digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length; the zero key that can't be is never used.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

struct ResetKey([u8; 32]);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let signature = digest(&self.0, &[data]);
        signature_out.iter_mut().zip(signature).for_each(|(to, from)| *to = from);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        use subtle::ConstantTimeEq;

        match bool::from(digest(&self.0, &[data]).ct_eq(signature)) {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

/// Unpredictable ids, new ones in each process.
struct Ids {
    secret: [u8; 32],
    count: u64,
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.count = self.count.wrapping_add(1);
        let id = digest(&self.secret, &[&self.count.to_be_bytes()]);
        ConnectionId::new(&id[..ID_BYTES])
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}
