//! A disk that refuses: failing writes and syncs, no space.

use super::{
    memory::{Cut, Fault},
    *,
};

/// Appends past a fault, checking that nothing is acknowledged after a failure. Returns what was
/// acknowledged and what was in flight when it failed.
fn suffer(disk: &Arc<MemoryDisk>, fault: Fault, random: &mut Random) -> (Vec<Kept>, Given) {
    let mut kept = Vec::new();
    disk.set(fault);
    let Ok((mut journal, _)) = open(disk, None) else {
        return (kept, Vec::new());
    };
    let Err((in_flight, error)) = fill(&mut journal, random, 60, &mut kept) else {
        return (kept, Vec::new());
    };
    assert!(matches!(error, JournalError::Io(_)), "{fault:?}: {error}");
    for _ in 0..3 {
        let again = append(&mut journal, &in_flight);
        assert!(matches!(again, Err(JournalError::Poisoned)), "{fault:?}");
        assert!(matches!(journal.sync_marker(), Err(JournalError::Poisoned)));
    }
    // What was acknowledged can still be read.
    assert_eq!(judge_reads(&journal, &kept, "poisoned"), kept.len());
    (kept, in_flight)
}

// JRN-5: after a failed write or sync nothing is acknowledged, and nothing acknowledged is lost:
// neither in a process started again on the same kernel, nor after the power was cut.
#[test]
fn failed_write_or_sync_stops_the_journal_for_good() {
    let mut stopped = 0;
    for n in 1..=50 {
        for (seed, fault) in [(n, Fault::SyncFails(n)), (n + 100, Fault::WriteFails(n))] {
            for cut in [Cut::All, Cut::Some, Cut::Torn] {
                let why = format!("seed {seed}, {fault:?}, {cut:?}");
                let mut random = Random(seed);
                let disk = MemoryDisk::new();
                let (mut kept, in_flight) = suffer(&disk, fault, &mut random);
                stopped += usize::from(!in_flight.is_empty());
                disk.set(Fault::None);
                if random.chance() {
                    let (_, replayed) = open(&disk, None).unwrap_or_else(|e| panic!("{e}: {why}"));
                    judge(&replayed, &kept, &in_flight, &why);
                    // Shown once, it may have been told to others: it must stay.
                    kept = replayed;
                }
                disk.cut(cut, &mut random);
                let (_, replayed) = open(&disk, None).unwrap_or_else(|e| panic!("{e}: {why}"));
                judge(&replayed, &kept, &in_flight, &why);
            }
        }
    }
    assert!(
        stopped > 200,
        "{stopped} of 300 runs met their fault while appending"
    );
}

// JRN-5, NOD-7: without space nothing is written and nothing breaks; with space it goes on.
#[test]
fn full_disk_refuses_and_resumes() {
    let mut refused = 0;
    for n in 1..=50 {
        let why = format!("seed {n}");
        let mut random = Random(n);
        let disk = MemoryDisk::new();
        let (mut journal, mut kept) = open(&disk, None).unwrap();
        disk.set(Fault::FullFrom(n));
        if let Err((records, error)) = fill(&mut journal, &mut random, 60, &mut kept) {
            refused += 1;
            assert!(matches!(error, JournalError::Full), "{error}: {why}");
            let again = append(&mut journal, &records);
            assert!(matches!(again, Err(JournalError::Full)), "{why}");
            assert_eq!(judge_reads(&journal, &kept, &why), kept.len());
            if random.chance() {
                disk.cut(Cut::Torn, &mut random);
                let (reopened, replayed) = open(&disk, None).unwrap();
                assert_eq!(replayed, kept, "{why}");
                journal = reopened;
            }
            disk.set(Fault::None);
            kept.extend(append(&mut journal, &records).unwrap());
        }
        disk.set(Fault::None);
        fill(&mut journal, &mut random, 10, &mut kept).unwrap();
        drop(journal);
        disk.cut(Cut::All, &mut random);
        assert_eq!(open(&disk, None).unwrap().1, kept, "{why}");
    }
    assert!(refused > 40, "{refused} of 50 runs met the full disk");
}

// JRN-5: a single refusal for lack of space is Full where the block can be taken back for certain,
// and stops the journal where it is durable already; either way nothing is lost.
#[test]
fn lack_of_space_at_any_write_loses_nothing() {
    for n in 1..=50 {
        let why = format!("seed {n}");
        let mut random = Random(n);
        let disk = MemoryDisk::new();
        let (mut journal, mut kept) = open(&disk, None).unwrap();
        disk.set(Fault::FullOnce(n));
        let Err((records, error)) = fill(&mut journal, &mut random, 60, &mut kept) else {
            panic!("no write was refused: {why}");
        };
        if matches!(error, JournalError::Full) {
            kept.extend(append(&mut journal, &records).unwrap());
        } else {
            let again = append(&mut journal, &records);
            assert!(matches!(again, Err(JournalError::Poisoned)), "{why}");
        }
        drop(journal);
        let (mut journal, replayed) = open(&disk, None).unwrap();
        judge(&replayed, &kept, &records, &why);
        kept = replayed;
        fill(&mut journal, &mut random, 5, &mut kept).unwrap();
        assert_eq!(open(&disk, None).unwrap().1, kept, "{why}");
    }
}
