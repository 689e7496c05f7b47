//! The journal: the only truth a node keeps. Append-only segment files, one block per commit.
//!
//! A *block* is what one commit wrote: a header with a sequence number and a CRC, then records.
//! Acknowledged means: the block was written, the disk said it is durable, and the *marker* file
//! says so. Everything else a node knows is derived from here and can be derived again.
//!
//! What is promised, and how:
//! - An acknowledged record is replayed and read as it was written, or the journal says
//!   [`JournalError::Damaged`]. Never other bytes, never silently less: every record has a CRC
//!   bound to its position, blocks are numbered and chained, the marker knows the last number.
//! - After a power cut the journal opens by itself: what was cut short was never acknowledged.
//! - What is to be forgotten is overwritten in place, by bytes of the same length that leave every
//!   other CRC as it was: blocks, their chain and the marker stay.
//! - After a write or sync that failed nothing more is acknowledged until the process has opened
//!   the journal anew, because nobody knows what such a disk holds.
//!
//! Spec: chapter JRN.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

use frex_proto::error::WireCode;

use crate::disk::{Disk, DiskFile};

mod append;
mod block;
mod erase;
mod extent;
mod marker;
mod read;
mod recover;
mod scan;
mod segment;
mod walk;

#[cfg(test)]
mod tests;

pub use erase::{FREE_BYTES, Stub, finish_erasing};
pub use extent::{Extent, acknowledged};
pub use marker::FILE as MARKER_FILE;
pub use read::JournalReader;
pub use recover::{Summary, read_through, verify};
pub use segment::{name as segment_name, path as segment_path};
pub use walk::Walked;

/// Largest record, bytes.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest block: all records of one append with their headers, bytes.
pub const BLOCK_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Largest segment that may be configured, bytes: offsets stay below 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Where something is in the journal: a record, or the end of a block. Grows with every append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// The position kept as a number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The position as a number to keep.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Number of the segment file, from 1.
    #[must_use]
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Byte offset in the segment file.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    const fn new(segment: u32, offset: u64) -> Self {
        Self((segment as u64) << 32 | offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment(), self.offset())
    }
}

/// What a record is. The number's meaning belongs to whoever appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordKind(pub u8);

/// One record read again at start.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// Where the record is; [`JournalReader::read`] finds it there.
    pub position: Position,
    /// What it is.
    pub kind: RecordKind,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where the block that holds it ends: what to give as `from` once the whole block is applied.
    pub block_end: Position,
}

/// How a journal is laid out.
#[derive(Debug, Clone, Copy)]
pub struct JournalConfig {
    /// A segment takes no further block beyond this size.
    pub segment_bytes: u64,
    /// Files are filled with zeros this far ahead, so that a small commit changes no file length.
    pub fill_ahead_bytes: u64,
    /// Drawn at random when a journal is made, then kept in its files. It is mixed into every
    /// CRC, so that nothing a peer sends can pass for a block. Ignored by a journal that exists.
    pub salt: u32,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            fill_ahead_bytes: 4 * 1024 * 1024,
            salt: 0,
        }
    }
}

/// The one writer of a journal.
pub struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    config: JournalConfig,
    seal: block::Seal,
    /// The active segment: its number, its file, where its last block ends, how far zeros reach.
    segment: u32,
    file: Arc<dyn DiskFile>,
    offset: u64,
    filled_to: u64,
    /// Number and CRC of the last block.
    seq: u64,
    block_crc: u32,
    marker: marker::Marker,
    /// The block being assembled, kept for its capacity.
    buffer: Vec<u8>,
    poisoned: bool,
    reader: JournalReader,
}

impl Journal {
    /// End of the last block.
    #[must_use]
    pub const fn end(&self) -> Position {
        Position::new(self.segment, self.offset)
    }

    /// A reader, to be cloned and shared freely.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        self.reader.clone()
    }

    /// Whether an earlier failure stopped this journal for good.
    #[must_use]
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("end", &self.end())
            .field("seq", &self.seq)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

/// Why the journal cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk failed. A writer is poisoned from here on.
    #[error("journal disk failed: {0}")]
    Io(#[from] io::Error),
    /// No space, and certainly nothing of the append is on disk. It may be tried again.
    #[error("no space left for the journal")]
    Full,
    /// An earlier write or sync failed: nothing is acknowledged until the journal is opened anew.
    #[error("journal stopped after a failed write")]
    Poisoned,
    /// Acknowledged bytes do not read back.
    #[error("journal damaged in segment {segment} at offset {offset}")]
    Damaged {
        /// Number of the segment file.
        segment: u32,
        /// Byte offset in it.
        offset: u64,
    },
    /// A record or block over its limit. The caller is at fault; nothing was written.
    #[error("record or block larger than the journal allows")]
    TooLarge,
    /// The position to replay from is not the end of a block: the index belongs elsewhere.
    #[error("position is not the end of a block")]
    BadPosition,
    /// Whoever takes the replayed records refused one.
    #[error("replay refused: {0}")]
    Replay(Box<dyn std::error::Error + Send + Sync>),
}

impl From<JournalError> for WireCode {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full => Self::DiskFull,
            JournalError::Damaged { .. } => Self::JournalDamaged,
            JournalError::TooLarge => Self::TooLarge,
            JournalError::Io(_)
            | JournalError::Poisoned
            | JournalError::BadPosition
            | JournalError::Replay(_) => Self::StorageFailed,
        }
    }
}

const fn damaged(segment: u32, offset: u64) -> JournalError {
    JournalError::Damaged { segment, offset }
}

/// Whether the disk only lacks space, which can come back.
fn lacks_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
