//! Signed objects, alone and in batches.

use bytes::Bytes;
use frex_proto::{
    keys::SigningKey,
    label::{TYPE_BATCH, TYPE_FORWARD, TYPE_MANIFEST, TYPE_ROSTER},
    sign, v1,
};
use prost::Message;

use crate::{
    Vector,
    fixtures::{identity, stranger},
};

const PAYLOAD: &[u8] = b"what is signed";

pub(crate) fn make() -> Vec<Vector> {
    let pae = |name: &str, kind: &str, payload: &[u8]| {
        Vector::new(
            "signing",
            name,
            "SIG-1",
            "the bytes that a signature covers",
            "pae",
        )
        .set("payload_type", kind)
        .hex("payload", payload)
        .expect("ok")
    };
    let mut vectors = vec![
        pae("pae", "t", b"ab"),
        pae("pae-empty", "", b""),
        pae("pae-of-a-manifest", TYPE_MANIFEST, &[0; 12]),
    ];
    vectors.extend(single());
    vectors.extend(thresholds());
    vectors.extend(batch());
    vectors.extend(paths());
    vectors
}

fn sign(payload_type: &str, payload: Bytes, keys: &[&SigningKey]) -> v1::Signed {
    sign::sign(payload_type, payload, keys).expect("a key in memory signs")
}

fn sign_batch(payload_type: &str, payloads: Vec<Bytes>, key: &SigningKey) -> Vec<v1::Signed> {
    sign::sign_batch(payload_type, payloads, key).expect("a key in memory signs")
}

fn payload() -> Bytes {
    Bytes::from_static(PAYLOAD)
}

/// A vector that expects a manifest signed by `keys`.
fn vector(name: &str, spec: &str, what: &str, signed: &v1::Signed, expect: &str) -> Vector {
    Vector::new("signing", name, spec, what, "verify_signed")
        .set("payload_type", TYPE_MANIFEST)
        .hexes(
            "keys",
            governance().map(|key| *key.verifying_key().as_bytes()),
        )
        .set("threshold", 1)
        .hex("signed", signed.encode_to_vec())
        .expect(expect)
}

fn with_threshold(mut vector: Vector, threshold: u64) -> Vector {
    for (name, value) in &mut vector.fields {
        if *name == "threshold" {
            *value = threshold.into();
        }
    }
    vector
}

fn governance() -> [SigningKey; 3] {
    [[1; 32], [2; 32], [3; 32]].map(|seed| SigningKey::from_seed(&seed))
}

fn changed(signed: &v1::Signed, change: impl FnOnce(&mut v1::Signed)) -> v1::Signed {
    let mut signed = signed.clone();
    change(&mut signed);
    signed
}

fn flip(bytes: &mut Bytes, at: usize) {
    let mut copy = bytes.to_vec();
    copy[at] ^= 1;
    *bytes = copy.into();
}

