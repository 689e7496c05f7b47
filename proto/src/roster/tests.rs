//! Every refusal of a roster, one by one; and what a sound roster answers.

use bytes::Bytes;
use prost::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::{
    keys::{SealingSecretKey, SigningKey},
    limits,
    roster::build,
};

mod companions;
mod ended;
mod merge;
mod succession;
mod witnesses;

const NOW: u64 = 1_900_000_000_000;
const DAY: u64 = 24 * 60 * 60 * 1000;

/// Keys from 240 on have a companion.
fn key(seed: u8) -> SigningKey {
    let key = SigningKey::from_seed(&[seed; 32]);
    match seed {
        240.. => key.with_companion(&[seed; 32]),
        _ => key,
    }
}

fn public(seed: u8) -> VerifyingKey {
    key(seed).verifying_key()
}

/// A federation before it is signed, so that a test can spoil one thing and sign the rest.
#[derive(Clone)]
struct World {
    root: v1::Root,
    roster: v1::Roster,
    docs: Vec<(v1::MemberDoc, u8)>,
    freshness: Option<v1::Freshness>,
    root_signers: Vec<u8>,
    roster_signers: Vec<u8>,
    tamper: fn(&mut v1::RosterBundle),
}

// Seeds: 1..=3 root keys, 11..=13 roster keys; per member m: 20+m identity, 30+m client
// connection, 40+m sealing; per node: 50+m log, 60+m witness, 70+m connection.
impl World {
    fn new() -> Self {
        let keys = |seeds: [u8; 3]| seeds.map(public);
        let root = build::root(&build::RootDraft {
            federation: "example",
            version: 1,
            expires_ms: NOW + 1000 * DAY,
            root_keys: &keys([1, 2, 3]),
            root_threshold: 2,
            roster_keys: &keys([11, 12, 13]),
            roster_threshold: 2,
        });
        let mut roster = build::first_roster(&root, NOW - DAY, NOW + 90 * DAY);
        let mut docs = Vec::new();
        for (m, id, home, runs) in [
            (0, "hotline-de", "node-de", true),
            (1, "police-fr", "node-fr", true),
            (2, "platform", "node-de", false),
        ] {
            let card = member_card(m, id, home, runs);
            let doc = v1::Signed::decode(card.member_doc.clone()).unwrap();
            docs.push((v1::MemberDoc::decode(doc.payload).unwrap(), 20 + m));
            build::list_card(&mut roster, &card);
        }
        Self {
            root,
            roster,
            docs,
            freshness: None,
            root_signers: vec![1, 2],
            roster_signers: vec![11, 13],
            tamper: |_| (),
        }
    }

    fn anchor(&self) -> TrustAnchor {
        TrustAnchor {
            federation: "example".to_owned(),
            root_sha256: crate::label::sha256(&[&Self::new().root.encode_to_vec()]),
        }
    }

    fn fresh(&mut self) -> &mut v1::Freshness {
        self.freshness.get_or_insert_with(|| v1::Freshness {
            federation: "example".to_owned(),
            roster_version: 1,
            roster_sha256: Bytes::copy_from_slice(&crate::label::sha256(&[&self
                .roster
                .encode_to_vec()])),
            issued_ms: NOW,
            expires_ms: NOW + DAY,
        })
    }

    fn bundle(&self) -> Bytes {
        let signers = |seeds: &[u8]| seeds.iter().copied().map(key).collect::<Vec<_>>();
        let root_signers = signers(&self.root_signers);
        let roster_signers = signers(&self.roster_signers);
        let docs = self
            .docs
            .iter()
            .map(|(doc, seed)| build::sign_member_doc(doc, &key(*seed)).unwrap());
        let freshness = self.freshness.as_ref().map(|stated| {
            let payload = stated.encode_to_vec().into();
            crate::sign::sign(crate::label::TYPE_FRESHNESS, payload, &[&key(12)])
                .unwrap()
                .encode_to_vec()
                .into()
        });
        let mut bundle = v1::RosterBundle::decode(build::bundle(
            &build::sign_root(&self.root, &root_signers.iter().collect::<Vec<_>>()).unwrap(),
            &build::sign_roster(&self.roster, &roster_signers.iter().collect::<Vec<_>>()).unwrap(),
            docs.collect(),
            freshness,
        ))
        .unwrap();
        (self.tamper)(&mut bundle);
        bundle.encode_to_vec().into()
    }

