//! How much a flush costs. Not a test: figures belong to the machine that made them.

use std::time::Instant;

use super::*;

/// CPU time of all living threads, microseconds.
fn cpu_us() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = tasks.map(|task| {
        let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        stat.split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0.0)
    });
    nanoseconds.sum::<f64>() / 1000.0
}

fn fill(index: &Index, random: &mut Random, count: usize) {
    let change = |random: &mut Random| {
        let key: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
        put(Table::Message, &key, &[7; 40])
    };
    index.apply((0..count).map(|_| change(random)).collect());
}

fn timed<T>(what: &str, entries: f64, work: impl FnOnce() -> T) -> T {
    let (wall, cpu) = (Instant::now(), cpu_us());
    let done = work();
    let wall = wall.elapsed().as_secs_f64() * 1e6;
    let cpu = cpu_us() - cpu;
    println!(
        "{what}: {:.2} µs CPU, {:.2} µs wall an entry",
        cpu / entries,
        wall / entries
    );
    done
}

#[test]
#[ignore = "prints figures"]
fn cost_of_a_flush() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("index");
    let index = Index::open(Some(&dir)).unwrap();
    let mut random = Random(1);
    for _ in 0..10 {
        fill(&index, &mut random, 20_000);
        index.flush(b"state").unwrap();
    }
    for _ in 0..3 {
        timed("apply 20k random 32-byte keys", 20e3, || {
            fill(&index, &mut random, 20_000);
        });
        timed("flush 20k into 200k", 20e3, || {
            index.flush(b"state").unwrap();
        });
    }
    let mut repeat = Random(1);
    fill(&index, &mut repeat, 20_000);
    timed("flush 20k that change nothing", 20e3, || {
        index.flush(b"state").unwrap();
    });
    let mut absent = Random(99);
    timed("get of an absent key", 20e3, || {
        for _ in 0..20_000 {
            let key: Vec<u8> = (0..4).flat_map(|_| absent.next().to_le_bytes()).collect();
            assert!(index.get(Table::Message, &key).unwrap().is_none());
        }
    });
    drop(index);
    let size: u64 = files(&dir)
        .iter()
        .map(|f| fs::metadata(f).unwrap().len())
        .sum();
    println!("{size} bytes of files for 260k entries");
    let index = timed("open and check of 260k entries", 260e3, || {
        Index::open(Some(&dir)).unwrap()
    });
    assert_eq!(index.moved_aside(), None);
}
