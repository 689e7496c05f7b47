//! One frame of receipts per commit: a signed tree head and a path for each envelope.

use anyhow::{Context, ensure};
use bytes::{Buf, Bytes, BytesMut};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use frex_proto::label::Hash;

use super::tree::{Edge, Tree, leaf_hash, verify_path};

const HEAD_BYTES: usize = 4 + 8 + 32 + 64;

/// Writes the receipts of the envelopes that `first` and the following leaves stand for.
pub fn write(tree: &Tree, edge: &Edge, key: &SigningKey, first: usize, sequences: &[u64]) -> Bytes {
    let root = tree.root(edge);
    let size = (tree.len() as u64).to_be_bytes();
    let signature = key.sign(&signed(&size, &root)).to_bytes();
    let mut frame = Vec::with_capacity(HEAD_BYTES + sequences.len() * 700);
    frame.extend([0; 4]);
    frame.extend(size);
    frame.extend(root);
    frame.extend(signature);
    let mut path = Vec::new();
    for (index, sequence) in (first..).zip(sequences) {
        path.clear();
        tree.path(index, edge, &mut path);
        frame.extend(sequence.to_be_bytes());
        frame.extend((index as u64).to_be_bytes());
        frame.push(u8::try_from(path.len()).expect("a path has at most 63 hashes"));
        frame.extend(path.as_flattened());
    }
    let length = u32::try_from(frame.len() - 4).expect("a commit of some hundred receipts");
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.into()
}

/// Verifies a frame of receipts and calls back with each sequence number; `digest_of` says what
/// the leaf must commit to.
pub fn verify(
    mut frame: Bytes,
    key: &VerifyingKey,
    digest_of: impl Fn(u64) -> Hash,
    mut verified: impl FnMut(u64),
) -> anyhow::Result<()> {
    ensure!(frame.len() >= HEAD_BYTES - 4, "a short frame of receipts");
    let size = frame.get_u64();
    let mut root = [0; 32];
    frame.copy_to_slice(&mut root);
    let mut signature = [0; 64];
    frame.copy_to_slice(&mut signature);
    key.verify_strict(
        &signed(&size.to_be_bytes(), &root),
        &Signature::from_bytes(&signature),
    )?;
    let mut path = Vec::new();
    while frame.has_remaining() {
        ensure!(frame.len() > 16, "a short receipt");
        let (sequence, index, hashes) = (frame.get_u64(), frame.get_u64(), frame.get_u8());
        let bytes = usize::from(hashes) * 32;
        let hashes = frame.get(..bytes).context("a short path")?;
        path.clear();
        path.extend(hashes.as_chunks().0);
        let leaf = leaf_hash(&digest_of(sequence));
        ensure!(
            verify_path(leaf, index, size, &path, &root),
            "a false receipt"
        );
        frame.advance(bytes);
        verified(sequence);
    }
    Ok(())
}

/// Takes the next whole frame, without its length, off the front of what has arrived.
pub fn next_frame(arrived: &mut BytesMut) -> Option<BytesMut> {
    let length = u32::from_be_bytes(*arrived.first_chunk()?) as usize;
    if arrived.len() < 4 + length {
        arrived.reserve(4 + length - arrived.len());
        return None;
    }
    arrived.advance(4);
    Some(arrived.split_to(length))
}

fn signed(size: &[u8; 8], root: &Hash) -> [u8; 40] {
    let mut message = [0; 40];
    message[..8].copy_from_slice(size);
    message[8..].copy_from_slice(root);
    message
}
