//! Files that rot, shrink or vanish while nobody looks.

use super::*;

/// Opens, verifies and reads a meddled journal: all of `kept`, or a typed refusal. Returns
/// whether it opened.
fn right_or_refused(disk: &Arc<MemoryDisk>, kept: &[Kept], why: &str) -> bool {
    let middle = kept[kept.len() / 2].block_end;
    let complete = verify(&**disk, dir(), &mut |_, _| {});
    // The middle first: opening from the start would mend what can be mended.
    let partial = disk.copy();
    match open(&partial, Some(middle)) {
        Ok((journal, replayed)) => {
            let start = kept.iter().position(|record| record.block_end > middle);
            assert!(
                replayed == kept[start.unwrap()..],
                "replay from the middle: {why}"
            );
            judge_reads(&journal, kept, why);
        }
        Err(JournalError::Damaged { .. }) => {}
        Err(error) => panic!("{error}: {why}"),
    }
    match open(disk, None) {
        Ok((mut journal, replayed)) => {
            assert!(replayed == kept, "replay from the start: {why}");
            assert_eq!(judge_reads(&journal, kept, why), kept.len(), "{why}");
            assert!(complete.is_ok(), "opened but does not verify: {why}");
            let more = append(&mut journal, &[(1, b"goes on".to_vec())]).unwrap();
            let (_, replayed) = open(disk, None).unwrap();
            assert!(replayed == [kept, &more].concat(), "{why}");
            true
        }
        Err(JournalError::Damaged { .. }) => {
            let refused = matches!(complete, Err(JournalError::Damaged { .. }));
            assert!(refused, "refused but verifies: {why}");
            false
        }
        Err(error) => panic!("{error}: {why}"),
    }
}

// JRN-3, JRN-4, NOD-5: one flipped bit anywhere never changes or hides an acknowledged record.
#[test]
fn flipped_bit_is_harmless_or_refused() {
    let (whole, kept) = written(11, 40);
    let paths = whole.paths();
    let (mut opened, mut refused) = (0, 0);
    for seed in 0..1000 {
        let mut random = Random(seed);
        let disk = whole.copy();
        let path = &paths[usize::try_from(random.below(paths.len() as u64)).unwrap()];
        let at = disk.meddle(path, |bytes| {
            let at = random.below(bytes.len() as u64 * 8);
            bytes[usize::try_from(at / 8).unwrap()] ^= 1 << (at % 8);
            at
        });
        let why = format!("seed {seed}, bit {at} of {}", path.display());
        if right_or_refused(&disk, &kept, &why) {
            opened += 1;
        } else {
            refused += 1;
        }
    }
    assert!(
        opened > 20 && refused > 500,
        "{opened} opened, {refused} refused"
    );
}

// JRN-3, JRN-4: the same for whole sectors that read as zeros or as noise.
#[test]
fn lost_sector_is_harmless_or_refused() {
    let (whole, kept) = written(12, 40);
    for path in whole.paths() {
        let length = whole.meddle(&path, |bytes| bytes.len());
        for start in (0..length).step_by(512) {
            for noise in [false, true] {
                let disk = whole.copy();
                disk.meddle(&path, |bytes| {
                    let end = (start + 512).min(bytes.len());
                    bytes[start..end].fill(0);
                    if noise {
                        let noise = Random(start as u64).bytes(end - start);
                        bytes[start..end].copy_from_slice(&noise);
                    }
                });
                let why = format!("sector at {start} of {}", path.display());
                right_or_refused(&disk, &kept, &why);
            }
        }
    }
}

// JRN-4: however much of the end is cut off, records are there or the loss is noticed.
#[test]
fn cut_tail_of_any_length_is_harmless_or_refused() {
    let (whole, kept) = written(13, 12);
    for path in whole.paths() {
        let length = whole.meddle(&path, |bytes| bytes.len());
        for kept_bytes in (0..length).filter(|at| *at < 64 || at % 7 == 0 || length - at < 64) {
            let disk = whole.copy();
            disk.meddle(&path, |bytes| bytes.truncate(kept_bytes));
            let why = format!("{} cut to {kept_bytes}", path.display());
            right_or_refused(&disk, &kept, &why);
        }
    }
}

// JRN-1: a missing segment is noticed, whichever it is.
#[test]
fn missing_segment_is_refused() {
    let (whole, kept) = written(14, 40);
    let last = kept.last().unwrap().position.segment();
    for number in 1..=last {
        let disk = whole.copy();
        disk.forget(&segment::path(dir(), number));
        let why = format!("without segment {number}");
        assert!(!right_or_refused(&disk, &kept, &why), "{why}");
    }
}

// JRN-1: two segments in each other's place are noticed.
#[test]
fn exchanged_segments_are_refused() {
    let (disk, kept) = written(15, 40);
    let [first, second] = [1, 2].map(|number| segment::path(dir(), number));
    let bytes = disk.meddle(&first, |bytes| bytes.clone());
    let bytes = disk.meddle(&second, |other| std::mem::replace(other, bytes));
    disk.meddle(&first, |old| *old = bytes);
    assert!(!right_or_refused(&disk, &kept, "exchanged"));
}

