//! Drafts about the exchange itself: pings and recalls. Spec: chapter RCL.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    envelope::{PING_CONTENT_TYPE, RECALL_CONTENT_TYPE, RecallError, recall_notice},
    id::{EnvelopeId, MessageId},
    v1::{Kind, Lane},
};

use super::DraftBuilder;

/// How long the delivery of a ping is tried: longer than clocks may differ, and no use later.
const PING_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long the delivery of a recall is tried: as long as that of anything it may follow.
const RECALL_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl DraftBuilder {
    /// Makes it a ping: it goes the whole way, carries nothing, and no reader sees it.
    /// Spec: RCL-1, RCL-2.
    pub fn ping(self) -> Self {
        self.kind(Kind::Ping)
            .lane(Lane::Control)
            .life(PING_LIFE)
            .content(PING_CONTENT_TYPE, Bytes::new())
    }

    /// Makes it the recall of a message that this member has sent, by one of its envelopes.
    /// `reason` is a code of 1 to 64 of a-z, 0-9, . _ -; it is sealed. Where the message was passed
    /// on and its author has withdrawn it, `cause` is the author's signed recall; else it is empty.
    /// Spec: RCL-4 to RCL-6, RCL-18.
    ///
    /// # Errors
    /// [`RecallError::Reason`].
    pub fn recall(
        self,
        message: MessageId,
        envelope: EnvelopeId,
        reason: &str,
        cause: Bytes,
    ) -> Result<Self, RecallError> {
        let notice = recall_notice(reason, cause)?;
        Ok(self
            .kind(Kind::Recall)
            .lane(Lane::Control)
            .life(RECALL_LIFE)
            .conversation(message.0, 0)
            .in_reply_to(envelope)
            .content(RECALL_CONTENT_TYPE, notice))
    }
}