    fn judge(&self) -> Result<Roster, RosterError> {
        Roster::judge(&self.bundle(), &self.anchor(), NOW)
    }
}

fn member_card(m: u8, id: &str, home: &str, runs: bool) -> v1::MemberCard {
    let node = build::NodeDraft {
        id: home,
        log_key: &public(50 + m),
        witness_key: Some(&public(60 + m)),
        tls_keys: &[public(70 + m)],
        addresses: &[format!("{home}.example:4433")],
    };
    build::card(&build::CardDraft {
        federation: "example",
        id,
        name: "An organisation",
        role: v1::Role::Hotline,
        country: "DE",
        home_node: home,
        identity: &key(20 + m),
        client_tls: &[public(30 + m)],
        sealing: &[SealingSecretKey::from_seed(&[40 + m; 32]).public()],
        node: runs.then_some(node),
        issued_ms: NOW - DAY,
        expires_ms: NOW + 30 * DAY,
    })
    .unwrap()
}

fn retouch(signed: &mut Bytes, change: impl FnOnce(&mut v1::Signed)) {
    let mut message = v1::Signed::decode(signed.clone()).unwrap();
    change(&mut message);
    *signed = message.encode_to_vec().into();
}

fn first_member(world: &mut World) -> &mut v1::Member {
    &mut world.roster.members[0]
}

fn first_node(world: &mut World) -> &mut v1::Node {
    &mut world.roster.nodes[0]
}

fn first_doc(world: &mut World) -> &mut v1::MemberDoc {
    &mut world.docs[0].0
}

fn doc_version(roster: &Roster, member: &str) -> Option<u64> {
    roster.member(member).unwrap().doc.map(|doc| doc.version)
}

/// A key that another has followed.
fn ended(key: v1::PublicKey) -> v1::PublicKey {
    v1::PublicKey {
        not_after_ms: NOW + DAY,
        ..key
    }
}

/// The neutral element: ring and lenient verifiers take forgeries under it for any message.
fn weak_key() -> v1::PublicKey {
    let mut listed = build::signing_key(&public(1));
    let mut bytes = [0; 32];
    bytes[0] = 1;
    listed.key = Bytes::copy_from_slice(&bytes);
    listed
}

