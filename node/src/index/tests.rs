//! The index, on disk and in memory, whole and damaged. Every loop prints its seed.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

mod figures;

/// A small generator: the seed is the whole state.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

const TABLES: [Table; 5] = [
    Table::Message,
    Table::Inbox,
    Table::Outbox,
    Table::Receipt,
    Table::Evidence,
];

fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
    Change {
        table,
        key: key.to_vec(),
        value: Some(Bytes::copy_from_slice(value)),
    }
}

fn delete(table: Table, key: &[u8]) -> Change {
    Change {
        table,
        key: key.to_vec(),
        value: None,
    }
}

/// Random changes over few keys, so that they meet; applied to the model too.
fn changes(random: &mut Random, model: &mut Model, count: usize) -> Vec<Change> {
    let mut change = |random: &mut Random| {
        let table = TABLES[usize::try_from(random.below(5)).unwrap()];
        let key = random.below(60).to_string().into_bytes();
        let value = (random.below(3) > 0).then(|| {
            let length = usize::try_from(random.below(80)).unwrap();
            vec![u8::try_from(random.below(256)).unwrap(); length]
        });
        match &value {
            Some(value) => model.insert((table, key.clone()), value.clone()),
            None => model.remove(&(table, key.clone())),
        };
        Change {
            table,
            key,
            value: value.map(Bytes::from),
        }
    };
    (0..count).map(|_| change(random)).collect()
}

fn agree(index: &Index, model: &Model, why: &str) {
    for table in TABLES {
        let expected: Vec<_> = model.iter().filter(|((t, _), _)| *t == table).collect();
        for limit in [1, 3, 1000] {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = index.scan(table, b"", after.as_deref(), limit).unwrap();
                after = page.last().map(|(key, _)| key.to_vec());
                let full = page.len() == limit;
                found.extend(page);
                if !full {
                    break;
                }
            }
            let same = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|((key, value), ((_, k), v))| key == k && value == *v);
            assert!(same, "scan of {table:?} by {limit}: {why}");
        }
        for number in 0..60 {
            let key = number.to_string().into_bytes();
            let value = index.get(table, &key).unwrap().map(|v| v.to_vec());
            assert_eq!(value, model.get(&(table, key)).cloned(), "{why}");
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

// IDX-1, IDX-2: both engines, reopened and flushed at random, hold what a map would hold.
#[test]
fn index_agrees_with_a_map_whatever_is_flushed_when() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("index");
        let on_disk = seed % 2 == 0;
        let open = || Index::open(on_disk.then_some(dir.as_path())).unwrap();
        let mut index = open();
        let mut model = Model::new();
        for round in 0..8_u8 {
            for _ in 0..random.below(4) {
                index.apply(changes(&mut random, &mut model, 40));
            }
            agree(&index, &model, &format!("seed {seed}, round {round}"));
            if random.below(2) == 0 {
                index.flush(&[round]).unwrap();
                assert_eq!(index.pending(), 0);
                if on_disk {
                    drop(index);
                    index = open();
                    assert_eq!(index.moved_aside(), None);
                }
                assert_eq!(index.state().as_deref(), Some(&[round][..]));
                agree(
                    &index,
                    &model,
                    &format!("seed {seed}, flushed in round {round}"),
                );
            }
        }
    }
}

// IDX-3: what was not flushed is gone after a restart, and the state says so.
#[test]
fn unflushed_changes_are_gone_and_the_state_is_the_old_one() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("index");
    let index = Index::open(Some(&dir)).unwrap();
    assert_eq!(index.state(), None);
    index.apply(vec![put(Table::Inbox, b"a", b"1")]);
    index.flush(b"first").unwrap();
    index.apply(vec![
        put(Table::Inbox, b"a", b"2"),
        put(Table::Inbox, b"b", b"3"),
    ]);
    drop(index);
    let index = Index::open(Some(&dir)).unwrap();
    assert_eq!(index.state().as_deref(), Some(&b"first"[..]));
    assert_eq!(
        index.get(Table::Inbox, b"a").unwrap().as_deref(),
        Some(&b"1"[..])
    );
    assert_eq!(index.get(Table::Inbox, b"b").unwrap(), None);
}

