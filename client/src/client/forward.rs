//! Passing on what was received: the author's signature stays, and who passes it on signs too.

use frex_proto::{
    envelope::{self, ForwardDraft, SealError, SignedEnvelope},
    error::WireCode,
    v1,
};

use super::{Client, DraftError, ItemError};

/// Why a message cannot be passed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// What was kept is no sound envelope, or cannot be opened here any more.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// A recipient cannot be sent to.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// It breaks a rule.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<&ForwardError> for WireCode {
    fn from(error: &ForwardError) -> Self {
        match error {
            ForwardError::Item(error) => error.into(),
            ForwardError::Draft(error) => error.into(),
            ForwardError::Seal(error) => (*error).into(),
        }
    }
}

impl From<ForwardError> for WireCode {
    fn from(error: ForwardError) -> Self {
        Self::from(&error)
    }
}

impl Client {
    /// Makes the forward of an envelope that this member received, to these members, under a fresh
    /// message id; [`submit`](Self::submit) takes it like any envelope. What was passed on before
    /// is passed on as its author signed it. Spec: ENV-23, ENV-25, RCL-15.
    ///
    /// # Errors
    /// [`ForwardError`].
    pub fn forward(
        &self,
        received: &v1::Envelope,
        to: &[&str],
    ) -> Result<(ForwardDraft, SignedEnvelope), ForwardError> {
        let parts = &self.0;
        let (carried, opened) = self.reopen(received)?;
        let core = &carried.original().core;
        // The recipients are those to whom it could be sent as it is.
        let draft = self.draft(to).kind(core.kind).lane(core.lane);
        let draft = self.finish(draft.content(&opened.content_type, opened.data.clone()))?;
        let draft = ForwardDraft {
            federation: draft.federation,
            sender: draft.sender,
            recipients: draft.recipients,
            message_id: draft.message_id,
            created_ms: draft.created_ms,
            expires_ms: draft.expires_ms,
        };
        let forward = envelope::forward(
            carried.original(),
            received.body.clone(),
            &opened.content_key,
            &draft,
            &mut parts.environment.random.rng(),
            &parts.identity,
        )?;
        Ok((draft, forward))
    }
}
