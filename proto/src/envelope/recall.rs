//! What pings and recalls say. Spec: chapter RCL.

use bytes::Bytes;
use prost::Message;

use super::{Core, EnvelopeError, Opened, Parsed, parse::parse_signed};
use crate::{
    erasure::EXONERATED,
    error::WireCode,
    id::{EnvelopeId, MessageId, is_code},
    limits::RECALL_REASON_BYTES_MAX,
    v1,
};

/// Content type of a ping; its data is empty. Spec: RCL-2.
pub const PING_CONTENT_TYPE: &str = "application/vnd.frex.ping.v1";
/// Content type of a recall; its data is a [`v1::RecallNotice`]. Spec: RCL-6.
pub const RECALL_CONTENT_TYPE: &str = "application/vnd.frex.recall.v1+protobuf";

/// Reasons that are registered, and what they mean. Others of the form are allowed, and tell a person.
/// Spec: RCL-6, RCL-23.
pub const RECALL_REASONS: &[(&str, &str)] = &[
    ("wrong-recipient", "it was not meant for this recipient"),
    ("sent-in-error", "it was not meant to be sent"),
    ("superseded", "another message says it better"),
    ("legal", "it may not be held"),
    (
        EXONERATED,
        "the suspicion has proved to be unfounded: it is to be erased",
    ),
];

/// What a recall says, once its envelope is verified and opened.
#[derive(Debug, Clone)]
pub struct Recall {
    /// The message that its sender withdraws.
    pub message: MessageId,
    /// The envelope of that message which the sender names.
    pub envelope: EnvelopeId,
    /// Why, as a code.
    pub reason: String,
    /// The recall by the author, if the sender had passed its message on. Its signature is judged
    /// by [`verify()`](super::verify()).
    pub cause: Option<Box<Parsed>>,
}

/// Why the content of a recall says nothing. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// The header names no message, or the content is of another type or does not decode.
    #[error("the recall does not decode")]
    Malformed,
    /// The reason is no code.
    #[error("the reason of a recall is a code of 1 to 64 of a-z, 0-9, . _ -")]
    Reason,
    /// What it names as its cause is no recall.
    #[error("the cause of a recall is another recall")]
    Cause,
}

impl From<EnvelopeError> for RecallError {
    fn from(_: EnvelopeError) -> Self {
        Self::Cause
    }
}

impl From<RecallError> for WireCode {
    fn from(_: RecallError) -> Self {
        Self::CannotOpen
    }
}

/// The data of a recall's content. `cause` is the author's signed recall, where one's own follows
/// from it, and else empty. Spec: RCL-6, RCL-18.
///
/// # Errors
/// [`RecallError::Reason`].
pub fn recall_notice(reason: &str, cause: Bytes) -> Result<Bytes, RecallError> {
    check_reason(reason)?;
    let notice = v1::RecallNotice {
        reason: reason.to_owned(),
        cause,
    };
    Ok(notice.encode_to_vec().into())
}

/// What an opened recall says. Spec: RCL-6.
///
/// # Errors
/// [`RecallError`].
pub fn read_recall(core: &Core, opened: &Opened) -> Result<Recall, RecallError> {
    let (message, envelope) = core.recalls().ok_or(RecallError::Malformed)?;
    if opened.content_type != RECALL_CONTENT_TYPE {
        return Err(RecallError::Malformed);
    }
    let notice = v1::RecallNotice::decode(opened.data.clone());
    let v1::RecallNotice { reason, cause } = notice.map_err(|_| RecallError::Malformed)?;
    check_reason(&reason)?;
    let cause = match cause.is_empty() {
        true => None,
        false => Some(Box::new(parse_signed(&cause)?)),
    };
    if cause
        .as_ref()
        .is_some_and(|cause| cause.core.recalls().is_none())
    {
        return Err(RecallError::Cause);
    }
    Ok(Recall {
        message,
        envelope,
        reason,
        cause,
    })
}

