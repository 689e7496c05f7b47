//! From bytes to a [`Roster`]: signatures first, then shape, then how the parts fit.

use bytes::Bytes;
use prost::Message;

use super::{
    Fault, Freshness, Part, Root, RootRef, Roster, RosterError, RosterRef, Timed, TlsKey,
    TrustAnchor, docs, entry,
    ledger::{KeyLedger, check_count},
    merge,
    scan::count_field,
    witness,
};
use crate::{
    id::{KeyId, check_name},
    keys::VerifyingKey,
    label::{self, Hash, sha256},
    limits,
    sign::{self, SignError},
    v1,
};

/// Whether the signatures of the quorum must be there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quorum {
    Needed,
    /// A proposal: people are yet to sign it.
    Waived,
}

impl Roster {
    /// Judges a roster file from a pinned root. Spec: ROS-1 to ROS-20.
    ///
    /// A member document past its expiry does not spoil the roster: its keys are merely not good
    /// any more. Everything else that is wrong refuses the whole file.
    ///
    /// # Errors
    /// [`RosterError`] with the first part that fails and why.
    pub fn judge(bundle: &[u8], anchor: &TrustAnchor, now_ms: u64) -> Result<Self, RosterError> {
        Self::judge_signed(bundle, anchor, now_ms, Quorum::Needed)
    }

    /// As [`judge`](Self::judge); a proposal is judged before anybody has signed it.
    pub(super) fn judge_signed(
        bundle: &[u8],
        anchor: &TrustAnchor,
        now_ms: u64,
        quorum: Quorum,
    ) -> Result<Self, RosterError> {
        let bytes = Bytes::copy_from_slice(bundle);
        let bundle = parse_bundle(bytes.clone())?;
        let (root, root_chain) = root_in_force(&bundle, anchor, now_ms)?;
        let payload = verified_roster(&bundle.roster, &root, now_ms, quorum)?;
        let listed = v1::Roster::decode(payload.clone())
            .map_err(|_| Part::Roster.fault(Fault::Malformed))?;
        let prev_sha256 = check_header(&listed, &root, now_ms)?;

        let mut keys = governance_ledger(&root)?;
        let mut members = entry::members(&listed.members, &mut keys)?;
        let mut nodes = entry::nodes(&listed.nodes, &mut keys)?;
        entry::check_references(&listed, &members, &nodes)?;
        let witnessing = witness::judge(listed.witnessing.as_ref(), &nodes)?;
        let mut tls = std::collections::BTreeMap::new();
        for (position, doc) in bundle.member_docs.iter().enumerate() {
            let doc = docs::open(
                Part::MemberDoc(position),
                doc,
                &root.federation,
                &members,
                now_ms,
            )?;
            for (key, owner, validity) in docs::add(doc, &mut members, &mut nodes, &mut keys)? {
                tls.insert(key, TlsKey { owner, validity });
            }
        }
        let reference = RosterRef {
            version: listed.version,
            sha256: sha256(&[&payload]),
        };
        let freshness = freshness(&bundle.freshness, reference, &root, now_ms)?;
        let state_sha256 = merge::state_sha256(&bundle, &reference.sha256, members.values());
        Ok(Self {
            reference,
            prev_sha256,
            root,
            root_chain,
            issued_ms: listed.issued_ms,
            expires_ms: listed.expires_ms,
            freshness,
            allow_classical: listed
                .transport
                .is_some_and(|policy| policy.allow_classical_key_exchange),
            witnessing,
            members,
            nodes,
            tls,
            payload,
            bytes,
            state_sha256,
        })
    }
}

impl Root {
    /// Reads a signed root and checks that its own quorum signed it. Spec: ROS-2.
    ///
    /// This alone is no reason to trust it: compare [`Root::sha256`] with a pin, or judge it as
    /// the successor of a trusted root.
    ///
    /// # Errors
    /// [`RosterError`].
    pub fn parse(signed_root: &[u8]) -> Result<Self, RosterError> {
        let part = Part::Root;
        let signed = parse_signed(part, signed_root)?;
        let root = Self::read(&signed)?;
        verify(part, &signed, &root.every_root_key(), root.root_threshold)?;
        Ok(root)
    }

