//! Keys with companions in root, roster and documents.

use super::{succession::Pair, *};

/// From this number on a key has a companion.
pub(super) const FIRST: u8 = 200;

pub(super) fn make() -> Vec<Vector> {
    let mut vectors = signed_objects();
    vectors.extend(entries());
    vectors.extend(successors());
    vectors
}

/// The first member, one root key and one roster key have companions, and all of them sign.
fn paired() -> Parts {
    let mut parts = Parts::new();
    parts.root.root_keys[2] = listed(201);
    parts.root.roster_keys[2] = listed(202);
    parts.root_signers = vec![1, 201];
    parts.roster_signers = vec![4, 202];
    parts.roster.members[0].identity_keys = vec![listed(200)];
    parts.docs[0].1 = 200;
    parts.fresh(&|_| (), 202)
}

#[rustfmt::skip] // A table: one row a vector.
fn signed_objects() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str| {
        paired().with(change).vector(name, spec, what, expect)
    };
    let strip = |name: &str, what: &str, kind: &'static str| {
        row(name, "SIG-21", what, &|p| p.stripped = Some(kind), "HalfSigned")
    };
    vec![
        row("companions", "ROS-50", "keys with companions sign root, roster, document and freshness", &|_| (), "ok"),
        strip("companion-stripped-from-the-root", "a root whose companion's signature was taken away", label::TYPE_ROOT),
        strip("companion-stripped-from-the-roster", "a roster whose companion's signature was taken away", label::TYPE_ROSTER),
        strip("companion-stripped-from-a-doc", "a document whose companion's signature was taken away", label::TYPE_MEMBER_DOC),
        strip("companion-stripped-from-freshness", "a freshness statement whose companion's signature was taken away", label::TYPE_FRESHNESS),
        row("companion-counts-once", "ROS-3", "a roster key and its companion where two must agree", &|p| p.roster_signers = vec![202], "TooFewSignatures"),
        row("companion-of-another-signs", "SIG-21", "a document signed by the listed key and another's companion", &|p| p.roster.members[0].identity_keys[0].ml_dsa_65 = listed(203).ml_dsa_65, "HalfSigned"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn entries() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str| {
        paired().with(&|p| p.freshness = None).with(change).vector(name, spec, what, expect)
    };
    let companion = || listed(204).ml_dsa_65;
    vec![
        row("companion-cut-short", "KEY-30", "a companion of 1951 bytes", &|p| p.roster.members[0].identity_keys[0].ml_dsa_65.truncate(1951), "Key(Length)"),
        row("companion-twice", "ROS-7", "one companion of two keys", &|p| p.roster.members[1].identity_keys[0].ml_dsa_65 = listed(200).ml_dsa_65, "KeyReused"),
        row("companion-of-governance", "ROS-7", "a governance key's companion as a member's", &|p| p.roster.members[1].identity_keys[0].ml_dsa_65 = listed(201).ml_dsa_65, "KeyReused"),
        row("companion-with-and-without", "ROS-7", "one key twice, with a companion and without", &|p| { let mut bare = listed(200); bare.ml_dsa_65.clear(); p.roster.members[0].identity_keys.push(bare); }, "KeyReused"),
        row("companion-as-a-key", "ROS-5", "an ML-DSA-65 key where an Ed25519 key is due", &|p| { let key = &mut p.roster.members[0].identity_keys[0]; key.algorithm = 2; key.key = std::mem::take(&mut key.ml_dsa_65); }, "KeyAlgorithm"),
        row("companion-of-a-log-key", "ROS-50", "a log key with a companion", &|p| p.roster.nodes[0].log_key.as_mut().expect("listed").ml_dsa_65 = companion(), "CompanionMisplaced"),
        row("companion-of-a-witness-key", "ROS-50", "a witness key with a companion", &|p| p.roster.nodes[0].witness_key = Some(listed(204)), "CompanionMisplaced"),
        row("companion-of-a-client-key", "ROS-50", "the key of a client's connections with a companion", &|p| p.docs[0].0.client_tls_keys[0].ml_dsa_65 = companion(), "CompanionMisplaced"),
        row("companion-of-a-node-key", "ROS-50", "the key of a node's connections with a companion", &|p| p.docs[0].0.nodes[0].tls_keys[0].ml_dsa_65 = companion(), "CompanionMisplaced"),
        row("companion-of-a-sealing-key", "ROS-50", "a sealing key with a companion", &|p| p.docs[0].0.sealing_keys[0].ml_dsa_65 = companion(), "CompanionMisplaced"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn successors() -> Vec<Vector> {
    let row = |name: &str, what: &str, change: &dyn Fn(&mut Pair), expect: &str| {
        let mut pair = Pair::new();
        change(&mut pair);
        pair.vector(name, "ROS-51", what, expect)
    };
    // The hotline signs with key 200 from the roster held on.
    let held = |pair: &mut Pair| {
        for parts in [&mut pair.held, &mut pair.next] {
            parts.roster.members[0].identity_keys = vec![listed(200)];
            parts.docs[0].1 = 200;
        }
        pair.next.roster.prev_sha256 = Bytes::copy_from_slice(&sha256(&[&pair.held.roster.encode_to_vec()]));
    };
    vec![
        row("companion-kept", "the same companion as before", &held, "ok"),
        row("companion-with-a-new-key", "a new key with a companion beside the old one, which ends", &|p| { let keys = &mut p.next.roster.members[0].identity_keys; keys[0].not_after_ms = NOW_MS; keys.push(listed(200)); p.next.docs[0].1 = 200; }, "ok"),
        row("companion-gained", "a key that had none gains a companion", &|p| { p.next.roster.members[0].identity_keys[0].ml_dsa_65 = listed(200).ml_dsa_65; p.next.docs.remove(0); }, "CompanionChanged"),
        row("companion-lost", "a key loses its companion", &|p| { held(p); p.next.roster.members[0].identity_keys[0].ml_dsa_65.clear(); p.next.docs.remove(0); }, "CompanionChanged"),
        row("companion-exchanged", "a key gets another companion", &|p| { held(p); p.next.roster.members[0].identity_keys[0].ml_dsa_65 = listed(203).ml_dsa_65; p.next.docs.remove(0); }, "CompanionChanged"),
        row("companion-gained-under-another-member", "another member takes up the key, with a companion", &|p| { let mut key = listed(50); key.ml_dsa_65 = listed(200).ml_dsa_65; p.next.roster.members[0].identity_keys = vec![listed(70)]; p.next.docs.clear(); p.next.roster.members.push(v1::Member { id: "third.example-c".to_owned(), identity_keys: vec![key], ..p.next.roster.members[0].clone() }); }, "CompanionChanged"),
        row("companion-gained-in-the-root", "a root key that had none gains a companion", &|p| { p.next.root.root_keys[0].ml_dsa_65 = listed(200).ml_dsa_65; p.next.root_signers = vec![2, 7]; p.next.earlier[0].1 = vec![1, 2]; }, "CompanionChanged"),
    ]
}
