//! Whether a head may follow the one that was taken before. Spec: AUD-3.

use super::{Checkpoint, Hash, proven_roots};
use crate::error::WireCode;

/// Why a head contradicts the one before, or does not show that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Another log's.
    #[error("the head is of another log")]
    OtherLog,
    /// Less than before.
    #[error("the log shows fewer entries than it has signed before")]
    Shrunk,
    /// Two histories of one size.
    #[error("the log has signed two roots for one size")]
    Forked,
    /// What was published beside the head does not lead to its root.
    #[error("the hash tiles do not make the root that was signed")]
    Hashes,
    /// The new head leaves out or changes what the one before held.
    #[error("the new head does not begin with the entries that the log signed before")]
    Rewritten,
}

impl From<FollowError> for WireCode {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::OtherLog => Self::BadInput,
            FollowError::Shrunk => Self::LogShrunk,
            FollowError::Forked => Self::Forked,
            FollowError::Hashes => Self::BadProof,
            FollowError::Rewritten => Self::LogRewritten,
        }
    }
}

impl Checkpoint {
    /// Whether a head that is believed may follow `before`. `hashes` are those of [`proven_roots`], and
    /// none where no size is proved from: the same make both roots, so that nobody but the log itself
    /// is accused by them. Spec: AUD-3.
    ///
    /// # Errors
    /// [`FollowError`], the first that holds.
    pub fn follows(&self, before: &Self, hashes: &[Hash]) -> Result<(), FollowError> {
        if self.origin != before.origin {
            return Err(FollowError::OtherLog);
        }
        if self.size < before.size {
            return Err(FollowError::Shrunk);
        }
        if self.size == before.size {
            let same = self.root == before.root;
            return same.then_some(()).ok_or(FollowError::Forked);
        }
        if before.size == 0 {
            return Ok(());
        }
        let roots = proven_roots(before.size, self.size, hashes);
        let (then, now) = roots.map_err(|_| FollowError::Hashes)?;
        if now != self.root {
            return Err(FollowError::Hashes);
        }
        (then == before.root)
            .then_some(())
            .ok_or(FollowError::Rewritten)
    }
}
