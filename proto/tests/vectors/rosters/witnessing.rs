//! Whose cosignatures count, and what they make of a checkpoint.

use frex_proto::log::{Checkpoint, SignedNote, checkpoint, cosignature, leaf_hash, origin};

use super::*;
use crate::fixtures::CLEARING;

pub(super) const TIME_S: u64 = NOW_MS / 1000;
pub(super) const A: &str = "node.example-a";
pub(super) const B: &str = "node.example-b";
pub(super) const C: &str = "node.example-c";

/// A roster in which two of three nodes must cosign, and its pin.
pub(crate) fn two_of_three() -> (Vec<u8>, [u8; 32]) {
    let parts = three(&[A, B, C], 2);
    (parts.bundle().to_vec(), parts.pinned())
}

/// The same, under the same pin; A's first log has ended so, and another goes on.
pub(crate) fn two_of_three_anew(ended: v1::EndedLog) -> Vec<u8> {
    let parts = three(&[A, B, C], 2).with(&|parts| {
        let node = &mut parts.roster.nodes[0];
        (node.log_epoch, node.ended_logs) = (2, vec![ended]);
    });
    parts.bundle().to_vec()
}

pub(super) fn make() -> Vec<Vector> {
    let mut vectors = listed_witnesses();
    vectors.extend(cosigned());
    vectors.extend(refused());
    vectors
}

fn witnessing(nodes: &[&str], quorum: u32) -> Option<v1::Witnessing> {
    let nodes = nodes.iter().map(|id| (*id).to_owned()).collect();
    Some(v1::Witnessing { nodes, quorum })
}

/// Three nodes, each with a witness key: that of A is 54, of B 64, of C 74.
pub(super) fn three(nodes: &[&str], quorum: u32) -> Parts {
    let mut parts = Parts::new();
    let card = card(CLEARING, C, 70);
    build::list_card(&mut parts.roster, &card);
    let signed = v1::Signed::decode(card.member_doc).expect("own output");
    let doc = v1::MemberDoc::decode(signed.payload).expect("own output");
    parts.docs.push((doc, 70));
    for (node, number) in parts.roster.nodes.iter_mut().zip([54, 64, 74]) {
        node.witness_key = Some(listed(number));
    }
    parts.roster.witnessing = witnessing(nodes, quorum);
    parts
}

#[rustfmt::skip] // A table: one row a vector.
fn listed_witnesses() -> Vec<Vector> {
    let row = |name: &str, what: &str, nodes: &[&str], quorum: u32, expect: &str| {
        three(nodes, quorum).vector(name, "ROS-52", what, expect)
    };
    let keyless = three(&[A, B], 1).with(&|parts| parts.roster.nodes[1].witness_key = None);
    vec![
        row("witnessing", "two of three must cosign", &[A, B, C], 2, "ok"),
        row("witnessing-by-two", "one of two must cosign", &[A, B], 1, "ok"),
        keyless.vector("witnessing-without-a-key", "ROS-52", "a witness that has no witness key", "BadWitnessing"),
        row("witnessing-by-nobody", "no witness", &[], 0, "BadWitnessing"),
        row("witnessing-by-one", "one witness, whose own log has none", &[A], 1, "BadWitnessing"),
        row("witnessing-quorum-0", "a quorum that any checkpoint meets", &[A, B, C], 0, "BadWitnessing"),
        row("witnessing-quorum-of-all", "a quorum that the log of a witness never meets", &[A, B, C], 3, "BadWitnessing"),
        row("witnessing-quorum-above-all", "a quorum that no log ever meets", &[A, B, C], u32::MAX, "BadWitnessing"),
        row("witnessing-twice", "one witness twice", &[A, B, A], 1, "BadWitnessing"),
        row("witnessing-by-a-stranger", "a witness that is not listed", &[A, "node.example-z"], 1, "BadWitnessing"),
        row("witnessing-by-a-member", "a member's id in place of a node's", &[A, POLICE], 1, "BadWitnessing"),
        three(&vec![A; 33], 1).vector("witnessing-by-33", "LIM-81", "more names than a roster may have", "BadWitnessing"),
    ]
}

/// The newest head of A's log, cosigned by nodes with these witness keys, in this order.
fn note(witnesses: &[(&str, u8)]) -> String {
    let head = Checkpoint {
        origin: origin(FEDERATION, A, 1),
        size: 1,
        root: leaf_hash(b"the only leaf"),
    };
    let signed = checkpoint::sign(&head, &key(51)).expect("a head");
    let cosigned = witnesses.iter().fold(signed, |note, (node, number)| {
        let name = format!("frex/{FEDERATION}/{node}/witness/1");
        cosignature::cosign(&note, &name, &key(*number), TIME_S).expect("a checkpoint")
    });
    String::from_utf8(cosigned.to_vec()).expect("text")
}

