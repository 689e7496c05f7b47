//! What is overwritten is gone from every file, and nothing else has changed.

use super::{
    memory::{Cut, Fault},
    *,
};
use crate::journal::erase::{FREE_BYTES, Stub};

const HEAD: &[u8] = b"gone: ........";
const FREE: usize = 6;

/// Journals of so many blocks, some of whose records are overwritten.
const BLOCKS: usize = 12;

fn stub(journal: &Journal, old: &Kept) -> Stub {
    let kind = RecordKind(old.kind);
    let reader = journal.reader();
    let made = reader.stub(old.position, (kind, &old.bytes), HEAD, FREE);
    made.expect("the head fits")
}

/// Records that are long enough, and whose bytes can be told from all others.
fn chosen(kept: &[Kept], random: &mut Random) -> Vec<usize> {
    let long = |number: &usize| kept[*number].bytes.len() >= 64;
    let mut chosen: Vec<usize> = (0..kept.len()).filter(long).collect();
    chosen.retain(|_| random.chance());
    chosen
}

/// Whether a record reads as one that was overwritten.
fn is_gone(record: &Kept, bytes: &[u8]) -> bool {
    let after = FREE + FREE_BYTES;
    bytes.len() == record.bytes.len()
        && bytes[..FREE] == HEAD[..FREE]
        && bytes[after..].iter().all(|byte| *byte == 0)
}

/// Looks for 16 bytes of every record in every file.
fn is_anywhere(disk: &MemoryDisk, records: &[&Kept]) -> bool {
    disk.paths().iter().any(|path| {
        let files = disk.meddle(path, |bytes| bytes.clone());
        records.iter().any(|record| {
            let needle = &record.bytes[24..40];
            files.windows(needle.len()).any(|bytes| bytes == needle)
        })
    })
}

// JRN-9: for any record in any block: the others read as before, every CRC holds, and what was
// overwritten is in no file.
#[test]
fn what_is_overwritten_is_gone_and_all_else_as_it_was() {
    for seed in 0..60 {
        let why = format!("seed {seed}");
        let mut random = Random(seed);
        let (disk, mut kept) = written(seed, BLOCKS);
        let (mut journal, _) = open(&disk, None).unwrap();
        let chosen = chosen(&kept, &mut random);
        // By themselves, and several of one block at once.
        for some in chosen.chunks(1 + usize::try_from(random.below(5)).unwrap()) {
            let stubs: Vec<Stub> = some.iter().map(|at| stub(&journal, &kept[*at])).collect();
            journal.overwrite(&stubs).expect("a disk that works");
        }
        let gone: Vec<&Kept> = chosen.iter().map(|at| &kept[*at]).collect();
        assert!(!is_anywhere(&disk, &gone), "{why}");
        let reader = journal.reader();
        for at in &chosen {
            let (kind, bytes) = reader.read(kept[*at].position).unwrap();
            assert_eq!(kind.0, kept[*at].kind, "{why}");
            assert!(is_gone(&kept[*at], &bytes), "{why}");
            kept[*at].bytes = bytes.to_vec();
        }
        assert_eq!(judge_reads(&journal, &kept, &why), kept.len(), "{why}");
        fill(&mut journal, &mut random, 2, &mut kept).unwrap();
        drop(journal);
        let summary = verify(&*disk, dir(), &mut |_, _| {}).expect("every CRC holds");
        assert_eq!(summary.records, kept.len() as u64, "{why}");
        assert_eq!(open(&disk, None).unwrap().1, kept, "{why}");
    }
}

/// The power goes at operation `n` of an overwriting: what is found then is as it was, or gone,
/// and no third thing.
fn cut_short(seed: u64, n: u64, cut: Cut) -> bool {
    let why = format!("seed {seed}, power cut at operation {n}, {cut:?}");
    let mut random = Random(seed);
    let (disk, mut kept) = written(seed, 4);
    let (mut journal, _) = open(&disk, None).unwrap();
    let chosen = chosen(&kept, &mut random);
    let stubs: Vec<Stub> = chosen.iter().map(|at| stub(&journal, &kept[*at])).collect();
    disk.set(Fault::PowerAt(n));
    let done = journal.overwrite(&stubs);
    assert_eq!(done.is_err(), journal.is_poisoned(), "{why}");
    disk.cut(cut, &mut random);
    for _ in 0..2 {
        disk.set(Fault::PowerAt(1 + random.below(8)));
        drop(open(&disk, None));
        disk.cut(cut, &mut random);
    }
    let (mut journal, replayed) = open(&disk, None).unwrap_or_else(|e| panic!("{e}: {why}"));
    let gone: Vec<bool> = chosen
        .iter()
        .map(|at| is_gone(&kept[*at], &replayed[*at].bytes))
        .collect();
    let all = gone.iter().all(|gone| *gone);
    assert!(all || gone.iter().all(|gone| !gone), "some only: {why}");
    assert!(all || done.is_err(), "said to be gone: {why}");
    let stubs: Vec<Stub> = match all {
        true => Vec::new(),
        false => chosen.iter().map(|at| stub(&journal, &kept[*at])).collect(),
    };
    journal.overwrite(&stubs).expect("a disk that works");
    let old: Vec<&Kept> = chosen.iter().map(|at| &kept[*at]).collect();
    assert!(!is_anywhere(&disk, &old), "{why}");
    for at in chosen {
        kept[at].bytes = journal.reader().read(kept[at].position).unwrap().1.to_vec();
    }
    assert_eq!(open(&disk, None).unwrap().1, kept, "{why}");
    done.is_ok()
}

