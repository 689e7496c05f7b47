//! Evidence that a log has signed two histories. Spec: WIT-10, WIT-17.

use bytes::Bytes;

use super::{CheckpointError, Fork, LogVerifier, checkpoint, witness};
use crate::{error::WireCode, limits};

/// Why two checkpoints prove nothing against a log. Spec: WIT-17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// One of them is over the limit.
    #[error("evidence against a log over the size limit")]
    TooLarge,
    /// There are not exactly two.
    #[error("evidence against a log is not two checkpoints")]
    Shape,
    /// One of them is none that the log signed by a key that was good.
    #[error("evidence against a log that it has not signed: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// They are of different sizes: one may extend the other.
    #[error("the checkpoints are of different sizes")]
    Sizes,
    /// They say the same.
    #[error("the checkpoints have the same root")]
    SameRoot,
}

impl From<ForkError> for WireCode {
    fn from(error: ForkError) -> Self {
        match error {
            ForkError::TooLarge => Self::TooLarge,
            ForkError::Shape => Self::Malformed,
            ForkError::Checkpoint(_) => Self::BadSignature,
            ForkError::Sizes | ForkError::SameRoot => Self::BadProof,
        }
    }
}

impl Fork {
    /// Judges what is said to prove that a log has signed two histories. A key that has ended at
    /// `at_ms` proves nothing: whoever stole it may have signed. Spec: WIT-17.
    ///
    /// # Errors
    /// [`ForkError`] by the first thing that does not hold.
    pub fn verify(checkpoints: &[Bytes], log: &LogVerifier, at_ms: u64) -> Result<Self, ForkError> {
        let [first, second] = checkpoints else {
            return Err(ForkError::Shape);
        };
        let too_large = |note: &Bytes| note.len() > limits::SEEN_CHECKPOINT_BYTES_MAX;
        if checkpoints.iter().any(too_large) {
            return Err(ForkError::TooLarge);
        }
        let one = checkpoint::parse_and_verify(first, log, at_ms)?;
        let other = checkpoint::parse_and_verify(second, log, at_ms)?;
        if one.size != other.size {
            return Err(ForkError::Sizes);
        }
        if one.root == other.root {
            return Err(ForkError::SameRoot);
        }
        Ok(Self {
            size: one.size,
            roots: [one.root, other.root],
            checkpoints: [witness::bare(first, log)?, witness::bare(second, log)?],
            origin: one.origin,
        })
    }
}