type Case = (&'static str, Part, Fault, fn(&mut World));

#[rustfmt::skip]
const SIGNATURES: &[Case] = &[
    ("root with one signature of two", Part::Root, Fault::TooFewSignatures, |w| w.root_signers = vec![1]),
    ("root signed twice by one key", Part::Root, Fault::TooFewSignatures, |w| w.root_signers = vec![1, 1]),
    ("root signed by roster keys", Part::Root, Fault::TooFewSignatures, |w| w.root_signers = vec![11, 12]),
    ("another root, well signed", Part::Root, Fault::WrongRoot, |w| w.root.expires_ms += 1),
    ("another federation's root", Part::Root, Fault::WrongFederation, |w| w.root.federation = "other".into()),
    ("roster without signature", Part::Roster, Fault::TooFewSignatures, |w| w.roster_signers = vec![]),
    ("roster with one signature of two", Part::Roster, Fault::TooFewSignatures, |w| w.roster_signers = vec![12]),
    ("roster signed twice by one key", Part::Roster, Fault::TooFewSignatures, |w| w.roster_signers = vec![12, 12]),
    ("roster signed by root keys", Part::Roster, Fault::TooFewSignatures, |w| w.roster_signers = vec![1, 2]),
    ("roster signed by strangers", Part::Roster, Fault::TooFewSignatures, |w| w.roster_signers = vec![91, 92, 93]),
    ("a signature under a second key's id", Part::Roster, Fault::BadSignature, |w| w.tamper = |b| retouch(&mut b.roster, |s| s.signatures[0].key_id = public(12).key_id().0.to_vec().into())),
    ("a changed byte of the roster", Part::Roster, Fault::BadSignature, |w| w.tamper = |b| retouch(&mut b.roster, |s| { let mut p = s.payload.to_vec(); p[3] ^= 1; s.payload = p.into(); })),
    ("a root in place of the roster", Part::Roster, Fault::WrongType, |w| w.tamper = |b| b.roster = b.root.clone()),
    ("a roster under a batch signature", Part::Roster, Fault::Malformed, |w| w.tamper = |b| retouch(&mut b.roster, |s| s.batch = Some(v1::BatchPath::default()))),
    ("a root under a batch signature", Part::Root, Fault::Malformed, |w| w.tamper = |b| retouch(&mut b.root, |s| s.batch = Some(v1::BatchPath::default()))),
    ("a document under a batch signature", Part::MemberDoc(0), Fault::Malformed, |w| w.tamper = |b| retouch(&mut b.member_docs[0], |s| s.batch = Some(v1::BatchPath::default()))),
    ("freshness under a batch signature", Part::Freshness, Fault::Malformed, |w| { w.fresh(); w.tamper = |b| retouch(&mut b.freshness, |s| s.batch = Some(v1::BatchPath::default())); }),
    ("a document by another member's key", Part::MemberDoc(1), Fault::TooFewSignatures, |w| w.docs[1].1 = 20),
    ("a document by a governance key", Part::MemberDoc(0), Fault::TooFewSignatures, |w| w.docs[0].1 = 11),
];

#[rustfmt::skip]
const FIELDS: &[Case] = &[
    ("root past its expiry", Part::Root, Fault::WrongRoot, |w| w.root.expires_ms = NOW),
    ("root threshold above its keys", Part::Root, Fault::BadThreshold, |w| w.root.root_threshold = 4),
    ("roster threshold of zero", Part::Root, Fault::BadThreshold, |w| w.root.roster_threshold = 0),
    ("root key that is also a roster key", Part::Root, Fault::KeyReused, |w| w.root.roster_keys[0] = w.root.root_keys[0].clone()),
    ("weak root key", Part::Root, Fault::Key(KeyError::Weak), |w| w.root.root_keys[2] = weak_key()),
    ("too many root keys", Part::Root, Fault::TooLarge, |w| w.root.root_keys = vec![w.root.root_keys[0].clone(); limits::GOVERNANCE_KEYS_MAX + 1]),
    ("root version zero", Part::Root, Fault::BadVersion, |w| w.root.version = 0),
    ("roster of another federation", Part::Roster, Fault::WrongFederation, |w| w.roster.federation = "other".into()),
    ("roster version zero", Part::Roster, Fault::BadVersion, |w| w.roster.version = 0),
    ("roster under another root version", Part::Roster, Fault::BadVersion, |w| w.roster.root_version = 2),
    ("roster past its expiry", Part::Roster, Fault::Expired, |w| w.roster.expires_ms = NOW),
    ("roster from the future", Part::Roster, Fault::FutureDated, |w| w.roster.issued_ms = NOW + limits::CLOCK_SKEW_MS_MAX + 1),
    ("roster that ends before it begins", Part::Roster, Fault::BadTimes, |w| w.roster.expires_ms = w.roster.issued_ms),
    ("first roster with a predecessor", Part::Roster, Fault::BadChain, |w| w.roster.prev_sha256 = vec![0; 32].into()),
    ("second roster without predecessor", Part::Roster, Fault::BadChain, |w| w.roster.version = 2),
    ("predecessor of a wrong length", Part::Roster, Fault::BadChain, |w| { w.roster.version = 2; w.roster.prev_sha256 = vec![0; 31].into(); }),
    ("unknown critical feature", Part::Roster, Fault::UnknownCritical, |w| w.roster.critical = vec![7]),
    ("too many members", Part::Roster, Fault::TooLarge, |w| w.roster.members = vec![v1::Member::default(); limits::MEMBERS_MAX + 1]),
    ("too many nodes", Part::Roster, Fault::TooLarge, |w| w.roster.nodes = vec![v1::Node::default(); limits::MEMBERS_MAX + 1]),
    ("too many signatures", Part::Roster, Fault::TooLarge, |w| w.roster_signers = vec![11; limits::SIGNATURES_MAX + 1]),
    ("roster over its bytes", Part::Roster, Fault::TooLarge, |w| w.tamper = |b| b.roster = vec![0; limits::ROSTER_BYTES_MAX + 1].into()),
    ("root over its bytes", Part::Root, Fault::TooLarge, |w| w.tamper = |b| b.root = vec![0; limits::ROOT_BYTES_MAX + 1].into()),
    ("too many documents", Part::Bundle, Fault::TooLarge, |w| w.tamper = |b| b.member_docs = vec![Bytes::new(); limits::MEMBERS_MAX + 1]),
    ("bundle over its bytes", Part::Bundle, Fault::TooLarge, |w| w.tamper = |b| b.freshness = vec![0; limits::ROSTER_BUNDLE_BYTES_MAX].into()),
    ("root of noise", Part::Root, Fault::Malformed, |w| w.tamper = |b| b.root = Bytes::from_static(&[0xff; 9])),
    ("empty roster", Part::Roster, Fault::WrongType, |w| w.tamper = |b| b.roster = Bytes::new()),
];

#[rustfmt::skip]
const ENTRIES: &[Case] = &[
    ("empty id", Part::Member(0), Fault::BadId, |w| first_member(w).id = String::new()),
    ("id in capitals", Part::Member(0), Fault::BadId, |w| first_member(w).id = "Hotline".into()),
    ("id too long", Part::Member(0), Fault::BadId, |w| first_member(w).id = "a".repeat(65)),
    ("id with a slash", Part::Node(0), Fault::BadId, |w| first_node(w).id = "a/b".into()),
    ("a member twice", Part::Member(3), Fault::Duplicate, |w| { let mut m = w.roster.members[0].clone(); m.identity_keys = vec![build::signing_key(&public(90))]; w.roster.members.push(m); }),
    ("a node twice", Part::Node(1), Fault::Duplicate, |w| w.roster.nodes[1].id = "node-de".into()),
    ("no name", Part::Member(0), Fault::BadName, |w| first_member(w).name = String::new()),
    ("name with an escape sequence", Part::Member(0), Fault::BadName, |w| first_member(w).name = "a\u{1b}[2Jb".into()),
    ("name that runs backwards", Part::Member(0), Fault::BadName, |w| first_member(w).name = "a\u{202e}b".into()),
    ("country that is none", Part::Member(0), Fault::BadCountry, |w| first_member(w).country = "ZZ".into()),
    ("country in small letters", Part::Member(0), Fault::BadCountry, |w| first_member(w).country = "de".into()),
    ("no role", Part::Member(0), Fault::BadRole, |w| first_member(w).role = 0),
    ("unknown role", Part::Member(0), Fault::BadRole, |w| first_member(w).role = 99),
    ("unknown status", Part::Member(0), Fault::BadStatus, |w| first_member(w).status = 99),
    ("node without status", Part::Node(0), Fault::BadStatus, |w| first_node(w).status = 0),
    ("home node that is not listed", Part::Member(2), Fault::UnknownHomeNode, |w| w.roster.members[2].home_node = "node-xx".into()),
    ("operator that is not listed", Part::Node(0), Fault::UnknownOperator, |w| first_node(w).operator = "nobody".into()),
    ("member without identity key", Part::Member(0), Fault::KeyMissing, |w| first_member(w).identity_keys.clear()),
    ("node without log key", Part::Node(0), Fault::KeyMissing, |w| first_node(w).log_key = None),
    ("log epoch zero", Part::Node(0), Fault::BadEpoch, |w| first_node(w).log_epoch = 0),
    ("weak identity key", Part::Member(0), Fault::Key(KeyError::Weak), |w| first_member(w).identity_keys[0] = weak_key()),
    ("weak log key", Part::Node(0), Fault::Key(KeyError::Weak), |w| first_node(w).log_key = Some(weak_key())),
    ("identity key of a wrong length", Part::Member(0), Fault::Key(KeyError::Length), |w| first_member(w).identity_keys[0].key = vec![1; 31].into()),
    ("identity key of a sealing algorithm", Part::Member(0), Fault::KeyAlgorithm, |w| first_member(w).identity_keys[0].algorithm = 3),
    ("identity key of an unknown algorithm", Part::Member(0), Fault::KeyAlgorithm, |w| first_member(w).identity_keys[0].algorithm = 99),
    ("key that ends before it begins", Part::Member(0), Fault::BadTimes, |w| { let k = &mut first_member(w).identity_keys[0]; k.not_before_ms = 9; k.not_after_ms = 9; }),
    ("identity key that is a root key", Part::Member(0), Fault::KeyReused, |w| first_member(w).identity_keys[0] = build::signing_key(&public(1))),
    ("identity key of two members", Part::Member(1), Fault::KeyReused, |w| w.roster.members[1].identity_keys = w.roster.members[0].identity_keys.clone()),
    ("log key that is an identity key", Part::Node(0), Fault::KeyReused, |w| first_node(w).log_key = Some(build::signing_key(&public(21)))),
    ("witness key that is the log key", Part::Node(0), Fault::KeyReused, |w| { let k = w.roster.nodes[0].witness_key.clone(); first_node(w).log_key = k; }),
    ("earlier log key without end", Part::Node(0), Fault::EndMissing, |w| first_node(w).earlier_log_keys = vec![build::signing_key(&public(90))]),
    ("earlier log key that is in force", Part::Node(0), Fault::KeyReused, |w| { let k = first_node(w).log_key.clone().unwrap(); first_node(w).earlier_log_keys = vec![ended(k)]; }),
    ("earlier log key of another node", Part::Node(1), Fault::KeyReused, |w| { let k = w.roster.nodes[1].log_key.clone().unwrap(); first_node(w).earlier_log_keys = vec![ended(k)]; }),
    ("weak earlier log key", Part::Node(0), Fault::Key(KeyError::Weak), |w| first_node(w).earlier_log_keys = vec![ended(weak_key())]),
    ("too many earlier log keys", Part::Node(0), Fault::TooLarge, |w| first_node(w).earlier_log_keys = (100..=116).map(|s| ended(build::signing_key(&public(s)))).collect()),
    ("too many identity keys", Part::Member(0), Fault::TooLarge, |w| first_member(w).identity_keys = (100..=116).map(|s| build::signing_key(&public(s))).collect()),
    ("unknown accepted kind", Part::Member(0), Fault::BadAccepts, |w| first_member(w).accepts = vec![v1::Accepts { kind: 99, lanes: vec![1] }]),
    ("accepted kind without lane", Part::Member(0), Fault::BadAccepts, |w| first_member(w).accepts = vec![v1::Accepts { kind: 1, lanes: vec![] }]),
    ("accepted kind in no lane there is", Part::Member(0), Fault::BadAccepts, |w| first_member(w).accepts = vec![v1::Accepts { kind: 1, lanes: vec![0] }]),
];

#[rustfmt::skip]
const DOCUMENTS: &[Case] = &[
    ("document of a stranger", Part::MemberDoc(0), Fault::UnknownMember, |w| first_doc(w).member = "nobody".into()),
    ("document of another federation", Part::MemberDoc(0), Fault::WrongFederation, |w| first_doc(w).federation = "other".into()),
    ("document version zero", Part::MemberDoc(0), Fault::BadVersion, |w| first_doc(w).version = 0),
    ("document from the future", Part::MemberDoc(0), Fault::FutureDated, |w| first_doc(w).issued_ms = NOW + limits::CLOCK_SKEW_MS_MAX + 1),
    ("document that ends before it begins", Part::MemberDoc(0), Fault::BadTimes, |w| first_doc(w).expires_ms = 1),
    ("two documents of a member", Part::MemberDoc(3), Fault::Duplicate, |w| { let mut d = w.docs[0].clone(); d.0.version = 2; w.docs.push(d); }),
    ("endpoint of another's node", Part::MemberDoc(0), Fault::NotOperator, |w| first_doc(w).nodes[0].node = "node-fr".into()),
    ("endpoint of an unknown node", Part::MemberDoc(0), Fault::NotOperator, |w| first_doc(w).nodes[0].node = "node-xx".into()),
    ("a node's endpoint twice", Part::MemberDoc(0), Fault::Duplicate, |w| { let mut e = first_doc(w).nodes[0].clone(); e.tls_keys.clear(); first_doc(w).nodes.push(e); }),
    ("address without port", Part::MemberDoc(0), Fault::BadAddress, |w| first_doc(w).nodes[0].addresses = vec!["host".into()]),
    ("too many addresses", Part::MemberDoc(0), Fault::TooLarge, |w| first_doc(w).nodes[0].addresses = vec!["host:1".into(); 17]),
    ("weak connection key", Part::MemberDoc(0), Fault::Key(KeyError::Weak), |w| first_doc(w).client_tls_keys[0] = weak_key()),
    ("connection key that is the identity key", Part::MemberDoc(0), Fault::KeyReused, |w| first_doc(w).client_tls_keys = vec![build::signing_key(&public(20))]),
    ("client key that is a node's", Part::MemberDoc(0), Fault::KeyReused, |w| first_doc(w).client_tls_keys = vec![build::signing_key(&public(70))]),
    ("connection key of two members", Part::MemberDoc(1), Fault::KeyReused, |w| w.docs[1].0.client_tls_keys = w.docs[0].0.client_tls_keys.clone()),
    ("sealing key of two members", Part::MemberDoc(1), Fault::KeyReused, |w| w.docs[1].0.sealing_keys = w.docs[0].0.sealing_keys.clone()),
    ("sealing key of a wrong length", Part::MemberDoc(0), Fault::Key(KeyError::Length), |w| first_doc(w).sealing_keys[0].key = vec![1; 32].into()),
    ("sealing key of a signing algorithm", Part::MemberDoc(0), Fault::KeyAlgorithm, |w| first_doc(w).sealing_keys = vec![build::signing_key(&public(90))]),
    ("freshness of another federation", Part::Freshness, Fault::WrongFederation, |w| w.fresh().federation = "other".into()),
    ("freshness of an older roster", Part::Freshness, Fault::Stale, |w| w.fresh().roster_version = 0),
    ("freshness of a newer roster", Part::Freshness, Fault::Superseded, |w| w.fresh().roster_version = 2),
    ("freshness of a forked roster", Part::Freshness, Fault::Forked, |w| w.fresh().roster_sha256 = vec![0; 32].into()),
    ("freshness from the future", Part::Freshness, Fault::FutureDated, |w| { w.fresh().issued_ms = NOW + DAY; w.fresh().expires_ms = NOW + 2 * DAY; }),
    ("freshness that ends before it begins", Part::Freshness, Fault::BadTimes, |w| w.fresh().expires_ms = NOW),
    ("freshness for longer than a week", Part::Freshness, Fault::BadTimes, |w| w.fresh().expires_ms = NOW + 7 * DAY + 1),
    ("freshness signed as a roster", Part::Freshness, Fault::WrongType, |w| w.tamper = |b| b.freshness = b.roster.clone()),
];

// ROS-1 to ROS-20, ROS-40, LIM-8, LIM-9, LIM-10, LIM-12, LIM-45, KEY-9, SIG-12, WIR-9: each refusal
// is its own fault at its own place.
#[test]
fn each_unsound_roster_is_refused_for_its_own_reason() {
    for (name, part, fault, spoil) in [SIGNATURES, FIELDS, ENTRIES, DOCUMENTS].concat() {
        let mut world = World::new();
        spoil(&mut world);
        let error = world.judge().expect_err(name);
        assert_eq!(error, part.fault(fault), "{name}");
        let text = error.to_string();
        assert!(
            !text.contains("hotline") && !text.contains("example"),
            "{text}"
        );
    }
}

// ROS-2: a pinned root ends like any other.
#[test]
fn an_expired_root_is_refused_although_it_is_pinned() {
    let world = World::new();
    let later = world.root.expires_ms;
    let error = Roster::judge(&world.bundle(), &world.anchor(), later).unwrap_err();
    assert_eq!(error, Part::Root.fault(Fault::Expired));
}

// ROS-20: a thousand generated unsound rosters, none taken.
#[test]
fn no_generated_unsound_roster_is_accepted() {
    let mut rng = ChaCha20Rng::seed_from_u64(20);
    let cases = [SIGNATURES, FIELDS, ENTRIES, DOCUMENTS].concat();
    let sound = v1::RosterBundle::decode(World::new().bundle()).unwrap();
    let anchor = World::new().anchor();
    assert!(Roster::judge(&sound.encode_to_vec(), &anchor, NOW).is_ok());
    let mut accepted = 0;
    for round in 0..1_000 {
        let bundle = if round % 2 == 0 {
            // Well signed by some quorum, with one fault.
            let mut world = World::new();
            // Never key 12 first: one fault passes a signature off as that key's.
            let pairs = [[11, 12], [11, 13], [13, 11], [13, 12]];
            world.roster_signers = pairs[below(&mut rng, pairs.len())].to_vec();
            let (_, _, _, spoil) = cases[below(&mut rng, cases.len())];
            spoil(&mut world);
            world.bundle()
        } else {
            mutated(&sound, &mut rng)
        };
        accepted += usize::from(Roster::judge(&bundle, &anchor, NOW).is_ok());
    }
    assert_eq!(accepted, 0);
}

/// Changes some bits of, or cuts, one of the signed objects. The framing around them is left:
/// it is not signed, and a bundle without one of its documents is a sound bundle.
fn mutated(sound: &v1::RosterBundle, rng: &mut ChaCha20Rng) -> Bytes {
    let mut bundle = sound.clone();
    let doc = below(rng, bundle.member_docs.len());
    let target = match below(rng, 4) {
        0 => &mut bundle.root,
        1 => &mut bundle.member_docs[doc],
        _ => &mut bundle.roster,
    };
    let mut bytes = target.to_vec();
    if below(rng, 8) == 0 {
        bytes.truncate(below(rng, bytes.len()));
    } else {
        // Distinct positions, so that no change undoes another.
        let start = below(rng, bytes.len());
        let end = bytes.len().min(start + 1 + below(rng, 4));
        for byte in &mut bytes[start..end] {
            *byte ^= 1 << below(rng, 8);
        }
    }
    *target = bytes.into();
    bundle.encode_to_vec().into()
}

fn below(rng: &mut ChaCha20Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % end as u64).unwrap()
}

