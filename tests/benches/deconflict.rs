//! What deconfliction costs a member that holds much: its book, and questions to it.
//!
//! `cargo bench -p frex-tests --bench deconflict`. Members of 10^3 to 10^6 made-up identifiers; `--quick`
//! ends at 10^4. What is asserted are sizes and hits; times are printed.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use frex_client::casework::deconflict::{
    Book, DeconflictAnswer, Identifier, Question, Serving, read_answer, serve,
    store::{Begin, Desk, Holding, OwnEpoch, Settings, Store},
};
use frex_proto::{id::EnvelopeId, keys::SigningKey, limits};
use frex_tests::bench::roles::peak_mib;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

const NOW_MS: u64 = 1_900_000_000_000;
/// Identifiers of one question.
const ASKED: u64 = 64;
/// Questions of each size.
const ROUNDS: u8 = 10;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !has("--bench") {
        return Ok(());
    }
    let largest = if has("--quick") { 4 } else { 6 };
    println!(
        "{:>9}  {:>8}  {:>8}  {:>10}  {:>8}  {:>9}  {:>9}  {:>6}",
        "held", "hold s", "book s", "book bytes", "us each", "answer ms", "read ms", "MiB"
    );
    for power in 3..=largest {
        measure(10_u64.pow(power))?;
    }
    println!(
        "answer: 64 identifiers evaluated and proved; read: proof checked and looked up in the book"
    );
    Ok(())
}

fn measure(count: u64) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::of(dir.path());
    let mut settings = Settings {
        items_per_day: u32::MAX,
        items_per_day_all: u32::MAX,
        ..Settings::default()
    };
    let desk = Desk {
        email: "desk@hotline.example".to_owned(),
        ..Desk::default()
    };
    settings.desk.insert("default".to_owned(), desk);
    store.write_settings(&settings)?;
    let started = Instant::now();
    let held = (0..count).map(|number| Holding {
        identifier: phone(number),
        desk: "default".to_owned(),
        silent: false,
        source: "bench".to_owned(),
    });
    store.hold(held.collect())?;
    let hold = started.elapsed();
    let started = Instant::now();
    let own = store.begin_epoch(
        Begin {
            federation: "example",
            member: "hotline.fr",
            identity: &SigningKey::from_seed(&[7; 32]),
            now_ms: NOW_MS,
            progress: &mut |_| {},
        },
        &mut ChaCha20Rng::from_seed([1; 32]),
    )?;
    let book = started.elapsed();
    let mut rows = limits::BOOK_ROWS_MIN as u64;
    while rows < count {
        rows *= 4;
    }
    let bytes = 32 + 512 + 24 * rows;
    ensure!(
        own.epoch.book_bytes == bytes,
        "a book is as long as its class"
    );
    let [answer, read] = ask(&store, &own, count)?;
    println!(
        "{count:>9}  {:>8.2}  {:>8.2}  {:>10}  {:>8.1}  {:>9.2}  {:>9.2}  {:>6}",
        hold.as_secs_f64(),
        book.as_secs_f64(),
        own.epoch.book_bytes,
        book.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?),
        answer.as_secs_f64() * 1e3,
        read.as_secs_f64() * 1e3,
        peak_mib()?
    );
    Ok(())
}

/// The median times of an answer and of reading it.
fn ask(store: &Store, own: &OwnEpoch, count: u64) -> anyhow::Result<[Duration; 2]> {
    let book = Book::check(own.book()?, &own.epoch.book_sha256)?;
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let mut rng = ChaCha20Rng::from_seed([round; 32]);
        // Every second one is held.
        let asked = (0..ASKED).map(|item| match item % 2 {
            0 => phone((item * 997 + u64::from(round)) % count),
            _ => phone(count + item),
        });
        let question = Question::begin(asked.collect(), &mut rng)?;
        let query = question.query(&[own.epoch.book_sha256]);
        let serving = Serving {
            member: "police.es",
            envelope: EnvelopeId([round; 32]),
            query: &query,
            now_ms: NOW_MS,
        };
        let started = Instant::now();
        let served = serve(store, serving, &mut rng)?.context("it is asked once")?;
        times[0].push(started.elapsed());
        let answer: DeconflictAnswer = served.answer;
        let started = Instant::now();
        let outputs = read_answer(&question, &[round; 32], &answer, &own.epoch)?;
        let hits = outputs.iter().filter_map(|output| book.find(output));
        ensure!(hits.count() as u64 == ASKED / 2, "half of it is held");
        times[1].push(started.elapsed());
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    }))
}

fn phone(number: u64) -> Identifier {
    Identifier::parse(&format!("phone +999{number:09}")).expect("a number of twelve digits")
}
