//! What a node can judge: lists against the manifest, chunks against lists. Spec: ATT-1, ATT-9,
//! ATT-10.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Hashes, Listed, SEALED_CHUNK_BYTES, TAG_BYTES,
    seal::{root, sealed_bytes},
};
use crate::{
    envelope::EnvelopeError,
    error::WireCode,
    label::Hash,
    limits::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, ATTACHMENTS_SEALED_BYTES_MAX},
    log,
    padding::padded,
    v1,
};

const HASH_BYTES: usize = 32;
const NUMBER_BYTES: usize = 4;

/// Why bytes are not what the signed manifest lists. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Not one hash for each chunk.
    #[error("not one hash for each chunk")]
    HashCount,
    /// The hashes have another root.
    #[error("the hashes are not those that the manifest lists")]
    Root,
    /// No number, or one beyond the last chunk.
    #[error("a chunk without a place")]
    Number,
    /// The chunk has another hash or length.
    #[error("the chunk is not the one that the manifest lists")]
    Chunk,
    /// Not one bit for each chunk.
    #[error("not one bit for each chunk")]
    Held,
}

impl From<TransferError> for WireCode {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Root | TransferError::Chunk => Self::BadEnvelope,
            TransferError::HashCount | TransferError::Number | TransferError::Held => {
                Self::Malformed
            }
        }
    }
}

/// Judges the list of a manifest. Spec: ATT-1, ATT-3.
pub(crate) fn judge_listed(list: &[v1::Attachment]) -> Result<Vec<Listed>, EnvelopeError> {
    if list.len() > ATTACHMENTS_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let mut listed: Vec<Listed> = Vec::with_capacity(list.len());
    let mut all_bytes: u64 = 0;
    for entry in list {
        let root = entry.root.as_ref().try_into();
        let root: Hash = root.map_err(|_| EnvelopeError::Malformed)?;
        if entry.bytes > sealed_bytes(ATTACHMENT_BYTES_MAX) {
            return Err(EnvelopeError::TooLarge);
        }
        if !is_sealed_length(entry.bytes) {
            return Err(EnvelopeError::AttachmentSize);
        }
        if listed.iter().any(|other| other.root == root) {
            return Err(EnvelopeError::AttachmentTwice);
        }
        all_bytes += entry.bytes;
        listed.push(Listed {
            root,
            bytes: entry.bytes,
        });
    }
    if all_bytes > ATTACHMENTS_SEALED_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    Ok(listed)
}

/// Whether some file has sealed chunks of this length together.
fn is_sealed_length(bytes: u64) -> bool {
    let chunks = bytes.div_ceil(SEALED_CHUNK_BYTES as u64);
    let plain = bytes.checked_sub(chunks * TAG_BYTES as u64);
    let plain = plain.and_then(|plain| usize::try_from(plain).ok());
    plain.is_some_and(|plain| {
        plain >= super::PADDED_BYTES_MIN
            && padded(plain) == plain
            && sealed_bytes(plain as u64) == bytes
    })
}

impl Hashes {
    /// Judges a list of hashes, one behind the other. Spec: ATT-9.
    ///
    /// # Errors
    /// [`TransferError::HashCount`], [`TransferError::Root`].
    pub fn parse(listed: Listed, bytes: &[u8]) -> Result<Self, TransferError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() || u32::try_from(hashes.len()) != Ok(listed.chunks()) {
            return Err(TransferError::HashCount);
        }
        if root(hashes) != listed.root {
            return Err(TransferError::Root);
        }
        let hashes = hashes.to_vec();
        Ok(Self { listed, hashes })
    }

    /// The list as it travels.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.hashes.concat().into()
    }

    /// Which attachment they are of.
    #[must_use]
    pub fn listed(&self) -> Listed {
        self.listed
    }

    /// Judges a sealed chunk. Spec: ATT-10.
    ///
    /// # Errors
    /// [`TransferError::Number`], [`TransferError::Chunk`].
    pub fn check(&self, number: u32, sealed: &[u8]) -> Result<(), TransferError> {
        let place = usize::try_from(number).ok();
        let hash = place.and_then(|place| self.hashes.get(place));
        let hash = hash.ok_or(TransferError::Number)?;
        let (_, length) = self.listed.place(number);
        if sealed.len() == length && log::leaf_hash(sealed) == *hash {
            Ok(())
        } else {
            Err(TransferError::Chunk)
        }
    }

    /// Takes a CHUNK frame apart and judges it: its number, its sealed chunk. Spec: ATT-10.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn read_chunk(&self, frame: &Bytes) -> Result<(u32, Bytes), TransferError> {
        let number = frame.first_chunk::<NUMBER_BYTES>();
        let number = u32::from_be_bytes(*number.ok_or(TransferError::Number)?);
        let sealed = frame.slice(NUMBER_BYTES..);
        self.check(number, &sealed)?;
        Ok((number, sealed))
    }
}

/// The payload of a CHUNK frame. Spec: ATT-10.
#[must_use]
pub fn chunk_frame(number: u32, sealed: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(NUMBER_BYTES + sealed.len());
    frame.put_u32(number);
    frame.put_slice(sealed);
    frame.freeze()
}
