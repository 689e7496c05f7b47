//! Log keys and witness keys with companions, and witness keys that were followed by others.

use frex_proto::{
    keys::CompanionKind,
    log::{Checkpoint, checkpoint, cosignature, leaf_hash, origin},
};

use super::{
    succession::Pair,
    witnessing::{A, B, C, TIME_S, judged, three},
    *,
};
use crate::heads::{Line, changed};

pub(super) fn make() -> Vec<Vector> {
    let mut vectors = entries();
    vectors.extend(followed());
    vectors.extend(witnessed());
    vectors.extend(refused());
    vectors
}

/// A key of a log or a witness with its companion.
fn head_key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).with_companion_of(CompanionKind::Heads, &[number; 32])
}

fn paired(number: u8) -> v1::PublicKey {
    build::signing_key(&head_key(number).verifying_key())
}

fn until(key: v1::PublicKey, not_after_ms: u64) -> v1::PublicKey {
    v1::PublicKey {
        not_after_ms,
        ..key
    }
}

#[rustfmt::skip] // A table: one row a vector.
fn entries() -> Vec<Vector> {
    let companion = || paired(90).ml_dsa_44;
    let misplaced = |name: &str, what: &str, change: &dyn Fn(&mut Parts)| {
        row(name, "ROS-62", what, change, "CompanionMisplaced")
    };
    let earlier = |name: &str, spec: &str, what: &str, keys: &[v1::PublicKey], expect: &str| {
        row(name, spec, what, &|p| { let node = &mut p.roster.nodes[0]; node.witness_key = Some(paired(54)); node.earlier_witness_keys = keys.to_vec(); }, expect)
    };
    let weak = { let mut key = vec![0; 32]; key[0] = 1; v1::PublicKey { key: key.into(), ..listed(80) } };
    vec![
        row("head-companions", "ROS-62", "a log key and a witness key with companions", &|p| { let node = &mut p.roster.nodes[0]; node.log_key = Some(paired(51)); node.witness_key = Some(paired(54)); }, "ok"),
        row("head-companion-of-an-earlier-key", "ROS-62", "an earlier log key with a companion", &|p| p.roster.nodes[0].earlier_log_keys = vec![until(paired(80), NOW_MS)], "ok"),
        row("head-companion-cut-short", "KEY-35", "a companion of 1311 bytes", &|p| { let mut key = paired(51); key.ml_dsa_44.truncate(1311); p.roster.nodes[0].log_key = Some(key); }, "Key(Length)"),
        row("head-companion-of-the-other-kind", "KEY-35", "an ML-DSA-65 key where the companion of a log's key is due", &|p| { let mut key = paired(51); key.ml_dsa_44 = listed(204).ml_dsa_65; p.roster.nodes[0].log_key = Some(key); }, "Key(Length)"),
        row("head-companion-of-two-kinds", "ROS-50", "a log key with both kinds of companion", &|p| { let mut key = paired(51); key.ml_dsa_65 = listed(204).ml_dsa_65; p.roster.nodes[0].log_key = Some(key); }, "CompanionMisplaced"),
        row("head-companion-twice", "ROS-7", "one companion of log key and witness key", &|p| { let mut key = listed(54); key.ml_dsa_44 = paired(51).ml_dsa_44; let node = &mut p.roster.nodes[0]; node.log_key = Some(paired(51)); node.witness_key = Some(key); }, "KeyReused"),
        row("head-companion-of-another-node", "ROS-7", "another node's companion", &|p| { let mut key = listed(61); key.ml_dsa_44 = paired(51).ml_dsa_44; p.roster.nodes[0].log_key = Some(paired(51)); p.roster.nodes[1].log_key = Some(key); }, "KeyReused"),
        misplaced("head-companion-of-an-identity-key", "an identity key with the companion of a log's", &|p| p.roster.members[0].identity_keys[0].ml_dsa_44 = companion()),
        misplaced("head-companion-of-a-client-key", "the key of a client's connections with one", &|p| p.docs[0].0.client_tls_keys[0].ml_dsa_44 = companion()),
        misplaced("head-companion-of-a-node-key", "the key of a node's connections with one", &|p| p.docs[0].0.nodes[0].tls_keys[0].ml_dsa_44 = companion()),
        misplaced("head-companion-of-a-sealing-key", "a sealing key with one", &|p| p.docs[0].0.sealing_keys[0].ml_dsa_44 = companion()),
        earlier("witness-key-earlier", "ROS-63", "a witness that has had two keys before, one of them with a companion", &[until(paired(81), NOW_MS), until(listed(80), 1)], "ok"),
        earlier("witness-key-earlier-without-end", "ROS-63", "an earlier key that has no end", &[listed(80)], "EndMissing"),
        earlier("witness-key-earlier-twice", "ROS-7", "one earlier key twice", &[until(listed(80), 1), until(listed(80), 2)], "KeyReused"),
        earlier("witness-key-earlier-in-force", "ROS-7", "the key in force as an earlier one", &[until(listed(54), NOW_MS)], "KeyReused"),
        earlier("witness-key-earlier-of-a-log", "ROS-7", "the log's key as an earlier one", &[until(listed(51), NOW_MS)], "KeyReused"),
        earlier("witness-key-earlier-weak", "ROS-6", "an earlier key of small order", &[until(weak, NOW_MS)], "Key(Weak)"),
        earlier("witness-key-17-earlier", "LIM-11", "17 earlier keys", &(100..117).map(|number| until(listed(number), NOW_MS)).collect::<Vec<_>>(), "TooLarge"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn followed() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, held: &dyn Fn(&mut v1::Node), next: &dyn Fn(&mut v1::Node), expect: &str| {
        let mut pair = Pair::new();
        for parts in [&mut pair.held, &mut pair.next] {
            held(&mut parts.roster.nodes[0]);
        }
        next(&mut pair.next.roster.nodes[0]);
        pair.next.roster.prev_sha256 = Bytes::copy_from_slice(&sha256(&[&pair.held.roster.encode_to_vec()]));
        pair.vector(name, spec, what, expect)
    };
    let plain = |_: &mut v1::Node| ();
    let both = |node: &mut v1::Node| { node.log_key = Some(paired(51)); node.witness_key = Some(paired(54)); };
    let log = |node: &mut v1::Node, key: v1::PublicKey| { let old = node.log_key.replace(key).expect("a log key"); node.earlier_log_keys.insert(0, until(old, NOW_MS)); };
    let witness = |node: &mut v1::Node, key: v1::PublicKey| { let old = node.witness_key.replace(key).expect("a witness key"); node.earlier_witness_keys.insert(0, until(old, NOW_MS)); };
    let bare = |node: &mut v1::Node| node.witness_key = Some(listed(54));
    vec![
        row("head-companions-kept", "ROS-51", "the same companions as before", &both, &plain, "ok"),
        row("head-companion-with-a-new-key", "ROS-51", "a log key with a companion follows one without", &plain, &|n| log(n, paired(80)), "ok"),
        row("head-companion-of-a-new-witness-key", "ROS-51", "a witness key with a companion follows one without", &bare, &|n| witness(n, paired(80)), "ok"),
        row("head-companion-gained", "ROS-51", "a log key that had none gains a companion", &plain, &|n| n.log_key = Some(paired(51)), "CompanionChanged"),
        row("head-companion-lost", "ROS-51", "a log key loses its companion", &both, &|n| n.log_key = Some(listed(51)), "CompanionChanged"),
        row("head-companion-exchanged", "ROS-51", "a log key gets another companion", &both, &|n| n.log_key.as_mut().expect("listed").ml_dsa_44 = paired(80).ml_dsa_44, "CompanionChanged"),
        row("head-companion-lost-as-it-ends", "ROS-51", "a log key that is followed by another and loses its companion", &both, &|n| { log(n, paired(80)); n.earlier_log_keys[0].ml_dsa_44.clear(); }, "CompanionChanged"),
        row("head-companion-gained-by-a-witness", "ROS-51", "a witness key that had none gains a companion", &bare, &|n| n.witness_key = Some(paired(54)), "CompanionChanged"),
        row("head-companion-lost-by-a-witness", "ROS-51", "a witness key loses its companion", &both, &|n| n.witness_key = Some(listed(54)), "CompanionChanged"),
        row("head-companion-lost-by-an-earlier-witness-key", "ROS-51", "a witness key that is followed by another and loses its companion", &both, &|n| { witness(n, paired(80)); n.earlier_witness_keys[0].ml_dsa_44.clear(); }, "CompanionChanged"),
        row("witness-key-earlier-gone", "ROS-63", "what an earlier witness key has cosigned is to count no more", &|n| { bare(n); witness(n, listed(80)); }, &|n| n.earlier_witness_keys.clear(), "ok"),
        row("witness-key-of-a-tombstone", "ROS-27", "a revoked node with one more witness key", &|n| { bare(n); n.status = v1::Status::Revoked.into(); }, &|n| n.earlier_witness_keys = vec![until(listed(90), NOW_MS)], "TombstoneChanged"),
    ]
}

fn head() -> Checkpoint {
    Checkpoint {
        origin: origin(FEDERATION, A, 1),
        size: 1,
        root: leaf_hash(b"the only leaf"),
    }
}

fn name(node: &str) -> String {
    format!("frex/{FEDERATION}/{node}/witness/1")
}

/// A's head, cosigned at these times by nodes with these keys.
fn note(log: &SigningKey, witnesses: &[(&str, SigningKey, u64)]) -> String {
    let signed = checkpoint::sign(&head(), log).expect("a head");
    let cosigned = witnesses.iter().fold(signed, |note, (node, key, time_s)| {
        cosignature::cosign(&note, &name(node), key, *time_s).expect("a checkpoint")
    });
    String::from_utf8(cosigned.to_vec()).expect("text")
}

/// Two of three witnesses, of which C has a companion; its key 93 ended a second after `TIME_S`.
fn mixed() -> Parts {
    three(&[A, B, C], 2).with(&|parts| {
        let node = &mut parts.roster.nodes[2];
        node.witness_key = Some(paired(74));
        node.earlier_witness_keys = vec![until(listed(93), NOW_MS / 1000 * 1000 + 1000)];
    })
}

/// A's log key has a companion too.
fn all() -> Parts {
    mixed().with(&|parts| parts.roster.nodes[0].log_key = Some(paired(51)))
}

/// B's cosignature, and behind it both lines of C.
fn cosigned() -> (String, String, String) {
    let before = note(&key(51), &[(B, key(64), TIME_S)]);
    let whole = note(&key(51), &[(B, key(64), TIME_S), (C, head_key(74), TIME_S)]);
    let lines: Vec<&str> = whole.lines().rev().take(2).collect();
    (before, format!("{}\n", lines[1]), format!("{}\n", lines[0]))
}

#[rustfmt::skip] // A table: one row a vector.
fn witnessed() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, note: &str| judged(name, spec, what, &mixed(), note, "ok");
    let (before, first, second) = cosigned();
    let line = Line::new([74; 32], &name(C), TIME_S, &head());
    assert_eq!(second, line.make(), "made by hand and by the library");
    let earlier = |time_s| note(&key(51), &[(B, key(64), TIME_S), (C, key(93), time_s)]);
    vec![
        row("witnessed-by-a-pair", "WIT-23", "a witness without and one with a companion", &format!("{before}{first}{second}")),
        row("witnessed-by-a-pair-exchanged", "WIT-23", "the companion's line first", &format!("{before}{second}{first}")),
        row("witnessed-by-half-a-pair", "WIT-23", "the companion's line was taken away: one has cosigned", &format!("{before}{first}")),
        row("witnessed-by-the-other-half", "WIT-23", "the Ed25519 line was taken away: one has cosigned", &format!("{before}{second}")),
        row("witnessed-by-a-pair-at-two-times", "WIT-23", "each half states a time of its own: one has cosigned", &format!("{before}{first}{}", line.with(|line| line.time_s += 1).make())),
        row("witnessed-by-another-companion", "WIT-23", "another's companion beside its key: one has cosigned", &format!("{before}{first}{}", line.with(|line| line.seed = [75; 32]).make())),
        row("witnessed-by-an-earlier-key", "WIT-24", "by the key before, in its time: final", &earlier(TIME_S)),
        row("witnessed-by-an-earlier-key-too-late", "WIT-24", "by the key before, from its end on: one has cosigned", &earlier(TIME_S + 1)),
        row("witnessed-by-both-keys-of-one", "WIT-24", "by both keys of one witness: it counts once, at the time of the one in force", &note(&key(51), &[(C, key(93), TIME_S), (C, head_key(74), TIME_S + 9)])),
        judged("witnessed-log-with-a-companion", "LOG-32", "log and witness with companions", &all(), &note(&head_key(51), &[(B, key(64), TIME_S), (C, head_key(74), TIME_S)]), "ok"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn refused() -> Vec<Vector> {
    let (before, first, second) = cosigned();
    let line = Line::new([74; 32], &name(C), TIME_S, &head());
    let row = |name: &str, spec: &str, what: &str, second: &str, expect: &str| {
        judged(name, spec, what, &mixed(), &format!("{before}{first}{second}"), expect)
    };
    let bad = |name: &str, what: &str, second: &str| row(name, "LOG-31", what, second, "BadSignature");
    let by_log = note(&head_key(51), &[(B, key(64), TIME_S), (C, head_key(74), TIME_S)]);
    let companion = by_log.lines().nth(5).expect("a line").to_owned() + "\n";
    vec![
        bad("witnessed-by-a-pair-wrongly", "one bit of the companion's signature changed", &changed(&second, |bytes| bytes[700] ^= 1)),
        bad("witnessed-by-a-pair-at-another-time", "another time before the companion's signature", &changed(&second, |bytes| bytes[11] ^= 1)),
        bad("witnessed-by-a-pair-cut-short", "the companion's signature lacks a byte", &changed(&second, |bytes| { bytes.pop(); })),
        bad("witnessed-by-a-pair-as-another", "another witness's name in what the companion signed", &line.with(|line| line.signed_name = name(B)).make()),
        bad("witnessed-by-a-pair-of-another-size", "another size in what the companion signed", &line.with(|line| line.head.size = 2).make()),
        row("witnessed-by-a-pair-twice", "WIT-1", "the companion's line twice", &second.repeat(2), "Repeated"),
        judged("witnessed-log-companion-stripped", "LOG-32", "of the log's two lines one was taken away", &all(), &by_log.replace(&companion, ""), "Checkpoint(Note(HalfSigned))"),
        judged("witnessed-log-companion-wrong", "LOG-32", "one bit of the log's companion's signature changed", &all(), &by_log.replace(&companion, &changed(&companion, |bytes| bytes[700] ^= 1)), "Checkpoint(Note(BadSignature))"),
    ]
}
