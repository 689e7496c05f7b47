//! Attachments: what a manifest lists, what a content says of it, and chunks on their way.

use bytes::Bytes;
use frex_proto::{label, log, v1};
use prost::Message;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{
    Vector,
    fixtures::{NOW_MS, Parts, identity, open_vector},
    opening::committed_in,
};

const MIB: usize = 1024 * 1024;
const KEY: [u8; 32] = [8; 32];
/// Sealed length of the shortest files.
const SHORT: u64 = 4096 + 16;

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = lists();
    vectors.extend(contents());
    vectors.extend(openings());
    vectors.extend(transfers());
    vectors
}

/// The padded slices of a file, sealed by hand. Spec: ATT-4, ATT-5.
pub(crate) fn seal_by_hand(key: &[u8], padded: &[u8]) -> Vec<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"));
    let count = padded.len().div_ceil(MIB);
    let slices = (0_u8..).zip(padded.chunks(MIB));
    let seal = |(number, slice): (u8, &[u8])| {
        let mut nonce = [0; 12];
        nonce[0] = u8::from(usize::from(number) + 1 == count);
        nonce[11] = number;
        let mut chunk = slice.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut chunk,
        )
        .expect("a short chunk");
        chunk
    };
    slices.map(seal).collect()
}

fn entry(root: &[u8], bytes: u64) -> v1::Attachment {
    v1::Attachment {
        root: Bytes::copy_from_slice(root),
        bytes,
    }
}

fn listing(list: Vec<v1::Attachment>) -> v1::Envelope {
    let parts = Parts::small().with(|parts| parts.manifest.attachments = list);
    parts.envelope()
}

#[rustfmt::skip] // A table: one row a vector.
fn lists() -> Vec<Vector> {
    let vector = |name: &str, spec: &str, what: &str, list: Vec<v1::Attachment>, expect: &str| {
        Vector::new("attachment", name, spec, what, "verify_envelope")
            .hexes("sender_keys", [identity().verifying_key().as_bytes()])
            .set("now_ms", NOW_MS)
            .hex("envelope", listing(list).encode_to_vec())
            .expect(expect)
    };
    let many = |count: u8, bytes| (0..count).map(|number| entry(&[number; 32], bytes)).collect::<Vec<_>>();
    let largest = 8192 * (MIB as u64 + 16);
    let one = |bytes| many(1, bytes);
    vec![
        vector("sixteen", "LIM-70", "as many as there may be", many(16, SHORT), "ok"),
        vector("seventeen", "LIM-70", "one more", many(17, SHORT), "TooLarge"),
        vector("largest", "LIM-71", "the largest there may be", one(largest), "ok"),
        vector("larger-than-the-largest", "LIM-71", "a byte more", one(largest + 1), "TooLarge"),
        vector("together-too-large", "LIM-72", "five of the largest", many(5, largest), "TooLarge"),
        vector("four-of-the-largest", "LIM-72", "as much as there may be together", many(4, largest), "ok"),
        vector("bytes-of-nothing", "ATT-3", "no bytes at all", one(0), "AttachmentSize"),
        vector("bytes-below-the-shortest", "ATT-3", "less than the shortest file has", one(SHORT - 1), "AttachmentSize"),
        vector("bytes-not-padded", "ATT-3", "a length that no padding gives", one(SHORT + 1), "AttachmentSize"),
        vector("bytes-of-an-empty-chunk", "ATT-4", "a last chunk of a tag alone", one(MIB as u64 + 32), "AttachmentSize"),
        vector("root-31-bytes", "ATT-1", "a root that is too short", vec![entry(&[1; 31], SHORT)], "Malformed"),
        vector("listed-twice", "ATT-1", "the same root twice", vec![entry(&[1; 32], SHORT); 2], "AttachmentTwice"),
    ]
}

fn file() -> v1::AttachedFile {
    v1::AttachedFile {
        name: "minutes 3.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: 4096,
        sha256: vec![1; 32].into(),
        key: vec![2; 32].into(),
    }
}

