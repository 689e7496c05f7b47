//! The journal on a disk that forgets, tears and fails.

use std::{path::Path, sync::Arc};

use frex_node::{
    disk::Disk,
    journal::{Journal, JournalConfig, JournalError, RecordKind},
};
use frex_tests::sim::disk::{Failure, Operation, SimDisk};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

const CONFIG: JournalConfig = JournalConfig {
    segment_bytes: 16 * 1024,
    fill_ahead_bytes: 4096,
    salt: 5,
};

/// A disk with the data directory that an operator has made long ago.
fn disk_with_data(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// Opens the journal and gives back the numbers that its records hold.
fn open(disk: &SimDisk) -> Result<(Journal, Vec<u64>), JournalError> {
    let mut found = Vec::new();
    let journal = Journal::open(
        Arc::new(disk.clone()),
        Path::new("/data/journal"),
        CONFIG,
        None,
        &mut |record| {
            found.push(u64::from_be_bytes(record.bytes[..8].try_into().unwrap()));
            Ok(())
        },
        &mut |_, _| {},
    )?;
    Ok((journal, found))
}

/// Appends one block of a few numbered records.
fn append(
    journal: &mut Journal,
    next: &mut u64,
    rng: &mut ChaCha20Rng,
) -> Result<(), JournalError> {
    let count = 1 + rng.next_u64() % 4;
    let filling = vec![7; usize::try_from(rng.next_u64() % 3000).unwrap()];
    let numbers: Vec<[u8; 8]> = (*next..*next + count).map(u64::to_be_bytes).collect();
    let parts: Vec<[&[u8]; 2]> = numbers
        .iter()
        .map(|number| [&number[..], &filling])
        .collect();
    let records: Vec<(RecordKind, &[&[u8]])> = parts
        .iter()
        .map(|parts| (RecordKind(1), &parts[..]))
        .collect();
    // Numbers of a refused block are not used again: it may have become durable all the same.
    *next += count;
    journal.append(&records).map(drop)
}

/// Every acknowledged number is there, nothing is there twice, and order holds.
fn check(seed: u64, found: &[u64], acknowledged: &[u64]) {
    assert!(found.is_sorted_by(|a, b| a < b), "seed {seed}: {found:?}");
    for number in acknowledged {
        assert!(
            found.binary_search(number).is_ok(),
            "seed {seed} lost {number}"
        );
    }
}

// NOD-1: what was acknowledged is there after every loss of power.
#[test]
fn no_loss_of_power_loses_an_acknowledged_block() {
    for seed in 0..300 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let disk = disk_with_data(seed);
        let (mut next, mut acknowledged) = (0, Vec::new());
        for _ in 0..6 {
            let (mut journal, found) = open(&disk).unwrap();
            check(seed, &found, &acknowledged);
            // What was found is durable now, whoever heard of it before.
            acknowledged = found;
            for _ in 0..rng.next_u64() % 12 {
                let first = next;
                append(&mut journal, &mut next, &mut rng).unwrap();
                acknowledged.extend(first..next);
            }
            // The last block is under way when the power goes: its sync fails and nobody is told.
            disk.fail(Operation::Sync, 1, Failure::Eio);
            if rng.next_u64().is_multiple_of(2) {
                append(&mut journal, &mut next, &mut rng).unwrap_err();
            }
            disk.crash(rng.next_u64());
        }
    }
}

// NOD-2: a sync that fails is never taken for one that worked.
#[test]
fn a_journal_whose_sync_failed_accepts_nothing_more() {
    for nth in 1..20 {
        let disk = disk_with_data(nth);
        let mut rng = ChaCha20Rng::seed_from_u64(nth);
        let (mut next, mut acknowledged) = (0, Vec::new());
        let (mut journal, _) = open(&disk).unwrap();
        disk.fail(Operation::Sync, nth, Failure::Eio);
        for _ in 0..40 {
            let first = next;
            if append(&mut journal, &mut next, &mut rng).is_err() {
                break;
            }
            acknowledged.extend(first..next);
        }
        for _ in 0..3 {
            append(&mut journal, &mut next, &mut rng).unwrap_err();
        }
        disk.crash(nth);
        check(nth, &open(&disk).unwrap().1, &acknowledged);
    }
}