    /// Reads a root that nobody may have signed yet: what it would say. Spec: ROS-2.
    ///
    /// # Errors
    /// [`RosterError`].
    pub fn read_proposal(signed_root: &[u8]) -> Result<Self, RosterError> {
        Self::read(&parse_signed(Part::Root, signed_root)?)
    }

    fn every_root_key(&self) -> Vec<VerifyingKey> {
        self.root_keys
            .iter()
            .map(|timed| timed.key.clone())
            .collect()
    }

    fn read(signed: &v1::Signed) -> Result<Self, RosterError> {
        let part = Part::Root;
        let listed =
            v1::Root::decode(signed.payload.clone()).map_err(|_| part.fault(Fault::Malformed))?;
        check_name(&listed.federation).map_err(|_| part.fault(Fault::BadId))?;
        if listed.version == 0 {
            return Err(part.fault(Fault::BadVersion));
        }
        let mut keys = KeyLedger::default();
        Ok(Self {
            root_keys: governance_keys(&listed.root_keys, &mut keys)?,
            root_threshold: threshold(listed.root_threshold, listed.root_keys.len())?,
            roster_keys: governance_keys(&listed.roster_keys, &mut keys)?,
            roster_threshold: threshold(listed.roster_threshold, listed.roster_keys.len())?,
            holders: holders(&listed)?,
            sha256: sha256(&[&signed.payload]),
            federation: listed.federation,
            version: listed.version,
            expires_ms: listed.expires_ms,
        })
    }
}

/// Decodes a `Signed` object within the limits of its part.
pub(super) fn parse_signed(part: Part, bytes: &[u8]) -> Result<v1::Signed, RosterError> {
    let bytes_max = match part {
        Part::Roster => limits::ROSTER_BYTES_MAX,
        Part::Root => limits::ROOT_BYTES_MAX,
        _ => limits::SIGNED_BYTES_MAX,
    };
    check_count(part, bytes.len(), bytes_max)?;
    let signatures = count_field(bytes, 3).ok_or(part.fault(Fault::Malformed))?;
    check_count(part, signatures, limits::SIGNATURES_MAX)?;
    let signed = v1::Signed::decode(bytes).map_err(|_| part.fault(Fault::Malformed))?;
    // Control objects are signed one by one: a path under a batch does not belong here.
    if signed.batch.is_some() {
        return Err(part.fault(Fault::Malformed));
    }
    if signed.payload_type != payload_type(part) {
        return Err(part.fault(Fault::WrongType));
    }
    Ok(signed)
}

/// Checks that `threshold` distinct of `candidates` signed. Spec: ROS-3.
pub(super) fn verify(
    part: Part,
    signed: &v1::Signed,
    candidates: &[VerifyingKey],
    threshold: usize,
) -> Result<Vec<KeyId>, RosterError> {
    sign::verify(signed, payload_type(part), candidates, threshold)
        .map(|verified| verified.key_ids)
        .map_err(|error| match error {
            SignError::BadSignature => part.fault(Fault::BadSignature),
            SignError::HalfSigned => part.fault(Fault::HalfSigned),
            _ => part.fault(Fault::TooFewSignatures),
        })
}

/// Refuses an object that ends before it begins, has ended, or is issued in the future.
pub(super) fn check_times(
    part: Part,
    issued_ms: u64,
    expires_ms: u64,
    now_ms: u64,
) -> Result<(), RosterError> {
    if expires_ms <= issued_ms {
        return Err(part.fault(Fault::BadTimes));
    }
    if issued_ms > now_ms.saturating_add(limits::CLOCK_SKEW_MS_MAX) {
        return Err(part.fault(Fault::FutureDated));
    }
    if expires_ms <= now_ms {
        return Err(part.fault(Fault::Expired));
    }
    Ok(())
}

/// The keys of `listed` that are good at `now_ms`.
pub(super) fn good_at(listed: &[Timed<VerifyingKey>], now_ms: u64) -> Vec<VerifyingKey> {
    listed
        .iter()
        .filter(|timed| timed.validity.holds_at(now_ms))
        .map(|timed| timed.key.clone())
        .collect()
}

