//! Judging the shape of an envelope that came in: no secret, no signature, no clock.
//! Spec: ENV-4..ENV-9.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;

use super::{
    Core, EnvelopeError, Parsed, Recipient, SUITE, body,
    wrap::{SHARED_BYTES, SINGLE_BYTES},
};
use crate::{
    attachment::judge_listed,
    id::{EnvelopeId, KeyId, MessageId, check_name},
    label,
    limits::{BODY_BYTES_MAX, CONTENT_TYPE_BYTES_MAX, RECIPIENTS_MAX, SIGNED_BYTES_MAX},
    padding::size_class,
    v1,
};

/// Judges the shape of an envelope: sizes, types, names, and that its parts fit each other.
///
/// # Errors
/// [`EnvelopeError`] names the first rule that is broken.
pub fn parse(envelope: &v1::Envelope) -> Result<Parsed, EnvelopeError> {
    if envelope.body.len() > BODY_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let mut parsed = parse_signed(&envelope.signed)?;
    if !envelope.forward.is_empty() {
        return Err(EnvelopeError::Malformed);
    }
    parsed.wraps = collect_wraps(&envelope.wraps, parsed.core.recipients.len())?;
    Ok(parsed)
}

/// [`parse`] of the signed manifest alone.
pub(super) fn parse_signed(signed_bytes: &Bytes) -> Result<Parsed, EnvelopeError> {
    let signed = decode_signed(signed_bytes, label::TYPE_MANIFEST)?;
    let manifest: v1::Manifest = decode(&signed.payload)?;
    let core = judge_core(decode(&manifest.core)?)?;
    judge_manifest(&manifest, &core)?;
    Ok(Parsed {
        attachments: judge_listed(&manifest.attachments)?,
        id: EnvelopeId::of_manifest(&signed.payload),
        core_hash: label::sha256(&[label::CORE, &manifest.core]),
        core_bytes: manifest.core.clone(),
        signed_bytes: signed_bytes.clone(),
        wraps: BTreeMap::new(),
        signed,
        manifest,
        core,
    })
}

pub(super) fn decode_signed(bytes: &Bytes, expected: &str) -> Result<v1::Signed, EnvelopeError> {
    if bytes.len() > SIGNED_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let signed: v1::Signed = decode(bytes)?;
    if signed.payload_type != expected {
        return Err(EnvelopeError::PayloadType);
    }
    Ok(signed)
}

/// Decodes without copying: the fields share `bytes`.
pub(super) fn decode<M: Message + Default>(bytes: &Bytes) -> Result<M, EnvelopeError> {
    M::decode(bytes.clone()).map_err(|_| EnvelopeError::Malformed)
}

fn judge_core(core: v1::Core) -> Result<Core, EnvelopeError> {
    if core.suite != SUITE {
        return Err(EnvelopeError::Suite);
    }
    // No critical feature is defined yet, so every one is unknown.
    if !core.critical.is_empty() {
        return Err(EnvelopeError::Critical);
    }
    for name in [&core.federation, &core.sender] {
        check_name(name).map_err(|_| EnvelopeError::Name)?;
    }
    if core.expires_ms <= core.created_ms
        || (core.reply_by_ms != 0 && core.reply_by_ms <= core.created_ms)
    {
        return Err(EnvelopeError::TimeOrder);
    }
    let kind = v1::Kind::try_from(core.kind).unwrap_or_default();
    let lane = v1::Lane::try_from(core.lane).unwrap_or_default();
    if kind == v1::Kind::Unspecified || lane == v1::Lane::Unspecified {
        return Err(EnvelopeError::KindOrLane);
    }
    if kind.is_for_control() && lane != v1::Lane::Control {
        return Err(EnvelopeError::KindOrLane);
    }
    let core = Core {
        recipients: judge_recipients(core.recipients)?,
        message_id: MessageId::from_slice(&core.message_id)?,
        conversation: judge_conversation(&core.conversation_id, core.sequence)?,
        in_reply_to: optional(&core.in_reply_to)
            .map(EnvelopeId::from_slice)
            .transpose()?,
        content_commitment: exact(&core.content_commitment)?,
        federation: core.federation,
        sender: core.sender,
        kind,
        lane,
        created_ms: core.created_ms,
        expires_ms: core.expires_ms,
        reply_by_ms: (core.reply_by_ms != 0).then_some(core.reply_by_ms),
        size_class: core.size_class,
    };
    if kind == v1::Kind::Recall && core.recalls().is_none() {
        return Err(EnvelopeError::Recall);
    }
    Ok(core)
}

pub(super) fn judge_recipients(
    recipients: Vec<v1::Recipient>,
) -> Result<Vec<Recipient>, EnvelopeError> {
    if !(1..=RECIPIENTS_MAX).contains(&recipients.len()) {
        return Err(EnvelopeError::RecipientCount);
    }
    let mut judged = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        check_name(&recipient.member).map_err(|_| EnvelopeError::Name)?;
        judged.push(Recipient {
            member: recipient.member,
            sealing_key_id: KeyId::from_slice(&recipient.sealing_key_id)?,
        });
    }
    let members: BTreeSet<&str> = judged.iter().map(|one| one.member.as_str()).collect();
    if members.len() != judged.len() {
        return Err(EnvelopeError::RecipientTwice);
    }
    Ok(judged)
}

fn judge_conversation(id: &Bytes, sequence: u64) -> Result<Option<([u8; 16], u64)>, EnvelopeError> {
    match optional(id) {
        Some(id) => Ok(Some((exact(id)?, sequence))),
        None if sequence == 0 => Ok(None),
        None => Err(EnvelopeError::Malformed),
    }
}

fn judge_manifest(manifest: &v1::Manifest, core: &Core) -> Result<(), EnvelopeError> {
    judge_wrap_hashes(&manifest.wrap_sha256, core.recipients.len())?;
    exact::<32>(&manifest.body_sha256)?;
    let length = usize::try_from(manifest.body_len).map_err(|_| EnvelopeError::TooLarge)?;
    if length > BODY_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    if length < body::BYTES_MIN || size_class(manifest.body_len) != core.size_class {
        return Err(EnvelopeError::SizeClass);
    }
    Ok(())
}

pub(super) fn judge_wrap_hashes(hashes: &[Bytes], recipients: usize) -> Result<(), EnvelopeError> {
    if hashes.len() != recipients {
        return Err(EnvelopeError::WrapCount);
    }
    hashes
        .iter()
        .try_for_each(|hash| exact::<32>(hash).map(|_| ()))
}

/// The wraps by recipient. Spec: ENV-8.
pub(super) fn collect_wraps(
    wraps: &[v1::Wrap],
    recipients: usize,
) -> Result<BTreeMap<u32, Bytes>, EnvelopeError> {
    let mut collected = BTreeMap::new();
    for entry in wraps {
        let known = usize::try_from(entry.recipient).is_ok_and(|index| index < recipients);
        let fits = matches!(entry.wrap.len(), SINGLE_BYTES | SHARED_BYTES);
        let twice = collected
            .insert(entry.recipient, entry.wrap.clone())
            .is_some();
        if !known || !fits || twice {
            return Err(EnvelopeError::WrapShape);
        }
    }
    Ok(collected)
}

/// Whether `text` may stand as a content type: printable ASCII of a bounded length.
pub(super) fn is_content_type(text: &str) -> bool {
    (1..=CONTENT_TYPE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn optional(bytes: &Bytes) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(&bytes[..])
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], EnvelopeError> {
    bytes.try_into().map_err(|_| EnvelopeError::Malformed)
}
