//! Judging an envelope without any secret: who signed it, whether its parts are the signed ones,
//! whether its time is now. Spec: ENV-19..ENV-21.

use std::collections::BTreeMap;

use bytes::Bytes;
use ring::digest;

use super::{Core, Parsed, wrap};
use crate::{
    error::WireCode,
    id::IdError,
    keys::VerifyingKey,
    label,
    limits::{CLOCK_SKEW_MS_MAX, LIFE_MS_MAX},
    sign::{BatchCache, SignError, verify_cached},
};

/// Why an envelope is not taken. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The signed object or the body is over its limit.
    #[error("signed manifest or body is over the limit")]
    TooLarge,
    /// Bytes that do not decode, or a field of the wrong length.
    #[error("envelope does not decode")]
    Malformed,
    /// Signed as something else.
    #[error("signed object is of another type")]
    PayloadType,
    /// Sealed by a suite that is unknown here.
    #[error("unknown suite")]
    Suite,
    /// Needs a feature that is unknown here.
    #[error("unknown critical feature")]
    Critical,
    /// A federation or member id breaks its rule.
    #[error("malformed federation or member id")]
    Name,
    /// Kind or lane is missing or unknown.
    #[error("unknown kind or lane")]
    KindOrLane,
    /// A recall that does not name the message and envelope that it withdraws.
    #[error("a recall does not name what it withdraws")]
    Recall,
    /// None, or more than 64.
    #[error("an envelope has 1 to 64 recipients")]
    RecipientCount,
    /// A member is named twice.
    #[error("a recipient is named twice")]
    RecipientTwice,
    /// Expiry or reply time not after creation.
    #[error("expiry and reply time must be after creation")]
    TimeOrder,
    /// Not one wrap hash for each recipient.
    #[error("not one wrap hash for each recipient")]
    WrapCount,
    /// A wrap for nobody, of no known form, or twice.
    #[error("a wrap is for nobody, of no known form, or given twice")]
    WrapShape,
    /// Body length and size class disagree, or no body is so short.
    #[error("body length and size class disagree")]
    SizeClass,
    /// No file has sealed chunks of such a length.
    #[error("no file has sealed chunks of such a length")]
    AttachmentSize,
    /// An attachment is listed twice.
    #[error("an attachment is listed twice")]
    AttachmentTwice,
    /// A wrap is not the signed one.
    #[error("a wrap is not the signed one")]
    WrapMismatch,
    /// The body is not as long as was signed.
    #[error("the body is not as long as was signed")]
    BodyLength,
    /// The body is not the signed one.
    #[error("the body is not the signed one")]
    BodyMismatch,
    /// The signature is not the sender's.
    #[error("signature: {0}")]
    Signature(SignError),
    /// The forward is for another federation than its original.
    #[error("forward and original are of different federations")]
    WrongFederation,
    /// Past its expiry.
    #[error("the envelope is past its expiry")]
    Expired,
    /// Created later than now.
    #[error("the envelope is dated in the future")]
    FutureDated,
    /// Expiry too far from creation.
    #[error("the envelope lives longer than the protocol allows")]
    LifeTooLong,
}

impl From<EnvelopeError> for WireCode {
    fn from(error: EnvelopeError) -> Self {
        use EnvelopeError as E;
        match error {
            E::TooLarge | E::RecipientCount => Self::TooLarge,
            E::Suite | E::Critical | E::KindOrLane => Self::Unsupported,
            E::Malformed | E::PayloadType | E::Name | E::Recall => Self::Malformed,
            E::RecipientTwice | E::TimeOrder => Self::Malformed,
            E::WrapCount | E::WrapShape | E::SizeClass => Self::BadEnvelope,
            E::AttachmentSize | E::AttachmentTwice => Self::BadEnvelope,
            E::WrapMismatch | E::BodyLength | E::BodyMismatch => Self::BadEnvelope,
            E::Signature(error) => error.into(),
            E::WrongFederation => Self::WrongFederation,
            E::Expired => Self::Expired,
            E::FutureDated => Self::FutureDated,
            E::LifeTooLong => Self::LifeTooLong,
        }
    }
}

impl From<IdError> for EnvelopeError {
    fn from(_: IdError) -> Self {
        Self::Malformed
    }
}

impl From<SignError> for EnvelopeError {
    fn from(error: SignError) -> Self {
        Self::Signature(error)
    }
}

/// Verifies that a key of `sender_keys` signed the manifest and that every wrap that came along is
/// the signed one. The keys must be those of the member that the header names. Spec: ENV-19.
///
/// # Errors
/// [`EnvelopeError::WrapMismatch`], [`EnvelopeError::Signature`].
pub fn verify(
    parsed: &Parsed,
    sender_keys: &[VerifyingKey],
    cache: &mut BatchCache,
) -> Result<(), EnvelopeError> {
    check_wraps(&parsed.wraps, &parsed.manifest.wrap_sha256)?;
    verify_cached(cache, &parsed.signed, label::TYPE_MANIFEST, sender_keys, 1)?;
    Ok(())
}

pub(super) fn check_wraps(
    wraps: &BTreeMap<u32, Bytes>,
    hashes: &[Bytes],
) -> Result<(), EnvelopeError> {
    let is_signed = |(recipient, wrap): (&u32, &Bytes)| {
        let index = usize::try_from(*recipient).unwrap_or(usize::MAX);
        let signed = hashes.get(index).map(|hash| &hash[..]);
        signed == Some(&wrap::hash(wrap)[..])
    };
    if wraps.iter().all(is_signed) {
        Ok(())
    } else {
        Err(EnvelopeError::WrapMismatch)
    }
}

/// Checks that `body` is the one that the manifest names. Spec: ENV-20.
///
/// # Errors
/// [`EnvelopeError::BodyLength`], [`EnvelopeError::BodyMismatch`].
pub fn check_body(parsed: &Parsed, body: &[u8]) -> Result<(), EnvelopeError> {
    if u64::try_from(body.len()) != Ok(parsed.manifest.body_len) {
        return Err(EnvelopeError::BodyLength);
    }
    if digest::digest(&digest::SHA256, body).as_ref() != &parsed.manifest.body_sha256[..] {
        return Err(EnvelopeError::BodyMismatch);
    }
    Ok(())
}

/// Checks the header's dates against our clock. Spec: ENV-21.
///
/// # Errors
/// [`EnvelopeError::LifeTooLong`], [`EnvelopeError::FutureDated`], [`EnvelopeError::Expired`].
pub fn check_time(core: &Core, now_ms: u64) -> Result<(), EnvelopeError> {
    check_times(core.created_ms, core.expires_ms, now_ms)
}

/// [`check_time`] for what has the same dates: a forward.
///
/// # Errors
/// The same as [`check_time`].
pub fn check_times(created_ms: u64, expires_ms: u64, now_ms: u64) -> Result<(), EnvelopeError> {
    if expires_ms.saturating_sub(created_ms) > LIFE_MS_MAX {
        return Err(EnvelopeError::LifeTooLong);
    }
    if created_ms > now_ms.saturating_add(CLOCK_SKEW_MS_MAX) {
        return Err(EnvelopeError::FutureDated);
    }
    if expires_ms <= now_ms {
        return Err(EnvelopeError::Expired);
    }
    Ok(())
}
