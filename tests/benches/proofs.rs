//! How proofs grow with the log: their sizes, what making and checking them costs, and the memory.
//!
//! `cargo bench -p frex-tests --bench proofs`. Logs of 10^3 to 10^8 made-up entries pass by as they
//! would in a node; only the tiles that the sampled proofs are made from are kept. `--quick` ends at
//! 10^6. What is asserted are counts and sizes; times are printed, each the median of all samples.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use frex_proto::{
    id::{EnvelopeId, MessageId},
    keys::SigningKey,
    log::{
        self, Checkpoint, Edge, Hash, LEAF_BYTES, Leaf, LogVerifier, ProofError, Tile, checkpoint,
    },
    receipt::{self, Statement},
    v1::{self, Event},
};
use frex_tests::bench::roles::peak_mib;
use indicatif::{ProgressBar, ProgressStyle};

const NODE: &str = "node.example-a";
const SALT: [u8; 32] = [3; 32];
const TIME_MS: u64 = 1_900_000_000_000;
/// Proofs that are made in each tree, spread over it.
const SAMPLES: u64 = 32;
/// How far the peak of memory may rise from the smallest log to the largest, MiB.
const RISE_MIB_MAX: u32 = 16;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !has("--bench") {
        return Ok(());
    }
    let largest = if has("--quick") { 6 } else { 8 };
    println!(
        "{:>11}  {:>8}  {:>9}  {:>8}  {:>8}  {:>11}  {:>8}  {:>8}  {:>7}  {:>8}  {:>6}",
        "entries",
        "stream s",
        "inclusion",
        "make us",
        "check us",
        "consistency",
        "make us",
        "check us",
        "receipt",
        "check us",
        "MiB"
    );
    let mut rows = Vec::new();
    for power in 3..=largest {
        let row = measure(10_u64.pow(power))?;
        println!(
            "{:>11}  {:>8.2}  {:>9}  {:>8.1}  {:>8.1}  {:>11}  {:>8.1}  {:>8.1}  {:>7}  {:>8.1}  {:>6}",
            row.size,
            row.stream.as_secs_f64(),
            row.inclusion.hashes,
            row.inclusion.make_us,
            row.inclusion.check_us,
            row.consistency.hashes,
            row.consistency.make_us,
            row.consistency.check_us,
            row.receipt_bytes,
            row.receipt_us,
            row.peak_mib
        );
        rows.push(row);
    }
    println!(
        "inclusion, consistency: hashes of the longest proof; receipt: bytes of the longest file"
    );
    conclude(&rows)
}

/// What one size of a log costs.
struct Row {
    size: u64,
    stream: Duration,
    inclusion: Proofs,
    consistency: Proofs,
    receipt_bytes: usize,
    receipt_us: f64,
    peak_mib: u32,
}

/// Proofs of one kind.
#[derive(Default)]
struct Proofs {
    /// Of the longest.
    hashes: usize,
    make_us: f64,
    check_us: f64,
}

/// What a pass over a log leaves.
struct Streamed {
    head: Checkpoint,
    tiles: BTreeMap<Tile, Vec<u8>>,
    /// Roots of the sizes that consistency is proved from.
    roots: BTreeMap<u64, Hash>,
}

fn measure(size: u64) -> anyhow::Result<Row> {
    let key = SigningKey::from_seed(&[7; 32]);
    let log = LogVerifier::new(log::origin("example", NODE, 1), key.verifying_key());
    let statement = statement()?;
    let started = Instant::now();
    let streamed = stream(size, &log.origin, &statement)?;
    let stream = started.elapsed();
    let note = checkpoint::sign(&streamed.head, &key)?;
    let (mut inclusion, mut consistency) = (Proofs::default(), Proofs::default());
    let (mut receipt_bytes, mut times) = (0, [const { Vec::new() }; 5]);
    for index in samples(size) {
        let (hashes, took) = timed(|| log::inclusion_proof(index, size, streamed.reader()))?;
        times[0].push(took);
        let leaf = leaf(index, &statement);
        let root = &streamed.head.root;
        let check = || log::verify_inclusion(&leaf.hash(), index, size, &hashes, root);
        times[1].push(timed(check)?.1);
        inclusion.hashes = inclusion.hashes.max(hashes.len());

        let receipt = receipt::build(
            statement.clone(),
            &SALT,
            &leaf,
            index,
            &hashes,
            note.clone(),
        );
        times[2].push(timed(|| receipt::verify(&receipt, &log, None))?.1);
        receipt_bytes = receipt_bytes.max(receipt::to_tlog_proof_text(&receipt)?.len());

        // A size like any other: the entry is the last one of the earlier tree.
        let old = index + 1;
        let (hashes, took) = timed(|| log::consistency_proof(old, size, streamed.reader()))?;
        times[3].push(took);
        let before = streamed
            .roots
            .get(&old)
            .context("every sample has its root")?;
        let check = || log::verify_consistency(old, before, size, root, &hashes);
        times[4].push(timed(check)?.1);
        consistency.hashes = consistency.hashes.max(hashes.len());
    }
    let [make, check, receipt_us, make_consistency, check_consistency] = times.map(median_us);
    (inclusion.make_us, inclusion.check_us) = (make, check);
    (consistency.make_us, consistency.check_us) = (make_consistency, check_consistency);
    Ok(Row {
        size,
        stream,
        inclusion,
        consistency,
        receipt_bytes,
        receipt_us,
        peak_mib: peak_mib()?,
    })
}

