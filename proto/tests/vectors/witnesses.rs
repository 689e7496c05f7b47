//! What a log asks of a witness.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use frex_proto::{
    keys::SigningKey,
    log::{
        AddCheckpoint, Checkpoint, Frontier, Hash, ProofError, Subtree, batch_append, checkpoint,
        consistency_proof, leaf_hash, origin,
    },
};

use crate::{
    Vector,
    fixtures::{FEDERATION, stranger},
    notes::{log_key, log_origin, vkey},
};

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = forms();
    vectors.extend(judged());
    vectors.extend(checkpoints());
    vectors.extend(forks());
    vectors
}

/// A log that has `size` leaves, the first of them `first`.
fn tree(first: u8, size: u64) -> (Hash, Vec<Subtree>) {
    let leaves: Vec<Hash> = (0..size)
        .map(|index| leaf_hash(&[u8::try_from(index).expect("small").max(first); 48]))
        .collect();
    let grown = batch_append(&Frontier::new(), &leaves);
    (grown.root, grown.completed)
}

fn head(first: u8, size: u64) -> Checkpoint {
    Checkpoint {
        origin: log_origin(),
        size,
        root: tree(first, size).0,
    }
}

fn signed(head: &Checkpoint, key: &SigningKey) -> Vec<u8> {
    checkpoint::sign(head, key).expect("a head").to_vec()
}

fn proof(first: u8, old: u64, new: u64) -> Vec<Hash> {
    let completed = tree(first, new).1;
    let find = |level, index| -> Result<Hash, ProofError> {
        let here = |one: &&Subtree| (one.level, one.index) == (level, index);
        Ok(completed.iter().find(here).expect("complete").hash)
    };
    consistency_proof(old, new, find).expect("it grew")
}

/// From 6 leaves to 11.
fn grown() -> AddCheckpoint {
    AddCheckpoint {
        old_size: 6,
        proof: proof(0, 6, 11),
        checkpoint: signed(&head(0, 11), &log_key()).into(),
    }
}

/// Asked of a witness that holds so many leaves of the log that `first` begins.
fn asked(
    name: &str,
    spec: &str,
    what: &str,
    held: u64,
    body: impl AsRef<[u8]>,
    expect: &str,
) -> Vector {
    Vector::new("witness", name, spec, what, "ask_witness")
        .set("vkey", vkey())
        .set("held_size", held)
        .hex("held_root", tree(0, held).0)
        .hex("body", body)
        .expect(expect)
}

fn with(change: impl FnOnce(&mut AddCheckpoint)) -> Bytes {
    let mut asked = grown();
    change(&mut asked);
    asked.to_body()
}

