//! Making receipts, for the node that logs. Spec: RCP-1.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{
    log::{Hash, LEAF_BYTES, Leaf, SALT_BYTES},
    v1,
};

/// Puts a receipt together from what was logged; the parts are kept as given. The caller has
/// synced the entry and the checkpoint before it speaks. Spec: RCP-1.
#[must_use]
pub fn build(
    statement: Bytes,
    salt: &[u8; SALT_BYTES],
    leaf: &Leaf,
    index: u64,
    hashes: &[Hash],
    checkpoint: Bytes,
) -> v1::Receipt {
    // One allocation holds all small parts.
    let mut parts = BytesMut::with_capacity(SALT_BYTES + LEAF_BYTES + size_of_val(hashes));
    parts.put_slice(salt);
    parts.put_slice(leaf.as_bytes());
    parts.put_slice(hashes.as_flattened());
    let mut parts = parts.freeze();
    let salt = parts.split_to(SALT_BYTES);
    let leaf = parts.split_to(LEAF_BYTES);
    let hashes = hashes.iter().map(|hash| parts.split_to(hash.len()));
    v1::Receipt {
        statement,
        salt,
        leaf,
        index,
        hashes: hashes.collect(),
        checkpoint,
    }
}