fn payload_type(part: Part) -> &'static str {
    match part {
        Part::Root => label::TYPE_ROOT,
        Part::MemberDoc(_) | Part::Card => label::TYPE_MEMBER_DOC,
        Part::Freshness => label::TYPE_FRESHNESS,
        Part::HolderCard => label::TYPE_HOLDER,
        Part::Bundle | Part::Roster | Part::Member(_) | Part::Node(_) => label::TYPE_ROSTER,
    }
}

fn parse_bundle(bytes: Bytes) -> Result<v1::RosterBundle, RosterError> {
    let part = Part::Bundle;
    check_count(part, bytes.len(), limits::ROSTER_BUNDLE_BYTES_MAX)?;
    let docs = count_field(&bytes, 3).ok_or(part.fault(Fault::Malformed))?;
    check_count(part, docs, limits::MEMBERS_MAX)?;
    let roots = count_field(&bytes, 5).ok_or(part.fault(Fault::Malformed))?;
    check_count(part, roots, limits::EARLIER_ROOTS_MAX)?;
    v1::RosterBundle::decode(bytes).map_err(|_| part.fault(Fault::Malformed))
}

/// Walks from the pinned root to the one in force, each signed by the quorum of the one before.
/// Those before the pin prove nothing to its owner and are only read. Only the last must not have
/// ended: the others have done their part. Spec: ROS-1, ROS-24.
fn root_in_force(
    bundle: &v1::RosterBundle,
    anchor: &TrustAnchor,
    now_ms: u64,
) -> Result<(Root, Vec<RootRef>), RosterError> {
    let part = Part::Root;
    let mut walked: Option<Root> = None;
    let mut chain = Vec::new();
    for signed in bundle.earlier_roots.iter().chain([&bundle.root]) {
        let root = match &walked {
            Some(trusted) => trusted.judge_next(signed, now_ms)?,
            None => Root::parse(signed)?,
        };
        if root.federation != anchor.federation {
            return Err(part.fault(Fault::WrongFederation));
        }
        if walked.is_some() || root.sha256 == anchor.root_sha256 {
            chain.push(root.reference());
            walked = Some(root);
        }
    }
    let root = walked.ok_or(part.fault(Fault::WrongRoot))?;
    if root.expires_ms <= now_ms {
        return Err(part.fault(Fault::Expired));
    }
    Ok((root, chain))
}

fn verified_roster(
    bytes: &[u8],
    root: &Root,
    now_ms: u64,
    quorum: Quorum,
) -> Result<Bytes, RosterError> {
    let signed = parse_signed(Part::Roster, bytes)?;
    if quorum == Quorum::Needed {
        let candidates = good_at(&root.roster_keys, now_ms);
        verify(Part::Roster, &signed, &candidates, root.roster_threshold)?;
    }
    let members = count_field(&signed.payload, 7).ok_or(Part::Roster.fault(Fault::Malformed))?;
    let nodes = count_field(&signed.payload, 8).ok_or(Part::Roster.fault(Fault::Malformed))?;
    check_count(Part::Roster, members.max(nodes), limits::MEMBERS_MAX)?;
    Ok(signed.payload)
}

/// Judges the roster's own fields and gives the hash of the previous one. Spec: ROS-4, ROS-9.
fn check_header(
    listed: &v1::Roster,
    root: &Root,
    now_ms: u64,
) -> Result<Option<Hash>, RosterError> {
    let part = Part::Roster;
    if listed.federation != root.federation {
        return Err(part.fault(Fault::WrongFederation));
    }
    if listed.version == 0 || listed.root_version != root.version {
        return Err(part.fault(Fault::BadVersion));
    }
    check_times(part, listed.issued_ms, listed.expires_ms, now_ms)?;
    // This version knows no features of a roster, so any critical one is unknown.
    if !listed.critical.is_empty() {
        return Err(part.fault(Fault::UnknownCritical));
    }
    match (listed.version, listed.prev_sha256.as_ref()) {
        (1, []) => Ok(None),
        (1, _) => Err(part.fault(Fault::BadChain)),
        (_, hash) => hash
            .try_into()
            .map(Some)
            .map_err(|_| part.fault(Fault::BadChain)),
    }
}

