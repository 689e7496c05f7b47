//! A member's own document, as it is held and as it follows.

use bytes::Bytes;
use prost::Message;

use super::{Roster, build};
use crate::{keys::SealingPublicKey, limits, v1};

/// After so long nothing that was sealed to an ended key can be under way any more.
const IN_FLIGHT_MS: u64 = limits::LIFE_MS_MAX + limits::CLOCK_SKEW_MS_MAX;

impl Roster {
    /// A member's entry as the governance signed it.
    #[must_use]
    pub fn member_entry(&self, member: &str) -> Option<v1::Member> {
        let listed = v1::Roster::decode(self.payload().clone()).ok()?;
        listed.members.into_iter().find(|entry| entry.id == member)
    }

    /// A node's entry as the governance signed it.
    #[must_use]
    pub fn node_entry(&self, node: &str) -> Option<v1::Node> {
        let listed = v1::Roster::decode(self.payload().clone()).ok()?;
        listed.nodes.into_iter().find(|entry| entry.id == node)
    }

    /// A member's document as it signed it: the signed bytes, and what they say.
    #[must_use]
    pub fn member_doc(&self, member: &str) -> Option<(Bytes, v1::MemberDoc)> {
        let bundle = v1::RosterBundle::decode(self.bytes().clone()).ok()?;
        let mut docs = bundle.member_docs.into_iter().filter_map(opened);
        docs.find(|(_, doc)| doc.member == member)
    }

    /// This roster's file with a member's signed document in place of the one held. Judge it like
    /// anyone's.
    #[must_use]
    pub fn with_member_doc(&self, member: &str, signed: Bytes) -> Bytes {
        let mut bundle = v1::RosterBundle::decode(self.bytes().clone())
            .expect("a judged roster's file has been decoded before");
        bundle
            .member_docs
            .retain(|doc| opened(doc.clone()).is_none_or(|(_, doc)| doc.member != member));
        bundle.member_docs.push(signed);
        bundle.encode_to_vec().into()
    }
}

/// The document that follows: the next version, for as long as the one before was made for,
/// without what no longer matters to anything under way. A version is never above the time of issue
/// (ROS-36): should somebody have stated one from ahead of this clock, so is this document.
#[must_use]
pub fn next_version(doc: &v1::MemberDoc, now_ms: u64) -> v1::MemberDoc {
    let mut next = doc.clone();
    next.version = doc.version.saturating_add(1);
    next.issued_ms = now_ms.max(next.version);
    let life_ms = doc.expires_ms.saturating_sub(doc.issued_ms);
    next.expires_ms = next.issued_ms.saturating_add(life_ms);
    let ended = |key: &v1::PublicKey, after_ms: u64| {
        key.not_after_ms != 0 && key.not_after_ms.saturating_add(after_ms) <= now_ms
    };
    next.client_tls_keys.retain(|key| !ended(key, 0));
    for node in &mut next.nodes {
        node.tls_keys.retain(|key| !ended(key, 0));
    }
    next.sealing_keys.retain(|key| !ended(key, IN_FLIGHT_MS));
    next.retired_sealing_keys
        .retain(|key| key.from_ms.saturating_add(IN_FLIGHT_MS) > now_ms);
    next
}