// ROS-11 to ROS-18
#[test]
fn a_sound_roster_answers_who_is_who() {
    let mut world = World::new();
    world.fresh();
    let roster = world.judge().unwrap();
    assert_eq!(roster.federation(), "example");
    assert_eq!(roster.fresh_until_ms(), Some(NOW + DAY));
    assert_eq!((roster.members().len(), roster.nodes().len()), (3, 2));
    assert_eq!(roster.bytes(), &world.bundle());
    assert!(!roster.allow_classical());

    let node = Peer::Node("node-de".to_owned());
    let client = Peer::Client("platform".to_owned());
    assert_eq!(
        roster.owner_of_tls_key(public(70).as_bytes(), NOW),
        Some(&node)
    );
    assert_eq!(
        roster.owner_of_tls_key(public(32).as_bytes(), NOW),
        Some(&client)
    );
    for not_a_connection_key in [1, 11, 20, 50, 60, 99] {
        let key = public(not_a_connection_key);
        assert_eq!(roster.owner_of_tls_key(key.as_bytes(), NOW), None);
    }
    assert_eq!(roster.home_node("platform").unwrap().id, "node-de");
    assert!(roster.is_served_by("platform", "node-de"));
    assert!(!roster.is_served_by("platform", "node-fr"));
    assert_eq!(
        roster.node("node-fr").unwrap().addresses,
        ["node-fr.example:4433"]
    );
    let log = roster.log_verifier("node-fr").unwrap();
    assert_eq!(log.origin, "frex/example/node-fr/log/1");
    assert_eq!(*log.key(), public(51));
    assert_eq!(roster.sender_keys("police-fr", NOW), [public(21)]);
    assert!(roster.sender_keys("nobody", NOW).is_empty());
}

