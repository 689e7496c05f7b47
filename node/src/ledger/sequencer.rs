//! The single writer: what waits becomes one journal block, one checkpoint and one sync.
//!
//! Self-clocking group commit: while one block is being synced the next one gathers, so a busy
//! node writes large blocks and an idle one answers after a single sync. Nobody hears of an entry
//! before its block is durable, and one signature covers all leaves of a block. Spec: NOD-1, NOD-2.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    label::Hash,
    log::{self, Checkpoint, CheckpointError, Frontier, Leaf, NoteError, checkpoint},
    receipt, v1,
};
use prost::Message;
use rand_chacha::ChaCha20Rng;
use tokio::sync::{mpsc, watch};

use super::{
    Job, LedgerError, Outcome,
    publish::Tail,
    records::{self, Record},
};
use crate::{
    bells::Bells,
    index::Index,
    journal::{Journal, JournalError, Position, RecordKind, Stub},
    metrics::Metrics,
};

mod begin;
mod erase;
mod plan;
mod queue;
mod recall;
mod reseal;
mod seen;
#[cfg(test)]
mod tests;
mod weigh;

/// Entries of one block.
pub const BLOCK_ENTRIES_MAX: usize = 1024;
/// Bytes of one block, after which no further entry is added to it.
pub const BLOCK_BYTES_MAX: usize = 6 * 1024 * 1024;
/// How often the journal's marker is synced at most.
const MARKER_INTERVAL: Duration = Duration::from_secs(1);
/// Entries that may wait for the sequencer before callers wait too.
pub const QUEUE_ENTRIES_MAX: usize = 4096;

