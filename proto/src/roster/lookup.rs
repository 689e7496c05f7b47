//! Questions to a judged roster. Unknown, ended and not live all answer with nothing.

use std::cmp::Reverse;

use bytes::Bytes;

use super::{
    Accepts, DocRef, EndedLog, Freshness, Member, Node, Peer, Root, RootRef, Roster, RosterRef,
    SealedTo, Standing, Timed,
};
use crate::{
    id::KeyId,
    keys::{SealingPublicKey, VerifyingKey},
    label::Hash,
    limits,
    log::{self, LogKey, LogVerifier, Origin},
    v1,
};

impl Roster {
    /// The federation.
    #[must_use]
    pub fn federation(&self) -> &str {
        &self.root.federation
    }

    /// Counts from 1.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.reference.version
    }

    /// SHA-256 of the roster's payload.
    #[must_use]
    pub fn sha256(&self) -> &Hash {
        &self.reference.sha256
    }

    /// Version and hash.
    #[must_use]
    pub fn reference(&self) -> RosterRef {
        self.reference
    }

    /// Hash of the roster before it; none for the first.
    #[must_use]
    pub fn prev_sha256(&self) -> Option<&Hash> {
        self.prev_sha256.as_ref()
    }

    /// The root under which it was judged.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// When the governance issued it.
    #[must_use]
    pub fn issued_ms(&self) -> u64 {
        self.issued_ms
    }

    /// After this time it starts nothing new: the earlier of its own and its root's expiry.
    #[must_use]
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms.min(self.root.expires_ms)
    }

    /// Until when a freshness statement vouches that nothing newer exists; none without one.
    #[must_use]
    pub fn fresh_until_ms(&self) -> Option<u64> {
        self.freshness.map(|stated| stated.until_ms)
    }

    /// The freshness statement that came with it.
    #[must_use]
    pub fn freshness(&self) -> Option<Freshness> {
        self.freshness
    }

    /// The roots from the pinned one to the one in force. Spec: ROS-24.
    #[must_use]
    pub fn root_chain(&self) -> &[RootRef] {
        &self.root_chain
    }

    /// How far this roster may be relied on at `now_ms`. Spec: DIS-8.
    #[must_use]
    pub fn standing(&self, now_ms: u64) -> Standing {
        let end_ms = self.expires_ms();
        if now_ms >= end_ms {
            return if now_ms < end_ms.saturating_add(limits::ROSTER_GRACE_MS) {
                Standing::Expired
            } else {
                Standing::Void
            };
        }
        match self.fresh_until_ms() {
            Some(fresh_ms) if now_ms >= fresh_ms.saturating_add(limits::FRESHNESS_GRACE_MS) => {
                Standing::Unconfirmed
            }
            Some(fresh_ms) if now_ms >= fresh_ms => Standing::Stale,
            _ => Standing::Current,
        }
    }

    /// The nodes with which `node` keeps a session even when nothing is to be delivered, so that
    /// news reach everyone: of the live ones in order of id, those 1, 2, 4, … places after it.
    /// Spec: DIS-6.
    #[must_use]
    pub fn neighbours(&self, node: &str) -> Vec<&str> {
        let live: Vec<&str> = self
            .nodes
            .keys()
            .map(String::as_str)
            .filter(|id| self.is_node_live(id))
            .collect();
        let Ok(own) = live.binary_search(&node) else {
            return Vec::new();
        };
        std::iter::successors(Some(1_usize), |step| step.checked_mul(2))
            .take_while(|step| *step < live.len())
            .map(|step| live[(own + step) % live.len()])
            .collect()
    }

    /// The bundle as it was read, to keep and to serve.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The roster's signed payload.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Whether plain X25519 is tolerated as key exchange. Spec: TLS-6.
    #[must_use]
    pub fn allow_classical(&self) -> bool {
        self.allow_classical
    }

    /// A member, whatever its status.
    #[must_use]
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// A node, whatever its status.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Every member, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// Every node, by id.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.values()
    }

    /// The node that serves `member`.
    #[must_use]
    pub fn home_node(&self, member: &str) -> Option<&Node> {
        self.nodes.get(&self.members.get(member)?.home_node)
    }

    /// Whether `node` serves `member`.
    #[must_use]
    pub fn is_served_by(&self, member: &str, node: &str) -> bool {
        self.members
            .get(member)
            .is_some_and(|member| member.home_node == node)
    }

    /// What checks the log that `node` has now, whatever the node's status.
    #[must_use]
    pub fn log_verifier(&self, node: &str) -> Option<LogVerifier> {
        let node = self.nodes.get(node)?;
        Some(self.verifier_of(node, node.log_epoch))
    }

    /// What checks each log that `node` ever had, by epoch; the last is the one it has now.
    #[must_use]
    pub fn log_verifiers(&self, node: &str) -> Vec<LogVerifier> {
        let Some(node) = self.nodes.get(node) else {
            return Vec::new();
        };
        let epochs = 1..=node.log_epoch;
        epochs.map(|epoch| self.verifier_of(node, epoch)).collect()
    }

    /// What checks a receipt of any age under this checkpoint: the log of `node` that it names, and
    /// the one that the node has now where it names none. Spec: LOG-30.
    #[must_use]
    pub fn log_verifier_for(&self, node: &str, checkpoint: &[u8]) -> Option<LogVerifier> {
        LogVerifier::choose(&self.log_verifiers(node), checkpoint).cloned()
    }

    /// What checks the log of this name, in force or ended; none for one that no node here has or had.
    #[must_use]
    pub fn log_verifier_of(&self, origin: &str) -> Option<LogVerifier> {
        let origin = Origin::parse(origin).ok()?;
        let node = self.nodes.get(origin.node)?;
        let listed = origin.federation == self.federation() && origin.epoch <= node.log_epoch;
        listed.then(|| self.verifier_of(node, origin.epoch))
    }

    /// The keys of a log that has ended have ended with it. Spec: LOG-22, LOG-30.
    fn verifier_of(&self, node: &Node, epoch: u32) -> LogVerifier {
        let end_ms = node.ended_log(epoch).map(|log| log.not_after_ms);
        let key = |listed: &Timed<VerifyingKey>| {
            let ends = [listed.validity.not_after_ms, end_ms];
            LogKey {
                key: listed.key.clone(),
                not_after_ms: ends.into_iter().flatten().min(),
            }
        };
        let earlier = node.earlier_log_keys.iter().map(key);
        let origin = log::origin(self.federation(), &node.id, epoch);
        LogVerifier::with_earlier(origin, key(&node.log_key), earlier)
    }

    /// Whether a peer may act: it is listed and live, and so is a node's operator.
    /// Spec: ROS-14.
    #[must_use]
    pub fn is_live(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Client(member) => self.members.get(member).is_some_and(Member::is_live),
            Peer::Node(node) => self.is_node_live(node),
        }
    }

    pub(super) fn is_node_live(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| {
            let operator = self.members.get(&node.operator);
            node.status == v1::Status::Live && operator.is_some_and(Member::is_live)
        })
    }

    /// Whether a node will never act again: it or its operator is revoked. Spec: ROS-14.
    #[must_use]
    pub fn is_revoked(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| {
            let operator = self.members.get(&node.operator);
            node.status == v1::Status::Revoked
                || operator.is_some_and(|member| member.status == v1::Status::Revoked)
        })
    }

    /// The live owner of a connection's Ed25519 key that is good at `now_ms`. Spec: TLS-3.
    #[must_use]
    pub fn owner_of_tls_key(&self, key: &[u8; 32], now_ms: u64) -> Option<&Peer> {
        let listed = self.tls.get(key)?;
        let good = listed.validity.holds_at(now_ms) && self.is_live(&listed.owner);
        good.then_some(&listed.owner)
    }

    /// The owner that the roster lists for a connection's key, even if the key has ended or the
    /// owner is not live: to tell a stranger from someone revoked, never to let anyone in.
    #[must_use]
    pub fn listed_owner_of_tls_key(&self, key: &[u8; 32]) -> Option<&Peer> {
        self.tls.get(key).map(|listed| &listed.owner)
    }

    /// The keys by which a live member's signatures verify at `at_ms`; none for anyone else.
    #[must_use]
    pub fn sender_keys(&self, member: &str, at_ms: u64) -> Vec<VerifyingKey> {
        self.members
            .get(member)
            .filter(|member| member.is_live())
            .map(|member| member.identity_keys_at(at_ms))
            .unwrap_or_default()
    }

    /// The key to seal to a live member with: of those good at `now_ms`, the newest.
    /// Spec: ROS-18.
    #[must_use]
    pub fn sealing_key(&self, member: &str, now_ms: u64) -> Option<&SealingPublicKey> {
        let member = self.members.get(member).filter(|member| member.is_live())?;
        member
            .sealing_keys
            .iter()
            .filter(|timed| timed.validity.holds_at(now_ms))
            // Of two that begin at once the later in the list wins: `max_by_key` keeps the last.
            .max_by_key(|timed| timed.validity.not_before_ms)
            .map(|timed| &timed.key)
    }
}