// JRN-10: wherever the power goes, the next opening has either all or nothing overwritten.
#[test]
fn a_power_cut_leaves_all_or_nothing_overwritten() {
    for seed in 0..6 {
        for cut in [Cut::All, Cut::Some, Cut::Torn] {
            let done = (1..60).find(|n| cut_short(seed, *n, cut));
            assert!(done.is_some(), "seed {seed}: an overwriting ends some time");
        }
    }
}

// JRN-10: a file that says what is to be overwritten and is not whole, or is another journal's, is
// damage: nobody knows what it would do.
#[test]
fn a_damaged_or_strange_plan_is_refused() {
    let (disk, kept) = written(3, 4);
    let (mut journal, _) = open(&disk, None).unwrap();
    let one = kept.iter().find(|one| one.bytes.len() >= 64).unwrap();
    let stubs = [stub(&journal, one)];
    // The plan is durable once it has its name; the power goes in the middle of the writing.
    let mut plan = None;
    for n in 1..40 {
        let disk = disk.copy();
        let (mut journal, _) = open(&disk, None).unwrap();
        disk.set(Fault::PowerAt(n));
        let _ = journal.overwrite(&stubs);
        disk.cut(Cut::All, &mut Random(n));
        let path = dir().join("erasing");
        if disk.paths().contains(&path) {
            plan = Some((disk, path));
            break;
        }
    }
    let (broken, path) = plan.expect("the plan is there for a while");
    for place in [0, 9, 14, 30] {
        let disk = broken.copy();
        disk.meddle(&path, |bytes| bytes[place] ^= 1);
        let refused = matches!(open(&disk, None), Err(JournalError::Damaged { .. }));
        assert!(refused, "byte {place}");
    }
    let other = MemoryDisk::new();
    let config = JournalConfig { salt: 7, ..small() };
    let (mut nothing, mut silent) = (|_: Replayed| Ok(()), |_, _| {});
    let mut begin = || {
        Journal::open(
            other.clone(),
            dir(),
            config,
            None,
            &mut nothing,
            &mut silent,
        )
    };
    drop(begin().unwrap());
    let bytes = broken.meddle(&path, |bytes| bytes.clone());
    let copied = other.open(&path, true).unwrap();
    copied.write_at(&bytes, 0).unwrap();
    assert!(matches!(
        begin(),
        Err(JournalError::Damaged { segment: 1, .. })
    ));
    journal.overwrite(&stubs).unwrap();
    assert!(open(&broken, None).is_ok());
}

// JRN-9: a head that does not fit is refused before anything is written.
#[test]
fn a_head_longer_than_the_record_is_refused() {
    let (disk, kept) = written(4, 6);
    let (journal, _) = open(&disk, None).unwrap();
    let one = kept.iter().find(|one| !one.bytes.is_empty()).unwrap();
    let long = vec![1; one.bytes.len() + 1];
    let record = (RecordKind(one.kind), &one.bytes[..]);
    let made = journal.reader().stub(one.position, record, &long, 0);
    assert!(matches!(made, Err(JournalError::TooLarge)));
    let made = journal.reader().stub(one.position, record, b"short", 0);
    assert!(matches!(made, Err(JournalError::TooLarge)));
}

// JRN-6: block by block everything comes in order, up to where the reader is told to stop.
#[test]
fn blocks_come_one_after_the_other() {
    let (disk, kept) = written(5, 40);
    let (journal, _) = open(&disk, None).unwrap();
    let (reader, until) = (journal.reader(), journal.end());
    let (mut at, mut walked) = (Position::default(), Vec::new());
    while let Some(block) = reader.block_from(at, until).unwrap() {
        at = block.end;
        walked.extend(
            block
                .records
                .into_iter()
                .map(|(position, kind, bytes)| Kept {
                    position,
                    kind: kind.0,
                    bytes: bytes.to_vec(),
                    block_end: block.end,
                }),
        );
    }
    assert_eq!(walked, kept);
    assert_eq!(at, until);
}
