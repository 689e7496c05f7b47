//! What an entry becomes: records with leaves, an answer kept from before, or a wait.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::{
    error::WireCode, id::EnvelopeId, log::Leaf, receipt::Statement, roster::RosterRef, v1,
};
use prost::Message;
use rand_chacha::rand_core::Rng;

use super::{
    Plan, Planned, PlannedLeaf, Sequencer, queue,
    recall::{Recall, Withdrawn},
    stage_detail,
};
use crate::{
    index::Table,
    journal::RecordKind,
    ledger::{
        Admitted, AttachmentEntry, Entry, LedgerError, MessageKey, Outcome, PeerReceiptEntry,
        StageEntry,
        records::{self, Record},
    },
};

/// Index keys that this block has taken.
pub(super) type Taken = BTreeSet<Vec<u8>>;

/// What is known of a message id.
enum Known {
    No,
    Answer(Plan),
    /// It names this envelope.
    Other(EnvelopeId),
}

/// What is stated of an envelope that is refused for good.
#[derive(Clone, Copy)]
struct Refusal<'a> {
    code: WireCode,
    /// For whom, if it is named.
    recipients: &'a [String],
    /// The envelope that the message id names.
    held: Option<EnvelopeId>,
}

impl<'a> Refusal<'a> {
    fn new(code: WireCode, recipients: &'a [String]) -> Self {
        Self {
            code,
            recipients,
            held: None,
        }
    }
}

impl Sequencer {
    pub(super) fn plan(
        &mut self,
        job: usize,
        entry: &Entry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        if let Some(plan) = self.meets_erasure(entry, seen)? {
            return Ok(plan);
        }
        match entry {
            Entry::Submit {
                admitted,
                nodes,
                members,
                recipients,
            } => self.plan_submit(job, admitted, (nodes, members, recipients), now_ms, seen),
            Entry::Deliver {
                admitted,
                members,
                retired,
            } => self.plan_deliver(job, admitted, (members, retired), now_ms, seen),
            Entry::Reject {
                admitted,
                code,
                recipients,
            } => match self.known_here(admitted, seen)? {
                Known::Answer(plan) => Ok(plan),
                Known::No | Known::Other(_) => {
                    let why = Refusal::new(*code, recipients);
                    self.plan_reject(job, admitted, why, now_ms, seen)
                }
            },
            Entry::Refuse {
                message,
                id,
                submitted,
                code,
                ..
            } => self.plan_refuse((*message, *id, *submitted), *code, seen),
            Entry::Stage(stage) => self.plan_stage(job, stage, now_ms, seen),
            Entry::PeerReceipt(receipt) => self.plan_peer_receipt(job, receipt, seen),
            Entry::Trust(roster) => self.plan_trust(job, *roster, now_ms, seen),
            Entry::Attachment(entry) => Ok(plan_attachment(job, entry)),
            Entry::Relayed {
                outbox_key,
                message,
            } => {
                queue::take(seen, outbox_key);
                let record = Record {
                    outbox_key: outbox_key.clone(),
                    ..Record::about(*message)
                };
                Ok(Plan::of(Planned::plain(job, records::RELAYED, record)))
            }
            Entry::Undeliverable {
                item,
                code,
                attempts,
            } => self.plan_undeliverable(job, item, (*code, *attempts), now_ms, seen),
            Entry::Order { key, act } => self.plan_order(job, key, *act, now_ms, seen),
            Entry::Seen(entry) => self.plan_seen(job, entry, now_ms, seen),
            Entry::Forked(fork) => self.plan_forked(job, fork, now_ms, seen),
            Entry::Cosigned(checkpoint) => Ok(self.plan_cosigned(job, checkpoint)),
            Entry::Begin(entry) => self.plan_begin(job, entry, now_ms),
            Entry::Erase(entry) => self.plan_erase(job, entry, now_ms, seen),
            Entry::Hold(entry) => self.plan_hold(job, entry, now_ms, seen),
        }
    }