/// Lists `next` in place of every other sealing key, as of the document's issue; gives the moment
/// from which on the present one is refused. With an overlap, what is sealed to the others is taken
/// for so long; those retired before keep their time. Without one, somebody else may hold them: they
/// all are refused at once, also by a node whose clock is behind, and the next key is good by the
/// clocks of its senders. Spec: ROS-18, ROS-34, ROS-37.
pub fn follow_sealing_keys(
    doc: &mut v1::MemberDoc,
    next: &SealingPublicKey,
    overlap_ms: Option<u64>,
) -> u64 {
    let now_ms = doc.issued_ms;
    let (end_ms, from_ms) = match overlap_ms {
        Some(overlap_ms) => (now_ms, now_ms.saturating_add(overlap_ms)),
        None => {
            let past_ms = now_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX);
            (past_ms, past_ms)
        }
    };
    for retired in &mut doc.retired_sealing_keys {
        if overlap_ms.is_none() {
            retired.from_ms = retired.from_ms.min(from_ms);
        }
    }
    let is_next = |key: &v1::PublicKey| key.key == next.as_bytes()[..];
    let mut followed = Vec::new();
    for key in doc.sealing_keys.iter_mut().filter(|key| !is_next(key)) {
        end(key, end_ms);
        followed.extend(SealingPublicKey::admit(&key.key));
    }
    for key in followed {
        let mut retired = doc.retired_sealing_keys.iter();
        if retired.all(|one| one.key_id != key.key_id().as_ref()) {
            retire_sealing_key(doc, &key, from_ms);
        }
    }
    if !doc.sealing_keys.iter().any(is_next) {
        doc.sealing_keys.push(v1::PublicKey {
            not_before_ms: end_ms,
            ..build::sealing_key(next)
        });
    }
    from_ms
}

/// Ends the key of these bytes at `end_ms`, unless it ends before; false if it is not listed.
pub fn end_key(keys: &mut [v1::PublicKey], key: &[u8], end_ms: u64) -> bool {
    let listed = keys.iter_mut().find(|listed| listed.key == key);
    listed.is_some_and(|listed| {
        end(listed, end_ms);
        true
    })
}

/// A key that ends before it began was never good; its beginning is brought forward with the end,
/// because ROS-8 wants them in order.
fn end(key: &mut v1::PublicKey, end_ms: u64) {
    if key.not_after_ms == 0 || key.not_after_ms > end_ms {
        key.not_after_ms = end_ms;
        key.not_before_ms = key.not_before_ms.min(end_ms.saturating_sub(1));
    }
}

/// States that what is sealed to `key` is refused from `from_ms` on. Spec: ROS-34.
pub fn retire_sealing_key(doc: &mut v1::MemberDoc, key: &SealingPublicKey, from_ms: u64) {
    let key_id = Bytes::copy_from_slice(key.key_id().as_ref());
    doc.retired_sealing_keys.retain(|one| one.key_id != key_id);
    doc.retired_sealing_keys
        .push(v1::RetiredKey { key_id, from_ms });
}