// ROS-14, MBR-2: no key of a suspended or revoked member or node opens anything.
#[test]
fn who_is_not_live_is_listed_but_may_nothing() {
    for status in [v1::Status::Suspended, v1::Status::Revoked] {
        let mut world = World::new();
        first_member(&mut world).status = i32::from(status);
        let roster = world.judge().unwrap();
        assert_eq!(roster.owner_of_tls_key(public(30).as_bytes(), NOW), None);
        // Its operator is not live, so the node is not.
        assert_eq!(roster.owner_of_tls_key(public(70).as_bytes(), NOW), None);
        assert!(
            roster
                .listed_owner_of_tls_key(public(70).as_bytes())
                .is_some()
        );
        assert!(roster.sender_keys("hotline-de", NOW).is_empty());
        assert!(roster.sealing_key("hotline-de", NOW).is_none());
        let member = roster.member("hotline-de").unwrap();
        assert_eq!(member.identity_keys_at(NOW), [public(20)]);

        let mut world = World::new();
        first_node(&mut world).status = i32::from(status);
        let roster = world.judge().unwrap();
        assert_eq!(roster.owner_of_tls_key(public(70).as_bytes(), NOW), None);
        assert!(
            roster
                .owner_of_tls_key(public(30).as_bytes(), NOW)
                .is_some()
        );
    }
}

