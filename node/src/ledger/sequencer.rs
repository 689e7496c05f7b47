//! The single writer: what waits becomes one journal block, one checkpoint and one sync.
//!
//! Self-clocking group commit: while one block is being synced the next one gathers, so a busy
//! node writes large blocks and an idle one answers after a single sync. Nobody hears of an entry
//! before its block is durable, and one signature covers all leaves of a block. Spec: NOD-1, NOD-2.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    id::EnvelopeId,
    keys::SigningKey,
    label::Hash,
    log::{self, Checkpoint, Frontier, Leaf, checkpoint},
    receipt::{self, Statement},
    v1,
};
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::Rng};
use tokio::sync::{mpsc, watch};

use super::{
    Admitted, Entry, Job, LedgerError, MessageKey, Outcome, PeerReceiptEntry, StageEntry,
    publish::Tail,
    records::{self, Record},
};
use crate::{
    bells::Bells,
    index::{Index, Table},
    journal::{Journal, JournalError, Position, RecordKind},
    metrics::Metrics,
};

/// Entries of one block.
pub const BLOCK_ENTRIES_MAX: usize = 1024;
/// Bytes of one block, after which no further entry is added to it.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries that may wait for the sequencer before callers wait too.
pub const QUEUE_ENTRIES_MAX: usize = 4096;

