//! Receipts and proof files.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    keys::SigningKey,
    log::{Checkpoint, Frontier, Leaf, LogVerifier, batch_append, checkpoint, leaf_hash, origin},
    receipt,
    v1::{self, Event},
};
use prost::Message;

use crate::{
    Vector,
    fixtures::{FEDERATION, NOW_MS, POLICE, SENDER, stranger},
    notes::{log_key, log_origin, vkey},
};

const SALT: [u8; 32] = [41; 32];
const ENVELOPE: [u8; 32] = [42; 32];

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = good();
    vectors.extend(proofs());
    vectors.extend(logs());
    vectors.extend(statements());
    vectors.extend(files());
    vectors
}

fn statement(event: Event) -> v1::Statement {
    v1::Statement {
        event: event.into(),
        envelope_id: Bytes::from_static(&ENVELOPE),
        message_id: Bytes::copy_from_slice(&MessageId([3; 16]).0),
        sender: SENDER.to_owned(),
        recipients: vec![POLICE.to_owned()],
        node: "node.example-a".to_owned(),
        ..v1::Statement::default()
    }
}

/// A receipt of a log of 11 entries in which `statement` is number 4, under a leaf of `event`.
fn logged(event: Event, statement: &v1::Statement) -> v1::Receipt {
    logged_by(&log_key(), event, statement)
}

/// A receipt of [`NOW_MS`], under a checkpoint by this key.
pub(crate) fn accepted_by(key: &SigningKey) -> v1::Receipt {
    logged_by(key, Event::Accepted, &statement(Event::Accepted))
}

/// As [`accepted_by`], in the log that the node has after so many before it.
pub(crate) fn accepted_anew(key: &SigningKey, epoch: u32) -> v1::Receipt {
    let log = origin(FEDERATION, "node.example-a", epoch);
    logged_in(log, key, Event::Accepted, &statement(Event::Accepted))
}

fn logged_by(key: &SigningKey, event: Event, statement: &v1::Statement) -> v1::Receipt {
    logged_in(log_origin(), key, event, statement)
}

fn logged_in(
    origin: String,
    key: &SigningKey,
    event: Event,
    statement: &v1::Statement,
) -> v1::Receipt {
    let statement = Bytes::from(statement.encode_to_vec());
    let leaf = Leaf::build(event, NOW_MS, &SALT, &statement);
    let hashes: Vec<_> = (0..11_u8)
        .map(|number| {
            if number == 4 {
                leaf.hash()
            } else {
                leaf_hash(&[number; 48])
            }
        })
        .collect();
    let grown = batch_append(&Frontier::new(), &hashes);
    let head = Checkpoint {
        origin,
        size: 11,
        root: grown.root,
    };
    let signed = checkpoint::sign(&head, key).expect("a head");
    receipt::build(statement, &SALT, &leaf, 4, &grown.proofs[4], signed)
}

fn accepted() -> v1::Receipt {
    logged(Event::Accepted, &statement(Event::Accepted))
}

