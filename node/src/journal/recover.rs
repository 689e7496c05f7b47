//! Opening: replay what is there, cut off what was never acknowledged, refuse what is damaged.
//! Spec: JRN-7, JRN-8.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Journal, JournalConfig, JournalError, JournalReader, Position, Replayed, SEGMENT_BYTES_MAX,
    block::{self, Seal},
    damaged,
    erase::finish_erasing,
    marker::{Mark, Marker},
    scan::{Chain, Segment, Tail, Visit},
    segment::{self, FIRST_OFFSET, SegmentHeader},
};
use crate::disk::{Disk, create_dir_durable};

const PROGRESS_STEP_BYTES: u64 = 4 * 1024 * 1024;
const FILL_STEP_BYTES_MIN: u64 = 4096;

impl Journal {
    /// Opens the journal in `dir`, making it if there is none.
    ///
    /// Every record of the blocks that begin at `from` or later goes to `replay`, in order; with
    /// `from` absent that is every record. `progress` hears bytes done and bytes to do. What was
    /// replayed is durable when this returns, even if the process that wrote it never heard so.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if acknowledged bytes do not read back or `from` lies beyond the
    /// end; [`JournalError::BadPosition`] if `from` is not the end of a block; what `replay` says;
    /// [`JournalError::Io`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: JournalConfig,
        from: Option<Position>,
        replay: &mut dyn FnMut(Replayed) -> Result<(), JournalError>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, JournalError> {
        create_dir_durable(&*disk, dir)?;
        segment::remove_unfinished(&*disk, dir)?;
        finish_erasing(&*disk, dir)?;
        let chain = match Chain::open(&*disk, dir)? {
            Some(chain) => chain,
            None => create(&*disk, dir, config, from)?,
        };
        let tail = replay_from(&chain, from, replay, progress)?;
        let last = chain
            .segments
            .last()
            .ok_or_else(|| damaged(tail.segment, 0))?;
        let filled_to = settle(last, &tail)?;
        Self::start(
            disk,
            dir.to_path_buf(),
            config,
            chain.seal(),
            last,
            &tail,
            filled_to,
        )
    }

    fn start(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        config: JournalConfig,
        seal: Seal,
        last: &Segment,
        tail: &Tail,
        filled_to: u64,
    ) -> Result<Self, JournalError> {
        let mark = Mark {
            seq: tail.seq,
            end: Position::new(tail.segment, tail.offset),
            block_crc: tail.block_crc,
            salt: seal.salt(),
        };
        Ok(Self {
            marker: Marker::replace(&*disk, &dir, mark)?,
            reader: JournalReader::new(Arc::clone(&disk), dir.clone(), seal),
            config: JournalConfig {
                segment_bytes: config.segment_bytes.min(SEGMENT_BYTES_MAX),
                fill_ahead_bytes: config
                    .fill_ahead_bytes
                    .clamp(FILL_STEP_BYTES_MIN, SEGMENT_BYTES_MAX),
                salt: seal.salt(),
            },
            disk,
            dir,
            seal,
            segment: tail.segment,
            file: Arc::clone(&last.file),
            offset: tail.offset,
            filled_to,
            seq: tail.seq,
            block_crc: tail.block_crc,
            buffer: Vec::new(),
            poisoned: false,
        })
    }
}

/// What a complete check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Segment files.
    pub segments: u32,
    /// Whole blocks.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the blocks.
    pub bytes: u64,
    /// End of the last block.
    pub end: Position,
    /// Whether bytes of a block that was never acknowledged follow; the next open cuts them off.
    pub torn_tail: bool,
    /// Whether the marker is missing; the next open makes it anew.
    pub marker_lost: bool,
}

