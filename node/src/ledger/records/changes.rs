//! What follows from a record for the index.

use bytes::Bytes;

use super::*;

/// The index changes that follow from the record at `position`.
///
/// # Errors
/// [`LedgerError::Record`] if the record is not what its kind says.
pub fn changes(
    kind: RecordKind,
    position: Position,
    record: &Record,
) -> Result<Vec<Change>, LedgerError> {
    let message = record.message.as_ref().try_into();
    let message = MessageKey(message.map_err(|_| LedgerError::Record)?);
    let kept = kept_value(&record.envelope_id, position);
    let place = Bytes::copy_from_slice(&position.to_u64().to_be_bytes());
    let node = record.nodes.first().map_or("", String::as_str);
    let mut changes = Vec::with_capacity(3);
    if record.erased {
        return Ok(changes_of_stub(kind, record, message, kept));
    }
    match kind {
        ERASED => erased_changes(&mut changes, record, message, kept, &place),
        HELD => hold_changes(&mut changes, record, message, Some(&place)),
        RELEASED => hold_changes(&mut changes, record, message, None),
        SENT => {
            let key = taken_key(message, SENT_SUFFIX, record);
            changes.push(put(Table::Message, key, kept));
            needs(&mut changes, record, Need::Deliver, position);
            for node in &record.nodes {
                changes.push(outbox_put(node, record, message, position));
            }
        }
        ACCEPTED => {
            let key = taken_key(message, ACCEPTED_SUFFIX, record);
            changes.push(put(Table::Message, key, kept));
            needs(&mut changes, record, Need::Fetch, position);
            let members = record.members.iter();
            for member in members.filter(|member| !record.withdrawn.contains(member)) {
                let key = queue_key(member, record.lane, position);
                changes.push(put(Table::Inbox, key, place.clone()));
            }
        }
        REJECTED => {
            let key = message_key(message, REJECTED_SUFFIX, &[&record.envelope_id]);
            changes.push(put(Table::Message, key, kept));
        }
        STAGE => stage_changes(&mut changes, record, message, position, kept)?,
        PEER_RECEIPT => {
            let detail = [node.as_bytes(), b"\0", record.detail.as_bytes()];
            let key = message_key(message, PEER_SUFFIX, &detail);
            changes.push(put(Table::Message, key, place));
        }
        UNDELIVERABLE | REQUEUED | DROPPED => {
            ended_changes(&mut changes, kind, record, message, place);
            return Ok(changes);
        }
        WITHDRAWN => withdrawn_changes(&mut changes, record, message, kept),
        TRUST_HELD | TRUST => {
            let key = message_key(message, TRUST_SUFFIX, &[]);
            changes.push(put(Table::Message, key, kept));
        }
        ATTACHMENT_RELEASED | ATTACHMENT_REMOVED => {
            changes.push(row_change(kind, record)?);
        }
        SEEN | SEEN_LOGGED | FORKED => changes.push(seen_change(record, position)?),
        COSIGNED => changes.push(put(Table::Seen, COSIGNED_KEY.to_vec(), place)),
        // What was final of the log before says nothing of this one.
        LOG_BEGUN => changes.push(delete(Table::Seen, COSIGNED_KEY.to_vec())),
        RELAYED => {}
        _ => return Err(LedgerError::Record),
    }
    if !record.outbox_key.is_empty() {
        changes.push(delete(Table::Outbox, record.outbox_key.to_vec()));
    }
    Ok(changes)
}

/// Where it is noted that an envelope was taken: if it was sealed again, beside the first.
fn taken_key(message: MessageKey, suffix: u8, record: &Record) -> Vec<u8> {
    match record.resealed {
        true => message_key(message, suffix, &[&record.envelope_id]),
        false => message_key(message, suffix, &[]),
    }
}

/// What was given up, queued again, or dropped: dead or waiting, and never both.
fn ended_changes(
    changes: &mut Vec<Change>,
    kind: RecordKind,
    record: &Record,
    message: MessageKey,
    place: Bytes,
) {
    let ended = message_key(message, UNDELIVERABLE_SUFFIX, &[&record.outbox_key]);
    let value = outbox_value(record, message);
    let (mut waiting, mut dead) = (None, None);
    match kind {
        UNDELIVERABLE => {
            dead = Some([&value[..], &place].concat().into());
            changes.push(put(Table::Message, ended, place));
        }
        REQUEUED => {
            waiting = Some(value);
            changes.push(delete(Table::Message, ended));
        }
        // That a dead letter was given up stays true when it is gone.
        _ if record.code == 0 => {}
        _ => changes.push(put(Table::Message, ended, place)),
    }
    for (table, value) in [(Table::Outbox, waiting), (Table::Dead, dead)] {
        let key = record.outbox_key.to_vec();
        changes.push(Change { table, key, value });
    }
}

