//! Sealing a file chunk by chunk, in the memory of one chunk. Spec: ATT-2 to ATT-6.

use rand_core::CryptoRng;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest,
};
use zeroize::Zeroizing;

use super::{
    Attached, AttachedFile, Hashes, Listed, PADDED_BYTES_MIN, TAG_BYTES,
    name::{is_file_name, is_media_type},
};
use crate::{
    error::WireCode,
    label::Hash,
    limits::{ATTACHMENT_BYTES_MAX, CHUNK_BYTES},
    log::{self, Frontier},
    padding::padded,
};

/// Why a file cannot be attached. The caller is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Nothing is in it.
    #[error("an attachment has at least one byte")]
    Empty,
    /// Over the limit.
    #[error("an attachment has at most 8 GiB")]
    TooLarge,
    /// The file changed while it was read.
    #[error("the file has another length than at first")]
    Length,
    /// No clean file name.
    #[error(
        "an attachment needs a file name of 1 to 128 bytes without folder or control characters"
    )]
    Name,
    /// No media type.
    #[error("a media type has 1 to 128 printable characters")]
    MediaType,
}

impl From<SealError> for WireCode {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge => Self::TooLarge,
            _ => Self::BadInput,
        }
    }
}

/// Seals one file.
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
    aead: LessSafeKey,
    plain_bytes: u64,
    padded_bytes: u64,
    /// Of plaintext and padding sealed so far.
    done_bytes: u64,
    digest: digest::Context,
    hashes: Vec<Hash>,
}

impl Sealer {
    /// For a file of so many bytes, under a key that is drawn here and used for nothing else.
    ///
    /// # Errors
    /// [`SealError::Empty`], [`SealError::TooLarge`].
    pub fn new(plain_bytes: u64, rng: &mut dyn CryptoRng) -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        if plain_bytes == 0 {
            return Err(SealError::Empty);
        }
        Ok(Self {
            aead: aead(&key),
            key,
            plain_bytes,
            padded_bytes: padded_bytes(plain_bytes).ok_or(SealError::TooLarge)?,
            done_bytes: 0,
            digest: digest::Context::new(&digest::SHA256),
            hashes: Vec::new(),
        })
    }

    /// How many bytes of the file the next chunk takes: none if it is all padding; nothing when
    /// the last chunk was sealed.
    #[must_use]
    pub fn due(&self) -> Option<usize> {
        let plain = self.plain_bytes.saturating_sub(self.done_bytes);
        let plain = usize::try_from(plain).unwrap_or(usize::MAX);
        (self.done_bytes < self.padded_bytes).then(|| plain.min(CHUNK_BYTES))
    }

    /// Seals the next chunk.
    ///
    /// # Errors
    /// [`SealError::Length`]: not as many bytes as are due.
    pub fn seal(&mut self, mut chunk: Vec<u8>) -> Result<Vec<u8>, SealError> {
        if self.due() != Some(chunk.len()) {
            return Err(SealError::Length);
        }
        self.digest.update(&chunk);
        let left = self.padded_bytes - self.done_bytes;
        let length = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        chunk.reserve_exact(length + TAG_BYTES - chunk.len());
        chunk.resize(length, 0);
        self.done_bytes += length as u64;
        let last = self.done_bytes == self.padded_bytes;
        let number = u32::try_from(self.hashes.len()).map_err(|_| SealError::TooLarge)?;
        self.aead
            .seal_in_place_append_tag(nonce(number, last), Aad::empty(), &mut chunk)
            .expect("a chunk is far below what AES-GCM takes");
        self.hashes.push(log::leaf_hash(&chunk));
        Ok(chunk)
    }

    /// What is listed and sealed of the file, and the hashes of its chunks.
    ///
    /// # Errors
    /// [`SealError::Length`] before the last chunk; [`SealError::Name`], [`SealError::MediaType`].
    pub fn finish(self, name: &str, media_type: &str) -> Result<(Attached, Hashes), SealError> {
        if self.done_bytes < self.padded_bytes {
            return Err(SealError::Length);
        }
        if !is_file_name(name) {
            return Err(SealError::Name);
        }
        if !is_media_type(media_type) {
            return Err(SealError::MediaType);
        }
        let listed = Listed {
            root: root(&self.hashes),
            bytes: self.padded_bytes + (TAG_BYTES * self.hashes.len()) as u64,
        };
        let sha256 = self.digest.finish();
        let file = AttachedFile {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes: self.plain_bytes,
            sha256: sha256
                .as_ref()
                .try_into()
                .expect("SHA-256 output is 32 bytes"),
            key: self.key,
        };
        let hashes = Hashes {
            listed,
            hashes: self.hashes,
        };
        Ok((Attached { listed, file }, hashes))
    }
}

/// Length of a file with its padding; nothing over the limit. Spec: ATT-3.
pub(super) fn padded_bytes(plain_bytes: u64) -> Option<u64> {
    let bytes = usize::try_from(plain_bytes).ok()?;
    (plain_bytes <= ATTACHMENT_BYTES_MAX).then(|| padded(bytes.max(PADDED_BYTES_MIN)) as u64)
}

/// Length of the sealed chunks of so much padded plaintext.
pub(super) fn sealed_bytes(padded_bytes: u64) -> u64 {
    padded_bytes + padded_bytes.div_ceil(CHUNK_BYTES as u64) * TAG_BYTES as u64
}

pub(super) fn root(hashes: &[Hash]) -> Hash {
    let mut tree = Frontier::new();
    hashes.iter().for_each(|hash| tree.append(*hash));
    tree.root()
}

pub(super) fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes"))
}

/// Whether it is the last, seven zeros, its number: no chunk stands for another. Spec: ATT-5.
pub(super) fn nonce(number: u32, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[0] = u8::from(last);
    nonce[8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
