//! What a node that does not run has erased and holds: read from its files, with nothing signed, no
//! key used and nobody listened to.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use frex_client::{
    client::ErasureRow,
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, v1};
use rand_core::Rng;
use tokio::sync::{mpsc, watch};

use crate::{
    cli::{
        failure::{Failure, OrFail},
        files, output,
    },
    config::NodeConfig,
    disk::{Disk, RealDisk},
    erasure,
    home::{CONFIG_FILE, DirLock, INDEX_DIR, JOURNAL_DIR, LOG_DIR, NodeHome, NodeHomeError},
    index::Index,
    journal::JournalConfig,
    ledger::{
        LedgerError,
        query::Ledger,
        replay::{self, Folders},
    },
};

const WHAT: &str = "the node's journal cannot be read";

/// All rows that the member may see; none: the node that serves it is not in this folder, or runs.
///
/// # Errors
/// The files of the node do not read.
pub fn rows(
    dir: &Path,
    home: &MemberHome,
    holds: bool,
) -> Result<Option<Vec<ErasureRow>>, Failure> {
    let Ok(folder) = files::home(dir, "node", CONFIG_FILE) else {
        return Ok(None);
    };
    let _lock = match DirLock::take(&folder) {
        Ok(lock) => lock,
        Err(NodeHomeError::Locked { .. }) => return Ok(None),
        Err(error) => return Err(error).or_fail(WHAT),
    };
    let config = NodeHome::config(&folder).or_fail(WHAT)?;
    if config.node != home.settings().home_node {
        return Ok(None);
    }
    // One that has not run yet has erased nothing, and is not to get a journal by being asked.
    let journal = folder.join(JOURNAL_DIR);
    let names = RealDisk.list(&journal);
    if names.is_ok_and(|names| names.is_empty()) {
        return Ok(Some(Vec::new()));
    }
    let roster = NodeHome::held_roster(&folder, Clock::System.now_ms()).or_fail(WHAT)?;
    let member = &home.settings().member;
    let operates = roster
        .node(&config.node)
        .is_some_and(|node| node.operator == *member);
    let ledger = open(&folder, &config, &roster.log_verifiers(&config.node));
    let ledger = ledger.map_err(|error| failed(&error))?;
    let shown = |row: &v1::ErasureRow, concerned: &[String]| {
        operates || erasure::concerns(row, concerned, member)
    };
    let (mut rows, mut after) = (Vec::new(), Bytes::new());
    loop {
        let request = v1::ListErasures { after, holds };
        let page = erasure::page(&ledger, &request, shown).map_err(|error| failed(&error))?;
        rows.extend(page.rows.into_iter().map(ErasureRow::from));
        after = page.next;
        if after.is_empty() {
            return Ok(Some(rows));
        }
    }
}

fn failed(error: &LedgerError) -> Failure {
    Failure::new(WireCode::from(error), WHAT).because(error)
}

/// A ledger into which nothing can be recorded.
fn open(
    folder: &Path,
    config: &NodeConfig,
    logs: &[frex_proto::log::LogVerifier],
) -> Result<Ledger, LedgerError> {
    let index = Arc::new(Index::open(Some(&folder.join(INDEX_DIR)))?);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folders = Folders {
        journal: folder.join(JOURNAL_DIR),
        logs: folder.join(LOG_DIR),
    };
    let settings = JournalConfig {
        segment_bytes: config.segment_bytes,
        fill_ahead_bytes: config.fill_ahead_bytes,
        // Only a journal that is made takes it.
        salt: Random::System.rng().next_u32(),
    };
    let bar = output::progress("reading the journal");
    let mut progress = |done, total| output::advance(&bar, done, total);
    let replay = replay::open(
        &disk,
        &folders,
        settings,
        &index,
        logs,
        false,
        &mut progress,
    );
    bar.finish_and_clear();
    let replay = replay?;
    let (jobs, _) = mpsc::channel(1);
    let (_, checkpoint) = watch::channel(replay.checkpoint);
    Ok(Ledger {
        jobs,
        index,
        reader: replay.journal.reader(),
        publisher: Arc::new(Mutex::new(replay.publisher)),
        tail: Arc::new(Mutex::new(replay.tail)),
        checkpoint,
    })
}