/// Everything the single writer owns.
pub struct Sequencer {
    /// The truth.
    pub journal: Journal,
    /// What is derived from it.
    pub index: Arc<Index>,
    /// Signs checkpoints.
    pub log_key: SigningKey,
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

/// A record that is ready but for its leaf's place in the tree.
struct Planned {
    job: usize,
    kind: RecordKind,
    record: Record,
    leaf: Option<PlannedLeaf>,
    answers: bool,
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
        loop {
            if waiting.is_empty() {
                match jobs.recv().await {
                    Some(job) => waiting.push(job),
                    None => return Ok(()),
                }
            }
            let mut bytes: usize = waiting.iter().map(|job| job.entry.bytes()).sum();
            while waiting.len() < BLOCK_ENTRIES_MAX && bytes < BLOCK_BYTES_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                bytes += job.entry.bytes();
                waiting.push(job);
            }
            waiting = self.commit(waiting)?;
        }
    }

    /// Makes one block of `jobs` and answers them; returns those that must wait for the next.
    ///
    /// # Errors
    /// A failed or uncertain write. A full disk is an answer, not an error.
    pub fn commit(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, LedgerError> {
        let now_ms = self.clock.now_ms().max(self.last_ms);
        let mut planned = Vec::with_capacity(jobs.len());
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(jobs.len());
        let mut later = vec![false; jobs.len()];
        let mut seen = BTreeMap::new();
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
        let note = if leaves.is_empty() {
            None
        } else {
            let head = Checkpoint {
                origin: self.origin.clone(),
                size: grown.frontier.size(),
                root: grown.root,
            };
            Some(checkpoint::sign(&head, &self.log_key).map_err(|_| LedgerError::Inconsistent)?)
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
                self.last_ms = now_ms;
                self.frontier = grown.frontier;
                self.settle(&planned, &positions, note, outcomes, &receipts)
            }
            Err(JournalError::Full) => {
                for planned in &planned {
                    outcomes[planned.job] = Some(Outcome::Failed(WireCode::DiskFull));
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn append(
        &mut self,
        planned: &[Planned],
        note: Option<&Bytes>,
    ) -> Result<Vec<Position>, JournalError> {
        let encoded: Vec<Vec<u8>> = planned
            .iter()
            .map(|planned| planned.record.encode_to_vec())
            .collect();
        let parts: Vec<[&[u8]; 1]> = encoded.iter().map(|bytes| [bytes.as_slice()]).collect();
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

    fn plan(
        &mut self,
        job: usize,
        entry: &Entry,
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Plan, LedgerError> {
        match entry {
            Entry::Submit {
                admitted,
                nodes,
                members,
                recipients,
            } => self.plan_submit(job, admitted, (nodes, members, recipients), now_ms, seen),
            Entry::Deliver { admitted, members } => {
                self.plan_deliver(job, admitted, members, now_ms, seen)
            }
            Entry::Reject { admitted, code } => {
                self.plan_reject(job, admitted, *code, None, now_ms, seen)
            }
            Entry::Stage(stage) => self.plan_stage(job, stage, now_ms, seen),
            Entry::PeerReceipt(receipt) => self.plan_peer_receipt(job, receipt),
            Entry::Relayed {
                outbox_key,
                message,
            } => {
                let record = Record {
                    outbox_key: outbox_key.clone(),
                    ..Record::about(*message)
                };
                Ok(Plan::Records(vec![Planned::plain(
                    job,
                    records::RELAYED,
                    record,
                )]))
            }
            Entry::Undeliverable {
                outbox_key,
                message,
                node,
                code,
            } => {
                let record = Record {
                    outbox_key: outbox_key.clone(),
                    nodes: vec![node.clone()],
                    code: *code as u32,
                    ..Record::about(*message)
                };
                Ok(Plan::Records(vec![Planned::plain(
                    job,
                    records::UNDELIVERABLE,
                    record,
                )]))
            }
        }
    }

    fn plan_submit(
        &mut self,
        job: usize,
        admitted: &Admitted,
        (nodes, members, recipients): (&[String], &[String], &[String]),
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Plan, LedgerError> {
        let key = records::message_key(admitted.message(), records::SENT_SUFFIX, &[]);
        if let Some(plan) = self.known(job, admitted, &key, now_ms, seen)? {
            return Ok(plan);
        }
        let statement = admitted.statement(v1::Event::Submitted, recipients, &self.node);
        let record = Record {
            nodes: nodes.to_vec(),
            ..admitted.record()
        };
        let mut planned = vec![self.leaf(job, records::SENT, record, &statement, now_ms)?];
        if !members.is_empty() {
            let statement = admitted.statement(v1::Event::Accepted, members, &self.node);
            let record = Record {
                members: members.to_vec(),
                ..admitted.record()
            };
            let mut accepted = self.leaf(job, records::ACCEPTED, record, &statement, now_ms)?;
            accepted.answers = false;
            planned.push(accepted);
        }
        Ok(Plan::Records(planned))
    }

    fn plan_deliver(
        &mut self,
        job: usize,
        admitted: &Admitted,
        members: &[String],
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Plan, LedgerError> {
        let key = records::message_key(admitted.message(), records::ACCEPTED_SUFFIX, &[]);
        if let Some(plan) = self.known(job, admitted, &key, now_ms, seen)? {
            return Ok(plan);
        }
        let statement = admitted.statement(v1::Event::Accepted, members, &self.node);
        let record = Record {
            members: members.to_vec(),
            ..admitted.record()
        };
        Ok(Plan::Records(vec![self.leaf(
            job,
            records::ACCEPTED,
            record,
            &statement,
            now_ms,
        )?]))
    }

    fn plan_reject(
        &mut self,
        job: usize,
        admitted: &Admitted,
        code: WireCode,
        held: Option<EnvelopeId>,
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Plan, LedgerError> {
        let key = records::message_key(
            admitted.message(),
            records::REJECTED_SUFFIX,
            &[&admitted.id.0],
        );
        if seen.insert(key.clone(), ()).is_some() {
            return Ok(Plan::NextBlock);
        }
        if let Some(kept) = self.index.get(Table::Message, &key)? {
            return self.stored_receipt(&kept);
        }
        let mut statement = admitted.statement(v1::Event::Rejected, &[], &self.node);
        statement.code = code as u32;
        statement.other_envelope_id = held;
        let record = Record {
            code: code as u32,
            ..admitted.record()
        };
        Ok(Plan::Records(vec![self.leaf(
            job,
            records::REJECTED,
            record,
            &statement,
            now_ms,
        )?]))
    }

    fn plan_stage(
        &mut self,
        job: usize,
        stage: &StageEntry,
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Plan, LedgerError> {
        let message = MessageKey::new(&stage.sender, stage.message_id);
        let detail = stage_detail(&stage.member, stage.stage);
        let key = records::message_key(message, records::STAGE_SUFFIX, &[detail.as_bytes()]);
        if seen.insert(key.clone(), ()).is_some() {
            return Ok(Plan::NextBlock);
        }
        if let Some(kept) = self.index.get(Table::Message, &key)? {
            return self.stored_receipt(&kept);
        }
        let statement = Statement {
            envelope_id: Some(stage.id),
            message_id: Some(stage.message_id),
            sender: stage.sender.clone(),
            recipients: vec![stage.member.clone()],
            member_statement: stage.statement.clone(),
            ..Statement::new(v1::Event::Stage, &self.node)
        };
        let record = Record {
            envelope_id: Bytes::copy_from_slice(&stage.id.0),
            members: vec![stage.member.clone()],
            nodes: stage.relay_to.iter().cloned().collect(),
            lane: stage.lane.into(),
            expires_ms: stage.expires_ms,
            item: stage.item.to_u64(),
            detail,
            ..Record::about(message)
        };
        Ok(Plan::Records(vec![self.leaf(
            job,
            records::STAGE,
            record,
            &statement,
            now_ms,
        )?]))
    }

    fn plan_peer_receipt(
        &mut self,
        job: usize,
        entry: &PeerReceiptEntry,
    ) -> Result<Plan, LedgerError> {
        let detail = [entry.node.as_bytes(), b"\0", entry.detail.as_bytes()];
        let key = records::message_key(entry.message, records::PEER_SUFFIX, &detail);
        if entry.outbox_key.is_none() && self.index.get(Table::Message, &key)?.is_some() {
            return Ok(Plan::Answer(Outcome::Done));
        }
        let record = Record {
            receipt: entry.receipt.clone(),
            nodes: vec![entry.node.clone()],
            outbox_key: entry.outbox_key.clone().unwrap_or_default(),
            detail: entry.detail.clone(),
            ..Record::about(entry.message)
        };
        Ok(Plan::Records(vec![Planned::plain(
            job,
            records::PEER_RECEIPT,
            record,
        )]))
    }

    /// What is due if the message id was used before: the stored receipt for the same envelope, a
    /// signed `ID_REUSE` for another one, the next block if the first use is in this one.
    fn known(
        &mut self,
        job: usize,
        admitted: &Admitted,
        key: &[u8],
        now_ms: u64,
        seen: &mut BTreeMap<Vec<u8>, ()>,
    ) -> Result<Option<Plan>, LedgerError> {
        if seen.insert(key.to_vec(), ()).is_some() {
            return Ok(Some(Plan::NextBlock));
        }
        let Some(value) = self.index.get(Table::Message, key)? else {
            return Ok(None);
        };
        let kept = records::parse_kept(&value).ok_or(LedgerError::Record)?;
        if kept.id == admitted.id {
            return self.stored_receipt(&value).map(Some);
        }
        self.plan_reject(
            job,
            admitted,
            WireCode::IdReuse,
            Some(kept.id),
            now_ms,
            seen,
        )
        .map(Some)
    }

    fn stored_receipt(&self, kept: &[u8]) -> Result<Plan, LedgerError> {
        let kept = records::parse_kept(kept).ok_or(LedgerError::Record)?;
        let (_, bytes) = self.journal.reader().read(kept.position)?;
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        Ok(Plan::Answer(Outcome::Stored(record.receipt)))
    }

    fn leaf(
        &mut self,
        job: usize,
        kind: RecordKind,
        record: Record,
        statement: &Statement,
        now_ms: u64,
    ) -> Result<Planned, LedgerError> {
        let bytes = statement.encode().map_err(|_| LedgerError::Record)?;
        let mut salt = [0; 32];
        self.rng.fill_bytes(&mut salt);
        let leaf = Leaf::build(statement.event, now_ms, &salt, &bytes);
        let leaf = Some(PlannedLeaf {
            statement: bytes,
            salt,
            leaf,
        });
        Ok(Planned {
            job,
            kind,
            record,
            leaf,
            answers: true,
        })
    }
}

impl Planned {
    fn plain(job: usize, kind: RecordKind, record: Record) -> Self {
        Self {
            job,
            kind,
            record,
            leaf: None,
            answers: true,
        }
    }
}

/// How a member's stage is written in index keys.
#[must_use]
pub fn stage_detail(member: &str, stage: v1::Stage) -> String {
    format!("{member}\0{}", stage.as_str_name())
}

impl Record {
    fn about(message: MessageKey) -> Self {
        Self {
            message: Bytes::copy_from_slice(&message.0),
            ..Self::default()
        }
    }
}

impl Admitted {
    /// The key of everything that concerns this message.
    #[must_use]
    pub fn message(&self) -> MessageKey {
        MessageKey::new(&self.sender, self.message_id)
    }

    fn statement(&self, event: v1::Event, recipients: &[String], node: &str) -> Statement {
        Statement {
            envelope_id: Some(self.id),
            message_id: Some(self.message_id),
            sender: self.sender.clone(),
            recipients: recipients.to_vec(),
            ..Statement::new(event, node)
        }
    }

    fn record(&self) -> Record {
        Record {
            envelope: self.envelope.clone(),
            envelope_id: Bytes::copy_from_slice(&self.id.0),
            lane: self.lane.into(),
            expires_ms: self.expires_ms,
            ..Record::about(self.message())
        }
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Self::Submit { admitted, .. }
            | Self::Deliver { admitted, .. }
            | Self::Reject { admitted, .. } => admitted.envelope.len(),
            Self::Stage(stage) => stage.statement.len(),
            Self::PeerReceipt(receipt) => receipt.receipt.len(),
            Self::Relayed { .. } | Self::Undeliverable { .. } => 64,
        }
    }
}
