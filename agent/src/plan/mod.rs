//! What an admin wants, as commands of the ledger: for the command line, and for the API's resources of admins.
//!
//! | module | holds |
//! |---|---|
//! | `devices` | admitting devices, replacing the key that signs tickets |
//! | `long` | what takes several commands |
//! | `machines` | what is installed on machines without an agent |
//! | `export` | what another site tells of its machines |

use seatkeeper_protocol::id::{IdError, Name, PublicKey};

use crate::keys::KeyError;

pub(crate) mod devices;
pub(crate) mod export;
pub(crate) mod long;
pub(crate) mod machines;

/// Why something cannot be done as it is wanted. The text says what happened and what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// What is said can't be meant.
    #[error("{0}")]
    BadInput(String),
    /// An export of a site that nobody here has vouched for.
    #[error(
        "it is of the site {site} and signed by a key that is not known here; compare {key} with what \
         `seatkeeper inventory export` printed there, and import it as trusted"
    )]
    UnknownKey {
        /// The other site's name.
        site: Name,
        /// Its key.
        key: PublicKey,
    },
    /// What the agent or the site says is not understood.
    #[error("what the site says about {0} is not understood; update the older agent")]
    Malformed(&'static str),
    /// This machine gives no randomness, or something cannot be sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A command cannot be written; does not happen.
    #[error("the command cannot be encoded: {0}")]
    Encoding(#[from] postcard::Error),
}

impl From<IdError> for PlanError {
    fn from(error: IdError) -> Self {
        Self::BadInput(error.to_string())
    }
}
