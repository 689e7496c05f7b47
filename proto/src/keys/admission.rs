//! Which public keys are taken at all.
//!
//! Some verifiers accept forgeries under keys of small order, and two encodings of one point
//! would be two identities. So a key is judged once, when it enters, and never again.
//! Spec: KEY-3..KEY-6.

use ed25519_dalek::VerifyingKey as Point;
use hpke::{Deserializable, kem::Kem};

use crate::{error::WireCode, keys::SEALING_KEY_BYTES};

/// Why a public key is not taken. The one who lists the key is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the length of its algorithm.
    #[error("public key of the wrong length")]
    Length,
    /// Decodes to no point of the curve.
    #[error("public key is not a point of the curve")]
    NotAPoint,
    /// Another encoding of the same key exists, and that one is the key.
    #[error("public key is not in its canonical encoding")]
    NotCanonical,
    /// Of small order: signatures or secrets under it prove and hide nothing.
    #[error("public key is weak")]
    Weak,
    /// Has a part of small order beside its prime-order part.
    #[error("public key is not of prime order")]
    Torsion,
}

impl From<KeyError> for WireCode {
    fn from(_: KeyError) -> Self {
        Self::BadRoster
    }
}

/// Judges an Ed25519 public key. Spec: KEY-3, KEY-4, KEY-5.
pub(super) fn admit_verifying(bytes: &[u8]) -> Result<Point, KeyError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Length)?;
    let key = Point::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
    let point = key.to_edwards();
    if point.compress().as_bytes() != bytes {
        return Err(KeyError::NotCanonical);
    }
    if key.is_weak() {
        return Err(KeyError::Weak);
    }
    if !point.is_torsion_free() {
        return Err(KeyError::Torsion);
    }
    Ok(key)
}

/// Judges an X-Wing public key: ML-KEM coefficients reduced, X25519 part canonical and not of
/// small order. Spec: KEY-6.
pub(super) fn admit_sealing<K: Kem>(bytes: &[u8]) -> Result<K::PublicKey, KeyError> {
    if bytes.len() != SEALING_KEY_BYTES {
        return Err(KeyError::Length);
    }
    let (_, x25519) = bytes
        .split_last_chunk::<32>()
        .expect("the length was checked");
    if !is_reduced(x25519) {
        return Err(KeyError::NotCanonical);
    }
    if SMALL_ORDER.contains(x25519) {
        return Err(KeyError::Weak);
    }
    K::PublicKey::from_bytes(bytes).map_err(|_| KeyError::NotCanonical)
}

/// Whether a little-endian number is below 2^255 - 19.
fn is_reduced(number: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = number;
    let saturated = *high == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    *high < 0x80 && !(saturated && *low >= 0xed)
}

/// The canonical u-coordinates of small order: 0, 1, -1 and the two of order eight.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];