    fn plan_submit(
        &mut self,
        job: usize,
        admitted: &Admitted,
        (nodes, members, recipients): (&[String], &[String], &[String]),
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let key = records::message_key(admitted.message(), records::SENT_SUFFIX, &[]);
        let resealed = match self.known(admitted, &key, seen)? {
            Known::No => false,
            Known::Answer(plan) => return Ok(plan),
            Known::Other(first) => {
                if let Some(value) = self.sent_again(admitted)? {
                    return self.stored_receipt(&value);
                }
                if !self.follows(admitted, first, (nodes, members, recipients))? {
                    return self.plan_reuse(job, admitted, first, now_ms, seen);
                }
                true
            }
        };
        let recall = match self.plan_recall(job, admitted, (recipients, true), resealed, seen)? {
            Recall::Goes(planned) => planned,
            Recall::Ends(plan) => return Ok(plan),
        };
        let statement = admitted.statement(admitted.taken(), recipients, &self.node);
        let record = Record {
            nodes: nodes.to_vec(),
            resealed,
            since_ms: now_ms,
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
        planned.extend(recall);
        Ok(Plan::Records(planned))
    }

    fn plan_deliver(
        &mut self,
        job: usize,
        admitted: &Admitted,
        (members, retired): (&[String], &[String]),
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let resealed = match self.known_here(admitted, seen)? {
            Known::No => false,
            Known::Answer(plan) => return Ok(plan),
            Known::Other(held) => {
                if !self.awaited(admitted, members)? {
                    return self.plan_reuse(job, admitted, held, now_ms, seen);
                }
                true
            }
        };
        let recall = match self.plan_recall(job, admitted, (members, false), resealed, seen)? {
            Recall::Goes(planned) => planned,
            Recall::Ends(plan) => return Ok(plan),
        };
        let withdrawn = match self.withdrawn_before(admitted.message(), seen)? {
            Withdrawn::For(members) => members,
            Withdrawn::NextBlock => return Ok(Plan::NextBlock),
        };
        let statement = admitted.statement(v1::Event::Accepted, members, &self.node);
        let record = Record {
            members: members.to_vec(),
            resealed,
            withdrawn,
            ..admitted.record()
        };
        let mut planned = vec![self.leaf(job, records::ACCEPTED, record, &statement, now_ms)?];
        if !retired.is_empty() {
            let why = Refusal::new(WireCode::KeyRetired, retired);
            let mut rejected = self.rejected(job, admitted, why, now_ms)?;
            rejected.answers = false;
            planned.push(rejected);
        }
        planned.extend(recall);
        Ok(Plan::Records(planned))
    }

    /// The answer of before for an envelope that is held, whatever has changed since.
    /// Spec: DEL-17.
    fn plan_refuse(
        &self,
        (message, id, submitted): (MessageKey, EnvelopeId, bool),
        code: WireCode,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let keys = records::answer_keys(message, id, submitted);
        if seen.contains(&keys[0]) {
            return Ok(Plan::NextBlock);
        }
        for key in &keys {
            let Some(value) = self.index.get(Table::Message, key)? else {
                continue;
            };
            if records::parse_kept(&value).ok_or(LedgerError::Record)?.id == id {
                return self.stored_receipt(&value);
            }
        }
        Ok(Plan::Answer(Outcome::Failed(code)))
    }

    fn plan_reject(
        &mut self,
        job: usize,
        admitted: &Admitted,
        why: Refusal<'_>,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let key = records::message_key(
            admitted.message(),
            records::REJECTED_SUFFIX,
            &[&admitted.id.0],
        );
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        if let Some(kept) = self.index.get(Table::Message, &key)? {
            return self.stored_receipt(&kept);
        }
        let rejected = self.rejected(job, admitted, why, now_ms)?;
        Ok(Plan::Records(vec![rejected]))
    }

    fn rejected(
        &mut self,
        job: usize,
        admitted: &Admitted,
        why: Refusal<'_>,
        now_ms: u64,
    ) -> Result<Planned, LedgerError> {
        let mut statement = admitted.statement(v1::Event::Rejected, why.recipients, &self.node);
        statement.code = why.code as u32;
        statement.other_envelope_id = why.held;
        let record = Record {
            code: why.code as u32,
            ..admitted.record()
        };
        self.leaf(job, records::REJECTED, record, &statement, now_ms)
    }