fn vector(name: &str, spec: &str, what: &str, receipt: &v1::Receipt, expect: &str) -> Vector {
    Vector::new("receipt", name, spec, what, "verify_receipt")
        .set("vkey", vkey())
        .hex("receipt", receipt.encode_to_vec())
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn good() -> Vec<Vector> {
    let row = |name: &str, what: &str, event: Event, change: &dyn Fn(&mut v1::Statement)| {
        let mut stated = statement(event);
        change(&mut stated);
        vector(name, "RCP-2", what, &logged(event, &stated), "ok")
    };
    vec![
        row("submitted", "SUBMITTED", Event::Submitted, &|_| ()),
        row("accepted", "ACCEPTED", Event::Accepted, &|_| ()),
        row("rejected", "REJECTED with a code", Event::Rejected, &|s| s.code = WireCode::NotAccepted as u32),
        row("rejected-id-reuse", "REJECTED for a reused id, with the envelope held", Event::Rejected, &|s| { s.code = WireCode::IdReuse as u32; s.other_envelope_id = Bytes::from_static(&[7; 32]); }),
        row("stage", "STAGE with the member's word", Event::Stage, &|s| s.member_statement = Bytes::from_static(b"signed")),
        row("operator", "OPERATOR about nothing", Event::Operator, &|s| *s = v1::Statement { event: s.event, node: s.node.clone(), ..v1::Statement::default() }),
        row("operator-begins-a-log", "OPERATOR with the newest checkpoints of the log before", Event::Operator, &|s| *s = begins(s, 11, 12)),
        row("operator-begins-after-nothing-seen", "OPERATOR with the newest checkpoint held alone", Event::Operator, &|s| *s = begins(s, 4096, 0)),
        row("operator-begins-after-all-is-lost", "OPERATOR with the newest checkpoint that others have seen alone", Event::Operator, &|s| *s = begins(s, 0, 4096)),
        row("erased", "ERASED with ground, authority and entries", Event::Erased, &|s| erase(s, &[1, 3])),
        row("erased-by-rule", "ERASED by the node's own rule, of nothing that was here", Event::Erased, &|s| { erase(s, &[]); s.ordered_by.clear(); }),
        row("trust-change", "TRUST_CHANGE with the roster", Event::TrustChange, &|s| *s = trust_change(s)),
        row("peer-seen", "PEER_SEEN with the checkpoint", Event::PeerSeen, &|s| *s = seen(s, 1)),
        row("fork-evidence", "FORK_EVIDENCE with two checkpoints", Event::ForkEvidence, &|s| *s = seen(s, 2)),
        row("peer-seen-longest", "PEER_SEEN with a checkpoint of 4096 bytes", Event::PeerSeen, &|s| { *s = seen(s, 0); s.checkpoints = vec![vec![b'x'; 4096].into()]; }),
        vector("accepted-of-an-envelope", "RCP-8", "a receipt of the envelope in question", &accepted(), "ok").hex("envelope_id", ENVELOPE),
        vector("accepted-of-another-envelope", "RCP-8", "a receipt of another envelope", &accepted(), "WrongEnvelope").hex("envelope_id", EnvelopeId([1; 32]).0),
    ]
}

fn erase(statement: &mut v1::Statement, entries: &[u64]) {
    statement.ground = "court-order".to_owned();
    statement.authority = "LU:2024/12".to_owned();
    statement.ordered_by = POLICE.to_owned();
    statement.erased = entries.to_vec();
}

fn trust_change(of: &v1::Statement) -> v1::Statement {
    v1::Statement {
        event: of.event,
        node: of.node.clone(),
        roster_version: 2,
        roster_sha256: Bytes::from_static(&[7; 32]),
        ..v1::Statement::default()
    }
}

/// Of a log that follows one of which checkpoints of so many bytes are known, whatever they say.
fn begins(of: &v1::Statement, held: usize, seen: usize) -> v1::Statement {
    v1::Statement {
        event: of.event,
        node: of.node.clone(),
        ended_log: vec![b'x'; held].into(),
        seen_log: vec![b'x'; seen].into(),
        ..v1::Statement::default()
    }
}

/// About so many checkpoints, as the log signed them, whatever they say.
fn seen(of: &v1::Statement, count: usize) -> v1::Statement {
    v1::Statement {
        event: of.event,
        node: of.node.clone(),
        checkpoints: vec![accepted().checkpoint; count],
        ..v1::Statement::default()
    }
}

fn flip(bytes: &mut Bytes, at: usize) {
    let mut copy = bytes.to_vec();
    copy[at] ^= 1;
    *bytes = copy.into();
}

#[rustfmt::skip] // A table: one row a vector.
fn proofs() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Receipt), expect: &str| {
        let mut receipt = accepted();
        change(&mut receipt);
        vector(name, spec, what, &receipt, expect)
    };
    vec![
        row("statement-changed", "RCP-3", "another sender in the statement", &|r| { let mut s = statement(Event::Accepted); s.sender.push('x'); r.statement = s.encode_to_vec().into(); }, "Leaf(Mismatch)"),
        row("statement-recoded", "RCP-3", "the same statement with an unknown field", &|r| r.statement = [&r.statement[..], b"\xa0\x06\x01"].concat().into(), "Leaf(Mismatch)"),
        row("salt-changed", "RCP-3", "one bit of the salt changed", &|r| flip(&mut r.salt, 0), "Leaf(Mismatch)"),
        row("salt-31-bytes", "RCP-1", "a salt cut short", &|r| r.salt.truncate(31), "Salt"),
        row("leaf-time-changed", "RCP-3", "another time in the leaf", &|r| flip(&mut r.leaf, 15), "Leaf(Mismatch)"),
        row("leaf-event-changed", "RCP-3", "another event in the leaf", &|r| flip(&mut r.leaf, 5), "Leaf(Mismatch)"),
        row("leaf-event-unknown", "LOG-2", "event 11", &|r| { let mut leaf = r.leaf.to_vec(); leaf[5] = 11; r.leaf = leaf.into(); }, "Leaf(Event)"),
        row("leaf-version", "LOG-2", "a leaf of another version", &|r| flip(&mut r.leaf, 4), "Leaf(Format)"),
        row("leaf-reserved", "LOG-2", "reserved bytes that are not zero", &|r| flip(&mut r.leaf, 7), "Leaf(Format)"),
        row("leaf-47-bytes", "LOG-2", "a leaf cut short", &|r| r.leaf.truncate(47), "Leaf(Length)"),
        row("index-of-a-neighbour", "RCP-7", "the index of a neighbour", &|r| r.index = 5, "Proof(RootMismatch)"),
        row("index-outside", "RCP-7", "index 11 of 11", &|r| r.index = 11, "Proof(IndexOutside)"),
        row("hash-changed", "RCP-7", "one bit of a hash changed", &|r| flip(&mut r.hashes[2], 0), "Proof(RootMismatch)"),
        row("hash-missing", "RCP-7", "a hash too few", &|r| { r.hashes.pop(); }, "Proof(WrongLength)"),
        row("hash-31-bytes", "RCP-1", "a hash cut short", &|r| r.hashes[0].truncate(31), "Hash"),
        row("hashes-64", "LIM-21", "64 hashes", &|r| r.hashes = vec![Bytes::from_static(&[0; 32]); 64], "TooLarge"),
        row("checkpoint-over-the-limit", "LIM-22", "a checkpoint of 131073 bytes", &|r| r.checkpoint = vec![b'x'; 131_073].into(), "TooLarge"),
        row("checkpoint-changed", "RCP-5", "another size in the checkpoint", &|r| r.checkpoint = String::from_utf8(r.checkpoint.to_vec()).expect("text").replace("\n11\n", "\n12\n").into(), "Checkpoint(Note(BadSignature))"),
        row("checkpoint-missing", "RCP-5", "no checkpoint", &|r| r.checkpoint.clear(), "Checkpoint(Note(Shape))"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn logs() -> Vec<Vector> {
    let mut event = statement(Event::Submitted);
    let mismatched = logged(Event::Accepted, &event);
    "node.example-b".clone_into(&mut event.node);
    let other_node = logged(Event::Submitted, &event);
    let other = |log: &LogVerifier, name: &str, what: &str, expect: &str| {
        Vector::new("receipt", name, "RCP-5", what, "verify_receipt")
            .set("vkey", log.vkey())
            .hex("receipt", accepted().encode_to_vec())
            .expect(expect)
    };
    let by_stranger = LogVerifier::new(log_origin(), stranger().verifying_key());
    let of_other = LogVerifier::new(origin(FEDERATION, "node.example-b", 1), log_key().verifying_key());
    vec![
        vector("event-differs", "RCP-4", "a leaf of ACCEPTED that commits to a statement of SUBMITTED", &mismatched, "EventMismatch"),
        vector("node-differs", "RCP-6", "a statement of another node in this node's log", &other_node, "WrongNode"),
        other(&by_stranger, "key-of-another", "another key under the same name", "Checkpoint(Note(Unsigned))"),
        other(&of_other, "log-of-another", "the same key under another name", "Checkpoint(Origin)"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn statements() -> Vec<Vector> {
    let row = |name: &str, what: &str, event: Event, change: &dyn Fn(&mut v1::Statement), expect: &str| {
        let mut stated = statement(event);
        change(&mut stated);
        vector(name, "RCP-2", what, &logged(event, &stated), &format!("Statement({expect})"))
    };
    vec![
        row("statement-event-missing", "no event", Event::Accepted, &|s| s.event = 0, "Event"),
        row("statement-event-unknown", "an event of a later version", Event::Accepted, &|s| s.event = 11, "Event"),
        row("statement-without-envelope", "ACCEPTED without an envelope id", Event::Accepted, &|s| s.envelope_id.clear(), "Id"),
        row("statement-envelope-31-bytes", "an envelope id cut short", Event::Accepted, &|s| s.envelope_id.truncate(31), "Id"),
        row("statement-without-message", "ACCEPTED without a message id", Event::Accepted, &|s| s.message_id.clear(), "Id"),
        row("statement-without-sender", "ACCEPTED without a sender", Event::Accepted, &|s| s.sender.clear(), "Id"),
        row("statement-without-node", "no node", Event::Accepted, &|s| s.node.clear(), "Id"),
        row("statement-without-recipients", "ACCEPTED for nobody", Event::Accepted, &|s| s.recipients.clear(), "Recipients"),
        row("statement-recipient-twice", "one recipient twice", Event::Accepted, &|s| s.recipients.push(POLICE.to_owned()), "Recipients"),
        row("statement-recipient-name", "a recipient with a capital", Event::Accepted, &|s| s.recipients.push("Police".to_owned()), "Recipients"),
        row("statement-65-recipients", "65 recipients", Event::Accepted, &|s| s.recipients = (0..65).map(|n| format!("m{n}")).collect(), "Recipients"),
        row("statement-accepted-with-a-code", "ACCEPTED with a code", Event::Accepted, &|s| s.code = 1001, "Code"),
        row("statement-rejected-without-a-code", "REJECTED without a code", Event::Rejected, &|_| (), "Code"),
        row("statement-id-reuse-without-the-other", "ID_REUSE without the envelope held", Event::Rejected, &|s| s.code = WireCode::IdReuse as u32, "Field"),
        row("statement-other-without-id-reuse", "the other envelope under another code", Event::Rejected, &|s| { s.code = WireCode::Expired as u32; s.other_envelope_id = Bytes::from_static(&[7; 32]); }, "Field"),
        row("statement-stage-without-a-word", "STAGE without the member's word", Event::Stage, &|_| (), "Field"),
        row("statement-accepted-with-a-word", "ACCEPTED with a member's word", Event::Accepted, &|s| s.member_statement = Bytes::from_static(b"x"), "Field"),
        row("statement-trust-change-without-a-roster", "TRUST_CHANGE without a roster", Event::TrustChange, &|s| s.roster_version = 0, "Field"),
        row("statement-roster-version-alone", "TRUST_CHANGE without the roster's hash", Event::TrustChange, &|s| { *s = trust_change(s); s.roster_sha256.clear(); }, "Field"),
        row("statement-roster-hash-31-bytes", "TRUST_CHANGE with a hash cut short", Event::TrustChange, &|s| { *s = trust_change(s); s.roster_sha256.truncate(31); }, "Field"),
        row("statement-accepted-with-a-roster", "ACCEPTED with a roster", Event::Accepted, &|s| s.roster_version = 2, "Field"),
        row("statement-peer-seen-without-a-checkpoint", "PEER_SEEN of nothing", Event::PeerSeen, &|s| *s = seen(s, 0), "Field"),
        row("statement-peer-seen-of-two", "PEER_SEEN with two checkpoints", Event::PeerSeen, &|s| *s = seen(s, 2), "Field"),
        row("statement-peer-seen-empty", "PEER_SEEN with an empty checkpoint", Event::PeerSeen, &|s| { *s = seen(s, 1); s.checkpoints[0].clear(); }, "Field"),
        row("statement-peer-seen-over-the-limit", "PEER_SEEN with a checkpoint of 4097 bytes", Event::PeerSeen, &|s| { *s = seen(s, 0); s.checkpoints = vec![vec![b'x'; 4097].into()]; }, "Field"),
        row("statement-fork-evidence-of-one", "FORK_EVIDENCE with one checkpoint", Event::ForkEvidence, &|s| *s = seen(s, 1), "Field"),
        row("statement-fork-evidence-of-three", "FORK_EVIDENCE with three checkpoints", Event::ForkEvidence, &|s| *s = seen(s, 3), "Field"),
        row("statement-accepted-with-a-checkpoint", "ACCEPTED with a checkpoint", Event::Accepted, &|s| s.checkpoints = vec![accepted().checkpoint], "Field"),
        row("statement-operator-held-over-the-limit", "OPERATOR with a checkpoint of 4097 bytes of the log before", Event::Operator, &|s| *s = begins(s, 4097, 1), "Field"),
        row("statement-operator-seen-over-the-limit", "OPERATOR with a checkpoint of 4097 bytes that others have seen", Event::Operator, &|s| *s = begins(s, 1, 4097), "Field"),
        row("statement-accepted-after-a-log", "ACCEPTED with the newest checkpoint of a log before", Event::Accepted, &|s| s.ended_log = Bytes::from_static(b"x"), "Field"),
        row("statement-peer-seen-after-a-log", "PEER_SEEN with a checkpoint that others have seen of a log before", Event::PeerSeen, &|s| { *s = seen(s, 1); s.seen_log = Bytes::from_static(b"x"); }, "Field"),
        row("statement-erased-without-a-ground", "ERASED without a ground", Event::Erased, &|s| { erase(s, &[1]); s.ground.clear(); }, "Field"),
        row("statement-erased-without-an-authority", "ERASED without an authority", Event::Erased, &|s| { erase(s, &[1]); s.authority.clear(); }, "Field"),
        row("statement-erased-by-nothing", "ERASED that does not say why", Event::Erased, &|_| (), "Field"),
        row("statement-erased-ground-in-words", "a ground that is no code", Event::Erased, &|s| { erase(s, &[1]); s.ground = "Her wish".to_owned(); }, "Field"),
        row("statement-erased-ground-33", "a ground of 33 characters", Event::Erased, &|s| { erase(s, &[1]); s.ground = "g".repeat(33); }, "Field"),
        row("statement-erased-authority-in-words", "an authority that is no code", Event::Erased, &|s| { erase(s, &[1]); s.authority = "the judge".to_owned(); }, "Field"),
        row("statement-erased-authority-65", "an authority of 65 characters", Event::Erased, &|s| { erase(s, &[1]); s.authority = "a".repeat(65); }, "Field"),
        row("statement-erased-entries-not-ascending", "entries out of order", Event::Erased, &|s| erase(s, &[3, 2]), "Field"),
        row("statement-erased-entry-twice", "an entry named twice", Event::Erased, &|s| erase(s, &[3, 3]), "Field"),
        row("statement-erased-513-entries", "513 entries", Event::Erased, &|s| erase(s, &(0..513).collect::<Vec<_>>()), "Field"),
        row("statement-erased-by-no-name", "a member with a capital", Event::Erased, &|s| { erase(s, &[1]); s.ordered_by = "Police".to_owned(); }, "Id"),
        row("statement-erased-without-envelope", "ERASED without an envelope id", Event::Erased, &|s| { erase(s, &[1]); s.envelope_id.clear(); }, "Id"),
        row("statement-accepted-with-a-ground", "ACCEPTED with a ground", Event::Accepted, &|s| s.ground = "court-order".to_owned(), "Field"),
        row("statement-accepted-with-entries", "ACCEPTED with entries, a ground and an authority", Event::Accepted, &|s| erase(s, &[1]), "Field"),
        row("statement-over-the-limit", "a statement of more than 16 KiB", Event::Stage, &|s| s.member_statement = vec![0; 16_384].into(), "TooLarge"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn files() -> Vec<Vector> {
    let good = receipt::to_tlog_proof_text(&accepted()).expect("a good receipt");
    let extra = good.lines().find(|line| line.starts_with("extra ")).expect("an extra line").to_owned();
    let row = |name: &str, spec: &str, what: &str, file: &str, expect: &str| {
        Vector::new("receipt", name, spec, what, "read_receipt_file").set("vkey", vkey()).set("file", file).expect(expect)
    };
    let hash = good.lines().nth(3).expect("a hash line").to_owned();
    vec![
        row("file", "RCP-10", "a receipt as a file", &good, "ok"),
        row("file-first-line", "LOG-13", "another version", &good.replace("proof@v1", "proof@v2"), "FirstLine"),
        row("file-without-extra", "RCP-10", "no extra line", &good.replace(&format!("{extra}\n"), ""), "Extra"),
        row("file-extra-not-base64", "LOG-13", "an extra line that is not base64", &good.replace(&extra, "extra ****"), "Extra"),
        row("file-extra-empty", "LOG-13", "an extra line with nothing", &good.replace(&extra, "extra "), "Extra"),
        row("file-extra-with-more", "RCP-10", "an extra that holds an index too", &good.replace(&extra, &extra_with_index()), "Extra"),
        row("file-extra-twice", "LOG-13", "two extra lines", &good.replace(&extra, &format!("{extra}\n{extra}")), "Index"),
        row("file-index-leading-zero", "LOG-13", "an index of 04", &good.replace("index 4", "index 04"), "Index"),
        row("file-index-negative", "LOG-13", "an index of -4", &good.replace("index 4", "index -4"), "Index"),
        row("file-without-index", "LOG-13", "no index line", &good.replace("index 4\n", ""), "Index"),
        row("file-other-index", "RCP-7", "the index of a neighbour", &good.replace("index 4", "index 5"), "Proof(RootMismatch)"),
        row("file-hash-31-bytes", "LOG-13", "a hash cut short", &good.replace(&hash, "AAAA"), "Hash"),
        row("file-hash-missing", "RCP-7", "a hash too few", &good.replace(&format!("{hash}\n"), ""), "Proof(WrongLength)"),
        row("file-64-hashes", "LIM-21", "64 hashes", &good.replace(&hash, &vec![hash.clone(); 64].join("\n")), "TooManyHashes"),
        row("file-without-an-empty-line", "LOG-13", "no empty line at all", &good.replace("\n\n", "\n"), "Divider"),
        row("file-checkpoint-cut-off", "LOG-13", "a checkpoint without its signatures", good.rsplit_once("\n\n").expect("two parts").0, "Checkpoint(Note(Shape))"),
        row("file-with-carriage-returns", "LOG-13", "lines that end as on another system", &good.replace('\n', "\r\n"), "FirstLine"),
    ]
}

fn extra_with_index() -> String {
    use base64::Engine as _;
    let receipt = v1::Receipt {
        hashes: Vec::new(),
        checkpoint: Bytes::new(),
        ..accepted()
    };
    let data = base64::engine::general_purpose::STANDARD.encode(receipt.encode_to_vec());
    format!("extra {data}")
}
