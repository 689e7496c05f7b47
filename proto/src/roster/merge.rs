//! What two holders of rosters learn from one another: the newer roster, the newer documents.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::{Fault, Member, Roster, RosterError, TrustAnchor};
use crate::{
    label::{self, Hash, sha256},
    limits, v1,
};

impl Roster {
    /// One hash of all that this holder knows: roster, documents, freshness. Two holders of the
    /// same state have nothing to tell each other. Spec: DIS-1.
    #[must_use]
    pub fn state_sha256(&self) -> &Hash {
        &self.state_sha256
    }

    /// Takes from an offered bundle what is newer than what is held: the roster by its
    /// succession, each document by its signer and version, freshness by its issue. Nothing if all
    /// is known. Spec: DIS-2, DIS-3.
    ///
    /// # Errors
    /// [`RosterError`] if the offered bundle does not verify, forks or does not follow. One that
    /// is merely older is no error: it may still bring a document.
    pub fn merge(
        &self,
        offered: &[u8],
        anchor: &TrustAnchor,
        now_ms: u64,
    ) -> Result<Option<Self>, RosterError> {
        let theirs = Self::judge(offered, anchor, now_ms)?;
        let newer = match theirs.succeeds(self) {
            Err(error) if error.fault == Fault::RolledBack => false,
            judged => judged?,
        };
        if theirs.state_sha256 == self.state_sha256 {
            return Ok(None);
        }
        let (base, other) = if newer {
            (&theirs, self)
        } else {
            (self, &theirs)
        };
        let merged = base.with_news_of(other, anchor, now_ms)?;
        Ok((merged.state_sha256 != self.state_sha256).then_some(merged))
    }

    /// This roster with the documents and the freshness of `other` where those are newer.
    fn with_news_of(
        &self,
        other: &Self,
        anchor: &TrustAnchor,
        now_ms: u64,
    ) -> Result<Self, RosterError> {
        let mut bundle = decoded(self);
        let stated = |roster: &Self| {
            roster
                .freshness
                .map(|fresh| (fresh.issued_ms, fresh.until_ms))
        };
        if other.reference == self.reference && stated(other) > stated(self) {
            bundle.freshness = decoded(other).freshness;
        }
        let held = docs_of(&bundle);
        let news: BTreeMap<String, Bytes> = docs_of(&decoded(other))
            .into_iter()
            .filter(|(member, _)| self.lacks_doc_of(other.members.get(member), now_ms))
            .collect();
        if news.is_empty() {
            return Self::judge(&bundle.encode_to_vec(), anchor, now_ms);
        }
        let all = with_docs(&bundle, &held, news.iter());
        if let Ok(merged) = Self::judge(&all.encode_to_vec(), anchor, now_ms) {
            return Ok(merged);
        }
        // One of them does not fit, say for a key that somebody else states too: it must not
        // keep the others from spreading.
        let mut fitting: BTreeMap<&String, &Bytes> = BTreeMap::new();
        for (member, doc) in news.iter().take(limits::MERGE_TRIES_MAX) {
            fitting.insert(member, doc);
            let tried = with_docs(
                &bundle,
                &held,
                fitting.iter().map(|(key, doc)| (*key, *doc)),
            );
            if Self::judge(&tried.encode_to_vec(), anchor, now_ms).is_err() {
                fitting.remove(member);
            }
        }
        let merged = with_docs(&bundle, &held, fitting.into_iter());
        Self::judge(&merged.encode_to_vec(), anchor, now_ms)
    }

    /// Whether the document of `theirs`, a member as another roster has it, is to be taken. It is
    /// this roster that says which keys of the member are good.
    fn lacks_doc_of(&self, theirs: Option<&Member>, now_ms: u64) -> bool {
        let offered = theirs.and_then(|theirs| Some((self.members.get(&theirs.id)?, theirs.doc?)));
        let Some((ours, offered)) = offered else {
            return false;
        };
        let mut keys = ours.identity_keys.iter();
        let listed = keys.any(|timed| timed.key.key_id() == offered.signer);
        let replaces = ours
            .doc
            .is_none_or(|held| ours.rank_of(&offered, now_ms) > ours.rank_of(&held, now_ms));
        listed && replaces
    }
}

/// The state of a judged bundle. Who signed a document is part of it: two holders that have it by
/// different keys have something to tell each other. Spec: DIS-1.
pub(super) fn state_sha256<'a>(
    bundle: &v1::RosterBundle,
    roster_sha256: &Hash,
    members: impl Iterator<Item = &'a Member>,
) -> Hash {
    let freshness = match payload(&bundle.freshness) {
        Some(payload) => sha256(&[&payload]),
        None => [0; 32],
    };
    let mut docs: Vec<Hash> = members
        .filter_map(|member| member.doc)
        .map(|doc| sha256(&[&doc.sha256, doc.signer.as_ref()]))
        .collect();
    docs.sort_unstable();
    let mut parts: Vec<&[u8]> = vec![label::ROSTER_STATE, roster_sha256, &freshness];
    parts.extend(docs.iter().map(<[u8; 32]>::as_slice));
    sha256(&parts)
}

fn with_docs<'a>(
    bundle: &v1::RosterBundle,
    held: &'a BTreeMap<String, Bytes>,
    news: impl Iterator<Item = (&'a String, &'a Bytes)>,
) -> v1::RosterBundle {
    let mut docs: BTreeMap<&String, &Bytes> = held.iter().collect();
    docs.extend(news);
    v1::RosterBundle {
        member_docs: docs.into_values().cloned().collect(),
        ..bundle.clone()
    }
}

fn decoded(roster: &Roster) -> v1::RosterBundle {
    v1::RosterBundle::decode(roster.bytes.clone())
        .expect("a judged roster's bundle has been decoded before")
}

/// The signed documents by member.
fn docs_of(bundle: &v1::RosterBundle) -> BTreeMap<String, Bytes> {
    let docs = bundle.member_docs.iter().filter_map(|signed| {
        let doc = v1::MemberDoc::decode(payload(signed)?).ok()?;
        Some((doc.member, signed.clone()))
    });
    docs.collect()
}

fn payload(signed: &Bytes) -> Option<Bytes> {
    (!signed.is_empty()).then_some(())?;
    Some(v1::Signed::decode(signed.clone()).ok()?.payload)
}
