//! A log that cannot go on begins anew: what is kept for that in a node's directory. Spec: chapter BAK.
//!
//! ```text
//! <dir>/log.seen    the newest checkpoint of the node's own log that others have and it has not
//! <dir>/log.next    that the operator wants the log to begin anew, and after what
//! <dir>/log.base    the head with which the directory was restored, until every node has shown no more
//! <dir>/log.asked   the same from then on, until another log begins: a member's program may show more later
//! ```

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use bytes::Bytes;
use frex_proto::limits;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Disk};

/// The file that holds what others have seen.
pub const SEEN_FILE: &str = "log.seen";
/// The file that holds the operator's word.
pub const NEXT_FILE: &str = "log.next";

/// The file that holds the head of what was restored.
pub const BASE_FILE: &str = "log.base";
/// The file that holds it once every node has been asked.
pub const ASKED_FILE: &str = "log.asked";

/// That the log is to begin anew, once the roster lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// Epoch of the log that begins.
    pub epoch: u32,
    /// When the log before ended, as the card for the governance says.
    pub ended_ms: u64,
    /// Entries of it that are here.
    pub kept: u64,
    /// The newest checkpoint of it that others have seen, or empty.
    pub seen: String,
}

impl Next {
    /// What the operator wants; none if nothing of the kind.
    ///
    /// # Errors
    /// Whatever the disk says; `InvalidData` for a file that does not read.
    pub fn read(disk: &dyn Disk, data: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = read(disk, &data.join(NEXT_FILE))? else {
            return Ok(None);
        };
        let next = serde_json::from_slice(&bytes);
        next.map(Some).map_err(|_| ErrorKind::InvalidData.into())
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write(&self, disk: &dyn Disk, data: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|_| ErrorKind::InvalidData)?;
        disk::replace(disk, &data.join(NEXT_FILE), &text)
    }
}

/// The newest checkpoint of the own log that others have shown and that is not here; none if
/// nobody has.
///
/// # Errors
/// Whatever the disk says.
pub fn seen(disk: &dyn Disk, data: &Path) -> io::Result<Option<Bytes>> {
    Ok(read(disk, &data.join(SEEN_FILE))?.map(Bytes::from))
}

/// Keeps what others have shown, durably.
///
/// # Errors
/// Whatever the disk says.
pub fn keep_seen(disk: &dyn Disk, data: &Path, checkpoint: &[u8]) -> io::Result<()> {
    disk::replace(disk, &data.join(SEEN_FILE), checkpoint)
}

/// As [`keep_seen`], where the node stops in any case.
pub fn note_seen(disk: &dyn Disk, data: &Path, checkpoint: &[u8]) {
    if let Err(error) = keep_seen(disk, data, checkpoint) {
        tracing::error!(%error, "what others have seen of the own log cannot be kept");
    }
}

/// The head with which this directory was restored: what it has signed since may be a second history. None if
/// it was not, or if every node has been asked.
///
/// # Errors
/// Whatever the disk says.
pub fn base(disk: &dyn Disk, data: &Path) -> io::Result<Option<Bytes>> {
    Ok(read(disk, &data.join(BASE_FILE))?.map(Bytes::from))
}

/// Keeps the head with which a directory is restored, durably.
///
/// # Errors
/// Whatever the disk says.
pub fn keep_base(disk: &dyn Disk, data: &Path, checkpoint: &[u8]) -> io::Result<()> {
    disk::replace(disk, &data.join(BASE_FILE), checkpoint)
}

/// Every node has been asked: none need be again. What members have seen is not known by that.
///
/// # Errors
/// Whatever the disk says.
pub fn asked(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    disk.rename(&data.join(BASE_FILE), &data.join(ASKED_FILE))?;
    disk.sync_dir(data)
}

/// The head with which this directory was restored, whoever has been asked since. None if it was not, or if
/// another log has begun.
///
/// # Errors
/// Whatever the disk says.
pub fn restored_at(disk: &dyn Disk, data: &Path) -> io::Result<Option<Bytes>> {
    match base(disk, data)? {
        None => Ok(read(disk, &data.join(ASKED_FILE))?.map(Bytes::from)),
        base => Ok(base),
    }
}

/// Another log begins: nothing that was signed since is of it.
///
/// # Errors
/// Whatever the disk says.
pub fn forget_base(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    for name in [BASE_FILE, ASKED_FILE] {
        remove(disk, data, name)?;
    }
    Ok(())
}

/// The log goes on, begun anew or not: nothing of this is of use any more.
///
/// # Errors
/// Whatever the disk says.
pub fn forget(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    for name in [SEEN_FILE, NEXT_FILE] {
        remove(disk, data, name)?;
    }
    Ok(())
}

fn remove(disk: &dyn Disk, data: &Path, name: &str) -> io::Result<()> {
    match disk.remove(&data.join(name)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => {
            removed?;
            disk.sync_dir(data)
        }
    }
}

fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match disk::read_all(disk, path, 2 * limits::CHECKPOINT_BYTES_MAX as u64) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    // BAK-22: with which head a directory was restored is known until another log begins, whoever has been asked.
    #[test]
    fn what_was_restored_is_known_until_another_log_begins() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let known = || {
            let base = base(&RealDisk, data).unwrap().is_some();
            (base, restored_at(&RealDisk, data).unwrap())
        };
        assert_eq!(known(), (false, None));
        keep_base(&RealDisk, data, b"head").unwrap();
        assert_eq!(known(), (true, Some(Bytes::from("head"))));
        asked(&RealDisk, data).unwrap();
        assert_eq!(known(), (false, Some(Bytes::from("head"))));
        forget_base(&RealDisk, data).unwrap();
        assert_eq!(known(), (false, None));
    }
}
