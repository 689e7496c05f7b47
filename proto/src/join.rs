//! How a newcomer and a member of a federation meet before any roster lists the newcomer.
//!
//! A member hands out an [`Invitation`]: one line of text that says where it listens, under which
//! key, and a secret for one newcomer. Over a connection to that key the newcomer shows its card,
//! the member the federation's roster, and each signs with its identity key what it showed,
//! together with the connection. So it is enough that people compare the fingerprints of these
//! two keys. Nothing here trusts anyone: that is for people, on both sides. Spec: chapter JOI.

use zeroize::Zeroizing;

use crate::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
    label::{self, Hash},
    roster::{Card, Fault, Roster, RosterError},
    v1,
};

mod code;
mod request;
mod welcome;

pub use code::{parse, text};
pub use request::{Listing, check_listing, judge_request, request};
pub use welcome::{judge_answer, refusal, welcome};

/// The application protocol of these connections. Spec: JOI-1.
pub const ALPN: &[u8] = b"frex-join/1";
/// What the exporter of a connection is asked under. Spec: JOI-5.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-frex-join/1";
/// Bytes of an invitation's secret.
pub const SECRET_BYTES: usize = 16;

/// What a member hands to a newcomer. Whoever has it can knock once. Spec: JOI-2.
#[derive(Clone)]
pub struct Invitation {
    /// The federation.
    pub federation: String,
    /// SHA-256 of the payload of its root.
    pub root_sha256: Hash,
    /// The member that invites.
    pub member: String,
    /// `host:port` at which it listens while the invitation is open.
    pub address: String,
    /// The listener's Ed25519 key, made for this invitation.
    pub listener_key: [u8; 32],
    /// Known to the newcomer alone: the inviter keeps only the key that verifies it.
    pub secret: Zeroizing<[u8; SECRET_BYTES]>,
    /// After this time it opens nothing.
    pub expires_ms: u64,
}

/// What the inviting side keeps of an invitation to judge who knocks. It holds no secret.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The federation.
    pub federation: String,
    /// SHA-256 of the payload of its root.
    pub root_sha256: Hash,
    /// Verifies that the newcomer knows the secret.
    pub proof_key: VerifyingKey,
    /// After this time nobody comes in.
    pub expires_ms: u64,
}

/// What the people of one side have decided about the other. Spec: JOI-9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Pending, accepted or refused.
    pub state: v1::JoinState,
    /// Since when.
    pub at_ms: u64,
    /// Why, if refused; written by the other side's people.
    pub reason: String,
}

/// A newcomer that knows the secret and holds the identity key of its card.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// Its card, as a roster would list it.
    pub card: Card,
    /// SHA-256 of the card's bytes.
    pub card_sha256: Hash,
    /// The identity key that people compare by its fingerprint.
    pub identity: VerifyingKey,
    /// What its people have decided.
    pub decision: Decision,
}

/// The inviting member, as the newcomer sees it.
#[derive(Debug, Clone)]
pub struct Host {
    /// The roster in force at the inviter, judged under the root that the invitation names.
    pub roster: Roster,
    /// The identity key that people compare by its fingerprint.
    pub identity: VerifyingKey,
    /// What its people have decided.
    pub decision: Decision,
}

/// Why a text is no invitation. The one who typed or copied it must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Something else.
    #[error("this is no invitation: it begins with FREX-JOIN:")]
    NotOne,
    /// Over the limit.
    #[error("this is longer than an invitation can be")]
    TooLong,
    /// A character is wrong or missing.
    #[error("a character of the invitation is wrong or missing")]
    Damaged,
    /// Of a later version.
    #[error("the invitation is of a version that is not known here")]
    Version,
    /// Its parts are not what they should be.
    #[error("the invitation's parts are not what they should be")]
    Malformed,
}

