//! Putting a file together. Spec: EVD-1 to EVD-3.

use std::cmp::Reverse;

use bytes::Bytes;
use prost::Message;

use super::{FIRST_LINE, FileError, Parts, parse::check};
use crate::v1;

/// Makes the file; the same parts give the same bytes, in whatever order the receipts come. Of the
/// receipts of one entry the one with the longest head is kept, which has the most cosignatures.
/// Nothing is verified here.
///
/// # Errors
/// [`FileError`] for parts that no reader would take.
pub fn build(parts: Parts) -> Result<Vec<u8>, FileError> {
    let mut receipts = parts.receipts;
    receipts.sort_by_cached_key(|receipt| {
        let head = Reverse(receipt.checkpoint.len());
        (key(receipt), head, receipt.encode_to_vec())
    });
    receipts.dedup_by_key(|receipt| key(receipt));
    let bundle = v1::EvidenceBundle {
        roster: bare(&parts.roster)?,
        exhibits: parts.exhibits,
        receipts,
        silences: parts.silences,
    };
    check(&bundle)?;
    encode(&bundle)
}

/// The file that holds a bundle.
pub(super) fn encode(bundle: &v1::EvidenceBundle) -> Result<Vec<u8>, FileError> {
    let mut file = FIRST_LINE.to_vec();
    bundle.encode(&mut file).map_err(|_| FileError::Malformed)?;
    if file.len() > crate::limits::EVIDENCE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    Ok(file)
}

/// What receipts are ordered by: the time in the leaf, then the leaf; one too short for a time stands
/// before all others.
pub(super) fn key(receipt: &v1::Receipt) -> (Bytes, Bytes) {
    let time = receipt.leaf.get(8..16).unwrap_or_default();
    (Bytes::copy_from_slice(time), receipt.leaf.clone())
}

/// The roster with the chain of its roots, without what proves nothing about the past: addresses
/// and keys of connections, and who vouched for it as the newest.
fn bare(bundle: &[u8]) -> Result<Bytes, FileError> {
    let bundle = v1::RosterBundle::decode(bundle).map_err(|_| FileError::Malformed)?;
    let bare = v1::RosterBundle {
        root: bundle.root,
        roster: bundle.roster,
        earlier_roots: bundle.earlier_roots,
        ..v1::RosterBundle::default()
    };
    Ok(bare.encode_to_vec().into())
}
