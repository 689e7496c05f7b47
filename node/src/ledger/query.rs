//! The handle by which the rest of the node records and reads.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use frex_proto::{error::WireCode, id::EnvelopeId};
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Entry, Job, LedgerError, MessageKey, Outcome,
    publish::{Publisher, Tail},
    records::{self, DeadLetter, OutboxItem, Record, SeenLog, Sight},
};
use crate::{
    index::{Index, Table},
    journal::{JournalReader, Position, RecordKind},
};

/// Logs of which something was seen: more than rosters list.
const SEEN_LOGS_MAX: usize = 16 * 1024;

/// Reads and records; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    /// To the sequencer.
    pub jobs: mpsc::Sender<Job>,
    /// What is derived from the journal.
    pub index: Arc<Index>,
    /// The journal, for reading.
    pub reader: JournalReader,
    /// The published files.
    pub publisher: Arc<Mutex<Publisher>>,
    /// Leaves not yet published.
    pub tail: Arc<Mutex<Tail>>,
    /// Newest checkpoint, empty for an empty log.
    pub checkpoint: watch::Receiver<Bytes>,
}

/// One record with the receipt and envelope it holds.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What kind of record.
    pub kind: RecordKind,
    /// The record.
    pub record: Record,
}

impl Ledger {
    /// Records one entry and waits until it is durable.
    pub async fn record(&self, entry: Entry) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.jobs.send(Job { entry, reply }).await.is_err() {
            return Outcome::Failed(WireCode::StorageFailed);
        }
        outcome
            .await
            .unwrap_or(Outcome::Failed(WireCode::StorageFailed))
    }

    /// Records several entries, in order, in as few blocks as they fit.
    pub async fn record_all(&self, entries: Vec<Entry>) -> Vec<Outcome> {
        let mut waiting = Vec::with_capacity(entries.len());
        for entry in entries {
            let (reply, outcome) = oneshot::channel();
            // A closed channel drops the reply, and the wait below reports it.
            let _ = self.jobs.send(Job { entry, reply }).await;
            waiting.push(outcome);
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for outcome in waiting {
            outcomes.push(
                outcome
                    .await
                    .unwrap_or(Outcome::Failed(WireCode::StorageFailed)),
            );
        }
        outcomes
    }

    /// The record at `position`.
    ///
    /// # Errors
    /// Damage is an error, never other bytes.
    pub fn read(&self, position: Position) -> Result<Stored, LedgerError> {
        let (kind, bytes) = self.reader.read(position)?;
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        Ok(Stored { kind, record })
    }

    /// Every record about one message: its own receipts, peers' receipts, stages, failures.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn history(&self, message: MessageKey) -> Result<Vec<Stored>, LedgerError> {
        let found = self.history_at(message)?;
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }

    /// As [`history`](Self::history), with where each record is.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn history_at(&self, message: MessageKey) -> Result<Vec<(Position, Stored)>, LedgerError> {
        let rows = self.index.scan(Table::Message, &message.0, None, 4096)?;
        let mut found = Vec::with_capacity(rows.len());
        for (_, value) in rows {
            let tail = value.last_chunk().copied().ok_or(LedgerError::Record)?;
            found.push(Position::from_u64(u64::from_be_bytes(tail)));
        }
        found.sort_unstable();
        found
            .into_iter()
            .map(|position| Ok((position, self.read(position)?)))
            .collect()
    }

    /// The newest that was seen of another log.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn seen(&self, origin: &str) -> Result<Option<SeenLog>, LedgerError> {
        let value = self.index.get(Table::Seen, &records::seen_key(origin))?;
        let Some(value) = value else {
            return Ok(None);
        };
        let sight = Sight::parse(&value).ok_or(LedgerError::Record)?;
        self.seen_at(sight.position).map(Some)
    }

    fn seen_at(&self, position: Position) -> Result<SeenLog, LedgerError> {
        let record = self.read(position)?.record;
        record.seen.ok_or(LedgerError::Record)
    }

    /// Publishes a head of the own log with the cosignatures of outside witnesses.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn publish_cosigned(&self, note: &Bytes) -> Result<(), LedgerError> {
        self.published().publish_cosigned(note)
    }

    /// Logs that have signed two histories.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn forks(&self) -> Result<Vec<SeenLog>, LedgerError> {
        // One row for each log that was ever seen, and one that is no log.
        let rows = self.index.scan(Table::Seen, &[], None, SEEN_LOGS_MAX)?;
        let logs = rows
            .into_iter()
            .filter(|(key, _)| key != records::COSIGNED_KEY);
        let mut forks = Vec::new();
        for (_, value) in logs {
            let sight = Sight::parse(&value).ok_or(LedgerError::Record)?;
            if sight.forked {
                forks.push(self.seen_at(sight.position)?);
            }
        }
        Ok(forks)
    }

    /// The newest checkpoint of the own log that is final; empty while there is none.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn cosigned(&self) -> Result<Bytes, LedgerError> {
        let Some(value) = self.index.get(Table::Seen, records::COSIGNED_KEY)? else {
            return Ok(Bytes::new());
        };
        let position = value.as_ref().try_into().map_err(|_| LedgerError::Record)?;
        let seen = self.seen_at(Position::from_u64(u64::from_be_bytes(position)))?;
        Ok(seen.checkpoint)
    }

    /// Whether an envelope of this message was sent from here.
    ///
    /// # Errors
    /// Index damage.
    pub fn was_sent(&self, message: MessageKey, id: EnvelopeId) -> Result<bool, LedgerError> {
        for detail in [&[][..], &[id.as_ref()]] {
            let key = records::message_key(message, records::SENT_SUFFIX, detail);
            let kept = self.index.get(Table::Message, &key)?;
            let kept = kept.as_deref().and_then(records::parse_kept);
            if kept.is_some_and(|kept| kept.id == id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an envelope was delivered to this node before and answered on the record.
    ///
    /// # Errors
    /// Index damage.
    pub fn was_answered(&self, message: MessageKey, id: EnvelopeId) -> Result<bool, LedgerError> {
        for key in records::answer_keys(message, id, false) {
            let kept = self.index.get(Table::Message, &key)?;
            let kept = kept.as_deref().and_then(records::parse_kept);
            if kept.is_some_and(|kept| kept.id == id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What this node has answered an envelope that was delivered to it: refusals, then
    /// acceptance.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn answered(&self, message: MessageKey, id: EnvelopeId) -> Result<Vec<Bytes>, LedgerError> {
        let mut receipts = Vec::new();
        for key in records::answer_keys(message, id, false).into_iter().rev() {
            let kept = self.index.get(Table::Message, &key)?;
            let kept = kept.as_deref().and_then(records::parse_kept);
            if let Some(kept) = kept.filter(|kept| kept.id == id) {
                let record = self.read(kept.position)?.record;
                if record.erased {
                    return Err(LedgerError::Erased);
                }
                receipts.push(record.receipt);
            }
        }
        Ok(receipts)
    }

    /// For whom this node has accepted an envelope; nothing if it has not.
    ///
    /// # Errors
    /// Index or journal damage.
    pub fn accepted(
        &self,
        message: MessageKey,
        id: EnvelopeId,
    ) -> Result<Option<Vec<String>>, LedgerError> {
        for detail in [&[][..], &[id.as_ref()]] {
            let key = records::message_key(message, records::ACCEPTED_SUFFIX, detail);
            let kept = self.index.get(Table::Message, &key)?;
            let kept = kept.as_deref().and_then(records::parse_kept);
            if let Some(kept) = kept.filter(|kept| kept.id == id) {
                return Ok(Some(self.read(kept.position)?.record.members));
            }
        }
        Ok(None)
    }

    /// Up to `limit` deliveries that wait for `node` in the lane slot `lane` (0 is urgent), in
    /// order, after the key `after`.
    ///
    /// # Errors
    /// Index damage.
    pub fn outbox(
        &self,
        node: &str,
        lane: u8,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<OutboxItem>, LedgerError> {
        let mut prefix = records::queue_prefix(node);
        prefix.push(lane);
        let rows = self.index.scan(Table::Outbox, &prefix, after, limit)?;
        rows.into_iter()
            .map(|(key, value)| records::parse_outbox(key, &value).ok_or(LedgerError::Record))
            .collect()
    }

    /// The outbox item under `key`, if it still waits.
    ///
    /// # Errors
    /// Index damage.
    pub fn outbox_item(&self, key: &Bytes) -> Result<Option<OutboxItem>, LedgerError> {
        let value = self.index.get(Table::Outbox, key)?;
        value
            .map(|value| records::parse_outbox(key.clone(), &value).ok_or(LedgerError::Record))
            .transpose()
    }

    /// The dead letter under `key`, if there is one.
    ///
    /// # Errors
    /// Index damage.
    pub fn dead_letter(&self, key: &Bytes) -> Result<Option<DeadLetter>, LedgerError> {
        let value = self.index.get(Table::Dead, key)?;
        value
            .map(|value| records::parse_dead(key.clone(), &value).ok_or(LedgerError::Record))
            .transpose()
    }

    /// Keys of up to `limit` deliveries to any node, those that wait or the dead letters, in
    /// order, after the key `after`.
    ///
    /// # Errors
    /// Index damage.
    pub fn delivery_keys(
        &self,
        dead: bool,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Bytes>, LedgerError> {
        let table = if dead { Table::Dead } else { Table::Outbox };
        let rows = self.index.scan(table, &[], after, limit)?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    /// Up to `limit` inbox items of `member`: their keys, urgent first.
    ///
    /// # Errors
    /// Index damage.
    pub fn inbox(
        &self,
        member: &str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Bytes>, LedgerError> {
        let rows = self
            .index
            .scan(Table::Inbox, &records::queue_prefix(member), after, limit)?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    /// Where the journal ends.
    ///
    /// # Panics
    /// Never: no holder of the tail panics.
    #[must_use]
    pub fn end(&self) -> Position {
        let tail = self.tail.lock();
        tail.expect("no holder of the tail panics").end()
    }

    /// Writes the published files up to the newest leaf.
    ///
    /// # Errors
    /// Disk or index errors; the journal is not touched.
    pub fn publish(&self) -> Result<(), LedgerError> {
        self.published().publish(&self.tail, &self.index)
    }

    /// Writes the published files unless they reach `size` already.
    ///
    /// # Errors
    /// Disk or index errors; the journal is not touched.
    pub fn publish_to(&self, size: u64) -> Result<(), LedgerError> {
        let mut publisher = self.published();
        if size <= publisher.size() {
            return Ok(());
        }
        publisher.publish(&self.tail, &self.index)
    }

    /// The published files, for as long as they are held.
    ///
    /// # Panics
    /// Never: no holder of the publisher panics.
    pub fn published(&self) -> MutexGuard<'_, Publisher> {
        let publisher = self.publisher.lock();
        publisher.expect("no holder of the publisher panics")
    }
}