impl Node {
    /// The log of an epoch that has ended; none: it is the one in force, or is yet to begin.
    #[must_use]
    pub fn ended_log(&self, epoch: u32) -> Option<&EndedLog> {
        let place = usize::try_from(epoch).ok()?.checked_sub(1)?;
        self.ended_logs.get(place)
    }

    /// The key of its log as listed, in force or earlier; none for one that was never its log's.
    #[must_use]
    pub fn listed_log_key(&self, key: &VerifyingKey) -> Option<&Timed<VerifyingKey>> {
        let mut keys = std::iter::once(&self.log_key).chain(&self.earlier_log_keys);
        keys.find(|listed| listed.key == *key)
    }

    /// Where it can be dialled at `now_ms`: nowhere if the document that says so is not good then.
    /// Spec: ROS-17.
    #[must_use]
    pub fn addresses_at(&self, now_ms: u64) -> &[String] {
        let good = self.stated.is_some_and(|stated| stated.holds_at(now_ms));
        if good { &self.addresses } else { &[] }
    }
}

impl Member {
    /// Whether it may act.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.status == v1::Status::Live
    }

    /// Whether it takes envelopes of `kind` in `lane`. Spec: ROS-16.
    #[must_use]
    pub fn accepts(&self, kind: v1::Kind, lane: v1::Lane) -> bool {
        self.accepts.allows(kind, lane)
    }

    /// The identity keys that were good at `at_ms`, whatever the member's status is now: for
    /// evidence from before it changed.
    #[must_use]
    pub fn identity_keys_at(&self, at_ms: u64) -> Vec<VerifyingKey> {
        super::judge::good_at(&self.identity_keys, at_ms)
    }

    /// Whether this is an identity key of the member that is good at `now_ms`.
    #[must_use]
    pub fn is_good_signer(&self, key: KeyId, now_ms: u64) -> bool {
        let mut keys = self.identity_keys.iter();
        keys.any(|timed| timed.key.key_id() == key && timed.validity.holds_at(now_ms))
    }

    /// The place of a document among those of this member: the greatest is kept. One that a key
    /// signed which is not good at `now_ms` stands behind every one by a good key, whatever its
    /// version. Spec: DIS-3.
    #[must_use]
    pub fn rank_of(&self, doc: &DocRef, now_ms: u64) -> impl Ord + use<> {
        let good = self.is_good_signer(doc.signer, now_ms);
        (good, doc.version, Reverse(doc.sha256), Reverse(doc.signer))
    }

    /// What becomes of an envelope that is sealed to this key of the member. A document that is not
    /// good at `now_ms` takes no key away. Spec: ROS-17, ROS-35.
    #[must_use]
    pub fn sealed_to(&self, key: KeyId, now_ms: u64) -> SealedTo {
        if self.doc.is_some_and(|doc| !doc.validity.holds_at(now_ms)) {
            return SealedTo::Opens;
        }
        let mut retired = self.retired_sealing_keys.iter();
        let retired = retired.find(|retired| retired.key_id == key);
        let listed = || {
            self.sealing_keys
                .iter()
                .any(|timed| timed.key.key_id() == key)
        };
        match retired {
            Some(retired) if retired.from_ms <= now_ms => SealedTo::Retired,
            Some(_) => SealedTo::Opens,
            None if listed() => SealedTo::Opens,
            None => SealedTo::Unknown,
        }
    }
}