#[rustfmt::skip] // A table: one row a vector.
fn forms() -> Vec<Vector> {
    let good = String::from_utf8(grown().to_body().to_vec()).expect("text");
    let hash = STANDARD.encode(grown().proof[0]);
    let row = |name: &str, spec: &str, what: &str, body: &str, expect: &str| asked(name, spec, what, 6, body, expect);
    let lines = |count: usize| good.replacen(&hash, &vec![hash.as_str(); count].join("\n"), 1);
    let large = format!("{good}{}", "x".repeat(16_385 - good.len()));
    vec![
        row("asked-empty", "WIT-3", "no bytes", "", "Shape"),
        row("asked-without-an-old-size", "WIT-3", "no first line", good.split_once('\n').expect("lines").1, "Shape"),
        row("asked-old-leading-zero", "WIT-3", "an old size of 06", &good.replace("old 6", "old 06"), "Shape"),
        row("asked-old-with-a-sign", "WIT-3", "an old size of +6", &good.replace("old 6", "old +6"), "Shape"),
        row("asked-old-empty", "WIT-3", "no number", &good.replace("old 6", "old "), "Shape"),
        row("asked-old-two-spaces", "WIT-3", "two spaces", &good.replace("old 6", "old  6"), "Shape"),
        row("asked-old-in-capitals", "WIT-3", "another word", &good.replace("old 6", "OLD 6"), "Shape"),
        row("asked-old-over-the-limit", "LOG-16", "an old size of 2^63", &good.replace("old 6", "old 9223372036854775808"), "Shape"),
        row("asked-hash-31-bytes", "WIT-3", "a hash cut short", &good.replace(&hash, &STANDARD.encode([7; 31])), "Shape"),
        row("asked-hash-without-padding", "WIT-3", "base64 without its padding", &good.replace(&hash, hash.trim_end_matches('=')), "Shape"),
        row("asked-with-carriage-returns", "WIT-3", "lines that end as on another system", &good.replace('\n', "\r\n"), "Shape"),
        row("asked-without-an-empty-line", "WIT-3", "nothing divides", &good.replace("\n\n", "\n"), "Shape"),
        row("asked-proof-alone", "WIT-3", "no checkpoint and no empty line", good.split_once("\n\n").expect("two parts").0, "Shape"),
        asked("asked-not-text", "WIT-3", "bytes that are not UTF-8", 6, [good.as_bytes(), b"\xff"].concat(), "Shape"),
        row("asked-64-hashes", "LIM-21", "a proof of more hashes than any has", &lines(64), "TooLong"),
        row("asked-over-the-limit", "LIM-83", "a body of 16385 bytes", &large, "TooLarge"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn judged() -> Vec<Vector> {
    let body = |old: u64, first: u8, new: u64| {
        let proof = if old == 0 || old >= new { Vec::new() } else { proof(first, old, new) };
        let checkpoint = signed(&head(first, new), &log_key()).into();
        AddCheckpoint { old_size: old, proof, checkpoint }.to_body()
    };
    let good = grown().to_body();
    let row = |name: &str, what: &str, held: u64, body: &Bytes, expect: &str| {
        let spec = match expect { "Held" => "WIT-6", "Forked" => "WIT-10", _ => "WIT-4" };
        asked(name, spec, what, held, body, expect)
    };
    vec![
        row("asked", "from 6 leaves to 11", 6, &good, "ok"),
        row("asked-first", "a witness that holds nothing", 0, &body(0, 0, 11), "ok"),
        row("asked-again", "what the witness holds, for another cosignature", 11, &body(11, 0, 11), "ok"),
        row("asked-empty-log", "the checkpoint of a log without entries", 0, &body(0, 0, 0), "ok"),
        row("asked-after-more", "the witness holds more than the log believes", 8, &good, "Held"),
        row("asked-after-nothing", "the witness holds nothing", 0, &good, "Held"),
        row("asked-from-nothing", "as if the witness held nothing", 6, &body(0, 0, 11), "Held"),
        row("asked-late", "one that was overtaken", 11, &body(0, 0, 6), "Held"),
        row("asked-forked", "the size that is held, and another root", 11, &body(11, 1, 11), "Forked"),
        row("asked-forked-from-nothing", "the same, whatever the old size says", 11, &body(0, 1, 11), "Forked"),
        row("asked-other-history", "a log with another first leaf, and its own proof", 6, &body(6, 1, 11), "Proof(OldRootMismatch)"),
        row("asked-shrunk", "a smaller size than that held", 11, &body(11, 0, 6), "Proof(Shrunk)"),
        row("asked-without-a-proof", "no hashes", 6, &with(|asked| asked.proof.clear()), "Proof(WrongLength)"),
        row("asked-one-hash-more", "a hash too many", 6, &with(|asked| asked.proof.push([1; 32])), "Proof(WrongLength)"),
        row("asked-first-with-a-proof", "a proof from nothing", 0, &with(|asked| asked.old_size = 0), "Proof(WrongLength)"),
        row("asked-hash-changed", "one bit of a hash changed", 6, &with(|asked| asked.proof[0][0] ^= 1), "Proof(OldRootMismatch)"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn checkpoints() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, checkpoint: Vec<u8>, expect: &str| {
        asked(name, spec, what, 6, with(|asked| asked.checkpoint = checkpoint.into()), &format!("Checkpoint({expect})"))
    };
    let other = Checkpoint { origin: origin(FEDERATION, "node.example-b", 1), ..head(0, 11) };
    let next = Checkpoint { origin: origin(FEDERATION, "node.example-a", 2), ..head(0, 11) };
    let good = String::from_utf8(signed(&head(0, 11), &log_key())).expect("text");
    vec![
        row("asked-of-another-log", "WIT-4", "the checkpoint of another node's log", signed(&other, &log_key()), "Origin"),
        row("asked-of-another-epoch", "WIT-4", "the checkpoint of another log of the node", signed(&next, &log_key()), "Origin"),
        row("asked-by-another-key", "WIT-4", "another key under the log's name", signed(&head(0, 11), &stranger()), "Note(Unsigned)"),
        row("asked-text-changed", "WIT-4", "another size under the signature", good.replace("\n11\n", "\n12\n").into(), "Note(BadSignature)"),
        row("asked-without-a-checkpoint", "WIT-4", "nothing behind the empty line", Vec::new(), "Note(Shape)"),
        row("asked-unsigned", "WIT-4", "a checkpoint's text alone", head(0, 11).text().into(), "Note(Shape)"),
    ]
}

/// Said to prove that the log has signed two histories, when its key ends at 1,000.
fn fork(name: &str, spec: &str, what: &str, at_ms: u64, pair: &[Vec<u8>], expect: &str) -> Vector {
    Vector::new("witness", name, spec, what, "judge_fork")
        .set("vkey", vkey())
        .set("end_ms", 1000)
        .set("at_ms", at_ms)
        .hexes("checkpoints", pair)
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn forks() -> Vec<Vector> {
    let one = signed(&head(0, 11), &log_key());
    let other = signed(&head(1, 11), &log_key());
    let row = |name: &str, spec: &str, what: &str, pair: &[Vec<u8>], expect: &str| fork(name, spec, what, 999, pair, expect);
    let next = Checkpoint { origin: origin(FEDERATION, "node.example-a", 2), ..head(1, 11) };
    let text = String::from_utf8(other.clone()).expect("text");
    let large = [&one[..], &vec![b'x'; 4097 - one.len()]].concat();
    vec![
        row("fork", "WIT-17", "one size, two roots", &[one.clone(), other.clone()], "ok"),
        row("fork-the-other-way-round", "WIT-17", "the same in another order", &[other.clone(), one.clone()], "ok"),
        row("fork-of-nothing", "WIT-17", "no checkpoint", &[], "Shape"),
        row("fork-of-one", "WIT-17", "one checkpoint", std::slice::from_ref(&one), "Shape"),
        row("fork-of-three", "WIT-17", "three checkpoints", &[one.clone(), other.clone(), one.clone()], "Shape"),
        row("fork-too-large", "LIM-82", "a checkpoint of 4097 bytes", &[large, other.clone()], "TooLarge"),
        row("fork-of-one-root", "WIT-17", "the same checkpoint twice", &[one.clone(), one.clone()], "SameRoot"),
        row("fork-of-two-sizes", "WIT-17", "one log that grew", &[signed(&head(0, 6), &log_key()), one.clone()], "Sizes"),
        row("fork-of-two-logs", "WIT-17", "two logs of one node", &[one.clone(), signed(&next, &log_key())], "Checkpoint(Origin)"),
        row("fork-by-a-stranger", "WIT-17", "one of them signed by another key", &[one.clone(), signed(&head(1, 11), &stranger())], "Checkpoint(Note(Unsigned))"),
        row("fork-changed", "WIT-17", "another size under the signature", &[one.clone(), text.replace("\n11\n", "\n12\n").into()], "Checkpoint(Note(BadSignature))"),
        fork("fork-by-an-ended-key", "LOG-23", "the key has ended: whoever stole it may have signed", 1000, &[one, other], "Checkpoint(KeyEnded)"),
    ]
}