// ROS-8, ROS-17, KEY-10: keys end with themselves, with their document and with the key that signed it.
#[test]
fn keys_are_good_only_in_their_time() {
    let mut world = World::new();
    let newer = SealingSecretKey::from_seed(&[80; 32]).public();
    first_doc(&mut world).sealing_keys.push(v1::PublicKey {
        not_before_ms: NOW + DAY,
        not_after_ms: NOW + 2 * DAY,
        ..build::sealing_key(&newer)
    });
    first_member(&mut world).identity_keys[0].not_after_ms = NOW + 10 * DAY;
    let roster = world.judge().unwrap();
    let older = SealingSecretKey::from_seed(&[40; 32]).public();
    let at = |days: u64| roster.sealing_key("hotline-de", NOW + days * DAY).cloned();
    assert_eq!(at(0), Some(older.clone()));
    assert_eq!(at(1), Some(newer));
    assert_eq!(at(2), Some(older));
    assert_eq!(at(10), None);
    let client = public(30);
    let owner = |days: u64| roster.owner_of_tls_key(client.as_bytes(), NOW + days * DAY);
    assert!(owner(9).is_some() && owner(10).is_none());
    assert!(roster.sender_keys("hotline-de", NOW + 10 * DAY).is_empty());

    let mut world = World::new();
    first_doc(&mut world).expires_ms = NOW;
    let roster = world.judge().unwrap();
    assert_eq!(roster.sealing_key("hotline-de", NOW), None);
    assert!(roster.sealing_key("police-fr", NOW).is_some());
}

