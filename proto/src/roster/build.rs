//! Makes what [`Roster::judge`] reads: for the governance's tools and for tests.
//!
//! Nothing made here is trusted for having been made here. Judge it like anyone's.

use bytes::Bytes;
use prost::Message;

use super::Roster;
use crate::{
    keys::{SealingPublicKey, SigningError, SigningKey, VerifyingKey},
    label::{self, sha256},
    limits, sign, v1,
};

/// How long a log key that a card replaces stays good if nobody says otherwise: time to hand out the
/// roster and to start the node again.
pub const LOG_KEY_OVERLAP_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// What a member states about itself to be listed.
pub struct CardDraft<'a> {
    /// The federation it applies to.
    pub federation: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its name, for people.
    pub name: &'a str,
    /// What kind of organisation.
    pub role: v1::Role,
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// The node that serves it.
    pub home_node: &'a str,
    /// Signs its document.
    pub identity: &'a SigningKey,
    /// Keys of its clients' connections.
    pub client_tls: &'a [VerifyingKey],
    /// Keys to seal to it with.
    pub sealing: &'a [SealingPublicKey],
    /// The node it runs, if any.
    pub node: Option<NodeDraft<'a>>,
    /// Now.
    pub issued_ms: u64,
    /// When its document ends.
    pub expires_ms: u64,
}

/// What an operator states about its node.
pub struct NodeDraft<'a> {
    /// Its id.
    pub id: &'a str,
    /// Signs its checkpoints.
    pub log_key: &'a VerifyingKey,
    /// Cosigns others' checkpoints.
    pub witness_key: Option<&'a VerifyingKey>,
    /// Keys of its connections.
    pub tls_keys: &'a [VerifyingKey],
    /// `host:port`.
    pub addresses: &'a [String],
}

/// The governance of a new federation.
pub struct RootDraft<'a> {
    /// The federation.
    pub federation: &'a str,
    /// Counts from 1.
    pub version: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// Keys that change the root.
    pub root_keys: &'a [VerifyingKey],
    /// How many of them must agree.
    pub root_threshold: u32,
    /// Keys that issue rosters.
    pub roster_keys: &'a [VerifyingKey],
    /// How many of them must agree.
    pub roster_threshold: u32,
}

/// An Ed25519 key as rosters list it, with its companion if it has one, good until withdrawn.
#[must_use]
pub fn signing_key(key: &VerifyingKey) -> v1::PublicKey {
    let mut listed = public_key(v1::KeyAlgorithm::Ed25519, key.as_bytes());
    let companion = Bytes::copy_from_slice(key.companion_bytes());
    match key.head_companion() {
        Some(_) => listed.ml_dsa_44 = companion,
        None => listed.ml_dsa_65 = companion,
    }
    listed
}

/// A sealing key as documents list it, good until withdrawn.
#[must_use]
pub fn sealing_key(key: &SealingPublicKey) -> v1::PublicKey {
    public_key(v1::KeyAlgorithm::Mlkem768X25519, key.as_bytes())
}

/// The root message of a draft.
#[must_use]
pub fn root(draft: &RootDraft<'_>) -> v1::Root {
    v1::Root {
        federation: draft.federation.to_owned(),
        version: draft.version,
        expires_ms: draft.expires_ms,
        root_keys: draft.root_keys.iter().map(signing_key).collect(),
        root_threshold: draft.root_threshold,
        roster_keys: draft.roster_keys.iter().map(signing_key).collect(),
        roster_threshold: draft.roster_threshold,
        holders: Vec::new(),
    }
}

/// The first roster of a federation, without members.
#[must_use]
pub fn first_roster(root: &v1::Root, issued_ms: u64, expires_ms: u64) -> v1::Roster {
    v1::Roster {
        federation: root.federation.clone(),
        version: 1,
        root_version: root.version,
        issued_ms,
        expires_ms,
        ..v1::Roster::default()
    }
}

/// The roster that follows `current`, with the same entries.
#[must_use]
pub fn next_roster(current: &Roster, issued_ms: u64, expires_ms: u64) -> v1::Roster {
    let listed = v1::Roster::decode(current.payload().clone())
        .expect("a judged roster's payload has been decoded before");
    v1::Roster {
        version: listed.version + 1,
        prev_sha256: Bytes::copy_from_slice(current.sha256()),
        issued_ms,
        expires_ms,
        ..listed
    }
}