fn check_reason(reason: &str) -> Result<(), RecallError> {
    let fits = (1..=RECALL_REASON_BYTES_MAX).contains(&reason.len()) && is_code(reason);
    fits.then_some(()).ok_or(RecallError::Reason)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::{
        envelope::{Draft, SealError, SignedEnvelope, open, parse, seal, sign_one},
        keys::{SealingSecretKey, SigningKey},
    };

    const MESSAGE: [u8; 16] = [5; 16];
    const ENVELOPE: EnvelopeId = EnvelopeId([6; 32]);

    fn recall(content_type: &str, data: Bytes) -> Draft {
        let key = SealingSecretKey::from_seed(&[1; 32]).public();
        Draft {
            federation: "federation".to_owned(),
            sender: "sender".to_owned(),
            recipients: vec![("member".to_owned(), key)],
            kind: v1::Kind::Recall,
            lane: v1::Lane::Control,
            created_ms: 1,
            expires_ms: 2,
            reply_by_ms: None,
            message_id: MessageId([1; 16]),
            conversation: Some((MESSAGE, 0)),
            in_reply_to: Some(ENVELOPE),
            content_type: content_type.to_owned(),
            data,
            attachments: Vec::new(),
        }
    }

    fn signed(draft: &Draft) -> SignedEnvelope {
        let sealed = seal(draft, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        sign_one(sealed, &SigningKey::from_seed(&[1; 32])).unwrap()
    }

    fn read(draft: &Draft) -> Result<Recall, RecallError> {
        let wire = signed(draft).to_wire(None);
        let parsed = parse(&wire).unwrap();
        let key = SealingSecretKey::from_seed(&[1; 32]);
        let opened = open(&parsed, &wire.body, "member", &[&key]).unwrap();
        read_recall(&parsed.core, &opened)
    }

    // RCL-5, RCL-6, RCL-18
    #[test]
    fn a_recall_says_what_it_withdraws_and_why() {
        let notice = recall_notice("wrong-recipient", Bytes::new()).unwrap();
        let draft = recall(RECALL_CONTENT_TYPE, notice);
        let by_author = read(&draft).unwrap();
        assert_eq!(
            (by_author.message, by_author.envelope),
            (MessageId(MESSAGE), ENVELOPE)
        );
        assert_eq!(by_author.reason, "wrong-recipient");
        assert!(by_author.cause.is_none());
        let cause = signed(&draft).signed;
        let notice = recall_notice("wrong-recipient", cause.clone()).unwrap();
        let passed_on = read(&recall(RECALL_CONTENT_TYPE, notice)).unwrap();
        assert_eq!(passed_on.cause.unwrap().signed_bytes, cause);
    }

    // RCL-6, RCL-18, LIM-80
    #[test]
    fn a_recall_with_other_content_says_nothing() {
        let with = |reason: &str, cause: Bytes| {
            let reason = reason.to_owned();
            Bytes::from(v1::RecallNotice { reason, cause }.encode_to_vec())
        };
        let good = with("why", Bytes::new());
        let of_type = |content_type| read(&recall(content_type, good.clone())).err();
        assert_eq!(of_type("text/plain"), Some(RecallError::Malformed));
        let reads = |data| read(&recall(RECALL_CONTENT_TYPE, data)).err();
        let torn = Bytes::from_static(b"\x0a\x05ab");
        assert_eq!(reads(torn), Some(RecallError::Malformed));
        for reason in ["", "In words", &"a".repeat(RECALL_REASON_BYTES_MAX + 1)] {
            assert_eq!(reads(with(reason, Bytes::new())), Some(RecallError::Reason));
            assert!(recall_notice(reason, Bytes::new()).is_err());
        }
        let mut report = recall("text/plain", Bytes::new());
        report.kind = v1::Kind::Report;
        for cause in [Bytes::from_static(b"none"), signed(&report).signed] {
            assert_eq!(reads(with("why", cause)), Some(RecallError::Cause));
        }
    }

    // RCL-1, RCL-4, RCL-5: what no reader would take is not sealed either.
    #[test]
    fn pings_and_recalls_keep_to_their_lane_and_name_what_they_withdraw() {
        type Change = fn(&mut Draft);
        let cases: [(Change, SealError); 5] = [
            (|draft| draft.lane = v1::Lane::Urgent, SealError::KindOrLane),
            (|draft| draft.in_reply_to = None, SealError::Recall),
            (|draft| draft.conversation = None, SealError::Recall),
            (
                |draft| draft.conversation = Some((MESSAGE, 1)),
                SealError::Recall,
            ),
            (
                |draft| {
                    draft.kind = v1::Kind::Ping;
                    draft.lane = v1::Lane::Normal;
                },
                SealError::KindOrLane,
            ),
        ];
        for (change, error) in cases {
            let mut draft = recall(RECALL_CONTENT_TYPE, Bytes::new());
            change(&mut draft);
            let sealed = seal(&draft, &mut ChaCha20Rng::seed_from_u64(1));
            assert_eq!(sealed.err(), Some(error));
        }
        assert_eq!(WireCode::from(EnvelopeError::Recall), WireCode::Malformed);
    }
}
