//! How far a journal goes that others are told of: what a copy of it must hold. Spec: BAK-2.

use std::path::Path;

use super::{JournalError, Position, damaged, marker, marker::Mark, scan::Chain};
use crate::disk::Disk;

/// The end of what was acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Extent(Mark);

impl Extent {
    /// Where the last acknowledged block ends.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.0.end
    }

    /// The marker file of a copy that ends here.
    #[must_use]
    pub fn marker(&self) -> Vec<u8> {
        self.0.file().to_vec()
    }
}

/// What the journal in `dir` has acknowledged; none before the first block. Of a journal that
/// somebody appends to (`in_use`) the marker says it, which is written before anybody is answered. One
/// that lies still may have lost the newest marker in a power cut, so its last blocks say it.
///
/// # Errors
/// [`JournalError`].
pub fn acknowledged(
    disk: &dyn Disk,
    dir: &Path,
    in_use: bool,
) -> Result<Option<Extent>, JournalError> {
    let mark = marker::read(disk, dir)?;
    if in_use {
        return Ok(mark.filter(|mark| mark.seq > 0).map(Extent));
    }
    let Some(chain) = Chain::open(disk, dir)? else {
        return Ok(None);
    };
    let first = chain.mark.map_or(1, |mark| mark.end.segment());
    let tail = chain.walk(first, &mut |_| Ok(()))?;
    if chain.mark.is_some_and(|mark| mark.seq > tail.seq) {
        return Err(damaged(tail.segment, tail.offset));
    }
    let mark = Mark {
        seq: tail.seq,
        end: Position::new(tail.segment, tail.offset),
        block_crc: tail.block_crc,
        salt: chain.seal().salt(),
    };
    Ok((mark.seq > 0).then_some(Extent(mark)))
}
