//! What is kept of one message, to be erased. Spec: ERA-7.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::{
    erasure,
    id::{EnvelopeId, MessageId},
    limits, v1,
};
use prost::Message;

use super::{
    LedgerError, MessageKey,
    records::{self, Need, Record},
};
use crate::{
    index::{Index, Table},
    journal::{JournalReader, Position, RecordKind, Stub},
};

/// Rows of one message that are looked at: more than any message has.
const ROWS_MAX: usize = 4096;
/// Rows of holds on one message: as many as there may be, and that of a record of before.
const HOLD_ROWS_MAX: usize = limits::HOLDS_MAX + 1;

/// What would go, and what names it.
#[derive(Debug, Default)]
pub struct Found {
    /// What takes the place of each record.
    pub stubs: Vec<Stub>,
    /// Their places.
    pub positions: Vec<Position>,
    /// Bytes in them.
    pub bytes: u64,
    /// Entries of the log whose statements go, ascending.
    pub entries: BTreeSet<u64>,
    /// The envelope, if a record names one.
    pub envelope: Option<EnvelopeId>,
    /// The message id, if a record names it.
    pub message: Option<MessageId>,
    /// Who sent it, or empty.
    pub sender: String,
    /// Members served here for whom it came.
    pub members: BTreeSet<String>,
    /// Rows of the message's history that go.
    pub rows: Vec<Bytes>,
    /// Deliveries that wait or were given up.
    pub outbox_keys: Vec<Bytes>,
    /// Items that wait for members.
    pub inbox_keys: Vec<Bytes>,
    /// Rows of attachments that nothing of it needs any more.
    pub attachments: Vec<Bytes>,
}

/// Looks for up to [`limits::ERASED_ENTRIES_MAX`] records of a message that are not erased yet.
///
/// # Errors
/// Index or journal damage.
pub fn find(
    index: &Index,
    reader: &JournalReader,
    message: MessageKey,
) -> Result<Found, LedgerError> {
    let rows = index.scan(Table::Message, &message.0, None, ROWS_MAX)?;
    let mut found = Found::default();
    for (key, value) in rows {
        let suffix = key.get(message.0.len()).copied().unwrap_or_default();
        let holds = matches!(
            suffix,
            records::SENT_SUFFIX
                | records::ACCEPTED_SUFFIX
                | records::REJECTED_SUFFIX
                | records::STAGE_SUFFIX
                | records::PEER_SUFFIX
        );
        if !holds || found.stubs.len() >= limits::ERASED_ENTRIES_MAX {
            continue;
        }
        let place = value.last_chunk().copied().ok_or(LedgerError::Record)?;
        let mut place = u64::from_be_bytes(place);
        // A receipt may have taken the place of another one, which lies on in the journal.
        while place != 0 {
            place = found.take(index, reader, Position::from_u64(place))?;
        }
        if matches!(suffix, records::STAGE_SUFFIX | records::PEER_SUFFIX) {
            found.rows.push(key);
        }
    }
    Ok(found)
}

/// What is to take the place of the record at `position`; nothing if that has come to pass.
///
/// # Errors
/// Journal damage; [`LedgerError::Record`] if it is too short to hold what must stay.
pub fn stub_at(reader: &JournalReader, position: Position) -> Result<Option<Stub>, LedgerError> {
    let (kind, bytes) = reader.read(position)?;
    let record = Record::decode(bytes.clone()).map_err(|_| LedgerError::Record)?;
    if record.erased {
        return Ok(None);
    }
    stub_of(reader, position, kind, &bytes, &record).map(Some)
}

fn stub_of(
    reader: &JournalReader,
    position: Position,
    kind: RecordKind,
    bytes: &[u8],
    record: &Record,
) -> Result<Stub, LedgerError> {
    let left = records::stub(kind, record, bytes.len());
    let (head, free) = left.ok_or(LedgerError::Record)?;
    Ok(reader.stub(position, (kind, bytes), &head, free)?)
}

