//! The content key, wrapped for one recipient.
//!
//! The single form is one HPKE message whose info names header, position, member and key: a wrap
//! moved to another envelope, place or member does not open. Spec: ENV-17.

use bytes::Bytes;
use hpke::{
    Deserializable, HpkeError, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::Kem,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::open::OpenCause;
use crate::{
    id::KeyId,
    keys::{SealingPublicKey, SealingSecretKey, SuiteKem},
    label::{self, Hash},
};

/// The content key.
pub(super) type ContentKey = Zeroizing<[u8; 32]>;
pub(super) type Aead = ChaCha20Poly1305;
pub(super) type Kdf = HkdfSha256;
pub(super) type Encapped = <SuiteKem as Kem>::EncappedKey;

pub(super) const ENCAPPED_BYTES: usize = 1120;
pub(super) const SEALED_KEY_BYTES: usize = 48;
/// Length of a single wrap.
pub(super) const SINGLE_BYTES: usize = ENCAPPED_BYTES + SEALED_KEY_BYTES;
/// Length of a wrap under a shared HPKE context.
pub(super) const SHARED_BYTES: usize = 1 + SINGLE_BYTES;

/// Where a wrap belongs.
pub(super) struct Place<'a> {
    pub(super) federation: &'a str,
    pub(super) sender: &'a str,
    pub(super) member: &'a str,
    pub(super) key_id: KeyId,
    pub(super) core_hash: &'a Hash,
    pub(super) index: u32,
}

impl Place<'_> {
    /// HPKE info of the single form.
    pub(super) fn single_info(&self) -> Vec<u8> {
        let mut info = label::WRAP.to_vec();
        info.extend_from_slice(self.core_hash);
        info.extend_from_slice(&self.index.to_be_bytes());
        put_prefixed(&mut info, self.member.as_bytes());
        put_prefixed(&mut info, self.key_id.as_ref());
        info
    }
}

/// Wraps `content_key` in the single form, under `info`.
pub(super) fn seal(
    key: &SealingPublicKey,
    info: &[u8],
    content_key: &[u8; 32],
    mut rng: &mut dyn CryptoRng,
) -> Result<Bytes, HpkeError> {
    let (encapped, sealed) = hpke::single_shot_seal_with_rng::<Aead, Kdf, SuiteKem>(
        &OpModeS::Base,
        key.parsed(),
        info,
        content_key,
        b"",
        &mut rng,
    )?;
    let mut wrap = Vec::with_capacity(SINGLE_BYTES);
    wrap.extend_from_slice(&encapped.to_bytes());
    wrap.extend_from_slice(&sealed);
    Ok(wrap.into())
}

/// Opens a wrap of the single form.
pub(super) fn open(
    key: &SealingSecretKey,
    info: &[u8],
    wrap: &[u8],
) -> Result<ContentKey, OpenCause> {
    if wrap.len() != SINGLE_BYTES {
        return Err(OpenCause::WrapLength);
    }
    let (encapped, sealed) = wrap.split_at(ENCAPPED_BYTES);
    let encapped = Encapped::from_bytes(encapped).map_err(|_| OpenCause::Wrap)?;
    let opened = hpke::single_shot_open::<Aead, Kdf, SuiteKem>(
        &OpModeR::Base,
        key.parsed(),
        &encapped,
        info,
        sealed,
        b"",
    );
    let opened = Zeroizing::new(opened.map_err(|_| OpenCause::Wrap)?);
    let mut content_key = Zeroizing::new([0; 32]);
    content_key.copy_from_slice(&opened);
    Ok(content_key)
}

/// The hash under which a manifest names a wrap.
pub(super) fn hash(wrap: &[u8]) -> Hash {
    label::sha256(&[label::WRAP_HASH, wrap])
}

/// Appends a 16-bit length and the bytes. Names and key ids are far below its limit.
pub(super) fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("names and key ids are at most 64 bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
