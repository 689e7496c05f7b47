//! Keys with a companion: what one of the two has not signed, neither has.

use bytes::Bytes;
use frex_proto::{
    keys::{CompanionKey, CompanionKind, SigningKey},
    label::{self, TYPE_MANIFEST},
    sign, v1,
};
use ml_dsa::{B32, ExpandedSigningKey, MlDsa65};
use prost::Message;

use crate::{
    Vector,
    fixtures::{NOW_MS, POLICE, Parts, identity, police_seed, stranger},
};

const PAYLOAD: &[u8] = b"what is signed";
const COMPANION_SEED: [u8; 32] = [101; 32];
/// Where the parts of an ML-DSA-65 signature begin: challenge, response, places and ends of hints.
const RESPONSE_AT: usize = 48;
const HINTS_AT: usize = RESPONSE_AT + 5 * 640;
const ENDS_AT: usize = HINTS_AT + 55;

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = keys();
    vectors.extend(halves());
    vectors.extend(companion_signatures());
    vectors.extend(thresholds());
    vectors.extend(batches());
    vectors.extend(envelopes());
    vectors
}

fn pair() -> SigningKey {
    identity().with_companion(&COMPANION_SEED)
}

fn other_pair() -> SigningKey {
    stranger().with_companion(&[102; 32])
}

fn sign(payload_type: &str, payload: Bytes, keys: &[&SigningKey]) -> v1::Signed {
    sign::sign(payload_type, payload, keys).expect("a key in memory signs")
}

fn sign_batch(payloads: Vec<Bytes>) -> Vec<v1::Signed> {
    sign::sign_batch(TYPE_MANIFEST, payloads, &pair()).expect("a key in memory signs")
}

fn payload() -> Bytes {
    Bytes::from_static(PAYLOAD)
}

/// A signature of the companion, made by hand under a context that may be another.
fn by_companion(message: &[u8], context: &[u8]) -> Vec<u8> {
    let key = ExpandedSigningKey::<MlDsa65>::from_seed(&B32::from(COMPANION_SEED));
    let signature = key.sign_deterministic(message, context);
    signature.expect("a short context").encode().to_vec()
}

fn vector(name: &str, spec: &str, what: &str, signed: &v1::Signed, expect: &str) -> Vector {
    by_keys(name, spec, what, signed, &[pair()], 1, expect)
}

fn by_keys(
    name: &str,
    spec: &str,
    what: &str,
    signed: &v1::Signed,
    keys: &[SigningKey],
    threshold: u64,
    expect: &str,
) -> Vector {
    let keys = keys.iter().map(|key| key.verifying_key().encoded());
    Vector::new("signing", name, spec, what, "verify_signed")
        .set("payload_type", TYPE_MANIFEST)
        .hexes("keys", keys)
        .set("threshold", threshold)
        .hex("signed", signed.encode_to_vec())
        .expect(expect)
}

fn good() -> v1::Signed {
    sign(TYPE_MANIFEST, payload(), &[&pair()])
}

fn changed(signed: &v1::Signed, change: impl FnOnce(&mut v1::Signed)) -> v1::Signed {
    let mut signed = signed.clone();
    change(&mut signed);
    signed
}

/// The good object with other bytes as the companion's signature.
fn with_second(change: impl FnOnce(&mut Vec<u8>)) -> v1::Signed {
    changed(&good(), |signed| {
        let mut bytes = signed.signatures[1].signature.to_vec();
        change(&mut bytes);
        signed.signatures[1].signature = bytes.into();
    })
}

/// Without what the companion signed: what somebody on the way can do.
fn stripped(signed: &v1::Signed) -> v1::Signed {
    changed(signed, |signed| {
        signed.signatures.retain(|one| one.signature.len() == 64);
    })
}

