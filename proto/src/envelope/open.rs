//! Opening an envelope. Whatever fails, the outward error is one and the same. Spec: ENV-22.

use bytes::Bytes;
use prost::Message;
use subtle::ConstantTimeEq;

use super::{
    Opened, Parsed, Recipient, body,
    parse::is_content_type,
    seal::commit,
    shared::OpenContexts,
    wrap::{self, ContentKey, Place, SHARED_BYTES},
};
use crate::{
    attachment::Attached, error::WireCode, keys::SealingSecretKey, limits::CONTENT_BYTES_MAX, v1,
};

/// The envelope cannot be opened. To the outside there is no reason: which check failed would
/// tell a forger how far a forgery got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the envelope cannot be opened")]
pub struct OpenError(OpenCause);

/// Which check failed: for tests and local logs, never for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenCause {
    /// The member is not a recipient.
    NotARecipient,
    /// The key that the wrap is for is not among those given.
    NoKey,
    /// The member's wrap did not come along.
    NoWrap,
    /// A wrap of no known form.
    WrapLength,
    /// The wrap does not open here.
    Wrap,
    /// The body cannot be of this length.
    BodyLength,
    /// The body is not sealed under this key and header.
    Commitment,
    /// A chunk does not open.
    Chunk,
    /// Length or padding is wrong.
    Padding,
    /// The content does not decode.
    Content,
    /// The content is not the one that the header commits to.
    ContentCommitment,
}

impl OpenError {
    /// Which check failed.
    #[must_use]
    pub fn cause(self) -> OpenCause {
        self.0
    }
}

impl From<OpenCause> for OpenError {
    fn from(cause: OpenCause) -> Self {
        Self(cause)
    }
}

impl From<OpenError> for WireCode {
    fn from(_: OpenError) -> Self {
        Self::CannotOpen
    }
}

/// Opens a verified envelope for `member` with whichever of `keys` its wrap is for.
///
/// Call [`verify()`](super::verify()) first: opening proves that the content is the one that the
/// header commits to, but only the signature proves whose header it is.
///
/// # Errors
/// [`OpenError`], always the same to the outside.
pub fn open(
    parsed: &Parsed,
    body: &[u8],
    member: &str,
    keys: &[&SealingSecretKey],
) -> Result<Opened, OpenError> {
    open_cached(parsed, body, member, keys, &mut OpenContexts::new())
}

/// [`open`], which keeps the HPKE contexts of shared wraps in `contexts` for the next envelopes.
///
/// # Errors
/// The same as [`open`].
pub fn open_cached(
    parsed: &Parsed,
    body: &[u8],
    member: &str,
    keys: &[&SealingSecretKey],
    contexts: &mut OpenContexts,
) -> Result<Opened, OpenError> {
    let core = &parsed.core;
    let (index, recipient) = core.recipient(member).ok_or(OpenCause::NotARecipient)?;
    let key = find_key(keys, recipient)?;
    let wrap = parsed.wraps.get(&index).ok_or(OpenCause::NoWrap)?;
    let place = Place {
        federation: &core.federation,
        sender: &core.sender,
        member,
        key_id: recipient.sealing_key_id,
        core_hash: &parsed.core_hash,
        index,
    };
    let content_key = if wrap.len() == SHARED_BYTES {
        contexts.open(key, &place, wrap)?
    } else {
        wrap::open(key, &place.single_info(), wrap)?
    };
    open_body(parsed, body, content_key)
}

pub(super) fn find_key<'a>(
    keys: &[&'a SealingSecretKey],
    recipient: &Recipient,
) -> Result<&'a SealingSecretKey, OpenCause> {
    let mut keys = keys.iter().copied();
    keys.find(|key| key.key_id() == recipient.sealing_key_id)
        .ok_or(OpenCause::NoKey)
}

/// Opens the body and checks the content against the header's commitment.
pub(super) fn open_body(
    parsed: &Parsed,
    body: &[u8],
    content_key: ContentKey,
) -> Result<Opened, OpenError> {
    if u64::try_from(body.len()) != Ok(parsed.manifest.body_len) {
        return Err(OpenCause::BodyLength.into());
    }
    let inner = body::open(&content_key, &parsed.core_hash, body)?;
    let (content, attachments) = judge_content(parsed, &inner.content, &inner.salt)?;
    Ok(Opened {
        content: inner.content,
        attachments,
        content_type: content.content_type,
        data: content.data,
        salt: inner.salt,
        content_key,
    })
}

