//! From sealed chunks back to the file. Whatever fails, the error is one and the same.
//! Spec: ATT-7, ATT-8.

use ring::{
    aead::{Aad, LessSafeKey},
    digest,
};
use subtle::ConstantTimeEq;

use super::{
    Attached, AttachedFile, Listed, TAG_BYTES,
    name::{is_file_name, is_media_type},
    seal::{aead, nonce, padded_bytes, sealed_bytes},
};
use crate::{error::WireCode, limits::CHUNK_BYTES, v1};

/// The attachment cannot be opened. Why would tell a forger how far a forgery got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attachment cannot be opened")]
pub struct OpenError;

impl From<OpenError> for WireCode {
    fn from(_: OpenError) -> Self {
        Self::CannotOpen
    }
}

/// Opens one attachment, chunk after chunk.
pub struct Opener {
    attached: Attached,
    aead: LessSafeKey,
    next: u32,
    digest: digest::Context,
}

impl Opener {
    /// From the first chunk on.
    #[must_use]
    pub fn new(attached: Attached) -> Self {
        Self {
            aead: aead(&attached.file.key),
            attached,
            next: 0,
            digest: digest::Context::new(&digest::SHA256),
        }
    }

    /// How many bytes of the file the next chunk holds; nothing after the last chunk.
    #[must_use]
    pub fn due(&self) -> Option<usize> {
        let begin = u64::from(self.next) * CHUNK_BYTES as u64;
        let rest = self.attached.file.bytes.saturating_sub(begin);
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        (self.next < self.attached.listed.chunks()).then(|| rest.min(CHUNK_BYTES))
    }

    /// Goes past a chunk that was opened before. What is given for it is found out at the end.
    ///
    /// # Errors
    /// [`OpenError`]: not as many bytes as it holds.
    pub fn skip(&mut self, plain: &[u8]) -> Result<(), OpenError> {
        if self.due() != Some(plain.len()) {
            return Err(OpenError);
        }
        self.digest.update(plain);
        self.next += 1;
        Ok(())
    }

    /// Opens the next chunk; gives what it holds of the file. That is to be shown to nobody
    /// before [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&mut self, mut sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        let due = self.due().ok_or(OpenError)?;
        let (_, length) = self.attached.listed.place(self.next);
        if sealed.len() != length {
            return Err(OpenError);
        }
        let last = self.next + 1 == self.attached.listed.chunks();
        self.aead
            .open_in_place(nonce(self.next, last), Aad::empty(), &mut sealed)
            .map_err(|_| OpenError)?;
        if sealed[due..length - TAG_BYTES]
            .iter()
            .any(|byte| *byte != 0)
        {
            return Err(OpenError);
        }
        sealed.truncate(due);
        self.digest.update(&sealed);
        self.next += 1;
        Ok(sealed)
    }

    /// Checks that all of the file was seen and that it is the one that was sealed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn finish(self) -> Result<(), OpenError> {
        let found = self.digest.finish();
        let same = bool::from(found.as_ref().ct_eq(&self.attached.file.sha256));
        if self.next == self.attached.listed.chunks() && same {
            Ok(())
        } else {
            Err(OpenError)
        }
    }
}

impl Attached {
    /// Judges what a content says of an attachment against what the manifest lists. Spec: ATT-7.
    pub(crate) fn judge(listed: Listed, file: v1::AttachedFile) -> Option<Self> {
        let fits = file.bytes > 0
            && padded_bytes(file.bytes).map(sealed_bytes) == Some(listed.bytes)
            && is_file_name(&file.name)
            && is_media_type(&file.media_type);
        let file = AttachedFile {
            name: file.name,
            media_type: file.media_type,
            bytes: file.bytes,
            sha256: file.sha256.as_ref().try_into().ok()?,
            key: <[u8; 32]>::try_from(file.key.as_ref()).ok()?.into(),
        };
        fits.then_some(Self { listed, file })
    }
}
