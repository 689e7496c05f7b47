//! Sealing a draft. Spec: ENV-10..ENV-18.

use bytes::Bytes;
use prost::Message;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    Draft, SUITE, Sealed, SharedContexts, body,
    parse::is_content_type,
    wrap::{self, Place},
};
use crate::{
    attachment::{Attached, judge_listed},
    error::WireCode,
    id::check_name,
    keys::{SealingPublicKey, SigningError},
    label::{self, Hash},
    limits::{CONTENT_BYTES_MAX, LIFE_MS_MAX, RECIPIENTS_MAX},
    padding::size_class,
    v1,
};

/// Why a draft cannot be sealed. The caller is at fault, but for [`SealError::Signing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A federation or member id breaks its rule.
    #[error("malformed federation or member id")]
    Name,
    /// None, or more than 64.
    #[error("an envelope has 1 to 64 recipients")]
    RecipientCount,
    /// A member is named twice.
    #[error("a recipient is named twice")]
    RecipientTwice,
    /// Kind or lane is not set, or the kind does not travel in this lane.
    #[error("kind and lane must be set; pings and recalls travel in lane CONTROL")]
    KindOrLane,
    /// A recall that does not name the message and envelope that it withdraws.
    #[error("a recall must name the message and envelope that it withdraws")]
    Recall,
    /// Not a short printable text.
    #[error("content type must be 1 to 128 printable characters")]
    ContentType,
    /// Content over the limit.
    #[error("content is over the limit")]
    TooLarge,
    /// Too many, one twice, or too large together.
    #[error("an envelope has at most 16 distinct attachments of at most 32 GiB together")]
    Attachments,
    /// Expiry or reply time not after creation.
    #[error("expiry and reply time must be after creation")]
    TimeOrder,
    /// Expiry too far.
    #[error("the envelope would live longer than the protocol allows")]
    LifeTooLong,
    /// The content key to forward does not open the body.
    #[error("the content key is not the body's")]
    WrongKey,
    /// A forward names another federation than its original.
    #[error("the forward is for another federation")]
    WrongFederation,
    /// The encapsulation failed.
    #[error("wrapping the content key failed")]
    Wrap,
    /// The sender's key does not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<SealError> for WireCode {
    fn from(error: SealError) -> Self {
        match error {
            SealError::RecipientCount | SealError::TooLarge | SealError::Attachments => {
                Self::TooLarge
            }
            SealError::LifeTooLong => Self::LifeTooLong,
            SealError::WrongKey => Self::CannotOpen,
            SealError::WrongFederation => Self::WrongFederation,
            SealError::Signing(error) => error.into(),
            _ => Self::Malformed,
        }
    }
}

/// Seals a draft, with a wrap of its own for each recipient.
///
/// # Errors
/// [`SealError`] names the rule that the draft breaks.
pub fn seal(draft: &Draft, rng: &mut dyn CryptoRng) -> Result<Sealed, SealError> {
    seal_with(draft, None, rng)
}

/// Seals a draft, with wraps under the HPKE contexts of `contexts`. Spec: ENV-18.
///
/// # Errors
/// [`SealError`] names the rule that the draft breaks.
pub fn seal_shared(
    draft: &Draft,
    contexts: &mut SharedContexts,
    rng: &mut dyn CryptoRng,
) -> Result<Sealed, SealError> {
    seal_with(draft, Some(contexts), rng)
}

fn seal_with(
    draft: &Draft,
    mut contexts: Option<&mut SharedContexts>,
    rng: &mut dyn CryptoRng,
) -> Result<Sealed, SealError> {
    let head = content_head(draft);
    judge(draft, head.len() + draft.data.len())?;
    let mut salt = [0; 32];
    let mut stream_salt = [0; 24];
    let mut content_key = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut *content_key);
    rng.fill_bytes(&mut stream_salt);

    let plain = body::Plain {
        salt: &salt,
        content: [&head, &draft.data],
    };
    let core = encode_core(draft, &plain);
    let core_hash = label::sha256(&[label::CORE, &core]);
    let body = Bytes::from(body::seal(&content_key, &core_hash, &stream_salt, &plain));
    let mut wraps = Vec::with_capacity(draft.recipients.len());
    for (index, (member, key)) in (0..).zip(&draft.recipients) {
        let place = Place {
            federation: &draft.federation,
            sender: &draft.sender,
            member,
            key_id: key.key_id(),
            core_hash: &core_hash,
            index,
        };
        let wrap = match &mut contexts {
            Some(contexts) => contexts.seal(key, &place, &content_key, rng),
            None => wrap::seal(key, &place.single_info(), &content_key, rng),
        };
        wraps.push(wrap.map_err(|_| SealError::Wrap)?);
    }
    let manifest = v1::Manifest {
        core,
        wrap_sha256: wraps.iter().map(|wrap| owned(&wrap::hash(wrap))).collect(),
        body_sha256: owned(&label::sha256(&[&body])),
        body_len: length(body.len()),
        attachments: list(&draft.attachments),
    };
    Ok(Sealed {
        manifest: manifest.encode_to_vec().into(),
        wraps,
        body,
        members: draft
            .recipients
            .iter()
            .map(|(member, _)| member.clone())
            .collect(),
        salt: Some(salt),
    })
}

