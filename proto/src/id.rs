//! Identifiers as types: what is compared, printed and used as a key.

use std::fmt;

use crate::{
    label::{self, Hash},
    limits,
};

/// A byte string of the wrong length or with a forbidden character stood where an id belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed identifier")]
pub struct IdError;

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// Reads an id from exactly its length in bytes.
            ///
            /// # Errors
            /// [`IdError`] for any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError)
            }

            /// Reads an id from hexadecimal.
            ///
            /// # Errors
            /// [`IdError`] unless it is exactly the id's bytes in hexadecimal.
            pub fn from_hex(text: &str) -> Result<Self, IdError> {
                Self::from_slice(&hex::decode(text).map_err(|_| IdError)?)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

bytes_id!(
    /// Identity of an envelope: the hash of its signed manifest. Spec: ENV-2.
    EnvelopeId, 32
);
bytes_id!(
    /// Chosen at random by the sender; survives re-sealing. Spec: ENV-3.
    MessageId, 16
);
bytes_id!(
    /// Short hash of a public key. A hint for look-up, never proof. Spec: KEY-2.
    KeyId, 16
);

impl EnvelopeId {
    /// The id of the envelope whose signed manifest bytes are `payload`.
    #[must_use]
    pub fn of_manifest(payload: &[u8]) -> Self {
        Self(label::sha256(&[label::MANIFEST, payload]))
    }

    /// The id as a plain hash.
    #[must_use]
    pub fn as_hash(&self) -> &Hash {
        &self.0
    }
}

/// Whether a text is of the letters of a code for programs: `a-z`, `0-9`, `.`, `_`, `-`.
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

/// Checks a federation, member or node id: 1..=64 of `a-z`, `0-9`, `.`, `-`. Spec: LIM-3.
///
/// # Errors
/// [`IdError`] for anything else.
pub fn check_name(name: &str) -> Result<(), IdError> {
    let fits = (1..=limits::ID_BYTES_MAX).contains(&name.len());
    let clean = name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    if fits && clean { Ok(()) } else { Err(IdError) }
}