fn keys() -> Vec<Vector> {
    let public = pair().verifying_key();
    let key = CompanionKey::admit(CompanionKind::Objects, public.companion_bytes());
    let key = key.expect("a good key");
    let row = |name: &str, spec: &str, what: &str, key: &[u8], expect: &str| {
        Vector::new("keys", name, spec, what, "admit_key")
            .set("algorithm", "ml-dsa-65")
            .hex("key", key)
            .expect(expect)
    };
    let bytes = key.as_bytes();
    let longer = [bytes, &[0]].concat();
    vec![
        row("ml-dsa-65", "KEY-2", "a companion and its id", bytes, "ok"),
        row(
            "ml-dsa-65-1951-bytes",
            "KEY-30",
            "a byte too few",
            &bytes[1..],
            "Length",
        ),
        row(
            "ml-dsa-65-1953-bytes",
            "KEY-30",
            "a byte too many",
            &longer,
            "Length",
        ),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn halves() -> Vec<Vector> {
    let good = good();
    let of_other = sign(TYPE_MANIFEST, payload(), &[&other_pair()]);
    let of_other_payload = sign(TYPE_MANIFEST, Bytes::from_static(b"something else"), &[&pair()]);
    let beside = |signature: &v1::Signature| changed(&good, |s| s.signatures.push(signature.clone()));
    vec![
        vector("companion", "SIG-20", "both have signed", &good, "ok"),
        vector("companion-first", "SIG-20", "both have signed, the companion's signature stands first", &changed(&good, |s| s.signatures.swap(0, 1)), "ok"),
        vector("companion-stripped", "SIG-21", "the companion's signature was taken away", &stripped(&good), "HalfSigned"),
        vector("companion-never-signed", "SIG-21", "signed by the Ed25519 key alone", &sign(TYPE_MANIFEST, payload(), &[&identity()]), "HalfSigned"),
        vector("companion-alone", "SIG-21", "the Ed25519 signature was taken away", &changed(&good, |s| { s.signatures.remove(0); }), "HalfSigned"),
        vector("companion-of-another", "SIG-21", "the second signature is by another's companion", &changed(&good, |s| s.signatures[1] = of_other.signatures[1].clone()), "HalfSigned"),
        vector("companion-of-another-under-its-id", "SIG-8", "another's companion under the id of this one", &changed(&good, |s| s.signatures[1].signature = of_other.signatures[1].signature.clone()), "BadSignature"),
        vector("companion-id-of-15-bytes", "SIG-21", "an id cut short names no companion", &changed(&good, |s| s.signatures[1].key_id.truncate(15)), "HalfSigned"),
        vector("companion-of-another-message", "SIG-8", "the companion signed something else", &changed(&good, |s| s.signatures[1] = of_other_payload.signatures[1].clone()), "BadSignature"),
        vector("companion-good-ed25519-bad", "SIG-8", "the companion's signature holds, the other does not", &changed(&good, |s| s.signatures[0] = of_other_payload.signatures[0].clone()), "BadSignature"),
        vector("companion-ids-exchanged", "SIG-8", "each signature under the other's id", &changed(&good, |s| { let id = s.signatures[0].key_id.clone(); s.signatures[0].key_id = s.signatures[1].key_id.clone(); s.signatures[1].key_id = id; }), "BadSignature"),
        vector("companion-second-bad", "SIG-9", "only the companion's first signature counts", &beside(&of_other_payload.signatures[1]), "ok"),
        vector("companion-first-bad", "SIG-9", "a bad signature of the companion before a good one", &changed(&good, |s| s.signatures.insert(0, of_other_payload.signatures[1].clone())), "BadSignature"),
        vector("companion-and-another", "SIG-8", "two companions, one of a key that is not asked", &beside(&of_other.signatures[1]), "ok"),
        by_keys("companion-where-none-is-listed", "SIG-3", "the key is listed without the companion that signed too", &good, &[identity()], 1, "ok"),
        by_keys("companion-other-than-listed", "SIG-21", "the key is listed with another companion than signed", &good, &[identity().with_companion(&[103; 32])], 1, "HalfSigned"),
        vector("companion-signed-as-another-type", "SIG-1", "both signed a forward, then called a manifest", &changed(&sign(label::TYPE_FORWARD, payload(), &[&pair()]), |s| TYPE_MANIFEST.clone_into(&mut s.payload_type)), "BadSignature"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn companion_signatures() -> Vec<Vector> {
    let message = sign::pae(TYPE_MANIFEST, PAYLOAD);
    let flip = |at: usize| with_second(|bytes| bytes[at] ^= 1);
    let row = |name: &str, what: &str, signed: &v1::Signed| {
        vector(name, "KEY-31", what, signed, "BadSignature")
    };
    // The first polynomial of this signature has more than one hint, and fewer than 55 are used.
    let swapped = with_second(|bytes| {
        assert!(bytes[ENDS_AT] >= 2, "two hints to exchange");
        bytes.swap(HINTS_AT, HINTS_AT + 1);
    });
    let padded = with_second(|bytes| {
        assert!(bytes[ENDS_AT + 5] < 55, "a place left");
        bytes[ENDS_AT - 1] = 1;
    });
    vec![
        vector("companion-context", "KEY-31", "made by hand under the context of this protocol", &with_second(|bytes| *bytes = by_companion(&message, b"frex/v1")), "ok"),
        row("companion-no-context", "under no context", &with_second(|bytes| *bytes = by_companion(&message, b""))),
        row("companion-other-context", "under the context of another version", &with_second(|bytes| *bytes = by_companion(&message, b"frex/v2"))),
        row("companion-message-without-pae", "over the bare payload", &with_second(|bytes| *bytes = by_companion(PAYLOAD, b"frex/v1"))),
        row("companion-challenge-changed", "one bit of the challenge changed", &flip(0)),
        row("companion-response-changed", "one bit of the response changed", &flip(RESPONSE_AT + 700)),
        row("companion-response-too-large", "a coefficient of the response at its largest encoding", &with_second(|bytes| bytes[RESPONSE_AT..RESPONSE_AT + 2].fill(0))),
        row("companion-hint-changed", "a hint in another place", &flip(HINTS_AT)),
        row("companion-hints-exchanged", "two hints in falling order: another encoding of the same", &swapped),
        row("companion-hints-padded", "a byte behind the last hint: another encoding of the same", &padded),
        row("companion-hints-too-many", "56 hints", &with_second(|bytes| bytes[ENDS_AT + 5] = 56)),
        row("companion-hints-end-before", "a polynomial whose hints end before they begin", &with_second(|bytes| bytes[ENDS_AT + 1] = 0)),
        row("companion-3308-bytes", "a byte too few", &with_second(|bytes| { bytes.pop(); })),
        row("companion-3310-bytes", "a byte too many", &with_second(|bytes| bytes.push(0))),
        row("companion-empty", "a signature without bytes", &with_second(Vec::clear)),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn thresholds() -> Vec<Vector> {
    let second = SigningKey::from_seed(&[2; 32]);
    let listed = || [pair(), SigningKey::from_seed(&[2; 32])];
    let two = sign(TYPE_MANIFEST, payload(), &[&pair(), &second]);
    let crowd: Vec<SigningKey> = (0..=128).map(|seed| SigningKey::from_seed(&[seed; 32])).collect();
    let crowd: Vec<&SigningKey> = crowd.iter().collect();
    vec![
        by_keys("companion-and-one-without", "SIG-9", "two keys, one of them with a companion", &two, &listed(), 2, "ok"),
        by_keys("companion-counts-once", "SIG-9", "a key and its companion are one key", &good(), &listed(), 2, "TooFew"),
        by_keys("companion-stripped-beside-enough", "SIG-21", "enough other keys do not excuse half a signature", &stripped(&two), &listed(), 1, "HalfSigned"),
        by_keys("signatures-129", "SIG-7", "129 signatures", &sign(TYPE_MANIFEST, payload(), &crowd), &listed(), 1, "TooMany"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn batches() -> Vec<Vector> {
    let payloads = || (0..5).map(|number| Bytes::from(format!("payload {number}"))).collect();
    let batch = sign_batch(payloads());
    let single = sign(TYPE_MANIFEST, batch[2].payload.clone(), &[&pair()]);
    vec![
        vector("companion-batch", "SIG-20", "both have signed a batch", &batch[2], "ok"),
        vector("companion-batch-stripped", "SIG-21", "the companion's signature of a batch was taken away", &stripped(&batch[2]), "HalfSigned"),
        vector("companion-batch-alone", "SIG-21", "the Ed25519 signature of a batch was taken away", &changed(&batch[2], |s| { s.signatures.remove(0); }), "HalfSigned"),
        vector("companion-batch-payload-changed", "SIG-8", "the payload of another place", &changed(&batch[2], |s| s.payload = batch[3].payload.clone()), "BadSignature"),
        vector("companion-single-in-a-batch", "SIG-5", "the companion signed the payload alone, the other the batch", &changed(&batch[2], |s| s.signatures[1] = single.signatures[1].clone()), "BadSignature"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn envelopes() -> Vec<Vector> {
    let parts = Parts::small();
    let signed = parts.signed_by(&pair());
    let batch = sign_batch(vec![Bytes::from_static(b"another"), parts.payload()]);
    let row = |name: &str, spec: &str, what: &str, signed: &v1::Signed, expect: &str| {
        Vector::new("envelope", name, spec, what, "open_envelope")
            .hexes("sender_keys", [pair().verifying_key().encoded()])
            .set("now_ms", NOW_MS)
            .set("member", POLICE)
            .hexes("secrets", [police_seed()])
            .hex("envelope", parts.around(signed).encode_to_vec())
            .expect(expect)
    };
    vec![
        row("open-with-companion", "SIG-20", "the sender's key and its companion have signed", &signed, "ok"),
        row("open-with-companion-from-a-batch", "SIG-20", "both have signed a batch", &batch[1], "ok"),
        row("companion-stripped", "SIG-21", "the companion's signature was taken away", &stripped(&signed), "Signature(HalfSigned)"),
        row("companion-stripped-from-a-batch", "SIG-21", "the companion's signature of the batch was taken away", &stripped(&batch[1]), "Signature(HalfSigned)"),
        row("companion-alone", "SIG-21", "the Ed25519 signature was taken away", &changed(&signed, |s| { s.signatures.remove(0); }), "Signature(HalfSigned)"),
        row("companion-of-a-stranger", "SIG-21", "another's companion signed", &changed(&signed, |s| s.signatures[1] = parts.signed_by(&other_pair()).signatures[1].clone()), "Signature(HalfSigned)"),
        row("companion-of-another-envelope", "SIG-8", "the companion signed another envelope", &changed(&signed, |s| s.signatures[1] = Parts::large().signed_by(&pair()).signatures[1].clone()), "Signature(BadSignature)"),
    ]
}
