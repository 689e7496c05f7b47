//! An envelope as its sender keeps it until it is submitted: whole, with every wrap and its body.

use super::{EnvelopeError, SignedEnvelope, parse};
use crate::v1;

impl SignedEnvelope {
    /// The envelope with every wrap and its body inside, however long it is.
    #[must_use]
    pub fn to_kept(&self) -> v1::Envelope {
        v1::Envelope {
            body: self.body.clone(),
            ..self.to_wire(None)
        }
    }

    /// The envelope that was kept, byte for byte. Neither signature nor body is judged: it was made
    /// here.
    ///
    /// # Errors
    /// [`EnvelopeError`]: the bytes are no envelope, or not whole.
    pub fn of_kept(kept: &v1::Envelope) -> Result<Self, EnvelopeError> {
        let parsed = parse(kept)?;
        if parsed.wraps.len() != parsed.core.recipients.len() {
            return Err(EnvelopeError::WrapCount);
        }
        let recipients = parsed.core.recipients.into_iter();
        Ok(Self {
            signed: parsed.signed_bytes,
            wraps: parsed.wraps.into_iter().collect(),
            body: kept.body.clone(),
            members: recipients.map(|recipient| recipient.member).collect(),
            id: parsed.id,
        })
    }
}
