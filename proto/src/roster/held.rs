//! A roster that was taken earlier: it may have ended since, and copies of it may differ in what
//! the governance does not sign together: documents and freshness.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::{Fault, Freshness, Roster, RosterError, TrustAnchor};
use crate::v1;

impl Roster {
    /// Judges a roster that was in force once, as of its last moment if it has ended: it must not
    /// give way to an older one, and it proves what happened before. Spec: ROS-21.
    ///
    /// # Errors
    /// [`RosterError`] if it never was a sound roster under `anchor`.
    pub fn judge_held(
        bundle: &[u8],
        anchor: &TrustAnchor,
        now_ms: u64,
    ) -> Result<Self, RosterError> {
        match Self::judge(bundle, anchor, now_ms) {
            Err(error) if error.fault == Fault::Expired => {
                let last_ms = last_moment_ms(bundle).filter(|last_ms| *last_ms <= now_ms);
                Self::judge(bundle, anchor, last_ms.ok_or(error)?)
            }
            judged => judged,
        }
    }

    /// What to keep of two copies of this roster: of each member's documents the one of the higher
    /// version, and the freshness issued later. None if `other` has nothing newer, or is another
    /// roster. Spec: ROS-31.
    #[must_use]
    pub fn newest_copy(&self, other: &Self) -> Option<Bytes> {
        if self.reference != other.reference {
            return None;
        }
        let mut kept = v1::RosterBundle::decode(self.bytes.clone()).ok()?;
        let offered = v1::RosterBundle::decode(other.bytes.clone()).ok()?;
        let mut docs = docs(&kept.member_docs);
        let mut is_newer = false;
        for (member, (version, doc)) in self::docs(&offered.member_docs) {
            if docs.get(&member).is_none_or(|(known, _)| *known < version) {
                docs.insert(member, (version, doc));
                is_newer = true;
            }
        }
        let issued = |freshness: Option<Freshness>| freshness.map(|stated| stated.issued_ms);
        if issued(self.freshness) < issued(other.freshness) {
            kept.freshness = offered.freshness;
            is_newer = true;
        }
        kept.member_docs = docs.into_values().map(|(_, doc)| doc).collect();
        is_newer.then(|| kept.encode_to_vec().into())
    }
}

/// The documents of a judged bundle by member, with their versions.
fn docs(signed: &[Bytes]) -> BTreeMap<String, (u64, Bytes)> {
    let read = |doc: &Bytes| {
        let signed = v1::Signed::decode(doc.clone()).ok()?;
        let stated = v1::MemberDoc::decode(signed.payload).ok()?;
        Some((stated.member, (stated.version, doc.clone())))
    };
    signed.iter().filter_map(read).collect()
}

/// The last moment at which a roster file may have been in force, by its own words.
fn last_moment_ms(bundle: &[u8]) -> Option<u64> {
    let bundle = v1::RosterBundle::decode(bundle).ok()?;
    let payload = |signed: Bytes| Some(v1::Signed::decode(signed).ok()?.payload);
    let roster = v1::Roster::decode(payload(bundle.roster)?).ok()?;
    let root = v1::Root::decode(payload(bundle.root)?).ok()?;
    roster.expires_ms.min(root.expires_ms).checked_sub(1)
}
