//! A day of the world's reports, filed by one platform to one hotline through two nodes, while
//! urgent ones pass.
//!
//! `cargo bench -p frex-tests --bench world_day` replays 36.2 million a year for one day: 99,178
//! made-up reports in ten languages in the bulk lane, each counted when its ACCEPTED receipt is
//! verified by the sender. `--quick` replays 4,000, `-- --reports N` any number, `-- --seed N` other
//! reports. An urgent report is filed alone every 50 ms, before and meanwhile. Platform, its node
//! and its program are one process, the hotline's node another, on this machine.

use std::path::Path;

use anyhow::{Context, bail};
use frex_tests::{
    bench::{
        roles::{self, Role, rss_mib},
        scene::{RECEIVER, SENDER, Scene, runtime},
    },
    reports::samples,
};

mod bulk;
mod urgent;

/// 36.2 million reports in 365 days.
const WORLD_DAY: usize = 99_178;
const QUICK: usize = 4_000;
/// Parts of the run whose speeds are compared.
const PARTS: usize = 10;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--role", "receiver", scene, directory] => receiver(scene, Path::new(directory)),
        ["--role", ..] => bail!("unknown role"),
        // `cargo test --all-targets` starts benchmarks too, without this word.
        _ if !words.contains(&"--bench") => Ok(()),
        _ => replay(seed(&words)?, count(&words)?),
    }
}

fn count(words: &[&str]) -> anyhow::Result<usize> {
    match number(words, "--reports")? {
        Some(number) => Ok(usize::try_from(number)?.max(PARTS)),
        None if words.contains(&"--quick") => Ok(QUICK),
        None => Ok(WORLD_DAY),
    }
}

fn seed(words: &[&str]) -> anyhow::Result<u64> {
    Ok(number(words, "--seed")?.unwrap_or(samples::SEED))
}

fn number(words: &[&str], option: &str) -> anyhow::Result<Option<u64>> {
    let Some(place) = words.iter().position(|word| *word == option) else {
        return Ok(None);
    };
    let number = words.get(place + 1);
    let number = number.with_context(|| format!("{option} needs a number"))?;
    Ok(Some(number.parse()?))
}

/// Runs the hotline's node until the parent goes.
fn receiver(scene: &str, directory: &Path) -> anyhow::Result<()> {
    roles::end_with_parent();
    let scene = Scene::from_argument(scene)?;
    runtime()?.block_on(async {
        let node = scene.start(RECEIVER, directory).await?;
        println!("ready");
        node.failed().await;
        bail!("the receiving node's storage failed")
    })
}

fn replay(seed: u64, count: usize) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path();
    let scene = Scene::new()?;
    let text = path.to_str().context("a path that is not text")?;
    let mut receiver = Role::start("receiver", &[&scene.to_argument(), text])?;
    receiver.line()?;
    scene.start_beside(SENDER, path)?;
    let pids = [std::process::id(), receiver.0.id()];
    let idle = urgent::Probe::start(scene, !seed);
    std::thread::sleep(urgent::IDLE);
    let idle = idle.end()?;
    let before = [rss_mib(pids[0])?, rss_mib(pids[1])?];
    let busy = urgent::Probe::start(scene, !seed);
    let run = bulk::run(&scene, &path.join("references"), seed, count)?;
    let busy = busy.end()?;
    let after = [rss_mib(pids[0])?, rss_mib(pids[1])?];
    println!("world_day seed={seed}");
    print(count, &run, [&idle, &busy], [before, after]);
    Ok(())
}

fn print(count: usize, run: &bulk::Run, urgent: [&urgent::Figures; 2], rss: [[f64; 2]; 2]) {
    let [idle, busy] = urgent;
    let rate = as_f64(count) / run.elapsed.as_secs_f64();
    let hours = 36_200_000.0 / rate / 3600.0;
    println!(
        "world_day reports={count} seconds={:.1} reports/s={rate:.0}",
        run.elapsed.as_secs_f64()
    );
    println!("world_year_at_this_pace hours={hours:.2}");
    let parts: Vec<String> = run.parts.iter().map(|rate| format!("{rate:.0}")).collect();
    println!("reports/s_by_tenth {}", parts.join(" "));
    let (first, last) = (run.parts[0], run.parts[PARTS - 1]);
    println!("last_tenth_over_first {:.2}", last / first);
    for (name, figures) in [("idle", idle), ("meanwhile", busy)] {
        println!(
            "urgent_{name} count={} p50_ms={:.1} p99_ms={:.1} max_ms={:.1}",
            figures.count, figures.p50_ms, figures.p99_ms, figures.max_ms
        );
    }
    println!(
        "urgent_p99_meanwhile_over_idle {:.1}",
        busy.p99_ms / idle.p99_ms
    );
    for (place, name) in ["sender", "receiver"].iter().enumerate() {
        println!(
            "rss_mib_{name} before={:.0} after={:.0}",
            rss[0][place], rss[1][place]
        );
    }
}

fn as_f64(number: usize) -> f64 {
    // Far below 2^32.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
