//! Judging a signed object.

use super::{BatchCache, SignError, Verified, batch, pae};
use crate::{
    id::KeyId,
    keys::{CompanionKind, Half, VerifyingKey},
    label,
    limits::SIGNATURES_MAX,
    v1,
};

/// Verifies that `signed` is an `expected_type` signed by at least `threshold` of `candidates`.
///
/// The algorithms and the keys come from `candidates`, never from the message: a key id is only
/// looked up. Signatures by other keys are passed over, a second one under the same key id is not
/// counted, and one that does not hold under a candidate's id refuses the whole; so does a
/// candidate with a companion of which one has signed and the other has not. Spec: SIG-8, SIG-9,
/// SIG-21.
///
/// # Errors
/// [`SignError`] names the first rule that is broken.
pub fn verify(
    signed: &v1::Signed,
    expected_type: &str,
    candidates: &[VerifyingKey],
    threshold: usize,
) -> Result<Verified, SignError> {
    verify_cached(
        &mut BatchCache::new(),
        signed,
        expected_type,
        candidates,
        threshold,
    )
}

/// [`verify()`], which asks `cache` before it verifies a batch's signature again.
///
/// # Errors
/// The same as [`verify()`].
pub fn verify_cached(
    cache: &mut BatchCache,
    signed: &v1::Signed,
    expected_type: &str,
    candidates: &[VerifyingKey],
    threshold: usize,
) -> Result<Verified, SignError> {
    if signed.payload_type != expected_type {
        return Err(SignError::PayloadType);
    }
    if signed.signatures.len() > SIGNATURES_MAX {
        return Err(SignError::TooMany);
    }
    let message = match &signed.batch {
        Some(path) => batch::message_of(expected_type, &signed.payload, path)?,
        None => pae(expected_type, &signed.payload),
    };
    let cache = signed.batch.is_some().then_some(cache);
    let key_ids = signers(cache, &message, &signed.signatures, candidates)?;
    match key_ids.len() {
        0 => Err(SignError::UnknownKey),
        count if count < threshold => Err(SignError::TooFew),
        _ => Ok(Verified {
            payload: signed.payload.clone(),
            key_ids,
        }),
    }
}

/// Which of `candidates` have signed `message`, each once, in the order of their signatures.
///
/// # Errors
/// [`SignError::BadSignature`], [`SignError::HalfSigned`].
pub(crate) fn signers(
    mut cache: Option<&mut BatchCache>,
    message: &[u8],
    signatures: &[v1::Signature],
    candidates: &[VerifyingKey],
) -> Result<Vec<KeyId>, SignError> {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for signature in signatures {
        let named = candidates
            .iter()
            .find_map(|key| Some((key, key.half_named(&signature.key_id)?)));
        if let Some((key, half)) = named {
            Claim::of(key, &mut claims).add(half, &signature.signature);
        }
    }
    for claim in &claims {
        claim.check(cache.as_deref_mut(), message)?;
    }
    Ok(claims.iter().map(|claim| claim.key.key_id()).collect())
}

/// The first signature that names a key, and the first that names its companion.
struct Claim<'a> {
    key: &'a VerifyingKey,
    ed25519: Option<&'a [u8]>,
    companion: Option<&'a [u8]>,
}

impl<'a> Claim<'a> {
    fn of<'b>(key: &'a VerifyingKey, claims: &'b mut Vec<Self>) -> &'b mut Self {
        let known = claims
            .iter()
            .position(|claim| claim.key.key_id() == key.key_id());
        let place = known.unwrap_or_else(|| {
            claims.push(Self {
                key,
                ed25519: None,
                companion: None,
            });
            claims.len() - 1
        });
        &mut claims[place]
    }

    fn add(&mut self, half: Half, signature: &'a [u8]) {
        match half {
            Half::Ed25519 => self.ed25519.get_or_insert(signature),
            Half::Companion => self.companion.get_or_insert(signature),
        };
    }

    fn check(&self, cache: Option<&mut BatchCache>, message: &[u8]) -> Result<(), SignError> {
        let first = self.ed25519.ok_or(SignError::HalfSigned)?;
        let second = self.companion;
        if self.key.companion().is_some() != second.is_some() {
            return Err(SignError::HalfSigned);
        }
        let verify = || {
            self.key
                .verify_both(message, first, second)
                .map_err(|_| SignError::BadSignature)
        };
        let Some(cache) = cache else { return verify() };
        // All lengths before the message are fixed, by whether there is a companion, so the
        // concatenation is unambiguous; and both verdicts are remembered as one.
        let second_fits =
            second.is_none_or(|bytes| bytes.len() == CompanionKind::Objects.signature_bytes());
        if first.len() != 64 || !second_fits {
            return Err(SignError::BadSignature);
        }
        let entry = label::sha256(&[
            &[u8::from(second.is_some())],
            self.key.as_bytes(),
            self.key.companion_bytes(),
            first,
            second.unwrap_or_default(),
            message,
        ]);
        if !cache.holds(&entry) {
            verify()?;
            cache.remember(entry);
        }
        Ok(())
    }
}
