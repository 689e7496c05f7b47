//! The shape of envelopes, and what is judged without a secret.

use bytes::Bytes;
use frex_proto::{label, sign, v1};
use prost::Message;
use serde_json::json;

use crate::{
    Vector,
    fixtures::{CLEARING, DAY_MS, NOW_MS, Parts, identity, open_vector, rng, stranger},
};

const MAX_LIFE_MS: u64 = 31 * DAY_MS;

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = good();
    vectors.extend(headers());
    vectors.extend(recipients());
    vectors.extend(manifests());
    vectors.extend(wraps());
    vectors.extend(signatures());
    vectors.extend(bodies());
    vectors.extend(times());
    vectors
}

fn id_vector(name: &str, spec: &str, what: &str, envelope: &v1::Envelope) -> Vector {
    Vector::new("envelope", name, spec, what, "verify_envelope")
        .hexes("sender_keys", [identity().verifying_key().as_bytes()])
        .set("now_ms", NOW_MS)
        .hex("envelope", envelope.encode_to_vec())
        .expect("ok")
}

/// The header with its fields in falling order and one field that nobody knows.
fn unusual_header(core: &v1::Core) -> Bytes {
    let encoded = core.encode_to_vec();
    let mut fields: Vec<&[u8]> = Vec::new();
    let mut rest = &encoded[..];
    while !rest.is_empty() {
        let mut after = rest;
        let (_, kind) = prost::encoding::decode_key(&mut after).expect("own output");
        let number = prost::encoding::decode_varint(&mut after).expect("own output");
        if kind == prost::encoding::WireType::LengthDelimited {
            after = &after[usize::try_from(number).expect("small")..];
        }
        fields.push(&rest[..rest.len() - after.len()]);
        rest = after;
    }
    // Repeated entries keep their order: recipients are named by their position.
    fields.sort_by_key(|field| std::cmp::Reverse(field[0]));
    let mut unusual = fields.concat();
    unusual.extend_from_slice(b"\xfa\x01\x05later");
    unusual.into()
}

#[rustfmt::skip] // A table: one row a vector.
fn good() -> Vec<Vector> {
    let small = Parts::small();
    let plain = small.envelope();
    let batch = sign::sign_batch(
        label::TYPE_MANIFEST,
        vec![Bytes::from_static(b"another"), small.payload()],
        &identity(),
    ).expect("a key in memory signs");
    let no_wraps = small.clone().with(|parts| parts.wraps.clear());
    let relabelled = small.clone().with(|parts| {
        parts.core_bytes = Some(unusual_header(&parts.core));
    });
    vec![
        id_vector("identity", "ENV-2", "the identity is the hash of the signed manifest", &plain),
        id_vector("identity-in-a-batch", "ENV-2", "the identity does not change with the form of the signature", &small.around(&batch[1])),
        id_vector("identity-without-wraps", "ENV-8", "an envelope verifies without any of its wraps", &no_wraps.envelope()),
        id_vector("header-in-another-order", "ENV-12", "the header's bytes are final in whatever encoding: fields in falling order, one unknown", &relabelled.envelope()),
        id_vector("ping", "RCL-1", "a ping in lane CONTROL", &small.clone().with_core(|c| { c.kind = v1::Kind::Ping.into(); c.lane = v1::Lane::Control.into(); }).envelope()),
        id_vector("recall", "RCL-5", "a recall that names message and envelope", &small.clone().with_core(recall).envelope()),
        open_vector("open-single", "ENV-17", "a single wrap opens", &plain, "ok"),
        open_vector("open-shared", "ENV-18", "a shared wrap opens", &Parts::shared().envelope(), "ok"),
        open_vector("open-from-a-batch", "SIG-4", "signed in a batch", &small.around(&batch[1]), "ok"),
        open_vector("open-two-chunks", "ENV-16", "a body of two chunks", &Parts::large().envelope(), "ok"),
    ]
}

/// Makes a header that of a recall.
fn recall(core: &mut v1::Core) {
    core.kind = v1::Kind::Recall.into();
    core.lane = v1::Lane::Control.into();
    core.conversation_id = Bytes::from_static(&[5; 16]);
    core.in_reply_to = Bytes::from_static(&[6; 32]);
}