/// Checks every block and record of the journal in `dir` and changes nothing.
///
/// # Errors
/// [`JournalError::Damaged`] with the first place that does not read back, [`JournalError::Io`].
pub fn verify(
    disk: &dyn Disk,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, JournalError> {
    read_through(disk, dir, &mut |_| Ok(()), progress)
}

/// As [`verify`], and shows each record to `visit`, in order.
///
/// # Errors
/// As [`verify`], and what `visit` says.
pub fn read_through(
    disk: &dyn Disk,
    dir: &Path,
    visit: &mut dyn FnMut(Replayed) -> Result<(), JournalError>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, JournalError> {
    let Some(chain) = Chain::open(disk, dir)? else {
        return Err(damaged(1, 0));
    };
    let seal = chain.seal();
    let mut meter = Meter::new(&chain, 1, progress);
    let (mut blocks, mut records, mut bytes) = (0, 0, 0);
    let tail = chain.walk(1, &mut |found| {
        for record in found.records() {
            let (position, record) = record?;
            if seal.record_crc(position, record.kind.0, record.bytes) != record.crc {
                return Err(damaged(position.segment(), position.offset()));
            }
            visit(Replayed {
                position,
                kind: record.kind,
                bytes: record.bytes,
                block_end: found.end(),
            })?;
            records += 1;
        }
        blocks += 1;
        bytes += found.block.len() as u64;
        meter.add(found.block.len());
        Ok(())
    })?;
    meter.finish();
    Ok(Summary {
        segments: tail.segment,
        blocks,
        records,
        bytes,
        end: Position::new(tail.segment, tail.offset),
        torn_tail: tail.torn,
        marker_lost: chain.mark.is_none(),
    })
}

/// Makes an empty journal. The marker comes first: a journal always has one.
fn create(
    disk: &dyn Disk,
    dir: &Path,
    config: JournalConfig,
    from: Option<Position>,
) -> Result<Chain, JournalError> {
    if let Some(from) = from {
        // Something was applied from a journal that is not there any more.
        return Err(damaged(from.segment(), from.offset()));
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    disk.sync_dir(parent.unwrap_or(Path::new(".")))?;
    let header = SegmentHeader {
        number: 1,
        salt: config.salt,
        first_seq: 1,
        previous: 0,
    };
    let mark = Mark {
        seq: 0,
        end: Position::new(1, FIRST_OFFSET),
        block_crc: 0,
        salt: config.salt,
    };
    Marker::replace(disk, dir, mark)?;
    segment::create(disk, dir, header)?;
    Chain::open(disk, dir)?.ok_or_else(|| damaged(1, 0))
}

fn replay_from(
    chain: &Chain,
    from: Option<Position>,
    replay: &mut dyn FnMut(Replayed) -> Result<(), JournalError>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Tail, JournalError> {
    let from = from.unwrap_or(Position::new(1, FIRST_OFFSET));
    let mut known = from.offset() == FIRST_OFFSET;
    let mut meter = Meter::new(chain, from.segment(), progress);
    let tail = chain.walk(from.segment(), &mut |visit| {
        meter.add(visit.block.len());
        let end = visit.end();
        known |= end == from;
        if Position::new(visit.segment, visit.offset) < from {
            return Ok(());
        }
        for record in visit.records() {
            let (position, record) = record?;
            replay(Replayed {
                position,
                kind: record.kind,
                bytes: record.bytes,
                block_end: end,
            })?;
        }
        Ok(())
    })?;
    meter.finish();
    if from > Position::new(tail.segment, tail.offset) {
        return Err(damaged(from.segment(), from.offset()));
    }
    if !known {
        return Err(JournalError::BadPosition);
    }
    Ok(tail)
}

/// Cuts off a torn tail and makes the last block durable. Returns how far the file reaches.
fn settle(last: &Segment, tail: &Tail) -> Result<u64, JournalError> {
    let mut length = last.length;
    if tail.torn {
        last.file.set_len(tail.offset)?;
        length = tail.offset;
    }
    if let Some(offset) = tail.last_block {
        // The last block may be one whose sync failed or was never asked for. It reads well from
        // memory, and a kernel that once failed to write it will not try again unless it is
        // written again. Equal bytes over equal bytes: a power cut in between changes nothing.
        let size =
            usize::try_from(tail.offset - offset).map_err(|_| damaged(tail.segment, offset))?;
        let mut bytes = vec![0; size];
        last.file.read_at(&mut bytes, offset)?;
        last.file.write_at(&bytes, offset)?;
    }
    last.file.sync_data()?;
    Ok(length)
}

impl Visit<'_> {
    fn end(&self) -> Position {
        Position::new(self.segment, self.offset + self.block.len() as u64)
    }

    fn records(&self) -> impl Iterator<Item = Result<(Position, block::Record<'_>), JournalError>> {
        block::records(self.block).map(|record| {
            let record = record.map_err(|()| damaged(self.segment, self.offset))?;
            let offset = self.offset + record.offset as u64;
            Ok((Position::new(self.segment, offset), record))
        })
    }
}

/// Tells progress in steps that a person can follow.
struct Meter<'a> {
    done: u64,
    told: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Meter<'a> {
    fn new(chain: &Chain, first: u32, progress: &'a mut dyn FnMut(u64, u64)) -> Self {
        let walked = chain.segments.iter().filter(|s| s.header.number >= first);
        let total = walked.map(|segment| segment.length).sum();
        progress(0, total);
        Self {
            done: 0,
            told: 0,
            total,
            progress,
        }
    }

    fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done - self.told >= PROGRESS_STEP_BYTES {
            self.told = self.done;
            (self.progress)(self.done, self.total);
        }
    }

    fn finish(self) {
        (self.progress)(self.total, self.total);
    }
}