    fn plan_stage(
        &mut self,
        job: usize,
        stage: &StageEntry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let message = MessageKey::new(&stage.sender, stage.message_id);
        let detail = stage_detail(&stage.member, stage.stage);
        let key = records::message_key(message, records::STAGE_SUFFIX, &[detail.as_bytes()]);
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        if let Some(kept) = self.index.get(Table::Message, &key)? {
            return self.stored_receipt(&kept);
        }
        match self.withdrawn_before(message, seen)? {
            Withdrawn::NextBlock => return Ok(Plan::NextBlock),
            Withdrawn::For(members) if members.contains(&stage.member) => {
                return Ok(Plan::Answer(Outcome::Failed(WireCode::Recalled)));
            }
            Withdrawn::For(_) => {}
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
            since_ms: now_ms,
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
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        if let Some(key) = &entry.outbox_key {
            queue::take(seen, key);
        }
        let detail = [entry.node.as_bytes(), b"\0", entry.detail.as_bytes()];
        let key = records::message_key(entry.message, records::PEER_SUFFIX, &detail);
        let before = self.index.get(Table::Message, &key)?;
        if entry.outbox_key.is_none() && before.is_some() {
            return Ok(Plan::Answer(Outcome::Done));
        }
        // What is followed by another receipt must still be found when the message is erased.
        let before = before.and_then(|value| value.last_chunk().copied());
        let before = before.map_or(0, u64::from_be_bytes);
        let about = Record {
            nodes: vec![entry.node.clone()],
            ..Record::about(entry.message)
        };
        let refusal = entry.refusal.iter().map(|refusal| Record {
            receipt: refusal.clone(),
            detail: format!("{}{}", entry.detail, records::PARTIAL_DETAIL),
            ..about.clone()
        });
        let receipt = Record {
            receipt: entry.receipt.clone(),
            outbox_key: entry.outbox_key.clone().unwrap_or_default(),
            detail: entry.detail.clone(),
            item: before,
            ..about.clone()
        };
        // Whoever listens hears the refusal first: the other ends the wait.
        let planned = refusal
            .chain([receipt])
            .map(|record| Planned::plain(job, records::PEER_RECEIPT, record));
        Ok(Plan::Records(planned.collect()))
    }

    /// The first roster that a journal sees is no change; every other one is logged once.
    /// Spec: DIS-10.
    fn plan_trust(
        &mut self,
        job: usize,
        roster: RosterRef,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let message = MessageKey::of_trust();
        let key = records::message_key(message, records::TRUST_SUFFIX, &[]);
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        let record = Record {
            envelope_id: Bytes::copy_from_slice(&roster.sha256),
            ..Record::about(message)
        };
        let planned = match self.index.get(Table::Message, &key)? {
            None => Planned::plain(job, records::TRUST_HELD, record),
            Some(kept) => {
                let kept = records::parse_kept(&kept).ok_or(LedgerError::Record)?;
                if kept.id.0 == roster.sha256 {
                    return Ok(Plan::Answer(Outcome::Done));
                }
                let statement = Statement {
                    roster: Some(roster),
                    ..Statement::new(v1::Event::TrustChange, &self.node)
                };
                self.leaf(job, records::TRUST, record, &statement, now_ms)?
            }
        };
        Ok(Plan::Records(vec![planned]))
    }

    /// Whether the message id was used before: the stored receipt for the same envelope, the next
    /// block if the first use is in this one.
    fn known(
        &self,
        admitted: &Admitted,
        key: &[u8],
        seen: &mut Taken,
    ) -> Result<Known, LedgerError> {
        if !seen.insert(key.to_vec()) {
            return Ok(Known::Answer(Plan::NextBlock));
        }
        let Some(value) = self.index.get(Table::Message, key)? else {
            return Ok(Known::No);
        };
        let kept = records::parse_kept(&value).ok_or(LedgerError::Record)?;
        if kept.id == admitted.id {
            return self.stored_receipt(&value).map(Known::Answer);
        }
        Ok(Known::Other(kept.id))
    }

    /// As [`known`](Self::known), for what was delivered: also if it came sealed again.
    fn known_here(&self, admitted: &Admitted, seen: &mut Taken) -> Result<Known, LedgerError> {
        let [first, again, _] = records::answer_keys(admitted.message(), admitted.id, false);
        let known = self.known(admitted, &first, seen)?;
        if let Known::Other(_) = known
            && let Some(value) = self.index.get(Table::Message, &again)?
        {
            return self.stored_receipt(&value).map(Known::Answer);
        }
        Ok(known)
    }

    /// A signed `ID_REUSE` that names the envelope held.
    fn plan_reuse(
        &mut self,
        job: usize,
        admitted: &Admitted,
        held: EnvelopeId,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let why = Refusal {
            held: Some(held),
            ..Refusal::new(WireCode::IdReuse, &[])
        };
        self.plan_reject(job, admitted, why, now_ms, seen)
    }

    pub(super) fn stored_receipt(&self, kept: &[u8]) -> Result<Plan, LedgerError> {
        let kept = records::parse_kept(kept).ok_or(LedgerError::Record)?;
        let (_, bytes) = self.journal.reader().read(kept.position)?;
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        Ok(Plan::Answer(Outcome::Stored(record.receipt)))
    }

    pub(super) fn leaf(
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
            stubs: Vec::new(),
        })
    }
}

fn plan_attachment(job: usize, entry: &AttachmentEntry) -> Plan {
    let kind = match entry.until_ms {
        Some(_) => records::ATTACHMENT_RELEASED,
        None => records::ATTACHMENT_REMOVED,
    };
    let record = Record {
        message: entry.message.clone(),
        attachments: vec![entry.row.clone()],
        until_ms: entry.until_ms.unwrap_or_default(),
        ..Record::default()
    };
    Plan::of(Planned::plain(job, kind, record))
}

impl Plan {
    pub(super) fn of(planned: Planned) -> Self {
        Self::Records(vec![planned])
    }
}

impl Planned {
    pub(super) fn plain(job: usize, kind: RecordKind, record: Record) -> Self {
        Self {
            job,
            kind,
            record,
            leaf: None,
            answers: true,
            stubs: Vec::new(),
        }
    }
}

impl Record {
    pub(super) fn about(message: MessageKey) -> Self {
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

    /// What the sender's node states of it.
    fn taken(&self) -> v1::Event {
        match self.is_forward {
            true => v1::Event::Forwarded,
            false => v1::Event::Submitted,
        }
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
            attachments: self
                .attachments
                .iter()
                .map(|root| Bytes::copy_from_slice(root))
                .collect(),
            ..Record::about(self.message())
        }
    }
}
