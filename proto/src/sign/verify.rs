//! Judging a signed object.

use super::{BatchCache, SignError, Verified, batch, pae};
use crate::{keys::VerifyingKey, label, limits::SIGNATURES_MAX, v1};

/// Verifies that `signed` is an `expected_type` signed by at least `threshold` of `candidates`.
///
/// The algorithm and the key come from `candidates`, never from the message: a key id is only
/// looked up. Signatures by other keys are passed over, a second one under the same key id is not
/// counted, and one that does not hold under a candidate's id refuses the whole. Spec: SIG-8, SIG-9.
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
    let mut key_ids = Vec::new();
    for signature in &signed.signatures {
        let Some(key) = candidates
            .iter()
            .find(|key| key.key_id().as_ref() == &signature.key_id[..])
        else {
            continue;
        };
        if key_ids.contains(&key.key_id()) {
            continue;
        }
        let cache = signed.batch.is_some().then_some(&mut *cache);
        check(cache, key, &message, &signature.signature)?;
        key_ids.push(key.key_id());
    }
    match key_ids.len() {
        0 => Err(SignError::UnknownKey),
        count if count < threshold => Err(SignError::TooFew),
        _ => Ok(Verified {
            payload: signed.payload.clone(),
            key_ids,
        }),
    }
}

fn check(
    cache: Option<&mut BatchCache>,
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignError> {
    let verify = || {
        key.verify(message, signature)
            .map_err(|_| SignError::BadSignature)
    };
    let Some(cache) = cache else { return verify() };
    // Both lengths before the message are fixed, so the concatenation is unambiguous.
    if signature.len() != 64 {
        return Err(SignError::BadSignature);
    }
    let entry = label::sha256(&[key.as_bytes(), signature, message]);
    if !cache.holds(&entry) {
        verify()?;
        cache.remember(entry);
    }
    Ok(())
}
