//! The secret of a companion, as a second PEM block behind that of its key. Spec: FIL-20.
//!
//! The first block stays what it is without a companion, so tools that know nothing of this one
//! read the Ed25519 key; and one file holds both, so neither is backed up or moved alone.

use zeroize::Zeroizing;

/// PKCS#8 version 1 of ML-DSA-65 in its seed form (RFC 9881), up to the seed.
const HEAD: [u8; 22] = [
    0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x03, 0x12, 0x04, 0x22, 0x80, 0x20,
];

/// The document that the PEM wraps.
pub(super) fn document(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut document = Zeroizing::new(Vec::with_capacity(HEAD.len() + seed.len()));
    document.extend_from_slice(&HEAD);
    document.extend_from_slice(seed);
    document
}

/// The seed in a document; none if it is anything else, as the expanded form, which could hold
/// other values than follow from a seed.
pub(super) fn seed(document: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let seed = document.strip_prefix(&HEAD)?;
    seed.try_into().ok().map(Zeroizing::new)
}
