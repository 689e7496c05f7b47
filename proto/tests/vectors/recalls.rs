//! What an opened recall says, and what is none.

use bytes::Bytes;
use frex_proto::{
    envelope::{self, Draft, RECALL_CONTENT_TYPE, SignedEnvelope, recall_notice},
    id::{EnvelopeId, MessageId},
    keys::SigningKey,
    v1,
};
use prost::Message;

use crate::{
    Vector,
    fixtures::{NOW_MS, POLICE, draft, identity, police_seed, rng, stranger},
};

/// The author whose recall is followed.
fn author() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn recall(content_type: &str, data: &[u8]) -> Draft {
    Draft {
        kind: v1::Kind::Recall,
        lane: v1::Lane::Control,
        conversation: Some(([5; 16], 0)),
        in_reply_to: Some(EnvelopeId([6; 32])),
        message_id: MessageId([7; 16]),
        content_type: content_type.to_owned(),
        ..draft(data)
    }
}

fn signed(draft: &Draft, key: &SigningKey) -> SignedEnvelope {
    let sealed = envelope::seal(draft, &mut rng(11)).expect("a good draft");
    envelope::sign_one(sealed, key).expect("a key in memory signs")
}

fn vector(name: &str, spec: &str, what: &str, draft: &Draft, expect: &str) -> Vector {
    let envelope = signed(draft, &identity()).to_wire(None);
    Vector::new("recall", name, spec, what, "open_recall")
        .hexes("sender_keys", [identity().verifying_key().as_bytes()])
        .hexes("author_keys", [author().verifying_key().as_bytes()])
        .set("now_ms", NOW_MS)
        .set("member", POLICE)
        .hexes("secrets", [police_seed()])
        .hex("envelope", envelope.encode_to_vec())
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
pub(crate) fn make() -> Vec<Vector> {
    let plain = recall(RECALL_CONTENT_TYPE, &recall_notice("legal", Bytes::new()).expect("a code"));
    let cause = |key: &SigningKey| signed(&plain, key).signed;
    let report = signed(&draft(b"a report"), &author()).signed;
    let with = |reason: &str, cause: Bytes| {
        let notice = v1::RecallNotice { reason: reason.to_owned(), cause };
        recall(RECALL_CONTENT_TYPE, &notice.encode_to_vec())
    };
    let none = Bytes::new;
    vec![
        vector("recall", "RCL-6", "a recall that its author sends", &plain, "ok"),
        vector("following", "RCL-18", "a recall that follows the author's", &with("legal", cause(&author())), "ok"),
        vector("of-another-type", "RCL-6", "content of another type", &recall("text/plain", b""), "Malformed"),
        vector("torn", "RCL-6", "content that does not decode", &recall(RECALL_CONTENT_TYPE, b"\x0a\x05ab"), "Malformed"),
        vector("reason-missing", "LIM-80", "no reason", &with("", none()), "Reason"),
        vector("reason-in-words", "LIM-80", "a reason in words", &with("In words", none()), "Reason"),
        vector("reason-of-65-characters", "LIM-80", "a reason of 65 characters", &with(&"a".repeat(65), none()), "Reason"),
        vector("cause-torn", "RCL-18", "a cause that does not decode", &with("legal", Bytes::from_static(b"none")), "Cause"),
        vector("cause-is-a-report", "RCL-18", "a cause that is no recall", &with("legal", report), "Cause"),
        vector("cause-by-a-stranger", "RCL-18", "a cause signed by a key that is not its author's", &with("legal", cause(&stranger())), "Signature(UnknownKey)"),
    ]
}
