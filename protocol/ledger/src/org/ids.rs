//! What nodes and purchases are called.

use std::fmt;

use seatkeeper_protocol::id::{IdError, Name};
use serde::{Deserialize, Serialize};

macro_rules! name_id {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $id(Name);

        impl $id {
            /// Checks length and alphabet.
            ///
            /// # Errors
            /// When the text is empty, too long or has control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                Name::new(text).map(Self)
            }

            /// As a name: a license and the purchase that it is have the same.
            pub fn name(&self) -> &Name {
                &self.0
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<Name> for $id {
            fn from(name: Name) -> Self {
                Self(name)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name_id!(
    /// A node of the organisation, as the office names it. Anything printable.
    NodeId
);
name_id!(
    /// A purchase, as the office names it: an order number, or the id of a license. Anything printable.
    PurchaseId
);