#[rustfmt::skip] // A table: one row a vector.
fn contents() -> Vec<Vector> {
    let envelope = |files: Vec<v1::AttachedFile>| {
        let content = v1::Content { content_type: "text/plain".to_owned(), data: Bytes::from_static(b"words"), attachments: files };
        let parts = Parts::small().with(|parts| parts.manifest.attachments = vec![entry(&[1; 32], SHORT)]);
        committed_in(parts, &content.encode_to_vec())
    };
    let vector = |name: &str, what: &str, change: &dyn Fn(&mut v1::AttachedFile), expect: &str| {
        let mut file = file();
        change(&mut file);
        let mut vector = open_vector(name, "ATT-7", what, &envelope(vec![file]), expect);
        vector.chapter = "attachment";
        vector
    };
    let named = |name: &str, what: &str, file: &str, expect: &str| vector(name, what, &|entry| file.clone_into(&mut entry.name), expect);
    let mut vectors = vec![
        vector("content", "a content that describes what is listed", &|_| {}, "ok"),
        vector("content-of-another-length", "a length that gives other bytes than are listed", &|file| file.bytes = 4097, "Content"),
        vector("content-of-no-length", "an empty file", &|file| file.bytes = 0, "Content"),
        vector("content-of-the-greatest-length", "the greatest length there is", &|file| file.bytes = u64::MAX, "Content"),
        vector("content-hash-31-bytes", "a hash that is too short", &|file| file.sha256.truncate(31), "Content"),
        vector("content-key-missing", "no key", &|file| file.key.clear(), "Content"),
        vector("content-media-type-missing", "no media type", &|file| file.media_type.clear(), "Content"),
        named("name-in-other-letters", "letters beyond ASCII are fine", "Ĝisdata ŝarĝo.tar.gz", "ok"),
        named("name-missing", "no name", "", "Content"),
        named("name-129-bytes", "a name over the limit", &"n".repeat(129), "Content"),
        named("name-with-a-folder", "a name with a slash", "../x", "Content"),
        named("name-with-a-backslash", "a name with a backslash", "a\\b", "Content"),
        named("name-hidden", "a name that begins with a full stop", ".profile", "Content"),
        named("name-like-an-option", "a name that begins with a hyphen", "-rf", "Content"),
        named("name-ending-in-a-space", "a name that ends with a space", "x.pdf ", "Content"),
        named("name-with-a-newline", "a control character", "a\nb", "Content"),
        named("name-turned-round", "a mark that turns the writing round", "a\u{202e}fdp.exe", "Content"),
    ];
    for (name, what, files) in [
        ("content-without-what-is-listed", "nothing said of what is listed", vec![]),
        ("content-with-more-than-is-listed", "more said than is listed", vec![file(), file()]),
    ] {
        let mut vector = open_vector(name, "ATT-7", what, &envelope(files), "Content");
        vector.chapter = "attachment";
        vectors.push(vector);
    }
    vectors
}

