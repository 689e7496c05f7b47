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
    if hello.checkpoint.len() > limits::CHECKPOINT_BYTES_MAX {
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