impl Root {
    /// Version and hash.
    #[must_use]
    pub fn reference(&self) -> RootRef {
        RootRef {
            version: self.version,
            sha256: self.sha256,
        }
    }

    /// Who holds the key in this place of either list, as the root names them.
    #[must_use]
    pub fn holder(&self, place: usize) -> String {
        let unnamed = || format!("holder {}", place + 1);
        self.holders.get(place).cloned().unwrap_or_else(unnamed)
    }
}

impl Accepts {
    /// The kinds and lanes taken; none: every kind in every lane.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(v1::Kind, v1::Lane)>> {
        let known = |(kind, lane): &(i32, i32)| {
            Some((
                v1::Kind::try_from(*kind).ok()?,
                v1::Lane::try_from(*lane).ok()?,
            ))
        };
        Some(self.pairs.as_ref()?.iter().filter_map(known).collect())
    }

    /// Whether `kind` is taken in `lane`. Pings and recalls always are, in lane CONTROL alone: the
    /// one shows that the way is open, the other can be refused by nobody. Spec: ROS-16.
    #[must_use]
    pub fn allows(&self, kind: v1::Kind, lane: v1::Lane) -> bool {
        if kind == v1::Kind::Unspecified || lane == v1::Lane::Unspecified {
            return false;
        }
        let listed = |pairs: &std::collections::BTreeSet<(i32, i32)>| {
            pairs.contains(&(i32::from(kind), i32::from(lane)))
        };
        if kind.is_for_control() {
            return lane == v1::Lane::Control;
        }
        self.pairs.as_ref().is_none_or(listed)
    }
}