/// Everything the single writer owns.
pub struct Sequencer {
    /// The truth.
    pub journal: Journal,
    /// What is derived from it.
    pub index: Arc<Index>,
    /// Signs checkpoints.
    pub signer: Signer,
    /// Name of the log.
    pub origin: String,
    /// This node's id, as statements name it.
    pub node: String,
    /// The tree so far.
    pub frontier: Frontier,
    /// Newest signed checkpoint.
    pub checkpoint: watch::Sender<Bytes>,
    /// Leaves not yet published.
    pub tail: Arc<Mutex<Tail>>,
    /// Time of leaves.
    pub clock: Clock,
    /// Draws their salts.
    pub rng: ChaCha20Rng,
    /// Time of the newest leaf: leaves never go back in time.
    pub last_ms: u64,
    /// Who is told after a commit.
    pub after: Arc<Bells>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// What checkpoints are signed with. Spec: LOG-24.
pub struct Signer {
    /// The key.
    pub key: SigningKey,
    /// First millisecond of which it can say nothing any more, as the roster in force has it.
    pub end_ms: watch::Receiver<Option<u64>>,
}

/// A record that is ready but for its leaf's place in the tree.
struct Planned {
    job: usize,
    kind: RecordKind,
    record: Record,
    leaf: Option<PlannedLeaf>,
    answers: bool,
    /// What takes the place of records that this one erases.
    stubs: Vec<Stub>,
}

struct PlannedLeaf {
    statement: Bytes,
    salt: [u8; 32],
    leaf: Leaf,
}

enum Plan {
    Records(Vec<Planned>),
    Answer(Outcome),
    NextBlock,
}

impl Sequencer {
    /// Serves jobs until the channel closes or the journal fails.
    ///
    /// # Errors
    /// The failure that makes further writing unsafe: the node must stop.
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), LedgerError> {
        let mut waiting: Vec<Job> = Vec::new();
        let mut marked = tokio::time::Instant::now();
        loop {
            if waiting.is_empty() {
                match jobs.recv().await {
                    Some(job) => waiting.push(job),
                    None => return Ok(()),
                }
            }
            while waiting.len() < QUEUE_ENTRIES_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                waiting.push(job);
            }
            let rest = after_block(&mut waiting);
            waiting = self.commit(waiting)?;
            waiting.extend(rest);
            // Bounds how far the marker can fall behind in a power cut, without delaying anyone.
            let idle = waiting.is_empty() && jobs.is_empty();
            if idle && marked.elapsed() > MARKER_INTERVAL {
                self.journal.sync_marker()?;
                marked = tokio::time::Instant::now();
            }
        }
    }

    /// Signs the newest head once more: with a key that has followed the one it was signed with.
    /// Nothing for an empty log. Spec: LOG-24.
    ///
    /// # Errors
    /// A failed or uncertain write, also a full disk, and a key that does not sign: the log must
    /// not be told of under its old key.
    pub fn sign_head_anew(&mut self) -> Result<(), LedgerError> {
        if self.frontier.size() == 0 {
            return Ok(());
        }
        let head = (self.frontier.size(), self.frontier.root());
        let time_ms = self.clock.now_ms().max(self.last_ms);
        let note = self.sign_head(head, time_ms)?;
        let positions = self.append(&[], Some(&note))?;
        self.settle(&[], &positions, Some(note), &mut [], &[])
    }

    /// Makes one block of `jobs` and answers them; returns those that must wait for the next.
    ///
    /// # Errors
    /// A failed or uncertain write. A full disk and a log key that does not sign are answers, not
    /// errors.
    pub fn commit(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, LedgerError> {
        let now_ms = self.clock.now_ms().max(self.last_ms);
        let mut planned = Vec::with_capacity(jobs.len());
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(jobs.len());
        let mut later = vec![false; jobs.len()];
        let mut seen = plan::Taken::new();
        for (number, job) in jobs.iter().enumerate() {
            let mut outcome = None;
            match self.plan(number, &job.entry, now_ms, &mut seen)? {
                Plan::Records(records) => planned.extend(records),
                Plan::Answer(answer) => outcome = Some(answer),
                Plan::NextBlock => later[number] = true,
            }
            outcomes.push(outcome);
        }
        self.write(planned, now_ms, &mut outcomes)?;
        let mut next = Vec::new();
        for ((job, outcome), later) in jobs.into_iter().zip(outcomes).zip(later) {
            if later {
                next.push(job);
            } else {
                // A caller that went away does not need its answer; the entry stands.
                let _ = job.reply.send(outcome.unwrap_or(Outcome::Done));
            }
        }
        Ok(next)
    }

    fn write(
        &mut self,
        mut planned: Vec<Planned>,
        now_ms: u64,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), LedgerError> {
        if planned.is_empty() {
            return Ok(());
        }
        let leaves: Vec<Hash> = planned
            .iter()
            .filter_map(|planned| planned.leaf.as_ref())
            .map(|planned| planned.leaf.hash())
            .collect();
        let grown = log::batch_append(&self.frontier, &leaves);
        let head = (grown.frontier.size(), grown.root);
        let note = match (!leaves.is_empty())
            .then(|| self.sign_head(head, now_ms))
            .transpose()
        {
            Ok(note) => note,
            // Like a full disk: nothing was written and the tree is as it was, so callers hear a
            // code that says to come again, and keep what they have. A token that comes back needs
            // no restart, and its own session has been tried anew before it gave up.
            Err(LedgerError::Signing(error)) => {
                tracing::error!("no checkpoint can be signed, so nothing is accepted: {error}");
                fail(&planned, outcomes, error.into());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut receipts = Vec::with_capacity(planned.len());
        let mut proofs = grown.proofs.into_iter();
        let mut index = self.frontier.size();
        for planned in &mut planned {
            if let (Some(leaf), Some(note)) = (&planned.leaf, &note) {
                let hashes = proofs.next().unwrap_or_default();
                let receipt = receipt::build(
                    leaf.statement.clone(),
                    &leaf.salt,
                    &leaf.leaf,
                    index,
                    &hashes,
                    note.clone(),
                );
                planned.record.receipt = receipt.encode_to_vec().into();
                index += 1;
            }
            receipts.push(planned.record.receipt.clone());
        }
        let started = Instant::now();
        match self.append(&planned, note.as_ref()) {
            Ok(positions) => {
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.metrics.block(planned.len(), micros);
                self.forget(&mut planned)?;
                self.last_ms = now_ms;
                self.frontier = grown.frontier;
                self.settle(&planned, &positions, note, outcomes, &receipts)
            }
            Err(JournalError::Full) => {
                fail(&planned, outcomes, WireCode::DiskFull);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Overwrites what the block erases, before anything is derived from it: who finds it in the
    /// journal and nothing of it in the index, finishes what it says. Spec: ERA-10.
    fn forget(&mut self, planned: &mut [Planned]) -> Result<(), JournalError> {
        let stubs = planned.iter_mut();
        let stubs = stubs.flat_map(|one| std::mem::take(&mut one.stubs));
        let stubs: Vec<Stub> = stubs.collect();
        self.journal.overwrite(&stubs)
    }

    fn sign_head(&self, (size, root): (u64, Hash), time_ms: u64) -> Result<Bytes, LedgerError> {
        let head = Checkpoint {
            origin: self.origin.clone(),
            size,
            root,
        };
        self.signer.sign(&head, time_ms)
    }

    fn append(
        &mut self,
        planned: &[Planned],
        note: Option<&Bytes>,
    ) -> Result<Vec<Position>, JournalError> {
        let encoded: Vec<(Vec<u8>, Bytes)> = planned
            .iter()
            .map(|planned| planned.record.clone().encode_in_parts())
            .collect();
        let parts: Vec<[&[u8]; 2]> = encoded
            .iter()
            .map(|(head, envelope)| [head.as_slice(), envelope.as_ref()])
            .collect();
        let mut block: Vec<(RecordKind, &[&[u8]])> = planned
            .iter()
            .zip(&parts)
            .map(|(planned, parts)| (planned.kind, parts.as_slice()))
            .collect();
        let note = note.map(|note| [note.as_ref()]);
        if let Some(note) = &note {
            block.push((records::CHECKPOINT, note.as_slice()));
        }
        self.journal.append(&block)
    }

    /// The block is durable: bring the index, the log's tail and the waiting callers up to it.
    fn settle(
        &mut self,
        planned: &[Planned],
        positions: &[Position],
        note: Option<Bytes>,
        outcomes: &mut [Option<Outcome>],
        receipts: &[Bytes],
    ) -> Result<(), LedgerError> {
        let mut changes = Vec::with_capacity(planned.len() * 2);
        for (planned, position) in planned.iter().zip(positions) {
            changes.extend(records::changes(planned.kind, *position, &planned.record)?);
        }
        self.index.apply(changes);
        {
            let mut tail = self.tail.lock().expect("no holder of the tail panics");
            let leaves = planned.iter().filter_map(|planned| planned.leaf.as_ref());
            tail.push(
                leaves.map(|leaf| *leaf.leaf.as_bytes()),
                &self.frontier,
                self.journal.end(),
                note.as_ref(),
                self.last_ms,
            );
        }
        if let Some(note) = note {
            self.checkpoint.send_replace(note);
        }
        for (planned, receipt) in planned.iter().zip(receipts) {
            self.after.committed(planned.kind, &planned.record);
            if let Some(leaf) = &planned.leaf {
                self.metrics.entry(leaf.leaf.event());
            }
            if planned.answers {
                outcomes[planned.job] = Some(if planned.leaf.is_some() {
                    Outcome::Receipt(receipt.clone())
                } else {
                    Outcome::Done
                });
            }
        }
        Ok(())
    }
}

impl Signer {
    /// Signs a head whose newest leaf is of `time_ms`.
    ///
    /// # Errors
    /// [`LedgerError::KeyEnded`]: nobody would take what it signed. [`LedgerError::Signing`].
    fn sign(&self, head: &Checkpoint, time_ms: u64) -> Result<Bytes, LedgerError> {
        if self.end_ms.borrow().is_some_and(|end_ms| time_ms >= end_ms) {
            return Err(LedgerError::KeyEnded);
        }
        checkpoint::sign(head, &self.key).map_err(|error| match error {
            CheckpointError::Note(NoteError::Signing(error)) => LedgerError::Signing(error),
            _ => LedgerError::Inconsistent,
        })
    }
}

/// Leaves what goes into the next block, urgent envelopes first, and gives back the rest. All others
/// keep the order in which they came. Spec: ADM-7.
fn after_block(waiting: &mut Vec<Job>) -> Vec<Job> {
    waiting.sort_by_key(|job| !job.entry.is_urgent());
    let mut bytes = 0;
    let fits = |job: &&Job| {
        let fits = bytes < BLOCK_BYTES_MAX;
        bytes += job.entry.bytes();
        fits
    };
    let block = waiting.iter().take(BLOCK_ENTRIES_MAX).take_while(fits);
    let length = block.count();
    waiting.split_off(length)
}

/// Nothing of a block was done.
fn fail(planned: &[Planned], outcomes: &mut [Option<Outcome>], code: WireCode) {
    for planned in planned {
        outcomes[planned.job] = Some(Outcome::Failed(code));
    }
}

/// How a member's stage is written in index keys.
#[must_use]
pub fn stage_detail(member: &str, stage: v1::Stage) -> String {
    format!("{member}\0{}", stage.as_str_name())
}
