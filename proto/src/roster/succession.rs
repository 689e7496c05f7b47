//! Which roster and which root may follow the one held, and what two rosters prove together.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::{
    Fault, Part, Root, Roster, RosterError, RosterRef, TrustAnchor,
    judge::{good_at, parse_signed, verify},
};
use crate::{id::KeyId, keys::VerifyingKey, label::Hash, v1};

mod log_keys;

/// Two rosters of one version, each signed by a quorum: evidence against whoever signed both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The version that exists twice.
    pub version: u64,
    /// Hashes of the two.
    pub sha256: [Hash; 2],
    /// Keys whose signatures hold on both.
    pub signed_both: Vec<KeyId>,
}

impl Roster {
    /// Whether this roster replaces the one held; `false` for the very same one. Spec: ROS-21.
    ///
    /// It looks at version and hash only; who has the held roster itself asks
    /// [`succeeds`](Self::succeeds).
    ///
    /// # Errors
    /// A lower version is a rollback; the same version with another hash is a fork, and both are
    /// evidence; the next version must name the one held as its predecessor.
    pub fn is_newer_than(&self, held: RosterRef) -> Result<bool, RosterError> {
        let part = Part::Roster;
        let ours = self.reference;
        if ours.version < held.version {
            return Err(part.fault(Fault::RolledBack));
        }
        if ours.version == held.version {
            return if ours.sha256 == held.sha256 {
                Ok(false)
            } else {
                Err(part.fault(Fault::Forked))
            };
        }
        let follows_at_once = ours.version - held.version == 1;
        if follows_at_once && self.prev_sha256 != Some(held.sha256) {
            return Err(part.fault(Fault::BrokenChain));
        }
        Ok(true)
    }

    /// Whether this roster replaces `held`; `false` for the very same one. Root, version, hash
    /// and entries must all follow. Spec: ROS-21, ROS-27, ROS-33, ROS-41, ROS-42, ROS-61.
    ///
    /// # Errors
    /// [`RosterError`]: what is older or another than what is held is refused at its place.
    pub fn succeeds(&self, held: &Self) -> Result<bool, RosterError> {
        let part = Part::Root;
        if self.root.federation != held.root.federation {
            return Err(part.fault(Fault::WrongFederation));
        }
        if self.root.version < held.root.version {
            return Err(part.fault(Fault::RolledBack));
        }
        if !self.root_chain.contains(&held.root.reference()) {
            return Err(part.fault(Fault::Forked));
        }
        if !self.is_newer_than(held.reference)? {
            return Ok(false);
        }
        let (old, new) = (listed(held)?, listed(self)?);
        check_entries(&old, &new)?;
        log_keys::check(&old, &new)?;
        Ok(true)
    }
}

impl Root {
    /// Judges a signed root as the one that follows this one, and as one that is in force.
    /// Spec: ROS-22.
    ///
    /// # Errors
    /// [`RosterError`] unless the version is the next, the federation is the same, and both the
    /// old quorum and the new one signed.
    pub fn judge_successor(&self, signed_root: &[u8], now_ms: u64) -> Result<Self, RosterError> {
        let next = self.judge_next(signed_root, now_ms)?;
        if next.expires_ms <= now_ms {
            return Err(Part::Root.fault(Fault::Expired));
        }
        Ok(next)
    }

    /// As [`judge_successor`](Self::judge_successor), for one that others may have followed and
    /// that may therefore have ended.
    pub(super) fn judge_next(&self, signed_root: &[u8], now_ms: u64) -> Result<Self, RosterError> {
        let part = Part::Root;
        let next = Self::parse(signed_root)?;
        self.check_follower(&next)?;
        let signed = parse_signed(part, signed_root)?;
        let old = good_at(&self.root_keys, now_ms);
        verify(part, &signed, &old, self.root_threshold)?;
        Ok(next)
    }

    /// Whether `next` is the version that belongs after this one, whoever signed it.
    ///
    /// # Errors
    /// [`RosterError`]: another federation, an older version, this version again, one left out.
    pub fn check_follower(&self, next: &Self) -> Result<(), RosterError> {
        let part = Part::Root;
        if next.federation != self.federation {
            return Err(part.fault(Fault::WrongFederation));
        }
        if next.version == self.version && next.sha256 != self.sha256 {
            return Err(part.fault(Fault::Forked));
        }
        if next.version < self.version {
            return Err(part.fault(Fault::RolledBack));
        }
        if next.version.checked_sub(self.version) != Some(1) {
            return Err(part.fault(Fault::BadVersion));
        }
        let held = companions(
            self.keys()
                .map(|key| (key.as_bytes(), key.companion_bytes())),
        );
        let changed = |key: &VerifyingKey| {
            held.get(&key.as_bytes()[..])
                .is_some_and(|companion| *companion != key.companion_bytes())
        };
        if next.keys().any(changed) {
            return Err(part.fault(Fault::CompanionChanged));
        }
        Ok(())
    }

    fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        let timed = self.root_keys.iter().chain(&self.roster_keys);
        timed.map(|timed| &timed.key)
    }
}

/// What two roster files prove together: a fork, or nothing. Each is judged as of its own issue,
/// because evidence does not expire. Spec: ROS-32.
///
/// # Errors
/// [`RosterError`] if one of them was never a sound roster under `anchor`.
pub fn fork(one: &[u8], other: &[u8], anchor: &TrustAnchor) -> Result<Option<Fork>, RosterError> {
    let (one, other) = (
        Witnessed::judge(one, anchor)?,
        Witnessed::judge(other, anchor)?,
    );
    let (first, second) = (one.roster.reference, other.roster.reference);
    if first.version != second.version || first.sha256 == second.sha256 {
        return Ok(None);
    }
    let both = one.signers.iter().filter(|key| other.signers.contains(key));
    Ok(Some(Fork {
        version: first.version,
        sha256: [first.sha256, second.sha256],
        signed_both: both.copied().collect(),
    }))
}