#[rustfmt::skip] // A table: one row a vector.
fn headers() -> Vec<Vector> {
    let header = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Core), expect: &str| {
        open_vector(name, spec, what, &Parts::small().with_core(change).envelope(), expect)
    };
    vec![
        header("suite-0", "ENV-10", "no suite", &|c| c.suite = 0, "Suite"),
        header("suite-2", "ENV-10", "a suite of a later version", &|c| c.suite = 2, "Suite"),
        header("critical", "ENV-26", "a critical feature that is unknown", &|c| c.critical.push(7), "Critical"),
        header("federation-upper-case", "ENV-4", "a federation with a capital", &|c| "Example".clone_into(&mut c.federation), "Name"),
        header("federation-empty", "ENV-4", "no federation", &|c| c.federation.clear(), "Name"),
        header("sender-with-a-slash", "ENV-4", "a sender with a slash", &|c| "a/b".clone_into(&mut c.sender), "Name"),
        header("sender-of-65-characters", "LIM-3", "a sender of 65 characters", &|c| c.sender = "a".repeat(65), "Name"),
        header("message-id-15-bytes", "ENV-3", "a message id cut short", &|c| c.message_id.truncate(15), "Malformed"),
        header("message-id-missing", "ENV-3", "no message id", &|c| c.message_id.clear(), "Malformed"),
        header("conversation-id-15-bytes", "ENV-6", "a conversation id of 15 bytes", &|c| c.conversation_id = Bytes::from_static(&[1; 15]), "Malformed"),
        header("sequence-alone", "ENV-6", "a sequence without a conversation", &|c| c.sequence = 3, "Malformed"),
        header("in-reply-to-31-bytes", "ENV-6", "an answer to an id of 31 bytes", &|c| c.in_reply_to = Bytes::from_static(&[1; 31]), "Malformed"),
        header("commitment-31-bytes", "ENV-6", "a content commitment cut short", &|c| c.content_commitment.truncate(31), "Malformed"),
        header("kind-missing", "ENV-7", "no kind", &|c| c.kind = 0, "KindOrLane"),
        header("kind-unknown", "ENV-7", "a kind of a later version", &|c| c.kind = 99, "KindOrLane"),
        header("lane-missing", "ENV-7", "no lane", &|c| c.lane = 0, "KindOrLane"),
        header("lane-unknown", "ENV-7", "a lane of a later version", &|c| c.lane = 5, "KindOrLane"),
        header("ping-in-another-lane", "RCL-1", "a ping in lane URGENT", &|c| { c.kind = v1::Kind::Ping.into(); c.lane = v1::Lane::Urgent.into(); }, "KindOrLane"),
        header("recall-in-another-lane", "RCL-4", "a recall in lane NORMAL", &|c| { recall(c); c.lane = v1::Lane::Normal.into(); }, "KindOrLane"),
        header("recall-of-no-envelope", "RCL-5", "a recall that names no envelope", &|c| { recall(c); c.in_reply_to.clear(); }, "Recall"),
        header("recall-of-no-message", "RCL-5", "a recall that names no message", &|c| { recall(c); c.conversation_id.clear(); }, "Recall"),
        header("recall-in-a-sequence", "RCL-5", "a recall with a place in a conversation", &|c| { recall(c); c.sequence = 1; }, "Recall"),
        header("expires-at-its-creation", "ENV-7", "an expiry that is not after the creation", &|c| c.expires_ms = c.created_ms, "TimeOrder"),
        header("reply-by-at-its-creation", "ENV-7", "a reply awaited at the creation", &|c| c.reply_by_ms = c.created_ms, "TimeOrder"),
        header("size-class-too-small", "ENV-9", "a size class one too small", &|c| c.size_class -= 1, "SizeClass"),
        header("size-class-too-large", "ENV-9", "a size class one too large", &|c| c.size_class += 1, "SizeClass"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn recipients() -> Vec<Vector> {
    let header = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Core), expect: &str| {
        open_vector(name, spec, what, &Parts::small().with_core(change).envelope(), expect)
    };
    vec![
        header("recipients-none", "ENV-5", "nobody", &|c| c.recipients.clear(), "RecipientCount"),
        header("recipients-65", "LIM-1", "65 recipients", &|c| {
            let one = c.recipients[0].clone();
            c.recipients = (0..65).map(|n| v1::Recipient { member: format!("m{n}"), ..one.clone() }).collect();
        }, "RecipientCount"),
        header("recipient-twice", "ENV-5", "one member twice", &|c| c.recipients[1].member = c.recipients[0].member.clone(), "RecipientTwice"),
        header("recipient-name", "ENV-5", "a recipient with a space", &|c| c.recipients[1].member.push(' '), "Name"),
        header("recipient-key-id-15-bytes", "ENV-5", "a key id cut short", &|c| c.recipients[0].sealing_key_id.truncate(15), "Malformed"),
        header("recipient-more-than-wraps", "ENV-1", "three recipients, two wrap hashes", &|c| {
            let member = "third.example-d".to_owned();
            c.recipients.push(v1::Recipient { member, ..c.recipients[0].clone() });
        }, "WrapCount"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn manifests() -> Vec<Vector> {
    let manifest = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str| {
        open_vector(name, spec, what, &Parts::small().with(change).envelope(), expect)
    };
    vec![
        manifest("wrap-hash-missing", "ENV-1", "one wrap hash for two recipients", &|p| { p.manifest.wrap_sha256.pop(); }, "WrapCount"),
        manifest("wrap-hash-31-bytes", "ENV-1", "a wrap hash cut short", &|p| p.manifest.wrap_sha256[1].truncate(31), "Malformed"),
        manifest("body-hash-31-bytes", "ENV-1", "a body hash cut short", &|p| p.manifest.body_sha256.truncate(31), "Malformed"),
        manifest("body-length-over-the-limit", "LIM-5", "a body length of 1200001", &|p| p.manifest.body_len = 1_200_001, "TooLarge"),
        manifest("body-length-111", "ENV-1", "a body length that no body has", &|p| p.manifest.body_len = 111, "SizeClass"),
        manifest("header-is-no-message", "WIR-7", "a header that does not decode", &|p| p.core_bytes = Some(Bytes::from_static(b"\x0a\x05ab")), "Malformed"),
        manifest("header-missing", "ENV-10", "no header", &|p| p.core_bytes = Some(Bytes::new()), "Suite"),
        open_vector("beside-a-forward", "RCL-14", "a forward and an envelope at once", &v1::Envelope { forward: Bytes::from_static(b"forward"), ..Parts::small().envelope() }, "Malformed"),
        manifest("signed-as-a-forward", "SIG-10", "a manifest signed as a forward", &|p| p.payload_type = label::TYPE_FORWARD, "PayloadType"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn wraps() -> Vec<Vector> {
    let wrap = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str| {
        open_vector(name, spec, what, &Parts::small().with(change).envelope(), expect)
    };
    let flip = |bytes: &mut Bytes, at: usize| {
        let mut copy = bytes.to_vec();
        copy[at] ^= 1;
        *bytes = copy.into();
    };
    vec![
        wrap("wrap-for-nobody", "ENV-8", "a wrap for position 2 of two", &|p| p.wraps[1].recipient = 2, "WrapShape"),
        wrap("wrap-twice", "ENV-8", "two wraps for one position", &|p| p.wraps[1] = p.wraps[0].clone(), "WrapShape"),
        wrap("wrap-1167-bytes", "ENV-8", "a wrap cut short", &|p| p.wraps[0].wrap.truncate(1167), "WrapShape"),
        wrap("wrap-1170-bytes", "ENV-8", "a wrap of no known form", &|p| p.wraps[0].wrap = Bytes::from_static(&[0; 1170]), "WrapShape"),
        wrap("wrap-changed", "ENV-19", "one bit of a wrap changed", &|p| flip(&mut p.wraps[0].wrap, 1130), "WrapMismatch"),
        wrap("wrap-of-another-changed", "ENV-19", "one bit of another recipient's wrap changed", &|p| flip(&mut p.wraps[1].wrap, 0), "WrapMismatch"),
        wrap("wraps-exchanged", "ENV-19", "two wraps in each other's place", &|p| { p.wraps[0].recipient = 1; p.wraps[1].recipient = 0; }, "WrapMismatch"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn signatures() -> Vec<Vector> {
    let parts = Parts::small();
    let signed = parts.signed_by(&identity());
    let changed = |change: &dyn Fn(&mut v1::Signed)| {
        let mut signed = signed.clone();
        change(&mut signed);
        parts.around(&signed)
    };
    let by_stranger = parts.around(&parts.signed_by(&stranger()));
    let moved = parts.clone().with_core(|core| {
        CLEARING.clone_into(&mut core.recipients[0].member);
        "other.example-d".clone_into(&mut core.recipients[1].member);
    });
    let mut cut = changed(&|_| ());
    cut.signed.truncate(cut.signed.len() - 1);
    let vector = |name: &str, spec: &str, what: &str, envelope: &v1::Envelope, expect: &str| {
        open_vector(name, spec, what, envelope, expect)
    };
    vec![
        vector("signed-by-a-stranger", "ENV-19", "signed by a key that is not the sender's", &by_stranger, "Signature(UnknownKey)"),
        vector("unsigned", "ENV-19", "no signature", &changed(&|s| s.signatures.clear()), "Signature(UnknownKey)"),
        vector("signature-changed", "ENV-19", "one bit of the signature changed", &changed(&|s| {
            let mut bytes = s.signatures[0].signature.to_vec();
            bytes[0] ^= 1;
            s.signatures[0].signature = bytes.into();
        }), "Signature(BadSignature)"),
        vector("readdressed", "ENV-19", "another recipient under the old signature", &parts.around(&v1::Signed { payload: moved.payload(), ..signed.clone() }), "Signature(BadSignature)"),
        vector("signed-object-cut-off", "WIR-7", "the signed object lacks its last byte", &cut, "Malformed"),
        vector("signed-object-over-the-limit", "LIM-7", "a signed object of more than 64 KiB", &changed(&|s| s.signatures[0].signature = vec![0; 65_536].into()), "TooLarge"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn bodies() -> Vec<Vector> {
    let parts = Parts::small();
    let with_body = |body: Vec<u8>| {
        let mut envelope = parts.envelope();
        envelope.body = body.into();
        envelope
    };
    let body = parts.body.to_vec();
    let mut flipped = body.clone();
    flipped[70] ^= 1;
    let longer = [&body[..], &[0]].concat();
    vec![
        open_vector("body-changed", "ENV-20", "one bit of the body changed", &with_body(flipped), "BodyMismatch"),
        open_vector("body-cut-off", "ENV-20", "a byte too few", &with_body(body[..body.len() - 1].to_vec()), "BodyLength"),
        open_vector("body-longer", "ENV-20", "a byte too many", &with_body(longer), "BodyLength"),
        open_vector("body-of-another", "ENV-20", "the body of another envelope", &with_body(another_body(&body)), "BodyMismatch"),
    ]
}

/// A body of the same length that belongs to another envelope.
fn another_body(body: &[u8]) -> Vec<u8> {
    use rand_core::Rng as _;
    let mut other = vec![0; body.len()];
    rng(9).fill_bytes(&mut other);
    other
}

#[rustfmt::skip] // A table: one row a vector.
fn times() -> Vec<Vector> {
    let time = |name: &str, what: &str, now_ms: u64, expect: &str| {
        let envelope = Parts::small().envelope();
        let mut vector = open_vector(name, "ENV-21", what, &envelope, expect);
        for (field, value) in &mut vector.fields {
            if *field == "now_ms" {
                *value = json!(now_ms);
            }
        }
        vector
    };
    let life = |name: &str, what: &str, life_ms: u64, expect: &str| {
        let parts = Parts::small().with_core(|core| core.expires_ms = core.created_ms + life_ms);
        open_vector(name, "LIM-25", what, &parts.envelope(), expect)
    };
    vec![
        time("last-moment", "one millisecond before its expiry", NOW_MS + 7 * DAY_MS - 1, "ok"),
        time("expired", "at its expiry", NOW_MS + 7 * DAY_MS, "Expired"),
        time("expired-long-ago", "a year later", NOW_MS + 365 * DAY_MS, "Expired"),
        time("clock-ten-minutes-slow", "dated ten minutes ahead", NOW_MS - 600_000, "ok"),
        time("future-dated", "dated one millisecond more ahead", NOW_MS - 600_001, "FutureDated"),
        life("life-too-long", "a life of 31 days and a millisecond", MAX_LIFE_MS + 1, "LifeTooLong"),
        life("life-without-end", "an expiry at the end of time", u64::MAX - NOW_MS, "LifeTooLong"),
    ]
}
