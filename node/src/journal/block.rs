//! Blocks and records as bytes. All numbers are little-endian. Spec: JRN-2, JRN-3.
//!
//! Block: magic u32, length u32 (of the whole block, a multiple of 8), seq u64, CRC of the block
//! before u32, CRC u32 (of the 20 bytes before it and all that follow), records, zeros up to the
//! multiple of 8. Record: length u32, CRC u32, kind u8, bytes.

use super::{BLOCK_BYTES_MAX, Position, RECORD_BYTES_MAX, RecordKind};

pub(super) const HEADER_BYTES: usize = 24;
pub(super) const RECORD_HEADER_BYTES: usize = 9;
const CRC_OFFSET: usize = 20;

/// What turns bytes into this journal's blocks: start value of every CRC, and the magic. Both
/// come from the journal's salt, so peers cannot put the image of a block into an envelope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    salt: u32,
    seed: u32,
    magic: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) seq: u64,
    pub(super) previous: u32,
    pub(super) crc: u32,
}

impl Seal {
    pub(super) fn new(salt: u32) -> Self {
        let seed = crc32c::crc32c(&salt.to_le_bytes());
        Self {
            salt,
            seed,
            magic: crc32c::crc32c_append(seed, b"FREX block"),
        }
    }

    pub(super) const fn salt(self) -> u32 {
        self.salt
    }

    /// Starts a block in an empty buffer; records follow, then [`Seal::finish`].
    pub(super) fn begin(self, buffer: &mut Vec<u8>, length: usize, seq: u64, previous: u32) {
        buffer.clear();
        buffer.reserve(length);
        buffer.extend_from_slice(&self.magic.to_le_bytes());
        buffer.extend_from_slice(&number(length).to_le_bytes());
        buffer.extend_from_slice(&seq.to_le_bytes());
        buffer.extend_from_slice(&previous.to_le_bytes());
        buffer.extend_from_slice(&[0; 4]);
    }

    pub(super) fn put_record(
        self,
        buffer: &mut Vec<u8>,
        position: Position,
        kind: RecordKind,
        parts: &[&[u8]],
    ) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let start = buffer.len();
        put_header(buffer, length, kind);
        for part in parts {
            buffer.extend_from_slice(part);
        }
        let crc = crc32c::crc32c_append(self.record_start(position, length), &buffer[start + 8..]);
        buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Pads the block and sets its CRC, which is returned.
    pub(super) fn finish(self, buffer: &mut Vec<u8>) -> u32 {
        buffer.resize(buffer.len().next_multiple_of(8), 0);
        let crc = self.block_crc(buffer);
        buffer[CRC_OFFSET..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// What `bytes` claims to be the header of. Says nothing about the rest of the block.
    pub(super) fn parse(self, bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let length = usize::try_from(u32_at(bytes, 4)).ok()?;
        let plausible = u32_at(bytes, 0) == self.magic
            && (HEADER_BYTES..=BLOCK_BYTES_MAX).contains(&length)
            && length.is_multiple_of(8);
        plausible.then(|| Header {
            length,
            seq: u64::from(u32_at(bytes, 8)) | u64::from(u32_at(bytes, 12)) << 32,
            previous: u32_at(bytes, 16),
            crc: u32_at(bytes, CRC_OFFSET),
        })
    }

    /// CRC that the whole block should carry.
    pub(super) fn block_crc(self, block: &[u8]) -> u32 {
        let crc = crc32c::crc32c_append(self.seed, &block[..CRC_OFFSET]);
        crc32c::crc32c_append(crc, &block[HEADER_BYTES..])
    }

    /// CRC that the record should carry.
    pub(super) fn record_crc(self, position: Position, kind: u8, bytes: &[u8]) -> u32 {
        let crc = crc32c::crc32c_append(self.record_start(position, bytes.len()), &[kind]);
        crc32c::crc32c_append(crc, bytes)
    }

    /// The position is under the CRC: a disk that reads or wrote elsewhere is noticed.
    pub(super) fn record_start(self, position: Position, length: usize) -> u32 {
        let mut head = [0; 12];
        head[..8].copy_from_slice(&position.to_u64().to_le_bytes());
        head[8..].copy_from_slice(&number(length).to_le_bytes());
        crc32c::crc32c_append(self.seed, &head)
    }
}

/// A record inside a block.
pub(super) struct Record<'a> {
    pub(super) offset: usize,
    pub(super) crc: u32,
    pub(super) kind: RecordKind,
    pub(super) bytes: &'a [u8],
}

/// Records of a block, in order; an `Err` if the lengths do not add up.
pub(super) fn records(block: &[u8]) -> impl Iterator<Item = Result<Record<'_>, ()>> {
    let mut offset = HEADER_BYTES;
    std::iter::from_fn(move || {
        // Padding is shorter than any record.
        if block.len() - offset < RECORD_HEADER_BYTES {
            return None;
        }
        let start = offset + RECORD_HEADER_BYTES;
        let (length, crc, kind) = record_header(&block[offset..start]);
        let Some(bytes) = block.get(start..start.saturating_add(length)) else {
            offset = block.len();
            return Some(Err(()));
        };
        let record = Record {
            offset,
            crc,
            kind,
            bytes,
        };
        offset = start + length;
        Some(Ok(record))
    })
}

/// The header of a record of so many bytes, its CRC not set yet.
pub(super) fn put_header(buffer: &mut Vec<u8>, length: usize, kind: RecordKind) {
    buffer.extend_from_slice(&number(length).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.push(kind.0);
}

/// Length, CRC and kind of a record from its first nine bytes.
pub(super) fn record_header(bytes: &[u8]) -> (usize, u32, RecordKind) {
    let length = usize::try_from(u32_at(bytes, 0)).unwrap_or(usize::MAX);
    (length, u32_at(bytes, 4), RecordKind(bytes[8]))
}

/// Bytes of the block that these records make, if each and all keep to their limits.
pub(super) fn length_of(records: &[(RecordKind, &[&[u8]])]) -> Option<usize> {
    let mut total = HEADER_BYTES;
    for (_, parts) in records {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        total += RECORD_HEADER_BYTES + length;
        if length > RECORD_BYTES_MAX || total > BLOCK_BYTES_MAX - 8 {
            return None;
        }
    }
    Some(total.next_multiple_of(8))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

pub(super) fn number(length: usize) -> u32 {
    u32::try_from(length).expect("lengths were checked against limits below 4 GiB")
}
