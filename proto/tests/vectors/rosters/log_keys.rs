//! A node's log goes over to another key.

use super::{succession::Pair, *};
use crate::{notes, receipts};

/// Under this key the receipts of the vectors are signed.
fn signer() -> v1::PublicKey {
    build::signing_key(&notes::log_key().verifying_key())
}

fn until(key: v1::PublicKey, not_after_ms: u64) -> v1::PublicKey {
    v1::PublicKey {
        not_after_ms,
        ..key
    }
}

pub(super) fn make() -> Vec<Vector> {
    let mut vectors = entries();
    vectors.extend(followed());
    vectors.extend(receipts());
    vectors.extend(logs());
    vectors.extend(logs_followed());
    vectors.extend(receipts_of_ended_logs());
    vectors
}

#[rustfmt::skip] // A table: one row a vector.
fn entries() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, keys: Vec<v1::PublicKey>, expect: &str| {
        row(name, spec, what, &|parts| parts.roster.nodes[0].earlier_log_keys.clone_from(&keys), expect)
    };
    let weak = { let mut key = vec![0; 32]; key[0] = 1; v1::PublicKey { key: key.into(), ..listed(80) } };
    vec![
        row("log-key-earlier", "ROS-40", "a log that has had two keys before", vec![until(listed(81), NOW_MS), until(listed(80), 1)], "ok"),
        row("log-key-earlier-without-end", "ROS-40", "an earlier key that has no end", vec![listed(80)], "EndMissing"),
        row("log-key-earlier-twice", "ROS-7", "one earlier key twice", vec![until(listed(80), 1), until(listed(80), 2)], "KeyReused"),
        row("log-key-earlier-in-force", "ROS-7", "the key in force as an earlier one", vec![until(listed(51), NOW_MS)], "KeyReused"),
        row("log-key-earlier-of-another", "ROS-7", "another node's key as an earlier one", vec![until(listed(61), NOW_MS)], "KeyReused"),
        row("log-key-earlier-weak", "ROS-6", "an earlier key of small order", vec![until(weak, NOW_MS)], "Key(Weak)"),
        row("log-key-17-earlier", "LIM-11", "17 earlier keys", (100..117).map(|number| until(listed(number), NOW_MS)).collect(), "TooLarge"),
    ]
}

/// The node's key becomes `number`, and the one before ends now.
fn change(parts: &mut Parts, number: u8) {
    let node = &mut parts.roster.nodes[0];
    let old = node.log_key.replace(listed(number)).expect("a log key");
    node.earlier_log_keys.insert(0, until(old, NOW_MS));
}

#[rustfmt::skip] // A table: one row a vector.
fn followed() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, spoil: &dyn Fn(&mut Parts), expect: &str| {
        let mut pair = Pair::new();
        // Key 79 was the log's before.
        for parts in [&mut pair.held, &mut pair.next] {
            parts.roster.nodes[0].earlier_log_keys = vec![until(listed(79), 5)];
        }
        pair.next.roster.prev_sha256 = Bytes::copy_from_slice(&sha256(&[&pair.held.roster.encode_to_vec()]));
        spoil(&mut pair.next);
        pair.vector(name, spec, what, expect)
    };
    let node = |parts: &mut Parts, change: &dyn Fn(&mut v1::Node)| change(&mut parts.roster.nodes[0]);
    let gap = |parts: &mut Parts| parts.roster.version = 4;
    vec![
        row("log-key-changed", "ROS-41", "another key, and the one before with its end", &|p| change(p, 80), "ok"),
        row("log-key-changed-twice-unseen", "ROS-42", "two changes in the two rosters since", &|p| { gap(p); change(p, 80); change(p, 81); }, "ok"),
        row("log-key-changed-thrice-unseen", "ROS-42", "three changes in two rosters", &|p| { gap(p); change(p, 80); change(p, 81); change(p, 82); }, "ForeignLogKey"),
        row("log-key-lost", "ROS-41", "another key, and nothing of the one before", &|p| node(p, &|n| n.log_key = Some(listed(80))), "LogKeyDropped"),
        row("log-key-earlier-gone", "ROS-41", "an earlier key that is listed no more", &|p| node(p, &|n| n.earlier_log_keys.clear()), "LogKeyDropped"),
        row("log-key-earlier-ends-later", "ROS-41", "an earlier key that ends later than it did", &|p| node(p, &|n| n.earlier_log_keys[0].not_after_ms = NOW_MS), "LogKeyDropped"),
        row("log-key-foreign", "ROS-42", "an earlier key that was nobody's", &|p| node(p, &|n| n.earlier_log_keys.push(until(listed(90), NOW_MS))), "ForeignLogKey"),
        row("log-key-foreign-beside-a-change", "ROS-42", "one more than the key that was followed", &|p| { change(p, 80); node(p, &|n| n.earlier_log_keys.push(until(listed(90), NOW_MS))); }, "ForeignLogKey"),
        row("log-key-foreign-unseen", "ROS-42", "an earlier key between, of a log whose key is the one held", &|p| { gap(p); node(p, &|n| n.earlier_log_keys.push(until(listed(90), NOW_MS))); }, "ForeignLogKey"),
        row("log-key-lost-with-the-log", "ROS-41", "another log and another key, and nothing of the key before", &|p| node(p, &|n| { anew(n, NOW_MS, 3); n.log_key = Some(listed(80)); }), "LogKeyDropped"),
        row("log-key-of-a-tombstone", "ROS-27", "a revoked node with one more key", &|p| p.roster.nodes[1].earlier_log_keys.push(until(listed(90), NOW_MS)), "TombstoneChanged"),
    ]
}

