//! `frex log prune`: takes old entries away from a published copy, by the rule of C2SP tlog-tiles.
//! Spec: AUD-8, AUD-9.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    limits,
    log::{Leaf, Tile},
};
use serde_json::json;

use super::{LogFiles, WhichLog, export, source::MINIMUM};
use crate::{
    cli::{
        failure::{Done, Failure, OrCode},
        files, output,
        time::{Span, rfc3339},
    },
    home::CONFIG_FILE,
};

/// `frex log prune`.
#[derive(Debug, Args)]
pub struct LogPruneArgs {
    /// A copy that `frex log export` made
    pub dir: PathBuf,
    #[command(flatten)]
    pub which: WhichLog,
    /// Take away the entries before this one
    #[arg(long, value_name = "ENTRY", required_unless_present = "older_than")]
    pub below: Option<u64>,
    /// Take away the entries that are older than this (400d)
    #[arg(long, value_name = "SPAN", conflicts_with = "below")]
    pub older_than: Option<Span>,
    /// Do it; without, only what would be done is said
    #[arg(long)]
    pub confirm: bool,
}

/// Takes away what ends at or below the first entry that is kept.
pub fn prune(args: &LogPruneArgs, json: bool) -> Done {
    let is_node = files::home(&args.dir, "node", CONFIG_FILE).is_ok();
    if is_node || export::is_within_node(&args.dir) {
        let what = format!("{} is a node, and no copy of a log", args.dir.display());
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("a node proves old entries out of the files that it publishes")
            .advise(format!("frex log export COPY {}", args.dir.display())));
    }
    let log = LogFiles::open(&args.dir, &args.which)?;
    let now_ms = Clock::System.now_ms();
    let before = log.source.minimum()?;
    let minimum = match (args.below, args.older_than) {
        (Some(below), _) => below,
        (None, span) => {
            let span_ms = span.map_or(limits::PUBLISHED_MS_MIN, Span::as_ms);
            first_since(&log, before, now_ms.saturating_sub(span_ms))?
        }
    };
    check(&log, before, minimum, now_ms)?;
    let folder = &log.folder;
    let gone: Vec<Tile> = Tile::below(0, minimum).collect();
    let there = gone
        .iter()
        .filter(|tile| folder.join(tile.path()).is_file());
    let files = there.count();
    if args.confirm {
        // First what is said of it: an auditor who misses a file then finds the reason.
        export::replace(&folder.join(MINIMUM), format!("{minimum}\n").as_bytes())?;
        take_away(folder, &gone)?;
    }
    if json {
        output::document(json!({
            "origin": log.head.origin, "before": before, "minimum": minimum, "files": files,
            "done": args.confirm,
        }));
        return Ok(0);
    }
    let done = match args.confirm {
        true => "pruned",
        false => "would prune",
    };
    output::data(format_args!(
        "{done}  {}   entries before #{minimum}, {}",
        folder.display(),
        output::counted(files, "file")
    ));
    if !args.confirm {
        output::data("Next: the same with --confirm. Receipts carry their proofs and stay good.");
    }
    Ok(0)
}

/// Whether the entries before `minimum` may go. Spec: AUD-8, AUD-9.
fn check(log: &LogFiles, before: u64, minimum: u64, now_ms: u64) -> Result<(), Failure> {
    if minimum > log.head.size || minimum < before {
        let what = format!(
            "this copy holds the entries #{before} to #{}",
            log.head.size
        );
        return Err(Failure::new(WireCode::BadInput, what).advise("Name an entry between these"));
    }
    if minimum == before {
        return Ok(());
    }
    let time_ms = time_of(log, minimum - 1)?;
    let until_ms = time_ms.saturating_add(limits::PUBLISHED_MS_MIN);
    if until_ms <= now_ms {
        return Ok(());
    }
    let what = format!("entry #{} must stay published", minimum - 1);
    let days = limits::PUBLISHED_MS_MIN / (24 * 60 * 60 * 1000);
    Err(Failure::new(WireCode::TooYoung, what).cause(format!(
        "it is of {} and stays for {days} days, until {}",
        rfc3339(time_ms),
        rfc3339(until_ms)
    )))
}

/// The first entry from `low` on that is not older than `time_ms`; the times of a log never go back.
fn first_since(log: &LogFiles, low: u64, time_ms: u64) -> Result<u64, Failure> {
    let (mut low, mut high) = (low, log.head.size);
    while low < high {
        let middle = low + (high - low) / 2;
        match time_of(log, middle)? < time_ms {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

fn time_of(log: &LogFiles, index: u64) -> Result<u64, Failure> {
    let what = format!("entry #{index} is no leaf of the known format");
    let leaf = Leaf::parse(&log.entry(index)?).or_code(WireCode::BadProof, what)?;
    Ok(leaf.time_ms())
}

fn take_away(folder: &Path, gone: &[Tile]) -> Result<(), Failure> {
    let bar = output::progress_of("files", Some(gone.len() as u64));
    for tile in gone {
        let path = folder.join(tile.path());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", &path, &error));
            }
            _ => export::remove_partials(folder, tile)?,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
