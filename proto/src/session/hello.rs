//! The first frame, both ways.

use std::cmp::Ordering;

use bytes::Bytes;
use rand_core::CryptoRng;

use super::{FEATURES, RosterNews, SessionError, SessionLimits, SessionPeer, VERSIONS};
use crate::{
    limits,
    roster::{Peer, Roster},
    v1,
};

/// The Hello that `us` says to `receiver`, the id of the peer at the other end.
///
/// It says nothing of what was seen of the receiver's log: whoever knows adds that.
///
/// It lists one meaningless feature, so that a peer that refuses unknown features shows early and
/// not on the day a real one appears. Spec: SES-7.
pub fn build_hello(
    roster: &Roster,
    us: &Peer,
    receiver: &str,
    checkpoint: Bytes,
    taken: &SessionLimits,
    now_ms: u64,
    rng: &mut dyn CryptoRng,
) -> v1::Hello {
    let mut features = FEATURES.to_vec();
    features.push(grease(rng.next_u32()));
    v1::Hello {
        version_min: *VERSIONS.start(),
        version_max: *VERSIONS.end(),
        features,
        critical: Vec::new(),
        federation: roster.federation().to_owned(),
        role: i32::from(us.role()),
        sender: us.id().to_owned(),
        receiver: receiver.to_owned(),
        roster_version: roster.version(),
        roster_sha256: Bytes::copy_from_slice(roster.sha256()),
        clock_ms: now_ms,
        checkpoint,
        seen: Bytes::new(),
        limits: Some(v1::Limits {
            batch_envelopes_max: saturated(taken.batch_envelopes_max),
            body_bytes_max: taken.body_bytes_max as u64,
            requests_in_flight_max: taken.requests_in_flight_max,
        }),
    }
}

/// Judges a peer's Hello against the owner of its connection's key. Spec: SES-4 to SES-11.
///
/// `expected_receiver` is our own id: a Hello that was meant for someone else, and carried to us
/// by a third, names another. A client's member must be served by us when we are a node; a client
/// only ever dials nodes, so for it the peer must be a node.
///
/// # Errors
/// [`SessionError`] with the first rule that fails.
pub fn judge_hello(
    hello: &v1::Hello,
    peer_tls_owner: &Peer,
    roster: &Roster,
    expected_receiver: &str,
    now_ms: u64,
) -> Result<SessionPeer, SessionError> {
    let version = common_version(hello)?;
    check_features(hello)?;
    check_identity(hello, peer_tls_owner, roster, expected_receiver)?;
    let clock_offset_ms = clock_offset(hello.clock_ms, now_ms)?;
    if hello.checkpoint.len() > limits::CHECKPOINT_BYTES_MAX
        || hello.seen.len() > limits::SEEN_CHECKPOINT_BYTES_MAX
    {
        return Err(SessionError::Malformed);
    }
    Ok(SessionPeer {
        peer: peer_tls_owner.clone(),
        version,
        features: hello
            .features
            .iter()
            .copied()
            .filter(|feature| FEATURES.contains(feature))
            .collect(),
        limits: peer_limits(hello.limits.as_ref()),
        roster: roster_news(hello, roster)?,
        clock_offset_ms,
        checkpoint: hello.checkpoint.clone(),
        seen: hello.seen.clone(),
    })
}

/// The highest version of both ranges. Spec: SES-5.
fn common_version(hello: &v1::Hello) -> Result<u32, SessionError> {
    if hello.version_min == 0 || hello.version_max < hello.version_min {
        return Err(SessionError::Malformed);
    }
    let version = hello.version_max.min(*VERSIONS.end());
    if version < hello.version_min || version < *VERSIONS.start() {
        return Err(SessionError::Version);
    }
    Ok(version)
}

/// Unknown features are ignored, unknown critical ones refused. Spec: SES-6.
fn check_features(hello: &v1::Hello) -> Result<(), SessionError> {
    if hello.features.len().max(hello.critical.len()) > limits::FEATURES_MAX {
        return Err(SessionError::Malformed);
    }
    let known = hello
        .critical
        .iter()
        .all(|feature| FEATURES.contains(feature));
    if known {
        Ok(())
    } else {
        Err(SessionError::UnknownCritical)
    }
}

/// Both ends name both ends, and the names are those of the keys. Spec: SES-4, SES-8.
fn check_identity(
    hello: &v1::Hello,
    owner: &Peer,
    roster: &Roster,
    expected_receiver: &str,
) -> Result<(), SessionError> {
    if hello.federation != roster.federation() {
        return Err(SessionError::Federation);
    }
    if hello.role() != owner.role() {
        return Err(SessionError::Role);
    }
    if hello.sender != owner.id() {
        return Err(SessionError::Sender);
    }
    if hello.receiver != expected_receiver {
        return Err(SessionError::Receiver);
    }
    let listed = match owner {
        Peer::Node(node) => roster.node(node).is_some(),
        Peer::Client(member) => roster.member(member).is_some(),
    };
    if !listed {
        return Err(SessionError::Stranger);
    }
    if !roster.is_live(owner) {
        return Err(SessionError::NotLive);
    }
    match owner {
        Peer::Client(member) if !roster.is_served_by(member, expected_receiver) => {
            Err(SessionError::NotServed)
        }
        _ => Ok(()),
    }
}

