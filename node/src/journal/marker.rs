//! The marker: a small file that knows the last acknowledged block. Spec: JRN-4.
//!
//! It is written after each successful sync and before the append returns, but not synced then: it
//! need not survive a power cut to serve, because an old marker only claims less. What it adds is
//! that a block cut off or damaged *after* its acknowledgement is told from one that never was.
//!
//! Two slots in separate 512-byte sectors, written in turn, so one always reads whole. A slot, 40
//! bytes: "FREXMARK", seq u64, end u64, CRC of the block u32, salt u32, 0 u32, CRC u32.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

use super::{
    Position,
    block::{u32_at, u64_at},
};
use crate::disk::{self, Disk, DiskFile};

/// The file's name.
pub const FILE: &str = "committed";
const MAGIC: &[u8; 8] = b"FREXMARK";
const SLOT_BYTES: usize = 40;
const SLOT_STRIDE: usize = 512;
const FILE_BYTES: usize = 2 * SLOT_STRIDE;

/// The last block that was acknowledged; seq 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) end: Position,
    pub(super) block_crc: u32,
    pub(super) salt: u32,
}

pub(super) struct Marker(Arc<dyn DiskFile>);

impl Marker {
    /// Makes the marker anew with this mark; durable when this returns.
    pub(super) fn replace(disk: &dyn Disk, dir: &Path, mark: Mark) -> io::Result<Self> {
        let path = dir.join(FILE);
        disk::replace(disk, &path, &mark.file())?;
        disk.open(&path, false).map(Self)
    }

    /// Overwrites the older slot. Not durable.
    pub(super) fn write(&self, mark: Mark) -> io::Result<()> {
        let slot = if mark.seq.is_multiple_of(2) {
            0
        } else {
            SLOT_STRIDE as u64
        };
        self.0.write_at(&mark.encode(), slot)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The newest mark that reads whole, or nothing if there is none: the marker is lost.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Mark>> {
    let file = match disk.open(&dir.join(FILE), false) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut slots = Vec::new();
    for slot in [0, SLOT_STRIDE as u64] {
        let mut bytes = [0; SLOT_BYTES];
        match file.read_at(&mut bytes, slot) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(error),
        }
        slots.push(Mark::parse(&bytes));
    }
    Ok(slots.into_iter().flatten().max_by_key(|mark| mark.seq))
}

impl Mark {
    /// A whole marker file that says this.
    pub(super) fn file(self) -> [u8; FILE_BYTES] {
        let mut bytes = [0; FILE_BYTES];
        bytes[..SLOT_BYTES].copy_from_slice(&self.encode());
        bytes[SLOT_STRIDE..SLOT_STRIDE + SLOT_BYTES].copy_from_slice(&self.encode());
        bytes
    }

    fn encode(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.end.to_u64().to_le_bytes());
        bytes[24..28].copy_from_slice(&self.block_crc.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; SLOT_BYTES]) -> Option<Self> {
        let good = &bytes[..8] == MAGIC && crc32c::crc32c(&bytes[..36]) == u32_at(bytes, 36);
        good.then(|| Self {
            seq: u64_at(bytes, 8),
            end: Position::from_u64(u64_at(bytes, 16)),
            block_crc: u32_at(bytes, 24),
            salt: u32_at(bytes, 28),
        })
    }
}