/// The log ends so, with so many entries kept, and another begins.
fn anew(node: &mut v1::Node, not_after_ms: u64, kept: u64) {
    node.ended_logs.push(v1::EndedLog { not_after_ms, kept });
    node.log_epoch += 1;
}

#[rustfmt::skip] // A table: one row a vector.
fn logs() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Node), expect: &str| {
        row(name, spec, what, &|parts| change(&mut parts.roster.nodes[0]), expect)
    };
    vec![
        row("log-anew", "ROS-60", "a node that has had two logs before", &|n| { anew(n, 1, 0); anew(n, NOW_MS, 7); }, "ok"),
        row("log-anew-65-times", "LIM-100", "65 logs before", &|n| (1..=65).for_each(|end_ms| anew(n, end_ms, 0)), "TooLarge"),
        row("log-ended-missing", "ROS-60", "epoch 2 and no log before", &|n| n.log_epoch = 2, "BadEpoch"),
        row("log-ended-of-the-first", "ROS-60", "epoch 1 and a log before", &|n| { anew(n, 1, 0); n.log_epoch = 1; }, "BadEpoch"),
        row("log-ended-without-end", "ROS-60", "a log before that has no end", &|n| anew(n, 0, 0), "BadTimes"),
        row("log-ended-out-of-order", "ROS-60", "a log that ends before the one before it", &|n| { anew(n, 2, 0); anew(n, 1, 0); }, "BadTimes"),
        row("log-ended-at-one-time", "ROS-60", "two logs that end at one time", &|n| { anew(n, 2, 0); anew(n, 2, 0); }, "BadTimes"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn logs_followed() -> Vec<Vector> {
    let row = |name: &str, what: &str, change: &dyn Fn(&mut v1::Node), expect: &str| {
        let mut pair = Pair::new();
        for parts in [&mut pair.held, &mut pair.next] {
            anew(&mut parts.roster.nodes[0], 5, 7);
        }
        pair.next.roster.prev_sha256 = Bytes::copy_from_slice(&sha256(&[&pair.held.roster.encode_to_vec()]));
        change(&mut pair.next.roster.nodes[0]);
        pair.vector(name, "ROS-61", what, expect)
    };
    vec![
        row("log-begun-anew", "one more log before", &|n| anew(n, NOW_MS, 9), "ok"),
        row("log-ended-dropped", "a log before that is listed no more", &|n| { n.ended_logs.clear(); n.log_epoch = 1; }, "LogDropped"),
        row("log-ended-later", "a log before that ends later than it did", &|n| n.ended_logs[0].not_after_ms = 6, "LogDropped"),
        row("log-ended-with-more", "a log before of which more is kept than was", &|n| n.ended_logs[0].kept = 8, "LogDropped"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn receipts_of_ended_logs() -> Vec<Vector> {
    let row = |name: &str, what: &str, ends_ms: &[u64], receipt: &v1::Receipt, expect: &str| {
        let node = |node: &mut v1::Node| {
            node.log_key = Some(signer());
            ends_ms.iter().for_each(|end_ms| anew(node, *end_ms, 4));
        };
        let parts = Parts::new().with(&|parts| node(&mut parts.roster.nodes[0]));
        Vector::new("receipt", name, "LOG-30", what, "verify_listed_receipt")
            .set("federation", FEDERATION)
            .hex("root_sha256", parts.pinned())
            .set("now_ms", NOW_MS)
            .hex("bundle", parts.bundle())
            .hex("receipt", receipt.encode_to_vec())
            .expect(expect)
    };
    let of = |epoch| receipts::accepted_anew(&notes::log_key(), epoch);
    let late = NOW_MS + 1;
    vec![
        row("log-in-force-anew", "of the log in force, which another came before", &[1], &of(2), "ok"),
        row("log-ended", "of a log that ended right after the entry", &[late], &of(1), "ok"),
        row("log-ended-second-of-three", "of the second of three logs", &[1, late], &of(2), "ok"),
        row("log-ended-before-the-entry", "of a log that had ended", &[NOW_MS], &of(1), "Checkpoint(KeyEnded)"),
        row("log-ended-before-the-first-of-two", "of the first log, when it had ended", &[1, late], &of(1), "Checkpoint(KeyEnded)"),
        row("log-not-begun", "of a log that is yet to begin", &[1], &of(3), "Checkpoint(Origin)"),
    ]
}

/// A receipt's checkpoint with the signature lines of these keys, in this order.
fn signed_by(keys: &[&SigningKey]) -> v1::Receipt {
    let mut receipts = keys.iter().map(|key| receipts::accepted_by(key));
    let mut receipt = receipts.next().expect("a key");
    let text =
        |receipt: &v1::Receipt| String::from_utf8(receipt.checkpoint.to_vec()).expect("text");
    let mut note = text(&receipt);
    for other in receipts {
        note.push_str(text(&other).split_once("\n\n").expect("a note").1);
    }
    receipt.checkpoint = note.into();
    receipt
}

#[rustfmt::skip] // A table: one row a vector.
fn receipts() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, keys: &[v1::PublicKey], receipt: &v1::Receipt, expect: &str| {
        let parts = Parts::new().with(&|parts| {
            let node = &mut parts.roster.nodes[0];
            node.log_key = Some(keys[0].clone());
            node.earlier_log_keys = keys[1..].to_vec();
        });
        Vector::new("receipt", name, spec, what, "verify_listed_receipt")
            .set("federation", FEDERATION)
            .hex("root_sha256", parts.pinned())
            .set("now_ms", NOW_MS)
            .hex("bundle", parts.bundle())
            .hex("receipt", receipt.encode_to_vec())
            .expect(expect)
    };
    let (old, new) = (notes::log_key(), key(80));
    let forged = {
        let mut receipt = signed_by(&[&new, &old]);
        let text = String::from_utf8(receipt.checkpoint.to_vec()).expect("text");
        let line = text.lines().nth(4).expect("a line").to_owned();
        let changed = format!("{}AAAA{}", &line[..line.len() - 12], &line[line.len() - 8..]);
        receipt.checkpoint = text.replace(&line, &changed).into();
        receipt
    };
    let ends = |end_ms| [listed(80), until(signer(), end_ms)];
    vec![
        row("listed", "LOG-22", "under the key in force", &[signer()], &signed_by(&[&old]), "ok"),
        row("listed-earlier", "RCP-16", "under a key that ended right after", &ends(NOW_MS + 1), &signed_by(&[&old]), "ok"),
        row("listed-after-the-end", "RCP-16", "under a key that had ended", &ends(NOW_MS), &signed_by(&[&old]), "Checkpoint(KeyEnded)"),
        row("listed-long-after-the-end", "RCP-16", "under a key that ended long before", &ends(1), &signed_by(&[&old]), "Checkpoint(KeyEnded)"),
        row("listed-in-force-after-its-end", "RCP-16", "under a key that none follows, at its end", &[until(signer(), NOW_MS)], &signed_by(&[&old]), "Checkpoint(KeyEnded)"),
        row("listed-proved-later", "LOG-23", "an entry of before the change, proved under the new key", &ends(NOW_MS + 1), &signed_by(&[&new]), "ok"),
        row("listed-by-both", "LOG-23", "both keys signed: the one in force decides", &ends(1), &signed_by(&[&old, &new]), "ok"),
        row("listed-by-both-forged", "LOG-23", "both keys signed, and the line of the one in force does not hold", &ends(NOW_MS + 1), &forged, "Checkpoint(Note(BadSignature))"),
        row("listed-key-unknown", "LOG-22", "under a key that the log never had", &ends(NOW_MS + 1), &signed_by(&[&key(90)]), "Checkpoint(Note(Unsigned))"),
        row("listed-key-of-another", "LOG-22", "under another node's log key", &ends(NOW_MS + 1), &signed_by(&[&key(61)]), "Checkpoint(Note(Unsigned))"),
    ]
}
