//! Passing on what was received: the author's signature stays, and who passes it on signs too.

use frex_proto::{
    envelope::{
        self, EnvelopeError, ForwardDraft, OpenContexts, OpenError, SealError, SignedEnvelope,
    },
    error::WireCode,
    v1,
};

use super::{Client, DraftError};

/// Why a message cannot be passed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// What was kept is no sound envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The key that it was sealed to is not held any more, or it is for somebody else.
    #[error("it cannot be opened any more: the key that it was sealed to is not held here")]
    Open(#[from] OpenError),
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
            ForwardError::Envelope(error) => (*error).into(),
            ForwardError::Open(error) => (*error).into(),
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
        let carried = envelope::parse_carried(received)?;
        envelope::check_body(carried.original(), &received.body)?;
        let now_ms = parts.environment.clock.now_ms();
        let ours = carried.recipient(&parts.member);
        let held = ours.map(|(_, ours)| parts.sealing.with(ours.sealing_key_id, now_ms));
        let held = held.unwrap_or_default();
        let keys: Vec<_> = held.iter().collect();
        let contexts = &mut OpenContexts::new();
        let opened = carried.open(&received.body, &parts.member, &keys, contexts)?;
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