pub(super) fn judged(
    name: &str,
    spec: &str,
    what: &str,
    by: &Parts,
    note: &str,
    expect: &str,
) -> Vector {
    Vector::new("witness", name, spec, what, "judge_witnessed")
        .set("federation", FEDERATION)
        .hex("root_sha256", by.pinned())
        .set("now_ms", NOW_MS)
        .hex("bundle", by.bundle())
        .set("node", A)
        .set("checkpoint", note)
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn cosigned() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, quorum: u32, witnesses: &[(&str, u8)]| {
        judged(name, spec, what, &three(&[A, B, C], quorum), &note(witnesses), "ok")
    };
    let suspended = three(&[A, B, C], 2).with(&|parts| parts.roster.nodes[1].status = v1::Status::Suspended.into());
    let none = three(&[A, B, C], 2).with(&|parts| parts.roster.witnessing = None);
    vec![
        row("witnessed", "WIT-2", "two have cosigned where two must", 2, &[(B, 64), (C, 74)]),
        row("witnessed-in-another-order", "WIT-2", "in whatever order", 2, &[(C, 74), (B, 64)]),
        row("witnessed-by-more", "WIT-2", "two have cosigned where one must", 1, &[(B, 64), (C, 74)]),
        row("witnessed-by-one", "WIT-2", "one has cosigned where two must", 2, &[(C, 74)]),
        row("witnessed-by-nobody", "WIT-2", "nobody has cosigned", 1, &[]),
        row("witnessed-by-itself", "WIT-1", "the log's own node is no witness of it", 2, &[(A, 54), (B, 64)]),
        row("witnessed-by-strangers", "WIT-1", "lines of others are ignored", 2, &[("node.example-z", 90), (B, 64), ("node.example-y", 91)]),
        row("witnessed-by-another-key", "WIT-1", "another key under a witness's name", 2, &[(C, 90), (B, 64)]),
        row("witnessed-by-a-log-key", "WIT-1", "a witness's log key in place of its witness key", 2, &[(C, 71), (B, 64)]),
        judged("witnessed-by-a-suspended", "WIT-1", "one of the two is suspended now", &suspended, &note(&[(B, 64), (C, 74)]), "ok"),
        judged("witnessed-here-by-nobody", "WIT-2", "a roster that names no witnesses", &none, &note(&[(B, 64), (C, 74)]), "ok"),
        judged("witnessed-by-who-is-not-listed-for-it", "WIT-1", "C has a witness key and is not among the witnesses", &three(&[A, B], 1), &note(&[(C, 74)]), "ok"),
    ]
}

/// The note with one bit of the signature in this line changed.
fn flipped(note: &str, line: usize, byte: usize) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let blob = note.lines().nth(line).expect("a line").rsplit(' ').next();
    let blob = blob.expect("a blob");
    let mut bytes = base64.decode(blob).expect("base64");
    bytes[byte] ^= 1;
    note.replace(blob, &base64.encode(bytes))
}

#[rustfmt::skip] // A table: one row a vector.
fn refused() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, note: &str, expect: &str| {
        judged(name, spec, what, &three(&[A, B, C], 1), note, expect)
    };
    let good = note(&[(B, 64), (C, 74)]);
    let line = good.lines().last().expect("a line").to_owned() + "\n";
    let own = good.lines().nth(4).expect("a line").to_owned() + "\n";
    let name = format!("frex/{FEDERATION}/{C}/witness/1");
    let plain = SignedNote::sign("x\n", &name, &key(74)).expect("a text").to_string();
    let plain = plain.lines().last().expect("a line").to_owned() + "\n";
    vec![
        row("witnessed-wrongly", "WIT-1", "one of two cosignatures does not verify", &flipped(&good, 6, 40), "BadSignature"),
        row("witnessed-at-another-time", "LOG-10", "another time before the signature", &flipped(&good, 5, 11), "BadSignature"),
        row("witnessed-twice", "WIT-1", "one witness twice", &format!("{good}{line}"), "Repeated"),
        row("witnessed-without-the-log", "LOG-9", "cosignatures and no signature of the log", &good.replace(&own, ""), "Checkpoint(Note(Unsigned))"),
        row("witnessed-of-another-size", "LOG-9", "another size under all signatures", &good.replace("\n1\n", "\n2\n"), "Checkpoint(Note(BadSignature))"),
        row("witnessed-of-another-log", "LOG-4", "the checkpoint of another node's log", &good.replace("\u{2014} ", "- ").replace(A, B).replace("- ", "\u{2014} "), "Checkpoint(Origin)"),
        judged("witnessed-as-a-note", "LOG-10", "a plain signature by a witness key is none of a witness", &three(&[A, B, C], 2), &good.replace(&line, &plain), "ok"),
    ]
}
