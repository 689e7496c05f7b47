//! What becomes of a message that is erased or held. Spec: ERA-5 to ERA-12.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
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
        let holds = erase::holds(&self.index, &self.journal.reader(), entry.message)?;
        if holds.iter().any(|hold| hold.keeps(&entry.ground)) {
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
            hold_rows: holds.into_iter().map(|hold| hold.row).collect(),
            ..Record::about(entry.message)
        };
        let mut planned = self.leaf(job, records::ERASED, record, &statement, now_ms)?;
        planned.stubs = found.stubs;
        Ok(Plan::of(planned))
    }

    /// A message that is here is held for one more reason, or one of them is over. Spec: ERA-12.
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
        let holds = erase::holds(&self.index, &self.journal.reader(), entry.message)?;
        let of_it = holds
            .iter()
            .filter(|hold| hold.is_of(&entry.ground, &entry.authority));
        let record = Record {
            ground: entry.ground.clone(),
            authority: entry.authority.clone(),
            court: entry.court,
            since_ms: now_ms,
            members: vec![entry.ordered_by.clone()],
            ..Record::about(entry.message)
        };
        match entry.release {
            true => Ok(release(job, entry, of_it, record)),
            false => {
                let own = of_it
                    .into_iter()
                    .find(|hold| hold.ordered_by == entry.ordered_by);
                self.plan_held(job, (own, holds.len()), record)
            }
        }
    }

    /// A message is held: `own` is the hold that stands by the same order of the same member, beside
    /// `count` of any. It stays what it was, but that a court may now have ordered it.
    fn plan_held(
        &self,
        job: usize,
        (own, count): (Option<&erase::Hold>, usize),
        mut record: Record,
    ) -> Result<Plan, LedgerError> {
        let message = record.message.as_ref().try_into();
        let message = MessageKey(message.map_err(|_| LedgerError::Record)?);
        let row = match own {
            Some(hold) if hold.court || !record.court => return Ok(Plan::Answer(Outcome::Done)),
            Some(hold) => {
                record.since_ms = hold.since_ms;
                hold.row.clone()
            }
            None if count >= limits::HOLDS_MAX => {
                return Ok(Plan::Answer(Outcome::Failed(WireCode::TooLarge)));
            }
            None => records::hold_key(message, &record).into(),
        };
        let found = erase::find(&self.index, &self.journal.reader(), message)?;
        let Some(envelope) = found.envelope else {
            let erased = records::message_key(message, records::ERASED_SUFFIX, &[]);
            let code = match self.index.get(Table::Message, &erased)? {
                Some(_) => WireCode::Erased,
                None => WireCode::NotFound,
            };
            return Ok(Plan::Answer(Outcome::Failed(code)));
        };
        record.envelope_id = Bytes::copy_from_slice(&envelope.0);
        record.hold_rows = vec![row];
        Ok(Plan::of(Planned::plain(job, records::HELD, record)))
    }
}

/// The holds by this very order are over: the asker's own, or for who runs the node all of them. Whoever
/// wants something erased must not get rid of another's hold that keeps it.
fn release<'a>(
    job: usize,
    entry: &HoldEntry,
    of_it: impl Iterator<Item = &'a erase::Hold>,
    record: Record,
) -> Plan {
    let (theirs, others): (Vec<_>, Vec<_>) =
        of_it.partition(|hold| entry.operates || hold.ordered_by == entry.ordered_by);
    if theirs.is_empty() {
        return Plan::Answer(Outcome::Failed(match others.is_empty() {
            true => WireCode::NotFound,
            false => WireCode::OnHold,
        }));
    }
    let hold_rows = theirs.iter().map(|hold| hold.row.clone()).collect();
    let record = Record {
        hold_rows,
        ..record
    };
    Plan::of(Planned::plain(job, records::RELEASED, record))
}

/// Whether something of this block is about the message already.
fn is_touched(message: MessageKey, seen: &Taken) -> bool {
    let next = seen.range(message.0.to_vec()..).next();
    next.is_some_and(|key| key.starts_with(&message.0))
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