/// Why a newcomer's request is not taken. The newcomer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Over a limit.
    #[error("the request or its card is over its limit")]
    TooLarge,
    /// Not the message it should be.
    #[error("the request does not decode")]
    Malformed,
    /// Not signed by the key of this invitation's secret.
    #[error("the newcomer does not know this invitation's secret")]
    WrongSecret,
    /// Made for another connection.
    #[error("the proof was made for another connection: a replay")]
    Replayed,
    /// The invitation is over.
    #[error("the invitation is past its expiry")]
    Expired,
    /// Of another federation, or meant for another root.
    #[error("the newcomer wants to join another federation")]
    WrongFederation,
    /// No card that could be listed.
    #[error("the card cannot be listed: {0}")]
    Card(RosterError),
    /// The statement names another member or card.
    #[error("the statement is about another card")]
    OtherCard,
    /// The statement is not signed by the card's identity key.
    #[error("the newcomer does not prove the identity key of its card")]
    NotIdentity,
    /// Listed already, under other keys.
    #[error("the roster lists this id already, under other keys")]
    IdTaken,
    /// One of its keys belongs to someone else.
    #[error("the roster lists one of these keys for another member or node")]
    KeyTaken,
}

/// Why the answer to a request is not taken. The inviting side is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Over a limit.
    #[error("the answer is over its limit")]
    TooLarge,
    /// Not the message it should be.
    #[error("the answer does not decode")]
    Malformed,
    /// The inviter gives a code instead of a welcome.
    #[error("the inviting side refused: {0}")]
    Refused(WireCode),
    /// The roster does not verify under the root that the invitation names.
    #[error("the roster that came does not verify: {0}")]
    Roster(RosterError),
    /// Who invites is not a live member.
    #[error("the inviting member is not listed or not live in its own roster")]
    UnknownHost,
    /// The statement is not signed by the inviting member's identity key.
    #[error("the inviting member does not prove the identity key that its roster lists")]
    NotIdentity,
    /// Made for another connection.
    #[error("the answer was made for another connection: somebody stands in between")]
    Replayed,
    /// About another card, root or federation.
    #[error("the answer is about another card, root or federation")]
    OtherSubject,
}

impl Invitation {
    /// The key that proves knowledge of the secret. Spec: JOI-4.
    #[must_use]
    pub fn proof_key(&self) -> SigningKey {
        let seed = label::sha256(&[label::JOIN_SECRET, self.secret.as_ref()]);
        SigningKey::from_seed(&Zeroizing::new(seed))
    }

    /// What the inviting side keeps.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            federation: self.federation.clone(),
            root_sha256: self.root_sha256,
            proof_key: self.proof_key().verifying_key(),
            expires_ms: self.expires_ms,
        }
    }
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation")
            .field("federation", &self.federation)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

impl Decision {
    /// Nobody has decided; `at_ms` is when the other side came.
    #[must_use]
    pub fn pending(at_ms: u64) -> Self {
        Self {
            state: v1::JoinState::Pending,
            at_ms,
            reason: String::new(),
        }
    }
}

impl From<InvitationError> for WireCode {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::Version => Self::Unsupported,
            _ => Self::BadInput,
        }
    }
}

impl From<RequestError> for WireCode {
    fn from(error: RequestError) -> Self {
        use RequestError as E;
        match error {
            E::TooLarge => Self::TooLarge,
            E::Malformed => Self::Malformed,
            E::WrongSecret => Self::NotTrusted,
            E::Replayed | E::OtherCard | E::NotIdentity => Self::BadSignature,
            E::Expired => Self::Expired,
            E::WrongFederation => Self::WrongFederation,
            E::Card(error) if error.fault == Fault::TooLarge => Self::TooLarge,
            E::Card(error) => error.into(),
            E::IdTaken | E::KeyTaken => Self::IdTaken,
        }
    }
}

impl From<AnswerError> for WireCode {
    fn from(error: AnswerError) -> Self {
        use AnswerError as E;
        match error {
            E::TooLarge => Self::TooLarge,
            E::Malformed => Self::Malformed,
            E::Refused(code) => code,
            E::Roster(error) => error.into(),
            E::UnknownHost => Self::NotTrusted,
            E::NotIdentity | E::Replayed | E::OtherSubject => Self::BadSignature,
        }
    }
}

#[cfg(test)]
mod tests;
