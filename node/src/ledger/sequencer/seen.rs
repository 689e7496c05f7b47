//! What is recorded of other logs, and of the cosignatures on the own one.

use bytes::Bytes;
use frex_proto::{error::WireCode, limits, log, receipt::Statement, v1};
use prost::Message;

use super::{Plan, Planned, Sequencer, plan::Taken};
use crate::{
    index::Table,
    ledger::{
        LedgerError, MessageKey, Outcome, SeenEntry,
        records::{self, Record, SeenLog},
    },
};

impl Sequencer {
    /// Compares with what is known, and sets it: no two of these see the same past.
    /// Spec: WIT-5, WIT-10, WIT-11.
    pub(super) fn plan_seen(
        &mut self,
        job: usize,
        entry: &SeenEntry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let key = records::seen_key(&entry.head.origin);
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        let before = self.index.get(Table::Seen, &key)?;
        let before = before.map(SeenLog::decode).transpose();
        let before = before.map_err(|_| LedgerError::Record)?;
        let is_fork = |before: &SeenLog| !before.contradicts.is_empty();
        if before.as_ref().is_some_and(is_fork) {
            return Ok(Plan::Answer(Outcome::Failed(WireCode::Forked)));
        }
        let nothing = log::empty_root();
        let known = before
            .as_ref()
            .map_or((0, &nothing[..]), |before| (before.size, &before.root[..]));
        if known != (entry.known.0, &entry.known.1[..]) {
            return Ok(Plan::Answer(Outcome::Failed(WireCode::RetryAfter)));
        }
        let mut log = SeenLog {
            origin: entry.head.origin.clone(),
            size: entry.head.size,
            root: Bytes::copy_from_slice(&entry.head.root),
            checkpoint: entry.checkpoint.clone(),
            logged_ms: before.as_ref().map_or(0, |before| before.logged_ms),
            contradicts: Bytes::new(),
        };
        let mut statement = Statement {
            checkpoints: vec![entry.checkpoint.clone()],
            ..Statement::new(v1::Event::PeerSeen, &self.node)
        };
        if let (true, Some(before)) = (entry.contradicts, before) {
            statement.event = v1::Event::ForkEvidence;
            statement.checkpoints.insert(0, before.checkpoint.clone());
            log = SeenLog {
                contradicts: entry.checkpoint.clone(),
                ..before
            };
        }
        let fork = !log.contradicts.is_empty();
        let due = now_ms >= log.logged_ms.saturating_add(limits::SEEN_LOGGED_MS);
        if due || fork {
            log.logged_ms = now_ms;
        }
        let record = Record {
            seen: Some(log),
            ..Record::about(MessageKey::of_log(&entry.head.origin))
        };
        Ok(Plan::of(match (fork, due) {
            (true, _) => self.leaf(job, records::FORKED, record, &statement, now_ms)?,
            (false, true) => self.leaf(job, records::SEEN_LOGGED, record, &statement, now_ms)?,
            (false, false) => Planned::plain(job, records::SEEN, record),
        }))
    }

    /// Keeps the newest own checkpoint that is final. Spec: WIT-12.
    pub(super) fn plan_cosigned(&self, job: usize, checkpoint: &Bytes) -> Plan {
        let seen = SeenLog {
            origin: self.origin.clone(),
            checkpoint: checkpoint.clone(),
            ..SeenLog::default()
        };
        let record = Record {
            seen: Some(seen),
            ..Record::about(MessageKey::of_log(&self.origin))
        };
        Plan::of(Planned::plain(job, records::COSIGNED, record))
    }
}
