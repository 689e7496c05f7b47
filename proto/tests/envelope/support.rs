//! One author, members by number, and an envelope for two of them.

use bytes::Bytes;
use frex_proto::{
    envelope::{
        Draft, EnvelopeError, OpenCause, Parsed, Sealed, check_body, open, parse, seal, sign_one,
        verify,
    },
    error::WireCode,
    id::{EnvelopeId, MessageId},
    keys::{SealingSecretKey, SigningKey, VerifyingKey},
    label,
    sign::BatchCache,
    v1,
};
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub(crate) const NOW: u64 = 1_790_000_000_000;
pub(crate) const DAY: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn signer(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn author() -> SigningKey {
    signer(1)
}

pub(crate) fn author_keys() -> Vec<VerifyingKey> {
    vec![author().verifying_key()]
}

pub(crate) fn member(index: usize) -> String {
    format!("member-{index}.example")
}

pub(crate) fn sealing(index: usize) -> SealingSecretKey {
    SealingSecretKey::from_seed(&[u8::try_from(index).unwrap() + 100; 32])
}

pub(crate) fn draft(recipients: usize, data: impl Into<Bytes>) -> Draft {
    Draft {
        federation: "federation.example".to_owned(),
        sender: "sender.example".to_owned(),
        recipients: (0..recipients)
            .map(|index| (member(index), sealing(index).public()))
            .collect(),
        kind: v1::Kind::Report,
        lane: v1::Lane::Urgent,
        created_ms: NOW,
        expires_ms: NOW + DAY,
        reply_by_ms: Some(NOW + DAY),
        message_id: MessageId([5; 16]),
        conversation: Some(([6; 16], 3)),
        in_reply_to: Some(EnvelopeId([7; 32])),
        content_type: "application/json".to_owned(),
        data: data.into(),
        attachments: Vec::new(),
    }
}

/// An envelope for two, signed.
pub(crate) fn sealed_for_two() -> Sealed {
    seal(&draft(2, "the content"), &mut rng(1)).unwrap()
}

pub(crate) fn envelope_for_two() -> v1::Envelope {
    sign_one(sealed_for_two(), &author()).unwrap().to_wire(None)
}

pub(crate) fn judge(
    envelope: &v1::Envelope,
    keys: &[VerifyingKey],
) -> Result<Parsed, EnvelopeError> {
    let parsed = parse(envelope)?;
    verify(&parsed, keys, &mut BatchCache::new())?;
    check_body(&parsed, &envelope.body)?;
    Ok(parsed)
}

pub(crate) fn cause(envelope: &v1::Envelope, parsed: &Parsed, index: usize) -> Option<OpenCause> {
    let opened = open(parsed, &envelope.body, &member(index), &[&sealing(index)]);
    opened.err().map(|error| {
        assert_eq!(error.to_string(), "the envelope cannot be opened");
        assert_eq!(WireCode::from(error), WireCode::CannotOpen);
        error.cause()
    })
}

/// The sealed envelope with its manifest and header changed, signed anew by `key`: what someone
/// can do who signs as themselves.
pub(crate) fn resign(
    sealed: Sealed,
    key: &SigningKey,
    change: impl FnOnce(&mut v1::Manifest, &mut v1::Core, &mut Vec<Bytes>),
) -> v1::Envelope {
    let mut sealed = sealed;
    let mut manifest = v1::Manifest::decode(sealed.manifest.clone()).unwrap();
    let mut core = v1::Core::decode(manifest.core.clone()).unwrap();
    let before = core.clone();
    change(&mut manifest, &mut core, &mut sealed.wraps);
    if core != before {
        manifest.core = core.encode_to_vec().into();
    }
    sealed.manifest = manifest.encode_to_vec().into();
    sign_one(sealed, key).unwrap().to_wire(None)
}

pub(crate) fn wrap_hash(wrap: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&label::sha256(&[label::WRAP_HASH, wrap]))
}

pub(crate) fn with_signed(envelope: &mut v1::Envelope, change: impl FnOnce(&mut v1::Signed)) {
    let mut signed = v1::Signed::decode(envelope.signed.clone()).unwrap();
    change(&mut signed);
    envelope.signed = signed.encode_to_vec().into();
}
