//! What a recall does to the message that it withdraws, in the same block in which it is taken.
//!
//! One row of the index says for whom a message is withdrawn. Whoever plans something that the
//! row bears on looks at it, and waits for the next block if this one writes it: so it makes no
//! difference whether a recall comes before, with or after its message. Spec: RCL-8 to RCL-11.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::error::WireCode;
use prost::Message;

use super::{Plan, Planned, Sequencer, plan::Taken, queue};
use crate::{
    index::Table,
    journal::Position,
    ledger::{
        Admitted, LedgerError, MessageKey, Outcome, Recalls,
        records::{self, Record},
    },
};

/// What an envelope withdraws.
pub(super) enum Recall {
    /// These records beside its own; none if it is no recall.
    Goes(Vec<Planned>),
    /// It is not taken, or not now.
    Ends(Plan),
}

/// For whom a message was withdrawn.
pub(super) enum Withdrawn {
    For(Vec<String>),
    /// This block withdraws it.
    NextBlock,
}

impl Sequencer {
    /// Plans what a recall does; and refuses a message that is sealed again although it was
    /// withdrawn. `recipients` are those of a recall that is submitted, or those served here.
    pub(super) fn plan_recall(
        &self,
        job: usize,
        admitted: &Admitted,
        (recipients, submitted): (&[String], bool),
        resealed: bool,
        seen: &mut Taken,
    ) -> Result<Recall, LedgerError> {
        let Some(recalls) = &admitted.recalls else {
            if submitted && resealed {
                return self.refuse_withdrawn(admitted.message(), recipients, seen);
            }
            return Ok(Recall::Goes(Vec::new()));
        };
        let about = recalls.message;
        let keys = [records::SENT_SUFFIX, records::ACCEPTED_SUFFIX]
            .map(|suffix| records::message_key(about, suffix, &[]));
        let erased = records::message_key(about, records::ERASED_SUFFIX, &[]);
        let row = records::message_key(about, records::WITHDRAWN_SUFFIX, &[]);
        let taken = keys.iter().any(|key| seen.contains(key)) || seen.contains(&erased);
        if taken || !seen.insert(row) {
            return Ok(Recall::Ends(Plan::NextBlock));
        }
        if submitted && self.index.get(Table::Message, &erased)?.is_some() {
            return Ok(Recall::Ends(Plan::Answer(Outcome::Failed(
                WireCode::Erased,
            ))));
        }
        if submitted && let Some(code) = self.not_recallable(recalls, recipients)? {
            return Ok(Recall::Ends(Plan::Answer(Outcome::Failed(code))));
        }
        let mut members: BTreeSet<String> = self.withdrawn(about)?.into_iter().collect();
        members.extend(recipients.iter().cloned());
        let withdrawn = Record {
            envelope_id: Bytes::copy_from_slice(&admitted.id.0),
            inbox_keys: self.waiting(about, recipients)?,
            withdrawn: members.into_iter().collect(),
            ..Record::about(about)
        };
        let mut planned = vec![beside(job, records::WITHDRAWN, withdrawn)];
        for outbox_key in &recalls.stops {
            let Some(value) = self.index.get(Table::Outbox, outbox_key)? else {
                continue;
            };
            if !queue::take(seen, outbox_key) {
                return Ok(Recall::Ends(Plan::NextBlock));
            }
            let item = records::parse_outbox(outbox_key.clone(), &value);
            let item = item.ok_or(LedgerError::Record)?;
            let stopped = queue::dropped(&item, WireCode::Recalled);
            planned.push(beside(job, records::DROPPED, stopped));
        }
        Ok(Recall::Goes(planned))
    }

    /// For whom a message was withdrawn before this block.
    pub(super) fn withdrawn_before(
        &self,
        message: MessageKey,
        seen: &Taken,
    ) -> Result<Withdrawn, LedgerError> {
        let row = records::message_key(message, records::WITHDRAWN_SUFFIX, &[]);
        if seen.contains(&row) {
            return Ok(Withdrawn::NextBlock);
        }
        self.withdrawn(message).map(Withdrawn::For)
    }

    fn refuse_withdrawn(
        &self,
        message: MessageKey,
        recipients: &[String],
        seen: &Taken,
    ) -> Result<Recall, LedgerError> {
        Ok(match self.withdrawn_before(message, seen)? {
            Withdrawn::NextBlock => Recall::Ends(Plan::NextBlock),
            Withdrawn::For(members) if recipients.iter().any(|one| members.contains(one)) => {
                Recall::Ends(Plan::Answer(Outcome::Failed(WireCode::Recalled)))
            }
            Withdrawn::For(_) => Recall::Goes(Vec::new()),
        })
    }

    fn withdrawn(&self, message: MessageKey) -> Result<Vec<String>, LedgerError> {
        let row = records::message_key(message, records::WITHDRAWN_SUFFIX, &[]);
        let Some(value) = self.index.get(Table::Message, &row)? else {
            return Ok(Vec::new());
        };
        let kept = records::parse_kept(&value).ok_or(LedgerError::Record)?;
        Ok(self.record_at(kept.position)?.withdrawn)
    }

    /// Why a submitted recall is not taken: it must name an envelope that its sender has sent,
    /// and nobody whom the message was not for.
    fn not_recallable(
        &self,
        recalls: &Recalls,
        recipients: &[String],
    ) -> Result<Option<WireCode>, LedgerError> {
        let mut named = false;
        let mut addressed = BTreeSet::new();
        for kept in self.envelopes_of(recalls.message, records::SENT_SUFFIX)? {
            named |= kept.id == recalls.envelope;
            addressed.extend(self.statement(kept.position)?.recipients);
        }
        let known = recipients.iter().all(|one| addressed.contains(one));
        Ok(match (named, known) {
            (false, _) => Some(WireCode::NotFound),
            (true, false) => Some(WireCode::BadEnvelope),
            (true, true) => None,
        })
    }

    /// Inbox keys of these members under which the message still waits.
    fn waiting(&self, message: MessageKey, members: &[String]) -> Result<Vec<Bytes>, LedgerError> {
        let mut waiting = Vec::new();
        for kept in self.envelopes_of(message, records::ACCEPTED_SUFFIX)? {
            let record = self.record_at(kept.position)?;
            let served = record.members.iter().filter(|one| members.contains(one));
            for member in served {
                let key = records::queue_key(member, record.lane, kept.position);
                if self.index.get(Table::Inbox, &key)?.is_some() {
                    waiting.push(key.into());
                }
            }
        }
        Ok(waiting)
    }

    fn record_at(&self, position: Position) -> Result<Record, LedgerError> {
        let (_, bytes) = self.journal.reader().read(position)?;
        Record::decode(bytes).map_err(|_| LedgerError::Record)
    }
}

/// A record that goes with another, which answers for both.
fn beside(job: usize, kind: crate::journal::RecordKind, record: Record) -> Planned {
    Planned {
        answers: false,
        ..Planned::plain(job, kind, record)
    }
}