/// What stays of a record says only that its envelope was here.
fn changes_of_stub(
    kind: RecordKind,
    record: &Record,
    message: MessageKey,
    kept: Bytes,
) -> Vec<Change> {
    let key = match kind {
        SENT => taken_key(message, SENT_SUFFIX, record),
        ACCEPTED => taken_key(message, ACCEPTED_SUFFIX, record),
        REJECTED => message_key(message, REJECTED_SUFFIX, &[&record.envelope_id]),
        _ => return Vec::new(),
    };
    vec![put(Table::Message, key, kept)]
}

/// Whatever led to what is erased goes; its attachments are needed no more.
fn erased_changes(
    changes: &mut Vec<Change>,
    record: &Record,
    message: MessageKey,
    kept: Bytes,
    place: &Bytes,
) {
    let key = message_key(message, ERASED_SUFFIX, &[]);
    changes.push(put(Table::Message, key, kept));
    let listed = Bytes::copy_from_slice(&message.0);
    changes.push(put(Table::Erasure, place.to_vec(), listed));
    hold_changes(changes, record, message, None);
    for (table, keys) in [
        (Table::Message, &record.message_rows),
        (Table::Inbox, &record.inbox_keys),
        (Table::Outbox, &record.outbox_keys),
        (Table::Dead, &record.outbox_keys),
    ] {
        changes.extend(keys.iter().map(|key| delete(table, key.to_vec())));
    }
    let over = Bytes::copy_from_slice(&0_u64.to_be_bytes());
    let rows = record.attachments.iter();
    changes.extend(rows.map(|row| put(Table::Attachment, row.to_vec(), over.clone())));
}

/// The holds that a record is about stand at its place, or are over. A record of before knows one, under
/// the message's key.
fn hold_changes(
    changes: &mut Vec<Change>,
    record: &Record,
    message: MessageKey,
    place: Option<&Bytes>,
) {
    let rows = match record.hold_rows.is_empty() {
        true => vec![message.0.to_vec()],
        false => record.hold_rows.iter().map(|row| row.to_vec()).collect(),
    };
    changes.extend(rows.into_iter().map(|key| Change {
        table: Table::Hold,
        key,
        value: place.cloned(),
    }));
}

fn needs(changes: &mut Vec<Change>, record: &Record, need: Need, position: Position) {
    for root in &record.attachments {
        let key = attachment_key(root, need, position);
        changes.push(put(Table::Attachment, key, Bytes::new()));
    }
}

fn seen_change(record: &Record, position: Position) -> Result<Change, LedgerError> {
    let seen = record.seen.as_ref().ok_or(LedgerError::Record)?;
    let sight = Sight {
        position,
        forked: seen.is_fork(),
    };
    Ok(put(Table::Seen, seen_key(&seen.origin), sight.value()))
}

fn row_change(kind: RecordKind, record: &Record) -> Result<Change, LedgerError> {
    let row = record.attachments.first().ok_or(LedgerError::Record)?;
    let until_ms = Bytes::copy_from_slice(&record.until_ms.to_be_bytes());
    Ok(match kind {
        ATTACHMENT_RELEASED => put(Table::Attachment, row.to_vec(), until_ms),
        _ => delete(Table::Attachment, row.to_vec()),
    })
}

fn stage_changes(
    changes: &mut Vec<Change>,
    record: &Record,
    message: MessageKey,
    position: Position,
    kept: Bytes,
) -> Result<(), LedgerError> {
    let member = record.members.first().ok_or(LedgerError::Record)?;
    let item = queue_key(member, record.lane, Position::from_u64(record.item));
    changes.push(delete(Table::Inbox, item));
    let key = message_key(message, STAGE_SUFFIX, &[record.detail.as_bytes()]);
    changes.push(put(Table::Message, key, kept));
    for node in &record.nodes {
        changes.push(outbox_put(node, record, message, position));
    }
    Ok(())
}

fn withdrawn_changes(changes: &mut Vec<Change>, record: &Record, message: MessageKey, kept: Bytes) {
    let key = message_key(message, WITHDRAWN_SUFFIX, &[]);
    changes.push(put(Table::Message, key, kept));
    let keys = record.inbox_keys.iter();
    changes.extend(keys.map(|key| delete(Table::Inbox, key.to_vec())));
}

fn outbox_put(node: &str, record: &Record, message: MessageKey, position: Position) -> Change {
    let key = queue_key(node, record.lane, position);
    put(Table::Outbox, key, outbox_value(record, message))
}

fn outbox_value(record: &Record, message: MessageKey) -> Bytes {
    let mut value = Vec::with_capacity(32);
    value.extend_from_slice(&record.expires_ms.to_be_bytes());
    value.extend_from_slice(&record.since_ms().to_be_bytes());
    value.extend_from_slice(&message.0);
    value.into()
}

fn put(table: Table, key: Vec<u8>, value: Bytes) -> Change {
    Change {
        table,
        key,
        value: Some(value),
    }
}

fn delete(table: Table, key: Vec<u8>) -> Change {
    Change {
        table,
        key,
        value: None,
    }
}
