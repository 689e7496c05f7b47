//! A member's word that by a head of its node's log no answer had come to it. Spec: EVD-9.

use bytes::Bytes;
use prost::Message as _;

use super::EvidenceError;
use crate::{
    id::{EnvelopeId, check_name},
    keys::{SigningError, SigningKey},
    label,
    limits::{CHECKPOINT_BYTES_MAX, RECIPIENTS_MAX, SILENCE_BYTES_MAX},
    sign, v1,
};

/// What a member says, of the right shape.
pub(super) struct Said {
    pub(super) federation: String,
    pub(super) member: String,
    pub(super) envelope: EnvelopeId,
    pub(super) silent: Vec<String>,
    pub(super) checkpoint: Bytes,
    pub(super) time_ms: u64,
}

/// Signs a member's word that by `checkpoint`, a head of the log of its home node, nobody of
/// `statement.silent` had answered. Whoever signs it has looked through everything that came by then.
///
/// # Errors
/// [`SigningError`].
pub fn state_silence(
    statement: &v1::SilenceStatement,
    key: &SigningKey,
) -> Result<Bytes, SigningError> {
    let payload = statement.encode_to_vec().into();
    let signed = sign::sign(label::TYPE_SILENCE, payload, &[key])?;
    Ok(signed.encode_to_vec().into())
}

/// Reads a statement; its signature is not judged.
pub(super) fn read(signed: &[u8]) -> Result<(v1::Signed, Said), EvidenceError> {
    let malformed = EvidenceError::Silence;
    if signed.len() > SILENCE_BYTES_MAX {
        return Err(malformed);
    }
    let signed = v1::Signed::decode(signed).map_err(|_| malformed)?;
    if signed.payload_type != label::TYPE_SILENCE || signed.batch.is_some() {
        return Err(malformed);
    }
    let said = v1::SilenceStatement::decode(signed.payload.clone()).map_err(|_| malformed)?;
    let once = |(place, member): (usize, &String)| {
        check_name(member).is_ok() && !said.silent[..place].contains(member)
    };
    let fits = check_name(&said.member).is_ok()
        && (1..=RECIPIENTS_MAX).contains(&said.silent.len())
        && said.silent.iter().enumerate().all(once)
        && said.checkpoint.len() <= CHECKPOINT_BYTES_MAX;
    if !fits {
        return Err(malformed);
    }
    let said = Said {
        envelope: EnvelopeId::from_slice(&said.envelope_id).map_err(|_| malformed)?,
        federation: said.federation,
        member: said.member,
        silent: said.silent,
        checkpoint: said.checkpoint,
        time_ms: said.time_ms,
    };
    Ok((signed, said))
}
