//! What only the recipient can judge: wraps and bodies that a sender made wrong and signed.

use bytes::Bytes;
use frex_proto::{envelope, label, v1};
use prost::Message;
use serde_json::json;

use crate::{
    Vector,
    fixtures::{POLICE, Parts, open_vector, police_seed, seal_inner, sealing, wrap_for_police},
};

const CHUNK: usize = 16 * 1024;

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = parties();
    vectors.extend(wraps());
    vectors.extend(chunks());
    vectors.extend(insides());
    vectors.extend(contents());
    vectors
}

/// `vector` with another value in one field.
fn but(mut vector: Vector, name: &str, value: &serde_json::Value) -> Vector {
    for (field, known) in &mut vector.fields {
        if *field == name {
            known.clone_from(value);
        }
    }
    vector
}

#[rustfmt::skip] // A table: one row a vector.
fn parties() -> Vec<Vector> {
    let whole = Parts::small().envelope();
    let others_only = Parts::small().with(|parts| { parts.wraps.remove(0); }).envelope();
    let vector = |name: &str, what: &str, envelope, expect: &str| open_vector(name, "ENV-22", what, envelope, expect);
    let other_seed = json!([hex::encode([77; 32])]);
    vec![
        but(vector("not-a-recipient", "a member that the header does not name", &whole, "NotARecipient"), "member", &json!("other.example-d")),
        but(vector("no-key", "a key that no wrap is for", &whole, "NoKey"), "secrets", &other_seed),
        but(vector("no-keys", "no key at all", &whole, "NoKey"), "secrets", &json!([])),
        vector("no-wrap", "the own wrap did not come along", &others_only, "NoWrap"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn wraps() -> Vec<Vector> {
    let single = Parts::small();
    let shared = Parts::shared();
    let taken = |mut parts: Parts, from: &Parts| {
        parts.wraps[0].wrap = from.wraps[0].wrap.clone();
        parts.rehash().envelope()
    };
    let flipped = |mut parts: Parts, at: usize| {
        let mut wrap = parts.wraps[0].wrap.to_vec();
        wrap[at] ^= 1;
        parts.wraps[0].wrap = wrap.into();
        parts.rehash().envelope()
    };
    let renamed = |parts: &Parts| parts.clone().with_core(|core| "hotline.example-z".clone_into(&mut core.sender)).envelope();
    let reordered = single.clone().with_core(|core| core.recipients.swap(0, 1)).with(|parts| {
        parts.wraps.swap(0, 1);
        for (at, wrap) in (0..).zip(&mut parts.wraps) { wrap.recipient = at; }
    }).rehash().envelope();
    let other = Parts::large();
    vec![
        open_vector("wrap-of-another-envelope", "ENV-17", "a single wrap taken from another envelope", &taken(single.clone(), &other), "Wrap"),
        open_vector("wrap-under-another-sender", "ENV-17", "the header names another sender: the wrap no longer opens", &renamed(&single), "Wrap"),
        open_vector("wrap-in-another-place", "ENV-17", "two recipients and their wraps change places", &reordered, "Wrap"),
        open_vector("wrap-with-another-encapsulation", "ENV-17", "one bit of the encapsulated key changed", &flipped(single.clone(), 3), "Wrap"),
        open_vector("wrap-with-another-ciphertext", "ENV-17", "one bit of the sealed key changed", &flipped(single.clone(), 1125), "Wrap"),
        open_vector("shared-wrap-of-another-envelope", "ENV-18", "a shared wrap whose key is for another header", &renamed(&shared), "Wrap"),
        open_vector("shared-wrap-first-byte", "ENV-18", "a shared wrap that begins with 3", &flipped(shared.clone(), 0), "Wrap"),
        open_vector("shared-wrap-with-another-encapsulation", "ENV-18", "one bit of the encapsulated key changed", &flipped(shared.clone(), 700), "Wrap"),
        open_vector("shared-wrap-with-another-ciphertext", "ENV-18", "one bit of the sealed key changed", &flipped(shared, 1168), "Wrap"),
    ]
}

/// `parts` with its body changed by a sender that signs what it made.
fn with_body(parts: &Parts, change: impl FnOnce(&mut Vec<u8>)) -> v1::Envelope {
    let mut body = parts.body.to_vec();
    change(&mut body);
    let mut parts = parts.clone();
    parts.body = body.into();
    parts.rehash().envelope()
}

#[rustfmt::skip] // A table: one row a vector.
fn chunks() -> Vec<Vector> {
    let (small, large) = (Parts::small(), Parts::large());
    let whole_chunk = 56 + CHUNK + 16;
    vec![
        open_vector("commitment-changed", "ENV-15", "one bit of the key commitment changed", &with_body(&small, |body| body[30] ^= 1), "Commitment"),
        open_vector("stream-salt-changed", "ENV-15", "one bit of the stream salt changed", &with_body(&small, |body| body[0] ^= 1), "Commitment"),
        open_vector("chunk-changed", "ENV-16", "one bit of a chunk changed", &with_body(&small, |body| body[60] ^= 1), "Chunk"),
        open_vector("tag-changed", "ENV-16", "one bit of the last tag changed", &with_body(&small, |body| *body.last_mut().expect("a body") ^= 1), "Chunk"),
        open_vector("last-chunk-cut-off", "ENV-16", "a byte of the last chunk is missing", &with_body(&large, |body| { body.pop(); }), "Chunk"),
        open_vector("last-chunk-missing", "ENV-16", "a body that ends after a whole chunk", &with_size(&with_cut(&large, whole_chunk)), "BodyLength"),
        open_vector("last-chunk-shorter-than-a-tag", "ENV-16", "a last chunk of 15 bytes", &with_size(&with_cut(&large, whole_chunk + 15)), "BodyLength"),
        open_vector("chunks-of-one-key-exchanged", "ENV-16", "the parts of two chunks exchanged", &with_body(&large, |body| {
            for at in 0..100 { body.swap(56 + at, whole_chunk + at); }
        }), "Chunk"),
    ]
}

fn with_cut(parts: &Parts, length: usize) -> Parts {
    let mut parts = parts.clone();
    parts.body.truncate(length);
    parts.rehash()
}

/// Signs parts whose body is of another size class with that class unless it stays the same.
fn with_size(parts: &Parts) -> v1::Envelope {
    let class = 64 - (parts.body.len() as u64 - 1).leading_zeros();
    assert_eq!(parts.core.size_class, class, "the header must not change");
    parts.envelope()
}

/// Seals `inner` under the content key of `parts`.
fn reseal(parts: &Parts, inner: &[u8]) -> v1::Envelope {
    let parsed = envelope::parse(&parts.envelope()).expect("a good envelope");
    let secret = sealing(&police_seed());
    let opened = envelope::open(&parsed, &parts.body, POLICE, &[&secret]).expect("it opens");
    let salt = &parts.body[..24];
    let sealed = seal_inner(&opened.content_key, &parsed.core_bytes, salt, inner);
    with_body(parts, |body| *body = sealed)
}

/// Salt, length, content and padding as the small report has them.
fn inner_of(content: &[u8], length: u64, padded: usize) -> Vec<u8> {
    let mut inner = vec![9; 32];
    inner.extend_from_slice(&length.to_be_bytes());
    inner.extend_from_slice(content);
    inner.resize(padded, 0);
    inner
}

fn content_of(content_type: &str, data: &'static [u8]) -> Vec<u8> {
    let content = v1::Content {
        content_type: content_type.to_owned(),
        data: Bytes::from_static(data),
        attachments: Vec::new(),
    };
    content.encode_to_vec()
}

#[rustfmt::skip] // A table: one row a vector.
fn insides() -> Vec<Vector> {
    let parts = Parts::small();
    let content = content_of("text/plain", b"a report");
    let length = content.len() as u64;
    let mut dirty = inner_of(&content, length, 64);
    dirty[63] = 1;
    vec![
        open_vector("padding-not-zero", "ENV-14", "a padding byte of 1", &reseal(&parts, &dirty), "Padding"),
        open_vector("padding-missing", "ENV-14", "not padded to the length that is due", &reseal(&parts, &inner_of(&content, length, 40 + content.len())), "Padding"),
        open_vector("padding-too-long", "ENV-14", "padded to more than is due", &reseal(&parts, &inner_of(&content, length, 68)), "Padding"),
        open_vector("content-length-too-large", "ENV-14", "a content length beyond the end", &reseal(&parts, &inner_of(&content, 25, 64)), "Padding"),
        open_vector("content-length-largest", "ENV-14", "the largest content length there is", &reseal(&parts, &inner_of(&content, u64::MAX, 64)), "Padding"),
        open_vector("content-other-than-committed", "ENV-11", "another content than the header commits to", &reseal(&parts, &inner_of(&content_of("text/plain", b"a resort"), length, 64)), "ContentCommitment"),
        open_vector("content-under-another-salt", "ENV-11", "the same content under another salt", &reseal(&parts, &inner_of(&content, length, 64)), "ContentCommitment"),
    ]
}

/// The small report's envelope with this content sealed and committed to in its place, for the
/// police alone to open.
fn committed(content: &[u8]) -> v1::Envelope {
    committed_in(Parts::small(), content)
}

/// As [`committed`], for an envelope of these parts.
pub(crate) fn committed_in(parts: Parts, content: &[u8]) -> v1::Envelope {
    const CONTENT_KEY: [u8; 32] = [4; 32];
    let exponent = (40 + content.len()).ilog2();
    let padded = (40 + content.len()).next_multiple_of(1 << (exponent - exponent.ilog2() - 1));
    let body_len = 56 + padded as u64 + 16;
    let commitment = label::hmac_sha256(&[9; 32], &[label::CONTENT, content]);
    let mut parts = parts.with_core(|core| {
        core.content_commitment = Bytes::copy_from_slice(&commitment);
        core.size_class = 64 - (body_len - 1).leading_zeros();
    });
    let core = parts.core.encode_to_vec();
    let inner = inner_of(content, content.len() as u64, padded);
    parts.body = seal_inner(&CONTENT_KEY, &core, &[6; 24], &inner).into();
    parts.wraps[0].wrap = wrap_for_police(&core, &CONTENT_KEY);
    parts.rehash().envelope()
}

#[rustfmt::skip] // A table: one row a vector.
fn contents() -> Vec<Vector> {
    vec![
        open_vector("content-committed", "ENV-11", "a content made by hand opens", &committed(&content_of("text/plain", b"by hand")), "ok"),
        open_vector("content-empty", "ENV-27", "no content type and no data", &committed(b""), "Content"),
        open_vector("content-is-no-message", "ENV-27", "a content that does not decode", &committed(b"\x0a\x30abcdefghijkl"), "Content"),
        open_vector("content-type-not-ascii", "ENV-27", "a content type with an umlaut", &committed(&content_of("tëxt/plain", b"x")), "Content"),
        open_vector("content-type-with-a-newline", "ENV-27", "a content type with a newline", &committed(&content_of("text/\nplain", b"x")), "Content"),
    ]
}
