//! What the journal does when nothing is wrong.

use super::*;

// JRN-7: replay gives every record in order, from the beginning or from the end of any block.
#[test]
fn replay_from_every_block_end_gives_exactly_what_follows() {
    let (disk, kept) = written(1, 60);
    assert!(kept.last().unwrap().position.segment() > 3);
    let (_, replayed) = open(&disk, None).unwrap();
    assert_eq!(replayed, kept);
    for (index, record) in kept.iter().enumerate() {
        let (_, replayed) = open(&disk, Some(record.block_end)).unwrap();
        let start = kept.iter().position(|r| r.block_end > record.block_end);
        assert_eq!(
            replayed,
            kept[start.unwrap_or(kept.len())..],
            "record {index}"
        );
    }
}

// JRN-6: every position reads its record, while the journal is open and after it was reopened.
#[test]
fn every_position_reads_its_record() {
    let (disk, kept) = written(2, 60);
    let (journal, _) = open(&disk, None).unwrap();
    assert_eq!(judge_reads(&journal, &kept, "untouched"), kept.len());
}

// JRN-6: a position that is none is refused, not read as something.
#[test]
fn wrong_position_is_damaged() {
    let (disk, kept) = written(3, 20);
    let (journal, _) = open(&disk, None).unwrap();
    let reader = journal.reader();
    let end = journal.end();
    for wrong in [
        0,
        1,
        kept[3].position.to_u64() + 1,
        end.to_u64(),
        end.to_u64() + (9 << 32),
    ] {
        let result = reader.read(Position::from_u64(wrong));
        assert!(
            matches!(result, Err(JournalError::Damaged { .. })),
            "{wrong:x}"
        );
    }
}

// JRN-7: a position inside a block, or beyond the end, cannot be replayed from.
#[test]
fn replay_from_elsewhere_is_refused() {
    let (disk, kept) = written(4, 20);
    let inside = Position::from_u64(kept[0].block_end.to_u64() + 8);
    assert!(matches!(
        open(&disk, Some(inside)),
        Err(JournalError::BadPosition)
    ));
    let end = kept.last().unwrap().block_end.to_u64();
    for beyond in [end + 8, end + (1 << 32), end + (7 << 32)] {
        let result = open(&disk, Some(Position::from_u64(beyond)));
        assert!(matches!(result, Err(JournalError::Damaged { .. })));
    }
    let nothing = open(&MemoryDisk::new(), Some(kept[0].block_end));
    assert!(matches!(nothing, Err(JournalError::Damaged { .. })));
}

// JRN-5: a block over its limit is refused before anything is written.
#[test]
fn oversized_record_is_refused_and_harmless() {
    let (disk, mut kept) = written(5, 3);
    let (mut journal, _) = open(&disk, None).unwrap();
    let huge = vec![0; RECORD_BYTES_MAX + 1];
    let result = journal.append(&[(RecordKind(1), &[&huge])]);
    assert!(matches!(result, Err(JournalError::TooLarge)));
    assert_eq!(journal.append(&[]).unwrap(), []);
    kept.extend(append(&mut journal, &[(1, b"small".to_vec())]).unwrap());
    drop(journal);
    assert_eq!(open(&disk, None).unwrap().1, kept);
}

// JRN-8: the complete check counts what was written.
#[test]
fn verify_counts_blocks_and_records() {
    let (disk, kept) = written(6, 40);
    let mut told = Vec::new();
    let summary = verify(&*disk, dir(), &mut |done, total| told.push((done, total))).unwrap();
    assert_eq!(summary.blocks, 40);
    assert_eq!(summary.records, kept.len() as u64);
    assert_eq!(summary.end, kept.last().unwrap().block_end);
    assert!(!summary.torn_tail && !summary.marker_lost);
    assert_eq!(told.last().map(|(done, total)| done == total), Some(true));
}

// JRN-7: what the taker of records refuses comes back as its own error.
#[test]
fn replay_stops_where_the_caller_refuses() {
    let (disk, _) = written(7, 5);
    let mut seen = 0;
    let result = Journal::open(
        disk,
        dir(),
        small(),
        None,
        &mut |_| {
            seen += 1;
            Err(JournalError::Replay("not mine".into()))
        },
        &mut |_, _| {},
    );
    assert!(matches!(result, Err(JournalError::Replay(_))));
    assert_eq!(seen, 1);
}

// JRN-1: the real disk keeps a journal too.
#[test]
fn real_files_keep_a_journal() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("journal");
    let disk: Arc<dyn Disk> = Arc::new(crate::disk::RealDisk);
    let mut random = Random(8);
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut replayed = 0;
        let mut count = |_: Replayed| {
            replayed += 1;
            Ok(())
        };
        let mut journal = Journal::open(
            Arc::clone(&disk),
            &dir,
            small(),
            None,
            &mut count,
            &mut |_, _| {},
        )
        .unwrap();
        assert_eq!(replayed, kept.len());
        fill(&mut journal, &mut random, 20, &mut kept).unwrap();
        assert_eq!(judge_reads(&journal, &kept, "real files"), kept.len());
    }
    assert_eq!(verify(&*disk, &dir, &mut |_, _| {}).unwrap().blocks, 60);
}
