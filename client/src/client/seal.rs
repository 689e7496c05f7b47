//! Sealing and signing: pure work, on whichever thread the caller likes.

use std::sync::Arc;

use frex_proto::{
    envelope::{self, Draft, SealError, SharedContexts, SignedEnvelope},
    keys::SigningKey,
};
use rand_core::CryptoRng;

use super::Client;
use crate::environment::Random;

/// Seals and signs for one member. Clones go to other threads.
#[derive(Clone)]
pub struct Sealer {
    identity: Arc<SigningKey>,
    random: Random,
}

impl Client {
    /// Seals for this member, on whichever thread the caller likes.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer {
            identity: Arc::clone(&self.0.identity),
            random: self.0.environment.random.clone(),
        }
    }

    /// Seals and signs one draft on this thread: about a tenth of a millisecond per recipient.
    ///
    /// # Errors
    /// [`SealError`] names the rule that the draft breaks, or says why the key does not sign.
    pub fn seal(&self, draft: &Draft) -> Result<SignedEnvelope, SealError> {
        self.sealer().seal(draft)
    }

    /// Seals drafts on this thread, with one signature and one public-key operation per recipient
    /// for each 64 of them.
    ///
    /// # Errors
    /// [`SealError`] names the rule that a draft breaks, or says why the key does not sign; none is
    /// then sealed.
    pub fn seal_batch(&self, drafts: &[Draft]) -> Result<Vec<SignedEnvelope>, SealError> {
        self.sealer().seal_batch(drafts)
    }
}

impl Sealer {
    /// For a member's identity key.
    #[must_use]
    pub fn new(identity: SigningKey, random: Random) -> Self {
        Self {
            identity: Arc::new(identity),
            random,
        }
    }

    /// Seals and signs one draft.
    ///
    /// # Errors
    /// [`SealError`] names the rule that the draft breaks, or says why the key does not sign.
    pub fn seal(&self, draft: &Draft) -> Result<SignedEnvelope, SealError> {
        let sealed = envelope::seal(draft, &mut self.random.rng())?;
        Ok(envelope::sign_one(sealed, &self.identity)?)
    }

    /// Seals and signs drafts together, as [`seal_batch`] does.
    ///
    /// # Errors
    /// [`SealError`] names the rule that a draft breaks, or says why the key does not sign; none is
    /// then sealed.
    pub fn seal_batch(&self, drafts: &[Draft]) -> Result<Vec<SignedEnvelope>, SealError> {
        seal_batch(drafts, &self.identity, &mut self.random.rng())
    }
}

/// Seals and signs drafts with shared HPKE contexts and one signature for each 64. The envelopes
/// can then be seen to come from one run of the sender; nothing else links them.
///
/// # Errors
/// [`SealError`] names the rule that a draft breaks, or says why the key does not sign; none is
/// then sealed.
pub fn seal_batch(
    drafts: &[Draft],
    identity: &SigningKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<SignedEnvelope>, SealError> {
    let mut contexts = SharedContexts::new();
    let sealed = drafts
        .iter()
        .map(|draft| envelope::seal_shared(draft, &mut contexts, rng))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(envelope::sign_many(sealed, identity)?)
}
