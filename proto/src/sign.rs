//! Signatures over opaque bytes, in the form of DSSE.
//!
//! What is signed is the payload's bytes as they travel together with its type, so nothing is
//! ever encoded again to be verified, and bytes signed as one type never verify as another. One
//! signature may serve up to 64 payloads: each then carries its path to the signed root and stays
//! evidence by itself. Spec: chapter SIG.

mod batch;
mod verify;

use std::collections::VecDeque;

use bytes::Bytes;

pub(crate) use self::verify::signers;
pub use self::{
    batch::sign_batch,
    verify::{verify, verify_cached},
};
use crate::{
    error::WireCode,
    id::KeyId,
    keys::{CompanionKind, SigningError, SigningKey},
    label::Hash,
    v1,
};

/// Why a signed object is not taken. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Signed as something else than what belongs here.
    #[error("payload is of another type")]
    PayloadType,
    /// More signatures than the limit.
    #[error("too many signatures")]
    TooMany,
    /// The batch path cannot be one of its size and index.
    #[error("batch path is malformed")]
    BatchPath,
    /// A signature under a known key does not hold.
    #[error("signature does not verify")]
    BadSignature,
    /// A key with a companion has signed by one of the two alone.
    #[error("of a key that signs twice one signature is missing")]
    HalfSigned,
    /// No signature is by a key that may sign here.
    #[error("no signature by a trusted key")]
    UnknownKey,
    /// Valid signatures, but of fewer keys than must agree.
    #[error("signatures of fewer keys than must agree")]
    TooFew,
}

impl From<SignError> for WireCode {
    fn from(error: SignError) -> Self {
        match error {
            SignError::TooMany => Self::TooLarge,
            SignError::BatchPath => Self::Malformed,
            SignError::UnknownKey => Self::NotTrusted,
            SignError::HalfSigned => Self::HalfSigned,
            SignError::PayloadType | SignError::BadSignature | SignError::TooFew => {
                Self::BadSignature
            }
        }
    }
}

/// A payload whose signatures hold, and by which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The signed bytes, as received.
    pub payload: Bytes,
    /// The keys whose signatures hold, each once, in the order of the signatures.
    pub key_ids: Vec<KeyId>,
}

/// The last batch signatures that held, so that a batch costs one verification.
///
/// Keep one for each worker. What is remembered is key, signature and message together, of a key
/// with a companion both keys and both signatures, so a hit says exactly what verifying again would
/// say.
#[derive(Debug, Default)]
pub struct BatchCache {
    held: VecDeque<Hash>,
}

impl BatchCache {
    const ENTRIES: usize = 16;

    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn holds(&self, entry: &Hash) -> bool {
        self.held.contains(entry)
    }

    fn remember(&mut self, entry: Hash) {
        if self.held.len() == Self::ENTRIES {
            self.held.pop_front();
        }
        self.held.push_back(entry);
    }
}

/// The bytes that a signature covers: DSSE pre-authentication encoding. Spec: SIG-1.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    message.extend_from_slice(payload);
    message
}

/// Signs one payload with every key of `keys`. Spec: SIG-2.
///
/// # Errors
/// [`SigningError`] if one of them does not sign.
pub fn sign(
    payload_type: &str,
    payload: Bytes,
    keys: &[&SigningKey],
) -> Result<v1::Signed, SigningError> {
    let message = pae(payload_type, &payload);
    let made = keys.iter().map(|key| signatures(key, &message));
    let made: Vec<_> = made.collect::<Result<_, _>>()?;
    Ok(v1::Signed {
        signatures: made.concat(),
        payload,
        payload_type: payload_type.to_owned(),
        batch: None,
    })
}

/// What one key signs with: one signature, or two if it has a companion. Spec: SIG-20.
fn signatures(key: &SigningKey, message: &[u8]) -> Result<Vec<v1::Signature>, SigningError> {
    let entry = |id: KeyId, signature: &[u8]| v1::Signature {
        key_id: Bytes::copy_from_slice(id.as_ref()),
        signature: Bytes::copy_from_slice(signature),
    };
    let mut made = vec![entry(key.key_id(), &key.sign(message)?)];
    if let Some((companion, signature)) = key.sign_companion(CompanionKind::Objects, message) {
        made.push(entry(companion.key_id(), &signature));
    }
    Ok(made)
}

#[cfg(test)]
mod tests;
