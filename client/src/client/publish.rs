//! The member's own document: put in force here, and brought to the home node.

use bytes::Bytes;
use frex_proto::{error::WireCode, v1};
use prost::Message;

use super::{Client, ConnectError};
use crate::membership::{FollowError, TakeError};

/// Exchanges after which two holders that learn from each other hold the same.
const ROUNDS_MAX: usize = 5;

/// Why a document is not held by the home node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no session with the home node.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It does not verify or cannot be kept here.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// The home node refuses it, or broke off.
    #[error(transparent)]
    Offer(#[from] FollowError),
    /// Another document of the member is in force here, and this one does not take its place.
    #[error(
        "another document of this member stays in force: it is newer, or the key that signed this one has ended"
    )]
    Outranked,
    /// The home node goes on holding another roster.
    #[error("the home node does not come to hold the same roster")]
    NotTaken,
}

impl From<&PublishError> for WireCode {
    fn from(error: &PublishError) -> Self {
        match error {
            PublishError::Connect(error) => error.into(),
            PublishError::Take(error) => error.into(),
            PublishError::Offer(FollowError::Transport(error)) => error.into(),
            PublishError::Offer(FollowError::Refused(code)) => *code,
            PublishError::Outranked => Self::NotTrusted,
            PublishError::NotTaken => Self::Unreachable,
        }
    }
}

impl From<PublishError> for WireCode {
    fn from(error: PublishError) -> Self {
        Self::from(&error)
    }
}

impl Client {
    /// Takes what the home node knows newer of the roster.
    ///
    /// # Errors
    /// [`ConnectError`]. News that are not taken are no error: the roster in force stays.
    pub async fn hear_news(&self) -> Result<(), ConnectError> {
        let session = self.0.link.session(self.0.patience).await?;
        if let Some(membership) = self.membership()
            && let Err(error) = membership.refresh(&session).await
        {
            tracing::warn!(%error, "news of the roster cannot be fetched");
        }
        Ok(())
    }

    /// Puts this member's signed document in force, and does not return before the home node
    /// holds it too. One that is held already is only brought there. Spec: DIS-7.
    ///
    /// # Errors
    /// [`PublishError`]; what was put in force here stays so and is offered again later.
    ///
    /// # Panics
    /// If the client was made without a way to keep a roster.
    pub async fn publish(&self, signed_doc: Bytes) -> Result<(), PublishError> {
        let membership = self.membership().expect("a client that keeps its roster");
        let session = self.0.link.session(self.0.patience).await?;
        let roster = self.0.roster.current();
        let bundle = roster.with_member_doc(&self.0.member, signed_doc.clone());
        membership.take(bundle).await?;
        if !self.holds(&signed_doc) {
            return Err(PublishError::Outranked);
        }
        for _ in 0..ROUNDS_MAX {
            let theirs = membership.offer(&session).await?;
            if theirs == *self.0.roster.current().state_sha256() {
                return Ok(());
            }
            membership.refresh(&session).await?;
        }
        Err(PublishError::NotTaken)
    }

    /// Whether what this document says is in force here for the member.
    fn holds(&self, signed_doc: &Bytes) -> bool {
        let payload = |signed: Bytes| v1::Signed::decode(signed).ok().map(|one| one.payload);
        let held = self.0.roster.current().member_doc(&self.0.member);
        held.and_then(|(signed, _)| payload(signed)) == payload(signed_doc.clone())
    }
}
