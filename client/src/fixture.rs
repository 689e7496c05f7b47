//! A small federation for tests: two members, each with a client and a node.

use bytes::Bytes;
use frex_proto::{
    keys::{SealingSecretKey, SigningKey},
    roster::{Roster, TrustAnchor, build},
    v1,
};

/// Seed of the key of member-a's client.
pub(crate) const CLIENT: u8 = 1;
/// Seed of the key of node-a.
pub(crate) const NODE: u8 = 2;
/// Seed of the key of member-b's client.
pub(crate) const OTHER_CLIENT: u8 = 21;
const OTHER_NODE: u8 = 3;
const THIRD_CLIENT: u8 = 22;
const THIRD_NODE: u8 = 4;
/// When it was made.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
const FAR_MS: u64 = 4_000_000_000_000;
const ROOT: u8 = 51;
const GOVERNANCE: u8 = 50;

pub(crate) struct Federation {
    pub(crate) signed_root: Bytes,
    pub(crate) bundle: Bytes,
    member_docs: Vec<Bytes>,
}

impl Federation {
    /// A federation in which member-a has this status.
    pub(crate) fn new(status: v1::Status) -> Self {
        Self::of(status, two().to_vec())
    }

    /// As [`Self::new`], with a member more.
    pub(crate) fn with_third(status: v1::Status) -> Self {
        let third = card("member-c", "node-c", THIRD_CLIENT, THIRD_NODE);
        Self::of(status, two().into_iter().chain([third]).collect())
    }

    fn of(status: v1::Status, cards: Vec<v1::MemberCard>) -> Self {
        let root = build::root(&build::RootDraft {
            federation: "fed",
            version: 1,
            expires_ms: FAR_MS,
            root_keys: &[key(ROOT).verifying_key()],
            root_threshold: 1,
            roster_keys: &[key(GOVERNANCE).verifying_key()],
            roster_threshold: 1,
        });
        let signed_root = build::sign_root(&root, &[&key(ROOT)]).expect("a key in memory signs");
        let mut listed = build::first_roster(&root, NOW_MS, FAR_MS);
        for card in &cards {
            build::list_card(&mut listed, card);
        }
        listed.members[0].status = i32::from(status);
        let member_docs = cards
            .into_iter()
            .map(|card| card.member_doc)
            .collect::<Vec<_>>();
        let signed =
            build::sign_roster(&listed, &[&key(GOVERNANCE)]).expect("a key in memory signs");
        Self {
            bundle: build::bundle(&signed_root, &signed, member_docs.clone(), None),
            signed_root,
            member_docs,
        }
    }

    pub(crate) fn roster(&self) -> Roster {
        let anchor = TrustAnchor::of_root(&self.signed_root).unwrap();
        Roster::judge(&self.bundle, &anchor, NOW_MS).unwrap()
    }

    /// The roster file that follows.
    pub(crate) fn next(&self) -> Bytes {
        let listed = build::next_roster(&self.roster(), NOW_MS, FAR_MS);
        let signed =
            build::sign_roster(&listed, &[&key(GOVERNANCE)]).expect("a key in memory signs");
        build::bundle(&self.signed_root, &signed, self.member_docs.clone(), None)
    }
}

fn two() -> [v1::MemberCard; 2] {
    [
        card("member-a", "node-a", CLIENT, NODE),
        card("member-b", "node-b", OTHER_CLIENT, OTHER_NODE),
    ]
}

/// Seed of a member's identity key.
pub(crate) fn identity_seed(member: &str) -> u8 {
    let node = match member {
        "member-a" => NODE,
        "member-b" => OTHER_NODE,
        _ => THIRD_NODE,
    };
    node + 100
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn card(member: &str, node: &str, client_key: u8, node_key: u8) -> v1::MemberCard {
    build::card(&build::CardDraft {
        federation: "fed",
        id: member,
        name: member,
        role: v1::Role::Hotline,
        country: "NO",
        home_node: node,
        identity: &key(node_key + 100),
        client_tls: &[key(client_key).verifying_key()],
        sealing: &[SealingSecretKey::from_seed(&[node_key; 32]).public()],
        node: Some(build::NodeDraft {
            id: node,
            log_key: &key(node_key + 120).verifying_key(),
            witness_key: None,
            tls_keys: &[key(node_key).verifying_key()],
            addresses: &["127.0.0.1:4433".to_owned()],
        }),
        issued_ms: NOW_MS,
        expires_ms: FAR_MS,
    })
    .expect("a key in memory signs")
}