// IDX-3: put and delete between two flushes cancel out: the engine's file does not hear of them.
#[test]
fn put_and_deleted_between_flushes_is_never_written() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("index");
    let index = Index::open(Some(&dir)).unwrap();
    index.flush(b"").unwrap();
    let empty = fs::metadata(dir.join("flush")).unwrap().len();
    for number in 0..1000_u32 {
        index.apply(vec![put(Table::Outbox, &number.to_be_bytes(), b"waiting")]);
        index.apply(vec![delete(Table::Outbox, &number.to_be_bytes())]);
    }
    assert_eq!(index.scan(Table::Outbox, b"", None, 10).unwrap(), []);
    index.flush(b"").unwrap();
    assert_eq!(fs::metadata(dir.join("flush")).unwrap().len(), empty);
    assert_eq!(index.scan(Table::Outbox, b"", None, 10).unwrap(), []);
}

// IDX-1: a scan keeps to its prefix, also where keys are prefixes of each other.
#[test]
fn scan_keeps_to_its_prefix() {
    let index = Index::open(None).unwrap();
    let keys: [&[u8]; 6] = [b"", b"a", b"a\0", b"ab", b"ab\xff", b"b"];
    for (place, key) in keys.iter().enumerate() {
        index.apply(vec![
            put(Table::Inbox, key, b"x"),
            put(Table::Outbox, key, b"y"),
        ]);
        if place == 2 {
            index.flush(b"").unwrap();
        }
    }
    let keys_of = |prefix: &[u8], after: Option<&[u8]>, limit| -> Vec<Vec<u8>> {
        let found = index.scan(Table::Inbox, prefix, after, limit).unwrap();
        found.into_iter().map(|(key, _)| key.to_vec()).collect()
    };
    assert_eq!(keys_of(b"", None, 100), keys);
    assert_eq!(keys_of(b"a", None, 100), keys[1..5]);
    assert_eq!(keys_of(b"ab", Some(b"a"), 100), keys[3..5]);
    assert_eq!(keys_of(b"a", Some(b"a"), 2), keys[2..4]);
    assert_eq!(keys_of(b"c", None, 100), Vec::<Vec<u8>>::new());
    assert_eq!(keys_of(b"a", Some(b"b"), 100), Vec::<Vec<u8>>::new());
}

// IDX-1: readers see each key's old or new value while flushes run, never neither.
#[test]
fn get_during_flush_sees_every_key() {
    let scratch = tempfile::tempdir().unwrap();
    let index = Index::open(Some(&scratch.path().join("index"))).unwrap();
    let round = |round: u64| {
        let all =
            (0..2000_u32).map(|n| put(Table::Message, &n.to_be_bytes(), &round.to_be_bytes()));
        index.apply(all.collect());
    };
    round(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..12 {
                round(number);
                index.flush(&number.to_be_bytes()).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        let mut random = Random(1);
        let mut newest = 0;
        while !done.load(Ordering::Acquire) {
            let key = u32::try_from(random.below(2000)).unwrap().to_be_bytes();
            let value = index
                .get(Table::Message, &key)
                .unwrap()
                .expect("a key vanished");
            let value = u64::from_be_bytes(value[..].try_into().unwrap());
            assert!(
                value >= newest,
                "round {value} was read after round {newest}"
            );
            newest = value;
            assert_eq!(index.scan(Table::Message, b"", None, 7).unwrap().len(), 7);
        }
    });
}

// IDX-3: a flush cut short after its own file was written is completed at the next open.
#[test]
fn flush_cut_short_is_completed() {
    for seed in 0..10 {
        let mut random = Random(seed);
        let scratch = tempfile::tempdir().unwrap();
        let [dir, old] = ["index", "old"].map(|name| scratch.path().join(name));
        let mut model = Model::new();
        let index = Index::open(Some(&dir)).unwrap();
        index.apply(changes(&mut random, &mut model, 100));
        index.flush(b"old").unwrap();
        drop(index);
        copy_dir(&dir, &old);
        let index = Index::open(Some(&dir)).unwrap();
        index.apply(changes(&mut random, &mut model, 100));
        index.flush(b"new").unwrap();
        drop(index);
        // The engine as it was before, the flush's own file as it is after.
        fs::copy(dir.join("flush"), old.join("flush")).unwrap();
        let index = Index::open(Some(&old)).unwrap();
        assert_eq!(index.state().as_deref(), Some(&b"new"[..]), "seed {seed}");
        agree(&index, &model, &format!("seed {seed}"));
    }
}

/// An index of three flushes, and what it held after each; the first model is of an empty one.
fn three_flushes(dir: &Path) -> Vec<Model> {
    let mut random = Random(1);
    let index = Index::open(Some(dir)).unwrap();
    let mut models = vec![Model::new()];
    for round in 1..=3_u8 {
        let mut model = models.last().unwrap().clone();
        index.apply(changes(&mut random, &mut model, 150));
        let many = (0..800_u32).map(|n| {
            put(
                Table::Evidence,
                &[&[b'n', round][..], &n.to_be_bytes()].concat(),
                &[round; 40],
            )
        });
        index.apply(many.collect());
        index.flush(&[round]).unwrap();
        models.push(model);
    }
    models
}