/// The first and the last entry, and others all over the log.
fn samples(size: u64) -> BTreeSet<u64> {
    let spread = (0..SAMPLES - 2).map(|place| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
    [0, size - 1].into_iter().chain(spread).collect()
}

/// Lets a log of `size` entries pass by.
fn stream(size: u64, origin: &str, statement: &Bytes) -> anyhow::Result<Streamed> {
    let samples = samples(size);
    let wanted = wanted(size, &samples)?;
    let (mut edge, mut tiles, mut roots) = (Edge::new(), BTreeMap::new(), BTreeMap::new());
    let bar = ProgressBar::new(size);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {human_pos}/{human_len} {eta}",
    )?);
    for index in 0..size {
        let hash = match samples.contains(&index) {
            true => leaf(index, statement).hash(),
            false => log::leaf_hash(&filler(index)),
        };
        let filled = edge.push(hash).into_iter();
        tiles.extend(filled.filter(|(tile, _)| wanted.contains(tile)));
        if samples.contains(&index) {
            roots.insert(index + 1, edge.root());
        }
        if index % 100_000 == 0 {
            bar.set_position(index);
        }
    }
    bar.finish_and_clear();
    tiles.extend(edge.partials());
    let head = Checkpoint {
        origin: origin.to_owned(),
        size,
        root: edge.root(),
    };
    Ok(Streamed { head, tiles, roots })
}

/// The tiles that the samples' proofs are made from.
fn wanted(size: u64, samples: &BTreeSet<u64>) -> anyhow::Result<BTreeSet<Tile>> {
    let mut wanted = BTreeSet::new();
    let mut note = |level, index| {
        wanted.extend(Tile::holding(level, index, size));
        Ok::<Hash, ProofError>([0; 32])
    };
    for index in samples {
        let _ = log::inclusion_proof(*index, size, &mut note)?;
        let _ = log::consistency_proof(index + 1, size, &mut note)?;
    }
    Ok(wanted)
}

impl Streamed {
    /// Reads subtrees as a node does: out of its tiles.
    fn reader(&self) -> impl Fn(u8, u64) -> Result<Hash, ProofError> {
        |level, index| {
            let tile = Tile::holding(level, index, self.head.size).ok_or(ProofError::Size)?;
            let content = self.tiles.get(&tile).ok_or(ProofError::Size)?;
            let hash = tile.subtree(content, level, index);
            hash.map_err(|_| ProofError::RootMismatch)
        }
    }
}

fn statement() -> anyhow::Result<Bytes> {
    let statement = Statement {
        envelope_id: Some(EnvelopeId([5; 32])),
        message_id: Some(MessageId([6; 16])),
        sender: "hotline.example".to_owned(),
        recipients: vec!["police.example".to_owned()],
        ..Statement::new(v1::Event::Accepted, NODE)
    };
    Ok(statement.encode()?)
}

fn leaf(index: u64, statement: &Bytes) -> Leaf {
    Leaf::build(Event::Accepted, TIME_MS + index, &SALT, statement)
}

/// An entry of the right size that costs nothing to make.
fn filler(index: u64) -> [u8; LEAF_BYTES] {
    let mut entry = [0; LEAF_BYTES];
    entry[..8].copy_from_slice(&index.to_be_bytes());
    entry
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let started = Instant::now();
    let made = black_box(work()?);
    Ok((made, started.elapsed()))
}

fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Whether all of it grows as the logarithm, and memory not at all.
fn conclude(rows: &[Row]) -> anyhow::Result<()> {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    // A line of base64 for each hash, and a few more digits.
    let frame = |row: &Row| row.receipt_bytes - 45 * row.inclusion.hashes;
    for row in rows {
        let height = usize::try_from((row.size - 1).ilog2() + 1)?;
        ensure!(
            row.inclusion.hashes == height,
            "{}: not log2 of the size",
            row.size
        );
        ensure!(
            row.consistency.hashes <= height + 1,
            "{}: over log2 of the size",
            row.size
        );
        ensure!(
            frame(row) <= frame(first) + 32,
            "{}: a receipt grew by more",
            row.size
        );
        ensure!(
            row.peak_mib <= first.peak_mib + RISE_MIB_MAX,
            "{}: memory grew to {} MiB",
            row.size,
            row.peak_mib
        );
    }
    println!(
        "proofs grow as log2 n: {} hashes at {}, {} at {}; memory is flat: {} to {} MiB",
        first.inclusion.hashes,
        first.size,
        last.inclusion.hashes,
        last.size,
        first.peak_mib,
        last.peak_mib
    );
    let slowest = rows.iter().map(|row| row.receipt_us).fold(0.0, f64::max);
    println!(
        "a receipt is verified in {:.3} ms at most",
        slowest / 1000.0
    );
    Ok(())
}
