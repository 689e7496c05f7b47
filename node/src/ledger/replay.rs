//! From the files to a running ledger: what the index missed is read from the journal again.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use frex_proto::{
    label::Hash,
    log::{ANY_TIME_MS, Frontier, LogVerifier, checkpoint},
};
use prost::Message;

use super::{
    LedgerError, erase,
    publish::{INDEX_FORM, Publisher, State, Tail},
    records::{self, Record},
};
use crate::{
    disk::Disk,
    index::Index,
    journal::{Journal, JournalConfig, JournalError, Position, Replayed},
};

/// Index changes gathered before they are written during a long replay.
const PENDING_MAX: usize = 50_000;

/// Where a ledger's files are.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Segments of the journal.
    pub journal: PathBuf,
    /// Published files of each log, in folders of its name: checkpoint and tiles.
    pub logs: PathBuf,
}

/// A ledger as the files make it.
pub struct Replay {
    /// Open for appending.
    pub journal: Journal,
    /// Name of the log that the journal goes on with.
    pub origin: String,
    /// The tree.
    pub frontier: Frontier,
    /// Leaves not yet published.
    pub tail: Tail,
    /// The published files.
    pub publisher: Publisher,
    /// Newest checkpoint, empty for an empty log.
    pub checkpoint: Bytes,
    /// Time of the newest leaf.
    pub last_ms: u64,
    /// Whether the index was made anew.
    pub rebuilt: bool,
}

/// Opens journal and log, of which these are the ones that the node has had and has, and brings `index` up to them; from nothing if `rebuild`, or if the
/// index or the published files are missing, damaged or do not agree.
///
/// # Errors
/// [`LedgerError::Inconsistent`] if the journal holds less than was published or signed: entries
/// were lost, and the node must not sign again. Journal damage; disk errors.
pub fn open(
    disk: &Arc<dyn Disk>,
    folders: &Folders,
    config: JournalConfig,
    index: &Index,
    logs: &[LogVerifier],
    rebuild: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Replay, LedgerError> {
    let resumed = if rebuild {
        None
    } else {
        resume(disk, folders, index, logs)
    };
    let rebuilt = resumed.is_none();
    let (state, publisher) = match resumed {
        Some(resumed) => resumed,
        None => {
            index.clear()?;
            let first = logs.first().ok_or(LedgerError::Inconsistent)?;
            (
                State::default(),
                Publisher::create(disk.clone(), &folders.logs, &first.origin)?,
            )
        }
    };
    let from = (state.position > 0).then(|| Position::from_u64(state.position));
    let mut replayer = Replayer::new((disk, &folders.logs), index, logs, publisher, &state)?;
    let journal = Journal::open(
        disk.clone(),
        &folders.journal,
        config,
        from,
        &mut |replayed: Replayed<'_>| replayer.take(&replayed),
        progress,
    );
    if let Some(failure) = replayer.failure.take() {
        return Err(failure);
    }
    let mut journal = journal?;
    finish_erasures(&mut journal, &replayer.erases)?;
    // Every block with leaves ends in a checkpoint; leaves after the last one are not possible in
    // a journal that reads back whole, and published entries cannot outnumber recorded ones.
    let published = published_size(disk.as_ref(), &folders.logs, replayer.log);
    let short =
        published > replayer.frontier.size() || from.is_some_and(|from| journal.end() < from);
    if short || !replayer.leaves.is_empty() {
        return Err(LedgerError::Inconsistent);
    }
    Ok(replayer.finish(journal, rebuilt))
}

/// The state in the index and the files that go with it, if they agree.
fn resume(
    disk: &Arc<dyn Disk>,
    folders: &Folders,
    index: &Index,
    logs: &[LogVerifier],
) -> Option<(State, Publisher)> {
    let state = State::decode(index.state()?).ok()?;
    if state.form != INDEX_FORM {
        return None;
    }
    let frontier = frontier_of(&state).ok()?;
    let publisher = Publisher::load(
        disk.clone(),
        &folders.logs,
        &of_checkpoint(logs, &state.checkpoint)?.origin,
        &frontier,
        state.checkpoint.clone(),
    )
    .ok()?;
    Some((state, publisher))
}

/// The log that a checkpoint of the node's own is of; the first one where nothing was logged yet.
fn of_checkpoint<'a>(logs: &'a [LogVerifier], checkpoint: &[u8]) -> Option<&'a LogVerifier> {
    if checkpoint.is_empty() {
        return logs.first();
    }
    logs.iter().find(|log| log.is_named_by(checkpoint))
}

fn frontier_of(state: &State) -> Result<Frontier, LedgerError> {
    let hashes: Option<Vec<Hash>> = state
        .frontier
        .iter()
        .map(|hash| hash.as_ref().try_into().ok())
        .collect();
    Frontier::from_hashes(state.size, hashes.ok_or(LedgerError::Record)?)
        .map_err(|_| LedgerError::Record)
}

/// Size of the published checkpoint; 0 where there is none or it is not this log's.
fn published_size(disk: &dyn Disk, logs: &Path, log: &LogVerifier) -> u64 {
    let file = logs.join(&log.origin).join("checkpoint");
    crate::disk::read_all(disk, &file, 64 * 1024)
        .ok()
        .and_then(|note| checkpoint::parse_and_verify(&note, log, ANY_TIME_MS).ok())
        .map_or(0, |checkpoint| checkpoint.size)
}

