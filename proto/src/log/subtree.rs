//! Lines of ML-DSA-44 keys, type 0x06 of C2SP tlog-cosignature: a log's own, and those of witnesses.
//! Each stands beside the line of an Ed25519 key, whose companion made it. Spec: LOG-31, LOG-32.

use super::{Checkpoint, NoteError, NoteKeyKind, NoteSignature, SignedNote, note};
use crate::keys::{CompanionKey, CompanionKind, SigningKey};

const LABEL: &[u8; 12] = b"subtree/v1\n\0";
pub(super) const TIME_BYTES: usize = 8;
/// Seconds; beyond it no cosignature has a time.
pub(super) const TIME_MAX: u64 = i64::MAX.cast_unsigned();
/// The time that a log gives: it says nothing of when.
pub(super) const NO_TIME: u64 = 0;

/// What the companion of `key` signs of a head under `name`; none if there is none for it.
///
/// # Errors
/// [`NoteError::KeyName`] for a name or an origin that the signed message has no room for.
pub(super) fn line(
    head: &Checkpoint,
    name: &str,
    key: &SigningKey,
    time_s: u64,
) -> Result<Option<NoteSignature>, NoteError> {
    let message = message(head, name, time_s).ok_or(NoteError::KeyName)?;
    let signed = key.sign_companion(CompanionKind::Heads, &message);
    Ok(signed.map(|(companion, signature)| NoteSignature {
        name: name.to_owned(),
        key_id: key_id(name, companion),
        signature: [&time_s.to_be_bytes()[..], &signature].concat(),
    }))
}

/// The time that the line of a companion states; none if it has no line here.
///
/// # Errors
/// [`NoteError::Repeated`], [`NoteError::BadSignature`].
pub(super) fn verify(
    note: &SignedNote,
    head: &Checkpoint,
    name: &str,
    companion: &CompanionKey,
) -> Result<Option<u64>, NoteError> {
    let Some(line) = note.line_of(name, key_id(name, companion))? else {
        return Ok(None);
    };
    let (time_s, signature) = split_time(line).ok_or(NoteError::BadSignature)?;
    let message = message(head, name, time_s).ok_or(NoteError::BadSignature)?;
    let verified = companion.verify(&message, signature);
    verified.map_err(|_| NoteError::BadSignature)?;
    Ok(Some(time_s))
}

/// Id of a companion as a note key of this name.
pub(super) fn key_id(name: &str, companion: &CompanionKey) -> [u8; 4] {
    note::key_id(name, NoteKeyKind::Subtree, companion.as_bytes())
}

/// The time in front of a cosignature, and what follows it; none for a time that is none.
pub(super) fn split_time(line: &NoteSignature) -> Option<(u64, &[u8])> {
    let (time, signature) = line.signature.split_first_chunk::<TIME_BYTES>()?;
    let time_s = u64::from_be_bytes(*time);
    (time_s <= TIME_MAX).then_some((time_s, signature))
}

/// `cosigned_message` of C2SP tlog-cosignature, of a whole tree.
fn message(head: &Checkpoint, name: &str, time_s: u64) -> Option<Vec<u8>> {
    let mut message = LABEL.to_vec();
    push_name(&mut message, name)?;
    message.extend_from_slice(&time_s.to_be_bytes());
    push_name(&mut message, &head.origin)?;
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&head.size.to_be_bytes());
    message.extend_from_slice(&head.root);
    Some(message)
}

/// A name of 1 to 255 bytes behind its length.
fn push_name(message: &mut Vec<u8>, name: &str) -> Option<()> {
    let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
    message.push(length);
    message.extend_from_slice(name.as_bytes());
    Some(())
}
