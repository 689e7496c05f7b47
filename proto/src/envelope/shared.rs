//! Wraps whose HPKE context serves many envelopes from one sender to one recipient.
//!
//! One encapsulation, then for each envelope a key exported under its header's hash and the
//! recipient's position: the binding is the single form's, the public-key work is shared.
//! Layout: 0x02 ‖ encapsulated key (1120) ‖ sealed content key (48). Spec: ENV-18.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use hpke::{
    Deserializable, HpkeError, OpModeR, OpModeS, Serializable,
    aead::{AeadCtxR, AeadCtxS},
    setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;
use ring::aead::{Aad, Nonce, Tag};
use zeroize::Zeroizing;

use super::{
    body::aes_256_gcm,
    open::OpenCause,
    wrap::{
        Aead, ContentKey, ENCAPPED_BYTES, Encapped, Kdf, Place, SHARED_BYTES, SINGLE_BYTES,
        put_prefixed,
    },
};
use crate::{
    keys::{SealingPublicKey, SealingSecretKey, SuiteKem},
    label::{self, Hash},
    limits::BATCH_ENVELOPES_MAX,
};

/// First byte of the shared form.
const FORM: u8 = 2;

/// A sender's HPKE contexts, each for one recipient and at most 64 envelopes. Make one for each
/// batch: envelopes under one context can be seen to be from one run of the sender.
#[derive(Default)]
pub struct SharedContexts(HashMap<Vec<u8>, Sending>);

struct Sending {
    encapped: [u8; ENCAPPED_BYTES],
    context: AeadCtxS<Aead, Kdf, SuiteKem>,
    left: usize,
}

impl SharedContexts {
    /// No context yet: each recipient's is set up when first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn seal(
        &mut self,
        key: &SealingPublicKey,
        place: &Place<'_>,
        content_key: &[u8; 32],
        rng: &mut dyn CryptoRng,
    ) -> Result<Bytes, HpkeError> {
        let sending = self.sending(key, place, rng)?;
        sending.left -= 1;
        let wrap_key = export(place, |context, out| sending.context.export(context, out))?;
        let mut wrap = Vec::with_capacity(SHARED_BYTES);
        wrap.push(FORM);
        wrap.extend_from_slice(&sending.encapped);
        wrap.extend_from_slice(content_key);
        // The key is for this header and position only, so it meets one nonce and one message.
        let tag = aes_256_gcm(&*wrap_key)
            .seal_in_place_separate_tag(zero_nonce(), Aad::empty(), &mut wrap[1 + ENCAPPED_BYTES..])
            .map_err(|_| HpkeError::SealError)?;
        wrap.extend_from_slice(tag.as_ref());
        Ok(wrap.into())
    }

    fn sending(
        &mut self,
        key: &SealingPublicKey,
        place: &Place<'_>,
        mut rng: &mut dyn CryptoRng,
    ) -> Result<&mut Sending, HpkeError> {
        let info = info(place);
        if self.0.get(&info).is_none_or(|sending| sending.left == 0) {
            let (encapped, context) = setup_sender_with_rng::<Aead, Kdf, SuiteKem>(
                &OpModeS::Base,
                key.parsed(),
                &info,
                &mut rng,
            )?;
            let fresh = Sending {
                encapped: encapped.to_bytes().into(),
                context,
                left: BATCH_ENVELOPES_MAX,
            };
            self.0.insert(info.clone(), fresh);
        }
        Ok(self.0.get_mut(&info).expect("present or just inserted"))
    }
}

/// A recipient's HPKE contexts, so that a batch costs one decapsulation. Keep one for each worker.
#[derive(Default)]
pub struct OpenContexts(VecDeque<(Hash, AeadCtxR<Aead, Kdf, SuiteKem>)>);

impl OpenContexts {
    const ENTRIES: usize = 8;

    /// No context yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a wrap of the shared form.
    pub(super) fn open(
        &mut self,
        key: &SealingSecretKey,
        place: &Place<'_>,
        wrap: &[u8],
    ) -> Result<ContentKey, OpenCause> {
        let parts = wrap.split_first().filter(|_| wrap.len() == SHARED_BYTES);
        let (form, parts) = parts.ok_or(OpenCause::WrapLength)?;
        if *form != FORM {
            return Err(OpenCause::Wrap);
        }
        debug_assert_eq!(parts.len(), SINGLE_BYTES);
        let (encapped, sealed) = parts.split_at(ENCAPPED_BYTES);
        let context = self.context(key, place, encapped)?;
        let wrap_key =
            export(place, |label, out| context.export(label, out)).map_err(|_| OpenCause::Wrap)?;
        let (sealed, tag) = sealed
            .split_last_chunk::<16>()
            .ok_or(OpenCause::WrapLength)?;
        let mut content_key = Zeroizing::new([0; 32]);
        content_key.copy_from_slice(sealed);
        aes_256_gcm(&*wrap_key)
            .open_in_place_separate_tag(
                zero_nonce(),
                Aad::empty(),
                Tag::from(*tag),
                &mut *content_key,
                0..,
            )
            .map_err(|_| OpenCause::Wrap)?;
        Ok(content_key)
    }

    fn context(
        &mut self,
        key: &SealingSecretKey,
        place: &Place<'_>,
        encapped: &[u8],
    ) -> Result<&AeadCtxR<Aead, Kdf, SuiteKem>, OpenCause> {
        let info = info(place);
        // The key id in the info stands for the key; the length of `encapped` is fixed.
        let entry = label::sha256(&[encapped, &info]);
        let known = self.0.iter().position(|(known, _)| *known == entry);
        let index = if let Some(index) = known {
            index
        } else {
            let encapped = Encapped::from_bytes(encapped).map_err(|_| OpenCause::Wrap)?;
            let context = setup_receiver(&OpModeR::Base, key.parsed(), &encapped, &info)
                .map_err(|_| OpenCause::Wrap)?;
            if self.0.len() == Self::ENTRIES {
                self.0.pop_front();
            }
            self.0.push_back((entry, context));
            self.0.len() - 1
        };
        Ok(&self.0[index].1)
    }
}

fn info(place: &Place<'_>) -> Vec<u8> {
    let mut info = label::WRAP_SHARED.to_vec();
    for part in [place.federation, place.sender, place.member] {
        put_prefixed(&mut info, part.as_bytes());
    }
    put_prefixed(&mut info, place.key_id.as_ref());
    info
}

fn export(
    place: &Place<'_>,
    context: impl FnOnce(&[u8], &mut [u8]) -> Result<(), HpkeError>,
) -> Result<Zeroizing<[u8; 32]>, HpkeError> {
    let mut label = label::WRAP_KEY.to_vec();
    label.extend_from_slice(place.core_hash);
    label.extend_from_slice(&place.index.to_be_bytes());
    let mut key = Zeroizing::new([0; 32]);
    context(&label, &mut *key)?;
    Ok(key)
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
