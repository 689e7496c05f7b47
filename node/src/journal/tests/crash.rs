//! Power cuts at every operation.

use super::{
    memory::{Cut, Fault},
    *,
};

const CUTS: [Cut; 3] = [Cut::All, Cut::Some, Cut::Torn];

/// Runs a journal until the power goes at operation `n`; twice more during recovery.
fn live_through(seed: u64, n: u64, cut: Cut) {
    let why = format!("seed {seed}, power cut at operation {n}, {cut:?}");
    let mut random = Random(seed);
    let disk = MemoryDisk::new();
    let mut kept = Vec::new();
    let mut in_flight = Vec::new();
    if random.chance() {
        let (mut journal, _) = open(&disk, None).unwrap();
        fill(&mut journal, &mut random, 4, &mut kept).unwrap();
    }
    disk.set(Fault::PowerAt(n));
    if let Ok((mut journal, _)) = open(&disk, None)
        && let Err((records, _)) = fill(&mut journal, &mut random, 40, &mut kept)
    {
        assert!(journal.is_poisoned(), "{why}");
        in_flight = records;
    }
    disk.cut(cut, &mut random);
    for _ in 0..2 {
        disk.set(Fault::PowerAt(1 + random.below(12)));
        if let Ok((_, replayed)) = open(&disk, None) {
            judge(&replayed, &kept, &in_flight, &why);
            // What a completed recovery has shown is acknowledged from then on.
            kept = replayed;
        }
        disk.cut(cut, &mut random);
    }
    let (mut journal, replayed) = open(&disk, None).unwrap_or_else(|e| panic!("{e}: {why}"));
    judge(&replayed, &kept, &in_flight, &why);
    kept = replayed;
    fill(&mut journal, &mut random, 5, &mut kept).unwrap();
    assert_eq!(judge_reads(&journal, &kept, &why), kept.len(), "{why}");
    drop(journal);
    disk.cut(cut, &mut random);
    assert_eq!(open(&disk, None).unwrap().1, kept, "{why}");
}

// JRN-5, JRN-7: whatever survives of unsynced writes, all acknowledged records are there and
// nothing else but the whole block in flight.
#[test]
fn power_cut_at_every_operation_loses_nothing_acknowledged() {
    for seed in 0..8 {
        for n in 1..160 {
            for cut in CUTS {
                live_through(seed * 1000 + n, n, cut);
            }
        }
    }
}

// JRN-2: a record that holds the image of a block is still only a record when the tail tears.
#[test]
fn image_of_a_block_inside_a_record_does_not_pass_for_one() {
    let other = MemoryDisk::new();
    let config = JournalConfig { salt: 1, ..small() };
    let mut journal = Journal::open(
        other.clone(),
        dir(),
        config,
        None,
        &mut |_| Ok(()),
        &mut |_, _| {},
    )
    .unwrap();
    for _ in 0..9 {
        journal
            .append(&[(RecordKind(1), &[b"a later number"])])
            .unwrap();
    }
    let image = other.meddle(&segment::path(dir(), 1), |bytes| bytes[32..1024].to_vec());
    // Sectors start at multiples of 512 and blocks at multiples of 8: try all alignments.
    for shift in 0..8 {
        let (disk, mut kept) = written(9, 2);
        let (mut journal, _) = open(&disk, None).unwrap();
        let mut record = vec![0; 1024 + shift];
        record.extend_from_slice(&image);
        disk.set(Fault::SyncFails(1));
        let result = journal.append(&[(RecordKind(1), &[&record])]);
        assert!(result.is_err());
        disk.set(Fault::None);
        let end = usize::try_from(journal.end().offset()).unwrap();
        let path = segment::path(dir(), journal.end().segment());
        disk.meddle(&path, |bytes| bytes[end..end + 100].fill(0));
        let (mut journal, replayed) = open(&disk, None).unwrap();
        assert_eq!(replayed, kept);
        kept.extend(append(&mut journal, &[(1, b"next".to_vec())]).unwrap());
        assert_eq!(open(&disk, None).unwrap().1, kept);
    }
}