/// Lists a card's member and node, in place of entries of the same ids. Of one that is listed
/// already the card changes what the member decides: name, keys and node. Status, quota and what
/// may be sent to it stay as the governance has them. A log key that the card replaces stays good
/// for [`LOG_KEY_OVERLAP_MS`].
pub fn list_card(roster: &mut v1::Roster, card: &v1::MemberCard) {
    let until_ms = roster.issued_ms.saturating_add(LOG_KEY_OVERLAP_MS);
    list_card_until(roster, card, until_ms);
}

/// As [`list_card`]; a log key that the card replaces ends at `log_key_until_ms`.
pub fn list_card_until(roster: &mut v1::Roster, card: &v1::MemberCard, log_key_until_ms: u64) {
    if let Some(member) = &card.member {
        match roster.members.iter_mut().find(|old| old.id == member.id) {
            Some(old) => {
                *old = v1::Member {
                    name: member.name.clone(),
                    role: member.role,
                    country: member.country.clone(),
                    home_node: member.home_node.clone(),
                    identity_keys: member.identity_keys.clone(),
                    ..std::mem::take(old)
                }
            }
            None => roster.members.push(member.clone()),
        }
    }
    if let Some(node) = &card.node {
        match roster.nodes.iter_mut().find(|old| old.id == node.id) {
            Some(old) => {
                // A card from before the log began anew says nothing against that.
                let log = if node.log_epoch < old.log_epoch {
                    &*old
                } else {
                    node
                };
                *old = v1::Node {
                    status: old.status,
                    earlier_log_keys: earlier_log_keys(old, node, log_key_until_ms),
                    earlier_witness_keys: earlier_witness_keys(old, node, log_key_until_ms),
                    log_epoch: log.log_epoch,
                    ended_logs: log.ended_logs.clone(),
                    ..node.clone()
                }
            }
            None => roster.nodes.push(v1::Node {
                earlier_log_keys: Vec::new(),
                earlier_witness_keys: Vec::new(),
                ..node.clone()
            }),
        }
    }
}

/// What the logs of `old` have signed with once they go over to the key of `new`. Spec: ROS-41.
fn earlier_log_keys(old: &v1::Node, new: &v1::Node, until_ms: u64) -> Vec<v1::PublicKey> {
    let (in_force, next) = (old.log_key.as_ref(), new.log_key.as_ref());
    followed(in_force, next, &old.earlier_log_keys, until_ms)
}

/// What the witness `old` has cosigned with once it goes over to the key of `new`. The oldest make
/// room: what they cosigned is provisional again. Spec: ROS-63.
fn earlier_witness_keys(old: &v1::Node, new: &v1::Node, until_ms: u64) -> Vec<v1::PublicKey> {
    let (in_force, next) = (old.witness_key.as_ref(), new.witness_key.as_ref());
    let mut keys = followed(in_force, next, &old.earlier_witness_keys, until_ms);
    keys.truncate(limits::KEYS_PER_ENTRY_MAX);
    keys
}

/// The earlier keys and before them, with this end, the one in force if another follows it.
fn followed(
    in_force: Option<&v1::PublicKey>,
    next: Option<&v1::PublicKey>,
    earlier: &[v1::PublicKey],
    until_ms: u64,
) -> Vec<v1::PublicKey> {
    let key = |listed: Option<&v1::PublicKey>| listed.map(|listed| listed.key.clone());
    let replaced = in_force.filter(|_| key(in_force) != key(next));
    let replaced = replaced.map(|listed| v1::PublicKey {
        not_after_ms: until_ms,
        ..listed.clone()
    });
    replaced
        .into_iter()
        .chain(earlier.iter().cloned())
        .collect()
}

/// A member's card: its entry, its node's, and its document signed by its identity key.
///
/// # Errors
/// [`SigningError`].
pub fn card(draft: &CardDraft<'_>) -> Result<v1::MemberCard, SigningError> {
    Ok(v1::MemberCard {
        member: Some(v1::Member {
            id: draft.id.to_owned(),
            name: draft.name.to_owned(),
            role: i32::from(draft.role),
            country: draft.country.to_owned(),
            status: i32::from(v1::Status::Live),
            home_node: draft.home_node.to_owned(),
            identity_keys: vec![signing_key(&draft.identity.verifying_key())],
            ..v1::Member::default()
        }),
        node: draft.node.as_ref().map(|node| v1::Node {
            id: node.id.to_owned(),
            operator: draft.id.to_owned(),
            status: i32::from(v1::Status::Live),
            log_key: Some(signing_key(node.log_key)),
            log_epoch: 1,
            witness_key: node.witness_key.map(signing_key),
            earlier_log_keys: Vec::new(),
            ended_logs: Vec::new(),
            earlier_witness_keys: Vec::new(),
        }),
        member_doc: sign_member_doc(&first_doc(draft), draft.identity)?,
    })
}

