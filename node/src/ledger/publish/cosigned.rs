//! The newest head that outside witnesses have cosigned, beside the newest there is. Spec: LOG-26.

use bytes::Bytes;
use frex_proto::{
    limits,
    log::{Checkpoint, witness},
};

use super::Publisher;
use crate::{disk, ledger::LedgerError};

/// Name of the file.
pub const COSIGNED: &str = "cosigned";

impl Publisher {
    /// Publishes a head with what cosignatures it has, beside those that the file has already; a file
    /// with a larger head stays.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn publish_cosigned(&self, note: &Bytes) -> Result<(), LedgerError> {
        let head = Checkpoint::of_note(note).map_err(|_| LedgerError::Inconsistent)?;
        let path = self.folder.join(COSIGNED);
        let bytes_max = limits::CHECKPOINT_BYTES_MAX as u64;
        // A file that is not there, or not whole, is made anew.
        let kept = disk::read_all(self.disk.as_ref(), &path, bytes_max).unwrap_or_default();
        let is_newer = |kept: &Checkpoint| kept.size > head.size;
        if Checkpoint::of_note(&kept).is_ok_and(|kept| is_newer(&kept)) {
            return Ok(());
        }
        let merged = witness::merged(note, &kept);
        if merged != kept {
            self.write(COSIGNED, &merged, true)?;
        }
        Ok(())
    }
}
