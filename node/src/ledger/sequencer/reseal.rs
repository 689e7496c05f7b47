//! A message that is sent again, sealed to other keys, because its recipients have retired those
//! of the first time. Spec: DEL-29.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use frex_proto::{error::WireCode, id::EnvelopeId, v1};
use prost::Message;

use super::Sequencer;
use crate::{
    index::Table,
    journal::Position,
    ledger::{
        Admitted, LedgerError, MessageKey,
        records::{self, Record},
    },
};

/// Envelopes of one message that are looked at: far more rounds than keys can follow one another.
const ENVELOPES_MAX: usize = 256;

impl Sequencer {
    /// Whether an envelope may follow others of its message: for each of its recipients a node has
    /// refused the last one because the recipient's key is retired, and nobody else is meant.
    pub(super) fn follows(
        &self,
        admitted: &Admitted,
        first: EnvelopeId,
        (nodes, members, recipients): (&[String], &[String], &[String]),
    ) -> Result<bool, LedgerError> {
        let sent = self.sent(admitted)?;
        // What a member served here cannot open was refused before it came to be sent.
        if !members.is_empty() || sent.len() >= ENVELOPES_MAX {
            return Ok(false);
        }
        let mut refused: BTreeMap<EnvelopeId, BTreeSet<String>> = BTreeMap::new();
        for recipient in recipients {
            let to = |(_, members): &&(EnvelopeId, Vec<String>)| members.contains(recipient);
            let Some((id, _)) = sent.iter().rev().find(to) else {
                return Ok(false);
            };
            if !refused.contains_key(id) {
                let mut by = BTreeSet::new();
                for node in nodes {
                    by.extend(self.retired_at(admitted, node, *id, *id == first)?);
                }
                refused.insert(*id, by);
            }
            if !refused[id].contains(recipient) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an envelope delivered under a message id that is held is the one that its
    /// recipients wait for: for each of them an earlier one was refused because of its key, and
    /// none was accepted.
    pub(super) fn awaited(
        &self,
        admitted: &Admitted,
        members: &[String],
    ) -> Result<bool, LedgerError> {
        let mut refused = BTreeSet::new();
        for statement in self.stated(admitted, records::REJECTED_SUFFIX)? {
            if statement.code == WireCode::KeyRetired as u32 {
                refused.extend(statement.recipients);
            }
        }
        let accepted = self.stated(admitted, records::ACCEPTED_SUFFIX)?;
        let has = |member| accepted.iter().any(|said| said.recipients.contains(member));
        Ok(accepted.len() < ENVELOPES_MAX
            && members
                .iter()
                .all(|member| refused.contains(member) && !has(member)))
    }

    fn stated(&self, admitted: &Admitted, suffix: u8) -> Result<Vec<v1::Statement>, LedgerError> {
        let kept = self.envelopes_of(admitted.message(), suffix)?;
        let statements = kept.into_iter().map(|kept| self.statement(kept.position));
        statements.collect()
    }

    /// The envelope's own record, if it followed another of its message.
    pub(super) fn sent_again(&self, admitted: &Admitted) -> Result<Option<Bytes>, LedgerError> {
        let key = records::message_key(
            admitted.message(),
            records::SENT_SUFFIX,
            &[admitted.id.as_ref()],
        );
        Ok(self.index.get(Table::Message, &key)?)
    }

    /// The message's envelopes so far with their recipients, in the order of the journal.
    fn sent(&self, admitted: &Admitted) -> Result<Vec<(EnvelopeId, Vec<String>)>, LedgerError> {
        let mut sent = self.envelopes_of(admitted.message(), records::SENT_SUFFIX)?;
        sent.sort_unstable_by_key(|kept| kept.position);
        sent.into_iter()
            .map(|kept| Ok((kept.id, self.statement(kept.position)?.recipients)))
            .collect()
    }

    /// The envelopes of a message that are kept under this suffix.
    pub(super) fn envelopes_of(
        &self,
        message: MessageKey,
        suffix: u8,
    ) -> Result<Vec<records::Kept>, LedgerError> {
        let prefix = records::message_key(message, suffix, &[]);
        let rows = self
            .index
            .scan(Table::Message, &prefix, None, ENVELOPES_MAX)?;
        let kept = rows.iter().map(|(_, value)| records::parse_kept(value));
        kept.map(|kept| kept.ok_or(LedgerError::Record)).collect()
    }

    /// Whose key `node` has named as the reason why it refused the envelope.
    fn retired_at(
        &self,
        admitted: &Admitted,
        node: &str,
        id: EnvelopeId,
        first: bool,
    ) -> Result<Vec<String>, LedgerError> {
        let again = if first { String::new() } else { id.to_string() };
        let mut retired = Vec::new();
        for end in ["", records::PARTIAL_DETAIL] {
            let of = format!("{again}{end}");
            let detail = [node.as_bytes(), b"\0", of.as_bytes()];
            let key = records::message_key(admitted.message(), records::PEER_SUFFIX, &detail);
            let Some(value) = self.index.get(Table::Message, &key)? else {
                continue;
            };
            let place = value.last_chunk().copied().ok_or(LedgerError::Record)?;
            let said = self.statement(Position::from_u64(u64::from_be_bytes(place)))?;
            if said.event() == v1::Event::Rejected
                && said.code == WireCode::KeyRetired as u32
                && said.envelope_id.as_ref() == id.as_ref()
            {
                retired.extend(said.recipients);
            }
        }
        Ok(retired)
    }

    /// The statement of the receipt in the record at `position`, which was verified before.
    pub(super) fn statement(&self, position: Position) -> Result<v1::Statement, LedgerError> {
        let (_, bytes) = self.journal.reader().read(position)?;
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        let receipt = v1::Receipt::decode(record.receipt).map_err(|_| LedgerError::Record)?;
        v1::Statement::decode(receipt.statement).map_err(|_| LedgerError::Record)
    }
}
