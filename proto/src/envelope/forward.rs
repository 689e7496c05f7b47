//! Passing an envelope on: the same content key, wrapped anew, beside the original signed
//! manifest. Who wrote the content and what it says stay provable to whoever receives it, and
//! that the receiver was no original addressee stays visible. Spec: ENV-23..ENV-25.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;

use super::{
    EnvelopeError, OpenError, Opened, Parsed, Recipient, SealError, Sealed, SignedEnvelope,
    assemble, body,
    open::{OpenCause, find_key, open_body},
    parse, position,
    seal::{encode_recipients, judge_life, judge_parties, owned},
    verify,
    wrap::{self, SINGLE_BYTES, put_prefixed},
};
use crate::{
    id::{EnvelopeId, KeyId, MessageId, check_name},
    keys::{SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey},
    label::{self, Hash},
    limits::{BODY_BYTES_MAX, SIGNED_BYTES_MAX},
    sign::{self, BatchCache, verify_cached},
    v1,
};

/// Who passes an envelope on, and to whom.
#[derive(Debug, Clone)]
pub struct ForwardDraft {
    /// Federation of the original.
    pub federation: String,
    /// Member who forwards.
    pub sender: String,
    /// Members who can open it now, each with its current sealing key.
    pub recipients: Vec<(String, SealingPublicKey)>,
    /// Random.
    pub message_id: MessageId,
    /// Now.
    pub created_ms: u64,
    /// When delivery is given up.
    pub expires_ms: u64,
}

/// A forward of the right shape, with the original's. Judge it by [`verify_forward`].
#[derive(Debug, Clone)]
pub struct ParsedForward {
    /// The signed forward, decoded once.
    pub signed: v1::Signed,
    /// The signed forward as received.
    pub signed_bytes: Bytes,
    /// The forward's own identity.
    pub id: EnvelopeId,
    /// The original, without any wrap.
    pub original: Parsed,
    /// Member who forwards.
    pub sender: String,
    /// Members who can open it now.
    pub recipients: Vec<Recipient>,
    /// The forward's message id.
    pub message_id: MessageId,
    /// When it was forwarded.
    pub created_ms: u64,
    /// When delivery is given up.
    pub expires_ms: u64,
    /// Hashes of the wraps, one for each recipient.
    pub wrap_sha256: Vec<Bytes>,
    /// The wraps that came along, by recipient position.
    pub wraps: BTreeMap<u32, Bytes>,
}

/// Wraps `content_key` for the draft's recipients and signs that, with the original inside.
///
/// # Errors
/// [`SealError`] names the rule that is broken; [`SealError::WrongKey`] if the key is not `body`'s.
pub fn forward(
    original: &Parsed,
    body: Bytes,
    content_key: &[u8; 32],
    draft: &ForwardDraft,
    rng: &mut dyn CryptoRng,
    key: &SigningKey,
) -> Result<SignedEnvelope, SealError> {
    judge_parties(&draft.federation, &draft.sender, &draft.recipients)?;
    judge_life(draft.created_ms, draft.expires_ms)?;
    if draft.federation != original.core.federation {
        return Err(SealError::WrongFederation);
    }
    if original.core.kind.is_for_control() {
        return Err(SealError::KindOrLane);
    }
    if !body::is_under(content_key, &original.core_hash, &body) {
        return Err(SealError::WrongKey);
    }
    let mut wraps = Vec::with_capacity(draft.recipients.len());
    for (index, (member, key)) in (0..).zip(&draft.recipients) {
        let place = Place {
            core_hash: &original.core_hash,
            index,
            federation: &draft.federation,
            sender: &draft.sender,
            member,
            key_id: key.key_id(),
            message_id: draft.message_id,
        };
        let wrap = wrap::seal(key, &place.info(), content_key, rng);
        wraps.push(wrap.map_err(|_| SealError::Wrap)?);
    }
    let manifest = v1::ForwardManifest {
        original: original.signed_bytes.clone(),
        federation: draft.federation.clone(),
        sender: draft.sender.clone(),
        recipients: encode_recipients(&draft.recipients),
        wrap_sha256: wraps.iter().map(|wrap| owned(&wrap::hash(wrap))).collect(),
        message_id: owned(draft.message_id.as_ref()),
        created_ms: draft.created_ms,
        expires_ms: draft.expires_ms,
    };
    let sealed = Sealed {
        manifest: manifest.encode_to_vec().into(),
        wraps,
        body,
        members: draft
            .recipients
            .iter()
            .map(|(member, _)| member.clone())
            .collect(),
        salt: None,
    };
    let signed = sign::sign(label::TYPE_FORWARD, sealed.manifest.clone(), &[key])?;
    let envelope = assemble(sealed, &signed);
    if envelope.signed.len() > SIGNED_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    Ok(envelope)
}