fn clock_offset(theirs: u64, ours: u64) -> Result<i64, SessionError> {
    let difference = theirs.abs_diff(ours);
    if difference > limits::CLOCK_SKEW_MS_MAX {
        return Err(SessionError::Clock);
    }
    let difference = i64::try_from(difference).map_err(|_| SessionError::Clock)?;
    Ok(if theirs < ours {
        -difference
    } else {
        difference
    })
}

fn roster_news(hello: &v1::Hello, roster: &Roster) -> Result<RosterNews, SessionError> {
    if hello.roster_sha256.len() != 32 {
        return Err(SessionError::Malformed);
    }
    match hello.roster_version.cmp(&roster.version()) {
        Ordering::Less => Ok(RosterNews::PeerIsBehind),
        Ordering::Greater => Ok(RosterNews::PeerIsAhead),
        Ordering::Equal if hello.roster_sha256[..] == roster.sha256()[..] => Ok(RosterNews::Same),
        Ordering::Equal => Err(SessionError::ForkedRoster),
    }
}

/// What the peer takes, within what the protocol allows. Nothing said: the defaults; and a peer
/// that says zero still takes one. Spec: SES-9.
fn peer_limits(said: Option<&v1::Limits>) -> SessionLimits {
    let own = SessionLimits::default();
    let Some(said) = said else { return own };
    let bounded =
        |said: u64, max: usize| usize::try_from(said).map_or(max, |said| said.clamp(1, max));
    SessionLimits {
        batch_envelopes_max: bounded(
            u64::from(said.batch_envelopes_max),
            limits::BATCH_ENVELOPES_MAX,
        ),
        body_bytes_max: bounded(said.body_bytes_max, limits::BODY_BYTES_MAX),
        requests_in_flight_max: said.requests_in_flight_max.max(1),
    }
}

