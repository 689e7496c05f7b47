//! Witnessing: the request of C2SP tlog-witness, and whose cosignatures suffice. Spec: chapter WIT.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    AddCheckpoint, CheckpointError, Cosignature, NoteError, SignedNote, WitnessPolicy,
    checkpoint::{parse_decimal, parse_hash},
    cosignature,
};
use crate::{error::WireCode, limits};

/// Why bytes are no request to a witness. Spec: WIT-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// Over the limit.
    #[error("request to a witness over the size limit")]
    TooLarge,
    /// The lines are not those of such a request.
    #[error("request to a witness is malformed")]
    Shape,
    /// More hashes than any proof has.
    #[error("request to a witness has too long a proof")]
    TooLong,
}

impl From<AddCheckpointError> for WireCode {
    fn from(error: AddCheckpointError) -> Self {
        match error {
            AddCheckpointError::TooLarge | AddCheckpointError::TooLong => Self::TooLarge,
            AddCheckpointError::Shape => Self::Malformed,
        }
    }
}

impl AddCheckpoint {
    /// Reads a request: `old <size>`, the hashes of the proof, an empty line, the checkpoint as it
    /// is, which is not judged here. Spec: WIT-3.
    ///
    /// # Errors
    /// [`AddCheckpointError`] by what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointError> {
        if body.len() > limits::ADD_CHECKPOINT_BYTES_MAX {
            return Err(AddCheckpointError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| AddCheckpointError::Shape)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(AddCheckpointError::Shape)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = old
            .and_then(parse_decimal)
            .ok_or(AddCheckpointError::Shape)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == limits::PROOF_HASHES_MAX {
                return Err(AddCheckpointError::TooLong);
            }
            proof.push(parse_hash(line).ok_or(AddCheckpointError::Shape)?);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint: Bytes::copy_from_slice(checkpoint.as_bytes()),
        })
    }

    /// The request as it travels.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", STANDARD.encode(hash));
        }
        text.push('\n');
        let mut body = text.into_bytes();
        body.extend_from_slice(&self.checkpoint);
        body.into()
    }
}

impl WitnessPolicy {
    /// The cosignatures on a checkpoint that count here.
    ///
    /// # Errors
    /// [`NoteError`]; a wrong line of a known witness spoils the note. Spec: LOG-10.
    pub fn cosignatures(&self, checkpoint: &[u8]) -> Result<Vec<Cosignature>, NoteError> {
        let note = SignedNote::parse(checkpoint)?;
        cosignature::verify_cosignatures(&note, &self.witnesses)
    }

    /// Whether so many make a checkpoint final. Spec: WIT-2.
    #[must_use]
    pub fn is_met(&self, cosignatures: &[Cosignature]) -> bool {
        cosignatures.len() >= self.quorum
    }
}

/// A checkpoint with the signature lines of `name` alone: as a log signed it, whoever cosigned.
///
/// # Errors
/// [`NoteError`] if it is no note.
pub fn bare(checkpoint: &[u8], name: &str) -> Result<Bytes, NoteError> {
    let mut note = SignedNote::parse(checkpoint)?;
    note.signatures.retain(|line| line.name == name);
    Ok(Bytes::from(note.to_string()))
}

/// A checkpoint with one more signature line. Spec: WIT-5.
///
/// # Errors
/// [`CheckpointError`] if either does not parse, or the result is over the limits.
pub fn with_line(checkpoint: &[u8], line: &[u8]) -> Result<Bytes, CheckpointError> {
    let note = SignedNote::parse(checkpoint)?;
    let text = [note.to_string().as_bytes(), line].concat();
    let joined = SignedNote::parse(&text)?;
    if joined.signatures.len() != note.signatures.len() + 1 {
        return Err(NoteError::SignatureLine.into());
    }
    Ok(Bytes::from(text))
}

/// The newest signature line of a note, as it travels.
#[must_use]
pub fn last_line(checkpoint: &[u8]) -> Option<Bytes> {
    let note = SignedNote::parse(checkpoint).ok()?;
    let line = note.signatures.last()?;
    Some(Bytes::from(line.to_string()))
}