impl Found {
    /// Takes one record; gives the place of the one that it followed, or 0.
    fn take(
        &mut self,
        index: &Index,
        reader: &JournalReader,
        position: Position,
    ) -> Result<u64, LedgerError> {
        let (kind, bytes) = reader.read(position)?;
        let record = Record::decode(bytes.clone()).map_err(|_| LedgerError::Record)?;
        if record.erased {
            return Ok(0);
        }
        let stub = stub_of(reader, position, kind, &bytes, &record)?;
        self.stubs.push(stub);
        self.positions.push(position);
        self.bytes += bytes.len() as u64;
        self.name(kind, &record);
        self.needless(index, kind, &record, position)?;
        Ok(match kind {
            records::PEER_RECEIPT => record.item,
            _ => 0,
        })
    }

    /// What the record's statement says, as far as no other has said it.
    fn name(&mut self, kind: RecordKind, record: &Record) {
        let Ok(receipt) = v1::Receipt::decode(record.receipt.clone()) else {
            return;
        };
        if records::has_leaf(kind) {
            self.entries.insert(receipt.index);
        }
        let said = v1::Statement::decode(receipt.statement).unwrap_or_default();
        let envelope = EnvelopeId::from_slice(&said.envelope_id).ok();
        self.envelope = self.envelope.or(envelope);
        let message = MessageId::from_slice(&said.message_id).ok();
        self.message = self.message.or(message);
        if self.sender.is_empty() {
            self.sender = said.sender;
        }
        if kind == records::ACCEPTED {
            self.members.extend(said.recipients);
        }
    }

    /// What waits because of the record, and what it needs.
    fn needless(
        &mut self,
        index: &Index,
        kind: RecordKind,
        record: &Record,
        position: Position,
    ) -> Result<(), LedgerError> {
        let (owners, need) = match kind {
            records::SENT | records::STAGE => (&record.nodes, Need::Deliver),
            records::ACCEPTED => (&record.members, Need::Fetch),
            _ => return Ok(()),
        };
        for owner in owners {
            let key = Bytes::from(records::queue_key(owner, record.lane, position));
            let waits = |table| index.get(table, &key).map(|row| row.is_some());
            match kind {
                records::ACCEPTED if waits(Table::Inbox)? => self.inbox_keys.push(key),
                records::ACCEPTED => {}
                _ if waits(Table::Outbox)? || waits(Table::Dead)? => self.outbox_keys.push(key),
                _ => {}
            }
        }
        for root in &record.attachments {
            let row = Bytes::from(records::attachment_key(root, need, position));
            if index.get(Table::Attachment, &row)?.is_some() {
                self.attachments.push(row);
            }
        }
        Ok(())
    }
}

/// Why a message must not be erased: one of the orders that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its key in the index.
    pub row: Bytes,
    /// Why, as a code.
    pub ground: String,
    /// By which order or rule.
    pub authority: String,
    /// Whether a court has ordered it.
    pub court: bool,
    /// Since when, milliseconds.
    pub since_ms: u64,
    /// Who ordered it.
    pub ordered_by: String,
    /// An envelope of the message.
    pub envelope: Bytes,
}

impl Hold {
    /// Whether an erasure on this ground is refused. Spec: ERA-12.
    #[must_use]
    pub fn keeps(&self, ground: &str) -> bool {
        self.court || ground != erasure::EXONERATED
    }

    /// Whether it stands for this order.
    #[must_use]
    pub fn is_of(&self, ground: &str, authority: &str) -> bool {
        self.ground == ground && self.authority == authority
    }
}

/// The holds on a message, which stand side by side.
///
/// # Errors
/// Index or journal damage.
pub fn holds(
    index: &Index,
    reader: &JournalReader,
    message: MessageKey,
) -> Result<Vec<Hold>, LedgerError> {
    let rows = index.scan(Table::Hold, &message.0, None, HOLD_ROWS_MAX)?;
    let holds = rows.into_iter();
    holds
        .map(|(row, place)| hold_at(reader, row, &place))
        .collect()
}

/// The hold that a row of the index names.
///
/// # Errors
/// Journal damage.
pub fn hold_at(reader: &JournalReader, row: Bytes, place: &[u8]) -> Result<Hold, LedgerError> {
    let place = place.try_into().map_err(|_| LedgerError::Record)?;
    let (_, bytes) = reader.read(Position::from_u64(u64::from_be_bytes(place)))?;
    let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
    Ok(Hold {
        row,
        ordered_by: record.members.first().cloned().unwrap_or_default(),
        ground: record.ground,
        authority: record.authority,
        court: record.court,
        since_ms: record.since_ms,
        envelope: record.envelope_id,
    })
}
