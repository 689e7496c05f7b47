//! Forgetting: a record's bytes give way to others of the same length, where it stands.
//!
//! The other bytes hold nothing of the old ones. Blocks are chained by their CRCs and the marker
//! names the last one, so no CRC but the record's own may change: eight bytes of the new record
//! are free, and chosen so that record and header together have the CRC that they had before.
//! CRC is affine in every bit, so that is a system of linear equations over one bit each. A record
//! and its CRC have together the same parity whatever the record says, as the polynomial has the
//! factor x + 1; what is asked of the free bytes therefore lies within their reach.
//!
//! Bytes that are overwritten in place can be torn. So the new ones are first made durable in a
//! file of their own, `erasing`, and are there until they are durable in their places: opening the
//! journal finishes what that file says. Spec: JRN-9, JRN-10.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    path::Path,
};

use super::{
    Journal, JournalError, Position, RECORD_BYTES_MAX, RecordKind,
    block::{self, RECORD_HEADER_BYTES, Seal, u32_at, u64_at},
    damaged,
    read::JournalReader,
    segment::{self, SegmentHeader},
};
use crate::disk::{self, Disk};

/// Bytes of a new record that are free to be chosen.
pub const FREE_BYTES: usize = 8;
/// New bytes on their way to their places.
const FILE: &str = "erasing";
const MAGIC: &[u8; 8] = b"FREXERAS";
/// Magic, salt and CRC.
const FRAME_BYTES: usize = 16;
/// Position, length and length of the head.
const ENTRY_BYTES: usize = 16;
/// Largest such file.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What takes the place of a record: a head, then zeros up to the length of what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    position: Position,
    /// Header and first bytes of the record.
    head: Vec<u8>,
    /// Of header and record.
    length: usize,
}

impl JournalReader {
    /// What is to take the place of the record at `position`, which reads as `old`: `head`, then
    /// zeros. The [`FREE_BYTES`] of the head from `free` on are chosen here.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`] if the head does not fit.
    pub fn stub(
        &self,
        position: Position,
        (kind, old): (RecordKind, &[u8]),
        head: &[u8],
        free: usize,
    ) -> Result<Stub, JournalError> {
        let fits = head.len() <= old.len() && free + FREE_BYTES <= head.len();
        if !fits || old.len() > RECORD_BYTES_MAX {
            return Err(JournalError::TooLarge);
        }
        let seal = self.seal();
        let mut image = Vec::with_capacity(RECORD_HEADER_BYTES + old.len());
        seal.put_record(&mut image, position, kind, &[old]);
        let wanted = crc32c::crc32c(&image);
        let mut stub = Draft::new(seal, position, kind, head, old.len());
        let base = stub.crc(0, free);
        let mut columns = [0; 64];
        for (bit, column) in columns.iter_mut().enumerate() {
            *column = stub.crc(1 << bit, free) ^ base;
        }
        let chosen = choose(&columns, wanted ^ base).ok_or(JournalError::TooLarge)?;
        stub.crc(chosen, free);
        Ok(Stub {
            position,
            head: stub.head,
            length: RECORD_HEADER_BYTES + old.len(),
        })
    }
}

impl Journal {
    /// Overwrites records by their stubs; durable when this returns.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`]; [`JournalError::Io`], after which the journal is poisoned and
    /// the next opening of it finishes what was begun, or nothing was begun.
    pub fn overwrite(&mut self, stubs: &[Stub]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if stubs.is_empty() {
            return Ok(());
        }
        self.poisoned = true;
        let bytes = encode(stubs, self.seal.salt());
        disk::replace(&*self.disk, &self.dir.join(FILE), &bytes)?;
        {
            let _alone = self.reader.alone();
            write_all(&*self.disk, &self.dir, stubs)?;
        }
        conclude(&*self.disk, &self.dir, stubs)?;
        self.poisoned = false;
        Ok(())
    }
}

/// Finishes overwriting that was cut short; says whether there was any.
///
/// # Errors
/// [`JournalError::Damaged`] if the file that says what is to be done is not whole or belongs to
/// another journal; [`JournalError::Io`].
pub fn finish_erasing(disk: &dyn Disk, dir: &Path) -> Result<bool, JournalError> {
    let path = dir.join(FILE);
    let bytes = match disk::read_all(disk, &path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(0, 0)),
        Err(error) => return Err(error.into()),
    };
    // It has its name only when it is whole, so one that is not is damage.
    let (salt, stubs) = decode(&bytes).ok_or_else(|| damaged(0, 0))?;
    for segment in segments(&stubs) {
        let file = disk.open(&segment::path(dir, segment), false)?;
        let mut header = [0; segment::HEADER_BYTES];
        file.read_at(&mut header, 0)?;
        let header = SegmentHeader::parse(&header);
        if header.is_none_or(|header| header.salt != salt || header.number != segment) {
            return Err(damaged(segment, 0));
        }
    }
    write_all(disk, dir, &stubs)?;
    conclude(disk, dir, &stubs)?;
    Ok(true)
}

