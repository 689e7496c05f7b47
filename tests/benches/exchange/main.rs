//! The exchange against its physical floor.
//!
//! The floor is the same cryptography, transport and syncs in a bare loop (`floor.rs`), run in
//! two processes as the real path is, alternating with it. One line per case and contestant, and
//! the ratio of the two. `--quick` measures every case briefly and the ones with a bar three
//! times; without it every case is measured three times for longer. `--only SIZE/CONCURRENCY/MODE`
//! picks one case.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};

use case::{Case, Figures, Mode};

mod case;
mod floor;
mod measure;
mod real;

/// Runs a case once, with its files in the given directory.
type Run = fn(&Case, &Path) -> anyhow::Result<Figures>;

/// In the order in which they alternate; ratios are taken to the first.
const CONTESTANTS: &[(&str, Run)] = &[("floor", floor::run), ("real", real::run)];

const SIZES: [usize; 5] = [200, 2048, 16 * 1024, 256 * 1024, 1024 * 1024];
const CONCURRENCIES: [usize; 3] = [1, 64, 256];

/// Cases that a bar is set for; they are measured longest.
const BARS: [(usize, usize, Mode); 4] = [
    (2048, 256, Mode::Single),
    (2048, 256, Mode::Batch),
    (2048, 256, Mode::Shared),
    (2048, 1, Mode::Single),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--role", "floor-sender", case, directory, port, peer] => floor::sender::main(
            &case.parse()?,
            Path::new(directory),
            port.parse()?,
            peer.parse()?,
        ),
        ["--role", "floor-receiver", case, directory] => {
            floor::receiver::main(&case.parse()?, Path::new(directory))
        }
        ["--role", "real-sender", case, scene, directory, peer] => {
            real::sender::main(&case.parse()?, scene, Path::new(directory), peer.parse()?)
        }
        ["--role", "real-receiver", scene, directory] => {
            real::receiver(scene, Path::new(directory))
        }
        ["--role", ..] => bail!("unknown role"),
        // `cargo test --all-targets` starts benchmarks too, without this word.
        _ if !words.contains(&"--bench") => Ok(()),
        _ => compare(&plan(&words)?),
    }
}

struct Planned {
    case: Case,
    rounds: usize,
}

fn plan(words: &[&str]) -> anyhow::Result<Vec<Planned>> {
    let quick = words.contains(&"--quick");
    let only = words.iter().position(|word| *word == "--only");
    let only = only.map(|place| words.get(place + 1).context("--only needs a case"));
    let only = only
        .transpose()?
        .map(|text| format!("{text}/0/0").parse::<Case>());
    let only = only.transpose()?;
    let mut points: Vec<(usize, usize, Mode)> = Vec::new();
    for mode in [Mode::Single, Mode::Batch] {
        for size in SIZES {
            points.extend(CONCURRENCIES.map(|concurrency| (size, concurrency, mode)));
        }
    }
    points.push((2048, 256, Mode::Shared));
    if let Some(only) = only {
        points = vec![(only.size, only.concurrency, only.mode)];
    }
    let planned = points.into_iter().map(|(size, concurrency, mode)| {
        let barred = BARS.contains(&(size, concurrency, mode));
        let (measured_ms, rounds) = match (quick, barred) {
            (true, false) => (800, 1),
            (true, true) => (1200, 3),
            (false, _) => (3000, 3),
        };
        let case = Case {
            size,
            concurrency,
            mode,
            warm_up: Duration::from_millis(if quick { 300 } else { 700 }),
            measured: Duration::from_millis(measured_ms),
        };
        Planned { case, rounds }
    });
    Ok(planned.collect())
}

fn compare(plan: &[Planned]) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    floor::prepare(directory.path())?;
    for Planned { case, rounds } in plan {
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); CONTESTANTS.len()];
        for _ in 0..*rounds {
            for ((name, run), figures) in CONTESTANTS.iter().zip(&mut runs) {
                let result = run(case, directory.path());
                figures.push(result.with_context(|| format!("{name}, {case}"))?);
            }
        }
        let medians: Vec<Figures> = runs.iter().map(|run| Figures::median(run)).collect();
        for ((name, _), figures) in CONTESTANTS.iter().zip(&medians) {
            println!("{name:<5} {case} {figures}");
        }
        for figures in medians.iter().skip(1) {
            println!("{}", case::ratio_lines(case, &medians[0], figures));
        }
    }
    Ok(())
}
