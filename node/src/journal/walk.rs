//! Reading block by block, beside the writer: for who looks through what lies far back.

use std::io::ErrorKind;

use bytes::Bytes;

use super::{
    JournalError, Position, RecordKind,
    block::{self, HEADER_BYTES},
    damaged,
    read::JournalReader,
    segment::FIRST_OFFSET,
};

/// One block, read again.
#[derive(Debug, Clone)]
pub struct Walked {
    /// Its records with their places.
    pub records: Vec<(Position, RecordKind, Bytes)>,
    /// Where it ends, and the next one begins.
    pub end: Position,
}

impl JournalReader {
    /// The first block at `from` or after it, of those before `until`; `from` is the end of a block
    /// or the default, which is the beginning.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn block_from(
        &self,
        from: Position,
        until: Position,
    ) -> Result<Option<Walked>, JournalError> {
        let mut at = match from == Position::default() {
            true => Position::new(1, FIRST_OFFSET),
            false => from,
        };
        while at < until {
            if let Some(block) = self.block_at(at)? {
                let end = Position::new(at.segment(), at.offset() + block.len() as u64);
                let records = block::records(&block).map(|record| {
                    let record = record.map_err(|()| damaged(at.segment(), at.offset()))?;
                    let place = Position::new(at.segment(), at.offset() + record.offset as u64);
                    Ok((place, record.kind, block.slice_ref(record.bytes)))
                });
                let records = records.collect::<Result<_, JournalError>>()?;
                return Ok(Some(Walked { records, end }));
            }
            if at.segment() == until.segment() {
                return Err(damaged(at.segment(), at.offset()));
            }
            at = Position::new(at.segment() + 1, FIRST_OFFSET);
        }
        Ok(None)
    }

    fn block_at(&self, at: Position) -> Result<Option<Bytes>, JournalError> {
        let _still = self.still();
        let file = self.file(at.segment())?;
        let mut header = [0; HEADER_BYTES];
        match file.read_at(&mut header, at.offset()) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let Some(parsed) = self.seal().parse(&header) else {
            return Ok(None);
        };
        let mut block = vec![0; parsed.length];
        match file.read_at(&mut block, at.offset()) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let whole = self.seal().block_crc(&block) == parsed.crc;
        Ok(whole.then(|| Bytes::from(block)))
    }
}