/// Judges the shape of a forward and of the original in it.
///
/// # Errors
/// [`EnvelopeError`] names the first rule that is broken.
pub fn parse_forward(envelope: &v1::Envelope) -> Result<ParsedForward, EnvelopeError> {
    if envelope.body.len() > BODY_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let signed = parse::decode_signed(&envelope.forward, label::TYPE_FORWARD)?;
    if !envelope.signed.is_empty() {
        return Err(EnvelopeError::Malformed);
    }
    let manifest: v1::ForwardManifest = parse::decode(&signed.payload)?;
    let original = parse::parse_signed(&manifest.original)?;
    if original.core.kind.is_for_control() {
        return Err(EnvelopeError::KindOrLane);
    }
    check_name(&manifest.sender).map_err(|_| EnvelopeError::Name)?;
    if manifest.federation != original.core.federation {
        return Err(EnvelopeError::WrongFederation);
    }
    if manifest.expires_ms <= manifest.created_ms {
        return Err(EnvelopeError::TimeOrder);
    }
    let recipients = parse::judge_recipients(manifest.recipients)?;
    parse::judge_wrap_hashes(&manifest.wrap_sha256, recipients.len())?;
    let wraps = parse::collect_wraps(&envelope.wraps, recipients.len())?;
    if wraps.values().any(|wrap| wrap.len() != SINGLE_BYTES) {
        return Err(EnvelopeError::WrapShape);
    }
    Ok(ParsedForward {
        id: EnvelopeId::of_manifest(&signed.payload),
        signed_bytes: envelope.forward.clone(),
        message_id: MessageId::from_slice(&manifest.message_id)?,
        sender: manifest.sender,
        created_ms: manifest.created_ms,
        expires_ms: manifest.expires_ms,
        wrap_sha256: manifest.wrap_sha256,
        original,
        recipients,
        wraps,
        signed,
    })
}

/// Verifies a forward by the forwarder's keys and the original by its author's. Both sets must be
/// those of the members that forward and header name. Spec: ENV-24.
///
/// # Errors
/// [`EnvelopeError::WrapMismatch`], [`EnvelopeError::Signature`].
pub fn verify_forward(
    parsed: &ParsedForward,
    forwarder_keys: &[VerifyingKey],
    author_keys: &[VerifyingKey],
    cache: &mut BatchCache,
) -> Result<(), EnvelopeError> {
    verify::check_wraps(&parsed.wraps, &parsed.wrap_sha256)?;
    verify_cached(
        cache,
        &parsed.signed,
        label::TYPE_FORWARD,
        forwarder_keys,
        1,
    )?;
    verify::verify(&parsed.original, author_keys, cache)
}

/// Opens a verified forward for `member`. `body` is the original's.
///
/// # Errors
/// [`OpenError`], always the same to the outside.
pub fn open_forward(
    parsed: &ParsedForward,
    body: &[u8],
    member: &str,
    keys: &[&SealingSecretKey],
) -> Result<Opened, OpenError> {
    let (index, recipient) =
        position(&parsed.recipients, member).ok_or(OpenCause::NotARecipient)?;
    let key = find_key(keys, recipient)?;
    let wrap = parsed.wraps.get(&index).ok_or(OpenCause::NoWrap)?;
    let place = Place {
        core_hash: &parsed.original.core_hash,
        index,
        federation: &parsed.original.core.federation,
        sender: &parsed.sender,
        member,
        key_id: recipient.sealing_key_id,
        message_id: parsed.message_id,
    };
    let content_key = wrap::open(key, &place.info(), wrap)?;
    open_body(&parsed.original, body, content_key)
}

/// Where a forward's wrap belongs.
struct Place<'a> {
    core_hash: &'a Hash,
    index: u32,
    federation: &'a str,
    sender: &'a str,
    member: &'a str,
    key_id: KeyId,
    message_id: MessageId,
}

impl Place<'_> {
    fn info(&self) -> Vec<u8> {
        let mut info = label::WRAP_FORWARD.to_vec();
        info.extend_from_slice(self.core_hash);
        info.extend_from_slice(&self.index.to_be_bytes());
        for part in [self.federation, self.sender, self.member] {
            put_prefixed(&mut info, part.as_bytes());
        }
        put_prefixed(&mut info, self.key_id.as_ref());
        info.extend_from_slice(self.message_id.as_ref());
        info
    }
}
