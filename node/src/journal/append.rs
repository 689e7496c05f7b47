//! Writing: room first, then one block, one sync, one mark. Spec: JRN-5.

use std::io;

use super::{
    Journal, JournalError, Position, RecordKind, block, lacks_space,
    marker::Mark,
    segment::{self, FIRST_OFFSET, SegmentHeader},
};

/// A buffer that one huge block made larger than this is not kept.
const BUFFER_KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Blocks up to this size find their place filled with zeros, which makes their sync a third
/// faster. For larger ones writing everything twice costs more than it saves.
const FILLED_BLOCK_BYTES_MAX: usize = 32 * 1024;
const ZEROS_BYTES_MAX: u64 = 1024 * 1024;

impl Journal {
    /// Makes these records durable as one block: all of them or, after a crash, none.
    ///
    /// Each record is given as parts that are written one after another. Returns where each
    /// record is. Without records nothing is written.
    ///
    /// # Errors
    /// [`JournalError::Full`] and [`JournalError::TooLarge`] leave the journal as it was. After
    /// [`JournalError::Io`] nobody knows whether the records are on disk; every later call says
    /// [`JournalError::Poisoned`].
    pub fn append(
        &mut self,
        records: &[(RecordKind, &[&[u8]])],
    ) -> Result<Vec<Position>, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let length = block::length_of(records).ok_or(JournalError::TooLarge)?;
        self.make_room(length)?;
        let (positions, block_crc) = self.assemble(records, length);
        // Poisoned until proven otherwise: every early return below leaves it so.
        self.poisoned = true;
        if let Err(error) = self.file.write_at(&self.buffer, self.offset) {
            return Err(self.take_back(error));
        }
        self.file.sync_data()?;
        self.offset += self.buffer.len() as u64;
        self.filled_to = self.filled_to.max(self.offset);
        self.seq += 1;
        self.block_crc = block_crc;
        self.marker.write(self.mark())?;
        self.poisoned = false;
        if self.buffer.capacity() > BUFFER_KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
        Ok(positions)
    }

    /// Makes the marker durable, so that damage to the newest blocks is told apart from a torn
    /// write even across a power cut. To be called now and then, off the path of commits.
    ///
    /// # Errors
    /// [`JournalError::Io`]: the journal is poisoned.
    pub fn sync_marker(&mut self) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        self.marker.sync().inspect_err(|_| self.poisoned = true)?;
        Ok(())
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark {
            seq: self.seq,
            end: self.end(),
            block_crc: self.block_crc,
            salt: self.seal.salt(),
        }
    }

    fn assemble(
        &mut self,
        records: &[(RecordKind, &[&[u8]])],
        length: usize,
    ) -> (Vec<Position>, u32) {
        let buffer = &mut self.buffer;
        self.seal
            .begin(buffer, length, self.seq + 1, self.block_crc);
        let mut positions = Vec::with_capacity(records.len());
        for (kind, parts) in records {
            let position = Position::new(self.segment, self.offset + buffer.len() as u64);
            self.seal.put_record(buffer, position, *kind, parts);
            positions.push(position);
        }
        let crc = self.seal.finish(buffer);
        (positions, crc)
    }

    /// Sees to it that the block to come has its place. Lack of space mostly shows here, while no
    /// record byte depends on it: trying again writes and syncs the same zeros anew.
    fn make_room(&mut self, length: usize) -> Result<(), JournalError> {
        let mut room = self.roll(length as u64);
        if length <= FILLED_BLOCK_BYTES_MAX {
            room = room.and_then(|()| self.fill(length as u64));
        }
        room.map_err(|error| {
            if lacks_space(&error) {
                return JournalError::Full;
            }
            self.poisoned = true;
            JournalError::Io(error)
        })
    }

    /// Begins the next segment if the block does not fit this one. A block larger than a segment
    /// gets one for itself.
    fn roll(&mut self, length: u64) -> io::Result<()> {
        if self.offset == FIRST_OFFSET || self.offset + length <= self.config.segment_bytes {
            return Ok(());
        }
        let header = SegmentHeader {
            number: self.segment + 1,
            salt: self.seal.salt(),
            first_seq: self.seq + 1,
            previous: self.block_crc,
        };
        self.file = segment::create(&*self.disk, &self.dir, header)?;
        self.segment = header.number;
        self.offset = FIRST_OFFSET;
        self.filled_to = FIRST_OFFSET;
        Ok(())
    }

    /// A block that found no space is cut off again. Once that is durable the journal is as it was
    /// before and may go on; if anything fails meanwhile it stays poisoned.
    fn take_back(&mut self, error: io::Error) -> JournalError {
        if !lacks_space(&error) {
            return JournalError::Io(error);
        }
        let cut = self.file.set_len(self.offset);
        if let Err(error) = cut.and_then(|()| self.file.sync_data()) {
            return JournalError::Io(error);
        }
        self.filled_to = self.offset;
        self.poisoned = false;
        JournalError::Full
    }

    fn fill(&mut self, length: u64) -> io::Result<()> {
        let needed = self.offset + length;
        if needed <= self.filled_to {
            return Ok(());
        }
        let ahead = needed
            .next_multiple_of(self.config.fill_ahead_bytes)
            .min(self.config.segment_bytes)
            .max(needed);
        let step = (ahead - self.filled_to).min(ZEROS_BYTES_MAX);
        let zeros = vec![0; usize::try_from(step).expect("at most one MiB")];
        let mut offset = self.filled_to;
        while offset < ahead {
            let part = usize::try_from((ahead - offset).min(step)).expect("at most one MiB");
            self.file.write_at(&zeros[..part], offset)?;
            offset += part as u64;
        }
        self.file.sync_data()?;
        self.filled_to = ahead;
        Ok(())
    }
}
