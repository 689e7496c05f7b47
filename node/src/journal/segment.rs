//! Segment files: names, headers, making one. Spec: JRN-1.
//!
//! Header, 32 bytes: "FREXSEG1", number u32, salt u32, seq of the first block u64, CRC of the
//! block before it u32, CRC of these 28 bytes u32. A segment gets its name only when its header
//! is durable, so a named segment without a good header is damage, never a half-made one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::block::{u32_at, u64_at};
use crate::disk::{Disk, DiskFile};

pub(super) const HEADER_BYTES: usize = 32;
/// [`HEADER_BYTES`] as an offset.
pub(super) const FIRST_OFFSET: u64 = 32;
const MAGIC: &[u8; 8] = b"FREXSEG1";
const SUFFIX: &str = ".seg";
const UNFINISHED_SUFFIX: &str = ".seg.new";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u32,
    pub(super) salt: u32,
    pub(super) first_seq: u64,
    pub(super) previous: u32,
}

impl SegmentHeader {
    fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.previous.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let good = &bytes[..8] == MAGIC && crc32c::crc32c(&bytes[..28]) == u32_at(bytes, 28);
        good.then(|| Self {
            number: u32_at(bytes, 8),
            salt: u32_at(bytes, 12),
            first_seq: u64_at(bytes, 16),
            previous: u32_at(bytes, 24),
        })
    }
}

/// Name of a segment's file.
#[must_use]
pub fn name(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

/// Path of a segment.
#[must_use]
pub fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(name(number))
}

/// Numbers of the segments in `dir`, ascending.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for name in disk.list(dir)? {
        if let Some(number) = name.strip_suffix(SUFFIX).and_then(|n| n.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes what a roll that was cut short left behind.
pub(super) fn remove_unfinished(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for name in disk.list(dir)? {
        if name.ends_with(UNFINISHED_SUFFIX) {
            disk.remove(&dir.join(name))?;
        }
    }
    Ok(())
}

/// Makes a segment that holds no block yet; durable when this returns.
pub(super) fn create(
    disk: &dyn Disk,
    dir: &Path,
    header: SegmentHeader,
) -> io::Result<Arc<dyn DiskFile>> {
    let path = path(dir, header.number);
    let unfinished = dir.join(format!("{:010}{UNFINISHED_SUFFIX}", header.number));
    let file = disk.open(&unfinished, true)?;
    file.set_len(0)?;
    file.write_at(&header.encode(), 0)?;
    file.sync_data()?;
    disk.rename(&unfinished, &path)?;
    disk.sync_dir(dir)?;
    disk.open(&path, false)
}
