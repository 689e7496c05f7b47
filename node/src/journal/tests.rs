//! The journal against a disk that loses, tears, flips and refuses. Every loop prints its seed.

#![allow(clippy::unwrap_used)]

mod crash;
mod damage;
mod erase;
mod faults;
mod figures;
mod memory;
mod plain;

use std::{path::Path, sync::Arc};

use memory::{MemoryDisk, Random};

use super::*;

const DIR: &str = "data/journal";

/// Records of one block as they are given.
type Given = Vec<(u8, Vec<u8>)>;

/// A record as it was given and where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    position: Position,
    kind: u8,
    bytes: Vec<u8>,
    block_end: Position,
}

fn dir() -> &'static Path {
    Path::new(DIR)
}

/// Small files, so that few records already roll and fill.
fn small() -> JournalConfig {
    JournalConfig {
        segment_bytes: 16 * 1024,
        fill_ahead_bytes: 4 * 1024,
        salt: 0x5eed_5a17,
    }
}

fn open(
    disk: &Arc<MemoryDisk>,
    from: Option<Position>,
) -> Result<(Journal, Vec<Kept>), JournalError> {
    let mut replayed = Vec::new();
    let disk: Arc<dyn Disk> = Arc::clone(disk) as _;
    let journal = Journal::open(
        disk,
        dir(),
        small(),
        from,
        &mut |record| {
            replayed.push(Kept {
                position: record.position,
                kind: record.kind.0,
                bytes: record.bytes.to_vec(),
                block_end: record.block_end,
            });
            Ok(())
        },
        &mut |_, _| {},
    )?;
    Ok((journal, replayed))
}

/// Records of one random block: mostly small, sometimes larger than a segment.
fn block(random: &mut Random) -> Given {
    let count = 1 + random.below(4);
    let record = |random: &mut Random| {
        let length = match random.below(20) {
            0 => 0,
            1 => 40_000,
            _ => random.below(1500),
        };
        let kind = u8::try_from(random.below(256)).unwrap();
        (kind, random.bytes(usize::try_from(length).unwrap()))
    };
    (0..count).map(|_| record(random)).collect()
}

fn append(journal: &mut Journal, records: &[(u8, Vec<u8>)]) -> Result<Vec<Kept>, JournalError> {
    let halves: Vec<[&[u8]; 2]> = records
        .iter()
        .map(|(_, bytes)| bytes.split_at(bytes.len() / 3).into())
        .collect();
    let parts: Vec<(RecordKind, &[&[u8]])> = records
        .iter()
        .zip(&halves)
        .map(|((kind, _), halves)| (RecordKind(*kind), halves.as_slice()))
        .collect();
    let positions = journal.append(&parts)?;
    let block_end = journal.end();
    let kept = positions.into_iter().zip(records);
    Ok(kept
        .map(|(position, (kind, bytes))| Kept {
            position,
            kind: *kind,
            bytes: bytes.clone(),
            block_end,
        })
        .collect())
}

/// Appends until `count` blocks are in or one fails. What failed last is returned apart.
fn fill(
    journal: &mut Journal,
    random: &mut Random,
    count: usize,
    kept: &mut Vec<Kept>,
) -> Result<(), (Given, JournalError)> {
    for _ in 0..count {
        let records = block(random);
        match append(journal, &records) {
            Ok(more) => kept.extend(more),
            Err(error) => return Err((records, error)),
        }
    }
    Ok(())
}

/// A journal of `count` random blocks on a fresh disk, closed.
fn written(seed: u64, count: usize) -> (Arc<MemoryDisk>, Vec<Kept>) {
    let disk = MemoryDisk::new();
    let mut kept = Vec::new();
    let (mut journal, _) = open(&disk, None).unwrap();
    fill(&mut journal, &mut Random(seed), count, &mut kept).unwrap();
    (disk, kept)
}

/// All that was acknowledged is replayed first; then at most the one block in flight, whole.
fn judge(replayed: &[Kept], kept: &[Kept], in_flight: &[(u8, Vec<u8>)], why: &str) {
    assert!(
        replayed.len() >= kept.len(),
        "acknowledged records lost: {why}"
    );
    let (old, new) = replayed.split_at(kept.len());
    assert!(old == kept, "other records than acknowledged: {why}");
    let new: Vec<_> = new.iter().map(|r| (r.kind, r.bytes.clone())).collect();
    assert!(
        new.is_empty() || new == in_flight,
        "records that nobody appended: {why}"
    );
}

/// Every position reads as it was written, or is said to be damaged. Returns how many read.
fn judge_reads(journal: &Journal, kept: &[Kept], why: &str) -> usize {
    let reader = journal.reader();
    let good = kept
        .iter()
        .filter(|record| match reader.read(record.position) {
            Ok((kind, bytes)) => {
                assert_eq!(
                    (kind.0, &bytes[..]),
                    (record.kind, &record.bytes[..]),
                    "{why}"
                );
                true
            }
            Err(JournalError::Damaged { .. }) => false,
            Err(error) => panic!("{error}: {why}"),
        });
    good.count()
}