#[rustfmt::skip] // A table: one row a vector.
fn single() -> Vec<Vector> {
    let good = sign(TYPE_MANIFEST, payload(), &[&identity()]);
    let other_type = sign(TYPE_FORWARD, payload(), &[&identity()]);
    vec![
        vector("single", "SIG-1", "one good signature", &good, "ok"),
        vector("payload-changed", "SIG-8", "one bit of the payload changed", &changed(&good, |s| flip(&mut s.payload, 0)), "BadSignature"),
        vector("signature-changed", "SIG-8", "one bit of the signature changed", &changed(&good, |s| flip(&mut s.signatures[0].signature, 5)), "BadSignature"),
        vector("signature-empty", "SIG-8", "a signature without bytes", &changed(&good, |s| s.signatures[0].signature = Bytes::new()), "BadSignature"),
        vector("type-other", "SIG-10", "signed as a forward", &other_type, "PayloadType"),
        vector("type-relabelled", "SIG-1", "signed as a forward, then called a manifest", &changed(&other_type, |s| TYPE_MANIFEST.clone_into(&mut s.payload_type)), "BadSignature"),
        vector("type-with-a-space", "SIG-10", "the type with a space behind it", &changed(&good, |s| s.payload_type.push(' ')), "PayloadType"),
        vector("stranger", "SIG-9", "signed by a key that may not sign", &sign(TYPE_MANIFEST, payload(), &[&stranger()]), "UnknownKey"),
        vector("stranger-under-a-known-id", "SIG-8", "a stranger's signature under a known key id", &changed(&sign(TYPE_MANIFEST, payload(), &[&stranger()]), |s| s.signatures[0].key_id = good.signatures[0].key_id.clone()), "BadSignature"),
        vector("unsigned", "SIG-9", "no signature at all", &changed(&good, |s| s.signatures.clear()), "UnknownKey"),
        vector("key-id-of-15-bytes", "SIG-9", "a key id cut short names no key", &changed(&good, |s| s.signatures[0].key_id.truncate(15)), "UnknownKey"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn thresholds() -> Vec<Vector> {
    let [a, b, c] = governance();
    let two = sign(TYPE_MANIFEST, payload(), &[&a, &b]);
    let one_twice = sign(TYPE_MANIFEST, payload(), &[&a, &a]);
    let with_stranger = sign(TYPE_MANIFEST, payload(), &[&stranger(), &c, &a]);
    vec![
        with_threshold(vector("two-of-three", "SIG-9", "two of three keys", &two, "ok"), 2),
        with_threshold(vector("two-and-a-stranger", "SIG-8", "an unknown key beside two known ones is passed over", &with_stranger, "ok"), 2),
        with_threshold(vector("two-for-three", "SIG-9", "two keys where three must agree", &two, "TooFew"), 3),
        with_threshold(vector("one-key-twice", "SIG-9", "one key that signs twice counts once", &one_twice, "TooFew"), 2),
        with_threshold(vector("second-of-two-bad", "SIG-8", "one good and one bad signature by known keys", &changed(&two, |s| flip(&mut s.signatures[1].signature, 0)), "BadSignature"), 1),
        with_threshold(vector("second-by-one-key-bad", "SIG-9", "only the first signature that names a key counts", &changed(&one_twice, |s| flip(&mut s.signatures[1].signature, 0)), "ok"), 1),
    ]
}

fn batch_of(count: usize) -> Vec<v1::Signed> {
    let payloads = (0..count).map(|number| Bytes::from(format!("payload {number}")));
    sign_batch(TYPE_MANIFEST, payloads.collect(), &identity())
}

fn in_path(signed: &v1::Signed, change: impl FnOnce(&mut v1::BatchPath)) -> v1::Signed {
    changed(signed, |signed| {
        change(signed.batch.as_mut().expect("a batch"));
    })
}

#[rustfmt::skip] // A table: one row a vector.
fn batch() -> Vec<Vector> {
    let five = batch_of(5);
    let single = sign(TYPE_MANIFEST, payload(), &[&identity()]);
    let forwards = sign_batch(TYPE_FORWARD, vec![payload(), payload()], &identity());
    let alone = v1::BatchPath { index: 0, size: 1, hashes: Vec::new() };
    vec![
        vector("batch-of-one", "SIG-4", "a batch of one", &batch_of(1)[0], "ok"),
        vector("batch-first-of-five", "SIG-4", "the first of five", &five[0], "ok"),
        vector("batch-last-of-five", "SIG-4", "the last of five, whose path is short", &five[4], "ok"),
        vector("batch-last-of-sixty-four", "LIM-2", "the last of a full batch", &batch_of(64)[63], "ok"),
        vector("batch-payload-changed", "SIG-8", "one bit of the payload changed", &changed(&five[2], |s| flip(&mut s.payload, 0)), "BadSignature"),
        vector("batch-payload-of-a-neighbour", "SIG-8", "the payload of another place", &changed(&five[2], |s| s.payload = five[3].payload.clone()), "BadSignature"),
        vector("batch-without-its-path", "SIG-5", "the signature of a batch in the single form", &changed(&five[2], |s| s.batch = None), "BadSignature"),
        vector("single-with-a-path", "SIG-5", "the signature of a single object in the batch form", &changed(&single, |s| s.batch = Some(alone)), "BadSignature"),
        vector("batch-of-another-type", "SIG-5", "a batch of forwards, then called manifests", &changed(&forwards[0], |s| TYPE_MANIFEST.clone_into(&mut s.payload_type)), "BadSignature"),
        vector("batch-root-as-an-object", "SIG-10", "the batch's own type where a manifest is due", &sign(TYPE_BATCH, payload(), &[&identity()]), "PayloadType"),
        vector("batch-of-rosters", "SIG-10", "a roster in batch form where a manifest is due", &sign_batch(TYPE_ROSTER, vec![payload()], &identity())[0], "PayloadType"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn paths() -> Vec<Vector> {
    let five = batch_of(5);
    let odd = Bytes::from_static(&[7; 31]);
    vec![
        vector("path-size-zero", "SIG-6", "a batch of none", &in_path(&five[0], |p| { p.size = 0; p.hashes.clear(); }), "BatchPath"),
        vector("path-size-65", "SIG-6", "a batch of 65", &in_path(&five[0], |p| p.size = 65), "BatchPath"),
        vector("path-index-outside", "SIG-6", "index 5 of 5", &in_path(&five[4], |p| p.index = 5), "BatchPath"),
        vector("path-one-hash-missing", "SIG-6", "a path that ends early", &in_path(&five[0], |p| { p.hashes.pop(); }), "BatchPath"),
        vector("path-one-hash-more", "SIG-6", "a path with a hash more", &in_path(&five[0], |p| p.hashes.push(p.hashes[0].clone())), "BatchPath"),
        vector("path-hash-of-31-bytes", "SIG-6", "a hash cut short", &in_path(&five[0], |p| p.hashes[1] = odd), "BatchPath"),
        vector("path-of-a-neighbour", "SIG-6", "the index of a neighbour", &in_path(&five[0], |p| p.index = 1), "BadSignature"),
        vector("path-other-size", "SIG-5", "size 6 for a batch of 5: the same path, another message", &in_path(&five[0], |p| p.size = 6), "BadSignature"),
        vector("path-hashes-swapped", "SIG-6", "two hashes in the wrong order", &in_path(&five[0], |p| p.hashes.swap(0, 1)), "BadSignature"),
    ]
}
