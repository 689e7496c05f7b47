//! Roster files.

use bytes::Bytes;
use frex_proto::{
    keys::{SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey},
    label::{self, sha256},
    roster::{
        build::{self, CardDraft, NodeDraft, RootDraft},
        document,
    },
    sign, v1,
};
use prost::Message;

mod companions;
mod heads;
mod log_keys;
mod succession;
mod witnessing;

pub(crate) use witnessing::{two_of_three, two_of_three_anew};

use crate::{
    Vector,
    fixtures::{DAY_MS, FEDERATION, NOW_MS, POLICE, SENDER},
};

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = good();
    vectors.extend(roots());
    vectors.extend(headers());
    vectors.extend(members());
    vectors.extend(nodes());
    vectors.extend(docs());
    vectors.extend(freshness());
    vectors.extend(succession::make());
    vectors.extend(companions::make());
    vectors.extend(log_keys::make());
    vectors.extend(heads::make());
    vectors.extend(witnessing::make());
    vectors
}

fn key(number: u8) -> SigningKey {
    let key = SigningKey::from_seed(&[number; 32]);
    match number {
        companions::FIRST.. => key.with_companion(&[number; 32]),
        _ => key,
    }
}

fn public(number: u8) -> VerifyingKey {
    key(number).verifying_key()
}

fn listed(number: u8) -> v1::PublicKey {
    build::signing_key(&public(number))
}

fn retired(key_id: Vec<u8>, from_ms: u64) -> v1::RetiredKey {
    let key_id = key_id.into();
    v1::RetiredKey { key_id, from_ms }
}

/// Lists the document's first sealing key, which ends then, as retired from now on.
fn retire(doc: &mut v1::MemberDoc, not_after_ms: u64) {
    let listed = &mut doc.sealing_keys[0];
    listed.not_after_ms = not_after_ms;
    let key = SealingPublicKey::admit(&listed.key).expect("a key of ours");
    document::retire_sealing_key(doc, &key, NOW_MS);
}

fn card(id: &str, node: &str, number: u8) -> v1::MemberCard {
    let (identity, log_key) = (key(number), public(number + 1));
    let sealing = SealingSecretKey::from_seed(&[number; 32]).public().clone();
    build::card(&CardDraft {
        federation: FEDERATION,
        id,
        name: "A member",
        role: v1::Role::Hotline,
        country: "NL",
        home_node: node,
        identity: &identity,
        client_tls: &[public(number + 2)],
        sealing: &[sealing],
        node: Some(NodeDraft {
            id: node,
            log_key: &log_key,
            witness_key: None,
            tls_keys: &[public(number + 3)],
            addresses: &["192.0.2.1:4433".to_owned()],
        }),
        issued_ms: NOW_MS - DAY_MS,
        expires_ms: NOW_MS + DAY_MS,
    })
    .expect("a key in memory signs")
}

/// Everything a roster file is made of, before it is signed.
#[derive(Clone)]
struct Parts {
    /// Those before the one in force.
    earlier: Vec<(v1::Root, Vec<u8>)>,
    root: v1::Root,
    root_signers: Vec<u8>,
    root_type: &'static str,
    /// The pin: of the root as it is when nothing is said.
    pin: Option<[u8; 32]>,
    roster: v1::Roster,
    roster_signers: Vec<u8>,
    docs: Vec<(v1::MemberDoc, u8)>,
    freshness: Option<(v1::Freshness, u8)>,
    /// The payload type of objects that lose what companions signed.
    stripped: Option<&'static str>,
}

impl Parts {
    /// Two members with a node each; two of three keys must agree on root and roster.
    fn new() -> Self {
        let root = build::root(&RootDraft {
            federation: FEDERATION,
            version: 1,
            expires_ms: NOW_MS + 365 * DAY_MS,
            root_keys: &[public(1), public(2), public(3)],
            root_threshold: 2,
            roster_keys: &[public(4), public(5), public(6)],
            roster_threshold: 2,
        });
        let mut roster = build::first_roster(&root, NOW_MS - DAY_MS, NOW_MS + 30 * DAY_MS);
        let mut docs = Vec::new();
        for (id, node, number) in [
            (SENDER, "node.example-a", 50),
            (POLICE, "node.example-b", 60),
        ] {
            let card = card(id, node, number);
            build::list_card(&mut roster, &card);
            let signed = v1::Signed::decode(card.member_doc).expect("own output");
            let doc = v1::MemberDoc::decode(signed.payload).expect("own output");
            docs.push((doc, number));
        }
        Self {
            earlier: Vec::new(),
            root,
            root_signers: vec![1, 3],
            root_type: label::TYPE_ROOT,
            pin: None,
            roster,
            roster_signers: vec![4, 6],
            docs,
            freshness: None,
            stripped: None,
        }
    }

