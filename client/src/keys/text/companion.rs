//! The secret of a companion, as a second PEM block behind that of its key. Spec: FIL-20.
//!
//! The first block stays what it is without a companion, so tools that know nothing of this one
//! read the Ed25519 key; and one file holds both, so neither is backed up or moved alone.

use frex_proto::keys::CompanionKind;
use zeroize::Zeroizing;

/// PKCS#8 version 1 of an ML-DSA key in its seed form (RFC 9881), up to the seed; the last byte of its
/// object identifier says which.
const HEAD: [u8; 22] = [
    0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x03, 0x00, 0x04, 0x22, 0x80, 0x20,
];
const ALGORITHM_AT: usize = 17;

fn head(kind: CompanionKind) -> [u8; HEAD.len()] {
    let mut head = HEAD;
    head[ALGORITHM_AT] = match kind {
        CompanionKind::Heads => 0x11,
        CompanionKind::Objects => 0x12,
    };
    head
}

/// The document that the PEM wraps.
pub(super) fn document(kind: CompanionKind, seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut document = Zeroizing::new(Vec::with_capacity(HEAD.len() + seed.len()));
    document.extend_from_slice(&head(kind));
    document.extend_from_slice(seed);
    document
}

/// The kind and the seed in a document; none if it is anything else, as the expanded form, which could
/// hold other values than follow from a seed.
pub(super) fn seed(document: &[u8]) -> Option<(CompanionKind, Zeroizing<[u8; 32]>)> {
    CompanionKind::ALL.into_iter().find_map(|kind| {
        let seed = document.strip_prefix(&head(kind))?;
        Some((kind, Zeroizing::new(seed.try_into().ok()?)))
    })
}