fn judge(draft: &Draft, content_len: usize) -> Result<(), SealError> {
    judge_parties(&draft.federation, &draft.sender, &draft.recipients)?;
    if draft.kind == v1::Kind::Unspecified || draft.lane == v1::Lane::Unspecified {
        return Err(SealError::KindOrLane);
    }
    if draft.kind.is_for_control() && draft.lane != v1::Lane::Control {
        return Err(SealError::KindOrLane);
    }
    let named = matches!(draft.conversation, Some((_, 0))) && draft.in_reply_to.is_some();
    if draft.kind == v1::Kind::Recall && !named {
        return Err(SealError::Recall);
    }
    if !is_content_type(&draft.content_type) {
        return Err(SealError::ContentType);
    }
    if judge_listed(&list(&draft.attachments)).is_err() {
        return Err(SealError::Attachments);
    }
    if content_len > CONTENT_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    if draft
        .reply_by_ms
        .is_some_and(|reply| reply <= draft.created_ms)
    {
        return Err(SealError::TimeOrder);
    }
    judge_life(draft.created_ms, draft.expires_ms)
}

/// The rules that envelopes and forwards share.
pub(super) fn judge_parties(
    federation: &str,
    sender: &str,
    recipients: &[(String, SealingPublicKey)],
) -> Result<(), SealError> {
    if !(1..=RECIPIENTS_MAX).contains(&recipients.len()) {
        return Err(SealError::RecipientCount);
    }
    let mut names = [federation, sender]
        .into_iter()
        .chain(recipients.iter().map(|(member, _)| member.as_str()));
    names
        .try_for_each(check_name)
        .map_err(|_| SealError::Name)?;
    let mut members: Vec<&str> = recipients
        .iter()
        .map(|(member, _)| member.as_str())
        .collect();
    members.sort_unstable();
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(SealError::RecipientTwice);
    }
    Ok(())
}

pub(super) fn judge_life(created_ms: u64, expires_ms: u64) -> Result<(), SealError> {
    match expires_ms.checked_sub(created_ms) {
        None | Some(0) => Err(SealError::TimeOrder),
        Some(life) if life > LIFE_MS_MAX => Err(SealError::LifeTooLong),
        Some(_) => Ok(()),
    }
}

/// The encoding of `Content` up to where `data` begins, so that `data` is copied once, into the
/// body.
fn content_head(draft: &Draft) -> Vec<u8> {
    let mut head = v1::Content {
        content_type: draft.content_type.clone(),
        data: Bytes::new(),
        attachments: draft.attachments.iter().map(encode_file).collect(),
    }
    .encode_to_vec();
    if !draft.data.is_empty() {
        prost::encoding::encode_key(2, prost::encoding::WireType::LengthDelimited, &mut head);
        prost::encoding::encode_varint(length(draft.data.len()), &mut head);
    }
    head
}

fn encode_file(attached: &Attached) -> v1::AttachedFile {
    let file = &attached.file;
    v1::AttachedFile {
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        bytes: file.bytes,
        sha256: owned(&file.sha256),
        key: owned(&*file.key),
    }
}

fn list(attachments: &[Attached]) -> Vec<v1::Attachment> {
    let list = |attached: &Attached| v1::Attachment {
        root: owned(&attached.listed.root),
        bytes: attached.listed.bytes,
    };
    attachments.iter().map(list).collect()
}

fn encode_core(draft: &Draft, plain: &body::Plain<'_>) -> Bytes {
    let [head, data] = plain.content;
    let (conversation_id, sequence) = match &draft.conversation {
        Some((id, sequence)) => (owned(id), *sequence),
        None => (Bytes::new(), 0),
    };
    let core = v1::Core {
        suite: SUITE,
        federation: draft.federation.clone(),
        sender: draft.sender.clone(),
        recipients: encode_recipients(&draft.recipients),
        message_id: owned(draft.message_id.as_ref()),
        conversation_id,
        sequence,
        in_reply_to: draft
            .in_reply_to
            .map_or_else(Bytes::new, |id| owned(id.as_ref())),
        kind: draft.kind.into(),
        lane: draft.lane.into(),
        created_ms: draft.created_ms,
        expires_ms: draft.expires_ms,
        reply_by_ms: draft.reply_by_ms.unwrap_or(0),
        size_class: size_class(length(body::sealed_len(head.len() + data.len()))),
        content_commitment: owned(&commit(plain.salt, &[head, data])),
        critical: Vec::new(),
    };
    core.encode_to_vec().into()
}

pub(super) fn encode_recipients(recipients: &[(String, SealingPublicKey)]) -> Vec<v1::Recipient> {
    let encode = |(member, key): &(String, SealingPublicKey)| v1::Recipient {
        member: member.clone(),
        sealing_key_id: owned(key.key_id().as_ref()),
    };
    recipients.iter().map(encode).collect()
}

/// The salted commitment to a content, given in pieces. Spec: ENV-11.
pub(super) fn commit(salt: &[u8; 32], content: &[&[u8]]) -> Hash {
    let mut parts = vec![label::CONTENT];
    parts.extend_from_slice(content);
    label::hmac_sha256(salt, &parts)
}

pub(super) fn owned(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("lengths in memory fit 64 bits")
}