    fn with(mut self, change: &dyn Fn(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// States that this roster is the newest.
    fn fresh(mut self, change: &dyn Fn(&mut v1::Freshness), signer: u8) -> Self {
        let mut stated = v1::Freshness {
            federation: FEDERATION.to_owned(),
            roster_version: self.roster.version,
            roster_sha256: Bytes::copy_from_slice(&sha256(&[&self.roster.encode_to_vec()])),
            issued_ms: NOW_MS,
            expires_ms: NOW_MS + DAY_MS,
        };
        change(&mut stated);
        self.freshness = Some((stated, signer));
        self
    }

    fn bundle(&self) -> Bytes {
        let signed = |kind: &str, payload: Vec<u8>, signers: &[u8]| {
            let mut signed = signed(kind, payload, signers);
            if self.stripped == Some(kind) {
                signed.signatures.retain(|one| one.signature.len() == 64);
            }
            Bytes::from(signed.encode_to_vec())
        };
        let root = signed(
            self.root_type,
            self.root.encode_to_vec(),
            &self.root_signers,
        );
        let roster = signed(
            label::TYPE_ROSTER,
            self.roster.encode_to_vec(),
            &self.roster_signers,
        );
        let docs = self.docs.iter();
        let docs = docs
            .map(|(doc, signer)| signed(label::TYPE_MEMBER_DOC, doc.encode_to_vec(), &[*signer]));
        let freshness = self.freshness.as_ref();
        let freshness = freshness.map(|(stated, signer)| {
            signed(label::TYPE_FRESHNESS, stated.encode_to_vec(), &[*signer])
        });
        let earlier = self.earlier.iter();
        let earlier =
            earlier.map(|(root, signers)| signed(label::TYPE_ROOT, root.encode_to_vec(), signers));
        let bundle = v1::RosterBundle {
            root,
            roster,
            member_docs: docs.collect(),
            freshness: freshness.unwrap_or_default(),
            earlier_roots: earlier.collect(),
        };
        bundle.encode_to_vec().into()
    }

    fn pinned(&self) -> [u8; 32] {
        let first = self.earlier.first().map_or(&self.root, |(root, _)| root);
        self.pin
            .unwrap_or_else(|| sha256(&[&first.encode_to_vec()]))
    }

    fn vector(&self, name: &str, spec: &str, what: &str, expect: &str) -> Vector {
        Vector::new("roster", name, spec, what, "judge_roster")
            .set("federation", FEDERATION)
            .hex("root_sha256", self.pinned())
            .set("now_ms", NOW_MS)
            .hex("bundle", self.bundle())
            .expect(expect)
    }
}

fn signed(payload_type: &str, payload: Vec<u8>, signers: &[u8]) -> v1::Signed {
    let keys: Vec<SigningKey> = signers.iter().map(|number| key(*number)).collect();
    let keys: Vec<&SigningKey> = keys.iter().collect();
    sign::sign(payload_type, payload.into(), &keys).expect("a key in memory signs")
}

fn row(name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str) -> Vector {
    Parts::new().with(change).vector(name, spec, what, expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn good() -> Vec<Vector> {
    vec![
        row("roster", "ROS-3", "two members, two of three keys", &|_| (), "ok"),
        row("roster-by-three", "ROS-3", "all three keys", &|p| p.roster_signers = vec![4, 5, 6], "ok"),
        row("roster-empty", "ROS-3", "no members yet", &|p| { p.roster.members.clear(); p.roster.nodes.clear(); p.docs.clear(); }, "ok"),
        row("roster-version-2", "ROS-9", "version 2 names the one before", &|p| { p.roster.version = 2; p.roster.prev_sha256 = Bytes::from_static(&[7; 32]); }, "ok"),
        row("doc-expired", "ROS-17", "an expired document does not spoil the roster", &|p| p.docs[0].0.expires_ms = NOW_MS - 1, "ok"),
        row("doc-by-an-ended-key", "ROS-17", "a document by a key that has ended does not spoil the roster", &|p| p.roster.members[0].identity_keys[0].not_after_ms = NOW_MS, "ok"),
        row("doc-version-of-its-issue", "ROS-36", "the highest version that a document may have", &|p| p.docs[0].0.version = p.docs[0].0.issued_ms, "ok"),
        row("doc-retired-key", "ROS-34", "a sealing key retired when it ends", &|p| retire(&mut p.docs[0].0, NOW_MS), "ok"),
        row("doc-retired-key-unlisted", "ROS-34", "a retired sealing key that is no longer listed", &|p| p.docs[0].0.retired_sealing_keys = vec![retired(vec![1; 16], 1)], "ok"),
        row("member-revoked", "ROS-14", "a revoked member stays listed", &|p| p.roster.members[0].status = v1::Status::Revoked.into(), "ok"),
        Parts::new().fresh(&|_| (), 5).vector("roster-fresh", "ROS-10", "with a freshness statement", "ok"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn roots() -> Vec<Vector> {
    let weak = || { let mut key = vec![0; 32]; key[0] = 1; v1::PublicKey { key: key.into(), ..listed(1) } };
    vec![
        row("root-not-pinned", "ROS-1", "another root than the pinned one", &|p| p.pin = Some([9; 32]), "WrongRoot"),
        row("root-of-another-federation", "ROS-2", "a root of another federation", &|p| "elsewhere".clone_into(&mut p.root.federation), "WrongFederation"),
        row("root-federation-name", "ROS-2", "a federation with a capital", &|p| "Example".clone_into(&mut p.root.federation), "BadId"),
        row("root-version-0", "ROS-2", "version 0", &|p| p.root.version = 0, "BadVersion"),
        row("root-by-one", "ROS-2", "one signature where two must agree", &|p| p.root_signers = vec![1], "TooFewSignatures"),
        row("root-by-one-twice", "ROS-2", "one key that signs twice", &|p| p.root_signers = vec![1, 1], "TooFewSignatures"),
        row("root-by-roster-keys", "ROS-2", "signed by the keys of the roster", &|p| p.root_signers = vec![4, 5], "TooFewSignatures"),
        row("root-signed-as-a-roster", "LBL-4", "a root signed as a roster", &|p| p.root_type = label::TYPE_ROSTER, "WrongType"),
        row("root-expired", "ROS-23", "a root at its expiry", &|p| p.root.expires_ms = NOW_MS, "Expired"),
        row("root-threshold-0", "ROS-2", "a threshold of nobody", &|p| p.root.root_threshold = 0, "BadThreshold"),
        row("root-threshold-4-of-3", "ROS-2", "a threshold that cannot be reached", &|p| p.root.roster_threshold = 4, "BadThreshold"),
        row("root-key-twice", "ROS-7", "a key for both purposes", &|p| p.root.roster_keys[0] = listed(1), "KeyReused"),
        row("root-key-weak", "ROS-6", "a key of small order", &|p| p.root.root_keys[1] = weak(), "Key(Weak)"),
        row("root-key-algorithm", "ROS-5", "a key of another algorithm", &|p| p.root.root_keys[1].algorithm = 3, "KeyAlgorithm"),
        row("root-key-ends-at-its-beginning", "ROS-8", "a key that is never good", &|p| { p.root.root_keys[1].not_before_ms = 5; p.root.root_keys[1].not_after_ms = 5; }, "BadTimes"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn headers() -> Vec<Vector> {
    vec![
        row("roster-by-one", "ROS-3", "one signature where two must agree", &|p| p.roster_signers = vec![4], "TooFewSignatures"),
        row("roster-by-one-twice", "ROS-3", "one key that signs twice", &|p| p.roster_signers = vec![4, 4], "TooFewSignatures"),
        row("roster-by-root-keys", "ROS-3", "signed by the root's own keys", &|p| p.roster_signers = vec![1, 2], "TooFewSignatures"),
        row("roster-by-a-key-that-ended", "ROS-8", "one of the two keys is no longer good", &|p| p.root.roster_keys[0].not_after_ms = NOW_MS, "TooFewSignatures"),
        row("roster-by-a-key-to-come", "ROS-8", "one of the two keys is not yet good", &|p| p.root.roster_keys[0].not_before_ms = NOW_MS + 1, "TooFewSignatures"),
        row("roster-of-another-federation", "ROS-4", "a roster of another federation", &|p| "elsewhere".clone_into(&mut p.roster.federation), "WrongFederation"),
        row("roster-version-0", "ROS-4", "version 0", &|p| p.roster.version = 0, "BadVersion"),
        row("roster-under-another-root", "ROS-4", "a roster for version 2 of the root", &|p| p.roster.root_version = 2, "BadVersion"),
        row("roster-expired", "ROS-23", "a roster at its expiry", &|p| p.roster.expires_ms = NOW_MS, "Expired"),
        row("roster-of-the-future", "ROS-23", "issued more than ten minutes ahead", &|p| p.roster.issued_ms = NOW_MS + 600_001, "FutureDated"),
        row("roster-ends-at-its-beginning", "ROS-23", "an expiry that is not after its issue", &|p| p.roster.expires_ms = p.roster.issued_ms, "BadTimes"),
        row("roster-critical", "ROS-4", "a critical feature that is unknown", &|p| p.roster.critical.push(3), "UnknownCritical"),
        row("roster-first-with-a-predecessor", "ROS-9", "version 1 names one before", &|p| p.roster.prev_sha256 = Bytes::from_static(&[7; 32]), "BadChain"),
        row("roster-second-without-one", "ROS-9", "version 2 names none before", &|p| p.roster.version = 2, "BadChain"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn members() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Member), expect: &str| {
        row(name, spec, what, &|parts| change(&mut parts.roster.members[0]), expect)
    };
    vec![
        row("member-id", "ROS-11", "an id with a capital", &|m| "Hotline".clone_into(&mut m.id), "BadId"),
        row("member-twice", "ROS-11", "two members of one id", &|m| POLICE.clone_into(&mut m.id), "Duplicate"),
        row("member-name-empty", "ROS-11", "no name", &|m| m.name.clear(), "BadName"),
        row("member-name-too-long", "LIM-28", "a name of 257 bytes", &|m| m.name = "n".repeat(257), "BadName"),
        row("member-name-reordering", "ROS-11", "a name with a character that reorders text", &|m| m.name.push('\u{202e}'), "BadName"),
        row("member-name-outer-space", "ROS-11", "a name with a space at its end", &|m| m.name.push(' '), "BadName"),
        row("member-country-lower-case", "ROS-12", "a country in small letters", &|m| "nl".clone_into(&mut m.country), "BadCountry"),
        row("member-country-unassigned", "ROS-12", "a country that is none", &|m| "QQ".clone_into(&mut m.country), "BadCountry"),
        row("member-role-missing", "ROS-12", "no role", &|m| m.role = 0, "BadRole"),
        row("member-role-unknown", "ROS-12", "a role of a later version", &|m| m.role = 42, "BadRole"),
        row("member-status-missing", "ROS-14", "no status", &|m| m.status = 0, "BadStatus"),
        row("member-status-unknown", "ROS-14", "an unknown status is never taken for live", &|m| m.status = 9, "BadStatus"),
        row("member-without-identity", "ROS-13", "no identity key", &|m| m.identity_keys.clear(), "KeyMissing"),
        row("member-17-identity-keys", "LIM-11", "17 identity keys", &|m| m.identity_keys = (100..117).map(listed).collect(), "TooLarge"),
        row("member-identity-twice", "ROS-7", "one identity key twice", &|m| m.identity_keys.push(m.identity_keys[0].clone()), "KeyReused"),
        row("member-identity-of-governance", "ROS-7", "a governance key as identity key", &|m| m.identity_keys.push(listed(4)), "KeyReused"),
        row("member-identity-not-a-point", "ROS-6", "an identity key that is no point", &|m| m.identity_keys[0].key = { let mut key = vec![0; 32]; key[0] = 2; key.into() }, "Key(NotAPoint)"),
        row("member-home-unknown", "ROS-13", "a home node that is not listed", &|m| "node.example-z".clone_into(&mut m.home_node), "UnknownHomeNode"),
        row("member-accepts-nothing", "ROS-16", "a kind in no lane", &|m| m.accepts.push(v1::Accepts { kind: 1, lanes: Vec::new() }), "BadAccepts"),
        row("member-accepts-twice", "ROS-16", "a kind twice in one lane", &|m| m.accepts.push(v1::Accepts { kind: 1, lanes: vec![2, 2] }), "BadAccepts"),
        row("member-accepts-unknown", "ROS-16", "a lane of a later version", &|m| m.accepts.push(v1::Accepts { kind: 1, lanes: vec![9] }), "BadAccepts"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn nodes() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut v1::Node), expect: &str| {
        row(name, spec, what, &|parts| change(&mut parts.roster.nodes[1]), expect)
    };
    vec![
        row("node-twice", "ROS-11", "two nodes of one id", &|n| "node.example-a".clone_into(&mut n.id), "Duplicate"),
        row("node-operator-unknown", "ROS-15", "an operator that is not listed", &|n| "nobody".clone_into(&mut n.operator), "UnknownOperator"),
        row("node-epoch-0", "ROS-15", "epoch 0", &|n| n.log_epoch = 0, "BadEpoch"),
        row("node-without-log-key", "ROS-15", "no log key", &|n| n.log_key = None, "KeyMissing"),
        row("node-log-key-of-a-member", "ROS-7", "an identity key as log key", &|n| n.log_key = Some(listed(50)), "KeyReused"),
        row("node-witness-key-is-log-key", "ROS-7", "one key for log and witness", &|n| n.witness_key.clone_from(&n.log_key), "KeyReused"),
        row("node-status-missing", "ROS-14", "no status", &|n| n.status = 0, "BadStatus"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn docs() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut (v1::MemberDoc, u8)), expect: &str| {
        row(name, spec, what, &|parts| change(&mut parts.docs[0]), expect)
    };
    vec![
        row("doc-by-another-member", "ROS-17", "signed by another member", &|d| d.1 = 60, "TooFewSignatures"),
        row("doc-by-its-log-key", "ROS-17", "signed by the member's log key", &|d| d.1 = 51, "TooFewSignatures"),
        row("doc-of-a-stranger", "ROS-17", "a document of someone who is not listed", &|d| "nobody".clone_into(&mut d.0.member), "UnknownMember"),
        row("doc-of-another-federation", "ROS-17", "a document for another federation", &|d| "elsewhere".clone_into(&mut d.0.federation), "WrongFederation"),
        row("doc-version-0", "ROS-17", "version 0", &|d| d.0.version = 0, "BadVersion"),
        row("doc-version-after-its-issue", "ROS-36", "a version above the time of issue", &|d| d.0.version = d.0.issued_ms + 1, "BadVersion"),
        row("doc-version-used-up", "ROS-36", "a version that none can follow", &|d| d.0.version = u64::MAX, "BadVersion"),
        row("doc-of-the-future", "ROS-23", "issued more than ten minutes ahead", &|d| d.0.issued_ms = NOW_MS + 600_001, "FutureDated"),
        row("doc-twice", "ROS-17", "a second document of one member", &|d| { POLICE.clone_into(&mut d.0.member); d.0.nodes.clear(); d.1 = 60; }, "Duplicate"),
        row("doc-node-of-another", "ROS-17", "the endpoints of another operator's node", &|d| "node.example-b".clone_into(&mut d.0.nodes[0].node), "NotOperator"),
        row("doc-node-twice", "ROS-17", "one node twice", &|d| d.0.nodes.push(d.0.nodes[0].clone()), "Duplicate"),
        row("doc-tls-key-reused", "ROS-7", "the client's key as the node's", &|d| d.0.nodes[0].tls_keys = d.0.client_tls_keys.clone(), "KeyReused"),
        row("doc-sealing-key-short", "ROS-6", "a sealing key cut short", &|d| d.0.sealing_keys[0].key.truncate(1215), "Key(Length)"),
        row("doc-sealing-key-algorithm", "ROS-5", "an Ed25519 key to seal to", &|d| d.0.sealing_keys = vec![listed(70)], "KeyAlgorithm"),
        row("doc-address-without-port", "ROS-18", "an address without a port", &|d| "192.0.2.1".clone_into(&mut d.0.nodes[0].addresses[0]), "BadAddress"),
        row("doc-address-port-0", "ROS-18", "port 0", &|d| "a.example:0".clone_into(&mut d.0.nodes[0].addresses[0]), "BadAddress"),
        row("doc-address-with-a-path", "ROS-18", "an address with a path", &|d| "a.example/x:1".clone_into(&mut d.0.nodes[0].addresses[0]), "BadAddress"),
        row("doc-17-retired-keys", "LIM-11", "17 retired sealing keys", &|d| d.0.retired_sealing_keys = (1..18).map(|key| retired([key; 16].to_vec(), NOW_MS)).collect(), "TooLarge"),
        row("doc-retired-key-id", "ROS-34", "a retired sealing key by an id of 15 bytes", &|d| d.0.retired_sealing_keys = vec![retired(vec![1; 15], NOW_MS)], "BadId"),
        row("doc-retired-key-twice", "ROS-34", "one retired sealing key twice", &|d| d.0.retired_sealing_keys = vec![retired(vec![1; 16], NOW_MS), retired(vec![1; 16], NOW_MS + 1)], "Duplicate"),
        row("doc-retired-key-at-0", "ROS-34", "a sealing key retired from no time on", &|d| d.0.retired_sealing_keys = vec![retired(vec![1; 16], 0)], "BadTimes"),
        row("doc-retired-key-good", "ROS-34", "a retired sealing key that is good until withdrawn", &|d| retire(&mut d.0, 0), "BadTimes"),
        row("doc-retired-key-too-early", "ROS-34", "a sealing key retired before it ends", &|d| retire(&mut d.0, NOW_MS + 1), "BadTimes"),
        row("doc-17-addresses", "LIM-29", "17 addresses", &|d| d.0.nodes[0].addresses = vec!["[2001:db8::1]:4433".to_owned(); 17], "TooLarge"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn freshness() -> Vec<Vector> {
    let row = |name: &str, what: &str, change: &dyn Fn(&mut v1::Freshness), signer: u8, expect: &str| {
        Parts::new().fresh(change, signer).vector(name, "ROS-10", what, expect)
    };
    vec![
        row("freshness-by-a-stranger", "signed by a stranger", &|_| (), 99, "TooFewSignatures"),
        Parts::new().with(&|p| p.root.roster_keys[1].not_after_ms = NOW_MS).fresh(&|_| (), 5).vector("freshness-by-a-key-that-ended", "ROS-10", "signed by a roster key that has ended", "TooFewSignatures"),
        row("freshness-by-a-root-key", "signed by a root key", &|_| (), 1, "TooFewSignatures"),
        row("freshness-of-an-older-roster", "it names an older version", &|f| f.roster_version = 0, 5, "Stale"),
        row("freshness-of-a-newer-roster", "it names a newer version: this roster was held back", &|f| f.roster_version = 2, 5, "Superseded"),
        row("freshness-of-other-bytes", "it names other bytes of this version", &|f| f.roster_sha256 = Bytes::from_static(&[7; 32]), 5, "Forked"),
        row("freshness-of-another-federation", "for another federation", &|f| "elsewhere".clone_into(&mut f.federation), 5, "WrongFederation"),
        row("freshness-of-the-future", "issued more than ten minutes ahead", &|f| f.issued_ms = NOW_MS + 600_001, 5, "FutureDated"),
        row("freshness-for-too-long", "vouching for a millisecond more than a week", &|f| f.expires_ms = f.issued_ms + 604_800_001, 5, "BadTimes"),
        row("freshness-ends-at-its-beginning", "an end that is not after its issue", &|f| f.expires_ms = f.issued_ms, 5, "BadTimes"),
    ]
}