// IDX-4: any flipped bit in any file leaves the index right, at an older flush, or moved aside
// and empty. Never other entries than the state says.
#[test]
fn damaged_index_is_moved_aside_and_empty() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = scratch.path().join("whole");
    let models = three_flushes(&whole);
    let (mut right, mut aside) = (0, 0);
    for seed in 0..120 {
        let mut random = Random(seed);
        let dir = scratch.path().join("index");
        copy_dir(&whole, &dir);
        let all = files(&dir);
        let path = &all[usize::try_from(random.below(all.len() as u64)).unwrap()];
        let mut bytes = fs::read(path).unwrap();
        // Most of sled's file is padding; what it used is at the front.
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        if used == 0 {
            fs::remove_dir_all(&dir).unwrap();
            continue;
        }
        let bit = random.below(used as u64 * 8);
        bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        fs::write(path, bytes).unwrap();
        let why = format!("seed {seed}, bit {bit} of {:?}", path.file_name());
        let index = Index::open(Some(&dir)).unwrap_or_else(|error| panic!("{error}: {why}"));
        match (index.moved_aside(), index.state()) {
            (Some(path), state) => {
                aside += 1;
                assert!(path.is_dir() && state.is_none(), "{why}");
                assert_eq!(
                    index.scan(Table::Evidence, b"", None, 5).unwrap(),
                    [],
                    "{why}"
                );
                index.apply(vec![put(Table::Inbox, b"rebuilt", b"1")]);
                index.flush(b"rebuilt").unwrap();
            }
            (None, state) => {
                right += 1;
                let round = state.as_ref().map_or(0, |state| state[0]);
                let count = index.scan(Table::Evidence, b"n", None, 9999).unwrap().len();
                assert_eq!(count, usize::from(round) * 800, "{why}");
                for ((table, key), value) in &models[usize::from(round)] {
                    let found = index.get(*table, key).unwrap();
                    assert_eq!(found.as_deref(), Some(&value[..]), "{why}");
                }
            }
        }
        drop(index);
        fs::remove_dir_all(&dir).unwrap();
        let _ = fs::remove_dir_all(scratch.path().join("index.damaged"));
    }
    println!("{right} right, {aside} moved aside");
    assert!(
        right > 10 && aside > 10,
        "{right} right, {aside} moved aside"
    );
}

// IDX-4: clearing forgets entries, waiting changes and state, on disk too.
#[test]
fn cleared_index_is_empty_after_a_restart_too() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("index");
    let index = Index::open(Some(&dir)).unwrap();
    index.apply(vec![put(Table::Inbox, b"a", b"1")]);
    index.flush(b"state").unwrap();
    index.apply(vec![put(Table::Inbox, b"b", b"1")]);
    index.clear().unwrap();
    agree(&index, &Model::new(), "cleared");
    assert_eq!((index.pending(), index.state()), (0, None));
    index.apply(vec![put(Table::Inbox, b"c", b"2")]);
    index.flush(b"next").unwrap();
    drop(index);
    let index = Index::open(Some(&dir)).unwrap();
    assert_eq!(index.state().as_deref(), Some(&b"next"[..]));
    assert_eq!(index.scan(Table::Inbox, b"", None, 9).unwrap().len(), 1);
}

// IDX-4: an index that another opener holds is refused, not moved aside.
#[test]
fn held_index_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("index");
    let index = Index::open(Some(&dir)).unwrap();
    assert!(matches!(Index::open(Some(&dir)), Err(IndexError::Io(_))));
    drop(index);
    assert!(Index::open(Some(&dir)).unwrap().moved_aside().is_none());
}

// IDX-1: a state over its limit is refused and changes nothing.
#[test]
fn oversized_state_is_refused() {
    let index = Index::open(None).unwrap();
    index.apply(vec![put(Table::Inbox, b"a", b"1")]);
    let huge = vec![0; STATE_BYTES_MAX + 1];
    assert!(matches!(index.flush(&huge), Err(IndexError::TooLarge)));
    assert_eq!(index.pending(), 1);
    assert!(
        index
            .get(Table::Inbox, &[0; KEY_BYTES_MAX + 1])
            .unwrap()
            .is_none()
    );
}