/// Opens what follows from sealing `length` bytes of one value, after a change.
fn filled(name: &str, spec: &str, what: &str, length: usize, change: &str, expect: &str) -> Vector {
    Vector::new("attachment", name, spec, what, "open_attachment")
        .hex("key", KEY)
        .set("length", length)
        .set("fill", 7)
        .set("change", change)
        .hex("sha256", label::sha256(&[&vec![7; length]]))
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn openings() -> Vec<Vector> {
    const TWO: usize = 2 * MIB;
    vec![
        filled("open-one-byte", "ATT-3", "the shortest file", 1, "nothing", "ok"),
        filled("open-one-chunk-but-one", "ATT-4", "a byte less than a chunk", MIB - 1, "nothing", "ok"),
        filled("open-one-chunk", "ATT-4", "exactly a chunk", MIB, "nothing", "ok"),
        filled("open-one-chunk-and-one", "ATT-4", "a byte more than a chunk", MIB + 1, "nothing", "ok"),
        filled("open-three-chunks", "ATT-5", "three chunks", 3 * MIB, "nothing", "ok"),
        filled("open-bit-flipped", "ATT-5", "a bit of the first chunk changed", TWO, "flip", "OpenError"),
        filled("open-exchanged", "ATT-5", "two chunks exchanged", TWO, "exchange", "OpenError"),
        filled("open-repeated", "ATT-5", "the first chunk in place of the second, too", TWO, "repeat", "OpenError"),
        filled("open-cut-off", "ATT-8", "the last chunk is missing", TWO, "drop", "OpenError"),
        filled("open-cut-short", "ATT-8", "the last chunk is a byte shorter", TWO, "shorten", "OpenError"),
        filled("open-extended", "ATT-8", "a chunk too many", TWO, "append", "OpenError"),
        filled("open-padding-not-zero", "ATT-8", "a padding byte of 1", 5000, "dirty", "OpenError"),
        filled("open-under-another-key", "ATT-2", "sealed under another key", 5000, "rekey", "OpenError"),
        filled("open-another-file", "ATT-8", "not the file of the hash", 5000, "refill", "OpenError"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn transfers() -> Vec<Vector> {
    let chunks: Vec<Vec<u8>> = vec![vec![1; MIB + 16], vec![2; MIB + 16], vec![3; MIB + 16]];
    let hashes: Vec<[u8; 32]> = chunks.iter().map(|chunk| log::leaf_hash(chunk)).collect();
    let root = log::node_hash(&log::node_hash(&hashes[0], &hashes[1]), &hashes[2]);
    let bytes = 3 * (MIB as u64 + 16);
    let on_list = |name: &str, what: &str, list: &[[u8; 32]], expect: &str| {
        Vector::new("attachment", name, "ATT-9", what, "check_hashes")
            .hex("root", root).set("bytes", bytes).hex("hashes", list.concat()).expect(expect)
    };
    let mut half = on_list("hashes-half-a-hash", "a list that ends in a hash's middle", &hashes, "HashCount");
    for (field, value) in &mut half.fields {
        if *field == "hashes" { *value = hex::encode(&hashes.concat()[..90]).into(); }
    }
    let short = vec![9; 4112];
    let chunk = |name: &str, what: &str, frame: &[u8], expect: &str| {
        Vector::new("attachment", name, "ATT-10", what, "check_chunk")
            .hex("root", log::leaf_hash(&short)).set("bytes", SHORT).hex("hashes", log::leaf_hash(&short))
            .hex("frame", frame).expect(expect)
    };
    let frame = |number: u32, bytes: &[u8]| [&number.to_be_bytes()[..], bytes].concat();
    let held = |name: &str, what: &str, bits: &[u8], expect: &str| {
        Vector::new("attachment", name, "ATT-11", what, "read_held")
            .set("bytes", 9 * (MIB as u64 + 16)).hex("held", bits).expect(expect)
    };
    let mut damaged = short.clone();
    damaged[100] ^= 4;
    vec![
        on_list("hashes", "the hashes of three chunks", &hashes, "ok"),
        on_list("hashes-missing", "a hash too few", &hashes[..2], "HashCount"),
        on_list("hashes-too-many", "a hash too many", &[&hashes[..], &hashes[..1]].concat(), "HashCount"),
        half,
        on_list("hashes-exchanged", "hashes in another order", &[hashes[1], hashes[0], hashes[2]], "Root"),
        on_list("hashes-of-another", "a hash of something else", &[hashes[0], hashes[1], [5; 32]], "Root"),
        chunk("chunk", "a chunk at its place", &frame(0, &short), "ok"),
        chunk("chunk-flipped", "a bit changed on its way", &frame(0, &damaged), "Chunk"),
        chunk("chunk-cut", "a chunk that is too short", &frame(0, &short[1..]), "Chunk"),
        chunk("chunk-beyond-the-end", "a number that no chunk has", &frame(1, &short), "Number"),
        chunk("chunk-without-a-number", "three bytes alone", &[0; 3], "Number"),
        held("held", "the first and the ninth", &[1, 1], "ok"),
        held("held-nothing", "no bits at all", &[], "ok"),
        held("held-too-short", "a bit for eight chunks of nine", &[255], "Held"),
        held("held-too-long", "bits for more chunks than there are", &[0, 0, 0], "Held"),
        held("held-beyond-the-end", "a bit behind the last chunk's", &[0, 2], "Held"),
    ]
}