// JRN-4: a lost marker is made anew; but then nothing that looks torn is thrown away.
#[test]
fn lost_marker_is_made_anew_and_makes_the_journal_strict() {
    let (whole, kept) = written(16, 20);
    let disk = whole.copy();
    disk.forget(&dir().join("committed"));
    assert!(verify(&*disk, dir(), &mut |_, _| {}).unwrap().marker_lost);
    assert!(right_or_refused(&disk, &kept, "without marker"));
    assert!(!verify(&*disk, dir(), &mut |_, _| {}).unwrap().marker_lost);

    let disk = whole.copy();
    disk.forget(&dir().join("committed"));
    let last = kept.last().unwrap().position;
    disk.meddle(&segment::path(dir(), last.segment()), |bytes| {
        bytes[usize::try_from(last.offset()).unwrap()] ^= 1;
    });
    assert!(!right_or_refused(&disk, &kept, "without marker, torn"));
}

/// A journal whose marker is as old as half its blocks, as a power cut may leave it.
fn with_old_marker() -> (Arc<MemoryDisk>, Vec<Kept>) {
    let disk = MemoryDisk::new();
    let (mut journal, mut kept) = open(&disk, None).unwrap();
    fill(&mut journal, &mut Random(17), 5, &mut kept).unwrap();
    let path = dir().join("committed");
    let old = disk.meddle(&path, |bytes| bytes.clone());
    fill(&mut journal, &mut Random(18), 15, &mut kept).unwrap();
    disk.meddle(&path, |bytes| *bytes = old);
    (disk, kept)
}

// JRN-4: an old marker only claims less.
#[test]
fn old_marker_is_good_enough() {
    let (disk, kept) = with_old_marker();
    assert!(right_or_refused(&disk, &kept, "old marker"));
}

// JRN-7: blocks that the marker does not know are still told from a torn tail by the blocks
// after them.
#[test]
fn damage_beyond_an_old_marker_is_refused_if_blocks_follow() {
    let (whole, kept) = with_old_marker();
    let last = kept.last().unwrap().block_end;
    for record in kept.iter().filter(|record| record.block_end < last) {
        let disk = whole.copy();
        disk.meddle(&segment::path(dir(), record.position.segment()), |bytes| {
            bytes[usize::try_from(record.position.offset()).unwrap() + 4] ^= 1;
        });
        let why = format!("old marker, record at {}", record.position);
        assert!(!right_or_refused(&disk, &kept, &why), "{why}");
    }
}

// JRN-7: after each kind of damage the refusal names a place.
#[test]
fn refusal_names_segment_and_offset() {
    let (disk, kept) = written(19, 30);
    let record = &kept[kept.len() / 2];
    let number = record.position.segment();
    disk.meddle(&segment::path(dir(), number), |bytes| {
        bytes[usize::try_from(record.position.offset()).unwrap() + 4] ^= 4;
    });
    let Err(JournalError::Damaged { segment, offset }) = verify(&*disk, dir(), &mut |_, _| {})
    else {
        panic!("damage was not noticed");
    };
    assert_eq!(segment, number);
    assert!(offset <= record.position.offset());
}

// BAK-2: what a copy must hold is what was acknowledged: by the marker while somebody writes, and by the blocks
// themselves once nobody does.
#[test]
fn what_was_acknowledged_is_known_to_whoever_copies() {
    let disk = MemoryDisk::new();
    assert!(acknowledged(&*disk, dir(), true).unwrap().is_none());
    let (journal, _) = open(&disk, None).unwrap();
    for in_use in [true, false] {
        assert!(acknowledged(&*disk, dir(), in_use).unwrap().is_none());
    }
    drop(journal);
    let (disk, kept) = written(19, 40);
    let end = kept.last().unwrap().block_end;
    for in_use in [true, false] {
        let extent = acknowledged(&*disk, dir(), in_use).unwrap().unwrap();
        assert_eq!(extent.end(), end);
        // A copy that ends there, with the marker that goes with it, is a journal.
        let copy = disk.copy();
        copy.meddle(&dir().join("committed"), |bytes| *bytes = extent.marker());
        let offset = usize::try_from(end.offset()).unwrap();
        copy.meddle(&segment::path(dir(), end.segment()), |bytes| {
            bytes.truncate(offset);
        });
        assert!(right_or_refused(&copy, &kept, "cut at the end"));
        copy.meddle(&segment::path(dir(), end.segment()), |bytes| {
            bytes.truncate(offset - 8);
        });
        assert!(!right_or_refused(&copy, &kept, "cut before the end"));
    }
    let (disk, kept) = with_old_marker();
    let end = kept.last().unwrap().block_end;
    let end_of = |in_use| acknowledged(&*disk, dir(), in_use).unwrap().unwrap().end();
    assert!(end_of(true) < end);
    assert_eq!(end_of(false), end);
}
