//! How much an append costs. Not a test: figures belong to the machine that made them.

use std::time::Instant;

use super::*;
use crate::disk::RealDisk;

/// CPU time of this thread, microseconds.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = stat.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1000.0
}

#[test]
#[ignore = "prints figures"]
fn cost_of_an_append() {
    let scratch = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let config = JournalConfig::default();
    let open = || {
        let mut bytes = 0;
        let mut count = |record: Replayed| {
            bytes += record.bytes.len();
            Ok(())
        };
        let dir = scratch.path().join("journal");
        let journal = Journal::open(
            Arc::clone(&disk),
            &dir,
            config,
            None,
            &mut count,
            &mut |_, _| {},
        );
        (journal.unwrap(), bytes)
    };
    let (mut journal, _) = open();
    let bytes = Random(1).bytes(4096);
    let parts: [&[u8]; 2] = bytes.split_at(1000).into();
    let batch: Vec<(RecordKind, &[&[u8]])> = vec![(RecordKind(1), &parts); 64];
    let (blocks, records) = (500_u32, 500.0 * 64.0);
    let (wall, cpu) = (Instant::now(), cpu_us());
    let mut slowest = 0.0_f64;
    for _ in 0..blocks {
        let start = Instant::now();
        journal.append(&batch).unwrap();
        slowest = slowest.max(start.elapsed().as_secs_f64() * 1e6);
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64() * 1e6, cpu_us() - cpu);
    println!(
        "append, 4 KiB records, 64 a block: {:.2} µs CPU, {:.2} µs wall a record; slowest block {slowest:.0} µs",
        cpu / records,
        wall / records,
    );
    drop(journal);
    let start = Instant::now();
    let (_, bytes) = open();
    println!(
        "open and replay of {bytes} bytes: {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
}

#[test]
#[ignore = "prints figures"]
fn cost_of_the_parts_of_an_append() {
    let scratch = tempfile::tempdir().unwrap();
    let file = RealDisk.open(&scratch.path().join("file"), true).unwrap();
    let data = Random(1).bytes(256 * 1024);
    for what in ["growing", "over zeros or data"] {
        let (mut writes, mut syncs) = (0.0, 0.0);
        for block in 0..500 {
            let start = cpu_us();
            file.write_at(&data, block * data.len() as u64).unwrap();
            let written = cpu_us();
            file.sync_data().unwrap();
            writes += written - start;
            syncs += cpu_us() - written;
        }
        let records = 500.0 * 64.0;
        println!(
            "file {what}: {:.2} + {:.2} µs CPU a record for write and sync",
            writes / records,
            syncs / records,
        );
    }
    let start = cpu_us();
    let mut crc = 0;
    for _ in 0..500 {
        crc = crc32c::crc32c_append(crc, &data);
    }
    println!(
        "crc {crc}: {:.2} µs CPU a record",
        (cpu_us() - start) / (500.0 * 64.0)
    );
}
