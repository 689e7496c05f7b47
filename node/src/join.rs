//! What a member keeps of invitations, and of peers that it met by one and has not judged yet.
//!
//! ```text
//! <member>/invitations/<id>/invitation.json   what was handed out, without its secret
//! <member>/invitations/<id>/listener.key      the key under which it is listened for
//! <member>/invitations/<id>/use.json          who used it, and how often it was tried in vain
//! <member>/invitations/<id>/withdrawn.json    since when it opens nothing
//! <member>/peers/<id>/peer.json               who came, when, by which invitation
//! <member>/peers/<id>/ours.json               what our people decided
//! <member>/peers/<id>/theirs.json             what they decided, as far as they have told
//! <member>/peers/<id>/card.frex               inviter: their card; newcomer: the card handed in
//! <member>/peers/<id>/root.frex, roster.frex  newcomer: what came and is not trusted yet
//! <member>/peers/<id>/invitation.code         newcomer: the invitation, to ask again with
//! ```
//!
//! Each file has one writer, so that a listener and a command may work at the same time. Nothing
//! here is a roster: whoever is listed decides the governance. Spec: chapter JOI.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use frex_client::{
    environment::Environment,
    keys::{KeyFileError, MemberRole},
};
use frex_proto::{error::WireCode, join::Decision, keys::SigningKey, v1};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

mod files;
mod guest;
mod host;
mod invitations;
mod peers;
#[cfg(test)]
mod tests;

pub use guest::AskError;
pub use host::Event;
pub use invitations::InvitationDraft;
pub use peers::Enclosure;

/// The invitations of a member.
#[derive(Debug, Clone)]
pub struct Invitations {
    dir: PathBuf,
}

/// The peers that a member met by an invitation.
#[derive(Debug, Clone)]
pub struct Peers {
    dir: PathBuf,
}

/// An invitation as the inviter keeps it. It holds no secret. Spec: JOI-4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRecord {
    /// Names it in commands.
    pub id: String,
    /// The federation.
    pub federation: String,
    /// SHA-256 of the payload of its root, hexadecimal.
    pub root_sha256: String,
    /// Verifies knowledge of the secret, hexadecimal.
    pub proof_key: String,
    /// Where it is listened for.
    pub listen: SocketAddr,
    /// Where the newcomer is told to knock.
    pub address: String,
    /// When it was made.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// For whom, in the inviter's own words.
    pub note: String,
}

/// What became of an invitation so far. Spec: JOI-10, JOI-11.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationUse {
    /// Wrong secrets so far.
    pub tries: u32,
    /// Who used it.
    pub member: Option<String>,
    /// SHA-256 of the card it is bound to, hexadecimal.
    pub card_sha256: Option<String>,
    /// When it was used.
    pub used_ms: Option<u64>,
}

/// How an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits for its newcomer.
    Open,
    /// It was used, and lets the same newcomer in again until it ends.
    Used,
    /// It was taken back.
    Withdrawn,
    /// Too many wrong secrets.
    Spent,
    /// Its time is over.
    Expired,
}

/// On which side of an invitation we were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// We invited the peer.
    Inviter,
    /// The peer invited us.
    Newcomer,
}

/// A peer that came by an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRecord {
    /// Its member id.
    pub member: String,
    /// Its name, as it states it.
    pub name: String,
    /// Its country, as it states it.
    pub country: String,
    /// What it is, as it states it.
    pub role: MemberRole,
    /// Its node, if it runs one.
    pub node: Option<String>,
    /// The identity key that people compare, with its companion behind it, hexadecimal.
    pub identity: String,
    /// On which side we were.
    pub side: Side,
    /// The federation.
    pub federation: String,
    /// The invitation by which it came; empty on the newcomer's side.
    pub invitation: String,
    /// SHA-256 of the newcomer's card, hexadecimal.
    pub card_sha256: String,
    /// When it came.
    pub since_ms: u64,
}

/// A decision as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// Pending, accepted or refused.
    pub state: State,
    /// Since when.
    pub at_ms: u64,
    /// Why, if refused.
    pub reason: String,
    /// When this was last heard from the other side; of ours: when we decided.
    pub heard_ms: u64,
    /// What the other side has been told of our decision.
    pub told: State,
}

/// What people have decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing yet.
    Pending,
    /// To trust the other side.
    Accepted,
    /// Not to.
    Refused,
}

/// Answers those who knock with one invitation. Spec: JOI-10.
pub struct HostDesk {
    invitation: PathBuf,
    record: InvitationRecord,
    peers: Peers,
    /// The member's folder, for the roster in force.
    member_dir: PathBuf,
    member: String,
    identity: SigningKey,
    environment: Environment,
    events: mpsc::Sender<Event>,
    turn: std::sync::Mutex<()>,
}

/// Why something about invitations cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinStoreError {
    /// A file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what this program writes.
    #[error("{} is not what this program writes", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Nothing of this name.
    #[error("there is nothing of this name")]
    NotFound,
}

impl From<JoinStoreError> for WireCode {
    fn from(error: JoinStoreError) -> Self {
        match error {
            JoinStoreError::File(error) => error.into(),
            JoinStoreError::Write { .. } | JoinStoreError::Damaged { .. } => Self::Files,
            JoinStoreError::NotFound => Self::NotFound,
        }
    }
}

impl Invitations {
    /// Those of the member in `member_dir`.
    #[must_use]
    pub fn of(member_dir: &Path) -> Self {
        Self {
            dir: member_dir.join("invitations"),
        }
    }
}

impl Peers {
    /// Those of the member in `member_dir`.
    #[must_use]
    pub fn of(member_dir: &Path) -> Self {
        Self {
            dir: member_dir.join("peers"),
        }
    }
}

impl State {
    /// As commands print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }
}

impl DecisionRecord {
    /// Nothing decided, or nothing heard, since `at_ms`.
    #[must_use]
    pub fn pending(at_ms: u64) -> Self {
        Self {
            state: State::Pending,
            at_ms,
            reason: String::new(),
            heard_ms: at_ms,
            told: State::Pending,
        }
    }
}

impl From<&DecisionRecord> for Decision {
    fn from(record: &DecisionRecord) -> Self {
        Self {
            state: match record.state {
                State::Pending => v1::JoinState::Pending,
                State::Accepted => v1::JoinState::Accepted,
                State::Refused => v1::JoinState::Refused,
            },
            at_ms: record.at_ms,
            reason: record.reason.clone(),
        }
    }
}

impl From<v1::JoinState> for State {
    fn from(state: v1::JoinState) -> Self {
        match state {
            v1::JoinState::Unspecified | v1::JoinState::Pending => Self::Pending,
            v1::JoinState::Accepted => Self::Accepted,
            v1::JoinState::Refused => Self::Refused,
        }
    }
}