/// A feature id that never means anything: `0xnAnAnAnA` with the same `n` throughout.
fn grease(random: u32) -> u32 {
    (random % 16) * 0x1010_1010 + 0x0a0a_0a0a
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::{
        keys::{SigningKey, VerifyingKey},
        roster::{TrustAnchor, build},
    };

    const NOW: u64 = 1_900_000_000_000;

    fn public(seed: u8) -> VerifyingKey {
        SigningKey::from_seed(&[seed; 32]).verifying_key()
    }

    /// Node `node-a` of member `a`, which also serves member `b`; node `node-c` of revoked `c`.
    fn roster() -> Roster {
        let keys = [
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        ];
        let root = build::root(&build::RootDraft {
            federation: "example",
            version: 1,
            expires_ms: NOW + 10,
            root_keys: &[public(1)],
            root_threshold: 1,
            roster_keys: &[public(2)],
            roster_threshold: 1,
        });
        let mut listed = build::first_roster(&root, NOW, NOW + 10);
        for (seed, id, node, runs) in [
            (10, "a", "node-a", true),
            (20, "b", "node-a", false),
            (30, "c", "node-c", true),
        ] {
            let card = build::card(&build::CardDraft {
                federation: "example",
                id,
                name: id,
                role: v1::Role::Police,
                country: "FR",
                home_node: node,
                identity: &SigningKey::from_seed(&[seed; 32]),
                client_tls: &[public(seed + 1)],
                sealing: &[],
                node: runs.then_some(build::NodeDraft {
                    id: node,
                    log_key: &public(seed + 2),
                    witness_key: None,
                    tls_keys: &[public(seed + 3)],
                    addresses: &[],
                }),
                issued_ms: NOW,
                expires_ms: NOW + 10,
            })
            .unwrap();
            build::list_card(&mut listed, &card);
        }
        listed.members[2].status = i32::from(v1::Status::Revoked);
        let root = build::sign_root(&root, &[&keys[0]]).unwrap();
        let signed = build::sign_roster(&listed, &[&keys[1]]).unwrap();
        let anchor = TrustAnchor::of_root(&root).unwrap();
        Roster::judge(&build::bundle(&root, &signed, vec![], None), &anchor, NOW).unwrap()
    }

    fn hello(roster: &Roster, us: &Peer, seed: u64) -> v1::Hello {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let limits = SessionLimits::default();
        build_hello(roster, us, "node-a", Bytes::new(), &limits, NOW, &mut rng)
    }

    fn client(member: &str) -> Peer {
        Peer::Client(member.to_owned())
    }

    // SES-4, SES-7: what is built is taken, and the meaningless features do not matter.
    #[test]
    fn a_built_hello_makes_a_session() {
        let roster = roster();
        let node = Peer::Node("node-a".to_owned());
        for seed in 0..64 {
            for us in [&node, &client("a"), &client("b")] {
                let judged = judge_hello(&hello(&roster, us, seed), us, &roster, "node-a", NOW);
                let peer = judged.unwrap();
                assert_eq!((&peer.peer, peer.version), (us, 1));
                assert_eq!(peer.roster, RosterNews::Same);
                assert_eq!(peer.limits, SessionLimits::default());
                assert!(peer.features.is_empty());
            }
        }
    }

    // SES-4 to SES-11, LIM-24, LIM-31
    #[test]
    fn each_wrong_hello_is_refused_for_its_own_reason() {
        type Spoil = fn(&mut v1::Hello);
        let roster = roster();
        let cases: &[(SessionError, Spoil)] = &[
            (SessionError::Malformed, |h| h.version_min = 0),
            (SessionError::Malformed, |h| {
                (h.version_min, h.version_max) = (2, 1);
            }),
            (SessionError::Version, |h| {
                (h.version_min, h.version_max) = (2, 9);
            }),
            (SessionError::UnknownCritical, |h| h.critical = vec![3]),
            (SessionError::UnknownCritical, |h| {
                h.critical.clone_from(&h.features);
            }),
            (SessionError::Malformed, |h| h.features = vec![3; 65]),
            (SessionError::Federation, |h| h.federation = "other".into()),
            (SessionError::Role, |h| h.role = 1),
            (SessionError::Role, |h| h.role = 0),
            (SessionError::Role, |h| h.role = 9),
            (SessionError::Sender, |h| h.sender = "a".into()),
            (SessionError::Receiver, |h| h.receiver = "node-c".into()),
            (SessionError::Receiver, |h| h.receiver.clear()),
            (SessionError::Clock, |h| h.clock_ms += 600_001),
            (SessionError::Clock, |h| h.clock_ms -= 600_001),
            (SessionError::Clock, |h| h.clock_ms = u64::MAX),
            (SessionError::ForkedRoster, |h| {
                h.roster_sha256 = vec![0; 32].into();
            }),
            (SessionError::Malformed, |h| h.roster_sha256 = Bytes::new()),
            (SessionError::Malformed, |h| {
                h.checkpoint = vec![0; limits::CHECKPOINT_BYTES_MAX + 1].into();
            }),
            (SessionError::Malformed, |h| {
                h.seen = vec![0; limits::SEEN_CHECKPOINT_BYTES_MAX + 1].into();
            }),
        ];
        for (number, (error, spoil)) in cases.iter().enumerate() {
            let mut hello = hello(&roster, &client("b"), 1);
            spoil(&mut hello);
            let judged = judge_hello(&hello, &client("b"), &roster, "node-a", NOW);
            assert_eq!(judged, Err(*error), "case {number}");
        }
    }

    // SES-4: the key decides who speaks; what the Hello says can only agree.
    #[test]
    fn the_owner_of_the_key_must_be_listed_live_and_served() {
        let roster = roster();
        for (peer, error) in [
            (client("nobody"), SessionError::Stranger),
            (Peer::Node("a".to_owned()), SessionError::Stranger),
            (client("c"), SessionError::NotLive),
            (Peer::Node("node-c".to_owned()), SessionError::NotLive),
        ] {
            let hello = hello(&roster, &peer, 1);
            let judged = judge_hello(&hello, &peer, &roster, "node-a", NOW);
            assert_eq!(judged, Err(error));
        }
        let mut elsewhere = hello(&roster, &client("a"), 1);
        elsewhere.receiver = "node-c".to_owned();
        let judged = judge_hello(&elsewhere, &client("a"), &roster, "node-c", NOW);
        assert_eq!(judged, Err(SessionError::NotServed));
    }

    // SES-9, SES-10
    #[test]
    fn limits_are_bounded_and_versions_compared() {
        let roster = roster();
        let mut hello = hello(&roster, &client("a"), 1);
        hello.limits = Some(v1::Limits {
            batch_envelopes_max: 0,
            body_bytes_max: u64::MAX,
            requests_in_flight_max: 0,
        });
        hello.version_max = 7;
        hello.roster_version = 2;
        hello.clock_ms = NOW - 5;
        let peer = judge_hello(&hello, &client("a"), &roster, "node-a", NOW).unwrap();
        assert_eq!(peer.limits.batch_envelopes_max, 1);
        assert_eq!(peer.limits.body_bytes_max, limits::BODY_BYTES_MAX);
        assert_eq!(peer.limits.requests_in_flight_max, 1);
        assert_eq!((peer.version, peer.clock_offset_ms), (1, -5));
        assert_eq!(peer.roster, RosterNews::PeerIsAhead);
        hello.roster_version = 0;
        let peer = judge_hello(&hello, &client("a"), &roster, "node-a", NOW).unwrap();
        assert_eq!(peer.roster, RosterNews::PeerIsBehind);
    }
}
