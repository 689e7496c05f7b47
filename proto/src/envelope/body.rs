//! The sealed body: C2SP chunked encryption of salt, length, content and padding.
//!
//! Layout: stream salt (24) ‖ commitment (32) ‖ chunks, each the AES-256-GCM of 16 KiB; the last
//! one is always shorter, so a body cut anywhere does not open. The commitment is checked before
//! any chunk: a body opens under one content key only. Spec: ENV-13..ENV-16.

use bytes::Bytes;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey},
    hkdf,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::open::OpenCause;
use crate::{
    label::{self, Hash},
    padding::padded,
};

const STREAM_SALT: usize = 24;
const COMMITMENT: usize = 32;
const HEAD: usize = STREAM_SALT + COMMITMENT;
const CHUNK: usize = 16 * 1024;
const TAG: usize = 16;
/// Salt and length before the content.
const PREFIX: usize = 40;
const KEYS: usize = 76;
/// The shortest body: nothing inside.
pub(super) const BYTES_MIN: usize = HEAD + PREFIX + TAG;

/// What is sealed: a content in two pieces, so that the large one need not be copied to be one.
pub(super) struct Plain<'a> {
    pub(super) salt: &'a [u8; 32],
    pub(super) content: [&'a [u8]; 2],
}

/// What was sealed.
pub(super) struct Inner {
    pub(super) salt: [u8; 32],
    pub(super) content: Bytes,
}

/// Length of the body of a content.
pub(super) fn sealed_len(content_len: usize) -> usize {
    let inner = padded(PREFIX + content_len);
    HEAD + inner + TAG * (inner / CHUNK + 1)
}

/// Seals `plain` under keys bound to the header.
pub(super) fn seal(
    content_key: &[u8; 32],
    core_hash: &Hash,
    stream_salt: &[u8; STREAM_SALT],
    plain: &Plain<'_>,
) -> Vec<u8> {
    let [head, data] = plain.content;
    let content_len = head.len() + data.len();
    let keys = Keys::derive(content_key, core_hash, stream_salt);
    // The exact capacity: growing would leave plaintext behind in freed memory.
    let mut body = Vec::with_capacity(sealed_len(content_len));
    body.extend_from_slice(stream_salt);
    body.extend_from_slice(&keys.commitment);
    let mut writer = Writer {
        start: body.len(),
        index: 0,
        keys: &keys,
        body,
    };
    writer.write(plain.salt);
    writer.write(
        &u64::try_from(content_len)
            .expect("lengths fit 64 bits")
            .to_be_bytes(),
    );
    writer.write(head);
    writer.write(data);
    writer.write_zeros(padded(PREFIX + content_len) - PREFIX - content_len);
    writer.finish()
}

/// Opens a body: commitment first, then every chunk, then padding and length.
pub(super) fn open(
    content_key: &[u8; 32],
    core_hash: &Hash,
    body: &[u8],
) -> Result<Inner, OpenCause> {
    let (stream_salt, rest) = body
        .split_first_chunk::<STREAM_SALT>()
        .ok_or(OpenCause::BodyLength)?;
    let (commitment, chunks) = rest
        .split_first_chunk::<COMMITMENT>()
        .ok_or(OpenCause::BodyLength)?;
    let keys = Keys::derive(content_key, core_hash, stream_salt);
    if !bool::from(keys.commitment.ct_eq(commitment)) {
        return Err(OpenCause::Commitment);
    }
    if chunks.len() % (CHUNK + TAG) < TAG {
        return Err(OpenCause::BodyLength);
    }
    let mut inner = Zeroizing::new(Vec::with_capacity(chunks.len()));
    for (index, chunk) in (0..).zip(chunks.chunks(CHUNK + TAG)) {
        let (ciphertext, tag) = chunk
            .split_last_chunk::<TAG>()
            .ok_or(OpenCause::BodyLength)?;
        let start = inner.len();
        inner.extend_from_slice(ciphertext);
        keys.aead
            .open_in_place_separate_tag(
                keys.nonce(index),
                Aad::empty(),
                Tag::from(*tag),
                &mut inner[start..],
                0..,
            )
            .map_err(|_| OpenCause::Chunk)?;
    }
    unpad(&mut inner)
}

