//! Erasing what this node keeps of a message, and keeping what must not be erased.
//!
//! The ledger writes ERASED and overwrites the records; here the attachments go that nothing else
//! needs, and it is told what would go and what has gone. Spec: chapter ERA.

use bytes::Bytes;
use frex_proto::{error::WireCode, limits, log::Leaf, v1};
use prost::Message;

use crate::{
    attachments::{Attachments, keep},
    index::Table,
    journal::Position,
    ledger::{
        Entry, EraseEntry, LedgerError, MessageKey, Outcome, erase,
        query::Ledger,
        records::{self, AttachmentRow},
    },
};

pub mod retention;

/// Rows looked at for one page, after which it ends.
const LOOKED_AT_MAX: usize = 512;

/// Erases a message; gives the receipt of it, the one of before if it was erased before.
///
/// # Errors
/// The code by which it is refused: `ON_HOLD`, `NOT_FOUND`, or what failed.
pub async fn erase(
    ledger: &Ledger,
    attachments: &Attachments,
    entry: &EraseEntry,
) -> Result<Bytes, WireCode> {
    let mut newest = None;
    // A message with very many records takes several rounds.
    let receipt = loop {
        match ledger.record(Entry::Erase(entry.clone())).await {
            Outcome::Receipt(receipt) => newest = Some(receipt),
            Outcome::Stored(receipt) => break newest.unwrap_or(receipt),
            Outcome::Failed(code) => return Err(code),
            Outcome::Done => return Err(WireCode::StorageFailed),
        }
    };
    let failed = |error: LedgerError| WireCode::from(&error);
    for row in history(ledger, entry.message).map_err(failed)? {
        let rows = row.attachments.iter();
        let rows = rows.filter_map(|key| AttachmentRow::parse(key, &[0; 8]));
        let removed = keep::remove_erased(ledger, attachments, rows.collect()).await;
        removed.map_err(failed)?;
    }
    Ok(receipt)
}

/// The erasures of a message.
fn history(
    ledger: &Ledger,
    message: MessageKey,
) -> Result<impl Iterator<Item = records::Record>, LedgerError> {
    let history = ledger.history(message)?.into_iter();
    let erased = history.filter(|stored| stored.kind == records::ERASED);
    Ok(erased.map(|stored| stored.record))
}

/// Removes the attachments of what was erased when the node was stopped in the middle of it.
///
/// # Errors
/// Index, journal or disk.
pub async fn finish(ledger: &Ledger, attachments: &Attachments) -> Result<(), LedgerError> {
    let mut after: Option<Bytes> = None;
    loop {
        let rows = ledger
            .index
            .scan(Table::Attachment, &[], after.as_deref(), 256)?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        let rows = rows
            .iter()
            .filter_map(|(key, value)| AttachmentRow::parse(key, value));
        let erased = rows.filter(|row| row.until_ms == Some(0));
        keep::remove_erased(ledger, attachments, erased.collect()).await?;
    }
}

/// What would go if this were erased.
///
/// # Errors
/// `NOT_FOUND`; index or journal damage.
pub fn plan(ledger: &Ledger, entry: &EraseEntry) -> Result<v1::ErasurePlan, WireCode> {
    let failed = |error: LedgerError| WireCode::from(&error);
    let found = erase::find(&ledger.index, &ledger.reader, entry.message).map_err(failed)?;
    if found.stubs.is_empty() {
        let mut before = history(ledger, entry.message).map_err(failed)?;
        return Err(match before.next() {
            Some(_) => WireCode::Erased,
            None => WireCode::NotFound,
        });
    }
    let holds = erase::holds(&ledger.index, &ledger.reader, entry.message).map_err(failed)?;
    let kept = holds.iter().any(|hold| hold.keeps(&entry.ground));
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(v1::ErasurePlan {
        records: count(found.stubs.len()),
        bytes: found.bytes,
        entries: count(found.entries.len()),
        deliveries: count(found.outbox_keys.len()),
        inbox_items: count(found.inbox_keys.len()),
        attachments: count(found.attachments.len()),
        refusal: if kept { WireCode::OnHold as u32 } else { 0 },
    })
}

/// One page of what was erased, or of what is held, as far as `shown` lets it be seen: it is asked
/// with whom a row concerns.
///
/// # Errors
/// Index or journal damage.
pub fn page(
    ledger: &Ledger,
    request: &v1::ListErasures,
    shown: impl Fn(&v1::ErasureRow, &[String]) -> bool,
) -> Result<v1::ErasurePage, LedgerError> {
    let table = match request.holds {
        true => Table::Hold,
        false => Table::Erasure,
    };
    let after = (!request.after.is_empty()).then_some(&request.after[..]);
    let rows = ledger.index.scan(table, &[], after, LOOKED_AT_MAX)?;
    let mut page = v1::ErasurePage::default();
    let more = rows.len() == LOOKED_AT_MAX;
    for (key, place) in rows {
        let (row, concerned) = match request.holds {
            true => hold_row(ledger, &key, &place)?,
            false => erasure_row(ledger, &key)?,
        };
        if shown(&row, &concerned) {
            page.rows.push(row);
        }
        page.next = key;
        if page.rows.len() == limits::ERASURE_ROWS_MAX {
            return Ok(page);
        }
    }
    if !more {
        page.next = Bytes::new();
    }
    Ok(page)
}

/// Whether a row is about what a member sent, ordered or was to have.
#[must_use]
pub fn concerns(row: &v1::ErasureRow, concerned: &[String], member: &str) -> bool {
    let named = row.sender == member || row.ordered_by == member;
    named || concerned.iter().any(|one| one == member)
}

fn erasure_row(ledger: &Ledger, key: &[u8]) -> Result<(v1::ErasureRow, Vec<String>), LedgerError> {
    let place = key.try_into().map_err(|_| LedgerError::Record)?;
    let record = ledger.read(Position::from_u64(u64::from_be_bytes(place)))?;
    let receipt = v1::Receipt::decode(record.record.receipt).map_err(|_| LedgerError::Record)?;
    let leaf = Leaf::parse(&receipt.leaf).map_err(|_| LedgerError::Record)?;
    let said = v1::Statement::decode(receipt.statement).map_err(|_| LedgerError::Record)?;
    let row = v1::ErasureRow {
        message_id: said.message_id,
        envelope_id: said.envelope_id,
        sender: said.sender,
        ground: said.ground,
        authority: said.authority,
        ordered_by: said.ordered_by,
        time_ms: leaf.time_ms(),
        index: receipt.index,
        entries: u32::try_from(said.erased.len()).unwrap_or(u32::MAX),
        court: false,
    };
    Ok((row, said.recipients))
}

fn hold_row(
    ledger: &Ledger,
    key: &Bytes,
    place: &[u8],
) -> Result<(v1::ErasureRow, Vec<String>), LedgerError> {
    let message = key.first_chunk().copied().ok_or(LedgerError::Record)?;
    let message = MessageKey(message);
    let hold = erase::hold_at(&ledger.reader, key.clone(), place)?;
    let found = erase::find(&ledger.index, &ledger.reader, message)?;
    let row = v1::ErasureRow {
        message_id: found
            .message
            .map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0)),
        envelope_id: hold.envelope,
        sender: found.sender,
        ground: hold.ground,
        authority: hold.authority,
        ordered_by: hold.ordered_by,
        time_ms: hold.since_ms,
        court: hold.court,
        ..v1::ErasureRow::default()
    };
    Ok((row, found.members.into_iter().collect()))
}
