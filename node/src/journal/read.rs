//! Reading a record again, by its position. Spec: JRN-6.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use super::{
    JournalError, Position, RECORD_BYTES_MAX, RecordKind,
    block::{self, RECORD_HEADER_BYTES, Seal},
    damaged, segment,
};
use crate::disk::{Disk, DiskFile};

/// Segments that a reader keeps open; a long history must not use up the file descriptors.
const OPEN_SEGMENTS_MAX: usize = 64;

/// Reads records by position, beside the writer and from any thread.
#[derive(Clone)]
pub struct JournalReader(Arc<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    seal: Seal,
    open: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
    /// Nobody reads what is just being overwritten.
    bytes: RwLock<()>,
}

impl JournalReader {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, seal: Seal) -> Self {
        Self(Arc::new(Inner {
            disk,
            dir,
            seal,
            open: Mutex::default(),
            bytes: RwLock::new(()),
        }))
    }

    pub(super) fn seal(&self) -> Seal {
        self.0.seal
    }

    /// Nothing is overwritten while this is held.
    pub(super) fn still(&self) -> RwLockReadGuard<'_, ()> {
        self.0.bytes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is read while this is held.
    pub(super) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.bytes.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record at `position`, exactly as it was appended, or what has taken its place since.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if no whole record is there, [`JournalError::Io`].
    pub fn read(&self, position: Position) -> Result<(RecordKind, Bytes), JournalError> {
        self.read_if_there(position).map_err(|error| {
            let gone = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound);
            if gone || error.kind() == ErrorKind::InvalidData {
                return damaged(position.segment(), position.offset());
            }
            JournalError::Io(error)
        })
    }

    fn read_if_there(&self, position: Position) -> io::Result<(RecordKind, Bytes)> {
        let _still = self.still();
        let file = self.file(position.segment())?;
        let mut header = [0; RECORD_HEADER_BYTES];
        file.read_at(&mut header, position.offset())?;
        let (length, crc, kind) = block::record_header(&header);
        if length > RECORD_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; length];
        file.read_at(&mut bytes, position.offset() + RECORD_HEADER_BYTES as u64)?;
        if self.0.seal.record_crc(position, kind.0, &bytes) != crc {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok((kind, Bytes::from(bytes)))
    }

    pub(super) fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        // Nothing panics while the lock is held, and a map of open files is never half-changed.
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self
            .0
            .disk
            .open(&segment::path(&self.0.dir, number), false)?;
        if open.len() >= OPEN_SEGMENTS_MAX {
            // The oldest segment is the one least likely to be asked for again.
            open.pop_first();
        }
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

impl fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalReader").finish_non_exhaustive()
    }
}
