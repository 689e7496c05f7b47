//! What an envelope carries: its sender's own message, or one that its sender passes on.
//! Spec: RCL-14 to RCL-17.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    Carried, EnvelopeError, OpenContexts, OpenError, Opened, Parsed, Recipient, forward, open,
    parse::parse, position, verify,
};
use crate::{
    id::{EnvelopeId, MessageId},
    keys::{SealingSecretKey, VerifyingKey},
    sign::BatchCache,
    v1,
};

/// Judges the shape of an envelope of either form.
///
/// # Errors
/// [`EnvelopeError`] names the first rule that is broken.
pub fn parse_carried(envelope: &v1::Envelope) -> Result<Carried, EnvelopeError> {
    if envelope.forward.is_empty() {
        return Ok(Carried::Own(Box::new(parse(envelope)?)));
    }
    let forward = forward::parse_forward(envelope)?;
    Ok(Carried::Forward(Box::new(forward)))
}

/// What is signed of an envelope, without wraps and body: enough to say which one is meant.
#[must_use]
pub fn shown(envelope: &v1::Envelope) -> v1::Envelope {
    v1::Envelope {
        signed: envelope.signed.clone(),
        forward: envelope.forward.clone(),
        ..v1::Envelope::default()
    }
}

impl Carried {
    /// Identity of what travels: of the envelope, or of the forward.
    #[must_use]
    pub fn id(&self) -> EnvelopeId {
        match self {
            Self::Own(parsed) => parsed.id,
            Self::Forward(forward) => forward.id,
        }
    }

    /// The message id of who sends it.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        match self {
            Self::Own(parsed) => parsed.core.message_id,
            Self::Forward(forward) => forward.message_id,
        }
    }

    /// Who sends it: the author, or who passes it on.
    #[must_use]
    pub fn sender(&self) -> &str {
        match self {
            Self::Own(parsed) => &parsed.core.sender,
            Self::Forward(forward) => &forward.sender,
        }
    }

    /// Who can open it.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        match self {
            Self::Own(parsed) => &parsed.core.recipients,
            Self::Forward(forward) => &forward.recipients,
        }
    }

    /// A recipient's position and entry.
    #[must_use]
    pub fn recipient(&self, member: &str) -> Option<(u32, &Recipient)> {
        position(self.recipients(), member)
    }

    /// The wraps that came along, by recipient position.
    #[must_use]
    pub fn wraps(&self) -> &BTreeMap<u32, Bytes> {
        match self {
            Self::Own(parsed) => &parsed.wraps,
            Self::Forward(forward) => &forward.wraps,
        }
    }

    /// When it was sealed, or passed on, and when its delivery is given up.
    #[must_use]
    pub fn times(&self) -> (u64, u64) {
        match self {
            Self::Own(parsed) => (parsed.core.created_ms, parsed.core.expires_ms),
            Self::Forward(forward) => (forward.created_ms, forward.expires_ms),
        }
    }

    /// The envelope as its author signed it, to which the body belongs. Its kind and lane are
    /// those of a forward too.
    #[must_use]
    pub fn original(&self) -> &Parsed {
        match self {
            Self::Own(parsed) => parsed,
            Self::Forward(forward) => &forward.original,
        }
    }

    /// Verifies it by the keys of who sends it, and a forward's original by those of its author.
    /// Spec: ENV-19, ENV-24.
    ///
    /// # Errors
    /// [`EnvelopeError::WrapMismatch`], [`EnvelopeError::Signature`].
    pub fn verify(
        &self,
        sender_keys: &[VerifyingKey],
        author_keys: &[VerifyingKey],
        cache: &mut BatchCache,
    ) -> Result<(), EnvelopeError> {
        match self {
            Self::Own(parsed) => verify::verify(parsed, sender_keys, cache),
            Self::Forward(parsed) => {
                forward::verify_forward(parsed, sender_keys, author_keys, cache)
            }
        }
    }

    /// Checks its dates against our clock. Spec: ENV-21, ENV-24.
    ///
    /// # Errors
    /// As [`check_times`](super::check_times).
    pub fn check_time(&self, now_ms: u64) -> Result<(), EnvelopeError> {
        let (created_ms, expires_ms) = self.times();
        verify::check_times(created_ms, expires_ms, now_ms)
    }

    /// Opens what was verified, for `member`. `body` is the original's.
    ///
    /// # Errors
    /// [`OpenError`], always the same to the outside.
    pub fn open(
        &self,
        body: &[u8],
        member: &str,
        keys: &[&SealingSecretKey],
        contexts: &mut OpenContexts,
    ) -> Result<Opened, OpenError> {
        match self {
            Self::Own(parsed) => open::open_cached(parsed, body, member, keys, contexts),
            Self::Forward(parsed) => forward::open_forward(parsed, body, member, keys),
        }
    }
}