/// A roster with the keys whose signatures hold on it.
struct Witnessed {
    roster: Roster,
    signers: Vec<KeyId>,
}

impl Witnessed {
    fn judge(bytes: &[u8], anchor: &TrustAnchor) -> Result<Self, RosterError> {
        let malformed = |_| Part::Bundle.fault(Fault::Malformed);
        super::ledger::check_count(
            Part::Bundle,
            bytes.len(),
            crate::limits::ROSTER_BUNDLE_BYTES_MAX,
        )?;
        // What members and freshness state later is no part of the evidence.
        let bundle = v1::RosterBundle {
            member_docs: Vec::new(),
            freshness: Bytes::new(),
            ..v1::RosterBundle::decode(bytes).map_err(malformed)?
        };
        let signed = parse_signed(Part::Roster, &bundle.roster)?;
        let issued_ms = v1::Roster::decode(signed.payload.clone())
            .map_err(|_| Part::Roster.fault(Fault::Malformed))?
            .issued_ms;
        let roster = Roster::judge(&bundle.encode_to_vec(), anchor, issued_ms)?;
        let keys = good_at(&roster.root.roster_keys, issued_ms);
        let signers = verify(Part::Roster, &signed, &keys, roster.root.roster_threshold)?;
        Ok(Self { roster, signers })
    }
}

fn listed(roster: &Roster) -> Result<v1::Roster, RosterError> {
    v1::Roster::decode(roster.payload.clone()).map_err(|_| Part::Roster.fault(Fault::Malformed))
}

/// Who was listed stays listed, and who was revoked stays so, with the same keys: then no other
/// can take up the id or a key (ROS-7, ROS-11). Spec: ROS-27.
fn check_entries(held: &v1::Roster, next: &v1::Roster) -> Result<(), RosterError> {
    check_companions(held, next)?;
    let missing = Part::Roster.fault(Fault::EntryMissing);
    let members = by_id(next.members.iter().map(|member| member.id.as_str()));
    for old in &held.members {
        let place = *members.get(old.id.as_str()).ok_or(missing)?;
        let (part, new) = (Part::Member(place), &next.members[place]);
        if old.status() == v1::Status::Revoked {
            let same = old.identity_keys == new.identity_keys;
            check_tombstone(part, new.status(), same)?;
        }
    }
    let nodes = by_id(next.nodes.iter().map(|node| node.id.as_str()));
    for old in &held.nodes {
        let place = *nodes.get(old.id.as_str()).ok_or(missing)?;
        let (part, new) = (Part::Node(place), &next.nodes[place]);
        if old.status() == v1::Status::Revoked {
            let keys = |node: &v1::Node| (node.log_key.clone(), node.witness_key.clone());
            let same = keys(old) == keys(new)
                && old.earlier_log_keys == new.earlier_log_keys
                && old.earlier_witness_keys == new.earlier_witness_keys
                && old.operator == new.operator;
            let same_log = old.log_epoch == new.log_epoch && old.ended_logs == new.ended_logs;
            check_tombstone(part, new.status(), same && same_log)?;
        }
    }
    Ok(())
}

/// A key keeps the companion it has, or none: what it signed would otherwise count for more or
/// less than it did on the day. Who wants a companion makes a new key. Spec: ROS-51.
fn check_companions(held: &v1::Roster, next: &v1::Roster) -> Result<(), RosterError> {
    let keys = held.members.iter().flat_map(|member| &member.identity_keys);
    let keys = keys.chain(held.nodes.iter().flat_map(head_keys));
    let held = companions(keys.map(|key| (&key.key[..], listed_companion(key))));
    let changed = |key: &v1::PublicKey| {
        held.get(&key.key[..])
            .is_some_and(|companion| *companion != listed_companion(key))
    };
    for (place, member) in next.members.iter().enumerate() {
        if member.identity_keys.iter().any(changed) {
            return Err(Part::Member(place).fault(Fault::CompanionChanged));
        }
    }
    for (place, node) in next.nodes.iter().enumerate() {
        if head_keys(node).any(changed) {
            return Err(Part::Node(place).fault(Fault::CompanionChanged));
        }
    }
    Ok(())
}

/// What a node signs heads with, or has.
fn head_keys(node: &v1::Node) -> impl Iterator<Item = &v1::PublicKey> {
    let in_force = node.log_key.iter().chain(&node.witness_key);
    let earlier = node.earlier_log_keys.iter();
    in_force.chain(earlier).chain(&node.earlier_witness_keys)
}

/// The bytes of the one companion that a key can have in its place.
fn listed_companion(key: &v1::PublicKey) -> &[u8] {
    match key.ml_dsa_65.is_empty() {
        true => &key.ml_dsa_44,
        false => &key.ml_dsa_65,
    }
}

/// The companion of each key, by the key's bytes.
fn companions<'a, K: AsRef<[u8]> + ?Sized + 'a>(
    keys: impl Iterator<Item = (&'a K, &'a [u8])>,
) -> BTreeMap<&'a [u8], &'a [u8]> {
    keys.map(|(key, companion)| (key.as_ref(), companion))
        .collect()
}

fn by_id<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    ids.enumerate().map(|(place, id)| (id, place)).collect()
}

fn check_tombstone(part: Part, status: v1::Status, same_keys: bool) -> Result<(), RosterError> {
    if status != v1::Status::Revoked {
        return Err(part.fault(Fault::Revived));
    }
    if !same_keys {
        return Err(part.fault(Fault::TombstoneChanged));
    }
    Ok(())
}