fn segments(stubs: &[Stub]) -> BTreeSet<u32> {
    stubs.iter().map(|stub| stub.position.segment()).collect()
}

fn write_all(disk: &dyn Disk, dir: &Path, stubs: &[Stub]) -> io::Result<()> {
    for stub in stubs {
        let file = disk.open(&segment::path(dir, stub.position.segment()), false)?;
        let mut image = stub.head.clone();
        image.resize(stub.length, 0);
        file.write_at(&image, stub.position.offset())?;
    }
    Ok(())
}

/// Makes what was written durable, then forgets that it was to be.
fn conclude(disk: &dyn Disk, dir: &Path, stubs: &[Stub]) -> io::Result<()> {
    for segment in segments(stubs) {
        disk.open(&segment::path(dir, segment), false)?
            .sync_data()?;
    }
    disk.remove(&dir.join(FILE))?;
    disk.sync_dir(dir)
}

/// A record whose free bytes are still open.
struct Draft {
    seal: Seal,
    position: Position,
    kind: RecordKind,
    head: Vec<u8>,
    zeros: usize,
    zeros_crc: u32,
}

impl Draft {
    fn new(seal: Seal, position: Position, kind: RecordKind, bytes: &[u8], length: usize) -> Self {
        let zeros = length - bytes.len();
        let mut head = Vec::with_capacity(RECORD_HEADER_BYTES + bytes.len());
        block::put_header(&mut head, length, kind);
        head.extend_from_slice(bytes);
        Self {
            seal,
            position,
            kind,
            head,
            zeros,
            zeros_crc: crc32c::crc32c(&vec![0; zeros]),
        }
    }

    /// Sets the free bytes, and the record's CRC with them; gives the CRC of both together.
    fn crc(&mut self, bits: u64, free: usize) -> u32 {
        let place = RECORD_HEADER_BYTES + free;
        self.head[place..place + FREE_BYTES].copy_from_slice(&bits.to_le_bytes());
        let length = self.head.len() - RECORD_HEADER_BYTES + self.zeros;
        let start = self.seal.record_start(self.position, length);
        let own = crc32c::crc32c_append(start, &[self.kind.0]);
        let own = self.with_zeros(own, RECORD_HEADER_BYTES);
        self.head[4..8].copy_from_slice(&own.to_le_bytes());
        self.with_zeros(crc32c::crc32c(&[]), 0)
    }

    fn with_zeros(&self, start: u32, from: usize) -> u32 {
        let crc = crc32c::crc32c_append(start, &self.head[from..]);
        crc32c::crc32c_combine(crc, self.zeros_crc, self.zeros)
    }
}

/// Which of the columns add up to `wanted`, as a set of bits.
fn choose(columns: &[u32; 64], mut wanted: u32) -> Option<u64> {
    // By the highest bit of each sum: the sum, and the columns in it.
    let mut sums = [(0_u32, 0_u64); 32];
    for (number, column) in columns.iter().enumerate() {
        let (mut sum, mut of) = (*column, 1_u64 << number);
        while let Some(highest) = sum.checked_ilog2() {
            let place = &mut sums[highest as usize];
            if place.0 == 0 {
                *place = (sum, of);
                break;
            }
            sum ^= place.0;
            of ^= place.1;
        }
    }
    let mut chosen = 0;
    while let Some(highest) = wanted.checked_ilog2() {
        let (sum, of) = sums[highest as usize];
        if sum == 0 {
            return None;
        }
        wanted ^= sum;
        chosen ^= of;
    }
    Some(chosen)
}

/// Magic, salt u32; of each stub position u64, length u32, length of the head u32, head; CRC u32.
fn encode(stubs: &[Stub], salt: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&salt.to_le_bytes());
    for stub in stubs {
        bytes.extend_from_slice(&stub.position.to_u64().to_le_bytes());
        bytes.extend_from_slice(&block::number(stub.length).to_le_bytes());
        bytes.extend_from_slice(&block::number(stub.head.len()).to_le_bytes());
        bytes.extend_from_slice(&stub.head);
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u32, Vec<Stub>)> {
    if bytes.len() < FRAME_BYTES || !bytes.starts_with(MAGIC) {
        return None;
    }
    let (body, crc) = bytes.split_at(bytes.len() - 4);
    if crc32c::crc32c(body) != u32_at(crc, 0) {
        return None;
    }
    let salt = u32_at(body, MAGIC.len());
    let mut rest = &body[MAGIC.len() + 4..];
    let mut stubs = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = rest.split_at_checked(ENTRY_BYTES)?;
        let length = usize::try_from(u32_at(entry, 8)).ok()?;
        let (head, after) = after.split_at_checked(u32_at(entry, 12).try_into().ok()?)?;
        if head.len() > length || length > RECORD_HEADER_BYTES + RECORD_BYTES_MAX {
            return None;
        }
        stubs.push(Stub {
            position: Position::from_u64(u64_at(entry, 0)),
            head: head.to_vec(),
            length,
        });
        rest = after;
    }
    Some((salt, stubs))
}
