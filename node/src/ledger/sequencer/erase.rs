//! What becomes of a message that is erased or held. Spec: ERA-5 to ERA-12.

use bytes::Bytes;
use frex_proto::{
    erasure,
    error::WireCode,
    receipt::{Erasure, Statement},
    v1,
};

use super::{Plan, Planned, Sequencer, plan::Taken, queue};
use crate::{
    index::Table,
    ledger::{
        Entry, EraseEntry, HoldEntry, LedgerError, MessageKey, Outcome, erase,
        records::{self, Record},
    },
};

impl Sequencer {
    /// What an entry about an erased message comes to, if its message is one. Nothing that is said
    /// of such a message is kept any more. Spec: ERA-9.
    pub(super) fn meets_erasure(
        &self,
        entry: &Entry,
        seen: &mut Taken,
    ) -> Result<Option<Plan>, LedgerError> {
        let Some(message) = entry.message() else {
            return Ok(None);
        };
        let erased = records::message_key(message, records::ERASED_SUFFIX, &[]);
        if seen.contains(&erased) {
            return Ok(Some(Plan::NextBlock));
        }
        // Whoever erases it later in this block must see that it was touched.
        seen.insert(records::message_key(message, records::TOUCHED_SUFFIX, &[]));
        if self.index.get(Table::Message, &erased)?.is_none() {
            return Ok(None);
        }
        Ok(match entry {
            Entry::PeerReceipt(_) => Some(Plan::Answer(Outcome::Done)),
            Entry::Attachment(of) if of.until_ms.is_none() => None,
            Entry::Attachment(_) => Some(Plan::Answer(Outcome::Done)),
            _ => Some(Plan::Answer(Outcome::Failed(WireCode::Erased))),
        })
    }

    pub(super) fn plan_erase(
        &mut self,
        job: usize,
        entry: &EraseEntry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let row = records::message_key(entry.message, records::ERASED_SUFFIX, &[]);
        if is_touched(entry.message, seen) {
            return Ok(Plan::NextBlock);
        }
        seen.insert(row.clone());
        let held = erase::hold(&self.index, &self.journal.reader(), entry.message)?;
        if held.is_some_and(|hold| hold.keeps(&entry.ground)) {
            return Ok(Plan::Answer(Outcome::Failed(WireCode::OnHold)));
        }
        let found = erase::find(&self.index, &self.journal.reader(), entry.message)?;
        let Some(envelope) = found.envelope.filter(|_| !found.stubs.is_empty()) else {
            // It may have been erased before: then it is answered as it was.
            return match self.index.get(Table::Message, &row)? {
                Some(kept) => self.stored_receipt(&kept),
                None => Ok(Plan::Answer(Outcome::Failed(WireCode::NotFound))),
            };
        };
        for key in &found.outbox_keys {
            if !queue::take(seen, key) {
                return Ok(Plan::NextBlock);
            }
        }
        let statement = Statement {
            envelope_id: Some(envelope),
            message_id: found.message,
            sender: found.sender,
            recipients: found.members.into_iter().collect(),
            erasure: Some(Erasure {
                ground: entry.ground.clone(),
                authority: entry.authority.clone(),
                entries: found.entries.into_iter().collect(),
                ordered_by: entry.ordered_by.clone(),
            }),
            ..Statement::new(v1::Event::Erased, &self.node)
        };
        let record = Record {
            envelope_id: Bytes::copy_from_slice(&envelope.0),
            erases: found.positions.iter().map(|at| at.to_u64()).collect(),
            message_rows: found.rows,
            outbox_keys: found.outbox_keys,
            inbox_keys: found.inbox_keys,
            attachments: found.attachments,
            ..Record::about(entry.message)
        };
        let mut planned = self.leaf(job, records::ERASED, record, &statement, now_ms)?;
        planned.stubs = found.stubs;
        Ok(Plan::of(planned))
    }

    /// A message that is here is held, held anew for another reason, or released.
    pub(super) fn plan_hold(
        &self,
        job: usize,
        entry: &HoldEntry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        if is_touched(entry.message, seen) {
            return Ok(Plan::NextBlock);
        }
        seen.insert(records::message_key(
            entry.message,
            records::TOUCHED_SUFFIX,
            &[],
        ));
        let reader = self.journal.reader();
        let held = erase::hold(&self.index, &reader, entry.message)?;
        let record = Record {
            ground: entry.ground.clone(),
            authority: entry.authority.clone(),
            court: entry.court,
            since_ms: now_ms,
            members: vec![entry.ordered_by.clone()],
            ..Record::about(entry.message)
        };
        if entry.release {
            return Ok(match held {
                Some(_) => Plan::of(Planned::plain(job, records::RELEASED, record)),
                None => Plan::Answer(Outcome::Failed(WireCode::NotFound)),
            });
        }
        let found = erase::find(&self.index, &reader, entry.message)?;
        let Some(envelope) = found.envelope else {
            let erased = records::message_key(entry.message, records::ERASED_SUFFIX, &[]);
            let code = match self.index.get(Table::Message, &erased)? {
                Some(_) => WireCode::Erased,
                None => WireCode::NotFound,
            };
            return Ok(Plan::Answer(Outcome::Failed(code)));
        };
        let record = Record {
            envelope_id: Bytes::copy_from_slice(&envelope.0),
            ..record
        };
        Ok(Plan::of(Planned::plain(job, records::HELD, record)))
    }
}

/// Whether something of this block is about the message already.
fn is_touched(message: MessageKey, seen: &Taken) -> bool {
    let next = seen.range(message.0.to_vec()..).next();
    next.is_some_and(|key| key.starts_with(&message.0))
}

impl erase::Hold {
    /// Whether an erasure on this ground is refused. Spec: ERA-12.
    #[must_use]
    pub fn keeps(&self, ground: &str) -> bool {
        self.court || ground != erasure::EXONERATED
    }
}

impl Entry {
    /// The message that an entry says something new of; none of one that only ends what waits.
    fn message(&self) -> Option<MessageKey> {
        match self {
            Self::Submit { admitted, .. }
            | Self::Deliver { admitted, .. }
            | Self::Reject { admitted, .. } => Some(admitted.message()),
            Self::Refuse { message, .. } => Some(*message),
            Self::Stage(stage) => Some(MessageKey::new(&stage.sender, stage.message_id)),
            Self::PeerReceipt(entry) => Some(entry.message),
            Self::Attachment(entry) => entry.message.as_ref().try_into().ok().map(MessageKey),
            _ => None,
        }
    }
}
