//! Attachments: files beside an envelope, in sealed chunks under a root in the signed manifest.
//!
//! [`Sealer`] seals a file chunk by chunk under a key of its own. The key stands, with name,
//! length and hash of the file, in the sealed content ([`AttachedFile`]): whoever can open the
//! envelope can open the attachment, and nobody else. [`Listed`] is what the manifest says, which
//! is all that a node knows: [`Hashes`] judges each chunk on arrival by it, [`Held`] says which
//! are there, and [`Opener`] gives the file back. Spec: chapter ATT.

mod held;
mod name;
mod open;
mod seal;
mod verify;

use std::fmt;

use zeroize::Zeroizing;

pub(crate) use self::verify::judge_listed;
pub use self::{
    name::clean_file_name,
    open::{OpenError, Opener},
    seal::{SealError, Sealer},
    verify::{TransferError, chunk_frame},
};
use crate::{label::Hash, limits::CHUNK_BYTES};

/// A whole sealed chunk: plaintext and tag. Spec: ATT-4.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
const TAG_BYTES: usize = 16;
/// Shorter files are padded to this. Spec: ATT-3.
const PADDED_BYTES_MIN: usize = 4096;

/// What a manifest says of an attachment, judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listed {
    /// RFC 6962 root over the sealed chunks.
    pub root: Hash,
    /// Bytes of all sealed chunks: at least one chunk, at most 8192.
    pub bytes: u64,
}

/// What those who can open the envelope know of an attachment.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachedFile {
    /// A file name without any folder.
    pub name: String,
    /// Media type as the sender states it.
    pub media_type: String,
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the file: what proves it elsewhere.
    pub sha256: Hash,
    /// Opens this attachment only.
    pub key: Zeroizing<[u8; 32]>,
}

/// An attachment as sender and readers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// What the manifest says.
    pub listed: Listed,
    /// What is sealed.
    pub file: AttachedFile,
}

/// The hashes of an attachment's sealed chunks, of which the root is the listed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    listed: Listed,
    hashes: Vec<Hash>,
}

/// Which chunks of an attachment are there: a bit for each, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    bits: Vec<u8>,
    chunks: u32,
}

impl Listed {
    /// How many chunks it has.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        let chunks = self.bytes.div_ceil(SEALED_CHUNK_BYTES as u64);
        u32::try_from(chunks).expect("a listed attachment has at most 8192 chunks")
    }

    /// Where a sealed chunk begins among all of them, and how long it is.
    #[must_use]
    pub fn place(&self, chunk: u32) -> (u64, usize) {
        let begin = u64::from(chunk) * SEALED_CHUNK_BYTES as u64;
        let rest = usize::try_from(self.bytes.saturating_sub(begin)).unwrap_or(usize::MAX);
        (begin, rest.min(SEALED_CHUNK_BYTES))
    }
}

impl fmt::Debug for AttachedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttachedFile({} bytes)", self.bytes)
    }
}

#[cfg(test)]
mod tests;