fn governance_keys(
    listed: &[v1::PublicKey],
    keys: &mut KeyLedger,
) -> Result<Vec<Timed<VerifyingKey>>, RosterError> {
    check_count(Part::Root, listed.len(), limits::GOVERNANCE_KEYS_MAX)?;
    listed
        .iter()
        .map(|key| keys.paired_key(Part::Root, key))
        .collect()
}

/// The names of the holders: one for each place of both lists, each once. Spec: ROS-25.
fn holders(listed: &v1::Root) -> Result<Vec<String>, RosterError> {
    let part = Part::Root;
    let names: std::collections::BTreeSet<&String> = listed.holders.iter().collect();
    let count = listed.holders.len();
    let fits = count == listed.root_keys.len() && count == listed.roster_keys.len();
    if count != 0 && (!fits || names.len() != count) {
        return Err(part.fault(Fault::BadHolders));
    }
    for name in &listed.holders {
        entry::check_display_name(part, name)?;
    }
    Ok(listed.holders.clone())
}

/// A ledger that holds the governance keys, so that no entry can list one of them.
fn governance_ledger(root: &Root) -> Result<KeyLedger, RosterError> {
    let mut keys = KeyLedger::default();
    for timed in root.root_keys.iter().chain(&root.roster_keys) {
        keys.note(Part::Root, &timed.key)?;
    }
    Ok(keys)
}

fn threshold(listed: u32, keys: usize) -> Result<usize, RosterError> {
    usize::try_from(listed)
        .ok()
        .filter(|threshold| (1..=keys).contains(threshold))
        .ok_or(Part::Root.fault(Fault::BadThreshold))
}

/// The statement that this roster is the newest; none if there is no statement.
/// One roster key is enough: the statement only says that nothing newer exists. Spec: ROS-10.
fn freshness(
    bytes: &[u8],
    reference: RosterRef,
    root: &Root,
    now_ms: u64,
) -> Result<Option<Freshness>, RosterError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let part = Part::Freshness;
    let signed = parse_signed(part, bytes)?;
    let signers = verify(part, &signed, &good_at(&root.roster_keys, now_ms), 1)?;
    let stated = v1::Freshness::decode(signed.payload).map_err(|_| part.fault(Fault::Malformed))?;
    if stated.federation != root.federation {
        return Err(part.fault(Fault::WrongFederation));
    }
    let life_ms = stated.expires_ms.saturating_sub(stated.issued_ms);
    if life_ms == 0 || life_ms > limits::FRESHNESS_LIFE_MS_MAX {
        return Err(part.fault(Fault::BadTimes));
    }
    if stated.issued_ms > now_ms.saturating_add(limits::CLOCK_SKEW_MS_MAX) {
        return Err(part.fault(Fault::FutureDated));
    }
    match stated.roster_version.cmp(&reference.version) {
        std::cmp::Ordering::Less => Err(part.fault(Fault::Stale)),
        std::cmp::Ordering::Greater => Err(part.fault(Fault::Superseded)),
        std::cmp::Ordering::Equal if stated.roster_sha256[..] != reference.sha256[..] => {
            Err(part.fault(Fault::Forked))
        }
        std::cmp::Ordering::Equal => Ok(Some(Freshness {
            issued_ms: stated.issued_ms,
            until_ms: stated.expires_ms.min(last_end_ms(root, &signers)),
        })),
    }
}

/// When the last of these roster keys ends: from then on nobody vouches.
fn last_end_ms(root: &Root, signers: &[KeyId]) -> u64 {
    let signed = root.roster_keys.iter();
    let signed = signed.filter(|timed| signers.contains(&timed.key.key_id()));
    let ends = signed.map(|timed| timed.validity.not_after_ms.unwrap_or(u64::MAX));
    ends.max().unwrap_or(0)
}
