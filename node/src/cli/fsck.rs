//! `frex fsck`: checks the journal record by record and the published log against it; with
//! `--rebuild`, makes everything that follows from the journal anew.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use frex_client::environment::{Clock, Random};
use frex_proto::error::WireCode;
use rand_core::Rng;
use serde_json::json;

use super::{
    FsckArgs,
    failure::{Done, Failure, OrFail},
    files,
    log::{LogFiles, WhichLog, verify},
    output, passphrase,
};
use crate::{
    attachments::{FOLDER, survey},
    disk::{Disk, RealDisk},
    home::{CONFIG_FILE, DirLock, INDEX_DIR, JOURNAL_DIR, LOG_DIR, NodeHome},
    index::Index,
    journal::{self, JournalConfig, Summary},
    ledger::{
        LedgerError,
        replay::{self, Folders},
    },
};

/// Checks a node's data, and rebuilds what can be rebuilt if asked to.
pub fn fsck(args: &FsckArgs, json: bool) -> Done {
    let dir = files::home(&args.dir, "node", CONFIG_FILE)?;
    let _lock = DirLock::take(&dir).or_fail("the node's data cannot be checked")?;
    let summary = check_journal(&dir)?;
    let rebuilt = if args.rebuild {
        Some(rebuild(&dir)?)
    } else {
        None
    };
    let size = match LogFiles::open(&dir, &WhichLog::ANY) {
        Ok(log) => {
            verify::check(&log)?;
            log.head.size
        }
        Err(failure) if failure.code() == WireCode::NotFound => 0,
        Err(failure) => return Err(failure),
    };
    let attachments = survey(&RealDisk, &dir);
    let attachments =
        attachments.map_err(|error| Failure::file("list", &dir.join(FOLDER), &error))?;
    if json {
        output::document(json!({
            "ok": true, "published_size": size, "rebuilt_size": rebuilt,
            "journal": summary.as_ref().map(|summary| json!({
                "segments": summary.segments, "blocks": summary.blocks, "records": summary.records,
                "bytes": summary.bytes, "torn_tail": summary.torn_tail, "marker_lost": summary.marker_lost,
            })),
            "attachments": {
                "whole": attachments.whole, "partial": attachments.partial, "bytes": attachments.bytes,
            },
        }));
        return Ok(0);
    }
    print(summary.as_ref(), size);
    output::data(format_args!(
        "attachments  {} whole, {} not whole yet, {} bytes",
        attachments.whole, attachments.partial, attachments.bytes
    ));
    if let Some(size) = rebuilt {
        output::data(format_args!(
            "rebuilt      index and published log from the journal: {size} log entries"
        ));
    }
    output::data(output::good("OK"));
    Ok(0)
}

fn print(summary: Option<&Summary>, size: u64) {
    match summary {
        None => output::data("journal      empty: the node has not run yet"),
        Some(summary) => {
            output::data(format_args!(
                "journal      {} segments, {} blocks, {} records, {} bytes: every checksum holds",
                summary.segments, summary.blocks, summary.records, summary.bytes
            ));
            if summary.torn_tail {
                output::data(
                    "             a block that was never acknowledged ends it; the next start cuts it off",
                );
            }
            if summary.marker_lost {
                output::data("             its marker is missing; the next start makes it anew");
            }
        }
    }
    output::data(format_args!(
        "log          {size} published entries: tiles, root and signature agree"
    ));
}

/// None for a node that has not run yet.
fn check_journal(dir: &Path) -> Result<Option<Summary>, Failure> {
    let folder = dir.join(JOURNAL_DIR);
    let names = RealDisk
        .list(&folder)
        .map_err(|error| Failure::file("list", &folder, &error))?;
    if names.is_empty() {
        return Ok(None);
    }
    // A record that is half overwritten does not read, and what it is to become is known.
    let finished = journal::finish_erasing(&RealDisk, &folder);
    if finished.or_fail("an erasure that was cut short cannot be finished")? {
        output::message("note: an erasure that was cut short is finished");
    }
    let bar = output::progress("checking the journal");
    let checked = journal::verify(&RealDisk, &folder, &mut |done, total| {
        output::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    Ok(Some(checked.or_fail("the journal does not read back")?))
}

/// Makes index and published files from the journal; gives the size of the log.
fn rebuild(dir: &Path) -> Result<u64, Failure> {
    let home = NodeHome::open(dir, Clock::System.now_ms(), &passphrase::unlock())
        .or_fail("the node cannot be opened")?;
    let logs = home.roster.log_verifiers(&home.config.node);
    if logs.is_empty() {
        let what = "the roster does not list this node";
        return Err(Failure::new(WireCode::NotTrusted, what));
    }
    let failed = |error: LedgerError| {
        Failure::new(WireCode::from(&error), "the index cannot be rebuilt").because(&error)
    };
    let index = Index::open(Some(&dir.join(INDEX_DIR))).map_err(|error| failed(error.into()))?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folders = Folders {
        journal: dir.join(JOURNAL_DIR),
        logs: dir.join(LOG_DIR),
    };
    let config = JournalConfig {
        segment_bytes: home.config.segment_bytes,
        fill_ahead_bytes: home.config.fill_ahead_bytes,
        // Only a journal that is made takes it; one that is rebuilt from has its own.
        salt: Random::System.rng().next_u32(),
    };
    let bar = output::progress("rebuilding the index");
    let mut progress = |done, total| output::advance(&bar, done, total);
    let replayed = replay::open(&disk, &folders, config, &index, &logs, true, &mut progress);
    bar.finish_and_clear();
    let mut replay = replayed.map_err(failed)?;
    let size = replay.frontier.size();
    replay
        .publisher
        .publish(&Mutex::new(replay.tail), &index)
        .map_err(failed)?;
    Ok(size)
}