// ROS-16
#[test]
fn a_member_takes_what_it_lists_and_pings() {
    let mut world = World::new();
    first_member(&mut world).accepts = vec![v1::Accepts {
        kind: i32::from(v1::Kind::Report),
        lanes: vec![i32::from(v1::Lane::Urgent), i32::from(v1::Lane::Normal)],
    }];
    let roster = world.judge().unwrap();
    let hotline = roster.member("hotline-de").unwrap();
    assert!(hotline.accepts(v1::Kind::Report, v1::Lane::Urgent));
    assert!(!hotline.accepts(v1::Kind::Report, v1::Lane::Bulk));
    assert!(!hotline.accepts(v1::Kind::Notice, v1::Lane::Normal));
    for kind in [v1::Kind::Ping, v1::Kind::Recall] {
        assert!(hotline.accepts(kind, v1::Lane::Control));
        assert!(!hotline.accepts(kind, v1::Lane::Urgent));
    }
    let police = roster.member("police-fr").unwrap();
    assert!(police.accepts(v1::Kind::Notice, v1::Lane::Bulk));
    assert!(!police.accepts(v1::Kind::Unspecified, v1::Lane::Normal));
}

// ROS-19
#[test]
fn a_card_is_judged_before_it_is_listed() {
    let card = member_card(0, "hotline-de", "node-de", true);
    let judge = |card: &v1::MemberCard| {
        let judged = Card::judge(&card.encode_to_vec(), "example", NOW);
        judged.map_err(|error| error.fault)
    };
    let judged = judge(&card).unwrap();
    assert_eq!(judged.node.unwrap().tls_keys[0].key, public(70));
    assert_eq!(judged.member.doc.map(|doc| doc.version), Some(1));

    let mut stolen = card.clone();
    stolen.member_doc = member_card(1, "hotline-de", "node-de", true).member_doc;
    assert_eq!(judge(&stolen).unwrap_err(), Fault::TooFewSignatures);
    let mut foreign = card.clone();
    foreign.node.as_mut().unwrap().operator = "police-fr".to_owned();
    assert_eq!(judge(&foreign).unwrap_err(), Fault::UnknownOperator);
    let late = Card::judge(&card.encode_to_vec(), "example", NOW + 60 * DAY);
    assert_eq!(late.unwrap_err(), Part::Card.fault(Fault::Expired));
}

// ROS-1
#[test]
fn an_anchor_pins_a_root_that_its_own_quorum_signed() {
    let world = World::new();
    let keys = [key(1), key(3)];
    let signed = build::sign_root(&world.root, &[&keys[0], &keys[1]]).unwrap();
    assert_eq!(TrustAnchor::of_root(&signed), Ok(world.anchor()));
    let alone = build::sign_root(&world.root, &[&keys[0]]).unwrap();
    let refused = Part::Root.fault(Fault::TooFewSignatures);
    assert_eq!(TrustAnchor::of_root(&alone), Err(refused));
}
