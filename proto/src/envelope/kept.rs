//! An envelope as its sender keeps it until it is submitted: whole, with every wrap and its body.

use super::{Carried, EnvelopeError, SignedEnvelope, parse_carried};
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
        let carried = parse_carried(kept)?;
        let (recipients, wraps) = (carried.recipients(), carried.wraps());
        if wraps.len() != recipients.len() {
            return Err(EnvelopeError::WrapCount);
        }
        let is_forward = matches!(carried, Carried::Forward(_));
        let signed = match is_forward {
            true => &kept.forward,
            false => &kept.signed,
        };
        let wraps = wraps.iter().map(|(place, wrap)| (*place, wrap.clone()));
        Ok(Self {
            signed: signed.clone(),
            wraps: wraps.collect(),
            body: kept.body.clone(),
            members: recipients.iter().map(|one| one.member.clone()).collect(),
            id: carried.id(),
            is_forward,
            salt: None,
        })
    }
}
