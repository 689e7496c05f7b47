//! One signature for many payloads: an RFC 6962 tree over their hashes, its root signed.
//! Spec: SIG-4..SIG-6.

use bytes::Bytes;

use super::{SignError, pae, signatures};
use crate::{
    keys::{SigningError, SigningKey},
    label::{self, Hash},
    limits::BATCH_ENVELOPES_MAX,
    v1,
};

/// Signs `payloads` with one signature for each 64 of them, or two if the key has a companion.
/// Spec: SIG-4.
///
/// # Errors
/// [`SigningError`]; none is then signed.
pub fn sign_batch(
    payload_type: &str,
    payloads: Vec<Bytes>,
    key: &SigningKey,
) -> Result<Vec<v1::Signed>, SigningError> {
    let mut signed = Vec::with_capacity(payloads.len());
    let mut rest = payloads;
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(BATCH_ENVELOPES_MAX));
        sign_tree(payload_type, rest, key, &mut signed)?;
        rest = later;
    }
    Ok(signed)
}

fn sign_tree(
    payload_type: &str,
    payloads: Vec<Bytes>,
    key: &SigningKey,
    signed: &mut Vec<v1::Signed>,
) -> Result<(), SigningError> {
    let leaves: Vec<Hash> = payloads.iter().map(|payload| leaf_hash(payload)).collect();
    let size = u32::try_from(leaves.len()).expect("a batch is at most 64");
    let mut paths = vec![Vec::new(); leaves.len()];
    let root = tree(&leaves, &mut paths);
    let signatures = signatures(key, &message(payload_type, size, &root))?;
    let parts = payloads.into_iter().zip(paths).zip(0_u32..);
    signed.extend(parts.map(|((payload, hashes), index)| v1::Signed {
        payload,
        payload_type: payload_type.to_owned(),
        signatures: signatures.clone(),
        batch: Some(v1::BatchPath {
            index,
            size,
            hashes,
        }),
    }));
    Ok(())
}

/// The message that the batch's signature covers, from one payload and its path. Spec: SIG-5.
pub(super) fn message_of(
    payload_type: &str,
    payload: &[u8],
    path: &v1::BatchPath,
) -> Result<Vec<u8>, SignError> {
    let size = usize::try_from(path.size).map_err(|_| SignError::BatchPath)?;
    if size > BATCH_ENVELOPES_MAX || path.index >= path.size {
        return Err(SignError::BatchPath);
    }
    let root = climb(leaf_hash(payload), path).ok_or(SignError::BatchPath)?;
    Ok(message(payload_type, path.size, &root))
}

fn message(payload_type: &str, size: u32, root: &Hash) -> Vec<u8> {
    let mut body = Vec::with_capacity(36 + payload_type.len());
    body.extend_from_slice(&size.to_be_bytes());
    body.extend_from_slice(root);
    body.extend_from_slice(payload_type.as_bytes());
    pae(label::TYPE_BATCH, &body)
}

/// The leaf is the payload's identity, which for a manifest is the envelope id.
fn leaf_hash(payload: &[u8]) -> Hash {
    label::sha256(&[&[0], &label::sha256(&[label::MANIFEST, payload])])
}

fn node_hash(left: &[u8], right: &[u8]) -> Hash {
    label::sha256(&[&[1], left, right])
}

/// The root over `leaves`; each leaf's siblings are appended to its path, lowest first.
fn tree(leaves: &[Hash], paths: &mut [Vec<Bytes>]) -> Hash {
    if let [leaf] = leaves {
        return *leaf;
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left_paths, right_paths) = paths.split_at_mut(split);
    let left = tree(&leaves[..split], left_paths);
    let right = tree(&leaves[split..], right_paths);
    let (left_bytes, right_bytes) = (
        Bytes::copy_from_slice(&left),
        Bytes::copy_from_slice(&right),
    );
    left_paths
        .iter_mut()
        .for_each(|path| path.push(right_bytes.clone()));
    right_paths
        .iter_mut()
        .for_each(|path| path.push(left_bytes.clone()));
    node_hash(&left, &right)
}

/// The root that `path` leads to, if it is exactly as long as its index and size say
/// (RFC 9162, 2.1.3.2). Spec: SIG-6.
fn climb(leaf: Hash, path: &v1::BatchPath) -> Option<Hash> {
    let (mut index, mut last) = (path.index, path.size.checked_sub(1)?);
    let mut root = leaf;
    for sibling in &path.hashes {
        if sibling.len() != root.len() || last == 0 {
            return None;
        }
        if index & 1 == 1 || index == last {
            root = node_hash(sibling, &root);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}