/// The content of an envelope, shown with its salt and without any key: it is the one that the
/// header commits to. Spec: ENV-11.
///
/// # Errors
/// [`OpenError`].
pub fn read_content(
    parsed: &Parsed,
    content: &Bytes,
    salt: &[u8; 32],
) -> Result<v1::Content, OpenError> {
    Ok(judge_content(parsed, content, salt)?.0)
}

fn judge_content(
    parsed: &Parsed,
    content: &Bytes,
    salt: &[u8; 32],
) -> Result<(v1::Content, Vec<Attached>), OpenCause> {
    let commitment = commit(salt, &[content]);
    if !bool::from(commitment.ct_eq(&parsed.core.content_commitment)) {
        return Err(OpenCause::ContentCommitment);
    }
    if content.len() > CONTENT_BYTES_MAX {
        return Err(OpenCause::Content);
    }
    let content = v1::Content::decode(content.clone()).map_err(|_| OpenCause::Content)?;
    let fits = is_content_type(&content.content_type)
        && content.attachments.len() == parsed.attachments.len();
    if !fits {
        return Err(OpenCause::Content);
    }
    let listed = parsed.attachments.iter().zip(&content.attachments);
    let attachments = listed
        .map(|(listed, file)| Attached::judge(*listed, file.clone()))
        .collect::<Option<_>>()
        .ok_or(OpenCause::Content)?;
    Ok((content, attachments))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        envelope::{Draft, parse, seal, sign_one},
        id::MessageId,
        keys::SigningKey,
    };

    fn parsed() -> Parsed {
        let draft = Draft {
            federation: "federation".to_owned(),
            sender: "sender".to_owned(),
            recipients: vec![(
                "member".to_owned(),
                SealingSecretKey::from_seed(&[1; 32]).public(),
            )],
            kind: v1::Kind::Report,
            lane: v1::Lane::Normal,
            created_ms: 1,
            expires_ms: 2,
            reply_by_ms: None,
            message_id: MessageId([1; 16]),
            conversation: None,
            in_reply_to: None,
            content_type: "text/plain".to_owned(),
            data: "content".into(),
            attachments: Vec::new(),
        };
        let sealed = seal(&draft, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let signed = sign_one(sealed, &SigningKey::from_seed(&[1; 32])).unwrap();
        parse(&signed.to_wire(None)).unwrap()
    }

    /// Opens a body that the sender sealed under the header's hash, but around `content`.
    fn cause(content: &[u8], committed: &[u8]) -> Option<OpenCause> {
        let mut parsed = parsed();
        let plain = body::Plain {
            salt: &[3; 32],
            content: [content, b""],
        };
        let body = body::seal(&[2; 32], &parsed.core_hash, &[4; 24], &plain);
        parsed.manifest.body_len = u64::try_from(body.len()).unwrap();
        parsed.core.content_commitment = commit(&[3; 32], &[committed]);
        let opened = open_body(&parsed, &body, Zeroizing::new([2; 32]));
        opened.err().map(OpenError::cause)
    }

    fn encoded(content_type: &str) -> Vec<u8> {
        v1::Content {
            content_type: content_type.to_owned(),
            data: "data".into(),
            attachments: Vec::new(),
        }
        .encode_to_vec()
    }

    // ENV-11: what a header commits to is the content, and its salt.
    #[test]
    fn content_that_the_header_does_not_commit_to_is_refused() {
        let content = encoded("text/plain");
        assert_eq!(cause(&content, &content), None);
        let refused = cause(&content, &encoded("text/html"));
        assert_eq!(refused, Some(OpenCause::ContentCommitment));
    }

    // ENV-22, LIM-4, LIM-14
    #[test]
    fn sealed_content_that_breaks_a_rule_is_refused() {
        let too_long = vec![0; CONTENT_BYTES_MAX + 1];
        for content in [&[0xff][..], &encoded(""), &encoded("text/\n"), &too_long] {
            assert_eq!(cause(content, content), Some(OpenCause::Content));
        }
    }
}