/// What the journal says is erased is, also if the node was stopped right after it said so.
/// Spec: ERA-10.
fn finish_erasures(journal: &mut Journal, erases: &[Position]) -> Result<(), LedgerError> {
    let reader = journal.reader();
    let mut stubs = Vec::new();
    for position in erases {
        stubs.extend(erase::stub_at(&reader, *position)?);
    }
    if !stubs.is_empty() {
        tracing::info!(
            records = stubs.len(),
            "an erasure that was cut short is finished"
        );
    }
    Ok(journal.overwrite(&stubs)?)
}

struct Replayer<'a> {
    disk: &'a dyn Disk,
    /// Where the logs are published.
    folder: &'a Path,
    index: &'a Index,
    logs: &'a [LogVerifier],
    /// The one that the records now are of.
    log: &'a LogVerifier,
    publisher: Publisher,
    tail: Mutex<Tail>,
    frontier: Frontier,
    leaves: Vec<[u8; 48]>,
    /// Records that are erased, or would be but for a crash.
    erases: Vec<Position>,
    checkpoint: Bytes,
    last_ms: u64,
    failure: Option<LedgerError>,
}

impl<'a> Replayer<'a> {
    fn new(
        (disk, folder): (&'a Arc<dyn Disk>, &'a Path),
        index: &'a Index,
        logs: &'a [LogVerifier],
        publisher: Publisher,
        state: &State,
    ) -> Result<Self, LedgerError> {
        let log = of_checkpoint(logs, &state.checkpoint).ok_or(LedgerError::Inconsistent)?;
        let frontier = frontier_of(state)?;
        let end = Position::from_u64(state.position);
        let tail = Tail::new(
            log.origin.clone(),
            frontier.clone(),
            end,
            state.checkpoint.clone(),
            state.last_ms,
        );
        Ok(Self {
            disk: disk.as_ref(),
            folder,
            index,
            logs,
            log,
            publisher,
            tail: Mutex::new(tail),
            frontier,
            leaves: Vec::new(),
            erases: Vec::new(),
            checkpoint: state.checkpoint.clone(),
            last_ms: state.last_ms,
            failure: None,
        })
    }

    fn finish(self, journal: Journal, rebuilt: bool) -> Replay {
        Replay {
            journal,
            origin: self.log.origin.clone(),
            frontier: self.frontier,
            tail: self
                .tail
                .into_inner()
                .expect("no holder of the tail panics"),
            publisher: self.publisher,
            checkpoint: self.checkpoint,
            last_ms: self.last_ms,
            rebuilt,
        }
    }

    fn take(&mut self, replayed: &Replayed<'_>) -> Result<(), JournalError> {
        self.apply(replayed).map_err(|failure| {
            self.failure = Some(failure);
            JournalError::Replay("the ledger refuses the record".into())
        })
    }

    fn apply(&mut self, replayed: &Replayed<'_>) -> Result<(), LedgerError> {
        if replayed.kind == records::CHECKPOINT {
            return self.close_block(replayed);
        }
        let bytes = Bytes::copy_from_slice(replayed.bytes);
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        if replayed.kind == records::LOG_BEGUN {
            self.begin(&record)?;
        }
        self.index
            .apply(records::changes(replayed.kind, replayed.position, &record)?);
        let erases = record.erases.iter().copied().map(Position::from_u64);
        self.erases.extend(erases);
        if records::has_leaf(replayed.kind) {
            let (index, leaf) = records::leaf_of(&record)?;
            if index != self.frontier.size() {
                return Err(LedgerError::Inconsistent);
            }
            self.frontier.append(leaf.hash());
            self.last_ms = self.last_ms.max(leaf.time_ms());
            self.leaves.push(*leaf.as_bytes());
        } else if self.leaves.is_empty() {
            self.extend_tail(Vec::new(), replayed.block_end, None);
        }
        Ok(())
    }

    /// Another log begins with this record, and the one before ends. Spec: BAK-20.
    fn begin(&mut self, record: &Record) -> Result<(), LedgerError> {
        self.log = records::begun_log(record, self.log, self.logs)?;
        self.publisher.publish(&self.tail, self.index)?;
        self.tail
            .lock()
            .expect("no holder of the tail panics")
            .begin(&self.log.origin);
        self.frontier = Frontier::new();
        Publisher::begin(self.disk, self.folder, &self.log.origin, &record.receipt)
    }

    /// The journal is the node's own: a key that has ended since signed it as well as the one now.
    fn close_block(&mut self, replayed: &Replayed<'_>) -> Result<(), LedgerError> {
        let signed = checkpoint::parse_and_verify(replayed.bytes, self.log, ANY_TIME_MS)
            .map_err(|_| LedgerError::Inconsistent)?;
        if signed.size != self.frontier.size() || signed.root != self.frontier.root() {
            return Err(LedgerError::Inconsistent);
        }
        self.checkpoint = Bytes::copy_from_slice(replayed.bytes);
        let leaves = std::mem::take(&mut self.leaves);
        self.extend_tail(leaves, replayed.block_end, Some(&self.checkpoint));
        if self.index.pending() > PENDING_MAX {
            self.publisher.publish(&self.tail, self.index)?;
        }
        Ok(())
    }

    fn extend_tail(&self, leaves: Vec<[u8; 48]>, end: Position, checkpoint: Option<&Bytes>) {
        let mut tail = self.tail.lock().expect("no holder of the tail panics");
        tail.push(
            leaves.into_iter(),
            &self.frontier,
            end,
            checkpoint,
            self.last_ms,
        );
    }
}