fn opened(signed: Bytes) -> Option<(Bytes, v1::MemberDoc)> {
    let payload = v1::Signed::decode(signed.clone()).ok()?.payload;
    Some((signed, v1::MemberDoc::decode(payload).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{SealingSecretKey, SigningKey};

    const NOW_MS: u64 = 1_900_000_000_000;

    // ROS-35: what may still be under way keeps its key listed; the next version drops the rest.
    #[test]
    fn the_next_version_keeps_what_may_be_under_way() {
        let ended = |mut key: v1::PublicKey, ago_ms: u64| {
            key.not_after_ms = NOW_MS - ago_ms;
            key
        };
        let sealing = |seed| build::sealing_key(&SealingSecretKey::from_seed(&[seed; 32]).public());
        let tls = |seed| build::signing_key(&SigningKey::from_seed(&[seed; 32]).verifying_key());
        let retired = |id: u8, ago_ms: u64| v1::RetiredKey {
            key_id: vec![id; 16].into(),
            from_ms: NOW_MS - ago_ms,
        };
        let doc = v1::MemberDoc {
            version: 4,
            issued_ms: 100,
            expires_ms: 600,
            client_tls_keys: vec![ended(tls(1), 0), tls(2)],
            sealing_keys: vec![
                ended(sealing(1), IN_FLIGHT_MS),
                ended(sealing(2), IN_FLIGHT_MS - 1),
                sealing(3),
            ],
            retired_sealing_keys: vec![retired(1, IN_FLIGHT_MS), retired(2, IN_FLIGHT_MS - 1)],
            ..v1::MemberDoc::default()
        };
        let next = next_version(&doc, NOW_MS);
        assert_eq!((next.version, next.expires_ms - next.issued_ms), (5, 500));
        assert_eq!(next.client_tls_keys, [tls(2)]);
        assert_eq!(next.sealing_keys, doc.sealing_keys[1..]);
        assert_eq!(next.retired_sealing_keys, doc.retired_sealing_keys[1..]);
    }

    fn sealing(seed: u8) -> SealingPublicKey {
        SealingSecretKey::from_seed(&[seed; 32]).public()
    }

    // ROS-18, ROS-34: with an overlap the present key is refused after it, and one retired before
    // keeps its time.
    #[test]
    fn a_sealing_key_is_followed_and_taken_for_the_overlap() {
        let mut doc = v1::MemberDoc {
            issued_ms: NOW_MS,
            sealing_keys: vec![build::sealing_key(&sealing(1))],
            ..v1::MemberDoc::default()
        };
        assert_eq!(
            follow_sealing_keys(&mut doc, &sealing(2), Some(50)),
            NOW_MS + 50
        );
        doc.issued_ms += 10;
        assert_eq!(
            follow_sealing_keys(&mut doc, &sealing(3), Some(20)),
            NOW_MS + 30
        );
        let times = |key: &v1::PublicKey| (key.not_before_ms, key.not_after_ms);
        let times: Vec<_> = doc.sealing_keys.iter().map(times).collect();
        let good = [(0, NOW_MS), (NOW_MS, NOW_MS + 10), (NOW_MS + 10, 0)];
        assert_eq!(times, good);
        let retired = doc.retired_sealing_keys.iter();
        let retired: Vec<_> = retired
            .map(|one| (one.key_id.to_vec(), one.from_ms))
            .collect();
        let id = |seed: u8| sealing(seed).key_id().as_ref().to_vec();
        assert_eq!(retired, [(id(1), NOW_MS + 50), (id(2), NOW_MS + 30)]);
    }

    // ROS-37, ROS-34, LIM-24: of a stolen folder every key is refused at once by a clock that is behind, and
    // the document can be stated: also of a key that began a moment ago, or was to be taken longer.
    #[test]
    fn stolen_sealing_keys_are_refused_by_every_clock() {
        let mut doc = v1::MemberDoc {
            issued_ms: NOW_MS,
            sealing_keys: vec![build::sealing_key(&sealing(1))],
            ..v1::MemberDoc::default()
        };
        follow_sealing_keys(&mut doc, &sealing(2), Some(limits::LIFE_MS_MAX));
        let from_ms = follow_sealing_keys(&mut doc, &sealing(3), None);
        assert_eq!(from_ms, NOW_MS - limits::CLOCK_SKEW_MS_MAX);
        assert_eq!(doc.retired_sealing_keys.len(), 2);
        for one in &doc.retired_sealing_keys {
            assert_eq!(one.from_ms, from_ms);
        }
        let (next, stolen) = doc.sealing_keys.split_last().unwrap();
        assert_eq!((next.not_before_ms, next.not_after_ms), (from_ms, 0));
        assert_eq!(stolen.len(), 2);
        for key in stolen {
            assert_eq!(key.not_after_ms, from_ms);
            assert!(key.not_before_ms < key.not_after_ms);
        }
    }

    // ROS-34: an end that is stated comes no later for being stated again.
    #[test]
    fn an_end_is_only_brought_forward() {
        let mut keys = vec![build::signing_key(
            &SigningKey::from_seed(&[1; 32]).verifying_key(),
        )];
        let bytes = keys[0].key.clone();
        for (end_ms, held_ms) in [(50, 50), (60, 50), (40, 40)] {
            assert!(end_key(&mut keys, &bytes, end_ms));
            assert_eq!(keys[0].not_after_ms, held_ms);
        }
        assert!(!end_key(&mut keys, b"another", 1));
    }
}
