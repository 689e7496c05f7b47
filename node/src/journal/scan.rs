//! Walking the journal block by block, and judging where and why it ends. Spec: JRN-7.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

use super::{
    JournalError,
    block::{self, Header, Seal},
    damaged, marker,
    marker::Mark,
    segment::{self, FIRST_OFFSET, SegmentHeader},
};
use crate::disk::{Disk, DiskFile};

const WINDOW_BYTES: u64 = 1024 * 1024;

/// All segments with their headers checked, and the marker. No block has been looked at.
pub(super) struct Chain {
    pub(super) segments: Vec<Segment>,
    pub(super) mark: Option<Mark>,
}

pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) length: u64,
}

/// One good block of a walk.
pub(super) struct Visit<'a> {
    pub(super) segment: u32,
    pub(super) offset: u64,
    pub(super) block: &'a [u8],
}

/// Where a walk ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub(super) segment: u32,
    /// End of the last good block.
    pub(super) offset: u64,
    pub(super) seq: u64,
    pub(super) block_crc: u32,
    /// Offset of the last good block if it is in this segment.
    pub(super) last_block: Option<u64>,
    /// Whether bytes of a block that was never acknowledged follow.
    pub(super) torn: bool,
}

impl Chain {
    /// Opens what is there. `None` if no segment is there and none should be.
    pub(super) fn open(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, JournalError> {
        let mark = marker::read(disk, dir)?;
        let mut segments: Vec<Segment> = Vec::new();
        for (index, number) in segment::list(disk, dir)?.into_iter().enumerate() {
            // Numbers run from 1 without a gap.
            let due = u32::try_from(index + 1).unwrap_or(u32::MAX);
            if number != due {
                return Err(damaged(due, 0));
            }
            let segment = open_segment(disk, dir, number)?;
            if let Some(before) = segments.last() {
                let follows = segment.header.salt == before.header.salt
                    && segment.header.first_seq >= before.header.first_seq;
                if !follows {
                    return Err(damaged(number, 0));
                }
            }
            segments.push(segment);
        }
        let Some(first) = segments.first() else {
            return match mark {
                Some(mark) if mark.seq > 0 => Err(damaged(1, 0)),
                _ => Ok(None),
            };
        };
        if first.header.first_seq != 1 {
            return Err(damaged(1, 0));
        }
        let salt = first.header.salt;
        // A marker of another journal says nothing about this one.
        let mark = mark.filter(|mark| mark.salt == salt);
        Ok(Some(Self { segments, mark }))
    }

    pub(super) fn seal(&self) -> Seal {
        Seal::new(self.segments[0].header.salt)
    }

    /// Visits every block from the start of segment `first` on, then judges the end.
    pub(super) fn walk(
        &self,
        first: u32,
        visit: &mut dyn FnMut(&Visit) -> Result<(), JournalError>,
    ) -> Result<Tail, JournalError> {
        let index = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        let walked = self.segments.get(index..).unwrap_or_default();
        let mut tail = None;
        for (index, segment) in walked.iter().enumerate() {
            let stop = self.walk_segment(segment, visit)?;
            if let Some(next) = walked.get(index + 1) {
                // The next segment knows which block it follows: nothing may be missing between.
                let whole =
                    next.header.first_seq == stop.seq + 1 && next.header.previous == stop.block_crc;
                if !whole {
                    return Err(damaged(stop.segment, stop.offset));
                }
            } else {
                tail = Some(self.judge_end(segment, stop)?);
            }
        }
        tail.ok_or_else(|| damaged(first, 0))
    }

    fn walk_segment(
        &self,
        segment: &Segment,
        visit: &mut dyn FnMut(&Visit) -> Result<(), JournalError>,
    ) -> Result<Tail, JournalError> {
        let seal = self.seal();
        let mut window = Window::new(segment);
        let mut tail = Tail {
            segment: segment.header.number,
            offset: FIRST_OFFSET,
            seq: segment.header.first_seq - 1,
            block_crc: segment.header.previous,
            last_block: None,
            torn: false,
        };
        while let Some((header, block)) = window.block_at(seal, tail.offset)? {
            if header.seq != tail.seq + 1 || header.previous != tail.block_crc {
                break;
            }
            visit(&Visit {
                segment: tail.segment,
                offset: tail.offset,
                block,
            })?;
            tail.last_block = Some(tail.offset);
            tail.offset += block.len() as u64;
            tail.seq = header.seq;
            tail.block_crc = header.crc;
            self.compare_with_mark(&tail)?;
        }
        Ok(tail)
    }

    /// The block that the marker names must be the block that was acknowledged.
    fn compare_with_mark(&self, tail: &Tail) -> Result<(), JournalError> {
        match self.mark {
            Some(mark) if mark.seq == tail.seq && mark.block_crc != tail.block_crc => {
                Err(damaged(tail.segment, tail.offset))
            }
            _ => Ok(()),
        }
    }

    /// The walk stopped in the last segment: because nothing follows, because what follows was
    /// never acknowledged, or because acknowledged bytes are lost?
    fn judge_end(&self, segment: &Segment, mut tail: Tail) -> Result<Tail, JournalError> {
        let lost = damaged(tail.segment, tail.offset);
        if self.mark.is_some_and(|mark| mark.seq > tail.seq) {
            return Err(lost);
        }
        match rest(&mut Window::new(segment), self.seal(), &tail)? {
            Rest::Zeros => Ok(tail),
            Rest::LaterBlock => Err(lost),
            // A journal always has a marker. Without it nobody can say that this was not
            // acknowledged, so it is not thrown away.
            Rest::Bytes if self.mark.is_none() => Err(lost),
            Rest::Bytes => {
                tail.torn = true;
                Ok(tail)
            }
        }
    }
}

fn open_segment(disk: &dyn Disk, dir: &Path, number: u32) -> Result<Segment, JournalError> {
    let file = disk.open(&segment::path(dir, number), false)?;
    let length = file.len()?;
    let mut bytes = [0; segment::HEADER_BYTES];
    match file.read_at(&mut bytes, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(damaged(number, 0)),
        other => other?,
    }
    match SegmentHeader::parse(&bytes) {
        Some(header) if header.number == number && header.first_seq > 0 => Ok(Segment {
            header,
            file,
            length,
        }),
        _ => Err(damaged(number, 0)),
    }
}

enum Rest {
    Zeros,
    Bytes,
    LaterBlock,
}

/// What is between the last good block and the end of the file.
fn rest(window: &mut Window, seal: Seal, tail: &Tail) -> io::Result<Rest> {
    let mut zeros = true;
    let mut offset = tail.offset;
    while offset < window.length {
        let size = usize::try_from((window.length - offset).min(8)).unwrap_or(8);
        let Some(bytes) = window.view(offset, size)? else {
            break;
        };
        if bytes.iter().any(|byte| *byte != 0) {
            zeros = false;
            if let Some((header, _)) = window.block_at(seal, offset)?
                && header.seq > tail.seq
            {
                return Ok(Rest::LaterBlock);
            }
        }
        offset += 8;
    }
    Ok(if zeros { Rest::Zeros } else { Rest::Bytes })
}

/// Part of a segment in memory.
struct Window<'a> {
    file: &'a dyn DiskFile,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(segment: &'a Segment) -> Self {
        Self {
            file: &*segment.file,
            length: segment.length,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// `size` bytes from `offset`; `None` if the file ends before.
    fn view(&mut self, offset: u64, size: usize) -> io::Result<Option<&[u8]>> {
        let end = offset + size as u64;
        if end > self.length {
            return Ok(None);
        }
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let wanted = (size as u64).max(WINDOW_BYTES).min(self.length - offset);
            let wanted = usize::try_from(wanted).map_err(|_| ErrorKind::OutOfMemory)?;
            self.bytes.clear();
            self.bytes.resize(wanted, 0);
            self.start = offset;
            self.file.read_at(&mut self.bytes, offset)?;
        }
        let from = usize::try_from(offset - self.start).map_err(|_| ErrorKind::OutOfMemory)?;
        Ok(Some(&self.bytes[from..from + size]))
    }

    /// The block at `offset` if a whole one is there.
    fn block_at(&mut self, seal: Seal, offset: u64) -> io::Result<Option<(Header, &[u8])>> {
        let Some(start) = self.view(offset, block::HEADER_BYTES)? else {
            return Ok(None);
        };
        let Some(header) = start.first_chunk().and_then(|bytes| seal.parse(bytes)) else {
            return Ok(None);
        };
        let Some(block) = self.view(offset, header.length)? else {
            return Ok(None);
        };
        Ok((seal.block_crc(block) == header.crc).then_some((header, block)))
    }
}
