//! A connection between two members of the federation: what each says first, and how it is judged.
//!
//! A TLS handshake that succeeds is not yet a session: the peer is known only once its [`Hello`]
//! agrees with the owner of its key. Spec: chapter SES.
//!
//! [`Hello`]: crate::v1::Hello

use std::{collections::BTreeSet, ops::RangeInclusive};

use bytes::Bytes;

use crate::{error::WireCode, limits, roster::Peer};

mod hello;

pub use hello::{build_hello, judge_hello};

/// The versions of the protocol that are spoken here. Spec: SES-5.
pub const VERSIONS: RangeInclusive<u32> = 1..=1;

/// The optional features that are known here. Version 1 has none. Spec: SES-6.
pub const FEATURES: &[u32] = &[];

/// What a peer takes at once. Spec: SES-9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Envelopes of one request.
    pub batch_envelopes_max: usize,
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Requests that are open at once.
    pub requests_in_flight_max: u32,
}

/// How the peer's roster stands to ours. Spec: SES-10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterNews {
    /// The same.
    Same,
    /// The peer should fetch ours.
    PeerIsBehind,
    /// We should fetch the peer's.
    PeerIsAhead,
}

/// A peer whose Hello was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPeer {
    /// Who it is, by the key of the connection.
    pub peer: Peer,
    /// The version that both speak.
    pub version: u32,
    /// The features that both know.
    pub features: BTreeSet<u32>,
    /// What it takes at once.
    pub limits: SessionLimits,
    /// How its roster stands to ours.
    pub roster: RosterNews,
    /// Its clock less ours.
    pub clock_offset_ms: i64,
    /// Its newest checkpoint as it sent it, not verified; may be empty.
    pub checkpoint: Bytes,
    /// The newest checkpoint of our log that it has seen, not verified; may be empty.
    pub seen: Bytes,
}

/// Why a Hello makes no session. Spec: SES-4 to SES-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A range that ends before it begins, a hash of another length, too many features.
    #[error("the hello is malformed")]
    Malformed,
    /// No version in common.
    #[error("no protocol version in common")]
    Version,
    /// A critical feature is not known here.
    #[error("the peer requires a feature that is not known here")]
    UnknownCritical,
    /// Another federation.
    #[error("the peer belongs to another federation")]
    Federation,
    /// The peer believes to talk to someone else.
    #[error("the peer meant to talk to another node")]
    Receiver,
    /// Its role is not that of its key.
    #[error("the peer claims a role that its key does not have")]
    Role,
    /// It names someone else than the owner of its key.
    #[error("the peer claims an id that its key does not have")]
    Sender,
    /// The owner of the key is not in the roster.
    #[error("the peer is not in the roster")]
    Stranger,
    /// The owner of the key is suspended or revoked.
    #[error("the peer is suspended or revoked")]
    NotLive,
    /// A client of a member that another node serves.
    #[error("the peer's member is served by another node")]
    NotServed,
    /// Clocks differ too much.
    #[error("the peer's clock and ours differ by more than ten minutes")]
    Clock,
    /// A roster of the same version with another hash.
    #[error("the peer holds another roster of the same version: keep both as evidence")]
    ForkedRoster,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            batch_envelopes_max: limits::BATCH_ENVELOPES_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            requests_in_flight_max: 256,
        }
    }
}

impl From<SessionError> for WireCode {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Malformed => Self::Malformed,
            SessionError::Version | SessionError::UnknownCritical => Self::Unsupported,
            SessionError::Federation => Self::WrongFederation,
            SessionError::Receiver | SessionError::NotServed => Self::WrongNode,
            SessionError::Role => Self::WrongRole,
            SessionError::Sender => Self::WrongSender,
            SessionError::Stranger => Self::NotTrusted,
            SessionError::NotLive => Self::Revoked,
            SessionError::Clock => Self::FutureDated,
            SessionError::ForkedRoster => Self::BadRoster,
        }
    }
}