/// Whether `body` is sealed under `content_key` and this header.
pub(super) fn is_under(content_key: &[u8; 32], core_hash: &Hash, body: &[u8]) -> bool {
    let Some((stream_salt, rest)) = body.split_first_chunk::<STREAM_SALT>() else {
        return false;
    };
    let keys = Keys::derive(content_key, core_hash, stream_salt);
    rest.first_chunk::<COMMITMENT>()
        .is_some_and(|commitment| keys.commitment.ct_eq(commitment).into())
}

fn unpad(inner: &mut Zeroizing<Vec<u8>>) -> Result<Inner, OpenCause> {
    let (salt, rest) = inner.split_first_chunk::<32>().ok_or(OpenCause::Padding)?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(OpenCause::Padding)?;
    let salt = *salt;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| OpenCause::Padding)?;
    let padding = rest.get(length..).ok_or(OpenCause::Padding)?;
    let exact = padded(PREFIX + length) == inner.len();
    if !exact || padding.iter().any(|byte| *byte != 0) {
        return Err(OpenCause::Padding);
    }
    let all = Bytes::from(std::mem::take(&mut **inner));
    Ok(Inner {
        salt,
        content: all.slice(PREFIX..PREFIX + length),
    })
}

struct Keys {
    aead: LessSafeKey,
    base_nonce: [u8; 12],
    commitment: [u8; COMMITMENT],
}

impl Keys {
    fn derive(content_key: &[u8; 32], core_hash: &Hash, stream_salt: &[u8; STREAM_SALT]) -> Self {
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, content_key);
        let info: [&[u8]; 6] = [
            b"c2sp.org/chunked-encryption@v1+",
            b"AEAD_AES_256_GCM",
            b"\0",
            stream_salt,
            label::BODY,
            core_hash,
        ];
        let mut output = Zeroizing::new([0; KEYS]);
        secret
            .expand(&info, KeysLength)
            .and_then(|material| material.fill(&mut *output))
            .expect("76 bytes are within what HKDF-SHA512 gives");
        let mut keys = Self {
            aead: aes_256_gcm(&output[..32]),
            base_nonce: [0; 12],
            commitment: [0; COMMITMENT],
        };
        keys.base_nonce.copy_from_slice(&output[32..44]);
        keys.commitment.copy_from_slice(&output[44..]);
        keys
    }

    fn nonce(&self, index: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, mask) in nonce[4..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= mask;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

pub(super) fn aes_256_gcm(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes"))
}

struct KeysLength;

impl hkdf::KeyType for KeysLength {
    fn len(&self) -> usize {
        KEYS
    }
}

/// Appends plaintext to the body and seals each chunk where it lies as soon as it is full.
struct Writer<'a> {
    body: Vec<u8>,
    start: usize,
    index: u64,
    keys: &'a Keys,
}

impl Writer<'_> {
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.body.extend_from_slice(now);
            self.seal_if_full();
            bytes = later;
        }
    }

    fn write_zeros(&mut self, mut count: usize) {
        while count > 0 {
            let now = count.min(self.room());
            self.body.resize(self.body.len() + now, 0);
            self.seal_if_full();
            count -= now;
        }
    }

    fn room(&self) -> usize {
        self.start + CHUNK - self.body.len()
    }

    fn seal_if_full(&mut self) {
        if self.room() == 0 {
            self.seal_chunk();
        }
    }

    fn seal_chunk(&mut self) {
        let nonce = self.keys.nonce(self.index);
        let chunk = &mut self.body[self.start..];
        let tag = self
            .keys
            .aead
            .seal_in_place_separate_tag(nonce, Aad::empty(), chunk)
            .expect("a chunk is far below the length limit of AES-GCM");
        self.body.extend_from_slice(tag.as_ref());
        self.start = self.body.len();
        self.index += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        self.seal_chunk();
        self.body
    }
}

#[cfg(test)]
mod tests;