/// Signs a root.
///
/// # Errors
/// [`SigningError`] if one of the keys does not sign.
pub fn sign_root(root: &v1::Root, signers: &[&SigningKey]) -> Result<Bytes, SigningError> {
    signed(label::TYPE_ROOT, root, signers)
}

/// Signs a roster.
///
/// # Errors
/// [`SigningError`] if one of the keys does not sign.
pub fn sign_roster(roster: &v1::Roster, signers: &[&SigningKey]) -> Result<Bytes, SigningError> {
    signed(label::TYPE_ROSTER, roster, signers)
}

/// Signs a member document.
///
/// # Errors
/// [`SigningError`].
pub fn sign_member_doc(doc: &v1::MemberDoc, identity: &SigningKey) -> Result<Bytes, SigningError> {
    signed(label::TYPE_MEMBER_DOC, doc, &[identity])
}

/// States that `signed_roster` is the newest until `expires_ms`. Nothing comes of bytes that are
/// no signed roster.
///
/// # Errors
/// [`SigningError`].
pub fn freshness(
    signed_roster: &[u8],
    issued_ms: u64,
    expires_ms: u64,
    signer: &SigningKey,
) -> Result<Option<Bytes>, SigningError> {
    let payload = v1::Signed::decode(signed_roster).map(|signed| signed.payload);
    let Some((payload, roster)) = payload.ok().and_then(|payload| {
        let roster = v1::Roster::decode(payload.clone()).ok()?;
        Some((payload, roster))
    }) else {
        return Ok(None);
    };
    let stated = v1::Freshness {
        federation: roster.federation,
        roster_version: roster.version,
        roster_sha256: Bytes::copy_from_slice(&sha256(&[&payload])),
        issued_ms,
        expires_ms,
    };
    signed(label::TYPE_FRESHNESS, &stated, &[signer]).map(Some)
}

/// A roster file: signed root and roster, the documents, and a freshness statement or none.
#[must_use]
pub fn bundle(
    root: &Bytes,
    roster: &Bytes,
    member_docs: Vec<Bytes>,
    freshness: Option<Bytes>,
) -> Bytes {
    let bundle = v1::RosterBundle {
        root: root.clone(),
        roster: roster.clone(),
        member_docs,
        freshness: freshness.unwrap_or_default(),
        earlier_roots: Vec::new(),
    };
    bundle.encode_to_vec().into()
}

fn first_doc(draft: &CardDraft<'_>) -> v1::MemberDoc {
    let nodes = draft.node.iter().map(|node| v1::NodeEndpoint {
        node: node.id.to_owned(),
        addresses: node.addresses.to_vec(),
        tls_keys: node.tls_keys.iter().map(signing_key).collect(),
    });
    v1::MemberDoc {
        federation: draft.federation.to_owned(),
        member: draft.id.to_owned(),
        version: 1,
        issued_ms: draft.issued_ms,
        expires_ms: draft.expires_ms,
        client_tls_keys: draft.client_tls.iter().map(signing_key).collect(),
        sealing_keys: draft.sealing.iter().map(sealing_key).collect(),
        nodes: nodes.collect(),
        retired_sealing_keys: Vec::new(),
    }
}

fn signed(
    payload_type: &str,
    message: &impl Message,
    signers: &[&SigningKey],
) -> Result<Bytes, SigningError> {
    let signed = sign::sign(payload_type, message.encode_to_vec().into(), signers)?;
    Ok(signed.encode_to_vec().into())
}

fn public_key(algorithm: v1::KeyAlgorithm, key: &[u8]) -> v1::PublicKey {
    v1::PublicKey {
        algorithm: i32::from(algorithm),
        key: Bytes::copy_from_slice(key),
        not_before_ms: 0,
        not_after_ms: 0,
        ml_dsa_65: Bytes::new(),
        ml_dsa_44: Bytes::new(),
    }
}
